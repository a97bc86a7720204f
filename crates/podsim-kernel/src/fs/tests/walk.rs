//! Path lookup and permissions.

use super::*;

#[test]
fn paths_are_walked_as_path_resolution_says() {
    world().script(
        "
        mkdir /a
        mkdir /a/b
        write /a/b/f hello
        cat /a/b/f -> hello
        cat a/./b//f -> hello
        cat /a/../a/b/../b/f -> hello
        cat /../../a/b/f -> hello
        cat /a/b/f/ -> ENOTDIR
        cat /a/b/f/. -> ENOTDIR
        cat /a/b/f/.. -> ENOTDIR
        cat /a/x -> ENOENT
        cat /a/x/f -> ENOENT
        cat /a/b -> EISDIR
        stat /a/b/ -> d0755 2 0:0
        path /a//b/./f -> /a/b/f
        path / -> /
        path /.. -> /
        cd /a/b
        pwd -> /a/b
        cat f -> hello
        cat ../b/f -> hello
        ",
    );
}

#[test]
fn long_names_and_paths_are_refused() {
    let name = "n".repeat(255);
    let long = "n".repeat(256);
    let path = "/a".repeat(2048);
    let fits = "/.".repeat(2047);
    world().script(&format!(
        "
        touch /{name}
        touch /{long} -> ENAMETOOLONG
        stat /{long} -> ENAMETOOLONG
        stat {path} -> ENAMETOOLONG
        stat {fits} -> d0755 2 0:0
        symlink {path} /l -> ENAMETOOLONG
        "
    ));
}

#[test]
fn symbolic_links_are_followed_where_linux_follows_them() {
    world().script(
        "
        mkdir /a
        write /a/f hello
        symlink a /l
        symlink /a/f /abs
        symlink ../a/f /a/up
        symlink a/ /slash
        symlink l2 /l1
        symlink l1 /l2
        symlink missing /dangling
        cat /l/f -> hello
        cat /abs -> hello
        cat /a/up -> hello
        readlink /l -> a
        stat /l -> l0777 1 0:0
        stat /l/ -> d0755 2 0:0
        stat /slash -> l0777 1 0:0
        stat /slash/ -> d0755 2 0:0
        cat /l1 -> ELOOP
        cat /dangling -> ENOENT
        readlink /a -> EINVAL
        nofollow /abs -> ELOOP
        nofollow /l/f
        create /abs 644 -> EEXIST
        create /dangling 644 -> EEXIST
        # without O_EXCL the target of the link is made
        write /dangling new
        cat /missing -> new
        path /l/f -> /a/f
        # names are made behind links in the middle, never behind the last
        mkdir /l/sub
        stat /a/sub -> d0755 2 0:0
        mkdir /l -> EEXIST
        rm /l
        cat /a/f -> hello
        ",
    );
}

#[test]
fn forty_links_are_followed_and_not_one_more() {
    let mut world = world();
    world.script("write /l0 end");
    for i in 1..=41 {
        world.script(&format!("symlink l{} /l{i}", i - 1));
    }
    world.script("cat /l40 -> end\ncat /l41 -> ELOOP");
}

#[test]
fn a_root_directory_bounds_the_walk() {
    world().script(
        "
        mkdir /jail
        mkdir /jail/etc
        write /jail/etc/f inside
        write /secret outside
        symlink /etc/f /jail/link
        symlink ../../secret /jail/escape
        chroot /jail
        cat /etc/f -> inside
        cat /link -> inside
        cat /escape -> ENOENT
        cat /../../secret -> ENOENT
        cd /etc
        pwd -> /etc
        ",
    );
}

#[test]
fn every_directory_on_the_way_needs_search_permission() {
    world().script(
        "
        mkdir /closed 700
        write /closed/f secret
        chmod 644 /closed/f
        mkdir /listed 744
        write /listed/f x
        mkdir /open 711
        write /open/f public
        write /private mine
        chmod 600 /private
        write /group ours
        chmod 640 /group
        chown 0:50 /group
        as 65534 cat /closed/f -> EACCES
        as 65534 stat /closed/f -> EACCES
        as 65534 ls /listed -> . .. f
        as 65534 stat /listed/f -> EACCES
        as 65534 ls /open -> EACCES
        as 65534 cat /open/f -> public
        as 65534 cat /private -> EACCES
        as 65534 cat /group -> EACCES
        as 65534:50 cat /group -> ours
        as 65534:1:50 cat /group -> ours
        as 65534:1:50 append /group x -> EACCES
        # the owner's bits count for the owner, even where the others' are wider
        chown 7:7 /group
        chmod 077 /group
        as 7 cat /group -> EACCES
        as 8 cat /group -> ours
        # root may all the same, but does not execute what nobody can
        cat /group -> ours
        as 65534 touch /new -> EACCES
        as 65534 mkdir /new -> EACCES
        as 65534 rm /private -> EACCES
        ",
    );
}

#[test]
fn root_executes_only_what_somebody_may_execute() {
    let mut world = world();
    world.script("write /f x");
    let caller = world.caller(None);
    let found = lookup(&caller, &world.root, "/f", true).unwrap();
    assert_eq!(found.inode().permission(&caller, Access::EXEC), Err(Errno::EACCES));
    world.script("chmod 100 /f");
    assert_eq!(found.inode().permission(&caller, Access::EXEC), Ok(()));
}

#[test]
fn sticky_directories_protect_the_files_of_others() {
    world().script(
        "
        mkdir /tmp
        chmod 1777 /tmp
        stat /tmp -> d1777 2 0:0
        as 1 write /tmp/one x
        as 2 rm /tmp/one -> EPERM
        as 2 mv /tmp/one /tmp/two -> EPERM
        as 2 write /tmp/two y
        as 2 mv /tmp/two /tmp/one -> EPERM
        as 1 rm /tmp/one
        rm /tmp/two
        ",
    );
}

#[test]
fn setgid_directories_hand_on_their_group() {
    world().script(
        "
        mkdir /shared
        chown 0:50 /shared
        chmod 2777 /shared
        as 1 touch /shared/f
        stat /shared/f -> -0644 1 1:50
        as 1 mkdir /shared/d
        stat /shared/d -> d2755 2 1:50
        ",
    );
}

#[test]
fn attributes_are_changed_by_those_who_may() {
    world().script(
        "
        write /f x
        chown 1:1 /f
        as 2 chmod 777 /f -> EPERM
        as 1 chmod 4755 /f
        stat /f -> -4755 1 1:1
        as 1 chown 2:1 /f -> EPERM
        as 1:1:9 chown x:9 /f
        # the set-user-id bit does not outlive a change of owner
        stat /f -> -0755 1 1:9
        as 1 chown x:3 /f -> EPERM
        chown 0:0 /f
        stat /f -> -0755 1 0:0
        as 2 utimens /f now -> EACCES
        as 2 utimens /f 5 -> EPERM
        chmod 666 /f
        as 2 utimens /f now
        as 2 utimens /f 5 -> EPERM
        umask 077
        touch /g
        mkdir /d
        stat /g -> -0600 1 0:0
        stat /d -> d0700 2 0:0
        ",
    );
}
