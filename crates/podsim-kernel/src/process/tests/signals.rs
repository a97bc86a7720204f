//! Masks, handlers, default actions, stop and continue, kill's rules, alarms.

use crate::testing::{TestNode, spawn, wait_for};
use podsim_sys::*;
use std::time::Duration;

fn catch(task: &crate::Task, signal: Signal, restart: bool) -> Result<SigAction> {
    let action = SigAction {
        handler: SigHandler::Catch,
        restart,
        ..SigAction::default()
    };
    task.sigaction(signal, Some(action))
}

fn set(signals: &[Signal]) -> SigSet {
    signals.iter().copied().collect()
}

#[test]
fn a_blocked_signal_waits_and_a_caught_one_interrupts() {
    let node = TestNode::new();
    node.program("catcher", |task, log| async move {
        catch(&task, Signal::USR1, true)?;
        task.sigprocmask(Some((SigMaskHow::Block, set(&[Signal::USR1, Signal::KILL]))));
        log.say(format!("{:?}", task.sigprocmask(None).iter().collect::<Vec<_>>()));
        log.say(format!("{:?}", task.sleep_until(Duration::from_secs(1)).await));
        log.say(format!("{:?}", task.sigpending().contains(Signal::USR1)));
        // An atomic unblock-and-wait.
        log.say(format!("{:?}", task.sigsuspend(SigSet::EMPTY).await));
        let Some(SignalDelivery::Handler {
            signal,
            restore_mask,
            restart,
        }) = task.take_signal().await
        else {
            return Ok(1);
        };
        log.say(format!("{signal} {} {restart}", restore_mask == set(&[Signal::USR1])));
        log.say(format!(
            "blocked in the handler: {}",
            task.sigprocmask(None).contains(Signal::USR1)
        ));
        task.sigreturn(SigSet::EMPTY);
        log.say(format!("{:?}", task.sleep_until(Duration::from_secs(9)).await));
        log.say(format!("{:?}", task.take_signal().await.is_some()));
        Ok(0)
    });
    let task = node.run("catcher");
    node.kernel.kill_host(&task.process, Signal::USR1);
    node.clock.advance(Duration::from_secs(1));
    node.idle();
    let expected = [
        "[SIGUSR1]",
        "Ok(())",
        "true",
        "EINTR",
        "SIGUSR1 true true",
        "blocked in the handler: true",
    ];
    assert_eq!(node.said(), expected);
    node.kernel.kill_host(&task.process, Signal::USR1);
    node.idle();
    assert_eq!(node.said(), ["Err(EINTR)", "true"]);
}

#[test]
fn signals_without_a_handler_do_what_signal_7_says() {
    let rows = [
        (Signal::TERM, Some(WaitStatus::Signaled(Signal::TERM))),
        (Signal::SEGV, Some(WaitStatus::Signaled(Signal::SEGV))),
        (Signal::USR2, Some(WaitStatus::Signaled(Signal::USR2))),
        (
            Signal::new(40).unwrap(),
            Some(WaitStatus::Signaled(Signal::new(40).unwrap())),
        ),
        (Signal::CHLD, None),
        (Signal::WINCH, None),
        (Signal::CONT, None),
        (Signal::URG, None),
    ];
    for (signal, expected) in rows {
        let node = TestNode::new();
        node.program("sleeper", |task, _| async move {
            task.sleep_until(Duration::from_secs(10)).await?;
            Ok(0)
        });
        let task = node.run("sleeper");
        node.kernel.kill_host(&task.process, signal);
        node.idle();
        assert_eq!(task.process.exit_status(), expected, "{signal}");
        assert_eq!(
            task.signal_pending(),
            expected.is_some(),
            "{signal}: nothing else is interrupted"
        );
    }
}

#[test]
fn a_stopped_child_is_seen_continued_and_killed() {
    let node = TestNode::new();
    node.program("child", |task, _| async move {
        task.sleep_until(Duration::from_secs(100)).await?;
        Ok(0)
    });
    node.program("parent", |task, log| async move {
        // In a group of its own in the parent's session, so that it is not orphaned and SIGTSTP works.
        let mut request = spawn("child");
        request.process_group = Some(Pid(0));
        let child = task.spawn(request).await?;
        task.sched_yield().await;
        let all = WaitOptions::UNTRACED | WaitOptions::CONTINUED;
        for signal in [
            Signal::STOP,
            Signal::CONT,
            Signal::TSTP,
            Signal::CONT,
            Signal::STOP,
            Signal::KILL,
        ] {
            task.kill(child, Some(signal))?;
            log.say(format!(
                "{:?}",
                task.wait(WaitTarget::Pid(child), all).await?.map(|found| found.1)
            ));
        }
        Ok(0)
    });
    node.run("parent");
    let expected = [
        "Some(Stopped(SIGSTOP))",
        "Some(Continued)",
        "Some(Stopped(SIGTSTP))",
        "Some(Continued)",
        "Some(Stopped(SIGSTOP))",
        "Some(Signaled(SIGKILL))",
    ];
    assert_eq!(node.said(), expected);
}

#[test]
fn an_orphaned_group_is_not_stopped_from_the_keyboard_and_is_hung_up_when_it_becomes_one() {
    let node = TestNode::new();
    node.program("sleeper", |task, _| async move {
        task.sleep_until(Duration::from_secs(100)).await?;
        Ok(0)
    });
    // Its parent, the node's init, is in another session.
    let orphan = node.run("sleeper");
    node.kernel.kill_host(&orphan.process, Signal::TSTP);
    node.idle();
    assert_eq!(orphan.process.state().letter(), 'S');
    node.program("job", |task, _| async move {
        let mut request = spawn("sleeper");
        request.process_group = Some(Pid(0));
        let job = task.spawn(request).await?;
        task.sched_yield().await;
        task.kill(job, Some(Signal::STOP))?;
        task.wait(WaitTarget::Any, WaitOptions::UNTRACED).await?;
        Ok(0)
    });
    node.run("job");
    // The stopped job got SIGHUP and SIGCONT when the only one who could have continued it ended.
    assert_eq!(node.ps(), ["2 S sleeper"]);
}

#[test]
fn kill_asks_who_you_are() {
    let node = TestNode::new();
    node.program(
        "victim",
        |task, _| async move { Err(task.sigsuspend(SigSet::EMPTY).await) },
    );
    node.program("killer", |task, log| async move {
        for (target, signal) in [
            (2, Signal::TERM),
            (2, Signal::CONT),
            (3, Signal::USR1),
            (99, Signal::TERM),
        ] {
            log.say(format!("{target} {signal} {:?}", task.kill(Pid(target), Some(signal))));
        }
        log.say(format!("all {:?}", task.kill(Pid(-1), Some(Signal::HUP))));
        log.say(format!("group {:?}", task.kill(Pid(-2), None)));
        Ok(0)
    });
    let root = node.start("victim");
    let user = Credentials {
        uid: 1000,
        euid: 1000,
        suid: 1000,
        ..Credentials::root(CapSet::EMPTY)
    };
    let mut spec = node.spec("victim");
    spec.credentials = user.clone();
    let mine = node.kernel.create_process(spec).unwrap();
    let mut spec = node.spec("killer");
    spec.credentials = user;
    node.kernel.create_process(spec).unwrap();
    node.idle();
    let expected = [
        "2 SIGTERM Err(EPERM)",
        "2 SIGCONT Err(EPERM)",
        "3 SIGUSR1 Ok(())",
        "99 SIGTERM Err(ESRCH)",
        "all Ok(())",
        "group Err(EPERM)",
    ];
    assert_eq!(node.said(), expected);
    assert_eq!(root.process.exit_status(), None);
    assert!(mine.process.exit_status().is_some());
}

#[test]
fn spawn_hands_down_what_is_ignored_and_exec_drops_handlers() {
    let node = TestNode::new();
    node.program("child", |task, log| async move {
        let handlers = [Signal::HUP, Signal::INT, Signal::USR1, Signal::USR2]
            .map(|signal| format!("{:?}", task.sigaction(signal, None).unwrap().handler));
        log.say(handlers.join(" "));
        log.say(format!("{:?}", task.sigprocmask(None).iter().collect::<Vec<_>>()));
        log.say(format!("{:?}", task.sigpending()));
        Ok(0)
    });
    node.program("parent", |task, log| async move {
        let _ = log;
        let ignore = SigAction {
            handler: SigHandler::Ignore,
            ..SigAction::default()
        };
        task.sigaction(Signal::HUP, Some(ignore))?;
        task.sigaction(Signal::USR2, Some(ignore))?;
        catch(&task, Signal::INT, false)?;
        task.sigprocmask(Some((SigMaskHow::Block, set(&[Signal::TERM]))));
        task.kill(task.getpid(), Some(Signal::TERM))?;
        let mut request = spawn("child");
        request.signal_default = set(&[Signal::USR2]);
        request.signal_ignore = set(&[Signal::USR1]);
        let child = task.spawn(request).await?;
        wait_for(&task, child).await?;
        task.execve("/bin/child", vec!["x".to_owned()], Vec::new()).await?;
        Ok(0)
    });
    node.run("parent");
    let expected = [
        "Ignore Default Ignore Default",
        "[SIGTERM]",
        "SigSet(0)",
        "Ignore Default Default Ignore",
        "[SIGTERM]",
        "SigSet(16384)",
    ];
    assert_eq!(node.said(), expected);
}

#[test]
fn an_alarm_rings_once_or_again_and_again() {
    let node = TestNode::new();
    node.program("alarm", |task, log| async move {
        catch(&task, Signal::ALRM, false)?;
        let second = Duration::from_secs(1);
        log.say(format!("{:?}", task.setitimer(second, second * 2)));
        for _ in 0..2 {
            task.sleep_until(second * 60).await.unwrap_err();
            task.take_signal().await;
            task.sigreturn(SigSet::EMPTY);
            log.say(format!("{:?}", task.clock_monotonic()));
        }
        log.say(format!("{:?}", task.setitimer(Duration::ZERO, Duration::ZERO)));
        log.say(format!("{:?}", task.sleep_until(second * 60).await));
        Ok(0)
    });
    node.run("alarm");
    node.settle();
    assert_eq!(node.said(), ["0ns", "1s", "3s", "2s", "Ok(())"]);
}

#[test]
fn a_pending_signal_that_becomes_ignored_is_forgotten() {
    let node = TestNode::new();
    node.program("forget", |task, log| async move {
        task.sigprocmask(Some((SigMaskHow::Block, set(&[Signal::TERM]))));
        task.kill(task.getpid(), Some(Signal::TERM))?;
        let ignore = SigAction {
            handler: SigHandler::Ignore,
            ..SigAction::default()
        };
        task.sigaction(Signal::TERM, Some(ignore))?;
        log.say(format!("{:?}", task.sigpending()));
        log.say(format!("{:?}", task.sigaction(Signal::KILL, Some(ignore))));
        Ok(0)
    });
    node.run("forget");
    assert_eq!(node.said(), ["SigSet(0)", "Err(EINVAL)"]);
}
