//! `/exit`: the end of the program, after a time, with or without regard to its clients.

use crate::golang::{duration, logf, parse_duration, quote};
use crate::http::{Answer, Request, Step};
use std::time::Duration;

pub(super) fn steps(request: &Request) -> Vec<Step> {
    let (wait, timeout, code) = (request.form("wait"), request.form("timeout"), request.form("code"));
    logf!("GET /exit?code={code}&timeout={timeout}&wait={wait}");
    match plan(&wait, &timeout, &code) {
        Ok((wait, timeout, code)) => {
            let (before, after) = (duration(wait), duration(timeout));
            logf!(
                "Will begin shutdown in {before}, allowing {after} for connections to close, then will exit with {code}"
            );
            let end = if timeout.is_zero() {
                Step::Exit(code)
            } else {
                Step::Shutdown(code, timeout)
            };
            vec![Step::Sleep(wait), end]
        }
        Err(message) => Answer::text(200, message).into(),
    }
}

fn plan(wait: &str, timeout: &str, code: &str) -> Result<(Duration, Duration, i32), String> {
    let time = |name: &str, text: &str| match parse_duration(text) {
        Ok(time) => Ok(time),
        Err(_) if text.is_empty() => Ok(Duration::ZERO),
        Err(_) => Err(format!(
            "argument '{name}' must be a valid golang duration or empty, got {}\n",
            quote(text)
        )),
    };
    let (timeout, wait) = (time("timeout", timeout)?, time("wait", wait)?);
    match code.parse() {
        Ok(code) => Ok((wait, timeout, code)),
        Err(_) if code.is_empty() => Ok((wait, timeout, 0)),
        Err(_) => Err(format!(
            "argument 'code' must be an integer [0-127] or empty, got {}\n",
            quote(code)
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_zero_and_what_is_wrong_is_said() {
        let seconds = Duration::from_secs;
        for (wait, timeout, code, want) in [
            ("", "", "", Ok((seconds(0), seconds(0), 0))),
            ("2s", "1m", "3", Ok((seconds(2), seconds(60), 3))),
            (
                "x",
                "",
                "",
                Err("argument 'wait' must be a valid golang duration or empty, got \"x\"\n"),
            ),
            (
                "",
                "9",
                "",
                Err("argument 'timeout' must be a valid golang duration or empty, got \"9\"\n"),
            ),
            (
                "",
                "",
                "a",
                Err("argument 'code' must be an integer [0-127] or empty, got \"a\"\n"),
            ),
        ] {
            assert_eq!(
                plan(wait, timeout, code),
                want.map_err(str::to_owned),
                "{wait} {timeout} {code}"
            );
        }
    }
}
