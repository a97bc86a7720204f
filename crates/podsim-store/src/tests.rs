//! The store: concurrency, deletion, watches, selectors.

use crate::{DeleteOptions, Deleted, Selectors, Since, Store, StoreError, WatchEventType, kinds};
use k8s_openapi::api::core::v1::Pod;
use podsim_sys::ManualClock;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

fn store() -> (Arc<ManualClock>, Store) {
    let clock = Arc::new(ManualClock::new(Duration::from_secs(1_700_000_000)));
    let mut next = 0;
    let entropy = move || {
        next += 1;
        next
    };
    (clock.clone(), Store::new(clock, entropy))
}

fn pod(name: &str) -> Value {
    json!({ "metadata": { "name": name }, "spec": { "containers": [{ "name": "a", "image": "busybox" }] } })
}

fn create(store: &Store, object: Value) -> Value {
    let created = store.create(&kinds::POD, "default", object);
    created.map(|o| o.as_ref().clone()).unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn a_created_pod_has_defaults_and_system_metadata() {
    let (_, store) = store();
    let object = create(&store, pod("x"));
    assert_eq!(object["metadata"]["creationTimestamp"], "2023-11-14T22:13:20Z");
    assert_eq!(object["metadata"]["generation"], 1);
    assert_eq!(object["metadata"]["uid"].as_str().map(str::len), Some(36));
    assert_eq!(object["spec"]["restartPolicy"], "Always");
    assert_eq!(object["spec"]["containers"][0]["imagePullPolicy"], "Always");
    assert_eq!(
        object["status"],
        json!({ "phase": "Pending", "qosClass": "BestEffort" })
    );
}

#[test]
fn the_second_writer_with_an_old_version_is_refused() {
    let (_, store) = store();
    let mut object = create(&store, pod("x"));
    object["metadata"]["labels"] = json!({ "a": "1" });
    store
        .update(&kinds::POD, "default", object.clone())
        .expect("the first update");
    object["metadata"]["labels"] = json!({ "a": "2" });
    let error = store
        .update(&kinds::POD, "default", object)
        .expect_err("the second update");
    assert_eq!(
        error.to_string(),
        "Operation cannot be fulfilled on pods \"x\": the object has been modified; please apply your changes to the latest version and try again"
    );
    assert_eq!(error.code(), 409);
}

#[test]
fn status_and_spec_are_written_apart() {
    let (_, store) = store();
    let mut object = create(&store, pod("x"));
    object["status"]["phase"] = "Running".into();
    object["spec"]["activeDeadlineSeconds"] = 5.into();
    let written = store
        .update_status(&kinds::POD, "default", object.clone())
        .expect("status");
    assert_eq!(
        (&written["status"]["phase"], &written["spec"]["activeDeadlineSeconds"]),
        (&json!("Running"), &Value::Null)
    );
    object["status"]["phase"] = "Failed".into();
    object["metadata"]["resourceVersion"] = Value::Null;
    let written = store.update(&kinds::POD, "default", object).expect("spec");
    assert_eq!(
        (&written["status"]["phase"], &written["spec"]["activeDeadlineSeconds"]),
        (&json!("Running"), &json!(5))
    );
    assert_eq!(written["metadata"]["generation"], 2);
}

#[test]
fn most_of_a_pod_cannot_be_changed() {
    let (_, store) = store();
    create(&store, pod("x"));
    let error = store.api::<Pod>().modify("default", "x", |pod| {
        let spec = pod.spec.get_or_insert_default();
        spec.node_name = Some("n".to_owned());
        spec.containers[0].command = Some(vec!["sh".to_owned()]);
        spec.containers[0].image = Some("nginx".to_owned());
    });
    let message = error.expect_err("immutable").for_people();
    assert!(
        message.starts_with("The Pod \"x\" is invalid: spec: Forbidden: pod updates may not change fields other than"),
        "{message}"
    );
    assert!(
        message.ends_with("changed: spec.containers[0].command, spec.nodeName"),
        "{message}"
    );
}

#[test]
fn all_complaints_come_at_once() {
    let (_, store) = store();
    let bad =
        json!({ "metadata": { "name": "x" }, "spec": { "containers": [{ "image": "b" }], "restartPolicy": "Maybe" } });
    let error = store.create(&kinds::POD, "default", bad).expect_err("invalid");
    assert_eq!(
        error.for_people(),
        "The Pod \"x\" is invalid:\n* spec.containers[0].name: Required value\n* spec.restartPolicy: Unsupported value: \"Maybe\": supported values: \"Always\", \"Never\", \"OnFailure\""
    );
    assert_eq!(
        error.to_status()["details"]["causes"][0]["field"],
        "spec.containers[0].name"
    );
}

#[test]
fn a_pod_on_a_node_is_deleted_gracefully_and_others_at_once() {
    let (clock, store) = store();
    create(&store, pod("x"));
    create(&store, pod("y"));
    store.bind("default", "y", "node").expect("bind");
    let delete = |name: &str, grace| {
        let options = DeleteOptions {
            grace_period_seconds: grace,
            ..DeleteOptions::default()
        };
        store.delete(&kinds::POD, "default", name, &options).expect("delete")
    };
    assert!(matches!(delete("x", None), Deleted::Gone(_)));
    let Deleted::Terminating(object) = delete("y", None) else {
        panic!("gone")
    };
    assert_eq!(object["metadata"]["deletionTimestamp"], "2023-11-14T22:13:50Z");
    assert_eq!(object["metadata"]["deletionGracePeriodSeconds"], 30);
    clock.advance(Duration::from_secs(2));
    let Deleted::Terminating(object) = delete("y", Some(5)) else {
        panic!("gone")
    };
    assert_eq!(object["metadata"]["deletionTimestamp"], "2023-11-14T22:13:25Z");
    assert!(matches!(delete("y", Some(0)), Deleted::Gone(_)));
    assert_eq!(
        store.get(&kinds::POD, "default", "y").expect_err("gone").to_string(),
        "pods \"y\" not found"
    );
}

#[test]
fn a_namespace_goes_when_the_last_object_in_it_has_gone() {
    let (_, store) = store();
    let create = |kind, namespace: &str, object| store.create(kind, namespace, object);
    create(&kinds::NAMESPACE, "", json!({ "metadata": { "name": "n" } })).expect("namespace");
    create(&kinds::CONFIG_MAP, "n", json!({ "metadata": { "name": "c" } })).expect("config map");
    create(&kinds::POD, "n", pod("x")).expect("pod");
    store.bind("n", "x", "node").expect("bind");
    let all = DeleteOptions::default();
    assert!(matches!(
        store.delete(&kinds::NAMESPACE, "", "n", &all),
        Ok(Deleted::Terminating(_))
    ));
    assert!(store.get(&kinds::CONFIG_MAP, "n", "c").is_err());
    assert!(matches!(
        create(&kinds::POD, "n", pod("z")),
        Err(StoreError::Forbidden { .. })
    ));
    let now = DeleteOptions {
        grace_period_seconds: Some(0),
        ..DeleteOptions::default()
    };
    store.delete(&kinds::POD, "n", "x", &now).expect("the last object");
    assert!(store.get(&kinds::NAMESPACE, "", "n").is_err());
}

#[tokio::test]
async fn a_watch_sees_what_comes_to_match_and_what_ceases_to() {
    let (_, store) = store();
    let mut labelled = pod("x");
    labelled["metadata"]["labels"] = json!({ "app": "web" });
    let created = create(&store, labelled);
    let selectors = Selectors::parse(&kinds::POD, "app in (web,db),!old", "").expect("selectors");
    let mut watch = store
        .watch(&kinds::POD, Some("default"), &selectors, Since::Start)
        .expect("watch");
    create(&store, pod("unlabelled"));
    for labels in [
        json!({ "app": "db" }),
        json!({ "app": "db", "old": "" }),
        json!({ "app": "web" }),
    ] {
        store
            .modify(&kinds::POD, "default", "x", |o| {
                o["metadata"]["labels"] = labels;
                Ok(())
            })
            .expect("modify");
    }
    let mut seen = vec![];
    for _ in 0..4 {
        seen.push(watch.next().await.expect("event").kind.name());
    }
    assert_eq!(seen, ["ADDED", "MODIFIED", "DELETED", "ADDED"]);
    let since: u64 = created["metadata"]["resourceVersion"]
        .as_str()
        .and_then(|v| v.parse().ok())
        .unwrap_or(0);
    let mut again = store
        .watch(&kinds::POD, None, &Selectors::name("x"), Since::ResourceVersion(since))
        .expect("watch");
    assert_eq!(again.next().await.expect("event").kind, WatchEventType::Modified);
}

#[tokio::test]
async fn old_versions_expire_and_slow_watchers_are_cut_off() {
    let (_, store) = store();
    create(&store, pod("x"));
    let mut slow = store
        .watch(&kinds::POD, None, &Selectors::default(), Since::Now)
        .expect("watch");
    for i in 0..5000 {
        let status = |o: &mut Value| {
            o["status"]["message"] = i.to_string().into();
            Ok(())
        };
        store
            .modify_status(&kinds::POD, "default", "x", status)
            .expect("modify");
    }
    let mut seen = 0;
    while slow.next().await.is_some() {
        seen += 1;
    }
    assert_eq!(seen, 1024);
    let error = store
        .watch(&kinds::POD, None, &Selectors::default(), Since::ResourceVersion(7))
        .expect_err("too old");
    assert_eq!(error.code(), 410);
}

#[test]
fn selectors_select() {
    let (_, store) = store();
    let mut labelled = pod("x");
    labelled["metadata"]["labels"] = json!({ "app": "web" });
    create(&store, labelled);
    create(&store, pod("y"));
    store.bind("default", "y", "n1").expect("bind");
    for (labels, fields, expected) in [
        ("", "", "x y"),
        ("app=web", "", "x"),
        ("app!=web", "", "y"),
        ("app notin (db)", "", "x y"),
        ("!app", "", "y"),
        ("", "spec.nodeName=n1", "y"),
        ("", "spec.nodeName=", "x"),
        ("", "status.phase!=Pending", ""),
        ("", "metadata.name=x,spec.hostNetwork=false", "x"),
    ] {
        let selectors = Selectors::parse(&kinds::POD, labels, fields).expect("selectors");
        let list = store.list(&kinds::POD, None, &selectors);
        let names: Vec<_> = list
            .items
            .iter()
            .filter_map(|o| o["metadata"]["name"].as_str())
            .collect();
        assert_eq!(names.join(" "), expected, "{labels} {fields}");
    }
    let error = Selectors::parse(&kinds::POD, "", "spec.image=x").expect_err("unknown field");
    assert_eq!(error.to_string(), "field label not supported: spec.image");
}
