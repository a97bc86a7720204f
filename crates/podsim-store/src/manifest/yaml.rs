//! YAML text into a tree that remembers where everything stood.
//!
//! Scalars are read as kubectl's parser reads them (go-yaml v2, YAML 1.1): `yes`, `on` and `y` are true, `0644` is octal,
//! `<<` merges. Duplicate keys are errors. Aliases share their node, and what they would expand to is counted before it is
//! expanded, so that a bomb costs nothing.

use super::Diagnostic;
use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Tag};
use serde_json::{Map, Number, Value};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// How deep collections may be nested.
const MAX_DEPTH: usize = 64;
/// How many values a file may have, aliases expanded and keys merged.
const MAX_NODES: usize = 200_000;
/// How many bytes of text a document may have, aliases expanded.
const MAX_BYTES: usize = 16 << 20;

/// A line and a column, both from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

impl From<Marker> for Position {
    fn from(mark: Marker) -> Self {
        Self {
            line: mark.line(),
            column: mark.col() + 1,
        }
    }
}

/// A value and where it stood.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) at: Position,
    pub(crate) content: Content,
    nodes: usize,
    bytes: usize,
}

/// A value.
#[derive(Debug)]
pub(crate) enum Content {
    Scalar(Value, /* as it was written, if plain */ Option<String>),
    Sequence(Vec<Arc<Node>>),
    Mapping(Vec<Entry>),
}

/// A key with its value.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) at: Position,
    pub(crate) value: Arc<Node>,
}

impl Node {
    fn new(at: Position, content: Content) -> Arc<Self> {
        let (mut nodes, mut bytes) = (1_usize, 0_usize);
        let mut count = |node: &Node| {
            nodes = nodes.saturating_add(node.nodes);
            bytes = bytes.saturating_add(node.bytes);
        };
        match &content {
            Content::Scalar(Value::String(text), _) => bytes = text.len(),
            Content::Scalar(..) => {}
            Content::Sequence(items) => items.iter().for_each(|i| count(i)),
            Content::Mapping(entries) => {
                entries.iter().for_each(|e| count(&e.value));
                bytes = entries.iter().fold(bytes, |b, e| b.saturating_add(e.key.len()));
            }
        }
        Arc::new(Self {
            at,
            content,
            nodes,
            bytes,
        })
    }

    /// The value alone.
    pub(crate) fn to_value(&self) -> Value {
        match &self.content {
            Content::Scalar(value, _) => value.clone(),
            Content::Sequence(items) => items.iter().map(|i| i.to_value()).collect(),
            Content::Mapping(entries) => Value::Object(
                entries
                    .iter()
                    .map(|e| (e.key.clone(), e.value.to_value()))
                    .collect::<Map<_, _>>(),
            ),
        }
    }

    /// The entry of a mapping.
    pub(crate) fn get(&self, key: &str) -> Option<&Entry> {
        match &self.content {
            Content::Mapping(entries) => entries.iter().find(|e| e.key == key),
            _ => None,
        }
    }

    /// An item of a sequence.
    pub(crate) fn item(&self, index: usize) -> Option<&Arc<Node>> {
        match &self.content {
            Content::Sequence(items) => items.get(index),
            _ => None,
        }
    }
}

/// A collection that is being read.
struct Open {
    at: Position,
    anchor: usize,
    items: Items,
}

enum Items {
    Sequence(Vec<Arc<Node>>),
    Mapping {
        entries: Vec<Entry>,
        /// The line of each key.
        lines: HashMap<String, usize>,
        merges: Vec<(Position, Arc<Node>)>,
        key: Option<(String, Position, bool)>,
    },
}

/// Reads all documents of a text; empty ones are left out.
pub(crate) fn parse(file: &str, text: &str) -> Result<Vec<Arc<Node>>, Diagnostic> {
    let complain = |at: Position, message: String| Diagnostic::at(file, at, message);
    let mut documents = vec![];
    let mut open: Vec<Open> = vec![];
    let mut anchors: HashMap<usize, Arc<Node>> = HashMap::new();
    let mut made = Made::default();
    let mut parser = Parser::new_from_str(text);
    while let Some(event) = parser.next_event() {
        let (event, span) = event.map_err(|e| complain((*e.marker()).into(), format!("YAML: {}", e.info())))?;
        let at = Position::from(span.start);
        let (node, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let scalar = scalar(&text, style, tag.as_deref()).map_err(|m| complain(at, m))?;
                let raw = (style == ScalarStyle::Plain).then(|| text.into_owned());
                (Node::new(at, Content::Scalar(scalar, raw)), anchor)
            }
            Event::Alias(anchor) => match anchors.get(&anchor) {
                Some(node) => (node.clone(), 0),
                None => return Err(complain(at, "an alias cannot stand inside of what it names".to_owned())),
            },
            Event::SequenceStart(anchor, _) => {
                let items = Items::Sequence(vec![]);
                open.push(Open { at, anchor, items });
                check_depth(&open).map_err(|m| complain(at, m))?;
                continue;
            }
            Event::MappingStart(anchor, _) => {
                let items = Items::Mapping {
                    entries: vec![],
                    lines: HashMap::new(),
                    merges: vec![],
                    key: None,
                };
                open.push(Open { at, anchor, items });
                check_depth(&open).map_err(|m| complain(at, m))?;
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(Open { at, anchor, items }) = open.pop() else {
                    continue;
                };
                (close(at, items, &mut made).map_err(|(at, m)| complain(at, m))?, anchor)
            }
            Event::DocumentStart(_) => {
                anchors.clear();
                continue;
            }
            _ => continue,
        };
        made.spend(1, 0).map_err(|m| complain(node.at, m))?;
        if node.nodes > MAX_NODES || node.bytes > MAX_BYTES {
            return Err(complain(node.at, too_large()));
        }
        if anchor != 0 {
            anchors.insert(anchor, node.clone());
        }
        match open.last_mut() {
            Some(parent) => add(&mut parent.items, node, at).map_err(|(at, m)| complain(at, m))?,
            None if matches!(node.content, Content::Scalar(Value::Null, _)) => {}
            None => documents.push(node),
        }
    }
    Ok(documents)
}

fn check_depth(open: &[Open]) -> Result<(), String> {
    if open.len() > MAX_DEPTH {
        Err(format!("nested more than {MAX_DEPTH} deep"))
    } else {
        Ok(())
    }
}

type Complaint = (Position, String);

fn add(items: &mut Items, node: Arc<Node>, at: Position) -> Result<(), Complaint> {
    match items {
        Items::Sequence(items) => items.push(node),
        Items::Mapping {
            entries,
            lines,
            merges,
            key,
        } => match key.take() {
            None => match &node.content {
                Content::Scalar(value, raw) => {
                    let is_merge = raw.as_deref() == Some("<<");
                    let text = match (value, raw) {
                        (Value::String(text), _) => text.clone(),
                        (other, _) => other.to_string(),
                    };
                    *key = Some((text, at, is_merge));
                }
                _ => return Err((at, "a key must be a string".to_owned())),
            },
            Some((_, at, true)) => merges.push((at, node)),
            Some((name, key_at, false)) => {
                if let Some(first) = lines.insert(name.clone(), key_at.line) {
                    return Err((key_at, format!("key \"{name}\" is already set in line {first}")));
                }
                entries.push(Entry {
                    key: name,
                    at: key_at,
                    value: node,
                });
            }
        },
    }
    Ok(())
}

/// What was really made so far, so that merges and long files end early too.
#[derive(Default)]
struct Made {
    values: usize,
    bytes: usize,
}

impl Made {
    fn spend(&mut self, values: usize, bytes: usize) -> Result<(), String> {
        self.values = self.values.saturating_add(values);
        self.bytes = self.bytes.saturating_add(bytes);
        if self.values > MAX_NODES || self.bytes > MAX_BYTES {
            Err(too_large())
        } else {
            Ok(())
        }
    }
}

fn too_large() -> String {
    let bytes = MAX_BYTES >> 20;
    format!("the document is too large: more than {MAX_NODES} values, or {bytes} MiB, with its aliases expanded")
}

fn close(at: Position, items: Items, made: &mut Made) -> Result<Arc<Node>, Complaint> {
    let (mut entries, lines, merges) = match items {
        Items::Sequence(items) => return Ok(Node::new(at, Content::Sequence(items))),
        Items::Mapping {
            entries, lines, merges, ..
        } => (entries, lines, merges),
    };
    let mut keys: HashSet<String> = lines.into_keys().collect();
    for (merge_at, node) in merges {
        let sources = match &node.content {
            Content::Sequence(items) => items.clone(),
            _ => vec![node],
        };
        for source in sources {
            let Content::Mapping(merged) = &source.content else {
                return Err((merge_at, "<< needs a mapping or a list of mappings".to_owned()));
            };
            let bytes = merged.iter().fold(0, |sum: usize, e| sum.saturating_add(e.key.len()));
            made.spend(merged.len(), bytes).map_err(|m| (merge_at, m))?;
            for entry in merged {
                if keys.insert(entry.key.clone()) {
                    entries.push(entry.clone());
                }
            }
        }
    }
    Ok(Node::new(at, Content::Mapping(entries)))
}

fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Result<Value, String> {
    let resolved = || {
        if style == ScalarStyle::Plain {
            plain(text)
        } else {
            Ok(Value::from(text))
        }
    };
    match tag {
        None => resolved(),
        Some(tag) if tag.is_yaml_core_schema() => match tag.suffix.as_str() {
            "str" => Ok(text.into()),
            "null" | "bool" | "int" | "float" => plain(text),
            other => Err(format!("the tag !!{other} is not supported")),
        },
        Some(tag) if tag.handle.is_empty() && tag.suffix == "!" => Ok(text.into()),
        Some(tag) => Err(format!("the tag {tag} is not supported")),
    }
}

/// Resolves a plain scalar as YAML 1.1 does.
fn plain(text: &str) -> Result<Value, String> {
    Ok(match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => true.into(),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => false.into(),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "-.inf" | ".nan" | ".NaN" | ".NAN" => {
            return Err(format!("{text} is not a number that JSON has"));
        }
        _ => number(text).map_or_else(|| text.into(), Value::Number),
    })
}

fn number(text: &str) -> Option<Number> {
    let digits = text.replace('_', "");
    let (negative, body) = match digits.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, digits.strip_prefix('+').unwrap_or(&digits)),
    };
    if !body.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    let radix = |prefix: &[&str]| prefix.iter().find_map(|p| body.strip_prefix(p));
    let parsed = if let Some(hex) = radix(&["0x", "0X"]) {
        i128::from_str_radix(hex, 16).ok()
    } else if let Some(binary) = radix(&["0b", "0B"]) {
        i128::from_str_radix(binary, 2).ok()
    } else if let Some(octal) = radix(&["0o", "0O"]) {
        i128::from_str_radix(octal, 8).ok()
    } else if body.len() > 1 && body.starts_with('0') && body.bytes().all(|b| b.is_ascii_digit()) {
        i128::from_str_radix(body, 8).ok()
    } else {
        body.parse::<i128>().ok()
    };
    if let Some(whole) = parsed.map(|n| if negative { -n } else { n }) {
        return i64::try_from(whole)
            .map(Number::from)
            .or_else(|_| u64::try_from(whole).map(Number::from))
            .ok();
    }
    // Go's pattern for floats: no bare dot, and an exponent has a sign.
    let mantissa = body.split(['e', 'E']).next().unwrap_or_default();
    let exponent = body.get(mantissa.len()..).unwrap_or_default();
    let exponent_ok = exponent.is_empty() || exponent.get(1..2).is_some_and(|s| s == "+" || s == "-");
    let mantissa_ok = mantissa.ends_with(|c: char| c.is_ascii_digit())
        && mantissa.bytes().all(|b| b.is_ascii_digit() || b == b'.')
        && mantissa.matches('.').count() <= 1;
    if !exponent_ok || !mantissa_ok {
        return None;
    }
    let float: f64 = body.parse().ok()?;
    Number::from_f64(if negative { -float } else { float })
}
