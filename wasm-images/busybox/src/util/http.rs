//! URLs, and the client's half of HTTP/1.1.

use super::dial;
use crate::util::files::{read_some, write_all};
use podsim_guest as sys;
use podsim_sys::{Fd, PollEvents};
use std::time::Duration;

/// What ends an exchange, in words that go behind the applet's name.
#[derive(Debug)]
pub struct Failure(pub String);

impl Failure {
    /// From words.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

/// `http://HOST[:PORT]/PATH`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    pub host: String,
    pub port: u16,
    /// With the query.
    pub path: String,
}

impl Url {
    pub fn parse(text: &str) -> Result<Self, Failure> {
        let rest = match text.split_once("://") {
            Some(("http", rest)) => rest,
            Some(_) => return Err(Failure(format!("not an http or ftp url: {text}"))),
            None => text,
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        let (host, port) = dial::split_host_port(authority);
        let port = match port {
            None => 80,
            Some(port) => dial::port(port).ok_or_else(|| Failure(format!("bad port spec '{authority}'")))?,
        };
        if host.is_empty() || host.contains(char::is_whitespace) {
            return Err(Failure(format!("bad address '{host}'")));
        }
        let path = path.split('#').next().unwrap_or("").replace(' ', "%20");
        let path = if path.starts_with('/') {
            path
        } else {
            format!("/{path}")
        };
        Ok(Self {
            host: host.to_owned(),
            port,
            path,
        })
    }

    /// Where a `Location` leads.
    pub fn join(&self, location: &str) -> Result<Self, Failure> {
        if location.contains("://") {
            return Self::parse(location);
        }
        let path = if location.starts_with('/') {
            location.to_owned()
        } else {
            let folder = self
                .path
                .split('?')
                .next()
                .unwrap_or("")
                .rsplit_once('/')
                .map_or("", |(folder, _)| folder);
            format!("{folder}/{location}")
        };
        Ok(Self { path, ..self.clone() })
    }

    pub fn host_and_port(&self) -> String {
        let host = if self.host.contains(':') {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        };
        if self.port == 80 {
            host
        } else {
            format!("{host}:{}", self.port)
        }
    }
}

/// The head of an answer.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub status_line: String,
    pub headers: Vec<(String, String)>,
    /// How long the body is; `None` is "to the end".
    pub length: Option<u64>,
    chunked: bool,
}

impl Response {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

/// A connection, closed in the end.
pub struct Connection {
    fd: Fd,
    timeout: Duration,
    buffer: Vec<u8>,
    /// What is left of the body, or of the chunk.
    left: Option<u64>,
    ended: bool,
}

impl Drop for Connection {
    fn drop(&mut self) {
        let _ = sys::close(self.fd);
    }
}

const MOST_HEAD: usize = 64 * 1024;

impl Connection {
    pub fn new(fd: Fd, timeout: Duration) -> Self {
        Self {
            fd,
            timeout,
            buffer: Vec::new(),
            left: None,
            ended: false,
        }
    }

    pub fn send(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        write_all(self.fd, bytes).map_err(|error| Failure(format!("write error: {error}")))
    }

    /// Reads more into the buffer; `false` at the end.
    fn fill(&mut self) -> Result<bool, Failure> {
        let wrong = |error| Failure(format!("error getting response: {error}"));
        if !dial::wait_for(self.fd, PollEvents::IN, Some(self.timeout)).map_err(wrong)? {
            return Err(Failure::new("download timed out"));
        }
        let mut chunk = [0; 8192];
        let count = read_some(self.fd, &mut chunk).map_err(wrong)?;
        self.buffer.extend_from_slice(chunk.get(..count).unwrap_or_default());
        Ok(count > 0)
    }

    fn line(&mut self) -> Result<String, Failure> {
        loop {
            if let Some(at) = self.buffer.iter().position(|b| *b == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=at).collect();
                return Ok(String::from_utf8_lossy(&line).trim_end().to_owned());
            }
            if self.buffer.len() > MOST_HEAD || !self.fill()? {
                return Err(Failure::new("error getting response"));
            }
        }
    }

    pub fn response(&mut self, head_only: bool) -> Result<Response, Failure> {
        loop {
            let response = self.one_response()?;
            if response.status >= 200 {
                let bodyless = head_only || response.status == 204 || response.status == 304;
                self.ended = bodyless;
                self.left = if response.chunked { Some(0) } else { response.length };
                return Ok(response);
            }
        }
    }

    fn one_response(&mut self) -> Result<Response, Failure> {
        let status_line = self.line()?;
        let status = status_line
            .strip_prefix("HTTP/")
            .and_then(|rest| rest.split_whitespace().nth(1)?.parse().ok())
            .ok_or_else(|| Failure(format!("bad response: {status_line}")))?;
        let mut response = Response {
            status,
            status_line,
            headers: Vec::new(),
            length: None,
            chunked: false,
        };
        loop {
            let line = self.line()?;
            if line.is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(':').filter(|_| response.headers.len() < 200) {
                response.headers.push((name.to_owned(), value.trim().to_owned()));
            }
        }
        response.chunked = response
            .header("transfer-encoding")
            .is_some_and(|v| v.eq_ignore_ascii_case("chunked"));
        if !response.chunked {
            response.length = response.header("content-length").and_then(|value| value.parse().ok());
        }
        Ok(response)
    }

    /// Reads some of the body; 0 is its end.
    pub fn body(&mut self, response: &Response, buf: &mut [u8]) -> Result<usize, Failure> {
        if self.ended {
            return Ok(0);
        }
        if response.chunked && self.left == Some(0) {
            let size = self.line()?;
            let size = if size.is_empty() { self.line()? } else { size };
            let digits = size.split(';').next().unwrap_or("").trim();
            let size = u64::from_str_radix(digits, 16).map_err(|_| Failure::new("bad chunk length"))?;
            self.left = Some(size);
            self.ended = size == 0;
        }
        if self.left == Some(0) {
            return Ok(0);
        }
        if self.buffer.is_empty() && !self.fill()? {
            self.ended = true;
            return match self.left {
                None => Ok(0),
                Some(_) => Err(Failure::new("connection closed prematurely")),
            };
        }
        let most = usize::try_from(self.left.unwrap_or(u64::MAX)).unwrap_or(usize::MAX);
        let count = most.min(self.buffer.len()).min(buf.len());
        for (to, from) in buf.iter_mut().zip(self.buffer.drain(..count)) {
            *to = from;
        }
        self.left = self.left.map(|left| left - count as u64);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        for (text, want) in [
            ("http://web", Some(("web", 80, "/"))),
            ("web:8080/a?b=c#d", Some(("web", 8080, "/a?b=c"))),
            ("http://u:p@h/x y", Some(("h", 80, "/x%20y"))),
            ("http://[::1]:81/", Some(("::1", 81, "/"))),
            ("https://web/", None),
            ("http://:80/", None),
            ("http://web:99999/", None),
        ] {
            let url = Url::parse(text).ok();
            assert_eq!(
                url.as_ref().map(|u| (u.host.as_str(), u.port, u.path.as_str())),
                want,
                "{text}"
            );
        }
    }
}
