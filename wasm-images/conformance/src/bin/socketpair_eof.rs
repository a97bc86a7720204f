//! A closed end of a socket pair is end of file for the other one, EPIPE for its writes, and a reset if data was not read.

use conformance::*;
use podsim_guest::*;

fn main() {
    conformance(|| {
        must("ignore SIGPIPE", ignore_signal(Signal::PIPE))?;
        let pair = |kind| must("socketpair", socketpair(kind, OpenFlags::empty()));
        let mut buf = [0; 16];

        let (a, b) = pair(SocketType::Stream)?;
        let copy = must("dup", dup(a, Fd(0), false))?;
        must("write", write(a, b"last"))?;
        must("close", close(a))?;
        expect("read", read(b, &mut buf), Ok(4))?;
        let held = recvfrom(b, &mut buf, MsgFlags::DONTWAIT).map(|r| r.0);
        expect("the end is still open by its copy", held, Err(Errno::EAGAIN))?;
        must("close the copy", close(copy))?;
        expect("end of file", read(b, &mut buf), Ok(0))?;
        expect("write", write(b, b"x"), Err(Errno::EPIPE))?;

        let (a, b) = pair(SocketType::Stream)?;
        must("write", write(b, b"unread"))?;
        must("close with unread data", close(a))?;
        expect("the reset", read(b, &mut buf), Err(Errno::ECONNRESET))?;
        expect("then end of file", read(b, &mut buf), Ok(0))?;

        let (a, b) = pair(SocketType::SeqPacket)?;
        must("write", write(a, b"one"))?;
        must("write", write(a, b"three"))?;
        must("close", close(a))?;
        expect("the first message", read(b, &mut buf), Ok(3))?;
        expect("the second message, cut", read(b, &mut buf[..2]), Ok(2))?;
        expect("end of file", read(b, &mut buf), Ok(0))?;

        let (a, b) = pair(SocketType::Datagram)?;
        must("write", write(a, b"datagram"))?;
        must("close", close(a))?;
        expect("what was sent before", read(b, &mut buf), Ok(8))?;
        expect(
            "a datagram socket has no end",
            recvfrom(b, &mut buf, MsgFlags::DONTWAIT).map(|r| r.0),
            Err(Errno::EAGAIN),
        )?;
        expect("nobody to send to", write(b, b"x"), Err(Errno::ECONNREFUSED))
    })
}
