//! Rights as `/proc` shows them after they were taken.

use super::*;
use crate::testing;
use podsim_sys::Capability;
use rustix::event::{PollFd, PollFlags};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

const CHILD: &str = "credentials::tests::child_with_rights";

/// Takes the rights and tells what it has; or has a child do it.
#[test]
fn child_with_rights() {
    let Some(orders) = testing::orders() else { return };
    let (how, rights): (String, Rights) = serde_json::from_str(&orders).expect("orders");
    if how == "parent" {
        let orders = serde_json::to_string(&("wait", rights)).expect("JSON");
        let mut child = testing::child(CHILD, &orders).spawn().expect("the child starts");
        let _ = child.wait();
        testing::done();
    }
    if let Err(error) = rights.apply(None) {
        println!("> {error}");
        testing::done();
    }
    // The rights are a thread's, and this one is not the first.
    let status = std::fs::read_to_string("/proc/thread-self/status").expect("status");
    for line in status.lines() {
        if ["Uid", "Gid", "Groups", "Cap", "NoNew", "Umask"]
            .iter()
            .any(|start| line.starts_with(start))
        {
            println!("> {}", line.replace('\t', " ").trim_end());
        }
    }
    let limits = std::fs::read_to_string("/proc/self/limits").expect("limits");
    let open_files = limits
        .lines()
        .find(|line| line.starts_with("Max open files"))
        .expect("a line");
    println!("> {}", open_files.split_whitespace().collect::<Vec<_>>().join(" "));
    let signal = rustix::process::parent_process_death_signal().expect("a signal");
    let dumpable = rustix::process::dumpable_behavior().expect("dumpable");
    let score = std::fs::read_to_string("/proc/self/oom_score_adj").expect("a score");
    let dies = signal == Some(Signal::KILL);
    println!("> dies {dies} {dumpable:?} oom {}", score.trim());
    if how == "wait" {
        loop {
            std::thread::park();
        }
    }
    testing::done();
}

fn child(how: &str, rights: &Rights) -> Command {
    testing::child(CHILD, &serde_json::to_string(&(how, rights)).expect("JSON"))
}

/// Those of the capabilities that this machine lets its root have.
fn have(set: CapSet) -> u64 {
    set.0 & available().0
}

#[test]
fn a_user_has_what_was_asked_for_and_nothing_else() {
    if !testing::is_root() {
        return;
    }
    let kept = CapSet::EMPTY.with(Capability::NET_BIND_SERVICE).with(Capability::CHOWN);
    let rights = Rights {
        uid: 1234,
        gid: 1235,
        groups: vec![7, 1235],
        bounding: CapSet::CONTAINER_DEFAULT.0,
        permitted: kept.0,
        effective: CapSet::EMPTY.with(Capability::CHOWN).0,
        inheritable: kept.0,
        ambient: CapSet::EMPTY.with(Capability::NET_BIND_SERVICE).0,
        no_new_privs: true,
        rlimits: vec![Limit::new(
            Resource::Nofile,
            Rlimit {
                soft: Some(100),
                hard: Some(200),
            },
        )],
        umask: Some(0o27),
        oom_score_adj: Some(999),
    };
    let expected = [
        "Umask: 0027".to_owned(),
        "Uid: 1234 1234 1234 1234".to_owned(),
        "Gid: 1235 1235 1235 1235".to_owned(),
        "Groups: 7 1235".to_owned(),
        "CapInh: 0000000000000401".to_owned(),
        "CapPrm: 0000000000000401".to_owned(),
        "CapEff: 0000000000000001".to_owned(),
        format!("CapBnd: {:016x}", have(CapSet::CONTAINER_DEFAULT)),
        "CapAmb: 0000000000000400".to_owned(),
        "NoNewPrivs: 1".to_owned(),
        "Max open files 100 200 files".to_owned(),
        "dies true Dumpable oom 999".to_owned(),
    ];
    assert_eq!(testing::told(&mut child("tell", &rights)), expected);
}

#[test]
fn root_of_a_privileged_container_has_all_that_podsim_has() {
    if !testing::is_root() {
        return;
    }
    let rights = Rights::from(&Credentials::root(CapSet(u64::MAX)));
    let told = testing::told(&mut child("tell", &rights));
    for set in ["CapPrm", "CapEff", "CapBnd"] {
        let line = format!("{set}: {:016x}", have(CapSet::FULL));
        assert!(told.contains(&line), "{line} in {told:#?}");
    }
    assert!(told.contains(&"NoNewPrivs: 0".to_owned()), "{told:#?}");
}

#[test]
fn what_fails_is_named() {
    if !testing::is_root() {
        return;
    }
    for (rights, error) in [
        (
            Rights {
                uid: u32::MAX,
                ..Rights::default()
            },
            "cannot use the id 4294967295: Invalid argument (os error 22)",
        ),
        (
            Rights {
                rlimits: vec![Limit {
                    resource: 99,
                    soft: None,
                    hard: None,
                }],
                ..Rights::default()
            },
            "cannot limit the resource 99: Invalid argument (os error 22)",
        ),
    ] {
        assert_eq!(testing::told(&mut child("tell", &rights)), [error]);
    }
}

#[test]
fn a_process_that_changed_its_user_still_dies_with_its_parent() {
    if !testing::is_root() {
        return;
    }
    let rights = Rights {
        uid: 1234,
        ..Rights::default()
    };
    let mut parent = child("parent", &rights)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the child starts");
    let mut stdout = BufReader::new(parent.stdout.take().expect("piped"));
    let mut line = String::new();
    while !line.contains("Dumpable oom") {
        line.clear();
        assert_ne!(stdout.read_line(&mut line).expect("UTF-8"), 0, "it waits");
    }
    parent.kill().expect("killed");
    parent.wait().expect("dead");
    // Only the grandchild holds the pipe now.
    let mut end = [PollFd::new(stdout.get_ref(), PollFlags::HUP)];
    let patience = Timespec { tv_sec: 20, tv_nsec: 0 };
    assert_eq!(poll(&mut end, Some(&patience)), Ok(1), "the grandchild lives");
}

#[test]
fn a_parent_that_is_dead_already_is_noticed() {
    // PDEATHSIG is set by it, so this is a child's work too; but the parent of a test's thread does not die here.
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().expect("a pair");
    let alive = die_with(Some(Parent::Socket(std::os::fd::AsFd::as_fd(&ours))));
    assert!(alive.is_ok(), "{alive:?}");
    drop(theirs);
    let error = die_with(Some(Parent::Socket(std::os::fd::AsFd::as_fd(&ours)))).expect_err("dead");
    assert_eq!(
        error.to_string(),
        "cannot go on without podsim: No such process (os error 3)"
    );
    let _ = rustix::process::set_parent_process_death_signal(None);
}
