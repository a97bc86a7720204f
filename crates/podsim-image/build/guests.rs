//! Compiles the guests of `wasm-images/` from a build script: that of podsim-image, and that of the conformance tests.

use std::env;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;

const WASM_TARGET: &str = "wasm32-wasip1";

/// The folders of the guests' workspace and its own files, without what cargo writes there.
pub(crate) fn folders(root: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut all = Vec::new();
    for entry in root.read_dir()? {
        let path = entry?.path();
        if path.file_name().is_some_and(|name| name != "target") {
            all.push(path);
        }
    }
    Ok(all)
}

/// Runs cargo for the guests, in a target folder of their own (a build script must not wait for the lock of the build it is
/// part of), and returns the folder with the `.wasm` files.
pub(crate) fn compile(root: &Path, profile: &str, which: &[&str]) -> Result<PathBuf, Box<dyn Error>> {
    let out = PathBuf::from(env::var("OUT_DIR")?);
    // OUT_DIR is TARGET_DIR[/TRIPLE]/PROFILE/build/PACKAGE/out.
    let mut target_dir = out.ancestors().nth(4).ok_or("OUT_DIR is too short")?;
    if target_dir
        .file_name()
        .is_some_and(|name| env::var_os("TARGET").is_some_and(|triple| triple == name))
    {
        target_dir = target_dir.parent().ok_or("OUT_DIR is too short")?;
    }
    let target_dir = target_dir.join("wasm-images");
    let mut cargo = Command::new(env::var("CARGO")?);
    cargo
        .args(["build", "--profile", profile, "--target", WASM_TARGET])
        .args(which);
    cargo
        .arg("--manifest-path")
        .arg(root.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(&target_dir);
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(is_for_this_build) {
            cargo.env_remove(&name);
        }
    }
    if !cargo.status()?.success() {
        let hint = format!("if the target is missing: rustup target add {WASM_TARGET}");
        return Err(format!("the guests in wasm-images/ did not compile ({hint})").into());
    }
    Ok(target_dir.join(WASM_TARGET).join(profile))
}

/// What cargo sets for a build script is not meant for a build inside it.
fn is_for_this_build(variable: &str) -> bool {
    let prefixes = [
        "CARGO_ENCODED_",
        "CARGO_PROFILE_",
        "CARGO_FEATURE_",
        "CARGO_CFG_",
        "CARGO_PKG_",
    ];
    let names = [
        "RUSTFLAGS",
        "RUSTC_WRAPPER",
        "RUSTC_WORKSPACE_WRAPPER",
        "CARGO_BUILD_TARGET",
        "TARGET",
    ];
    prefixes.iter().any(|prefix| variable.starts_with(prefix)) || names.contains(&variable)
}
