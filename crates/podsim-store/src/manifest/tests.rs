//! Manifests: what is read, and what is said of what cannot be.

use super::{decode, schema};
use k8s_openapi::api::core::v1::Pod;

/// The complaints about a text, or `ok`.
fn complaints(text: &str) -> String {
    match decode("pod.yaml", text) {
        Ok(documents) => {
            let found: Vec<_> = documents
                .iter()
                .flat_map(|d| d.check())
                .map(|d| d.to_string())
                .collect();
            if found.is_empty() {
                "ok".to_owned()
            } else {
                found.join("\n")
            }
        }
        Err(diagnostics) => diagnostics.to_string(),
    }
}

const HEAD: &str = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: x\nspec:\n";

#[test]
fn a_misplaced_field_is_told_where_it_belongs() {
    let text = format!(
        "{HEAD}  containers:\n  - name: a\n    image: busybox\n    hostAliases:\n    - ip: 10.9.8.7\n    shareProcessNamespace: true\n  image: nginx\n"
    );
    insta::assert_snapshot!(complaints(&text), @r#"
    pod.yaml:9:5: unknown field "spec.containers[0].hostAliases"
      hint: hostAliases belongs to the Pod (spec.hostAliases), not to a container
    pod.yaml:11:5: unknown field "spec.containers[0].shareProcessNamespace"
      hint: shareProcessNamespace belongs to the Pod (spec.shareProcessNamespace), not to a container
    pod.yaml:12:3: unknown field "spec.image"
      hint: image belongs to a container (spec.containers[].image), not to the Pod
    "#);
}

#[test]
fn a_misspelt_field_is_told_its_name() {
    let text = format!(
        "{HEAD}  containers:\n  - name: a\n    image: busybox\n    imagepullPolicy: Never\n    comand: [sh]\n    nonsense: 1\n  restartpolicy: Never\n"
    );
    insta::assert_snapshot!(complaints(&text), @r#"
    pod.yaml:9:5: unknown field "spec.containers[0].imagepullPolicy"
      hint: did you mean "imagePullPolicy"?
    pod.yaml:10:5: unknown field "spec.containers[0].comand"
      hint: did you mean "command"?
    pod.yaml:11:5: unknown field "spec.containers[0].nonsense"
    pod.yaml:12:3: unknown field "spec.restartpolicy"
      hint: did you mean "restartPolicy"?
    "#);
}

#[test]
fn wrong_types_say_what_was_expected_and_found() {
    for (body, expected) in [
        (
            "  containers: nginx\n",
            r#"pod.yaml:6:15: spec.containers: wrong type: expected a list, found the string "nginx""#,
        ),
        (
            "  containers:\n  - name: a\n    image: b\n    env:\n    - name: DEBUG\n      value: yes\n",
            "pod.yaml:11:14: spec.containers[0].env[0].value: wrong type: expected a string, found the boolean true\n  hint: quote it: \"yes\"",
        ),
        (
            "  containers:\n  - name: a\n    image: b\n    tty: \"true\"\n",
            r#"pod.yaml:9:10: spec.containers[0].tty: wrong type: expected true or false, found the string "true""#,
        ),
        (
            "  terminationGracePeriodSeconds: soon\n",
            r#"pod.yaml:6:34: spec.terminationGracePeriodSeconds: wrong type: expected a whole number, found the string "soon""#,
        ),
        (
            "  containers:\n  - nginx\n",
            r#"pod.yaml:7:5: spec.containers[0]: wrong type: expected a mapping (Container), found the string "nginx""#,
        ),
    ] {
        assert_eq!(complaints(&format!("{HEAD}{body}")), expected);
    }
}

#[test]
fn validation_points_at_the_line() {
    let text = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: My_Pod\nspec:\n  hostPID: true\n  shareProcessNamespace: true\n  hostAliases:\n  - ip: 10.9.8\n  containers:\n  - name: a\n  - name: a\n    image: busybox\n    imagePullPolicy: Sometimes\n    lifecycle:\n      preStop: {}\n";
    insta::assert_snapshot!(complaints(text), @r#"
    pod.yaml:4:3: metadata.name: Invalid value: "My_Pod": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')
    pod.yaml:11:5: spec.containers[0].image: Required value
    pod.yaml:14:5: spec.containers[1].imagePullPolicy: Unsupported value: "Sometimes": supported values: "Always", "IfNotPresent", "Never"
    pod.yaml:12:5: spec.containers[1].name: Duplicate value: "a"
    pod.yaml:16:7: spec.containers[1].lifecycle.preStop: Required value: must specify a handler type
    pod.yaml:7:3: spec.shareProcessNamespace: Invalid value: true: ShareProcessNamespace and HostPID cannot both be enabled
    pod.yaml:9:5: spec.hostAliases[0].ip: Invalid value: "10.9.8": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)
    "#);
}

#[test]
fn broken_yaml_has_a_line_and_a_column() {
    for (text, expected) in [
        ("a: [1, 2\nb: 3\n", "pod.yaml:2:"),
        ("a: 1\na: 2\n", "pod.yaml:2:1: key \"a\" is already set in line 1"),
        ("\tkind: Pod\n", "pod.yaml:1:"),
        ("kind: Pod\n", "pod.yaml:1:1: apiVersion not set"),
        (
            "- 1\n",
            "pod.yaml:1:1: an object must be a mapping with apiVersion, kind and metadata",
        ),
        ("", "pod.yaml: no object in this file"),
        (
            "apiVersion: example.com/v1\nkind: Widget\n",
            "pod.yaml:2:7: kind Widget of example.com/v1 is not supported\n  hint: podsim runs Pods and keeps ",
        ),
        (
            "apiVersion: v2\nkind: pod\n",
            "pod.yaml:2:7: kind pod of v2 is not supported\n  hint: did you mean apiVersion: v1, kind: Pod?",
        ),
    ] {
        let found = complaints(text);
        assert!(found.starts_with(expected), "{text:?}: {found}");
    }
}

#[test]
fn bombs_are_refused_before_they_go_off() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for i in 1..30 {
        let refs = vec![format!("*a{}", i - 1); 10].join(", ");
        bomb.push_str(&format!("a{i}: &a{i} [{refs}]\n"));
    }
    assert!(
        complaints(&bomb).contains("the document is too large"),
        "{}",
        complaints(&bomb)
    );
    let deep = complaints(&"- ".repeat(200));
    assert!(deep.contains("nested more than 64 deep"), "{deep}");
    let deep = complaints(&"[".repeat(10_000));
    assert!(deep.starts_with("pod.yaml:1:"), "{deep}");
    assert!(complaints(&" ".repeat(5 << 20)).contains("larger than 4 MiB"));
}

#[test]
fn large_and_twisted_files_are_refused_quickly() {
    let many_keys: String = (0..300_000).map(|i| format!("k{i}: 1\n")).collect();
    assert!(
        complaints(&many_keys).contains("too large"),
        "{}",
        complaints(&many_keys)
    );
    let keys: String = (0..10_000).map(|i| format!("  k{i}: 1\n")).collect();
    let merges = format!("a: &a\n{keys}b:\n{}", "- {<<: *a}\n".repeat(5000));
    assert!(complaints(&merges).contains("too large"), "{}", complaints(&merges));
    let long_key = format!(
        "a: &a {{? {} : 1}}\nb:\n{}",
        "k".repeat(1 << 20),
        "- {<<: *a}\n".repeat(50_000)
    );
    assert!(
        complaints(&long_key).contains("too large"),
        "{}",
        complaints(&long_key).len()
    );
    let unknown: String = (0..20_000).map(|i| format!("  nobody{i}: 1\n")).collect();
    let found = complaints(&format!("{HEAD}{unknown}"));
    assert!(
        found.lines().any(|l| l.ends_with("19950 more unknown fields")),
        "{}",
        found.len()
    );
}

#[test]
fn json_lists_and_several_documents_are_read() {
    let json = r#"{"apiVersion": "v1", "kind": "List", "items": [
	{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "b"}},
	{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [{"name": "a", "image": "b"}]}}
]}"#;
    let names = |text: &str| {
        let documents = decode("f", text).map_err(|e| e.to_string())?;
        Ok::<_, String>(
            documents
                .iter()
                .map(|d| format!("{}/{}", d.kind().kind, d.name()))
                .collect::<Vec<_>>(),
        )
    };
    assert_eq!(names(json), Ok(vec!["ConfigMap/c".to_owned(), "Pod/p".to_owned()]));
    let two = "---\n# nothing\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: ns}\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {a: b}\n...\n";
    assert_eq!(names(two), Ok(vec!["Namespace/ns".to_owned(), "Secret/s".to_owned()]));
}

#[test]
fn scalars_are_read_as_kubectl_reads_them() {
    let text = "apiVersion: v1\nkind: Pod\nmetadata: {name: x, labels: {a: 'yes'}}\nspec: &s\n  hostNetwork: on\n  terminationGracePeriodSeconds: 0x1e\n  volumes: [{name: v, configMap: {name: c, defaultMode: 0644}}]\n  containers:\n  - &c {name: a, image: b}\n  - <<: *c\n    name: d\n";
    let pod = decode("f", text)
        .ok()
        .and_then(|d| d.first().and_then(super::Document::pod))
        .unwrap_or_default();
    let spec = pod.spec.unwrap_or_default();
    assert_eq!(spec.host_network, Some(true));
    assert_eq!(spec.termination_grace_period_seconds, Some(30));
    let mode = spec.volumes.and_then(|v| v.first()?.config_map.as_ref()?.default_mode);
    assert_eq!(mode, Some(0o644));
    let images: Vec<_> = spec
        .containers
        .iter()
        .map(|c| (c.name.as_str(), c.image.as_deref()))
        .collect();
    assert_eq!(images, [("a", Some("b")), ("d", Some("b"))]);
}

#[test]
fn the_schema_is_asked_of_the_types() {
    let paths = schema::paths::<Pod>();
    for path in [
        "spec.containers[].lifecycle.preStop.exec.command",
        "spec.hostAliases[].ip",
        "spec.volumes[].projected.sources[].downwardAPI.items[].fieldRef.fieldPath",
        "status.containerStatuses[].state.terminated.exitCode",
        "metadata.ownerReferences[].uid",
    ] {
        assert!(paths.iter().any(|p| p == path), "{path} is missing");
    }
}
