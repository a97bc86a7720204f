//! The default profile, tried out in a child and run by hand; profiles of the user's.

use super::*;
use crate::credentials::Rights;
use crate::testing;
use podsim_sys::{Capability, Credentials};
use std::os::unix::process::ExitStatusExt;
use std::process::Command;

const CHILD: &str = "seccomp::tests::child";
const EPERM: u32 = 0x5_0000 | libc::EPERM as u32;
const ENOSYS: u32 = 0x5_0000 | libc::ENOSYS as u32;
const ALLOW: u32 = 0x7fff_0000;

fn program(rules: &Rules) -> Vec<bpf::Instruction> {
    bpf::compile(rules).expect("it fits")
}

fn number(name: &str) -> u32 {
    let call = table::CALLS.iter().find(|call| call.name == name).expect(name);
    call.number().expect(name)
}

#[test]
fn the_table_is_sorted_and_knows_the_numbers_of_libc() {
    assert!(table::CALLS.is_sorted_by_key(|call| call.name));
    for (name, libc) in [
        ("read", libc::SYS_read),
        ("clone", libc::SYS_clone),
        ("clone3", libc::SYS_clone3),
        ("mount", libc::SYS_mount),
        ("keyctl", libc::SYS_keyctl),
        ("prctl", libc::SYS_prctl),
        ("newfstatat", libc::SYS_newfstatat),
        ("openat2", libc::SYS_openat2),
        ("membarrier", libc::SYS_membarrier),
    ] {
        assert_eq!(i64::from(number(name)), libc, "{name}");
    }
}

#[test]
fn the_default_profile_depends_on_capabilities_flags_and_values() {
    let plain = program(&default(CapSet::CONTAINER_DEFAULT));
    let admin = program(&default(CapSet::CONTAINER_DEFAULT.with(Capability::SYS_ADMIN)));
    let upper = 1_u64 << 32;
    let (vsock, user) = (libc::AF_VSOCK as u64, libc::CLONE_NEWUSER as u64);
    for (name, arg, for_plain, for_admin) in [
        ("read", 0, ALLOW, ALLOW),
        ("chroot", 0, ALLOW, ALLOW),
        ("prctl", 35, ALLOW, ALLOW),
        ("mount", 0, EPERM, ALLOW),
        ("unshare", 0, EPERM, ALLOW),
        ("keyctl", 0, EPERM, EPERM),
        ("reboot", 0, EPERM, EPERM),
        ("clone3", 0, ENOSYS, ALLOW),
        ("clone", 0x11, ALLOW, ALLOW),
        ("clone", 0x11 | user, EPERM, ALLOW),
        ("clone", 0x11 | upper, ALLOW, ALLOW),
        ("socket", 2, ALLOW, ALLOW),
        ("socket", vsock, EPERM, EPERM),
        ("socket", vsock | upper, EPERM, EPERM),
        ("personality", 0x2_0008, ALLOW, ALLOW),
        ("personality", 0xffff_ffff, ALLOW, ALLOW),
        ("personality", 0x4_0000, EPERM, EPERM),
    ] {
        let args = [arg, 0, 0, 0, 0, 0];
        let got = [&plain, &admin].map(|program| bpf::run(program, number(name), args));
        assert_eq!(got, [for_plain, for_admin], "{name}({arg:#x})");
    }
    for newer in [unknown_from(), 0x4000_0000, u32::MAX] {
        assert_eq!(bpf::run(&plain, newer, [0; 6]), ENOSYS, "{newer}");
    }
}

#[test]
fn arguments_are_compared_in_64_bits() {
    use bpf::{Compare, Condition, Rule};
    let values = [
        0,
        5,
        6,
        7,
        (1 << 32) | 6,
        (2 << 32) | 5,
        (2 << 32) | 6,
        (2 << 32) | 7,
        u64::MAX,
    ];
    let compares = [
        (Compare::Ne, u64::ne as fn(&u64, &u64) -> bool),
        (Compare::Lt, u64::lt),
        (Compare::Le, u64::le),
        (Compare::Eq, u64::eq),
        (Compare::Ge, u64::ge),
        (Compare::Gt, u64::gt),
    ];
    for (compare, truth) in compares {
        for value in values {
            for mask in [u64::MAX, 0xf_0000_000f] {
                let condition = Condition {
                    index: 5,
                    mask,
                    compare,
                    value,
                };
                let rule = Rule {
                    conditions: vec![Condition::masked(0, u64::MAX, 9), condition],
                    action: Action::Allow,
                };
                let rules = Rules {
                    calls: [(1, vec![rule])].into(),
                    default: Action::Errno(1),
                    unknown_from: None,
                };
                let program = program(&rules);
                for arg in values {
                    let expected = if truth(&(arg & mask), &value) { ALLOW } else { EPERM };
                    let got = bpf::run(&program, 1, [9, 0, 0, 0, 0, arg]);
                    assert_eq!(got, expected, "{arg:#x} & {mask:#x} {compare:?} {value:#x}");
                    assert_eq!(bpf::run(&program, 1, [8, 0, 0, 0, 0, arg]), EPERM);
                }
            }
        }
    }
}

/// The number that a system call with these arguments fails with; 0 if it does not.
fn errno(number: libc::c_long, args: [u64; 4]) -> i32 {
    #[expect(unsafe_code, reason = "the calls are those that no wrapper makes")]
    // SAFETY: the tests call only what fails, or does nothing, with these arguments.
    let result = unsafe { libc::syscall(number, args[0], args[1], args[2], args[3]) };
    if result == -1 {
        std::io::Error::last_os_error().raw_os_error().unwrap_or(-1)
    } else {
        0
    }
}

#[test]
fn child() {
    let Some(orders) = testing::orders() else { return };
    let (profile, bounding, no_new_privs): (SeccompProfile, u64, bool) = serde_json::from_str(&orders).expect("orders");
    let filter = compile(&profile, CapSet(bounding))
        .expect("it compiles")
        .expect("a filter");
    let rights = Rights {
        no_new_privs,
        ..Rights::from(&Credentials::root(CapSet(bounding)))
    };
    rights.confine(Some(&filter), None).expect("confined");
    println!("> mount {}", errno(libc::SYS_mount, [0; 4]));
    println!("> keyctl {}", errno(libc::SYS_keyctl, [0, 0, 0, 0]));
    println!("> clone3 {}", errno(libc::SYS_clone3, [0; 4]));
    println!(
        "> unshare {}",
        errno(libc::SYS_unshare, [libc::CLONE_NEWUSER as u64, 0, 0, 0])
    );
    println!("> newer {}", errno(2000, [0; 4]));
    // What a wasm guest needs: code that is made executable, alternate stacks, threads, processes, its name.
    let page = memmap2::MmapMut::map_anon(4096).expect("mmap").make_exec();
    println!("> mprotect {}", page.is_ok());
    println!("> sigaltstack {}", errno(libc::SYS_sigaltstack, [0; 4]));
    println!("> membarrier {}", errno(libc::SYS_membarrier, [0; 4]));
    // PR_SET_MM, PR_SET_MM_MAP_SIZE: the question needs no rights.
    let mut size = 0_u32;
    let asked = errno(libc::SYS_prctl, [35, 15, (&raw mut size).addr() as u64, 0]);
    println!("> prctl {asked} {}", size > 0);
    println!("> thread {}", std::thread::spawn(|| 7).join().expect("it ends"));
    let process = Command::new("true").status().map(|status| status.success());
    println!("> process {process:?}");
    testing::done();
}

fn child_with(profile: &SeccompProfile, bounding: CapSet, no_new_privs: bool) -> Command {
    let orders = serde_json::to_string(&(profile, bounding.0, no_new_privs)).expect("JSON");
    testing::child(CHILD, &orders)
}

#[test]
fn a_container_of_the_default_profile_cannot_mount_and_guests_work() {
    if !testing::is_root() {
        return;
    }
    let plain = [
        "mount 1",
        "keyctl 1",
        "clone3 38",
        "unshare 1",
        "newer 38",
        "mprotect true",
        "sigaltstack 0",
        "membarrier 0",
        "prctl 0 true",
        "thread 7",
        "process Ok(true)",
    ];
    for no_new_privs in [false, true] {
        let mut child = child_with(&SeccompProfile::RuntimeDefault, CapSet::CONTAINER_DEFAULT, no_new_privs);
        assert_eq!(testing::told(&mut child), plain);
    }
    // With the capability the kernel sees the calls: EFAULT, EINVAL (also for a process with threads).
    let admin = CapSet::CONTAINER_DEFAULT.with(Capability::SYS_ADMIN);
    let told = testing::told(&mut child_with(&SeccompProfile::RuntimeDefault, admin, true));
    assert_eq!(
        told[..5],
        ["mount 14", "keyctl 1", "clone3 22", "unshare 22", "newer 38"]
    );
}

#[test]
fn a_profile_of_the_users_is_read_and_obeyed() {
    let json = r#"{
        "defaultAction": "SCMP_ACT_ALLOW",
        "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"],
        "syscalls": [
            {"names": ["mount", "no_such_call"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95},
            {"names": ["unshare"], "action": "SCMP_ACT_ERRNO",
             "args": [{"index": 0, "value": 268435456, "valueTwo": 268435456, "op": "SCMP_CMP_MASKED_EQ"}]},
            {"names": ["keyctl"], "action": "SCMP_ACT_ERRNO", "errnoRet": 7, "includes": {"caps": ["CAP_CHOWN"], "minKernel": "4.8"}},
            {"names": ["read"], "action": "SCMP_ACT_KILL", "excludes": {"caps": ["CAP_CHOWN"]}},
            {"names": ["reboot"], "action": "SCMP_ACT_KILL_PROCESS"}
        ]
    }"#;
    let rules = localhost::parse(json, CapSet::CONTAINER_DEFAULT).expect("it is one");
    let program = program(&rules);
    let run = |name, arg| bpf::run(&program, number(name), [arg, 0, 0, 0, 0, 0]);
    assert_eq!(run("mount", 0), 0x5_0000 | 95);
    assert_eq!(run("unshare", libc::CLONE_NEWUSER as u64 | 1), EPERM);
    assert_eq!(run("unshare", 0), ALLOW);
    assert_eq!(run("keyctl", 0), 0x5_0000 | 7);
    assert_eq!((run("read", 0), run("reboot", 0)), (ALLOW, 0x8000_0000));
    assert_eq!(bpf::run(&program, 2000, [0; 6]), ALLOW);

    if testing::is_root() {
        let deadly = json.replace("reboot", "sigaltstack");
        let status = child_with(&SeccompProfile::Localhost(deadly), CapSet::CONTAINER_DEFAULT, false)
            .status()
            .expect("it starts");
        assert_eq!(status.signal(), Some(libc::SIGSYS));
    }
}

#[test]
fn a_profile_that_cannot_be_obeyed_is_refused() {
    for (json, error) in [
        ("{", "EOF while parsing an object at line 1 column 1"),
        (
            r#"{"defaultAction": "SCMP_ACT_NOTIFY"}"#,
            "the action SCMP_ACT_NOTIFY is not supported",
        ),
        (
            r#"{"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_S390X"]}"#,
            "it is for SCMP_ARCH_S390X, and not for",
        ),
        (
            r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_LOG",
                "args": [{"index": 6, "op": "SCMP_CMP_EQ"}]}]}"#,
            "a system call has no argument 6",
        ),
    ] {
        let refused = compile(&SeccompProfile::Localhost(json.to_owned()), CapSet::EMPTY)
            .expect_err(json)
            .to_string();
        assert!(refused.starts_with(&format!("seccomp profile: {error}")), "{refused}");
    }
    assert!(matches!(compile(&SeccompProfile::Unconfined, CapSet::EMPTY), Ok(None)));
}
