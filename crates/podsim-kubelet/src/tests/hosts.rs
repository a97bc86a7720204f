//! The bytes of `/etc/hosts`, and who shares which namespace.

use super::harness::Harness;
use serde_json::json;

#[tokio::test]
async fn the_hosts_file_is_the_one_of_the_notes() {
    let node = Harness::new().await;
    node.pod(json!({
        "hostAliases": [{ "ip": "10.9.8.7", "hostnames": ["host.test.site", "host.aliases.test.site"] }],
        "containers": [{ "name": "a", "image": "busybox", "imagePullPolicy": "Never" }],
    }))
    .await;
    let ip = node.get().and_then(|p| p.status?.pod_ip).unwrap_or_default();
    let volume = node.runtime.volume("etc-hosts-0").unwrap_or_default();
    let text = volume
        .files
        .first()
        .map(|f| String::from_utf8_lossy(&f.content).into_owned())
        .unwrap_or_default();
    assert_eq!(
        text,
        format!(
            "# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::0\tip6-localnet\nfe00::0\tip6-mcastprefix\nfe00::1\tip6-allnodes\nfe00::2\tip6-allrouters\n{ip}\tx\n\n# Entries added by HostAliases.\n10.9.8.7\thost.test.site\thost.aliases.test.site\n"
        )
    );
}

#[tokio::test]
async fn with_the_nodes_network_the_hosts_file_is_the_nodes() {
    let node = Harness::new().await;
    node.pod(
        json!({ "hostNetwork": true, "containers": [{ "name": "a", "image": "busybox" , "imagePullPolicy": "Never"}] }),
    )
    .await;
    let volume = node.runtime.volume("etc-hosts-0").unwrap_or_default();
    let text = volume
        .files
        .first()
        .map(|f| String::from_utf8_lossy(&f.content).into_owned())
        .unwrap_or_default();
    assert_eq!(
        text,
        "# Kubernetes-managed hosts file (host network).\n127.0.0.1 localhost\n"
    );
    let status = node.get().and_then(|p| p.status).unwrap_or_default();
    assert_eq!(status.pod_ip, status.host_ip);
    let config = node.runtime.container_config("a").unwrap_or_default();
    assert!(config.envs.contains(&("HOSTNAME".to_owned(), "node-1".to_owned())));
}

#[tokio::test]
async fn environment_is_expanded_and_referenced() {
    let node = Harness::new().await;
    node.pod(json!({ "containers": [{
        "name": "a", "image": "busybox", "imagePullPolicy": "Never",
        "resources": { "limits": { "memory": "64Mi" } },
        "args": ["$(GREETING)", "$$(GREETING)", "$(NOBODY)"],
        "env": [
            { "name": "WHO", "valueFrom": { "fieldRef": { "fieldPath": "metadata.name" } } },
            { "name": "GREETING", "value": "hello $(WHO)" },
            { "name": "MEMORY", "valueFrom": { "resourceFieldRef": { "resource": "limits.memory", "divisor": "1Mi" } } },
        ],
    }] }))
    .await;
    let config = node.runtime.container_config("a").unwrap_or_default();
    let env = |name: &str| config.envs.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str());
    assert_eq!(
        (env("GREETING"), env("MEMORY"), env("HOSTNAME")),
        (Some("hello x"), Some("64"), Some("x"))
    );
    assert_eq!(config.args, ["hello x", "$(GREETING)", "$(NOBODY)"]);
    assert_eq!(config.resources.memory_limit, Some(64 << 20));
}
