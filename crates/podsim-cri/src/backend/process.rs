//! What a container's first process is started with: command line and environment.

use crate::{ContainerConfig, Error, ImageConfig};

/// Entrypoint and cmd of the image, replaced as `command` and `args` say.
#[must_use]
pub fn command_line(config: &ContainerConfig, image: &ImageConfig) -> Vec<String> {
    match (config.command.is_empty(), config.args.is_empty()) {
        (true, true) => [&image.entrypoint[..], &image.cmd[..]].concat(),
        (true, false) => [&image.entrypoint[..], &config.args[..]].concat(),
        (false, _) => [&config.command[..], &config.args[..]].concat(),
    }
}

/// The environment, `NAME=value` in the order of Docker's; a later entry wins. `home` is the user's, for a container that has no
/// `HOME` of its own.
#[must_use]
pub fn environment(config: &ContainerConfig, image: &ImageConfig, hostname: &str, home: &str) -> Vec<String> {
    let mut environ: Vec<(String, String)> = Vec::new();
    let mut set = |name: &str, value: &str| match environ.iter_mut().find(|(old, _)| old == name) {
        Some((_, old)) => value.clone_into(old),
        None => environ.push((name.to_owned(), value.to_owned())),
    };
    set("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    set("HOSTNAME", hostname);
    if config.tty {
        set("TERM", "xterm");
    }
    image
        .env
        .iter()
        .chain(&config.envs)
        .for_each(|(name, value)| set(name, value));
    if !environ.iter().any(|(name, _)| name == "HOME") {
        environ.push(("HOME".to_owned(), home.to_owned()));
    }
    environ
        .into_iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect()
}

/// A container that cannot be started, in containerd's words: exit code 128, whatever the reason.
#[must_use]
pub fn start_failed(message: &str) -> Error {
    Error::StartFailed {
        reason: "StartError".to_owned(),
        message: message.to_owned(),
        exit_code: 128,
    }
}
