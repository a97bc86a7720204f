//! Deployments: a ReplicaSet for each template, and the rolling way from one to the next.

use super::{all, condition, controller_reference, event, is_controlled_by, is_deleted, set_status, text};
use podsim_store::{DeleteOptions, Object, Store, StoreError, kinds};
use serde_json::{Value, json};
use std::hash::{DefaultHasher, Hash, Hasher};

const COMPONENT: &str = "deployment-controller";
const HASH: &str = "pod-template-hash";
const REVISION: &str = "deployment.kubernetes.io/revision";

pub(super) fn reconcile(store: &Store) {
    for deployment in all(store, &kinds::DEPLOYMENT) {
        if !is_deleted(&deployment)
            && let Err(error) = one(store, &deployment)
        {
            tracing::debug!("deployment {}: {error}", text(&deployment, "name"));
        }
    }
}

fn sets_of(store: &Store, deployment: &Value) -> Vec<Object> {
    let mut sets = all(store, &kinds::REPLICA_SET);
    sets.retain(|set| is_controlled_by(set, deployment) && !is_deleted(set));
    sets
}

fn one(store: &Store, deployment: &Value) -> Result<(), StoreError> {
    if deployment["spec"]["paused"] != true {
        step(store, deployment)?;
    }
    let sets = sets_of(store, deployment);
    set_status(store, &kinds::DEPLOYMENT, deployment, status(store, deployment, &sets));
    forget_old(store, deployment, &sets);
    Ok(())
}

/// One step towards the new template.
fn step(store: &Store, deployment: &Value) -> Result<(), StoreError> {
    let wanted = number(&deployment["spec"]["replicas"]);
    let (current, old): (Vec<Object>, Vec<Object>) = sets_of(store, deployment)
        .into_iter()
        .partition(|set| is_current(set, deployment));
    let current = match current.into_iter().next() {
        Some(set) => set,
        None => create_set(store, deployment)?,
    };
    keep_revision(store, deployment, &current, &old)?;
    let replicas = |set: &Value| number(&set["spec"]["replicas"]);
    let available = |set: &Value| number(&set["status"]["availableReplicas"]);
    if deployment["spec"]["strategy"]["type"] == "Recreate" {
        let mut left = false;
        for set in &old {
            left |= number(&set["status"]["replicas"]) > 0 || replicas(set) > 0;
            scale(store, deployment, set, 0)?;
        }
        return if left {
            Ok(())
        } else {
            scale(store, deployment, &current, wanted)
        };
    }
    let rolling = &deployment["spec"]["strategy"]["rollingUpdate"];
    let (mut surge, mut unavailable) = (
        share(&rolling["maxSurge"], wanted, true),
        share(&rolling["maxUnavailable"], wanted, false),
    );
    if surge == 0 && unavailable == 0 {
        unavailable = 1;
    }
    if old.iter().all(|set| replicas(set) == 0) {
        surge = surge.max(wanted);
    }
    let total = replicas(&current) + old.iter().map(|set| replicas(set)).sum::<i64>();
    // Up, as far as the surge allows.
    let up = (wanted - replicas(&current)).min(wanted + surge - total).max(0);
    let new_size = if replicas(&current) > wanted {
        wanted
    } else {
        replicas(&current) + up
    };
    scale(store, deployment, &current, new_size)?;
    // Down, as far as enough stay available; those that are not available first.
    let all_available = available(&current) + old.iter().map(|set| available(set)).sum::<i64>();
    let least = wanted - unavailable;
    let mut room = total - least - (replicas(&current) - available(&current));
    let mut healthy_room = all_available - least;
    for set in &old {
        let unhealthy = (replicas(set) - available(set)).clamp(0, room.max(0));
        let healthy = (replicas(set) - unhealthy)
            .min(room - unhealthy)
            .min(healthy_room)
            .max(0);
        room -= unhealthy + healthy;
        healthy_room -= healthy;
        scale(store, deployment, set, replicas(set) - unhealthy - healthy)?;
    }
    Ok(())
}

/// The same template, but for the label that tells the sets apart.
fn is_current(set: &Value, deployment: &Value) -> bool {
    let mut template = set["spec"]["template"].clone();
    if let Some(labels) = template["metadata"]["labels"].as_object_mut() {
        labels.remove(HASH);
    }
    template == deployment["spec"]["template"]
}

fn create_set(store: &Store, deployment: &Value) -> Result<Object, StoreError> {
    let mut hasher = DefaultHasher::new();
    deployment["spec"]["template"].to_string().hash(&mut hasher);
    // In letters that make no words, as Kubernetes does.
    const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    let mut rest = hasher.finish();
    let mut hash = String::new();
    for _ in 0..10 {
        let at = usize::try_from(rest % LETTERS.len() as u64).unwrap_or(0);
        hash.push(LETTERS.get(at).copied().unwrap_or(b'x').into());
        rest /= LETTERS.len() as u64;
    }
    let spec = &deployment["spec"];
    let (mut template, mut selector) = (spec["template"].clone(), spec["selector"].clone());
    template["metadata"]["labels"][HASH] = hash.as_str().into();
    selector["matchLabels"][HASH] = hash.as_str().into();
    let name = format!("{}-{hash}", text(deployment, "name"));
    let set = json!({
        "metadata": {
            "name": name, "labels": template["metadata"]["labels"], "ownerReferences": [controller_reference(deployment)],
            "annotations": {"deployment.kubernetes.io/desired-replicas": number(&spec["replicas"]).to_string()},
        },
        "spec": {"replicas": 0, "selector": selector, "template": template, "minReadySeconds": spec["minReadySeconds"]},
    });
    store.create(&kinds::REPLICA_SET, text(deployment, "namespace"), set)
}

fn revision(object: &Value) -> u64 {
    let text = object["metadata"]["annotations"][REVISION].as_str();
    text.and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// The newest template has the highest revision; the Deployment says which that is.
fn keep_revision(store: &Store, deployment: &Value, current: &Value, old: &[Object]) -> Result<(), StoreError> {
    let highest = old.iter().map(|set| revision(set)).max().unwrap_or(0);
    let own = revision(current).max(highest + 1);
    for (kind, object) in [(&kinds::REPLICA_SET, current), (&kinds::DEPLOYMENT, deployment)] {
        if revision(object) != own {
            store.modify(kind, text(object, "namespace"), text(object, "name"), |object| {
                if !object["metadata"]["annotations"].is_object() {
                    object["metadata"]["annotations"] = json!({});
                }
                object["metadata"]["annotations"][REVISION] = own.to_string().into();
                Ok(())
            })?;
        }
    }
    Ok(())
}

fn scale(store: &Store, deployment: &Value, set: &Value, size: i64) -> Result<(), StoreError> {
    let before = number(&set["spec"]["replicas"]);
    if before == size {
        return Ok(());
    }
    store.modify(&kinds::REPLICA_SET, text(set, "namespace"), text(set, "name"), |set| {
        set["spec"]["replicas"] = size.into();
        Ok(())
    })?;
    let way = if size > before { "up" } else { "down" };
    let message = format!("Scaled {way} replica set {} from {before} to {size}", text(set, "name"));
    event(store, deployment, COMPONENT, "Normal", "ScalingReplicaSet", &message);
    Ok(())
}

fn number(value: &Value) -> i64 {
    value.as_i64().unwrap_or(0)
}

/// A number, or a percentage of the wanted ones, rounded up (surge) or down (unavailable).
fn share(value: &Value, of: i64, up: bool) -> i64 {
    match value.as_str().and_then(|text| text.strip_suffix('%')) {
        Some(percent) => {
            let hundredths = percent.parse::<i64>().unwrap_or(25).clamp(0, 100) * of;
            (hundredths + if up { 99 } else { 0 }) / 100
        }
        None => value.as_i64().unwrap_or(0).max(0),
    }
}

fn status(store: &Store, deployment: &Value, sets: &[Object]) -> Value {
    let sum = |field: &str| sets.iter().map(|set| number(&set["status"][field])).sum::<i64>();
    let current = sets.iter().find(|set| is_current(set, deployment));
    let updated = current.map_or(0, |set| number(&set["status"]["replicas"]));
    let (replicas, ready, available) = (sum("replicas"), sum("readyReplicas"), sum("availableReplicas"));
    let wanted = number(&deployment["spec"]["replicas"]);
    let mut status = json!({"observedGeneration": number(&deployment["metadata"]["generation"]).max(1)});
    for (field, count) in [
        ("replicas", replicas),
        ("updatedReplicas", updated),
        ("readyReplicas", ready),
        ("availableReplicas", available),
        ("unavailableReplicas", (wanted - available).max(0)),
    ] {
        if count > 0 {
            status[field] = count.into();
        }
    }
    let old = &deployment["status"];
    let unavailable = share(
        &deployment["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"],
        wanted,
        false,
    );
    let available_condition = if available >= wanted - unavailable {
        condition(
            store,
            old,
            "Available",
            "True",
            "MinimumReplicasAvailable",
            "Deployment has minimum availability.",
        )
    } else {
        let message = "Deployment does not have minimum availability.";
        condition(store, old, "Available", "False", "MinimumReplicasUnavailable", message)
    };
    let name = current.map(|set| text(set, "name")).unwrap_or_default();
    let progressing = if updated == wanted && replicas == wanted && available >= wanted {
        let message = format!("ReplicaSet \"{name}\" has successfully progressed.");
        condition(store, old, "Progressing", "True", "NewReplicaSetAvailable", &message)
    } else {
        let message = format!("ReplicaSet \"{name}\" is progressing.");
        condition(store, old, "Progressing", "True", "ReplicaSetUpdated", &message)
    };
    status["conditions"] = json!([available_condition, progressing]);
    status
}

/// Sets of templates of long ago go (`revisionHistoryLimit`).
fn forget_old(store: &Store, deployment: &Value, sets: &[Object]) {
    let limit = deployment["spec"]["revisionHistoryLimit"].as_u64().unwrap_or(10);
    let is_empty = |set: &Value| number(&set["spec"]["replicas"]) == 0 && number(&set["status"]["replicas"]) == 0;
    let mut old: Vec<&Object> = sets
        .iter()
        .filter(|set| !is_current(set, deployment) && is_empty(set))
        .collect();
    old.sort_by_key(|set| revision(set));
    let many = old.len().saturating_sub(usize::try_from(limit).unwrap_or(usize::MAX));
    for set in old.into_iter().take(many) {
        let _ = store.delete(
            &kinds::REPLICA_SET,
            text(set, "namespace"),
            text(set, "name"),
            &DeleteOptions::default(),
        );
    }
}
