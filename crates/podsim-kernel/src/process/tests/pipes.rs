//! Pipes, FIFOs, eventfd, poll.

use crate::fs::pipe::{PIPE_BUF, PIPE_CAPACITY};
use crate::testing::{TestNode, spawn, wait_for};
use podsim_sys::*;
use std::time::Duration;

#[test]
fn a_pipe_ends_when_its_last_writer_is_gone_and_breaks_when_its_last_reader_is() {
    let node = TestNode::new();
    node.program("writer", |task, _| async move {
        task.write(Fd(1), b"hello").await?;
        Ok(0)
    });
    node.program("yes", |task, _| async move {
        loop {
            task.write(Fd(1), &[b'y'; 10_000]).await?;
        }
    });
    node.program("parent", |task, log| async move {
        for program in ["writer", "yes"] {
            let (read, write) = task.pipe(OpenFlags::CLOEXEC)?;
            let mut request = spawn(program);
            request.fd_actions = vec![FdAction::Dup2 { from: write, to: Fd(1) }];
            let child = task.spawn(request).await?;
            task.close(write)?;
            let mut buf = [0; 64];
            let n = task.read(read, &mut buf).await?;
            log.say(format!("{n}"));
            if program == "writer" {
                log.say(format!("{:?}", task.read(read, &mut buf).await));
            }
            task.close(read)?;
            log.say(format!("{:?}", wait_for(&task, child).await?));
        }
        Ok(0)
    });
    node.run("parent");
    assert_eq!(node.said(), ["5", "Ok(0)", "Exited(0)", "64", "Signaled(SIGPIPE)"]);
}

#[test]
fn writes_up_to_pipe_buf_are_whole_or_not_at_all() {
    let node = TestNode::new();
    node.program("fill", |task, log| async move {
        let (read, write) = task.pipe(OpenFlags::NONBLOCK)?;
        log.say(format!("{:?}", task.read(read, &mut [0; 8]).await));
        let most = PIPE_CAPACITY - PIPE_BUF + 1;
        log.say(format!("{}", task.write(write, &vec![0; most]).await? == most));
        log.say(format!("{:?}", task.write(write, &[0; PIPE_BUF]).await));
        log.say(format!("{:?}", task.write(write, &[0; PIPE_BUF + 1]).await));
        log.say(format!("{:?}", task.write(write, &[0; 1]).await));
        let mut fds = [read, write].map(|fd| PollFd {
            fd,
            events: PollEvents::IN | PollEvents::OUT,
            revents: PollEvents::empty(),
        });
        log.say(format!("{:?}", task.poll(&mut fds, None).await));
        log.say(format!("{:?} {:?}", fds[0].revents, fds[1].revents));
        Ok(0)
    });
    node.run("fill");
    let expected = [
        "Err(EAGAIN)",
        "true",
        "Err(EAGAIN)",
        "Ok(4095)",
        "Err(EAGAIN)",
        "Ok(1)",
        "PollEvents(IN) PollEvents(0x0)",
    ];
    assert_eq!(node.said(), expected);
}

#[test]
fn a_write_that_is_interrupted_tells_how_far_it_came() {
    let node = TestNode::new();
    node.program("write", |task, log| async move {
        let catch = SigAction {
            handler: SigHandler::Catch,
            ..SigAction::default()
        };
        task.sigaction(Signal::USR1, Some(catch))?;
        let (_read, write) = task.pipe(OpenFlags::empty())?;
        log.say(format!("{:?}", task.write(write, &[0; 100_000]).await));
        log.say(format!("{:?}", task.write(write, b"x").await));
        Ok(0)
    });
    let task = node.run("write");
    assert_eq!(task.process.state().letter(), 'S');
    node.kernel.kill_host(&task.process, Signal::USR1);
    node.idle();
    assert_eq!(node.said(), ["Ok(65536)", "Err(EINTR)"]);
}

#[test]
fn the_two_sides_of_a_fifo_wait_for_each_other() {
    let node = TestNode::new();
    let open = |task: &crate::Task, flags| {
        let task = task.clone();
        async move { task.openat(Fd::CWD, "/run/fifo", flags, Mode(0)).await }
    };
    node.program("reader", move |task, log| async move {
        let fd = open(&task, OpenFlags::empty()).await?;
        log.say("reader opened");
        let mut buf = [0; 16];
        while let n @ 1.. = task.read(fd, &mut buf).await? {
            log.say(String::from_utf8_lossy(&buf[..n]).into_owned());
        }
        Ok(0)
    });
    node.program("writer", move |task, log| async move {
        log.say(format!(
            "{:?}",
            open(&task, OpenFlags::WRONLY | OpenFlags::NONBLOCK).await
        ));
        let fd = open(&task, OpenFlags::WRONLY).await?;
        log.say("writer opened");
        task.write(fd, b"data").await?;
        log.say(format!(
            "{:?} {}",
            task.fstat(fd)?.file_type,
            task.fstat(fd)?.mode.0 == 0o600
        ));
        Ok(0)
    });
    node.file("/run/x", b"", 0o644);
    let mnt = &node.kernel.initial_namespaces().mnt;
    let caller = mnt.kernel_caller();
    let root = mnt.root();
    crate::fs::names::mknod(
        &caller,
        &root,
        "/run/fifo",
        FileType::Fifo,
        Mode(0o600),
        DeviceNumber::default(),
    )
    .unwrap();
    node.run("writer");
    assert_eq!(node.said(), ["Err(ENXIO)"]);
    node.run("reader");
    assert_eq!(node.said(), ["reader opened", "writer opened", "Fifo true", "data"]);
    // An open that is interrupted leaves no end behind.
    let waiting = node.run("reader");
    node.kernel.kill_host(&waiting.process, Signal::KILL);
    node.run("writer");
    assert_eq!(node.said(), ["Err(ENXIO)"]);
}

#[test]
fn poll_waits_for_the_first_event_or_the_timeout() {
    let node = TestNode::new();
    node.program("late", |task, _| async move {
        task.sleep_until(Duration::from_secs(2)).await?;
        task.write(Fd(1), b"x").await?;
        Ok(0)
    });
    node.program("poller", |task, log| async move {
        let (read, write) = task.pipe(OpenFlags::CLOEXEC)?;
        let mut request = spawn("late");
        request.fd_actions = vec![FdAction::Dup2 { from: write, to: Fd(1) }];
        task.spawn(request).await?;
        task.close(write)?;
        let entry = |fd| PollFd {
            fd,
            events: PollEvents::IN,
            revents: PollEvents::empty(),
        };
        let mut fds = [entry(read), entry(Fd(-1))];
        for _ in 0..4 {
            let ready = task.poll(&mut fds, Some(Duration::from_secs(1))).await?;
            log.say(format!("{:?} {ready} {:?}", task.clock_monotonic(), fds[0].revents));
            if ready > 0 {
                task.read(read, &mut [0; 8]).await?;
            }
        }
        let mut fds = [entry(Fd(77))];
        log.say(format!("{:?} {:?}", task.poll(&mut fds, None).await, fds[0].revents));
        Ok(0)
    });
    node.run("poller");
    node.settle();
    let expected = [
        "1s 0 PollEvents(0x0)",
        "2s 1 PollEvents(IN | HUP)",
        "2s 1 PollEvents(HUP)",
        "2s 1 PollEvents(HUP)",
        "Ok(1) PollEvents(NVAL)",
    ];
    assert_eq!(node.said(), expected);
}

#[test]
fn an_eventfd_counts() {
    let node = TestNode::new();
    node.program("events", |task, log| async move {
        let mut buf = [0; 8];
        for semaphore in [false, true] {
            let fd = task.eventfd(3, semaphore, OpenFlags::NONBLOCK)?;
            task.write(fd, &2u64.to_le_bytes()).await?;
            task.read(fd, &mut buf).await?;
            log.say(format!(
                "{} {:?}",
                u64::from_le_bytes(buf),
                task.read(fd, &mut buf).await
            ));
            log.say(format!(
                "{:?} {:?}",
                task.write(fd, &[0xff; 8]).await,
                task.read(fd, &mut [0; 4]).await
            ));
        }
        Ok(0)
    });
    node.run("events");
    let expected = [
        "5 Err(EAGAIN)",
        "Err(EINVAL) Err(EINVAL)",
        "1 Ok(8)",
        "Err(EINVAL) Err(EINVAL)",
    ];
    assert_eq!(node.said(), expected);
}
