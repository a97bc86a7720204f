//! `podsim image ls`, `docker images`, `crictl images`.

use super::open;
use crate::context::Context;
use crate::node_view::{images, short_id};
use crate::output::tabwriter;
use anyhow::Result;
use clap::Args;
use jiff::Timestamp;
use podsim_apiserver::duration::docker_duration;
use podsim_image::Reference;

/// List the images: their names, ids, sizes, and what they run
#[derive(Args, Debug)]
pub(crate) struct LsArgs {
    /// Only ids
    #[arg(short, long)]
    quiet: bool,
}

pub(super) async fn run(context: &Context, args: &LsArgs) -> Result<i32> {
    let images = open(context).await?.list();
    if args.quiet {
        for image in &images {
            context.printer.line(short_id(&image.id)).await?;
        }
        return Ok(0);
    }
    let mut rows = vec![
        ["REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE", "RUNS"]
            .map(str::to_owned)
            .to_vec(),
    ];
    let now = context.terminal.now();
    for image in images {
        let config = &image.config.config;
        let runs = [config.entrypoint.as_slice(), &config.cmd].concat().join(" ");
        let created = image.config.created.as_deref().and_then(|created| created.parse().ok());
        let names = image.references.iter().filter_map(|name| Reference::parse(name).ok());
        let tags: Vec<String> = names
            .filter(|name| name.tag.is_some())
            .map(|name| name.to_string())
            .collect();
        for (repository, tag) in repositories(&tags) {
            rows.push(vec![
                repository,
                tag,
                short_id(&image.id).to_owned(),
                age(created, now),
                size(image.size()),
                runs.clone(),
            ]);
        }
    }
    context.printer.table(&rows).await?;
    Ok(0)
}

/// `docker images`.
pub(crate) async fn run_as_docker(context: &Context) -> Result<i32> {
    let mut rows = vec![
        ["REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE"]
            .map(str::to_owned)
            .to_vec(),
    ];
    let now = context.terminal.now();
    for image in list(context).await? {
        for (repository, tag) in repositories(&image.repo_tags) {
            rows.push(vec![
                repository,
                tag,
                short_id(&image.id).to_owned(),
                age(image.created, now),
                size(image.size),
            ]);
        }
    }
    context.printer.data(tabwriter::table(&rows, 20, 3)).await?;
    Ok(0)
}

/// `crictl images`.
pub(crate) async fn run_as_crictl(context: &Context) -> Result<i32> {
    let mut rows = vec![["IMAGE", "TAG", "IMAGE ID", "SIZE"].map(str::to_owned).to_vec()];
    for image in list(context).await? {
        let digits = image.id.strip_prefix("sha256:").unwrap_or(&image.id);
        let id = digits.get(..13).unwrap_or(digits).to_owned();
        for (repository, tag) in repositories(&image.repo_tags) {
            rows.push(vec![repository, tag, id.clone(), size(image.size)]);
        }
    }
    context.printer.data(tabwriter::table(&rows, 20, 3)).await?;
    Ok(0)
}

async fn list(context: &Context) -> Result<Vec<podsim_apiserver::node_view::ImageView>> {
    images(&context.client()?).await
}

/// `docker.io/library/busybox:latest` as `busybox` and `latest`; an image without a name has `<none>`.
fn repositories(tags: &[String]) -> Vec<(String, String)> {
    if tags.is_empty() {
        return vec![("<none>".to_owned(), "<none>".to_owned())];
    }
    tags.iter()
        .map(|tag| {
            // A colon before a slash belongs to the registry's port.
            let (repository, tag) = match tag.rsplit_once(':') {
                Some((repository, tag)) if !tag.contains('/') => (repository, tag),
                _ => (tag.as_str(), "<none>"),
            };
            let short = repository.strip_prefix("docker.io/").unwrap_or(repository);
            let short = short.strip_prefix("library/").unwrap_or(short);
            (short.to_owned(), tag.to_owned())
        })
        .collect()
}

/// As docker: a time that an image does not tell is not available.
fn age(created: Option<Timestamp>, now: Timestamp) -> String {
    match created {
        Some(created) => format!("{} ago", docker_duration(now.as_second() - created.as_second())),
        None => "N/A".to_owned(),
    }
}

/// As docker: three digits and a decimal unit.
fn size(bytes: u64) -> String {
    let mut value = bytes as f64;
    for unit in ["B", "kB", "MB", "GB"] {
        if value < 1000.0 || unit == "GB" {
            let digits = if value >= 100.0 || value.fract() == 0.0 {
                0
            } else if value >= 10.0 {
                1
            } else {
                2
            };
            return format!("{value:.digits$}{unit}");
        }
        value /= 1000.0;
    }
    format!("{bytes}B")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_sizes_are_as_docker_prints_them() {
        let split = |tag: &str| repositories(&[tag.to_owned()]).remove(0);
        assert_eq!(
            split("docker.io/library/busybox:1.36"),
            ("busybox".into(), "1.36".into())
        );
        assert_eq!(split("localhost:5000/x"), ("localhost:5000/x".into(), "<none>".into()));
        for (bytes, text) in [
            (114, "114B"),
            (53_100, "53.1kB"),
            (1_240_000, "1.24MB"),
            (133_000_000, "133MB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }
}
