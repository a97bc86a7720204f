//! What is said of malformed Pods, as a table: a container (or a spec) → the complaints.

use super::{set_defaults, validate, validate_create, validate_ephemeral_update, validate_update};
use crate::FieldError;
use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};

fn pod(spec: Value) -> Pod {
    let mut pod: Pod =
        serde_json::from_value(json!({ "metadata": { "name": "x" }, "spec": spec })).unwrap_or_else(|e| panic!("{e}"));
    set_defaults(&mut pod);
    pod
}

fn lines(errors: &[FieldError]) -> Vec<String> {
    errors.iter().map(ToString::to_string).collect()
}

/// A Pod with one container that has these fields.
fn with(fields: Value) -> Pod {
    pod(json!({ "containers": [container(fields)] }))
}

fn container(fields: Value) -> Value {
    let mut container = json!({ "name": "a", "image": "x" });
    for (key, value) in fields.as_object().into_iter().flatten() {
        container[key] = value.clone();
    }
    container
}

#[test]
fn what_is_wrong_with_probes_and_hooks_is_said_as_upstream_says_it() {
    let exec = json!({ "command": ["x"] });
    for (fields, expected) in [
        (
            json!({ "livenessProbe": { "exec": exec, "periodSeconds": -1, "successThreshold": 2 } }),
            vec![
                "spec.containers[0].livenessProbe.periodSeconds: Invalid value: -1: must be greater than or equal to 0",
                "spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1",
            ],
        ),
        (
            json!({ "readinessProbe": { "exec": exec, "successThreshold": 3, "terminationGracePeriodSeconds": 5 } }),
            vec![
                "spec.containers[0].readinessProbe.terminationGracePeriodSeconds: Invalid value: 5: must not be set for readinessProbes",
            ],
        ),
        (
            json!({ "startupProbe": { "exec": exec, "terminationGracePeriodSeconds": 0 } }),
            vec![
                "spec.containers[0].startupProbe.terminationGracePeriodSeconds: Invalid value: 0: must be greater than 0",
            ],
        ),
        (
            json!({ "livenessProbe": { "grpc": { "port": 0 } } }),
            vec![
                "spec.containers[0].livenessProbe.grpc.port: Invalid value: 0: must be between 1 and 65535, inclusive",
            ],
        ),
        (
            json!({ "livenessProbe": {} }),
            vec!["spec.containers[0].livenessProbe: Required value: must specify a handler type"],
        ),
        (
            json!({ "livenessProbe": { "exec": exec, "tcpSocket": { "port": 70000 } } }),
            vec![
                "spec.containers[0].livenessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type",
                "spec.containers[0].livenessProbe.tcpSocket.port: Invalid value: 70000: must be between 1 and 65535, inclusive",
            ],
        ),
        (
            json!({ "lifecycle": { "preStop": { "sleep": { "seconds": 60 } } } }),
            vec![
                "spec.containers[0].lifecycle.preStop.sleep.seconds: Invalid value: 60: must be non-negative and less than terminationGracePeriodSeconds (30)",
            ],
        ),
        (
            json!({ "lifecycle": { "stopSignal": "SIGUSR1" } }),
            vec![
                "spec.containers[0].lifecycle.stopSignal: Forbidden: may not be set for containers with empty `spec.os.name`",
            ],
        ),
    ] {
        assert_eq!(lines(&validate(&with(fields.clone()))), expected, "{fields}");
    }
}

#[test]
fn what_a_mount_shows_and_gives_is_said_as_upstream_says_it() {
    let of = "spec.containers[0].volumeMounts[0]";
    for (privileged, mount, expected) in [
        (true, json!({ "mountPropagation": "Bidirectional" }), vec![]),
        (false, json!({ "mountPropagation": "HostToContainer" }), vec![]),
        (
            false,
            json!({ "mountPropagation": "Bidirectional" }),
            vec![
                "mountPropagation: Forbidden: Bidirectional mount propagation is available only to privileged containers",
            ],
        ),
        (
            true,
            json!({ "mountPropagation": "Both" }),
            vec![
                "mountPropagation: Unsupported value: \"Both\": supported values: \"Bidirectional\", \"HostToContainer\", \"None\"",
            ],
        ),
        (
            false,
            json!({ "readOnly": true, "recursiveReadOnly": "Enabled", "mountPropagation": "None" }),
            vec![],
        ),
        (false, json!({ "recursiveReadOnly": "Disabled" }), vec![]),
        (
            false,
            json!({ "recursiveReadOnly": "IfPossible", "mountPropagation": "HostToContainer" }),
            vec![
                "recursiveReadOnly: Forbidden: may only be specified when readOnly is true",
                "recursiveReadOnly: Forbidden: may only be specified when mountPropagation is None or not specified",
            ],
        ),
        (
            false,
            json!({ "readOnly": true, "recursiveReadOnly": "Yes" }),
            vec![
                "recursiveReadOnly: Unsupported value: \"Yes\": supported values: \"Disabled\", \"Enabled\", \"IfPossible\"",
            ],
        ),
    ] {
        let mut whole = mount.clone();
        (whole["name"], whole["mountPath"]) = (json!("v"), json!("/v"));
        let container = container(json!({ "securityContext": { "privileged": privileged }, "volumeMounts": [whole] }));
        let volumes = json!([{ "name": "v", "emptyDir": {} }]);
        let expected: Vec<_> = expected.iter().map(|line| format!("{of}.{line}")).collect();
        let pod = pod(json!({ "volumes": volumes, "containers": [container] }));
        assert_eq!(lines(&validate_create(&pod)), expected, "{mount}");
    }
}

#[test]
fn what_is_wrong_with_an_environment_is_said_as_upstream_says_it() {
    for (fields, expected) in [
        (
            json!({ "envFrom": [{ "prefix": "a=b", "configMapRef": { "name": "c" } }, {}] }),
            vec![
                "spec.containers[0].envFrom[0].prefix: Invalid value: \"a=b\": a valid environment variable name must consist only of printable ASCII characters other than '='",
                "spec.containers[0].envFrom[1]: Invalid value: \"\": must specify one of: `configMapRef` or `secretRef`",
            ],
        ),
        (
            json!({ "env": [{ "name": "A", "valueFrom": { "configMapKeyRef": { "name": "c", "key": "" } } }] }),
            vec!["spec.containers[0].env[0].valueFrom.configMapKeyRef.key: Required value"],
        ),
        (
            json!({ "env": [{ "name": "A", "valueFrom": { "resourceFieldRef": { "resource": "limits.cpu", "divisor": "2" } } }] }),
            vec![
                "spec.containers[0].env[0].valueFrom.resourceFieldRef.divisor: Invalid value: \"2\": only divisor's values 1m and 1 are supported with the cpu resource",
            ],
        ),
    ] {
        assert_eq!(lines(&validate(&with(fields.clone()))), expected, "{fields}");
    }
}

#[test]
fn what_is_wrong_with_restarts_and_sidecars_is_said_as_upstream_says_it() {
    let rule = json!([{ "action": "Again", "exitCodes": { "operator": "Like", "values": [1] } }]);
    for (spec, expected) in [
        (
            json!({ "containers": [container(json!({ "restartPolicy": "Sometimes" }))] }),
            vec![
                "spec.containers[0].restartPolicy: Unsupported value: \"Sometimes\": supported values: \"Always\", \"Never\", \"OnFailure\"",
            ],
        ),
        (
            json!({ "containers": [container(json!({ "restartPolicyRules": rule }))] }),
            vec![
                "spec.containers[0].restartPolicy: Required value: must specify restartPolicy when restart rules are used",
                "spec.containers[0].restartPolicyRules[0].action: Unsupported value: \"Again\": supported values: \"Restart\"",
                "spec.containers[0].restartPolicyRules[0].exitCodes.operator: Unsupported value: \"Like\": supported values: \"In\", \"NotIn\"",
            ],
        ),
        (
            json!({ "containers": [container(json!({}))], "initContainers": [
                { "name": "i", "image": "x", "livenessProbe": { "exec": { "command": ["x"] } } },
                { "name": "s", "image": "x", "restartPolicy": "Always", "livenessProbe": { "exec": { "command": ["x"] } } },
            ] }),
            vec![
                "spec.initContainers[0].livenessProbe: Forbidden: may not be set for init containers without restartPolicy=Always",
            ],
        ),
        (
            json!({ "containers": [
                container(json!({ "ports": [{ "containerPort": 1, "hostPort": 80 }] })),
                { "name": "b", "image": "x", "ports": [{ "containerPort": 2, "hostPort": 80 }, { "containerPort": 3, "hostPort": 80, "protocol": "UDP" }] },
            ] }),
            vec!["spec.containers[1].ports[0].hostPort: Duplicate value: \"TCP//80\""],
        ),
    ] {
        assert_eq!(lines(&validate(&pod(spec.clone()))), expected, "{spec}");
    }
}

#[test]
fn what_is_wrong_with_scheduling_is_said_as_upstream_says_it() {
    let spec = |fields: Value| {
        let mut spec = json!({ "containers": [container(json!({}))] });
        for (key, value) in fields.as_object().into_iter().flatten() {
            spec[key] = value.clone();
        }
        spec
    };
    let affinity = |terms: Value| json!({ "affinity": { "nodeAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": { "nodeSelectorTerms": terms } } } });
    for (fields, expected) in [
        (
            json!({ "tolerations": [{ "value": "x" }, { "key": "a", "operator": "Exists", "tolerationSeconds": 3 }] }),
            vec![
                "spec.tolerations[0].operator: Invalid value: \"\": operator must be Exists when `key` is empty, which means \"match all values and all keys\"",
                "spec.tolerations[1].effect: Invalid value: \"\": effect must be 'NoExecute' when `tolerationSeconds` is set",
            ],
        ),
        (
            affinity(json!([])),
            vec![
                "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms: Required value: must have at least one node selector term",
            ],
        ),
        (
            affinity(json!([{ "matchExpressions": [{ "key": "a", "operator": "In" }] }])),
            vec![
                "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'",
            ],
        ),
        (
            json!({ "hostUsers": false, "hostNetwork": true, "hostIPC": true, "hostPID": false }),
            vec![
                "spec.hostNetwork: Forbidden: when `hostUsers` is false",
                "spec.hostIPC: Forbidden: when `hostUsers` is false",
            ],
        ),
        (json!({ "hostUsers": true, "hostPID": true }), vec![]),
        (
            json!({ "schedulingGates": [{ "name": "g" }, { "name": "g" }], "nodeName": "n" }),
            vec![
                "spec.schedulingGates[1]: Duplicate value: \"g\"",
                "spec.nodeName: Forbidden: cannot be set until all schedulingGates have been cleared",
            ],
        ),
    ] {
        assert_eq!(
            lines(&validate_create(&pod(spec(fields.clone())))),
            expected,
            "{fields}"
        );
    }
}

#[test]
fn some_fields_change_one_way_only() {
    let with = |fields: Value| {
        let mut spec = json!({ "containers": [container(json!({}))] });
        for (key, value) in fields.as_object().into_iter().flatten() {
            spec[key] = value.clone();
        }
        pod(spec)
    };
    for (old, new, expected) in [
        (
            json!({ "activeDeadlineSeconds": 30 }),
            json!({ "activeDeadlineSeconds": 5 }),
            vec![],
        ),
        (
            json!({ "activeDeadlineSeconds": 30 }),
            json!({ "activeDeadlineSeconds": 31 }),
            vec!["spec.activeDeadlineSeconds: Invalid value: 31: must be less than or equal to previous value"],
        ),
        (
            json!({}),
            json!({ "tolerations": [{ "key": "a", "operator": "Exists" }] }),
            vec![],
        ),
        (
            json!({ "tolerations": [{ "key": "a", "operator": "Exists" }] }),
            json!({}),
            vec!["spec.tolerations: Forbidden: existing toleration can not be modified except its tolerationSeconds"],
        ),
        (
            json!({ "schedulingGates": [{ "name": "a" }] }),
            json!({ "nodeSelector": { "disk": "ssd" } }),
            vec![],
        ),
        (
            json!({}),
            json!({ "schedulingGates": [{ "name": "a" }] }),
            vec!["spec.schedulingGates: Forbidden: only deletion is allowed, but found new scheduling gate 'a'"],
        ),
    ] {
        assert_eq!(
            lines(&validate_update(&with(new.clone()), &with(old.clone()))),
            expected,
            "{old} {new}"
        );
    }
}

#[test]
fn ephemeral_containers_can_only_be_added_and_are_less_than_others() {
    let with = |list: Value| pod(json!({ "containers": [container(json!({}))], "ephemeralContainers": list }));
    let (one, two) = (
        json!({ "name": "d", "image": "x" }),
        json!({ "name": "d", "image": "y" }),
    );
    assert_eq!(
        lines(&validate_create(&with(json!([one])))),
        ["spec.ephemeralContainers: Forbidden: cannot be set on create"]
    );
    assert_eq!(
        lines(&validate_ephemeral_update(&with(json!([one])), &with(json!([])))),
        Vec::<String>::new()
    );
    assert_eq!(
        lines(&validate_ephemeral_update(&with(json!([two])), &with(json!([one])))),
        ["spec.ephemeralContainers[0]: Forbidden: existing ephemeral containers \"d\" may not be changed\n"]
    );
    let wrong = json!([{ "name": "a", "image": "x", "targetContainerName": "b", "ports": [{ "containerPort": 1 }],
        "livenessProbe": { "exec": { "command": ["x"] } } }]);
    assert_eq!(
        lines(&validate(&with(wrong))),
        [
            "spec.ephemeralContainers[0].name: Duplicate value: \"a\"",
            "spec.ephemeralContainers[0].targetContainerName: Not found: \"b\"",
            "spec.ephemeralContainers[0].ports: Forbidden: cannot be set for an Ephemeral Container",
            "spec.ephemeralContainers[0].livenessProbe: Forbidden: cannot be set for an Ephemeral Container",
        ]
    );
}
