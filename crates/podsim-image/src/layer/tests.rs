//! Archives of all kinds, the hostile ones included.

use super::*;
use ::tar::{Builder, EntryType, Header};

fn header(name: &[u8], kind: EntryType, size: u64) -> Header {
    let mut header = Header::new_ustar();
    // `set_path` would refuse what a hostile archive has.
    header.as_old_mut().name[..name.len()].copy_from_slice(name);
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(0o644);
    header.set_uid(7);
    header.set_gid(8);
    header.set_mtime(9);
    header.set_cksum();
    header
}

/// An archive of one member.
fn archive(name: &[u8], kind: EntryType, link: &[u8], content: &[u8]) -> Bytes {
    let mut header = header(name, kind, content.len() as u64);
    header.as_old_mut().linkname[..link.len()].copy_from_slice(link);
    header.set_cksum();
    let mut builder = Builder::new(Vec::new());
    builder.append(&header, content).unwrap();
    builder.into_inner().unwrap().into()
}

fn pax(records: &[(&str, &[u8])], then: &[u8]) -> Bytes {
    let mut builder = Builder::new(Vec::new());
    builder.append_pax_extensions(records.iter().copied()).unwrap();
    builder
        .append(&header(b"short", EntryType::Regular, then.len() as u64), then)
        .unwrap();
    builder.into_inner().unwrap().into()
}

#[test]
fn a_name_comes_from_the_header_that_says_most() {
    let long = "d/".repeat(120) + "file";
    let mut builder = Builder::new(Vec::new());
    let mut gnu = Header::new_gnu();
    gnu.set_size(2);
    gnu.set_mode(0o4755);
    gnu.set_uid(3_000_000_000);
    builder.append_data(&mut gnu, &long, &b"hi"[..]).unwrap();
    let gnu: Bytes = builder.into_inner().unwrap().into();
    let entry = entries(&gnu).unwrap().remove(0);
    assert_eq!(
        (entry.path.as_str(), entry.mode, entry.uid),
        (long.as_str(), 0o4755, 3_000_000_000)
    );
    assert_eq!(entry.kind, EntryKind::File(Bytes::from_static(b"hi")));

    let records: [(&str, &[u8]); 5] = [
        ("path", b"./from/pax"),
        ("uid", b"70000000"),
        ("gid", b"5"),
        ("mtime", b"12.5"),
        ("SCHILY.xattr.user.a", b"not\nread"),
    ];
    let entry = entries(&pax(&records, b"x")).unwrap().remove(0);
    assert_eq!((entry.path.as_str(), entry.uid, entry.gid), ("from/pax", 70_000_000, 5));
    assert_eq!(entry.mtime, Duration::from_millis(12_500));
    let late = entries(&pax(&[("mtime", b"18446744073709551615.9")], b""))
        .unwrap()
        .remove(0);
    assert_eq!(late.mtime, Duration::from_nanos(u64::MAX));
}

#[test]
fn names_are_relative_to_the_root() {
    for (name, path) in [("/etc/passwd", "etc/passwd"), ("./a//b/.", "a/b"), ("a/", "a")] {
        assert_eq!(
            entries(&archive(name.as_bytes(), EntryType::Regular, b"", b"")).unwrap()[0].path,
            path
        );
    }
    assert_eq!(
        entries(&archive(b"./", EntryType::Directory, b"", b"")).unwrap()[0].path,
        ""
    );
}

#[test]
fn hostile_archives_are_refused_with_the_entrys_name() {
    let cases: [(&str, Bytes, &str); 14] = [
        (
            "a path out of the root",
            archive(b"a/../../etc/passwd", EntryType::Regular, b"", b""),
            "\"a/../../etc/passwd\": a name that leads out of the root (`..`)",
        ),
        (
            "a hard link out of the root",
            archive(b"x", EntryType::Link, b"../../etc/shadow", b""),
            "\"x\": a hard link whose target is a name that leads out of the root (`..`)",
        ),
        (
            "a symbolic link to nothing",
            archive(b"x", EntryType::Symlink, b"", b""),
            "\"x\": a symbolic link without a target",
        ),
        (
            "the root as a file",
            archive(b".", EntryType::Regular, b"", b""),
            "\".\": the root is not a directory",
        ),
        (
            "a part that no filesystem takes",
            pax(&[("path", "n".repeat(256).as_bytes())], b""),
            "a name that is too long",
        ),
        (
            "a path that no system call takes",
            pax(&[("path", "n/".repeat(3000).as_bytes())], b""),
            "a name that is too long",
        ),
        ("a zero byte", pax(&[("path", b"a\0b")], b""), "a name with a zero byte"),
        (
            "a whiteout of the directory above",
            archive(b"d/.wh...", EntryType::Regular, b"", b""),
            "\"d/.wh...\": a whiteout without a name",
        ),
        (
            "a sparse file",
            archive(b"holes", EntryType::GNUSparse, b"", b""),
            "\"holes\": sparse files are not supported: pack it without `--sparse`",
        ),
        (
            "a sparse file in PAX' way",
            pax(&[("GNU.sparse.major", b"1")], b""),
            "\"short\": sparse files are not supported",
        ),
        (
            "a type that nobody knows",
            archive(b"x", EntryType::new(b'M'), b"", b""),
            "\"x\": an entry of type 'M'",
        ),
        (
            "an owner beyond 32 bits",
            pax(&[("uid", b"4294967296")], b""),
            "\"short\": its user id is out of range",
        ),
        (
            "a size beyond the archive",
            pax(&[("size", b"18446744073709551615")], b"x"),
            "\"short\": its content is cut off",
        ),
        (
            "a PAX record of no length",
            pax_of(b"0 path=x\n"),
            "the archive has a PAX header that cannot be read",
        ),
    ];
    for (case, archive, message) in cases {
        let error = entries(&archive).expect_err(case).to_string();
        assert!(error.contains(message), "{case}: {error}");
    }
}

/// An archive whose PAX header holds this.
fn pax_of(records: &[u8]) -> Bytes {
    archive(b"pax", EntryType::XHeader, b"", records)
}

#[test]
fn what_is_no_archive_is_refused() {
    let good = archive(b"file", EntryType::Regular, b"", &[1; 1000]);
    let mut flipped = good.to_vec();
    flipped[0] ^= 1;
    let mut huge = header(b"x", EntryType::XHeader, 0);
    huge.set_size(1 << 40);
    huge.set_cksum();
    for (archive, message) in [
        (good.slice(..700), "\"file\": its content is cut off"),
        (good.slice(..100), "a header that is cut off"),
        (flipped.into(), "a header with a wrong checksum"),
        (
            Bytes::copy_from_slice(huge.as_bytes()),
            "an extended header of 1099511627776 bytes",
        ),
        (Bytes::from_static(&[b'x'; 512]), "a header with a wrong checksum"),
    ] {
        let error = entries(&archive).expect_err(message).to_string();
        assert!(error.contains(message), "{error}");
    }
    // The end may be missing, the padding of the last content too.
    assert_eq!(entries(&good.slice(..512 + 1000)).unwrap().len(), 1);
    assert_eq!(entries(&Bytes::new()).unwrap(), []);
}

#[test]
fn names_that_are_not_utf8_are_named_and_skipped() {
    let bytes = archive(b"caf\xe9", EntryType::Regular, b"", b"x");
    let contents = read(&bytes).unwrap();
    assert_eq!(
        (contents.entries.len(), contents.skipped),
        (0, vec![r"caf\xe9".to_owned()])
    );
}

#[test]
fn whiteouts_are_known_by_their_names() {
    let whiteout = |name: &str| {
        let entries = entries(&archive(name.as_bytes(), EntryType::Regular, b"", b"")).unwrap();
        entries.first().map(|entry| entry.whiteout().map(|w| format!("{w:?}")))
    };
    assert_eq!(whiteout("a/.wh.b"), Some(Some("Name(\"b\")".to_owned())));
    assert_eq!(whiteout("a/.wh..wh..opq"), Some(Some("Opaque".to_owned())));
    assert_eq!(whiteout("a/b.wh."), Some(None));
    assert_eq!(whiteout(".wh..wh.plnk/1.2"), None, "AUFS' own");
}
