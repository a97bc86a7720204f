//! Defaults and first status of the kinds that are kept rather than run. (Pods have a folder of their own.)

use crate::api::{from_value, to_value};
use crate::state::{metadata, text};
use crate::{Kind, StoreError, kinds, pod};
use k8s_openapi::api::core::v1::Pod;
use serde_json::{Map, Value, json};

/// Sets what is not set.
fn or_set(object: &mut Value, pointer: &str, default: Value) {
    let Some((parent, field)) = pointer.rsplit_once('/') else {
        return;
    };
    let Some(parent) = object.pointer_mut(parent).and_then(Value::as_object_mut) else {
        return;
    };
    let slot = parent.entry(field).or_insert(Value::Null);
    // Go writes a struct that has nothing set as `{}`.
    if slot.is_null() || slot.as_object().is_some_and(Map::is_empty) {
        *slot = default;
    }
}

/// The defaults of a kind (`pkg/apis/*/v1/defaults.go`).
pub(crate) fn set(kind: &Kind, object: &mut Value) -> Result<(), StoreError> {
    let mut each = |defaults: &[(&str, Value)]| {
        for (pointer, default) in defaults {
            or_set(object, pointer, default.clone());
        }
    };
    let rolling = json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}});
    match kind.kind {
        "Namespace" => set_namespace(object)?,
        "Deployment" => each(&[
            ("/spec/replicas", json!(1)),
            ("/spec/strategy", rolling),
            ("/spec/revisionHistoryLimit", json!(10)),
            ("/spec/progressDeadlineSeconds", json!(600)),
        ]),
        "ReplicaSet" | "ReplicationController" => each(&[("/spec/replicas", json!(1))]),
        "StatefulSet" => each(&[
            ("/spec/replicas", json!(1)),
            ("/spec/podManagementPolicy", json!("OrderedReady")),
            ("/spec/revisionHistoryLimit", json!(10)),
            (
                "/spec/updateStrategy",
                json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}),
            ),
            (
                "/spec/persistentVolumeClaimRetentionPolicy",
                json!({"whenDeleted": "Retain", "whenScaled": "Retain"}),
            ),
        ]),
        "DaemonSet" => each(&[
            ("/spec/revisionHistoryLimit", json!(10)),
            (
                "/spec/updateStrategy",
                json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}),
            ),
        ]),
        "Job" => set_job(object),
        "CronJob" => each(&[
            ("/spec/concurrencyPolicy", json!("Allow")),
            ("/spec/suspend", json!(false)),
            ("/spec/successfulJobsHistoryLimit", json!(3)),
            ("/spec/failedJobsHistoryLimit", json!(1)),
        ]),
        "Service" => set_service(object),
        "PersistentVolumeClaim" => each(&[("/spec/volumeMode", json!("Filesystem"))]),
        "PersistentVolume" => each(&[
            ("/spec/volumeMode", json!("Filesystem")),
            ("/spec/persistentVolumeReclaimPolicy", json!("Retain")),
        ]),
        "StorageClass" => each(&[
            ("/reclaimPolicy", json!("Delete")),
            ("/volumeBindingMode", json!("Immediate")),
        ]),
        "PriorityClass" => each(&[("/preemptionPolicy", json!("PreemptLowerPriority"))]),
        "HorizontalPodAutoscaler" => {
            let target = json!({"type": "Utilization", "averageUtilization": 80});
            each(&[
                ("/spec/minReplicas", json!(1)),
                (
                    "/spec/metrics",
                    json!([{"type": "Resource", "resource": {"name": "cpu", "target": target}}]),
                ),
            ]);
        }
        "FlowSchema" => each(&[("/spec/matchingPrecedence", json!(1000))]),
        "PriorityLevelConfiguration" => set_priority_level(object),
        "NetworkPolicy" => each(&[("/spec/policyTypes", json!(["Ingress"]))]),
        "CustomResourceDefinition" => set_crd(object),
        _ => {}
    }
    for pointer in ["/spec/template", "/template", "/spec/jobTemplate/spec/template"] {
        if templated(kind, pointer)
            && let Some(template) = object.pointer_mut(pointer).filter(|t| t["spec"].is_object())
        {
            set_template(template)?;
        }
    }
    Ok(())
}

fn templated(kind: &Kind, pointer: &str) -> bool {
    let wanted = match kind.kind {
        "Deployment" | "ReplicaSet" | "ReplicationController" | "StatefulSet" | "DaemonSet" | "Job" => "/spec/template",
        "PodTemplate" => "/template",
        "CronJob" => "/spec/jobTemplate/spec/template",
        _ => "",
    };
    wanted == pointer
}

/// Fields that are not defaulted in a template.
const OF_PODS_ONLY: &[&str] = &[
    "enableServiceLinks",
    "preemptionPolicy",
    "priority",
    "serviceAccount",
    "serviceAccountName",
    "tolerations",
];

/// A template gets the defaults of a Pod.
fn set_template(template: &mut Value) -> Result<(), StoreError> {
    let mut pod: Pod = from_value(&json!({"metadata": {}, "spec": template["spec"]}))?;
    pod::set_defaults(&mut pod);
    let mut spec = to_value(&pod)?["spec"].take();
    // What only a Pod itself gets, from defaults and admission.
    if let (Some(spec), Some(given)) = (spec.as_object_mut(), template["spec"].as_object()) {
        spec.retain(|field, _| !OF_PODS_ONLY.contains(&field.as_str()) || given.contains_key(field));
    }
    template["spec"] = spec;
    if !template["metadata"].is_object() {
        template["metadata"] = json!({});
    }
    Ok(())
}

/// By this label selectors find one namespace; nobody can change it.
fn set_namespace(object: &mut Value) -> Result<(), StoreError> {
    let name = text(object, "/metadata/name").to_owned();
    let labels = metadata(object)?.entry("labels").or_insert(Value::Null);
    if !labels.is_object() {
        *labels = json!({});
    }
    labels["kubernetes.io/metadata.name"] = name.into();
    Ok(())
}

fn set_job(object: &mut Value) {
    let parallel = object.pointer("/spec/parallelism").is_some_and(|n| !n.is_null());
    if !parallel {
        or_set(object, "/spec/completions", json!(1));
    }
    for (pointer, default) in [
        ("/spec/parallelism", json!(1)),
        ("/spec/backoffLimit", json!(6)),
        ("/spec/completionMode", json!("NonIndexed")),
        ("/spec/suspend", json!(false)),
        ("/spec/manualSelector", json!(false)),
        ("/spec/podReplacementPolicy", json!("TerminatingOrFailed")),
    ] {
        or_set(object, pointer, default);
    }
}

/// A Job tells its Pods apart by labels that hold its uid.
pub(crate) fn number_job(object: &mut Value) {
    if object["spec"]["manualSelector"] == true {
        return;
    }
    let (uid, name) = (
        text(object, "/metadata/uid").to_owned(),
        text(object, "/metadata/name").to_owned(),
    );
    object["spec"]["selector"] = json!({"matchLabels": {"batch.kubernetes.io/controller-uid": uid}});
    let template = &mut object["spec"]["template"];
    if !template["metadata"].is_object() {
        template["metadata"] = json!({});
    }
    let labels = &mut template["metadata"]["labels"];
    for (key, value) in [
        ("batch.kubernetes.io/controller-uid", &uid),
        ("batch.kubernetes.io/job-name", &name),
        ("controller-uid", &uid),
        ("job-name", &name),
    ] {
        labels[key] = value.as_str().into();
    }
}

fn set_service(object: &mut Value) {
    for (pointer, default) in [
        ("/spec/type", json!("ClusterIP")),
        ("/spec/sessionAffinity", json!("None")),
    ] {
        or_set(object, pointer, default);
    }
    if text(object, "/spec/type") != "ExternalName" {
        or_set(object, "/spec/internalTrafficPolicy", json!("Cluster"));
        or_set(object, "/spec/ipFamilies", json!(["IPv4"]));
        or_set(object, "/spec/ipFamilyPolicy", json!("SingleStack"));
    }
    for port in object["spec"]["ports"].as_array_mut().into_iter().flatten() {
        or_set(port, "/protocol", json!("TCP"));
        let number = port["port"].clone();
        if port["targetPort"] == 0 {
            port["targetPort"] = Value::Null;
        }
        or_set(port, "/targetPort", number);
    }
}

fn set_priority_level(object: &mut Value) {
    match text(object, "/spec/type") {
        "Exempt" => {
            or_set(object, "/spec/exempt", json!({}));
            or_set(object, "/spec/exempt/nominalConcurrencyShares", json!(0));
            or_set(object, "/spec/exempt/lendablePercent", json!(0));
        }
        "Limited" if object["spec"]["limited"].is_object() => {
            or_set(object, "/spec/limited/nominalConcurrencyShares", json!(30));
            or_set(object, "/spec/limited/lendablePercent", json!(0));
            if text(object, "/spec/limited/limitResponse/type") == "Queue" {
                or_set(object, "/spec/limited/limitResponse/queuing", json!({}));
                for (field, default) in [("queues", 64), ("handSize", 8), ("queueLengthLimit", 50)] {
                    let pointer = format!("/spec/limited/limitResponse/queuing/{field}");
                    or_set(object, &pointer, json!(default));
                }
            }
        }
        _ => {}
    }
}

fn set_crd(object: &mut Value) {
    let names = &mut object["spec"]["names"];
    let kind = names["kind"].as_str().unwrap_or_default().to_owned();
    or_set(names, "/singular", kind.to_lowercase().into());
    or_set(names, "/listKind", format!("{kind}List").into());
    or_set(object, "/spec/conversion", json!({"strategy": "None"}));
}

/// The status of a new object. Kinds that nothing here acts on say so.
pub(crate) fn first_status(kind: &Kind, object: &mut Value) {
    let status = match kind.kind {
        "PersistentVolumeClaim" => json!({"phase": "Pending"}),
        "PersistentVolume" => json!({"phase": "Available"}),
        "Service" => json!({"loadBalancer": {}}),
        "StatefulSet" => json!({"replicas": 0, "conditions": [no_controller(kind)]}),
        "DaemonSet" => json!({
            "currentNumberScheduled": 0, "desiredNumberScheduled": 0, "numberMisscheduled": 0, "numberReady": 0,
            "conditions": [no_controller(kind)],
        }),
        "HorizontalPodAutoscaler" => json!({"desiredReplicas": 0, "conditions": [no_controller(kind)]}),
        "ReplicaSet" | "ReplicationController" => json!({"replicas": 0}),
        "PodDisruptionBudget" => {
            json!({"currentHealthy": 0, "desiredHealthy": 0, "disruptionsAllowed": 0, "expectedPods": 0})
        }
        _ if kind.has_status => json!({}),
        _ => return,
    };
    if let Some(object) = object.as_object_mut()
        && *kind != kinds::NODE
    {
        object.insert("status".to_owned(), status);
    }
}

fn no_controller(kind: &Kind) -> Value {
    json!({
        "type": "Progressing", "status": "False", "reason": "NoController",
        "message": format!("podsim keeps objects of the kind {} and runs no controller for them", kind.kind),
    })
}
