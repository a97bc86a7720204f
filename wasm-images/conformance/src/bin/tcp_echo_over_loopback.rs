//! Bytes go both ways over a TCP connection on `lo`, and both ends know each other's address.

use conformance::*;
use podsim_guest::*;

fn main() {
    conformance(|| {
        let tcp = || socket(AddressFamily::Inet, SocketType::Stream, OpenFlags::empty());
        let any_port = SockAddr::Inet(([127, 0, 0, 1], 0).into());
        let listener = must("socket", tcp())?;
        must("bind", bind(listener, &any_port))?;
        must("listen", listen(listener, 1))?;
        let server = must("getsockname", getsockname(listener))?;
        let client = must("socket", tcp())?;
        must("connect", connect(client, &server))?;
        let (accepted, peer) = must("accept", accept(listener, OpenFlags::empty()))?;
        expect("the peer that accept tells", Ok(peer), getsockname(client))?;
        expect("getpeername of the client", getpeername(client), Ok(server.clone()))?;
        expect("getsockname of the accepted socket", getsockname(accepted), Ok(server))?;

        expect("write", write(client, b"hello"), Ok(5))?;
        let mut buf = [0; 16];
        expect("read", read(accepted, &mut buf), Ok(5))?;
        expect("the bytes", &buf[..5], &b"hello"[..])?;
        expect("write back", write(accepted, &buf[..5]), Ok(5))?;
        expect("peek", recvfrom(client, &mut buf, MsgFlags::PEEK).map(|r| r.0), Ok(5))?;
        expect("read after the peek", read(client, &mut buf), Ok(5))?;
        expect(
            "nothing more",
            recvfrom(client, &mut buf, MsgFlags::DONTWAIT).map(|r| r.0),
            Err(Errno::EAGAIN),
        )?;
        must("close", close(client))?;
        expect("end of file", read(accepted, &mut buf), Ok(0))
    })
}
