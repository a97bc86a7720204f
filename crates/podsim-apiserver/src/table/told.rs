//! Columns that are told cell by cell: the kinds of `pkg/printers/internalversion/printers.go` but Pod, Node and Event.

use super::cells::{
    access_modes, claim, claimed_modes, class_name, completions, containers, controller, endpoints, external_ip, hosts,
    ingress_address, job_duration, job_status, last_schedule, quota, ready, reference, role, selector, service_ports,
    slice_endpoints, slice_ports, status, subjects, suspend,
};
use super::{Column, col, created, kept, length, name, or_none, wide};
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
