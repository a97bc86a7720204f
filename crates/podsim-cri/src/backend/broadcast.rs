//! [`BroadcastReader`].

use bytes::Bytes;
use futures_util::Stream;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::sync::broadcast;

/// Output that several may listen to (attach): each gets what comes from now on.
pub struct BroadcastReader {
    receiver: Pin<Box<dyn Stream<Item = Bytes> + Send>>,
    rest: Bytes,
}

impl BroadcastReader {
    /// A listener from now on; one that is too slow misses output and is told nothing, as with `docker attach`.
    pub fn new(receiver: broadcast::Receiver<Bytes>) -> Self {
        let stream = futures_util::stream::unfold(receiver, |mut receiver| async move {
            loop {
                match receiver.recv().await {
                    Ok(bytes) => return Some((bytes, receiver)),
                    Err(broadcast::error::RecvError::Lagged(_)) => {}
                    Err(broadcast::error::RecvError::Closed) => return None,
                }
            }
        });
        Self {
            receiver: Box::pin(stream),
            rest: Bytes::new(),
        }
    }
}

impl AsyncRead for BroadcastReader {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        while self.rest.is_empty() {
            match std::task::ready!(self.receiver.as_mut().poll_next(cx)) {
                Some(bytes) => self.rest = bytes,
                None => return Poll::Ready(Ok(())),
            }
        }
        let n = self.rest.len().min(buf.remaining());
        buf.put_slice(&self.rest.split_to(n));
        Poll::Ready(Ok(()))
    }
}
