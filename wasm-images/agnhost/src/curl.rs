//! `curl`: as much of it as tests in containers use. HTTP only, without a progress meter.

use busybox::util::files::{create, read_file};
use busybox::util::http::{Connection, Failure, Response, Url};
use busybox::util::opts::{Opts, read};
use busybox::util::out::write_error;
use busybox::util::{base_name, dial};
use podsim_guest as sys;
use podsim_sys::{Errno, Fd, Mode};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

const OPTIONS: &str = "sSqgfkiILvX:d:H:o:Ow:m:A:u:1:2:3:";
const LONG: &[(&str, char)] = &[
    ("silent", 's'),
    ("show-error", 'S'),
    ("disable", 'q'),
    ("globoff", 'g'),
    ("fail", 'f'),
    ("insecure", 'k'),
    ("include", 'i'),
    ("head", 'I'),
    ("location", 'L'),
    ("verbose", 'v'),
    ("request", 'X'),
    ("data", 'd'),
    ("data-ascii", 'd'),
    ("data-binary", '2'),
    ("header", 'H'),
    ("output", 'o'),
    ("remote-name", 'O'),
    ("write-out", 'w'),
    ("max-time", 'm'),
    ("connect-timeout", '1'),
    ("interface", '3'),
    ("user-agent", 'A'),
    ("user", 'u'),
];

/// What ends a transfer: curl's exit code and message.
#[derive(Debug, PartialEq, Eq)]
struct Ending {
    code: i32,
    message: String,
}

fn ending(code: i32, message: impl Into<String>) -> Ending {
    Ending {
        code,
        message: message.into(),
    }
}

/// `curl [OPTION...] URL...`
pub(crate) fn main(args: &[String]) -> i32 {
    let opts = match read(args.get(1..).unwrap_or_default(), OPTIONS, LONG) {
        Ok(Some(opts)) if !opts.args.is_empty() => opts,
        Ok(Some(_)) => {
            write_error("curl: (2) no URL specified\n");
            return 2;
        }
        Ok(None) => {
            let usage = "Usage: curl [-fgiIkLqsSv] [-X METHOD] [-d DATA] [-H HEADER] [-o FILE] [-w FORMAT] [-m SECONDS] URL...\n";
            return i32::from(sys::write_all(Fd::STDOUT, usage.as_bytes()).is_err());
        }
        Err(message) => {
            write_error(&format!("curl: {message}\n"));
            return 2;
        }
    };
    let mut code = 0;
    for url in &opts.args {
        let mut report = Report::default();
        let result = Transfer::new(&opts).and_then(|transfer| transfer.run(url, &mut report));
        code = 0;
        if let Err(ending) = result {
            code = ending.code;
            if !opts.has('s') || opts.has('S') {
                write_error(&format!("curl: ({}) {}\n", ending.code, ending.message));
            }
        }
        if let Some(format) = opts.value('w') {
            // Nobody can be told.
            let _ = sys::write_all(Fd::STDOUT, written(format, &report).as_bytes());
        }
    }
    code
}

/// What `-w` can tell.
#[derive(Default)]
struct Report {
    url: String,
    status: u16,
    remote: Option<SocketAddr>,
    local: Option<SocketAddr>,
    content_type: String,
    redirect: String,
    size: u64,
    connects: u32,
    time: Duration,
}

/// `-w`: variables and escapes; what is not known is left out.
fn written(format: &str, report: &Report) -> String {
    let mut out = String::new();
    let mut rest = format;
    while let Some(mut first) = rest.chars().next() {
        let after = rest.get(first.len_utf8()..).unwrap_or("");
        if let Some((name, tail)) = rest.strip_prefix("%{").and_then(|text| text.split_once('}')) {
            out.push_str(&variable(name, report));
            rest = tail;
            continue;
        }
        let escape = |letter: &str| rest.strip_prefix(letter);
        (first, rest) = if let Some(tail) = escape("\\n") {
            ('\n', tail)
        } else if let Some(tail) = escape("\\t") {
            ('\t', tail)
        } else if let Some(tail) = escape("\\r") {
            ('\r', tail)
        } else if let Some(tail) = escape("%%") {
            ('%', tail)
        } else {
            (first, after)
        };
        out.push(first);
    }
    out
}

fn variable(name: &str, report: &Report) -> String {
    let ip = |address: Option<SocketAddr>| address.map_or(String::new(), |a| a.ip().to_canonical().to_string());
    let port = |address: Option<SocketAddr>| address.map_or(0, |a| a.port()).to_string();
    match name {
        "http_code" | "response_code" => format!("{:03}", report.status),
        "url_effective" => report.url.clone(),
        "remote_ip" => ip(report.remote),
        "remote_port" => port(report.remote),
        "local_ip" => ip(report.local),
        "local_port" => port(report.local),
        "content_type" => report.content_type.clone(),
        "redirect_url" => report.redirect.clone(),
        "size_download" => report.size.to_string(),
        "num_connects" => report.connects.to_string(),
        "time_total" => format!("{:.6}", report.time.as_secs_f64()),
        _ => String::new(),
    }
}

struct Transfer<'a> {
    opts: &'a Opts,
    start: Duration,
    /// `-m`.
    most: Option<Duration>,
    connect: Option<Duration>,
    /// `--interface`.
    from: Option<IpAddr>,
    body: Option<Vec<u8>>,
}

impl<'a> Transfer<'a> {
    fn new(opts: &'a Opts) -> Result<Self, Ending> {
        let seconds = |option: char| {
            let parse = |text: &str| {
                text.parse()
                    .ok()
                    .and_then(|time| Duration::try_from_secs_f64(time).ok())
            };
            match opts.value(option).map(|text| (text, parse(text))) {
                Some((text, None)) => Err(ending(2, format!("expected a proper numerical parameter: {text}"))),
                Some((_, time)) => Ok(time.filter(|time| !time.is_zero())),
                None => Ok(None),
            }
        };
        Ok(Self {
            opts,
            start: sys::clock_monotonic(),
            most: seconds('m')?,
            connect: seconds('1')?,
            from: match opts.value('3') {
                Some(text) => Some(
                    text.parse()
                        .map_err(|_| ending(45, format!("Couldn't bind to '{text}'")))?,
                ),
                None => None,
            },
            body: body(opts)?,
        })
    }

    fn running(&self) -> Duration {
        sys::clock_monotonic().saturating_sub(self.start)
    }

    fn late(&self, what: &str) -> Ending {
        ending(
            28,
            format!("{what} timed out after {} milliseconds", self.running().as_millis()),
        )
    }

    /// What is left of `-m`.
    fn left(&self) -> Result<Option<Duration>, Ending> {
        match self.most.map(|most| most.saturating_sub(self.running())) {
            Some(left) if left.is_zero() => Err(self.late("Operation")),
            left => Ok(left),
        }
    }

    fn run(&self, text: &str, report: &mut Report) -> Result<(), Ending> {
        let result = self.follow(text, report);
        report.time = self.running();
        result
    }

    fn follow(&self, text: &str, report: &mut Report) -> Result<(), Ending> {
        let mut url = parse(text)?;
        for _ in 0..=50 {
            report.url = format!("http://{}{}", url.host_and_port(), url.path);
            let mut connection = self.connect(&url, report)?;
            let response = self.ask(&mut connection, &url)?;
            report.status = response.status;
            report.content_type = response.header("content-type").unwrap_or("").to_owned();
            let next = match response
                .header("location")
                .filter(|_| (300..400).contains(&response.status))
            {
                Some(location) => Some(url.join(location).map_err(|Failure(why)| ending(3, why))?),
                None => None,
            };
            if let Some(next) = next {
                report.redirect = format!("http://{}{}", next.host_and_port(), next.path);
                if self.opts.has('L') {
                    url = next;
                    continue;
                }
            }
            if self.opts.has('f') && response.status >= 400 {
                return Err(ending(
                    22,
                    format!("The requested URL returned error: {}", response.status),
                ));
            }
            return self.save(&mut connection, &response, &url, report);
        }
        Err(ending(47, "Maximum (50) redirects followed"))
    }

    fn connect(&self, url: &Url, report: &mut Report) -> Result<Connection, Ending> {
        let unknown = || ending(6, format!("Could not resolve host: {}", url.host));
        let found = dial::lookup(&url.host).map_err(|_| unknown())?;
        let left = self.left()?;
        let limit = match (self.connect, left) {
            (Some(connect), Some(left)) => Some(connect.min(left)),
            (connect, left) => connect.or(left),
        };
        let mut last = unknown();
        for ip in found {
            let address = SocketAddr::new(ip, url.port);
            self.tell(&format!("*   Trying {address}...\n"));
            match dial::connect_from(self.from, address, limit) {
                Ok(fd) => {
                    report.connects += 1;
                    report.remote = Some(address);
                    if let Ok(podsim_sys::SockAddr::Inet(local)) = sys::getsockname(fd) {
                        report.local = Some(local);
                    }
                    self.tell(&format!("* Connected to {} ({ip}) port {}\n", url.host, url.port));
                    // Without `-m` there is no limit; a day is as good.
                    return Ok(Connection::new(fd, left.unwrap_or(Duration::from_secs(86_400))));
                }
                Err(Errno::ETIMEDOUT) => last = self.late("Connection"),
                Err(Errno::EADDRNOTAVAIL) if self.from.is_some() => {
                    last = ending(45, "bind failed with errno 99: Cannot assign requested address");
                }
                Err(_) => {
                    last = ending(
                        7,
                        format!(
                            "Failed to connect to {} port {} after {} ms: Couldn't connect to server",
                            url.host,
                            url.port,
                            self.running().as_millis()
                        ),
                    );
                }
            }
        }
        Err(last)
    }

    /// `-v`.
    fn tell(&self, text: &str) {
        if self.opts.has('v') {
            write_error(text);
        }
    }

    fn failed(&self, Failure(why): Failure) -> Ending {
        match why.as_str() {
            "download timed out" => self.late("Operation"),
            "error getting response" => ending(52, "Empty reply from server"),
            _ => ending(56, format!("Recv failure: {why}")),
        }
    }

    fn ask(&self, connection: &mut Connection, url: &Url) -> Result<Response, Ending> {
        let head = head(self.opts, self.body.as_deref(), url);
        for line in head.split_inclusive("\r\n") {
            self.tell(&format!("> {line}"));
        }
        let sent = connection.send(head.as_bytes());
        sent.and_then(|()| connection.send(self.body.as_deref().unwrap_or_default()))
            .map_err(|Failure(why)| ending(55, format!("Send failure: {why}")))?;
        let response = connection
            .response(method(self.opts, self.body.is_some()) == "HEAD")
            .map_err(|failure| self.failed(failure))?;
        self.tell(&format!("< {}\r\n", response.status_line));
        for (name, value) in &response.headers {
            self.tell(&format!("< {name}: {value}\r\n"));
        }
        self.tell("< \r\n");
        Ok(response)
    }

    fn save(
        &self,
        connection: &mut Connection,
        response: &Response,
        url: &Url,
        report: &mut Report,
    ) -> Result<(), Ending> {
        let name = match (self.opts.value('o'), self.opts.has('O')) {
            (Some(name), _) => Some(name.to_owned()),
            (None, true) => Some(base_name(url.path.split('?').next().unwrap_or("")).to_owned()),
            (None, false) => None,
        };
        let failed = |_| ending(23, "Failure writing output to destination");
        let fd = match name.as_deref() {
            None | Some("-") => Fd::STDOUT,
            Some(name) => create(name, Mode(0o666)).map_err(failed)?,
        };
        if self.opts.has('i') || self.opts.has('I') {
            let mut head = format!("{}\r\n", response.status_line);
            for (name, value) in &response.headers {
                head.push_str(&format!("{name}: {value}\r\n"));
            }
            sys::write_all(fd, format!("{head}\r\n").as_bytes()).map_err(failed)?;
        }
        let mut buffer = [0; 8192];
        loop {
            let count = connection
                .body(response, &mut buffer)
                .map_err(|failure| self.failed(failure))?;
            if count == 0 {
                break;
            }
            report.size += count as u64;
            sys::write_all(fd, buffer.get(..count).unwrap_or_default()).map_err(failed)?;
            self.left()?;
        }
        if fd != Fd::STDOUT {
            sys::close(fd).map_err(failed)?;
        }
        Ok(())
    }
}

fn parse(text: &str) -> Result<Url, Ending> {
    match text.split_once("://") {
        Some(("http", _)) | None => {}
        Some((scheme, _)) => {
            return Err(ending(
                1,
                format!("Protocol \"{scheme}\" not supported or disabled in libcurl"),
            ));
        }
    }
    Url::parse(text).map_err(|_| ending(3, "URL using bad/illegal format or missing URL"))
}

/// All the data, joined by `&`; that of a file behind `@`, without its line ends unless it is binary.
fn body(opts: &Opts) -> Result<Option<Vec<u8>>, Ending> {
    let mut parts = Vec::new();
    for (option, value) in opts.iter().filter(|(option, _)| matches!(option, 'd' | '2')) {
        let value = value.unwrap_or("");
        parts.push(match value.strip_prefix('@') {
            None => value.as_bytes().to_vec(),
            Some(file) => {
                let file = if file == "-" { "/dev/stdin" } else { file };
                let mut content = read_file(file).map_err(|_| ending(26, format!("Failed to open {file}")))?;
                if option == 'd' {
                    content.retain(|byte| !matches!(byte, b'\r' | b'\n' | 0));
                }
                content
            }
        });
    }
    Ok((!parts.is_empty()).then(|| parts.join(&b'&')))
}

fn method(opts: &Opts, has_body: bool) -> &str {
    match opts.value('X') {
        Some(method) => method,
        None if opts.has('I') => "HEAD",
        None if has_body => "POST",
        None => "GET",
    }
}

/// The head of the request. A header of the user's replaces curl's own; one without a value takes it away.
fn head(opts: &Opts, body: Option<&[u8]>, url: &Url) -> String {
    let mut headers = vec![("Host", url.host_and_port())];
    if let Some(user) = opts.value('u') {
        headers.push(("Authorization", format!("Basic {}", base64(user.as_bytes()))));
    }
    headers.push(("User-Agent", opts.value('A').unwrap_or("curl/8.5.0").to_owned()));
    headers.push(("Accept", "*/*".to_owned()));
    if let Some(body) = body {
        headers.push(("Content-Length", body.len().to_string()));
        headers.push(("Content-Type", "application/x-www-form-urlencoded".to_owned()));
    }
    headers.push(("Connection", "close".to_owned()));
    let own: Vec<(&str, &str)> = opts.values('H').filter_map(|header| header.split_once(':')).collect();
    headers.retain(|(name, _)| !own.iter().any(|(mine, _)| mine.trim().eq_ignore_ascii_case(name)));
    let mut head = format!("{} {} HTTP/1.1\r\n", method(opts, body.is_some()), url.path);
    for (name, value) in &headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    for (name, value) in own.iter().filter(|(_, value)| !value.trim().is_empty()) {
        head.push_str(&format!("{}: {}\r\n", name.trim(), value.trim()));
    }
    head + "\r\n"
}

fn base64(bytes: &[u8]) -> String {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let byte = |index: usize| u32::from(chunk.get(index).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for index in 0..4 {
            let digit = (bits >> (18 - 6 * index) & 0x3f) as usize;
            let letter = alphabet.get(digit).copied().filter(|_| index <= chunk.len());
            out.push(letter.map_or('=', char::from));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(line: &str) -> Opts {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        read(&words, OPTIONS, LONG).unwrap().unwrap()
    }

    #[test]
    fn requests_have_curls_headers_or_the_users() {
        let url = parse("10.0.0.1:8080/a?b").unwrap();
        for (line, want) in [
            (
                "-g -q -s",
                "GET /a?b HTTP/1.1|Host: 10.0.0.1:8080|User-Agent: curl/8.5.0|Accept: */*|Connection: close||",
            ),
            (
                "-X PUT -d a=b --data c -H host:h -H Accept: -A me",
                "PUT /a?b HTTP/1.1|User-Agent: me|Content-Length: 5|Content-Type: \
                 application/x-www-form-urlencoded|Connection: close|host: h||",
            ),
            (
                "-I -u me:it",
                "HEAD /a?b HTTP/1.1|Host: 10.0.0.1:8080|Authorization: Basic bWU6aXQ=|User-Agent: curl/8.5.0|Accept: \
                 */*|Connection: close||",
            ),
        ] {
            let opts = options(line);
            let body = body(&opts).unwrap();
            assert_eq!(head(&opts, body.as_deref(), &url).replace("\r\n", "|"), want, "{line}");
        }
    }

    #[test]
    fn reports_are_written_as_they_are_asked_for() {
        let report = Report {
            status: 200,
            remote: Some(([10, 0, 0, 1], 80).into()),
            size: 5,
            ..Report::default()
        };
        assert_eq!(
            written(r"%{http_code} %{remote_ip}:%{remote_port}\n%%%{none}", &report),
            "200 10.0.0.1:80\n%"
        );
        assert_eq!(written("%{http_code} %{remote_ip}", &Report::default()), "000 ");
    }

    #[test]
    fn what_is_no_address_of_http_is_told_apart() {
        for (text, code) in [("https://h/", 1), ("ftp://h/", 1), ("http://:80/", 3)] {
            assert_eq!(parse(text).map_err(|ending| ending.code), Err(code), "{text}");
        }
        assert_eq!(
            [base64(b""), base64(b"a"), base64(b"ab"), base64(b"abc")],
            ["", "YQ==", "YWI=", "YWJj"]
        );
    }
}
