//! `rename` replaces a file in one step, moves between directories, and takes a symbolic link as itself.

use conformance::files::*;
use conformance::*;
use podsim_guest::*;

fn main() {
    conformance(|| {
        enter_directory("rename")?;
        must("mkdir", mkdir("there"))?;
        put("new", b"new")?;
        put("old", b"old")?;
        let replaced = must("open", open("old", OpenFlags::empty()))?;
        let kept = must("stat", inode("new"))?;
        expect("rename", rename("new", "old"), Ok(()))?;
        expect("the old name", stat("new").map(|s| s.ino), Err(Errno::ENOENT))?;
        expect("the inode stays", inode("old"), Ok(kept))?;
        expect("the content", content("old"), Ok("new".to_owned()))?;
        expect("links of what was replaced", fstat(replaced).map(|s| s.nlink), Ok(0))?;
        expect("what was replaced, open", read_to_end(replaced), Ok(b"old".to_vec()))?;

        expect("into a directory", rename("old", "there/moved"), Ok(()))?;
        expect("the inode stays", inode("there/moved"), Ok(kept))?;
        expect("gone here", inode("old"), Err(Errno::ENOENT))?;
        expect("from nothing", rename("none", "there/moved"), Err(Errno::ENOENT))?;
        expect("to no directory", rename("there/moved", "none/x"), Err(Errno::ENOENT))?;
        expect("onto itself", rename("there/moved", "there/moved"), Ok(()))?;

        put("a", b"a")?;
        must("link", link("a", "b"))?;
        expect("onto another link of the same file", rename("a", "b"), Ok(()))?;
        expect("does nothing", (inode("a").is_ok(), inode("b").is_ok()), (true, true))?;

        must("symlink", symlink("a", "link"))?;
        expect("a symbolic link", rename("link", "link2"), Ok(()))?;
        expect("is moved itself", readlink("link2"), Ok("a".to_owned()))?;
        put("c", b"c")?;
        expect("onto a symbolic link", rename("c", "link2"), Ok(()))?;
        expect(
            "replaces it",
            lstat("link2").map(|s| s.file_type),
            Ok(FileType::Regular),
        )?;
        expect("not what it led to", content("a"), Ok("a".to_owned()))?;

        let dir = must("open", open("there", OpenFlags::DIRECTORY))?;
        let far = must("open", open("/", OpenFlags::DIRECTORY))?;
        expect(
            "by directory descriptors",
            renameat(dir, "moved", Fd::CWD, "back"),
            Ok(()),
        )?;
        expect("is here", inode("back"), Ok(kept))?;
        expect(
            "to another filesystem",
            renameat(Fd::CWD, "back", far, "proc/back"),
            Err(Errno::EXDEV),
        )
    })
}
