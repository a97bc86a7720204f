//! Port-forward over one WebSocket: for port number `i` of the request channel `2i` carries the data and `2i + 1` errors.
//! Each channel begins with a message that holds the port, two bytes, the low one first (`kubelet/…/portforward/websocket.go`).

use super::Dialect;
use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use futures_util::future::join_all;
use futures_util::{SinkExt, StreamExt};
use podsim_cri::{BoxDuplex, RuntimeService, SandboxId};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::mpsc;

/// A frame's channel is one byte.
pub(crate) const MAX_PORTS: usize = 64;

/// Forwards until all ports or the client are closed.
pub(crate) async fn port_forward(
    socket: WebSocket,
    runtime: Arc<dyn RuntimeService>,
    sandbox: SandboxId,
    ports: Vec<u16>,
    dialect: Dialect,
) {
    let (mut sink, mut stream) = socket.split();
    let (outgoing, mut queue) = mpsc::channel::<Message>(16);
    let mut writers: Vec<Option<WriteHalf<BoxDuplex>>> = Vec::new();
    let mut copies = Vec::new();
    for (data, port) in (0_u8..).step_by(2).zip(&ports) {
        for channel in [data, data + 1] {
            if sink.send(dialect.message(channel, &port.to_le_bytes())).await.is_err() {
                return;
            }
        }
        match runtime.port_forward(&sandbox, *port).await {
            Ok(connection) => {
                let (reader, writer) = tokio::io::split(connection);
                writers.push(Some(writer));
                copies.push(copy_out(data, reader, dialect, outgoing.clone()));
            }
            Err(error) => {
                writers.push(None);
                let text = format!("an error occurred forwarding port {port}: {error}");
                if sink.send(dialect.message(data + 1, text.as_bytes())).await.is_err() {
                    return;
                }
            }
        }
    }
    drop(outgoing);
    let send = async {
        while let Some(next) = queue.recv().await {
            if sink.send(next).await.is_err() {
                return;
            }
        }
        let frame = CloseFrame {
            code: close_code::NORMAL,
            reason: "".into(),
        };
        let _ = sink.send(Message::Close(Some(frame))).await;
    };
    let receive = async {
        while let Some(Ok(next)) = stream.next().await {
            let Some(data) = dialect.read(next) else { continue };
            let Some((channel, data)) = data.split_first() else {
                continue;
            };
            if channel % 2 != 0 {
                continue;
            }
            if let Some(slot) = writers.get_mut(usize::from(channel / 2))
                && let Some(writer) = slot
                && writer.write_all(data).await.is_err()
            {
                *slot = None;
            }
        }
    };
    tokio::select! {
        _ = async { tokio::join!(send, join_all(copies)) } => {}
        () = receive => {}
    }
}

async fn copy_out(channel: u8, mut reader: ReadHalf<BoxDuplex>, dialect: Dialect, outgoing: mpsc::Sender<Message>) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(n @ 1..) = reader.read(&mut buffer).await {
        if outgoing
            .send(dialect.message(channel, buffer.get(..n).unwrap_or_default()))
            .await
            .is_err()
        {
            return;
        }
    }
}
