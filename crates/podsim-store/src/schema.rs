//! The shape of the kinds, asked of the types themselves: what OpenAPI tells clients, and what writing an object is checked by.
//!
//! The definitions are OpenAPI v3 schemas under Kubernetes' names (`io.k8s.api.core.v1.Pod`), with the rules for lists
//! (`x-kubernetes-list-type`, `x-kubernetes-patch-merge-key`) that the types do not tell put in from [`LIST_KEYS`].

use crate::{Kind, kinds};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};
use std::sync::LazyLock;

/// The definitions of all built-in kinds.
pub struct Schemas {
    definitions: Map<String, Value>,
    roots: Vec<(&'static Kind, String)>,
}

/// A constant, so to speak: it takes some milliseconds to build, and a client that never asks does not wait for it.
static BUILTIN: LazyLock<Schemas> = LazyLock::new(Schemas::build);

/// The definitions of all built-in kinds.
#[must_use]
pub fn builtin() -> &'static Schemas {
    &BUILTIN
}

/// How a schema points at a definition.
pub const REFERENCE: &str = "#/components/schemas/";

/// Lists whose items have keys, by the type of the items. The first key is the one of strategic merge patches.
const LIST_KEYS: &[(&str, &[&str])] = &[
    ("Container", &["name"]),
    ("EphemeralContainer", &["name"]),
    ("ContainerPort", &["containerPort", "protocol"]),
    ("ServicePort", &["port", "protocol"]),
    ("EnvVar", &["name"]),
    ("Volume", &["name"]),
    ("VolumeMount", &["mountPath"]),
    ("VolumeDevice", &["devicePath"]),
    ("HostAlias", &["ip"]),
    ("TopologySpreadConstraint", &["topologyKey", "whenUnsatisfiable"]),
    ("PodSchedulingGate", &["name"]),
    ("PodResourceClaim", &["name"]),
    ("NodeAddress", &["type"]),
    ("PodIP", &["ip"]),
    ("HostIP", &["ip"]),
    ("OwnerReference", &["uid"]),
    ("LocalObjectReference", &["name"]),
    ("ObjectReference", &["name"]),
    ("ResourceClaim", &["name"]),
];

/// Types that take any JSON, or one of several.
const ANYTHING: &[&str] = &[
    ".JSON",
    ".JSONSchemaPropsOrArray",
    ".JSONSchemaPropsOrBool",
    ".JSONSchemaPropsOrStringArray",
    ".RawExtension",
];

/// Lists of plain values that are sets.
const SETS: &[&str] = &["finalizers", "podCIDRs"];

macro_rules! types {
    ($generator:ident, $roots:ident; $($group:ident::$version:ident { $($kind:ident),* $(,)? })*) => {
        $($(add::<k8s_openapi::api::$group::$version::$kind>(&mut $generator, &mut $roots);)*)*
    };
}

fn add<T: JsonSchema + k8s_openapi::Resource>(
    generator: &mut SchemaGenerator,
    roots: &mut Vec<(&'static Kind, String)>,
) {
    generator.subschema_for::<T>();
    if let Some(kind) = kinds::by_kind(T::API_VERSION, T::KIND) {
        roots.push((kind, T::schema_name().into_owned()));
    }
}

impl Schemas {
    fn build() -> Self {
        let mut generator = SchemaSettings::openapi3().into_generator();
        let mut roots = Vec::new();
        types! { generator, roots;
            core::v1 {
                Pod, Node, Namespace, Event, ConfigMap, Secret, Service, ServiceAccount, Endpoints, PersistentVolume,
                PersistentVolumeClaim, LimitRange, ResourceQuota, PodTemplate, ReplicationController, Binding,
            }
            apps::v1 { Deployment, ReplicaSet, StatefulSet, DaemonSet, ControllerRevision }
            batch::v1 { Job, CronJob }
            autoscaling::v1 { HorizontalPodAutoscaler, Scale }
            autoscaling::v2 { HorizontalPodAutoscaler }
            policy::v1 { PodDisruptionBudget, Eviction }
            networking::v1 { NetworkPolicy, Ingress, IngressClass }
            discovery::v1 { EndpointSlice }
            storage::v1 { StorageClass, CSINode, CSIDriver }
            admissionregistration::v1 { ValidatingWebhookConfiguration, MutatingWebhookConfiguration }
            certificates::v1 { CertificateSigningRequest }
            flowcontrol::v1 { FlowSchema, PriorityLevelConfiguration }
            node::v1 { RuntimeClass }
            scheduling::v1 { PriorityClass }
            coordination::v1 { Lease }
            rbac::v1 { Role, RoleBinding, ClusterRole, ClusterRoleBinding }
            authentication::v1 { TokenReview, SelfSubjectReview, TokenRequest }
            authorization::v1 { SelfSubjectAccessReview, SubjectAccessReview, SelfSubjectRulesReview, LocalSubjectAccessReview }
        }
        use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
        use k8s_openapi::apimachinery::pkg::apis::meta::v1::{DeleteOptions, Status};
        use k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1::APIService;
        add::<CustomResourceDefinition>(&mut generator, &mut roots);
        add::<APIService>(&mut generator, &mut roots);
        generator.subschema_for::<DeleteOptions>();
        generator.subschema_for::<Status>();
        let mut definitions = generator.take_definitions(true);
        definitions.values_mut().for_each(add_list_rules);
        for (name, definition) in &mut definitions {
            if ANYTHING.iter().any(|anything| name.ends_with(anything)) {
                *definition = json!({
                    "description": definition["description"], "x-kubernetes-preserve-unknown-fields": true,
                });
            }
        }
        Self { definitions, roots }
    }

    /// All definitions, by name.
    #[must_use]
    pub fn definitions(&self) -> &Map<String, Value> {
        &self.definitions
    }

    /// The definition's name of a kind.
    #[must_use]
    pub fn name_of(&self, kind: &Kind) -> Option<&str> {
        self.roots
            .iter()
            .find(|(k, _)| *k == kind)
            .map(|(_, name)| name.as_str())
    }

    /// The schema of a kind.
    #[must_use]
    pub fn of(&self, kind: &Kind) -> Option<&Value> {
        self.definitions.get(self.name_of(kind)?)
    }

    /// Follows references to where something is said.
    #[must_use]
    pub fn resolve<'a>(&'a self, schema: &'a Value) -> &'a Value {
        self.named(schema).1
    }

    /// As [`Schemas::resolve`], with the definition's last name (`Container`), empty for a schema without one.
    #[must_use]
    pub fn named<'a>(&'a self, schema: &'a Value) -> (&'a str, &'a Value) {
        let target = schema["$ref"].as_str().or_else(|| schema["allOf"][0]["$ref"].as_str());
        let name = target.and_then(|target| target.strip_prefix(REFERENCE));
        match name.and_then(|name| Some((name, self.definitions.get(name)?))) {
            Some((name, definition)) => (name.rsplit('.').next().unwrap_or(name), definition),
            None => ("", schema),
        }
    }

    /// Takes out of an object what its kind does not have, and says what: the fields' paths, and the first wrong type.
    pub fn prune(&self, schema: &Value, object: &mut Value) -> Report {
        let mut report = Report::default();
        let (name, _) = self.named(schema);
        self.walk(
            schema,
            object,
            &mut Path {
                owner: name.to_owned(),
                text: String::new(),
                field: String::new(),
            },
            &mut report,
            0,
        );
        report
    }

    fn walk(&self, schema: &Value, value: &mut Value, path: &mut Path, report: &mut Report, depth: usize) {
        let (name, schema) = self.named(schema);
        if depth > MAX_DEPTH {
            report.complain("exceeded max depth".to_owned());
            return;
        }
        if !name.is_empty() {
            path.owner = name.to_owned();
        }
        if schema["x-kubernetes-int-or-string"] == true {
            if !matches!(value, Value::String(_) | Value::Number(_)) {
                report.wrong(path, value, "intstr.IntOrString");
            }
            return;
        }
        match (schema["type"].as_str(), &mut *value) {
            (Some("object"), Value::Object(object)) => self.walk_object(schema, object, path, report, depth),
            (Some("array"), Value::Array(items)) => {
                for (index, item) in items.iter_mut().enumerate() {
                    let mut path = path.item(index);
                    self.walk(&schema["items"], item, &mut path, report, depth + 1);
                }
            }
            (Some("string"), Value::String(_))
            | (Some("boolean"), Value::Bool(_))
            | (Some("number"), Value::Number(_))
            | (None, _) => {}
            // A quantity may be written as a number.
            (Some("string"), Value::Number(number)) if name == "Quantity" => *value = Value::String(number.to_string()),
            (Some("integer"), Value::Number(number)) if number.is_i64() || number.is_u64() => {}
            (Some("integer"), Value::Number(number))
                if number.as_f64().is_some_and(|n| n.fract() == 0.0 && n.abs() < 9e15) =>
            {
                #[expect(clippy::cast_possible_truncation, reason = "a whole number within the range of i64")]
                let whole = number.as_f64().unwrap_or_default() as i64;
                *value = whole.into();
            }
            (Some(expected), _) => {
                let go = match expected {
                    "integer" if schema["format"] == "int64" => "int64",
                    "integer" => "int32",
                    "boolean" => "bool",
                    "number" => "float64",
                    other if name.is_empty() => other,
                    _ => name,
                };
                report.wrong(path, value, go);
            }
        }
    }

    fn walk_object(
        &self,
        schema: &Value,
        object: &mut Map<String, Value>,
        path: &Path,
        report: &mut Report,
        depth: usize,
    ) {
        // In Go a null is the same as nothing.
        object.retain(|_, value| !value.is_null());
        let properties = schema["properties"].as_object();
        let rest = schema.get("additionalProperties");
        let keep = schema["x-kubernetes-preserve-unknown-fields"] == true || (properties.is_none() && rest.is_none());
        let embedded = schema["x-kubernetes-embedded-resource"] == true;
        object.retain(|key, value| {
            let mut below = path.field(key);
            match (properties.and_then(|p| p.get(key)), rest) {
                (Some(schema), _) | (None, Some(schema @ Value::Object(_))) => {
                    self.walk(schema, value, &mut below, report, depth + 1);
                    true
                }
                (None, Some(Value::Bool(true))) => true,
                (None, _) if keep || (embedded && ["apiVersion", "kind", "metadata"].contains(&key.as_str())) => true,
                (None, _) => {
                    report.unknown.push(below.text);
                    false
                }
            }
        });
    }
}

/// An object that is deeper than this is no object of any kind.
const MAX_DEPTH: usize = 100;

#[derive(Clone)]
struct Path {
    /// The struct that the field is of.
    owner: String,
    text: String,
    /// Without indices, as Go's messages have it.
    field: String,
}

impl Path {
    fn field(&self, key: &str) -> Self {
        let join = |text: &str| {
            if text.is_empty() {
                key.to_owned()
            } else {
                format!("{text}.{key}")
            }
        };
        Self {
            owner: self.owner.clone(),
            text: join(&self.text),
            field: join(&self.field),
        }
    }

    fn item(&self, index: usize) -> Self {
        Self {
            text: format!("{}[{index}]", self.text),
            ..self.clone()
        }
    }
}

/// What [`Schemas::prune`] found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Paths of fields that the kind does not have.
    pub unknown: Vec<String>,
    /// The first value of a wrong type, in the words of Go's decoder.
    pub wrong: Option<String>,
}

impl Report {
    fn complain(&mut self, message: String) {
        self.wrong.get_or_insert(message);
    }

    fn wrong(&mut self, path: &Path, value: &Value, expected: &str) {
        let found = match value {
            Value::Null => "null",
            Value::Bool(_) => "bool",
            Value::Number(_) => "number",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        self.complain(format!(
            "json: cannot unmarshal {found} into Go struct field {}.{} of type {expected}",
            path.owner, path.field
        ));
    }
}

/// Writes the rules for lists into a definition.
fn add_list_rules(definition: &mut Value) {
    let Some(properties) = definition.get_mut("properties").and_then(Value::as_object_mut) else {
        return;
    };
    for (field, schema) in properties {
        if schema["type"] != "array" {
            continue;
        }
        let item = schema["items"]["$ref"].as_str().unwrap_or_default();
        let item = item.rsplit('.').next().unwrap_or_default().to_owned();
        let condition: &[&str] = &["type"];
        let keys = LIST_KEYS.iter().find(|(name, _)| *name == item).map(|(_, keys)| *keys);
        let keys = keys.or((field == "conditions" && item.ends_with("Condition")).then_some(condition));
        if let Some(keys) = keys {
            schema["x-kubernetes-list-type"] = "map".into();
            schema["x-kubernetes-list-map-keys"] = json!(keys);
            schema["x-kubernetes-patch-strategy"] = if item == "Volume" { "merge,retainKeys" } else { "merge" }.into();
            schema["x-kubernetes-patch-merge-key"] = keys.first().copied().unwrap_or_default().into();
        } else if SETS.contains(&field.as_str()) {
            schema["x-kubernetes-list-type"] = "set".into();
            schema["x-kubernetes-patch-strategy"] = "merge".into();
        } else {
            schema["x-kubernetes-list-type"] = "atomic".into();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_definition() {
        for kind in kinds::ALL {
            assert!(builtin().of(kind).is_some(), "{}", kind.kind);
        }
    }

    #[test]
    fn unknown_fields_go_and_wrong_types_are_told() {
        let schema = builtin().of(&kinds::DEPLOYMENT).unwrap();
        let mut object =
            json!({"spec": {"replica": 2, "template": {"spec": {"containers": [{"name": "a", "imag": "x"}]}}}});
        let report = builtin().prune(schema, &mut object);
        assert_eq!(
            report.unknown,
            ["spec.replica", "spec.template.spec.containers[0].imag"]
        );
        assert_eq!(
            object,
            json!({"spec": {"template": {"spec": {"containers": [{"name": "a"}]}}}})
        );
        let mut object = json!({"spec": {"replicas": "two", "paused": null}});
        let report = builtin().prune(schema, &mut object);
        let wrong = "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32";
        assert_eq!(report.wrong.as_deref(), Some(wrong));
    }
}
