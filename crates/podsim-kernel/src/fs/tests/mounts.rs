//! Mounts and mount namespaces.

use super::*;

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
    let (ns, fs) = world.ns.copy(77, &world.context());
    let mut copy = World::of(world.clock.clone(), world.vfs.clone(), ns);
    copy.cwd = fs.cwd;
    copy.script("pwd -> /m\ncat f -> x\ncd /\numount /m\nls /m -> . ..\nmkdir /x\ntmpfs /x\ntouch /x/only-here");
    world.script("cat /m/f -> x\nls /x -> . ..");
    // A file on a filesystem that both have is one file.
    copy.script("write /both 1");
    world.script("cat /both -> 1");
}

#[test]
fn what_is_mounted_on_a_shared_mount_is_seen_on_its_peers_and_slaves() {
    world().script(
        "
        mkdir /a
        mkdir /b
        mkdir /c
        mkdir /d
        tmpfs /a
        mkdir /a/m
        mkdir /a/n
        share /a
        bind /a /b
        bind /a /c
        slave /c
        bind /a /d
        private /d
        spread /a -> 1 0
        spread /b -> 1 0
        spread /c -> 0 1
        spread /d -> 0 0
        tmpfs /b/m
        write /b/m/f x
        cat /a/m/f -> x
        cat /c/m/f -> x
        ls /d/m -> . ..
        spread /a/m -> 2 0
        spread /b/m -> 2 0
        spread /c/m -> 0 2
        # a slave keeps what is its own to itself
        tmpfs /c/n
        write /c/n/g y
        ls /a/n -> . ..
        # what is mounted on a mount that is seen elsewhere is seen there too
        mkdir /a/m/deep
        tmpfs /a/m/deep
        write /a/m/deep/h z
        cat /c/m/deep/h -> z
        umount -l /b/m
        ls /a/m -> . ..
        ls /c/m -> . ..
        ls /c/n -> . .. g
        # of the places that see it only those that have it
        mkdir /sub
        bind /a/n /sub
        mkdir /a/n/inner
        tmpfs /a/n/inner
        write /a/n/inner/i 1
        cat /sub/inner/i -> 1
        tmpfs /a/m
        ls /sub -> . .. inner
        # a copy of the tree adds nothing to what is copied
        mkdir /r
        rbind /a /r
        write /r/m/f again
        cat /c/m/f -> again
        # a mount that others see cannot be moved away from them
        movemount /a/m /d -> EINVAL
        umount /r/m
        ls /a/m -> . ..
        ls /c/m -> . ..
        ",
    );
}

#[test]
fn mounts_leave_their_groups() {
    world().script(
        "
        mkdir /a
        mkdir /b
        mkdir /c
        mkdir /d
        tmpfs /a
        mkdir /a/m
        # nobody to get from
        share /a
        slave /a
        spread /a -> 0 0
        share /a
        bind /a /b
        slave /b
        share /b
        bind /b /c
        slave /c
        spread /b -> 3 2
        spread /c -> 0 3
        tmpfs /a/m
        write /a/m/f x
        cat /c/m/f -> x
        umount /a/m
        ls /c/m -> . ..
        # the slaves of a group without members get from its own master
        umount /b
        spread /c -> 0 2
        tmpfs /a/m
        write /a/m/f y
        cat /c/m/f -> y
        umount /a/m
        private /a
        spread /c -> 0 0
        tmpfs /a/m
        write /a/m/f z
        ls /c/m -> . ..
        movemount /a/m /d
        cat /d/f -> z
        share /
        mkdir /e
        bind /d /e
        spread /e -> 8 0
        ",
    );
}

#[test]
fn a_copied_namespace_sees_what_is_mounted_on_shared_mounts() {
    let mut world = world();
    world.script("mkdir /m\ntmpfs /m\nmkdir /m/n\nmkdir /m/o\nshare /m\nmkdir /x");
    let (ns, _) = world.ns.copy(78, &world.context());
    let mut copy = World::of(world.clock.clone(), world.vfs.clone(), ns);
    copy.script("tmpfs /m/n\nwrite /m/n/f there");
    world.script("cat /m/n/f -> there\ntmpfs /x\nwrite /x/f here\ntmpfs /m/o");
    copy.script("ls /x -> . ..\nspread /m/o -> 3 0\nslave /m\numount /m/o");
    world.script("spread /m/o -> 3 0\numount /m/n");
    copy.script("ls /m/n -> . ..");
    drop(copy);
    world.script("tmpfs /m/n\nwrite /m/n/f again\ncat /m/n/f -> again");
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
