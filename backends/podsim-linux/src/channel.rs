//! [`Channel`]: messages with descriptors between the node process and a child that it starts, over a Unix socket.
//!
//! A message is a length, then JSON. The descriptors that belong to it travel with its first byte (`unix(7)`, SCM_RIGHTS).

use rustix::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::os::unix::net::UnixStream;

/// The longest message: arguments and environment may have 2 MiB, and JSON may double what it quotes.
const MESSAGE_MAX: usize = 16 << 20;
/// The most descriptors with a message.
const DESCRIPTORS_MAX: usize = 16;

/// One end.
pub(crate) struct Channel(UnixStream);

impl Channel {
    /// Both ends of a new one, closed on exec.
    pub(crate) fn pair() -> io::Result<(Self, Self)> {
        let (one, other) = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        Ok((Self(one.into()), Self(other.into())))
    }

    /// The end that this process was given.
    pub(crate) fn from_fd(fd: OwnedFd) -> Self {
        Self(fd.into())
    }

    /// How long [`Channel::receive`] waits at most.
    pub(crate) fn set_patience(&self, patience: std::time::Duration) -> io::Result<()> {
        self.0.set_read_timeout(Some(patience))
    }

    /// Sends a message.
    pub(crate) fn send(&self, message: &impl Serialize, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        let json = serde_json::to_vec(message)?;
        let mut bytes = u32::try_from(json.len())
            .map_err(|_| io::ErrorKind::InvalidInput)?
            .to_le_bytes()
            .to_vec();
        bytes.extend(json);
        let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !descriptors.is_empty() && !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let sent = retry(|| sendmsg(&self.0, &[IoSlice::new(&bytes)], &mut control, SendFlags::NOSIGNAL))?;
        (&self.0).write_all(&bytes[sent..])
    }

    /// Receives a message; `None` when the other end is closed.
    pub(crate) fn receive<T: DeserializeOwned>(&self) -> io::Result<Option<(T, Vec<OwnedFd>)>> {
        let mut length = [0; 4];
        let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let received = retry(|| {
            let mut into = [IoSliceMut::new(&mut length)];
            recvmsg(&self.0, &mut into, &mut control, RecvFlags::CMSG_CLOEXEC)
        })?;
        if received.bytes == 0 {
            return Ok(None);
        }
        if received.flags.contains(ReturnFlags::CTRUNC) {
            return Err(io::Error::other("descriptors were lost"));
        }
        let descriptors = control
            .drain()
            .filter_map(|message| match message {
                RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
                _ => None,
            })
            .flatten()
            .collect();
        (&self.0).read_exact(&mut length[received.bytes..])?;
        let length = u32::from_le_bytes(length) as usize;
        if length > MESSAGE_MAX {
            return Err(io::Error::other("a message that is too long"));
        }
        let mut json = vec![0; length];
        (&self.0).read_exact(&mut json)?;
        Ok(Some((serde_json::from_slice(&json)?, descriptors)))
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for Channel {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

fn retry<T>(mut call: impl FnMut() -> rustix::io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(Errno::INTR) => {}
            result => return result.map_err(io::Error::from),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Seek;

    #[test]
    fn a_message_brings_its_descriptors_along() {
        let (one, other) = Channel::pair().expect("a pair");
        let mut file = tempfile::tempfile().expect("a file");
        file.write_all(b"hello").expect("written");
        one.send(&("orders", 7), &[file.as_fd()]).expect("sent");
        let (message, descriptors): ((String, i32), _) = other.receive().expect("received").expect("a message");
        assert_eq!(message, ("orders".to_owned(), 7));
        let mut copy = std::fs::File::from(descriptors.into_iter().next().expect("a descriptor"));
        copy.rewind().expect("rewound");
        let mut text = String::new();
        copy.read_to_string(&mut text).expect("read");
        assert_eq!(text, "hello");
        drop(one);
        assert!(other.receive::<()>().expect("the end").is_none());
    }

    #[test]
    fn nonsense_is_an_error() {
        let (one, other) = Channel::pair().expect("a pair");
        (&one.0).write_all(&[0xff; 8]).expect("written");
        assert!(other.receive::<()>().is_err());
    }
}
