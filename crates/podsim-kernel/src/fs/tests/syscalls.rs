//! File system calls as processes make them.

use super::node::{Node, cat, ls, now, open, root, user, write};
use super::*;
use crate::Task;
use futures_util::FutureExt;

fn task() -> (Node, Task) {
    let node = Node::new();
    let container = node.container(None);
    let task = node.process(&container, root());
    (node, task)
}

#[test]
fn open_2_flags_do_what_they_say() {
    let (_node, task) = task();
    const CREAT: OpenFlags = OpenFlags::WRONLY.union(OpenFlags::CREAT);
    write(&task, "/tmp/f", "hello").unwrap();
    task.symlinkat("f", Fd::CWD, "/tmp/l").unwrap();
    task.symlinkat("new", Fd::CWD, "/tmp/dangling").unwrap();
    let rows = [
        ("/tmp/f", CREAT | OpenFlags::EXCL, Err(Errno::EEXIST)),
        ("/tmp/dangling", CREAT | OpenFlags::EXCL, Err(Errno::EEXIST)),
        ("/tmp/dangling", OpenFlags::empty(), Err(Errno::ENOENT)),
        ("/tmp/l", OpenFlags::NOFOLLOW, Err(Errno::ELOOP)),
        ("/tmp/l", CREAT | OpenFlags::NOFOLLOW, Err(Errno::ELOOP)),
        ("/tmp/l", OpenFlags::PATH | OpenFlags::NOFOLLOW, Ok(())),
        ("/tmp", OpenFlags::WRONLY, Err(Errno::EISDIR)),
        ("/tmp", OpenFlags::CREAT, Err(Errno::EISDIR)),
        ("/tmp", OpenFlags::DIRECTORY, Ok(())),
        ("/tmp", OpenFlags::DIRECTORY | OpenFlags::RDWR, Err(Errno::EISDIR)),
        ("/tmp/f", OpenFlags::DIRECTORY, Err(Errno::ENOTDIR)),
        ("/tmp/l", OpenFlags::DIRECTORY, Err(Errno::ENOTDIR)),
        ("/tmp/x", CREAT | OpenFlags::DIRECTORY, Err(Errno::EINVAL)),
        ("/tmp/x/", CREAT, Err(Errno::EISDIR)),
        ("/etc/hostname", CREAT | OpenFlags::TRUNC, Ok(())),
        ("", OpenFlags::empty(), Err(Errno::ENOENT)),
        ("/tmp/f\0x", OpenFlags::empty(), Err(Errno::EINVAL)),
    ];
    for (path, flags, expected) in rows {
        assert_eq!(
            open(&task, path, flags).and_then(|fd| task.close(fd)),
            expected,
            "{path} {flags:?}"
        );
    }
    // A new file is writable for its maker even if its mode says otherwise.
    let fd = now(task.openat(Fd::CWD, "/tmp/ro", OpenFlags::RDWR | OpenFlags::CREAT, Mode(0o444))).unwrap();
    assert_eq!(now(task.write(fd, b"x")), Ok(1));
    let fd = open(&task, "/tmp/f", OpenFlags::WRONLY | OpenFlags::APPEND).unwrap();
    assert_eq!(now(task.write(fd, b"+")), Ok(1));
    assert_eq!(task.lseek(fd, 0, Whence::Current), Ok(6));
    assert_eq!(now(task.read(fd, &mut [0])), Err(Errno::EBADF));
    let fd = open(&task, "/tmp/f", OpenFlags::PATH).unwrap();
    assert_eq!(now(task.read(fd, &mut [0])), Err(Errno::EBADF));
    assert_eq!(task.fchmod(fd, Mode(0o600)), Err(Errno::EBADF));
    assert_eq!(task.fstat(fd).unwrap().size, 6);
    assert_eq!(
        open(&task, "/tmp/f", OpenFlags::WRONLY | OpenFlags::TRUNC).map(drop),
        Ok(())
    );
    assert_eq!(cat(&task, "/tmp/f").unwrap(), "");
}

#[test]
fn relative_paths_start_at_their_directory() {
    let (_node, task) = task();
    let dir = open(&task, "/home", OpenFlags::DIRECTORY).unwrap();
    task.mkdirat(dir, "a", Mode(0o755)).unwrap();
    let fd = now(task.openat(dir, "a/f", OpenFlags::WRONLY | OpenFlags::CREAT, Mode(0o644))).unwrap();
    assert_eq!(task.mkdirat(fd, "x", Mode(0o755)), Err(Errno::ENOTDIR));
    assert_eq!(task.mkdirat(Fd(99), "x", Mode(0o755)), Err(Errno::EBADF));
    assert_eq!(task.mkdirat(Fd(99), "/home/abs", Mode(0o755)), Ok(()));
    task.fchdir(dir).unwrap();
    assert_eq!(task.getcwd().unwrap(), "/home");
    assert_eq!(task.fstatat(Fd::CWD, "a/f", true).unwrap().file_type, FileType::Regular);
    task.renameat(dir, "a/f", Fd::CWD, "g").unwrap();
    assert_eq!(ls(&task, ".").unwrap(), ". .. user a abs g");
    task.chdir("a").unwrap();
    task.unlinkat(dir, "a", true).unwrap();
    assert_eq!(task.getcwd(), Err(Errno::ENOENT));
    assert_eq!(task.chdir("/home/g"), Err(Errno::ENOTDIR));
    assert_eq!(task.umask(Mode(0o7077)), Mode(0o022));
    assert_eq!(task.umask(Mode(0)), Mode(0o077));
}

#[test]
fn an_unprivileged_user_cannot_read_what_is_root_s() {
    let node = Node::new();
    let container = node.container(None);
    let nobody = node.process(&container, user(65534));
    assert_eq!(cat(&nobody, "/etc/shadow"), Err(Errno::EACCES));
    assert_eq!(cat(&nobody, "/etc/passwd").unwrap(), "root");
    assert_eq!(write(&nobody, "/etc/passwd", "x"), Err(Errno::EACCES));
    assert_eq!(write(&nobody, "/tmp/mine", "x"), Ok(1));
    assert_eq!(nobody.faccessat(Fd::CWD, "/etc/passwd", Access::READ), Ok(()));
    assert_eq!(
        nobody.faccessat(Fd::CWD, "/etc/passwd", Access::WRITE),
        Err(Errno::EACCES)
    );
    assert_eq!(nobody.faccessat(Fd::CWD, "/bin/sh", Access::EXEC), Ok(()));
    assert_eq!(nobody.faccessat(Fd::CWD, "/none", Access::empty()), Err(Errno::ENOENT));
    assert_eq!(nobody.chroot("/tmp"), Err(Errno::EPERM));
    assert_eq!(
        nobody.mount("x", "/tmp", "tmpfs", MountFlags::empty(), ""),
        Err(Errno::EPERM)
    );
    // The set-user-id root does not help access(2), which asks for the real user.
    let mut setuid = user(65534);
    (setuid.euid, setuid.fsuid) = (0, 0);
    let setuid = node.process(&container, setuid);
    assert_eq!(
        setuid.faccessat(Fd::CWD, "/etc/shadow", Access::READ),
        Err(Errno::EACCES)
    );
}

#[test]
fn a_fifo_waits_for_its_other_side() {
    let (_node, task) = task();
    task.mknodat(Fd::CWD, "/tmp/p", FileType::Fifo, Mode(0o666), DeviceNumber::default())
        .unwrap();
    let nonblock = OpenFlags::WRONLY | OpenFlags::NONBLOCK;
    assert_eq!(open(&task, "/tmp/p", nonblock), Err(Errno::ENXIO));
    let mut reader = Box::pin(task.openat(Fd::CWD, "/tmp/p", OpenFlags::empty(), Mode(0)));
    assert!((&mut reader).now_or_never().is_none());
    let writer = open(&task, "/tmp/p", OpenFlags::WRONLY).unwrap();
    let reader = now(reader).unwrap();
    now(task.write(writer, b"through the pipe")).unwrap();
    assert_eq!(now(task.read(reader, &mut [0; 99])), Ok(16));
    assert_eq!(task.fstat(reader).unwrap().file_type, FileType::Fifo);
    assert_eq!(task.lseek(reader, 0, Whence::Set), Err(Errno::ESPIPE));
    task.close(writer).unwrap();
    assert_eq!(now(task.read(reader, &mut [0; 99])), Ok(0));
}

#[test]
fn a_lock_is_waited_for() {
    let node = Node::new();
    let container = node.container(None);
    let (a, b) = (node.process(&container, root()), node.process(&container, root()));
    write(&a, "/tmp/lock", "").unwrap();
    let first = open(&a, "/tmp/lock", OpenFlags::empty()).unwrap();
    let second = open(&b, "/tmp/lock", OpenFlags::empty()).unwrap();
    now(a.flock(first, Flock::Exclusive, false)).unwrap();
    assert_eq!(now(b.flock(second, Flock::Shared, true)), Err(Errno::EAGAIN));
    let mut waiting = Box::pin(b.flock(second, Flock::Shared, false));
    assert!((&mut waiting).now_or_never().is_none());
    a.close(first).unwrap();
    assert_eq!(now(waiting), Ok(()));
}

#[test]
fn rlimit_fsize_stops_files_from_growing() {
    let (_node, task) = task();
    let limit = Rlimit {
        soft: Some(4),
        hard: None,
    };
    task.setrlimit(Resource::Fsize, limit).unwrap();
    task.sigprocmask(Some((SigMaskHow::Block, SigSet::FULL)));
    let fd = open(&task, "/tmp/f", OpenFlags::RDWR | OpenFlags::CREAT).unwrap();
    assert_eq!(now(task.write(fd, b"abcdef")), Ok(4));
    assert_eq!(now(task.write(fd, b"x")), Err(Errno::EFBIG));
    assert!(task.sigpending().contains(Signal::XFSZ));
    assert_eq!(task.pwrite(fd, b"xyz", 3), Ok(1));
    assert_eq!(task.pwrite(fd, b"xyz", 4), Err(Errno::EFBIG));
    assert_eq!(task.ftruncate(fd, 5), Err(Errno::EFBIG));
    assert_eq!(task.fallocate(fd, 0, 5), Err(Errno::EFBIG));
    assert_eq!(task.ftruncate(fd, 2), Ok(()));
    // A pipe has no size.
    let (_reader, writer) = task.pipe(OpenFlags::empty()).unwrap();
    assert_eq!(now(task.write(writer, b"longer than four")), Ok(16));
}

#[test]
fn odd_arguments_get_their_errno() {
    let (_node, task) = task();
    let file = open(&task, "/tmp/f", OpenFlags::RDWR | OpenFlags::CREAT).unwrap();
    let dir = open(&task, "/tmp", OpenFlags::empty()).unwrap();
    assert_eq!(task.pread(file, &mut [0], u64::MAX), Err(Errno::EINVAL));
    assert_eq!(task.pread(file, &mut [0], i64::MAX as u64), Ok(0));
    assert_eq!(task.pwrite(file, b"x", u64::MAX), Err(Errno::EINVAL));
    assert_eq!(task.pwrite(file, b"x", i64::MAX as u64), Err(Errno::EFBIG));
    assert_eq!(task.lseek(file, i64::MIN, Whence::Set), Err(Errno::EINVAL));
    assert_eq!(task.lseek(file, i64::MAX, Whence::Set), Ok(i64::MAX as u64));
    assert_eq!(task.lseek(file, 1, Whence::Current), Err(Errno::EINVAL));
    assert_eq!(now(task.write(file, b"x")), Err(Errno::EFBIG));
    assert_eq!(now(task.read(file, &mut [0])), Ok(0));
    assert_eq!(task.ftruncate(file, u64::MAX), Err(Errno::EINVAL));
    assert_eq!(task.fallocate(file, u64::MAX, 1), Err(Errno::EINVAL));
    assert_eq!(task.fallocate(file, 1, i64::MAX as u64), Err(Errno::EFBIG));
    assert_eq!(task.fallocate(file, 0, 1 << 50), Err(Errno::ENOSPC));
    assert_eq!(now(task.read(dir, &mut [0])), Err(Errno::EISDIR));
    assert_eq!(task.ftruncate(dir, 0), Err(Errno::EINVAL));
    assert_eq!(task.getdents(file, 0, 9), Err(Errno::ENOTDIR));
    assert_eq!(task.getdents(dir, u64::MAX, 9), Ok(Vec::new()));
    assert_eq!(task.getdents(dir, 0, 0), Ok(Vec::new()));
    assert_eq!(task.fsync(file), Ok(()));
    let (reader, _writer) = task.pipe(OpenFlags::empty()).unwrap();
    assert_eq!(task.fsync(reader), Err(Errno::EINVAL));
    assert_eq!(task.fchmod(reader, Mode(0)), Err(Errno::EINVAL));
    assert_eq!(task.readlinkat(Fd::CWD, "/tmp"), Err(Errno::EINVAL));
    assert_eq!(task.close(Fd(-1)), Err(Errno::EBADF));
}

#[test]
fn mount_2_makes_moves_and_removes_mounts() {
    let node = Node::new();
    let container = node.container(None);
    let task = node.process(&container, Credentials::root(CapSet::FULL));
    let none = MountFlags::empty();
    for dir in ["/a", "/b", "/c"] {
        task.mkdirat(Fd::CWD, dir, Mode(0o755)).unwrap();
    }
    let rows = [
        ("none", "/none", "tmpfs", none, "", Err(Errno::ENOENT)),
        ("none", "/etc/passwd", "tmpfs", none, "", Err(Errno::ENOTDIR)),
        ("none", "/a", "ext4", none, "", Err(Errno::ENODEV)),
        ("none", "/a", "tmpfs", none, "nonsense", Err(Errno::EINVAL)),
        ("none", "/a", "tmpfs", MountFlags::NOSUID, "size=1m,mode=700", Ok(())),
        ("/a", "/b", "", MountFlags::BIND, "", Ok(())),
        (
            "",
            "/b",
            "",
            MountFlags::REMOUNT | MountFlags::BIND | MountFlags::RDONLY,
            "",
            Ok(()),
        ),
        ("", "/c", "", MountFlags::REMOUNT, "", Err(Errno::EINVAL)),
        ("", "/a", "", MountFlags::SHARED | MountFlags::REC, "", Ok(())),
        (
            "",
            "/a",
            "",
            MountFlags::SHARED | MountFlags::SLAVE,
            "",
            Err(Errno::EINVAL),
        ),
        ("/b", "/c", "", MountFlags::MOVE, "", Ok(())),
        ("proc", "/b", "proc", MountFlags::RDONLY, "", Ok(())),
        ("sysfs", "/home", "sysfs", none, "", Ok(())),
        ("mqueue", "/tmp", "mqueue", none, "", Ok(())),
        ("devpts", "/home/none", "devpts", none, "", Err(Errno::ENOENT)),
    ];
    for (source, target, fstype, flags, data, expected) in rows {
        assert_eq!(
            task.mount(source, target, fstype, flags, data),
            expected,
            "{source} {target} {fstype} {flags:?}"
        );
    }
    write(&task, "/a/f", "x").unwrap();
    assert_eq!(cat(&task, "/c/f").unwrap(), "x");
    assert_eq!(write(&task, "/c/f", "y"), Err(Errno::EROFS));
    assert_eq!(cat(&task, "/b/self/comm").unwrap(), "sh\n");
    let mounts = cat(&task, "/proc/mounts").unwrap();
    assert!(
        mounts.contains("none /a tmpfs rw,nosuid,relatime,size=1024k,mode=700 0 0\n"),
        "{mounts}"
    );
    assert!(
        mounts.contains("none /c tmpfs ro,relatime,size=1024k,mode=700 0 0\n"),
        "{mounts}"
    );
    assert!(cat(&task, "/proc/self/mountinfo").unwrap().contains(" shared:"));
    let held = open(&task, "/a/f", OpenFlags::empty()).unwrap();
    assert_eq!(task.umount("/a", false), Err(Errno::EBUSY));
    assert_eq!(task.umount("/a", true), Ok(()));
    assert_eq!(ls(&task, "/a").unwrap(), ". ..");
    task.close(held).unwrap();
    assert_eq!(task.umount("/a", false), Err(Errno::EINVAL));
    assert_eq!(task.umount("/c", false), Ok(()));
}

#[test]
fn the_filesystems_of_a_container_go_away_with_it() {
    let node = Node::new();
    let before = node.kernel.vfs().memory_used();
    let container = node.container(None);
    let task = node.process(&container, root());
    write(&task, "/tmp/f", "x").unwrap();
    task.mknodat(Fd::CWD, "/tmp/p", FileType::Fifo, Mode(0o666), DeviceNumber::default())
        .unwrap();
    open(&task, "/tmp/p", OpenFlags::RDWR).unwrap();
    open(&task, "/proc/self/status", OpenFlags::empty()).unwrap();
    open(&task, "/proc/self/fd", OpenFlags::DIRECTORY).unwrap();
    open(&task, "/proc/self/ns/mnt", OpenFlags::empty()).unwrap();
    task.chdir("/proc/self/cwd/tmp").unwrap();
    let overlay = std::sync::Arc::downgrade(container.mounts().root().mount.sb());
    let ns = std::sync::Arc::downgrade(container.mounts());
    task.exit(WaitStatus::Exited(0));
    drop(task);
    drop(container);
    assert!(ns.upgrade().is_none(), "the mount namespace is still held");
    assert!(overlay.upgrade().is_none(), "the overlay is still held");
    assert_eq!(node.kernel.vfs().memory_used(), before);
}
