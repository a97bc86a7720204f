//! Socket calls of processes: waiting, timeouts, signals, paths.

use crate::Task;
use crate::net::tests::shown;
use crate::testing::{Log, TestNode};
use podsim_sys::*;
use std::future::Future;

fn node() -> TestNode {
    let node = TestNode::new();
    node.kernel.initial_namespaces().net.set_link_up("lo", true).unwrap();
    node
}

/// Runs programs, in the order of their names, and says what they said.
fn run<F, Fut>(node: &TestNode, name: &str, body: F) -> Vec<String>
where
    F: Fn(Task, Log) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<u8>> + Send + 'static,
{
    node.program(name, body).run(&format!("/bin/{name}"));
    node.said()
}

async fn tcp_server(task: &Task, address: &str) -> Result<Fd> {
    let fd = task.socket(AddressFamily::Inet, SocketType::Stream, OpenFlags::empty())?;
    task.bind(fd, &shown(address))?;
    task.listen(fd, 8)?;
    Ok(fd)
}

#[test]
fn a_server_waits_for_a_client_and_both_for_each_other() {
    let node = node();
    node.program("server", async |task, log: Log| {
        let listener = tcp_server(&task, "0.0.0.0:80").await?;
        let (fd, peer) = task.accept(listener, OpenFlags::CLOEXEC).await?;
        let SockAddr::Inet(peer) = peer else {
            return Err(Errno::EPROTO);
        };
        let mut buf = [0; 100];
        let n = task.recvfrom(fd, &mut buf, MsgFlags::WAITALL).await?.0;
        log.say(format!("server: {n} bytes from {}", peer.ip()));
        task.write(fd, b"bye").await?;
        Ok(0)
    });
    node.program("client", async |task, log: Log| {
        let fd = task.socket(AddressFamily::Inet, SocketType::Stream, OpenFlags::empty())?;
        task.connect(fd, &shown("127.0.0.1:80")).await?;
        for _ in 0..10 {
            task.write(fd, b"0123456789").await?;
            task.sched_yield().await;
        }
        let mut buf = [0; 9];
        let n = task.read(fd, &mut buf).await?;
        log.say(format!("client: {n} bytes"));
        Ok(0)
    });
    node.run("/bin/server");
    node.run("/bin/client");
    assert_eq!(node.said(), ["server: 100 bytes from 127.0.0.1", "client: 3 bytes"]);
}

#[test]
fn a_blocking_write_waits_until_all_is_taken() {
    let node = node();
    let said = run(&node, "writer", async |task, log: Log| {
        let (a, b) = task.socketpair(SocketType::Stream, OpenFlags::empty())?;
        task.set_status_flags(b, OpenFlags::NONBLOCK)?;
        let big = vec![1; 1 << 20];
        let mut buf = vec![0; 1 << 16];
        let mut writing = Box::pin(task.write(a, &big));
        let mut read = 0;
        let written = std::future::poll_fn(|cx| {
            loop {
                if let std::task::Poll::Ready(n) = writing.as_mut().poll(cx) {
                    return std::task::Poll::Ready(n);
                }
                let mut reading = Box::pin(task.read(b, &mut buf));
                match reading.as_mut().poll(cx) {
                    std::task::Poll::Ready(Ok(n)) => read += n,
                    _ => return std::task::Poll::Pending,
                }
            }
        });
        let written = written.await?;
        log.say(format!("{written} written, at least half read: {}", read > 1 << 19));
        Ok(0)
    });
    assert_eq!(said, ["1048576 written, at least half read: true"]);
}

#[test]
fn a_receive_timeout_ends_the_wait() {
    let node = node();
    node.program("patient", async |task, log: Log| {
        let fd = task.socket(AddressFamily::Inet, SocketType::Datagram, OpenFlags::empty())?;
        task.bind(fd, &shown("127.0.0.1:53"))?;
        task.setsockopt(fd, SockOpt::RecvTimeout(2_000_000_000))?;
        let before = task.clock_monotonic();
        let result = task.read(fd, &mut [0; 9]).await;
        log.say(format!("{result:?} after {:?}", task.clock_monotonic() - before));
        Ok(0)
    });
    node.run("/bin/patient");
    assert!(node.said().is_empty());
    node.settle();
    assert_eq!(node.said(), ["Err(EAGAIN) after 2s"]);
}

#[test]
fn sigpipe_comes_with_epipe_unless_it_is_not_wanted() {
    let node = node();
    let said = run(&node, "polite", async |task, log: Log| {
        let (a, b) = task.socketpair(SocketType::Stream, OpenFlags::empty())?;
        task.close(b)?;
        log.say(format!("{:?}", task.sendto(a, b"x", MsgFlags::NOSIGNAL, None).await));
        task.sigaction(
            Signal::PIPE,
            Some(SigAction {
                handler: SigHandler::Ignore,
                ..SigAction::default()
            }),
        )?;
        log.say(format!("{:?}", task.write(a, b"x").await));
        task.sigaction(Signal::PIPE, Some(SigAction::default()))?;
        let _ = task.write(a, b"x").await;
        task.sched_yield().await;
        Ok(0)
    });
    assert_eq!(said, ["Err(EPIPE)", "Err(EPIPE)"]);
    let task = node.start("/bin/polite");
    node.idle();
    assert_eq!(task.process.exit_status(), Some(WaitStatus::Signaled(Signal::PIPE)));
}

#[test]
fn a_unix_path_is_a_file_with_permissions() {
    let node = node();
    let said = run(&node, "unix", async |task, log: Log| {
        let unix = || task.socket(AddressFamily::Unix, SocketType::Stream, OpenFlags::empty());
        let path = SockAddr::Unix("/run/app.sock".to_owned());
        task.mkdirat(Fd::CWD, "/run", Mode(0o755))
            .or_else(|e| if e == Errno::EEXIST { Ok(()) } else { Err(e) })?;
        let server = unix()?;
        let client = unix()?;
        log.say(format!("absent: {:?}", task.connect(client, &path).await));
        task.bind(server, &path)?;
        task.listen(server, 1)?;
        let stat = task.fstatat(Fd::CWD, "/run/app.sock", true)?;
        log.say(format!("{:?} {:o}", stat.file_type, stat.mode.0));
        log.say(format!(
            "open: {:?}",
            task.openat(Fd::CWD, "/run/app.sock", OpenFlags::RDWR, Mode(0)).await
        ));
        log.say(format!("again: {:?}", task.bind(unix()?, &path)));
        log.say(format!("connect: {:?}", task.connect(client, &path).await));
        task.setresuid(None, Some(65534), None)?;
        log.say(format!("nobody: {:?}", task.connect(unix()?, &path).await));
        task.setresuid(None, Some(0), None)?;
        task.unlinkat(Fd::CWD, "/run/app.sock", false)?;
        log.say(format!("unlinked: {:?}", task.connect(unix()?, &path).await));
        task.close(server)?;
        log.say(format!("{:?}", task.read(client, &mut [0; 1]).await));
        let regular = task
            .openat(Fd::CWD, "/run/file", OpenFlags::CREAT | OpenFlags::WRONLY, Mode(0o666))
            .await?;
        task.close(regular)?;
        log.say(format!(
            "a file: {:?}",
            task.connect(unix()?, &SockAddr::Unix("/run/file".to_owned())).await
        ));
        log.say(format!("not a socket: {:?}", task.listen(Fd::STDIN, 1)));
        Ok(0)
    });
    assert_eq!(
        said,
        [
            "absent: Err(ENOENT)",
            "Socket 755",
            "open: Err(ENXIO)",
            "again: Err(EADDRINUSE)",
            "connect: Ok(())",
            "nobody: Err(EACCES)",
            "unlinked: Err(ENOENT)",
            "Err(ECONNRESET)",
            "a file: Err(ECONNREFUSED)",
            "not a socket: Err(ENOTSOCK)",
        ]
    );
}

#[test]
fn connecting_waits_for_a_full_backlog_and_gives_up_after_two_minutes() {
    let node = node();
    node.program("server", async |task, _| {
        let listener = tcp_server(&task, "127.0.0.1:80").await?;
        task.listen(listener, 0)?;
        task.sigsuspend(SigSet::EMPTY).await;
        Ok(0)
    });
    node.program("client", async |task, log: Log| {
        let fd = task.socket(AddressFamily::Inet, SocketType::Stream, OpenFlags::empty())?;
        let result = task.connect(fd, &shown("127.0.0.1:80")).await;
        log.say(format!("{result:?} at {:?}", task.clock_monotonic()));
        task.sigsuspend(SigSet::EMPTY).await;
        Ok(0)
    });
    node.run("/bin/server");
    node.run("/bin/client");
    assert_eq!(node.said(), ["Ok(()) at 0ns"]);
    node.run("/bin/client");
    assert!(node.said().is_empty());
    node.settle();
    assert_eq!(node.said(), ["Err(ETIMEDOUT) at 127s"]);
}

#[test]
fn the_interfaces_are_changed_only_with_cap_net_admin() {
    let node = node();
    let said = run(&node, "admin", async |task, log: Log| {
        let add = NetConfig::AddLink {
            name: "dummy0".to_owned(),
            kind: "dummy".to_owned(),
        };
        task.net_config(add.clone())?;
        log.say(format!(
            "{:?}",
            task.interfaces().iter().map(|i| i.name.clone()).collect::<Vec<_>>()
        ));
        task.setresuid(Some(1000), Some(1000), Some(1000))?;
        log.say(format!("{:?}", task.net_config(add)));
        let fd = task.socket(AddressFamily::Inet, SocketType::Stream, OpenFlags::empty())?;
        log.say(format!("{:?}", task.bind(fd, &shown("127.0.0.1:80"))));
        Ok(0)
    });
    assert_eq!(said, ["[\"lo\", \"dummy0\"]", "Err(EPERM)", "Err(EACCES)"]);
}

#[test]
fn poll_sees_sockets_become_ready() {
    let node = node();
    node.program("poller", async |task, log: Log| {
        let (a, b) = task.socketpair(SocketType::Stream, OpenFlags::empty())?;
        let ask = |fd, events| PollFd {
            fd,
            events,
            revents: PollEvents::empty(),
        };
        let mut fds = [ask(a, PollEvents::IN | PollEvents::OUT), ask(b, PollEvents::IN)];
        task.poll(&mut fds, None).await?;
        log.say(format!("{:?} {:?}", fds[0].revents, fds[1].revents));
        task.write(a, b"x").await?;
        task.close(a)?;
        let mut fds = [ask(b, PollEvents::IN | PollEvents::RDHUP)];
        task.poll(&mut fds, None).await?;
        log.say(format!("{:?}", fds[0].revents));
        Ok(0)
    });
    node.run("/bin/poller");
    assert_eq!(
        node.said(),
        ["PollEvents(OUT) PollEvents(0x0)", "PollEvents(IN | HUP | RDHUP)"]
    );
}
