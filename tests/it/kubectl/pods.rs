//! Pods debugged and evicted.

use super::Served;

/// A Pod that sleeps until it is killed.
const SLEEPER: &str = "\
apiVersion: v1
kind: Pod
metadata: {name: p, labels: {app: p, tier: back}}
spec:
  terminationGracePeriodSeconds: 1
  containers: [{name: main, image: busybox, command: [sleep, \"1000\"]}]
";

fn with_a_sleeper() -> Option<Served> {
    let served = Served::start()?;
    served.user.file("pod.yaml", SLEEPER);
    served.says("apply -f pod.yaml", "pod/p created\n");
    served.says(
        "wait --for=condition=Ready pod/p --timeout=20s",
        "pod/p condition met\n",
    );
    Some(served)
}

#[test]
fn a_running_pod_is_debugged_from_inside() {
    let Some(served) = with_a_sleeper() else { return };
    let said = served.kubectl(
        "debug p --profile=general --image=busybox --target=main -c dbg --attach=false -- sh -c 'echo got in; ps'",
    );
    assert_eq!(said.code, Some(0), "{}", said.whole());
    served.says(
        "wait --for=jsonpath={.status.ephemeralContainerStatuses[0].state.terminated.exitCode}=0 pod/p --timeout=20s",
        "pod/p condition met\n",
    );
    served.has("describe pod p", &["Ephemeral Containers:", "  dbg:"]);
    // It sees the processes of its target.
    served.has("logs p -c dbg", &["got in", "1 root      0:00 sleep 1000"]);
    served.fails(
        "debug p --profile=general --image=busybox --target=none -c other --attach=false",
        "spec.ephemeralContainers[1].targetContainerName: Not found: \"none\"",
    );
    served.says(
        "get pod p --subresource=ephemeralcontainers -o jsonpath={.spec.ephemeralContainers[*].name}",
        "dbg",
    );
}

/// What is attached ends with its container, though nobody closes the connection.
#[test]
fn attached_to_a_container_one_is_told_of_its_end() {
    let Some(served) = with_a_sleeper() else { return };
    // It waits for a line, so that kubectl attaches while it runs.
    let line =
        "debug p --profile=general --image=busybox --target=main -c dbg -q -i -- sh -c 'read word; echo got $word'";
    let said = served.kubectl_with(line, "hello\n");
    assert_eq!(
        (said.code, said.stdout.as_str()),
        (Some(0), "got hello\n"),
        "{}",
        said.whole()
    );
}

#[test]
fn a_disruption_budget_holds_a_pod_that_it_needs() {
    let Some(served) = with_a_sleeper() else { return };
    let budget = |selector: &str| {
        format!(
            "apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {{name: b}}\nspec: {{minAvailable: 1, selector: {selector}}}\n"
        )
    };
    served.user.file(
        "needs.yaml",
        &budget("{matchExpressions: [{key: tier, operator: In, values: [back]}]}"),
    );
    served.user.file(
        "other.yaml",
        &budget("{matchExpressions: [{key: tier, operator: NotIn, values: [back]}]}"),
    );
    served.user.file(
        "eviction.json",
        r#"{"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "p"}}"#,
    );
    let evict = "create --raw /api/v1/namespaces/default/pods/p/eviction -f eviction.json";
    served.says("apply -f needs.yaml", "poddisruptionbudget.policy/b created\n");
    served.fails(
        evict,
        "Cannot evict pod as it would violate the pod's disruption budget.",
    );
    served.says("apply -f other.yaml", "poddisruptionbudget.policy/b configured\n");
    served.has(evict, &["\"status\":\"Success\""]);
    served.says("wait --for=delete pod/p --timeout=20s", "pod/p condition met\n");
}
