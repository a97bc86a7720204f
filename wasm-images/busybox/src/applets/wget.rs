//! `wget`: HTTP/1.1 without TLS.

mod progress;

use crate::util::files::{create, read_file, stat, write_all};
use crate::util::http::{Connection, Failure, Response, Url};
use crate::util::{Opts, base_name, dial, join, out::write_error, parse, show_usage};
use podsim_guest as sys;
use podsim_sys::{Errno, Fd, Mode, OpenFlags};
use progress::Progress;
use std::net::SocketAddr;
use std::time::Duration;

struct Wget {
    opts: Opts,
    timeout: Duration,
}

/// `wget [-cqS] [--spider] [-O FILE] [-T SEC] [--header STR] [--post-data STR] [-P DIR] [-U AGENT] URL...`
pub fn main(args: &[String]) -> i32 {
    let longs = [
        ("spider", '1'),
        ("header", '2'),
        ("post-data", '3'),
        ("post-file", '4'),
        ("no-check-certificate", '5'),
        ("quiet", 'q'),
        ("output-document", 'O'),
        ("server-response", 'S'),
        ("timeout", 'T'),
        ("tries", 't'),
        ("user-agent", 'U'),
        ("directory-prefix", 'P'),
        ("continue", 'c'),
        ("method", '6'),
    ];
    let opts = match parse(args, "cqSO:o:P:U:Y:T:t:n:12:3:4:56:", &longs) {
        Ok(opts) => opts,
        Err(code) => return code,
    };
    if opts.args.is_empty() {
        return show_usage("wget");
    }
    let timeout = match opts.value('T').map(str::parse) {
        None => 900,
        Some(Ok(seconds)) => seconds,
        Some(Err(_)) => {
            crate::complain!("wget", "invalid number '{}'", opts.value('T').unwrap_or(""));
            return 1;
        }
    };
    let urls = opts.args.clone();
    let wget = Wget {
        opts,
        timeout: Duration::from_secs(timeout),
    };
    for url in urls {
        if let Err(Failure(message)) = wget.fetch(&url) {
            crate::complain!("wget", "{message}");
            return 1;
        }
    }
    0
}

const MOST_REDIRECTS: u32 = 10;

impl Wget {
    fn talk(&self, text: &str) {
        if !self.opts.has('q') {
            write_error(text);
        }
    }

    fn fetch(&self, text: &str) -> Result<(), Failure> {
        let mut url = Url::parse(text)?;
        let name = self.file_name(&url);
        let to_stdout = name == "-";
        let have = if self.opts.has('c') && !to_stdout {
            stat(&name).map_or(0, |stat| stat.size)
        } else {
            0
        };
        for _ in 0..=MOST_REDIRECTS {
            let mut connection = self.connect(&url)?;
            let response = self.ask(&mut connection, &url, have)?;
            match response.status {
                301 | 302 | 303 | 307 | 308 => {
                    let Some(location) = response.header("location") else {
                        return Err(Failure::new("redirection without location"));
                    };
                    url = url.join(location)?;
                }
                200..=299 => return self.save(&mut connection, &response, &name, have),
                _ => return Err(Failure(format!("server returned error: {}", response.status_line))),
            }
        }
        Err(Failure::new("too many redirections"))
    }

    fn file_name(&self, url: &Url) -> String {
        if let Some(name) = self.opts.value('O') {
            return name.to_owned();
        }
        let path = url.path.split(['?', '#']).next().unwrap_or("");
        let name = if path.ends_with('/') {
            "index.html"
        } else {
            base_name(path)
        };
        join(self.opts.value('P').unwrap_or(""), name)
    }

    fn connect(&self, url: &Url) -> Result<Connection, Failure> {
        let found = dial::lookup(&url.host).unwrap_or_default();
        let Some(first) = found.first() else {
            return Err(Failure(format!("bad address '{}'", url.host_and_port())));
        };
        let address = SocketAddr::new(*first, url.port);
        self.talk(&format!("Connecting to {} ({address})\n", url.host_and_port()));
        match dial::connect(address, Some(self.timeout)) {
            Ok(fd) => Ok(Connection::new(fd, self.timeout)),
            Err(Errno::ETIMEDOUT) => Err(Failure::new("download timed out")),
            Err(error) => Err(Failure(format!("can't connect to remote host ({first}): {error}"))),
        }
    }

    fn ask(&self, connection: &mut Connection, url: &Url, have: u64) -> Result<Response, Failure> {
        let body = match (self.opts.value('3'), self.opts.value('4')) {
            (Some(data), _) => Some(data.as_bytes().to_vec()),
            (None, Some(file)) => {
                Some(read_file(file).map_err(|error| Failure(format!("can't open '{file}': {error}")))?)
            }
            (None, None) => None,
        };
        let headers: Vec<&str> = self.opts.values('2').collect();
        let own = |name: &str| {
            let named = |header: &&str| {
                header
                    .split(':')
                    .next()
                    .is_some_and(|n| n.trim().eq_ignore_ascii_case(name))
            };
            headers.iter().any(named)
        };
        let method = match self.opts.value('6') {
            Some(method) => method,
            None if body.is_some() => "POST",
            None if self.opts.has('1') => "HEAD",
            None => "GET",
        };
        let mut request = format!("{method} {} HTTP/1.1\r\n", url.path);
        if !own("host") {
            request.push_str(&format!("Host: {}\r\n", url.host_and_port()));
        }
        if !own("user-agent") {
            request.push_str(&format!("User-Agent: {}\r\n", self.opts.value('U').unwrap_or("Wget")));
        }
        request.push_str("Connection: close\r\n");
        if have > 0 {
            request.push_str(&format!("Range: bytes={have}-\r\n"));
        }
        for header in &headers {
            request.push_str(&format!("{header}\r\n"));
        }
        if let Some(body) = &body {
            if !own("content-type") {
                request.push_str("Content-Type: application/x-www-form-urlencoded\r\n");
            }
            request.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        request.push_str("\r\n");
        connection.send(request.as_bytes())?;
        connection.send(&body.unwrap_or_default())?;
        let response = connection.response(method == "HEAD")?;
        if self.opts.has('S') {
            write_error(&format!("  {}\n", response.status_line));
            for (name, value) in &response.headers {
                write_error(&format!("  {name}: {value}\n"));
            }
            write_error("  \n");
        }
        Ok(response)
    }

    fn save(&self, connection: &mut Connection, response: &Response, name: &str, have: u64) -> Result<(), Failure> {
        if self.opts.has('1') {
            self.talk("remote file exists\n");
            return Ok(());
        }
        let to_stdout = name == "-";
        let resumed = have > 0 && response.status == 206;
        let fd = if to_stdout {
            Fd::STDOUT
        } else {
            let opened = match (resumed, self.opts.has('O')) {
                (true, _) => sys::openat(
                    Fd::CWD,
                    name,
                    OpenFlags::WRONLY | OpenFlags::APPEND | OpenFlags::CLOEXEC,
                    Mode(0),
                ),
                (_, true) => create(name, Mode(0o666)),
                // Nothing is overwritten that was not named.
                _ => sys::openat(
                    Fd::CWD,
                    name,
                    OpenFlags::WRONLY | OpenFlags::CREAT | OpenFlags::EXCL | OpenFlags::CLOEXEC,
                    Mode(0o666),
                ),
            };
            opened.map_err(|error| Failure(format!("can't open '{name}': {error}")))?
        };
        let start = if resumed { have } else { 0 };
        let shown = if to_stdout { "-" } else { base_name(name) };
        self.talk(&if to_stdout {
            "writing to stdout\n".to_owned()
        } else {
            format!("saving to '{name}'\n")
        });
        let mut progress = Progress::new(
            shown,
            response.length.map(|length| length + start),
            start,
            !self.opts.has('q'),
        );
        let mut buffer = [0; 8192];
        loop {
            let count = connection.body(response, &mut buffer)?;
            if count == 0 {
                break;
            }
            let bytes = buffer.get(..count).unwrap_or_default();
            write_all(fd, bytes).map_err(|error| Failure(format!("write error: {error}")))?;
            progress.more(count);
        }
        progress.done();
        if to_stdout {
            self.talk("written to stdout\n");
        } else {
            let _ = sys::close(fd);
            self.talk(&format!("'{name}' saved\n"));
        }
        Ok(())
    }
}
