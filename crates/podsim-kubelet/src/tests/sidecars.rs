//! Sidecars, ephemeral containers, restart rules, and hooks that hold others up.

use super::harness::{Harness, settle};
use podsim_cri::fake::{ExecScript, PortScript, PullOutcome, Script, StartOutcome, TermOutcome};
use podsim_cri::{Error, NamespaceMode};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

fn container(name: &str) -> Value {
    json!({ "name": name, "image": "busybox", "imagePullPolicy": "Never" })
}

fn sidecar(name: &str) -> Value {
    let mut value = container(name);
    value["restartPolicy"] = "Always".into();
    value
}

fn exits(code: i32) -> Script {
    Script {
        start: StartOutcome::ExitsAfter(Duration::ZERO, code),
        ..Script::default()
    }
}

fn stops_after(seconds: u64) -> Script {
    Script {
        term: TermOutcome::ExitsAfter(Duration::from_secs(seconds), 0),
        ..Script::default()
    }
}

#[tokio::test]
async fn sidecars_start_first_and_stop_last_in_reverse() {
    let node = Harness::new().await;
    for name in ["s1", "s2", "a"] {
        node.runtime.script(name, stops_after(3));
    }
    node.runtime.script("i", exits(0));
    let init = json!([sidecar("s1"), container("i"), sidecar("s2")]);
    node.pod(json!({ "initContainers": init, "containers": [container("a")] }))
        .await;
    settle().await;
    assert_eq!(
        node.calls(&["start_container"]),
        [
            "start_container s1",
            "start_container i",
            "start_container s2",
            "start_container a"
        ]
    );
    assert_eq!(
        (node.phase().as_str(), node.container("s1").started),
        ("Running", Some(true))
    );
    node.delete(None).await;
    assert_eq!(node.calls(&["stop_container"]), ["stop_container a 30s"]);
    node.seconds(3).await;
    assert_eq!(
        node.calls(&["stop_container"]),
        ["stop_container a 30s", "stop_container s2 27s"]
    );
    node.seconds(3).await;
    assert_eq!(
        node.calls(&["stop_container"]).last().map(String::as_str),
        Some("stop_container s1 24s")
    );
    node.seconds(3).await;
    assert_eq!(node.phase(), "gone");
}

#[tokio::test]
async fn sidecars_that_have_no_time_left_get_two_seconds_each() {
    let node = Harness::new().await;
    let stubborn = Script {
        term: TermOutcome::Ignored,
        ..Script::default()
    };
    node.runtime.script("a", stubborn.clone());
    node.runtime.script("s", stubborn);
    node.pod(
        json!({ "terminationGracePeriodSeconds": 5, "initContainers": [sidecar("s")], "containers": [container("a")] }),
    )
    .await;
    node.delete(None).await;
    node.seconds(5).await;
    assert_eq!(
        node.calls(&["stop_container"]),
        ["stop_container a 5s", "stop_container s 2s"]
    );
    node.seconds(2).await;
    assert_eq!(node.phase(), "gone");
}

#[tokio::test]
async fn a_sidecar_starts_again_and_does_not_keep_a_job_alive() {
    let node = Harness::new().await;
    node.pod(json!({ "restartPolicy": "Never", "initContainers": [sidecar("s")], "containers": [container("a")] }))
        .await;
    node.runtime.exit("s", 1);
    settle().await;
    assert_eq!(
        (node.container("s").restart_count, node.state("s").as_str()),
        (1, "running")
    );
    assert_eq!(node.phase(), "Running");
    node.runtime.exit("a", 0);
    settle().await;
    settle().await;
    assert_eq!(
        (node.phase().as_str(), node.state("s").as_str()),
        ("Succeeded", "terminated 143 Error")
    );
}

#[tokio::test]
async fn the_containers_wait_for_a_sidecars_startup_probe() {
    let node = Harness::new().await;
    let mut proxy = sidecar("s");
    proxy["startupProbe"] = json!({ "tcpSocket": { "port": 80 }, "periodSeconds": 1, "failureThreshold": 30 });
    node.runtime.script_port(80, PortScript::Refused);
    node.pod(json!({ "initContainers": [proxy], "containers": [container("a")] }))
        .await;
    node.seconds(5).await;
    assert_eq!(
        (node.phase().as_str(), node.state("s").as_str()),
        ("Pending", "running")
    );
    assert_eq!(node.state("a"), "waiting PodInitializing: ");
    let initialized = || {
        let conditions = node.get().and_then(|p| p.status?.conditions).unwrap_or_default();
        let found = conditions
            .into_iter()
            .find(|c| c.type_ == "Initialized")
            .unwrap_or_default();
        (found.status, found.message.unwrap_or_default())
    };
    assert_eq!(
        initialized(),
        ("False".to_owned(), "containers with incomplete status: [s]".to_owned())
    );
    node.runtime.script_port(80, PortScript::Hangs);
    node.seconds(1).await;
    settle().await;
    assert_eq!(
        (node.phase().as_str(), node.state("a").as_str()),
        ("Running", "running")
    );
    assert_eq!(initialized().0, "True");
}

/// A container that cannot be made tells of nothing, so what came meanwhile must not have been taken and forgotten.
#[tokio::test]
async fn a_probe_that_succeeds_while_the_worker_is_busy_is_not_forgotten() {
    let node = Harness::new().await;
    let pull = Arc::new(Notify::new());
    node.images
        .script_pull("tools", PullOutcome::SucceedsAfter(pull.clone()));
    node.runtime.script_port(80, PortScript::Refused);
    let mut proxy = sidecar("s");
    proxy["startupProbe"] = json!({ "tcpSocket": { "port": 80 }, "periodSeconds": 1, "failureThreshold": 30 });
    node.pod(json!({ "initContainers": [proxy], "containers": [container("a")] }))
        .await;
    let added = node.store.modify_ephemeral_containers("default", "x", |pod| {
        pod["spec"]["ephemeralContainers"] =
            json!([{ "name": "debug", "image": "tools", "imagePullPolicy": "IfNotPresent" }]);
        Ok(())
    });
    added.map(drop).expect("a good container");
    settle().await;
    node.runtime.script_port(80, PortScript::Hangs);
    node.seconds(2).await;
    assert_eq!(node.state("a"), "waiting PodInitializing: ", "the worker is busy");
    node.runtime
        .fail_next("create_container", Error::Unsupported("no".to_owned()));
    pull.notify_one();
    settle().await;
    assert_eq!(node.state("a"), "running");
}

#[tokio::test]
async fn an_init_container_that_fails_backs_off_or_fails_the_pod() {
    for (policy, phase, state) in [
        ("Never", "Failed", "terminated 1 Error"),
        ("OnFailure", "Pending", "waiting CrashLoopBackOff"),
        ("Always", "Pending", "waiting CrashLoopBackOff"),
    ] {
        let node = Harness::new().await;
        node.runtime.script("i", exits(1));
        node.pod(
            json!({ "restartPolicy": policy, "initContainers": [container("i")], "containers": [container("a")] }),
        )
        .await;
        settle().await;
        assert_eq!(node.phase(), phase, "{policy}");
        assert!(node.state("i").starts_with(state), "{policy}: {}", node.state("i"));
        assert_eq!(node.state("a"), "waiting PodInitializing: ", "{policy}");
    }
}

#[tokio::test]
async fn an_ephemeral_container_joins_its_target_and_runs_once() {
    let node = Harness::new().await;
    node.pod(json!({ "containers": [container("a")] })).await;
    let add = |name: &str, target: Option<&str>| {
        let mut debug = json!({ "name": name, "image": "busybox", "imagePullPolicy": "Never", "stdin": true });
        if let Some(target) = target {
            debug["targetContainerName"] = target.into();
        }
        let added = node.store.modify_ephemeral_containers("default", "x", |pod| {
            let list = pod["spec"]["ephemeralContainers"].take();
            let mut list = list.as_array().cloned().unwrap_or_default();
            list.push(debug);
            pod["spec"]["ephemeralContainers"] = list.into();
            Ok(())
        });
        added.map(drop)
    };
    add("debug", Some("a")).expect("a good container");
    settle().await;
    let target = node.container("a").container_id.unwrap_or_default();
    let pid = node.runtime.container_config("debug").map(|c| c.namespaces.pid);
    match pid {
        Some(NamespaceMode::Target(id)) => assert_eq!(target, format!("podsim://{id}")),
        other => panic!("{other:?}"),
    }
    let status = |name: &str| {
        let all = node
            .get()
            .and_then(|p| p.status?.ephemeral_container_statuses)
            .unwrap_or_default();
        all.into_iter().find(|c| c.name == name).unwrap_or_default()
    };
    assert!(status("debug").state.unwrap_or_default().running.is_some());
    node.runtime.exit("debug", 3);
    node.seconds(30).await;
    let ended = status("debug").state.and_then(|s| s.terminated).unwrap_or_default();
    assert_eq!(ended.exit_code, 3);
    assert_eq!((node.phase().as_str(), status("debug").restart_count), ("Running", 0));
    assert_eq!(
        node.calls(&["start_container"]),
        ["start_container a", "start_container debug"]
    );
    add("lost", Some("nobody")).expect_err("the target is no container of the Pod");
    let changed = node.store.modify_ephemeral_containers("default", "x", |pod| {
        pod["spec"]["ephemeralContainers"] = json!([]);
        Ok(())
    });
    let message = changed.map(drop).unwrap_err().to_string();
    assert_eq!(
        message,
        "Pod \"x\" is invalid: spec.ephemeralContainers: Forbidden: existing ephemeral containers \"debug\" may not be removed\n"
    );
}

#[tokio::test]
async fn a_rule_of_the_container_restarts_it_in_a_pod_that_never_does() {
    let node = Harness::new().await;
    node.runtime.script("a", exits(42));
    let mut ruled = container("a");
    ruled["restartPolicy"] = "Never".into();
    ruled["restartPolicyRules"] = json!([{ "action": "Restart", "exitCodes": { "operator": "In", "values": [42] } }]);
    node.pod(json!({ "restartPolicy": "Never", "containers": [ruled] }))
        .await;
    settle().await;
    assert_eq!(
        (node.container("a").restart_count, node.phase().as_str()),
        (1, "Running")
    );
    node.runtime.script("a", exits(1));
    node.seconds(11).await;
    assert_eq!(
        (node.container("a").restart_count, node.phase().as_str()),
        (2, "Failed")
    );
}

#[tokio::test]
async fn a_post_start_hook_holds_up_the_containers_after_it() {
    let node = Harness::new().await;
    let hook = ExecScript {
        takes: Duration::from_secs(4),
        ..ExecScript::default()
    };
    node.runtime.script_exec("hook", hook);
    let mut first = container("a");
    first["lifecycle"] = json!({ "postStart": { "exec": { "command": ["hook"] } } });
    node.pod(json!({ "containers": [first, container("b")] })).await;
    node.seconds(3).await;
    assert_eq!(node.calls(&["start_container"]), ["start_container a"]);
    assert_eq!(node.phase(), "Pending");
    node.seconds(1).await;
    settle().await;
    assert_eq!(
        node.calls(&["start_container"]),
        ["start_container a", "start_container b"]
    );
    assert_eq!(node.phase(), "Running");
}

#[tokio::test]
async fn http_hooks_reach_this_pod_and_others() {
    let node = Harness::new().await;
    node.runtime
        .script_port(80, PortScript::Answers("HTTP/1.1 404 Not Found\r\n\r\n".to_owned()));
    node.runtime.script_port(81, PortScript::Refused);
    let hooked = |name: &str, get: Value| {
        let mut value = container(name);
        value["lifecycle"] = json!({ "postStart": { "httpGet": get } });
        value
    };
    node.pod(json!({ "restartPolicy": "Never", "containers": [
        hooked("any-answer", json!({ "port": 80, "path": "/x" })),
        hooked("https", json!({ "port": 80, "scheme": "HTTPS" })),
        hooked("nobody", json!({ "port": 80, "host": "10.1.2.3" })),
        hooked("refused", json!({ "port": 81, "path": "/x" })),
    ] }))
    .await;
    for _ in 0..4 {
        settle().await;
    }
    assert_eq!(node.state("any-answer"), "running");
    assert_eq!(node.state("https"), "running");
    let events = node.events();
    assert_eq!(
        events.iter().filter(|e| e.starts_with("LifecycleHTTPFallback")).count(),
        1,
        "{events:?}"
    );
    assert_eq!(
        events.iter().filter(|e| e.starts_with("FailedPostStartHook")).count(),
        2,
        "{events:?}"
    );
    assert_eq!(node.state("nobody"), "terminated 143 Error");
    assert_eq!(node.state("refused"), "terminated 143 Error");
}
