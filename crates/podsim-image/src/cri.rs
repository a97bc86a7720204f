//! An image as the image service of CRI tells of it.

use crate::{Image, Reference};
use podsim_sys::Signal;

impl From<&Image> for podsim_cri::Image {
    fn from(image: &Image) -> Self {
        let config = &image.config.config;
        let names = || {
            image
                .references
                .iter()
                .filter_map(|reference| Reference::parse(reference).ok())
        };
        let env = |entry: &String| match entry.split_once('=') {
            Some((name, value)) => (name.to_owned(), value.to_owned()),
            None => (entry.clone(), String::new()),
        };
        let mut repo_digests: Vec<_> = names()
            .map(|name| format!("{}@{}", name.repository(), image.digest))
            .collect();
        repo_digests.dedup();
        Self {
            id: image.id.clone(),
            repo_tags: names()
                .filter(|name| name.tag.is_some())
                .map(|name| name.to_string())
                .collect(),
            repo_digests,
            size: image.size(),
            created: image.config.created.as_deref().and_then(|created| created.parse().ok()),
            config: podsim_cri::ImageConfig {
                entrypoint: config.entrypoint.clone(),
                cmd: config.cmd.clone(),
                env: config.env.iter().map(env).collect(),
                user: config.user.clone(),
                working_dir: config.working_dir.clone(),
                stop_signal: config.stop_signal.as_deref().and_then(Signal::parse),
                exposed_ports: config.exposed_ports.keys().cloned().collect(),
            },
        }
    }
}
