//! Volumes that the kubelet fills: what is in them, how they change, and what is told when something is missing.

use super::harness::{Harness, settle};
use podsim_store::token::TokenSigner;
use podsim_store::{DeleteOptions, kinds};
use podsim_sys::Clock;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

fn spec(volumes: Value, mounts: Value) -> Value {
    json!({
        "volumes": volumes,
        "containers": [{ "name": "a", "image": "busybox", "imagePullPolicy": "Never", "volumeMounts": mounts }],
    })
}

fn create(node: &Harness, kind: &'static podsim_store::Kind, object: Value) {
    node.store.create(kind, "default", object).expect("a good object");
}

fn config_map(node: &Harness, data: Value) {
    create(
        node,
        &kinds::CONFIG_MAP,
        json!({ "metadata": { "name": "cm" }, "data": data }),
    );
}

async fn change_config_map(node: &Harness, data: Value) {
    let old = node
        .store
        .get(&kinds::CONFIG_MAP, "default", "cm")
        .expect("it is there");
    let mut object = (*old).clone();
    object["data"] = data;
    node.store
        .update(&kinds::CONFIG_MAP, "default", object)
        .expect("updated");
    settle().await;
}

async fn delete_config_map(node: &Harness) {
    node.store
        .delete(&kinds::CONFIG_MAP, "default", "cm", &DeleteOptions::default())
        .expect("deleted");
    settle().await;
}

/// The tree of the volume `v`, without the digits of the directory's name.
fn tree(node: &Harness) -> Vec<String> {
    let lines = node.runtime.volume_tree("v").into_iter();
    let plain = |line: String| match line.split_once("..2023_") {
        Some((before, after)) => {
            let rest = after.trim_start_matches(|c: char| c.is_ascii_digit() || c == '_' || c == '.');
            format!("{before}..T{rest}")
        }
        None => line,
    };
    lines.map(plain).collect()
}

/// Has the kubelet look at the Pod.
async fn label(node: &Harness) {
    let mut object = (*node.store.get(&kinds::POD, "default", "x").expect("there")).clone();
    let now = node.clock.monotonic().as_secs();
    object["metadata"]["labels"] = json!({ "at": now.to_string() });
    node.store.update(&kinds::POD, "default", object).expect("updated");
    settle().await;
}

fn mount() -> Value {
    json!([{ "name": "v", "mountPath": "/v" }])
}

#[tokio::test]
async fn a_config_map_is_written_and_follows_its_changes() {
    let node = Harness::new().await;
    config_map(&node, json!({ "a": "1", "b": "2" }));
    node.pod(spec(json!([{ "name": "v", "configMap": { "name": "cm" } }]), mount()))
        .await;
    assert_eq!(
        tree(&node),
        [
            "0777 0:0 ./",
            "0755 0:0 ..T/",
            "0644 0:0 ..T/a \"1\"",
            "0644 0:0 ..T/b \"2\"",
            "0:0 ..data -> ..T",
            "0:0 a -> ..data/a",
            "0:0 b -> ..data/b",
        ]
    );
    let config = node.runtime.container_config("a").expect("a container");
    assert!(config.mounts[0].readonly, "nobody writes to a ConfigMap");

    node.clock.advance(Duration::from_secs(1));
    change_config_map(&node, json!({ "b": "3", "c": "4" })).await;
    assert_eq!(
        tree(&node),
        [
            "0777 0:0 ./",
            "0755 0:0 ..T/",
            "0644 0:0 ..T/b \"3\"",
            "0644 0:0 ..T/c \"4\"",
            "0:0 ..data -> ..T",
            "0:0 b -> ..data/b",
            "0:0 c -> ..data/c",
        ]
    );
    assert_eq!(node.calls(&["start_container"]).len(), 1, "no container was touched");
    // A change of something else is no change.
    let changes = node.calls(&["change_volume"]).len();
    create(
        &node,
        &kinds::CONFIG_MAP,
        json!({ "metadata": { "name": "other" }, "data": { "x": "y" } }),
    );
    change_config_map(&node, json!({ "b": "3", "c": "4" })).await;
    assert_eq!(node.calls(&["change_volume"]).len(), changes);
}

#[tokio::test]
async fn a_pod_waits_for_its_config_map_and_goes_on_when_it_is_there() {
    let node = Harness::new().await;
    node.pod(spec(json!([{ "name": "v", "configMap": { "name": "cm" } }]), mount()))
        .await;
    assert_eq!(node.state("a"), "waiting ContainerCreating: ");
    assert_eq!(node.calls(&["run_pod_sandbox"]), [""; 0], "not even a sandbox");
    let missing = "FailedMount: MountVolume.SetUp failed for volume \"v\" : configmap \"cm\" not found";
    assert_eq!(node.events().last().map(String::as_str), Some(missing));
    // 0.5 s, 1 s, 2 s, … after one another.
    node.seconds(10).await;
    assert_eq!(node.events().last(), Some(&format!("{missing} (x5)")));
    node.seconds(120).await;
    let told = "FailedMount: Unable to attach or mount volumes: unmounted volumes=[v], unattached volumes=[], failed to process volumes=[]: \
                context deadline exceeded";
    assert_eq!(node.events().last().map(String::as_str), Some(told));
    config_map(&node, json!({ "a": "1" }));
    settle().await;
    assert_eq!(node.state("a"), "running");
}

#[tokio::test]
async fn a_config_map_that_goes_away_leaves_its_files_unless_it_is_optional() {
    for (optional, expected) in [(false, 5), (true, 3)] {
        let node = Harness::new().await;
        config_map(&node, json!({ "a": "1" }));
        let volume = json!([{ "name": "v", "configMap": { "name": "cm", "optional": optional } }]);
        node.pod(spec(volume, mount())).await;
        node.clock.advance(Duration::from_secs(1));
        delete_config_map(&node).await;
        assert_eq!(tree(&node).len(), expected, "optional: {optional}: {:?}", tree(&node));
        let told = node.events().iter().any(|e| e.contains("configmap \"cm\" not found"));
        assert_eq!(told, !optional);
        assert_eq!(node.state("a"), "running");
        config_map(&node, json!({ "a": "2" }));
        settle().await;
        assert!(
            tree(&node).iter().any(|line| line.ends_with("/a \"2\"")),
            "{:?}",
            tree(&node)
        );
    }
}

#[tokio::test]
async fn keys_have_their_paths_and_modes_and_the_group_gets_them() {
    let node = Harness::new().await;
    let secret = json!({ "metadata": { "name": "s" }, "stringData": { "user": "u", "pass": "p", "rest": "r" } });
    create(&node, &kinds::SECRET, secret);
    let items = json!([{ "key": "user", "path": "d/who" }, { "key": "pass", "path": "word", "mode": 0o400 }]);
    let volume = json!([{ "name": "v", "secret": { "secretName": "s", "defaultMode": 0o600, "items": items } }]);
    let mut spec = spec(volume, mount());
    spec["securityContext"] = json!({ "fsGroup": 1001 });
    node.pod(spec).await;
    assert_eq!(
        tree(&node),
        [
            "2777 0:1001 ./",
            "2755 0:1001 ..T/",
            "2755 0:1001 ..T/d/",
            "0640 0:1001 ..T/d/who \"u\"",
            "0440 0:1001 ..T/word \"p\"",
            "0:1001 ..data -> ..T",
            "0:1001 d -> ..data/d",
            "0:1001 word -> ..data/word",
        ]
    );
    assert!(
        node.runtime.volume("v").is_some_and(|v| v.memory),
        "Secrets are never on a disk"
    );
}

#[tokio::test]
async fn missing_keys_are_told_unless_they_are_optional() {
    for (source, expected) in [
        (
            json!({ "configMap": { "name": "cm", "items": [{ "key": "no", "path": "p" }] } }),
            "references non-existent config key: no",
        ),
        (json!({ "secret": { "secretName": "s" } }), "secret \"s\" not found"),
        (
            json!({ "projected": { "sources": [{ "secret": { "name": "s" } }, { "configMap": { "name": "gone" } }] } }),
            "[secret \"s\" not found, configmap \"gone\" not found]",
        ),
        (
            json!({ "projected": { "sources": [{ "secret": { "name": "s", "optional": true } }, { "configMap": { "name": "gone" } }] } }),
            "configmap \"gone\" not found",
        ),
    ] {
        let node = Harness::new().await;
        config_map(&node, json!({ "a": "1" }));
        let mut volume = source.clone();
        volume["name"] = "v".into();
        node.pod(spec(json!([volume]), mount())).await;
        let expected = format!("FailedMount: MountVolume.SetUp failed for volume \"v\" : {expected}");
        assert_eq!(node.events().last(), Some(&expected), "{source}");
    }
}

#[tokio::test]
async fn the_pod_tells_of_itself_and_its_labels_follow() {
    let node = Harness::new().await;
    let field = |path: &str| json!({ "path": path.replace(['[', ']', '\''], "_"), "fieldRef": { "fieldPath": path } });
    let resource = |name: &str, divisor: &str| json!({ "path": name, "resourceFieldRef": { "containerName": "a", "resource": name, "divisor": divisor } });
    let items = json!([
        field("metadata.name"),
        field("metadata.namespace"),
        field("metadata.labels"),
        field("metadata.annotations"),
        field("metadata.annotations['z']"),
        resource("limits.cpu", "1m"),
        resource("requests.cpu", "1m"),
        resource("limits.memory", "1Mi"),
    ]);
    let mut spec = spec(json!([{ "name": "v", "downwardAPI": { "items": items } }]), mount());
    spec["containers"][0]["resources"] = json!({ "limits": { "memory": "33Mi" } });
    let object = json!({
        "metadata": { "name": "x", "labels": { "b": "2", "a": "1" }, "annotations": { "z": "line\n\"two\"", "y": "" } },
        "spec": spec,
    });
    create(&node, &kinds::POD, object);
    settle().await;
    let files = || {
        let lines = tree(&node).into_iter();
        let files = lines.filter_map(|l| l.strip_prefix("0644 0:0 ..T/").map(str::to_owned));
        files.collect::<Vec<_>>()
    };
    assert_eq!(
        files(),
        [
            r#"limits.cpu "2000""#,
            r#"limits.memory "33""#,
            r#"metadata.annotations "y=\"\"\nz=\"line\\n\\\"two\\\"\"""#,
            r#"metadata.annotations__z__ "\"two\"\nline""#,
            r#"metadata.labels "a=\"1\"\nb=\"2\"""#,
            r#"metadata.name "x""#,
            r#"metadata.namespace "default""#,
            r#"requests.cpu "0""#,
        ]
    );
    let mut object = (*node.store.get(&kinds::POD, "default", "x").expect("there")).clone();
    object["metadata"]["labels"] = json!({ "c": "3" });
    node.store.update(&kinds::POD, "default", object).expect("updated");
    settle().await;
    assert!(
        files().contains(&r#"metadata.labels "c=\"3\"""#.to_owned()),
        "{:?}",
        files()
    );
}

#[tokio::test]
async fn a_token_is_renewed_before_it_ends_and_kept_while_it_cannot_be() {
    let node = Harness::new().await;
    let key = TokenSigner::generate().expect("randomness");
    let signer = TokenSigner::from_pkcs8(&key).expect("a key");
    node.store.install_signer(Arc::new(signer));
    let account = json!({ "metadata": { "name": "default" }, "automountServiceAccountToken": false });
    create(&node, &kinds::SERVICE_ACCOUNT, account);
    let token = json!({ "path": "t", "audience": "vault", "expirationSeconds": 1000 });
    let volume = json!([{ "name": "v", "projected": { "sources": [{ "serviceAccountToken": token }] } }]);
    let mut spec = spec(volume, mount());
    spec["securityContext"] = json!({ "runAsUser": 7 });
    node.pod(spec).await;
    let token = || {
        let files = tree(&node).into_iter();
        let mut tokens = files.filter_map(|l| {
            l.strip_prefix("0600 7:0 ..T/t \"")
                .map(|t| t.trim_end_matches('"').to_owned())
        });
        tokens.next().expect("a token that is its user's alone")
    };
    let first = token();
    let audiences = ["vault".to_owned()];
    let owner = node.store.review_token(&first, &audiences).expect("a good token");
    assert_eq!(owner.name, "default");
    assert_eq!(owner.extra["authentication.kubernetes.io/pod-name"], ["x"]);
    assert!(node.store.review_token(&first, &[]).is_err(), "it is not for the API");
    node.clock.advance(Duration::from_secs(799));
    settle().await;
    assert_eq!(token(), first);
    node.clock.advance(Duration::from_secs(2));
    settle().await;
    let second = token();
    assert_ne!(second, first);
    // With the account the tokens end, but nothing better is to be had.
    node.store
        .delete(&kinds::SERVICE_ACCOUNT, "default", "default", &DeleteOptions::default())
        .expect("deleted");
    node.clock.advance(Duration::from_secs(900));
    label(&node).await;
    assert_eq!(token(), second);
    assert_eq!(node.events().iter().filter(|e| e.starts_with("FailedMount")).count(), 0);
    node.clock.advance(Duration::from_secs(200));
    label(&node).await;
    assert_eq!(
        node.events().last().map(String::as_str),
        Some(
            "FailedMount: MountVolume.SetUp failed for volume \"v\" : failed to fetch token: serviceaccounts \"default\" not found"
        )
    );
    assert_eq!(token(), second);
}
