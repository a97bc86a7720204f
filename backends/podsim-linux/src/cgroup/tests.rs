//! Cgroups of this machine, whatever they are, and a version 2 tree made of plain files.

use super::*;
use crate::testing;
use podsim_cri::Resources;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::time::Duration;

/// A node of this test, removed with all in it.
struct TestNode {
    manager: Manager,
    name: String,
}

impl TestNode {
    /// `None` where the test is not root's, or `controllers` are not to be had.
    fn new(test: &str, controllers: &[Controller]) -> Option<Self> {
        if !testing::is_root() {
            return None;
        }
        let mut manager = Manager::detect();
        manager.prepare();
        for controller in controllers {
            if let Support::Unused(why) = manager.support(*controller) {
                eprintln!("needs the controller {controller}: {why}");
                return None;
            }
        }
        let name = format!("test-{test}-{}", std::process::id());
        Some(Self { manager, name })
    }

    fn container(&self, resources: &Resources) -> Cgroup {
        let group = self.manager.create(&format!("{}/pod1/c1", self.name)).expect("a group");
        group.apply(resources).expect("limits");
        group
    }
}

impl Drop for TestNode {
    fn drop(&mut self) {
        for pod in self.manager.leftovers(&self.name) {
            let _ = pod.kill_all();
            let _ = pod.remove();
        }
        self.manager.remove_node(&self.name);
    }
}

/// A child in a group that does one of the things below.
fn child(group: &Cgroup, work: &str) -> Command {
    let orders = serde_json::to_string(&(group, work)).expect("JSON");
    testing::child("cgroup::tests::child_in_a_group", &orders)
}

#[test]
fn child_in_a_group() {
    let Some(orders) = testing::orders() else { return };
    let (group, work): (Cgroup, String) = serde_json::from_str(&orders).expect("orders");
    group.join_self().expect("it joins");
    match work.as_str() {
        "eat" => {
            let mut eaten = Vec::new();
            for _ in 0..64 {
                eaten.push(vec![1_u8; 4 << 20]);
            }
            println!("> ate {} blocks", std::hint::black_box(eaten).len());
        }
        "burn" => {
            let used = || rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
            while used().tv_sec == 0 && used().tv_nsec < 100_000_000 {}
        }
        "threads" => {
            let park = || {
                std::thread::Builder::new().spawn(|| {
                    loop {
                        std::thread::park();
                    }
                })
            };
            let error = loop {
                if let Err(error) = park() {
                    break error;
                }
            };
            let threads = std::fs::read_dir("/proc/self/task").expect("itself").count();
            println!("> {threads} then {:?}", error.raw_os_error());
        }
        "family" => {
            let mut sleepers = [(); 3].map(|()| Command::new("sleep").arg("1000").spawn().expect("sleep"));
            println!("> ready");
            for sleeper in &mut sleepers {
                let _ = sleeper.wait();
            }
        }
        other => panic!("unknown work {other}"),
    }
    testing::done();
}

#[test]
fn a_container_over_its_memory_limit_is_killed_and_counted() {
    let Some(node) = TestNode::new("oom", &[Controller::Memory]) else {
        return;
    };
    let group = node.container(&Resources {
        memory_limit: Some(48 << 20),
        ..Default::default()
    });
    assert_eq!(group.oom_kills(), 0);
    let output = child(&group, "eat").output().expect("the child starts");
    assert_eq!(output.status.signal(), Some(libc::SIGKILL), "{output:?}");
    assert_eq!(group.oom_kills(), 1);

    group.apply(&Resources::default()).expect("no limit any more");
    assert_eq!(testing::told(&mut child(&group, "eat")), ["ate 64 blocks"]);
    group
        .apply(&Resources {
            memory_limit: Some(96 << 20),
            ..Default::default()
        })
        .expect("lower again");
    group.remove().expect("empty");
    assert!(group.dirs().all(|dir| !dir.exists()));
}

#[test]
fn a_cpu_quota_throttles_and_the_time_is_counted() {
    let Some(node) = TestNode::new("cpu", &[Controller::Cpu]) else {
        return;
    };
    let group = node.container(&Resources {
        cpu_limit_millis: Some(300),
        ..Default::default()
    });
    let status = child(&group, "burn").status().expect("the child starts");
    assert!(status.success());
    let cpu = group.stats().cpu_nanos.expect("counted");
    assert!((90_000_000..2_000_000_000).contains(&cpu), "{cpu}");
    let throttled = |dir: &Path| {
        let text = std::fs::read_to_string(dir.join("cpu.stat")).unwrap_or_default();
        text.lines()
            .any(|line| line.strip_prefix("nr_throttled ").is_some_and(|count| count != "0"))
    };
    assert!(group.dirs().any(throttled));
}

#[test]
fn one_thread_more_than_the_pids_limit_is_eagain() {
    let Some(node) = TestNode::new("pids", &[Controller::Pids]) else {
        return;
    };
    let group = node.container(&Resources {
        pids_limit: Some(6),
        ..Default::default()
    });
    assert_eq!(
        testing::told(&mut child(&group, "threads")),
        [format!("6 then {:?}", Some(libc::EAGAIN))]
    );
}

#[test]
fn killing_a_group_kills_all_of_it_and_leftovers_are_found() {
    let Some(node) = TestNode::new("kill", &[]) else { return };
    let group = node.container(&Resources::default());
    if !group.is_tracking() {
        eprintln!("needs a writable cgroup hierarchy");
        return;
    }
    let mut family = child(&group, "family")
        .stdout(Stdio::piped())
        .spawn()
        .expect("the child starts");
    let stdout = family.stdout.take().expect("piped");
    let ready =
        io::BufRead::lines(io::BufReader::new(stdout)).any(|line| line.is_ok_and(|line| line.contains("> ready")));
    assert!(ready);
    assert!(group.procs().contains(&i32::try_from(family.id()).expect("a pid")));
    let usage = group.stats();
    assert!(
        group.procs().len() == 4 && usage.pids.is_none_or(|pids| pids >= 4),
        "{usage:?}"
    );
    assert!(usage.memory_working_set.is_none_or(|bytes| bytes > 0), "{usage:?}");
    assert!(!group.wait_empty(Duration::ZERO));

    assert!(node.manager.nodes().contains(&node.name));
    let leftovers = node.manager.leftovers(&node.name);
    assert_eq!(leftovers.len(), 1);
    leftovers[0].kill_all().expect("killed");
    assert_eq!(family.wait().expect("it is dead").signal(), Some(libc::SIGKILL));
    assert!(leftovers[0].wait_empty(Duration::from_secs(10)));
    leftovers[0].remove().expect("removed");
    node.manager.remove_node(&node.name);
    assert!(!node.manager.nodes().contains(&node.name));
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    let manager = Manager::from_files("", "");
    for name in ["", "/a", "../a", "a/../b", "a//b", "a\n", "cgroup.procs"] {
        let error = manager.create(name).expect_err(name);
        assert_eq!(error.source.kind(), io::ErrorKind::InvalidInput, "{name}");
    }
}

/// A version 2 tree of plain files: what is written can be read back, and nothing answers.
fn fake(controllers: &str, members: &str) -> (tempfile::TempDir, String) {
    let root = tempfile::tempdir().expect("a folder");
    for dir in [
        "",
        "scope",
        "podsim",
        "podsim/n1",
        "podsim/n1/pod1",
        "podsim/n1/pod1/c1",
        "podsim-node",
    ] {
        let dir = root.path().join(dir);
        std::fs::create_dir_all(&dir).expect("a folder");
        for (file, text) in [
            ("cgroup.controllers", controllers),
            ("cgroup.subtree_control", ""),
            ("cgroup.procs", members),
            ("cgroup.type", "domain"),
        ] {
            std::fs::write(dir.join(file), text).expect("a file");
        }
    }
    let mountinfo = format!("31 23 0:28 / {} rw - cgroup2 cgroup2 rw", root.path().display());
    (root, mountinfo)
}

#[test]
fn podsim_leaves_a_delegated_group_for_a_leaf_before_it_enables_controllers() {
    let (root, mountinfo) = fake("cpu memory pids io", &format!("{}\n", std::process::id()));
    let mut manager = Manager::from_files(&mountinfo, "0::/");
    assert_eq!(manager.missing(), [""; 0]);
    manager.prepare();
    let read = |file: &str| std::fs::read_to_string(root.path().join(file)).expect(file);
    // Writing does not truncate, so of the three orders to this plain file the last is seen.
    assert_eq!(read("cgroup.subtree_control"), "+pidsry");
    assert_eq!(
        read("podsim-node/cgroup.procs").lines().next(),
        Some(&*std::process::id().to_string())
    );
    let group = manager.create("n1/pod1/c1").expect("made");
    assert_eq!(read("podsim/n1/pod1/cgroup.subtree_control"), "+pidsry");
    assert_eq!(
        read("podsim/n1/pod1/c1/cgroup.subtree_control"),
        "",
        "processes are in it"
    );
    for file in ["memory.max", "cpu.weight", "cpu.max", "pids.max"] {
        std::fs::write(root.path().join("podsim/n1/pod1/c1").join(file), "").expect("a file");
    }
    let limits = Resources {
        memory_limit: Some(1 << 20),
        ..Default::default()
    };
    group
        .apply(&limits)
        .expect("files that this kernel does not have are optional");
    assert_eq!(read("podsim/n1/pod1/c1/memory.max"), "1048576");
    group.join_self().expect("it joins");
    assert!(read("podsim/n1/pod1/c1/cgroup.procs").starts_with('0'));
}

#[test]
fn what_is_not_delegated_is_said_with_what_helps() {
    let (root, mountinfo) = fake("cpu pids", "1\n2\n");
    let manager = Manager::from_files(&mountinfo, "0::/scope");
    let path = root.path().display();
    let other = format!(
        "other processes are in podsim's cgroup {path}; start podsim with `systemd-run --scope --property=Delegate=yes` \
         (as a user: with --user)"
    );
    assert_eq!(
        manager.missing(),
        [
            "memory limits are not enforced: the kernel offers no cgroup controller `memory` here".to_owned(),
            format!("cpu limits are not enforced: {other}"),
            format!("pids limits are not enforced: {other}"),
        ]
    );
    let read_only = mountinfo.replace(" rw ", " ro ");
    let manager = Manager::from_files(&read_only, "0::/");
    assert_eq!(
        *manager.support(Controller::Cpu),
        Support::Unused(format!("{path} is mounted read-only"))
    );
    assert!(!manager.create("n1/pod1").expect("nothing to make").is_tracking());
}
