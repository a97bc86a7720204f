#!/usr/bin/env bash
# The Linux backend beside podman, in one run: the same manifest, the same image, the same machine. Needs root and what is asked for below;
# `just bench-linux` builds the release program before. It fails where a goal is missed.
set -euo pipefail
cd "$(dirname "$0")/.."
podsim=$(realpath "${CARGO_TARGET_DIR:-target}/release/podsim")
missing=()
for program in podman:podman runc:runc busybox:busybox-static hyperfine:hyperfine python3:python3; do
    command -v "${program%:*}" >/dev/null || missing+=("${program#*:}")
done
[[ -x /usr/libexec/podman/catatonit || -x /usr/bin/catatonit ]] || missing+=(catatonit)
if ((${#missing[@]})); then
    echo "bench-linux: not installed: ${missing[*]} (the names of Debian's packages)" >&2
    exit 1
fi
if ((EUID)); then
    echo "bench-linux: podman and podsim are compared as root" >&2
    exit 1
fi
busybox=$(command -v busybox)
here=$(mktemp -d)
export XDG_RUNTIME_DIR=$here/runtime PODSIM_DATA=$here/data PODSIM_RUN=$here/run CONTAINERS_CONF=$here/containers.conf
mkdir -m 700 "$XDG_RUNTIME_DIR"
podman="podman --root $here/podman --runroot $here/podman-run --network-config-dir $here/networks"
trap '"$podsim" node stop --all >/dev/null 2>&1 || true; $podman kube down "$here/pod.yaml" >/dev/null 2>&1 || true
      umount "$here/podman/overlay" 2>/dev/null || true; rm -rf "$here"' EXIT

# Where root may not raise limits, podman must not try to.
cat >"$CONTAINERS_CONF" <<'CONF'
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
CONF
cat >"$here/pod.yaml" <<'POD'
apiVersion: v1
kind: Pod
metadata: {name: two}
spec:
  terminationGracePeriodSeconds: 10
  containers:
  - {name: a, image: "localhost/bench:1", imagePullPolicy: Never, command: [/bin/sh, -c, "trap exit TERM; sleep 1000 & wait"]}
  - {name: b, image: "localhost/bench:1", imagePullPolicy: Never, command: [/bin/sh, -c, "trap exit TERM; sleep 1000 & wait"]}
POD
mkdir -p "$here/rootfs/bin"
cp "$busybox" "$here/rootfs/bin/busybox"
for applet in sh sleep true; do ln -s busybox "$here/rootfs/bin/$applet"; done
tar -C "$here/rootfs" -cf "$here/rootfs.tar" .
$podman import -q "$here/rootfs.tar" localhost/bench:1 >/dev/null
"$podsim" image import-rootfs "$here/rootfs.tar" localhost/bench:1 >/dev/null
"$podsim" run -d --wait --backend=linux "$here/pod.yaml" >/dev/null 2>&1 # the node, which is a program that runs, as a kubelet is

pod_create="sh -c '$podsim apply -f $here/pod.yaml && $podsim wait --for=condition=Ready pod/two'"
pod_delete="$podsim delete --ignore-not-found -f $here/pod.yaml"
peer_create="$podman kube play $here/pod.yaml"
peer_delete="$podman kube down $here/pod.yaml"

# The medians of two commands as a ratio, and whether it reaches its goal.
compare() { # what, how many times as fast it is to be, peer's preparation, peer, our preparation, ours
    local times
    times=$here/times.json
    hyperfine --warmup 1 --runs 10 -N --prepare "$3" "$4" --prepare "$5" "$6" --export-json "$times" >/dev/null 2>"$here/hyperfine.log" ||
        { cat "$here/hyperfine.log" >&2; exit 1; }
    python3 - "$1" "$2" "$times" <<'PY'
import json, sys
what, goal, times = sys.argv[1], float(sys.argv[2]), sys.argv[3]
peer, ours = (r["median"] for r in json.load(open(times))["results"])
print(f"{what:<20} podman {peer * 1000:6.0f} ms   podsim {ours * 1000:6.1f} ms   {peer / ours:.1f} times as fast (goal: {goal:.0f})")
sys.exit(peer / ours < goal)
PY
}

failed=0
compare "create a Pod of two" 5 "sh -c '$peer_delete || true'" "$peer_create" "$pod_delete" "$pod_create" || failed=1
compare "exec … true" 5 true "$podman exec two-a /bin/true" true "$podsim exec two -c a -- /bin/true" || failed=1
eval "$peer_delete" >/dev/null; eval "$pod_delete" >/dev/null
compare "delete it" 20 "$peer_create" "$peer_delete" "$pod_create" "$pod_delete" || failed=1
exit $failed
