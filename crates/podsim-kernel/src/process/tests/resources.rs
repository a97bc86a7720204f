//! Limits: descriptors, processes, memory.

use crate::testing::{TestNode, spawn};
use podsim_sys::*;

#[test]
fn a_control_groups_memory_limit_kills_and_is_recorded() {
    let node = TestNode::new();
    node.program("eater", |task, log| async move {
        log.say(format!("{}", task.charge_memory(60 << 20)));
        log.say(format!("{}", task.charge_memory(40 << 20)));
        log.say(format!("{}", task.charge_memory(101 << 20)));
        task.sched_yield().await;
        Ok(0)
    });
    let mut spec = node.container_spec("eater");
    let pod = node.kernel.root_cgroup().child("kubepods/besteffort/podx");
    pod.set_memory_max(Some(100 << 20));
    let cgroup = pod.child("c1");
    spec.cgroup = cgroup.clone();
    let task = node.kernel.create_process(spec).unwrap();
    node.idle();
    assert_eq!(node.said(), ["true", "true", "false"]);
    assert_eq!(task.process.exit_status(), Some(WaitStatus::Signaled(Signal::KILL)));
    assert_eq!(
        (cgroup.path(), cgroup.stats().oom_kills),
        ("/kubepods/besteffort/podx/c1", 1)
    );
    let left = (
        cgroup.stats().memory,
        cgroup.stats().pids,
        pod.stats().memory,
        pod.stats().pids,
    );
    assert_eq!(left, (0, 0, 0, 0));
}

#[test]
fn an_address_space_limit_only_says_no() {
    let node = TestNode::new();
    node.program("eater", |task, log| async move {
        let limit = Rlimit {
            soft: Some(1000),
            hard: Some(2000),
        };
        task.setrlimit(Resource::As, limit)?;
        log.say(format!("{} {}", task.charge_memory(1000), task.charge_memory(1001)));
        Ok(0)
    });
    let task = node.run("eater");
    assert_eq!(node.said(), ["true false"]);
    assert_eq!(task.process.exit_status(), Some(WaitStatus::Exited(0)));
}

#[test]
fn descriptors_run_out() {
    let node = TestNode::new();
    node.program("opener", |task, log| async move {
        let limit = |soft, hard| Rlimit {
            soft: Some(soft),
            hard: Some(hard),
        };
        task.setrlimit(Resource::Nofile, limit(5, 5))?;
        log.say(format!("{:?}", task.dup(Fd(0), Fd(0), false)));
        log.say(format!("{:?}", task.pipe(OpenFlags::empty())));
        log.say(format!("{:?}", task.dup(Fd(0), Fd(4), false)));
        log.say(format!("{:?}", task.dup(Fd(0), Fd(0), false)));
        log.say(format!(
            "{:?} {:?}",
            task.dup(Fd(0), Fd(5), false),
            task.dup2(Fd(0), Fd(5), false)
        ));
        log.say(format!(
            "{:?} {:?}",
            task.dup2(Fd(9), Fd(9), false),
            task.dup2(Fd(3), Fd(3), true)
        ));
        task.close(Fd(3))?;
        log.say(format!("{:?}", task.dup(Fd(0), Fd(0), false)));
        Ok(0)
    });
    node.run("opener");
    let expected = [
        "Ok(Fd(3))",
        "Err(EMFILE)",
        "Ok(Fd(4))",
        "Err(EMFILE)",
        "Err(EINVAL) Err(EBADF)",
        "Err(EBADF) Ok(Fd(3))",
        "Ok(Fd(3))",
    ];
    assert_eq!(node.said(), expected);
}

#[test]
fn processes_run_out() {
    let node = TestNode::new();
    node.program(
        "child",
        |task, _| async move { Err(task.sigsuspend(SigSet::EMPTY).await) },
    );
    node.program("bomb", |task, log| async move {
        loop {
            if let Err(errno) = task.spawn(spawn("child")).await {
                log.say(format!("{errno:?}"));
                return Ok(0);
            }
        }
    });
    let mut spec = node.container_spec("bomb");
    let cgroup = spec.cgroup.clone();
    cgroup.set_pids_max(Some(10));
    let ns = spec.namespaces.clone();
    node.kernel.create_process(spec).unwrap();
    node.idle();
    assert_eq!(node.said(), ["EAGAIN"]);
    // The bomb was the init of its namespace: its end has taken the others along.
    assert_eq!((cgroup.stats().pids, ns.pid_for_children.population()), (0, 0));
    spec = node.spec("bomb");
    spec.credentials = Credentials {
        uid: 7,
        ..Credentials::root(CapSet::EMPTY)
    };
    let five = Rlimit {
        soft: Some(5),
        hard: Some(5),
    };
    spec.rlimits = vec![(Resource::Nproc, five)];
    node.kernel.create_process(spec).unwrap();
    node.idle();
    assert_eq!(node.said(), ["EAGAIN"]);
    assert_eq!(node.ps().len(), 4);
}

#[test]
fn a_control_group_is_killed_as_a_whole() {
    let node = TestNode::new();
    node.program(
        "child",
        |task, _| async move { Err(task.sigsuspend(SigSet::EMPTY).await) },
    );
    node.program("parent", |task, _| async move {
        task.spawn(spawn("child")).await?;
        task.spawn(spawn("child")).await?;
        Err(task.sigsuspend(SigSet::EMPTY).await)
    });
    let mut spec = node.spec("parent");
    let pod = node.kernel.root_cgroup().child("pod");
    spec.cgroup = pod.child("c");
    node.kernel.create_process(spec).unwrap();
    let other = node.run("child");
    node.kernel.kill_cgroup(&pod);
    let mut spec = node.spec("child");
    spec.cgroup = pod.child("d");
    assert_eq!(node.kernel.create_process(spec).map(drop), Err(Errno::ENODEV));
    node.idle();
    assert_eq!((node.ps().len(), pod.stats().pids), (1, 0));
    assert_eq!(other.process.exit_status(), None);
}
