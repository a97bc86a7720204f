//! Deployments and other objects, by the verbs that are less often used.

use super::Served;

#[test]
fn rarer_verbs_do_what_they_say() {
    let Some(served) = Served::start() else { return };
    for (line, expected) in [
        ("create deployment d --image=nginx", "deployment.apps/d created\n"),
        ("expose deployment d --port=80", "service/d exposed\n"),
        ("get svc d -o jsonpath={.spec.selector.app}", "d"),
        ("set image deploy/d nginx=busybox", "deployment.apps/d image updated\n"),
        (
            "get deploy d -o custom-columns=I:.spec.template.spec.containers[0].image",
            "I\nbusybox\n",
        ),
        ("rollout pause deploy/d", "deployment.apps/d paused\n"),
        ("get deploy d -o jsonpath={.spec.paused}", "true"),
        ("rollout resume deploy/d", "deployment.apps/d resumed\n"),
        ("rollout restart deploy/d", "deployment.apps/d restarted\n"),
        ("delete deploy d --cascade=orphan", "deployment.apps \"d\" deleted\n"),
        (
            "wait --for=jsonpath={.spec.ports[0].port}=80 svc/d",
            "service/d condition met\n",
        ),
    ] {
        served.says(line, expected);
    }
    // Its ReplicaSets are orphans now, and stay.
    served.has("get rs -o name", &["replicaset.apps/d-"]);
    served.has(
        "auth can-i --list",
        &["*.*         []                  []               [*]"],
    );
    served.has("config view", &["client-key-data: DATA+OMITTED"]);
    let two = |names: &[&str]| -> String {
        let map = |name: &&str| {
            format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, labels: {{set: s}}}}\n---\n")
        };
        names.iter().map(map).collect()
    };
    served.user.file("two.yaml", &two(&["one", "two"]));
    served.user.file("one.yaml", &two(&["one"]));
    served.says("apply -f two.yaml", "configmap/one created\nconfigmap/two created\n");
    served.says(
        "apply --prune -l set=s --prune-allowlist=core/v1/ConfigMap -f one.yaml",
        "configmap/one unchanged\nconfigmap/two pruned\n",
    );
    served.says(
        "replace --force -f one.yaml",
        "configmap \"one\" deleted\nconfigmap/one replaced\n",
    );
}
