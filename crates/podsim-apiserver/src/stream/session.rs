//! An exec or attach session over a WebSocket.

use super::Dialect;
use crate::status::ApiError;
use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use bytes::Bytes;
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
pub(crate) async fn run_session(
    socket: WebSocket,
    session: podsim_cri::Result<ExecSession>,
    tty: bool,
    dialect: Dialect,
) {
    let (mut sink, stream) = socket.split();
    match session {
        Ok(session) => talk(&mut sink, stream, session, dialect).await,
        Err(error) => refuse(&mut sink, error, tty, dialect).await,
    }
    let frame = CloseFrame {
        code: close_code::NORMAL,
        reason: "".into(),
    };
    let _ = sink.send(Message::Close(Some(frame))).await;
}

type Sink = SplitSink<WebSocket, Message>;

async fn talk(sink: &mut Sink, stream: SplitStream<WebSocket>, session: ExecSession, dialect: Dialect) {
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
    if sink.send(dialect.message(first, &[])).await.is_err() {
        return;
    }
    let (outgoing, mut queue) = mpsc::channel::<Outgoing>(4);
    let output = async {
        tokio::join!(
            copy_out(STDOUT, stdout, dialect, outgoing.clone()),
            copy_out(STDERR, stderr, dialect, outgoing.clone())
        );
        let status = match exit.await {
            Ok(code) => exit_status(code),
            Err(error) => ApiError::from(error).to_value(),
        };
        let _ = outgoing.send(Outgoing::Last(dialect.last(&status))).await;
        // What is queued has to be sent: `send` says when the session is over.
        std::future::pending::<()>().await;
    };
    let send = async {
        let mut ping = tokio::time::interval(PING);
        ping.reset();
        loop {
            let next = tokio::select! {
                next = queue.recv() => next,
                _ = ping.tick() => Some(Outgoing::Next(Message::Ping(Bytes::new()))),
            };
            match next {
                Some(Outgoing::Next(message)) => {
                    if sink.send(message).await.is_err() {
                        return;
                    }
                }
                Some(Outgoing::Last(Some(message))) => {
                    let _ = sink.send(message).await;
                    return;
                }
                Some(Outgoing::Last(None)) | None => return,
            }
        }
    };
    tokio::select! {
        () = send => {}
        () = output => {}
        () = receive(stream, stdin, resize, dialect) => {}
    }
}

/// What goes to the client.
enum Outgoing {
    Next(Message),
    /// The session is over, with or without a word.
    Last(Option<Message>),
}

/// Copies a stream of the process to the client. Waits while the client is slow.
async fn copy_out(channel: u8, stream: Option<BoxRead>, dialect: Dialect, outgoing: mpsc::Sender<Outgoing>) {
    let Some(mut stream) = stream else { return };
    let mut buffer = vec![0; CHUNK];
    while let Ok(n @ 1..) = stream.read(&mut buffer).await {
        let message = dialect.message(channel, buffer.get(..n).unwrap_or_default());
        if outgoing.send(Outgoing::Next(message)).await.is_err() {
            return;
        }
    }
}

/// Takes what the client sends, until it is gone.
async fn receive(
    mut stream: SplitStream<WebSocket>,
    mut stdin: Option<BoxWrite>,
    resize: mpsc::Sender<Winsize>,
    dialect: Dialect,
) {
    while let Some(Ok(message)) = stream.next().await {
        if matches!(message, Message::Close(_)) {
            return;
        }
        let Some(data) = dialect.read(message) else { continue };
        match FromClient::read(&data, dialect.ends_streams()) {
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
async fn refuse(sink: &mut Sink, error: podsim_cri::Error, tty: bool, dialect: Dialect) {
    let status = match start_failure(&error, tty) {
        Some((text, status)) => {
            let channel = if tty { STDOUT } else { STDERR };
            let _ = sink.send(dialect.message(channel, text.as_bytes())).await;
            status
        }
        None => ApiError::from(error).to_value(),
    };
    if let Some(last) = dialect.last(&status) {
        let _ = sink.send(last).await;
    }
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
