//! Layers on disk: round trips, whiteouts in both forms, hostile archives, several processes.

use super::*;
use crate::ImageStore;
use crate::image::{ConfigFile, Layer, sha256};
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::time::Instant;
use tar::{Builder, EntryType, Header};
use tempfile::TempDir;

/// A member of a layer: name, type, mode, target or content.
type Member<'a> = (&'a str, EntryType, u32, &'a str);

const FILE: EntryType = EntryType::Regular;
const DIR: EntryType = EntryType::Directory;
const LINK: EntryType = EntryType::Link;
const SYMLINK: EntryType = EntryType::Symlink;

fn layer(members: &[Member<'_>]) -> Layer {
    let mut builder = Builder::new(Vec::new());
    for (name, kind, mode, text) in members {
        let mut header = Header::new_gnu();
        header.set_entry_type(*kind);
        header.set_mode(*mode);
        header.set_mtime(1_000_000);
        header.set_uid(u64::from(rustix::process::geteuid().as_raw()));
        header.set_gid(u64::from(rustix::process::getegid().as_raw()));
        if matches!(*kind, LINK | SYMLINK) {
            header.set_size(0);
            builder.append_link(&mut header, name, text).unwrap();
        } else {
            header.set_size(text.len() as u64);
            builder.append_data(&mut header, name, text.as_bytes()).unwrap();
        }
    }
    let data = builder.into_inner().unwrap();
    Layer {
        digest: sha256(&data),
        data: data.into(),
    }
}

fn image(layers: Vec<Layer>) -> Image {
    Image {
        id: String::new(),
        digest: String::new(),
        references: Vec::new(),
        internal: false,
        config: ConfigFile::default(),
        layers,
    }
}

fn store() -> (TempDir, LayerStore) {
    let data = tempfile::tempdir().unwrap();
    // In the form that needs no rights.
    let store = LayerStore::open(data.path(), OverlayXattrs::User).unwrap();
    (data, store)
}

/// Root can, unless it is root of a user namespace that has few numbers.
fn can_chown() -> bool {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::os::unix::fs::chown(file.path(), Some(1234), Some(4321)).is_ok()
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

#[test]
fn a_layer_is_unpacked_with_all_that_its_files_are() {
    let (_data, store) = store();
    let image = image(vec![layer(&[
        ("etc", DIR, 0o750, ""),
        ("etc/passwd", FILE, 0o640, "root"),
        ("bin/busybox", FILE, 0o4755, "#!"),
        ("bin/sh", LINK, 0o755, "bin/busybox"),
        ("lib", SYMLINK, 0o777, "/usr/lib"),
        ("tmp", DIR, 0o1777, ""),
        ("pipe", EntryType::Fifo, 0o600, ""),
        ("etc/passwd", FILE, 0o644, "later"),
    ])]);
    let lower = store.lower_dirs(&image).unwrap();
    let [root] = lower.as_slice() else { panic!("{lower:?}") };
    assert_eq!(fs::read_to_string(root.join("etc/passwd")).unwrap(), "later");
    assert_eq!(
        ["etc", "etc/passwd", "bin", "bin/busybox", "tmp", "pipe", ""].map(|path| mode(&root.join(path))),
        [0o750, 0o644, 0o755, 0o4755, 0o1777, 0o600, 0o755]
    );
    let (sh, busybox) = (root.join("bin/sh"), root.join("bin/busybox"));
    assert_eq!(fs::metadata(sh).unwrap().ino(), fs::metadata(&busybox).unwrap().ino());
    assert_eq!(fs::metadata(busybox).unwrap().mtime(), 1_000_000);
    assert_eq!(fs::metadata(root.join("etc")).unwrap().mtime(), 1_000_000);
    assert_eq!(fs::read_link(root.join("lib")).unwrap(), Path::new("/usr/lib"));
    assert!(fs::metadata(root.join("pipe")).unwrap().file_type().is_fifo());
    if can_chown() {
        assert_eq!(store.take_notes(), Vec::<String>::new());
    }
}

fn two_layers() -> Image {
    let lower = layer(&[
        ("private", DIR, 0o700, ""),
        ("private/keep", FILE, 0o600, "low"),
        ("private/gone", FILE, 0o600, "low"),
        ("opaque", DIR, 0o755, ""),
        ("opaque/gone", FILE, 0o644, "low"),
        ("becomes-dir", FILE, 0o644, "low"),
        ("renewed/old", FILE, 0o644, "low"),
    ]);
    let upper = layer(&[
        ("private/.wh.gone", FILE, 0o644, ""),
        ("private/new", FILE, 0o644, "high"),
        ("opaque/new", FILE, 0o644, "high"),
        ("opaque/.wh..wh..opq", FILE, 0o644, ""),
        ("becomes-dir/inside", FILE, 0o644, "high"),
        (".wh.renewed", FILE, 0o644, ""),
        ("renewed/new", FILE, 0o644, "high"),
    ]);
    image(vec![lower, upper])
}

fn xattr(path: &Path, name: &str) -> Option<Vec<u8>> {
    let mut value = [0; 8];
    let length = rustix::fs::lgetxattr(path, name, &mut value).ok()?;
    Some(value[..length].to_vec())
}

#[test]
fn whiteouts_take_the_form_that_overlayfs_knows() {
    let (_data, store) = store();
    let lower = match store.lower_dirs(&two_layers()) {
        Ok(lower) => lower,
        Err(error @ LayerStoreError::Whiteouts { .. }) => {
            eprintln!("not tested: {error}");
            return;
        }
        Err(error) => panic!("{error}"),
    };
    let top = &lower[0];
    let gone = fs::symlink_metadata(top.join("private/gone")).unwrap();
    assert!(gone.file_type().is_char_device() && gone.rdev() == 0);
    for opaque in ["opaque", "renewed"] {
        assert_eq!(
            xattr(&top.join(opaque), "user.overlay.opaque").as_deref(),
            Some(&b"y"[..]),
            "{opaque}"
        );
    }
    assert_eq!(xattr(&top.join("private"), "user.overlay.opaque"), None);
    assert_eq!(mode(&top.join("private")), 0o700, "as in the layer below");
    assert_eq!(mode(&top.join("becomes-dir")), 0o755);
}

#[test]
fn a_copy_has_what_the_layers_have_together() {
    let (_data, store) = store();
    let copy = tempfile::tempdir().unwrap();
    store.copy_into(&two_layers(), copy.path()).unwrap();
    let mut found = Vec::new();
    let mut todo = vec![copy.path().to_owned()];
    while let Some(directory) = todo.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                todo.push(path);
            } else {
                found.push(path.strip_prefix(copy.path()).unwrap().to_string_lossy().into_owned());
            }
        }
    }
    found.sort();
    assert_eq!(
        found,
        [
            "becomes-dir/inside",
            "opaque/new",
            "private/keep",
            "private/new",
            "renewed/new"
        ]
    );
    assert_eq!(mode(&copy.path().join("private")), 0o700);
}

#[test]
fn nothing_is_written_outside_of_the_layer() {
    let outside = tempfile::tempdir().unwrap();
    let target = outside.path().to_str().unwrap();
    fs::write(outside.path().join("secret"), "secret").unwrap();
    fs::set_permissions(outside.path().join("secret"), fs::Permissions::from_mode(0o600)).unwrap();
    let secret = format!("{target}/secret");
    let cases: [(&str, &[Member<'_>], &str); 4] = [
        (
            "a file through a symbolic link",
            &[("x", SYMLINK, 0o777, target), ("x/planted", FILE, 0o644, "evil")],
            "\"x/planted\": its parent is not a directory",
        ),
        (
            "a directory through a symbolic link",
            &[("x", SYMLINK, 0o777, target), ("x/y/z", DIR, 0o755, "")],
            "\"x/y/z\": its parent is not a directory",
        ),
        (
            "a hard link through a symbolic link",
            &[("x", SYMLINK, 0o777, target), ("y", LINK, 0o644, "x/secret")],
            "\"y\": the target of the hard link is not in the layer",
        ),
        (
            "a hard link to what is not there",
            &[("y", LINK, 0o644, "etc/passwd")],
            "\"y\": the target of the hard link is not in the layer",
        ),
    ];
    let (data, store) = store();
    assert_eq!(
        mode(&data.path().join("layers-userxattr")),
        0o700,
        "setuid programs are out of reach"
    );
    for (case, members, message) in cases {
        let error = store
            .lower_dirs(&image(vec![layer(members)]))
            .expect_err(case)
            .to_string();
        assert!(error.contains(message), "{case}: {error}");
    }
    // A file in the place of a symbolic link replaces the link, not what it points to.
    let members: &[Member<'_>] = &[("x", SYMLINK, 0o777, &secret), ("x", FILE, 0o777, "replaced")];
    store.lower_dirs(&image(vec![layer(members)])).unwrap();
    assert_eq!(fs::read_to_string(&secret).unwrap(), "secret");
    assert_eq!(mode(Path::new(&secret)), 0o600);
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1);
    let left: Vec<_> = fs::read_dir(data.path().join("layers-userxattr"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .filter(|name| name != LOCK)
        .collect();
    assert_eq!(left.len(), 1, "only the good layer: {left:?}");
}

#[test]
fn owners_are_set_by_root_and_missed_once_by_others() {
    let (_data, store) = store();
    let mut builder = Builder::new(Vec::new());
    let mut header = Header::new_gnu();
    header.set_size(0);
    header.set_mode(0o4755);
    header.set_uid(1234);
    header.set_gid(4321);
    builder.append_data(&mut header, "file", &b""[..]).unwrap();
    let data = builder.into_inner().unwrap();
    let layer = Layer {
        digest: sha256(&data),
        data: data.into(),
    };
    let lower = store.lower_dirs(&image(vec![layer])).unwrap();
    let file = fs::metadata(lower[0].join("file")).unwrap();
    if can_chown() {
        assert_eq!((file.uid(), file.gid(), file.mode() & 0o7777), (1234, 4321, 0o4755));
        assert!(store.take_notes().is_empty());
    } else {
        eprintln!("needs root: that owners are set");
        assert_eq!(file.mode() & 0o7777, 0o755, "it must not run as somebody else");
        assert_eq!(store.take_notes().len(), 1);
        assert!(store.take_notes().is_empty(), "said twice");
    }
}

#[test]
fn layers_that_no_image_has_are_collected_unless_somebody_uses_them() {
    let data = tempfile::tempdir().unwrap();
    let open = || LayerStore::open(data.path(), OverlayXattrs::User).unwrap();
    let kept = image(vec![layer(&[("a", FILE, 0o644, "")])]);
    let used = image(vec![layer(&[("b", FILE, 0o644, "")])]);
    let node = open();
    let paths = [
        node.lower_dirs(&kept).unwrap().remove(0),
        node.lower_dirs(&used).unwrap().remove(0),
    ];
    let keep: BTreeSet<String> = kept.chain_ids().into_iter().collect();
    let collected = |removed, kept| Collected { removed, kept };
    assert_eq!(open().collect(&keep).unwrap(), collected(0, 1));
    drop(node);
    assert_eq!(open().collect(&keep).unwrap(), collected(1, 0));
    assert_eq!(paths.map(|path| path.exists()), [true, false]);
}

#[test]
fn two_who_unpack_at_once_get_the_same_layer() {
    let data = tempfile::tempdir().unwrap();
    let image = two_layers();
    let unpack = || {
        LayerStore::open(data.path(), OverlayXattrs::User)
            .and_then(|store| store.lower_dirs(&image))
            .map_err(|error| error.to_string())
    };
    let results: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(unpack)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(results.iter().all(|result| *result == results[0]), "{results:?}");
}

#[test]
fn the_built_in_images_unpack_in_no_time() {
    let (_data, store) = store();
    for image in ImageStore::with_builtin_images().list() {
        let start = Instant::now();
        let lower = store.lower_dirs(&image).unwrap();
        eprintln!(
            "{}: {} layers in {:?}",
            image.references[0],
            lower.len(),
            start.elapsed()
        );
        assert_eq!(lower.len(), image.layers.len());
    }
}

/// What the real overlayfs makes of the whiteouts, in a mount namespace of this thread's own.
#[test]
fn overlayfs_shows_the_layers_as_one() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("needs root: that overlayfs shows the layers as one");
        return;
    }
    use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_change};
    #[expect(unsafe_code, reason = "the safe wrapper is deprecated")]
    // SAFETY: descriptors are not unshared.
    let unshared = unsafe { rustix::thread::unshare_unsafe(rustix::thread::UnshareFlags::NEWNS) };
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    if let Err(error) = unshared.and_then(|()| mount_change("/", private)) {
        eprintln!("not tested: no mount namespace: {error}");
        return;
    }
    for (xattrs, option) in [(OverlayXattrs::Trusted, ""), (OverlayXattrs::User, ",userxattr")] {
        let data = tempfile::tempdir().unwrap();
        let store = LayerStore::open(data.path(), xattrs).unwrap();
        let lower = match store.lower_dirs(&two_layers()) {
            Ok(lower) => lower,
            Err(error @ LayerStoreError::Whiteouts { .. }) => {
                eprintln!("not tested: {error}");
                continue;
            }
            Err(error) => panic!("{error}"),
        };
        let paths: Vec<&str> = lower.iter().map(|path| path.to_str().unwrap()).collect();
        let options = std::ffi::CString::new(format!("lowerdir={}{option}", paths.join(":"))).unwrap();
        let merged = data.path().join("merged");
        fs::create_dir(&merged).unwrap();
        if let Err(error) = mount("overlay", &merged, "overlay", MountFlags::RDONLY, options.as_c_str()) {
            eprintln!("not tested: no overlayfs: {error}");
            return;
        }
        let list = |path: &str| {
            let entries = fs::read_dir(merged.join(path)).unwrap();
            let mut names: Vec<_> = entries
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            names.sort();
            names
        };
        assert_eq!(list(""), ["becomes-dir", "opaque", "private", "renewed"]);
        assert_eq!(list("private"), ["keep", "new"]);
        assert_eq!(list("opaque"), ["new"]);
        assert_eq!(list("renewed"), ["new"]);
        assert_eq!(list("becomes-dir"), ["inside"]);
        assert_eq!(mode(&merged.join("private")), 0o700);
        rustix::mount::unmount(&merged, rustix::mount::UnmountFlags::DETACH).unwrap();
    }
}
