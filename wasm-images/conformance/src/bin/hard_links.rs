//! Two names of one file: one inode, one content, one mode; none for directories or over filesystems.

use conformance::files::*;
use conformance::*;
use podsim_guest::*;

fn main() {
    conformance(|| {
        enter_directory("links")?;
        put("one", b"1")?;
        expect("links at first", stat("one").map(|s| s.nlink), Ok(1))?;
        expect("link", link("one", "two"), Ok(()))?;
        let (one, two) = (must("stat", stat("one"))?, must("stat", stat("two"))?);
        expect("the inode", two.ino, one.ino)?;
        expect("links", (one.nlink, two.nlink), (2, 2))?;
        put("two", b"22")?;
        expect("the content", content("one"), Ok("22".to_owned()))?;
        must("chmod", chmod("two", 0o600))?;
        expect("the mode", mode("one"), Ok(0o600))?;
        must("unlink", unlink("one"))?;
        expect("the other stays", content("two"), Ok("22".to_owned()))?;
        expect("links", stat("two").map(|s| s.nlink), Ok(1))?;

        must("mkdir", mkdir("dir"))?;
        put("three", b"")?;
        must("symlink", symlink("two", "soft"))?;
        for (what, old, new, linux) in [
            ("onto a file", "two", "three", Err(Errno::EEXIST)),
            ("a directory", "dir", "dir2", Err(Errno::EPERM)),
            ("of nothing", "none", "x", Err(Errno::ENOENT)),
            ("into nothing", "two", "none/x", Err(Errno::ENOENT)),
            ("to another filesystem", "two", "/dev/x", Err(Errno::EXDEV)),
            ("into a directory", "two", "dir/two", Ok(())),
        ] {
            expect(what, link(old, new), linux)?;
        }
        expect("of a symbolic link", link("soft", "soft2"), Ok(()))?;
        expect(
            "is of itself",
            lstat("soft2").map(|s| (s.file_type, s.nlink)),
            Ok((FileType::Symlink, 2)),
        )?;
        expect(
            "with AT_SYMLINK_FOLLOW",
            linkat(Fd::CWD, "soft", Fd::CWD, "hard", true),
            Ok(()),
        )?;
        expect("is of its target", inode("hard"), inode("two"))?;
        expect("links in the end", stat("two").map(|s| s.nlink), Ok(3))
    })
}
