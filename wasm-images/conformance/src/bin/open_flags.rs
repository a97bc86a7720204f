//! The flags of `open`: EXCL, TRUNC, DIRECTORY, NOFOLLOW, PATH, CLOEXEC, and what can be done with the descriptor then.

use conformance::files::*;
use conformance::*;
use podsim_guest::*;

fn main() {
    conformance(|| {
        enter_directory("open")?;
        must("mkdir", mkdir("dir"))?;
        put("file", b"content")?;
        must("symlink", symlink("file", "link"))?;
        let (read_only, write_only, create) = (OpenFlags::empty(), OpenFlags::WRONLY, OpenFlags::CREAT);
        for (what, path, flags, linux) in [
            ("EXCL of a file", "file", create | OpenFlags::EXCL, Errno::EEXIST),
            ("EXCL of a directory", "dir", create | OpenFlags::EXCL, Errno::EEXIST),
            ("CREAT of a directory", "dir", create, Errno::EISDIR),
            ("writing a directory", "dir", write_only, Errno::EISDIR),
            ("a new name with a slash", "new/", create | write_only, Errno::EISDIR),
            ("a file with a slash", "file/", read_only, Errno::ENOTDIR),
            ("below a file", "file/x", create, Errno::ENOTDIR),
            ("DIRECTORY of a file", "file", OpenFlags::DIRECTORY, Errno::ENOTDIR),
            ("NOFOLLOW of a link", "link", OpenFlags::NOFOLLOW, Errno::ELOOP),
            ("no path", "", read_only, Errno::ENOENT),
            ("nothing there", "none", write_only, Errno::ENOENT),
        ] {
            expect(what, open(path, flags), Err(linux))?;
        }
        let long = "x".repeat(255);
        expect("a name of 255 bytes", open(&long, create).is_ok(), true)?;
        expect(
            "a name of 256 bytes",
            open(&format!("{long}x"), create),
            Err(Errno::ENAMETOOLONG),
        )?;

        let mut buf = [0; 4];
        let reader = must("open", open("file", read_only))?;
        let writer = must("open", open("file", write_only | OpenFlags::CLOEXEC))?;
        expect("write to a reading descriptor", write(reader, b"x"), Err(Errno::EBADF))?;
        expect("read from a writing one", read(writer, &mut buf), Err(Errno::EBADF))?;
        expect(
            "CLOEXEC",
            (get_cloexec(reader), get_cloexec(writer)),
            (Ok(false), Ok(true)),
        )?;
        let dir = must("open", open("dir", OpenFlags::DIRECTORY))?;
        expect("read of a directory", read(dir, &mut buf), Err(Errno::EISDIR))?;
        let handle = must("open", open("link", OpenFlags::PATH | OpenFlags::NOFOLLOW))?;
        expect(
            "PATH and NOFOLLOW",
            fstat(handle).map(|s| s.file_type),
            Ok(FileType::Symlink),
        )?;
        let handle = must("open", open("file", OpenFlags::PATH))?;
        expect("read of a PATH descriptor", read(handle, &mut buf), Err(Errno::EBADF))?;
        expect("fchmod of one", fchmod(handle, Mode(0o600)), Err(Errno::EBADF))?;
        expect("fstat of one", fstat(handle).map(|s| s.size), Ok(7))?;

        let flags = OpenFlags::RDWR | OpenFlags::APPEND | OpenFlags::NONBLOCK;
        let all = must("open", open("file", flags | create | OpenFlags::CLOEXEC))?;
        let told = must("F_GETFL", get_status_flags(all))?;
        expect(
            "F_GETFL",
            told & (flags | create | OpenFlags::EXCL | OpenFlags::TRUNC),
            flags,
        )?;
        expect("CREAT leaves the content", content("file"), Ok("content".to_owned()))?;
        must("open", open("file", write_only | OpenFlags::TRUNC))?;
        expect("TRUNC", content("file"), Ok(String::new()))?;

        must("close", close(reader))?;
        expect("the lowest number", open("file", read_only), Ok(reader))?;
        expect(
            "close of what is closed",
            close(reader).and_then(|()| close(reader)),
            Err(Errno::EBADF),
        )
    })
}
