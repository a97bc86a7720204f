//! The real kubectl against `podsim serve`: every verb at least once. Without a kubectl on PATH these tests say so and pass.

mod cluster;
mod groups;
mod identity;
mod kept;
mod pods;
mod resize;
mod workloads;

use crate::podsim::{Said, User};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A served node with a kubeconfig of its own. It ends with the test.
struct Served {
    user: User,
    podsim: Child,
    server: String,
    options: Vec<String>,
}

impl Served {
    /// `None` where there is no kubectl.
    fn start() -> Option<Self> {
        Self::start_with(&[])
    }

    /// With more options of `podsim serve`.
    fn start_with(options: &[&str]) -> Option<Self> {
        let found = Command::new("kubectl").args(["version", "--client"]).output();
        if !found.is_ok_and(|output| output.status.success()) {
            println!("kubectl is not on PATH: this test is skipped");
            return None;
        }
        let user = User::new();
        let options: Vec<String> = options.iter().map(|option| (*option).to_owned()).collect();
        let (podsim, server) = serve(&user, &options, "127.0.0.1:0");
        let served = Self {
            user,
            podsim,
            server,
            options,
        };
        // The node registers itself a moment after the API is there.
        served.eventually("get node podsim --no-headers", " Ready ");
        Some(served)
    }

    /// Kills the node with SIGKILL and starts it anew at the same address.
    fn kill_and_start_again(&mut self) {
        self.podsim.kill().expect("a kill");
        self.podsim.wait().expect("an end");
        let address = self.server.trim_start_matches("https://").to_owned();
        (self.podsim, self.server) = serve(&self.user, &self.options, &address);
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new("kubectl");
        command.args(args).current_dir(self.user.home()).stdin(Stdio::null());
        command
            .env("KUBECONFIG", self.user.home().join("kubeconfig"))
            .env("HOME", self.user.home())
            .env_remove("KUBECTL_COMMAND_HEADERS");
        command
    }

    /// Runs `kubectl` with these words, split at spaces; `'…'` is one word.
    fn kubectl(&self, line: &str) -> Said {
        Said::from(self.command(&words(line)).output().expect("kubectl runs"))
    }

    /// With input.
    fn kubectl_with(&self, line: &str, input: &str) -> Said {
        let mut child = self
            .command(&words(line))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("kubectl runs");
        child
            .stdin
            .take()
            .expect("stdin")
            .write_all(input.as_bytes())
            .expect("input");
        Said::from(child.wait_with_output().expect("an end"))
    }

    /// Runs it and compares what it prints, whole.
    fn says(&self, line: &str, expected: &str) {
        let said = self.kubectl(line);
        assert_eq!(
            (said.code, said.stdout.as_str()),
            (Some(0), expected),
            "{line}: {}",
            said.whole()
        );
    }

    /// Runs it; what it prints must have these words.
    fn has(&self, line: &str, wanted: &[&str]) {
        let said = self.kubectl(line);
        assert_eq!(said.code, Some(0), "{line}: {}", said.whole());
        for word in wanted {
            assert!(
                said.stdout.contains(word),
                "{line}: {word:?} is not in {}",
                said.whole()
            );
        }
    }

    /// It fails, with this on stderr.
    fn fails(&self, line: &str, expected: &str) {
        let said = self.kubectl(line);
        assert_eq!(said.code, Some(1), "{line}: {}", said.whole());
        assert!(said.stderr.contains(expected), "{line}: {}", said.whole());
    }

    fn eventually(&self, line: &str, wanted: &str) {
        let start = Instant::now();
        loop {
            let said = self.kubectl(line);
            if said.stdout.contains(wanted) {
                return;
            }
            assert!(start.elapsed() < Duration::from_secs(20), "{line}: {}", said.whole());
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.user.podsim(&["node", "stop"]);
        // It has ended by now; if not, it does so here.
        let _ = self.podsim.kill();
        let _ = self.podsim.wait();
    }
}

/// Starts `podsim serve` and reads where it is.
pub(crate) fn serve(user: &User, options: &[String], address: &str) -> (Child, String) {
    let mut podsim = user
        .command(&["serve", "--listen", address, "--kubeconfig", "kubeconfig"])
        .args(options)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("podsim runs");
    let mut line = String::new();
    let stdout = podsim.stdout.take().expect("stdout");
    BufReader::new(stdout).read_line(&mut line).expect("a line");
    let server = line.trim().rsplit(' ').next().unwrap_or_default().to_owned();
    assert!(server.starts_with("http"), "{line}");
    (podsim, server)
}

fn words(line: &str) -> Vec<&str> {
    let mut words = Vec::new();
    for (index, part) in line.split('\'').enumerate() {
        if index % 2 == 1 {
            words.push(part);
        } else {
            words.extend(part.split_whitespace());
        }
    }
    words
}

/// The Pod of the user's notes.
const NGINX: &str = "\
apiVersion: v1
kind: Pod
metadata: {name: nginx, labels: {app: nginx}}
spec:
  shareProcessNamespace: true
  terminationGracePeriodSeconds: 1
  containers:
  - {name: nginx, image: nginx}
  - {name: shell, image: busybox, stdin: true, tty: true}
";

#[test]
fn a_pod_is_applied_looked_at_talked_to_and_deleted() {
    let Some(served) = Served::start() else { return };
    served.user.file("pod.yaml", NGINX);
    served.says("apply -f pod.yaml", "pod/nginx created\n");
    served.says("apply -f pod.yaml", "pod/nginx unchanged\n");
    served.says(
        "wait --for=condition=Ready pod/nginx --timeout=20s",
        "pod/nginx condition met\n",
    );
    served.fails("create -f pod.yaml", "pods \"nginx\" already exists");
    served.has(
        "get pods -o wide",
        &["NAME", "READINESS GATES", "nginx   2/2     Running   0 "],
    );
    served.has(
        "get pod nginx -o yaml",
        &["shareProcessNamespace: true", "phase: Running"],
    );
    served.says("get pods -l app=nginx -o name", "pod/nginx\n");
    served.says("get pods --field-selector=status.phase=Running -o name", "pod/nginx\n");
    served.has("describe pod nginx", &["Started container shell", "QoS Class:"]);
    served.has("get events", &["Successfully assigned default/nginx to podsim"]);
    served.has("events --for pod/nginx", &["Started container shell"]);
    served.has("logs nginx -c nginx", &["ready for start up"]);
    served.has("top pod", &["nginx "]);
    served.has("top node", &["podsim "]);

    served.has(
        "exec nginx -c shell -- ps",
        &["    1 root      0:00 /pause\n", "nginx: master process"],
    );
    let said = served.kubectl("exec nginx -c shell -- sh -c 'echo out; echo err >&2; exit 3'");
    assert_eq!(
        (said.code, said.stdout.as_str()),
        (Some(3), "out\n"),
        "{}",
        said.whole()
    );
    assert_eq!(said.stderr, "err\ncommand terminated with exit code 3\n");
    let said = served.kubectl_with("exec -i nginx -c shell -- cat", "through\n");
    assert_eq!(
        (said.code, said.stdout.as_str()),
        (Some(0), "through\n"),
        "{}",
        said.whole()
    );
    let mut spdy = served.command(&["exec", "nginx", "-c", "shell", "--", "echo", "older"]);
    let said = Said::from(
        spdy.env("KUBECTL_REMOTE_COMMAND_WEBSOCKETS", "false")
            .output()
            .expect("kubectl runs"),
    );
    assert_eq!(
        (said.code, said.stdout.as_str()),
        (Some(0), "older\n"),
        "{}",
        said.whole()
    );

    served.user.file("file.txt", "copied\n");
    served.says("cp file.txt nginx:/tmp/file.txt -c shell", "");
    served.says("exec nginx -c shell -- cat /tmp/file.txt", "copied\n");
    assert_eq!(served.kubectl("cp nginx:/tmp/file.txt back.txt -c shell").code, Some(0));
    let back = std::fs::read_to_string(served.user.home().join("back.txt"));
    assert_eq!(back.ok().as_deref(), Some("copied\n"));

    served.says("label pod nginx tier=front", "pod/nginx labeled\n");
    served.says("annotate pod nginx note=hello", "pod/nginx annotated\n");
    served.says(
        "get pod nginx -o jsonpath={.metadata.labels.tier}{.metadata.annotations.note}",
        "fronthello",
    );
    served.says(
        "patch pod nginx -p '{\"metadata\":{\"labels\":{\"tier\":null}}}'",
        "pod/nginx patched\n",
    );
    served.says("delete pod nginx", "pod \"nginx\" deleted\n");
    served.fails(
        "get pod nginx",
        "Error from server (NotFound): pods \"nginx\" not found",
    );
    let said = served.kubectl("run once --image=busybox --rm -i --restart=Never -- echo hello");
    assert!(
        said.stdout.starts_with("hello\npod \"once\" deleted"),
        "{}",
        said.whole()
    );
}

/// A port of this machine to that of the Pod, inside a WebSocket and over SPDY.
#[test]
fn ports_are_forwarded() {
    use std::io::Read;
    let Some(served) = Served::start() else { return };
    served.user.file("pod.yaml", NGINX);
    served.says("apply -f pod.yaml", "pod/nginx created\n");
    served.says(
        "wait --for=condition=Ready pod/nginx --timeout=20s",
        "pod/nginx condition met\n",
    );
    for websockets in ["true", "false"] {
        let mut forward = served
            .command(&["port-forward", "--address=127.0.0.1", "pod/nginx", ":80"])
            .env("KUBECTL_PORT_FORWARD_WEBSOCKETS", websockets)
            .stdout(Stdio::piped())
            .spawn()
            .expect("kubectl runs");
        // Kept open: it goes on to tell of each connection.
        let mut stdout = BufReader::new(forward.stdout.take().expect("stdout"));
        let mut line = String::new();
        stdout.read_line(&mut line).expect("a line");
        let address = line
            .strip_prefix("Forwarding from ")
            .and_then(|rest| rest.split(' ').next());
        let mut page = String::new();
        for _ in 0..2 {
            let mut stream = std::net::TcpStream::connect(address.expect("an address")).expect("a connection");
            stream
                .write_all(b"GET / HTTP/1.0\r\nHost: x\r\n\r\n")
                .expect("a request");
            stream.read_to_string(&mut page).expect("an answer");
        }
        let _ = forward.kill();
        let _ = forward.wait();
        assert_eq!(page.matches("Welcome to nginx!").count() / 2, 2, "{page}");
    }
}

const WEB: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{name: web, image: nginx, ports: [{containerPort: 80}]}]
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: conf}
data: {a: \"1\"}
";

#[test]
fn deployments_roll_and_jobs_complete() {
    let Some(served) = Served::start() else { return };
    served.user.file("web.yaml", WEB);
    served.says(
        "apply -f web.yaml",
        "deployment.apps/web created\nservice/web created\nconfigmap/conf created\n",
    );
    served.has("rollout status deploy/web --timeout=30s", &["successfully rolled out"]);
    served.has(
        "get deploy web -o wide",
        &["2/2     2            2 ", "web          nginx    app=web"],
    );
    served.says("scale deploy web --replicas=3", "deployment.apps/web scaled\n");
    served.says("set env deploy/web A=b", "deployment.apps/web env updated\n");
    served.has("rollout status deploy/web --timeout=30s", &["successfully rolled out"]);
    served.has("rollout history deploy/web", &["1         <none>\n2         <none>\n"]);
    served.says("rollout undo deploy/web", "deployment.apps/web rolled back\n");
    served.has("describe deploy web", &["NewReplicaSet:"]);
    served.has("get all", &["service/kubernetes", "replicaset.apps/web-"]);
    served.says("create job hi --image=busybox -- echo hi", "job.batch/hi created\n");
    served.says(
        "wait --for=condition=complete job/hi --timeout=20s",
        "job.batch/hi condition met\n",
    );
    served.says("logs job/hi", "hi\n");
    served.has("get job hi", &["hi     Complete   1/1 "]);
    served.says(
        "delete job/hi deploy/web",
        "job.batch \"hi\" deleted\ndeployment.apps \"web\" deleted\n",
    );
    served.eventually("get pods -o name --ignore-not-found", "");
}

#[test]
fn objects_are_made_changed_compared_and_refused() {
    let Some(served) = Served::start() else { return };
    served.user.file("web.yaml", WEB);
    let applied =
        "deployment.apps/web serverside-applied\nservice/web serverside-applied\nconfigmap/conf serverside-applied\n";
    served.says("apply --server-side -f web.yaml", applied);
    served.says("apply --server-side -f web.yaml", applied);
    served.says(
        "patch cm conf --type=merge -p '{\"data\":{\"a\":\"2\"}}'",
        "configmap/conf patched\n",
    );
    served.fails(
        "apply --server-side -f web.yaml",
        "Apply failed with 1 conflict: conflict with \"kubectl-patch\" using v1: .data.a",
    );
    served.says("apply --server-side --force-conflicts -f web.yaml", applied);
    served.says("get cm conf -o jsonpath={.data.a}", "1");
    served.says(
        "patch cm conf --type=json -p '[{\"op\":\"add\",\"path\":\"/data/b\",\"value\":\"x\"}]'",
        "configmap/conf patched\n",
    );
    served.has(
        "delete -f web.yaml --dry-run=server",
        &["configmap \"conf\" deleted (server dry run)"],
    );
    served.has("get cm conf -o name", &["configmap/conf"]);
    let edited = served
        .command(&["edit", "cm", "conf"])
        .env("EDITOR", "sed -i s/x$/z/")
        .output()
        .expect("kubectl runs");
    assert_eq!(Said::from(edited).stdout, "configmap/conf edited\n");
    let diff = served.kubectl("diff -f web.yaml");
    assert_ne!(diff.code, Some(2), "{}", diff.whole());

    for (line, expected) in [
        ("create configmap c2 --from-literal=a=b", "configmap/c2 created\n"),
        ("create secret generic s2 --from-literal=a=b", "secret/s2 created\n"),
        ("create namespace other", "namespace/other created\n"),
        ("create serviceaccount bot", "serviceaccount/bot created\n"),
        (
            "create role r --verb=get --resource=pods",
            "role.rbac.authorization.k8s.io/r created\n",
        ),
        (
            "create rolebinding rb --role=r --serviceaccount=default:bot",
            "rolebinding.rbac.authorization.k8s.io/rb created\n",
        ),
        ("create quota q --hard=pods=2", "resourcequota/q created\n"),
        (
            "create pdb p --selector=app=web --min-available=1",
            "poddisruptionbudget.policy/p created\n",
        ),
        (
            "create cronjob cj --image=busybox --schedule=@hourly -- true",
            "cronjob.batch/cj created\n",
        ),
        ("create service clusterip s --tcp=80", "service/s created\n"),
        ("get secret s2 -o jsonpath={.data.a}", "Yg=="),
        (
            "get role,rolebinding,cronjob -o name",
            "role.rbac.authorization.k8s.io/r\nrolebinding.rbac.authorization.k8s.io/rb\ncronjob.batch/cj\n",
        ),
        ("auth can-i get pods", "yes\n"),
        ("delete namespace other", "namespace \"other\" deleted\n"),
    ] {
        served.says(line, expected);
    }
    served.has("auth whoami", &["kubernetes-admin", "system:masters"]);
    served.eventually("get cm -n kube-public", "kube-root-ca.crt");
    served.has(
        "explain pod.spec.hostAliases",
        &["FIELD: hostAliases <[]HostAlias>", "-required-"],
    );
    served.has("explain deployment.spec.strategy", &["GROUP:      apps"]);
    served.has("api-resources", &["deployments", "customresourcedefinitions"]);
    served.has("api-versions", &["apps/v1\n", "v1\n"]);
    served.has("version", &["Server Version: v1."]);
    served.has("cluster-info", &[&served.server]);
    served.fails("get widgets", "the server doesn't have a resource type \"widgets\"");
    served.user.file(
        "bad.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: bad}\ndate: {}\n",
    );
    served.fails("apply -f bad.yaml", "strict decoding error: unknown field \"date\"");
    let pods = served.kubectl("get configmaps -A --chunk-size=1 -o name");
    assert!(pods.stdout.lines().count() >= 6, "{}", pods.whole());
}

#[test]
fn nodes_are_cordoned_and_drained() {
    let Some(served) = Served::start() else { return };
    served.user.file("pod.yaml", NGINX);
    served.says("apply -f pod.yaml", "pod/nginx created\n");
    served.says(
        "wait --for=condition=Ready pod/nginx --timeout=20s",
        "pod/nginx condition met\n",
    );
    served.says("cordon podsim", "node/podsim cordoned\n");
    served.has("get nodes", &["Ready,SchedulingDisabled"]);
    served.has(
        "drain podsim --force",
        &["evicting pod default/nginx", "node/podsim drained"],
    );
    served.says("uncordon podsim", "node/podsim uncordoned\n");
    served.says("taint node podsim key=value:NoSchedule", "node/podsim tainted\n");
}

const WIDGETS: &str = "\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: widgets, singular: widget, kind: Widget, shortNames: [wd]}
  versions:
  - name: v1
    served: true
    storage: true
    additionalPrinterColumns: [{name: Size, type: integer, jsonPath: .spec.size}]
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            required: [size]
            properties:
              size: {type: integer, minimum: 1, description: How large it is}
              color: {type: string, enum: [red, blue], default: red}
";

#[test]
fn custom_kinds_are_defined_checked_and_forgotten() {
    let Some(served) = Served::start() else { return };
    served.user.file("crd.yaml", WIDGETS);
    let widget =
        |spec: &str| format!("apiVersion: example.com/v1\nkind: Widget\nmetadata: {{name: w}}\nspec: {spec}\n");
    served.user.file("w.yaml", &widget("{size: 3}"));
    served.user.file("bad.yaml", &widget("{size: 0, color: green}"));
    served.fails(
        "apply -f w.yaml",
        "no matches for kind \"Widget\" in version \"example.com/v1\"",
    );
    served.says(
        "apply -f crd.yaml",
        "customresourcedefinition.apiextensions.k8s.io/widgets.example.com created\n",
    );
    served.says(
        "wait --for=condition=Established crd/widgets.example.com",
        "customresourcedefinition.apiextensions.k8s.io/widgets.example.com condition met\n",
    );
    let said = served.kubectl("apply -f bad.yaml");
    for word in [
        "spec.color: Unsupported value: \"green\"",
        "should be greater than or equal to 1",
    ] {
        assert!(said.stderr.contains(word), "{}", said.whole());
    }
    served.says("apply -f w.yaml", "widget.example.com/w created\n");
    served.says("get wd", "NAME   SIZE\nw      3\n");
    served.says("get wd w -o jsonpath={.spec.color}", "red");
    served.has("explain widget.spec.size", &["How large it is"]);
    served.says(
        "delete crd widgets.example.com",
        "customresourcedefinition.apiextensions.k8s.io \"widgets.example.com\" deleted\n",
    );
    served.fails("get wd", "NotFound");
}

/// What a stranger gets: nothing.
#[test]
fn without_the_certificate_or_the_token_nobody_is_let_in() {
    let Some(served) = Served::start() else { return };
    let config = std::fs::read_to_string(served.user.home().join("kubeconfig")).expect("a kubeconfig");
    let keyless: String = config
        .lines()
        .filter(|line| !line.contains("client-"))
        .map(|line| {
            format!(
                "{}\n",
                if line.trim() == "user:" {
                    "  user: {token: wrong}"
                } else {
                    line
                }
            )
        })
        .collect();
    served.user.file("keyless", &keyless);
    served.fails("get pods --kubeconfig keyless", "You must be logged in to the server");
    let elsewhere = served
        .user
        .podsim(&["serve", "--listen", "0.0.0.0:0", "--insecure-http", "--kubeconfig", "k"]);
    assert_eq!(elsewhere.code, Some(1), "{}", elsewhere.whole());
}
