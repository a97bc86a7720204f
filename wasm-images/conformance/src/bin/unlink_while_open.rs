//! A file without a name lives until its last descriptor is closed; in a directory without one nothing can be made.

use conformance::files::*;
use conformance::*;
use podsim_guest::*;

fn main() {
    conformance(|| {
        enter_directory("unlink")?;
        put("file", b"content")?;
        let fd = must("open", open("file", OpenFlags::RDWR))?;
        let first = must("fstat", fstat(fd))?;
        expect("unlink", unlink("file"), Ok(()))?;
        expect("the name", inode("file"), Err(Errno::ENOENT))?;
        expect("links", fstat(fd).map(|s| s.nlink), Ok(0))?;
        expect("reading", read_to_end(fd), Ok(b"content".to_vec()))?;
        expect("writing", write(fd, b", more"), Ok(6))?;
        let shown = must("readlink", readlink(&format!("/proc/self/fd/{}", fd.0)))?;
        expect("how proc shows it", shown.ends_with("/unlink/file (deleted)"), true)?;
        expect(
            "opened again by proc",
            content(&format!("/proc/self/fd/{}", fd.0)),
            Ok("content, more".to_owned()),
        )?;
        put("file", b"other")?;
        expect(
            "another file of the name",
            inode("file").map(|ino| ino == first.ino),
            Ok(false),
        )?;
        expect("the first one", fstat(fd).map(|s| (s.ino, s.size)), Ok((first.ino, 13)))?;

        expect(
            "unlink of a directory",
            mkdir("dir").and_then(|()| unlink("dir")),
            Err(Errno::EISDIR),
        )?;
        expect("rmdir of a file", rmdir("file"), Err(Errno::ENOTDIR))?;
        expect("rmdir of `.`", rmdir("dir/."), Err(Errno::EINVAL))?;
        expect("rmdir of `..`", rmdir("dir/.."), Err(Errno::ENOTEMPTY))?;
        must("chdir", chdir("dir"))?;
        expect("rmdir of the current directory", rmdir("../dir"), Ok(()))?;
        expect("getcwd", getcwd(), Err(Errno::ENOENT))?;
        let create = open("new", OpenFlags::WRONLY | OpenFlags::CREAT);
        expect("a file in it", create, Err(Errno::ENOENT))?;
        expect("a directory in it", mkdir("new"), Err(Errno::ENOENT))?;
        expect(
            "`.` is still there",
            stat(".").map(|s| s.file_type),
            Ok(FileType::Directory),
        )?;
        expect("and so is `..`", content("../file"), Ok("other".to_owned()))
    })
}
