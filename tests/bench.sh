#!/usr/bin/env bash
# How fast podsim is, warm, on this machine. Needs hyperfine; `just bench` builds the release program before.
set -euo pipefail
cd "$(dirname "$0")/.."
podsim=$(realpath "${CARGO_TARGET_DIR:-target}/release/podsim")
XDG_RUNTIME_DIR=$(mktemp -d)
export XDG_RUNTIME_DIR
trap '"$podsim" node stop --all >/dev/null 2>&1 || true; rm -rf "$XDG_RUNTIME_DIR"' EXIT

start="$podsim run -d --wait examples/web.yaml"
echo "== from the start of podsim to both containers of a Pod running (goal: 100 ms)"
$start # each run begins by stopping the node of the one before
hyperfine --warmup 3 --runs 20 -N --prepare "$podsim node stop" "$start"

echo "== podsim exec … true (goal: 30 ms), beside podsim doing nothing"
hyperfine --warmup 5 --runs 50 -N "$podsim exec web -c shell -- true" "$podsim --version"

echo "== writes while 1000 watch, beside writes while nobody does (goal: less than twice as long)"
cargo test --release -p podsim-apiserver --lib -- --ignored --nocapture bench_ | grep 'times as long'
