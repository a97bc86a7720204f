//! `liveness`: a server that is well for ten seconds, and can be asked to answer badly (`liveness/server.go`).

use crate::command::{Command, Flags};
use crate::golang::{duration, fatal, json, quote};
use crate::http::{Answer, Request, Server, Service, Step, request};
use podsim_guest as sys;
use std::time::Duration;

pub(crate) static COMMAND: Command = Command {
    name: "liveness",
    about: "Starts a server that is alive for 10 seconds",
    flags: &[],
    takes_args: false,
    run,
};

const PORT: u16 = 8080;
const ALIVE: Duration = Duration::from_secs(10);

fn run(_: &Flags) -> i32 {
    let mut server = Server::default();
    match server.http(None, PORT) {
        Ok(()) => server.run(&mut Liveness {
            started: sys::clock_monotonic(),
        }),
        Err(message) => fatal(&message),
    }
}

struct Liveness {
    started: Duration,
}

impl Service for Liveness {
    fn request(&mut self, _: u16, request: &Request) -> Vec<Step> {
        let running = sys::clock_monotonic().saturating_sub(self.started);
        steps(request, running)
    }
}

fn steps(request: &Request, running: Duration) -> Vec<Step> {
    match request.path.as_str() {
        "/started" => Answer::text(200, duration(running)).into(),
        "/healthz" if running > ALIVE => Answer::text(500, format!("error: {}", running.as_secs_f64())).into(),
        "/healthz" => Answer::text(200, "ok").into(),
        "/redirect" => {
            let location = request.query("loc");
            // Decoded a second time, as upstream does.
            match request::decode(&location, true) {
                Some(location) => Answer::redirect(request, &location, 302).into(),
                None => Answer::error(400, &format!("invalid redirect: {}", quote(&location))).into(),
            }
        }
        "/disconnect-headers" => vec![Step::Hangup],
        path @ ("/sleep-headers" | "/sleep-body" | "/disconnect-body" | "/slow-response") => match params(request) {
            Ok(params) => slow(path, &params),
            Err(message) => Answer::error(400, &message).into(),
        },
        _ => Answer::error(404, "404 page not found").into(),
    }
}

/// How badly it is to be answered.
#[derive(Debug, PartialEq, Eq)]
struct Params {
    status: u16,
    sleep: u64,
    /// In KiB.
    size: u64,
    /// Seconds before each KiB.
    interval: u64,
}

fn params(request: &Request) -> Result<Params, String> {
    let number = |name: &str, default: i64| match request.query(name) {
        text if text.is_empty() => Ok(default),
        text => text.parse::<i64>().map_err(|_| {
            let text = quote(&text);
            format!("parameter '{name}' is invalid: strconv.Atoi: parsing {text}: invalid syntax")
        }),
    };
    let count = |name: &str| number(name, 0).map(|number| u64::try_from(number).unwrap_or(0));
    let code = number("code", 500)?;
    Ok(Params {
        status: u16::try_from(code)
            .ok()
            .filter(|code| (200..=999).contains(code))
            .ok_or_else(|| format!("parameter 'code' is invalid: {} is no status", json(&code.to_string())))?,
        sleep: count("time")?,
        // A body of 64 MiB is as big as one gets here.
        size: count("size")?.min(1 << 16),
        interval: count("interval")?,
    })
}

fn slow(path: &str, params: &Params) -> Vec<Step> {
    let head = || Step::Begin(Answer::text(params.status, ""));
    let sleep = |seconds| Step::Sleep(Duration::from_secs(seconds));
    let part = |text: String| Step::Part(text.into_bytes());
    let slept = format!("Slept for {} secs\n", params.sleep);
    let mut steps = match path {
        "/sleep-headers" => vec![sleep(params.sleep), head(), part(slept.clone())],
        _ => vec![head()],
    };
    for _ in 0..params.size {
        if params.interval > 0 && path != "/sleep-headers" && path != "/disconnect-body" {
            steps.push(sleep(params.interval));
        }
        steps.push(Step::Part(kibibyte()));
    }
    match path {
        "/sleep-body" => {
            steps.push(part(format!("Sleeping for {} secs\n", params.sleep)));
            steps.push(sleep(params.sleep));
            steps.push(part(slept));
        }
        "/disconnect-body" => steps.extend([part("Disconnecting\n".to_owned()), Step::Hangup]),
        _ => {}
    }
    steps
}

/// 1024 digits. (Upstream's are random; nobody looks at them.)
fn kibibyte() -> Vec<u8> {
    b"0123456789abcdef".repeat(64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The steps as a line.
    fn show(target: &str, seconds: u64) -> String {
        let words = steps(&Request::get(target), Duration::from_secs(seconds)).into_iter();
        let word = |step| match step {
            Step::Answer(answer) => format!("{} {:?}", answer.status, String::from_utf8_lossy(&answer.body)),
            Step::Begin(answer) => format!("begin {}", answer.status),
            Step::Part(bytes) if bytes.len() == 1024 => "KiB".to_owned(),
            Step::Part(bytes) => format!("{:?}", String::from_utf8_lossy(&bytes)),
            Step::Sleep(time) => format!("sleep {}", time.as_secs()),
            Step::Hangup => "hangup".to_owned(),
            Step::Run(_) | Step::Exit(_) | Step::Shutdown(..) => "?".to_owned(),
        };
        words.map(word).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn it_is_well_for_ten_seconds_and_answers_as_badly_as_it_is_asked() {
        for (target, seconds, want) in [
            ("/healthz", 10, r#"200 "ok""#),
            ("/healthz", 11, r#"500 "error: 11""#),
            ("/started", 61, r#"200 "1m1s""#),
            (
                "/redirect?loc=%252Fhealthz",
                0,
                r#"302 "<a href=\"/healthz\">Found</a>.\n\n""#,
            ),
            ("/disconnect-headers", 0, "hangup"),
            (
                "/sleep-headers?time=2&code=200&size=1",
                0,
                r#"sleep 2, begin 200, "Slept for 2 secs\n", KiB"#,
            ),
            (
                "/sleep-body?time=2&size=1&interval=3",
                0,
                r#"begin 500, sleep 3, KiB, "Sleeping for 2 secs\n", sleep 2, "Slept for 2 secs\n""#,
            ),
            (
                "/disconnect-body?size=1",
                0,
                r#"begin 500, KiB, "Disconnecting\n", hangup"#,
            ),
            (
                "/slow-response?size=2&interval=1&code=200",
                0,
                "begin 200, sleep 1, KiB, sleep 1, KiB",
            ),
            (
                "/slow-response?size=x",
                0,
                r#"400 "parameter 'size' is invalid: strconv.Atoi: parsing \"x\": invalid syntax\n""#,
            ),
            ("/", 0, r#"404 "404 page not found\n""#),
        ] {
            assert_eq!(show(target, seconds), want, "{target}");
        }
    }
}
