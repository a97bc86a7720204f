//! tmpfs: contents, limits, times.

use super::*;

#[test]
fn contents_are_sparse_and_positions_are_checked() {
    world().script(
        "
        mkdir /m
        tmpfs /m size=16k
        cd /m
        touch f
        open f f
        fwriteat f 3 abc -> 3
        size f -> 6 bytes 8 blocks
        fread f -> ...abc
        fwriteat f 4094 abcd -> 4
        size f -> 4098 bytes 16 blocks
        # far out, only the page that is written takes room
        fwriteat f 1000000000000 x -> 1
        size f -> 1000000000001 bytes 24 blocks
        truncate f 5
        size f -> 5 bytes 8 blocks
        truncate f 8
        seek f -6 -> 0
        fread f -> ...ab...
        fwriteat f 9223372036854775806 xy -> 1
        fwriteat f 9223372036854775807 x -> EFBIG
        fwriteat f 18446744073709551615 x -> EFBIG
        truncate f 9223372036854775807
        truncate f 18446744073709551615 -> EINVAL
        seek f -100 -> EINVAL
        truncate f 0
        free -> 4 blocks 8191 files
        ",
    );
}

#[test]
fn a_full_filesystem_says_enospc_and_loses_nothing() {
    let big = "x".repeat(3 * 4096);
    world().script(&format!(
        "
        mkdir /m
        tmpfs /m size=12k,nr_inodes=3,mode=700,uid=1,gid=2
        cd /m
        stat . -> d0700 2 1:2
        write a {big}
        free -> 0 blocks 2 files
        write b x -> ENOSPC
        size b -> 0 bytes 0 blocks
        touch c
        touch d -> ENOSPC
        mkdir d -> ENOSPC
        rm a
        write b x
        open b b
        fallocate b 0 12288
        fallocate b 0 12289 -> ENOSPC
        fallocate b 9223372036854775807 1 -> EFBIG
        fallocate b 0 9223372036854775807 -> ENOSPC
        size b -> 12288 bytes 24 blocks
        "
    ));
}

#[test]
fn all_filesystems_together_stay_within_the_memory_of_the_node() {
    // The node has 64 MiB; each tmpfs may have 48.
    world().script(
        "
        mkdir /a
        mkdir /b
        tmpfs /a size=48m
        tmpfs /b size=48m
        touch /a/f
        touch /b/f
        open a /a/f
        open b /b/f
        fallocate a 0 50331648
        fallocate b 0 50331648 -> ENOSPC
        fallocate b 0 16773120
        ",
    );
}

#[test]
fn times_follow_the_clock() {
    world().script(
        "
        write /f x
        mtime /f -> a0 m0 c0
        sleep 10
        cat /f -> x
        mtime /f -> a10 m0 c0
        sleep 10
        chmod 600 /f
        mtime /f -> a10 m0 c20
        sleep 10
        append /f y
        mtime /f -> a10 m30 c30
        mkdir /d
        sleep 5
        touch /d/x
        mtime /d -> a30 m35 c35
        sleep 5
        rm /d/x
        mtime /d -> a30 m40 c40
        utimens /d 1718635381
        mtime /d -> a1 m1 c40
        ",
    );
}

#[test]
fn options_are_parsed_as_mount_gives_them() {
    let rows = [
        ("", Ok((None, None, 0o1777))),
        ("size=64m,mode=755", Ok((Some(64 << 20), None, 0o755))),
        ("size=50%,nr_inodes=1k", Ok((Some(500), Some(1024), 0o1777))),
        ("nr_blocks=2", Ok((Some(8192), None, 0o1777))),
        ("size=0", Ok((None, None, 0o1777))),
        ("size=", Err(Errno::EINVAL)),
        ("size=99999999999g", Err(Errno::EINVAL)),
        ("size", Err(Errno::EINVAL)),
        ("mode=9", Err(Errno::EINVAL)),
        ("compress=yes", Err(Errno::EINVAL)),
        ("size=5é", Err(Errno::EINVAL)),
    ];
    for (text, expected) in rows {
        let got = Options::parse(text, 1000).map(|o| (o.limits.size, o.limits.inodes, o.mode.0));
        assert_eq!(got, expected, "{text}");
    }
}

#[test]
fn special_files_have_a_place_for_their_object() {
    let mut world = world();
    world.script(
        "
        mknod /fifo fifo
        stat /fifo -> p0644 1 0:0
        as 1 mknod /x char 1 3 -> EPERM
        mknod /null char 1 3
        stat /null -> c0644 1 0:0
        mkdir /m
        tmpfs /m
        mknod /m/null char 1 3
        nodev /m
        cat /m/null -> EACCES
        ",
    );
    let fifo = lookup(&world.caller(None), &world.root, "/fifo", true).unwrap();
    let slot = fifo.inode().slot().unwrap();
    assert!(slot.get::<String>().is_none());
    let first = slot.get_or_init(|| Arc::new("pipe".to_owned()));
    assert!(Arc::ptr_eq(&first, &slot.get::<String>().unwrap()));
    assert!(slot.get::<u32>().is_none());
}

#[test]
fn flock_is_held_by_the_open_file_and_given_back_with_it() {
    let mut world = world();
    world.script("write /f x\nopen a /f\nopen b /f");
    let lock = |world: &World, name: &str, op| world.open[name].try_flock(op, None);
    assert_eq!(lock(&world, "a", Flock::Shared), Ok(()));
    assert_eq!(lock(&world, "b", Flock::Shared), Ok(()));
    assert_eq!(lock(&world, "a", Flock::Exclusive), Err(Errno::EAGAIN));
    assert_eq!(lock(&world, "b", Flock::Exclusive), Ok(()));
    assert_eq!(lock(&world, "a", Flock::Shared), Err(Errno::EAGAIN));
    world.script("close b");
    assert_eq!(lock(&world, "a", Flock::Shared), Ok(()));
}

#[test]
fn a_tree_as_deep_as_there_are_inodes_goes_away_without_a_trace() {
    let mut world = world();
    world.script("mkdir /m\ntmpfs /m nr_inodes=20000\ncd /m");
    let caller = world.caller(None);
    let mut at = world.cwd.clone();
    loop {
        at = match names::mkdir(&caller, &at, "d", Mode(0o755)) {
            Ok(made) => made,
            Err(errno) => break assert_eq!(errno, Errno::ENOSPC),
        };
    }
    assert!(at.display(&world.root).len() > 39_000);
    assert_eq!(world.vfs.memory_used(), 20_001 * 1024);
    drop(caller);
    world.script("cd /\numount -l /m");
    drop(at);
    assert_eq!(world.vfs.memory_used(), 1024);
}

#[test]
fn each_name_of_a_file_counts() {
    world().script(
        "
        mkdir /m
        tmpfs /m nr_inodes=3
        cd /m
        touch a
        ln a b
        ln a c
        ln a d -> ENOSPC
        touch e -> ENOSPC
        rm a
        touch e
        rm b
        rm c
        free -> 8192 blocks 2 files
        ",
    );
}
