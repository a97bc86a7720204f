//! A datagram that does not fit the buffer is cut, the rest is lost, and MSG_TRUNC says so.

use conformance::*;
use podsim_guest::*;

fn main() {
    conformance(|| {
        let udp = || socket(AddressFamily::Inet, SocketType::Datagram, OpenFlags::empty());
        let server = must("socket", udp())?;
        must("bind", bind(server, &SockAddr::Inet(([127, 0, 0, 1], 0).into())))?;
        let address = must("getsockname", getsockname(server))?;
        let client = must("socket", udp())?;
        expect(
            "send without a destination",
            sendto(client, b"x", MsgFlags::empty(), None),
            Err(Errno::EDESTADDRREQ),
        )?;
        for text in ["first datagram", "second", ""] {
            let sent = sendto(client, text.as_bytes(), MsgFlags::empty(), Some(&address));
            expect("sendto", sent, Ok(text.len()))?;
        }
        let mut buf = [0; 5];
        let (n, _, flags) = must("peek", recvfrom(server, &mut buf, MsgFlags::PEEK | MsgFlags::TRUNC))?;
        expect(
            "the full length by MSG_TRUNC",
            (n, flags & MsgFlags::TRUNC),
            (14, MsgFlags::TRUNC),
        )?;
        let (n, from, flags) = must("recvfrom", recvfrom(server, &mut buf, MsgFlags::empty()))?;
        expect(
            "the cut datagram",
            (n, &buf, flags & MsgFlags::TRUNC),
            (5, b"first", MsgFlags::TRUNC),
        )?;
        let port = |address: Option<SockAddr>| match address {
            Some(SockAddr::Inet(address)) => address.port(),
            _ => 0,
        };
        expect("the sender's port", port(from), port(getsockname(client).ok()))?;
        let mut buf = [0; 100];
        let (n, _, flags) = must("recvfrom", recvfrom(server, &mut buf, MsgFlags::empty()))?;
        expect(
            "the next one is whole",
            (&buf[..n], flags),
            (&b"second"[..], MsgFlags::empty()),
        )?;
        expect(
            "an empty one",
            recvfrom(server, &mut buf, MsgFlags::empty()).map(|r| r.0),
            Ok(0),
        )?;
        expect(
            "no more",
            recvfrom(server, &mut buf, MsgFlags::DONTWAIT).map(|r| r.0),
            Err(Errno::EAGAIN),
        )?;
        let long = vec![0; 65_508];
        expect(
            "too long",
            sendto(client, &long, MsgFlags::empty(), Some(&address)),
            Err(Errno::EMSGSIZE),
        )?;

        must("connect", connect(client, &address))?;
        must("close", close(server))?;
        expect("send to nobody", write(client, b"x"), Ok(1))?;
        expect("the answer of ICMP", read(client, &mut buf), Err(Errno::ECONNREFUSED))
    })
}
