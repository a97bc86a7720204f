//! exec and attach over SPDY: a stream each for errors, stdin, stdout, stderr and resizes
//! (`kubelet/pkg/cri/streaming/remotecommand/httpstream.go`), with the status as JSON on the error stream (version 4).

use super::StreamOptions;
use super::forward::pieces;
use super::session::{exit_status, parse_size, start_failure};
use super::spdy::{self, Outgoing, SpdyStream};
use crate::status::ApiError;
use bytes::Bytes;
use futures_util::StreamExt;
use podsim_cri::{BoxRead, ExecSession};
use std::collections::HashMap;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;

/// How long the client has to open its streams. Host time: this is about the connection.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs a session that `start` begins when the client's streams are there.
pub(crate) async fn run(
    io: impl AsyncRead + AsyncWrite + Send + Unpin,
    options: StreamOptions,
    start: impl Future<Output = podsim_cri::Result<ExecSession>>,
) {
    let (bytes, frames, send) = pieces(io);
    let (accept, mut accepted) = mpsc::channel::<SpdyStream>(8);
    let session = async {
        let wanted = [
            ("error", true),
            ("stdin", options.stdin),
            ("stdout", options.stdout),
            ("stderr", options.stderr),
            ("resize", options.tty),
        ];
        let wanted = wanted.iter().filter(|(_, wanted)| *wanted).count();
        let mut streams: HashMap<String, SpdyStream> = HashMap::new();
        let collect = async {
            while streams.len() < wanted {
                let Some(stream) = accepted.recv().await else { return };
                streams.insert(stream.header("streamtype").to_owned(), stream);
            }
        };
        if tokio::time::timeout(PATIENCE, collect).await.is_err() || streams.len() < wanted {
            return;
        }
        let Some(error) = streams.remove("error") else { return };
        let status = match start.await {
            Ok(session) => talk(&mut streams, session).await,
            Err(why) => {
                let channel = streams.get(if options.tty { "stdout" } else { "stderr" });
                match (start_failure(&why, options.tty), channel) {
                    (Some((text, status)), Some(channel)) => {
                        let _ = channel.outgoing.send(text.as_bytes()).await;
                        status
                    }
                    (Some((_, status)), None) => status,
                    (None, _) => ApiError::from(why).to_value(),
                }
            }
        };
        let _ = error.outgoing.send(status.to_string().as_bytes()).await;
        for stream in streams.values().chain([&error]) {
            stream.outgoing.finish().await;
        }
    };
    // When the session is over, its frames are still sent: the queue ends with its last sender.
    let session = async {
        let reading = spdy::run(bytes.boxed(), frames, accept);
        tokio::select! {
            () = session => {}
            () = reading => {}
        }
    };
    tokio::join!(session, send);
}

async fn talk(streams: &mut HashMap<String, SpdyStream>, session: ExecSession) -> serde_json::Value {
    let ExecSession {
        stdin,
        stdout,
        stderr,
        resize,
        exit,
    } = session;
    let incoming = |stream: Option<&mut SpdyStream>| -> mpsc::Receiver<Bytes> {
        match stream {
            Some(stream) => std::mem::replace(&mut stream.incoming, mpsc::channel(1).1),
            None => mpsc::channel(1).1,
        }
    };
    let mut keys = incoming(streams.get_mut("stdin"));
    let mut sizes = incoming(streams.get_mut("resize"));
    let input = async {
        let Some(mut stdin) = stdin else { return };
        while let Some(bytes) = keys.recv().await {
            if stdin.write_all(&bytes).await.is_err() || stdin.flush().await.is_err() {
                return;
            }
        }
        let _ = stdin.shutdown().await;
    };
    let resizes = async {
        while let Some(bytes) = sizes.recv().await {
            if let Some(size) = parse_size(&bytes) {
                let _ = resize.send(size).await;
            }
        }
    };
    let outgoing = |name: &str| streams.get(name).map(|stream| stream.outgoing.clone());
    let output = async {
        tokio::join!(
            copy_out(outgoing("stdout"), stdout),
            copy_out(outgoing("stderr"), stderr)
        );
        match exit.await {
            Ok(code) => exit_status(code),
            Err(error) => ApiError::from(error).to_value(),
        }
    };
    tokio::select! {
        status = output => status,
        () = async { tokio::join!(input, resizes); std::future::pending().await } => serde_json::Value::Null,
    }
}

async fn copy_out(to: Option<Outgoing>, from: Option<BoxRead>) {
    let (Some(to), Some(mut from)) = (to, from) else { return };
    let mut buffer = vec![0; 32 << 10];
    while let Ok(n @ 1..) = from.read(&mut buffer).await {
        if to.send(buffer.get(..n).unwrap_or_default()).await.is_err() {
            return;
        }
    }
}
