//! Port-forward over SPDY: for each connection the client opens two streams of one `requestID`, one for data and one for errors
//! (`kubelet/pkg/cri/streaming/portforward/httpstream.go`). SPDY runs over the upgraded connection or inside a WebSocket.

use super::spdy::{self, SpdyStream};
use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use bytes::Bytes;
use futures_util::stream::unfold;
use futures_util::{SinkExt, StreamExt};
use podsim_cri::{RuntimeService, SandboxId};
use std::collections::HashMap;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// The subprotocol of SPDY inside a WebSocket.
pub(crate) const TUNNEL: &str = "SPDY/3.1+portforward.k8s.io";

/// Forwards inside a WebSocket until the client is gone.
pub(crate) async fn over_websocket(socket: WebSocket, runtime: Arc<dyn RuntimeService>, sandbox: SandboxId) {
    let (mut sink, stream) = socket.split();
    let bytes = stream.take_while(|message| std::future::ready(!matches!(message, Err(_) | Ok(Message::Close(_)))));
    let bytes = bytes.filter_map(async |message| match message {
        Ok(Message::Binary(data)) => Some(data),
        _ => None,
    });
    let (frames, mut queue) = mpsc::channel::<Vec<u8>>(16);
    let send = async {
        while let Some(frame) = queue.recv().await {
            if sink.send(Message::Binary(frame.into())).await.is_err() {
                return;
            }
        }
        let frame = CloseFrame {
            code: close_code::NORMAL,
            reason: "".into(),
        };
        let _ = sink.send(Message::Close(Some(frame))).await;
    };
    tokio::select! {
        () = forward(bytes.boxed(), frames, runtime, sandbox) => {}
        () = send => {}
    }
}

/// Forwards over a connection until the client is gone.
pub(crate) async fn over_connection(
    io: impl AsyncRead + AsyncWrite + Send + Unpin,
    runtime: Arc<dyn RuntimeService>,
    sandbox: SandboxId,
) {
    let (bytes, frames, send) = pieces(io);
    tokio::select! {
        () = forward(bytes.boxed(), frames, runtime, sandbox) => {}
        () = send => {}
    }
}

/// A connection as a stream of bytes, a queue of frames, and the task that sends them.
pub(super) fn pieces(
    io: impl AsyncRead + AsyncWrite + Send + Unpin,
) -> (
    impl futures_util::Stream<Item = Bytes> + Send,
    mpsc::Sender<Vec<u8>>,
    impl Future<Output = ()> + Send,
) {
    let (reader, mut writer) = tokio::io::split(io);
    let bytes = unfold(reader, async |mut reader| {
        let mut buffer = vec![0; 32 << 10];
        match reader.read(&mut buffer).await {
            Ok(n @ 1..) => {
                buffer.truncate(n);
                Some((Bytes::from(buffer), reader))
            }
            Ok(0) | Err(_) => None,
        }
    });
    let (frames, mut queue) = mpsc::channel::<Vec<u8>>(16);
    let send = async move {
        while let Some(frame) = queue.recv().await {
            if writer.write_all(&frame).await.is_err() || writer.flush().await.is_err() {
                return;
            }
        }
        let _ = writer.shutdown().await;
    };
    (bytes, frames, send)
}

async fn forward(
    bytes: impl futures_util::Stream<Item = Bytes> + Unpin,
    frames: mpsc::Sender<Vec<u8>>,
    runtime: Arc<dyn RuntimeService>,
    sandbox: SandboxId,
) {
    let (accept, mut accepted) = mpsc::channel(16);
    let pair = async {
        let mut waiting: HashMap<String, SpdyStream> = HashMap::new();
        let mut connections = JoinSet::new();
        loop {
            let stream: SpdyStream = tokio::select! {
                stream = accepted.recv() => match stream {
                    Some(stream) => stream,
                    None => break,
                },
                Some(_) = connections.join_next() => continue,
            };
            let id = format!("{}/{}", stream.header("port"), stream.header("requestid"));
            match waiting.remove(&id) {
                Some(other) => {
                    let (data, error) = if stream.header("streamtype") == "data" {
                        (stream, other)
                    } else {
                        (other, stream)
                    };
                    connections.spawn(connect(data, error, runtime.clone(), sandbox.clone()));
                }
                None => _ = waiting.insert(id, stream),
            }
        }
    };
    tokio::join!(spdy::run(bytes, frames, accept), pair);
}

/// One connection, from the two streams to the port.
async fn connect(data: SpdyStream, error: SpdyStream, runtime: Arc<dyn RuntimeService>, sandbox: SandboxId) {
    let port = data.header("port").parse::<u16>().unwrap_or(0);
    let connection = match runtime.port_forward(&sandbox, port).await {
        Ok(connection) => connection,
        Err(why) => {
            let message = format!("an error occurred forwarding port {port}: {why}");
            let _ = error.outgoing.send(message.as_bytes()).await;
            error.outgoing.finish().await;
            data.outgoing.finish().await;
            return;
        }
    };
    let (mut reader, mut writer) = tokio::io::split(connection);
    let SpdyStream {
        mut incoming, outgoing, ..
    } = data;
    let to_pod = async {
        while let Some(bytes) = incoming.recv().await {
            if writer.write_all(&bytes).await.is_err() {
                break;
            }
        }
        let _ = writer.shutdown().await;
    };
    let from_pod = async {
        let mut buffer = vec![0; 32 << 10];
        while let Ok(n @ 1..) = reader.read(&mut buffer).await {
            if outgoing.send(buffer.get(..n).unwrap_or_default()).await.is_err() {
                return;
            }
        }
        outgoing.finish().await;
        error.outgoing.finish().await;
    };
    // The server's end is the end: what the client still sends would go nowhere.
    tokio::select! {
        () = from_pod => {}
        () = async { to_pod.await; std::future::pending().await } => {}
    }
}
