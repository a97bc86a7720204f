//! `test-webserver`: all files of the container over HTTP, as Go's `http.FileServer` has them.

use crate::command::{Command, Flags, Value, flag};
use crate::golang::fatal;
use crate::http::{Answer, Request, Server, Service, Step};
use busybox::util::clock::Date;
use busybox::util::files::{is_dir, read_dir, read_file, stat};
use podsim_sys::{Errno, FileType};

pub(crate) static COMMAND: Command = Command {
    name: "test-webserver",
    about: "Starts a simple HTTP fileserver",
    flags: &[flag("port", Value::Int(80), "Port number.")],
    takes_args: false,
    run,
};

fn run(flags: &Flags) -> i32 {
    let serve = || {
        let mut server = Server::default();
        server.http(None, crate::netexec::port(flags.int("port"))?)?;
        Ok(server)
    };
    match serve() {
        Ok(server) => server.run(&mut Files),
        Err::<_, String>(message) => fatal(&message),
    }
}

struct Files;

impl Service for Files {
    fn request(&mut self, _: u16, request: &Request) -> Vec<Step> {
        answer(request)
            .with("Cache-Control", "private")
            .with("Access-Control-Allow-Origin", "*")
            .with("Access-Control-Allow-Credentials", "true")
            .with("Access-Control-Allow-Methods", "GET, POST, OPTIONS")
            .with(
                "Access-Control-Allow-Headers",
                "DNT,X-Mx-ReqToken,Keep-Alive,User-Agent,X-Requested-With,Cache-Control,Content-Type",
            )
            .into()
    }
}

fn answer(request: &Request) -> Answer {
    let path = clean(&request.path);
    // The index has one address only: its directory's.
    if request.path.ends_with("/index.html") {
        return moved("./");
    }
    let found = match stat(&path) {
        Ok(found) => found,
        Err(Errno::EACCES) => return Answer::error(403, "403 Forbidden"),
        Err(_) => return Answer::error(404, "404 page not found"),
    };
    let name = path.rsplit('/').next().unwrap_or("");
    match (found.file_type, request.path.ends_with('/')) {
        (FileType::Directory, false) => moved(&format!("{name}/")),
        (FileType::Directory, true) => {
            let index = format!("{}/index.html", path.trim_end_matches('/'));
            match stat(&index) {
                Ok(found) if found.file_type == FileType::Regular => file(&index, found.mtime),
                _ => directory(&path),
            }
        }
        (FileType::Regular, true) => moved(&format!("../{name}")),
        (FileType::Regular, false) => file(&path, found.mtime),
        // Reading from a pipe or a device would stop the server.
        _ => Answer::error(403, "403 Forbidden"),
    }
}

fn moved(location: &str) -> Answer {
    Answer::text(301, "").with("Location", location)
}

/// `path.Clean`: without empty parts, `.` and `..`.
fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

fn file(path: &str, mtime: std::time::Duration) -> Answer {
    match read_file(path) {
        Ok(content) => {
            let date = Date::from_epoch(mtime).format("%a, %d %b %Y %H:%M:%S GMT");
            let answer = Answer::text(200, content)
                .with("Accept-Ranges", "none")
                .with("Last-Modified", &date);
            match kind(path) {
                Some(kind) => answer.with("Content-Type", kind),
                None => answer,
            }
        }
        Err(Errno::EACCES) => Answer::error(403, "403 Forbidden"),
        Err(_) => Answer::error(500, "500 Internal Server Error"),
    }
}

/// What Go knows by the name; the rest is guessed from the content.
fn kind(path: &str) -> Option<&'static str> {
    Some(match path.rsplit('/').next()?.rsplit_once('.')?.1 {
        "css" => "text/css; charset=utf-8",
        "gif" => "image/gif",
        "htm" | "html" => "text/html; charset=utf-8",
        "jpeg" | "jpg" => "image/jpeg",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "json" => "application/json",
        "pdf" => "application/pdf",
        "png" => "image/png",
        "svg" => "image/svg+xml",
        "wasm" => "application/wasm",
        "xml" => "text/xml; charset=utf-8",
        _ => return None,
    })
}

fn directory(path: &str) -> Answer {
    let Ok(mut entries) = read_dir(path) else {
        return Answer::error(500, "Error reading directory");
    };
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    let mut page = "<!doctype html>\n<meta name=\"viewport\" content=\"width=device-width\">\n<pre>\n".to_owned();
    for entry in entries {
        let slash = if is_dir(&format!("{path}/{}", entry.name)) {
            "/"
        } else {
            ""
        };
        let name = entry
            .name
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;");
        let name = name.replace('"', "&#34;");
        page.push_str(&format!(
            "<a href=\"{}{slash}\">{name}{slash}</a>\n",
            address(&entry.name)
        ));
    }
    page.push_str("</pre>\n");
    Answer::text(200, page).with("Content-Type", "text/html; charset=utf-8")
}

/// A name in an address.
fn address(name: &str) -> String {
    let letter = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'$' | b'&' | b'+' | b'=' | b'@' => {
            char::from(byte).to_string()
        }
        byte => format!("%{byte:02X}"),
    };
    name.bytes().map(letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_cleaned() {
        for (path, want) in [("/", "/"), ("/a//b/./c/", "/a/b/c"), ("/a/../../b", "/b"), ("/..", "/")] {
            assert_eq!(clean(path), want, "{path}");
        }
    }

    #[test]
    fn types_come_from_names_and_names_are_escaped() {
        assert_eq!(kind("/a/b.html"), Some("text/html; charset=utf-8"));
        assert_eq!(kind("/a.d/b"), None);
        assert_eq!(address("a b?\"&"), "a%20b%3F%22&");
    }
}
