//! SPDY/3.1, the server's side: many streams over one connection, for clients that do not speak WebSockets, and inside a WebSocket
//! for kubectl's port-forward (`SPDY/3.1+portforward.k8s.io`).
//!
//! As `moby/spdystream` does it: no flow control, no priorities. A stream that is not read holds up its connection, no other.

pub(crate) mod frame;
pub(crate) mod headers;

use bytes::Bytes;
use frame::{Frame, Framer};
use futures_util::{Stream, StreamExt};
use headers::{Deflater, Headers, Inflater};
use std::collections::HashMap;
use tokio::sync::mpsc;

/// How many streams there may be on a connection at a time.
const MAX_STREAMS: usize = 512;
/// How many pieces of data wait for a stream that is not read.
const QUEUE: usize = 16;
/// How much goes into one frame.
const CHUNK: usize = 32 << 10;

/// A stream that the client has opened.
pub(crate) struct SpdyStream {
    /// In lower case.
    headers: Headers,
    /// What the client sends; the end is its end.
    pub(crate) incoming: mpsc::Receiver<Bytes>,
    /// What it gets.
    pub(crate) outgoing: Outgoing,
}

/// Our side of a stream.
#[derive(Clone)]
pub(crate) struct Outgoing {
    stream: u32,
    frames: mpsc::Sender<Vec<u8>>,
}

/// The connection is gone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gone;

impl SpdyStream {
    pub(crate) fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(n, _)| n == name);
        found.map(|(_, value)| value.as_str()).unwrap_or_default()
    }
}

impl Outgoing {
    pub(crate) async fn send(&self, data: &[u8]) -> Result<(), Gone> {
        for chunk in data.chunks(CHUNK) {
            let frame = frame::data(self.stream, false, chunk);
            self.frames.send(frame).await.map_err(|_| Gone)?;
        }
        Ok(())
    }

    /// No more comes from us.
    pub(crate) async fn finish(&self) {
        // A connection that is gone needs no end.
        let _ = self.frames.send(frame::data(self.stream, true, b"")).await;
    }
}

/// Reads the connection until it ends; streams that the client opens go to `accept`.
pub(crate) async fn run(
    mut bytes: impl Stream<Item = Bytes> + Unpin,
    frames: mpsc::Sender<Vec<u8>>,
    accept: mpsc::Sender<SpdyStream>,
) {
    let (mut framer, mut inflater, mut deflater) = (Framer::default(), Inflater::new(), Deflater::default());
    let mut streams: HashMap<u32, mpsc::Sender<Bytes>> = HashMap::new();
    while let Some(chunk) = bytes.next().await {
        framer.feed(&chunk);
        loop {
            let frame = match framer.next() {
                Ok(Some(frame)) => frame,
                Ok(None) => break,
                Err(frame::Broken) => return,
            };
            let reply = match frame {
                Frame::SynStream { stream, fin, block } => {
                    let Some(headers) = inflater.read(&block) else { return };
                    streams.retain(|_, sender| !sender.is_closed());
                    if streams.len() >= MAX_STREAMS || streams.contains_key(&stream) {
                        Some(frame::rst_stream(stream, 3))
                    } else {
                        let (sender, incoming) = mpsc::channel(QUEUE);
                        if !fin {
                            streams.insert(stream, sender);
                        }
                        let reply = frame::syn_reply(stream, &deflater.empty());
                        if frames.send(reply).await.is_err() {
                            return;
                        }
                        let outgoing = Outgoing {
                            stream,
                            frames: frames.clone(),
                        };
                        let stream = SpdyStream {
                            headers,
                            incoming,
                            outgoing,
                        };
                        if accept.send(stream).await.is_err() {
                            return;
                        }
                        None
                    }
                }
                Frame::Headers { block } => {
                    if inflater.read(&block).is_none() {
                        return;
                    }
                    None
                }
                Frame::Data { stream, fin, data } => {
                    if let Some(sender) = streams.get(&stream)
                        && !data.is_empty()
                    {
                        // A stream that nobody reads any more loses its data.
                        let _ = sender.send(data).await;
                    }
                    if fin {
                        streams.remove(&stream);
                    }
                    None
                }
                Frame::RstStream { stream } => {
                    streams.remove(&stream);
                    None
                }
                Frame::Ping { id } => Some(frame::ping(id)),
                Frame::GoAway | Frame::Other => None,
            };
            if let Some(reply) = reply
                && frames.send(reply).await.is_err()
            {
                return;
            }
        }
    }
}
