//! What is particular to a kind when its objects are written: decoding, defaults, validation, deletion (the "strategies"
//! of Kubernetes' registry).

use crate::api::{from_value, to_value};
use crate::pod::admission::Objects;
use crate::pod::{self, names};
use crate::{FieldError, Kind, StoreError, certificate, defaults, kinds, rules, schema, service, volume};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// Does `metadata.generation` count the changes of its spec?
pub(crate) fn has_generation(kind: &Kind) -> bool {
    // Custom kinds, whose rows are made when they are defined, all have one.
    (kind.has_status
        && ![
            "Node",
            "Namespace",
            "Service",
            "PersistentVolume",
            "PersistentVolumeClaim",
            "ResourceQuota",
        ]
        .contains(&kind.kind))
        || *kind == kinds::NETWORK_POLICY
        || *kind == kinds::INGRESS_CLASS
        || !kinds::ALL.contains(&kind)
}

/// Puts `apiVersion` and `kind` right.
pub(crate) fn with_type(kind: &Kind, mut object: Value) -> Value {
    if let Some(object) = object.as_object_mut() {
        object.insert("apiVersion".to_owned(), kind.api_version().into());
        object.insert("kind".to_owned(), kind.kind.into());
    }
    object
}

/// Reads the object as its type and writes it back: unknown fields go, wrong types are an error.
fn through<K: DeserializeOwned + Serialize>(object: &mut Value) -> Result<(), StoreError> {
    *object = to_value(&from_value::<K>(object)?)?;
    Ok(())
}

fn normalise(kind: &Kind, custom: Option<&Value>, object: &mut Value) -> Result<(), StoreError> {
    use k8s_openapi::api::coordination::v1::Lease;
    use k8s_openapi::api::core::v1::{ConfigMap, Event, Namespace, Node, Secret, Service, ServiceAccount};
    *object = with_type(kind, object.take());
    match kind.kind {
        _ if custom.is_some() => {
            let schema = custom.unwrap_or(&Value::Null);
            by_schema(kind, schema, object)?;
            crate::custom::set_defaults(schema, object);
            Ok(())
        }
        "Pod" => through::<Pod>(object),
        "Node" => through::<Node>(object),
        "Namespace" => through::<Namespace>(object),
        "Event" => through::<Event>(object),
        "ConfigMap" => through::<ConfigMap>(object),
        "Secret" => {
            merge_string_data(object);
            through::<Secret>(object)
        }
        "Service" => through::<Service>(object),
        "ServiceAccount" => through::<ServiceAccount>(object),
        "Lease" => through::<Lease>(object),
        _ => match custom.or_else(|| schema::builtin().of(kind)) {
            Some(schema) => by_schema(kind, schema, object),
            None => Ok(()),
        },
    }
}

/// Unknown fields go, wrong types are an error.
fn by_schema(kind: &Kind, schema: &Value, object: &mut Value) -> Result<(), StoreError> {
    match schema::builtin().prune(schema, object).wrong {
        None => Ok(()),
        Some(wrong) => Err(StoreError::BadRequest(format!(
            "{0} in version \"{1}\" cannot be handled as a {0}: {wrong}",
            kind.kind, kind.version
        ))),
    }
}

/// `stringData` is a convenience for writing: it goes into `data`.
fn merge_string_data(object: &mut Value) {
    use k8s_openapi::ByteString;
    let Some(secret) = object.as_object_mut() else { return };
    if let Some(Value::Object(strings)) = secret.remove("stringData") {
        let data = secret.entry("data").or_insert_with(|| json!({}));
        if let Some(data) = data.as_object_mut() {
            let bytes = |v: &Value| json!(ByteString(v.as_str().unwrap_or_default().as_bytes().to_vec()));
            strings
                .iter()
                .for_each(|(key, value)| drop(data.insert(key.clone(), bytes(value))));
        }
    }
    secret.entry("type").or_insert_with(|| "Opaque".into());
}

fn invalid(kind: &Kind, object: &Value, errors: Vec<FieldError>) -> Result<(), StoreError> {
    if errors.is_empty() {
        return Ok(());
    }
    let name = object
        .pointer("/metadata/name")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    Err(StoreError::Invalid {
        kind: kind.qualified(),
        name,
        errors,
    })
}

fn validate(kind: &Kind, object: &Value) -> Result<Vec<FieldError>, StoreError> {
    if *kind == kinds::POD {
        return Ok(pod::validate(&from_value(object)?));
    }
    let meta: ObjectMeta = from_value(object.get("metadata").unwrap_or(&Value::Null)).unwrap_or_default();
    let check_name = if *kind == kinds::NAMESPACE || *kind == kinds::SERVICE {
        names::dns_label
    } else {
        names::dns_subdomain
    };
    let mut errors = vec![];
    // Roles and their bindings may be called `system:node`, requests for certificates anything.
    if ["rbac.authorization.k8s.io", "certificates.k8s.io"].contains(&kind.group) {
        if meta.name.as_deref().unwrap_or_default().is_empty() && meta.generate_name.is_none() {
            errors.push(FieldError::required(
                "metadata.name",
                "name or generateName is required",
            ));
        }
    } else {
        pod::validate_metadata(&meta, check_name, &mut errors);
    }
    errors.extend(rules::validate(kind, object));
    Ok(errors)
}

fn set_defaults(kind: &Kind, object: &mut Value) -> Result<(), StoreError> {
    if *kind == kinds::POD {
        let mut pod: Pod = from_value(object)?;
        pod::set_defaults(&mut pod);
        *object = to_value(&pod)?;
        return Ok(());
    }
    if *kind == kinds::SERVICE {
        service::set_defaults(object);
    }
    defaults::set(kind, object)
}

/// Defaults, admission and validation of a new object.
pub(crate) fn prepare_for_create(
    kind: &Kind,
    custom: Option<&Value>,
    object: &mut Value,
    others: &dyn Objects,
) -> Result<(), StoreError> {
    normalise(kind, custom, object)?;
    set_defaults(kind, object)?;
    if *kind == kinds::POD {
        let mut pod: Pod = from_value(object)?;
        pod::admission::admit(&mut pod, others).map_err(|detail| StoreError::Forbidden {
            resource: kind.resource(),
            name: pod.metadata.name.clone().unwrap_or_default(),
            detail,
        })?;
        *object = to_value(&pod)?;
    } else if *kind == kinds::SERVICE {
        service::allocate(object, &others.cluster_ips());
    } else {
        volume::admit(kind, object, others);
    }
    if kind.has_status
        && *kind != kinds::NODE
        && let Some(object) = object.as_object_mut()
    {
        object.remove("status");
    }
    match kind.kind {
        "Pod" => object["status"] = json!({ "phase": "Pending", "qosClass": pod::qos_class(&from_value(object)?) }),
        "Namespace" => {
            object["status"] = json!({ "phase": "Active" });
            object["spec"] = json!({ "finalizers": ["kubernetes"] });
        }
        _ if custom.is_none() => defaults::first_status(kind, object),
        _ => {}
    }
    if let Some(schema) = custom {
        invalid(kind, object, crate::custom::validate(schema, object))?;
    }
    let errors = if *kind == kinds::POD {
        let pod: Pod = from_value(object)?;
        if pod
            .spec
            .as_ref()
            .is_some_and(|s| s.scheduling_gates.as_ref().is_some_and(|g| !g.is_empty()))
        {
            object["status"]["conditions"] = json!([{
                "type": "PodScheduled", "status": "False", "reason": "SchedulingGated",
                "message": "Scheduling is blocked due to non-empty scheduling gates",
            }]);
        }
        pod::validate_create(&pod)
    } else {
        validate(kind, object)?
    };
    invalid(kind, object, errors)
}

/// Defaults and validation of a Pod whose ephemeral containers were changed. Its other fields have to be the old ones.
pub(crate) fn prepare_for_ephemeral_update(object: &mut Value, old: &Value) -> Result<(), StoreError> {
    let kind = &kinds::POD;
    normalise(kind, None, object)?;
    set_defaults(kind, object)?;
    let mut errors = validate(kind, object)?;
    errors.extend(pod::validate_ephemeral_update(&from_value(object)?, &from_value(old)?));
    invalid(kind, object, errors)
}

/// Defaults, validation and admission of a resize of a Pod. Its other fields are the old ones.
pub(crate) fn prepare_for_resize(object: &mut Value, old: &Value, others: &dyn Objects) -> Result<(), StoreError> {
    let kind = &kinds::POD;
    normalise(kind, None, object)?;
    set_defaults(kind, object)?;
    let old = from_value(old)?;
    let pod = pod::only_resize(&from_value(object)?, &old);
    *object = with_type(kind, to_value(&pod)?);
    invalid(kind, object, pod::validate_resize(&pod, &old))?;
    pod::admission::admit_resize(&pod, others).map_err(|detail| StoreError::Forbidden {
        resource: kind.resource(),
        name: pod.metadata.name.clone().unwrap_or_default(),
        detail,
    })
}

/// Defaults and validation of a changed object.
pub(crate) fn prepare_for_update(
    kind: &Kind,
    custom: Option<&Value>,
    object: &mut Value,
    old: &Value,
) -> Result<(), StoreError> {
    normalise(kind, custom, object)?;
    set_defaults(kind, object)?;
    if *kind == kinds::SERVICE {
        service::keep_address(object, old);
    } else if *kind == kinds::NAMESPACE {
        // Those are the subresource's, `finalize`.
        object["spec"] = old["spec"].clone();
    } else if *kind == kinds::CERTIFICATE_SIGNING_REQUEST {
        // What was asked for stays (`csrStrategy.PrepareForUpdate`).
        object["spec"] = old["spec"].clone();
    }
    let mut errors = validate(kind, object)?;
    if let Some(schema) = custom {
        errors.extend(crate::custom::validate(schema, object));
    }
    errors.extend(rules::validate_update(kind, object, old));
    if *kind == kinds::POD {
        errors.extend(pod::validate_update(&from_value(object)?, &from_value(old)?));
    }
    invalid(kind, object, errors)
}

/// A changed status only has to be of the right type; conditions of a CertificateSigningRequest are looked at.
pub(crate) fn prepare_for_status_update(
    kind: &Kind,
    custom: Option<&Value>,
    object: &mut Value,
    old: &Value,
) -> Result<(), StoreError> {
    normalise(kind, custom, object)?;
    if *kind == kinds::CERTIFICATE_SIGNING_REQUEST {
        invalid(kind, object, certificate::validate_conditions(object, old))?;
    }
    Ok(())
}

/// A namespace whose finalizers were changed only has to be of the right type.
pub(crate) fn prepare_for_finalize(object: &mut Value) -> Result<(), StoreError> {
    normalise(&kinds::NAMESPACE, None, object)
}

/// The metadata that a write of the status may change: in Kubernetes nearly every kind takes it over with the status. (A Deployment keeps its
/// labels, `deploymentStatusStrategy`; a custom object everything.)
pub(crate) fn metadata_of_status(kind: &Kind, custom: bool) -> &'static [&'static str] {
    match kind.kind {
        _ if custom => &["managedFields"],
        "Deployment" => &["annotations", "managedFields"],
        _ => &["annotations", "labels", "managedFields"],
    }
}

/// How many seconds a deletion leaves the object (`CheckGracefulDelete`): only Pods have any.
pub(crate) fn deletion_grace(kind: &Kind, object: &Value, asked: Option<i64>) -> i64 {
    if *kind != kinds::POD {
        return 0;
    }
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let unscheduled = text("/spec/nodeName").is_empty();
    let finished = ["Succeeded", "Failed"].contains(&text("/status/phase"));
    if unscheduled || finished {
        return 0;
    }
    let own = object
        .pointer("/spec/terminationGracePeriodSeconds")
        .and_then(Value::as_i64);
    // A negative grace is read as one second, as Kubernetes does.
    match asked.or(own).unwrap_or(30) {
        grace if grace < 0 => 1,
        grace => grace,
    }
}
