//! sysfs, cgroup2, devpts: what programs look for there.

use super::node::{Node, cat, ls, open, readlink, root, write};
use super::*;
use crate::fs::devpts::DevPts;

#[test]
fn interfaces_and_control_groups_are_files() {
    let node = Node::new();
    let container = node.container(None);
    let task = node.process(&container, root());
    container.cgroup.set_memory_max(Some(64 << 20));
    let rows = [
        ("class/net/lo/address", "00:00:00:00:00:00\n"),
        ("class/net/lo/mtu", "65536\n"),
        ("class/net/lo/type", "772\n"),
        ("class/net/lo/operstate", "down\n"),
        ("class/net/lo/ifindex", "1\n"),
        ("class/net/lo/statistics/rx_bytes", "0\n"),
        ("devices/system/cpu/online", "0-1\n"),
        ("fs/cgroup/memory.max", "67108864\n"),
        ("fs/cgroup/pids.max", "max\n"),
        ("fs/cgroup/pids.current", "1\n"),
        ("fs/cgroup/cgroup.procs", "1\n"),
        ("fs/cgroup/cpu.max", "max 100000\n"),
    ];
    for (name, expected) in rows {
        assert_eq!(cat(&task, &format!("/sys/{name}")).unwrap(), expected, "{name}");
    }
    assert_eq!(ls(&task, "/sys/class/net").unwrap(), ". .. lo");
    assert_eq!(ls(&task, "/sys/class/net/none"), Err(Errno::ENOENT));
    assert_eq!(write(&task, "/sys/fs/cgroup/memory.max", "max"), Err(Errno::EROFS));
    assert_eq!(cat(&task, "/sys/class/net/lo/carrier"), Err(Errno::EINVAL));
}

#[test]
fn terminals_appear_in_dev_pts() {
    let node = Node::new();
    let container = node.container(None);
    let task = node.process(&container, root());
    assert_eq!(ls(&task, "/dev/pts").unwrap(), ". .. ptmx");
    assert_eq!(open(&task, "/dev/tty", OpenFlags::RDWR), Err(Errno::ENXIO));
    let master = open(&task, "/dev/ptmx", OpenFlags::RDWR | OpenFlags::NOCTTY).unwrap();
    assert_eq!(ls(&task, "/dev/pts").unwrap(), ". .. ptmx 0");
    let stat = task.fstatat(Fd::CWD, "/dev/pts/0", true).unwrap();
    assert_eq!(
        (stat.mode, stat.uid, stat.gid, stat.rdev.major),
        (Mode(0o620), 0, 5, 136)
    );
    task.fchmodat(Fd::CWD, "/dev/pts/0", Mode(0o600)).unwrap();
    task.fchownat(Fd::CWD, "/dev/pts/0", Some(7), None, true).unwrap();
    let stat = task.fstatat(Fd::CWD, "/dev/pts/0", true).unwrap();
    assert_eq!((stat.mode, stat.uid, stat.gid), (Mode(0o600), 7, 5));
    let slave = open(&task, "/dev/pts/0", OpenFlags::RDWR | OpenFlags::NOCTTY).unwrap();
    assert_eq!(
        readlink(&task, &format!("/proc/self/fd/{}", slave.0)).unwrap(),
        "/dev/pts/0"
    );
    assert_eq!(task.ttyname(slave).unwrap(), "/dev/pts/0");
    task.close(master).unwrap();
    task.close(slave).unwrap();
    assert_eq!(ls(&task, "/dev/pts").unwrap(), ". .. ptmx");
    // The runtime makes one too; the container sees it.
    let _pair = container.ptys.open_pair(DevPts::attributes(0)).unwrap();
    assert_eq!(ls(&task, "/dev/pts").unwrap(), ". .. ptmx 0");
}

#[test]
fn devices_of_a_container_work() {
    let node = Node::new();
    let container = node.container(None);
    let task = node.process(&container, root());
    let names = ". .. full null random tty urandom zero core fd ptmx stderr stdin stdout mqueue pts shm";
    assert_eq!(ls(&task, "/dev").unwrap(), names);
    let fd = open(&task, "/dev/urandom", OpenFlags::empty()).unwrap();
    let mut buf = [0; 32];
    super::node::now(task.read(fd, &mut buf)).unwrap();
    assert_ne!(buf, [0; 32]);
    assert_eq!(readlink(&task, "/dev/fd").unwrap(), "/proc/self/fd");
    assert_eq!(task.statfs("/dev/shm").unwrap().blocks, 16384);
    assert_eq!(task.statfs("/").unwrap().magic, 0x794c_7630);
    assert_eq!(task.statfs("/proc").unwrap().magic, 0x9fa0);
}
