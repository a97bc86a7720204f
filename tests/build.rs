//! Compiles the conformance programs and writes them down for the tests, which run each on the virtual kernel and on the real one: a
//! program that no test runs does not exist.

#[path = "../crates/podsim-image/build/guests.rs"]
mod guests;
#[path = "../crates/podsim/build/static_link.rs"]
mod static_link;

use std::error::Error;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    static_link::link();
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?)
        .join("../wasm-images")
        .canonicalize()?;
    let sources = root.join("conformance/src/bin");
    for folder in guests::folders(&root)? {
        println!("cargo::rerun-if-changed={}", folder.display());
    }
    println!("cargo::rerun-if-changed=../crates/podsim-sys/src");
    let programs = guests::compile(&root, "conformance", &["-p", "conformance"])?;
    let mut names: Vec<String> = Vec::new();
    for entry in fs::read_dir(sources)? {
        let path = entry?.path();
        names.extend(path.file_stem().and_then(|stem| stem.to_str()).map(str::to_owned));
    }
    names.sort();
    let mut registry = String::from("programs! {\n");
    for name in names {
        let wasm = programs.join(format!("{name}.wasm"));
        writeln!(registry, "    {name}: include_bytes!({wasm:?}),")?;
    }
    registry.push_str("}\n");
    fs::write(PathBuf::from(env::var("OUT_DIR")?).join("conformance.rs"), registry)?;
    Ok(())
}
