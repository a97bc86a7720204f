//! `nettest`: a server that others report to (`nettest/nettest.go`). It knows of no peers: to find them takes a Kubernetes client, which
//! this agnhost has not.

use crate::command::{Command, Flags, Value, flag};
use crate::golang::{fatal, json, logf};
use crate::http::{Answer, Request, Server, Service, Step};
use crate::netexec::{hostname, port};
use std::collections::BTreeMap;
use std::time::Duration;

pub(crate) static COMMAND: Command = Command {
    name: "nettest",
    about: "Starts a tiny web server for checking networking connectivity",
    flags: &[
        flag("port", Value::Int(8080), "Port number to serve at."),
        flag(
            "peers",
            Value::Int(8),
            "Must find at least this many peers for the test to pass.",
        ),
        flag(
            "service",
            Value::Default("nettest"),
            "Service to find other network test pods in.",
        ),
        flag("namespace", Value::Default("default"), "Namespace of this pod."),
        flag(
            "delay-shutdown",
            Value::Int(0),
            "Number of seconds to delay shutdown when receiving SIGTERM.",
        ),
    ],
    takes_args: false,
    run,
};

/// What `/read` tells.
struct Nettest {
    hostname: String,
    received: BTreeMap<String, u64>,
    errors: Vec<String>,
    log: Vec<String>,
    peers: usize,
    delay: Duration,
}

fn run(flags: &Flags) -> i32 {
    if flags.text("service").is_empty() {
        return fatal("Must provide -service flag.");
    }
    let delay = Duration::from_secs(u64::try_from(flags.int("delay-shutdown")).unwrap_or(0));
    if !delay.is_zero() {
        crate::signals::remember_termination();
    }
    let mut server = Server::default();
    let opened = port(flags.int("port")).and_then(|port| server.http(None, port));
    if let Err(message) = opened {
        return fatal(&message);
    }
    let log = format!(
        "Unable to read the endpoints for {}/{}: this agnhost has no Kubernetes client.",
        flags.text("namespace"),
        flags.text("service")
    );
    server.run(&mut Nettest {
        hostname: hostname(),
        received: BTreeMap::new(),
        errors: Vec::new(),
        log: vec![log],
        peers: usize::try_from(flags.int("peers")).unwrap_or(0),
        delay,
    })
}

impl Service for Nettest {
    fn request(&mut self, _: u16, request: &Request) -> Vec<Step> {
        match request.path.as_str() {
            "/quit" => vec![Step::Exit(0)],
            "/read" => Answer::text(200, self.read()).into(),
            "/write" => Answer::text(200, self.write(&request.body)).into(),
            // Nothing is ever sent, and nobody is to be contacted any more.
            "/status" => Answer::text(200, if self.peers == 0 { "pass" } else { "fail" }).into(),
            _ => Answer::error(404, "404 page not found").into(),
        }
    }

    fn terminated(&mut self) -> Duration {
        logf!("Sleeping {} seconds before exit ...", self.delay.as_secs());
        self.delay
    }
}

impl Nettest {
    /// The state as `json.MarshalIndent` writes it with a tab.
    fn read(&self) -> String {
        let list = |texts: &[String]| match texts {
            [] => "null".to_owned(),
            texts => {
                let lines: Vec<_> = texts.iter().map(|text| format!("\n\t\t{}", json(text))).collect();
                format!("[{}\n\t]", lines.join(","))
            }
        };
        let received = if self.received.is_empty() {
            "null".to_owned()
        } else {
            let line = |(name, count): (&String, &u64)| format!("\n\t\t{}: {count}", json(name));
            let lines: Vec<_> = self.received.iter().map(line).collect();
            format!("{{{}\n\t}}", lines.join(","))
        };
        let fields = [
            ("Hostname", json(&self.hostname)),
            ("Sent", "null".to_owned()),
            ("Received", received),
            ("Errors", list(&self.errors)),
            ("Log", list(&self.log)),
            ("StillContactingPeers", "false".to_owned()),
        ];
        let lines: Vec<_> = fields
            .iter()
            .map(|(name, value)| format!("\n\t\"{name}\": {value}"))
            .collect();
        format!("{{{}\n}}", lines.join(","))
    }

    /// Somebody reports: `{"Source": "…", "Dest": "…"}`.
    fn write(&mut self, body: &[u8]) -> String {
        let text = String::from_utf8_lossy(body);
        match strings(&text) {
            Err(message) => self.errors.push(message),
            Ok(fields) => {
                // Go takes names without regard to their case, and the last of several.
                let source = fields
                    .into_iter()
                    .rev()
                    .find(|(name, _)| name.eq_ignore_ascii_case("source"));
                match source.filter(|(_, value)| !value.is_empty()) {
                    Some((_, source)) => *self.received.entry(source).or_default() += 1,
                    None => {
                        let message = format!("{}: Got request with no source", self.hostname);
                        self.errors.push(message);
                    }
                }
            }
        }
        format!("{{\"Hostname\":{}}}\n", json(&self.hostname))
    }
}

/// The members of a flat JSON object whose values are strings.
fn strings(text: &str) -> Result<Vec<(String, String)>, String> {
    let mut rest = text.trim_start();
    if rest.is_empty() {
        return Err("EOF".to_owned());
    }
    let wrong = |rest: &str| match rest.chars().next() {
        Some(c) => format!("invalid character '{c}' looking for beginning of value"),
        None => "unexpected EOF".to_owned(),
    };
    let mut members = Vec::new();
    rest = rest.strip_prefix('{').ok_or_else(|| wrong(rest))?.trim_start();
    while !rest.starts_with('}') {
        let (name, after) = string(rest).ok_or_else(|| wrong(rest))?;
        let after = after.trim_start();
        let after = after.strip_prefix(':').ok_or_else(|| wrong(after))?.trim_start();
        let (value, after) = string(after).ok_or_else(|| wrong(after))?;
        members.push((name, value));
        rest = after.trim_start();
        rest = match rest.strip_prefix(',') {
            Some(next) => next.trim_start(),
            None if rest.starts_with('}') => rest,
            None => return Err(wrong(rest)),
        };
    }
    Ok(members)
}

/// A JSON string at the beginning of a text, and what follows it.
fn string(text: &str) -> Option<(String, &str)> {
    let mut chars = text.strip_prefix('"')?.chars();
    let mut value = String::new();
    loop {
        value.push(match chars.next()? {
            '"' => return Some((value, chars.as_str())),
            '\\' => match chars.next()? {
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                'b' => '\u{8}',
                'f' => '\u{c}',
                'u' => {
                    let digits: String = chars.by_ref().take(4).collect();
                    char::from_u32(u32::from_str_radix(&digits, 16).ok()?)?
                }
                c @ ('"' | '\\' | '/') => c,
                _ => return None,
            },
            c => c,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_are_counted_and_told() {
        let mut nettest = Nettest {
            hostname: "h".to_owned(),
            received: BTreeMap::new(),
            errors: Vec::new(),
            log: Vec::new(),
            peers: 8,
            delay: Duration::ZERO,
        };
        for body in [
            r#"{"Source": "prestop"}"#,
            r#" {"Dest":"d","source":"prestop"}"#,
            r#"{"Source":"a\"b"}"#,
        ] {
            assert_eq!(nettest.write(body.as_bytes()), "{\"Hostname\":\"h\"}\n");
        }
        nettest.write(b"{}");
        nettest.write(b"");
        nettest.write(b"x");
        let want = "{\n\t\"Hostname\": \"h\",\n\t\"Sent\": null,\n\t\"Received\": {\n\t\t\"a\\\"b\": 1,\n\t\t\"prestop\": 2\n\t},\n\t\"Errors\": [\n\t\t\
                    \"h: Got request with no source\",\n\t\t\"EOF\",\n\t\t\"invalid character 'x' looking for beginning of value\"\n\t],\n\t\"Log\": null,\n\t\
                    \"StillContactingPeers\": false\n}";
        assert_eq!(nettest.read(), want);
    }
}
