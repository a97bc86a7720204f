//! `podsim serve --nodes`: several nodes, each with a kernel of its own, and one API in front.

use super::Served;

/// Three Pods that keep away from each other, and use one volume.
const SPREAD: &str = "apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {accessModes: [ReadWriteMany], resources: {requests: {storage: 1Gi}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 0
      affinity:
        podAntiAffinity:
          requiredDuringSchedulingIgnoredDuringExecution:
          - {topologyKey: kubernetes.io/hostname, labelSelector: {matchLabels: {app: web}}}
      volumes: [{name: data, persistentVolumeClaim: {claimName: data}}]
      containers:
      - name: c
        image: registry.k8s.io/e2e-test-images/agnhost:2.47
        args: [netexec]
        readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 1}
        volumeMounts: [{name: data, mountPath: /data}]
";

#[test]
fn pods_are_spread_over_nodes_and_reach_each_other() {
    let Some(served) = Served::start_with(&["--nodes", "3"]) else {
        return;
    };
    served.has(
        "get nodes -o custom-columns=N:.metadata.name,A:.status.addresses[0].address,P:.spec.podCIDR",
        &[
            "podsim     192.168.49.2   10.244.0.0/24\n",
            "podsim-2   192.168.49.3   10.244.1.0/24\n",
            "podsim-3   192.168.49.4   10.244.2.0/24\n",
        ],
    );
    served.user.file("spread.yaml", SPREAD);
    served.kubectl("apply -f spread.yaml");
    served.says(
        "wait --for=condition=Available deployment/web --timeout=30s",
        "deployment.apps/web condition met\n",
    );
    let lines = served
        .kubectl("get pods -o jsonpath={range.items[*]}{.spec.nodeName}/{.metadata.name}/{.status.podIP}{\"\\n\"}{end}")
        .stdout;
    let mut pods: Vec<Vec<&str>> = lines.lines().map(|line| line.split('/').collect()).collect();
    pods.sort();
    let [first, second, third] = pods.as_slice() else {
        panic!("{lines}");
    };
    assert_eq!([first[0], second[0], third[0]], ["podsim", "podsim-2", "podsim-3"]);
    assert!(
        first[2].starts_with("10.244.0.") && second[2].starts_with("10.244.1.") && third[2].starts_with("10.244.2."),
        "{lines}"
    );
    // From node to node, both ways, by TCP and by UDP, and to the nodes themselves.
    for (from, to) in [(first, third), (third, first), (second, third)] {
        let url = format!("http://{}:8080/hostname", to[2]);
        served.says(&format!("exec {} -- curl -s {url}", from[1]), to[1]);
        let udp = format!(
            "http://127.0.0.1:8080/dial?host={}&port=8081&protocol=udp&request=hostname",
            to[2]
        );
        served.has(&format!("exec {} -- curl -s {udp}", from[1]), &[to[1]]);
    }
    for pod in [first, second, third] {
        served.has(
            &format!("exec {} -- curl -s http://{}:8080/clientip", pod[1], first[2]),
            &[pod[2]],
        );
        served.has(&format!("logs {}", pod[1]), &["Started HTTP server on port 8080"]);
        served.has(
            &format!(
                "get --raw /api/v1/namespaces/default/pods/{}:8080/proxy/hostname",
                pod[1]
            ),
            &[pod[1]],
        );
    }
    // One volume, wherever it is used.
    served.says(&format!("exec {} -- sh -c echo>/data/x", second[1]), "");
    served.says(&format!("exec {} -- ls /data", third[1]), "x\n");
    served.has("top pods", &[first[1], second[1], third[1]]);
    // Each node has its own view.
    let on = |node: &str, words: &[&str]| served.user.podsim(&[&["--node", node], words].concat());
    let ps = on("podsim-2", &["ps"]).stdout;
    assert!(
        ps.contains(second[1]) && !ps.contains(first[1]) && !ps.contains(third[1]),
        "{ps}"
    );
    assert_eq!(
        on("podsim-3", &["node", "shell", "--", "hostname"]).stdout,
        "podsim-3\n"
    );
    let routes = on("podsim-3", &["node", "shell", "--", "ip", "route"]).stdout;
    assert!(routes.contains("10.244.1.0/24 via 192.168.49.3 dev eth0"), "{routes}");
    // What is not a node's own can be asked without naming one.
    let all = served.user.podsim(&["get", "pods"]);
    assert_eq!(all.stdout.lines().count(), 4, "{}", all.whole());
    // A node that is drained has no Pods any more, and there is no room elsewhere.
    served.has("drain podsim-2 --force --ignore-daemonsets", &["node/podsim-2 drained"]);
    served.eventually(
        "get pods --field-selector=status.phase=Pending --no-headers",
        "0/1   Pending",
    );
    served.eventually(
        "get events --field-selector reason=FailedScheduling",
        "0/3 nodes are available: 1 node(s) were unschedulable, 2 node(s) didn't match pod anti-affinity rules.",
    );
    served.says("uncordon podsim-2", "node/podsim-2 uncordoned\n");
    served.says(
        "wait --for=condition=Available deployment/web --timeout=30s",
        "deployment.apps/web condition met\n",
    );
    // A node that is cut off is, and the others are not.
    assert_eq!(
        on("podsim-3", &["node", "partition"]).stdout,
        "node \"podsim-3\" is cut off from the API server\n"
    );
    served.kubectl("run here --image=busybox --overrides={\"spec\":{\"nodeName\":\"podsim\"}} -- sleep 100");
    served.kubectl("run there --image=busybox --overrides={\"spec\":{\"nodeName\":\"podsim-3\"}} -- sleep 100");
    served.says(
        "wait --for=condition=Ready pod/here --timeout=20s",
        "pod/here condition met\n",
    );
    served.says("get pod there -o jsonpath={.status.phase}", "Pending");
    on("podsim-3", &["node", "heal"]);
    served.says(
        "wait --for=condition=Ready pod/there --timeout=20s",
        "pod/there condition met\n",
    );
}

#[test]
fn one_machine_is_one_linux_node() {
    let user = crate::podsim::User::new();
    let said = user.podsim(&["serve", "--nodes", "2", "--backend=linux", "--listen", "127.0.0.1:0"]);
    assert_ne!(said.code, Some(0));
    assert!(
        said.stderr.contains(
            "error: --nodes: with --backend=linux this machine is the node; several nodes are for the virtual backend"
        ),
        "{}",
        said.whole()
    );
}

#[test]
fn the_pods_of_a_folder_run_and_are_seen_in_the_api() {
    let folder = tempfile::tempdir().expect("a folder");
    let pod = "{apiVersion: v1, kind: Pod, metadata: {name: web}, spec: {containers: [{name: web, image: nginx}]}}";
    std::fs::write(folder.path().join("web.yaml"), pod).expect("written");
    let path = folder.path().to_string_lossy();
    let Some(served) = Served::start_with(&["--pod-manifest-path", &path]) else {
        return;
    };
    served.eventually("get pod web-podsim --no-headers", "web-podsim   1/1   Running   0 ");
    served.has("logs web-podsim", &["ready for start up"]);
    served.says("exec web-podsim -- hostname", "web-podsim\n");
    served.says("delete pod web-podsim", "pod \"web-podsim\" deleted\n");
    served.eventually("get pod web-podsim --no-headers", "web-podsim   1/1   Running   0 ");
    served.has("drain podsim", &["node/podsim drained"]);
    // The uid of a mirror is what somebody has written: it opens nobody else's Pod.
    let uid = served
        .kubectl("get pod web-podsim -o jsonpath={.metadata.annotations.kubernetes\\.io/config\\.mirror}")
        .stdout;
    let pretender = format!(
        "apiVersion: v1
kind: Pod
metadata: {{name: pretender, annotations: {{kubernetes.io/config.mirror: '{uid}'}}}}
spec: {{nodeName: elsewhere, containers: [{{name: web, image: nginx}}]}}
"
    );
    served.user.file("pretender.yaml", &pretender);
    served.says("apply -f pretender.yaml", "pod/pretender created\n");
    served.fails("exec pretender -- hostname", "container not found (\"web\")");
    served.fails("port-forward pod/pretender :80", "");
    let log = served.kubectl("logs pretender");
    assert!(!log.stdout.contains("ready for start up"), "{}", log.whole());
    served.kubectl("delete pod pretender --force");
    std::fs::remove_file(folder.path().join("web.yaml")).expect("removed");
    served.eventually("get --raw /api/v1/pods", "\"items\":[]");
}
