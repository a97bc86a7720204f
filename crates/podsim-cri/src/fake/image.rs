//! [`FakeImageService`]: images by name, and pulls that succeed or fail as told.

use crate::{Error, FilesystemUsage, Image, ImageService, Result};
use async_trait::async_trait;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::Notify;

/// What a pull does.
#[derive(Clone, Debug)]
pub enum PullOutcome {
    /// The image is there from then on.
    Succeeds,
    /// It fails with this error.
    Fails(Error),
    /// It goes on until this is notified, and then succeeds.
    SucceedsAfter(Arc<Notify>),
}

/// An image service without images' contents. References are compared as they are, with `:latest` added.
#[derive(Default)]
pub struct FakeImageService {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    images: BTreeMap<String, Image>,
    pulls: BTreeMap<String, PullOutcome>,
    calls: Vec<String>,
}

fn normal(reference: &str) -> String {
    let last = reference.rsplit('/').next().unwrap_or(reference);
    if last.contains(':') || last.contains('@') {
        reference.to_owned()
    } else {
        format!("{reference}:latest")
    }
}

impl FakeImageService {
    /// With these images present.
    #[must_use]
    pub fn with_images(references: &[&str]) -> Self {
        let fake = Self::default();
        references.iter().for_each(|r| fake.add(r));
        fake
    }

    /// Makes an image present.
    pub fn add(&self, reference: &str) {
        let name = normal(reference);
        let image = Image {
            id: format!("sha256:fake-{name}"),
            repo_tags: vec![name.clone()],
            ..Image::default()
        };
        self.state.lock().images.insert(name, image);
    }

    /// Says what a pull of `reference` will do; pulls of others fail with not found.
    pub fn script_pull(&self, reference: &str, outcome: PullOutcome) {
        self.state.lock().pulls.insert(normal(reference), outcome);
    }

    /// The pulls so far.
    #[must_use]
    pub fn calls(&self) -> Vec<String> {
        self.state.lock().calls.clone()
    }
}

#[async_trait]
impl ImageService for FakeImageService {
    async fn list_images(&self) -> Result<Vec<Image>> {
        Ok(self.state.lock().images.values().cloned().collect())
    }

    async fn image_status(&self, reference: &str) -> Result<Option<Image>> {
        let state = self.state.lock();
        let by_id = || state.images.values().find(|i| i.id == reference);
        Ok(state.images.get(&normal(reference)).or_else(by_id).cloned())
    }

    async fn pull_image(&self, reference: &str) -> Result<String> {
        let outcome = {
            let mut state = self.state.lock();
            state.calls.push(format!("pull_image {reference}"));
            state.pulls.get(&normal(reference)).cloned()
        };
        if let Some(PullOutcome::SucceedsAfter(end)) = &outcome {
            end.notified().await;
        }
        match outcome {
            Some(PullOutcome::Succeeds | PullOutcome::SucceedsAfter(_)) => {
                self.add(reference);
                Ok(format!("sha256:fake-{}", normal(reference)))
            }
            Some(PullOutcome::Fails(error)) => Err(error),
            None => Err(Error::ImageNotFound(format!("{reference}: not found"))),
        }
    }

    async fn remove_image(&self, reference: &str) -> Result<()> {
        self.state.lock().images.remove(&normal(reference));
        Ok(())
    }

    async fn image_fs_info(&self) -> Result<FilesystemUsage> {
        Ok(FilesystemUsage::default())
    }
}
