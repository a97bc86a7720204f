//! Guests over the real kernel: what is particular to processes that are podsim executed anew. (The conformance programs are run by the
//! whole backend.)

mod namespaces;

use crate::podsim::is_root;

/// What a script writes to both streams, in a container of busybox.
fn said_by(script: &str) -> String {
    let nothing = tempfile::tempdir().expect("a directory");
    let output = namespaces::run("busybox", &format!("exec 2>&1; {script}"), nothing.path());
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_shell_runs_pipelines_subshells_and_scripts() {
    if !is_root() {
        return;
    }
    let said = said_by(
        r"
        for i in 1 2 3; do echo line $i; done | sort -r | (read first; echo first is $first; cat) | wc -l
        x=$(echo a; (echo b; exit 3); echo $?); echo $x
        printf '#!/bin/cat\nof a script\n' > /tmp/script; chmod +x /tmp/script; /tmp/script
        trap 'echo a trap' USR1; kill -USR1 $$; echo after it
        /etc/passwd; echo $?; /nothing; echo $?",
    );
    insta::assert_snapshot!(said, @"
    3
    a b 3
    #!/bin/cat
    of a script
    a trap
    after it
    sh: /etc/passwd: Permission denied
    126
    sh: /nothing: not found
    127
    ");
}

#[test]
fn the_end_of_a_process_is_real() {
    if !is_root() {
        return;
    }
    let said = said_by("for s in TERM SEGV KILL PIPE FPE; do sh -c \"kill -$s \\$\\$; echo alive\"; echo $s $?; done");
    insta::assert_snapshot!(said, @"
    Terminated
    TERM 143
    Segmentation fault
    SEGV 139
    Killed
    KILL 137
    PIPE 141
    Floating point exception
    FPE 136
    ");
}

#[test]
fn a_guest_has_no_descriptors_but_its_own_and_looks_like_its_program() {
    if !is_root() {
        return;
    }
    let said = said_by(
        r"
        ls /proc/self/fd; ls /proc/1/fd; sh -c 'exec 0<&-; ls /proc/self/fd'
        cat /proc/self/comm; readlink /proc/self/exe; tr '\0' '\n' < /proc/1/environ | sort; env -i A=1 cat /proc/self/environ | tr '\0' '\n'",
    );
    insta::assert_snapshot!(said, @"
    ls: /proc/self/fd/3: No such file or directory
    0
    1
    2
    0
    1
    2
    ls: /proc/self/fd/0: No such file or directory
    1
    2
    cat
    /bin/readlink
    HOME=/root
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
    A=1
    ");
}

#[test]
fn programs_are_found_where_there_is_no_proc() {
    if !is_root() {
        return;
    }
    let said = said_by(
        r"
        mkdir -p /tmp/root/bin; cp /bin/busybox /tmp/root/bin/sh; cp /bin/busybox /tmp/root/bin/ls
        chroot /tmp/root /bin/sh -c '(ls /bin | while read name; do echo $name; done) | (read first; echo $first); sh -c ls'",
    );
    insta::assert_snapshot!(said, @"
    ls
    bin
    ");
}
