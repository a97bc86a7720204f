//! The store: built-in images, archives of all kinds, names, several processes, a registry.

use super::*;
use crate::image::{ConfigFile, ImageConfig, RootFs, sha256};
use crate::oci::Manifest;
use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use tar::{Builder, Header};
use tempfile::TempDir;

fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o755);
        builder.append_data(&mut header, name, *content).unwrap();
    }
    builder.into_inner().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

/// An image as a registry or an archive has it.
struct Made {
    /// By digest: layers, configuration, manifest, index.
    blobs: HashMap<String, Vec<u8>>,
    config: Vec<u8>,
    layers: Vec<String>,
    manifest: Descriptor,
    index: Descriptor,
}

/// Two layers, compressed as told.
fn made(compress: fn(&[u8]) -> Vec<u8>) -> Made {
    let tars = [
        tar(&[("a", b"low"), ("b", b"low")]),
        tar(&[("a", b"high"), (".wh.b", b"")]),
    ];
    let config = serde_json::to_vec(&ConfigFile {
        os: "linux".to_owned(),
        architecture: Platform::host().architecture,
        rootfs: RootFs {
            kind: "layers".to_owned(),
            diff_ids: tars.iter().map(|tar| sha256(tar)).collect(),
        },
        config: ImageConfig {
            cmd: vec!["/a".to_owned()],
            ..ImageConfig::default()
        },
        ..ConfigFile::default()
    })
    .unwrap();
    let mut blobs = HashMap::new();
    let mut add = |media_type: &str, bytes: Vec<u8>| {
        let descriptor = Descriptor {
            media_type: media_type.to_owned(),
            digest: sha256(&bytes),
            size: bytes.len() as u64,
            ..Descriptor::default()
        };
        blobs.insert(descriptor.digest.clone(), bytes);
        descriptor
    };
    let layers: Vec<Descriptor> = tars.iter().map(|tar| add(oci::LAYER, compress(tar))).collect();
    let manifest = Manifest {
        schema_version: 2,
        media_type: oci::MANIFEST.to_owned(),
        config: add(oci::CONFIG, config.clone()),
        layers: layers.clone(),
    };
    let mut manifest = add(oci::MANIFEST, serde_json::to_vec(&manifest).unwrap());
    manifest.platform = Some(Platform::host());
    let index = Index {
        schema_version: 2,
        media_type: oci::INDEX.to_owned(),
        manifests: vec![manifest.clone()],
    };
    let index = add(oci::INDEX, serde_json::to_vec(&index).unwrap());
    Made {
        blobs,
        config,
        layers: layers.into_iter().map(|layer| layer.digest).collect(),
        manifest,
        index,
    }
}

impl Made {
    /// As `docker save` packs it.
    fn saved(&self) -> Vec<u8> {
        let paths: Vec<String> = (0..self.layers.len()).map(|n| format!("{n}/layer.tar")).collect();
        let json = serde_json::json!([{ "Config": "c.json", "RepoTags": ["app:1", "quay.io/app:1"], "Layers": paths }]);
        let json = serde_json::to_vec(&json).unwrap();
        let mut files: Vec<(&str, &[u8])> = vec![("manifest.json", &json), ("c.json", &self.config)];
        for (path, digest) in paths.iter().zip(&self.layers) {
            files.push((path, &self.blobs[digest]));
        }
        tar(&files)
    }

    /// As an OCI image layout with an index in the index.
    fn laid_out(&self, directory: &Path) {
        let mut descriptor = self.index.clone();
        descriptor
            .annotations
            .insert(oci::IMAGE_NAME.to_owned(), "docker.io/library/app:1".to_owned());
        let index = Index {
            schema_version: 2,
            media_type: String::new(),
            manifests: vec![descriptor],
        };
        fs::create_dir_all(directory.join("blobs/sha256")).unwrap();
        fs::write(directory.join("index.json"), serde_json::to_vec(&index).unwrap()).unwrap();
        for (digest, bytes) in &self.blobs {
            fs::write(directory.join("blobs/sha256").join(&digest[7..]), bytes).unwrap();
        }
    }
}

fn store() -> (TempDir, ImageStore) {
    let data = tempfile::tempdir().unwrap();
    let store = ImageStore::open(&data.path().join("data"));
    (data, store)
}

fn blobs(data: &TempDir) -> usize {
    fs::read_dir(data.path().join("data/images/blobs/sha256"))
        .unwrap()
        .count()
}

#[test]
fn built_in_images_are_found_by_all_their_names() {
    let store = ImageStore::with_builtin_images();
    let busybox = store.find("busybox").expect("busybox");
    for name in [
        "busybox:latest",
        "docker.io/library/busybox:1.36",
        &busybox.id,
        &busybox.id[7..19],
    ] {
        assert_eq!(
            store.find(name).map(|image| image.id.clone()),
            Some(busybox.id.clone()),
            "{name}"
        );
    }
    let by_digest = format!("busybox@{}", busybox.digest);
    assert!(store.find(&by_digest).is_some());
    for name in ["busybox:9.9", "quay.io/busybox", "busyboxx", "node", ""] {
        assert!(store.find(name).is_none(), "{name}");
    }
}

#[test]
fn every_layer_can_be_read_and_its_digest_is_right() {
    for image in ImageStore::with_builtin_images().list() {
        assert_eq!(image.layers.len(), image.config.rootfs.diff_ids.len());
        for layer in &image.layers {
            assert_eq!(layer.digest, sha256(&layer.data));
            assert!(!crate::layer::entries(&layer.data).expect("a readable layer").is_empty());
        }
    }
}

#[test]
fn archives_of_all_kinds_give_the_same_image() {
    let mut ids = BTreeSet::new();
    for (case, compress) in [
        ("plain", <[u8]>::to_vec as fn(&[u8]) -> Vec<u8>),
        ("gzip", gzip),
        ("zstd", zstd),
    ] {
        let made = made(compress);
        let saved = made.saved();
        for (form, bytes) in [("", saved.clone()), (".gz", gzip(&saved)), (".zst", zstd(&saved))] {
            let (data, store) = store();
            let file = data.path().join("image.tar");
            fs::write(&file, bytes).unwrap();
            let loaded = store
                .load(&file, None)
                .unwrap_or_else(|error| panic!("{case}{form}: {error}"));
            assert_eq!(loaded.images[0].1, ["app:1", "quay.io/app:1"], "{case}{form}");
            assert_eq!(loaded.notes, Vec::<String>::new());
            ids.insert(loaded.images[0].0.clone());
            let image = store.find("app:1").expect("it is listed");
            assert_eq!(image.config.config.cmd, ["/a"]);
            assert_eq!(image.layers.len(), 2);
            assert_eq!(sha256(&image.layers[1].data), image.config.rootfs.diff_ids[1]);
            assert_eq!(blobs(&data), 4, "layers, configuration, manifest");
        }
        let (data, store) = store();
        let layout = data.path().join("layout");
        made.laid_out(&layout);
        let loaded = store
            .load(&layout, None)
            .unwrap_or_else(|error| panic!("{case} layout: {error}"));
        ids.insert(loaded.images[0].0.clone());
        let image = store.find("app:1").expect("it is listed");
        let by_digest = format!("app@{}", made.manifest.digest);
        assert!(store.find(&by_digest).is_some(), "{case}: {}", image.digest);
    }
    assert_eq!(ids.len(), 1, "{ids:?}");
}

#[test]
fn broken_and_foreign_archives_are_refused() {
    let (data, store) = store();
    let file = data.path().join("image.tar");
    let load = |bytes: &[u8]| {
        fs::write(&file, bytes).unwrap();
        store.load(&file, None).expect_err("refused").to_string()
    };
    let error = load(&tar(&[("bin/sh", b"")]));
    assert!(error.contains("`podsim image import-rootfs` makes an image"), "{error}");
    let left = data.path().join("data/images/blobs/sha256/.unfinished-1");
    fs::create_dir_all(left.parent().unwrap()).unwrap();
    fs::write(&left, "of a process that died").unwrap();
    assert!(load(b"no archive").contains("a header that is cut off"));
    let other = br#"[{"Config":"c.json","Layers":["../../etc/passwd"]}]"#;
    let error = load(&tar(&[("manifest.json", other), ("c.json", b"{}")]));
    assert!(error.contains("../../etc/passwd is missing"), "{error}");

    let mut made = made(gzip);
    let digest = made.layers[0].clone();
    made.blobs.insert(digest, tar(&[("evil", b"")]));
    let error = load(&made.saved());
    assert!(error.contains("a content has the digest"), "{error}");
    assert!(store.list().iter().all(|image| store.is_builtin(image)));
    let layout = data.path().join("layout");
    made.blobs.insert(made.manifest.digest.clone(), b"{}".to_vec());
    made.laid_out(&layout);
    let error = store.load(&layout, None).expect_err("refused").to_string();
    assert!(error.contains("was changed"), "{error}");
    store.sweep().unwrap();
    assert_eq!(blobs(&data), 0, "nothing stays of what was refused");
}

fn options(name: &str) -> ImportOptions {
    ImportOptions {
        reference: Reference::parse(name).unwrap(),
        config: ImageConfig::default(),
        created: "2026-01-01T00:00:00Z".to_owned(),
        platform: None,
        owner: None,
    }
}

#[cfg(unix)]
#[test]
fn a_directory_becomes_an_image_with_all_that_its_files_are() {
    use crate::layer::EntryKind;
    use std::os::unix::fs::PermissionsExt;
    let (data, store) = store();
    let root = data.path().join("root");
    fs::create_dir_all(root.join("bin")).unwrap();
    fs::write(root.join("bin/busybox"), "#!").unwrap();
    fs::set_permissions(root.join("bin/busybox"), fs::Permissions::from_mode(0o4755)).unwrap();
    fs::hard_link(root.join("bin/busybox"), root.join("bin/sh")).unwrap();
    std::os::unix::fs::symlink("/bin/sh", root.join("init")).unwrap();
    fs::write(root.join("x".repeat(200)), "").unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(root.join("socket")).unwrap();
    let imported = ImportOptions {
        owner: Some((7, 8)),
        ..options("mine")
    };
    let imported = store.import_rootfs(&root, &imported).unwrap();
    assert_eq!(imported.notes, ["left out: socket (a socket)"]);
    let image = store.find("mine:latest").expect("it is listed");
    let entries = crate::layer::entries(&image.layers[0].data).unwrap();
    let found: Vec<_> = entries
        .iter()
        .map(|entry| (entry.path.as_str(), &entry.kind, entry.uid))
        .collect();
    let long = "x".repeat(200);
    assert_eq!(
        found,
        [
            ("", &EntryKind::Directory, 7),
            ("bin", &EntryKind::Directory, 7),
            ("init", &EntryKind::Symlink("/bin/sh".to_owned()), 7),
            (long.as_str(), &EntryKind::File(bytes::Bytes::new()), 7),
            ("bin/busybox", &EntryKind::File(bytes::Bytes::from_static(b"#!")), 7),
            ("bin/sh", &EntryKind::HardLink("bin/busybox".to_owned()), 7),
        ]
    );
    assert_eq!(entries[4].mode, 0o4755);
}

#[test]
fn names_come_and_go_and_the_last_one_takes_the_image_along() {
    let (data, store) = store();
    let file = data.path().join("rootfs.tar.gz");
    fs::write(&file, gzip(&tar(&[("a", b"1")]))).unwrap();
    let id = store.import_rootfs(&file, &options("a:1")).unwrap().id;
    store.tag("a:1", "b:1").unwrap();
    store.tag("b:1", "b:1").unwrap();
    assert_eq!(store.find("b:1").map(|image| image.id.clone()), Some(id.clone()));
    let conflict = store.remove(&id, false).unwrap_err().to_string();
    assert!(
        conflict.contains("(must be forced) - image is referenced in multiple repositories"),
        "{conflict}"
    );
    let untagged = store.remove("a:1", false).unwrap();
    assert_eq!((untagged.untagged, untagged.deleted), (vec!["a:1".to_owned()], None));
    assert_eq!(blobs(&data), 3);
    let removed = store.remove(&id[7..19], false).unwrap();
    assert_eq!((removed.untagged, removed.deleted), (vec!["b:1".to_owned()], Some(id)));
    assert_eq!(blobs(&data), 0);
    assert_eq!(
        store.remove("b:1", false).unwrap_err().to_string(),
        "No such image: b:1"
    );

    let builtin = store.remove("busybox", true).unwrap_err().to_string();
    assert!(builtin.ends_with("a built-in image cannot be removed"), "{builtin}");
}

#[test]
fn a_name_of_a_built_in_image_can_be_lent() {
    let (data, store) = store();
    let file = data.path().join("rootfs.tar");
    fs::write(&file, tar(&[("a", b"1")])).unwrap();
    let builtin = store.find("nginx:latest").unwrap().id.clone();
    let own = store.import_rootfs(&file, &options("nginx")).unwrap().id;
    assert_eq!(store.find("nginx").unwrap().id, own);
    assert_eq!(store.find("nginx:1.27").unwrap().id, builtin);
    let names = |wanted: &str| {
        let images = store.list();
        images
            .iter()
            .filter(|image| image.references.iter().any(|name| name.ends_with(wanted)))
            .count()
    };
    assert_eq!(names("nginx:latest"), 1);
    store.remove("nginx", false).unwrap();
    assert_eq!(store.find("nginx").unwrap().id, builtin);

    // And a built-in image can have further names.
    store.tag("busybox", "localhost:5000/mine:1").unwrap();
    assert_eq!(
        store.find("localhost:5000/mine:1").unwrap().id,
        store.find("busybox").unwrap().id
    );
    store.remove("localhost:5000/mine:1", false).unwrap();
    assert!(store.find("busybox").is_some_and(|image| store.is_builtin(&image)));
}

#[test]
fn an_image_that_loses_its_name_stays_without_one() {
    let (data, store) = store();
    let file = data.path().join("rootfs.tar");
    let mut ids = Vec::new();
    for content in [b"1", b"2"] {
        fs::write(&file, tar(&[("a", content)])).unwrap();
        ids.push(store.import_rootfs(&file, &options("a")).unwrap().id);
    }
    assert_eq!(store.find("a").unwrap().id, ids[1]);
    let old = store.find(&ids[0]).expect("by its id");
    assert!(old.references.is_empty());
    assert_eq!(store.remove(&ids[0], false).unwrap().deleted.as_ref(), Some(&ids[0]));
    assert!(store.find("a").is_some());
}

#[test]
fn several_processes_see_each_others_changes() {
    let (data, one) = store();
    let other = ImageStore::open(&data.path().join("data"));
    let mut files = Vec::new();
    for n in 0..8 {
        let file = data.path().join(format!("{n}.tar"));
        fs::write(&file, tar(&[("n", format!("{n}").as_bytes())])).unwrap();
        files.push(file);
    }
    std::thread::scope(|scope| {
        for (n, file) in files.iter().enumerate() {
            let store = if n % 2 == 0 { &one } else { &other };
            scope.spawn(move || store.import_rootfs(file, &options(&format!("n:{n}"))).unwrap());
        }
    });
    for n in 0..8 {
        assert!(
            one.find(&format!("n:{n}")).is_some() && other.find(&format!("n:{n}")).is_some(),
            "{n}"
        );
    }
    // An image in use stays readable when another process removes it.
    let image = one.find("n:3").unwrap();
    other.remove("n:3", false).unwrap();
    assert!(one.find("n:3").is_none());
    assert_eq!(sha256(&image.layers[0].data), image.layers[0].digest);
    fs::write(data.path().join("data/images/index.json"), "broken").unwrap();
    assert!(one.find("n:4").is_none() && one.find("busybox").is_some());
    assert_eq!(one.problems().len(), 1);
}

/// A registry on the loopback interface that wants a token, with one image.
fn registry(made: Made, requests: usize) -> (String, std::thread::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let realm = format!("http://{host}/token");
    let serve = move || {
        let mut seen = Vec::new();
        for _ in 0..requests {
            let (mut stream, _) = listener.accept().unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let request = lines.next().unwrap().unwrap();
            let headers: Vec<String> = lines
                .map_while(Result::ok)
                .take_while(|line| !line.is_empty())
                .collect();
            let path = request.split(' ').nth(1).unwrap().to_owned();
            let token = headers
                .iter()
                .any(|line| line.eq_ignore_ascii_case("authorization: Bearer secret"));
            let name = path.rsplit('/').next().unwrap();
            let (status, body) = if path.starts_with("/token?scope=repository%3Aapp%3Apull") {
                ("200 OK", br#"{"token":"secret"}"#.to_vec())
            } else if !token {
                ("401 Unauthorized", Vec::new())
            } else if name == "1" {
                ("200 OK", made.blobs[&made.index.digest].clone())
            } else if let Some(blob) = made.blobs.get(name) {
                ("200 OK", blob.clone())
            } else {
                ("404 Not Found", br#"{"errors":[{"code":"MANIFEST_UNKNOWN"}]}"#.to_vec())
            };
            let head = format!(
                "HTTP/1.1 {status}\r\nWWW-Authenticate: Bearer realm=\"{realm}\",scope=\"repository:app:pull\"\r\n\
                 Content-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            );
            stream
                .write_all(head.as_bytes())
                .and_then(|()| stream.write_all(&body))
                .unwrap();
            seen.push(path);
        }
        seen
    };
    (host, std::thread::spawn(serve))
}

#[test]
fn an_image_is_pulled_from_a_registry_that_may_be_asked() {
    let (_data, store) = store();
    let made = made(gzip);
    let digest = made.index.digest.clone();
    // Without and with the token, the token; manifest, configuration, layers.
    let (host, served) = registry(made, 7);
    let name = format!("{host}/app:1");
    let refused = store.ensure(&name, &Registries::default()).unwrap_err();
    assert!(matches!(refused, StoreError::NotAllowed(_)), "{refused}");

    let id = store.ensure(&name, &Registries::new([host.clone()])).unwrap();
    let seen = served.join().unwrap();
    assert_eq!(seen.len(), 7, "{seen:?}");
    let image = store.find(&name).expect("it is listed");
    assert_eq!((&image.id, &image.digest), (&id, &digest));
    assert!(store.find(&format!("{host}/app@{digest}")).is_some());
    // The registry is gone: a Pod that may use what is here starts all the same.
    assert_eq!(store.ensure(&name, &Registries::default()).unwrap(), id);
}

#[test]
fn what_a_registry_does_wrong_is_said() {
    let (_data, store) = store();
    let (host, _) = registry(made(gzip), 3);
    let pull = |name: &str| {
        let reference = Reference::parse(name).unwrap();
        store
            .pull(&reference, None, &mut |_| {})
            .expect_err("refused")
            .to_string()
    };
    let error = pull(&format!("{host}/app:2"));
    assert_eq!(error, format!("{host}: manifest for {host}/app:2 not found"));

    let mut lying = made(gzip);
    let layer = lying.layers[1].clone();
    lying.blobs.insert(layer, gzip(b"evil"));
    let (host, _) = registry(lying, 7);
    let error = pull(&format!("{host}/app:1"));
    assert!(error.contains("a content has the digest"), "{error}");

    let mut silent = [0; 1];
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap();
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut silent);
    });
    let error = pull(&format!("{host}/app:1"));
    assert!(error.starts_with(&format!("{host}: ")), "{error}");
    thread.join().unwrap();
}
