//! Making, removing and moving names.

use super::*;

#[test]
fn names_are_made_once_and_removed_by_type() {
    world().script(
        "
        mkdir /d
        mkdir /d -> EEXIST
        mkdir / -> EEXIST
        mkdir /d/. -> EEXIST
        mkdir /d/x/
        mkdir /x/y -> ENOENT
        touch /f
        mkdir /f -> EEXIST
        mkdir /f/x -> ENOTDIR
        touch /new/ -> EISDIR
        touch /d -> EISDIR
        create /f 644 -> EEXIST
        rm /d -> EISDIR
        rm /f/ -> ENOTDIR
        rm /none -> ENOENT
        rm / -> EISDIR
        rmdir /f -> ENOTDIR
        rmdir /d -> ENOTEMPTY
        rmdir / -> EBUSY
        rmdir /d/. -> EINVAL
        rmdir /d/.. -> ENOTEMPTY
        rmdir /d/x/
        rmdir /d
        rm /f
        ls / -> . ..
        ",
    );
}

#[test]
fn renames_replace_and_refuse_as_rename_2_says() {
    world().script(
        "
        write /a 1
        write /b 2
        mv /a /b
        cat /b -> 1
        stat /a -> ENOENT
        mv /a /c -> ENOENT
        mkdir /d
        mkdir /d/sub
        mkdir /e
        mv /b /d -> EISDIR
        mv /d /b -> ENOTDIR
        mv /e /d -> ENOTEMPTY
        mv /d /e
        ls /e -> . .. sub
        mv /e /e/sub/x -> EINVAL
        mv /e /e -> ok
        mv /e/sub /e -> ENOTEMPTY
        mv /e/. /x -> EBUSY
        mv / /x -> EBUSY
        mv /b /x/ -> ENOTDIR
        mv /e /x/
        stat /x/sub -> d0755 2 0:0
        # two names of one file: nothing happens
        ln /b /b2
        mv /b /b2
        stat /b -> -0644 2 0:0
        stat /b2 -> -0644 2 0:0
        ",
    );
}

#[test]
fn a_rename_is_seen_by_those_who_stand_in_the_directory() {
    world().script(
        "
        mkdir /a
        mkdir /a/b
        write /a/b/f x
        cd /a/b
        mv /a /moved
        pwd -> /moved/b
        cat f -> x
        cat ../b/f -> x
        mkdir /a
        ls /a -> . ..
        ",
    );
}

#[test]
fn a_removed_directory_stays_usable_only_to_leave_it() {
    world().script(
        "
        mkdir /a
        mkdir /a/b
        cd /a/b
        rmdir /a/b
        pwd -> ENOENT
        touch f -> ENOENT
        mkdir d -> ENOENT
        mv /a x -> ENOENT
        ls . -> ENOENT
        stat .. -> d0755 2 0:0
        # a new directory of that name is another one
        mkdir /a/b
        pwd -> ENOENT
        cd ..
        pwd -> /a
        ",
    );
}

#[test]
fn hard_links_share_one_inode() {
    world().script(
        "
        write /a one
        ln /a /b
        stat /b -> -0644 2 0:0
        append /b +two
        cat /a -> one+two
        rm /a
        stat /b -> -0644 1 0:0
        ln /b /b -> EEXIST
        ln /none /c -> ENOENT
        mkdir /d
        ln /d /e -> EPERM
        symlink b /l
        ln /l /l2
        readlink /l2 -> b
        # fs.protected_hardlinks
        chmod 1777 /
        as 1 ln /b /c -> EPERM
        chmod 666 /b
        as 1 ln /b /c
        ",
    );
}

#[test]
fn a_file_lives_until_its_last_user_closes_it() {
    world().script(
        "
        tmpfs / size=16k
        cd /..
        mkdir /m
        tmpfs /m size=16k
        cd /m
        write f hello
        free -> 3 blocks 8191 files
        open fd f
        rm f
        stat f -> ENOENT
        fread fd -> hello
        free -> 3 blocks 8191 files
        close fd
        free -> 4 blocks 8192 files
        ",
    );
}

#[test]
fn directory_positions_survive_changes() {
    world().script(
        "
        mkdir /d
        touch /d/a
        touch /d/b
        touch /d/c
        opendir d /d
        dir d 0 3 -> . .. a
        rm /d/a
        rm /d/b
        touch /d/new
        dir d 3 9 -> c new
        rm /d/c
        dir d 0 9 -> . .. new
        dir d 18446744073709551615 9 -> ok
        mv /d/new /d/renamed
        ls /d -> . .. renamed
        ",
    );
}
