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

/// What `helm template` writes: many documents, comments, empty ones, and an order that does not matter.
const CHART: &str = "\
---
# Source: web/templates/serviceaccount.yaml
apiVersion: v1
kind: ServiceAccount
metadata: {name: rel-web, labels: {app.kubernetes.io/instance: rel, helm.sh/chart: web-0.1.0}}
automountServiceAccountToken: false
---
# Source: web/templates/configmap.yaml
apiVersion: v1
kind: ConfigMap
metadata: {name: rel-web, labels: {app.kubernetes.io/instance: rel}}
data:
  page: |
    one
    two
---
# Source: web/templates/empty.yaml
---
# Source: web/templates/rbac.yaml
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: rel-web, labels: {app.kubernetes.io/instance: rel}}
rules: [{apiGroups: [\"\"], resources: [configmaps], verbs: [get]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: rel-web, labels: {app.kubernetes.io/instance: rel}}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: rel-web}
subjects: [{kind: ServiceAccount, name: rel-web, namespace: default}]
---
# Source: web/templates/service.yaml
apiVersion: v1
kind: Service
metadata: {name: rel-web, labels: {app.kubernetes.io/instance: rel}}
spec: {type: ClusterIP, ports: [{port: 80, targetPort: http, name: http}], selector: {app: web}}
---
# Source: web/templates/deployment.yaml
apiVersion: apps/v1
kind: Deployment
metadata: {name: rel-web, labels: {app.kubernetes.io/instance: rel}}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      serviceAccountName: rel-web
      terminationGracePeriodSeconds: 0
      containers:
      - {name: web, image: \"nginx\", ports: [{name: http, containerPort: 80, protocol: TCP}]}
---
# Source: web/templates/pdb.yaml
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: rel-web, labels: {app.kubernetes.io/instance: rel}}
spec: {maxUnavailable: 1, selector: {matchLabels: {app: web}}}
";

#[test]
fn the_output_of_a_chart_is_applied_and_taken_back() {
    let Some(served) = Served::start() else { return };
    served.user.file("chart.yaml", CHART);
    let created = |word: &str| {
        let names = [
            "serviceaccount/rel-web",
            "configmap/rel-web",
            "role.rbac.authorization.k8s.io/rel-web",
            "rolebinding.rbac.authorization.k8s.io/rel-web",
            "service/rel-web",
            "deployment.apps/rel-web",
            "poddisruptionbudget.policy/rel-web",
        ];
        names.map(|name| format!("{name} {word}\n")).concat()
    };
    served.says("apply -f chart.yaml", &created("created"));
    // kubectl patches the selector of a budget each time (its strategy is to replace), and says so.
    let again = created("unchanged").replace("budget.policy/rel-web unchanged", "budget.policy/rel-web configured");
    let version = "get pdb rel-web -o jsonpath={.metadata.generation}";
    served.says(version, "1");
    served.says("apply -f chart.yaml", &again);
    served.says(version, "1");
    served.has(
        "rollout status deploy/rel-web --timeout=20s",
        &["successfully rolled out"],
    );
    served.says(
        "wait --for=jsonpath={.status.disruptionsAllowed}=1 pdb/rel-web --timeout=20s",
        "poddisruptionbudget.policy/rel-web condition met\n",
    );
    served.has("get pdb", &["rel-web   N/A             1                 1 "]);
    served.says(
        "get all -l app.kubernetes.io/instance=rel -o name",
        "service/rel-web\ndeployment.apps/rel-web\n",
    );
    assert_eq!(served.kubectl("delete -f chart.yaml --wait=false").code, Some(0));
    served.says("get deploy,svc,cm,sa -l app.kubernetes.io/instance=rel -o name", "");
}
