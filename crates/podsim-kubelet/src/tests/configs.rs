//! What a container is given: environment, command, termination messages.

use super::harness::{Harness, settle};
use podsim_cri::LogStream;
use podsim_cri::fake::{Script, StartOutcome};
use podsim_store::kinds;
use serde_json::{Value, json};
use std::time::Duration;

fn container(fields: Value) -> Value {
    let mut container = json!({ "name": "a", "image": "busybox", "imagePullPolicy": "Never" });
    for (key, value) in fields.as_object().into_iter().flatten() {
        container[key] = value.clone();
    }
    container
}

fn create(node: &Harness, kind: &'static podsim_store::Kind, object: Value) {
    node.store.create(kind, "default", object).expect("a good object");
}

/// The environment of the container, sorted, without HOSTNAME.
fn environment(node: &Harness) -> Vec<String> {
    let config = node.runtime.container_config("a").unwrap_or_default();
    let vars = config.envs.into_iter().filter(|(name, _)| name != "HOSTNAME");
    let mut vars: Vec<_> = vars.map(|(name, value)| format!("{name}={value}")).collect();
    vars.sort();
    vars
}

#[tokio::test]
async fn an_environment_comes_from_many_places_and_the_containers_own_wins() {
    let node = Harness::new().await;
    create(
        &node,
        &kinds::CONFIG_MAP,
        json!({ "metadata": { "name": "cm" }, "data": { "A": "map", "B": "b" } }),
    );
    create(
        &node,
        &kinds::SECRET,
        json!({ "metadata": { "name": "s" }, "stringData": { "pass": "word" } }),
    );
    let from = |what: &str, key: &str, optional: bool| {
        let name = if what == "configMapKeyRef" { "cm" } else { "s" };
        json!({ what: { "name": name, "key": key, "optional": optional } })
    };
    node.pod(json!({ "containers": [container(json!({
        "envFrom": [
            { "configMapRef": { "name": "cm" } },
            { "prefix": "P_", "secretRef": { "name": "s" } },
            { "configMapRef": { "name": "gone", "optional": true } },
        ],
        "env": [
            { "name": "A", "value": "own" },
            { "name": "C", "value": "$(A)-$(B)-$(P_pass)-$(LATER)-$$(A)" },
            { "name": "LATER", "value": "l" },
            { "name": "POD", "valueFrom": { "fieldRef": { "fieldPath": "metadata.name" } } },
            { "name": "IP", "valueFrom": { "fieldRef": { "fieldPath": "status.podIP" } } },
            { "name": "PASS", "valueFrom": from("secretKeyRef", "pass", false) },
            { "name": "NONE", "valueFrom": from("configMapKeyRef", "gone", true) },
            { "name": "CPU", "valueFrom": { "resourceFieldRef": { "resource": "limits.cpu" } } },
            { "name": "MEM", "valueFrom": { "resourceFieldRef": { "resource": "requests.memory", "divisor": "1Mi" } } },
        ],
        "resources": { "requests": { "memory": "33Mi" } },
        "command": ["sh", "-c"],
        "args": ["$(C) $(HOSTNAME) $(NOPE)"],
    }))] }))
    .await;
    let ip = node.get().and_then(|p| p.status?.pod_ip).unwrap_or_default();
    assert_eq!(
        environment(&node),
        [
            "A=own",
            "B=b",
            "C=own-b-word-$(LATER)-$(A)",
            "CPU=2",
            &format!("IP={ip}"),
            "LATER=l",
            "MEM=33",
            "PASS=word",
            "POD=x",
            "P_pass=word",
        ]
    );
    let args = node.runtime.container_config("a").unwrap_or_default().args;
    assert_eq!(args, ["own-b-word-$(LATER)-$(A) $(HOSTNAME) $(NOPE)"]);
}

#[tokio::test]
async fn services_make_variables_unless_the_pod_does_not_want_them() {
    for (links, expected) in [
        (
            true,
            vec![
                "DB_PORT=tcp://10.96.0.9:5432",
                "DB_PORT_5432_TCP=tcp://10.96.0.9:5432",
                "DB_PORT_5432_TCP_ADDR=10.96.0.9",
                "DB_PORT_5432_TCP_PORT=5432",
                "DB_PORT_5432_TCP_PROTO=tcp",
                "DB_SERVICE_HOST=10.96.0.9",
                "DB_SERVICE_PORT=5432",
                "DB_SERVICE_PORT_SQL_RO=5432",
                "KUBERNETES_SERVICE_HOST=10.96.0.1",
                "REF=10.96.0.9",
            ],
        ),
        (
            false,
            vec!["KUBERNETES_SERVICE_HOST=10.96.0.1", "REF=$(DB_SERVICE_HOST)"],
        ),
    ] {
        let node = Harness::new().await;
        let service = |name: &str, ip: &str, port: Value| json!({ "metadata": { "name": name }, "spec": { "clusterIP": ip, "ports": [port] } });
        create(
            &node,
            &kinds::SERVICE,
            service("db", "10.96.0.9", json!({ "name": "sql-ro", "port": 5432 })),
        );
        create(
            &node,
            &kinds::SERVICE,
            service("headless", "None", json!({ "port": 1 })),
        );
        create(
            &node,
            &kinds::SERVICE,
            service("kubernetes", "10.96.0.1", json!({ "name": "https", "port": 443 })),
        );
        let env = json!([{ "name": "REF", "value": "$(DB_SERVICE_HOST)" }]);
        node.pod(json!({ "enableServiceLinks": links, "containers": [container(json!({ "env": env }))] }))
            .await;
        let mut vars = environment(&node);
        vars.retain(|v| !v.starts_with("KUBERNETES_") || v.starts_with("KUBERNETES_SERVICE_HOST"));
        assert_eq!(vars, expected);
    }
}

#[tokio::test]
async fn what_is_missing_is_named_and_waited_for() {
    let key = |what: &str| json!([{ "name": "A", "valueFrom": { what: { "name": "n", "key": "k" } } }]);
    for (fields, message) in [
        (json!({ "env": key("configMapKeyRef") }), "configmap \"n\" not found"),
        (json!({ "env": key("secretKeyRef") }), "secret \"n\" not found"),
        (
            json!({ "envFrom": [{ "configMapRef": { "name": "n" } }] }),
            "configmap \"n\" not found",
        ),
        (
            json!({ "envFrom": [{ "secretRef": { "name": "n" } }] }),
            "secret \"n\" not found",
        ),
    ] {
        let node = Harness::new().await;
        node.pod(json!({ "containers": [container(fields.clone())] })).await;
        assert_eq!(
            node.state("a"),
            format!("waiting CreateContainerConfigError: {message}"),
            "{fields}"
        );
        assert_eq!(node.phase(), "Pending");
        let events = node.events();
        let told = format!("Failed: Error: {message}");
        assert!(events.iter().any(|e| e.starts_with(&told)), "{events:?}");
        let kind = if message.starts_with("secret") {
            &kinds::SECRET
        } else {
            &kinds::CONFIG_MAP
        };
        create(&node, kind, json!({ "metadata": { "name": "n" } }));
        node.seconds(10).await;
        if fields.get("env").is_some() {
            let what = if message.starts_with("secret") {
                "Secret"
            } else {
                "ConfigMap"
            };
            let message = format!("couldn't find key k in {what} default/n");
            assert_eq!(
                node.state("a"),
                format!("waiting CreateContainerConfigError: {message}")
            );
        } else {
            assert_eq!(node.state("a"), "running");
        }
    }
}

#[tokio::test]
async fn a_sub_path_expression_needs_its_variables() {
    let node = Harness::new().await;
    let mount = |expression: &str| json!([{ "name": "v", "mountPath": "/v", "subPathExpr": expression }]);
    let volumes = json!([{ "name": "v", "emptyDir": {} }]);
    let env = json!([{ "name": "ABS", "value": "/tmp" }, { "name": "EMPTY", "value": "" }]);
    for (expression, message) in [
        ("$(NOPE)", "missing value for \"NOPE\""),
        ("$(EMPTY)", "missing value for \"EMPTY\""),
        ("$(ABS)", "error SubPath `/tmp` must not be an absolute path"),
    ] {
        let node = Harness::new().await;
        let fields = json!({ "env": env, "volumeMounts": mount(expression) });
        node.pod(json!({ "volumes": volumes, "containers": [container(fields)] }))
            .await;
        assert_eq!(
            node.state("a"),
            format!("waiting CreateContainerConfigError: {message}")
        );
    }
    let env = json!([{ "name": "POD", "valueFrom": { "fieldRef": { "fieldPath": "metadata.name" } } }]);
    let fields = json!({ "env": env, "volumeMounts": mount("logs-$(POD)") });
    node.pod(json!({ "volumes": volumes, "containers": [container(fields)] }))
        .await;
    let mounts = node.runtime.container_config("a").unwrap_or_default().mounts;
    let sources: Vec<_> = mounts.iter().map(|m| format!("{:?}", m.source)).collect();
    assert!(sources.iter().any(|s| s.contains("logs-x")), "{sources:?}");
}

#[tokio::test]
async fn last_words_are_in_the_file_or_at_the_end_of_the_log() {
    for (policy, code, file, log, expected) in [
        ("File", 1, "bye", "log\n", "bye"),
        ("File", 1, "", "log\n", ""),
        ("FallbackToLogsOnError", 1, "bye", "log\n", "bye"),
        ("FallbackToLogsOnError", 1, "", "log\n", "log\n"),
        ("FallbackToLogsOnError", 0, "", "log\n", ""),
        ("FallbackToLogsOnError", 0, "OK", "log\n", "OK"),
    ] {
        let node = Harness::new().await;
        let fields = json!({ "terminationMessagePolicy": policy });
        node.pod(json!({ "restartPolicy": "Never", "containers": [container(fields)] }))
            .await;
        node.runtime.write_volume_file("termination-log-a-0", "log", file);
        node.runtime.write_log("a", LogStream::Stdout, log);
        node.runtime.exit("a", code);
        settle().await;
        let ended = node.container("a").state.and_then(|s| s.terminated).unwrap_or_default();
        assert_eq!(ended.message.unwrap_or_default(), expected, "{policy} {code} {file:?}");
    }
}

#[tokio::test]
async fn a_pod_that_runs_long_enough_has_its_back_off_forgotten() {
    let node = Harness::new().await;
    let crash = Script {
        start: StartOutcome::ExitsAfter(Duration::from_secs(1), 1),
        ..Script::default()
    };
    node.runtime.script("a", crash);
    node.pod(json!({ "containers": [container(json!({}))] })).await;
    node.seconds(40).await;
    assert!(node.container("a").restart_count >= 2);
    node.runtime.script("a", Script::default());
    node.seconds(60).await;
    assert_eq!(node.state("a"), "running");
    let before = node.container("a").restart_count;
    node.seconds(601).await;
    node.runtime.exit("a", 1);
    settle().await;
    assert_eq!(
        (node.state("a").as_str(), node.container("a").restart_count),
        ("running", before + 1)
    );
}
