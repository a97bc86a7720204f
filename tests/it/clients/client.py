"""What programs do with the client from PyPI: objects, a watch, logs, an exec, a port-forward. Prints what it sees."""

import sys

from kubernetes import client, config, watch
from kubernetes.stream import portforward, stream

config.load_kube_config(sys.argv[1])
core = client.CoreV1Api()
pod = {
    "metadata": {"name": "py", "labels": {"by": "python"}},
    "spec": {
        "terminationGracePeriodSeconds": 0,
        "containers": [{"name": "web", "image": "nginx"}],
    },
}
version = core.list_namespaced_pod("default").metadata.resource_version
core.create_namespaced_pod("default", pod)
events = watch.Watch()
for event in events.stream(
    core.list_namespaced_pod, "default", resource_version=version, label_selector="by=python", timeout_seconds=20
):
    conditions = event["object"].status.conditions or []
    if any(c.type == "Ready" and c.status == "True" for c in conditions):
        print("watched:", event["type"], event["object"].metadata.name)
        events.stop()

shell = stream(
    core.connect_get_namespaced_pod_exec,
    "py",
    "default",
    command=["sh", "-c", "read word; echo got $word; echo bad >&2; exit 4"],
    stdin=True,
    stdout=True,
    stderr=True,
    tty=False,
    _preload_content=False,
)
shell.write_stdin("hello\n")
shell.run_forever(timeout=20)
print("exec:", shell.read_stdout().strip(), shell.read_stderr().strip(), shell.returncode)

forward = portforward(core.connect_get_namespaced_pod_portforward, "py", "default", ports="80")
socket = forward.socket(80)
socket.setblocking(True)
socket.sendall(b"GET / HTTP/1.0\r\nHost: x\r\n\r\n")
page = b""
while piece := socket.recv(4096):
    page += piece
print("forwarded:", b"Welcome to nginx!" in page, forward.error(80))

print("log:", "ready for start up" in core.read_namespaced_pod_log("py", "default"))
try:
    core.create_namespaced_pod("default", pod)
except client.ApiException as error:
    print("refused:", error.status, error.reason)
core.patch_namespaced_pod("py", "default", {"metadata": {"labels": {"more": "yes"}}})
print("patched:", core.read_namespaced_pod("py", "default").metadata.labels)
core.delete_namespaced_pod("py", "default")
print("versions:", client.VersionApi().get_code().major)
