# Everything here also works without just: each recipe is the command to type.

# What can be done
default:
    @just --list

# Build podsim (the wasm images are built, precompiled and embedded by the build itself)
build:
    cargo build --release

# Run a manifest
run *ARGS:
    cargo run --release --bin podsim -- run {{ARGS}}

# All tests
test:
    cargo test
    cargo test --manifest-path wasm-images/Cargo.toml -p agnhost -p busybox -p nginx -p node -p podsim-guest

# Formatting and lints, as CI checks them
lint:
    cargo fmt --all --check
    cargo fmt --all --check --manifest-path wasm-images/Cargo.toml
    cargo clippy --workspace --all-targets -- -D warnings

# The other targets that must keep compiling
check-targets:
    rustup target add x86_64-pc-windows-gnu wasm32-unknown-unknown
    cargo check --target x86_64-pc-windows-gnu -p podsim
    cargo check --target wasm32-unknown-unknown -p podsim-sys -p podsim-kernel

# Licences and advisories (needs cargo-deny)
deny:
    cargo deny check licenses bans sources

# Accept changed snapshots, and write the page of the fields again
bless:
    INSTA_UPDATE=always cargo test -p podsim-tests
    cargo run --bin podsim -- explain --fields -o markdown >docs/fields.md

# How fast it is (needs hyperfine): ratios and medians of one run
bench:
    cargo build --release
    ./tests/bench.sh

# The Linux backend beside podman (as root; needs podman, runc, catatonit, a static busybox, hyperfine)
bench-linux:
    cargo build --release
    ./tests/bench-linux.sh

# What clients send, changed at random: a minute for each reader of it
fuzz:
    PODSIM_FUZZ_SECONDS=60 cargo test --release -p podsim-apiserver --lib -- --nocapture --test-threads=4 fuzz
