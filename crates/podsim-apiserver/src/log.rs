//! `pods/log`: the log of a container as a stream of bytes.

use crate::query::Query;
use crate::status::{ApiError, Result};
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use jiff::{SignedDuration, Timestamp};
use podsim_cri::{LogEntries, LogOptions};

/// `PodLogOptions`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PodLogOptions {
    pub(crate) container: Option<String>,
    pub(crate) previous: bool,
    pub(crate) timestamps: bool,
    pub(crate) limit_bytes: Option<u64>,
    pub(crate) entries: LogOptions,
}

impl PodLogOptions {
    /// From the query; `now` is what `sinceSeconds` counts back from.
    pub(crate) fn from_query(query: &Query, now: Timestamp) -> Result<Self> {
        let since_seconds = query.number("sinceSeconds")?;
        let since_time = query.get("sinceTime");
        let since = match (since_seconds, since_time) {
            (Some(_), Some(_)) => {
                return Err(ApiError::bad_request(
                    "at most one of `sinceTime` or `sinceSeconds` may be specified",
                ));
            }
            (Some(seconds), None) => {
                let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
                Some(
                    now.checked_sub(SignedDuration::from_secs(seconds))
                        .unwrap_or(Timestamp::UNIX_EPOCH),
                )
            }
            (None, Some(text)) => {
                let wrong = |_| ApiError::bad_request(format!("sinceTime: {text:?} is not a time as of RFC 3339"));
                Some(text.parse().map_err(wrong)?)
            }
            (None, None) => None,
        };
        let limit_bytes = query.number("limitBytes")?;
        if limit_bytes == Some(0) {
            return Err(ApiError::bad_request("limitBytes: must be greater than 0"));
        }
        let tail = query
            .number("tailLines")?
            .map(|lines| usize::try_from(lines).unwrap_or(usize::MAX));
        Ok(Self {
            container: query.get("container").map(str::to_owned),
            previous: query.flag("previous")?,
            timestamps: query.flag("timestamps")?,
            limit_bytes,
            entries: LogOptions {
                follow: query.flag("follow")?,
                since,
                tail,
            },
        })
    }
}

/// The bytes that the client gets.
pub(crate) fn log_bytes(
    entries: LogEntries,
    timestamps: bool,
    limit: Option<u64>,
) -> impl Stream<Item = std::result::Result<Bytes, std::convert::Infallible>> + Send {
    let mut at_line_start = true;
    let mut left = limit.unwrap_or(u64::MAX);
    entries
        .map(move |entry| {
            let mut bytes = entry.bytes;
            if timestamps && at_line_start {
                let mut line = BytesMut::from(format!("{} ", entry.time).as_bytes());
                line.extend_from_slice(&bytes);
                at_line_start = bytes.ends_with(b"\n");
                bytes = line.freeze();
            } else {
                at_line_start = bytes.ends_with(b"\n");
            }
            let keep = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
            bytes.truncate(keep);
            left -= keep as u64;
            (bytes, left)
        })
        // The entry that reaches the limit is the last one that is asked for.
        .scan(false, |ended, (bytes, left)| {
            let give = !*ended;
            *ended = left == 0;
            std::future::ready(give.then_some(Ok(bytes)))
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use podsim_cri::{LogEntry, LogStream};

    async fn collect(parts: &[&str], timestamps: bool, limit: Option<u64>) -> String {
        let time: Timestamp = "2025-06-17T14:41:02.5Z".parse().unwrap();
        let entries: Vec<LogEntry> = parts
            .iter()
            .map(|part| LogEntry {
                time,
                stream: LogStream::Stdout,
                bytes: Bytes::copy_from_slice(part.as_bytes()),
            })
            .collect();
        let stream = log_bytes(futures_util::stream::iter(entries).boxed(), timestamps, limit);
        let all: Vec<_> = stream.map(|bytes| bytes.unwrap()).collect().await;
        String::from_utf8(all.concat()).unwrap()
    }

    #[tokio::test]
    async fn each_line_gets_one_timestamp_and_the_limit_counts_bytes() {
        let parts = ["one\n", "tw", "o\n"];
        assert_eq!(collect(&parts, false, None).await, "one\ntwo\n");
        assert_eq!(
            collect(&parts, true, None).await,
            "2025-06-17T14:41:02.5Z one\n2025-06-17T14:41:02.5Z two\n"
        );
        assert_eq!(collect(&parts, false, Some(5)).await, "one\nt");
        assert_eq!(collect(&parts, false, Some(4)).await, "one\n");
    }

    #[test]
    fn wrong_options_are_refused() {
        let now = "2025-06-17T14:41:02Z".parse().unwrap();
        let parse = |query: &str| PodLogOptions::from_query(&Query::parse(Some(query)).unwrap(), now);
        for wrong in [
            "tailLines=-1",
            "sinceSeconds=x",
            "sinceTime=yesterday",
            "limitBytes=0",
            "follow=maybe",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        assert_eq!(
            parse("sinceSeconds=2").unwrap().entries.since,
            Some("2025-06-17T14:41:00Z".parse().unwrap())
        );
    }
}
