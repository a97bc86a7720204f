//! `podsim test`: documents that are true pass, documents that are not fail.

use crate::podsim::{Said, User};
use std::path::{Path, PathBuf};

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn files(dir: &Path, extension: &str) -> Vec<String> {
    let entries = std::fs::read_dir(dir)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path());
    let mut files: Vec<_> = entries
        .filter(|path| path.extension().is_some_and(|e| e == extension))
        .collect();
    files.sort();
    files.iter().map(|path| path.to_string_lossy().into_owned()).collect()
}

/// The documents that come with podsim.
fn examples() -> Vec<String> {
    let documents = files(&project().join("examples/notes"), "md");
    assert!(documents.len() >= 3, "{documents:?}");
    documents
}

fn passes(documents: &[String], options: &[&str]) {
    let said = check(&User::new(), documents, options);
    assert_eq!(said.code, Some(0), "{}", said.whole());
}

fn check(user: &User, documents: &[String], options: &[&str]) -> Said {
    let mut args = vec!["test"];
    args.extend(options);
    args.extend(documents.iter().map(String::as_str));
    user.podsim(&args)
}

/// The user's own notes lie beside the project where it is developed, and are no part of it.
fn users_notes() -> Vec<String> {
    files(&project().join("../shared/seeds"), "txt")
}

/// The node that the user's notes are about.
fn node_config() -> PathBuf {
    project().join("examples/node-with-docker.yaml")
}

fn users_notes_pass(options: &[&str]) {
    let config = node_config();
    let config = config.to_string_lossy();
    for document in users_notes() {
        passes(&[document], &[options, &["--node-config", &config]].concat());
    }
}

#[test]
fn the_examples_are_true() {
    passes(&examples(), &[]);
}

#[test]
fn the_users_notes_are_true() {
    users_notes_pass(&[]);
}

/// The same on the real kernel.
#[cfg(target_os = "linux")]
mod linux {
    use super::{Said, User, check, examples, node_config, passes, users_notes, users_notes_pass};
    use crate::podsim::is_root;

    const OPTIONS: &[&str] = &["--backend=linux"];
    /// What is true even where a Pod can have one user only: in the others nginx needs its own.
    const OF_ONE_USER: &str = "3-the-life-of-a-container.md";

    #[test]
    fn the_examples_are_true() {
        if is_root() {
            passes(&examples(), OPTIONS);
        }
    }

    #[test]
    fn the_users_notes_are_true() {
        if is_root() {
            users_notes_pass(OPTIONS);
        }
    }

    /// Where the project lies the user may not look.
    fn copies(user: &User, documents: &[String]) -> Vec<String> {
        let copy = |(index, document): (usize, &String)| {
            let extension = document.rsplit('.').next().unwrap_or_default();
            let name = format!("{index}.{extension}");
            user.file(&name, &std::fs::read_to_string(document).expect("a document"));
            name
        };
        documents.iter().enumerate().map(copy).collect()
    }

    /// `None` where the kernel lets nobody make user namespaces.
    fn checked(user: &User, documents: &[String], options: &[&str]) -> Option<Said> {
        let said = check(user, &copies(user, documents), options);
        if said.stderr.starts_with("error: --backend=linux needs ") {
            eprintln!("not run: {}", said.stderr);
            return None;
        }
        assert_eq!(said.code, Some(0), "{}", said.whole());
        Some(said)
    }

    /// Somebody without rights is root in a user namespace. Where `/etc/subuid` has no ids for him, his Pods have one user.
    #[test]
    fn the_examples_are_true_without_root() {
        if !is_root() {
            return;
        }
        let user = User::without_rights();
        let (of_one_user, others): (Vec<_>, Vec<_>) = examples()
            .into_iter()
            .partition(|document| document.ends_with(OF_ONE_USER));
        let said = checked(&user, &of_one_user, OPTIONS);
        if said.is_some_and(|said| !said.stderr.contains("Pods can only run as user and group 0")) {
            checked(&user, &others, OPTIONS);
        }
    }

    #[test]
    fn the_documents_are_true_without_root_where_there_are_ids() {
        if !is_root() {
            return;
        }
        let Some(user) = User::with_range() else {
            eprintln!("not run: nobody has a range in /etc/subuid; `useradd NAME` gives one");
            return;
        };
        if checked(&user, &examples(), OPTIONS).is_some() {
            let config = std::fs::read_to_string(node_config()).expect("a file");
            user.file("node.yaml", &config);
            let options = [OPTIONS, &["--node-config=node.yaml"]].concat();
            for document in users_notes() {
                checked(&user, &[document], &options);
            }
        }
    }
}

/// Says what is not so: the document, and words that the report must contain.
fn fails(document: &str, words: &[&str]) {
    let user = User::new();
    user.file("notes.md", document);
    let said = user.podsim(&["test", "notes.md"]);
    assert_eq!(said.code, Some(1), "{}", said.whole());
    for word in words {
        assert!(said.stdout.contains(word), "{word:?} is not in\n{}", said.whole());
    }
}

#[test]
fn a_document_that_claims_a_shared_pid_namespace_where_there_is_none_fails() {
    fails(
        include_str!("falsified/not-shared.md"),
        &["✗ $ kubectl exec web -c shell -- ps", "- ", "+ "],
    );
}

#[test]
fn a_document_whose_inodes_say_shared_where_they_are_not_fails() {
    fails(include_str!("falsified/inodes.md"), &["✗ ", "before, and is"]);
}

#[test]
fn a_document_with_a_wrong_line_of_the_hosts_file_fails() {
    fails(
        include_str!("falsified/hosts.md"),
        &["✗ $ kubectl exec aliases -- cat /etc/hosts", "10.9.8.8"],
    );
}

#[test]
fn a_document_whose_pre_stop_hook_never_ran_fails() {
    fails(
        include_str!("falsified/pre-stop.md"),
        &["✗ $ kubectl exec witness -- cat /tmp/heard", "- good-bye"],
    );
}

#[test]
fn an_updated_document_is_true() {
    let user = User::new();
    user.file("notes.md", include_str!("falsified/hosts.md"));
    let said = user.podsim(&["test", "--update", "notes.md"]);
    assert!(said.stdout.contains("✗"), "{}", said.whole());
    let again = user.podsim(&["test", "--junit", "report.xml", "notes.md"]);
    assert_eq!(again.code, Some(0), "{}", again.whole());
    let report = std::fs::read_to_string(user.home().join("report.xml")).expect("a report");
    assert!(
        report.contains("<testsuite name=\"notes.md\"") && report.contains("failures=\"0\""),
        "{report}"
    );
}
