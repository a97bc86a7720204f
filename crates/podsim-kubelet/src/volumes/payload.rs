//! What is in the files of a volume that the kubelet fills: from ConfigMaps, Secrets and the Pod itself.

use super::atomic_writer::{FileProjection, Payload, clean};
use super::token::{self, Tokens};
use crate::env::Sources;
use bytes::Bytes;
use k8s_openapi::api::core::v1::{
    ConfigMap, Container, DownwardAPIVolumeFile, KeyToPath, Secret, ServiceAccountTokenProjection, Volume,
    VolumeProjection,
};
use std::collections::BTreeMap;
use std::time::Duration;

/// Kubernetes' default of `defaultMode`, for Pods that have none (static ones).
const DEFAULT_MODE: i32 = 0o644;

/// The files of the volume at this (monotonic) time; `None` if it is of a type that has none. `Err` is upstream's message.
pub(crate) fn of(
    volume: &Volume,
    sources: &Sources<'_>,
    tokens: &mut Tokens,
    now: Duration,
) -> Option<Result<Payload, String>> {
    let mut files = Files::default();
    let result = if let Some(source) = &volume.config_map {
        files.mode = source.default_mode;
        files.config_map(sources, &source.name, source.items.as_deref(), source.optional)
    } else if let Some(source) = &volume.secret {
        files.mode = source.default_mode;
        let name = source.secret_name.as_deref().unwrap_or_default();
        files.secret(sources, name, source.items.as_deref(), source.optional)
    } else if let Some(source) = &volume.downward_api {
        files.mode = source.default_mode;
        files.downward_api(sources, source.items.as_deref())
    } else if let Some(source) = &volume.projected {
        files.mode = source.default_mode;
        // All that is wrong is told (`utilerrors.NewAggregate`).
        let all = source.sources.iter().flatten();
        let add = |source: &VolumeProjection| match &source.service_account_token {
            Some(token) => files.token(sources, token, tokens, now),
            None => files.projection(sources, source),
        };
        aggregate(all.map(add).filter_map(Result::err))
    } else {
        return None;
    };
    Some(result.map(|()| files.payload))
}

/// The error of several things: one as it is, more in brackets.
fn aggregate(errors: impl Iterator<Item = String>) -> Result<(), String> {
    let mut all: Vec<String> = vec![];
    for error in errors {
        if !all.contains(&error) {
            all.push(error);
        }
    }
    match all.as_slice() {
        [] => Ok(()),
        [one] => Err(one.clone()),
        several => Err(format!("[{}]", several.join(", "))),
    }
}

#[derive(Default)]
struct Files {
    payload: Payload,
    /// `defaultMode`.
    mode: Option<i32>,
}

impl Files {
    fn add(&mut self, path: &str, content: Bytes, mode: Option<i32>) -> Result<(), String> {
        let mode = mode.or(self.mode).unwrap_or(DEFAULT_MODE);
        let file = FileProjection {
            content,
            mode: u32::try_from(mode).unwrap_or_default() & 0o777,
            uid: None,
        };
        self.payload.insert(clean(path)?, file);
        Ok(())
    }

    /// All keys, or those that are listed, at their paths (`MakePayload`).
    fn add_keys(
        &mut self,
        mut data: BTreeMap<String, Bytes>,
        items: Option<&[KeyToPath]>,
        optional: bool,
        missing: &str,
    ) -> Result<(), String> {
        let items = items.unwrap_or_default();
        if items.is_empty() {
            return data
                .into_iter()
                .try_for_each(|(key, content)| self.add(&key, content, None));
        }
        for item in items {
            match data.get_mut(&item.key) {
                Some(content) => self.add(&item.path, content.clone(), item.mode)?,
                None if optional => {}
                None => return Err(format!("references non-existent {missing} key: {}", item.key)),
            }
        }
        Ok(())
    }

    fn config_map(
        &mut self,
        sources: &Sources<'_>,
        name: &str,
        items: Option<&[KeyToPath]>,
        optional: Option<bool>,
    ) -> Result<(), String> {
        let optional = optional == Some(true);
        let map = match sources.store.api::<ConfigMap>().get(sources.namespace(), name) {
            Ok(map) => map,
            Err(_) if optional => ConfigMap::default(),
            Err(_) => return Err(format!("configmap \"{name}\" not found")),
        };
        let binary = map.binary_data.into_iter().flatten();
        let mut data: BTreeMap<_, _> = binary.map(|(key, bytes)| (key, Bytes::from(bytes.0))).collect();
        let text = map.data.into_iter().flatten();
        data.extend(text.map(|(key, text)| (key, Bytes::from(text))));
        self.add_keys(data, items, optional, "config")
    }

    fn secret(
        &mut self,
        sources: &Sources<'_>,
        name: &str,
        items: Option<&[KeyToPath]>,
        optional: Option<bool>,
    ) -> Result<(), String> {
        let optional = optional == Some(true);
        let secret = match sources.store.api::<Secret>().get(sources.namespace(), name) {
            Ok(secret) => secret,
            Err(_) if optional => Secret::default(),
            Err(_) => return Err(format!("secret \"{name}\" not found")),
        };
        let data = secret.data.into_iter().flatten();
        let data = data.map(|(key, bytes)| (key, Bytes::from(bytes.0))).collect();
        self.add_keys(data, items, optional, "secret")
    }

    /// `CollectData`: labels and annotations as lines in order, the rest as in environment variables.
    fn downward_api(&mut self, sources: &Sources<'_>, items: Option<&[DownwardAPIVolumeFile]>) -> Result<(), String> {
        let mut errors = vec![];
        for item in items.unwrap_or_default() {
            let value = match (&item.field_ref, &item.resource_field_ref) {
                (Some(field), _) => field_value(sources, &field.field_path),
                (None, Some(resource)) => {
                    let divisor = resource.divisor.as_ref().map_or("1", |d| d.0.as_str());
                    let container = resource.container_name.as_deref();
                    sources.resource(&resource.resource, divisor, container, &Container::default())
                }
                (None, None) => Ok(String::new()),
            };
            let added = value.and_then(|value| self.add(&item.path, Bytes::from(sort_lines(&value)), item.mode));
            errors.extend(added.err());
        }
        aggregate(errors.into_iter())
    }

    /// Only its user may read it (`projected.go`); the Pod's group may, too, once it is given the volume.
    fn token(
        &mut self,
        sources: &Sources<'_>,
        source: &ServiceAccountTokenProjection,
        tokens: &mut Tokens,
        now: Duration,
    ) -> Result<(), String> {
        let owner = token::owner(sources.pod);
        let private = owner.is_some() || super::fs_group(sources.pod).is_some();
        let token = tokens.get(sources, source, now)?;
        let path = clean(&source.path)?;
        self.add(&path, Bytes::from(token), private.then_some(0o600))?;
        if let Some(file) = self.payload.get_mut(&path) {
            file.uid = owner;
        }
        Ok(())
    }

    fn projection(&mut self, sources: &Sources<'_>, source: &VolumeProjection) -> Result<(), String> {
        if let Some(map) = &source.config_map {
            return self.config_map(sources, &map.name, map.items.as_deref(), map.optional);
        }
        if let Some(secret) = &source.secret {
            return self.secret(sources, &secret.name, secret.items.as_deref(), secret.optional);
        }
        match &source.downward_api {
            Some(downward) => self.downward_api(sources, downward.items.as_deref()),
            None => Ok(()),
        }
    }
}

/// `ExtractFieldPathAsString`.
fn field_value(sources: &Sources<'_>, path: &str) -> Result<String, String> {
    let meta = &sources.pod.metadata;
    match path {
        "metadata.labels" => Ok(lines(meta.labels.as_ref())),
        "metadata.annotations" => Ok(lines(meta.annotations.as_ref())),
        other => sources.field(other),
    }
}

/// `key="value"` for each, in the order of the keys (`fieldpath.FormatMap`).
fn lines(map: Option<&BTreeMap<String, String>>) -> String {
    let line = |(key, value): (&String, &String)| format!("{key}={}", quote(value));
    let all: Vec<_> = map.into_iter().flatten().map(line).collect();
    all.join("\n")
}

/// A text as Go's `%q` writes it (`strconv.Quote`).
fn quote(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\x07' => out.push_str("\\a"),
            '\x08' => out.push_str("\\b"),
            '\x0c' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\x0b' => out.push_str("\\v"),
            c if c.is_ascii_control() => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            // Rust escapes what cannot be printed; Go writes it with four or eight digits.
            c if c == ' ' || !c.escape_debug().to_string().starts_with("\\u") => out.push(c),
            c if u32::from(c) < 0x1_0000 => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push_str(&format!("\\U{:08x}", u32::from(c))),
        }
    }
    out + "\""
}

fn sort_lines(text: &str) -> String {
    let mut lines: Vec<_> = text.split('\n').collect();
    lines.sort_unstable();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_quoted_as_go_does() {
        for (text, expected) in [
            ("plain text", r#""plain text""#),
            ("a\"b\\c", r#""a\"b\\c""#),
            ("line\nline\ttab", r#""line\nline\ttab""#),
            ("\x01\x7f", r#""\x01\x7f""#),
            ("grün 😀 it's", "\"grün 😀 it's\""),
            ("\u{200b}", "\"\\u200b\""),
        ] {
            assert_eq!(quote(text), expected, "{text:?}");
        }
    }

    #[test]
    fn several_errors_are_in_brackets_and_told_once() {
        let of = |errors: &[&str]| aggregate(errors.iter().map(|e| (*e).to_owned()));
        assert_eq!(of(&[]), Ok(()));
        assert_eq!(of(&["a", "a"]), Err("a".to_owned()));
        assert_eq!(of(&["a", "b"]), Err("[a, b]".to_owned()));
    }
}
