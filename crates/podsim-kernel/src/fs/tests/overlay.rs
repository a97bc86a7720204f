//! Overlay and image layers.

use super::*;
use crate::fs::overlay::Overlay;
use crate::fs::tmpfs::Limits;

fn overlay(layers: &[Arc<LayerTree>]) -> World {
    let (clock, vfs) = vfs();
    let sb = Overlay::mount(&vfs, layers, Limits::default());
    let ns = MountNamespace::new(&vfs, 1, &sb, "overlay", MountFlags::empty());
    World::of(clock, vfs, ns)
}

fn base() -> Arc<LayerTree> {
    layer(&[
        "d /etc",
        "f /etc/passwd root",
        "f /etc/group wheel",
        "d /bin",
        "f /bin/busybox code",
        "h /bin/ls /bin/busybox",
        "l /bin/sh busybox",
        "d /var/log/old",
        "f /var/log/old/1 x",
    ])
}

#[test]
fn layers_are_merged_with_their_whiteouts() {
    let upper = layer(&[
        "f /etc/.wh.group",
        "f /etc/hosts localhost",
        "f /var/log/.wh..wh..opq",
        "f /var/log/new y",
        "f /bin/.wh.none",
    ]);
    let top = layer(&["f /.wh.bin", "f /usr/bin/x z", "d /etc", "f /etc/passwd changed"]);
    overlay(&[base(), upper.clone()]).script(
        "
        ls /etc -> . .. hosts passwd
        ls /var/log -> . .. new
        ls /bin -> . .. busybox ls sh
        cat /etc/passwd -> root
        ",
    );
    overlay(&[base(), upper, top]).script(
        "
        ls / -> . .. etc usr var
        cat /etc/passwd -> changed
        cat /etc/hosts -> localhost
        cat /usr/bin/x -> z
        ",
    );
}

#[test]
fn changes_stay_in_the_container_and_the_layer_stays_as_it_is() {
    let lower = base();
    let mut one = overlay(std::slice::from_ref(&lower));
    one.script(
        "
        stat /etc/passwd -> -0644 1 0:0
        append /etc/passwd +me
        cat /etc/passwd -> root+me
        chmod 600 /etc/group
        stat /etc/group -> -0600 1 0:0
        write /etc/new x
        rm /etc/group
        cat /etc/group -> ENOENT
        ls /etc -> . .. passwd new
        # a name that comes back is a new file
        write /etc/group mine
        cat /etc/group -> mine
        ls /etc -> . .. passwd new group
        # a directory that comes back is empty
        rmdir /var/log/old -> ENOTEMPTY
        rm /var/log/old/1
        rmdir /var/log/old
        mkdir /var/log/old
        ls /var/log/old -> . ..
        ",
    );
    overlay(&[lower]).script(
        "
        cat /etc/passwd -> root
        cat /etc/group -> wheel
        ls /etc -> . .. group passwd
        ls /var/log/old -> . .. 1
        ",
    );
}

#[test]
fn directories_of_the_layer_do_not_move_but_files_do() {
    overlay(&[base()]).script(
        "
        mv /etc /etc2 -> EXDEV
        mv /etc/passwd /passwd
        cat /passwd -> root
        cat /etc/passwd -> ENOENT
        ls /etc -> . .. group
        mkdir /own
        mv /own /etc/own
        ls /etc -> . .. group own
        mv /passwd /etc/group
        cat /etc/group -> root
        ",
    );
}

#[test]
fn links_in_the_layer_are_one_file_and_merged_directories_have_one_link() {
    let mut world = overlay(&[base()]);
    world.script(
        "
        stat /bin/busybox -> -0644 2 0:0
        append /bin/ls +
        cat /bin/busybox -> code+
        cat /bin/sh -> code+
        ln /bin/ls /bin/cat
        stat /bin/cat -> -0644 3 0:0
        stat /var/log -> d0755 3 0:0
        touch /var/log/x
        stat /var/log -> d0755 1 0:0
        size /var/log -> 4096 bytes 8 blocks
        ",
    );
}

#[test]
fn a_filesystem_goes_away_with_its_last_user() {
    let lower = base();
    let mut world = overlay(std::slice::from_ref(&lower));
    world.script("append /bin/ls +\ncat /bin/sh -> code+\ntouch /etc/x\nmkdir /a\nmkdir /a/b\ncd /a/b");
    let sb = Arc::downgrade(world.root.mount.sb());
    assert!(Arc::strong_count(&lower) > 1);
    drop(world);
    assert!(sb.upgrade().is_none());
    assert_eq!(Arc::strong_count(&lower), 1, "no inode keeps itself alive");
}

#[test]
fn inode_numbers_and_the_device_are_stable() {
    let world = overlay(&[base()]);
    let stat = |path: &str| world.ns.resolve(path).unwrap().stat().unwrap();
    let listed = world.ns.resolve("/etc").unwrap().inode().read_dir(2, 9).unwrap();
    let before = stat("/etc/passwd");
    world.ns.write_file("/etc/passwd", b"changed", Mode(0)).unwrap();
    let after = stat("/etc/passwd");
    assert_eq!((before.ino, before.dev), (after.ino, after.dev));
    assert_eq!(before.dev, stat("/").dev);
    assert!(
        listed
            .iter()
            .any(|entry| entry.name == "passwd" && entry.ino == before.ino)
    );
}

#[test]
fn content_for_exec_is_the_image_s_own_bytes() {
    let code: bytes::Bytes = bytes::Bytes::from_static(b"\0asm built in");
    let mut builder = LayerTree::builder();
    let entry = LayerEntry {
        path: "./bin/app".into(),
        kind: LayerKind::Regular(code.clone()),
        mode: Mode(0o755),
        uid: 0,
        gid: 0,
        mtime: EPOCH,
    };
    builder.add(entry).unwrap();
    let world = overlay(&[Arc::new(builder.finish()), layer(&["f /etc/x x"])]);
    let content = world.ns.read_file("/bin/app").unwrap();
    assert_eq!(content.as_ptr(), code.as_ptr());
    world.ns.write_file("/bin/app", b"other", Mode(0)).unwrap();
    assert_eq!(world.ns.read_file("/bin/app").unwrap(), "other");
}

#[test]
fn entries_that_do_not_fit_are_refused_with_their_path() {
    let rows: &[(&[&str], &str)] = &[
        (&["f /a/../b x"], "/a/../b: not a path inside the layer"),
        (&["f /a x", "f /a/b y"], "/a/b: its parent is not a directory"),
        (&["h /a /none"], "/a: the target of the hard link is not in the layer"),
        (&["d /d", "h /a /d"], "/a: a hard link to a directory"),
        (&["f /.wh."], "/.wh.: a whiteout without a name"),
        (&["f / x"], "/: the root is a directory"),
    ];
    for (lines, expected) in rows {
        let result = std::panic::catch_unwind(|| layer(lines));
        let text = *result.err().unwrap().downcast::<String>().unwrap();
        let reason = expected.split_once(": ").unwrap().1;
        assert!(text.contains(reason), "{text}");
    }
}
