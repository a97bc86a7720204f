//! The client's end of exec and attach: the terminal on one side, a WebSocket with channels on the other.

use crate::context::Context;
use crate::errors::{Failure, status_message};
use crate::terminal::{RawMode, Size, Stream, Terminal};
use anyhow::Result;
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use kube::client::Connection;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::sync::Arc;
use tokio::sync::mpsc;

const STDIN: u8 = 0;
const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const ERROR: u8 = 3;
const RESIZE: u8 = 4;
const CLOSE: u8 = 255;

/// Which streams are connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Streams {
    /// Our stdin goes to the process.
    pub(crate) stdin: bool,
    /// The process has a terminal, ours is raw.
    pub(crate) tty: bool,
}

impl Streams {
    /// What `-i` and `-t` come to: a terminal needs stdin, and stdin has to be one. As kubectl.
    pub(crate) async fn choose(context: &Context, stdin: bool, tty: bool) -> Result<Self> {
        let usable = tty && stdin && context.terminal.is_tty(Stream::Stdin);
        if tty && stdin && !usable {
            let message = "Unable to use a TTY - input is not a terminal or the right kind of file";
            context.printer.talk(message).await?;
        }
        Ok(Self { stdin, tty: usable })
    }

    /// The query of the request.
    pub(crate) fn query(self, terminal: &dyn Terminal, query: &mut crate::client::Query) {
        query.flag("stdin", self.stdin);
        query.flag("stdout", true);
        query.flag("stderr", !self.tty);
        query.flag("tty", self.tty);
        // A server that knows these makes the terminal in its right size at once.
        if let Some(Size { width, height }) = terminal.size().filter(|_| self.tty) {
            query.add("width", width);
            query.add("height", height);
        }
    }
}

/// What the process's end was.
pub(crate) enum End {
    /// Its exit code.
    Exited(i32),
    /// It could not be run, or the talk failed.
    Failed(String),
}

/// Connects the terminal with the process until the process ends. The terminal is raw meanwhile if the process has one.
pub(crate) async fn run(context: &Context, connection: Connection, streams: Streams) -> Result<i32> {
    let terminal = &context.terminal;
    let end = {
        let _raw = if streams.tty {
            Some(RawMode::enter(terminal)?)
        } else {
            None
        };
        talk(terminal, connection, streams).await?
    };
    match end {
        End::Exited(code) => Ok(code),
        End::Failed(message) => Err(Failure::new(format!("error: {message}")).into()),
    }
}

async fn talk(terminal: &Arc<dyn Terminal>, connection: Connection, streams: Streams) -> Result<End> {
    let half_close = connection.supports_stream_close();
    let (mut sink, stream) = connection.into_stream().split();
    let stream = stream.map(|message| message.map(|m| if m.is_binary() { m.into_data() } else { Bytes::new() }));
    let (outgoing, mut queue) = mpsc::channel::<Vec<u8>>(4);
    let send = async {
        while let Some(message) = queue.recv().await {
            if sink.send(message.into()).await.is_err() {
                return;
            }
        }
    };
    let input = async {
        if streams.stdin {
            copy_in(terminal.as_ref(), &outgoing, half_close).await;
        }
    };
    let resize = async {
        if streams.tty {
            if let Some(size) = terminal.size() {
                let _ = outgoing.send(resize_message(size)).await;
            }
            while outgoing.send(resize_message(terminal.resized().await)).await.is_ok() {}
        }
    };
    // Only the process's end is the end: reading stdin is given up in the middle when nobody wants it any more.
    let background = async {
        tokio::join!(send, input, resize);
        std::future::pending::<Infallible>().await
    };
    tokio::select! {
        end = copy_out(terminal.as_ref(), stream) => end,
        never = background => match never {},
    }
}

fn framed(channel: u8, data: &[u8]) -> Vec<u8> {
    let mut message = Vec::with_capacity(data.len() + 1);
    message.push(channel);
    message.extend_from_slice(data);
    message
}

fn resize_message(size: Size) -> Vec<u8> {
    framed(
        RESIZE,
        json!({"Width": size.width, "Height": size.height})
            .to_string()
            .as_bytes(),
    )
}

/// Sends stdin until its end. Where the protocol has no half-close, the end cannot be told.
async fn copy_in(terminal: &dyn Terminal, outgoing: &mpsc::Sender<Vec<u8>>, half_close: bool) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        match terminal.read(&mut buffer).await {
            Ok(n @ 1..) => {
                let data = buffer.get(..n).unwrap_or_default();
                if outgoing.send(framed(STDIN, data)).await.is_err() {
                    return;
                }
            }
            Ok(0) | Err(_) => {
                if half_close {
                    let _ = outgoing.send(vec![CLOSE, STDIN]).await;
                }
                return;
            }
        }
    }
}

/// Prints what the process writes, until the status comes.
async fn copy_out<S, E>(terminal: &dyn Terminal, mut stream: S) -> Result<End>
where
    S: futures_util::Stream<Item = std::result::Result<Bytes, E>> + Unpin,
{
    while let Some(Ok(message)) = stream.next().await {
        match message.split_first() {
            Some((&STDOUT, data)) if !data.is_empty() => terminal.write(Stream::Stdout, data).await?,
            Some((&STDERR, data)) if !data.is_empty() => terminal.write(Stream::Stderr, data).await?,
            Some((&ERROR, data)) if !data.is_empty() => return Ok(parse_end(data)),
            _ => {}
        }
    }
    Ok(End::Failed("the connection to the node was lost".into()))
}

/// Reads the `Status` that ends a session.
fn parse_end(data: &[u8]) -> End {
    let Ok(status) = serde_json::from_slice::<Value>(data) else {
        return End::Failed(String::from_utf8_lossy(data).into_owned());
    };
    if status["status"] == "Success" {
        return End::Exited(0);
    }
    let causes = status["details"]["causes"].as_array().into_iter().flatten();
    let code = causes
        .filter(|cause| cause["reason"] == "ExitCode")
        .find_map(|cause| cause["message"].as_str()?.parse().ok());
    match code {
        Some(code) => End::Exited(code),
        None => End::Failed(status_message(&status).to_owned()),
    }
}
