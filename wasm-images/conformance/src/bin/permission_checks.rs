//! What the modes of files and directories allow to a user who is not root.

use conformance::files::*;
use conformance::*;
use podsim_guest::*;

const USER: u32 = 65_534;
const GROUP: u32 = 1234;

fn main() {
    conformance(|| {
        enter_directory("permissions")?;
        for (path, mode, uid, gid) in [
            ("readable", 0o644, 0, 0),
            ("secret", 0o600, 0, 0),
            ("writable", 0o622, 0, 0),
            ("grouped", 0o640, 0, GROUP),
            ("not-for-the-group", 0o604, 0, GROUP),
            ("own", 0o600, USER, USER),
            ("not-for-the-owner", 0o077, USER, USER),
        ] {
            put(path, b"text")?;
            must("chown", chown(path, uid, gid))?;
            must("chmod", chmod(path, mode))?;
        }
        for (path, mode) in [
            ("closed", 0o700),
            ("passage", 0o711),
            ("listing", 0o744),
            ("common", 0o755),
        ] {
            must("mkdir", mkdir(path))?;
            put(&format!("{path}/file"), b"text")?;
            must("chmod", chmod(path, mode))?;
        }
        become_user(USER, vec![GROUP])?;

        let (r, w, denied) = (OpenFlags::empty(), OpenFlags::WRONLY, Some(Errno::EACCES));
        for (path, flags, linux) in [
            ("readable", r, None),
            ("readable", w, denied),
            ("readable", OpenFlags::RDWR, denied),
            ("readable", r | OpenFlags::TRUNC, denied),
            ("secret", r, denied),
            ("writable", w, None),
            ("writable", r, denied),
            ("grouped", r, None),
            ("grouped", w, denied),
            ("not-for-the-group", r, denied),
            ("own", OpenFlags::RDWR, None),
            ("not-for-the-owner", r, denied),
            ("closed/file", r, denied),
            ("closed", r, denied),
            ("passage/file", r, None),
            ("passage", r, denied),
            ("listing/file", r, denied),
            ("listing", r, None),
            ("common/new", w | OpenFlags::CREAT, denied),
            ("common/none", r, Some(Errno::ENOENT)),
            ("closed/none", r, denied),
        ] {
            expect(&format!("open {path} with {flags:?}"), open(path, flags).err(), linux)?;
        }
        let access = |path, access| faccessat(Fd::CWD, path, access);
        expect("access: exists", access("secret", Access::empty()), Ok(()))?;
        expect("access: read", access("secret", Access::READ), Err(Errno::EACCES))?;
        expect("access: execute", access("readable", Access::EXEC), Err(Errno::EACCES))?;
        expect("access: enter", access("passage", Access::EXEC), Ok(()))?;
        expect(
            "unlink where one may not write",
            unlink("common/file"),
            Err(Errno::EACCES),
        )?;
        expect("rename out of there", rename("common/file", "mine"), Err(Errno::EACCES))?;
        expect("mkdir there", mkdir("common/dir"), Err(Errno::EACCES))?;
        expect("unlink of root's file where one may", unlink("secret"), Ok(()))?;
        expect("chdir", chdir("listing"), Err(Errno::EACCES))?;
        expect("chmod of root's file", chmod("readable", 0o666), Err(Errno::EPERM))?;
        expect("chmod of one's own", chmod("not-for-the-owner", 0o400), Ok(()))?;
        expect("which helps", content("not-for-the-owner"), Ok("text".to_owned()))?;
        expect("giving a file away", chown("own", 0, USER), Err(Errno::EPERM))?;
        expect("to a group of one's own", chown("own", USER, GROUP), Ok(()))?;
        expect("to another group", chown("own", USER, 4321), Err(Errno::EPERM))?;
        expect(
            "the times of a writable file, now",
            utimensat(Fd::CWD, "writable", SetTime::Now, SetTime::Now, true),
            Ok(()),
        )?;
        let past = SetTime::To(std::time::Duration::from_secs(1));
        expect(
            "its times, set",
            utimensat(Fd::CWD, "writable", past, past, true),
            Err(Errno::EPERM),
        )?;
        expect(
            "of a readable one, now",
            utimensat(Fd::CWD, "readable", SetTime::Now, SetTime::Now, true),
            Err(Errno::EACCES),
        )?;
        expect("chroot", chroot("."), Err(Errno::EPERM))?;
        let device = DeviceNumber { major: 1, minor: 3 };
        expect(
            "a device",
            mknodat(Fd::CWD, "null", FileType::CharDevice, Mode(0o666), device),
            Err(Errno::EPERM),
        )
    })
}
