//! Which directories `rename` may replace, and that none moves into itself.

use conformance::files::*;
use conformance::*;
use podsim_guest::*;

fn main() {
    conformance(|| {
        enter_directory("rename-dirs")?;
        for dir in ["full", "empty", "a", "a/b", "a/b/c"] {
            must("mkdir", mkdir(dir))?;
        }
        put("full/file", b"")?;
        put("file", b"")?;
        for (what, old, new, linux) in [
            ("onto a directory with entries", "empty", "full", Err(Errno::ENOTEMPTY)),
            ("a directory onto a file", "empty", "file", Err(Errno::ENOTDIR)),
            ("a file onto a directory", "file", "empty", Err(Errno::EISDIR)),
            ("into itself", "a", "a/d", Err(Errno::EINVAL)),
            ("deep into itself", "a", "a/b/c/d", Err(Errno::EINVAL)),
            ("onto its parent", "a/b", "a", Err(Errno::ENOTEMPTY)),
            ("onto its ancestor", "a/b/c", "a", Err(Errno::ENOTEMPTY)),
            ("the directory itself", ".", "x", Err(Errno::EBUSY)),
            ("its parent", "a/b/..", "x", Err(Errno::EBUSY)),
            ("a file with a slash", "file/", "x", Err(Errno::ENOTDIR)),
            ("a file to a name with a slash", "file", "x/", Err(Errno::ENOTDIR)),
            ("onto an empty directory", "full", "empty", Ok(())),
            ("to a name with a slash", "empty", "moved/", Ok(())),
        ] {
            expect(what, rename(old, new), linux)?;
        }
        expect("the content came along", content("moved/file"), Ok(String::new()))?;

        let inside = must("open", open("a/b/c", OpenFlags::DIRECTORY))?;
        let home = must("stat", inode("."))?;
        must("chdir", chdir("a/b"))?;
        must("rename", rename("../b/c", "../../c"))?;
        expect(
            "`..` of what was moved",
            fstatat(inside, "..", true).map(|s| s.ino),
            Ok(home),
        )?;
        must("rename", rename("../../a", "../../z"))?;
        let cwd = must("getcwd", getcwd())?;
        expect("the current directory follows", cwd.ends_with("/rename-dirs/z/b"), true)
    })
}
