//! Tests of the line discipline, as tables, and of ptys with processes.

use super::line_discipline::LineDiscipline;
use super::{PtyAttributes, PtyPair, PtyRegistry};
use crate::testing::{TestNode, spawn};
use podsim_sys::*;
use std::sync::Arc;
use std::time::Duration;

/// Types keys into a discipline; tells what was echoed, what can be read and which signals were sent.
fn typed(termios: &Termios, keys: &str) -> (String, Vec<String>, Vec<Signal>) {
    let mut discipline = LineDiscipline::new();
    discipline.set_termios(termios);
    let mut echo = Vec::new();
    let signals = keys
        .bytes()
        .filter_map(|key| discipline.receive(key, termios, &mut echo))
        .collect();
    let mut read = Vec::new();
    let mut buf = [0; 8192];
    while let Some(n) = discipline.read_line(&mut buf) {
        read.push(String::from_utf8_lossy(&buf[..n]).into_owned());
    }
    let n = discipline.read_raw(&mut buf);
    if n > 0 {
        read.push(String::from_utf8_lossy(&buf[..n]).into_owned());
    }
    (String::from_utf8_lossy(&echo).into_owned(), read, signals)
}

#[test]
fn canonical_mode_edits_lines_as_termios_3_says() {
    let rows: &[(&str, &str, &str, &[&str])] = &[
        ("return ends a line", "ab\r", "ab\r\n", &["ab\n"]),
        ("two lines are read one by one", "a\nb\n", "a\r\nb\r\n", &["a\n", "b\n"]),
        ("an unfinished line is not there", "ab", "ab", &[]),
        ("erase wipes a character", "ab\x7fc\r", "ab\x08 \x08c\r\n", &["ac\n"]),
        ("erase at the beginning does nothing", "\x7fa\r", "a\r\n", &["a\n"]),
        (
            "a control character is two columns wide",
            "\x01\x7f\r",
            "^A\x08 \x08\x08 \x08\r\n",
            &["\n"],
        ),
        (
            "a tab is as wide as it was",
            "a\t\x7f\r",
            "a\t\x08 \x08\x08 \x08\x08 \x08\x08 \x08\x08 \x08\x08 \x08\x08 \x08\r\n",
            &["a\n"],
        ),
        (
            "werase takes blanks and the word before them",
            "ab cd  \x17\r",
            "ab cd  \x08 \x08\x08 \x08\x08 \x08\x08 \x08\r\n",
            &["ab \n"],
        ),
        (
            "kill wipes the line",
            "abc\x15d\r",
            "abc\x08 \x08\x08 \x08\x08 \x08d\r\n",
            &["d\n"],
        ),
        ("eof on an empty line is the end", "\x04", "", &[""]),
        ("eof after text hands it over", "ab\x04c\r", "abc\r\n", &["ab", "c\n"]),
        (
            "lnext takes the next key as it is",
            "\x16\x03\r",
            "^\x08^C\r\n",
            &["\x03\n"],
        ),
        ("reprint shows the line again", "ab\x12\r", "ab^R\r\nab\r\n", &["ab\n"]),
        (
            "utf-8 is a byte each without IUTF8",
            "é\x7f\r",
            "é\x08 \x08\r\n",
            &["\u{fffd}\n"],
        ),
    ];
    for (sentence, keys, echo, lines) in rows {
        let (got_echo, got, signals) = typed(&Termios::default(), keys);
        assert_eq!(
            (got_echo.as_str(), got, signals),
            (*echo, lines.iter().map(|l| (*l).to_owned()).collect(), vec![]),
            "{sentence}"
        );
    }
}

#[test]
fn modes_change_what_keys_do() {
    let default = Termios::default();
    let without = |flags: LocalFlags| Termios {
        lflag: default.lflag - flags,
        ..default
    };
    let input = |flags: InputFlags| Termios {
        iflag: flags,
        ..default
    };
    type Row<'a> = (&'a str, Termios, &'a str, &'a str, &'a [&'a str], &'a [Signal]);
    let rows: &[Row<'_>] = &[
        (
            "the keys of signals",
            default,
            "ab\x03cd\x1c\x1a",
            "ab^Ccd^\\^Z",
            &[],
            &[Signal::INT, Signal::QUIT, Signal::TSTP],
        ),
        (
            "without ISIG they are bytes",
            without(LocalFlags::ISIG),
            "\x03\r",
            "^C\r\n",
            &["\x03\n"],
            &[],
        ),
        (
            "without ECHO nothing is seen",
            without(LocalFlags::ECHO),
            "ab\x7f\r",
            "",
            &["a\n"],
            &[],
        ),
        (
            "without ICANON keys come as they are",
            without(LocalFlags::ICANON),
            "a\x7f\x04",
            "a^?^D",
            &["a\x7f\x04"],
            &[],
        ),
        (
            "without ICRNL return stays return",
            input(InputFlags::empty()),
            "a\r\n",
            "a^M\r\n",
            &["a\r\n"],
            &[],
        ),
        (
            "INLCR and IGNCR",
            input(InputFlags::INLCR | InputFlags::IGNCR),
            "\ra\n\x04",
            "a^M",
            &["a\r"],
            &[],
        ),
        (
            "IUTF8 erases whole characters",
            input(InputFlags::IUTF8 | InputFlags::ICRNL),
            "aé\x7f\r",
            "aé\x08 \x08\r\n",
            &["a\n"],
            &[],
        ),
        (
            "with NOFLSH a signal leaves the line",
            Termios {
                lflag: default.lflag | LocalFlags::NOFLSH,
                ..default
            },
            "ab\x03\r",
            "ab^C\r\n",
            &["ab\n"],
            &[Signal::INT],
        ),
        (
            "xon and xoff are not input",
            default,
            "a\x13b\x11\r",
            "ab\r\n",
            &["ab\n"],
            &[],
        ),
    ];
    for (sentence, termios, keys, echo, lines, signals) in rows {
        let expected = (
            (*echo).to_owned(),
            lines.iter().map(|l| (*l).to_owned()).collect(),
            signals.to_vec(),
        );
        assert_eq!(typed(termios, keys), expected, "{sentence}");
    }
}

#[test]
fn a_line_is_cut_at_4095_bytes_and_can_still_be_ended() {
    let (_, lines, _) = typed(&Termios::default(), &("x".repeat(5000) + "\r"));
    assert_eq!(lines, ["x".repeat(4095) + "\n"]);
}

#[test]
fn a_change_of_mode_keeps_what_was_typed() {
    let mut discipline = LineDiscipline::new();
    let canonical = Termios::default();
    let raw = Termios {
        lflag: LocalFlags::empty(),
        ..canonical
    };
    for key in b"one\ntwo" {
        discipline.receive(*key, &canonical, &mut Vec::new());
    }
    discipline.set_termios(&raw);
    assert_eq!(discipline.raw_available(), 7);
    discipline.set_termios(&canonical);
    let mut buf = [0; 16];
    assert_eq!(discipline.read_line(&mut buf), Some(7));
}

fn pair(node: &TestNode) -> (Arc<PtyRegistry>, PtyPair) {
    let registry = PtyRegistry::new(Arc::downgrade(&node.kernel));
    let attributes = PtyAttributes {
        uid: 0,
        gid: 5,
        mode: Mode(0o620),
    };
    let pair = registry.open_pair(attributes).unwrap();
    (registry, pair)
}

/// Starts a program on a terminal of its own.
fn on_terminal(node: &TestNode, program: &str) -> (crate::Task, PtyPair) {
    let (_, pair) = pair(node);
    let mut spec = node.spec(program);
    spec.stdio = [pair.slave.clone(), pair.slave.clone(), pair.slave.clone()];
    spec.controlling_tty = Some(pair.tty.clone());
    let task = node.kernel.create_process(spec).unwrap();
    // As a runtime does: only the process keeps the slave.
    let master_only = PtyPair {
        slave: pair.master.clone(),
        ..pair
    };
    node.idle();
    (task, master_only)
}

fn screen(pair: &PtyPair) -> String {
    let mut buf = [0; 4096];
    match pair.master.try_read(&mut buf) {
        Ok(n) => String::from_utf8_lossy(&buf[..n]).into_owned(),
        Err(errno) => errno.name().to_owned(),
    }
}

fn cat(node: &TestNode) {
    node.program("cat", |task, log| async move {
        let mut buf = [0; 100];
        loop {
            match task.read(Fd(0), &mut buf).await {
                Ok(0) => return Ok(0),
                Ok(n) => drop(task.write(Fd(1), &buf[..n]).await?),
                Err(errno) => {
                    log.say(format!("{errno:?}"));
                    return Err(errno);
                }
            }
        }
    });
}

#[test]
fn a_terminal_echoes_and_hands_lines_over() {
    let node = TestNode::new();
    cat(&node);
    let (task, pair) = on_terminal(&node, "cat");
    assert!(pair.tty.idle_in_read());
    pair.master.try_write(b"hi\r").unwrap();
    assert!(!pair.tty.idle_in_read());
    node.idle();
    assert_eq!(screen(&pair), "hi\r\nhi\r\n");
    assert!(pair.tty.idle_in_read());
    let relations = node
        .kernel
        .relations(&task.process, node.kernel.initial_pid_namespace());
    assert_eq!(relations.tty, Some(DeviceNumber { major: 136, minor: 0 }));
    assert_eq!((relations.session, relations.foreground), (Pid(2), Pid(2)));
    pair.master.try_write(b"\x04").unwrap();
    node.idle();
    assert_eq!(task.process.exit_status(), Some(WaitStatus::Exited(0)));
    assert_eq!(screen(&pair), "EIO");
    assert!(!pair.tty.idle_in_read());
}

#[test]
fn keys_send_signals_to_the_foreground_group() {
    let node = TestNode::new();
    cat(&node);
    let (task, pair) = on_terminal(&node, "cat");
    pair.master.try_write(b"abc\x03").unwrap();
    node.idle();
    assert_eq!(task.process.exit_status(), Some(WaitStatus::Signaled(Signal::INT)));
    assert_eq!(screen(&pair), "abc^C");
}

#[test]
fn a_closed_master_hangs_up() {
    let node = TestNode::new();
    node.program("shell", |task, log| async move {
        let catch = SigAction {
            handler: SigHandler::Catch,
            ..SigAction::default()
        };
        task.sigaction(Signal::HUP, Some(catch))?;
        log.say(format!("{:?}", task.read(Fd(0), &mut [0; 8]).await));
        if let Some(SignalDelivery::Handler { signal, .. }) = task.take_signal().await {
            log.say(signal.to_string());
        }
        log.say(format!(
            "{:?} {:?}",
            task.read(Fd(0), &mut [0; 8]).await,
            task.write(Fd(1), b"x").await
        ));
        Ok(0)
    });
    let (task, pair) = on_terminal(&node, "shell");
    let registry = pair.tty.registry.upgrade();
    assert!(
        registry.is_none(),
        "the registry of this test is gone, as after an umount of devpts"
    );
    drop(pair);
    node.idle();
    // Its own wait ends with the signal or with the end of the terminal, whichever it looks at first.
    assert_eq!(node.said(), ["Ok(0)", "SIGHUP", "Ok(0) Err(EIO)"]);
    assert_eq!(task.process.exit_status(), Some(WaitStatus::Exited(0)));
}

#[test]
fn a_background_job_that_reads_is_stopped_until_it_is_in_the_foreground() {
    let node = TestNode::new();
    cat(&node);
    node.program("shell", |task, log| async move {
        let ignore = SigAction {
            handler: SigHandler::Ignore,
            ..SigAction::default()
        };
        task.sigaction(Signal::TTOU, Some(ignore))?;
        let mut request = spawn("cat");
        request.process_group = Some(Pid(0));
        request.signal_default = [Signal::TTOU].into_iter().collect();
        let job = task.spawn(request).await?;
        let untraced = WaitOptions::UNTRACED;
        log.say(format!(
            "{:?}",
            task.wait(WaitTarget::Pid(job), untraced).await?.map(|found| found.1)
        ));
        log.say(format!("{}", task.tcgetpgrp(Fd(0))? == task.getpid()));
        task.tcsetpgrp(Fd(0), job)?;
        task.kill(Pid(-job.0), Some(Signal::CONT))?;
        log.say(format!(
            "{:?}",
            task.wait(WaitTarget::Pid(job), untraced).await?.map(|found| found.1)
        ));
        // The shell itself is in the background now, and ignores SIGTTOU.
        log.say(format!("{:?}", task.tcsetpgrp(Fd(0), task.getpid())));
        log.say(format!("{:?}", task.tcsetpgrp(Fd(0), Pid(1))));
        Ok(0)
    });
    let (_, pair) = on_terminal(&node, "shell");
    assert_eq!(node.said(), ["Some(Stopped(SIGTTIN))", "true"]);
    assert!(pair.tty.idle_in_read());
    pair.master.try_write(b"x\r").unwrap();
    node.idle();
    assert_eq!(screen(&pair), "x\r\nx\r\n");
    pair.master.try_write(b"\x1a").unwrap();
    node.idle();
    // The shell's end has orphaned the stopped job: SIGHUP.
    assert_eq!(node.said(), ["Some(Stopped(SIGTSTP))", "Ok(())", "Err(EPERM)", "EINTR"]);
    assert_eq!(node.ps(), [""; 0]);
}

#[test]
fn a_window_that_changes_its_size_tells_the_foreground_group() {
    let node = TestNode::new();
    node.program("vi", |task, log| async move {
        let catch = SigAction {
            handler: SigHandler::Catch,
            ..SigAction::default()
        };
        task.sigaction(Signal::WINCH, Some(catch))?;
        log.say(format!("{:?}", task.sigsuspend(SigSet::EMPTY).await));
        log.say(format!("{:?} {}", task.get_winsize(Fd(0))?, task.ttyname(Fd(0))?));
        log.say(format!("{:?}", task.isatty(Fd(0))));
        Ok(0)
    });
    let (_, pair) = on_terminal(&node, "vi");
    pair.tty.set_winsize(Winsize::default());
    node.idle();
    assert_eq!(node.said(), [""; 0]);
    pair.tty.set_winsize(Winsize { rows: 24, cols: 80 });
    node.idle();
    assert_eq!(
        node.said(),
        ["EINTR", "Winsize { rows: 24, cols: 80 } /dev/pts/0", "Ok(true)"]
    );
}

#[test]
fn min_and_time_decide_when_a_raw_read_ends() {
    // MIN, TIME, what is typed at once, what is typed after 150 ms; when the read ends and with how much.
    type Row<'a> = (u8, u8, &'a [u8], &'a [u8], &'a str);
    let rows: &[Row<'_>] = &[
        (1, 0, b"", b"ab", "150ms Ok(2)"),
        (3, 0, b"a", b"bc", "150ms Ok(3)"),
        (0, 0, b"", b"", "0ns Ok(0)"),
        (0, 1, b"", b"", "100ms Ok(0)"),
        (0, 2, b"", b"x", "150ms Ok(1)"),
        (3, 1, b"a", b"", "100ms Ok(1)"),
        (3, 2, b"a", b"b", "350ms Ok(2)"),
        (3, 1, b"", b"a", "250ms Ok(1)"),
    ];
    for (min, time, first, then, expected) in rows {
        let node = TestNode::new();
        let (min, time) = (*min, *time);
        node.program("raw", move |task, log| async move {
            let mut termios = task.tcgetattr(Fd(0))?;
            termios.lflag = LocalFlags::empty();
            termios.cc[cc::VMIN] = min;
            termios.cc[cc::VTIME] = time;
            task.tcsetattr(Fd(0), TcSet::Now, termios)?;
            let result = task.read(Fd(0), &mut [0; 8]).await;
            log.say(format!("{:?} {result:?}", task.clock_monotonic()));
            Ok(0)
        });
        let (_, pair) = pair(&node);
        pair.master.try_write(first).unwrap();
        pair.tty.set_termios(
            TcSet::Now,
            Termios {
                lflag: LocalFlags::empty(),
                ..Termios::default()
            },
        );
        let mut spec = node.spec("raw");
        spec.stdio = [pair.slave.clone(), pair.slave.clone(), pair.slave.clone()];
        node.kernel.create_process(spec).unwrap();
        node.idle();
        for step in 0..8 {
            node.clock.advance(Duration::from_millis(50));
            node.idle();
            if step == 2 && !then.is_empty() {
                let _ = pair.master.try_write(then);
                node.idle();
            }
        }
        assert_eq!(node.said(), [*expected], "MIN {min} TIME {time} {first:?} {then:?}");
    }
}

#[test]
fn output_that_nobody_reads_holds_the_writer_and_xoff_does_too() {
    let node = TestNode::new();
    node.program("yes", |task, log| async move {
        log.say(format!("{}", task.write(Fd(1), &vec![b'y'; 40_000]).await?));
        log.say(format!("{:?}", task.write(Fd(1), b"end").await));
        Ok(0)
    });
    let (task, pair) = on_terminal(&node, "yes");
    assert_eq!(task.process.state().letter(), 'S');
    pair.master.try_write(b"\x13").unwrap();
    let mut total = 0;
    for _ in 0..20 {
        let mut buf = [0; 4096];
        total += pair.master.try_read(&mut buf).unwrap_or(0);
        node.idle();
    }
    assert_eq!((total, node.said().len()), (16 << 10, 0));
    pair.master.try_write(b"\x11").unwrap();
    for _ in 0..20 {
        node.idle();
        total += pair.master.try_read(&mut [0; 4096]).unwrap_or(0);
    }
    assert_eq!(
        (total, node.said()),
        (40_003, vec!["40000".to_owned(), "Ok(3)".to_owned()])
    );
}

#[test]
fn a_registry_hands_out_the_lowest_free_index() {
    let node = TestNode::new();
    let (registry, first) = pair(&node);
    let attributes = registry.attributes(0).unwrap();
    let (second, index) = registry.open_ptmx(attributes).unwrap();
    assert_eq!((index, registry.indexes()), (1, vec![0, 1]));
    drop(first.master);
    assert_eq!(registry.indexes(), [1]);
    assert_eq!(registry.slave(0).map(drop), Err(Errno::ENXIO));
    assert!(registry.slave(1).is_ok());
    assert_eq!(first.slave.try_write(b"x"), Err(Errno::EIO));
    assert_eq!(registry.open_ptmx(attributes).unwrap().1, 0);
    drop(second);
}

#[test]
fn a_session_leaders_end_hangs_up_on_the_foreground_and_frees_the_terminal() {
    let node = TestNode::new();
    cat(&node);
    node.program("shell", |task, _| async move {
        let mut request = spawn("cat");
        request.process_group = Some(Pid(0));
        request.foreground_tty = Some(Fd(0));
        task.spawn(request).await?;
        task.sleep_until(Duration::from_secs(1)).await?;
        Ok(0)
    });
    let (_, pair) = on_terminal(&node, "shell");
    assert_eq!(pair.tty.foreground().map(|group| group.global()), Some(Pid(3)));
    assert!(pair.tty.idle_in_read());
    node.settle();
    assert_eq!(node.said(), ["EINTR"]);
    assert_eq!(node.ps(), [""; 0]);
    assert!(pair.tty.session().is_none() && pair.tty.foreground().is_none());
}

#[test]
fn the_init_of_a_namespace_in_the_background_gets_eio_instead_of_waiting_for_ever() {
    let node = TestNode::new();
    cat(&node);
    node.program("init", |task, log| async move {
        let mut request = spawn("cat");
        request.process_group = Some(Pid(0));
        request.foreground_tty = Some(Fd(0));
        task.spawn(request).await?;
        log.say(format!("{:?}", task.read(Fd(0), &mut [0; 8]).await));
        Ok(0)
    });
    let (_, pair) = pair(&node);
    let mut spec = node.container_spec("init");
    spec.stdio = [pair.slave.clone(), pair.slave.clone(), pair.slave.clone()];
    spec.controlling_tty = Some(pair.tty.clone());
    node.kernel.create_process(spec).unwrap();
    node.idle();
    assert_eq!(node.said(), ["Err(EIO)", "EINTR"]);
}

#[test]
fn a_process_opens_its_own_pty_and_a_new_sessions_leader_gets_it() {
    let node = TestNode::new().with_proc_and_dev();
    node.program("leader", |task, log| async move {
        log.say(format!(
            "{:?}",
            task.openat(Fd::CWD, "/dev/tty", OpenFlags::RDWR, Mode(0)).await
        ));
        task.openat(Fd::CWD, "/dev/pts/0", OpenFlags::RDWR | OpenFlags::NOCTTY, Mode(0))
            .await?;
        log.say(format!("{:?}", task.tcgetpgrp(Fd(3))));
        task.openat(Fd::CWD, "/dev/pts/0", OpenFlags::RDWR, Mode(0)).await?;
        log.say(format!("{}", task.tcgetpgrp(Fd(3))? == task.getpid()));
        let tty = task.openat(Fd::CWD, "/dev/tty", OpenFlags::RDWR, Mode(0)).await?;
        task.write(tty, b"hello\n").await?;
        log.say(format!(
            "{} {:?}",
            task.ttyname(tty)?,
            task.readlinkat(Fd::CWD, "/proc/self/fd/3")
        ));
        Ok(0)
    });
    node.program("parent", |task, log| async move {
        let (master, slave) = task.openpty(OpenFlags::CLOEXEC)?;
        log.say(format!(
            "{} {} {}",
            task.ttyname(slave)?,
            task.isatty(master)?,
            task.isatty(Fd(0))?
        ));
        let mut request = spawn("leader");
        request.new_session = true;
        let child = task.spawn(request).await?;
        let mut buf = [0; 16];
        let n = task.read(master, &mut buf).await?;
        log.say(String::from_utf8_lossy(&buf[..n]).into_owned());
        crate::testing::wait_for(&task, child).await?;
        task.close(slave)?;
        log.say(format!("{:?}", task.read(master, &mut buf).await));
        Ok(0)
    });
    node.run("parent");
    let expected = [
        "/dev/pts/0 true false",
        "Err(ENXIO)",
        "Err(ENOTTY)",
        "true",
        "/dev/pts/0 Ok(\"/dev/pts/0\")",
        "hello\r\n",
        "Err(EIO)",
    ];
    assert_eq!(node.said(), expected);
}
