//! Answers, with the headers that Go's server adds.

use super::Request;
use crate::golang;
use busybox::util::clock::Date;

/// A whole answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
}

const PLAIN: &str = "text/plain; charset=utf-8";

impl Answer {
    /// Some text, whose type is guessed as Go guesses it.
    pub(crate) fn text(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: body.into(),
        }
    }

    /// `http.Error`.
    pub(crate) fn error(status: u16, message: &str) -> Self {
        Self::text(status, format!("{message}\n"))
            .with("Content-Type", PLAIN)
            .with("X-Content-Type-Options", "nosniff")
    }

    /// `http.Redirect`.
    pub(crate) fn redirect(request: &Request, location: &str, status: u16) -> Self {
        let mut location = location.to_owned();
        // What is relative is relative to the request's directory.
        if !location.contains("://") && !location.starts_with('/') {
            let directory = request.path.rsplit_once('/').map_or("", |(directory, _)| directory);
            location = format!("{directory}/{location}");
        }
        let answer = Self::text(status, "").with("Location", &location);
        match request.method.as_str() {
            "GET" | "HEAD" => {
                let shown = location.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
                let shown = shown.replace('"', "&#34;").replace('\'', "&#39;");
                let link = format!("<a href=\"{shown}\">{}</a>.\n\n", reason(status).unwrap_or(""));
                Self {
                    body: if request.method == "GET" {
                        link.into_bytes()
                    } else {
                        Vec::new()
                    },
                    ..answer.with("Content-Type", "text/html; charset=utf-8")
                }
            }
            _ => answer,
        }
    }

    /// With one more header.
    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// Whether the service itself says that the connection ends.
    pub(crate) fn closes(&self) -> bool {
        let is_close = |(name, value): &(&str, String)| *name == "Connection" && value == "close";
        self.headers.iter().any(is_close)
    }

    /// The bytes on the wire.
    pub(crate) fn bytes(mut self, head_only: bool, keep_alive: bool, minor: u8) -> Vec<u8> {
        let body = std::mem::take(&mut self.body);
        let has_body = self.has_body();
        let length = has_body.then_some(body.len());
        let mut bytes = self.head(length, &body, keep_alive, minor);
        if has_body && !head_only {
            bytes.extend(body);
        }
        bytes
    }

    /// The head of an answer whose body comes in chunks; a client of HTTP/1.0 reads to the end of the connection.
    pub(crate) fn chunked_head(self, keep_alive: bool, minor: u8) -> Vec<u8> {
        let answer = if minor == 0 {
            self
        } else {
            self.with("Transfer-Encoding", "chunked")
        };
        answer.head(None, b" ", keep_alive, minor)
    }

    fn has_body(&self) -> bool {
        self.status >= 200 && self.status != 204 && self.status != 304
    }

    /// In the order in which Go writes it. The type is guessed from the beginning of the body.
    fn head(mut self, length: Option<usize>, body: &[u8], keep_alive: bool, minor: u8) -> Vec<u8> {
        self.headers.sort_by_key(|(name, _)| *name);
        let has = |name: &str| self.headers.iter().any(|(known, _)| *known == name);
        let mut head = status_line(self.status);
        for (name, value) in &self.headers {
            // A line feed would begin a header of its own.
            head.push_str(&format!("{name}: {}\r\n", value.replace(['\r', '\n'], " ")));
        }
        head.push_str(&format!(
            "Date: {}\r\n",
            Date::from_epoch(golang::now()).format("%a, %d %b %Y %H:%M:%S GMT")
        ));
        if let Some(length) = length {
            head.push_str(&format!("Content-Length: {length}\r\n"));
        }
        if self.has_body() && !body.is_empty() && !has("Content-Type") {
            head.push_str(&format!("Content-Type: {}\r\n", detect(body)));
        }
        if !keep_alive && !has("Connection") {
            head.push_str("Connection: close\r\n");
        } else if keep_alive && minor == 0 {
            head.push_str("Connection: keep-alive\r\n");
        }
        head.push_str("\r\n");
        head.into_bytes()
    }
}

fn status_line(status: u16) -> String {
    match reason(status) {
        Some(reason) => format!("HTTP/1.1 {status} {reason}\r\n"),
        None => format!("HTTP/1.1 {status} status code {status}\r\n"),
    }
}

/// A short form of `http.DetectContentType`: a page, text, or bytes.
fn detect(body: &[u8]) -> &'static str {
    let start = body.get(..body.len().min(512)).unwrap_or_default();
    let text = start.trim_ascii_start().to_ascii_lowercase();
    let pages: [&[u8]; 6] = [b"<!doctype html", b"<html", b"<head", b"<body", b"<!--", b"<title"];
    if pages.iter().any(|page| text.starts_with(page)) {
        return "text/html; charset=utf-8";
    }
    let binary = |byte: &u8| matches!(byte, 0..=8 | 0xb | 0xe..=0x1a | 0x1c..=0x1f);
    if start.iter().any(binary) {
        "application/octet-stream"
    } else {
        PLAIN
    }
}

/// `http.StatusText`.
pub(crate) fn reason(status: u16) -> Option<&'static str> {
    Some(match status {
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        206 => "Partial Content",
        300 => "Multiple Choices",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        412 => "Precondition Failed",
        413 => "Request Entity Too Large",
        415 => "Unsupported Media Type",
        417 => "Expectation Failed",
        418 => "I'm a teapot",
        422 => "Unprocessable Entity",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without the date, which is another one every time.
    fn wire(answer: Answer, head_only: bool, keep_alive: bool, minor: u8) -> String {
        let text = String::from_utf8(answer.bytes(head_only, keep_alive, minor)).unwrap();
        let lines = text.split_inclusive("\r\n").filter(|line| !line.starts_with("Date: "));
        lines.collect::<String>().replace("\r\n", "|")
    }

    #[test]
    fn answers_have_gos_headers() {
        let plain = "Content-Type: text/plain; charset=utf-8|";
        for (answer, head_only, keep_alive, minor, want) in [
            (
                Answer::text(200, "ok"),
                false,
                true,
                1,
                format!("HTTP/1.1 200 OK|Content-Length: 2|{plain}|ok"),
            ),
            (
                Answer::text(200, "ok"),
                true,
                true,
                1,
                format!("HTTP/1.1 200 OK|Content-Length: 2|{plain}|"),
            ),
            (
                Answer::text(204, ""),
                false,
                true,
                1,
                "HTTP/1.1 204 No Content||".to_owned(),
            ),
            (
                Answer::text(412, ""),
                false,
                false,
                1,
                "HTTP/1.1 412 Precondition Failed|Content-Length: 0|Connection: close||".to_owned(),
            ),
            (
                Answer::error(400, "no"),
                false,
                true,
                0,
                format!(
                    "HTTP/1.1 400 Bad Request|{plain}X-Content-Type-Options: nosniff|Content-Length: 3|Connection: keep-alive||no\n"
                ),
            ),
            (
                Answer::redirect(&Request::get("/a/b"), "c?d&e", 302),
                false,
                true,
                1,
                "HTTP/1.1 302 Found|Content-Type: text/html; charset=utf-8|Location: /a/c?d&e|Content-Length: 35||<a \
                 href=\"/a/c?d&amp;e\">Found</a>.\n\n"
                    .to_owned(),
            ),
            (
                Answer::text(200, "").with("X", "a\r\nSet: b"),
                false,
                true,
                1,
                "HTTP/1.1 200 OK|X: a  Set: b|Content-Length: 0||".to_owned(),
            ),
        ] {
            assert_eq!(wire(answer, head_only, keep_alive, minor), want);
        }
    }
}
