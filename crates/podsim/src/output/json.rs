//! JSON with four spaces, as `kubectl -o json` and `docker inspect` print it.

use serde::Serialize;
use serde_json::ser::{PrettyFormatter, Serializer};

/// The text, without a line feed at its end.
pub(crate) fn pretty(value: &impl Serialize) -> String {
    let mut bytes = Vec::new();
    let mut serializer = Serializer::with_formatter(&mut bytes, PrettyFormatter::with_indent(b"    "));
    // Writing into memory cannot fail, and what is written are values and plain structs.
    if value.serialize(&mut serializer).is_err() {
        return String::new();
    }
    String::from_utf8(bytes).unwrap_or_default()
}
