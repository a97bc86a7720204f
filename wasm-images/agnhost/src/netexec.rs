//! `netexec`: a server over HTTP and UDP that does what a client asks (`netexec/netexec.go`). TLS and SCTP are not to be had.

pub(crate) mod dial;
mod exit;
mod shell;
mod upload;

use crate::command::{Command, Flags, Value, flag};
use crate::golang::{self, fatal, json, json_list, logf, quote};
use crate::http::{Answer, Request, Server, Service, Step, server};
use podsim_guest as sys;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

pub(crate) static COMMAND: Command = Command {
    name: "netexec",
    about: "Creates HTTP(S), UDP, and (optionally) SCTP servers with various endpoints",
    flags: &[
        flag("http-port", Value::Int(8080), "HTTP Listen Port"),
        flag(
            "tls-cert-file",
            Value::Default(""),
            "File containing an x509 certificate for HTTPS.",
        ),
        flag(
            "tls-private-key-file",
            Value::Default(""),
            "File containing an x509 private key",
        ),
        flag("udp-port", Value::Int(8081), "UDP Listen Port"),
        flag("sctp-port", Value::Int(-1), "SCTP Listen Port"),
        flag(
            "http-override",
            Value::Default(""),
            "Override the HTTP handler to always respond as if it were a GET with this path & params",
        ),
        flag(
            "udp-listen-addresses",
            Value::Default(""),
            "A comma separated list of ip addresses the udp servers listen from",
        ),
        flag(
            "delay-shutdown",
            Value::Int(0),
            "Number of seconds to delay shutdown when receiving SIGTERM.",
        ),
    ],
    takes_args: false,
    run,
};

/// A port as a flag has it.
pub(crate) fn port(number: i64) -> Result<u16, String> {
    u16::try_from(number).map_err(|_| format!("listen tcp: address {number}: invalid port"))
}

fn run(flags: &Flags) -> i32 {
    crate::signals::remember_termination();
    match serve(flags) {
        Ok((server, mut netexec)) => server.run(&mut netexec),
        Err(message) => fatal(&message),
    }
}

fn serve(flags: &Flags) -> Result<(Server, Netexec), String> {
    if !flags.text("tls-cert-file").is_empty() {
        return Err("--tls-cert-file: this agnhost has no TLS; leave the flag out to serve HTTP".to_owned());
    }
    if flags.int("sctp-port") != -1 {
        return Err("--sctp-port: this agnhost has no SCTP; leave the flag out".to_owned());
    }
    let mut server = Server::default();
    let udp_port = flags.int("udp-port");
    if udp_port != -1 {
        let udp_port = port(udp_port)?;
        for (text, ip) in addresses(flags.text("udp-listen-addresses"))? {
            let shown = ip.map_or_else(
                || format!(":{udp_port}"),
                |ip| SocketAddr::new(ip, udp_port).to_string(),
            );
            server.udp(ip, udp_port).map_err(|error| {
                format!("Error occurred: failed to create listener for UDP address {shown}:{error}")
            })?;
            logf!("Started UDP server on port {text} {udp_port}");
        }
    }
    let http_port = port(flags.int("http-port"))?;
    logf!("Started HTTP server on port {http_port}");
    server.http(None, http_port)?;
    let netexec = Netexec {
        replaced: Some(flags.text("http-override").to_owned()).filter(|target| !target.is_empty()),
        ready: udp_port != -1,
        delay: Duration::from_secs(u64::try_from(flags.int("delay-shutdown")).unwrap_or(0)),
        terminating: false,
    };
    Ok((server, netexec))
}

/// `parseAddresses`: without repetitions, sorted as texts; no address is every one.
fn addresses(list: &str) -> Result<Vec<(&str, Option<IpAddr>)>, String> {
    if list.is_empty() {
        return Ok(vec![("", None)]);
    }
    let texts: BTreeSet<&str> = list.split(',').collect();
    let parsed = texts.into_iter().map(|text| match text.parse() {
        Ok(ip) => Ok((text, Some(ip))),
        Err(_) => Err(format!("parseAddress: invalid address {text}")),
    });
    parsed.collect()
}

struct Netexec {
    /// The target that every request is for.
    replaced: Option<String>,
    /// A UDP server is there.
    ready: bool,
    delay: Duration,
    terminating: bool,
}

/// The host's name.
pub(crate) fn hostname() -> String {
    sys::uname().nodename
}

impl Service for Netexec {
    fn request(&mut self, _: u16, request: &Request) -> Vec<Step> {
        match &self.replaced {
            Some(target) => self.route(&Request::get(target)),
            None => self.route(request),
        }
    }

    fn datagram(&mut self, _: u16, data: &[u8], from: SocketAddr) -> Option<Vec<u8>> {
        let text = String::from_utf8_lossy(data).trim().to_lowercase();
        if text == "hostname" {
            logf!("Sending udp hostName response");
            Some(hostname().into_bytes())
        } else if let Some(words) = text.strip_prefix("echo ") {
            logf!("Echoing {words} to UDP client {from}");
            Some(words.as_bytes().to_vec())
        } else if text == "clientip" {
            logf!("Sending clientip back to UDP client {from}");
            Some(from.to_string().into_bytes())
        } else {
            if !text.is_empty() {
                logf!("Unknown UDP command received from {from}: {text}");
            }
            None
        }
    }

    fn terminated(&mut self) -> Duration {
        self.terminating = true;
        if !self.delay.is_zero() {
            logf!("Sleeping {} seconds before terminating...", self.delay.as_secs());
        }
        self.delay
    }
}

impl Netexec {
    fn route(&self, request: &Request) -> Vec<Step> {
        match request.path.as_str() {
            "/clientip" => {
                logf!("GET /clientip");
                Answer::text(200, request.peer.map_or(String::new(), |peer| peer.to_string())).into()
            }
            "/header" => header(request).into(),
            "/dial" => dial::steps(request),
            "/echo" => echo(request),
            "/exit" => exit::steps(request),
            "/healthz" => {
                logf!("GET /healthz");
                Answer::text(if self.ready { 200 } else { 412 }, "").into()
            }
            "/readyz" => {
                logf!("GET /readyz");
                match (self.terminating, self.ready) {
                    (true, _) => Answer::text(503, "shutting down").into(),
                    (false, true) => Answer::text(200, "ok").into(),
                    (false, false) => Answer::text(412, "").into(),
                }
            }
            path @ ("/hostname" | "/hostName") => {
                logf!("GET {path}");
                Answer::text(200, hostname()).into()
            }
            "/redirect" => redirect(request),
            "/shell" => shell::steps(request),
            "/upload" => upload::answer(request).into(),
            "/shutdown" => {
                logf!("GET /shutdown");
                vec![Step::Exit(0)]
            }
            _ => {
                logf!("GET /");
                Answer::text(200, format!("NOW: {}", now())).into()
            }
        }
    }
}

/// `time.Now()` as Go prints it.
fn now() -> String {
    let time = golang::now();
    let date = busybox::util::clock::Date::from_epoch(time).format("%Y-%m-%d %H:%M:%S");
    let (nanos, running) = (time.subsec_nanos(), sys::clock_monotonic());
    format!(
        "{date}.{nanos:09} +0000 UTC m=+{}.{:09}",
        running.as_secs(),
        running.subsec_nanos()
    )
}

/// `WriteHeader`: what is no status makes Go's server panic, and the client loses the connection.
pub(crate) fn with_status(status: i64, answer: impl FnOnce(u16) -> Answer) -> Vec<Step> {
    match u16::try_from(status) {
        // Informational: the real one, 200, follows.
        Ok(100..=199) => answer(200).into(),
        Ok(status @ 200..=999) => answer(status).into(),
        _ => {
            logf!("http: panic serving: invalid WriteHeader code {status}");
            vec![Step::Hangup]
        }
    }
}

fn not_an_integer(text: &str) -> Vec<Step> {
    let message = format!("argument 'code' must be an integer or empty, got {}\n", quote(text));
    Answer::text(200, message).into()
}

fn echo(request: &Request) -> Vec<Step> {
    let (message, code) = (request.form("msg"), request.form("code"));
    logf!("GET /echo?msg={message}&code={code}");
    if code.is_empty() {
        return Answer::text(200, message).into();
    }
    match code.parse() {
        Ok(status) => with_status(status, |status| Answer::text(status, message)),
        Err(_) => not_an_integer(&code),
    }
}

fn redirect(request: &Request) -> Vec<Step> {
    let (location, code) = (request.form("location"), request.form("code"));
    logf!("{} /redirect?msg={location}&code={code}", request.method);
    match if code.is_empty() { Ok(302) } else { code.parse() } {
        Ok(status) => with_status(status, |status| Answer::redirect(request, &location, status)),
        Err(_) => not_an_integer(&code),
    }
}

/// One header, or all of them as JSON: Go keeps `Host` elsewhere, and writes names its own way.
fn header(request: &Request) -> Answer {
    let key = request.form("key");
    if !key.is_empty() {
        logf!("GET /header?key={key}");
        let value = Some(&key).filter(|key| !key.eq_ignore_ascii_case("host"));
        return Answer::text(200, value.and_then(|key| request.header(key)).unwrap_or(""));
    }
    logf!("GET /header");
    let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in &request.headers {
        if !name.eq_ignore_ascii_case("host") {
            all.entry(canonical(name)).or_default().push(value.clone());
        }
    }
    let items: Vec<String> = all
        .iter()
        .map(|(name, values)| format!("{}:{}", json(name), json_list(values)))
        .collect();
    Answer::text(200, format!("{{{}}}", items.join(",")))
}

/// `textproto.CanonicalMIMEHeaderKey`.
fn canonical(name: &str) -> String {
    let word = |word: &str| {
        let mut letters = word.chars();
        let first = letters.next().map(|first| first.to_ascii_uppercase());
        first
            .into_iter()
            .chain(letters.map(|letter| letter.to_ascii_lowercase()))
            .collect::<String>()
    };
    name.split('-').map(word).collect::<Vec<_>>().join("-")
}

/// As Go shows the address of a socket.
pub(crate) use server::shown;

#[cfg(test)]
mod tests;
