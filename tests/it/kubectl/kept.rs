//! `podsim serve --data`: what outlives the process.

use super::Served;

/// Writes a line into its volume whenever it starts.
const CLAIMED: &str = "apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: v1
kind: Pod
metadata: {name: claimed}
spec:
  securityContext: {runAsUser: 1000, runAsGroup: 1000, fsGroup: 2000}
  terminationGracePeriodSeconds: 0
  volumes: [{name: data, persistentVolumeClaim: {claimName: data}}]
  containers:
  - name: c
    image: busybox
    command: [sh, -c, 'echo once >>/data/x; sleep 1000']
    volumeMounts: [{name: data, mountPath: /data}]
";

/// Killed without a warning, and started again: objects, credentials and tokens are good, and the Pod has been restarted once more.
#[test]
fn after_a_sigkill_everything_is_there_again() {
    let Some(mut served) = Served::start_with(&["--data", "data"]) else {
        return;
    };
    served.user.file("claimed.yaml", CLAIMED);
    for (line, said) in [
        ("create configmap kept --from-literal=a=1", "configmap/kept created\n"),
        ("create configmap gone --from-literal=a=1", "configmap/gone created\n"),
        ("delete configmap gone", "configmap \"gone\" deleted\n"),
        (
            "apply -f claimed.yaml",
            "persistentvolumeclaim/data created\npod/claimed created\n",
        ),
        (
            "wait --for=condition=Ready pod/claimed --timeout=20s",
            "pod/claimed condition met\n",
        ),
        ("run web --image=nginx", "pod/web created\n"),
        (
            "run once --image=busybox --restart=Never -- sleep 1000",
            "pod/once created\n",
        ),
        (
            "wait --for=condition=Ready pod/web pod/once --timeout=20s",
            "pod/web condition met\npod/once condition met\n",
        ),
    ] {
        served.says(line, said);
    }
    served.says("exec claimed -- cat /data/x", "once\n");
    let uid = served.kubectl("get pod web -o jsonpath={.metadata.uid}").stdout;
    let token = served.kubectl("create token default").stdout;
    let old = std::fs::read_to_string(served.user.home().join("kubeconfig")).expect("a kubeconfig");
    served.kill_and_start_again();
    let new = std::fs::read_to_string(served.user.home().join("kubeconfig")).expect("a kubeconfig");
    assert_eq!(old, new, "the old kubeconfig is still good");
    served.says("get configmap kept -o jsonpath={.data.a}", "1");
    served.fails("get configmap gone", "NotFound");
    served.eventually("get pod web --no-headers", "web   1/1   Running   1 ");
    served.says("get pod web -o jsonpath={.metadata.uid}", &uid);
    served.has(
        "get pod web -o jsonpath={.status.containerStatuses[0].lastState.terminated.exitCode}",
        &["255"],
    );
    served.has("logs web", &["ready for start up"]);
    // What is in a persistent volume is there, and whose it was.
    served.eventually("get pod claimed --no-headers", "claimed   1/1   Running   1 ");
    served.says("exec claimed -- cat /data/x", "once\nonce\n");
    served.says("exec claimed -- stat -c %u:%g /data/x", "1000:2000\n");
    // What may not be restarted has failed.
    served.eventually("get pod once -o jsonpath={.status.phase}", "Failed");
    served.user.file(
        "review.json",
        &format!(
            r#"{{"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {{"token": "{}"}}}}"#,
            token.trim()
        ),
    );
    served.has(
        "create --raw /apis/authentication.k8s.io/v1/tokenreviews -f review.json",
        &["\"authenticated\":true"],
    );
    let other = served.user.podsim(&[
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--kubeconfig",
        "k",
        "--data",
        "data",
    ]);
    assert_ne!(other.code, Some(0));
    assert!(
        other.stderr.contains("does another podsim serve use the directory?"),
        "{}",
        other.whole()
    );
}
