//! Where the Pods' network meets the machine's and the node's: `hostPort`, and the probes. The same on every backend; the Linux one needs
//! root: it is left out where there is none.

use crate::nodes::on_each_node;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::process::Stdio;
use std::sync::atomic::{AtomicU16, Ordering};

/// A port of the loopback interface that nobody has: below those that the system gives out, and another for each call and each process.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = std::process::id() % 1000 * 10;
    loop {
        let at = u32::from(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = u16::try_from(20_000 + (start + at) % 10_000).expect("a port");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() && UdpSocket::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

fn get(port: u16, path: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("connected");
    write!(stream, "GET {path} HTTP/1.0\r\nHost: x\r\nConnection: close\r\n\r\n").expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (_, body) = answer.split_once("\r\n\r\n").expect(&answer);
    body.to_owned()
}

fn ask(port: u16, question: &str) -> String {
    let socket = UdpSocket::bind(("127.0.0.1", 0)).expect("a socket");
    socket.connect(("127.0.0.1", port)).expect("connected");
    socket.send(question.as_bytes()).expect("sent");
    let mut buffer = [0; 512];
    let length = socket.recv(&mut buffer).expect("an answer");
    String::from_utf8_lossy(&buffer[..length]).into_owned()
}

fn server(name: &str, tcp: u16, udp: u16) -> String {
    format!(
        "apiVersion: v1
kind: Pod
metadata: {{name: {name}}}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: c
    image: registry.k8s.io/e2e-test-images/agnhost:2.47
    args: [netexec, --http-port=80, --udp-port=81]
    ports:
    - {{containerPort: 80, hostPort: {tcp}}}
    - {{containerPort: 81, hostPort: {udp}, protocol: UDP}}
    readinessProbe: {{tcpSocket: {{port: 80}}, periodSeconds: 1}}
"
    )
}

#[test]
fn a_host_port_leads_to_the_pod_and_is_free_when_the_pod_is_gone() {
    on_each_node(|node| {
        let (tcp, udp) = (free_port(), free_port());
        node.run(&server("edge", tcp, udp), &["--wait"]);
        assert_eq!(get(tcp, "/hostname"), "edge", "{}", node.backend);
        assert_eq!(ask(udp, "hostname"), "edge", "{}", node.backend);
        if cfg!(target_os = "linux") {
            assert!(
                TcpStream::connect(("127.0.0.2", tcp)).is_err(),
                "other addresses are not asked for"
            );
        }
        // The node has one such port: the next Pod waits for it.
        node.user.file("second.yaml", &server("second", tcp, free_port()));
        node.succeeds(&["apply", "-f", "second.yaml"]);
        node.succeeds(&[
            "wait",
            "--for=condition=PodScheduled=false",
            "pod/second",
            "--timeout=60s",
        ]);
        let told = node.succeeds(&["describe", "pod", "second"]);
        assert!(
            told.contains("1 node(s) didn't have free ports for the requested pod ports"),
            "{told}"
        );
        node.succeeds(&["delete", "pod", "edge"]);
        node.succeeds(&["wait", "--for=condition=Ready", "pod/second", "--timeout=60s"]);
        assert_eq!(get(tcp, "/hostname"), "second", "{}", node.backend);
        node.succeeds(&["delete", "pod", "second"]);
        drop(TcpListener::bind(("127.0.0.1", tcp)).expect("free"));
        drop(UdpSocket::bind(("127.0.0.1", udp)).expect("free"));
    });
}

#[test]
fn a_host_port_that_another_program_has_is_told_and_taken_when_it_is_free() {
    on_each_node(|node| {
        let (tcp, udp) = (free_port(), free_port());
        let taken = TcpListener::bind(("127.0.0.1", tcp)).expect("free");
        node.run(&server("edge", tcp, udp), &[]);
        let mut watch = node.user.command(&["get", "events", "-w"]);
        let mut watch = watch
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("podsim runs");
        let events = BufReader::new(watch.stdout.take().expect("its output"));
        let told = events
            .lines()
            .map_while(Result::ok)
            .find(|line| line.contains("FailedCreatePodSandBox"));
        watch.kill().expect("killed");
        watch.wait().expect("its end");
        let expected = format!(
            "Failed to create pod sandbox: node(s) didn't have free ports for the requested pod ports: 127.0.0.1:{tcp}/TCP is in use on this \
             machine: end what listens there, or choose another hostPort or hostIP"
        );
        let told = told.unwrap_or_default();
        assert!(told.ends_with(&expected), "{told}");
        drop(taken);
        node.succeeds(&["wait", "--for=condition=Ready", "pod/edge", "--timeout=60s"]);
        assert_eq!(get(tcp, "/hostname"), "edge", "{}", node.backend);
    });
}

/// A server that listens on one address, with a probe that has one try, after the server was reached on that address.
fn probed(name: &str, address: &str, probe: &str) -> String {
    format!(
        "apiVersion: v1
kind: Pod
metadata: {{name: {name}}}
spec:
  restartPolicy: Never
  terminationGracePeriodSeconds: 0
  containers:
  - name: c
    image: busybox
    command: [sh, -c, 'exec httpd -f -p {address}:80 -h /etc']
    env: [{{name: POD_IP, valueFrom: {{fieldRef: {{fieldPath: status.podIP}}}}}}]
    lifecycle: {{postStart: {{exec: {{command: [sh, -c, 'until nc -z {address} 80; do sleep 0.1; done']}}}}}}
    startupProbe: {{{probe}, failureThreshold: 1, timeoutSeconds: 30}}
---
"
    )
}

#[test]
fn probes_ask_the_pods_address_and_nothing_else_that_it_has() {
    const TCP: &str = "tcpSocket: {port: 80}";
    const HTTP: &str = "httpGet: {port: 80, path: /hostname}";
    let manifest: String = [("tcp", TCP), ("http", HTTP)]
        .map(|(kind, probe)| {
            probed(&format!("own-{kind}"), "$POD_IP", probe) + &probed(&format!("loopback-{kind}"), "127.0.0.1", probe)
        })
        .concat();
    on_each_node(|node| {
        node.run(&manifest, &[]);
        for kind in ["tcp", "http"] {
            let own = format!("pod/own-{kind}");
            node.succeeds(&["wait", "--for=condition=Ready", &own, "--timeout=60s"]);
            let loopback = format!("pod/loopback-{kind}");
            node.succeeds(&[
                "wait",
                "--for=jsonpath={.status.phase}=Failed",
                &loopback,
                "--timeout=60s",
            ]);
            let told = node.succeeds(&["describe", &loopback]);
            assert!(
                told.contains("Startup probe failed") && told.contains(":80: connect: connection refused"),
                "{told}"
            );
        }
    });
}

/// As upstream's test of it: the same port for different addresses and protocols, seen from the node.
#[test]
fn a_host_port_is_open_on_the_addresses_of_the_node() {
    on_each_node(|node| {
        let port = free_port();
        let pod = |name: &str, ip: &str, protocol: &str| {
            let container_port = if protocol == "TCP" { 80 } else { 81 };
            format!(
                "apiVersion: v1
kind: Pod
metadata: {{name: {name}}}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: c
    image: registry.k8s.io/e2e-test-images/agnhost:2.47
    args: [netexec, --http-port=80, --udp-port=81]
    ports: [{{containerPort: {container_port}, hostPort: {port}, hostIP: {ip}, protocol: {protocol}}}]
    readinessProbe: {{tcpSocket: {{port: 80}}, periodSeconds: 1}}
---
"
            )
        };
        let pods = [
            pod("one", "127.0.0.1", "TCP"),
            pod("two", "192.168.77.2", "TCP"),
            pod("three", "192.168.77.2", "UDP"),
            "apiVersion: v1
kind: Pod
metadata: {name: node}
spec:
  hostNetwork: true
  terminationGracePeriodSeconds: 0
  containers: [{name: c, image: 'registry.k8s.io/e2e-test-images/agnhost:2.47', args: [pause]}]
"
            .to_owned(),
        ];
        node.run(&pods.concat(), &["--wait"]);
        let sh = |script: String| node.succeeds(&["exec", "node", "--", "sh", "-c", &script]);
        let http = |ip: &str| sh(format!("curl -s --interface 192.168.77.2 http://{ip}:{port}/hostname"));
        assert_eq!(
            (http("127.0.0.1").trim(), http("192.168.77.2").trim()),
            ("one", "two"),
            "{}",
            node.backend
        );
        let udp = sh(format!("echo hostname | nc -u -w 1 192.168.77.2 {port}"));
        assert_eq!(udp.trim(), "three", "{}", node.backend);
        assert_eq!(
            get(port, "/hostname").trim(),
            "one",
            "from the machine: {}",
            node.backend
        );
    });
}
