//! One client: its requests one after the other.

use super::answer::Answer;
use super::job::{self, Running};
use super::request::{Parsed, Request, parse};
use super::{Service, Step};
use podsim_guest as sys;
use podsim_sys::{Errno, Fd, PollEvents};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

/// A connection, closed in the end.
pub(super) struct Connection {
    fd: Fd,
    peer: SocketAddr,
    /// The port of the listener that took it.
    port: u16,
    input: Vec<u8>,
    output: VecDeque<u8>,
    /// What is still to be done for the request.
    steps: VecDeque<Step>,
    /// The request that is being served.
    request: Option<Served>,
    wake: Option<Duration>,
    job: Option<Running>,
    continued: bool,
    closing: bool,
}

/// What the answer depends on.
struct Served {
    head_only: bool,
    keep_alive: bool,
    minor: u8,
    /// The body comes in parts.
    parts: bool,
}

impl Drop for Connection {
    fn drop(&mut self) {
        let _ = sys::close(self.fd);
    }
}

/// What a connection asks of the whole program.
pub(super) enum Wish {
    Nothing,
    /// It is over.
    Close,
    Exit(i32),
    Shutdown(i32, Duration),
}

impl Connection {
    pub(super) fn new(fd: Fd, peer: SocketAddr, port: u16) -> Self {
        Self {
            fd,
            peer,
            port,
            input: Vec::new(),
            output: VecDeque::new(),
            steps: VecDeque::new(),
            request: None,
            wake: None,
            job: None,
            continued: false,
            closing: false,
        }
    }

    /// Between two requests, or before the first.
    pub(super) fn idle(&self) -> bool {
        self.request.is_none() && self.output.is_empty()
    }

    /// What is waited for: a descriptor, or a time only.
    pub(super) fn interest(&self) -> (Fd, PollEvents) {
        if !self.output.is_empty() {
            return (self.fd, PollEvents::OUT);
        }
        if let Some(job) = &self.job {
            return (job.output().unwrap_or(Fd(-1)), PollEvents::IN);
        }
        if self.request.is_some() {
            return (Fd(-1), PollEvents::empty());
        }
        (self.fd, PollEvents::IN)
    }

    /// When it has to go on even if nothing happens.
    pub(super) fn wake(&self, now: Duration) -> Option<Duration> {
        match &self.job {
            Some(job) if job.output().is_none() => Some(now + job::PATIENCE),
            _ => self.wake,
        }
    }

    /// Does what is possible. `ready`: the descriptor of [`Self::interest`] is. `last`: no request is taken after this one.
    pub(super) fn advance(&mut self, ready: bool, last: bool, service: &mut dyn Service) -> Wish {
        let mut ready = ready;
        loop {
            if !self.output.is_empty() {
                match self.flush() {
                    Ok(true) => {}
                    Ok(false) => return Wish::Nothing,
                    Err(_) => return Wish::Close,
                }
            }
            if self.closing {
                return Wish::Close;
            }
            if self.request.is_some() {
                match self.step(ready) {
                    Some(wish) => return wish,
                    None => {
                        ready = false;
                        continue;
                    }
                }
            }
            if last {
                return Wish::Close;
            }
            match parse(&self.input, self.peer) {
                Parsed::Complete(request, length) => {
                    self.input.drain(..length);
                    self.begin(&request, service);
                    ready = false;
                }
                Parsed::Bad(status) => {
                    let answer = Answer::text(status, super::answer::reason(status).unwrap_or(""));
                    self.output.extend(answer.bytes(false, false, 1));
                    self.closing = true;
                }
                Parsed::Incomplete(true) if !self.continued => {
                    self.continued = true;
                    self.output.extend(b"HTTP/1.1 100 Continue\r\n\r\n");
                }
                Parsed::Incomplete(_) if ready => {
                    ready = false;
                    match self.fill() {
                        Ok(true) => {}
                        Ok(false) => return Wish::Nothing,
                        Err(_) => return Wish::Close,
                    }
                }
                Parsed::Incomplete(_) => return Wish::Nothing,
            }
        }
    }

    fn begin(&mut self, request: &Request, service: &mut dyn Service) {
        self.continued = false;
        self.request = Some(Served {
            head_only: request.method == "HEAD",
            keep_alive: request.keep_alive(),
            minor: request.minor,
            parts: false,
        });
        self.steps = service.request(self.port, request).into();
    }

    /// Takes the next step; `None` where the next one can be taken at once.
    fn step(&mut self, ready: bool) -> Option<Wish> {
        if let Some(mut job) = self.job.take() {
            if ready {
                job.read();
            }
            match job.end() {
                Ok(answer) => self.steps.push_front(Step::Answer(answer)),
                Err(job) => {
                    self.job = Some(job);
                    return Some(Wish::Nothing);
                }
            }
        }
        if let Some(wake) = self.wake {
            if sys::clock_monotonic() < wake {
                return Some(Wish::Nothing);
            }
            self.wake = None;
        }
        match self.steps.pop_front() {
            None => self.end(),
            Some(Step::Begin(answer)) => self.head(answer),
            Some(Step::Part(bytes)) => self.part(&bytes),
            Some(Step::Answer(answer)) => self.answer(answer),
            Some(Step::Sleep(time)) => self.wake = Some(sys::clock_monotonic() + time),
            Some(Step::Run(job)) => match job.start() {
                Ok(running) => self.job = Some(running),
                Err(answer) => self.steps.push_front(Step::Answer(answer)),
            },
            Some(Step::Exit(code)) => return Some(Wish::Exit(code)),
            Some(Step::Shutdown(code, time)) => return Some(Wish::Shutdown(code, time)),
            Some(Step::Hangup) => return Some(Wish::Close),
        }
        None
    }

    /// The request gets an empty answer, after which the connection ends.
    pub(super) fn finish(&mut self) {
        if let Some(served) = &mut self.request {
            served.keep_alive = false;
        }
        self.steps = [Step::Answer(Answer::text(200, ""))].into();
    }

    fn answer(&mut self, answer: Answer) {
        let Some(served) = &self.request else { return };
        let keep_alive = served.keep_alive && !answer.closes();
        self.output
            .extend(answer.bytes(served.head_only, keep_alive, served.minor));
        self.closing |= !keep_alive;
    }

    fn head(&mut self, answer: Answer) {
        let Some(served) = &mut self.request else { return };
        served.parts = true;
        served.keep_alive &= served.minor > 0;
        self.output.extend(answer.chunked_head(served.keep_alive, served.minor));
    }

    fn part(&mut self, bytes: &[u8]) {
        match &self.request {
            // An empty chunk would be the last one.
            Some(served) if !served.head_only && !bytes.is_empty() => {
                if served.minor > 0 {
                    self.output.extend(format!("{:x}\r\n", bytes.len()).bytes());
                }
                self.output.extend(bytes);
                if served.minor > 0 {
                    self.output.extend(b"\r\n");
                }
            }
            _ => {}
        }
    }

    /// The request has all its answer.
    fn end(&mut self) {
        if let Some(served) = self.request.take().filter(|served| served.parts) {
            if served.minor > 0 && !served.head_only {
                self.output.extend(b"0\r\n\r\n");
            }
            self.closing |= !served.keep_alive;
        }
    }

    /// Whether something came.
    fn fill(&mut self) -> Result<bool, Errno> {
        let mut buffer = [0; 16384];
        match sys::read(self.fd, &mut buffer) {
            Ok(0) => Err(Errno::ECONNRESET),
            Ok(count) => {
                self.input.extend_from_slice(buffer.get(..count).unwrap_or_default());
                Ok(true)
            }
            Err(Errno::EINTR | Errno::EAGAIN) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether everything has gone out.
    fn flush(&mut self) -> Result<bool, Errno> {
        while !self.output.is_empty() {
            let (first, _) = self.output.as_slices();
            match sys::write(self.fd, first) {
                Ok(count) => drop(self.output.drain(..count)),
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }
}
