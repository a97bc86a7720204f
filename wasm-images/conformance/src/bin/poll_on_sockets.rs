//! What `poll` tells of listening, connected, full and closed sockets, and that it waits for them.

use conformance::*;
use podsim_guest::*;
use std::time::Duration;

fn ask(fd: Fd) -> PollFd {
    PollFd {
        fd,
        events: PollEvents::IN | PollEvents::OUT | PollEvents::RDHUP,
        revents: PollEvents::empty(),
    }
}

fn now(fd: Fd) -> Result<PollEvents> {
    let mut fds = [ask(fd)];
    poll(&mut fds, Some(Duration::ZERO))?;
    Ok(fds[0].revents)
}

fn main() {
    conformance(|| {
        let tcp = || socket(AddressFamily::Inet, SocketType::Stream, OpenFlags::empty());
        let listener = must("socket", tcp())?;
        expect(
            "a fresh TCP socket",
            now(listener),
            Ok(PollEvents::OUT | PollEvents::HUP),
        )?;
        must("bind", bind(listener, &SockAddr::Inet(([127, 0, 0, 1], 0).into())))?;
        must("listen", listen(listener, 1))?;
        expect("a listener", now(listener), Ok(PollEvents::empty()))?;
        let client = must("socket", tcp())?;
        must("connect", connect(client, &must("getsockname", getsockname(listener))?))?;
        expect("a listener with a client", now(listener), Ok(PollEvents::IN))?;
        let (server, _) = must("accept", accept(listener, OpenFlags::empty()))?;
        expect("a listener without one again", now(listener), Ok(PollEvents::empty()))?;
        expect("a connection", now(server), Ok(PollEvents::OUT))?;
        must("write", write(client, b"x"))?;
        expect("data has come", now(server), Ok(PollEvents::IN | PollEvents::OUT))?;
        must("read", read(server, &mut [0; 4]))?;

        must("no more waiting", set_status_flags(client, OpenFlags::NONBLOCK))?;
        let chunk = vec![0; 65_536];
        while write(client, &chunk).is_ok() {}
        expect("a full connection", now(client), Ok(PollEvents::empty()))?;

        must("close", close(server))?;
        let after = must("poll", now(client))?;
        let gone = PollEvents::IN | PollEvents::RDHUP | PollEvents::HUP | PollEvents::ERR;
        expect("a connection that was reset", after & gone, gone)?;

        let (a, b) = must("socketpair", socketpair(SocketType::Stream, OpenFlags::empty()))?;
        let mut fds = [
            ask(Fd(-1)),
            PollFd {
                events: PollEvents::IN,
                ..ask(a)
            },
            ask(Fd(999)),
        ];
        expect(
            "a wait that ends by time",
            poll(&mut fds[..2], Some(Duration::from_millis(5))),
            Ok(0),
        )?;
        expect("a bad descriptor", poll(&mut fds, None), Ok(1))?;
        expect("is told as NVAL", fds.map(|f| f.revents)[2], PollEvents::NVAL)?;
        must("shutdown", shutdown(b, Shutdown::Write))?;
        let half = PollEvents::IN | PollEvents::OUT | PollEvents::RDHUP;
        expect("a peer that has ended its writing", now(a), Ok(half))?;
        must("close", close(b))?;
        expect("a peer that is gone", now(a), Ok(half | PollEvents::HUP))
    })
}
