#!/usr/bin/env bash
# How fast podsim is, warm, on this machine. Needs hyperfine; `just bench` builds the release program before.
set -euo pipefail
cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-target}
podsim=$(realpath "$target/release/podsim")
XDG_RUNTIME_DIR=$(mktemp -d)
export XDG_RUNTIME_DIR
trap '"$podsim" node stop >/dev/null 2>&1 || true; rm -rf "$XDG_RUNTIME_DIR"' EXIT

echo "== podsim run: from the start of the process to both containers running (goal: 100 ms)"
hyperfine --warmup 3 --runs 20 -N \
    --cleanup "$podsim node stop" \
    "$podsim run -d --wait examples/web.yaml"

echo "== podsim exec … true (goal: 30 ms), beside a process that does nothing"
"$podsim" run -d --wait examples/web.yaml
hyperfine --warmup 5 --runs 50 -N \
    "$podsim exec web -c shell -- true" \
    "$podsim version --client"
