//! From the tree of a file to objects of a kind.

use super::yaml::{self, Content, Node, Position};
use super::{Diagnostic, Diagnostics, MAX_SIZE, hint};
use crate::{FieldError, Kind, kinds, pod};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Event, Namespace, Node as KubeNode, Pod, Secret, Service, ServiceAccount};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::sync::Arc;

/// How many unknown fields of an object are told one by one.
const MAX_COMPLAINTS: usize = 50;

/// An object of a manifest.
#[derive(Debug)]
pub struct Document {
    file: String,
    kind: &'static Kind,
    node: Arc<Node>,
    value: Value,
}

/// Reads a manifest. The result has at least one document.
pub fn decode(file: &str, text: &str) -> Result<Vec<Document>, Diagnostics> {
    let whole = |message: String| {
        Diagnostics(vec![Diagnostic {
            file: file.to_owned(),
            position: None,
            message,
            hint: None,
        }])
    };
    if text.len() > MAX_SIZE {
        return Err(whole(format!("the file is larger than {} MiB", MAX_SIZE >> 20)));
    }
    let mut complaints = vec![];
    let mut documents = vec![];
    for node in yaml::parse(file, text).map_err(|d| Diagnostics(vec![d]))? {
        read(file, node, &mut documents, &mut complaints);
    }
    if !complaints.is_empty() {
        return Err(Diagnostics(complaints));
    }
    if documents.is_empty() {
        return Err(whole("no object in this file".to_owned()));
    }
    Ok(documents)
}

fn read(file: &str, node: Arc<Node>, documents: &mut Vec<Document>, complaints: &mut Vec<Diagnostic>) {
    if !matches!(node.content, Content::Mapping(_)) {
        let message = "an object must be a mapping with apiVersion, kind and metadata".to_owned();
        complaints.push(Diagnostic::at(file, node.at, message));
        return;
    }
    let text = |key: &str| match node.get(key).map(|e| &e.value.content) {
        Some(Content::Scalar(Value::String(text), _)) => Some(text.clone()),
        _ => None,
    };
    let missing: Vec<_> = ["apiVersion", "kind"]
        .into_iter()
        .filter(|k| text(k).is_none())
        .map(|k| format!("{k} not set"))
        .collect();
    let (Some(api_version), Some(kind_name)) = (text("apiVersion"), text("kind")) else {
        complaints.push(Diagnostic::at(file, node.at, missing.join(", ")));
        return;
    };
    if kind_name == "List" && api_version == "v1" {
        let items = node.get("items").map(|e| e.value.clone());
        match items.as_ref().map(|n| &n.content) {
            Some(Content::Sequence(items)) => {
                items
                    .iter()
                    .for_each(|item| read(file, item.clone(), documents, complaints));
            }
            _ => complaints.push(Diagnostic::at(file, node.at, "a List needs items")),
        }
        return;
    }
    let at = node.get("kind").map_or(node.at, |e| e.value.at);
    let Some(kind) = kinds::by_kind(&api_version, &kind_name) else {
        let mut complaint = Diagnostic::at(file, at, format!("kind {kind_name} of {api_version} is not supported"));
        let same_kind = kinds::ALL.iter().find(|k| k.kind.eq_ignore_ascii_case(&kind_name));
        complaint.hint = Some(match same_kind {
            Some(known) => format!(
                "did you mean apiVersion: {}, kind: {}?",
                known.api_version(),
                known.kind
            ),
            None => format!(
                "podsim runs Pods and keeps {} other kinds, ConfigMap, Service and Deployment among them",
                kinds::ALL.len() - 1
            ),
        });
        complaints.push(complaint);
        return;
    };
    let document = Document {
        file: file.to_owned(),
        kind,
        value: node.to_value(),
        node,
    };
    complaints.extend(document.decode_strictly());
    documents.push(document);
}

impl Document {
    /// The kind.
    #[must_use]
    pub fn kind(&self) -> &'static Kind {
        self.kind
    }

    /// The object as it was written.
    #[must_use]
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// `metadata.name`, or nothing.
    #[must_use]
    pub fn name(&self) -> &str {
        self.value
            .pointer("/metadata/name")
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// `metadata.namespace`, if it is set.
    #[must_use]
    pub fn namespace(&self) -> Option<&str> {
        self.value.pointer("/metadata/namespace").and_then(Value::as_str)
    }

    /// The Pod, if it is one, without defaults.
    #[must_use]
    pub fn pod(&self) -> Option<Pod> {
        if *self.kind == kinds::POD {
            serde_json::from_value(self.value.clone()).ok()
        } else {
            None
        }
    }

    /// What validation says of the object as it would be created; empty if all is well. Only Pods are validated so far.
    #[must_use]
    pub fn check(&self) -> Vec<Diagnostic> {
        let Some(mut pod) = self.pod() else { return vec![] };
        pod::set_defaults(&mut pod);
        pod::validate_create(&pod).iter().map(|e| self.locate(e)).collect()
    }

    /// Puts file, line and column to a complaint about a field.
    #[must_use]
    pub fn locate(&self, error: &FieldError) -> Diagnostic {
        Diagnostic::at(&self.file, self.position(&error.field), error.to_string())
    }

    /// Where a field such as `spec.containers[0].name` stands; if it is not there, where its nearest parent stands.
    #[must_use]
    pub fn position(&self, path: &str) -> Position {
        self.find(&segments(path)).0
    }

    /// Where the key and the value are.
    fn find(&self, path: &[Segment]) -> (Position, Position) {
        let mut found = (self.node.at, self.node.at);
        let mut node = &self.node;
        for segment in path {
            match segment {
                Segment::Key(key) => match node.get(key) {
                    Some(entry) => (found, node) = ((entry.at, entry.value.at), &entry.value),
                    None => break,
                },
                Segment::Index(index) => match node.item(*index) {
                    Some(item) => (found, node) = ((item.at, item.at), item),
                    None => break,
                },
            }
        }
        found
    }

    fn decode_strictly(&self) -> Vec<Diagnostic> {
        match self.kind.kind {
            "Pod" => self.decode_as::<Pod>(),
            "Node" => self.decode_as::<KubeNode>(),
            "Namespace" => self.decode_as::<Namespace>(),
            "Event" => self.decode_as::<Event>(),
            "ConfigMap" => self.decode_as::<ConfigMap>(),
            "Secret" => self.decode_as::<Secret>(),
            "Service" => self.decode_as::<Service>(),
            "ServiceAccount" => self.decode_as::<ServiceAccount>(),
            "Lease" => self.decode_as::<Lease>(),
            _ => self.decode_by_schema(),
        }
    }

    /// The kinds that are only kept are checked against their schemas.
    fn decode_by_schema(&self) -> Vec<Diagnostic> {
        let Some(schema) = crate::schema::builtin().of(self.kind) else {
            return vec![];
        };
        let report = crate::schema::builtin().prune(schema, &mut self.value.clone());
        let unknown = report.unknown.iter().take(MAX_COMPLAINTS);
        let mut complaints: Vec<_> = unknown
            .map(|path| Diagnostic::at(&self.file, self.position(path), format!("unknown field \"{path}\"")))
            .collect();
        complaints.extend(
            report
                .wrong
                .map(|wrong| Diagnostic::at(&self.file, self.node.at, wrong)),
        );
        complaints
    }

    fn decode_as<T: DeserializeOwned>(&self) -> Vec<Diagnostic> {
        let mut complaints = vec![];
        let mut track = serde_path_to_error::Track::new();
        let deserializer = serde_path_to_error::Deserializer::new(&self.value, &mut track);
        let mut unknown = 0;
        let result: Result<T, _> = serde_ignored::deserialize(deserializer, |path| {
            unknown += 1;
            if unknown <= MAX_COMPLAINTS {
                complaints.push(self.unknown_field::<T>(&ignored_segments(&path)));
            }
        });
        if unknown > MAX_COMPLAINTS {
            let message = format!("{} more unknown fields", unknown - MAX_COMPLAINTS);
            complaints.push(Diagnostic::at(&self.file, self.node.at, message));
        }
        if let Err(error) = result {
            let path: Vec<_> = track.path().iter().filter_map(Segment::from_error_path).collect();
            complaints.push(self.wrong_type(&path, &error.to_string()));
        }
        complaints.sort_by_key(|c| c.position);
        complaints
    }

    fn unknown_field<T: DeserializeOwned>(&self, path: &[Segment]) -> Diagnostic {
        let (at, _) = self.find(path);
        let mut complaint = Diagnostic::at(&self.file, at, format!("unknown field \"{}\"", render(path)));
        if let Some((Segment::Key(field), parent)) = path.split_last() {
            complaint.hint = hint::hint::<T>(&pattern(parent), field);
        }
        complaint
    }

    fn wrong_type(&self, path: &[Segment], message: &str) -> Diagnostic {
        let (_, at) = self.find(path);
        let message = match message
            .strip_prefix("invalid type: ")
            .and_then(|m| m.split_once(", expected "))
        {
            Some((found, expected)) => {
                format!(
                    "wrong type: expected {}, found {}",
                    for_people(expected),
                    for_people(found)
                )
            }
            None => message.to_owned(),
        };
        let mut complaint = Diagnostic::at(&self.file, at, format!("{}: {message}", render(path)));
        complaint.hint = self.quoting_hint(path, &complaint.message);
        complaint
    }

    /// A plain `yes` or `8080` where a string is wanted.
    fn quoting_hint(&self, path: &[Segment], message: &str) -> Option<String> {
        let mut node = &self.node;
        for segment in path {
            node = match segment {
                Segment::Key(key) => &node.get(key)?.value,
                Segment::Index(index) => node.item(*index)?,
            };
        }
        match &node.content {
            Content::Scalar(Value::Bool(_) | Value::Number(_), Some(raw)) if message.contains("expected a string") => {
                Some(format!("quote it: \"{raw}\""))
            }
            _ => None,
        }
    }
}

/// serde's words in people's words.
fn for_people(text: &str) -> String {
    match text {
        "a sequence" | "sequence" => "a list".to_owned(),
        "map" => "a mapping".to_owned(),
        "a map" => "a mapping".to_owned(),
        "null" => "nothing".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "i32" | "i64" | "u32" | "u64" => "a whole number".to_owned(),
        "f64" => "a number".to_owned(),
        _ => {
            if let Some(rest) = text.strip_prefix("string ") {
                format!("the string {rest}")
            } else if let Some(rest) = text
                .strip_prefix("integer ")
                .or_else(|| text.strip_prefix("floating point "))
            {
                format!("the number {}", rest.trim_matches('`'))
            } else if let Some(rest) = text.strip_prefix("boolean ") {
                format!("the boolean {}", rest.trim_matches('`'))
            } else if text.starts_with(|c: char| c.is_ascii_uppercase()) {
                format!("a mapping ({text})")
            } else {
                text.to_owned()
            }
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Key(String),
    Index(usize),
}

impl Segment {
    fn from_error_path(segment: &serde_path_to_error::Segment) -> Option<Self> {
        match segment {
            serde_path_to_error::Segment::Seq { index } => Some(Self::Index(*index)),
            serde_path_to_error::Segment::Map { key } => Some(Self::Key(key.clone())),
            _ => None,
        }
    }
}

fn ignored_segments(path: &serde_ignored::Path) -> Vec<Segment> {
    use serde_ignored::Path;
    let (parent, own) = match path {
        Path::Root => return vec![],
        Path::Seq { parent, index } => (parent, Some(Segment::Index(*index))),
        Path::Map { parent, key } => (parent, Some(Segment::Key(key.clone()))),
        Path::Some { parent } | Path::NewtypeStruct { parent } | Path::NewtypeVariant { parent } => (parent, None),
    };
    let mut segments = ignored_segments(parent);
    segments.extend(own);
    segments
}

/// `spec.containers[0].name`; a key that is no plain word is written in brackets, as Kubernetes does for labels.
fn render(path: &[Segment]) -> String {
    let mut text = String::new();
    for segment in path {
        match segment {
            Segment::Index(index) => text.push_str(&format!("[{index}]")),
            Segment::Key(key) if key.contains(['.', '/', '[']) => text.push_str(&format!("[{key}]")),
            Segment::Key(key) if text.is_empty() => text.push_str(key),
            Segment::Key(key) => text.push_str(&format!(".{key}")),
        }
    }
    if text.is_empty() {
        "(the object)".to_owned()
    } else {
        text
    }
}

/// `spec.containers[].name`
fn pattern(path: &[Segment]) -> String {
    let keys_only: Vec<_> = path
        .iter()
        .map(|s| {
            if let Segment::Index(_) = s {
                Segment::Index(0)
            } else {
                s.clone()
            }
        })
        .collect();
    if keys_only.is_empty() {
        String::new()
    } else {
        render(&keys_only).replace("[0]", "[]")
    }
}

/// The segments of a path as Kubernetes writes it.
fn segments(path: &str) -> Vec<Segment> {
    let mut segments = vec![];
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(inner) = rest.strip_prefix('[') {
            let (key, after) = inner.split_once(']').unwrap_or((inner, ""));
            segments.push(
                key.parse()
                    .map_or_else(|_| Segment::Key(key.to_owned()), Segment::Index),
            );
            rest = after;
        } else {
            rest = rest.strip_prefix('.').unwrap_or(rest);
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            let (key, after) = rest.split_at(end);
            if !key.is_empty() {
                segments.push(Segment::Key(key.to_owned()));
            }
            rest = after;
            if key.is_empty() && !rest.starts_with('[') {
                break;
            }
        }
    }
    segments
}
