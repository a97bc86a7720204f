//! Who is asking, and what he may.

use super::Served;

const SLEEPER: &str = "\
apiVersion: v1
kind: Pod
metadata: {name: p}
spec:
  serviceAccountName: robot
  terminationGracePeriodSeconds: 0
  containers: [{name: main, image: busybox, command: [sleep, \"1000\"]}]
";

impl Served {
    /// The kubeconfig without the certificate: only the token that is given counts.
    fn keyless(&self) {
        let config = std::fs::read_to_string(self.user.home().join("kubeconfig")).expect("a kubeconfig");
        let keyless = config.lines().filter(|line| !line.contains("client-"));
        let keyless = keyless.map(|line| if line.trim() == "user:" { "  user: {}" } else { line });
        self.user.file("keyless", &keyless.collect::<Vec<_>>().join("\n"));
    }

    fn token(&self, line: &str) -> String {
        let said = self.kubectl(line);
        assert_eq!(said.code, Some(0), "{line}: {}", said.whole());
        said.stdout.trim().to_owned()
    }
}

#[test]
fn a_service_account_is_known_by_its_token_and_may_what_its_roles_say() {
    let Some(served) = Served::start() else { return };
    served.keyless();
    served.says("create serviceaccount robot", "serviceaccount/robot created\n");
    served.fails("create token nobody", "serviceaccounts \"nobody\" not found");
    served.fails(
        "create token robot --duration=9m",
        "may not specify a duration less than 10 minutes",
    );
    let token = served.token("create token robot");
    let by = |line: &str| format!("{line} --kubeconfig keyless --token {token}");
    served.has(
        &by("auth whoami"),
        &[
            "system:serviceaccount:default:robot",
            "[system:serviceaccounts system:serviceaccounts:default system:authenticated]",
        ],
    );
    served.fails(
        &by("get pods"),
        "Error from server (Forbidden): pods is forbidden: User \"system:serviceaccount:default:robot\" cannot list resource \
         \"pods\" in API group \"\" in the namespace \"default\"",
    );
    served.fails(
        &by("get --raw /podsim/v1/containers"),
        "cannot get path \"/podsim/v1/containers\"",
    );
    let said = served.kubectl(&by("auth can-i list pods"));
    assert_eq!(said.stdout, "no\n", "{}", said.whole());
    served.says(
        "create role look --verb=list,get --resource=pods",
        "role.rbac.authorization.k8s.io/look created\n",
    );
    served.says(
        "create rolebinding look --role=look --serviceaccount=default:robot",
        "rolebinding.rbac.authorization.k8s.io/look created\n",
    );
    served.says(&by("auth can-i list pods"), "yes\n");
    served.says(&by("get pods"), "");
    served.fails(&by("get pods -A"), "at the cluster scope");
    served.fails(&by("delete pod p"), "cannot delete resource \"pods\"");
    served.says("get pods --as system:serviceaccount:default:robot", "");
    served.fails(
        "get nodes --as nobody",
        "User \"nobody\" cannot list resource \"nodes\"",
    );
    served.fails(
        &by("get pods --as kubernetes-admin --as-group system:masters"),
        "cannot impersonate resource \"users\"",
    );
}

/// A certificate that looks right and that another authority has signed.
#[test]
fn the_certificate_of_another_server_opens_nothing() {
    let (Some(served), Some(other)) = (Served::start(), Served::start()) else {
        return;
    };
    let read = |served: &Served| std::fs::read_to_string(served.user.home().join("kubeconfig")).expect("a kubeconfig");
    let foreign = read(&other);
    let foreign: Vec<&str> = foreign.lines().filter(|line| line.contains("client-")).collect();
    let mut foreign = foreign.into_iter();
    let mixed = read(&served);
    let mixed = mixed.lines().map(|line| match line.contains("client-") {
        true => foreign.next().unwrap_or_default(),
        false => line,
    });
    served.user.file("mixed", &mixed.collect::<Vec<_>>().join("\n"));
    let said = served.kubectl("get pods --kubeconfig mixed");
    assert_eq!(said.code, Some(1), "{}", said.whole());
    assert!(said.stderr.contains("tls: "), "{}", said.whole());
    served.says("get pods", "");
}

#[test]
fn a_token_for_a_pod_ends_with_the_pod() {
    let Some(served) = Served::start() else { return };
    served.keyless();
    served.says("create serviceaccount robot", "serviceaccount/robot created\n");
    served.user.file("pod.yaml", SLEEPER);
    served.says("apply -f pod.yaml", "pod/p created\n");
    let token = served.token("create token robot --bound-object-kind Pod --bound-object-name p");
    let whoami = format!("auth whoami --kubeconfig keyless --token {token}");
    served.has(
        &whoami,
        &[
            "authentication.kubernetes.io/pod-name",
            "system:serviceaccount:default:robot",
        ],
    );
    served.user.file(
        "review.json",
        &format!(
            r#"{{"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {{"token": "{token}"}}}}"#
        ),
    );
    let review = "create --raw /apis/authentication.k8s.io/v1/tokenreviews -f review.json";
    served.has(
        review,
        &["\"authenticated\":true", "\"system:serviceaccount:default:robot\""],
    );
    served.says("delete pod p", "pod \"p\" deleted\n");
    served.has(review, &["\"error\":\"service account token has been invalidated\""]);
    served.fails(&whoami, "Unauthorized");
}

/// As upstream's tests of ServiceAccounts look at it.
#[test]
fn pods_have_the_token_of_their_account_unless_they_opt_out() {
    let Some(served) = Served::start() else { return };
    served.keyless();
    served.user.file("pod.yaml", SLEEPER);
    served.fails(
        "apply -f pod.yaml",
        "pods \"p\" is forbidden: error looking up service account default/robot: serviceaccount \"robot\" not found",
    );
    served.says("create serviceaccount robot", "serviceaccount/robot created\n");
    served.says("apply -f pod.yaml", "pod/p created\n");
    served.says(
        "wait --for=condition=Ready pod/p --timeout=20s",
        "pod/p condition met\n",
    );
    let read = |file: &str| {
        served.token(&format!(
            "exec p -- cat /var/run/secrets/kubernetes.io/serviceaccount/{file}"
        ))
    };
    assert_eq!(read("namespace"), "default");
    let authority = served.token("get configmap kube-root-ca.crt -o jsonpath={.data.ca\\.crt}");
    assert_eq!(
        (read("ca.crt"), authority.starts_with("-----BEGIN CERTIFICATE")),
        (authority.clone(), true)
    );
    let token = read("token");
    served.has(
        &format!("auth whoami --kubeconfig keyless --token {token}"),
        &[
            "system:serviceaccount:default:robot",
            "authentication.kubernetes.io/pod-name",
        ],
    );
    served.has(
        "describe pod p",
        &[
            "/var/run/secrets/kubernetes.io/serviceaccount from kube-api-access-",
            "Type:                    Projected (a volume that contains injected data from multiple sources)\n    \
             TokenExpirationSeconds:  3607\n    ConfigMapName:           kube-root-ca.crt\n    ",
        ],
    );
    // Of a namespace that is new, everything is there at once.
    served.user.file(
        "new.yaml",
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: new}\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: q, namespace: new}\n\
         spec: {containers: [{name: main, image: busybox, command: [sleep, '1000']}], terminationGracePeriodSeconds: 0}\n",
    );
    served.says("apply -f new.yaml", "namespace/new created\npod/q created\n");
    served.says(
        "wait --for=condition=Ready -n new pod/q --timeout=20s",
        "pod/q condition met\n",
    );
    let events = served.token("get events -n new -o jsonpath={.items[*].reason}");
    assert_eq!(events, "Scheduled Pulling Pulled Created Started");
    for (name, overrides, volumes) in [
        ("out", r#"{"spec":{"automountServiceAccountToken":false}}"#, ""),
        ("in", "{}", "kube-api-access-"),
    ] {
        served.says(
            &format!("run {name} --image=busybox --restart=Never --overrides={overrides} -- true"),
            &format!("pod/{name} created\n"),
        );
        let told = served.token(&format!("get pod {name} -o jsonpath={{.spec.volumes[*].name}}"));
        assert!(
            told.starts_with(volumes) && told.is_empty() == volumes.is_empty(),
            "{name}: {told}"
        );
    }
    served.says("delete pod p --now", "pod \"p\" deleted\n");
}

#[test]
fn services_lead_to_their_pods_and_kubernetes_to_the_api() {
    let Some(served) = Served::start() else { return };
    let port = served.server.rsplit(':').next().unwrap_or_default().to_owned();
    served.has("get endpoints kubernetes", &[&format!("127.0.0.1:{port}")]);
    served.has("get endpointslices", &["kubernetes", &port]);
    served.user.file(
        "web.yaml",
        "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {selector: {app: web}, ports: [{port: 80}]}\n",
    );
    served.says("apply -f web.yaml", "service/web created\n");
    served.says("run web --image=nginx --labels=app=web", "pod/web created\n");
    served.says(
        "wait --for=jsonpath={.subsets[0].addresses[0].targetRef.name}=web endpoints/web --timeout=20s",
        "endpoints/web condition met\n",
    );
    served.has("describe service web", &["Endpoints:                10.244."]);
    served.has(
        "get endpointslices -l kubernetes.io/service-name=web -o jsonpath={.items[0].endpoints[0].conditions.ready}",
        &["true"],
    );
}

#[test]
fn requests_are_passed_on_to_pods_services_and_nodes() {
    let Some(served) = Served::start() else { return };
    served.says(
        "run web --image=nginx --port=80 --expose",
        "service/web created\npod/web created\n",
    );
    served.says(
        "wait --for=jsonpath={.subsets[0].addresses[0].targetRef.name}=web endpoints/web --timeout=20s",
        "endpoints/web condition met\n",
    );
    let raw = |path: &str| format!("get --raw /api/v1/{path}");
    for path in [
        "pods/web/proxy/",
        "pods/web:80/proxy/",
        "services/web/proxy/",
        "services/web:80/proxy/",
    ] {
        served.has(&raw(&format!("namespaces/default/{path}")), &["Welcome to nginx!"]);
    }
    served.fails(&raw("namespaces/default/pods/web/proxy/none"), "NotFound");
    served.fails(
        &raw("namespaces/default/pods/web:81/proxy/"),
        "error trying to reach service: dial tcp 10.244.0.",
    );
    served.fails(
        &raw("namespaces/default/services/web:99/proxy/"),
        "no service port \"99\" found for service \"web\"",
    );
    served.says(
        "run porter --image=registry.k8s.io/e2e-test-images/agnhost:2.45 --env=SERVE_PORT_80=foo -- porter --json-response",
        "pod/porter created\n",
    );
    served.says(
        "wait --for=condition=Ready pod/porter --timeout=20s",
        "pod/porter condition met\n",
    );
    let porter = "/api/v1/namespaces/default/pods/porter/proxy";
    for path in ["?method=DELETE", "/some/path/with/DELETE"] {
        served.says(
            &format!("delete --raw {porter}{path}"),
            r#"{"Method":"DELETE","Body":"foo"}"#,
        );
    }
    served.says(&raw("nodes/podsim/proxy/healthz"), "ok");
    served.has(&raw("nodes/podsim/proxy/pods"), &["\"name\":\"web\""]);
}

/// The same events, in the other group's words.
#[test]
fn events_have_a_second_view() {
    let Some(served) = Served::start() else { return };
    served.says("run web --image=nginx", "pod/web created\n");
    served.says(
        "wait --for=condition=Ready pod/web --timeout=20s",
        "pod/web condition met\n",
    );
    served.has(
        "get events.v1.events.k8s.io --field-selector regarding.name=web,reason=Scheduled -o jsonpath={.items[*].note}",
        &["Successfully assigned default/web to podsim"],
    );
    served.has(
        "get events.v1.events.k8s.io",
        &["LAST SEEN", "Successfully assigned default/web to podsim"],
    );
    served.user.file(
        "event.yaml",
        "apiVersion: events.k8s.io/v1\nkind: Event\nmetadata: {name: mine}\neventTime: 2026-01-01T00:00:00.000000Z\ntype: Normal\n\
         reason: Because\naction: Act\nnote: said\nreportingController: me\nreportingInstance: me-1\n\
         regarding: {kind: Pod, name: web, namespace: default}\n",
    );
    served.says(
        "create -f event.yaml --validate=false",
        "event.events.k8s.io/mine created\n",
    );
    served.says(
        "get events.v1. mine -o jsonpath={.message}{.involvedObject.name}",
        "saidweb",
    );
}
