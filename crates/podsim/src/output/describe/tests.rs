//! A described Pod, whole.

use super::*;
use serde_json::json;

#[test]
fn a_pod_is_described_as_kubectl_does() {
    let object = json!({
        "kind": "Pod",
        "metadata": {"name": "web", "namespace": "default", "labels": {"app": "web", "tier": "front"}},
        "spec": {
            "nodeName": "n1",
            "containers": [{
                "name": "shell", "image": "busybox", "command": ["sh", "-c", "sleep 1"],
                "env": [{"name": "A", "value": "1"}],
                "volumeMounts": [{"mountPath": "/data", "name": "data"}],
            }],
            "volumes": [{"name": "data", "emptyDir": {}}],
            "tolerations": [{"key": "k", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}],
        },
        "status": {
            "phase": "Running", "hostIP": "10.0.0.1", "podIP": "172.172.1.41", "podIPs": [{"ip": "172.172.1.41"}],
            "startTime": "2025-06-17T14:41:00Z", "qosClass": "BestEffort",
            "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [{
                "name": "shell", "ready": true, "restartCount": 0, "containerID": "podsim://ab",
                "state": {"running": {"startedAt": "2025-06-17T14:41:01Z"}},
            }],
        },
    });
    let event = json!({
        "type": "Normal", "reason": "Started", "message": "Started container shell", "count": 1,
        "lastTimestamp": "2025-06-17T14:41:01Z", "source": {"component": "kubelet"},
    });
    let now = "2025-06-17T14:41:11Z".parse().unwrap();
    let expected = "\
Name:         web
Namespace:    default
Priority:     0
Node:         n1/10.0.0.1
Start Time:   Tue, 17 Jun 2025 14:41:00 +0000
Labels:       app=web
              tier=front
Annotations:  <none>
Status:       Running
IP:           172.172.1.41
IPs:
  IP:  172.172.1.41
Containers:
  shell:
    Container ID:  podsim://ab
    Image:         busybox
    Image ID:      
    Port:          <none>
    Host Port:     <none>
    Command:
      sh
      -c
      sleep 1
    State:          Running
      Started:      Tue, 17 Jun 2025 14:41:01 +0000
    Ready:          True
    Restart Count:  0
    Environment:
      A:  1
    Mounts:
      /data from data (rw)
Conditions:
  Type    Status
  Ready   True 
Volumes:
  data:
    Type:        EmptyDir (a temporary directory that shares a pod's lifetime)
    Medium:      
    SizeLimit:   <unset>
QoS Class:       BestEffort
Node-Selectors:  <none>
Tolerations:     k:NoExecute op=Exists for 300s
Events:
  Type    Reason   Age   From     Message
  ----    ------   ----  ----     -------
  Normal  Started  10s   kubelet  Started container shell
";
    assert_eq!(pod(&object, &[event], now), expected);
}
