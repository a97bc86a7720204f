//! A bind mount shows the same files under another path; it can be read-only by itself, and is busy while it is used.

use conformance::files::*;
use conformance::*;
use podsim_guest::*;

fn main() {
    conformance(|| {
        must("unshare", unshare(CloneFlags::NEWNS))?;
        must(
            "private",
            mount("none", "/", "", MountFlags::REC | MountFlags::PRIVATE, ""),
        )?;
        must("chdir", chdir("/tmp"))?;
        enter_directory("bind")?;
        must("mkdir", mkdir("a"))?;
        must("mkdir", mkdir("b"))?;
        put("a/file", b"text")?;
        put("b/hidden", b"")?;
        let bind = |from, to| mount(from, to, "", MountFlags::BIND, "");
        expect("umount of what is not mounted", umount("b", false), Err(Errno::EINVAL))?;
        expect("of nothing", bind("none", "b"), Err(Errno::ENOENT))?;
        expect("a directory on a file", bind("a", "b/hidden"), Err(Errno::ENOTDIR))?;
        expect("bind", bind("a", "b"), Ok(()))?;
        let same = |path| stat(path).map(|s| (s.dev, s.ino));
        expect("the same file", same("b/file"), same("a/file"))?;
        expect("what is below is hidden", inode("b/hidden"), Err(Errno::ENOENT))?;
        put("b/new", b"new")?;
        expect("what is made here is there", content("a/new"), Ok("new".to_owned()))?;
        expect("rename between them", rename("a/new", "b/new2"), Err(Errno::EXDEV))?;
        expect("link between them", link("a/new", "b/new2"), Err(Errno::EXDEV))?;
        expect("rmdir of a mount point", rmdir("b"), Err(Errno::EBUSY))?;
        expect("rename of it", rename("b", "c"), Err(Errno::EBUSY))?;
        let mounts = must("mounts", content("/proc/self/mounts"))?;
        expect(
            "/proc/self/mounts",
            mounts.lines().filter(|l| l.contains(" /tmp/bind/b ")).count(),
            1,
        )?;

        let open_file = must("open", open("b/file", OpenFlags::empty()))?;
        expect("umount while a file is open", umount("b", false), Err(Errno::EBUSY))?;
        must("close", close(open_file))?;
        must("chdir", chdir("b"))?;
        expect(
            "umount of the current directory",
            umount("/tmp/bind/b", false),
            Err(Errno::EBUSY),
        )?;
        must("chdir", chdir(".."))?;
        expect("umount", umount("b", false), Ok(()))?;
        expect("what was hidden", inode("b/hidden").is_ok(), true)?;

        must("bind", bind("a", "b"))?;
        let read_only = MountFlags::REMOUNT | MountFlags::BIND | MountFlags::RDONLY;
        expect("read-only", mount("none", "b", "", read_only, ""), Ok(()))?;
        expect("open for writing", open("b/file", OpenFlags::WRONLY), Err(Errno::EROFS))?;
        expect("unlink", unlink("b/file"), Err(Errno::EROFS))?;
        expect("mkdir", mkdir("b/dir"), Err(Errno::EROFS))?;
        expect("chmod", chmod("b/file", 0o600), Err(Errno::EROFS))?;
        expect("mkdir of what is there", mkdir("b/file"), Err(Errno::EEXIST))?;
        expect("access", faccessat(Fd::CWD, "b/file", Access::WRITE), Err(Errno::EROFS))?;
        expect("reading", content("b/file"), Ok("text".to_owned()))?;
        expect("the other path", put("a/file", b"changed"), Ok(()))?;
        let used = must("open", open("b/file", OpenFlags::empty()))?;
        expect("lazy umount", umount("b", true), Ok(()))?;
        expect("gone from the path", inode("b/file"), Err(Errno::ENOENT))?;
        expect(
            "but not for who has it open",
            read_to_end(used),
            Ok(b"changed".to_vec()),
        )?;

        put("target", b"below")?;
        expect("a file on a file", bind("a/file", "target"), Ok(()))?;
        expect("its content", content("target"), Ok("changed".to_owned()))?;
        expect("unlink of it", unlink("target"), Err(Errno::EBUSY))?;
        must("umount", umount("target", false))?;
        expect("below it", content("target"), Ok("below".to_owned()))?;
        must("setresuid", setresuid(None, Some(1), None))?;
        expect("for a user", bind("a", "b"), Err(Errno::EPERM))?;
        expect("and umount", umount("b", false), Err(Errno::EPERM))
    })
}
