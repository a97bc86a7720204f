//! Links the programs of this package statically on Linux with glibc.
//!
//! The Linux backend executes podsim itself inside of containers, where the host's dynamic linker and C library are not. The usual way,
//! `-C target-feature=+crt-static`, is a setting of the whole build, which a package cannot make for whoever builds it; and it would rebuild every
//! dependency. So the linker is told: the position-independent static start files, and for each library that rustc asks for a script that names
//! the static one. Where those are not installed (Fedora has them in glibc-static) the program is linked as always, the Linux backend
//! says what is missing, and everything else works.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// The libraries that rustc links with, and what they are made from. `libgcc_s` exists only as a shared one.
const LIBRARIES: [(&str, &str); 7] = [
    ("c", "-l:libc.a"),
    ("m", "-l:libm.a"),
    ("dl", "-l:libdl.a"),
    ("rt", "-l:librt.a"),
    ("util", "-l:libutil.a"),
    ("pthread", "-l:libpthread.a"),
    ("gcc_s", "-l:libgcc_eh.a -l:libc.a"),
];

/// Tells cargo how to link.
pub(crate) fn link() {
    println!("cargo::rerun-if-changed=build.rs");
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|found| found == value);
    let native = env::var("HOST").ok() == env::var("TARGET").ok();
    if !native || !is("CARGO_CFG_TARGET_OS", "linux") || !is("CARGO_CFG_TARGET_ENV", "gnu") {
        return;
    }
    let Some(out) = env::var_os("OUT_DIR").map(PathBuf::from) else {
        return;
    };
    match scripts(&out) {
        Ok(directory) if can_link(&out, &directory) => {
            println!("cargo::rustc-link-arg-bins=-static-pie");
            println!("cargo::rustc-link-arg-bins=-L{}", directory.display());
        }
        _ => println!(
            "cargo::warning=there is no static C library here (glibc-static, libc6-dev): podsim works, but without --backend=linux"
        ),
    }
}

fn scripts(out: &Path) -> std::io::Result<PathBuf> {
    let directory = out.join("static");
    fs::create_dir_all(&directory)?;
    for (name, script) in LIBRARIES {
        fs::write(directory.join(format!("lib{name}.so")), format!("INPUT ( {script} )\n"))?;
    }
    Ok(directory)
}

/// Whether a program can be linked that way.
fn can_link(out: &Path, directory: &Path) -> bool {
    let source = out.join("probe.c");
    if fs::write(&source, "int main(void) { return 0; }\n").is_err() {
        return false;
    }
    let libraries = LIBRARIES.map(|(name, _)| format!("-l{name}"));
    let status = Command::new("cc")
        .arg("-static-pie")
        .arg(format!("-L{}", directory.display()))
        .arg(&source)
        .arg("-o")
        .arg(out.join("probe"))
        // As rustc does, so that the scripts are found, which are named as shared libraries are.
        .arg("-Wl,-Bdynamic")
        .args(libraries)
        .status();
    status.is_ok_and(|status| status.success())
}
