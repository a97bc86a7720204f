//! procfs: formats as Linux has them, and who may look.

use super::node::{Node, cat, ls, now, open, readlink, root, user, write};
use super::*;
use crate::Task;

fn one() -> (Node, super::node::Container, Task) {
    let node = Node::new();
    let container = node.container(None);
    let task = node.process(&container, root());
    (node, container, task)
}

#[test]
fn files_of_a_process_have_linux_s_formats() {
    let (node, _container, task) = one();
    node.clock.advance(Duration::from_secs(60));
    task.charge_cpu(Duration::from_millis(1230));
    let rows = [
        ("cmdline", "sh\0-c\0sleep 1\0"),
        ("comm", "sh\n"),
        ("environ", "PATH=/bin\0HOME=/root\0"),
        ("cgroup", "0::/kubepods/pod1/c1\n"),
        ("uid_map", "         0          0 4294967295\n"),
        (
            "stat",
            "1 (sh) R 0 1 1 0 -1 4194304 0 0 0 0 123 0 0 0 20 0 1 0 1234 0 0 18446744073709551615 0 0 0 0 0 0 0 0 0 0 0 0 17 \
             0 0 0 0 0 0 0 0 0 0 0 0 0 0\n",
        ),
        ("statm", "0 0 0 0 0 0 0\n"),
    ];
    for (name, expected) in rows {
        assert_eq!(cat(&task, &format!("/proc/1/{name}")).unwrap(), expected, "{name}");
    }
    let stat = cat(&task, "/proc/self/stat").unwrap();
    assert_eq!(stat.split_whitespace().count(), 52, "proc(5) has 52 fields");
}

#[test]
fn status_tells_ids_signals_and_capabilities() {
    let (_node, _container, task) = one();
    let expected = "\
Name:	sh
Umask:	0022
State:	R (running)
Tgid:	1
Ngid:	0
Pid:	1
PPid:	0
TracerPid:	0
Uid:	0	0	0	0
Gid:	0	0	0	0
FDSize:	64
Groups:	0 
NStgid:	1
NSpid:	1
Kthread:	0
VmPeak:	       0 kB
VmSize:	       0 kB
VmHWM:	       0 kB
VmRSS:	       0 kB
VmData:	       0 kB
Threads:	1
SigQ:	0/96000
SigPnd:	0000000000000000
ShdPnd:	0000000000000000
SigBlk:	0000000000000000
SigIgn:	0000000000000000
SigCgt:	0000000000000000
CapInh:	0000000000000000
CapPrm:	00000000a80425fb
CapEff:	00000000a80425fb
CapBnd:	00000000a80425fb
CapAmb:	0000000000000000
NoNewPrivs:	0
Seccomp:	0
Cpus_allowed:	3
Cpus_allowed_list:	0-1
voluntary_ctxt_switches:	0
nonvoluntary_ctxt_switches:	0
";
    assert_eq!(cat(&task, "/proc/self/status").unwrap(), expected);
}

#[test]
fn limits_are_a_table() {
    let (_node, _container, task) = one();
    let text = cat(&task, "/proc/1/limits").unwrap();
    let expected = "\
Limit                     Soft Limit           Hard Limit           Units     
Max cpu time              unlimited            unlimited            seconds   
Max file size             unlimited            unlimited            bytes     
";
    assert!(text.starts_with(expected), "{text}");
    assert!(text.contains("Max open files            1048576              1048576              files     \n"));
    assert!(text.contains("Max nice priority         0                    0                    \n"));
    assert_eq!(text.lines().count(), 17);
}

#[test]
fn mounts_are_those_of_a_container() {
    let (_node, _container, task) = one();
    let expected = "\
overlay / overlay rw,relatime 0 0
proc /proc proc rw,nosuid,nodev,noexec,relatime 0 0
tmpfs /dev tmpfs rw,nosuid,relatime,size=65536k,mode=755 0 0
devpts /dev/pts devpts rw,nosuid,noexec,relatime,gid=5,mode=620,ptmxmode=666 0 0
mqueue /dev/mqueue mqueue rw,nosuid,nodev,noexec,relatime 0 0
shm /dev/shm tmpfs rw,nosuid,nodev,noexec,relatime,size=65536k 0 0
sysfs /sys sysfs ro,nosuid,nodev,noexec,relatime 0 0
cgroup /sys/fs/cgroup cgroup2 ro,nosuid,nodev,noexec,relatime 0 0
tmpfs /sys/firmware tmpfs ro,relatime,mode=555 0 0
proc /proc/sys proc ro,nosuid,nodev,noexec,relatime 0 0
";
    assert_eq!(cat(&task, "/proc/mounts").unwrap(), expected);
    let info = cat(&task, "/proc/self/mountinfo").unwrap();
    let fields = |line: &str| line.split_whitespace().map(String::from).collect::<Vec<_>>();
    let lines: Vec<_> = info.lines().map(fields).collect();
    let [root_mount, proc] = [&lines[0], &lines[1]];
    assert_eq!(root_mount[0], root_mount[1], "the root is on itself");
    assert_eq!(proc[1], root_mount[0]);
    assert_eq!(
        proc[3..].join(" "),
        "/ /proc rw,nosuid,nodev,noexec,relatime - proc proc rw"
    );
    let sys = &lines[9];
    assert_eq!(
        sys[3..].join(" "),
        "/sys /proc/sys ro,nosuid,nodev,noexec,relatime - proc proc rw"
    );
}

#[test]
fn namespaces_are_links_of_the_process_s_user() {
    let node = Node::new();
    let container = node.container(None);
    let task = node.process(&container, root());
    let worker = node.process(&container, user(101));
    assert_eq!(
        ls(&task, "/proc/1/ns").unwrap(),
        ". .. cgroup ipc mnt net pid pid_for_children user uts"
    );
    let ns = &container.ns;
    let rows = [
        ("cgroup", "cgroup:[4026531835]".to_owned()),
        ("ipc", "ipc:[4026531839]".to_owned()),
        ("mnt", format!("mnt:[{}]", ns.mnt.inode)),
        ("net", format!("net:[{}]", ns.net.inode)),
        ("pid", format!("pid:[{}]", ns.pid_for_children.inode)),
        ("pid_for_children", format!("pid:[{}]", ns.pid_for_children.inode)),
        ("user", "user:[4026531837]".to_owned()),
        ("uts", format!("uts:[{}]", ns.uts.inode)),
    ];
    for (name, expected) in rows {
        let path = format!("/proc/self/ns/{name}");
        assert_eq!(readlink(&task, &path).unwrap(), expected);
        let link = task.fstatat(Fd::CWD, &path, false).unwrap();
        assert_eq!(
            (link.file_type, link.mode, link.size, link.blocks),
            (FileType::Symlink, Mode(0o777), 0, 0)
        );
        let inode = expected.split(['[', ']']).nth(1).unwrap().parse().unwrap();
        assert_eq!(task.fstatat(Fd::CWD, &path, true).unwrap().ino, inode);
    }
    let stat = task.fstatat(Fd::CWD, "/proc/2/ns/net", false).unwrap();
    assert_eq!((stat.uid, stat.gid), (101, 101));
    // Root without CAP_SYS_PTRACE does not look into processes of others, nor they into its.
    assert_eq!(readlink(&task, "/proc/2/ns/net"), Err(Errno::EACCES));
    assert_eq!(readlink(&worker, "/proc/1/ns/net"), Err(Errno::EACCES));
    assert_eq!(
        readlink(&worker, "/proc/self/ns/uts").unwrap(),
        format!("uts:[{}]", ns.uts.inode)
    );
    let fd = open(&task, "/proc/self/ns/net", OpenFlags::empty()).unwrap();
    let file = task.process.files.get(fd).unwrap();
    assert_eq!(file.ops().namespace().unwrap().inode(), ns.net.inode);
    assert_eq!(
        readlink(&task, &format!("/proc/self/fd/{}", fd.0)).unwrap(),
        format!("net:[{}]", ns.net.inode)
    );
    assert_eq!(open(&task, "/proc/self/ns/net", OpenFlags::RDWR), Err(Errno::EACCES));
}

#[test]
fn what_belongs_to_others_is_closed() {
    let node = Node::new();
    let container = node.container(None);
    let task = node.process(&container, root());
    let worker = node.process(&container, user(101));
    for name in ["environ", "cwd", "root", "exe", "fd", "ns/pid"] {
        let path = format!("/proc/1/{name}");
        let result = match name {
            "environ" | "fd" => open(&worker, &path, OpenFlags::empty()).map(drop),
            _ => readlink(&worker, &path).map(drop),
        };
        assert_eq!(result, Err(Errno::EACCES), "{name}");
        let own = format!("/proc/2/{name}");
        assert!(
            readlink(&worker, &own).is_ok() || open(&worker, &own, OpenFlags::empty()).is_ok(),
            "{name}"
        );
    }
    assert_eq!(cat(&worker, "/proc/1/cmdline").unwrap(), "sh\0-c\0sleep 1\0");
    assert_eq!(write(&worker, "/proc/self/comm", "renamed-to-something-long\n"), Ok(26));
    assert_eq!(cat(&task, "/proc/2/comm").unwrap(), "renamed-to-some\n");
    assert_eq!(write(&task, "/proc/2/comm", "x"), Err(Errno::EINVAL));
    assert_eq!(write(&task, "/proc/2/stat", "x"), Err(Errno::EACCES));
    assert_eq!(task.mkdirat(Fd::CWD, "/proc/x", Mode(0o755)), Err(Errno::EPERM));
    assert_eq!(
        open(&task, "/proc/x", OpenFlags::WRONLY | OpenFlags::CREAT),
        Err(Errno::EACCES)
    );
    assert_eq!(task.unlinkat(Fd::CWD, "/proc/1/stat", false), Err(Errno::EPERM));
}

#[test]
fn links_lead_to_the_things_themselves() {
    let (_node, container, task) = one();
    task.chdir("/tmp").unwrap();
    assert_eq!(readlink(&task, "/proc/self").unwrap(), "1");
    assert_eq!(readlink(&task, "/proc/self/cwd").unwrap(), "/tmp");
    assert_eq!(readlink(&task, "/proc/self/root").unwrap(), "/");
    assert_eq!(readlink(&task, "/proc/self/exe").unwrap(), "/bin/sh");
    assert_eq!(readlink(&task, "/proc/self/fd/0").unwrap(), "/dev/null");
    write(&task, "/tmp/f", "hello").unwrap();
    let fd = open(&task, "/tmp/f", OpenFlags::empty()).unwrap();
    task.unlinkat(Fd::CWD, "/tmp/f", false).unwrap();
    assert_eq!(readlink(&task, "/proc/self/fd/3").unwrap(), "/tmp/f (deleted)");
    // The link still opens the removed file.
    assert_eq!(cat(&task, "/proc/self/fd/3").unwrap(), "hello");
    assert_eq!(cat(&task, "/dev/fd/3").unwrap(), "hello");
    assert_eq!(ls(&task, "/proc/self/fd").unwrap(), ". .. 0 1 2 3 4");
    let link = task.fstatat(Fd::CWD, "/proc/self/fd/3", false).unwrap();
    assert_eq!((link.mode, link.size), (Mode(0o500), 64));
    assert!(
        cat(&task, "/proc/self/fdinfo/3")
            .unwrap()
            .starts_with("pos:\t0\nflags:\t00\nmnt_id:\t")
    );
    task.close(fd).unwrap();
    // A pipe has no path, but the link opens it.
    let (reader, writer) = task.pipe(OpenFlags::empty()).unwrap();
    let name = readlink(&task, &format!("/proc/self/fd/{}", reader.0)).unwrap();
    assert!(name.starts_with("pipe:["), "{name}");
    let again = open(&task, &format!("/dev/fd/{}", writer.0), OpenFlags::WRONLY).unwrap();
    now(task.write(again, b"x")).unwrap();
    assert_eq!(now(task.read(reader, &mut [0; 4])), Ok(1));
    assert_eq!(
        open(&task, &format!("/dev/fd/{}", reader.0), OpenFlags::WRONLY),
        Err(Errno::EACCES)
    );
    assert_eq!(cat(&task, "/proc/self/cwd/../etc/passwd").unwrap(), "root");
    assert!(
        container.mounts().read_file("/proc/self/stat").is_err(),
        "the runtime is no process"
    );
}

#[test]
fn root_leads_into_the_filesystem_of_another_container() {
    let node = Node::new();
    let shell = node.container(None);
    let web = node.container(Some(&shell.ns.pid_for_children));
    let first = node.process(&shell, root());
    let second = node.process(&web, root());
    write(&second, "/etc/only-in-web", "nginx").unwrap();
    assert_eq!(
        ls(&first, "/proc/2/root/etc").unwrap(),
        ". .. passwd shadow only-in-web"
    );
    assert_eq!(cat(&first, "/proc/2/root/etc/only-in-web").unwrap(), "nginx");
    assert_eq!(cat(&first, "/etc/only-in-web"), Err(Errno::ENOENT));
    assert_eq!(readlink(&first, "/proc/2/root").unwrap(), "/");
    // Mounts there are those of the other container, and `..` stays in it.
    assert!(cat(&first, "/proc/2/root/proc/2/cmdline").is_ok());
    assert_eq!(cat(&first, "/proc/2/root/../etc/passwd"), Ok("root".into()));
    write(&first, "/proc/2/root/tmp/x", "from outside").unwrap();
    assert_eq!(cat(&second, "/tmp/x").unwrap(), "from outside");
    assert_eq!(first.unlinkat(Fd::CWD, "/proc/2/root/tmp/x", false), Ok(()));
}

#[test]
fn pids_are_those_of_the_mount_and_disappear_with_the_process() {
    let node = Node::new();
    let container = node.container(None);
    let other = node.container(None);
    let task = node.process(&container, root());
    let _elsewhere = node.process(&other, root());
    let second = node.process(&container, root());
    let pids = |task: &Task| {
        let all = ls(task, "/proc").unwrap();
        let numbers = all.split(' ').filter(|name| name.parse::<u32>().is_ok());
        numbers.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(pids(&task), "1 2");
    let dir = open(&task, "/proc/2", OpenFlags::DIRECTORY).unwrap();
    second.exit(WaitStatus::Exited(0));
    // The node's init reaps it at once: it is nobody's child in the container.
    assert_eq!(pids(&task), "1");
    assert_eq!(cat(&task, "/proc/2/stat"), Err(Errno::ENOENT));
    assert_eq!(task.fstat(dir), Err(Errno::ESRCH));
    assert_eq!(
        now(task.openat(dir, "stat", OpenFlags::empty(), Mode(0))),
        Err(Errno::ESRCH)
    );
    for name in ["01", "+1", "-1", "4194305", "99999999999", "1x"] {
        assert_eq!(cat(&task, &format!("/proc/{name}/stat")), Err(Errno::ENOENT), "{name}");
    }
    assert_eq!(ls(&task, "/proc/1/task").unwrap(), ". .. 1");
    assert_eq!(cat(&task, "/proc/thread-self/comm").unwrap(), "sh\n");
}

#[test]
fn files_of_the_node_have_linux_s_formats() {
    let (node, _container, task) = one();
    node.clock.advance(Duration::from_secs(100));
    task.charge_cpu(Duration::from_secs(3));
    let rows = [
        ("uptime", "112.34 221.68\n"),
        ("loadavg", "0.00 0.00 0.00 1/1 1\n"),
        (
            "version",
            "Linux version 6.12.0-podsim (podsim) #1 SMP PREEMPT_DYNAMIC\n",
        ),
        ("sys/kernel/hostname", "pod-1\n"),
        ("sys/kernel/ostype", "Linux\n"),
        ("sys/kernel/pid_max", "4194304\n"),
        ("sys/net/ipv4/ip_unprivileged_port_start", "1024\n"),
        ("sys/fs/mqueue/msg_max", "10\n"),
    ];
    for (name, expected) in rows {
        assert_eq!(cat(&task, &format!("/proc/{name}")).unwrap(), expected, "{name}");
    }
    let meminfo = cat(&task, "/proc/meminfo").unwrap();
    assert!(
        meminfo.starts_with("MemTotal:        1048576 kB\nMemFree:  "),
        "{meminfo}"
    );
    let stat = cat(&task, "/proc/stat").unwrap();
    let cpu = "cpu  300 0 0 22168 0 0 0 0 0 0\ncpu0 150 0 0 11084 0 0 0 0 0 0\ncpu1 150 ";
    assert!(stat.starts_with(cpu), "{stat}");
    assert!(stat.contains(&format!("btime {}\n", EPOCH.as_secs())), "{stat}");
    assert_eq!(cat(&task, "/proc/cpuinfo").unwrap().matches("processor").count(), 2);
    assert!(cat(&task, "/proc/net/dev").unwrap().contains("lo:"));
    let uuid = cat(&task, "/proc/sys/kernel/random/uuid").unwrap();
    assert_eq!((uuid.len(), uuid.as_bytes()[14]), (37, b'4'));
    assert_ne!(cat(&task, "/proc/sys/kernel/random/uuid").unwrap(), uuid);
    let boot_id = || cat(&task, "/proc/sys/kernel/random/boot_id").unwrap();
    assert_eq!(boot_id(), boot_id());
}

#[test]
fn settings_are_written_by_those_who_may() {
    let node = Node::new();
    let container = node.container(None);
    let plain = node.process(&container, root());
    let admin = node.process(&container, Credentials::root(CapSet::FULL));
    assert_eq!(write(&plain, "/proc/sys/kernel/hostname", "x"), Err(Errno::EROFS));
    admin.umount("/proc/sys", false).unwrap();
    assert_eq!(write(&plain, "/proc/sys/kernel/hostname", "x"), Err(Errno::EPERM));
    assert_eq!(write(&admin, "/proc/sys/kernel/hostname", "renamed\n"), Ok(8));
    assert_eq!(plain.uname().nodename, "renamed");
    assert_eq!(write(&admin, "/proc/sys/kernel/pid_max", "1"), Err(Errno::EACCES));
    assert_eq!(write(&admin, "/proc/sys/net/ipv4/ip_forward", "1\n"), Ok(2));
    assert_eq!(cat(&plain, "/proc/sys/net/ipv4/ip_forward").unwrap(), "1\n");
    assert_eq!(write(&admin, "/proc/sys/net/ipv4/ip_forward", "2"), Err(Errno::EINVAL));
}

#[test]
fn every_file_can_be_read_to_its_end() {
    let (_node, _container, task) = one();
    let mut directories = vec!["/proc".to_owned(), "/sys".to_owned(), "/dev".to_owned()];
    let mut files = 0;
    while let Some(path) = directories.pop() {
        let fd = open(&task, &path, OpenFlags::DIRECTORY).unwrap();
        // In steps of 3: nothing is lost at the edges.
        let mut at = 0;
        let mut names = Vec::new();
        loop {
            let entries = task.getdents(fd, at, 3).unwrap();
            let Some(last) = entries.last() else { break };
            at = last.next;
            names.extend(entries);
        }
        assert_eq!(task.getdents(fd, 0, usize::MAX).unwrap(), names, "{path}");
        task.close(fd).unwrap();
        for entry in names.iter().filter(|entry| !entry.name.starts_with('.')) {
            let path = format!("{path}/{}", entry.name);
            let Ok(stat) = task.fstatat(Fd::CWD, &path, false) else {
                assert!(path.contains("/fd"), "{path}");
                continue;
            };
            assert_eq!(stat.file_type, entry.file_type, "{path}");
            match entry.file_type {
                FileType::Directory if !path.contains("/task/") => directories.push(path),
                FileType::Regular => {
                    files += 1;
                    match cat(&task, &path) {
                        Ok(_) | Err(Errno::EINVAL) => {}
                        Err(errno) => panic!("{path}: {errno}"),
                    }
                }
                _ => {}
            }
        }
    }
    assert!(files > 80, "{files}");
}
