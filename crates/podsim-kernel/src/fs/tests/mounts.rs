//! Mounts and mount namespaces.

use super::*;
use crate::fs::FsContext;

#[test]
fn mounts_cover_and_uncover_a_directory() {
    world().script(
        "
        mkdir /m
        write /m/below x
        tmpfs /m
        ls /m -> . ..
        write /m/above y
        mkdir /m/d
        cd /m/d
        pwd -> /m/d
        stat ../.. -> d0755 3 0:0
        ls ../../m -> . .. above d
        # somebody stands in it
        umount /m -> EBUSY
        cd /
        umount /m
        ls /m -> . .. below
        umount /m -> EINVAL
        umount / -> EINVAL
        ",
    );
}

#[test]
fn mount_points_cannot_be_removed_or_renamed() {
    world().script(
        "
        mkdir /m
        tmpfs /m
        rmdir /m -> EBUSY
        mv /m /n -> EBUSY
        write /f x
        mv /f /m/f -> EXDEV
        ln /f /m/f -> EXDEV
        ",
    );
}

#[test]
fn bind_mounts_show_the_same_thing_twice() {
    world().script(
        "
        mkdir /a
        mkdir /b
        mkdir /a/sub
        tmpfs /a/sub
        touch /a/sub/hidden
        write /a/f x
        bind /a /b
        cat /b/f -> x
        write /b/g y
        cat /a/g -> y
        ls /b/sub -> . ..
        mkdir /c
        rbind /a /c
        ls /c/sub -> . .. hidden
        # the same filesystem, but not the same mount
        mv /b/f /a/f2 -> EXDEV
        readonly /b
        write /b/h z -> EROFS
        append /b/f z -> EROFS
        rm /b/f -> EROFS
        chmod 600 /b/f -> EROFS
        write /a/h z
        cat /b/h -> z
        # a single file
        write /hosts 127.0.0.1
        touch /a/etc-hosts
        bind /hosts /a/etc-hosts
        cat /a/etc-hosts -> 127.0.0.1
        append /a/etc-hosts !
        cat /hosts -> 127.0.0.1!
        rm /a/etc-hosts -> EBUSY
        bind /hosts /c -> ENOTDIR
        bind /a /hosts -> ENOTDIR
        ",
    );
}

#[test]
fn mounts_move_but_not_into_themselves() {
    world().script(
        "
        mkdir /a
        mkdir /b
        tmpfs /a
        write /a/f x
        mkdir /a/in
        movemount /a /a/in -> ELOOP
        movemount /a /b
        cat /b/f -> x
        ls /a -> . ..
        movemount /b/in /a -> EINVAL
        movemount / /a -> EINVAL
        ",
    );
}

#[test]
fn a_lazy_umount_takes_the_tree_away_from_under_its_users() {
    world().script(
        "
        mkdir /m
        tmpfs /m
        mkdir /m/n
        tmpfs /m/n
        write /m/f x
        cd /m
        umount /m -> EBUSY
        umount -l /m
        cat f -> x
        pwd -> ENOENT
        ls /m -> . ..
        ",
    );
}

#[test]
fn a_copied_namespace_goes_its_own_way() {
    let mut world = world();
    world.script("mkdir /m\ntmpfs /m\nwrite /m/f x\ncd /m");
    let fs = FsContext {
        root: world.root.clone(),
        cwd: world.cwd.clone(),
        umask: Mode(0),
    };
    let (ns, fs) = world.ns.copy(77, &fs);
    let mut copy = World::of(world.clock.clone(), world.vfs.clone(), ns);
    copy.cwd = fs.cwd;
    copy.script("pwd -> /m\ncat f -> x\ncd /\numount /m\nls /m -> . ..\nmkdir /x\ntmpfs /x\ntouch /x/only-here");
    world.script("cat /m/f -> x\nls /x -> . ..");
    // A file on a filesystem that both have is one file.
    copy.script("write /both 1");
    world.script("cat /both -> 1");
}

#[test]
fn the_list_of_mounts_is_as_seen_from_a_root() {
    let mut world = world();
    world.script("mkdir /a\nmkdir /a/b\ntmpfs /a/b\nmkdir /a/b/c\ntmpfs /a/b/c\nmkdir /d\nbind /a/b/c /d\nreadonly /d");
    let list = |world: &World| {
        let lines = world.ns.list(&world.root).into_iter().map(|info| {
            let fs = info.mount.sb().fs().name();
            format!("{} {} on {} {:?}", info.root, fs, info.mountpoint, info.mount.flags())
        });
        lines.collect::<Vec<_>>()
    };
    assert_eq!(
        list(&world),
        [
            "/ tmpfs on / MountFlags(0x0)",
            "/ tmpfs on /a/b MountFlags(0x0)",
            "/ tmpfs on /a/b/c MountFlags(0x0)",
            "/ tmpfs on /d MountFlags(RDONLY)",
        ]
    );
    world.script("chroot /a");
    assert_eq!(
        list(&world),
        ["/ tmpfs on /b MountFlags(0x0)", "/ tmpfs on /b/c MountFlags(0x0)"]
    );
}

#[test]
fn the_runtime_builds_a_container_s_view() {
    let mut world = world();
    let shm = TmpFs::mount(&world.vfs, &Options::default());
    world
        .ns
        .mount_at("/dev/shm", &shm, "shm", MountFlags::NOSUID | MountFlags::NODEV)
        .unwrap();
    world.script("write /node-hosts generated");
    let hosts = world.ns.resolve("/node-hosts").unwrap();
    world.ns.bind_at("/etc/hosts", &hosts, MountFlags::empty()).unwrap();
    world.ns.mkdir_all("/proc-like/sys", Mode(0o755)).unwrap();
    world.ns.write_file("/proc-like/kcore", b"secret", Mode(0o444)).unwrap();
    world.ns.mask("/proc-like/kcore").unwrap();
    world.ns.mask("/proc-like/none").unwrap();
    world.ns.make_readonly("/proc-like/sys").unwrap();
    world.script(
        "
        cat /etc/hosts -> generated
        cat /proc-like/kcore
        append /proc-like/kcore x -> EROFS
        touch /proc-like/sys/x -> EROFS
        touch /dev/shm/x
        ",
    );
    world.ns.mkdir_all("/tree/a/b", Mode(0o700)).unwrap();
    world.ns.write_file("/tree/a/f", b"1", Mode(0o644)).unwrap();
    world.ns.remove_all("/tree").unwrap();
    world.ns.remove_all("/tree").unwrap();
    world.script("stat /tree -> ENOENT");
}
