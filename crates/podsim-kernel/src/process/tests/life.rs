//! Spawn, exit, wait, zombies, orphans, groups and sessions.

use crate::testing::{TestNode, spawn, wait_for};
use podsim_sys::*;

#[test]
fn a_child_is_a_zombie_until_its_parent_waits_and_its_times_are_added() {
    let node = TestNode::new();
    node.program("child", |task, _| async move {
        task.charge_cpu(std::time::Duration::from_secs(2));
        Ok(7)
    });
    node.program("parent", |task, log| async move {
        let child = task.spawn(spawn("child")).await?;
        log.say(format!("child {child}"));
        task.sleep_until(std::time::Duration::from_secs(5)).await?;
        log.say(format!("{:?}", wait_for(&task, child).await?));
        log.say(format!("{:?}", task.times().children_user));
        log.say(format!("{:?}", wait_for(&task, child).await));
        Ok(0)
    });
    node.run("parent");
    assert_eq!(node.ps(), ["2 S parent", "3 Z child"]);
    node.settle();
    assert_eq!(node.said(), ["child 3", "Exited(7)", "2s", "Err(ECHILD)"]);
    assert_eq!(node.ps(), [""; 0]);
}

#[test]
fn wait_takes_what_it_is_asked_for() {
    let node = TestNode::new();
    node.program("exit1", |_, _| async { Ok(1) });
    node.program(
        "forever",
        |task, _| async move { Err(task.sigsuspend(SigSet::EMPTY).await) },
    );
    node.program("parent", |task, log| async move {
        let nohang = WaitOptions::NOHANG;
        log.say(format!("{:?}", task.wait(WaitTarget::Any, nohang).await));
        let mut own_group = spawn("exit1");
        own_group.process_group = Some(Pid(0));
        let forever = task.spawn(spawn("forever")).await?;
        let leader = task.spawn(own_group).await?;
        task.sched_yield().await;
        log.say(format!("{:?}", task.wait(WaitTarget::Pid(forever), nohang).await));
        log.say(format!("{:?}", task.wait(WaitTarget::Group(Pid(0)), nohang).await));
        let found = task.wait(WaitTarget::Group(leader), WaitOptions::empty()).await?;
        log.say(format!("{}", found == Some((leader, WaitStatus::Exited(1)))));
        log.say(format!("{:?}", task.wait(WaitTarget::Pid(Pid(1)), nohang).await));
        task.kill(forever, Some(Signal::TERM))?;
        log.say(format!(
            "{:?}",
            task.wait(WaitTarget::Any, WaitOptions::empty())
                .await?
                .map(|found| found.1)
        ));
        Ok(0)
    });
    node.run("parent");
    let expected = [
        "Err(ECHILD)",
        "Ok(None)",
        "Ok(None)",
        "true",
        "Err(ECHILD)",
        "Some(Signaled(SIGTERM))",
    ];
    assert_eq!(node.said(), expected);
}

#[test]
fn orphans_go_to_init_which_reaps_them() {
    let node = TestNode::new();
    node.program("grandchild", |task, log| async move {
        log.say(format!("parent {}", task.getppid()));
        task.sleep_until(std::time::Duration::from_secs(1)).await?;
        log.say(format!("parent {}", task.getppid()));
        Ok(0)
    });
    node.program("parent", |task, _| async move {
        task.spawn(spawn("grandchild")).await?;
        task.sched_yield().await;
        Ok(0)
    });
    node.run("parent");
    assert_eq!(node.ps(), ["3 S grandchild"]);
    node.settle();
    assert_eq!(node.said(), ["parent 2", "parent 1"]);
    assert_eq!(node.ps(), [""; 0]);
}

#[test]
fn a_parent_that_ignores_sigchld_has_no_zombies_and_waits_for_the_last() {
    let node = TestNode::new();
    node.program("child", |task, _| async move {
        task.sleep_until(std::time::Duration::from_secs(1)).await?;
        Ok(0)
    });
    node.program("parent", |task, log| async move {
        let ignore = SigAction {
            handler: SigHandler::Ignore,
            ..SigAction::default()
        };
        task.sigaction(Signal::CHLD, Some(ignore))?;
        task.spawn(spawn("child")).await?;
        task.spawn(spawn("child")).await?;
        log.say(format!("{:?}", task.wait(WaitTarget::Any, WaitOptions::empty()).await));
        Ok(0)
    });
    node.run("parent");
    node.settle();
    assert_eq!(node.said(), ["Err(ECHILD)"]);
}

#[test]
fn exit_counts_once_and_the_host_sees_it() {
    let node = TestNode::new();
    node.program("twice", |task, _| async move {
        task.exit(WaitStatus::Exited(3));
        task.exit(WaitStatus::Exited(4));
        Ok(5)
    });
    let task = node.run("twice");
    assert_eq!(task.process.exit_status(), Some(WaitStatus::Exited(3)));
    assert_eq!(task.getpid(), Pid(2));
    assert_eq!(task.pipe(OpenFlags::empty()), Err(Errno::EMFILE));
    assert_eq!(task.spawn_now(spawn("twice")), Err(Errno::ESRCH));
}

#[test]
fn setpgid_and_setsid_keep_the_rules() {
    let node = TestNode::new();
    node.program(
        "child",
        |task, _| async move { Err(task.sigsuspend(SigSet::EMPTY).await) },
    );
    node.program("parent", |task, log| async move {
        let me = task.getpid();
        // Made by the host: leads a session, so it can neither move nor begin another one.
        log.say(format!("{:?} {:?}", task.setpgid(Pid(0), Pid(0)), task.setsid()));
        log.say(format!(
            "{} {}",
            task.getpgid(Pid(0))? == me,
            task.getsid(Pid(0))? == me
        ));
        let child = task.spawn(spawn("child")).await?;
        log.say(format!("{:?}", task.setpgid(child, child)));
        log.say(format!("{:?}", task.setpgid(Pid(1), Pid(1))));
        log.say(format!("{:?}", task.setpgid(child, Pid(-1))));
        let mut request = spawn("child");
        request.process_group = Some(child);
        log.say(format!("{:?}", task.spawn(request).await));
        let mut request = spawn("child");
        request.process_group = Some(Pid(0));
        let leader = task.spawn(request.clone()).await?;
        request.process_group = Some(leader);
        let member = task.spawn(request).await?;
        log.say(format!("{}", task.getpgid(member)? == leader));
        let mut request = spawn("child");
        request.new_session = true;
        let other = task.spawn(request).await?;
        log.say(format!("{}", task.getsid(other)? == other));
        Ok(0)
    });
    node.run("parent");
    let expected = [
        "Err(EPERM) Err(EPERM)",
        "true true",
        "Err(EACCES)",
        "Err(ESRCH)",
        "Err(EINVAL)",
        "Err(EPERM)",
        "true",
        "true",
    ];
    assert_eq!(node.said(), expected);
}

#[test]
fn descriptors_are_handed_over_as_asked() {
    let node = TestNode::new();
    node.file("/etc/motd", b"hello", 0o644);
    node.program("child", |task, log| async move {
        let open = task.process.files.list().into_iter().map(|(fd, _)| fd.0.to_string());
        log.say(open.collect::<Vec<_>>().join(" "));
        let mut buf = [0; 16];
        let n = task.read(Fd(0), &mut buf).await?;
        log.say(String::from_utf8_lossy(&buf[..n]).into_owned());
        log.say(task.getcwd()?);
        Ok(0)
    });
    node.program("parent", |task, log| async move {
        let (read, write) = task.pipe(OpenFlags::CLOEXEC)?;
        let keep = task.dup(write, Fd(10), false)?;
        let open = |path: &str| FdAction::Open {
            fd: Fd(0),
            path: path.to_owned(),
            flags: OpenFlags::empty(),
            mode: Mode(0),
        };
        let mut request = spawn("child");
        request.fd_actions = vec![
            FdAction::Chdir("/etc".to_owned()),
            open("motd"),
            FdAction::Dup2 { from: read, to: read },
            FdAction::Close(keep),
        ];
        let child = task.spawn(request).await?;
        wait_for(&task, child).await?;
        let mut request = spawn("child");
        request.fd_actions = vec![open("nothing")];
        log.say(format!("{:?}", task.spawn(request).await));
        Ok(0)
    });
    node.run("parent");
    assert_eq!(node.said(), ["0 1 2 3", "hello", "/etc", "Err(ENOENT)"]);
    assert_eq!(node.kernel.initial_pid_namespace().population(), 1);
}
