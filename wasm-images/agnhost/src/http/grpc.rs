//! One client of `grpc.health.v1.Health/Check`: as much of HTTP/2 (RFC 9113) and gRPC as that one call needs. Headers of
//! requests are not decoded: every call that brings a message is taken for a `Check`.

use super::Service;
use podsim_guest as sys;
use podsim_sys::{Errno, Fd};

/// How a service is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Health {
    Serving,
    NotServing,
    /// There is no such service.
    Unknown,
}

/// A connection, closed in the end.
pub(super) struct Client {
    fd: Fd,
    session: Session,
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = sys::close(self.fd);
    }
}

impl Client {
    pub(super) fn new(fd: Fd) -> Self {
        Self {
            fd,
            session: Session::default(),
        }
    }

    pub(super) fn fd(&self) -> Fd {
        self.fd
    }

    /// Reads what has come and answers it; `false` at the end. Answers are short: a client that does not even take those is
    /// dropped.
    pub(super) fn advance(&mut self, service: &mut dyn Service) -> bool {
        let mut buffer = [0; 4096];
        match sys::read(self.fd, &mut buffer) {
            Ok(0) => false,
            Ok(count) => {
                let bytes = buffer.get(..count).unwrap_or_default();
                let answer = self.session.take(bytes, &mut |name| service.health(name));
                answer.is_some_and(|answer| sys::write_all(self.fd, &answer).is_ok())
            }
            Err(Errno::EINTR | Errno::EAGAIN) => true,
            Err(_) => false,
        }
    }
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// SETTINGS_MAX_FRAME_SIZE, which is not changed here.
const MOST: usize = 16384;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const WINDOW_UPDATE: u8 = 8;

const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;

/// What has come and is not whole yet, and the messages of the streams so far.
#[derive(Default)]
struct Session {
    greeted: bool,
    input: Vec<u8>,
    messages: Vec<(u32, Vec<u8>)>,
}

impl Session {
    /// What is to be sent; `None` where the other side does not speak HTTP/2.
    fn take(&mut self, bytes: &[u8], health: &mut dyn FnMut(&str) -> Health) -> Option<Vec<u8>> {
        self.input.extend_from_slice(bytes);
        let mut out = Vec::new();
        if !self.greeted {
            let length = self.input.len().min(PREFACE.len());
            if self.input.get(..length) != PREFACE.get(..length) {
                return None;
            }
            if length < PREFACE.len() {
                return Some(out);
            }
            self.input.drain(..length);
            self.greeted = true;
            frame(&mut out, SETTINGS, 0, 0, &[]);
        }
        while let Some([a, b, c, kind, flags, d, e, f, g]) = self.input.first_chunk::<9>().copied() {
            let length = u32::from_be_bytes([0, a, b, c]) as usize;
            if length > MOST {
                return None;
            }
            let Some(payload) = self.input.get(9..9 + length) else {
                break;
            };
            let payload = payload.to_vec();
            self.input.drain(..9 + length);
            let stream = u32::from_be_bytes([d & 0x7f, e, f, g]);
            match kind {
                SETTINGS if flags & ACK == 0 => frame(&mut out, SETTINGS, ACK, 0, &[]),
                PING if flags & ACK == 0 => frame(&mut out, PING, ACK, 0, &payload),
                HEADERS if flags & END_STREAM != 0 => answer(&mut out, stream, None, health),
                DATA => self.data(&mut out, stream, flags, &payload, health)?,
                RST_STREAM => self.messages.retain(|(known, _)| *known != stream),
                _ => {}
            }
        }
        Some(out)
    }

    fn data(
        &mut self,
        out: &mut Vec<u8>,
        stream: u32,
        flags: u8,
        payload: &[u8],
        health: &mut dyn FnMut(&str) -> Health,
    ) -> Option<()> {
        // What was taken may be sent again.
        if let Some(length) = u32::try_from(payload.len()).ok().filter(|length| *length > 0) {
            frame(out, WINDOW_UPDATE, 0, 0, &length.to_be_bytes());
        }
        let content = match payload.split_first() {
            Some((padding, rest)) if flags & PADDED != 0 => rest.get(..rest.len().checked_sub((*padding).into())?)?,
            _ => payload,
        };
        let mut message = match self.messages.iter().position(|(known, _)| *known == stream) {
            Some(at) => self.messages.swap_remove(at).1,
            None => Vec::new(),
        };
        message.extend_from_slice(content);
        // No name is that long, and no probe asks that much at once.
        if message.len() > MOST || self.messages.len() > 100 {
            return None;
        }
        if flags & END_STREAM == 0 {
            self.messages.push((stream, message));
        } else {
            answer(out, stream, service_name(&message), health);
        }
        Some(())
    }
}

fn frame(out: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    let [_, a, b, c] = u32::try_from(payload.len()).unwrap_or(0).to_be_bytes();
    out.extend([a, b, c, kind, flags]);
    out.extend(stream.to_be_bytes());
    out.extend(payload);
}

/// A field that is not indexed, with a name of its own (RFC 7541, section 6.2.2). Both are short.
fn field(out: &mut Vec<u8>, name: &str, value: &str) {
    out.push(0);
    for text in [name, value] {
        out.push(u8::try_from(text.len()).unwrap_or(0) & 0x7f);
        out.extend(text.as_bytes());
    }
}

/// The head (`:status 200` is number 8 of HPACK's static table), the message, and the trailer; an error has no message.
fn answer(out: &mut Vec<u8>, stream: u32, name: Option<String>, health: &mut dyn FnMut(&str) -> Health) {
    let mut head = vec![0x88];
    field(&mut head, "content-type", "application/grpc");
    let (state, code, why) = match name.map(|name| health(&name)) {
        Some(Health::Serving) => (1, "0", ""),
        Some(Health::NotServing) => (2, "0", ""),
        Some(Health::Unknown) => (0, "5", "unknown service"),
        None => (0, "13", "the request is not a HealthCheckRequest"),
    };
    if code != "0" {
        field(&mut head, "grpc-status", code);
        field(&mut head, "grpc-message", why);
        return frame(out, HEADERS, END_HEADERS | END_STREAM, stream, &head);
    }
    frame(out, HEADERS, END_HEADERS, stream, &head);
    // Not compressed, two bytes long: field 1, a number.
    frame(out, DATA, 0, stream, &[0, 0, 0, 0, 2, 0x08, state]);
    let mut trailer = Vec::new();
    field(&mut trailer, "grpc-status", code);
    frame(out, HEADERS, END_HEADERS | END_STREAM, stream, &trailer);
}

/// `HealthCheckRequest { string service = 1; }` in a gRPC message that is not compressed.
fn service_name(message: &[u8]) -> Option<String> {
    let (head, body) = message.split_at_checked(5)?;
    let [0, length @ ..] = head else { return None };
    let length = u32::from_be_bytes(length.try_into().ok()?);
    if usize::try_from(length).ok()? != body.len() {
        return None;
    }
    match body {
        [] => Some(String::new()),
        // Field 1, with a length of one byte: names are short.
        [0x0a, length, name @ ..] if usize::from(*length) == name.len() && *length < 0x80 => {
            String::from_utf8(name.to_vec()).ok()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(message: &[u8]) -> Vec<u8> {
        let mut bytes = PREFACE.to_vec();
        frame(&mut bytes, SETTINGS, 0, 0, &[]);
        frame(&mut bytes, HEADERS, END_HEADERS, 1, &[0x83]);
        frame(&mut bytes, DATA, END_STREAM, 1, message);
        bytes
    }

    fn health(name: &str) -> Health {
        match name {
            "" => Health::Serving,
            "sick" => Health::NotServing,
            _ => Health::Unknown,
        }
    }

    fn has(bytes: &[u8], wanted: &[u8]) -> bool {
        bytes.windows(wanted.len()).any(|window| window == wanted)
    }

    #[test]
    fn services_are_asked_for_by_name_also_byte_by_byte() {
        for (message, wanted) in [
            (b"\0\0\0\0\0".as_slice(), b"\0\0\0\0\x02\x08\x01".as_slice()),
            (b"\0\0\0\0\x06\x0a\x04sick", b"\0\0\0\0\x02\x08\x02"),
            (b"\0\0\0\0\x03\x0a\x01x", b"\x0bgrpc-status\x015"),
            (b"\0\0\0\0\x09\x0a", b"\x0bgrpc-status\x0213"),
        ] {
            let bytes = check(message);
            let whole = Session::default().take(&bytes, &mut health).unwrap();
            assert!(has(&whole, wanted), "{message:?}: {whole:?}");
            let mut session = Session::default();
            let parts: Vec<u8> = bytes
                .iter()
                .flat_map(|byte| session.take(&[*byte], &mut health).unwrap())
                .collect();
            assert_eq!(parts, whole, "{message:?}");
        }
    }

    #[test]
    fn what_is_not_http_2_ends_the_connection() {
        assert_eq!(Session::default().take(b"GET / HTTP/1.1\r\n", &mut health), None);
        let mut bytes = PREFACE.to_vec();
        bytes.extend([0xff, 0xff, 0xff, DATA, 0, 0, 0, 0, 1]);
        assert_eq!(Session::default().take(&bytes, &mut health), None);
    }
}
