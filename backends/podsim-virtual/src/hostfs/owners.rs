//! [`Owners`]: whose the files of a folder are that podsim keeps for the node. The machine lets podsim give files to nobody, so their owners
//! are written down in a file beside the folder: lines of inode number, user and group, of which the last one counts.

use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

pub(super) struct Owners {
    state: Mutex<State>,
}

struct State {
    known: BTreeMap<u64, (u32, u32)>,
    file: File,
}

/// Those that are open: several nodes may have one folder.
static OPEN: Mutex<BTreeMap<PathBuf, Weak<Owners>>> = Mutex::new(BTreeMap::new());

impl Owners {
    /// Those in the file, which is made if it is not there.
    pub(super) fn open(path: &Path) -> io::Result<Arc<Self>> {
        let mut open = OPEN.lock();
        open.retain(|_, owners| owners.strong_count() > 0);
        if let Some(owners) = open.get(path).and_then(Weak::upgrade) {
            return Ok(owners);
        }
        let owners = Arc::new(Self::read(path)?);
        open.insert(path.to_owned(), Arc::downgrade(&owners));
        Ok(owners)
    }

    fn read(path: &Path) -> io::Result<Self> {
        let text = match fs::read_to_string(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            text => text?,
        };
        let known: BTreeMap<u64, (u32, u32)> = text.split_inclusive('\n').filter_map(parse).collect();
        // Once without what was overwritten; whole or not at all.
        let fresh = path.with_extension("new");
        let lines: String = known.iter().map(|(inode, owner)| line(*inode, *owner)).collect();
        fs::write(&fresh, lines)?;
        fs::rename(&fresh, path)?;
        let file = OpenOptions::new().append(true).open(path)?;
        Ok(Self {
            state: Mutex::new(State { known, file }),
        })
    }

    /// User and group; those that nobody has given away are root's.
    pub(super) fn get(&self, inode: u64) -> (u32, u32) {
        self.state.lock().known.get(&inode).copied().unwrap_or_default()
    }

    /// Gives something away. (What is new may have the number of something that is gone.)
    pub(super) fn set(&self, inode: u64, owner: (u32, u32)) -> io::Result<()> {
        let mut state = self.state.lock();
        if state.known.get(&inode).copied().unwrap_or_default() == owner {
            return Ok(());
        }
        state.file.write_all(line(inode, owner).as_bytes())?;
        state.known.insert(inode, owner);
        Ok(())
    }
}

fn line(inode: u64, (user, group): (u32, u32)) -> String {
    format!("{inode} {user} {group}\n")
}

/// A whole line; the last one may have been cut off.
fn parse(line: &str) -> Option<(u64, (u32, u32))> {
    let mut numbers = line.strip_suffix('\n')?.split(' ');
    let inode = numbers.next()?.parse().ok()?;
    let user = numbers.next()?.parse().ok()?;
    let group = numbers.next()?.parse().ok()?;
    Some((inode, (user, group)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_outlive_the_process_even_one_that_was_killed_while_it_wrote() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("owners");
        let owners = Owners::open(&path).expect("opened");
        for (inode, owner) in [(7, (1000, 2000)), (8, (1, 1)), (7, (1000, 0)), (9, (0, 0))] {
            owners.set(inode, owner).expect("written");
        }
        drop(owners);
        let mut text = fs::read_to_string(&path).expect("read");
        assert_eq!(text, "7 1000 2000\n8 1 1\n7 1000 0\n");
        text.push_str("8 99");
        fs::write(&path, text).expect("written");
        let owners = Owners::open(&path).expect("opened");
        assert_eq!([7, 8, 9].map(|inode| owners.get(inode)), [(1000, 0), (1, 1), (0, 0)]);
        assert_eq!(fs::read_to_string(&path).expect("read"), "7 1000 0\n8 1 1\n");
    }
}
