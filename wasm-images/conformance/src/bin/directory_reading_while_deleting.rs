//! Reading a directory in pieces and deleting what was read: every name comes once, and the directory is empty then.

use conformance::files::*;
use conformance::*;
use podsim_guest::*;
use std::collections::BTreeMap;

const FILES: usize = 300;

fn main() {
    conformance(|| {
        enter_directory("reading")?;
        must("mkdir", mkdir("dir"))?;
        for n in 0..FILES {
            put(&format!("dir/file-{n}"), b"")?;
        }
        let dir = must("open", open("dir", OpenFlags::DIRECTORY))?;
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        let mut position = 0;
        loop {
            let entries = must("getdents", getdents(dir, position, 7))?;
            let Some(last) = entries.last() else { break };
            position = last.next;
            for entry in entries {
                if entry.name.starts_with("file") {
                    expect("the type", entry.file_type, FileType::Regular)?;
                    must("unlink", unlinkat(dir, &entry.name, false))?;
                }
                *seen.entry(entry.name).or_default() += 1;
            }
        }
        expect("names", seen.len(), FILES + 2)?;
        expect("each once", seen.values().all(|n| *n == 1), true)?;
        expect(
            "`.` and `..`",
            (seen.contains_key("."), seen.contains_key("..")),
            (true, true),
        )?;
        let left = must(
            "getdents",
            getdents(must("open", open("dir", OpenFlags::DIRECTORY))?, 0, 100),
        )?;
        expect("what is left", left.len(), 2)?;
        let own = must("stat", inode("dir"))?;
        let parent = must("stat", inode("."))?;
        for entry in left {
            let ino = if entry.name == "." { own } else { parent };
            expect(&entry.name, entry.ino, ino)?;
        }
        expect("rmdir", rmdir("dir"), Ok(()))?;
        expect(
            "reading what was removed",
            getdents(dir, position, 10).unwrap_or_default().len(),
            0,
        )?;
        put("file", b"")?;
        let file = must("open", open("file", OpenFlags::empty()))?;
        expect("reading a file so", getdents(file, 0, 10), Err(Errno::ENOTDIR))
    })
}
