//! `/shell`: runs a command with `/bin/sh`.

use crate::golang::{errno, json, logf};
use crate::http::{Answer, Job, Request, Step};
use podsim_sys::{Result, WaitStatus};

const SHELL: &str = "/bin/sh";

pub(super) fn steps(request: &Request) -> Vec<Step> {
    let command = Some(request.form("shellCommand")).filter(|command| !command.is_empty());
    let command = command.unwrap_or_else(|| request.form("cmd"));
    logf!("GET /shell?cmd={command}");
    vec![Step::Run(Job {
        path: SHELL.to_owned(),
        argv: vec![SHELL.to_owned(), "-c".to_owned(), command],
        finish: Box::new(|output, end| finish(&output, end)),
    })]
}

/// Output and error as JSON; what is empty is left out. (The status is 200 also where the command failed, whatever
/// `netexec --help` says.)
fn finish(output: &[u8], end: Result<WaitStatus>) -> Answer {
    let mut fields = Vec::new();
    match end {
        Ok(WaitStatus::Exited(0)) => {}
        Ok(WaitStatus::Exited(code)) => fields.push(("error", format!("exit status {code}"))),
        Ok(WaitStatus::Signaled(signal)) => fields.push(("error", format!("signal: {}", signal_text(signal)))),
        Ok(WaitStatus::Stopped(_) | WaitStatus::Continued) => {}
        Err(error) => fields.push(("error", format!("fork/exec {SHELL}: {}", errno(error)))),
    }
    if !output.is_empty() {
        fields.push(("output", String::from_utf8_lossy(output).into_owned()));
    }
    let shown: Vec<String> = fields.iter().map(|(name, value)| format!("{name}:{value}")).collect();
    logf!("Output: map[{}]", shown.join(" "));
    let items: Vec<String> = fields
        .iter()
        .map(|(name, value)| format!("{}:{}", json(name), json(value)))
        .collect();
    Answer::text(200, format!("{{{}}}", items.join(",")))
}

/// `syscall.Signal`'s text: Linux's words with a small letter at their head.
fn signal_text(signal: podsim_sys::Signal) -> String {
    signal.description().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use podsim_sys::{Errno, Signal};

    #[test]
    fn a_command_ends_as_json() {
        for (output, end, want) in [
            ("a\n", Ok(WaitStatus::Exited(0)), r#"{"output":"a\n"}"#),
            ("", Ok(WaitStatus::Exited(0)), "{}"),
            (
                "b",
                Ok(WaitStatus::Exited(3)),
                r#"{"error":"exit status 3","output":"b"}"#,
            ),
            (
                "",
                Ok(WaitStatus::Signaled(Signal::KILL)),
                r#"{"error":"signal: killed"}"#,
            ),
            (
                "",
                Err(Errno::ENOENT),
                r#"{"error":"fork/exec /bin/sh: no such file or directory"}"#,
            ),
        ] {
            assert_eq!(finish(output.as_bytes(), end), Answer::text(200, want));
        }
    }
}
