//! Columns that are told cell by cell: the kinds of `pkg/printers/internalversion/printers.go` but Pod, Node and Event.

use super::{Column, col, created, kept, length, name, or_none, timestamp, wide};
use crate::duration::{age, human_duration};
use jiff::Timestamp;
use podsim_store::Kind;
use serde_json::{Value, json};

/// What stands in a cell.
#[derive(Clone, Copy)]
pub(crate) enum Cell {
    /// The object's name.
    Name,
    /// How long ago it was made.
    Age,
    /// When it was made.
    Created,
    /// The text at a pointer; nothing is an empty cell.
    Text(&'static str),
    /// The text at a pointer, or these words.
    TextOr(&'static str, &'static str),
    /// A number at a pointer, 0 if there is none.
    Number(&'static str),
    /// How many entries there are at two pointers.
    Count(&'static str, &'static str),
    /// A selector or labels at a pointer.
    Labels(&'static str),
    /// The names of the containers of the Pod's spec at a pointer.
    Containers(&'static str),
    /// Their images.
    Images(&'static str),
    /// Anything else.
    Made(fn(&Value, Timestamp) -> Value),
}

impl Cell {
    pub(super) fn of(self, object: &Value, now: Timestamp) -> Value {
        let text = |pointer: &str| match object.pointer(pointer) {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        };
        match self {
            Self::Name => name(object),
            Self::Age => created(object, now),
            Self::Created => object["metadata"]["creationTimestamp"].clone(),
            Self::Text(pointer) => json!(text(pointer)),
            Self::TextOr(pointer, otherwise) => match text(pointer) {
                found if found.is_empty() => json!(otherwise),
                found => json!(found),
            },
            Self::Number(pointer) => json!(object.pointer(pointer).and_then(Value::as_i64).unwrap_or(0)),
            Self::Count(one, other) => {
                let count = |pointer: &str| object.pointer(pointer).map_or(0, length);
                json!(count(one) + count(other))
            }
            Self::Labels(pointer) => or_none(&selector(object.pointer(pointer).unwrap_or(&Value::Null))),
            Self::Containers(pointer) => containers(object, pointer, "name"),
            Self::Images(pointer) => containers(object, pointer, "image"),
            Self::Made(make) => make(object, now),
        }
    }
}

fn containers(object: &Value, pointer: &str, field: &str) -> Value {
    let list = object.pointer(pointer).and_then(|spec| spec["containers"].as_array());
    json!(join(list.into_iter().flatten().filter_map(|c| c[field].as_str())))
}

fn join<'a>(parts: impl Iterator<Item = &'a str>) -> String {
    parts.collect::<Vec<_>>().join(",")
}

/// `a=b,c in (d,e)`, from a map of labels or a LabelSelector.
fn selector(value: &Value) -> String {
    let is_selector = value.get("matchLabels").is_some() || value.get("matchExpressions").is_some();
    let labels = if is_selector { &value["matchLabels"] } else { value };
    let mut parts: Vec<String> = labels
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| Some(format!("{key}={}", value.as_str()?)))
        .collect();
    for expression in value["matchExpressions"].as_array().into_iter().flatten() {
        let key = expression["key"].as_str().unwrap_or_default();
        let values = join(
            expression["values"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str),
        );
        parts.push(match expression["operator"].as_str().unwrap_or_default() {
            "Exists" => key.to_owned(),
            "DoesNotExist" => format!("!{key}"),
            operator => format!("{key} {} ({values})", operator.to_lowercase()),
        });
    }
    parts.join(",")
}

type Told = &'static [(Column, Cell)];

use Cell::{Age, Containers, Count, Created, Images, Labels, Made, Name, Number, Text, TextOr};

const TEMPLATE: &str = "/spec/template/spec";

/// The columns of a kind; name and age for a kind that is not told.
pub(super) fn columns(kind: &Kind) -> Told {
    let found = TOLD.iter().find(|(kinds, _)| kinds.contains(&kind.kind));
    found.map_or(PLAIN, |(_, columns)| columns)
}

const PLAIN: Told = &[(col("Name"), Name), (col("Age"), Age)];

const TOLD: &[(&[&str], Told)] = &[
    (
        &["Namespace"],
        &[
            (col("Name"), Name),
            (col("Status"), TextOr("/status/phase", "Active")),
            (col("Age"), Age),
        ],
    ),
    (
        &["ConfigMap"],
        &[
            (col("Name"), Name),
            (col("Data"), Count("/data", "/binaryData")),
            (col("Age"), Age),
        ],
    ),
    (
        &["Secret"],
        &[
            (col("Name"), Name),
            (col("Type"), TextOr("/type", "Opaque")),
            (col("Data"), Count("/data", "/none")),
            (col("Age"), Age),
        ],
    ),
    (
        &["ServiceAccount"],
        &[
            (col("Name"), Name),
            (col("Secrets"), Count("/secrets", "/none")),
            (col("Age"), Age),
        ],
    ),
    (
        &["Service"],
        &[
            (col("Name"), Name),
            (col("Type"), TextOr("/spec/type", "ClusterIP")),
            (col("Cluster-IP"), TextOr("/spec/clusterIP", "<none>")),
            (col("External-IP"), Made(external_ip)),
            (col("Port(s)"), Made(service_ports)),
            (col("Age"), Age),
            (wide("Selector"), Labels("/spec/selector")),
        ],
    ),
    (
        &["Endpoints"],
        &[
            (col("Name"), Name),
            (col("Endpoints"), Made(endpoints)),
            (col("Age"), Age),
        ],
    ),
    (
        &["EndpointSlice"],
        &[
            (col("Name"), Name),
            (col("AddressType"), Text("/addressType")),
            (col("Ports"), Made(slice_ports)),
            (col("Endpoints"), Made(slice_endpoints)),
            (col("Age"), Age),
        ],
    ),
    (
        &["PersistentVolume"],
        &[
            (col("Name"), Name),
            (col("Capacity"), Text("/spec/capacity/storage")),
            (col("Access Modes"), Made(access_modes)),
            (col("Reclaim Policy"), Text("/spec/persistentVolumeReclaimPolicy")),
            (col("Status"), Made(status)),
            (col("Claim"), Made(claim)),
            (col("StorageClass"), Text("/spec/storageClassName")),
            (
                col("VolumeAttributesClass"),
                TextOr("/spec/volumeAttributesClassName", "<unset>"),
            ),
            (col("Reason"), Text("/status/reason")),
            (col("Age"), Age),
            (wide("VolumeMode"), TextOr("/spec/volumeMode", "<unset>")),
        ],
    ),
    (
        &["PersistentVolumeClaim"],
        &[
            (col("Name"), Name),
            (col("Status"), Made(status)),
            (col("Volume"), Text("/spec/volumeName")),
            (col("Capacity"), Text("/status/capacity/storage")),
            (col("Access Modes"), Made(claimed_modes)),
            (col("StorageClass"), Text("/spec/storageClassName")),
            (
                col("VolumeAttributesClass"),
                TextOr("/spec/volumeAttributesClassName", "<unset>"),
            ),
            (col("Age"), Age),
            (wide("VolumeMode"), TextOr("/spec/volumeMode", "<unset>")),
        ],
    ),
    (
        &["LimitRange", "CustomResourceDefinition", "Role", "ClusterRole"],
        &[(col("Name"), Name), (col("Created At"), Created)],
    ),
    (
        &["ResourceQuota"],
        &[
            (col("Name"), Name),
            (col("Request"), Made(|o, _| quota(o, false))),
            (col("Limit"), Made(|o, _| quota(o, true))),
            (col("Age"), Age),
        ],
    ),
    (
        &["PodTemplate"],
        &[
            (col("Name"), Name),
            (col("Containers"), Containers("/template/spec")),
            (col("Images"), Images("/template/spec")),
            (col("Pod Labels"), Labels("/template/metadata/labels")),
        ],
    ),
    (
        &["ReplicationController", "ReplicaSet"],
        &[
            (col("Name"), Name),
            (col("Desired"), Number("/spec/replicas")),
            (col("Current"), Number("/status/replicas")),
            (col("Ready"), Number("/status/readyReplicas")),
            (col("Age"), Age),
            (wide("Containers"), Containers(TEMPLATE)),
            (wide("Images"), Images(TEMPLATE)),
            (wide("Selector"), Labels("/spec/selector")),
        ],
    ),
    (
        &["Deployment"],
        &[
            (col("Name"), Name),
            (col("Ready"), Made(ready)),
            (col("Up-to-date"), Number("/status/updatedReplicas")),
            (col("Available"), Number("/status/availableReplicas")),
            (col("Age"), Age),
            (wide("Containers"), Containers(TEMPLATE)),
            (wide("Images"), Images(TEMPLATE)),
            (wide("Selector"), Labels("/spec/selector")),
        ],
    ),
    (
        &["StatefulSet"],
        &[
            (col("Name"), Name),
            (col("Ready"), Made(ready)),
            (col("Age"), Age),
            (wide("Containers"), Containers(TEMPLATE)),
            (wide("Images"), Images(TEMPLATE)),
        ],
    ),
    (
        &["DaemonSet"],
        &[
            (col("Name"), Name),
            (col("Desired"), Number("/status/desiredNumberScheduled")),
            (col("Current"), Number("/status/currentNumberScheduled")),
            (col("Ready"), Number("/status/numberReady")),
            (col("Up-to-date"), Number("/status/updatedNumberScheduled")),
            (col("Available"), Number("/status/numberAvailable")),
            (col("Node Selector"), Labels("/spec/template/spec/nodeSelector")),
            (col("Age"), Age),
            (wide("Containers"), Containers(TEMPLATE)),
            (wide("Images"), Images(TEMPLATE)),
            (wide("Selector"), Labels("/spec/selector")),
        ],
    ),
    (
        &["ControllerRevision"],
        &[
            (col("Name"), Name),
            (col("Controller"), Made(controller)),
            (col("Revision"), Number("/revision")),
            (col("Age"), Age),
        ],
    ),
    (
        &["Job"],
        &[
            (col("Name"), Name),
            (col("Status"), Made(job_status)),
            (col("Completions"), Made(completions)),
            (col("Duration"), Made(job_duration)),
            (col("Age"), Age),
            (wide("Containers"), Containers(TEMPLATE)),
            (wide("Images"), Images(TEMPLATE)),
            (wide("Selector"), Labels("/spec/selector")),
        ],
    ),
    (
        &["CronJob"],
        &[
            (col("Name"), Name),
            (col("Schedule"), Text("/spec/schedule")),
            (col("Timezone"), TextOr("/spec/timeZone", "<none>")),
            (col("Suspend"), Made(suspend)),
            (col("Active"), Count("/status/active", "/none")),
            (col("Last Schedule"), Made(last_schedule)),
            (col("Age"), Age),
            (wide("Containers"), Containers("/spec/jobTemplate/spec/template/spec")),
            (wide("Images"), Images("/spec/jobTemplate/spec/template/spec")),
            (wide("Selector"), Labels("/spec/jobTemplate/spec/selector")),
        ],
    ),
    (
        &["HorizontalPodAutoscaler"],
        &[
            (col("Name"), Name),
            (col("Reference"), Made(reference)),
            (col("Targets"), Made(kept::targets)),
            (col("MinPods"), TextOr("/spec/minReplicas", "<unset>")),
            (col("MaxPods"), Number("/spec/maxReplicas")),
            (col("Replicas"), Number("/status/currentReplicas")),
            (col("Age"), Age),
        ],
    ),
    (
        &["PodDisruptionBudget"],
        &[
            (col("Name"), Name),
            (col("Min Available"), TextOr("/spec/minAvailable", "N/A")),
            (col("Max Unavailable"), TextOr("/spec/maxUnavailable", "N/A")),
            (col("Allowed Disruptions"), Number("/status/disruptionsAllowed")),
            (col("Age"), Age),
        ],
    ),
    (
        &["NetworkPolicy"],
        &[
            (col("Name"), Name),
            (col("Pod-Selector"), Labels("/spec/podSelector")),
            (col("Age"), Age),
        ],
    ),
    (
        &["Ingress"],
        &[
            (col("Name"), Name),
            (col("Class"), TextOr("/spec/ingressClassName", "<none>")),
            (col("Hosts"), Made(hosts)),
            (col("Address"), Made(ingress_address)),
            (
                col("Ports"),
                Made(|o, _| json!(if length(&o["spec"]["tls"]) > 0 { "80, 443" } else { "80" })),
            ),
            (col("Age"), Age),
        ],
    ),
    (
        &["IngressClass"],
        &[
            (col("Name"), Name),
            (col("Controller"), Text("/spec/controller")),
            (col("Parameters"), TextOr("/spec/parameters/name", "<none>")),
            (col("Age"), Age),
        ],
    ),
    (
        &["StorageClass"],
        &[
            (col("Name"), Made(class_name)),
            (col("Provisioner"), Text("/provisioner")),
            (col("ReclaimPolicy"), TextOr("/reclaimPolicy", "Delete")),
            (col("VolumeBindingMode"), TextOr("/volumeBindingMode", "<unset>")),
            (col("AllowVolumeExpansion"), TextOr("/allowVolumeExpansion", "false")),
            (col("Age"), Age),
        ],
    ),
    (
        &["RuntimeClass"],
        &[
            (col("Name"), Name),
            (col("Handler"), Text("/handler")),
            (col("Age"), Age),
        ],
    ),
    (
        &["PriorityClass"],
        &[
            (col("Name"), Name),
            (col("Value"), Number("/value")),
            (col("Global-Default"), TextOr("/globalDefault", "false")),
            (col("Age"), Age),
            (col("PreemptionPolicy"), Text("/preemptionPolicy")),
        ],
    ),
    (
        &["CertificateSigningRequest"],
        &[
            (col("Name"), Name),
            (col("Age"), Age),
            (col("SignerName"), TextOr("/spec/signerName", "<none>")),
            (col("Requestor"), Text("/spec/username")),
            (col("RequestedDuration"), Made(kept::requested_duration)),
            (col("Condition"), Made(kept::decision)),
        ],
    ),
    (
        &["FlowSchema"],
        &[
            (col("Name"), Name),
            (col("PriorityLevel"), Text("/spec/priorityLevelConfiguration/name")),
            (col("MatchingPrecedence"), Number("/spec/matchingPrecedence")),
            (
                col("DistinguisherMethod"),
                TextOr("/spec/distinguisherMethod/type", "<none>"),
            ),
            (col("Age"), Age),
            (col("MissingPL"), Made(kept::dangling)),
        ],
    ),
    (
        &["PriorityLevelConfiguration"],
        &[
            (col("Name"), Name),
            (col("Type"), Text("/spec/type")),
            (
                col("NominalConcurrencyShares"),
                TextOr("/spec/limited/nominalConcurrencyShares", "<none>"),
            ),
            (
                col("Queues"),
                TextOr("/spec/limited/limitResponse/queuing/queues", "<none>"),
            ),
            (
                col("HandSize"),
                TextOr("/spec/limited/limitResponse/queuing/handSize", "<none>"),
            ),
            (
                col("QueueLengthLimit"),
                TextOr("/spec/limited/limitResponse/queuing/queueLengthLimit", "<none>"),
            ),
            (col("Age"), Age),
        ],
    ),
    (
        &["Lease"],
        &[
            (col("Name"), Name),
            (col("Holder"), Text("/spec/holderIdentity")),
            (col("Age"), Age),
        ],
    ),
    (
        &["RoleBinding", "ClusterRoleBinding"],
        &[
            (col("Name"), Name),
            (col("Role"), Made(role)),
            (col("Age"), Age),
            (wide("Users"), Made(|o, _| subjects(o, "User"))),
            (wide("Groups"), Made(|o, _| subjects(o, "Group"))),
            (wide("ServiceAccounts"), Made(|o, _| subjects(o, "ServiceAccount"))),
        ],
    ),
];

fn ready(object: &Value, _: Timestamp) -> Value {
    let number = |value: &Value| value.as_i64().unwrap_or(0);
    json!(format!(
        "{}/{}",
        number(&object["status"]["readyReplicas"]),
        number(&object["spec"]["replicas"])
    ))
}

fn external_ip(object: &Value, _: Timestamp) -> Value {
    let spec = &object["spec"];
    let external = join(
        spec["externalIPs"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str),
    );
    match spec["type"].as_str() {
        Some("ExternalName") => spec["externalName"].clone(),
        Some("LoadBalancer") if external.is_empty() => json!("<pending>"),
        _ => or_none(&external),
    }
}

fn service_ports(object: &Value, _: Timestamp) -> Value {
    let ports = object["spec"]["ports"].as_array().into_iter().flatten();
    let ports: Vec<String> = ports
        .map(|port| {
            let protocol = port["protocol"].as_str().unwrap_or("TCP");
            match port["nodePort"].as_u64().filter(|port| *port > 0) {
                Some(node) => format!("{}:{node}/{protocol}", port["port"]),
                None => format!("{}/{protocol}", port["port"]),
            }
        })
        .collect();
    or_none(&ports.join(","))
}

/// At most three, and how many more.
fn some_of(all: &[String]) -> Value {
    let shown = all.iter().take(3).cloned().collect::<Vec<_>>().join(",");
    match all.len() {
        0 => json!("<none>"),
        1..=3 => json!(shown),
        count => json!(format!("{shown} + {} more...", count - 3)),
    }
}

fn endpoints(object: &Value, _: Timestamp) -> Value {
    let mut all = Vec::new();
    for subset in object["subsets"].as_array().into_iter().flatten() {
        let addresses = subset["addresses"].as_array().into_iter().flatten();
        for ip in addresses.filter_map(|address| address["ip"].as_str()) {
            match subset["ports"].as_array() {
                None => all.push(ip.to_owned()),
                Some(ports) => all.extend(ports.iter().map(|port| format!("{ip}:{}", port["port"]))),
            }
        }
    }
    some_of(&all)
}

fn slice_ports(object: &Value, _: Timestamp) -> Value {
    let ports = object["ports"].as_array().into_iter().flatten();
    let all: Vec<String> = ports
        .map(|port| port["port"].as_u64().map_or("*".into(), |port| port.to_string()))
        .collect();
    if all.is_empty() {
        json!("<unset>")
    } else {
        some_of(&all)
    }
}

fn slice_endpoints(object: &Value, _: Timestamp) -> Value {
    let endpoints = object["endpoints"].as_array().into_iter().flatten();
    let addresses = endpoints.flat_map(|endpoint| endpoint["addresses"].as_array().into_iter().flatten());
    let all: Vec<String> = addresses.filter_map(Value::as_str).map(str::to_owned).collect();
    if all.is_empty() {
        json!("<unset>")
    } else {
        some_of(&all)
    }
}

fn short_modes(modes: &Value) -> Value {
    let modes = modes.as_array().into_iter().flatten().filter_map(Value::as_str);
    json!(join(modes.map(|mode| match mode {
        "ReadWriteOnce" => "RWO",
        "ReadOnlyMany" => "ROX",
        "ReadWriteMany" => "RWX",
        "ReadWriteOncePod" => "RWOP",
        other => other,
    })))
}

fn access_modes(object: &Value, _: Timestamp) -> Value {
    short_modes(&object["spec"]["accessModes"])
}

fn claimed_modes(object: &Value, _: Timestamp) -> Value {
    short_modes(&object["status"]["accessModes"])
}

fn status(object: &Value, _: Timestamp) -> Value {
    if object["metadata"]["deletionTimestamp"].is_string() {
        return json!("Terminating");
    }
    object["status"]["phase"].clone()
}

fn claim(object: &Value, _: Timestamp) -> Value {
    let claim = &object["spec"]["claimRef"];
    match (claim["namespace"].as_str(), claim["name"].as_str()) {
        (Some(namespace), Some(name)) => json!(format!("{namespace}/{name}")),
        _ => json!(""),
    }
}

fn quota(object: &Value, limits: bool) -> Value {
    let hard = object["status"]["hard"]
        .as_object()
        .or_else(|| object["spec"]["hard"].as_object());
    let parts: Vec<String> = hard
        .into_iter()
        .flatten()
        .filter(|(name, _)| name.starts_with("limits") == limits)
        .map(|(name, value)| {
            let used = object["status"]["used"][name].as_str().unwrap_or("0");
            format!("{name}: {used}/{}", value.as_str().unwrap_or_default())
        })
        .collect();
    json!(parts.join(", "))
}

fn controller(object: &Value, _: Timestamp) -> Value {
    let owners = object["metadata"]["ownerReferences"].as_array().into_iter().flatten();
    let owner = owners.filter(|owner| owner["controller"] == true).find_map(|owner| {
        let group = owner["apiVersion"]
            .as_str()?
            .split_once('/')
            .map(|(group, _)| format!(".{group}"));
        let kind = owner["kind"].as_str()?.to_lowercase();
        Some(format!(
            "{kind}{}/{}",
            group.unwrap_or_default(),
            owner["name"].as_str()?
        ))
    });
    or_none(&owner.unwrap_or_default())
}

fn condition(object: &Value, kind: &str) -> bool {
    let conditions = object["status"]["conditions"].as_array();
    conditions
        .into_iter()
        .flatten()
        .any(|c| c["type"] == kind && c["status"] == "True")
}

fn job_status(object: &Value, _: Timestamp) -> Value {
    json!(if condition(object, "Complete") {
        "Complete"
    } else if condition(object, "Failed") {
        "Failed"
    } else if object["metadata"]["deletionTimestamp"].is_string() {
        "Terminating"
    } else if condition(object, "Suspended") {
        "Suspended"
    } else if condition(object, "FailureTarget") {
        "FailureTarget"
    } else if condition(object, "SuccessCriteriaMet") {
        "SuccessCriteriaMet"
    } else {
        "Running"
    })
}

fn completions(object: &Value, _: Timestamp) -> Value {
    let done = object["status"]["succeeded"].as_i64().unwrap_or(0);
    let spec = &object["spec"];
    json!(match (spec["completions"].as_i64(), spec["parallelism"].as_i64()) {
        (Some(wanted), _) => format!("{done}/{wanted}"),
        (None, Some(parallel)) if parallel > 1 => format!("{done}/1 of {parallel}"),
        _ => format!("{done}/1"),
    })
}

fn job_duration(object: &Value, now: Timestamp) -> Value {
    let Some(start) = timestamp(&object["status"]["startTime"]) else {
        return json!("");
    };
    let end = timestamp(&object["status"]["completionTime"]).unwrap_or(now);
    json!(human_duration(end.as_second() - start.as_second()))
}

fn suspend(object: &Value, _: Timestamp) -> Value {
    json!(if object["spec"]["suspend"] == true {
        "True"
    } else {
        "False"
    })
}

fn last_schedule(object: &Value, now: Timestamp) -> Value {
    match timestamp(&object["status"]["lastScheduleTime"]) {
        None => json!("<none>"),
        at => json!(age(at, now)),
    }
}

fn reference(object: &Value, _: Timestamp) -> Value {
    let target = &object["spec"]["scaleTargetRef"];
    json!(format!(
        "{}/{}",
        target["kind"].as_str().unwrap_or_default(),
        target["name"].as_str().unwrap_or_default()
    ))
}

fn hosts(object: &Value, _: Timestamp) -> Value {
    let rules = object["spec"]["rules"].as_array().into_iter().flatten();
    let all: Vec<String> = rules
        .filter_map(|rule| rule["host"].as_str())
        .map(str::to_owned)
        .collect();
    if all.is_empty() { json!("*") } else { some_of(&all) }
}

fn ingress_address(object: &Value, _: Timestamp) -> Value {
    let points = object["status"]["loadBalancer"]["ingress"]
        .as_array()
        .into_iter()
        .flatten();
    json!(join(
        points.filter_map(|point| point["ip"].as_str().or(point["hostname"].as_str()))
    ))
}

fn class_name(object: &Value, _: Timestamp) -> Value {
    let default = object["metadata"]["annotations"]["storageclass.kubernetes.io/is-default-class"] == "true";
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    json!(if default {
        format!("{name} (default)")
    } else {
        name.to_owned()
    })
}

fn role(object: &Value, _: Timestamp) -> Value {
    let role = &object["roleRef"];
    json!(format!(
        "{}/{}",
        role["kind"].as_str().unwrap_or_default(),
        role["name"].as_str().unwrap_or_default()
    ))
}

fn subjects(object: &Value, kind: &str) -> Value {
    let subjects = object["subjects"].as_array().into_iter().flatten();
    let names: Vec<String> = subjects
        .filter(|subject| subject["kind"] == kind)
        .map(|subject| {
            let name = subject["name"].as_str().unwrap_or_default();
            match (kind, subject["namespace"].as_str()) {
                ("ServiceAccount", Some(namespace)) => format!("{namespace}/{name}"),
                _ => name.to_owned(),
            }
        })
        .collect();
    json!(names.join(", "))
}
