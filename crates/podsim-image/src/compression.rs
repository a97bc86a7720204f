//! Archives come as they are, or compressed with gzip or zstd: their first bytes say which.

use ruzstd::decoding::{FrameDecoder, StreamingDecoder};
use std::io::{self, Read};

/// A reader of what is compressed in another one's bytes.
pub(crate) fn decompress<'a>(bytes: &'a [u8]) -> io::Result<Box<dyn Read + 'a>> {
    Ok(match bytes {
        [0x1f, 0x8b, ..] => Box::new(flate2::bufread::MultiGzDecoder::new(bytes)),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Box::new(zstd(bytes)?),
        _ => Box::new(bytes),
    })
}

/// Whether [`decompress`] would change anything.
pub(crate) fn is_compressed(bytes: &[u8]) -> bool {
    matches!(bytes, [0x1f, 0x8b, ..] | [0x28, 0xb5, 0x2f, 0xfd, ..])
}

/// The decoder stops behind each frame, and a file may have several, and some that are to be skipped (RFC 8878, 3.1).
struct Frames<'a> {
    frame: StreamingDecoder<&'a [u8], FrameDecoder>,
}

fn zstd(bytes: &[u8]) -> io::Result<Frames<'_>> {
    let frame = StreamingDecoder::new(bytes).map_err(io::Error::other)?;
    Ok(Frames { frame })
}

/// What comes behind the frames that are to be skipped.
fn next_frame(mut bytes: &[u8]) -> io::Result<&[u8]> {
    while let [0x50..=0x5f, 0x2a, 0x4d, 0x18, a, b, c, d, rest @ ..] = bytes {
        let length = u32::from_le_bytes([*a, *b, *c, *d]) as usize;
        bytes = rest.get(length..).ok_or(io::ErrorKind::UnexpectedEof)?;
    }
    Ok(bytes)
}

impl Read for Frames<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.frame.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            let rest = next_frame(self.frame.get_ref())?;
            if rest.is_empty() {
                return Ok(0);
            }
            self.frame = zstd(rest)?.frame;
        }
    }
}
