//! The layers of the design: arrows point down only.

use cargo_metadata::{DependencyKind, MetadataCommand};
use std::collections::BTreeMap;

/// Each crate with the crates of the workspace that it may depend on. A new arrow is a change of the design.
const ARROWS: &[(&str, &[&str])] = &[
    ("podsim-sys", &[]),
    ("podsim-kernel", &["podsim-sys"]),
    ("podsim-wasi", &["podsim-sys"]),
    ("podsim-cri", &["podsim-sys"]),
    ("podsim-image", &["podsim-cri", "podsim-sys"]),
    ("podsim-store", &["podsim-sys"]),
    ("podsim-kubelet", &["podsim-cri", "podsim-store", "podsim-sys"]),
    (
        "podsim-apiserver",
        &["podsim-cri", "podsim-kubelet", "podsim-store", "podsim-sys"],
    ),
    (
        "podsim-virtual",
        &[
            "podsim-cri",
            "podsim-image",
            "podsim-kernel",
            "podsim-sys",
            "podsim-wasi",
        ],
    ),
    (
        "podsim-linux",
        &["podsim-cri", "podsim-image", "podsim-sys", "podsim-wasi"],
    ),
    (
        "podsim",
        &[
            "podsim-apiserver",
            "podsim-cri",
            "podsim-image",
            "podsim-kernel",
            "podsim-kubelet",
            "podsim-linux",
            "podsim-store",
            "podsim-sys",
            "podsim-virtual",
            "podsim-wasi",
        ],
    ),
    (
        "podsim-tests",
        &["podsim", "podsim-cri", "podsim-image", "podsim-linux", "podsim-sys"],
    ),
];

#[test]
fn arrows_between_crates_point_down_only() {
    let metadata = MetadataCommand::new()
        .manifest_path("../Cargo.toml")
        .no_deps()
        .exec()
        .expect("cargo metadata");
    let allowed: BTreeMap<_, _> = ARROWS.iter().copied().collect();
    let mut wrong = Vec::new();
    for package in &metadata.packages {
        let name = package.name.as_str();
        let Some(below) = allowed.get(name) else {
            wrong.push(format!("{name} has no place in the layers"));
            continue;
        };
        for dependency in &package.dependencies {
            // A test may look at what lies beside it; what ships may not.
            if dependency.kind == DependencyKind::Normal
                && allowed.contains_key(dependency.name.as_str())
                && !below.contains(&dependency.name.as_str())
            {
                wrong.push(format!("{name} must not depend on {}", dependency.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn anyhow_lives_in_the_binary_only() {
    let metadata = MetadataCommand::new()
        .manifest_path("../Cargo.toml")
        .no_deps()
        .exec()
        .expect("cargo metadata");
    let users: Vec<_> = metadata
        .packages
        .iter()
        .filter(|package| {
            package
                .dependencies
                .iter()
                .any(|d| d.name == "anyhow" && d.kind == DependencyKind::Normal)
        })
        .map(|package| package.name.to_string())
        .collect();
    assert_eq!(users, ["podsim"]);
}
