//! Images, as the image service sees them.

use jiff::Timestamp;
use podsim_sys::Signal;

/// What an image says about how to run it (the `config` of an OCI image).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageConfig {
    /// `Entrypoint`.
    pub entrypoint: Vec<String>,
    /// `Cmd`.
    pub cmd: Vec<String>,
    /// `Env`.
    pub env: Vec<(String, String)>,
    /// `User`, as it stands there (`101`, `nginx`, `101:101`, or empty).
    pub user: String,
    /// `WorkingDir`, or empty.
    pub working_dir: String,
    /// `StopSignal`.
    pub stop_signal: Option<Signal>,
    /// `ExposedPorts`, as `80/tcp`.
    pub exposed_ports: Vec<String>,
}

/// An image that is present.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Image {
    /// `sha256:` and the digest of its config.
    pub id: String,
    /// Full references, as `docker.io/library/busybox:latest`.
    pub repo_tags: Vec<String>,
    /// References by manifest digest, as `docker.io/library/busybox@sha256:…`.
    pub repo_digests: Vec<String>,
    /// Bytes.
    pub size: u64,
    /// When it was made, if it says so.
    pub created: Option<Timestamp>,
    /// How to run it.
    pub config: ImageConfig,
}

/// Space used by images.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FilesystemUsage {
    /// Where.
    pub mountpoint: String,
    /// Bytes.
    pub used_bytes: u64,
    /// Inodes.
    pub inodes_used: u64,
}
