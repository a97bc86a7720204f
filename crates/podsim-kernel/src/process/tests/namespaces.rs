//! Nested pid namespaces and their inits; unshare and setns.

use crate::testing::{TestNode, spawn, wait_for};
use podsim_sys::*;
use std::sync::Arc;
use std::time::Duration;

/// A container whose first process is `init`, which has started a `child`.
fn container(node: &TestNode) -> crate::Task {
    node.program("child", |task, log| async move {
        log.say(format!("child {} of {}", task.getpid(), task.getppid()));
        Err(task.sigsuspend(SigSet::EMPTY).await)
    });
    node.program("init", |task, _| async move {
        task.spawn(spawn("child")).await?;
        loop {
            task.wait(WaitTarget::Any, WaitOptions::empty()).await?;
        }
    });
    let init = node.kernel.create_process(node.container_spec("init")).unwrap();
    node.idle();
    init
}

#[test]
fn a_process_has_a_number_at_every_level() {
    let node = TestNode::new();
    let init = container(&node);
    assert_eq!(node.said(), ["child 2 of 1"]);
    assert_eq!(node.ps(), ["2 S init", "3 S child"]);
    assert_eq!(init.getpid(), Pid(1));
    assert_eq!(init.getppid(), Pid(0));
    let numbers: Vec<Pid> = init.process.pids().levels().map(|(_, pid)| pid).collect();
    assert_eq!(numbers, [Pid(2), Pid(1)]);
    let inside = node.kernel.processes(init.process.pid_namespace());
    assert_eq!(inside.len(), 2);
    assert!(node.kernel.process(init.process.pid_namespace(), Pid(3)).is_none());
}

#[test]
fn an_exec_from_outside_has_no_parent_inside_and_leaves_its_orphans_to_the_init() {
    let node = TestNode::new();
    let init = container(&node);
    node.program("late", |task, log| async move {
        log.say(format!("late {} of {}", task.getpid(), task.getppid()));
        task.spawn(spawn("child")).await?;
        task.sched_yield().await;
        Ok(0)
    });
    let mut spec = node.spec("late");
    spec.namespaces = init.process.namespaces();
    let late = node.kernel.create_process(spec).unwrap();
    node.idle();
    assert_eq!(node.said(), ["child 2 of 1", "late 3 of 0", "child 4 of 3"]);
    assert_eq!(late.process.exit_status(), Some(WaitStatus::Exited(0)));
    let orphan = node.kernel.process(init.process.pid_namespace(), Pid(4)).unwrap();
    let relations = node.kernel.relations(&orphan, init.process.pid_namespace());
    assert_eq!(relations.parent, Pid(1));
    // A session that was begun outside of what the namespace sees would be 0; this one is the late process's.
    assert_eq!(relations.session, Pid(3));
}

#[test]
fn the_inits_death_kills_everybody_and_is_seen_last() {
    let node = TestNode::new();
    let init = container(&node);
    let ns = init.process.pid_namespace().clone();
    node.kernel.kill_host(&init.process, Signal::KILL);
    node.idle();
    assert_eq!(init.process.exit_status(), Some(WaitStatus::Signaled(Signal::KILL)));
    assert_eq!(node.ps(), [""; 0]);
    assert_eq!(ns.population(), 0);
    let mut spec = node.spec("child");
    spec.namespaces = init.process.namespaces();
    assert_eq!(node.kernel.create_process(spec).map(drop), Err(Errno::ENOMEM));
}

#[test]
fn signals_that_an_init_has_no_handler_for_do_nothing() {
    let node = TestNode::new();
    node.program("killer", |task, log| async move {
        for signal in [Signal::TERM, Signal::INT, Signal::KILL, Signal::STOP] {
            log.say(format!("{signal} {:?}", task.kill(Pid(1), Some(signal))));
        }
        Ok(0)
    });
    let init = container(&node);
    let mut spec = node.spec("killer");
    spec.namespaces = init.process.namespaces();
    node.kernel.create_process(spec).unwrap();
    node.idle();
    node.said();
    assert_eq!(init.process.exit_status(), None);
    // From outside, TERM does nothing either, but STOP and KILL get through.
    node.kernel.kill_host(&init.process, Signal::TERM);
    node.idle();
    assert_eq!(init.process.state().letter(), 'S');
    node.kernel.kill_host(&init.process, Signal::STOP);
    node.idle();
    assert_eq!(init.process.state().letter(), 'T');
    node.kernel.kill_host(&init.process, Signal::KILL);
    node.idle();
    assert!(init.process.exit_status().is_some());
    // The node's own init cannot be hurt at all.
    let node_init = node
        .kernel
        .process(node.kernel.initial_pid_namespace(), Pid(1))
        .unwrap();
    node.kernel.kill_host(&node_init, Signal::KILL);
    assert_eq!(node_init.exit_status(), None);
    assert_eq!(node_init.signal_sets().pending, SigSet::EMPTY);
}

#[test]
fn a_nested_namespace_dies_with_the_outer_one() {
    let node = TestNode::new();
    node.program(
        "sleeper",
        |task, _| async move { Err(task.sigsuspend(SigSet::EMPTY).await) },
    );
    node.program("inner", |task, log| async move {
        log.say(format!("inner {}", task.getpid()));
        task.spawn(spawn("sleeper")).await?;
        Err(task.sigsuspend(SigSet::EMPTY).await)
    });
    node.program("outer", |task, log| async move {
        task.unshare(CloneFlags::NEWPID)?;
        let inner = task.spawn(spawn("inner")).await?;
        log.say(format!("outer {} sees {inner}", task.getpid()));
        log.say(format!("{:?}", task.unshare(CloneFlags::NEWPID)));
        Err(task.sigsuspend(SigSet::EMPTY).await)
    });
    let outer = node.kernel.create_process(node.container_spec("outer")).unwrap();
    node.idle();
    assert_eq!(node.said(), ["outer 1 sees 2", "Err(EINVAL)", "inner 1"]);
    assert_eq!(node.ps(), ["2 S outer", "3 S inner", "4 S sleeper"]);
    node.kernel.kill_host(&outer.process, Signal::KILL);
    node.idle();
    assert_eq!(node.ps(), [""; 0]);
}

#[test]
fn numbers_are_not_used_again_until_a_group_is_gone() {
    let node = TestNode::new();
    node.program(
        "member",
        |task, _| async move { Err(task.sigsuspend(SigSet::EMPTY).await) },
    );
    node.program("leader", |_, _| async { Ok(0) });
    node.program("parent", |task, log| async move {
        let mut request = spawn("leader");
        request.process_group = Some(Pid(0));
        let leader = task.spawn(request).await?;
        let mut request = spawn("member");
        request.process_group = Some(leader);
        let member = task.spawn(request).await?;
        wait_for(&task, leader).await?;
        log.say(format!("{:?}", task.kill(leader, None)));
        log.say(format!("{:?}", task.kill(Pid(-leader.0), Some(Signal::KILL))));
        log.say(format!("{:?}", wait_for(&task, member).await?));
        log.say(format!("{:?}", task.kill(Pid(-leader.0), None)));
        Ok(0)
    });
    node.run("parent");
    assert_eq!(node.said(), ["Err(ESRCH)", "Ok(())", "Signaled(SIGKILL)", "Err(ESRCH)"]);
}

#[test]
fn a_host_name_is_its_namespaces_own_and_needs_the_right() {
    let node = TestNode::new();
    node.program("rename", |task, log| async move {
        let before = task.namespaces_inode();
        task.unshare(CloneFlags::NEWUTS)?;
        task.sethostname("pod")?;
        log.say(format!(
            "{} {}",
            task.uname().nodename,
            before == task.namespaces_inode()
        ));
        task.capset(CapSet::EMPTY, CapSet::EMPTY, CapSet::EMPTY)?;
        log.say(format!(
            "{:?} {:?}",
            task.sethostname("x"),
            task.unshare(CloneFlags::NEWUTS)
        ));
        log.say(format!("{:?}", task.unshare(CloneFlags::NEWUSER)));
        Ok(0)
    });
    node.run("rename");
    assert_eq!(node.said(), ["pod false", "Err(EPERM) Err(EPERM)", "Err(EINVAL)"]);
    assert_eq!(node.kernel.initial_namespaces().uts.name.lock().nodename, "node");
}

#[test]
fn a_second_process_of_an_empty_namespace_is_its_init_if_the_first_could_not_start() {
    let node = TestNode::new();
    node.program("init", |task, _| async move {
        task.sleep_until(Duration::from_secs(1)).await.map(|()| 0)
    });
    let mut spec = node.container_spec("nothing");
    let ns = spec.namespaces.clone();
    assert_eq!(node.kernel.create_process(spec).map(drop), Err(Errno::ENOENT));
    spec = node.spec("init");
    spec.namespaces = Arc::clone(&ns);
    assert_eq!(node.kernel.create_process(spec).unwrap().getpid(), Pid(1));
}

#[test]
fn namespaces_are_joined_through_proc() {
    let node = TestNode::new().with_proc_and_dev();
    let init = container(&node);
    let with_own_name = crate::NsProxy {
        uts: node.kernel.new_uts_namespace("pod"),
        ..(*init.process.namespaces()).clone()
    };
    *init.process.ns.write() = Arc::new(with_own_name);
    node.program("show", |task, log| async move {
        log.say(format!(
            "{} {} {}",
            task.getpid(),
            task.getppid(),
            task.uname().nodename
        ));
        Ok(0)
    });
    node.program("nsenter", |task, log| async move {
        let open = |kind: &str| {
            let (task, path) = (task.clone(), format!("/proc/2/ns/{kind}"));
            async move { task.openat(Fd::CWD, &path, OpenFlags::empty(), Mode(0)).await }
        };
        let (uts, pid, user) = (open("uts").await?, open("pid").await?, open("user").await?);
        log.say(format!("{:?}", task.setns(uts, CloneFlags::NEWNET)));
        log.say(format!("{:?}", task.setns(Fd(0), CloneFlags::empty())));
        log.say(format!("{:?}", task.setns(user, CloneFlags::empty())));
        task.setns(uts, CloneFlags::NEWUTS)?;
        task.setns(pid, CloneFlags::empty())?;
        log.say(format!("{} {}", task.getpid(), task.uname().nodename));
        let child = task.spawn(spawn("show")).await?;
        log.say(format!("{:?}", wait_for(&task, child).await?));
        Ok(0)
    });
    node.said();
    node.run("nsenter");
    let expected = [
        "Err(EINVAL)",
        "Err(EINVAL)",
        "Err(EINVAL)",
        "4 pod",
        "3 0 pod",
        "Exited(0)",
    ];
    assert_eq!(node.said(), expected);
}

impl crate::Task {
    fn namespaces_inode(&self) -> u64 {
        self.process.namespaces().uts.inode
    }

    /// A spawn that does not wait for anything.
    pub(super) fn spawn_now(&self, request: SpawnRequest) -> Result<Pid> {
        use std::future::Future;
        let mut future = std::pin::pin!(self.spawn(request));
        match future
            .as_mut()
            .poll(&mut std::task::Context::from_waker(std::task::Waker::noop()))
        {
            std::task::Poll::Ready(result) => result,
            std::task::Poll::Pending => Err(Errno::EAGAIN),
        }
    }
}
