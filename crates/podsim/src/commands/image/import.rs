//! `podsim image import-rootfs`.

use super::{failure, notes, open, platform, reference, warn_of_shadow};
use crate::context::Context;
use anyhow::Result;
use clap::Args;
use podsim_image::{ImageConfig, ImportOptions, Platform, Reference};
use std::path::PathBuf;

/// What docker gives to containers whose images say nothing.
const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Make an image of a root filesystem: a directory, or a tar archive of one, as `docker export` writes it
///
/// Files of all kinds keep their owners, modes and links; extended attributes are left out.
#[derive(Args, Debug)]
pub(crate) struct ImportArgs {
    /// The directory or archive; an archive may be compressed with gzip or zstd
    #[arg(value_name = "DIR|TAR")]
    path: PathBuf,
    /// The image's name
    #[arg(value_parser = reference, value_name = "NAME[:TAG]")]
    name: Reference,
    /// The command, in words, or as a JSON list: 'nginx -g daemon', '["sh", "-c", "echo hi"]'
    #[arg(long, value_parser = words, value_name = "COMMAND", allow_hyphen_values = true)]
    cmd: Option<Words>,
    /// What always runs, with the command as its arguments
    #[arg(long, value_parser = words, value_name = "COMMAND")]
    entrypoint: Option<Words>,
    /// An environment variable (again for more)
    #[arg(short, long, value_parser = variable, value_name = "NAME=VALUE")]
    env: Vec<String>,
    /// The user that it runs as: names or numbers
    #[arg(
        short,
        long,
        default_value = "",
        hide_default_value = true,
        value_name = "USER[:GROUP]"
    )]
    user: String,
    /// The directory that it starts in
    #[arg(short, long, default_value = "", hide_default_value = true, value_name = "DIR")]
    workdir: String,
    /// A port that it listens on (again for more)
    #[arg(long, value_parser = port, value_name = "PORT[/PROTOCOL]")]
    expose: Vec<String>,
    /// The signal that asks it to end; SIGTERM if it is not given
    #[arg(long, value_parser = signal, value_name = "SIGNAL")]
    stop_signal: Option<String>,
    /// Give all files of a directory this owner, in place of their own
    #[arg(long, value_parser = owner, value_name = "UID:GID")]
    owner: Option<(u32, u32)>,
    /// What it runs on, if not on this host: wasip1/wasm
    #[arg(long, value_parser = platform, value_name = "OS/ARCH")]
    platform: Option<Platform>,
}

/// A command, in a type of its own: clap takes a plain list for an option that can be given again.
#[derive(Clone, Debug, Default)]
struct Words(Vec<String>);

pub(super) async fn run(context: &Context, args: &ImportArgs) -> Result<i32> {
    let store = open(context).await?;
    let mut env = args.env.clone();
    if !env.iter().any(|variable| variable.starts_with("PATH=")) {
        env.insert(0, PATH.to_owned());
    }
    let ports = args.expose.iter().map(|port| (port.clone(), serde_json::json!({})));
    let options = ImportOptions {
        reference: args.name.clone(),
        config: ImageConfig {
            user: args.user.clone(),
            exposed_ports: ports.collect(),
            env,
            entrypoint: args.entrypoint.clone().unwrap_or_default().0,
            cmd: args.cmd.clone().unwrap_or_default().0,
            working_dir: args.workdir.clone(),
            stop_signal: args.stop_signal.clone(),
            ..ImageConfig::default()
        },
        created: context.terminal.now().to_string(),
        platform: args.platform.clone(),
        owner: args.owner,
    };
    let imported = store.import_rootfs(&args.path, &options).map_err(failure)?;
    notes(context, &imported.notes).await?;
    context.printer.line(&imported.id).await?;
    warn_of_shadow(context, &args.name).await?;
    Ok(0)
}

fn words(text: &str) -> Result<Words, String> {
    if text.starts_with('[') {
        let list = serde_json::from_str(text);
        return list.map(Words).map_err(|_| "expected a JSON list of texts".to_owned());
    }
    Ok(Words(text.split_whitespace().map(str::to_owned).collect()))
}

fn variable(text: &str) -> Result<String, String> {
    match text.split_once('=') {
        Some((name, _)) if !name.is_empty() => Ok(text.to_owned()),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}

fn port(text: &str) -> Result<String, String> {
    let (number, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let valid = number.parse::<u16>().is_ok_and(|number| number > 0) && matches!(protocol, "tcp" | "udp" | "sctp");
    if valid {
        Ok(format!("{number}/{protocol}"))
    } else {
        Err("expected a port, as 80 or 53/udp".to_owned())
    }
}

fn signal(text: &str) -> Result<String, String> {
    match podsim_sys::Signal::parse(text) {
        Some(_) => Ok(text.to_owned()),
        None => Err("no such signal".to_owned()),
    }
}

fn owner(text: &str) -> Result<(u32, u32), String> {
    let parsed = || {
        let (uid, gid) = text.split_once(':')?;
        Some((uid.parse().ok()?, gid.parse().ok()?))
    };
    parsed().ok_or_else(|| "expected UID:GID, as 0:0".to_owned())
}
