//! The socket: requests, their acknowledgements, and dumps.
//!
//! One request is under way at a time. Its answers are known by the sequence number and come from port 0, which is the kernel;
//! everything else is thrown away.

use super::error::Failure;
use netlink_packet_core::{
    NLM_F_ACK, NLM_F_ACK_TLVS, NLM_F_CAPPED, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NetlinkBuffer, NetlinkHeader,
    NetlinkMessage, NetlinkPayload, NlasIterator, parse_i32, parse_string,
};
use netlink_packet_route::RouteNetlinkMessage;
use podsim_sys::Errno;
use rustix::io::retry_on_intr;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, sockopt};
use std::ffi::c_int;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

/// More than one datagram of a dump can have: the kernel fills buffers of at most 32 KiB.
const BUFFER: usize = 64 << 10;
/// The most that is read for one request: some ten thousand interfaces.
const ANSWER_MAX: usize = 32 << 20;
/// How often a dump is repeated that something changed under.
const DUMPS: usize = 8;
/// The kernel answers while the request is being sent; so this is never waited for.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Length of `struct nlmsghdr`.
const HEADER: usize = 16;

/// A connection to the kernel about the interfaces, addresses and routes of one network namespace: the one that the thread
/// that opened it was in. It may be used from any thread afterwards.
#[derive(Debug)]
pub struct Netlink {
    socket: OwnedFd,
    sequence: u32,
    buffer: Vec<u8>,
}

/// A message of an answer: its type and what follows the header.
pub(super) struct Answer {
    pub(super) kind: u16,
    pub(super) payload: Vec<u8>,
}

impl Netlink {
    /// A connection for the calling thread's network namespace.
    pub fn open() -> super::Result<Self> {
        Self::connect().map_err(|failure| failure.in_order_to("ask the kernel about the network"))
    }

    fn connect() -> Result<Self, Failure> {
        // The protocol, NETLINK_ROUTE, is 0.
        let socket = rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
        sockopt::set_socket_timeout(&socket, sockopt::Timeout::Recv, Some(TIMEOUT))?;
        // Words with the error numbers, and not the whole request again. A kernel before 4.12 has neither: no harm.
        for option in [libc::NETLINK_EXT_ACK, libc::NETLINK_CAP_ACK] {
            let _ = enable(&socket, option);
        }
        Ok(Self {
            socket,
            sequence: 0,
            buffer: vec![0; BUFFER],
        })
    }

    /// Has something changed: `flags` are those besides REQUEST and ACK.
    pub(super) fn change(&mut self, message: RouteNetlinkMessage, flags: u16) -> Result<(), Failure> {
        self.request(message, flags | NLM_F_ACK).map(drop)
    }

    /// Asks for one object.
    pub(super) fn get(&mut self, message: RouteNetlinkMessage) -> Result<Vec<Answer>, Failure> {
        self.request(message, NLM_F_ACK).map(|(answers, _)| answers)
    }

    /// Asks for all objects of a kind. What changes meanwhile is seen as before or as after.
    pub(super) fn dump(&mut self, message: &RouteNetlinkMessage) -> Result<Vec<Answer>, Failure> {
        let mut dumped = Vec::new();
        for _ in 0..DUMPS {
            let (answers, interrupted) = self.request(message.clone(), NLM_F_DUMP)?;
            dumped = answers;
            if !interrupted {
                break;
            }
        }
        Ok(dumped)
    }

    /// Sends a request and collects the answers up to the acknowledgement or the dump's end; and says whether the dump was
    /// inconsistent.
    fn request(&mut self, message: RouteNetlinkMessage, flags: u16) -> Result<(Vec<Answer>, bool), Failure> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST | flags;
        header.sequence_number = self.sequence;
        let mut message = NetlinkMessage::new(header, NetlinkPayload::InnerMessage(message));
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        let kernel = SocketAddrNetlink::new(0, 0);
        retry_on_intr(|| rustix::net::sendto(&self.socket, &bytes, SendFlags::empty(), &kernel))?;

        let mut answers = Vec::new();
        let mut total = 0;
        let mut interrupted = false;
        loop {
            let length = self.receive()?;
            total += length;
            if total > ANSWER_MAX {
                return Err(Errno::EOVERFLOW.into());
            }
            for (header, payload) in Messages(self.buffer.get(..length).unwrap_or_default()) {
                if header.sequence_number != self.sequence {
                    continue;
                }
                interrupted |= header.flags & NLM_F_DUMP_INTR != 0;
                match c_int::from(header.message_type) {
                    libc::NLMSG_NOOP => {}
                    libc::NLMSG_OVERRUN => return Err(Errno::ENOBUFS.into()),
                    libc::NLMSG_ERROR | libc::NLMSG_DONE => {
                        return verdict(&header, payload).map(|()| (answers, interrupted));
                    }
                    _ => answers.push(Answer {
                        kind: header.message_type,
                        payload: payload.to_vec(),
                    }),
                }
            }
        }
    }

    /// Receives one datagram of the kernel's into the buffer.
    fn receive(&mut self) -> Result<usize, Failure> {
        loop {
            let received =
                retry_on_intr(|| rustix::net::recvfrom(&self.socket, &mut self.buffer[..], RecvFlags::TRUNC));
            // The timeout, rather.
            let (_, length, from) = received.map_err(|errno| match errno {
                rustix::io::Errno::AGAIN => Errno::ETIMEDOUT.into(),
                errno => Failure::from(errno),
            })?;
            if length > self.buffer.len() {
                return Err(Errno::EMSGSIZE.into());
            }
            let from = from.and_then(|address| SocketAddrNetlink::try_from(address).ok());
            if from.is_some_and(|address| address.pid() == 0) {
                return Ok(length);
            }
        }
    }
}

#[expect(unsafe_code, reason = "rustix has no options of netlink sockets")]
fn enable(socket: &OwnedFd, option: c_int) -> std::io::Result<()> {
    let on: c_int = 1;
    // SAFETY: the descriptor is open, and the value is an int of the length that is told.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_NETLINK,
            option,
            (&raw const on).cast(),
            size_of::<c_int>() as libc::socklen_t,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(std::io::Error::last_os_error())
    }
}

/// The messages of a datagram; ends at the first that is not whole.
struct Messages<'a>(&'a [u8]);

impl<'a> Iterator for Messages<'a> {
    type Item = (NetlinkHeader, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        use netlink_packet_core::Parseable;
        let buffer = NetlinkBuffer::new_checked(&self.0).ok()?;
        let header = NetlinkHeader::parse(&buffer).ok()?;
        let length = usize::try_from(header.length).ok()?;
        let payload = self.0.get(HEADER..length)?;
        self.0 = self.0.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((header, payload))
    }
}

/// What an acknowledgement, an error or the end of a dump says: a negative errno, and perhaps why.
fn verdict(header: &NetlinkHeader, payload: &[u8]) -> Result<(), Failure> {
    // The kernel may end a dump without a number.
    let code = payload.get(..4).and_then(|code| parse_i32(code).ok()).unwrap_or(0);
    if code == 0 {
        return Ok(());
    }
    Err(Failure {
        errno: u16::try_from(code.unsigned_abs()).map_or(Errno::EIO, Errno),
        reason: explanation(header, payload.get(4..).unwrap_or_default()),
    })
}

/// The extended acknowledgement behind the header of the failed request (and behind all of it, if it is not capped).
fn explanation(header: &NetlinkHeader, rest: &[u8]) -> Option<String> {
    if header.flags & NLM_F_ACK_TLVS == 0 {
        return None;
    }
    let request = match c_int::from(header.message_type) {
        libc::NLMSG_DONE => 0,
        _ if header.flags & NLM_F_CAPPED != 0 => HEADER,
        _ => {
            let length = rest.get(..4)?.try_into().ok().map(u32::from_ne_bytes)?;
            usize::try_from(length).ok()?.checked_next_multiple_of(4)?
        }
    };
    let text = NlasIterator::new(rest.get(request..)?)
        .map_while(Result::ok)
        .find(|attribute| attribute.kind() == NLMSGERR_ATTR_MSG)?;
    parse_string(text.value()).ok().filter(|text| !text.is_empty())
}

/// `NLMSGERR_ATTR_MSG` of `linux/netlink.h`.
const NLMSGERR_ATTR_MSG: u16 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    fn header(kind: c_int, flags: u16) -> NetlinkHeader {
        let mut header = NetlinkHeader::default();
        header.message_type = kind as u16;
        header.flags = flags;
        header
    }

    #[test]
    fn errors_are_read_with_and_without_their_explanation() {
        let explained = [
            &(-17_i32).to_ne_bytes()[..],
            &[0; HEADER],
            &[11, 0, 1, 0],
            b"exists\0\0",
        ]
        .concat();
        let read = |flags, bytes: &[u8]| verdict(&header(libc::NLMSG_ERROR, flags), bytes).unwrap_err();
        let failure = read(NLM_F_CAPPED | NLM_F_ACK_TLVS, &explained);
        assert_eq!(
            (failure.errno, failure.reason.as_deref()),
            (Errno::EEXIST, Some("exists"))
        );
        assert_eq!(read(0, &explained).reason, None);
        // A length of the request that is not true, a cut attribute, no number at all.
        let mut wrong = explained.clone();
        wrong[4..8].copy_from_slice(&u32::MAX.to_ne_bytes());
        assert_eq!(read(NLM_F_ACK_TLVS, &wrong).reason, None);
        assert_eq!(read(NLM_F_CAPPED | NLM_F_ACK_TLVS, &explained[..26]).reason, None);
        assert!(verdict(&header(libc::NLMSG_DONE, 0), &[]).is_ok());
    }

    #[test]
    fn a_datagram_that_is_not_whole_ends_early() {
        let mut bytes = vec![0_u8; 40];
        bytes[..4].copy_from_slice(&20_u32.to_ne_bytes());
        bytes[20..24].copy_from_slice(&400_u32.to_ne_bytes());
        assert_eq!(Messages(&bytes).count(), 1);
        for length in [0_u32, 3, 15, u32::MAX] {
            bytes[..4].copy_from_slice(&length.to_ne_bytes());
            assert_eq!(Messages(&bytes).count(), 0, "{length}");
        }
        assert_eq!(Messages(&bytes[..7]).count(), 0);
    }
}
