//! Static files: types, conditions (RFC 9110, section 13), ranges, index files and listings.

use crate::config::{Level, Settings};
use crate::request::Request;
use crate::response::{Body, Response, http_date};
use busybox::util::clock::Date;
use busybox::util::files::{read_dir, stat};
use podsim_guest as sys;
use podsim_sys::{Errno, Fd, FileType, Mode, OpenFlags, Stat};

/// What came of a path.
pub(crate) enum Served {
    Answer(Response),
    /// The index file's path, to be looked up once more.
    Index(String),
    /// A directory that was asked for without its slash.
    AddSlash,
    /// The status, and what the error log says.
    Failed(u16, Level, String),
}

/// Answers with the file at `file`, which stands for the path `path`.
pub(crate) fn serve(request: &Request, path: &str, file: &str, settings: &Settings) -> Served {
    let safe = request.method == "GET" || request.method == "HEAD";
    if path.ends_with('/') {
        return directory(safe, path, file, settings);
    }
    if !safe {
        return Served::Answer(Response::page(405, settings));
    }
    let fd = match sys::openat(Fd::CWD, file, OpenFlags::NONBLOCK | OpenFlags::CLOEXEC, Mode(0)) {
        Ok(fd) => fd,
        Err(error) => return failed("open", file, error),
    };
    let answer = match sys::fstat(fd) {
        Err(error) => failed("fstat", file, error),
        Ok(stat) => match stat.file_type {
            FileType::Directory => Served::AddSlash,
            FileType::Regular => return Served::Answer(regular(request, fd, &stat, path, settings)),
            _ => Served::Failed(404, Level::Crit, format!("\"{file}\" is not a regular file")),
        },
    };
    let _ = sys::close(fd);
    answer
}

fn failed(call: &str, file: &str, error: Errno) -> Served {
    let status = match error {
        Errno::ENOENT | Errno::ENOTDIR | Errno::ENAMETOOLONG => 404,
        Errno::EACCES | Errno::ELOOP => 403,
        _ => 500,
    };
    let level = if status == 500 { Level::Crit } else { Level::Error };
    Served::Failed(
        status,
        level,
        format!("{call}() \"{file}\" failed ({}: {error})", error.0),
    )
}

fn directory(safe: bool, path: &str, file: &str, settings: &Settings) -> Served {
    for index in &settings.index {
        if index.starts_with('/') {
            return Served::Index(index.clone());
        }
        if stat(&format!("{file}{index}")).is_ok_and(|stat| stat.file_type == FileType::Regular) {
            return Served::Index(format!("{path}{index}"));
        }
    }
    if let Err(error) = stat(file) {
        return match settings.index.first() {
            // nginx tells about the index file that it did not find.
            Some(index) => failed("open", &format!("{file}{index}"), error),
            None => failed("open", file, error),
        };
    }
    if !safe {
        return Served::Answer(Response::page(405, settings));
    }
    if settings.autoindex {
        return match listing(path, file) {
            Ok(page) => Served::Answer(Response {
                content_type: Some("text/html".to_owned()),
                body: Body::Bytes(page.into_bytes()),
                ..Response::new(200)
            }),
            Err(error) => failed("opendir", file, error),
        };
    }
    Served::Failed(403, Level::Error, format!("directory index of \"{file}\" is forbidden"))
}

fn regular(request: &Request, fd: Fd, stat: &Stat, path: &str, settings: &Settings) -> Response {
    let seconds = i64::try_from(stat.mtime.as_secs()).unwrap_or(0);
    let etag = format!("\"{seconds:x}-{:x}\"", stat.size);
    let mut response = Response {
        content_type: Some(content_type(path, settings)),
        body: Body::File(fd, 0, stat.size),
        last_modified: Some(seconds),
        etag: settings.etag.then(|| etag.clone()),
        ranges: true,
        ..Response::new(200)
    };
    let modified = http_date(&Date::from_seconds(seconds));
    let same = match request.header("if-none-match") {
        Some(tags) => tags
            .split(',')
            .any(|tag| matches!(tag.trim(), "*") || tag.trim().trim_start_matches("W/") == etag),
        // "exact", nginx's default: another date means another file, later or not.
        None => request.header("if-modified-since").is_some_and(|date| date == modified),
    };
    if same {
        let _ = sys::close(fd);
        response.status = 304;
        response.body = Body::None;
        return response;
    }
    let fresh = request
        .header("if-range")
        .is_none_or(|value| value == etag || value == modified);
    if let Some(value) = request.header("range").filter(|_| fresh) {
        match range(value, stat.size) {
            Some(Ok((first, last))) => {
                response.status = 206;
                response.range = Some((first, last, stat.size));
                response.body = Body::File(fd, first, last - first + 1);
            }
            Some(Err(())) => {
                let _ = sys::close(fd);
                response = Response::page(416, settings);
                response.range = Some((0, 0, stat.size));
            }
            None => {}
        }
    }
    response
}

/// `bytes=FIRST-LAST`: `None` is to be ignored (several ranges too), an error cannot be satisfied.
fn range(value: &str, size: u64) -> Option<Result<(u64, u64), ()>> {
    let spec = value.strip_prefix("bytes=")?.trim();
    let (first, last) = spec.split_once('-')?;
    let (first, last) = match (first.trim(), last.trim()) {
        ("", suffix) => {
            let length: u64 = suffix.parse().ok()?;
            if length == 0 {
                return Some(Err(()));
            }
            (size.saturating_sub(length), size.saturating_sub(1))
        }
        (first, "") => (first.parse().ok()?, size.saturating_sub(1)),
        (first, last) => (
            first.parse().ok()?,
            last.parse::<u64>().ok()?.min(size.saturating_sub(1)),
        ),
    };
    Some(if first >= size || last < first {
        Err(())
    } else {
        Ok((first, last))
    })
}

fn content_type(path: &str, settings: &Settings) -> String {
    let name = path.rsplit('/').next().unwrap_or("");
    let extension = name
        .rsplit_once('.')
        .map(|(_, extension)| extension.to_ascii_lowercase());
    let found = extension.and_then(|extension| settings.types.get(&extension));
    found.unwrap_or(&settings.default_type).clone()
}

/// The page of `autoindex on`: directories first, then files, with date and size.
fn listing(path: &str, file: &str) -> Result<String, Errno> {
    let mut entries: Vec<(String, Stat)> = read_dir(file)?
        .into_iter()
        .filter(|entry| !entry.name.starts_with('.'))
        .filter_map(|entry| Some((entry.name.clone(), stat(&format!("{file}{}", entry.name)).ok()?)))
        .collect();
    entries.sort_by(|(a, x), (b, y)| {
        let file = |stat: &Stat| stat.file_type != FileType::Directory;
        file(x).cmp(&file(y)).then_with(|| a.cmp(b))
    });
    let title = escape_html(path);
    let mut page = format!(
        "<html>\r\n<head><title>Index of {title}</title></head>\r\n<body>\r\n<h1>Index of {title}</h1><hr><pre><a href=\"../\">../</a>\r\n"
    );
    for (name, stat) in entries {
        let directory = stat.file_type == FileType::Directory;
        let shown = if directory { format!("{name}/") } else { name };
        let length = shown.chars().count();
        let (text, pad) = if length > 50 {
            (
                format!("{}..&gt;", escape_html(&shown.chars().take(47).collect::<String>())),
                0,
            )
        } else {
            (escape_html(&shown), 50 - length)
        };
        let date = Date::from_epoch(stat.mtime).format("%d-%b-%Y %H:%M");
        let size = if directory {
            "-".to_owned()
        } else {
            stat.size.to_string()
        };
        let link = escape_uri(&shown);
        page.push_str(&format!(
            "<a href=\"{link}\">{text}</a>{} {date} {size:>19}\r\n",
            " ".repeat(pad)
        ));
    }
    page.push_str("</pre><hr></body>\r\n</html>\r\n");
    Ok(page)
}

fn escape_html(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

fn escape_uri(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/!$&'()*+,;=@".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read() {
        for (value, want) in [
            ("bytes=0-3", Some(Ok((0, 3)))),
            ("bytes=4-", Some(Ok((4, 9)))),
            ("bytes=-3", Some(Ok((7, 9)))),
            ("bytes=-30", Some(Ok((0, 9)))),
            ("bytes=5-99", Some(Ok((5, 9)))),
            ("bytes=10-", Some(Err(()))),
            ("bytes=3-1", Some(Err(()))),
            ("bytes=-0", Some(Err(()))),
            ("bytes=0-1,3-4", None),
            ("lines=1-2", None),
            ("bytes=a-b", None),
        ] {
            assert_eq!(range(value, 10), want, "{value}");
        }
        assert_eq!(range("bytes=0-", 0), Some(Err(())));
    }

    #[test]
    fn names_are_escaped_in_links() {
        assert_eq!(escape_uri("a b?.txt"), "a%20b%3F.txt");
    }
}
