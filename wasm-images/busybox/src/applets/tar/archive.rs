//! The format: ustar headers, with the long names of GNU and of pax.

use crate::util::Input;
use podsim_sys::Errno;

/// What a member is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Kind {
    #[default]
    Regular,
    Directory,
    Symlink(String),
    Link(String),
    Fifo,
    Char(u32, u32),
    Block(u32, u32),
}

/// A member without its content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) name: String,
    pub(super) mode: u16,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) user: String,
    pub(super) group: String,
    pub(super) size: u64,
    pub(super) mtime: u64,
    pub(super) kind: Kind,
}

fn put(block: &mut [u8; 512], at: usize, width: usize, bytes: &[u8]) {
    if let Some(field) = block.get_mut(at..at + width) {
        for (to, from) in field.iter_mut().zip(bytes) {
            *to = *from;
        }
    }
}

/// Octal, or binary (GNU) where that is too small.
fn put_number(block: &mut [u8; 512], at: usize, width: usize, value: u64) {
    let octal = format!("{value:0width$o}\0", width = width - 1);
    if octal.len() <= width {
        put(block, at, width, octal.as_bytes());
    } else {
        put(block, at, width, &[0x80]);
        put(block, at + width - 8, 8, &value.to_be_bytes());
    }
}

fn number(field: &[u8]) -> Option<u64> {
    if let Some((first, rest)) = field.split_first()
        && first & 0x80 != 0
    {
        return rest.iter().try_fold(u64::from(first & 0x7f), |n, byte| {
            n.checked_mul(256)?.checked_add(u64::from(*byte))
        });
    }
    let text = text(field);
    let text = text.trim_matches([' ', '\0']);
    if text.is_empty() {
        Some(0)
    } else {
        u64::from_str_radix(text, 8).ok()
    }
}

fn text(field: &[u8]) -> String {
    let end = field.iter().position(|b| *b == 0).unwrap_or(field.len());
    String::from_utf8_lossy(field.get(..end).unwrap_or_default()).into_owned()
}

/// The sum that a header's own field should say: with that field as spaces.
fn checksum(block: &[u8; 512]) -> u64 {
    block
        .iter()
        .enumerate()
        .map(|(at, byte)| if (148..156).contains(&at) { 32 } else { u64::from(*byte) })
        .sum()
}

impl Header {
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let (letter, link, device) = match &self.kind {
            Kind::Regular => (b'0', "", (0, 0)),
            Kind::Link(target) => (b'1', target.as_str(), (0, 0)),
            Kind::Symlink(target) => (b'2', target.as_str(), (0, 0)),
            Kind::Char(major, minor) => (b'3', "", (*major, *minor)),
            Kind::Block(major, minor) => (b'4', "", (*major, *minor)),
            Kind::Directory => (b'5', "", (0, 0)),
            Kind::Fifo => (b'6', "", (0, 0)),
        };
        for (long, letter) in [(link, b'K'), (self.name.as_str(), b'L')] {
            if long.len() > 100 {
                bytes.extend(block(
                    "././@LongLink",
                    letter,
                    "",
                    (0, 0),
                    &Header {
                        size: long.len() as u64 + 1,
                        ..Self::default()
                    },
                ));
                bytes.extend_from_slice(long.as_bytes());
                bytes.resize((bytes.len() + 1).next_multiple_of(512), 0);
            }
        }
        bytes.extend(block(&self.name, letter, link, device, self));
        bytes
    }
}

fn block(name: &str, letter: u8, link: &str, device: (u32, u32), header: &Header) -> [u8; 512] {
    let mut block = [0; 512];
    put(&mut block, 0, 100, name.as_bytes());
    put_number(&mut block, 100, 8, header.mode.into());
    put_number(&mut block, 108, 8, header.uid.into());
    put_number(&mut block, 116, 8, header.gid.into());
    put_number(&mut block, 124, 12, header.size);
    put_number(&mut block, 136, 12, header.mtime);
    put(&mut block, 156, 1, &[letter]);
    put(&mut block, 157, 100, link.as_bytes());
    put(&mut block, 257, 8, b"ustar  \0");
    put(&mut block, 265, 31, header.user.as_bytes());
    put(&mut block, 297, 31, header.group.as_bytes());
    put_number(&mut block, 329, 8, device.0.into());
    put_number(&mut block, 337, 8, device.1.into());
    let sum = format!("{:06o}\0 ", checksum(&block));
    put(&mut block, 148, 8, sum.as_bytes());
    block
}

fn read_block(input: &mut Input) -> Result<Option<[u8; 512]>, String> {
    let mut block = [0; 512];
    let mut filled = 0;
    while let Some(rest) = block.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match input.read(rest) {
            Ok(0) if filled == 0 => return Ok(None),
            Ok(0) => return Err("short read".to_owned()),
            Ok(count) => filled += count,
            Err(error) => return Err(format!("read error: {error}")),
        }
    }
    Ok(Some(block))
}

/// Hands `size` bytes of the archive to `sink`, and skips what fills the last block.
pub(super) fn copy(
    input: &mut Input,
    size: u64,
    mut sink: impl FnMut(&[u8]) -> Result<(), Errno>,
) -> Result<(), String> {
    let mut left = size;
    while left > 0 {
        let block = read_block(input)?.ok_or("short read")?;
        let count = usize::try_from(left).unwrap_or(usize::MAX).min(512);
        sink(block.get(..count).unwrap_or_default()).map_err(|error| format!("write error: {error}"))?;
        left -= count as u64;
    }
    Ok(())
}

pub(super) fn skip(input: &mut Input, size: u64) -> Result<(), String> {
    copy(input, size, |_| Ok(()))
}

/// Long names and pax records are small; what claims otherwise is not believed.
const MOST_EXTRA: u64 = 1 << 20;

fn extra(input: &mut Input, size: u64) -> Result<Vec<u8>, String> {
    if size > MOST_EXTRA {
        return Err("invalid tar header".to_owned());
    }
    let mut bytes = Vec::new();
    copy(input, size, |part| {
        bytes.extend_from_slice(part);
        Ok(())
    })?;
    Ok(bytes)
}

/// The next member; `None` at the end of the archive.
pub(super) fn next(input: &mut Input) -> Result<Option<Header>, String> {
    let (mut long_name, mut long_link, mut long_size) = (None, None, None);
    let mut first = true;
    loop {
        let Some(block) = read_block(input)? else {
            // An archive may end without its zeros, but not before it began.
            return if first { Ok(None) } else { Err("short read".to_owned()) };
        };
        if block.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        first = false;
        let field = |at: usize, width: usize| block.get(at..at + width).unwrap_or_default();
        if number(field(148, 8)) != Some(checksum(&block)) {
            return Err("invalid tar magic".to_owned());
        }
        let numeric = |at, width| number(field(at, width)).ok_or("invalid tar header");
        let size = numeric(124, 12)?;
        let letter = block.get(156).copied().unwrap_or(0);
        match letter {
            b'L' => long_name = Some(text(&extra(input, size)?)),
            b'K' => long_link = Some(text(&extra(input, size)?)),
            b'x' => {
                let records = extra(input, size)?;
                for (key, value) in pax(&records) {
                    match key.as_str() {
                        "path" => long_name = Some(value),
                        "linkpath" => long_link = Some(value),
                        "size" => long_size = value.parse().ok(),
                        _ => {}
                    }
                }
            }
            b'g' => drop(extra(input, size)?),
            letter => {
                let prefix = if field(257, 6) == b"ustar\0" {
                    text(field(345, 155))
                } else {
                    String::new()
                };
                let short = text(field(0, 100));
                let short = if prefix.is_empty() {
                    short
                } else {
                    format!("{prefix}/{short}")
                };
                let name = long_name.unwrap_or(short);
                let link = long_link.unwrap_or_else(|| text(field(157, 100)));
                let small = |at, width| numeric(at, width).map(|n| u32::try_from(n).unwrap_or(0));
                let kind = match letter {
                    b'1' => Kind::Link(link),
                    b'2' => Kind::Symlink(link),
                    b'3' => Kind::Char(small(329, 8)?, small(337, 8)?),
                    b'4' => Kind::Block(small(329, 8)?, small(337, 8)?),
                    b'5' => Kind::Directory,
                    b'6' => Kind::Fifo,
                    // Very old archives mark directories by their name.
                    0 | b'0' | b'7' if name.ends_with('/') => Kind::Directory,
                    0 | b'0' | b'7' => Kind::Regular,
                    other => return Err(format!("unknown typeflag: 0x{other:x}")),
                };
                return Ok(Some(Header {
                    size: if kind == Kind::Regular {
                        long_size.unwrap_or(size)
                    } else {
                        0
                    },
                    name,
                    mode: u16::try_from(numeric(100, 8)? & 0o7777).unwrap_or(0),
                    uid: small(108, 8)?,
                    gid: small(116, 8)?,
                    user: text(field(265, 32)),
                    group: text(field(297, 32)),
                    mtime: numeric(136, 12)?,
                    kind,
                }));
            }
        }
    }
}

/// `LENGTH KEY=VALUE\n`, one after the other.
fn pax(records: &[u8]) -> Vec<(String, String)> {
    let text = String::from_utf8_lossy(records);
    let mut rest: &str = &text;
    let mut found = Vec::new();
    while let Some((length, _)) = rest.split_once(' ') {
        let Some(record) = length
            .parse()
            .ok()
            .and_then(|length: usize| rest.get(length.to_string().len() + 1..length))
        else {
            break;
        };
        if let Some((key, value)) = record.trim_end_matches('\n').split_once('=') {
            found.push((key.to_owned(), value.to_owned()));
        }
        rest = rest.get(length.len() + 1 + record.len()..).unwrap_or("");
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_have_right_sums_and_numbers() {
        let header = Header {
            name: "a".repeat(150),
            size: 1 << 40,
            mode: 0o644,
            ..Header::default()
        };
        let bytes = header.to_bytes();
        // A long name takes a header and a block of its own.
        assert_eq!(bytes.len(), 3 * 512);
        let block: [u8; 512] = bytes[1024..].try_into().expect("a block");
        assert_eq!(number(&block[148..156]), Some(checksum(&block)));
        assert_eq!(number(&block[124..136]), Some(1 << 40));
        assert_eq!(number(b"0000644\0"), Some(0o644));
        assert_eq!(number(b"garbage!"), None);
    }

    #[test]
    fn pax_records_are_read() {
        let text = "12 path=abc\n16 linkpath=wxy\n";
        let want = [("path", "abc"), ("linkpath", "wxy")].map(|(k, v)| (k.to_owned(), v.to_owned()));
        assert_eq!(pax(text.as_bytes()), want);
        assert_eq!(pax(b"999 x=y\n"), []);
    }
}
