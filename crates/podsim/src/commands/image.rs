//! `podsim image ls`, `docker images`, `crictl images`.

use crate::context::Context;
use crate::node_view::{images, short_id};
use crate::output::tabwriter;
use anyhow::Result;
use clap::{Args, Subcommand};

/// Images that containers can be made from
#[derive(Args, Debug)]
pub(crate) struct ImageArgs {
    #[command(subcommand)]
    command: ImageCommand,
}

#[derive(Subcommand, Debug)]
enum ImageCommand {
    /// List the images: their names, ids, sizes, and what they run
    #[command(visible_alias = "list")]
    Ls,
}

pub(crate) async fn run(context: &Context, args: &ImageArgs) -> Result<i32> {
    let ImageCommand::Ls = &args.command;
    let mut rows = vec![
        ["REPOSITORY", "TAG", "IMAGE ID", "SIZE", "RUNS"]
            .map(str::to_owned)
            .to_vec(),
    ];
    for image in crate::commands::image::list(context).await? {
        let runs = [image.entrypoint, image.cmd].concat().join(" ");
        for (repository, tag) in repositories(&image.repo_tags) {
            rows.push(vec![
                repository,
                tag,
                short_id(&image.id).to_owned(),
                size(image.size),
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
    for image in list(context).await? {
        for (repository, tag) in repositories(&image.repo_tags) {
            rows.push(vec![
                repository,
                tag,
                short_id(&image.id).to_owned(),
                "N/A".to_owned(),
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
