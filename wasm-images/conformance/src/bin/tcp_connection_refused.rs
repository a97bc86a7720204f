//! Connecting to a port where nobody listens is refused, at once or, for a non-blocking socket, by SO_ERROR.

use conformance::*;
use podsim_guest::*;

fn main() {
    conformance(|| {
        // A port that was free a moment ago.
        let probe = must(
            "socket",
            socket(AddressFamily::Inet, SocketType::Stream, OpenFlags::empty()),
        )?;
        must("bind", bind(probe, &SockAddr::Inet(([127, 0, 0, 1], 0).into())))?;
        let address = must("getsockname", getsockname(probe))?;

        let client = must(
            "socket",
            socket(AddressFamily::Inet, SocketType::Stream, OpenFlags::empty()),
        )?;
        expect(
            "bound, but not listening",
            connect(client, &address),
            Err(Errno::ECONNREFUSED),
        )?;
        must("close", close(probe))?;
        expect(
            "the same socket again",
            connect(client, &address),
            Err(Errno::ECONNREFUSED),
        )?;

        let client = must(
            "socket",
            socket(AddressFamily::Inet, SocketType::Stream, OpenFlags::NONBLOCK),
        )?;
        expect("non-blocking", connect(client, &address), Err(Errno::EINPROGRESS))?;
        let mut fds = [PollFd {
            fd: client,
            events: PollEvents::OUT,
            revents: PollEvents::empty(),
        }];
        expect("poll", poll(&mut fds, None), Ok(1))?;
        let refused = PollEvents::OUT | PollEvents::ERR | PollEvents::HUP;
        expect("what poll tells", fds[0].revents, refused)?;
        let error = |number| Ok(SockOpt::Error(number));
        expect(
            "SO_ERROR",
            getsockopt(client, SockOpt::Error(0)),
            error(Errno::ECONNREFUSED.0.into()),
        )?;
        expect("SO_ERROR once read", getsockopt(client, SockOpt::Error(0)), error(0))
    })
}
