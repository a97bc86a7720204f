//! Pull policies and the back-off of pulls (`imageManager.EnsureImageExists`).

use crate::backoff::{Backoff, go_duration};
use crate::events::Severity;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Container, ImageVolumeSource};
use podsim_cri::{Error, Image, ImageService};
use podsim_sys::Clock;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// Why a container waits for its image.
#[derive(Debug)]
pub(crate) struct ImageError {
    pub(crate) reason: &'static str,
    pub(crate) message: String,
    /// When to try again.
    pub(crate) retry_after: Duration,
}

/// How often it is looked again for an image that must not be pulled, and that somebody may have loaded.
const NEVER_RETRY: Duration = Duration::from_secs(10);

/// The pulls of a Pod that failed.
#[derive(Debug, Default)]
pub(crate) struct FailedPulls {
    backoff: Backoff,
    /// The last error of each image.
    errors: HashMap<String, String>,
}

/// Which image, and when it is pulled.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    pub(crate) reference: &'a str,
    policy: &'a str,
}

impl<'a> Wanted<'a> {
    pub(crate) fn of_container(container: &'a Container) -> Self {
        Self::new(container.image.as_deref(), container.image_pull_policy.as_deref())
    }

    pub(crate) fn of_volume(source: &'a ImageVolumeSource) -> Self {
        Self::new(source.reference.as_deref(), source.pull_policy.as_deref())
    }

    fn new(reference: Option<&'a str>, policy: Option<&'a str>) -> Self {
        Self {
            reference: reference.unwrap_or_default(),
            policy: policy.unwrap_or("IfNotPresent"),
        }
    }
}

/// Makes sure that the image is there. `tell` records an event.
pub(crate) async fn ensure_image(
    images: &dyn ImageService,
    wanted: Wanted<'_>,
    pulls: &mut FailedPulls,
    clock: &Arc<dyn Clock>,
    tell: impl Fn(Severity, &str, &str),
) -> Result<Image, ImageError> {
    let Wanted { reference, policy } = wanted;
    let now = || podsim_store::time::timestamp(clock.as_ref());
    let present = images.image_status(reference).await.map_err(|e| ImageError {
        reason: "ImageInspectError",
        message: format!("Failed to inspect image \"{reference}\": {e}"),
        retry_after: NEVER_RETRY,
    })?;
    match (policy, present) {
        ("Never", None) => {
            let message = format!("Container image \"{reference}\" is not present with pull policy of Never");
            tell(Severity::Warning, "ErrImageNeverPull", &message);
            return Err(ImageError {
                reason: "ErrImageNeverPull",
                message,
                retry_after: NEVER_RETRY,
            });
        }
        ("Never" | "IfNotPresent", Some(image)) => {
            tell(
                Severity::Normal,
                "Pulled",
                &format!("Container image \"{reference}\" already present on machine"),
            );
            return Ok(image);
        }
        _ => {}
    }
    if let Some((left, _)) = pulls.backoff.remaining_since_update(reference, now()) {
        let mut message = format!("Back-off pulling image \"{reference}\"");
        tell(Severity::Normal, "BackOff", &message);
        // The event is short so that it can be counted; the status says what went wrong.
        if let Some(error) = pulls.errors.get(reference) {
            message.push_str(&format!(": ErrImagePull: {error}"));
        }
        return Err(ImageError {
            reason: "ImagePullBackOff",
            message,
            retry_after: left,
        });
    }
    tell(Severity::Normal, "Pulling", &format!("Pulling image \"{reference}\""));
    let started = clock.monotonic();
    let failed = |error: Error, pulls: &mut FailedPulls| {
        let message = error.to_string();
        tell(
            Severity::Warning,
            "Failed",
            &format!("Failed to pull image \"{reference}\": {message}"),
        );
        let at: Timestamp = now();
        pulls.backoff.next(reference, at, at);
        pulls.errors.insert(reference.to_owned(), message.clone());
        ImageError {
            reason: "ErrImagePull",
            message,
            // The next look will find it in back-off.
            retry_after: Duration::ZERO,
        }
    };
    if let Err(error) = images.pull_image(reference).await {
        if let Error::InvalidArgument(why) = &error {
            let message = format!("Failed to apply default image tag \"{reference}\": {why}");
            tell(Severity::Warning, "InspectFailed", &message);
            return Err(ImageError {
                reason: "InvalidImageName",
                message,
                retry_after: NEVER_RETRY,
            });
        }
        return Err(failed(error, pulls));
    }
    let image = match images.image_status(reference).await {
        Ok(Some(image)) => image,
        Ok(None) => {
            let message = format!("image \"{reference}\" is not there after the pull");
            return Err(failed(Error::Internal(message), pulls));
        }
        Err(error) => return Err(failed(error, pulls)),
    };
    let took = go_duration(clock.monotonic().saturating_sub(started));
    let message = format!(
        "Successfully pulled image \"{reference}\" in {took} ({took} including waiting). Image size: {} bytes.",
        image.size
    );
    tell(Severity::Normal, "Pulled", &message);
    pulls.backoff.reset(reference);
    pulls.errors.remove(reference);
    Ok(image)
}
