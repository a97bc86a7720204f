//! Pulls images from registries (OCI Distribution Specification 1.1): anonymously, over HTTPS; over HTTP on this machine only.
//!
//! No registry is ever asked unless the user allowed it: [`Registries`].

use crate::blobs::Blob;
use crate::error::StoreError;
use crate::image::sha256;
use crate::layout::{Adding, Layout, NewImage, json};
use crate::load::{no_platform, note_skipped, read_config};
use crate::oci::{self, Descriptor, Index, Manifest, Platform};
use crate::reference::Reference;
use serde::Deserialize;
use std::io::Read;
use std::net::Ipv4Addr;
use std::time::Duration;
use ureq::http::{Response, StatusCode};
use ureq::{Agent, Body};

/// How deep indices may lie in indices.
const MAX_DEPTH: usize = 3;
/// The largest layer. A registry that says more is lying.
const MAX_LAYER: u64 = 64 << 30;

/// The registries that may be asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Registries {
    hosts: Vec<String>,
}

impl Registries {
    /// These hosts (`docker.io`, `localhost:5000`); `*` is all.
    pub fn new(hosts: impl IntoIterator<Item = String>) -> Self {
        let hosts = hosts.into_iter().map(|host| host.trim().to_owned());
        Self {
            hosts: hosts.filter(|host| !host.is_empty()).collect(),
        }
    }

    /// Whether none may be asked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.hosts.is_empty()
    }

    /// Whether this one may be asked.
    #[must_use]
    pub fn allow(&self, host: &str) -> bool {
        self.hosts.iter().any(|allowed| allowed == host || allowed == "*")
    }
}

/// What was pulled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pulled {
    /// The image's id.
    pub id: String,
    /// What the registry calls it.
    pub digest: String,
    /// What else there is to say.
    pub notes: Vec<String>,
}

/// Pulls an image. `tell` hears of the progress, in docker's words.
pub(crate) fn pull(
    layout: &Layout,
    reference: &Reference,
    platform: Option<&Platform>,
    tell: &mut dyn FnMut(String),
) -> Result<Pulled, StoreError> {
    let mut registry = Registry::new(reference);
    let adding = layout.adding()?;
    let mut notes = Vec::new();
    let name = reference.digest.clone().or_else(|| reference.tag.clone());
    let (digest, manifest) = registry.manifest(&name.unwrap_or_default(), platform)?;
    let config = registry.document("blobs", &manifest.config.digest, "*/*")?;
    let diff_ids = read_config(&config, manifest.layers.len(), platform, &mut notes)?;
    let mut layers: Vec<Blob> = Vec::new();
    for (layer, diff_id) in manifest.layers.iter().zip(&diff_ids) {
        let short = layer.digest.get(7..19).unwrap_or(&layer.digest).to_owned();
        let (blob, word) = match adding.blobs().find(diff_id) {
            Some(blob) => (blob, "Already exists"),
            None => {
                let (blob, skipped) = registry.layer(&adding, layer, diff_id)?;
                note_skipped(&mut notes, &skipped);
                (blob, "Pull complete")
            }
        };
        layers.push(blob);
        tell(format!("{short}: {word}"));
    }
    let id = adding.commit(&NewImage {
        config: &config,
        layers: &layers,
        references: std::slice::from_ref(reference),
        source_digest: Some(&digest),
    })?;
    Ok(Pulled { id, digest, notes })
}

/// One repository of a registry.
struct Registry<'a> {
    reference: &'a Reference,
    base: String,
    is_local: bool,
    agent: Agent,
    token: Option<String>,
}

/// What a token server answers.
#[derive(Deserialize)]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
}

/// `errors` of a registry's answer.
#[derive(Deserialize)]
struct Errors {
    errors: Vec<RegistryError>,
}

#[derive(Deserialize)]
struct RegistryError {
    code: String,
    #[serde(default)]
    message: String,
}

impl<'a> Registry<'a> {
    fn new(reference: &'a Reference) -> Self {
        let is_local = is_loopback(&reference.domain);
        let host = match reference.domain.as_str() {
            "docker.io" => "registry-1.docker.io",
            other => other,
        };
        let scheme = if is_local { "http" } else { "https" };
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .https_only(!is_local)
            .user_agent(concat!("podsim/", env!("CARGO_PKG_VERSION")))
            .timeout_resolve(Some(Duration::from_secs(10)))
            .timeout_connect(Some(Duration::from_secs(30)))
            .timeout_recv_response(Some(Duration::from_secs(60)))
            .timeout_per_read(Some(Duration::from_secs(60)));
        if is_local {
            config = config.proxy(None);
        }
        Self {
            reference,
            base: format!("{scheme}://{host}/v2/{}", reference.path),
            is_local,
            agent: config.build().into(),
            token: None,
        }
    }

    /// The manifest for this host, and the digest of what the name stands for.
    fn manifest(&mut self, name: &str, platform: Option<&Platform>) -> Result<(String, Manifest), StoreError> {
        let accept = [oci::INDEX, oci::MANIFEST, oci::DOCKER_INDEX, oci::DOCKER_MANIFEST].join(", ");
        let mut document = self.document("manifests", name, &accept)?;
        let digest = sha256(&document);
        for _ in 0..=MAX_DEPTH {
            let value: serde_json::Value = json(&document)?;
            if value.get("manifests").is_none() {
                let manifest = json(&document).map_err(|error| self.failed(format!("its manifest: {error}")))?;
                return Ok((digest, manifest));
            }
            let index: Index = json(&document)?;
            let chosen = oci::choose(&index.manifests, platform).ok_or_else(|| no_platform(&index, platform))?;
            document = self.document("manifests", &chosen.digest, &accept)?;
        }
        Err(self.failed("its indices never end".to_owned()))
    }

    /// A small content; one that is asked for by digest must have it.
    fn document(&mut self, kind: &str, name: &str, accept: &str) -> Result<Vec<u8>, StoreError> {
        let response = self.get(&format!("{kind}/{name}"), accept)?;
        let read = response
            .into_body()
            .into_with_config()
            .limit(oci::MAX_DOCUMENT)
            .read_to_vec();
        let document = read.map_err(|error| self.failed(error.to_string()))?;
        if name.starts_with("sha256:") && sha256(&document) != name {
            return Err(self.failed(format!("the registry sent something else than {name}")));
        }
        Ok(document)
    }

    fn layer(
        &mut self,
        adding: &Adding<'_>,
        layer: &Descriptor,
        diff_id: &str,
    ) -> Result<(Blob, Vec<String>), StoreError> {
        if layer.size > MAX_LAYER {
            return Err(self.failed(format!("a layer of {} bytes", layer.size)));
        }
        let response = self.get(&format!("blobs/{}", layer.digest), "*/*")?;
        // One byte more tells that there is more.
        let content = response.into_body().into_with_config().limit(layer.size + 1).reader();
        let file = adding.blobs().fetch(content.take(layer.size + 1), &layer.digest)?;
        adding.layer(&crate::blobs::map(file.path())?, Some(diff_id))
    }

    /// Asks, and once more with a token if the registry wants one.
    fn get(&mut self, path: &str, accept: &str) -> Result<Response<Body>, StoreError> {
        let mut response = self.send(path, accept)?;
        if response.status() == StatusCode::UNAUTHORIZED {
            let challenge = response.headers().get("www-authenticate");
            let challenge = challenge
                .and_then(|value| value.to_str().ok())
                .unwrap_or_default()
                .to_owned();
            self.token = Some(self.authenticate(&challenge)?);
            response = self.send(path, accept)?;
        }
        match response.status() {
            status if status.is_success() => Ok(response),
            StatusCode::NOT_FOUND if path.starts_with("manifests/") => {
                let name = self.reference.familiar();
                Err(self.failed(format!("manifest for {name} not found")))
            }
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(self.failed(format!(
                "pull access denied for {}, repository does not exist or may require 'docker login', which podsim cannot do",
                self.reference.familiar_name()
            ))),
            status => {
                let body = response.into_body().into_with_config().limit(1 << 16).read_to_vec();
                let errors: Option<Errors> = body.ok().and_then(|body| serde_json::from_slice(&body).ok());
                let first = errors.and_then(|errors| errors.errors.into_iter().next());
                let said = first.map(|error| format!(" ({} {})", error.code, error.message)).unwrap_or_default();
                Err(self.failed(format!("the registry answers {status}{said}")))
            }
        }
    }

    fn send(&self, path: &str, accept: &str) -> Result<Response<Body>, StoreError> {
        let mut request = self.agent.get(format!("{}/{path}", self.base)).header("Accept", accept);
        if let Some(token) = &self.token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        request.call().map_err(|error| self.failed(error.to_string()))
    }

    /// Gets a token that anybody gets (Docker Registry, "Token Authentication Specification").
    fn authenticate(&self, challenge: &str) -> Result<String, StoreError> {
        let refused = || {
            let message = "the registry wants a login, which podsim cannot do";
            self.failed(message.to_owned())
        };
        let parameters = challenge.strip_prefix("Bearer ").ok_or_else(refused)?;
        let parameter = |name: &str| {
            let at = parameters.find(&format!("{name}=\""))? + name.len() + 2;
            let value = parameters.get(at..)?;
            value.split('"').next().map(str::to_owned)
        };
        let realm = parameter("realm").ok_or_else(refused)?;
        if !realm.starts_with("https://") && !self.is_local {
            return Err(self.failed(format!("the registry wants a token from {realm:?}, which is not HTTPS")));
        }
        let scope = parameter("scope").unwrap_or_else(|| format!("repository:{}:pull", self.reference.path));
        let mut request = self.agent.get(&realm).query("scope", scope);
        if let Some(service) = parameter("service") {
            request = request.query("service", service);
        }
        let response = request.call().map_err(|error| self.failed(error.to_string()))?;
        if !response.status().is_success() {
            return Err(refused());
        }
        let body = response.into_body().into_with_config().limit(1 << 20).read_to_vec();
        let body = body.map_err(|error| self.failed(error.to_string()))?;
        let token: Token = json(&body)?;
        token.token.or(token.access_token).ok_or_else(refused)
    }

    fn failed(&self, what: String) -> StoreError {
        StoreError::Registry(self.reference.domain.clone(), what)
    }
}

/// Whether a registry is on this machine.
fn is_loopback(domain: &str) -> bool {
    let host = domain.rsplit_once(':').map_or(domain, |(host, _)| host);
    host == "localhost" || host.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registries_are_asked_only_if_they_are_named() {
        let some = Registries::new(["localhost:5000".to_owned(), " quay.io".to_owned(), String::new()]);
        for (host, allowed) in [
            ("localhost:5000", true),
            ("quay.io", true),
            ("docker.io", false),
            ("", false),
        ] {
            assert_eq!(some.allow(host), allowed, "{host}");
        }
        assert!(!Registries::default().allow("localhost:5000"));
        assert!(Registries::new(["*".to_owned()]).allow("docker.io"));
    }

    #[test]
    fn plain_http_is_for_this_machine_only() {
        for (domain, local) in [
            ("localhost", true),
            ("localhost:5000", true),
            ("127.0.0.1:5000", true),
            ("localhost.example.com", false),
            ("10.0.0.1:5000", false),
            ("docker.io", false),
        ] {
            assert_eq!(is_loopback(domain), local, "{domain}");
        }
    }
}
