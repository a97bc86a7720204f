//! Symbolic links: what follows them and what does not, and ELOOP after 40.

use conformance::files::*;
use conformance::*;
use podsim_guest::*;

fn main() {
    conformance(|| {
        enter_directory("symlinks")?;
        must("mkdir", mkdir("dir"))?;
        put("dir/file", b"content")?;
        must("symlink", symlink("file", "dir/near"))?;
        expect(
            "from the link's directory",
            content("dir/near"),
            Ok("content".to_owned()),
        )?;
        let itself = must("lstat", lstat("dir/near"))?;
        expect(
            "lstat",
            (itself.file_type, itself.mode, itself.size),
            (FileType::Symlink, Mode(0o777), 4),
        )?;
        expect("readlink", readlink("dir/near"), Ok("file".to_owned()))?;
        expect("readlink of a file", readlink("dir/file"), Err(Errno::EINVAL))?;
        expect("readlink of nothing", readlink("none"), Err(Errno::ENOENT))?;
        expect("no target", symlink("", "x"), Err(Errno::ENOENT))?;
        expect("the name is taken", symlink("x", "dir"), Err(Errno::EEXIST))?;

        must("symlink", symlink("dir", "to-dir"))?;
        expect(
            "in the middle of a path",
            content("to-dir/file"),
            Ok("content".to_owned()),
        )?;
        expect(
            "with a slash at the end",
            lstat("to-dir/").map(|s| s.file_type),
            Ok(FileType::Directory),
        )?;
        expect("`..` behind a link is of its target", inode("to-dir/.."), inode("."))?;
        expect("rmdir", rmdir("to-dir"), Err(Errno::ENOTDIR))?;
        expect("O_NOFOLLOW", open("dir/near", OpenFlags::NOFOLLOW), Err(Errno::ELOOP))?;
        expect(
            "O_NOFOLLOW | O_DIRECTORY",
            open("to-dir", OpenFlags::NOFOLLOW | OpenFlags::DIRECTORY),
            Err(Errno::ENOTDIR),
        )?;
        expect(
            "O_NOFOLLOW is of the last name",
            open("to-dir/file", OpenFlags::NOFOLLOW).is_ok(),
            true,
        )?;

        must("symlink", symlink("absent", "dangling"))?;
        expect("stat of a dangling link", inode("dangling"), Err(Errno::ENOENT))?;
        let exclusive = OpenFlags::WRONLY | OpenFlags::CREAT | OpenFlags::EXCL;
        expect(
            "O_EXCL does not follow",
            open("dangling", exclusive),
            Err(Errno::EEXIST),
        )?;
        expect("nor does mkdir", mkdir("dangling"), Err(Errno::EEXIST))?;
        put("dangling", b"made")?;
        expect("O_CREAT makes the target", content("absent"), Ok("made".to_owned()))?;
        must("unlink", unlink("dangling"))?;
        expect("unlink is of the link", content("absent"), Ok("made".to_owned()))?;

        must("symlink", symlink("loop-b", "loop-a"))?;
        must("symlink", symlink("loop-a", "loop-b"))?;
        expect("a loop", inode("loop-a"), Err(Errno::ELOOP))?;
        expect("a loop on the way", inode("loop-a/x"), Err(Errno::ELOOP))?;
        put("0", b"end")?;
        for n in 1..=41 {
            must("symlink", symlink(&(n - 1).to_string(), &n.to_string()))?;
        }
        expect("40 links", content("40"), Ok("end".to_owned()))?;
        expect("41 links", content("41"), Err(Errno::ELOOP))
    })
}
