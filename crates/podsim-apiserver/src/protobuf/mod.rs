//! Protobuf requests: Kubernetes' binary encoding of objects (`application/vnd.kubernetes.protobuf`) into JSON.
//!
//! kubectl's generated clients (`kubectl create configmap`, `auth can-i`, …) send it without asking, and take JSON as the answer.
//! The field numbers are a table ([`NUMBERS`]); what a field is, its OpenAPI schema says. The envelope is `runtime.Unknown`.

use crate::status::{ApiError, Result};
use jiff::Timestamp;
use k8s_openapi::ByteString;
use podsim_store::schema;
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::sync::LazyLock;

/// The content type.
pub(crate) const MEDIA_TYPE: &str = "application/vnd.kubernetes.protobuf";

const NUMBERS: &str = include_str!("numbers.txt");

/// The table as it is used: message, number, field. A constant, so to speak.
static MESSAGES: LazyLock<HashMap<&'static str, HashMap<u64, &'static str>>> = LazyLock::new(|| {
    let rows = NUMBERS.lines().filter(|line| !line.starts_with('#'));
    rows.filter_map(|row| {
        let mut words = row.split(' ');
        let message = words.next()?;
        let mut number = 0;
        let fields = words.map(|word| {
            let (given, field) = word.split_once('=').unwrap_or(("", word));
            number = given.parse().unwrap_or(number + 1);
            (number, field)
        });
        Some((message, fields.collect()))
    })
    .collect()
});

/// Fields that are pointers in Go: 0 and false mean something else than nothing.
const POINTERS: &[&str] = &[
    "activeDeadlineSeconds",
    "allocateLoadBalancerNodePorts",
    "allowPrivilegeEscalation",
    "automountServiceAccountToken",
    "backoffLimit",
    "blockOwnerDeletion",
    "completions",
    "controller",
    "defaultMode",
    "enableServiceLinks",
    "expirationSeconds",
    "failedJobsHistoryLimit",
    "fsGroup",
    "gracePeriodSeconds",
    "hostUsers",
    "immutable",
    "manualSelector",
    "minReplicas",
    "mode",
    "optional",
    "orphanDependents",
    "parallelism",
    "partition",
    "priority",
    "privileged",
    "progressDeadlineSeconds",
    "readOnlyRootFilesystem",
    "replicas",
    "revisionHistoryLimit",
    "runAsGroup",
    "runAsNonRoot",
    "runAsUser",
    "setHostnameAsFQDN",
    "shareProcessNamespace",
    "startingDeadlineSeconds",
    "successfulJobsHistoryLimit",
    "suspend",
    "terminationGracePeriodSeconds",
    "tolerationSeconds",
    "ttlSecondsAfterFinished",
];

/// Deeper messages are no objects.
const MAX_DEPTH: usize = 64;

/// A field as it stands on the wire.
enum Wire<'a> {
    Varint(u64),
    Bytes(&'a [u8]),
    Fixed64(u64),
    Fixed32,
}

fn broken() -> ApiError {
    ApiError::bad_request("the body of the request is not protobuf as Kubernetes writes it")
}

/// Takes a varint off the front.
fn varint(bytes: &mut &[u8]) -> Result<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first().ok_or_else(broken)?;
        *bytes = rest;
        value |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(broken())
}

fn take<'a>(bytes: &mut &'a [u8], length: u64) -> Result<&'a [u8]> {
    let length = usize::try_from(length).map_err(|_| broken())?;
    let (taken, rest) = bytes.split_at_checked(length).ok_or_else(broken)?;
    *bytes = rest;
    Ok(taken)
}

/// All fields of a message, in order.
fn fields(mut bytes: &[u8]) -> Result<Vec<(u64, Wire<'_>)>> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes)?;
        let wire = match tag & 7 {
            0 => Wire::Varint(varint(&mut bytes)?),
            1 => {
                let raw = take(&mut bytes, 8)?.try_into().map_err(|_| broken())?;
                Wire::Fixed64(u64::from_le_bytes(raw))
            }
            2 => {
                let length = varint(&mut bytes)?;
                Wire::Bytes(take(&mut bytes, length)?)
            }
            5 => {
                take(&mut bytes, 4)?;
                Wire::Fixed32
            }
            _ => return Err(broken()),
        };
        all.push((tag >> 3, wire));
    }
    Ok(all)
}

fn bytes_of<'a>(fields: &[(u64, Wire<'a>)], number: u64) -> &'a [u8] {
    let found = fields.iter().rev().find_map(|(n, wire)| match wire {
        Wire::Bytes(bytes) if *n == number => Some(*bytes),
        _ => None,
    });
    found.unwrap_or_default()
}

fn number_of(fields: &[(u64, Wire<'_>)], number: u64) -> i64 {
    let found = fields.iter().rev().find_map(|(n, wire)| match wire {
        Wire::Varint(value) if *n == number => Some(value.cast_signed()),
        _ => None,
    });
    found.unwrap_or_default()
}

fn text(bytes: &[u8]) -> Result<String> {
    String::from_utf8(bytes.to_vec()).map_err(|_| broken())
}

/// The object in a request's body.
pub(crate) fn decode(body: &[u8]) -> Result<Value> {
    let envelope = fields(body.strip_prefix(b"k8s\0").ok_or_else(broken)?)?;
    let type_meta = fields(bytes_of(&envelope, 1))?;
    let (api_version, kind) = (text(bytes_of(&type_meta, 1))?, text(bytes_of(&type_meta, 2))?);
    let (group, version) = api_version.split_once('/').unwrap_or(("", &api_version));
    // `meta.k8s.io` has no group of its own in the names of definitions, nor have the options that go with any group.
    let package = match group.split('.').next().unwrap_or_default() {
        "" => "core",
        first => first,
    };
    let suffix = format!("{package}.{version}.{kind}");
    let options = format!("meta.v1.{kind}");
    let name = schema::builtin().definitions().keys().find(|name| {
        let end = |suffix: &str| name.strip_suffix(suffix).is_some_and(|head| head.ends_with('.'));
        end(&suffix) || (kind == "DeleteOptions" && end(&options))
    });
    let known = name.and_then(|name| Some((name, name.strip_prefix("io.k8s.")?)));
    let Some((definition, message)) = known.filter(|(_, message)| MESSAGES.contains_key(message)) else {
        return Err(ApiError::unsupported_media_type(format!(
            "{kind} of {api_version} is not read from {MEDIA_TYPE} - accepted media types include: application/json"
        )));
    };
    let schema = schema::builtin().definitions().get(definition).unwrap_or(&Value::Null);
    let mut object = message_of(message, schema, bytes_of(&envelope, 2), 0)?;
    object.insert("apiVersion".into(), api_version.into());
    object.insert("kind".into(), kind.into());
    Ok(Value::Object(object))
}

fn message_of(message: &str, schema: &Value, bytes: &[u8], depth: usize) -> Result<Map<String, Value>> {
    if depth > MAX_DEPTH {
        return Err(broken());
    }
    let mut object = Map::new();
    let Some(numbers) = MESSAGES.get(message) else {
        return Ok(object);
    };
    for (number, wire) in fields(bytes)? {
        // What is newer than the table is left out, as an unknown field.
        let Some(field) = numbers.get(&number) else { continue };
        if let (Some(inline), Wire::Bytes(bytes)) = (field.strip_prefix('*'), &wire) {
            object.extend(message_of(inline, schema, bytes, depth + 1)?);
            continue;
        }
        let schema_of_message = schema;
        let schema = &schema["properties"][*field];
        let (_, resolved) = schema::builtin().named(schema);
        match resolved["type"].as_str() {
            Some("array") => {
                let item = value_of(&resolved["items"], &wire, depth)?;
                if let Value::Array(items) = object.entry(*field).or_insert_with(|| json!([])) {
                    items.push(item);
                }
            }
            Some("object") if resolved.get("additionalProperties").is_some_and(Value::is_object) => {
                let Wire::Bytes(entry) = wire else { return Err(broken()) };
                let entry = fields(entry)?;
                let key = text(bytes_of(&entry, 1))?;
                let nothing = Wire::Bytes(&[]);
                let value = entry
                    .iter()
                    .find(|(number, _)| *number == 2)
                    .map_or(&nothing, |(_, wire)| wire);
                let value = value_of(&resolved["additionalProperties"], value, depth)?;
                if let Value::Object(map) = object.entry(*field).or_insert_with(|| json!({})) {
                    map.insert(key, value);
                }
            }
            _ => {
                let value = value_of(schema, &wire, depth)?;
                // Go writes what is empty too, where a field is not a pointer; in JSON it leaves it out.
                let required = || {
                    schema_of_message["required"]
                        .as_array()
                        .is_some_and(|r| r.contains(&json!(field)))
                };
                let empty = match &value {
                    Value::Null => true,
                    Value::String(text) => text.is_empty(),
                    Value::Bool(false) => !POINTERS.contains(field) && !required(),
                    Value::Number(number) if matches!(wire, Wire::Varint(_)) && number.as_i64() == Some(0) => {
                        !POINTERS.contains(field) && !required()
                    }
                    _ => false,
                };
                if !empty {
                    object.insert((*field).to_owned(), value);
                }
            }
        }
    }
    Ok(object)
}

fn value_of(schema: &Value, wire: &Wire<'_>, depth: usize) -> Result<Value> {
    let (name, resolved) = schema::builtin().named(schema);
    let bytes = match wire {
        Wire::Varint(value) if resolved["type"] == "boolean" => return Ok(json!(*value != 0)),
        Wire::Varint(value) => return Ok(json!(value.cast_signed())),
        Wire::Fixed64(bits) => return Ok(json!(f64::from_bits(*bits))),
        Wire::Fixed32 => return Ok(Value::Null),
        Wire::Bytes(bytes) => *bytes,
    };
    match name {
        "Time" | "MicroTime" => return time(bytes),
        "Quantity" => return Ok(text(bytes_of(&fields(bytes)?, 1))?.into()),
        "IntOrString" => {
            let fields = fields(bytes)?;
            return Ok(match number_of(&fields, 1) {
                0 => json!(number_of(&fields, 2)),
                _ => text(bytes_of(&fields, 3))?.into(),
            });
        }
        "FieldsV1" | "RawExtension" | "JSON" => {
            let raw = bytes_of(&fields(bytes)?, 1);
            return Ok(serde_json::from_slice(raw).unwrap_or_default());
        }
        _ => {}
    }
    match (resolved["type"].as_str(), resolved["format"].as_str()) {
        (Some("string"), Some("byte")) => Ok(json!(ByteString(bytes.to_vec()))),
        (Some("string"), _) => Ok(text(bytes)?.into()),
        // A list of lists: the inner one is a message with the items in field 1 (`ExtraValue`).
        (Some("array"), _) => {
            let all = fields(bytes)?;
            let items = all
                .iter()
                .map(|(_, wire)| value_of(&resolved["items"], wire, depth + 1));
            Ok(Value::Array(items.collect::<Result<_>>()?))
        }
        (Some("object"), _) => {
            let reference = schema["$ref"].as_str().or_else(|| schema["allOf"][0]["$ref"].as_str());
            let message = reference.and_then(|r| r.strip_prefix(schema::REFERENCE)?.strip_prefix("io.k8s."));
            message_of(message.unwrap_or_default(), resolved, bytes, depth + 1).map(Value::Object)
        }
        _ => Ok(Value::Null),
    }
}

/// Seconds and nanoseconds; an empty message is no time.
fn time(bytes: &[u8]) -> Result<Value> {
    let fields = fields(bytes)?;
    if fields.is_empty() {
        return Ok(Value::Null);
    }
    let nanos = i32::try_from(number_of(&fields, 2)).map_err(|_| broken())?;
    let time = Timestamp::new(number_of(&fields, 1), nanos).map_err(|_| broken())?;
    Ok(time.to_string().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A field of bytes.
    fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
        let mut out = vec![number << 3 | 2, u8::try_from(bytes.len()).unwrap()];
        out.extend(bytes);
        out
    }

    fn envelope(api_version: &str, kind: &str, raw: &[u8]) -> Vec<u8> {
        let types = [field(1, api_version.as_bytes()), field(2, kind.as_bytes())].concat();
        [b"k8s\0".to_vec(), field(1, &types), field(2, raw)].concat()
    }

    #[test]
    fn a_config_map_is_read() {
        let entry = [field(1, b"a"), field(2, b"1")].concat();
        let raw = [field(1, &field(1, b"conf")), field(2, &entry), vec![4 << 3, 1]].concat();
        let object = decode(&envelope("v1", "ConfigMap", &raw)).unwrap();
        let expected = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "conf"}, "data": {"a": "1"},
                              "immutable": true});
        assert_eq!(object, expected);
    }

    #[test]
    fn every_message_of_the_table_is_a_definition_or_inline() {
        let inline: Vec<&str> = MESSAGES
            .values()
            .flat_map(HashMap::values)
            .filter_map(|f| f.strip_prefix('*'))
            .collect();
        for message in MESSAGES.keys() {
            let defined = schema::builtin()
                .definitions()
                .contains_key(&format!("io.k8s.{message}"));
            assert!(defined || inline.contains(message), "{message}");
        }
    }

    #[test]
    fn garbage_is_refused_and_never_a_panic() {
        let good = envelope(
            "apps/v1",
            "Deployment",
            &field(2, &field(3, &field(2, &field(2, &field(1, b"c"))))),
        );
        for length in 0..good.len() {
            let _ = decode(&good[..length]);
        }
        for at in 0..good.len() {
            for byte in [0, 0x7f, 0x80, 0xff] {
                let mut bad = good.clone();
                bad[at] = byte;
                let _ = decode(&bad);
            }
        }
        assert!(decode(b"nothing").is_err());
    }
}
