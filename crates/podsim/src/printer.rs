//! [`Printer`]: the only way out for text. stdout is data, stderr is talk.

use crate::output::tabwriter;
use crate::terminal::{Stream, Terminal};
use std::io;
use std::sync::Arc;

/// Prints to a terminal.
#[derive(Clone)]
pub(crate) struct Printer {
    terminal: Arc<dyn Terminal>,
}

impl Printer {
    /// To this terminal.
    pub(crate) fn new(terminal: Arc<dyn Terminal>) -> Self {
        Self { terminal }
    }

    /// Data, as it is.
    pub(crate) async fn data(&self, text: impl AsRef<[u8]>) -> io::Result<()> {
        self.terminal.write(Stream::Stdout, text.as_ref()).await
    }

    /// A line of data.
    pub(crate) async fn line(&self, text: impl AsRef<str>) -> io::Result<()> {
        self.data(format!("{}\n", text.as_ref())).await
    }

    /// A line of talk.
    pub(crate) async fn talk(&self, text: impl AsRef<str>) -> io::Result<()> {
        self.terminal
            .write(Stream::Stderr, format!("{}\n", text.as_ref()).as_bytes())
            .await
    }

    /// Rows in kubectl's columns.
    pub(crate) async fn table(&self, rows: &[Vec<String>]) -> io::Result<()> {
        self.data(tabwriter::table(rows, 6, 3)).await
    }

    /// Whether stdout is a terminal that may be coloured (<https://no-color.org>).
    pub(crate) fn colours(&self) -> bool {
        self.terminal.is_tty(Stream::Stdout) && self.terminal.env("NO_COLOR").is_none_or(|value| value.is_empty())
    }
}
