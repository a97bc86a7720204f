//! An exec or attach session over a WebSocket.

use super::message;
use crate::status::ApiError;
use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use bytes::{BufMut, Bytes, BytesMut};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use podsim_cri::{BoxRead, BoxWrite, ExecSession};
use podsim_sys::Winsize;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

const STDIN: u8 = 0;
const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const ERROR: u8 = 3;
const RESIZE: u8 = 4;
/// v5: the next byte is a channel that the client has closed.
const CLOSE: u8 = 255;

/// How much of a process's output goes into one message.
const CHUNK: usize = 32 * 1024;
/// A client that is gone without a word is noticed by a ping that cannot be sent. Host time: this is about the connection.
const PING: Duration = Duration::from_secs(30);

/// Runs the session until its process has ended or the client is gone; then the session is dropped, which hangs up.
pub(crate) async fn run_session(socket: WebSocket, session: podsim_cri::Result<ExecSession>, tty: bool, v5: bool) {
    let (mut sink, stream) = socket.split();
    match session {
        Ok(session) => talk(&mut sink, stream, session, v5).await,
        Err(error) => refuse(&mut sink, error, tty).await,
    }
    let frame = CloseFrame {
        code: close_code::NORMAL,
        reason: "".into(),
    };
    let _ = sink.send(Message::Close(Some(frame))).await;
}

type Sink = SplitSink<WebSocket, Message>;

async fn talk(sink: &mut Sink, stream: SplitStream<WebSocket>, session: ExecSession, v5: bool) {
    let ExecSession {
        stdin,
        stdout,
        stderr,
        resize,
        exit,
    } = session;
    // Tells the client that the streams are there, as the kubelet does.
    let first = match (&stdout, &stderr) {
        (Some(_), _) => STDOUT,
        (None, Some(_)) => STDERR,
        (None, None) => ERROR,
    };
    if sink.send(message(first, &[])).await.is_err() {
        return;
    }
    let (outgoing, mut queue) = mpsc::channel::<Message>(4);
    let output = async {
        tokio::join!(
            copy_out(STDOUT, stdout, outgoing.clone()),
            copy_out(STDERR, stderr, outgoing.clone())
        );
        let status = match exit.await {
            Ok(code) => exit_status(code),
            Err(error) => ApiError::from(error).to_value(),
        };
        let _ = outgoing.send(message(ERROR, status.to_string().as_bytes())).await;
        // What is queued has to be sent: `send` says when the session is over.
        std::future::pending::<()>().await;
    };
    let send = async {
        let mut ping = tokio::time::interval(PING);
        ping.reset();
        loop {
            let next = tokio::select! {
                next = queue.recv() => next,
                _ = ping.tick() => Some(Message::Ping(Bytes::new())),
            };
            let Some(next) = next else { return };
            let last = matches!(&next, Message::Binary(data) if data.first() == Some(&ERROR));
            if sink.send(next).await.is_err() || last {
                return;
            }
        }
    };
    tokio::select! {
        () = send => {}
        () = output => {}
        () = receive(stream, stdin, resize, v5) => {}
    }
}

/// Copies a stream of the process to the client. Waits while the client is slow.
async fn copy_out(channel: u8, stream: Option<BoxRead>, outgoing: mpsc::Sender<Message>) {
    let Some(mut stream) = stream else { return };
    let mut buffer = BytesMut::new();
    loop {
        buffer.reserve(CHUNK + 1);
        buffer.put_u8(channel);
        match stream.read_buf(&mut (&mut buffer).limit(CHUNK)).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        if outgoing.send(Message::Binary(buffer.split().freeze())).await.is_err() {
            return;
        }
    }
}

/// Takes what the client sends, until it is gone.
async fn receive(
    mut stream: SplitStream<WebSocket>,
    mut stdin: Option<BoxWrite>,
    resize: mpsc::Sender<Winsize>,
    v5: bool,
) {
    while let Some(Ok(message)) = stream.next().await {
        let data = match message {
            Message::Binary(data) => data,
            Message::Text(text) => text.into(),
            Message::Close(_) => return,
            Message::Ping(_) | Message::Pong(_) => continue,
        };
        match FromClient::read(&data, v5) {
            FromClient::Stdin(data) => {
                let Some(writer) = &mut stdin else { continue };
                // A process that has closed its stdin does not want more; the session goes on.
                if writer.write_all(data).await.is_err() || writer.flush().await.is_err() {
                    stdin = None;
                }
            }
            FromClient::Resize(size) => {
                let _ = resize.send(size).await;
            }
            FromClient::EndOfStdin => {
                if let Some(mut writer) = stdin.take() {
                    let _ = writer.shutdown().await;
                }
            }
            FromClient::Nothing => {}
        }
    }
}

/// What a message of the client means.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum FromClient<'a> {
    Stdin(&'a [u8]),
    Resize(Winsize),
    EndOfStdin,
    /// A channel that is not the client's, or nonsense.
    Nothing,
}

impl<'a> FromClient<'a> {
    /// Reads a message: the channel's number, then its data.
    pub(crate) fn read(message: &'a [u8], v5: bool) -> Self {
        match message.split_first() {
            Some((&STDIN, data)) => Self::Stdin(data),
            Some((&RESIZE, data)) => parse_size(data).map_or(Self::Nothing, Self::Resize),
            Some((&CLOSE, data)) if v5 && data.first() == Some(&STDIN) => Self::EndOfStdin,
            _ => Self::Nothing,
        }
    }
}

pub(super) fn parse_size(data: &[u8]) -> Option<Winsize> {
    let size: Value = serde_json::from_slice(data).ok()?;
    let side = |key: &str| {
        size[key]
            .as_u64()
            .and_then(|n| u16::try_from(n).ok())
            .filter(|n| *n > 0)
    };
    Some(Winsize {
        rows: side("Height")?,
        cols: side("Width")?,
    })
}

/// The process could not be started. The words go where the command's own would have gone, as with Docker, and the exit
/// code is the one that a shell gives (126 or 127).
async fn refuse(sink: &mut Sink, error: podsim_cri::Error, tty: bool) {
    let status = match start_failure(&error, tty) {
        Some((text, status)) => {
            let channel = if tty { STDOUT } else { STDERR };
            let _ = sink.send(message(channel, text.as_bytes())).await;
            status
        }
        None => ApiError::from(error).to_value(),
    };
    let _ = sink.send(message(ERROR, status.to_string().as_bytes())).await;
}

/// The words for a process that could not be started, and the status.
pub(super) fn start_failure(error: &podsim_cri::Error, tty: bool) -> Option<(String, Value)> {
    let podsim_cri::Error::StartFailed {
        message: why,
        exit_code,
        ..
    } = error
    else {
        return None;
    };
    let end = if tty { "\r\n" } else { "\n" };
    // The runtime may have begun the sentence itself.
    let why = why.strip_prefix("unable to start container process: ").unwrap_or(why);
    let text = format!("OCI runtime exec failed: exec failed: unable to start container process: {why}: unknown{end}");
    Some((text, exit_status(*exit_code)))
}

/// The last message of a session.
pub(super) fn exit_status(code: i32) -> Value {
    if code == 0 {
        return json!({"metadata": {}, "status": "Success"});
    }
    json!({
        "metadata": {},
        "status": "Failure",
        "message": format!("command terminated with non-zero exit code: command terminated with exit code {code}"),
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": code.to_string()}]},
    })
}
