//! Manifests: YAML or JSON files into objects, strictly.
//!
//! [`decode`] reads a file that may hold several documents and `List`s. Every complaint ([`Diagnostic`]) has the file, line
//! and column of what is wrong, and a hint where one can be given; all that can be found at once are given at once.
//! [`Document::check`] adds what validation says of a Pod.

mod decode;
mod hint;
pub mod schema;
mod yaml;

#[cfg(test)]
mod tests;

pub use decode::{Document, decode};
pub use yaml::Position;

use std::fmt;

/// The largest file that is read, in bytes.
pub const MAX_SIZE: usize = 4 << 20;

/// One complaint about a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The file as the user named it.
    pub file: String,
    /// Where; `None` if it is about the file as a whole.
    pub position: Option<Position>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Diagnostic {
    pub(crate) fn at(file: &str, position: Position, message: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            position: Some(position),
            message: message.into(),
            hint: None,
        }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.position {
            Some(Position { line, column }) => write!(f, "{}:{line}:{column}: {}", self.file, self.message)?,
            None => write!(f, "{}: {}", self.file, self.message)?,
        }
        match &self.hint {
            Some(hint) => write!(f, "\n  hint: {hint}"),
            None => Ok(()),
        }
    }
}

/// All complaints about a file, at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostics(pub Vec<Diagnostic>);

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<_> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl std::error::Error for Diagnostics {}

/// Reads a file of settings: one YAML or JSON document as a plain value, null if the file is empty. The same limits and
/// the same complaints as for manifests.
///
/// # Errors
///
/// What is wrong with the text, or that there is more than one document.
pub fn settings(file: &str, text: &str) -> Result<serde_json::Value, Diagnostics> {
    let whole = |message: &str| {
        Diagnostics(vec![Diagnostic {
            file: file.to_owned(),
            position: None,
            message: message.to_owned(),
            hint: None,
        }])
    };
    if text.len() > MAX_SIZE {
        return Err(whole("the file is too large"));
    }
    match yaml::parse(file, text)
        .map_err(|error| Diagnostics(vec![error]))?
        .as_slice()
    {
        [] => Ok(serde_json::Value::Null),
        [only] => Ok(only.to_value()),
        _ => Err(whole("only one document is expected")),
    }
}
