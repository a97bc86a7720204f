//! [`HostTerminal`]: the streams and the terminal of the podsim process itself.

use super::{Size, Stream, Terminal, too_large};
use async_trait::async_trait;
use jiff::Timestamp;
use std::io::{self, IsTerminal, Read, Write};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Mutex;

/// The host's terminal.
#[derive(Default)]
pub(crate) struct HostTerminal {
    stdin: Mutex<Option<tokio::io::Stdin>>,
    /// Output is written by the thread that writes.
    blocking: bool,
}

impl HostTerminal {
    /// One that has no thread for its output.
    pub(crate) fn blocking() -> Self {
        Self {
            blocking: true,
            ..Self::default()
        }
    }
}

#[async_trait]
impl Terminal for HostTerminal {
    async fn read(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.stdin
            .lock()
            .await
            .get_or_insert_with(tokio::io::stdin)
            .read(buf)
            .await
    }

    async fn write(&self, to: Stream, data: &[u8]) -> io::Result<()> {
        if self.blocking {
            return if to == Stream::Stderr {
                io::stderr().write_all(data)
            } else {
                let mut stdout = io::stdout().lock();
                stdout.write_all(data)?;
                stdout.flush()
            };
        }
        // Flushed each time: tokio's streams write on another thread, and the process may end right after.
        if to == Stream::Stderr {
            let mut stderr = tokio::io::stderr();
            stderr.write_all(data).await?;
            stderr.flush().await
        } else {
            let mut stdout = tokio::io::stdout();
            stdout.write_all(data).await?;
            stdout.flush().await
        }
    }

    fn is_tty(&self, stream: Stream) -> bool {
        match stream {
            Stream::Stdin => io::stdin().is_terminal(),
            Stream::Stdout => io::stdout().is_terminal(),
            Stream::Stderr => io::stderr().is_terminal(),
        }
    }

    fn set_raw(&self, raw: bool) -> io::Result<()> {
        if raw {
            crossterm::terminal::enable_raw_mode()
        } else {
            crossterm::terminal::disable_raw_mode()
        }
    }

    fn size(&self) -> Option<Size> {
        let (width, height) = crossterm::terminal::size().ok()?;
        (width > 0 && height > 0).then_some(Size { width, height })
    }

    async fn resized(&self) -> Size {
        let before = self.size();
        loop {
            window_changed().await;
            if let Some(now) = self.size()
                && Some(now) != before
            {
                return now;
            }
        }
    }

    async fn interrupted(&self) {
        interrupt().await;
    }

    async fn read_file(&self, path: &str, limit: usize) -> io::Result<Vec<u8>> {
        let mut data = Vec::new();
        if path == "-" {
            let mut stdin = self.stdin.lock().await;
            let stdin = stdin.get_or_insert_with(tokio::io::stdin);
            stdin.take(limit as u64 + 1).read_to_end(&mut data).await?;
        } else {
            std::fs::File::open(path)?
                .take(limit as u64 + 1)
                .read_to_end(&mut data)?;
        }
        if data.len() > limit {
            Err(too_large(limit))
        } else {
            Ok(data)
        }
    }

    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn env(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }
}

#[cfg(unix)]
async fn window_changed() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::window_change()) {
        Ok(mut signal) => _ = signal.recv().await,
        Err(_) => tokio::time::sleep(Duration::from_millis(250)).await,
    }
}

#[cfg(not(unix))]
async fn window_changed() {
    // The console tells of a new size only through its input records, which would have to be read in place of bytes.
    tokio::time::sleep(Duration::from_millis(250)).await;
}

#[cfg(unix)]
async fn interrupt() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        _ = tokio::signal::ctrl_c().await;
        return;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}

#[cfg(not(unix))]
async fn interrupt() {
    _ = tokio::signal::ctrl_c().await;
}
