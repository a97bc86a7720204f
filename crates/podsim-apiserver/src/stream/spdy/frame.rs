//! Frames of SPDY/3.1 (2.2): control frames and data frames, read from bytes as they come.

use bytes::{Buf, Bytes, BytesMut};

/// The largest frame that is taken. What clients of Kubernetes send is far smaller; the format would allow 16 MiB.
const MAX_FRAME: usize = 1 << 20;

/// A frame from the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    /// A stream begins; its headers are still packed.
    SynStream { stream: u32, fin: bool, block: Bytes },
    /// More headers: read, so that the zlib stream goes on, and not used.
    Headers { block: Bytes },
    /// A stream is broken off.
    RstStream { stream: u32 },
    /// To be sent back.
    Ping { id: u32 },
    /// The client takes no more streams.
    GoAway,
    /// Data of a stream.
    Data { stream: u32, fin: bool, data: Bytes },
    /// Something that has no effect here (settings, window updates).
    Other,
}

/// What is no frame. The connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Broken;

/// Cuts what comes into frames.
#[derive(Default)]
pub(crate) struct Framer {
    buffer: BytesMut,
}

const STREAM: u32 = 0x7fff_ffff;

impl Framer {
    /// Takes what has come.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next frame, if it is whole.
    pub(crate) fn next(&mut self) -> Result<Option<Frame>, Broken> {
        let Some((first, second)) = self.head() else {
            return Ok(None);
        };
        let (flags, length) = (second >> 24, (second & 0x00ff_ffff) as usize);
        if length > MAX_FRAME {
            return Err(Broken);
        }
        if self.buffer.len() < 8 + length {
            return Ok(None);
        }
        self.buffer.advance(8);
        let mut payload = self.buffer.split_to(length).freeze();
        let fin = flags & 1 != 0;
        if first >> 31 == 0 {
            return Ok(Some(Frame::Data {
                stream: first & STREAM,
                fin,
                data: payload,
            }));
        }
        if first >> 16 != 0x8003 {
            return Err(Broken);
        }
        let word = |payload: &mut Bytes| payload.try_get_u32().map_err(|_| Broken);
        Ok(Some(match first & 0xffff {
            1 => {
                let stream = word(&mut payload)? & STREAM;
                // The stream that it is associated with, priority and slot.
                if payload.len() < 6 {
                    return Err(Broken);
                }
                payload.advance(6);
                Frame::SynStream {
                    stream,
                    fin,
                    block: payload,
                }
            }
            3 => Frame::RstStream {
                stream: word(&mut payload)? & STREAM,
            },
            6 => Frame::Ping {
                id: word(&mut payload)?,
            },
            7 => Frame::GoAway,
            2 | 8 => {
                word(&mut payload)?;
                Frame::Headers { block: payload }
            }
            _ => Frame::Other,
        }))
    }

    fn head(&self) -> Option<(u32, u32)> {
        let (first, rest) = self.buffer.split_first_chunk::<4>()?;
        let (second, _) = rest.split_first_chunk::<4>()?;
        Some((u32::from_be_bytes(*first), u32::from_be_bytes(*second)))
    }
}

fn control(kind: u32, payload: &[u8]) -> Vec<u8> {
    let mut frame = (0x8003_0000 | kind).to_be_bytes().to_vec();
    frame.extend(u32::try_from(payload.len()).unwrap_or(0).to_be_bytes());
    frame.extend(payload);
    frame
}

/// SYN_REPLY: the stream is accepted.
pub(crate) fn syn_reply(stream: u32, block: &[u8]) -> Vec<u8> {
    control(2, &[&stream.to_be_bytes(), block].concat())
}

/// RST_STREAM with a status: 1 is a protocol error, 3 a refused stream.
pub(crate) fn rst_stream(stream: u32, status: u32) -> Vec<u8> {
    control(3, &[stream.to_be_bytes(), status.to_be_bytes()].concat())
}

/// The answer to a ping.
pub(crate) fn ping(id: u32) -> Vec<u8> {
    control(6, &id.to_be_bytes())
}

/// Data, at most 16 MiB of it.
pub(crate) fn data(stream: u32, fin: bool, data: &[u8]) -> Vec<u8> {
    let mut frame = stream.to_be_bytes().to_vec();
    let length = u32::try_from(data.len()).unwrap_or(0) & 0x00ff_ffff;
    frame.extend((u32::from(fin) << 24 | length).to_be_bytes());
    frame.extend(data);
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_cut_wherever_the_bytes_are() {
        let bytes = [
            data(5, false, b"hello"),
            data(5, true, b""),
            ping(7),
            rst_stream(9, 1),
            control(1, &[&3_u32.to_be_bytes()[..], &[0; 6], b"block"].concat()),
            control(4, b"settings"),
            control(7, &[0; 8]),
        ]
        .concat();
        for step in 1..bytes.len() {
            let (mut framer, mut found) = (Framer::default(), Vec::new());
            for chunk in bytes.chunks(step) {
                framer.feed(chunk);
                while let Some(frame) = framer.next().unwrap() {
                    found.push(frame);
                }
            }
            let expected = [
                Frame::Data {
                    stream: 5,
                    fin: false,
                    data: Bytes::from_static(b"hello"),
                },
                Frame::Data {
                    stream: 5,
                    fin: true,
                    data: Bytes::new(),
                },
                Frame::Ping { id: 7 },
                Frame::RstStream { stream: 9 },
                Frame::SynStream {
                    stream: 3,
                    fin: false,
                    block: Bytes::from_static(b"block"),
                },
                Frame::Other,
                Frame::GoAway,
            ];
            assert_eq!(found, expected, "in steps of {step}");
        }
    }

    #[test]
    fn garbage_ends_the_connection() {
        for bad in [
            &b"GET / HTTP/1.1\r\n\r\n"[..],
            &[0x80, 2, 0, 1, 0, 0, 0, 0],
            &[0x80, 3, 0, 1, 0, 0, 0, 2, 0, 0],
            &[0, 0, 0, 1, 0, 0xff, 0xff, 0xff],
        ] {
            let mut framer = Framer::default();
            framer.feed(bad);
            assert_eq!(framer.next(), Err(Broken), "{bad:?}");
        }
    }
}
