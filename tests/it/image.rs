//! `podsim image`, as a user types it.

use crate::podsim::User;
use std::fs;

/// A root filesystem with one program.
fn rootfs(user: &User, program: &[u8]) {
    let bin = user.home().join("root/bin");
    fs::create_dir_all(&bin).expect("a directory");
    fs::write(bin.join("app"), program).expect("a file");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(bin.join("app"), fs::Permissions::from_mode(0o755)).expect("a mode");
    }
}

fn pod(image: &str, command: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: job}}\nspec:\n  restartPolicy: Never\n  containers:\n  - name: a\n    \
         image: {image}\n    imagePullPolicy: IfNotPresent\n    command: {command}\n"
    )
}

/// Ids differ from run to run: the time is in them.
fn without_ids(text: &str) -> String {
    let mut words = Vec::new();
    for word in text.split_inclusive(char::is_whitespace) {
        let hex = word.trim_end().trim_start_matches("sha256:");
        let is_id = matches!(hex.len(), 12 | 64) && hex.bytes().all(|b| b.is_ascii_hexdigit());
        words.push(if is_id {
            word.replace(hex, "ID")
        } else {
            word.to_owned()
        });
    }
    words.concat()
}

#[test]
fn an_image_is_imported_named_looked_at_and_removed() {
    let user = User::new();
    rootfs(&user, b"\0asm\x01\0\0\0");
    let say = |args: &[&str]| without_ids(&user.podsim(&[&["image"], args].concat()).whole());
    let import = [
        "import-rootfs",
        "root",
        "mine",
        "--cmd",
        "app -v",
        "--env",
        "A=1",
        "--user",
        "1:2",
        "--workdir",
        "/bin",
        "--expose",
        "80",
        "--stop-signal",
        "SIGQUIT",
    ];
    assert_eq!(say(&import), "exit code 0\n--- stdout\nsha256:ID\n--- stderr\n");
    assert_eq!(
        say(&["tag", "mine", "localhost:5000/mine:2"]),
        "exit code 0\n--- stdout\n--- stderr\n"
    );
    let ls = say(&["ls"]);
    let rows: Vec<String> = ls.lines().map(squeeze).collect();
    assert!(
        rows.contains(&"REPOSITORY TAG IMAGE ID CREATED SIZE RUNS".to_owned()),
        "{ls}"
    );
    for name in ["mine latest ID ", "localhost:5000/mine 2 ID "] {
        let row = rows.iter().find(|row| row.starts_with(name));
        assert!(
            row.is_some_and(|row| row.ends_with(" app -v") && row.contains(" ago ")),
            "{name}\n{ls}"
        );
    }
    let inspect = |format: &str| user.podsim(&["image", "inspect", "-f", format, "mine"]).stdout;
    assert_eq!(
        inspect("{{.Config.Cmd}} {{.Config.User}} {{.Config.StopSignal}}"),
        "[\"app\",\"-v\"] 1:2 SIGQUIT\n"
    );
    assert_eq!(
        inspect("{{.RepoTags}}"),
        "[\"mine:latest\",\"localhost:5000/mine:2\"]\n"
    );
    assert_eq!(
        say(&["rm", "mine", "nope", "busybox"]),
        "exit code 1\n--- stdout\nUntagged: mine:latest\n--- stderr\nError: No such image: nope:latest\n\
         Error: conflict: unable to delete busybox: a built-in image cannot be removed\n"
    );
    assert_eq!(
        say(&["rm", "localhost:5000/mine:2"]),
        "exit code 0\n--- stdout\nUntagged: localhost:5000/mine:2\nDeleted: sha256:ID\n--- stderr\n"
    );
    let left = fs::read_dir(user.home().join("data/images/blobs/sha256"))
        .expect("the store")
        .count();
    assert_eq!(left, 0, "blobs are left behind");
}

fn squeeze(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn what_cannot_be_done_is_said() {
    let user = User::new();
    user.file("no.tar", "no archive");
    rootfs(&user, b"");
    for (args, message) in [
        (&["load", "missing.tar"][..], "error: missing.tar: "),
        (
            &["load", "no.tar"],
            "error: no.tar: the archive has a header that is cut off\n",
        ),
        (
            &["load", "root"],
            "error: root: it has neither manifest.json (docker save) nor index.json (OCI image layout); \
             `podsim image import-rootfs` makes an image of a root filesystem\n",
        ),
        (&["tag", "nope", "a"], "Error: No such image: nope:latest\n"),
        (&["inspect", "nope"], "Error: No such image: nope\n"),
        (&["pull", "localhost:1/nope"], "error: localhost:1: "),
    ] {
        let said = user.podsim(&[&["image"], args].concat());
        assert!(
            said.code == Some(1) && said.stderr.starts_with(message),
            "{args:?}\n{}",
            said.whole()
        );
    }
    for (args, message) in [
        (
            &["import-rootfs", "root", "Mine"][..],
            "repository name must be lowercase",
        ),
        (
            &["import-rootfs", "root", "a", "--expose", "http"],
            "expected a port, as 80 or 53/udp",
        ),
        (
            &["import-rootfs", "root", "a", "--stop-signal", "SIGNOPE"],
            "no such signal",
        ),
        (
            &["import-rootfs", "root", "a", "--cmd", "[1]"],
            "expected a JSON list of texts",
        ),
        (
            &["pull", "a", "--platform", "linux"],
            "expected OS/ARCHITECTURE, as linux/arm64",
        ),
    ] {
        let said = user.podsim(&[&["image"], args].concat());
        assert!(
            said.code == Some(2) && said.stderr.contains(message),
            "{args:?}\n{}",
            said.whole()
        );
    }
}

#[test]
fn pods_run_images_of_the_users() {
    let user = User::new();
    let tagged = user.podsim(&["image", "tag", "busybox", "mine:1"]);
    assert_eq!(tagged.code, Some(0), "{}", tagged.whole());
    user.file("pod.yaml", &pod("mine:1", "[echo, mine]"));
    let said = user.podsim(&["run", "pod.yaml"]);
    assert_eq!(
        (said.code, said.stdout.as_str()),
        (Some(0), "mine\n"),
        "{}",
        said.whole()
    );

    rootfs(&user, b"\x7fELF\x02\x01\x01");
    let imported = user.podsim(&["image", "import-rootfs", "root", "elf"]);
    assert_eq!(imported.code, Some(0), "{}", imported.whole());
    user.file("pod.yaml", &pod("elf", "[/bin/app]"));
    let said = user.podsim(&["run", "pod.yaml"]);
    assert!(
        said.stderr.to_lowercase().contains("exec format error"),
        "{}",
        said.whole()
    );
}

#[test]
fn a_running_node_sees_new_images() {
    let user = User::new();
    user.file("pod.yaml", &pod("busybox", "[sleep, '1000']"));
    let started = user.podsim(&["run", "-d", "--wait", "pod.yaml"]);
    assert_eq!(started.code, Some(0), "{}", started.whole());
    rootfs(&user, b"");
    let imported = user.podsim(&["image", "import-rootfs", "root", "quay.io/me/late:3"]);
    let images = user.podsim(&["node", "shell", "--", "docker", "images"]);
    let crictl = user.podsim(&["node", "shell", "--", "crictl", "images"]);
    user.podsim(&["node", "stop"]);
    assert_eq!(imported.code, Some(0), "{}", imported.whole());
    for said in [images, crictl] {
        let line = said.stdout.lines().find(|line| line.starts_with("quay.io/me/late"));
        let words: Vec<&str> = line.unwrap_or_default().split_whitespace().collect();
        assert_eq!(words.get(1), Some(&"3"), "{}", said.whole());
    }
}
