//! Tokens of the Pod's ServiceAccount, for its projected volumes: asked for, kept, and renewed before they end
//! (`pkg/kubelet/token/token_manager.go`; without its jitter, so that the same run does the same).

use crate::env::Sources;
use k8s_openapi::api::core::v1::{Pod, ServiceAccountTokenProjection};
use podsim_store::token::{BoundObject, TokenRequestSpec};
use std::collections::BTreeMap;
use std::time::Duration;

/// Seconds that a token lasts that does not say (`SetDefaults_ServiceAccountTokenProjection`).
const DEFAULT_SECONDS: i64 = 3600;
/// No token is kept for longer.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// The tokens of a Pod, by audience and the seconds that were asked for.
#[derive(Debug, Default)]
pub(crate) struct Tokens(BTreeMap<(String, i64), Held>);

#[derive(Debug)]
struct Held {
    token: String,
    /// In monotonic time.
    renew: Duration,
    end: Duration,
}

/// When a token of so many seconds is renewed: after four fifths of its time, or a day.
fn renewed_after(seconds: u64) -> Duration {
    Duration::from_secs(seconds - seconds * 20 / 100).min(LONGEST)
}

impl Tokens {
    /// The token for a volume. One that is to be renewed and cannot be is good until its end. `Err` is upstream's message.
    pub(crate) fn get(
        &mut self,
        sources: &Sources<'_>,
        source: &ServiceAccountTokenProjection,
        now: Duration,
    ) -> Result<String, String> {
        let audience = source.audience.clone().unwrap_or_default();
        let seconds = source.expiration_seconds.unwrap_or(DEFAULT_SECONDS);
        let key = (audience, seconds);
        let held = self.0.get(&key).filter(|held| now < held.end);
        if let Some(held) = held.filter(|held| now < held.renew) {
            return Ok(held.token.clone());
        }
        match request(sources, &key.0, seconds) {
            Ok(token) => {
                let lasts = u64::try_from(seconds).unwrap_or_default();
                let held = Held {
                    token: token.clone(),
                    renew: now.saturating_add(renewed_after(lasts)),
                    end: now.saturating_add(Duration::from_secs(lasts)),
                };
                self.0.insert(key, held);
                Ok(token)
            }
            Err(message) => held
                .map(|held| held.token.clone())
                .ok_or_else(|| format!("failed to fetch token: {message}")),
        }
    }

    /// When the next is to be renewed, in monotonic time, if that is still to come.
    pub(crate) fn next_renewal(&self, now: Duration) -> Option<Duration> {
        self.0.values().map(|held| held.renew).filter(|at| *at > now).min()
    }
}

fn request(sources: &Sources<'_>, audience: &str, seconds: i64) -> Result<String, String> {
    let meta = &sources.pod.metadata;
    let spec = sources.pod.spec.as_ref();
    let account = spec
        .and_then(|spec| spec.service_account_name.as_deref())
        .unwrap_or_default();
    let request = TokenRequestSpec {
        audiences: Some(audience)
            .filter(|a| !a.is_empty())
            .map(str::to_owned)
            .into_iter()
            .collect(),
        expiration_seconds: Some(seconds),
        bound_object: Some(BoundObject {
            api_version: "v1".to_owned(),
            kind: "Pod".to_owned(),
            name: meta.name.clone().unwrap_or_default(),
            uid: meta.uid.clone().unwrap_or_default(),
        }),
    };
    let issued = sources.store.request_token(sources.namespace(), account, &request);
    issued.map(|issued| issued.token).map_err(|error| error.to_string())
}

/// Who all containers of the Pod run as, if that is one user (`util.FsUserFrom`): the owner of its tokens.
pub(crate) fn owner(pod: &Pod) -> Option<u32> {
    let spec = pod.spec.as_ref()?;
    let of_pod = spec.security_context.as_ref().and_then(|context| context.run_as_user);
    let contexts = spec
        .init_containers
        .iter()
        .flatten()
        .chain(&spec.containers)
        .map(|container| &container.security_context)
        .chain(
            spec.ephemeral_containers
                .iter()
                .flatten()
                .map(|container| &container.security_context),
        );
    let mut users = contexts.map(|context| context.as_ref().and_then(|c| c.run_as_user).or(of_pod));
    let first = users.next()??;
    users.all(|user| user == Some(first)).then_some(())?;
    u32::try_from(first).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn tokens_are_renewed_before_they_end() {
        for (seconds, after) in [(600, 480), (3607, 2886), (86_400, 69_120), (1_000_000, 86_400)] {
            assert_eq!(renewed_after(seconds), Duration::from_secs(after), "{seconds}");
        }
    }

    #[test]
    fn tokens_are_of_the_one_user_of_a_pod() {
        let user = |uid: i64| json!({"name": "c", "securityContext": {"runAsUser": uid}});
        let none = json!({"name": "c"});
        for (of_pod, containers, expected) in [
            (Value::Null, vec![none.clone()], None),
            (Value::Null, vec![user(7)], Some(7)),
            (Value::Null, vec![user(7), user(7)], Some(7)),
            (Value::Null, vec![user(7), user(8)], None),
            (Value::Null, vec![user(7), none.clone()], None),
            (json!(9), vec![none.clone()], Some(9)),
            (json!(9), vec![user(7), none], None),
        ] {
            let spec = json!({"securityContext": {"runAsUser": of_pod}, "containers": containers});
            let pod: Pod = serde_json::from_value(json!({"spec": spec})).unwrap();
            assert_eq!(owner(&pod), expected, "{spec}");
        }
    }
}
