//! gzip of large answers, for clients that accept it. Streams (watch, logs, WebSockets) go as they are.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use http_body_util::BodyExt;
use miniz_oxide::deflate::compress_to_vec;

/// Smaller answers cost more time than they save: as in Kubernetes.
const THRESHOLD: u64 = 128 << 10;
/// The level that Kubernetes takes: fast.
const LEVEL: u8 = 1;

/// Whether the client takes gzip.
pub(crate) fn wanted(headers: &HeaderMap) -> bool {
    let accept = headers
        .get(header::ACCEPT_ENCODING)
        .and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| {
        accept
            .split(',')
            .any(|coding| coding.split(';').next().unwrap_or_default().trim() == "gzip")
    })
}

/// Compresses the body if its length is known and worth it.
pub(crate) async fn compress(answer: Response) -> Response {
    use axum::body::HttpBody;
    if answer
        .body()
        .size_hint()
        .exact()
        .is_none_or(|length| length < THRESHOLD)
    {
        return answer;
    }
    let (mut parts, body) = answer.into_parts();
    // It is in memory already.
    let Ok(body) = body.collect().await else {
        return Response::from_parts(parts, Body::empty());
    };
    let plain = body.to_bytes();
    // RFC 1952: magic, deflate, no flags, no time, fastest, unknown system.
    let mut packed = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 255];
    packed.extend(compress_to_vec(&plain, LEVEL));
    packed.extend(crc32(&plain).to_le_bytes());
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the length modulo 2^32, as the format has it"
    )]
    packed.extend((plain.len() as u32).to_le_bytes());
    parts
        .headers
        .insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    parts
        .headers
        .insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(packed))
}

/// The CRC of gzip and PNG, a byte at a time over a table.
fn crc32(bytes: &[u8]) -> u32 {
    let mut table = [0_u32; 256];
    for (slot, index) in table.iter_mut().zip(0_u32..) {
        *slot = (0..8).fold(index, |crc, _| {
            if crc & 1 == 1 {
                0xedb8_8320 ^ (crc >> 1)
            } else {
                crc >> 1
            }
        });
    }
    let step = |crc: u32, byte: &u8| {
        let index = (crc ^ u32::from(*byte)) & 0xff;
        table.get(index as usize).copied().unwrap_or(0) ^ (crc >> 8)
    };
    !bytes.iter().fold(!0, step)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_checksum_is_that_of_the_standard() {
        assert_eq!(super::crc32(b"123456789"), 0xcbf4_3926);
    }
}
