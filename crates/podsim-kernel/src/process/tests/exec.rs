//! What exec runs, with which arguments, and what becomes of credentials.

use crate::process::credentials::{FileIds, after_exec, setresuid};
use crate::testing::{TestNode, spawn, wait_for};
use podsim_sys::*;

#[test]
fn exec_finds_out_what_a_file_is() {
    let node = TestNode::new();
    node.program("show", |task, log| async move {
        let identity = task.process.identity.lock().clone();
        log.say(format!(
            "{} {} {}",
            identity.argv.join(","),
            identity.comm,
            identity.exe_path
        ));
        Ok(0)
    });
    node.file("/bin/script", b"#!/bin/show -a  b \nexit 1\n", 0o755)
        .file("/bin/nested", b"#! /bin/script", 0o755)
        .file("/bin/loop", b"#!/bin/loop", 0o755)
        .file("/bin/nobody", b"#!/bin/nothing", 0o755)
        .file("/bin/empty-line", b"#!\n", 0o755)
        .file("/bin/plain", b"echo hello\n", 0o755)
        .file("/bin/elf", b"\x7fELF\x02", 0o755)
        .file("/bin/module", b"\0asm\x01\0\0\0", 0o755)
        .file("/bin/empty", b"", 0o755)
        .file("/bin/no-x", b"#!/bin/show", 0o644)
        .file("/bin/unknown-native", b"\x7fPODSIM other\n", 0o755);
    node.program("parent", |task, log| async move {
        for name in [
            "show",
            "script",
            "nested",
            "loop",
            "nobody",
            "empty-line",
            "plain",
            "elf",
            "module",
            "empty",
            "no-x",
            "unknown-native",
            "",
            "show/x",
            "nothing",
        ] {
            let mut request = spawn(name);
            request.argv = vec!["argv0".to_owned(), "1".to_owned()];
            match task.spawn(request).await {
                Ok(child) => drop(wait_for(&task, child).await?),
                Err(errno) => log.say(format!("{name}: {errno:?}")),
            }
        }
        Ok(0)
    });
    node.run("parent");
    let expected = [
        "argv0,1 show /bin/show",
        "/bin/show,-a  b,/bin/script,1 script /bin/show",
        "/bin/show,-a  b,/bin/script,/bin/nested,1 nested /bin/show",
        "loop: ELOOP",
        "nobody: ENOENT",
        "empty-line: ENOEXEC",
        "plain: ENOEXEC",
        "elf: ENOEXEC",
        "module: ENOEXEC",
        "empty: ENOEXEC",
        "no-x: EACCES",
        "unknown-native: ENOEXEC",
        ": EACCES",
        "show/x: ENOTDIR",
        "nothing: ENOENT",
    ];
    assert_eq!(node.said(), expected);
}

#[test]
fn a_name_is_searched_in_the_path() {
    let node = TestNode::new();
    node.program("show", |task, log| async move {
        log.say(task.process.identity.lock().exe_path.clone());
        Ok(0)
    });
    node.file("/forbidden/show", b"x", 0o644)
        .file("/forbidden/other", b"x", 0o644);
    node.program("parent", |task, log| async move {
        let rows = [
            ("show", "/nothing:/forbidden:/bin"),
            ("other", "/forbidden:/bin"),
            ("show", "/nothing"),
            ("/bin/show", "/nothing"),
            ("show", ""),
        ];
        for (program, path) in rows {
            let mut request = spawn(program);
            request.path = program.to_owned();
            request.search_path = Some(path.to_owned());
            match task.spawn(request).await {
                Ok(child) => drop(wait_for(&task, child).await?),
                Err(errno) => log.say(format!("{errno:?}")),
            }
        }
        Ok(0)
    });
    node.run("parent");
    assert_eq!(node.said(), ["/bin/show", "EACCES", "ENOENT", "/bin/show", "ENOENT"]);
}

#[test]
fn exec_replaces_the_program_and_closes_what_it_should() {
    let node = TestNode::new();
    node.program("second", |task, log| async move {
        log.say(format!("{} {:?} {:?}", task.getpid(), task.argv(), task.environ()));
        log.say(format!("{} open", task.process.files.list().len()));
        Ok(9)
    });
    node.program("first", |task, log| async move {
        task.set_title("first: title");
        log.say(String::from_utf8_lossy(&task.process.identity.lock().cmdline()).into_owned());
        task.dup(Fd(0), Fd(0), true)?;
        task.dup(Fd(0), Fd(0), false)?;
        log.say(format!("{:?}", task.execve("/bin/none", Vec::new(), Vec::new()).await));
        task.execve("/bin/second", vec!["two".to_owned()], vec!["A=b".to_owned()])
            .await?;
        Ok(0)
    });
    let task = node.run("first");
    assert_eq!(
        node.said(),
        ["first: title\0", "Err(ENOENT)", "2 [\"two\"] [\"A=b\"]", "4 open"]
    );
    assert_eq!(task.process.exit_status(), Some(WaitStatus::Exited(9)));
    let long = vec!["x".repeat(1 << 20); 3];
    let mut spec = node.spec("first");
    spec.argv = long;
    assert_eq!(node.kernel.create_process(spec).map(drop), Err(Errno::E2BIG));
}

fn user(uid: u32) -> Credentials {
    let mut user = Credentials::root(CapSet::EMPTY);
    (user.uid, user.euid, user.suid, user.fsuid) = (uid, uid, uid, uid);
    user.bounding = CapSet::CONTAINER_DEFAULT;
    user
}

#[test]
fn capabilities_follow_capabilities_7_over_exec() {
    let net = CapSet::EMPTY.with(Capability::NET_RAW);
    let setuid = FileIds {
        setuid: Some(0),
        setgid: None,
    };
    let ambient = Credentials {
        ambient: net,
        inheritable: net,
        permitted: net,
        ..user(5)
    };
    let rows = [
        (
            "root keeps the bounding set",
            Credentials::root(CapSet::CONTAINER_DEFAULT),
            FileIds::default(),
            CapSet::CONTAINER_DEFAULT,
        ),
        (
            "a user loses what is not ambient",
            Credentials {
                permitted: CapSet::FULL,
                effective: CapSet::FULL,
                ..user(5)
            },
            FileIds::default(),
            CapSet::EMPTY,
        ),
        ("a user keeps the ambient set", ambient.clone(), FileIds::default(), net),
        (
            "a set-user-id file makes root",
            user(5),
            setuid,
            CapSet::CONTAINER_DEFAULT,
        ),
        (
            "but not with no_new_privs",
            Credentials {
                no_new_privs: true,
                ..user(5)
            },
            setuid,
            CapSet::EMPTY,
        ),
    ];
    for (sentence, old, file, effective) in rows {
        let new = after_exec(&old, file);
        assert_eq!(new.effective, effective, "{sentence}");
        assert_eq!((new.suid, new.fsuid), (new.euid, new.euid), "{sentence}");
    }
    let dropped = after_exec(&ambient, setuid);
    assert_eq!((dropped.uid, dropped.euid, dropped.ambient), (5, 0, CapSet::EMPTY));
}

#[test]
fn changing_the_user_changes_the_capabilities() {
    let root = Credentials::root(CapSet::CONTAINER_DEFAULT);
    let all = |uid| (Some(uid), Some(uid), Some(uid));
    let rows = [
        (
            "all ids leave root: everything is lost",
            root.clone(),
            all(7),
            Ok((7, CapSet::EMPTY, CapSet::EMPTY)),
        ),
        (
            "only the effective id: it can come back",
            root.clone(),
            (None, Some(7), None),
            Ok((7, CapSet::CONTAINER_DEFAULT, CapSet::EMPTY)),
        ),
        ("a user becomes nobody else", user(5), all(6), Err(Errno::EPERM)),
        (
            "a user may set its own id",
            user(5),
            (None, Some(5), None),
            Ok((5, CapSet::EMPTY, CapSet::EMPTY)),
        ),
        ("-1 is no id", root, (Some(u32::MAX), None, None), Err(Errno::EINVAL)),
    ];
    for (sentence, old, (real, effective, saved), expected) in rows {
        let new = setresuid(&old, real, effective, saved);
        assert_eq!(
            new.map(|new| (new.euid, new.permitted, new.effective)),
            expected,
            "{sentence}"
        );
    }
}

#[test]
fn a_set_user_id_program_runs_as_its_owner() {
    let node = TestNode::new();
    node.program("su", |task, log| async move {
        let credentials = task.credentials();
        log.say(format!("{} {} {}", credentials.uid, credentials.euid, credentials.egid));
        Ok(0)
    });
    let mnt = &node.kernel.initial_namespaces().mnt;
    mnt.chmod("/bin/su", Mode(0o6755)).unwrap();
    mnt.chown("/bin/su", 0, 0).unwrap();
    mnt.chmod("/bin/su", Mode(0o6755)).unwrap();
    let mut spec = node.spec("su");
    spec.credentials = Credentials {
        gid: 5,
        egid: 5,
        ..user(5)
    };
    node.kernel.create_process(spec).unwrap();
    node.idle();
    assert_eq!(node.said(), ["5 0 0"]);
}
