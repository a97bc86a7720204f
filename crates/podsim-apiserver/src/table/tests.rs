//! The STATUS column, and whole rows.

use super::*;
use std::sync::Arc;

fn now() -> Timestamp {
    "2025-06-17T14:51:00Z".parse().unwrap()
}

fn row(pod: Value) -> String {
    let table = table(
        &Columns::Own(pod::COLUMNS, pod::cells),
        &[Arc::new(pod)],
        json!({}),
        IncludeObject::None,
        true,
        now(),
    );
    let cells = table["rows"][0]["cells"].as_array().unwrap();
    cells[..5]
        .iter()
        .map(|cell| cell.as_str().unwrap())
        .collect::<Vec<_>>()
        .join(" | ")
}

fn pod(extra: Value) -> Value {
    let mut pod = json!({
        "metadata": {"name": "p", "creationTimestamp": "2025-06-17T14:48:55Z"},
        "spec": {"containers": [{"name": "a"}, {"name": "b"}]},
        "status": {"phase": "Running"},
    });
    merge(&mut pod, extra);
    pod
}

fn merge(target: &mut Value, patch: Value) {
    match (target, patch) {
        (Value::Object(target), Value::Object(patch)) => {
            for (key, value) in patch {
                merge(target.entry(key).or_insert(Value::Null), value);
            }
        }
        (target, patch) => *target = patch,
    }
}

fn running(name: &str) -> Value {
    json!({"name": name, "ready": true, "restartCount": 0, "state": {"running": {}}})
}

fn ended(name: &str, reason: &str) -> Value {
    json!({"name": name, "restartCount": 0, "state": {"terminated": {"exitCode": 0, "reason": reason}}})
}

#[test]
fn the_status_column_says_what_kubectl_says() {
    let ready = json!([{"type": "Ready", "status": "True"}]);
    let crash = json!({
        "name": "b", "restartCount": 3, "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        "lastState": {"terminated": {"finishedAt": "2025-06-17T14:50:50Z"}},
    });
    let init = json!({"containers": [{"name": "a"}], "initContainers": [{"name": "i"}, {"name": "j"}]});
    let waiting = json!({"waiting": {"reason": "PodInitializing"}});
    for (extra, expected) in [
        (json!({"status": {"phase": "Pending"}}), "p | 0/2 | Pending | 0 | 2m5s"),
        (
            json!({"status": {"containerStatuses": [running("a"), running("b")]}}),
            "p | 2/2 | Running | 0 | 2m5s",
        ),
        (
            json!({"status": {"containerStatuses": [running("a"), crash]}}),
            "p | 1/2 | CrashLoopBackOff | 3 (10s ago) | 2m5s",
        ),
        (
            json!({"status": {"phase": "Succeeded", "containerStatuses": [ended("a", "Completed"), ended("b", "Completed")]}}),
            "p | 0/2 | Completed | 0 | 2m5s",
        ),
        (
            json!({"status": {"conditions": ready, "containerStatuses": [running("a"), ended("b", "Completed")]}}),
            "p | 1/2 | Running | 0 | 2m5s",
        ),
        (
            json!({"status": {"containerStatuses": [running("a"), ended("b", "Completed")]}}),
            "p | 1/2 | NotReady | 0 | 2m5s",
        ),
        (
            json!({"status": {"containerStatuses": [
                {"name": "a", "state": {"terminated": {"exitCode": 137, "signal": 9}}},
                {"name": "b", "state": {"waiting": {"reason": "ContainerCreating"}}},
            ]}}),
            "p | 0/2 | Signal:9 | 0 | 2m5s",
        ),
        (
            json!({"spec": init.clone(), "status": {"phase": "Pending", "initContainerStatuses": [
                ended("i", "Completed"), {"name": "j", "state": waiting.clone()},
            ]}}),
            "p | 0/1 | Init:1/2 | 0 | 2m5s",
        ),
        (
            json!({"spec": init, "status": {"phase": "Pending", "initContainerStatuses": [
                {"name": "i", "state": {"terminated": {"exitCode": 1, "reason": "Error"}}},
            ]}}),
            "p | 0/1 | Init:Error | 0 | 2m5s",
        ),
        (
            json!({"metadata": {"deletionTimestamp": "2025-06-17T14:51:00Z"},
                   "status": {"containerStatuses": [running("a"), running("b")]}}),
            "p | 2/2 | Terminating | 0 | 2m5s",
        ),
        (
            json!({"metadata": {"deletionTimestamp": "2025-06-17T14:51:00Z"}, "status": {"reason": "NodeLost"}}),
            "p | 0/2 | Unknown | 0 | 2m5s",
        ),
        (
            json!({"status": {"phase": "Failed", "reason": "Evicted"}}),
            "p | 0/2 | Evicted | 0 | 2m5s",
        ),
    ] {
        assert_eq!(row(pod(extra.clone())), expected, "{extra}");
    }
}

#[test]
fn only_the_first_table_of_a_watch_has_headings() {
    let columns = Columns::Told(told::columns(&kinds::NAMESPACE));
    let object = Arc::new(json!({"metadata": {"name": "default"}, "status": {"phase": "Active"}}));
    let first = table(
        &columns,
        std::slice::from_ref(&object),
        json!({}),
        IncludeObject::Metadata,
        true,
        now(),
    );
    assert_eq!(first["columnDefinitions"].as_array().unwrap().len(), 3);
    assert_eq!(first["rows"][0]["cells"], json!(["default", "Active", "<unknown>"]));
    let next = table(&columns, &[object], json!({}), IncludeObject::Metadata, false, now());
    assert_eq!(next["columnDefinitions"], json!([]));
}
