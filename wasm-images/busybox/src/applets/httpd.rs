//! `httpd`: files of a directory over HTTP, a process for all clients, one after the other.

use crate::util::clock::{Date, now};
use crate::util::files::{Input, is_dir, stat, write_all};
use crate::util::{Opts, dial, out::write_error, parse, show_usage};
use crate::{complain, util::child};
use podsim_guest as sys;
use podsim_sys::{Errno, Fd, FdAction, FileType, Mode, OpenFlags, PollEvents, SockAddr, SockOpt, SocketType, Stat};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

/// The variable by which a server in the background knows that it is there.
const BACKGROUND: &str = "HTTPD_BACKGROUND";

/// `httpd [-fv] [-p [IP:]PORT] [-h HOME]`: without `-f` in the background.
pub fn main(args: &[String]) -> i32 {
    let opts = match parse(args, "fvip:h:u:c:r:", &[]) {
        Ok(opts) => opts,
        Err(code) => return code,
    };
    if !opts.args.is_empty() || opts.last_of("iucr").is_some() {
        return show_usage("httpd");
    }
    let home = opts.value('h').unwrap_or(".");
    if let Err(error) = sys::chdir(home) {
        complain!("httpd", "can't change directory to '{home}': {error}");
        return 1;
    }
    if !opts.has('f') && child::variable(BACKGROUND).is_none() {
        return background(args);
    }
    match listen(opts.value('p').unwrap_or("80")) {
        Ok(listener) => serve(listener, &opts),
        Err(message) => {
            complain!("httpd", "{message}");
            1
        }
    }
}

fn background(args: &[String]) -> i32 {
    let mut environ = child::environ();
    environ.push(format!("{BACKGROUND}=1"));
    let mut request = child::request(args, environ);
    request.path = sys::readlinkat(Fd::CWD, "/proc/self/exe").unwrap_or_else(|_| "/bin/busybox".to_owned());
    request.new_session = true;
    // The directory was changed already: what was relative is now here.
    if let Some(at) = request.argv.iter().position(|arg| arg == "-h")
        && let Some(home) = request.argv.get_mut(at + 1)
    {
        ".".clone_into(home);
    }
    let null = |fd| FdAction::Open {
        fd,
        path: "/dev/null".to_owned(),
        flags: OpenFlags::RDWR,
        mode: Mode(0),
    };
    request.fd_actions = vec![null(Fd::STDIN), null(Fd::STDOUT)];
    match sys::spawn(request) {
        Ok(_) => 0,
        Err(error) => {
            complain!("httpd", "{error}");
            1
        }
    }
}

fn listen(text: &str) -> Result<Fd, String> {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) => (host.trim_matches(['[', ']']), port),
        None => ("", text),
    };
    let port = dial::port(port).ok_or_else(|| format!("bad port '{port}'"))?;
    let ip: IpAddr = match host {
        "" => Ipv4Addr::UNSPECIFIED.into(),
        host => host.parse().map_err(|_| format!("bad address '{host}'"))?,
    };
    let address = SocketAddr::new(ip, port);
    let wrong = |what: &'static str| move |error: Errno| format!("{what}: {error}");
    let fd = sys::socket(dial::family(&address), SocketType::Stream, OpenFlags::CLOEXEC).map_err(wrong("socket"))?;
    sys::setsockopt(fd, SockOpt::ReuseAddr(true)).map_err(wrong("setsockopt"))?;
    sys::bind(fd, &SockAddr::Inet(address)).map_err(wrong("bind"))?;
    sys::listen(fd, 9).map_err(wrong("listen"))?;
    Ok(fd)
}

fn serve(listener: Fd, opts: &Opts) -> i32 {
    let _ = sys::ignore_signal(podsim_sys::Signal::PIPE);
    loop {
        match sys::accept(listener, OpenFlags::CLOEXEC) {
            Ok((fd, peer)) => {
                let status = answer(fd);
                if opts.has('v')
                    && let SockAddr::Inet(peer) = peer
                {
                    write_error(&format!("{peer}: response:{status}\n"));
                }
                let _ = sys::close(fd);
            }
            Err(Errno::EINTR | Errno::ECONNABORTED) => {}
            Err(error) => {
                complain!("httpd", "accept: {error}");
                return 1;
            }
        }
    }
}

const MOST_HEAD: usize = 8192;
/// A slow client must not stop the others for ever.
const PATIENCE: Duration = Duration::from_secs(10);

fn answer(fd: Fd) -> u16 {
    let mut head = Vec::new();
    let mut buffer = [0; 2048];
    // A first line that does not begin with a method is no request (a client that speaks TLS, say).
    let is_wrong = |head: &[u8]| {
        let line = head
            .iter()
            .position(|byte| *byte == b'\n')
            .and_then(|end| head.get(..end));
        let method = line.and_then(|line| line.split(|byte| *byte == b' ').next());
        method.is_some_and(|method| !method.iter().all(u8::is_ascii_alphabetic))
    };
    while !is_wrong(&head) && !head.windows(4).any(|w| w == b"\r\n\r\n") && !head.windows(2).any(|w| w == b"\n\n") {
        if head.len() > MOST_HEAD || !dial::wait_for(fd, PollEvents::IN, Some(PATIENCE)).unwrap_or(false) {
            return respond(fd, 408, "Request Timeout", None, true);
        }
        match sys::read(fd, &mut buffer) {
            Ok(0) | Err(_) => return 0,
            Ok(count) => head.extend_from_slice(buffer.get(..count).unwrap_or_default()),
        }
    }
    if is_wrong(&head) {
        return respond(fd, 400, "Bad Request", None, true);
    }
    let text = String::from_utf8_lossy(&head).into_owned();
    let mut words = text.lines().next().unwrap_or("").split(' ');
    let (method, target) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
    let body = method == "GET";
    if !body && method != "HEAD" {
        return respond(fd, 501, "Not Implemented", None, true);
    }
    let Some(path) = decode(target.split(['?', '#']).next().unwrap_or("")) else {
        return respond(fd, 400, "Bad Request", None, body);
    };
    let mut file = format!(".{path}");
    if is_dir(&file) {
        if !path.ends_with('/') {
            return respond(fd, 302, "Found", Some(&format!("Location: {path}/\r\n")), body);
        }
        file.push_str("index.html");
    }
    match stat(&file) {
        Ok(found) if found.file_type == FileType::Regular => match Input::open(&file) {
            Ok(mut input) => send(fd, &mut input, &file, &found, body),
            Err(_) => respond(fd, 403, "Forbidden", None, body),
        },
        Err(Errno::EACCES) => respond(fd, 403, "Forbidden", None, body),
        _ => respond(fd, 404, "Not Found", None, body),
    }
}

/// A path with `%xx` decoded; `None` for one that leaves the directory.
fn decode(path: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digit = |byte: Option<u8>| byte.and_then(|b| char::from(b).to_digit(16));
            let value = digit(rest.next())? * 16 + digit(rest.next())?;
            bytes.push(u8::try_from(value).ok().filter(|b| *b != 0)?);
        } else {
            bytes.push(byte);
        }
    }
    let text = String::from_utf8(bytes).ok()?;
    let safe = text.starts_with('/') && !text.split('/').any(|part| part == "..");
    safe.then_some(text)
}

fn date(date: &Date) -> String {
    date.format("%a, %d %b %Y %H:%M:%S GMT")
}

fn respond(fd: Fd, status: u16, title: &str, extra: Option<&str>, body: bool) -> u16 {
    let page = format!(
        "<HTML><HEAD><TITLE>{status} {title}</TITLE></HEAD>\n<BODY><H1>{status} {title}</H1>\n</BODY></HTML>\n"
    );
    let mut text = format!(
        "HTTP/1.1 {status} {title}\r\nDate: {}\r\nConnection: close\r\nContent-type: text/html\r\n{}\r\n",
        date(&now()),
        extra.unwrap_or("")
    );
    if body {
        text.push_str(&page);
    }
    // The client may be gone.
    let _ = write_all(fd, text.as_bytes());
    status
}

fn send(fd: Fd, input: &mut Input, file: &str, found: &Stat, body: bool) -> u16 {
    let head = format!(
        "HTTP/1.1 200 OK\r\nDate: {}\r\nConnection: close\r\nContent-type: {}\r\nAccept-Ranges: bytes\r\nLast-Modified: {}\r\nContent-Length: {}\r\n\r\n",
        date(&now()),
        mime(file),
        date(&Date::from_epoch(found.mtime)),
        found.size
    );
    let mut buffer = [0; 16384];
    let mut result = write_all(fd, head.as_bytes());
    while body && result.is_ok() {
        match input.read(&mut buffer) {
            Ok(count @ 1..) => result = write_all(fd, buffer.get(..count).unwrap_or_default()),
            _ => break,
        }
    }
    200
}

fn mime(file: &str) -> &'static str {
    match file.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "html" | "htm" => "text/html",
        "txt" | "h" | "c" | "cc" | "cpp" => "text/plain",
        "css" => "text/css",
        "js" => "application/javascript",
        "json" => "application/json",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "png" => "image/png",
        "svg" => "image/svg+xml",
        "wasm" => "application/wasm",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn paths_stay_in_the_directory() {
        for (path, want) in [
            ("/a%20b", Some("/a b")),
            ("/..", None),
            ("/a/%2e%2e/b", None),
            ("x", None),
            ("/%00", None),
        ] {
            assert_eq!(decode(path).as_deref(), want, "{path}");
        }
    }
}
