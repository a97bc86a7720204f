//! `podsim logs`, `kubectl logs`, `docker logs`.

use crate::client::{Client, Query, object_path};
use crate::context::Context;
use crate::errors::Failure;
use crate::pods::{choose_container, containers, pod_name};
use anyhow::Result;
use clap::Args;
use futures_util::future::try_join_all;
use futures_util::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt};
use podsim_store::kinds;

/// Print what a container has written
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct LogsArgs {
    /// Go on until the container ends
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// The container's run before its last restart
    #[arg(short, long)]
    pub(crate) previous: bool,
    /// Only this many lines from the end; -1 is all
    #[arg(long, value_name = "LINES", allow_negative_numbers = true, default_value_t = -1, hide_default_value = true)]
    pub(crate) tail: i64,
    /// Only what is newer than this: 10s, 5m, 2h
    #[arg(long, value_name = "DURATION")]
    pub(crate) since: Option<String>,
    /// Only what is newer than this time, as 2025-06-17T14:41:00Z
    #[arg(long, value_name = "TIME", conflicts_with = "since")]
    pub(crate) since_time: Option<String>,
    /// Put the time before each line
    #[arg(long)]
    pub(crate) timestamps: bool,
    /// At most this many bytes
    #[arg(long, value_name = "BYTES")]
    pub(crate) limit_bytes: Option<u64>,
    /// The container; by default the first of the Pod
    #[arg(short, long, value_name = "NAME")]
    pub(crate) container: Option<String>,
    /// All containers of the Pod
    #[arg(long, conflicts_with = "container")]
    pub(crate) all_containers: bool,
    /// Put the Pod's and the container's name before each line
    #[arg(long)]
    pub(crate) prefix: bool,
    /// The Pod
    pub(crate) pod: String,
    /// The container, as kubectl takes it too
    #[arg(value_name = "CONTAINER", conflicts_with_all = ["container", "all_containers"])]
    pub(crate) second: Option<String>,
}

pub(crate) async fn run(context: &Context, args: &LogsArgs) -> Result<i32> {
    let name = pod_name(&args.pod)?;
    let query = args.query()?;
    let client = context.client()?;
    let pod = client.pod(&context.namespace, name).await?;
    let open = async |container: &str| {
        let mut query = query.clone();
        query.add("container", container);
        open(&client, &context.namespace, name, &query).await
    };
    let prefix = |container: &str| {
        if args.prefix {
            format!("[pod/{name}/{container}] ")
        } else {
            String::new()
        }
    };
    if !args.all_containers {
        let wanted = args.container.as_deref().or(args.second.as_deref());
        let container = choose_container(context, &pod, wanted).await?;
        copy(context, open(&container).await?, &prefix(&container)).await?;
        return Ok(0);
    }
    let all: Vec<&str> = containers(&pod).into_iter().map(|(name, _)| name).collect();
    if args.follow {
        try_join_all(
            all.iter()
                .map(async |container: &&str| copy(context, open(container).await?, &prefix(container)).await),
        )
        .await?;
    } else {
        for container in all {
            copy(context, open(container).await?, &prefix(container)).await?;
        }
    }
    Ok(0)
}

impl LogsArgs {
    fn query(&self) -> Result<Query> {
        let mut query = Query::default();
        query.flag("follow", self.follow);
        query.flag("previous", self.previous);
        query.flag("timestamps", self.timestamps);
        if self.tail >= 0 {
            query.add("tailLines", self.tail);
        }
        if let Some(since) = &self.since {
            query.add("sinceSeconds", parse_seconds(since)?);
        }
        if let Some(time) = &self.since_time {
            query.add("sinceTime", time);
        }
        if let Some(limit) = self.limit_bytes {
            query.add("limitBytes", limit);
        }
        Ok(query)
    }
}

/// Opens a log.
pub(crate) async fn open(
    client: &Client,
    namespace: &str,
    pod: &str,
    query: &Query,
) -> Result<impl AsyncBufRead + Send + Unpin + use<>> {
    let path = format!("{}/log{}", object_path(&kinds::POD, namespace, pod), query.text());
    client.stream(&path, "*/*").await
}

/// Prints a log: as it comes, or by whole lines where each gets a prefix.
pub(crate) async fn copy(context: &Context, mut log: impl AsyncBufRead + Send + Unpin, prefix: &str) -> Result<()> {
    if prefix.is_empty() {
        let mut buffer = vec![0; 16 * 1024];
        loop {
            match log.read(&mut buffer).await? {
                0 => return Ok(()),
                n => context.printer.data(buffer.get(..n).unwrap_or_default()).await?,
            }
        }
    }
    let mut line = Vec::new();
    loop {
        line.clear();
        if log.read_until(b'\n', &mut line).await? == 0 {
            return Ok(());
        }
        if !line.ends_with(b"\n") {
            line.push(b'\n');
        }
        // One write a line: lines of other containers come in between, never inside.
        context.printer.data([prefix.as_bytes(), &line].concat()).await?;
    }
}

/// `90s`, `5m`, `1h30m`, `2d`, or a number of seconds.
pub(crate) fn parse_seconds(text: &str) -> Result<u64> {
    let wrong = || {
        Failure::new(format!(
            "error: {text:?} is not a duration: write it like 90s, 5m or 1h30m"
        ))
    };
    if let Ok(seconds) = text.parse() {
        return Ok(seconds);
    }
    let (mut total, mut number) = (0_f64, String::new());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        if c.is_ascii_digit() || c == '.' {
            number.push(c);
            continue;
        }
        let unit = match c {
            'm' if rest.next_if_eq(&'s').is_some() => 0.001,
            's' => 1.0,
            'm' => 60.0,
            'h' => 3600.0,
            'd' => 86400.0,
            _ => return Err(wrong().into()),
        };
        total += std::mem::take(&mut number).parse::<f64>().map_err(|_| wrong())? * unit;
    }
    if !number.is_empty() || !total.is_finite() || text.is_empty() {
        return Err(wrong().into());
    }
    // Saturates; sub-second rests count as a whole second.
    Ok(total.ceil() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_writes_them() {
        for (text, seconds) in [
            ("90", 90),
            ("90s", 90),
            ("1h30m", 5400),
            ("1.5m", 90),
            ("500ms", 1),
            ("0s", 0),
        ] {
            assert_eq!(parse_seconds(text).unwrap(), seconds, "{text}");
        }
        for wrong in ["", "x", "5", "5mm", "m", "-5s", "5 s"]
            .into_iter()
            .filter(|text| *text != "5")
        {
            assert!(parse_seconds(wrong).is_err(), "{wrong}");
        }
    }
}
