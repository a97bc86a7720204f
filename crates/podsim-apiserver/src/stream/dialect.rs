//! The subprotocols of a WebSocket for exec, attach and port-forward, old ones too.

use axum::extract::ws::Message;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{BufMut, Bytes, BytesMut};
use serde_json::Value;

/// The channel of errors.
const ERROR: u8 = 3;

/// How client and server speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Dialect {
    name: &'static str,
    /// 5 and 4 end with a `Status`, 1 with the words of an error if there is one; 5 can end a single stream.
    version: u8,
    /// The channel as a digit, the data in base64, in text messages.
    base64: bool,
}

const fn dialect(name: &'static str, version: u8, base64: bool) -> Dialect {
    Dialect { name, version, base64 }
}

/// All, the best first.
const DIALECTS: [Dialect; 5] = [
    dialect("v5.channel.k8s.io", 5, false),
    dialect("v4.channel.k8s.io", 4, false),
    dialect("v4.base64.channel.k8s.io", 4, true),
    dialect("channel.k8s.io", 1, false),
    dialect("base64.channel.k8s.io", 1, true),
];

/// Their names.
pub(super) const NAMES: [&str; 5] = {
    let [a, b, c, d, e] = DIALECTS;
    [a.name, b.name, c.name, d.name, e.name]
};

impl Dialect {
    /// By its name; a client that names none speaks the first one that there was.
    pub(super) fn named(name: Option<&str>) -> Option<Self> {
        let name = name.unwrap_or("channel.k8s.io");
        DIALECTS.into_iter().find(|dialect| dialect.name == name)
    }

    /// Whether the client can end a single stream.
    pub(super) fn ends_streams(self) -> bool {
        self.version == 5
    }

    /// A message on a channel.
    pub(super) fn message(self, channel: u8, data: &[u8]) -> Message {
        if self.base64 {
            return Message::Text(format!("{}{}", channel % 10, STANDARD.encode(data)).into());
        }
        let mut bytes = BytesMut::with_capacity(data.len() + 1);
        bytes.put_u8(channel);
        bytes.put_slice(data);
        Message::Binary(bytes.freeze())
    }

    /// The channel and the data of a message of the client; `None` for what has none.
    pub(super) fn read(self, message: Message) -> Option<Bytes> {
        let bytes: Bytes = match message {
            Message::Binary(bytes) => bytes,
            Message::Text(text) => text.into(),
            Message::Close(_) | Message::Ping(_) | Message::Pong(_) => return None,
        };
        if !self.base64 {
            return Some(bytes);
        }
        let (channel, data) = bytes.split_first()?;
        let mut decoded = vec![channel.checked_sub(b'0')?];
        STANDARD.decode_vec(data, &mut decoded).ok()?;
        Some(decoded.into())
    }

    /// What a session ends with, if this is to be told.
    pub(super) fn last(self, status: &Value) -> Option<Message> {
        if self.version > 1 {
            return Some(self.message(ERROR, status.to_string().as_bytes()));
        }
        let failed = status["status"] != "Success";
        let words = status["message"].as_str().filter(|_| failed)?;
        Some(self.message(ERROR, words.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_dialect_says_the_same_in_its_way() {
        let ok = json!({"status": "Success"});
        let bad = json!({"status": "Failure", "message": "no"});
        let text = |text: &str| Message::Text(text.into());
        let binary = |bytes: &'static [u8]| Message::Binary(Bytes::from_static(bytes));
        for (name, message, last, failed) in [
            (None, binary(b"\x01hi"), None, binary(b"\x03no")),
            (Some("channel.k8s.io"), binary(b"\x01hi"), None, binary(b"\x03no")),
            (Some("base64.channel.k8s.io"), text("1aGk="), None, text("3bm8=")),
            (
                Some("v4.channel.k8s.io"),
                binary(b"\x01hi"),
                Some(binary(b"\x03{\"status\":\"Success\"}")),
                binary(b"\x03{\"message\":\"no\",\"status\":\"Failure\"}"),
            ),
            (
                Some("v4.base64.channel.k8s.io"),
                text("1aGk="),
                Some(text("3eyJzdGF0dXMiOiJTdWNjZXNzIn0=")),
                text("3eyJtZXNzYWdlIjoibm8iLCJzdGF0dXMiOiJGYWlsdXJlIn0="),
            ),
        ] {
            let dialect = Dialect::named(name).unwrap();
            assert_eq!(dialect.message(1, b"hi"), message, "{name:?}");
            assert_eq!(dialect.last(&ok), last, "{name:?}");
            assert_eq!(dialect.last(&bad), Some(failed), "{name:?}");
            assert_eq!(dialect.read(message).unwrap(), "\x01hi", "{name:?}");
        }
        assert_eq!(Dialect::named(Some("v9.channel.k8s.io")), None);
        let base64 = Dialect::named(Some("base64.channel.k8s.io")).unwrap();
        for nonsense in ["", "!", "0???", "0aGk"] {
            assert_eq!(base64.read(text(nonsense)), None, "{nonsense}");
        }
    }
}
