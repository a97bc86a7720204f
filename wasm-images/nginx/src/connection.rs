//! One connection of a client, as a machine that is driven by what `poll(2)` says.

use crate::config::{Config, Level, Server, Settings};
use crate::errorlog::ErrorLog;
use crate::inherit::Inherited;
use crate::request::{Parsed, Request, parse};
use crate::response::Body;
use crate::route::{self, Peer, Routed};
use crate::variables::{Facts, expand};
use podsim_guest as sys;
use podsim_sys::{Errno, Fd, PollEvents, Shutdown};
use std::rc::Rc;
use std::time::Duration;

/// What a connection needs from its worker.
pub(crate) struct Worker<'a> {
    pub(crate) config: &'a Config,
    pub(crate) inherited: &'a Inherited,
    pub(crate) log: ErrorLog,
    /// Asked to end: no connection is kept for another request.
    pub(crate) quitting: bool,
}

/// Where a connection stands.
enum State {
    /// Waiting for a request, or in the middle of its head.
    Head,
    /// Throwing away a request body of so many bytes, before the answer.
    Skipping(u64, Box<Request>),
    /// Sending.
    Writing(Box<Sending>),
    /// The answer is out and this side closed; what the client still sends is read so that no reset destroys the answer.
    Lingering,
}

struct Sending {
    head: Vec<u8>,
    sent: usize,
    body: Body,
    /// What has been read of a file and not been sent yet.
    chunk: Vec<u8>,
    body_sent: u64,
    all_sent: u64,
    keep_alive: bool,
    linger: bool,
    timeout: Duration,
    keepalive_timeout: Duration,
    finish: Finish,
}

/// What the access log needs in the end.
struct Finish {
    request: Request,
    status: u16,
    path: String,
    server_name: String,
    settings: Settings,
}

/// A connection.
pub(crate) struct Connection {
    pub(crate) fd: Fd,
    peer: Peer,
    buffer: Vec<u8>,
    state: State,
    /// When the client has been too slow.
    pub(crate) deadline: Duration,
    /// When the first byte of the request came.
    begun: Duration,
    requests: u32,
}

/// Requests on one connection, as nginx's keepalive_requests.
const MOST_REQUESTS: u32 = 1000;
const LINGER: Duration = Duration::from_secs(5);
const CHUNK: usize = 32 * 1024;

impl Connection {
    pub(crate) fn new(fd: Fd, peer: Peer, worker: &Worker<'_>) -> Self {
        let now = sys::clock_monotonic();
        let timeout =
            route::server(worker.config, peer.local, None).map_or(60, |s| s.settings.header_timeout.as_secs());
        let deadline = now + Duration::from_secs(timeout);
        Self {
            fd,
            peer,
            buffer: Vec::new(),
            state: State::Head,
            deadline,
            begun: now,
            requests: 0,
        }
    }

    /// What to wait for.
    pub(crate) fn events(&self) -> PollEvents {
        match self.state {
            State::Writing(_) => PollEvents::OUT,
            _ => PollEvents::IN,
        }
    }

    /// Between requests, with nothing of the next: may be closed when the worker ends.
    pub(crate) fn idle(&self) -> bool {
        matches!(self.state, State::Head) && self.buffer.is_empty()
    }

    /// Does what can be done; `false` when the connection is over.
    pub(crate) fn advance(&mut self, worker: &Worker<'_>) -> bool {
        loop {
            let go_on = match self.state {
                State::Head | State::Skipping(..) => self.receive(worker),
                State::Writing(_) => self.send(worker),
                State::Lingering => self.linger(),
            };
            match go_on {
                Progress::More => {}
                Progress::Wait => return true,
                Progress::Over => return false,
            }
        }
    }

    /// The time is up.
    pub(crate) fn expire(&mut self, worker: &Worker<'_>) {
        if !self.idle() && matches!(self.state, State::Head) {
            worker.log.about(
                Level::Info,
                self.peer.connection,
                &format!("client timed out, client: {}", self.peer.client.ip()),
            );
        }
        if matches!(self.state, State::Head) && self.requests == 0 && !self.buffer.is_empty() {
            // nginx answers 408 in its log only.
            let request = Request::default();
            if let Some(server) = route::server(worker.config, self.peer.local, None) {
                let finish = Finish {
                    request,
                    status: 408,
                    path: String::new(),
                    server_name: String::new(),
                    settings: server.settings.clone(),
                };
                self.log_access(worker, &finish, 0, 0);
            }
        }
    }

    fn receive(&mut self, worker: &Worker<'_>) -> Progress {
        if !matches!(self.state, State::Skipping(..)) && !self.buffer.is_empty() {
            match self.take_request(worker) {
                Progress::Wait => {}
                other => return other,
            }
        }
        let mut chunk = [0; 8192];
        match sys::read(self.fd, &mut chunk) {
            Ok(0) => {
                if !self.idle() {
                    let message = format!(
                        "client prematurely closed connection, client: {}",
                        self.peer.client.ip()
                    );
                    worker.log.about(Level::Info, self.peer.connection, &message);
                }
                Progress::Over
            }
            Ok(count) => {
                if self.buffer.is_empty() && matches!(self.state, State::Head) {
                    self.begun = sys::clock_monotonic();
                    self.deadline = self.begun + self.settings(worker, None).map_or(LINGER, |s| s.header_timeout);
                }
                self.buffer.extend_from_slice(chunk.get(..count).unwrap_or_default());
                if let State::Skipping(left, _) = &mut self.state {
                    let gone = usize::try_from(*left).unwrap_or(usize::MAX).min(self.buffer.len());
                    self.buffer.drain(..gone);
                    *left -= gone as u64;
                    self.deadline = sys::clock_monotonic() + Duration::from_secs(60);
                    return self.after_body(worker);
                }
                Progress::More
            }
            Err(Errno::EAGAIN) => Progress::Wait,
            Err(Errno::EINTR) => Progress::More,
            Err(_) => Progress::Over,
        }
    }

    fn settings(&self, worker: &Worker<'_>, host: Option<&str>) -> Option<Settings> {
        route::server(worker.config, self.peer.local, host).map(|server| server.settings.clone())
    }

    /// Looks for a whole head in what has arrived.
    fn take_request(&mut self, worker: &Worker<'_>) -> Progress {
        match parse(&self.buffer) {
            Parsed::Incomplete => Progress::Wait,
            Parsed::Bad(status, line, reason) => {
                self.buffer.clear();
                let request = Request {
                    line,
                    ..Request::default()
                };
                let message = format!(
                    "{reason} while reading client request line, client: {}",
                    self.peer.client.ip()
                );
                worker.log.about(Level::Info, self.peer.connection, &message);
                let Some(server) = route::server(worker.config, self.peer.local, None) else {
                    return Progress::Over;
                };
                let routed = route::refuse(&server, &request, self.peer, &worker.log, status);
                self.start(worker, request, routed, false, true)
            }
            Parsed::Complete(request, length) => {
                self.buffer.drain(..length);
                let Some(server) = route::server(worker.config, self.peer.local, request.host.as_deref()) else {
                    return Progress::Over;
                };
                self.dispatch(worker, &server, *request)
            }
        }
    }

    /// A body is thrown away before the answer: files do not need one. Where that would take too much, the answer comes at
    /// once and the connection ends with it.
    fn dispatch(&mut self, worker: &Worker<'_>, server: &Rc<Server>, request: Request) -> Progress {
        let length = request
            .header("content-length")
            .and_then(|value| value.parse::<u64>().ok())
            .unwrap_or(0);
        let unreadable = request.header("transfer-encoding").is_some();
        let most = route::location(server, &request.path).map_or(server.settings.max_body, |l| l.settings.max_body);
        if request.header("content-length").is_some() && length > most && most > 0 {
            let message = format!(
                "client intended to send too large body: {length} bytes, client: {}",
                self.peer.client.ip()
            );
            worker.log.about(Level::Error, self.peer.connection, &message);
            let routed = route::refuse(server, &request, self.peer, &worker.log, 413);
            return self.start(worker, request, routed, false, true);
        }
        if unreadable || length > most.max(1 << 20) {
            let routed = route::answer(server, &request, self.peer, &worker.log);
            return self.start(worker, request, routed, false, true);
        }
        if length == 0 {
            let keep = request.keep_alive();
            let routed = route::answer(server, &request, self.peer, &worker.log);
            return self.start(worker, request, routed, keep, false);
        }
        if request
            .header("expect")
            .is_some_and(|value| value.eq_ignore_ascii_case("100-continue"))
            && self.buffer.is_empty()
        {
            // A few bytes into an empty buffer; if they do not go, the client sends its body anyway.
            let _ = sys::write(self.fd, b"HTTP/1.1 100 Continue\r\n\r\n");
        }
        let gone = usize::try_from(length).unwrap_or(usize::MAX).min(self.buffer.len());
        self.buffer.drain(..gone);
        self.state = State::Skipping(length - gone as u64, Box::new(request));
        self.deadline = sys::clock_monotonic() + Duration::from_secs(60);
        self.after_body(worker)
    }

    fn after_body(&mut self, worker: &Worker<'_>) -> Progress {
        match std::mem::replace(&mut self.state, State::Head) {
            State::Skipping(0, request) => {
                let Some(server) = route::server(worker.config, self.peer.local, request.host.as_deref()) else {
                    return Progress::Over;
                };
                let keep = request.keep_alive();
                let routed = route::answer(&server, &request, self.peer, &worker.log);
                self.start(worker, *request, routed, keep, false)
            }
            other => {
                self.state = other;
                Progress::Wait
            }
        }
    }

    fn start(&mut self, worker: &Worker<'_>, request: Request, routed: Routed, keep: bool, linger: bool) -> Progress {
        let Routed {
            mut response,
            settings,
            headers,
            path,
            server_name,
        } = routed;
        if response.status == 444 {
            return Progress::Over;
        }
        self.requests += 1;
        let keep_alive = keep && !worker.quitting && !settings.keepalive.is_zero() && self.requests < MOST_REQUESTS;
        let head = response.head(&settings, keep_alive, &headers).into_bytes();
        if request.method == "HEAD" {
            close_body(&std::mem::replace(&mut response.body, Body::None));
        }
        self.deadline = sys::clock_monotonic() + settings.send_timeout;
        self.state = State::Writing(Box::new(Sending {
            head,
            sent: 0,
            body: response.body,
            chunk: Vec::new(),
            body_sent: 0,
            all_sent: 0,
            keep_alive,
            linger,
            timeout: settings.send_timeout,
            keepalive_timeout: settings.keepalive,
            finish: Finish {
                request,
                status: response.status,
                path,
                server_name,
                settings,
            },
        }));
        Progress::More
    }

    fn send(&mut self, worker: &Worker<'_>) -> Progress {
        let State::Writing(sending) = &mut self.state else {
            return Progress::Over;
        };
        if sending.sent == sending.head.len() && sending.chunk.is_empty() {
            match next_chunk(&mut sending.body) {
                Ok(chunk) => sending.chunk = chunk,
                Err(error) => {
                    let message = format!(
                        "read() failed ({}: {error}), client: {}",
                        error.0,
                        self.peer.client.ip()
                    );
                    worker.log.about(Level::Crit, self.peer.connection, &message);
                    return self.done(worker, false);
                }
            }
            if sending.chunk.is_empty() {
                return self.done(worker, true);
            }
        }
        let in_head = sending.sent < sending.head.len();
        let bytes = if in_head {
            sending.head.get(sending.sent..).unwrap_or_default()
        } else {
            &sending.chunk[..]
        };
        match sys::sendto(self.fd, bytes, podsim_sys::MsgFlags::NOSIGNAL, None) {
            Ok(count) => {
                sending.all_sent += count as u64;
                if in_head {
                    sending.sent += count;
                } else {
                    sending.chunk.drain(..count.min(sending.chunk.len()));
                    sending.body_sent += count as u64;
                }
                self.deadline = sys::clock_monotonic() + sending.timeout;
                Progress::More
            }
            Err(Errno::EAGAIN) => Progress::Wait,
            Err(Errno::EINTR) => Progress::More,
            Err(_) => self.done(worker, false),
        }
    }

    /// The answer is out (`whole`), or the connection broke.
    fn done(&mut self, worker: &Worker<'_>, whole: bool) -> Progress {
        let State::Writing(sending) = std::mem::replace(&mut self.state, State::Head) else {
            return Progress::Over;
        };
        close_body(&sending.body);
        self.log_access(worker, &sending.finish, sending.body_sent, sending.all_sent);
        if !whole {
            return Progress::Over;
        }
        let now = sys::clock_monotonic();
        if sending.keep_alive && !worker.quitting {
            self.deadline = now + sending.keepalive_timeout;
            self.begun = now;
            return Progress::More;
        }
        if !sending.linger && self.buffer.is_empty() {
            return Progress::Over;
        }
        let _ = sys::shutdown(self.fd, Shutdown::Write);
        self.state = State::Lingering;
        self.deadline = now + LINGER;
        Progress::More
    }

    fn linger(&mut self) -> Progress {
        let mut sink = [0; 4096];
        match sys::read(self.fd, &mut sink) {
            Ok(0) => Progress::Over,
            Ok(_) | Err(Errno::EINTR) => Progress::More,
            Err(Errno::EAGAIN) => Progress::Wait,
            Err(_) => Progress::Over,
        }
    }

    fn log_access(&self, worker: &Worker<'_>, finish: &Finish, body_bytes: u64, all_bytes: u64) {
        let Some((path, format)) = &finish.settings.access_log else {
            return;
        };
        let Some(fd) = worker.inherited.log(path) else { return };
        let facts = Facts {
            request: &finish.request,
            client: self.peer.client,
            local: self.peer.local,
            path: &finish.path,
            server_name: &finish.server_name,
            root: &finish.settings.root,
            status: finish.status,
            body_bytes,
            all_bytes,
            connection: self.peer.connection,
            time: sys::clock_monotonic().saturating_sub(self.begun).as_secs_f64(),
        };
        let mut line = expand(format, &facts, true);
        line.push('\n');
        // A log that cannot be written must not stop the server.
        let _ = busybox::util::files::write_all(fd, line.as_bytes());
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let State::Writing(sending) = &self.state {
            close_body(&sending.body);
        }
        let _ = sys::close(self.fd);
    }
}

enum Progress {
    /// Try again at once.
    More,
    /// Until the descriptor is ready.
    Wait,
    Over,
}

fn close_body(body: &Body) {
    if let Body::File(fd, ..) = body {
        let _ = sys::close(*fd);
    }
}

/// The next part of a body; empty at its end.
fn next_chunk(body: &mut Body) -> Result<Vec<u8>, Errno> {
    match body {
        Body::None => Ok(Vec::new()),
        Body::Bytes(bytes) => Ok(std::mem::take(bytes)),
        Body::File(_, _, 0) => Ok(Vec::new()),
        Body::File(fd, offset, left) => {
            let mut chunk = vec![0; CHUNK.min(usize::try_from(*left).unwrap_or(CHUNK))];
            let count = sys::pread(*fd, &mut chunk, *offset)?;
            // The file became shorter: what was promised cannot be kept.
            if count == 0 {
                return Err(Errno::EIO);
            }
            chunk.truncate(count);
            *offset += count as u64;
            *left -= count as u64;
            Ok(chunk)
        }
    }
}
