//! A person at a terminal: types commands into a shell on a real pty and reads what comes back.

use anyhow::{Context, Result, bail};
use podsim_cri::{BoxWrite, ExecSession};
use regex::Regex;
use std::sync::LazyLock;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// The prompt of the shell that the notes run in: one that no output contains by chance.
pub(crate) const PROMPT: &str = "[podsim-notes]# ";
/// How long a command may take.
const LIMIT: Duration = Duration::from_secs(60);
/// A prompt that the document does not show counts when nothing more comes for this long.
const QUIET: Duration = Duration::from_millis(500);

static ANY_PROMPT: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^\S*[^\s#$%>]*\S* ?[#$%>] $").ok());
static ESCAPES: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]|\x1b\][^\x07]*\x07").ok());

/// A shell on a pty.
pub(crate) struct Terminal {
    stdin: BoxWrite,
    output: mpsc::UnboundedReceiver<Vec<u8>>,
    buffer: Vec<u8>,
}

/// What came back from a command.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The output, without the echo of the command.
    pub(crate) lines: Vec<String>,
    /// The prompt after it.
    pub(crate) prompt: String,
}

impl Terminal {
    /// Takes over a session that was just started, and waits for its first prompt.
    pub(crate) async fn open(session: ExecSession) -> Result<Self> {
        let stdin = session.stdin.context("the session has no stdin")?;
        let mut stdout = session.stdout.context("the session has no stdout")?;
        let (sender, output) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            let mut buf = vec![0; 16 << 10];
            while let Ok(n) = stdout.read(&mut buf).await {
                if n == 0 || sender.send(buf[..n].to_vec()).is_err() {
                    break;
                }
            }
        });
        let mut terminal = Self {
            stdin,
            output,
            buffer: Vec::new(),
        };
        terminal.until_prompt(None).await?;
        Ok(terminal)
    }

    /// Types a command and waits for the next prompt: the shell's own, or `expected`, that of a shell inside it.
    pub(crate) async fn run(&mut self, command: &str, expected: Option<&str>) -> Result<Answer> {
        self.buffer.clear();
        self.stdin
            .write_all(format!("{command}\r").as_bytes())
            .await
            .context("the shell has ended")?;
        let (text, prompt) = self.until_prompt(expected).await?;
        let mut lines: Vec<String> = without_echo(&text, command)
            .lines()
            .map(|line| line.trim_end_matches('\r').to_owned())
            .collect();
        while lines.last().is_some_and(String::is_empty) {
            lines.pop();
        }
        Ok(Answer { lines, prompt })
    }

    /// Leaves the shells inside this one.
    pub(crate) async fn leave(&mut self) -> Result<()> {
        for _ in 0..8 {
            if self.run("exit", None).await?.prompt == PROMPT {
                return Ok(());
            }
        }
        bail!("a shell inside the session does not end with `exit`")
    }

    async fn until_prompt(&mut self, expected: Option<&str>) -> Result<(String, String)> {
        let wait = async {
            let mut quiet = false;
            loop {
                let text = plain(&self.buffer);
                let (before, tail) = text.rsplit_once('\n').unwrap_or(("", &text));
                // Output that does not end its line stands before the prompt.
                if let Some(output) = tail.strip_suffix(PROMPT) {
                    return Ok((format!("{before}\n{output}"), PROMPT.to_owned()));
                }
                let known = expected.is_some_and(|prompt| tail == prompt);
                let likely = || ANY_PROMPT.as_ref().is_some_and(|pattern| pattern.is_match(tail));
                if known || (quiet && likely()) {
                    return Ok((format!("{before}\n"), tail.to_owned()));
                }
                match timeout(QUIET, self.output.recv()).await {
                    Ok(Some(bytes)) => {
                        self.buffer.extend(bytes);
                        quiet = false;
                    }
                    Ok(None) => bail!("the shell has ended; its last words: {:?}", last(&text)),
                    Err(_) => quiet = true,
                }
            }
        };
        match timeout(LIMIT, wait).await {
            Ok(result) => result,
            Err(_) => {
                let text = plain(&self.buffer);
                bail!(
                    "no prompt came back within {} s; the last output: {:?}",
                    LIMIT.as_secs(),
                    last(&text)
                )
            }
        }
    }
}

/// The text without escape sequences.
fn plain(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    match ESCAPES.as_ref() {
        Some(escapes) => escapes.replace_all(&text, "").into_owned(),
        None => text.into_owned(),
    }
}

fn last(text: &str) -> &str {
    let start = text.char_indices().rev().nth(200).map_or(0, |(index, _)| index);
    &text[start..]
}

/// What follows the echo of the command. A long command may have been wrapped, so line breaks inside it do not count.
fn without_echo<'a>(text: &'a str, command: &str) -> &'a str {
    let mut rest = text.char_indices().peekable();
    for wanted in command.chars() {
        loop {
            match rest.next() {
                Some((_, c)) if c == wanted => break,
                Some((_, '\r' | '\n' | ' ')) => {}
                _ => return text,
            }
        }
    }
    let start = rest.peek().map_or(text.len(), |(index, _)| *index);
    let rest = &text[start..];
    rest.split_once('\n').map_or("", |(_, after)| after)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_echo_of_a_command_is_no_output() {
        for (text, command, output) in [
            ("echo a\r\na\r\n", "echo a", "a\r\n"),
            ("echo lo\r\nng\r\nlong\r\n", "echo long", "long\r\n"),
            ("true\r\n", "true", ""),
            ("something else\r\n", "true", "something else\r\n"),
        ] {
            assert_eq!(without_echo(text, command), output, "{text:?}");
        }
    }
}
