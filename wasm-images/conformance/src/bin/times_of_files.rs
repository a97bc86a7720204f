//! Which of a file's times a call changes: content and inode, of the file and of its directory.

use conformance::files::*;
use conformance::*;
use podsim_guest::*;
use std::time::Duration;

/// Whether atime, mtime and ctime of a file were changed by what is done.
fn changes(path: &str, act: impl FnOnce() -> Outcome) -> std::result::Result<[bool; 3], String> {
    let before = must(path, lstat(path))?;
    must("sleep", sleep_until(clock_monotonic() + Duration::from_millis(30)))?;
    act()?;
    let after = must(path, lstat(path))?;
    Ok([
        before.atime != after.atime,
        before.mtime != after.mtime,
        before.ctime != after.ctime,
    ])
}

fn main() {
    conformance(|| {
        enter_directory("times")?;
        must("mkdir", mkdir("dir"))?;
        let start = clock_realtime();
        must("sleep", sleep_until(clock_monotonic() + Duration::from_millis(30)))?;
        put("dir/file", b"text")?;
        let made = must("stat", stat("dir/file"))?;
        expect(
            "all are the time of the making",
            [made.atime, made.mtime, made.ctime].iter().all(|t| *t > start),
            true,
        )?;
        let fd = must("open", open("dir/file", OpenFlags::RDWR))?;

        const NONE: [bool; 3] = [false, false, false];
        const INODE: [bool; 3] = [false, false, true];
        const CONTENT: [bool; 3] = [false, true, true];
        let file = |what: &str, linux, act: &dyn Fn() -> Result<()>| {
            expect(what, changes("dir/file", || must(what, act()))?, linux)
        };
        file("write", CONTENT, &|| pwrite(fd, b"more", 4).map(drop))?;
        file("write of nothing", NONE, &|| pwrite(fd, b"", 0).map(drop))?;
        file("ftruncate", CONTENT, &|| ftruncate(fd, 2))?;
        file("chmod", INODE, &|| fchmod(fd, Mode(0o600)))?;
        file("chown", INODE, &|| chown("dir/file", 1, 1))?;
        file("link", INODE, &|| link("dir/file", "second"))?;
        file("unlink of the other link", INODE, &|| unlink("second"))?;
        file("open for writing", NONE, &|| {
            open("dir/file", OpenFlags::RDWR).and_then(close)
        })?;
        file("stat", NONE, &|| stat("dir/file").map(drop))?;
        file("O_TRUNC", CONTENT, &|| {
            open("dir/file", OpenFlags::WRONLY | OpenFlags::TRUNC).and_then(close)
        })?;

        let dir = |what: &str, linux, act: &dyn Fn() -> Result<()>| {
            expect(what, changes("dir", || must(what, act()))?, linux)
        };
        dir("mkdir in a directory", CONTENT, &|| mkdir("dir/sub"))?;
        dir("rmdir", CONTENT, &|| rmdir("dir/sub"))?;
        dir("rename in it", CONTENT, &|| rename("dir/file", "dir/renamed"))?;
        dir("rename out of it", CONTENT, &|| rename("dir/renamed", "out"))?;
        dir("rename into it", CONTENT, &|| rename("out", "dir/file"))?;
        dir("a write to a file in it", NONE, &|| pwrite(fd, b"x", 0).map(drop))?;
        dir("a failing mkdir", NONE, &|| {
            if mkdir("dir/file") == Err(Errno::EEXIST) {
                Ok(())
            } else {
                Err(Errno::EIO)
            }
        })?;

        let (access, modification) = (Duration::new(1_000_000, 123_456_789), Duration::from_secs(2_000_000));
        let set = |atime, mtime| utimensat(Fd::CWD, "dir/file", atime, mtime, true);
        let before = must("stat", stat("dir/file"))?.ctime;
        must("utimensat", set(SetTime::To(access), SetTime::To(modification)))?;
        let after = must("stat", stat("dir/file"))?;
        expect("what was set", (after.atime, after.mtime), (access, modification))?;
        expect("ctime cannot be", after.ctime >= before, true)?;
        must("utimensat", set(SetTime::Omit, SetTime::Now))?;
        let after = must("stat", stat("dir/file"))?;
        expect(
            "left alone, and now",
            (after.atime, after.mtime > start),
            (access, true),
        )?;
        must("symlink", symlink("dir/file", "link"))?;
        must(
            "utimensat",
            utimensat(Fd::CWD, "link", SetTime::Omit, SetTime::To(access), false),
        )?;
        expect("of a link itself", lstat("link").map(|s| s.mtime), Ok(access))?;
        expect("not of its target", stat("link").map(|s| s.mtime == access), Ok(false))
    })
}
