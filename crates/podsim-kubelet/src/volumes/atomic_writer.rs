//! How the content of a volume is replaced in one instant (`pkg/volume/util/atomic_writer.go`): a pure plan.
//!
//! The files are in a directory that is named after the time, `..data` is a link to it, and what users see are links into `..data`. A
//! new content is written beside the old one; then `..data` is replaced by a rename, and whoever reads sees all of the old or all of
//! the new.

use bytes::Bytes;
use jiff::Timestamp;
use podsim_cri::{GroupAccess, VolumeChange};
use std::collections::{BTreeMap, BTreeSet};

const DATA: &str = "..data";
const NEW_DATA: &str = "..data_tmp";

/// A file of a volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileProjection {
    pub(crate) content: Bytes,
    /// Permission bits.
    pub(crate) mode: u32,
    /// The owner; `None`: root.
    pub(crate) uid: Option<u32>,
}

/// The files by path.
pub(crate) type Payload = BTreeMap<String, FileProjection>;

/// What a volume holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Written {
    /// The directory behind `..data`.
    pub(crate) directory: String,
    pub(crate) payload: Payload,
}

/// The name for the directory of a content written at this time; another than `old`. Upstream ends it with a random number, here it is
/// the nanoseconds, so that the same run gives the same names.
pub(crate) fn directory_name(now: Timestamp, old: Option<&str>) -> String {
    let mut nanoseconds = now.subsec_nanosecond();
    loop {
        let name = format!("{}{nanoseconds}", now.strftime("..%Y_%m_%d_%H_%M_%S."));
        if old != Some(&name) {
            return name;
        }
        nanoseconds += 1;
    }
}

/// The path without `.`, empty names and a `/` at the end (Go's `filepath.Clean`). `Err` for what is no path inside of a volume
/// (`validatePath`).
pub(crate) fn clean(path: &str) -> Result<String, String> {
    if path.is_empty() {
        return Err("invalid path: must not be empty: \"\"".to_owned());
    }
    if path.starts_with('/') {
        return Err(format!("invalid path: must be relative path: {path}"));
    }
    if path.len() > 4096 {
        return Err("invalid path: must be less than or equal to 4096 characters".to_owned());
    }
    if path.split('/').any(|name| name == "..") {
        return Err(format!("invalid path: must not contain '..': {path}"));
    }
    if path.split('/').any(|name| name.len() > 255) {
        return Err("invalid path: filenames must be less than or equal to 255 characters".to_owned());
    }
    if path.starts_with("..") {
        return Err(format!("invalid path: must not start with '..': {path}"));
    }
    let names: Vec<_> = path.split('/').filter(|name| !matches!(*name, "" | ".")).collect();
    Ok(names.join("/"))
}

/// What a user sees of a file at the top of the volume.
fn visible(path: &str) -> &str {
    path.split('/').next().unwrap_or(path)
}

/// What is to be changed so that a volume with the content `old` has this one; nothing if it is the same. `directory` is a name from
/// [`directory_name`], `group` the Pod's `fsGroup`.
pub(crate) fn plan(
    old: Option<&Written>,
    payload: &Payload,
    directory: &str,
    group: Option<u32>,
) -> Option<Vec<VolumeChange>> {
    if old.is_some_and(|old| old.payload == *payload) {
        return None;
    }
    let mut changes = vec![VolumeChange::Directory {
        path: directory.to_owned(),
        mode: 0o755,
    }];
    let mut made = BTreeSet::new();
    for (path, file) in payload {
        for (end, _) in path.match_indices('/') {
            if made.insert(&path[..end]) {
                changes.push(VolumeChange::Directory {
                    path: format!("{directory}/{}", &path[..end]),
                    mode: 0o755,
                });
            }
        }
        changes.push(VolumeChange::File {
            path: format!("{directory}/{path}"),
            content: file.content.clone(),
            mode: file.mode,
            uid: file.uid,
        });
    }
    if let Some(gid) = group {
        changes.push(VolumeChange::Group {
            path: directory.to_owned(),
            gid,
            access: GroupAccess::ReadOnly,
            only_on_mismatch: false,
        });
    }
    changes.push(VolumeChange::Symlink {
        path: NEW_DATA.to_owned(),
        target: directory.to_owned(),
    });
    changes.push(VolumeChange::Rename {
        from: NEW_DATA.to_owned(),
        to: DATA.to_owned(),
    });
    let seen =
        |payload: &Payload| -> BTreeSet<String> { payload.keys().map(|path| visible(path).to_owned()).collect() };
    let (before, after) = (old.map(|old| seen(&old.payload)).unwrap_or_default(), seen(payload));
    changes.extend(after.difference(&before).map(|name| VolumeChange::Symlink {
        path: name.clone(),
        target: format!("{DATA}/{name}"),
    }));
    let gone = before.difference(&after).chain(old.map(|old| &old.directory));
    changes.extend(gone.map(|path| VolumeChange::Remove { path: path.clone() }));
    Some(changes)
}

/// What is to be removed when a plan for this directory has failed.
pub(crate) fn undo(directory: &str) -> Vec<VolumeChange> {
    let remove = |path: &str| VolumeChange::Remove { path: path.to_owned() };
    vec![remove(NEW_DATA), remove(directory)]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Paths and contents.
    type Files<'a> = &'a [(&'a str, &'a str)];
    /// Name, old files, new files, group, the plan.
    type Row<'a> = (&'a str, Option<Files<'a>>, Files<'a>, Option<u32>, &'a [&'a str]);

    fn payload(files: Files<'_>) -> Payload {
        let file = |content: &str| FileProjection {
            content: Bytes::from(content.to_owned()),
            mode: 0o644,
            uid: None,
        };
        files
            .iter()
            .map(|(path, text)| ((*path).to_owned(), file(text)))
            .collect()
    }

    /// The plan, a change a line.
    fn shown(old: Option<Files<'_>>, new: Files<'_>, group: Option<u32>) -> Vec<String> {
        let old = old.map(|files| Written {
            directory: "..old".to_owned(),
            payload: payload(files),
        });
        let changes = plan(old.as_ref(), &payload(new), "..new", group);
        let line = |change: VolumeChange| match change {
            VolumeChange::Directory { path, mode } => format!("mkdir {mode:o} {path}"),
            VolumeChange::File {
                path, content, mode, ..
            } => format!("write {mode:o} {path} {}", String::from_utf8_lossy(&content)),
            VolumeChange::Symlink { path, target } => format!("link {path} -> {target}"),
            VolumeChange::Rename { from, to } => format!("rename {from} {to}"),
            VolumeChange::Remove { path } => format!("remove {path}"),
            VolumeChange::Group { path, gid, access, .. } => format!("group {gid} {access:?} {path}"),
        };
        changes.into_iter().flatten().map(line).collect()
    }

    #[test]
    fn a_content_is_written_beside_the_old_one_and_replaces_it_by_a_rename() {
        let (link, rename) = ("link ..data_tmp -> ..new", "rename ..data_tmp ..data");
        let rows: &[Row<'_>] = &[
            (
                "the first content",
                None,
                &[("a", "1"), ("b", "2")],
                None,
                &[
                    "mkdir 755 ..new",
                    "write 644 ..new/a 1",
                    "write 644 ..new/b 2",
                    link,
                    rename,
                    "link a -> ..data/a",
                    "link b -> ..data/b",
                ],
            ),
            (
                "no files: an optional source that is not there",
                None,
                &[],
                None,
                &["mkdir 755 ..new", link, rename],
            ),
            (
                "directories are made once and seen as one link",
                None,
                &[("d/e/x", "1"), ("d/e/y", "2"), ("d/z", "3")],
                None,
                &[
                    "mkdir 755 ..new",
                    "mkdir 755 ..new/d",
                    "mkdir 755 ..new/d/e",
                    "write 644 ..new/d/e/x 1",
                    "write 644 ..new/d/e/y 2",
                    "write 644 ..new/d/z 3",
                    link,
                    rename,
                    "link d -> ..data/d",
                ],
            ),
            ("the same content", Some(&[("a", "1")]), &[("a", "1")], None, &[]),
            (
                "another content: the links of users stay",
                Some(&[("a", "1")]),
                &[("a", "2")],
                None,
                &["mkdir 755 ..new", "write 644 ..new/a 2", link, rename, "remove ..old"],
            ),
            (
                "a file more and a file less",
                Some(&[("a", "1"), ("b", "2")]),
                &[("b", "2"), ("c", "3")],
                None,
                &[
                    "mkdir 755 ..new",
                    "write 644 ..new/b 2",
                    "write 644 ..new/c 3",
                    link,
                    rename,
                    "link c -> ..data/c",
                    "remove a",
                    "remove ..old",
                ],
            ),
            (
                "a file less in a directory that stays",
                Some(&[("d/a", "1"), ("d/b", "2")]),
                &[("d/a", "1")],
                None,
                &[
                    "mkdir 755 ..new",
                    "mkdir 755 ..new/d",
                    "write 644 ..new/d/a 1",
                    link,
                    rename,
                    "remove ..old",
                ],
            ),
            (
                "the group gets the files before they are seen",
                None,
                &[("a", "1")],
                Some(1001),
                &[
                    "mkdir 755 ..new",
                    "write 644 ..new/a 1",
                    "group 1001 ReadOnly ..new",
                    link,
                    rename,
                    "link a -> ..data/a",
                ],
            ),
        ];
        for (name, old, new, group, expected) in rows {
            assert_eq!(shown(*old, new, *group), *expected, "{name}");
        }
    }

    #[test]
    fn paths_are_cleaned_and_stay_in_the_volume() {
        for (path, expected) in [
            ("a", Ok("a")),
            ("./a//b/", Ok("a/b")),
            ("", Err("invalid path: must not be empty: \"\"")),
            ("/a", Err("invalid path: must be relative path: /a")),
            ("a/../b", Err("invalid path: must not contain '..': a/../b")),
            ("..a", Err("invalid path: must not start with '..': ..a")),
            ("a/..b", Ok("a/..b")),
        ] {
            let expected = expected.map(str::to_owned).map_err(str::to_owned);
            assert_eq!(clean(path), expected, "{path}");
        }
    }

    #[test]
    fn two_contents_of_the_same_instant_have_different_directories() {
        let now = Timestamp::from_second(1_700_000_000).expect("a time");
        let first = directory_name(now, None);
        assert_eq!(first, "..2023_11_14_22_13_20.0");
        assert_eq!(directory_name(now, Some(&first)), "..2023_11_14_22_13_20.1");
    }
}
