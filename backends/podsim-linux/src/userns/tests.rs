//! Rootless podsim with and without newuidmap, ranges for Pods, id-mapped mounts.

use super::*;
use crate::testing;
use rustix::fd::AsFd;
use rustix::mount::{OpenTreeFlags, open_tree};
use std::os::unix::fs::MetadataExt;

const CHILD: &str = "userns::tests::child";

#[test]
fn ranges_for_pods_avoid_those_that_are_taken() {
    let range = |first, count| IdRange { first, count };
    assert_eq!(free_range(&[], u32::MAX), Some(range(65_536, 65_536)));
    let taken = [range(65_536, 65_536), range(100_000, 65_536)];
    assert_eq!(
        free_range(&taken, u32::MAX),
        Some(range(196_608, 65_536)),
        "both lie below it"
    );
    assert_eq!(free_range(&[], 65_537), None, "rootless with one range");
    assert_eq!(free_range(&[range(0, u32::MAX)], u32::MAX), None);
    assert_eq!(range(65_536, 65_536).from_zero().outside, 65_536);
}

#[test]
fn the_largest_range_of_a_user_counts_by_name_or_number() {
    let file = "ann:100000:65536\n1000:300000:10\nann:400000:131072\nbob:1:bad\n";
    let range = |first, count| Some(IdRange { first, count });
    assert_eq!(ids::subordinate(file, Some("ann"), 1000), range(400_000, 131_072));
    assert_eq!(ids::subordinate(file, None, 1000), range(300_000, 10));
    assert_eq!(ids::subordinate(file, Some("bob"), 7), None);
}

#[test]
fn a_machine_without_user_namespaces_says_what_helps() {
    let some = |text: &str| Some(text.to_owned());
    let usual = Switches {
        clone: some("1"),
        max: some("63000"),
        apparmor: some("0"),
    };
    let rows = [
        (
            Switches {
                clone: some("0"),
                ..usual.clone()
            },
            Errno::PERM,
            "run `sudo sysctl kernel.unprivileged_userns_clone=1`, or podsim as root",
        ),
        (
            Switches {
                max: some("0"),
                ..usual.clone()
            },
            Errno::NOSPC,
            "run `sudo sysctl user.max_user_namespaces=15000`, or podsim as root",
        ),
        (
            Switches {
                apparmor: some("1"),
                ..usual.clone()
            },
            Errno::ACCESS,
            "AppArmor forbids them; run `sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0`, or podsim as root",
        ),
        (
            Switches::default(),
            Errno::INVAL,
            "this kernel is built without CONFIG_USER_NS; run podsim as root",
        ),
        (
            usual.clone(),
            Errno::NOSPC,
            "there are too many of them; raise user.max_user_namespaces",
        ),
        (
            usual,
            Errno::PERM,
            "a container or seccomp forbids them; run podsim as root, or its container with --security-opt seccomp=unconfined",
        ),
    ];
    for (switches, error, remedy) in rows {
        let message = switches.explain(error).to_string();
        assert_eq!(message, format!("--backend=linux needs a user namespace: {remedy}"));
    }
}

/// Runs as the only thread of a process, as the user that it is told to be, and tells what it became.
#[test]
fn child() {
    let Some(orders) = testing::orders() else { return };
    let (work, uid): (String, u32) = serde_json::from_str(&orders).expect("orders");
    testing::alone(|| {
        if work == "rootless with a range" {
            own_ranges(uid);
        }
        if uid != 0 {
            let user = crate::credentials::Rights {
                uid,
                gid: uid,
                groups: vec![uid],
                bounding: u64::MAX,
                ..Default::default()
            };
            user.apply(None).expect("another user");
        }
        match work.as_str() {
            "rootless" | "rootless with a range" => {
                let rootless = enter_rootless().expect("a user namespace");
                println!("> {:?} {:?}", rootless.ids, rootless.missing);
                let read = |file: &str| std::fs::read_to_string(file).expect(file);
                for file in ["/proc/self/uid_map", "/proc/self/gid_map"] {
                    for line in read(file).lines() {
                        println!("> {}", line.split_whitespace().collect::<Vec<_>>().join(" "));
                    }
                }
                let ids = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
                println!(
                    "> {ids:?} {}",
                    crate::credentials::available() == podsim_sys::CapSet::FULL
                );
                let nobody = crate::credentials::Rights {
                    uid: 65_534,
                    gid: 65_534,
                    groups: vec![65_534],
                    ..Default::default()
                };
                println!(
                    "> {}",
                    nobody
                        .apply(None)
                        .err()
                        .map_or("nobody".to_owned(), |error| error.to_string())
                );
            }
            "preflight" => println!("> {:?}", preflight(uid)),
            other => panic!("unknown work {other}"),
        }
    });
}

/// Gives the user a range in files that only this process sees.
fn own_ranges(uid: u32) {
    use nix::mount::{MsFlags, mount};
    let none = None::<&str>;
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS).expect("a mount namespace");
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).expect("private mounts");
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(&file, format!("{uid}:400000:65536\n")).expect("a range");
    for target in ["/etc/subuid", "/etc/subgid"] {
        mount(Some(file.path()), target, none, MsFlags::MS_BIND, none).expect(target);
    }
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o644)).expect("readable");
}

fn told(work: &str, uid: u32) -> Vec<String> {
    testing::told(&mut testing::child(
        CHILD,
        &serde_json::to_string(&(work, uid)).expect("JSON"),
    ))
}

#[test]
fn a_user_with_a_range_gets_all_its_ids() {
    if !testing::is_root() {
        return;
    }
    let files = ["/usr/bin/newuidmap", "/usr/bin/newgidmap", "/etc/subuid", "/etc/subgid"];
    if let Some(file) = files.iter().find(|file| !std::path::Path::new(file).exists()) {
        eprintln!("needs {file} (package uidmap)");
        return;
    }
    // newuidmap serves only users that have a name: nobody.
    assert_eq!(
        told("rootless with a range", 65_534),
        [
            "Range(65537) []",
            "0 65534 1",
            "1 400000 65536",
            "0 65534 1",
            "1 400000 65536",
            "(0, 0) true",
            "nobody",
        ]
    );
}

#[test]
fn a_user_without_a_range_has_one_id_and_knows_what_would_help() {
    if !testing::is_root() {
        return;
    }
    let told = told("rootless", 54_321);
    assert!(
        told[0].starts_with("Single [\"Pods can only run as user and group 0: "),
        "{told:#?}"
    );
    assert_eq!(told[1..4], ["0 54321 1", "0 54321 1", "(0, 0) true"]);
    assert_eq!(
        told[4],
        "cannot become group 65534: Invalid argument (os error 22) (the user namespace has no such id; without root, podsim \
         needs newuidmap and a range in /etc/subuid)"
    );
}

#[test]
fn this_machine_has_what_is_needed() {
    if !testing::is_root() {
        return;
    }
    for uid in [0, 54_321] {
        let told = told("preflight", uid);
        assert!(told[0].starts_with("Ok("), "{uid}: {told:?}");
    }
}

#[test]
fn an_id_mapped_mount_shows_a_pod_its_own_files() {
    if !testing::is_root() {
        return;
    }
    let maps = [IdRange {
        first: 131_072,
        count: POD_IDS,
    }
    .from_zero()];
    let userns = new(&maps, &maps).expect("a user namespace");
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("file"), "").expect("a file");
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let mount = open_tree(rustix::fs::CWD, folder.path(), flags).expect("a mount");
    match idmap_mount(mount.as_fd(), userns.as_fd(), false).expect("it is asked rightly") {
        IdMapped::Refused => eprintln!("needs a filesystem with id-mapped mounts"),
        IdMapped::Done => {
            let file = rustix::fs::statat(&mount, "file", rustix::fs::AtFlags::empty()).expect("a file");
            assert_eq!((file.st_uid, file.st_gid), (131_072, 131_072));
            assert_eq!(
                folder.path().metadata().expect("a folder").uid(),
                0,
                "the disk is as it was"
            );
        }
    }
    let again = idmap_mount(folder_fd(&folder).as_fd(), userns.as_fd(), false);
    assert!(matches!(again, Ok(IdMapped::Refused) | Err(_)), "{again:?}: no mount");
}

fn folder_fd(folder: &tempfile::TempDir) -> std::fs::File {
    std::fs::File::open(folder.path()).expect("a folder")
}
