//! Objects over HTTP.

use super::*;

fn pod(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
           "spec": {"containers": [{"name": "c", "image": "busybox"}]}})
}

const PODS: &str = "/api/v1/namespaces/default/pods";

#[tokio::test]
async fn an_object_is_created_read_changed_and_deleted() {
    let server = Server::start().await;
    let created = server.post(PODS, &pod("p")).await;
    assert_eq!(created.code, 201);
    assert_eq!(created.json()["metadata"]["creationTimestamp"], "2025-06-17T14:41:00Z");
    let generated = json!({"metadata": {"generateName": "p-"}, "spec": {"containers": [{"name": "c", "image": "x"}]}});
    let generated = server.post(PODS, &generated).await.json();
    assert!(
        generated["metadata"]["name"].as_str().unwrap().len() == 7,
        "{generated}"
    );

    let list = server.get(PODS).await.json();
    assert_eq!(
        (list["kind"].as_str(), list["items"].as_array().unwrap().len()),
        (Some("PodList"), 2)
    );

    let path = format!("{PODS}/p");
    let labels = json!({"metadata": {"labels": {"app": "web"}}});
    for kind in ["merge-patch+json", "strategic-merge-patch+json"] {
        assert_eq!(
            server.patch(&path, kind, &labels).await.json()["metadata"]["labels"]["app"],
            "web"
        );
    }
    let remove = json!([{"op": "remove", "path": "/metadata/labels/app"}]);
    let patched = server.patch(&path, "json-patch+json", &remove).await.json();
    assert!(
        patched["metadata"]["labels"]
            .as_object()
            .is_none_or(|labels| labels.is_empty()),
        "{patched}"
    );

    let mut status = patched.clone();
    status["status"] = json!({"phase": "Running"});
    let header = "Content-Type: application/json\r\n";
    let answer = server
        .send("PUT", &format!("{path}/status"), header, &status.to_string())
        .await;
    assert_eq!(answer.json()["status"]["phase"], "Running");
    let stale = server.send("PUT", &path, header, &patched.to_string()).await;
    assert_eq!(
        stale.error(),
        "409 Conflict: Operation cannot be fulfilled on pods \"p\": the object has been modified; please apply your changes to \
         the latest version and try again"
    );

    assert_eq!(
        server.send("DELETE", &path, "", "").await.json()["metadata"]["name"],
        "p"
    );
    assert_eq!(server.get(&path).await.code, 404);
    let all = server.send("DELETE", PODS, "", "").await;
    assert_eq!(all.json()["status"], "Success");
    assert_eq!(server.get(PODS).await.json()["items"], json!([]));
}

#[tokio::test]
async fn errors_have_kubernetes_words() {
    let server = Server::start().await;
    server.post(PODS, &pod("p")).await;
    let json_type = "Content-Type: application/json\r\n";
    for (method, path, headers, body, expected) in [
        (
            "GET",
            "/api/v1/namespaces/default/pods/x",
            "",
            "",
            "404 NotFound: pods \"x\" not found",
        ),
        (
            "GET",
            "/api/v1/widgets",
            "",
            "",
            "404 NotFound: the server could not find the requested resource",
        ),
        (
            "POST",
            PODS,
            json_type,
            &pod("p").to_string(),
            "409 AlreadyExists: pods \"p\" already exists",
        ),
        (
            "POST",
            "/api/v1/namespaces/nope/pods",
            json_type,
            &pod("p").to_string(),
            "404 NotFound: namespaces \"nope\" not found",
        ),
        (
            "POST",
            PODS,
            json_type,
            "{",
            "400 BadRequest: the body of the request is not JSON: EOF while parsing an object at line 1 column 1",
        ),
        (
            "POST",
            PODS,
            json_type,
            r#"{"kind": "Node", "apiVersion": "v1"}"#,
            "400 BadRequest: the API version in the data (v1, Kind=Node) does not match the expected API version (v1, Kind=Pod)",
        ),
        (
            "PATCH",
            "/api/v1/namespaces/default/pods/p",
            "Content-Type: application/x-unknown\r\n",
            "{}",
            "415 UnsupportedMediaType: the body of the request was in an unknown format (application/x-unknown) - accepted \
             media types include: application/json-patch+json, application/merge-patch+json, \
             application/strategic-merge-patch+json",
        ),
        (
            "PUT",
            PODS,
            json_type,
            "{}",
            "405 MethodNotAllowed: the server does not allow this method on the requested resource",
        ),
        (
            "GET",
            "/api/v1/namespaces/default/pods?labelSelector=a%20b",
            "",
            "",
            "400 BadRequest: unable to parse requirement: found 'a b', expected: identifier",
        ),
        (
            "GET",
            "/api/v1/namespaces/default/pods/p/log",
            "",
            "",
            "400 BadRequest: container \"c\" in pod \"p\" is waiting to start: ContainerCreating",
        ),
        (
            "GET",
            "/api/v1/namespaces/default/pods/p/exec?command=ls&stdout=true",
            "",
            "",
            "500 -: unable to upgrade connection: container not found (\"c\")",
        ),
        (
            "GET",
            "/api/v1/namespaces/default/pods/p/exec?command=ls&stdout=true&container=z",
            "",
            "",
            "400 BadRequest: container z is not valid for pod p",
        ),
    ] {
        let answer = server.send(method, path, headers, body).await;
        let reason = answer.error().replace("500 : ", "500 -: ");
        assert_eq!(reason, expected, "{method} {path}");
    }
    let large = "x".repeat(4 << 20);
    let answer = server.send("POST", PODS, json_type, &large).await;
    assert_eq!(answer.code, 413);
}

#[tokio::test]
async fn an_invalid_pod_is_refused_with_its_causes() {
    let server = Server::start().await;
    let answer = server
        .post(PODS, &json!({"metadata": {"name": "X"}, "spec": {"containers": []}}))
        .await;
    assert_eq!(answer.code, 422);
    let causes = answer.json()["details"]["causes"].clone();
    let fields: Vec<&str> = causes
        .as_array()
        .unwrap()
        .iter()
        .map(|cause| cause["field"].as_str().unwrap())
        .collect();
    assert!(
        fields.contains(&"metadata.name") && fields.contains(&"spec.containers"),
        "{causes}"
    );
}

#[tokio::test]
async fn without_the_token_nothing_is_told() {
    let server = Server::start().await;
    for header in ["", "Authorization: Bearer wrong\r\n", "Authorization: Bearer secre\r\n"] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let request = format!("GET {PODS} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{header}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        assert!(text.starts_with("HTTP/1.1 401"), "{header:?}: {text}");
    }
}

#[tokio::test]
async fn a_watch_tells_what_changes_and_says_when_it_cannot() {
    let server = Server::start().await;
    let created = server.post(PODS, &pod("a")).await.json();
    let version = created["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
    server.post(PODS, &pod("b")).await;
    server.send("DELETE", &format!("{PODS}/a"), "", "").await;
    let path = format!("{PODS}?watch=true&resourceVersion={version}");
    let name = |event: &Value| event["object"]["metadata"]["name"].as_str().unwrap().to_owned();
    let events = server.watch(&path, 2).await;
    let events: Vec<String> = events
        .iter()
        .map(|event| format!("{} {}", event["type"].as_str().unwrap(), name(event)))
        .collect();
    assert_eq!(events, ["ADDED b", "DELETED a"]);
    assert_eq!(
        server.get(&format!("{PODS}?watch=true&resourceVersion=x")).await.code,
        400
    );
}

#[tokio::test]
async fn a_list_can_be_a_table() {
    let server = Server::start().await;
    server.post(PODS, &pod("a")).await;
    let accept = "Accept: application/json;as=Table;v=v1;g=meta.k8s.io,application/json\r\n";
    let table = server.send("GET", PODS, accept, "").await.json();
    assert_eq!(table["kind"], "Table");
    assert_eq!(
        table["rows"][0]["cells"].as_array().unwrap()[..5],
        ["a", "0/1", "Pending", "0", "0s"]
    );
}

#[tokio::test]
async fn discovery_names_every_kind() {
    let server = Server::start().await;
    let resources = server.get("/api/v1").await.json();
    let names: Vec<&str> = resources["resources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["name"].as_str().unwrap())
        .collect();
    for name in [
        "pods",
        "pods/exec",
        "pods/log",
        "pods/status",
        "nodes",
        "namespaces",
        "events",
        "configmaps",
        "secrets",
    ] {
        assert!(names.contains(&name), "{name}: {names:?}");
    }
    assert_eq!(
        server.get("/apis/coordination.k8s.io/v1").await.json()["resources"][0]["kind"],
        "Lease"
    );
    assert!(
        server.get("/version").await.json()["gitVersion"]
            .as_str()
            .unwrap()
            .starts_with("v1.")
    );
}

#[tokio::test]
async fn logs_come_as_text() {
    let server = Server::start().await;
    server.run_pod("p", &["a", "b"]).await;
    server.runtime.write_log("a", podsim_cri::LogStream::Stdout, "hello\n");
    server.runtime.write_log("a", podsim_cri::LogStream::Stderr, "world\n");
    assert_eq!(
        server.get(&format!("{PODS}/p/log?container=a")).await.body,
        "hello\nworld\n"
    );
    assert_eq!(
        server.get(&format!("{PODS}/p/log?container=a&tailLines=1")).await.body,
        "world\n"
    );
    let ambiguous = server.get(&format!("{PODS}/p/log")).await.error();
    assert_eq!(
        ambiguous,
        "400 BadRequest: a container name must be specified for pod p, choose one of: [a b]"
    );
    let previous = server
        .get(&format!("{PODS}/p/log?container=a&previous=true"))
        .await
        .error();
    assert_eq!(
        previous,
        "400 BadRequest: previous terminated container \"a\" in pod \"p\" not found"
    );
}

#[tokio::test]
async fn the_nodes_view_shows_sandboxes_and_containers() {
    let server = Server::start().await;
    server.run_pod("p", &["a"]).await;
    let containers = server.get("/podsim/v1/containers").await.json();
    assert_eq!(containers["items"][0]["name"], "a");
    let sandboxes = server.get("/podsim/v1/sandboxes").await.json();
    assert_eq!(sandboxes["items"][0]["pod"], "p");
    let json_type = "Content-Type: application/json\r\n";
    let body = r#"{"partitioned": true}"#;
    assert_eq!(
        server.send("PUT", "/podsim/v1/partition", json_type, body).await.json()["partitioned"],
        true
    );
    assert_eq!(server.get("/podsim/v1/partition").await.json()["partitioned"], true);
}

#[tokio::test]
async fn unknown_fields_are_refused_or_warned_of_as_the_client_wishes() {
    let server = Server::start().await;
    let mut object = pod("p");
    object["spec"]["containers"][0]["frobnicate"] = json!(1);
    let strict = server.post(&format!("{PODS}?fieldValidation=Strict"), &object).await;
    assert_eq!(
        strict.error(),
        "400 BadRequest: Pod in version \"v1\" cannot be handled as a Pod: strict decoding error: unknown field \
         \"spec.containers[0].frobnicate\""
    );
    assert_eq!(server.post(PODS, &object).await.code, 201);
}
