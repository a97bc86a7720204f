//! Header blocks: names and values with their lengths, in one zlib stream for the whole connection (SPDY/3, 2.6.10).
//!
//! What clients send is inflated with the dictionary of the standard. What we send is in stored blocks: a handful of bytes.

use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::TINFL_FLAG_HAS_MORE_INPUT;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};

/// Words of the dictionary, each with its length before it.
const WORDS: &str = "options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges age \
    allow authorization cache-control connection content-base content-encoding content-language content-length \
    content-location content-md5 content-range content-type date etag expect expires from host if-match if-modified-since \
    if-none-match if-range if-unmodified-since last-modified location max-forwards pragma proxy-authenticate \
    proxy-authorization range referer retry-after server te trailer transfer-encoding upgrade user-agent vary via warning \
    www-authenticate method get status 200_OK version HTTP/1.1 url public set-cookie keep-alive origin";

/// And its end.
const TAIL: &str = "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505203 \
    Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden404 Not \
    Found500 Internal Server Error501 Not Implemented503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov \
    Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,application/xml,\
    application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,\
    utf-,*,enq=0.";

fn dictionary() -> Vec<u8> {
    let mut all = Vec::new();
    for word in WORDS.split_whitespace() {
        let word = word.replace('_', " ");
        all.extend(u32::try_from(word.len()).unwrap_or(0).to_be_bytes());
        all.extend(word.as_bytes());
    }
    all.extend(TAIL.as_bytes());
    all
}

/// zlib's window, and so the farthest that a match reaches back.
const WINDOW: usize = 32 << 10;
/// Larger header blocks are refused: what Kubernetes sends has a few dozen bytes.
const MAX_BLOCK: usize = 64 << 10;

/// Inflates the blocks of one connection.
pub(crate) struct Inflater {
    state: Box<DecompressorOxide>,
    window: Vec<u8>,
    at: usize,
    started: bool,
}

/// Names and values.
pub(crate) type Headers = Vec<(String, String)>;

impl Inflater {
    pub(crate) fn new() -> Self {
        let mut window = dictionary();
        let at = window.len();
        window.resize(WINDOW, 0);
        Self {
            state: Box::default(),
            window,
            at,
            started: false,
        }
    }

    /// The headers of a block; `None` if it is no such thing.
    pub(crate) fn read(&mut self, mut block: &[u8]) -> Option<Headers> {
        if !self.started {
            // Two bytes of zlib's own, and the checksum of the dictionary if there is one.
            let (head, rest) = block.split_at_checked(2)?;
            let with_dictionary = head.get(1).is_some_and(|flags| flags & 0x20 != 0);
            block = rest.get(if with_dictionary { 4 } else { 0 }..)?;
            self.started = true;
        }
        let mut plain = Vec::new();
        loop {
            let (status, read, written) = decompress(
                &mut self.state,
                block,
                &mut self.window,
                self.at,
                TINFL_FLAG_HAS_MORE_INPUT,
            );
            plain.extend(self.window.get(self.at..self.at + written)?);
            self.at = (self.at + written) % WINDOW;
            block = block.get(read..)?;
            if plain.len() > MAX_BLOCK {
                return None;
            }
            match status {
                TINFLStatus::NeedsMoreInput => break,
                TINFLStatus::HasMoreOutput => {}
                _ => return None,
            }
        }
        parse(&plain)
    }
}

fn parse(mut plain: &[u8]) -> Option<Headers> {
    let number = |bytes: &mut &[u8]| -> Option<usize> {
        let (head, rest) = bytes.split_first_chunk::<4>()?;
        *bytes = rest;
        usize::try_from(u32::from_be_bytes(*head)).ok()
    };
    let count = number(&mut plain)?;
    let mut headers = Vec::new();
    for _ in 0..count {
        let mut text = || {
            let length = number(&mut plain)?;
            let (text, rest) = plain.split_at_checked(length)?;
            plain = rest;
            String::from_utf8(text.to_vec()).ok()
        };
        let (name, value) = (text()?, text()?);
        headers.push((name.to_ascii_lowercase(), value));
    }
    Some(headers)
}

/// Writes the blocks of one connection.
#[derive(Default)]
pub(crate) struct Deflater {
    started: bool,
}

impl Deflater {
    /// A block without headers: all that a reply needs.
    pub(crate) fn empty(&mut self) -> Vec<u8> {
        let plain = 0_u32.to_be_bytes();
        // zlib: deflate with a window of 32 KiB, fastest, no dictionary.
        let mut block = if self.started { vec![] } else { vec![0x78, 0x01] };
        self.started = true;
        // A stored block that is not the last: length and its complement.
        block.extend([0, 4, 0, !4, !0]);
        block.extend(plain);
        // An empty one behind it: Go's inflater gives out what it has when it sees that.
        block.extend([0, 0, 0, !0, !0]);
        block
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use miniz_oxide::deflate::core::{CompressorOxide, TDEFLFlush, compress};

    fn adler32(bytes: &[u8]) -> u32 {
        let step = |(a, b): (u32, u32), byte: &u8| {
            let a = (a + u32::from(*byte)) % 65521;
            (a, (b + a) % 65521)
        };
        let (a, b) = bytes.iter().fold((1, 0), step);
        b << 16 | a
    }

    #[test]
    fn the_dictionary_has_the_checksum_that_clients_name() {
        assert_eq!(dictionary().len(), 1423);
        assert_eq!(adler32(&dictionary()), 0xe3c6_a7c2);
    }

    #[test]
    fn blocks_share_one_stream_that_may_refer_to_earlier_ones() {
        let block = |name: &str, value: &str| {
            let mut plain = 1_u32.to_be_bytes().to_vec();
            for text in [name, value] {
                plain.extend(u32::try_from(text.len()).unwrap().to_be_bytes());
                plain.extend(text.as_bytes());
            }
            plain
        };
        let mut compressor = CompressorOxide::default();
        compressor.set_format_and_level(miniz_oxide::DataFormat::Raw, 9);
        let mut inflater = Inflater::new();
        for number in 0..2000 {
            let value = format!("data {number} {}", "x".repeat(40));
            let plain = block("Streamtype", &value);
            let mut out = vec![0; 4096];
            let (_, _, length) = compress(&mut compressor, &plain, &mut out, TDEFLFlush::Sync);
            out.truncate(length);
            let sent = if number == 0 {
                [&[0x78, 0xbb, 0xe3, 0xc6, 0xa7, 0xc2], &out[..]].concat()
            } else {
                out
            };
            let headers = inflater.read(&sent).expect("headers");
            assert_eq!(headers, [("streamtype".to_owned(), value)]);
        }
        assert!(inflater.read(b"\xff\xff garbage").is_none());
    }

    /// Made with zlib and the dictionary, as Go's clients do.
    #[test]
    fn what_refers_to_the_dictionary_is_read() {
        let hex = |text: &str| -> Vec<u8> {
            let byte = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
            (0..text.len()).step_by(2).map(byte).collect()
        };
        let mut inflater = Inflater::new();
        let first =
            "78f9e3c6a7c202253a50ca0a2e294a4dcc851625aca9a08006a5fc80fc22501266b23000929cd048cc04256e460300000000ffff";
        for (block, number) in [(first, "0"), ("225fab21000000ffff", "1")] {
            let headers = inflater.read(&hex(block)).expect("headers");
            let expected = [("streamtype", "error"), ("port", "80"), ("requestid", number)];
            assert_eq!(
                headers,
                expected.map(|(name, value)| (name.to_owned(), value.to_owned()))
            );
        }
    }

    #[test]
    fn an_empty_block_is_read_back() {
        let (mut deflater, mut inflater) = (Deflater::default(), Inflater::new());
        for _ in 0..3 {
            assert_eq!(inflater.read(&deflater.empty()), Some(vec![]));
        }
    }
}
