//! `/dial`: asks another server, over HTTP or UDP. A process of its own does it, so that netexec can dial itself.

use super::shown;
use crate::golang::{errno, json_list, logf};
use crate::http::{Answer, Job, Request, Step};
use busybox::util::dial;
use busybox::util::http::{Connection, Failure, Url};
use podsim_guest as sys;
use podsim_sys::{Errno, Fd, MsgFlags, OpenFlags, PollEvents, SockAddr, SocketType, WaitStatus};
use std::net::SocketAddr;
use std::time::Duration;

/// The word by which the program knows that it is such a process.
pub(crate) const HELPER: &str = "netexec-dial";

/// How long one try may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is to be asked.
#[derive(Debug, PartialEq, Eq)]
struct Dial {
    protocol: &'static str,
    host: String,
    port: u16,
    request: String,
    tries: u64,
}

pub(super) fn steps(request: &Request) -> Vec<Step> {
    match plan(request) {
        Ok(dial) => vec![Step::Run(Job {
            path: "/proc/self/exe".to_owned(),
            argv: ["/agnhost", HELPER, dial.protocol]
                .map(str::to_owned)
                .into_iter()
                .chain([dial.host, dial.port.to_string(), dial.request, dial.tries.to_string()])
                .collect(),
            finish: Box::new(|output, end| match end {
                Ok(WaitStatus::Exited(0)) => Answer::text(200, output),
                Ok(WaitStatus::Exited(1)) => Answer::error(400, &String::from_utf8_lossy(&output)),
                Ok(_) => Answer::error(500, "the process that dials was killed"),
                Err(error) => Answer::error(500, &format!("fork/exec /agnhost: {}", errno(error))),
            }),
        })],
        Err(message) => Answer::error(400, &message).into(),
    }
}

fn plan(request: &Request) -> Result<Dial, String> {
    let [host, port, asked, protocol, tries] =
        ["host", "port", "request", "protocol", "tries"].map(|name| request.query(name));
    logf!("GET /dial?host={host}&protocol={protocol}&port={port}&request={asked}&tries={tries}");
    let count = if tries.is_empty() { Ok(1) } else { tries.parse::<i64>() };
    let count = count.map_err(|_| {
        let tries = crate::golang::quote(&tries);
        format!("tries parameter is invalid. strconv.Atoi: parsing {tries}: invalid syntax")
    })?;
    if asked.is_empty() {
        return Err("request parameter not specified. <nil>".to_owned());
    }
    let protocol = match protocol.to_lowercase().as_str() {
        "" | "http" => "tcp",
        "udp" => "udp",
        // Also what upstream has and podsim has not: SCTP.
        _ => return Err(format!("unsupported protocol. {protocol}")),
    };
    let number = match dial::port(&port) {
        Some(number) => number,
        None if port.is_empty() => 0,
        None if port.bytes().all(|b| b.is_ascii_digit()) => {
            return Err(format!(
                "host and/or port param are invalid. address {port}: invalid port"
            ));
        }
        None => {
            return Err(format!(
                "host and/or port param are invalid. lookup {protocol}/{port}: unknown port"
            ));
        }
    };
    Ok(Dial {
        protocol,
        host,
        port: number,
        request: asked,
        tries: u64::try_from(count).unwrap_or(0),
    })
}

/// The process that dials: prints the answer's JSON; with exit code 1, why there is none.
pub(crate) fn main(args: &[String]) -> i32 {
    let [protocol, host, port, request, tries] = args else {
        return 2;
    };
    let port = port.parse().unwrap_or(0);
    let found = if host.is_empty() {
        Ok(vec![[127, 0, 0, 1].into()])
    } else {
        dial::lookup(host)
    };
    let (text, code) = match found.map(|found| found.first().copied()) {
        Ok(Some(ip)) => (
            ask(protocol, SocketAddr::new(ip, port), request, tries.parse().unwrap_or(1)),
            0,
        ),
        Ok(None) | Err(Errno::ENOENT) => (invalid(&format!("lookup {host}: no such host")), 1),
        Err(_) => (invalid(&format!("lookup {host}: i/o timeout")), 1),
    };
    i32::from(sys::write_all(Fd::STDOUT, text.as_bytes()).is_err()).max(code)
}

fn invalid(why: &str) -> String {
    format!("host and/or port param are invalid. {why}")
}

fn ask(protocol: &str, address: SocketAddr, request: &str, tries: u64) -> String {
    let (mut responses, mut errors) = (Vec::new(), Vec::new());
    let mut last_is_empty = true;
    for _ in 0..tries {
        let result = if protocol == "udp" {
            ask_udp(address, request)
        } else {
            ask_http(address, request)
        };
        last_is_empty = result.as_ref().map_or(true, String::is_empty);
        match result {
            Ok(response) => responses.push(response),
            Err(error) => errors.push(error),
        }
    }
    output(&responses, &errors, last_is_empty)
}

/// Responses are left out where the last try had none: upstream looks at that one only.
fn output(responses: &[String], errors: &[String], last_is_empty: bool) -> String {
    let mut fields = Vec::new();
    if !errors.is_empty() {
        fields.push(format!("\"errors\":{}", json_list(errors)));
    }
    if !last_is_empty {
        fields.push(format!("\"responses\":{}", json_list(responses)));
    }
    format!("{{{}}}", fields.join(","))
}

/// GETs, and follows where it is led, as Go's client does.
fn ask_http(address: SocketAddr, request: &str) -> Result<String, String> {
    let first = format!("http://{address}/{request}");
    let wrong = |url: &str, why: &str| format!("Get {}: {why}", crate::golang::quote(url));
    let mut url = Url::parse(&first).map_err(|Failure(why)| wrong(&first, &why))?;
    for _ in 0..10 {
        let name = format!("http://{}{}", url.host_and_port(), url.path);
        let Some(ip) = dial::lookup(&url.host).ok().and_then(|found| found.first().copied()) else {
            return Err(wrong(&name, &format!("dial tcp: lookup {}: no such host", url.host)));
        };
        let address = SocketAddr::new(ip, url.port);
        let fd = dial::connect(address, Some(PATIENCE)).map_err(|error| {
            let why = match error {
                Errno::ETIMEDOUT => format!("dial tcp {address}: i/o timeout"),
                error => format!("dial tcp {address}: connect: {}", errno(error)),
            };
            wrong(&name, &why)
        })?;
        let told = |Failure(why): Failure| wrong(&name, &why);
        let mut connection = Connection::new(fd, PATIENCE);
        let head = format!(
            "GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: Go-http-client/1.1\r\nConnection: close\r\n\r\n",
            url.path,
            url.host_and_port()
        );
        connection.send(head.as_bytes()).map_err(told)?;
        let response = connection.response(false).map_err(told)?;
        if let (301 | 302 | 303 | 307 | 308, Some(location)) = (response.status, response.header("location")) {
            url = url.join(location).map_err(told)?;
            continue;
        }
        let mut body = Vec::new();
        let mut buffer = [0; 8192];
        loop {
            let count = connection.body(&response, &mut buffer).map_err(told)?;
            if count == 0 {
                return Ok(String::from_utf8_lossy(&body).into_owned());
            }
            body.extend_from_slice(buffer.get(..count).unwrap_or_default());
        }
    }
    Err(wrong(&first, "stopped after 10 redirects"))
}

fn ask_udp(address: SocketAddr, request: &str) -> Result<String, String> {
    let fd = sys::socket(dial::family(&address), SocketType::Datagram, OpenFlags::CLOEXEC)
        .map_err(|error| format!("udp dial failed. err:dial udp {address}: socket: {}", errno(error)))?;
    let result = exchange(fd, address, request);
    // Nothing can be done about a failed close of a datagram socket.
    let _ = sys::close(fd);
    result
}

fn exchange(fd: Fd, address: SocketAddr, request: &str) -> Result<String, String> {
    sys::connect(fd, &SockAddr::Inet(address))
        .map_err(|error| format!("udp dial failed. err:dial udp {address}: connect: {}", errno(error)))?;
    let local = match sys::getsockname(fd) {
        Ok(SockAddr::Inet(local)) => shown(local).to_string(),
        _ => String::new(),
    };
    sys::sendto(fd, request.as_bytes(), MsgFlags::empty(), None).map_err(|error| {
        let why = errno(error);
        format!("udp connection write failed. err:write udp {local}->{address}: write: {why}")
    })?;
    let failed = |why: &str| format!("reading from udp connection failed. err:'read udp {local}->{address}: {why}'");
    let told = |error| failed(&format!("read: {}", errno(error)));
    if !dial::wait_for(fd, PollEvents::IN, Some(PATIENCE)).map_err(told)? {
        return Err(failed("i/o timeout"));
    }
    let mut buffer = [0; 2048];
    match sys::recvfrom(fd, &mut buffer, MsgFlags::empty()).map_err(told)? {
        (0, ..) => Err("reading from udp connection failed. err:'<nil>'".to_owned()),
        (count, ..) => Ok(String::from_utf8_lossy(buffer.get(..count).unwrap_or_default()).into_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_dialled_is_refused_in_upstreams_words() {
        for (query, want) in [
            (
                "host=h&port=80&request=a&tries=x",
                "tries parameter is invalid. strconv.Atoi: parsing \"x\": invalid syntax",
            ),
            ("host=h&port=80", "request parameter not specified. <nil>"),
            ("host=h&port=80&request=a&protocol=icmp", "unsupported protocol. icmp"),
            (
                "host=h&port=99999&request=a",
                "host and/or port param are invalid. address 99999: invalid port",
            ),
            (
                "host=h&port=x&request=a&protocol=UDP",
                "host and/or port param are invalid. lookup udp/x: unknown port",
            ),
        ] {
            let got = plan(&Request::get(&format!("/dial?{query}")));
            assert_eq!(got, Err(want.to_owned()), "{query}");
        }
    }

    #[test]
    fn responses_count_only_where_the_last_try_had_one() {
        let texts = |list: &[&str]| list.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
        for (responses, errors, last_is_empty, want) in [
            (texts(&["a", "b"]), texts(&[]), false, r#"{"responses":["a","b"]}"#),
            (
                texts(&["a"]),
                texts(&["no"]),
                false,
                r#"{"errors":["no"],"responses":["a"]}"#,
            ),
            (texts(&["a"]), texts(&["no"]), true, r#"{"errors":["no"]}"#),
            (texts(&[]), texts(&[]), true, "{}"),
        ] {
            assert_eq!(output(&responses, &errors, last_is_empty), want);
        }
    }
}
