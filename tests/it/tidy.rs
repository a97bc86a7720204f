//! Habits that a machine can check: every file says what it is, and none grows out of hand.

use std::fs;
use std::path::{Path, PathBuf};

/// The most lines of a source file: at 500 one looks for the seam, at 800 this test does.
const MAX_LINES: usize = 800;

fn rust_files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            if name != "target" && !name.starts_with('.') {
                rust_files(&path, found);
            }
        } else if name.ends_with(".rs") {
            found.push(path);
        }
    }
}

#[test]
fn every_source_file_opens_with_a_doc_comment_and_stays_readable() {
    let mut files = Vec::new();
    rust_files(Path::new(".."), &mut files);
    assert!(files.len() > 100, "the project's sources were not found");
    let mut wrong = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).expect("UTF-8");
        let lines = text.lines().count();
        if lines > MAX_LINES {
            wrong.push(format!("{}: {lines} lines (at most {MAX_LINES})", file.display()));
        }
        if !text.starts_with("//!") {
            wrong.push(format!("{}: does not say what it is (`//!`)", file.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
