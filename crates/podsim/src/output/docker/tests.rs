//! `docker ps` byte for byte as in the notes.

use super::*;
use crate::node_view::NodeView;
use crate::output::json::pretty;
use serde_json::json;

fn view() -> NodeView {
    let container = |id: &str, name: &str, image: &str, argv: Value, pid: i32, created: &str| {
        json!({
            "id": format!("{id:0<64}"), "sandbox": format!("{:0<64}", "eb0fd0f91677"), "name": name, "attempt": 0,
            "state": "running", "createdAt": created, "startedAt": created, "finishedAt": null, "exitCode": null,
            "reason": "", "message": "", "image": "nginx:latest", "imageId": format!("sha256:{image:0<64}"), "pid": pid,
            "namespaces": {"network": "Pod", "pid": "Container", "ipc": "Pod", "inodes": {"net": 4026532628_u64}},
            "argv": argv, "mounts": [], "labels": {}, "logPath": "", "tty": false, "stdin": false,
        })
    };
    let sandbox = json!({
        "id": format!("{:0<64}", "eb0fd0f91677"), "pod": "no-share-process-ns-test", "namespace": "default",
        "uid": "94884606-ea15-4038-9fa0-0e3b11ca4f31", "attempt": 0, "ready": true,
        "createdAt": "2025-06-17T14:41:00Z", "ips": ["172.172.1.41"], "pid": 1561100,
        "image": "registry.aliyuncs.com/google_containers/pause:3.2",
        "namespaces": {"network": "Pod", "pid": "Container", "ipc": "Pod", "inodes": {}}, "labels": {},
    });
    let entrypoint = json!(["/docker-entrypoint.sh", "nginx", "-g", "daemon off;"]);
    NodeView {
        sandboxes: vec![serde_json::from_value(sandbox).unwrap()],
        containers: [
            container(
                "117497ca101c",
                "web",
                "2622e6cca7eb",
                entrypoint,
                1561252,
                "2025-06-17T14:41:02Z",
            ),
            container(
                "ca8b6e6a1796",
                "shell",
                "1c35c4412082",
                json!(["sh"]),
                1561218,
                "2025-06-17T14:41:01Z",
            ),
        ]
        .into_iter()
        .map(|value| serde_json::from_value(value).unwrap())
        .collect(),
    }
}

#[test]
fn docker_ps_prints_the_table_of_the_notes() {
    let now = "2025-06-17T14:42:10Z".parse().unwrap();
    let view = view();
    let lines: Vec<PsLine> = view
        .entries()
        .iter()
        .map(|entry| PsLine::new(entry, true, now))
        .collect();
    let expected = "\
CONTAINER ID        IMAGE                                               COMMAND                  CREATED              STATUS              PORTS               NAMES
117497ca101c        2622e6cca7eb                                        \"/docker-entrypoint.…\"   About a minute ago   Up About a minute                       k8s_web_no-share-process-ns-test_default_94884606-ea15-4038-9fa0-0e3b11ca4f31_0
ca8b6e6a1796        1c35c4412082                                        \"sh\"                     About a minute ago   Up About a minute                       k8s_shell_no-share-process-ns-test_default_94884606-ea15-4038-9fa0-0e3b11ca4f31_0
eb0fd0f91677        registry.aliyuncs.com/google_containers/pause:3.2   \"/pause\"                 About a minute ago   Up About a minute                       k8s_POD_no-share-process-ns-test_default_94884606-ea15-4038-9fa0-0e3b11ca4f31_0
";
    assert_eq!(ps_table(&lines), expected);
}

#[test]
fn docker_inspect_has_the_pid_where_grep_finds_it_in_the_notes() {
    let view = view();
    let inspect = Inspect::new(&view.find("ca8b6e6a1796").unwrap());
    let text = pretty(&[inspect]);
    assert!(
        text.lines().any(|line| line == "            \"Pid\": 1561218,"),
        "{text}"
    );
    assert_eq!(
        view.find("nope").unwrap_err().to_string(),
        "Error: No such object: nope"
    );
}

#[test]
fn templates_reach_into_what_inspect_says() {
    let value = json!({"State": {"Pid": 7, "Status": "running"}, "Name": "/x"});
    assert_eq!(template("{{.State.Pid}} {{.Name}}", &value).unwrap(), "7 /x");
    assert_eq!(template("{{json .State.Status}}", &value).unwrap(), "\"running\"");
    for wrong in ["{{.None}}", "{{range .X}}", "{{.State"] {
        assert!(template(wrong, &value).is_err(), "{wrong}");
    }
}
