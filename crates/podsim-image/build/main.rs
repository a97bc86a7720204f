//! Makes the built-in images: compiles the guests in `wasm-images/` for wasm32-wasip1, packs each `image.toml` into an OCI
//! layer, and lets Cranelift precompile the programs for the target, so that podsim starts without compiling anything.

#[path = "../../podsim-wasi/src/engine_config.rs"]
#[expect(unreachable_pub, reason = "public in podsim-wasi")]
mod engine_config;
mod guests;
#[path = "../src/image.rs"]
#[expect(dead_code, unreachable_pub, reason = "shared with the library, which uses the rest")]
mod image;
mod layer;
mod recipe;

use image::{ConfigFile, RootFs, sha256};
use recipe::Recipe;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

type Result<T, E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

/// When the images say they were made: fixed, so that ids do not change from build to build. 2026-01-01.
const CREATED: (&str, u64) = ("2026-01-01T00:00:00Z", 1_767_225_600);

fn main() -> Result<()> {
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?)
        .join("../../wasm-images")
        .canonicalize()?;
    for part in [
        "../podsim-sys/src",
        "../podsim-wasi/src/engine_config.rs",
        "build",
        "src/image.rs",
    ] {
        println!("cargo::rerun-if-changed={part}");
    }
    for folder in guests::folders(&root)? {
        println!("cargo::rerun-if-changed={}", folder.display());
    }
    let recipes = recipe::read_all(&root)?;
    let names: BTreeSet<&str> = recipes
        .iter()
        .flat_map(|recipe| &recipe.file)
        .filter_map(|f| f.wasm.as_deref())
        .collect();
    let bins: Vec<&str> = names.into_iter().flat_map(|name| ["--bin", name]).collect();
    let programs = guests::compile(&root, "release", &bins)?;
    let images = Images::build(&root, &out, &programs, &recipes)?;
    fs::write(out.join("images.rs"), images)?;
    Ok(())
}

/// The images as Rust source, and what they share.
struct Images {
    engine: wasmtime::Engine,
    /// Rust expressions of the programs, by their digest: a program in several layers is compiled once.
    artifacts: BTreeMap<String, PathBuf>,
    layers: String,
    programs: String,
    images: String,
}

impl Images {
    fn build(root: &Path, out: &Path, wasm: &Path, recipes: &[Recipe]) -> Result<String> {
        let mut config = engine_config::engine_config();
        config.target(&env::var("TARGET")?)?;
        let engine = wasmtime::Engine::new(&config)?;
        let mut this = Self {
            engine,
            artifacts: BTreeMap::new(),
            layers: String::new(),
            programs: String::new(),
            images: String::new(),
        };
        for recipe in recipes {
            this.add_layer(root, out, wasm, recipe)?;
        }
        for recipe in recipes {
            this.add_image(out, recipe, recipes)?;
        }
        Ok(format!(
            "{}static PROGRAMS: &[RawProgram] = &[\n{}];\n\nstatic IMAGES: &[Raw] = &[\n{}];\n",
            this.layers, this.programs, this.images
        ))
    }

    fn add_layer(&mut self, root: &Path, out: &Path, wasm: &Path, recipe: &Recipe) -> Result<()> {
        let packed = layer::pack(&root.join(&recipe.folder), wasm, recipe, CREATED.1)?;
        let path = out.join(format!("{}.tar", recipe.name));
        fs::write(&path, &packed.tar)?;
        writeln!(
            self.layers,
            "static {}: RawLayer = RawLayer {{ digest: {:?}, data: include_bytes!({path:?}) }};",
            constant(&recipe.name),
            sha256(&packed.tar),
        )?;
        for program in packed.programs {
            let digest = sha256(&program.wasm);
            let artifact = match self.artifacts.get(&digest) {
                Some(path) => path.clone(),
                None => {
                    let path = out.join(format!("{}.cwasm", digest.replace(':', "-")));
                    fs::write(&path, self.engine.precompile_module(&program.wasm)?)?;
                    self.artifacts.insert(digest, path.clone());
                    path
                }
            };
            writeln!(
                self.programs,
                "    RawProgram {{ layer: {}, offset: {}, length: {}, artifact: paged!({artifact:?}) }},",
                constant(&recipe.name),
                program.offset,
                program.wasm.len(),
            )?;
        }
        Ok(())
    }

    fn add_image(&mut self, out: &Path, recipe: &Recipe, recipes: &[Recipe]) -> Result<()> {
        let mut chain = vec![recipe];
        while let Some(base) = &chain[0].base {
            let below = recipes
                .iter()
                .find(|r| r.name == *base)
                .ok_or_else(|| format!("no image {base:?} to base on"))?;
            if chain.len() > 8 {
                return Err(format!("image {:?} is based on itself", recipe.name).into());
            }
            chain.insert(0, below);
        }
        let tars = chain
            .iter()
            .map(|r| fs::read(out.join(format!("{}.tar", r.name))))
            .collect::<Result<Vec<_>, _>>()?;
        let diff_ids: Vec<_> = tars.iter().map(|tar| sha256(tar)).collect();
        let config = serde_json::to_string(&ConfigFile {
            created: Some(CREATED.0.to_owned()),
            architecture: "wasm".to_owned(),
            os: "wasip1".to_owned(),
            config: recipe.config.clone().into(),
            rootfs: RootFs {
                kind: "layers".to_owned(),
                diff_ids: diff_ids.clone(),
            },
        })?;
        let manifest = manifest(&config, &tars, &diff_ids);
        let names = recipe
            .tags
            .iter()
            .map(|tag| format!("{}:{tag}", recipe.name))
            .chain(recipe.aliases.iter().cloned());
        writeln!(
            self.images,
            "    Raw {{ references: &{:?}, internal: {}, config: {config:?}, digest: {:?}, id: {:?}, layers: &[{}] }},",
            names.collect::<Vec<_>>(),
            recipe.internal,
            sha256(manifest.as_bytes()),
            sha256(config.as_bytes()),
            chain.iter().map(|r| constant(&r.name)).collect::<Vec<_>>().join(", "),
        )?;
        Ok(())
    }
}

/// `application/vnd.oci.image.manifest.v1+json`.
fn manifest(config: &str, tars: &[Vec<u8>], digests: &[String]) -> String {
    let layers: Vec<_> = tars
        .iter()
        .zip(digests)
        .map(|(tar, digest)| {
            serde_json::json!({ "mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest, "size": tar.len() })
        })
        .collect();
    serde_json::json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": sha256(config.as_bytes()),
            "size": config.len(),
        },
        "layers": layers,
    })
    .to_string()
}

fn constant(name: &str) -> String {
    format!("LAYER_{}", name.to_uppercase().replace('-', "_"))
}
