//! `podsim diff-backends`: the examples look the same on both backends. Needs root.

use crate::podsim::{User, is_root};
use std::path::Path;

#[test]
fn the_examples_look_the_same_on_both_backends() {
    if !is_root() {
        return;
    }
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    for name in [
        "web",
        "shared-pid",
        "host-network",
        "lifecycle",
        "probes",
        "job",
        "sidecar",
        "volumes",
    ] {
        let file = examples.join(format!("{name}.yaml"));
        let said = User::new().podsim(&["diff-backends", &file.to_string_lossy()]);
        assert_eq!(said.code, Some(0), "{name}: {}", said.whole());
        assert!(
            said.stdout
                .ends_with(" commands on both backends, 0 with differences\n"),
            "{name}: {}",
            said.whole()
        );
    }
}

#[test]
fn a_difference_is_told_and_is_the_exit_code() {
    if !is_root() {
        return;
    }
    let user = User::new();
    let pod = "{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {restartPolicy: Never, containers: [{name: a, image: busybox, command: [uname, -r]}]}}";
    user.file("pod.yaml", pod);
    let said = user.podsim(&["diff-backends", "pod.yaml"]);
    assert_eq!(said.code, Some(1), "{}", said.whole());
    let told = "log: $ kubectl logs -n default a -c a\n- ";
    assert!(
        said.stdout.contains(told) && said.stdout.contains("\n+ 6.12.0-podsim\n"),
        "{}",
        said.whole()
    );
}
