//! Answers: heads in nginx's order, and its error pages.

use crate::config::Settings;
use busybox::util::clock::{self, Date};
use podsim_sys::Fd;

/// The version that is shown.
pub(crate) const VERSION: &str = "1.27.5";

/// What is sent back.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) content_type: Option<String>,
    pub(crate) body: Body,
    pub(crate) last_modified: Option<i64>,
    pub(crate) etag: Option<String>,
    pub(crate) location: Option<String>,
    /// First byte, last byte, size of the whole.
    pub(crate) range: Option<(u64, u64, u64)>,
    pub(crate) allow: Option<&'static str>,
    /// Whether parts of this file can be asked for.
    pub(crate) ranges: bool,
}

/// The body of an answer.
#[derive(Debug)]
pub(crate) enum Body {
    None,
    Bytes(Vec<u8>),
    /// An open file, where to begin, and how much.
    File(Fd, u64, u64),
}

impl Body {
    pub(crate) fn length(&self) -> u64 {
        match self {
            Body::None => 0,
            Body::Bytes(bytes) => bytes.len() as u64,
            Body::File(_, _, length) => *length,
        }
    }
}

impl Response {
    pub(crate) fn new(status: u16) -> Self {
        Self {
            status,
            content_type: None,
            body: Body::None,
            last_modified: None,
            etag: None,
            location: None,
            range: None,
            allow: None,
            ranges: false,
        }
    }

    /// nginx's own page for a status.
    pub(crate) fn page(status: u16, settings: &Settings) -> Self {
        let text = reason(status);
        let name = if settings.server_tokens {
            format!("nginx/{VERSION}")
        } else {
            "nginx".to_owned()
        };
        let title = if text.is_empty() {
            status.to_string()
        } else {
            format!("{status} {text}")
        };
        let page = format!(
            "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n\
             <hr><center>{name}</center>\r\n</body>\r\n</html>\r\n"
        );
        Self {
            content_type: Some("text/html".to_owned()),
            body: Body::Bytes(page.into_bytes()),
            ..Self::new(status)
        }
    }

    /// The head, with the empty line behind it.
    pub(crate) fn head(&self, settings: &Settings, keep_alive: bool, headers: &[(String, String)]) -> String {
        let text = reason(self.status);
        let space = if text.is_empty() { "" } else { " " };
        let mut head = format!("HTTP/1.1 {}{space}{text}\r\n", self.status);
        let mut add = |name: &str, value: &str| head.push_str(&format!("{name}: {value}\r\n"));
        add(
            "Server",
            &if settings.server_tokens {
                format!("nginx/{VERSION}")
            } else {
                "nginx".to_owned()
            },
        );
        add("Date", &http_date(&clock::now()));
        let bodyless = self.status == 304 || self.status == 204;
        if let Some(kind) = &self.content_type
            && !bodyless
        {
            match &settings.charset {
                Some(charset) if kind.starts_with("text/") => {
                    add("Content-Type", &format!("{kind}; charset={charset}"))
                }
                _ => add("Content-Type", kind),
            }
        }
        if !bodyless {
            add("Content-Length", &self.body.length().to_string());
        }
        if let Some(seconds) = self.last_modified {
            add("Last-Modified", &http_date(&Date::from_seconds(seconds)));
        }
        if let Some(location) = &self.location {
            add("Location", location);
        }
        add("Connection", if keep_alive { "keep-alive" } else { "close" });
        if let Some(etag) = &self.etag {
            add("ETag", etag);
        }
        for (name, value) in headers {
            add(name, value);
        }
        if let Some(methods) = self.allow {
            add("Allow", methods);
        }
        match self.range {
            Some((_, _, size)) if self.status == 416 => add("Content-Range", &format!("bytes */{size}")),
            Some((first, last, size)) => add("Content-Range", &format!("bytes {first}-{last}/{size}")),
            None if self.ranges && self.status == 200 => add("Accept-Ranges", "bytes"),
            None => {}
        }
        head.push_str("\r\n");
        head
    }
}

/// RFC 9110's `Sun, 06 Nov 1994 08:49:37 GMT`.
pub(crate) fn http_date(date: &Date) -> String {
    date.format("%a, %d %b %Y %H:%M:%S GMT")
}

/// nginx's words for a status; none for those that it does not know.
pub(crate) fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        206 => "Partial Content",
        301 => "Moved Permanently",
        302 => "Moved Temporarily",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Not Allowed",
        406 => "Not Acceptable",
        408 => "Request Time-out",
        409 => "Conflict",
        410 => "Gone",
        411 => "Length Required",
        412 => "Precondition Failed",
        413 => "Request Entity Too Large",
        414 => "Request-URI Too Large",
        415 => "Unsupported Media Type",
        416 => "Requested Range Not Satisfiable",
        421 => "Misdirected Request",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Temporarily Unavailable",
        504 => "Gateway Time-out",
        505 => "HTTP Version Not Supported",
        507 => "Insufficient Storage",
        _ => "",
    }
}
