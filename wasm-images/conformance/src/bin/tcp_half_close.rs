//! After `shutdown(SHUT_WR)` the peer sees the end of file, and the other direction goes on.

use conformance::*;
use podsim_guest::*;

fn main() {
    conformance(|| {
        let tcp = || socket(AddressFamily::Inet, SocketType::Stream, OpenFlags::empty());
        let listener = must("socket", tcp())?;
        must("bind", bind(listener, &SockAddr::Inet(([127, 0, 0, 1], 0).into())))?;
        must("listen", listen(listener, 1))?;
        let client = must("socket", tcp())?;
        must("connect", connect(client, &must("getsockname", getsockname(listener))?))?;
        let (server, _) = must("accept", accept(listener, OpenFlags::empty()))?;

        must("write", write(client, b"question"))?;
        must("shutdown", shutdown(client, Shutdown::Write))?;
        let rest = must("read to the end", read_to_end(server))?;
        expect("what came before the end", &rest[..], &b"question"[..])?;
        let mut fds = [PollFd {
            fd: server,
            events: PollEvents::IN | PollEvents::RDHUP,
            revents: PollEvents::empty(),
        }];
        must("poll", poll(&mut fds, None))?;
        expect(
            "poll of the half-closed side",
            fds[0].revents,
            PollEvents::IN | PollEvents::RDHUP,
        )?;
        expect("the answer", write(server, b"answer"), Ok(6))?;
        must("close", close(server))?;
        let answer = must("read the answer", read_to_end(client))?;
        expect("the answer's bytes", &answer[..], &b"answer"[..])?;
        let sent = sendto(client, b"x", MsgFlags::NOSIGNAL, None);
        expect("write after shutdown", sent, Err(Errno::EPIPE))?;
        let fresh = must("socket", tcp())?;
        expect(
            "shutdown without a connection",
            shutdown(fresh, Shutdown::Both),
            Err(Errno::ENOTCONN),
        )
    })
}
