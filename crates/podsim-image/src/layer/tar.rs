//! The tar format: the members of an archive that lies in memory, with the names and numbers of GNU and PAX headers.
//!
//! A reader of its own, because an archive comes from anywhere: nothing is copied but names, every number is checked against the
//! archive, and no header may ask for more memory than it is worth.
//! (`man 5 tar`; POSIX.1-2017, pax; GNU tar manual, "Basic Tar Format".)

use std::io;
use std::ops::Range;
use std::time::Duration;

const BLOCK: usize = 512;
/// The largest extended header: far more than a path needs.
const MAX_EXTENDED: usize = 1 << 20;
/// The latest time: nanoseconds in 64 bits, as WASI counts, end in 2554.
const MAX_TIME: Duration = Duration::from_nanos(u64::MAX);

/// A member of an archive, its names as they stand there.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) name: Vec<u8>,
    pub(super) link: Vec<u8>,
    pub(super) kind: u8,
    pub(super) mode: u16,
    pub(super) uid: u64,
    pub(super) gid: u64,
    pub(super) mtime: Duration,
    pub(super) device: (u32, u32),
    /// Where its content lies in the archive.
    pub(super) content: Range<usize>,
}

/// The members of an archive, one after the other.
pub(super) struct Members<'a> {
    archive: &'a [u8],
    at: usize,
}

/// What extended headers say about the member that follows.
#[derive(Default)]
struct Extended {
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
    uid: Option<u64>,
    gid: Option<u64>,
    mtime: Option<Duration>,
    sparse: bool,
}

impl<'a> Members<'a> {
    /// Of this archive.
    pub(super) fn new(archive: &'a [u8]) -> Self {
        Self { archive, at: 0 }
    }

    /// The next member; `None` at the end.
    pub(super) fn next(&mut self) -> io::Result<Option<Member>> {
        let mut extended = Extended::default();
        loop {
            let Some(header) = self.header()? else { return Ok(None) };
            let kind = header[156];
            let size = number(&header[124..136]).ok_or_else(|| invalid("a size that is not a number"))?;
            match kind {
                b'L' | b'K' => {
                    let mut text = self.extended(size)?.to_vec();
                    text.truncate(text.iter().position(|byte| *byte == 0).unwrap_or(text.len()));
                    if kind == b'L' {
                        extended.name = Some(text);
                    } else {
                        extended.link = Some(text);
                    }
                }
                b'x' => pax(self.extended(size)?, &mut extended)?,
                // Of no member in particular: `git archive` writes its commit there.
                b'g' => {
                    self.extended(size)?;
                }
                _ => return self.member(header, kind, size, extended).map(Some),
            }
        }
    }

    fn header(&mut self) -> io::Result<Option<&'a [u8]>> {
        let rest = &self.archive[self.at..];
        if rest.is_empty() {
            return Ok(None);
        }
        let header = rest.get(..BLOCK).ok_or_else(|| invalid("a header that is cut off"))?;
        if header.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        let wanted = number(&header[148..156]);
        let sum: u64 = header
            .iter()
            .enumerate()
            .map(|(at, byte)| u64::from(if (148..156).contains(&at) { b' ' } else { *byte }))
            .sum();
        if wanted != Some(sum) {
            return Err(invalid("a header with a wrong checksum"));
        }
        self.at += BLOCK;
        Ok(Some(header))
    }

    /// Steps over a content and its padding.
    fn content(&mut self, size: u64) -> io::Result<Range<usize>> {
        let cut_off = || invalid("a content that is cut off");
        let size = usize::try_from(size).map_err(|_| cut_off())?;
        let end = self.at.checked_add(size).filter(|end| *end <= self.archive.len());
        let content = self.at..end.ok_or_else(cut_off)?;
        // Some writers leave the padding of the last member out.
        self.at = content.end.next_multiple_of(BLOCK).min(self.archive.len());
        Ok(content)
    }

    fn extended(&mut self, size: u64) -> io::Result<&'a [u8]> {
        if size > MAX_EXTENDED as u64 {
            return Err(invalid(&format!("an extended header of {size} bytes")));
        }
        let content = self.content(size)?;
        Ok(&self.archive[content])
    }

    fn member(&mut self, header: &[u8], kind: u8, size: u64, extended: Extended) -> io::Result<Member> {
        let name = extended.name.unwrap_or_else(|| short_name(header));
        let field = |what: &str, range: Range<usize>| {
            number(&header[range]).ok_or_else(|| of_member(&name, &format!("its {what} is not a number")))
        };
        if extended.sparse || kind == b'S' {
            return Err(of_member(
                &name,
                "sparse files are not supported: pack it without `--sparse`",
            ));
        }
        let directory = kind == b'5' || (kind == 0 && name.ends_with(b"/"));
        // Of these the size says nothing about a content.
        let content = if directory || matches!(kind, b'1'..=b'6') {
            self.content(0)?
        } else {
            self.content(extended.size.unwrap_or(size))
                .map_err(|_| of_member(&name, "its content is cut off"))?
        };
        let device = if matches!(kind, b'3' | b'4') {
            let part = |range| {
                let number = field("device number", range)?;
                u32::try_from(number).map_err(|_| of_member(&name, "its device number is out of range"))
            };
            (part(329..337)?, part(337..345)?)
        } else {
            (0, 0)
        };
        // A time before 1970 counts as 1970.
        let mtime = || number(&header[136..148]).map_or(Duration::ZERO, Duration::from_secs);
        Ok(Member {
            link: extended.link.unwrap_or_else(|| until_nul(&header[157..257])),
            kind: if directory { b'5' } else { kind },
            mode: (field("mode", 100..108)? & 0o7777) as u16,
            uid: extended.uid.map_or_else(|| field("user id", 108..116), Ok)?,
            gid: extended.gid.map_or_else(|| field("group id", 116..124), Ok)?,
            mtime: extended.mtime.unwrap_or_else(mtime).min(MAX_TIME),
            device,
            content,
            name,
        })
    }
}

/// The name in a header: POSIX has a prefix for long ones, GNU has something else there.
fn short_name(header: &[u8]) -> Vec<u8> {
    let name = until_nul(&header[..100]);
    let prefix = until_nul(&header[345..500]);
    if &header[257..263] == b"ustar\0" && !prefix.is_empty() {
        return [prefix, b"/".to_vec(), name].concat();
    }
    name
}

fn until_nul(field: &[u8]) -> Vec<u8> {
    field.split(|byte| *byte == 0).next().unwrap_or_default().to_vec()
}

/// A number in octal digits, or (GNU) in bytes after a set first bit.
fn number(field: &[u8]) -> Option<u64> {
    if let [first, rest @ ..] = field
        && first & 0x80 != 0
    {
        // 0xff begins a negative number, which nothing here can be.
        let first = u64::from(first & 0x7f);
        return rest.iter().try_fold(first, |number, byte| {
            number.checked_mul(256).map(|number| number | u64::from(*byte))
        });
    }
    let text = std::str::from_utf8(field).ok()?;
    let text = text.trim_matches([' ', '\0']);
    if text.is_empty() {
        return Some(0);
    }
    // `from_str_radix` would take a sign.
    text.bytes().all(|byte| matches!(byte, b'0'..=b'7')).then_some(())?;
    u64::from_str_radix(text, 8).ok()
}

/// The records of a PAX header: `LENGTH KEY=VALUE\n`.
fn pax(mut records: &[u8], extended: &mut Extended) -> io::Result<()> {
    let broken = || invalid("a PAX header that cannot be read");
    while !records.is_empty() {
        let space = records.iter().position(|byte| *byte == b' ').ok_or_else(broken)?;
        let digits = std::str::from_utf8(&records[..space]).map_err(|_| broken())?;
        let length: usize = digits.parse().map_err(|_| broken())?;
        let record = records.get(space + 1..length).ok_or_else(broken)?;
        let record = record.strip_suffix(b"\n").ok_or_else(broken)?;
        let equals = record.iter().position(|byte| *byte == b'=').ok_or_else(broken)?;
        let (key, value) = (&record[..equals], &record[equals + 1..]);
        let text = || std::str::from_utf8(value).ok();
        let integer = || text().and_then(|text| text.parse::<u64>().ok()).ok_or_else(broken);
        match key {
            b"path" => extended.name = Some(value.to_vec()),
            b"linkpath" => extended.link = Some(value.to_vec()),
            b"size" => extended.size = Some(integer()?),
            b"uid" => extended.uid = Some(integer()?),
            b"gid" => extended.gid = Some(integer()?),
            b"mtime" => extended.mtime = Some(seconds(text().ok_or_else(broken)?).ok_or_else(broken)?),
            key if key.starts_with(b"GNU.sparse.") => extended.sparse = true,
            // Extended attributes, access times, comments: podsim keeps none of them.
            _ => {}
        }
        records = &records[length..];
    }
    Ok(())
}

/// `1700000000.123456789`.
fn seconds(text: &str) -> Option<Duration> {
    if text.starts_with('-') {
        return Some(Duration::ZERO);
    }
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits: String = fraction.chars().chain(std::iter::repeat('0')).take(9).collect();
    Some(Duration::new(whole.parse().ok()?, digits.parse().ok()?))
}

pub(super) fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the archive has {what}"))
}

pub(super) fn of_member(name: &[u8], what: &str) -> io::Error {
    let name = String::from_utf8_lossy(name);
    io::Error::new(io::ErrorKind::InvalidData, format!("{name:?}: {what}"))
}
