//! Tokens of ServiceAccounts: `TokenRequest` and who shows one (`pkg/registry/core/serviceaccount/storage/token.go`,
//! `pkg/serviceaccount/claims.go`).
//!
//! * [`TokenSigner`]: the key. The composition root makes it and installs it ([`Store::install_signer`]).
//! * [`Store::request_token`]: the subresource `serviceaccounts/token`, for the API and for the kubelet's projected volumes.
//! * [`Store::review_token`]: whose token it is, if it still counts.

mod jwt;
#[cfg(test)]
mod tests;

use crate::{FieldError, Kind, Object, Store, StoreError, kinds, time};
pub use jwt::{KeyError, TokenSigner};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Who issues the tokens, and the audience of the API itself. (The name that kind and kubeadm give.)
pub const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";

/// The shortest time that may be asked for, in seconds.
const LEAST_SECONDS: i64 = 600;
/// What tokens last that do not say, in seconds (`SetDefaults_TokenRequestSpec`).
const DEFAULT_SECONDS: i64 = 3600;
/// A token of exactly this many seconds is one of a Pod's volume. It is given out for a year, since old programs read it once
/// only, and carries when it should have been read anew (`WarnOnlyBoundTokenExpirationSeconds`).
const OF_A_VOLUME: i64 = 3607;
const A_YEAR: i64 = 365 * 24 * 3600;
/// How long what is deleted still counts, in seconds: clocks differ (`jwt.DefaultLeeway`).
const LEEWAY: i64 = 60;

/// The `spec` of a `TokenRequest`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenRequestSpec {
    /// For whom the token is; none is for the API server.
    pub audiences: Vec<String>,
    /// Seconds; at least 600.
    pub expiration_seconds: Option<i64>,
    /// The token dies with this object.
    pub bound_object: Option<BoundObject>,
}

/// A `BoundObjectReference`: a Pod, a Secret or a Node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BoundObject {
    /// `v1`.
    pub api_version: String,
    /// `Pod`, `Secret` or `Node`.
    pub kind: String,
    /// Its name, in the ServiceAccount's namespace.
    pub name: String,
    /// Only this one, if not empty.
    pub uid: String,
}

/// A token that was given out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuedToken {
    /// The token.
    pub token: String,
    /// Until when it should be used.
    pub expires: jiff::Timestamp,
    /// For whom it is.
    pub audiences: Vec<String>,
    /// How long it was asked for, in seconds.
    pub expiration_seconds: i64,
}

/// Who shows a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenOwner {
    /// The ServiceAccount's namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// What else the token says, as `userInfo.extra` has it.
    pub extra: BTreeMap<String, Vec<String>>,
    /// For whom the token is, of those that were asked about.
    pub audiences: Vec<String>,
}

/// Why a token does not count; for people.
pub type Refusal = String;

impl Store {
    /// Has tokens signed with this key from now on.
    pub fn install_signer(&self, signer: Arc<TokenSigner>) {
        *self.signer().lock() = Some(signer);
    }

    /// A token for a ServiceAccount, as its subresource `token` gives.
    ///
    /// # Errors
    ///
    /// There is no such ServiceAccount or object to bind to, or the request is not valid.
    pub fn request_token(
        &self,
        namespace: &str,
        account: &str,
        request: &TokenRequestSpec,
    ) -> Result<IssuedToken, StoreError> {
        let seconds = request.expiration_seconds.unwrap_or(DEFAULT_SECONDS);
        validate(request, seconds)?;
        let object = self.get(&kinds::SERVICE_ACCOUNT, namespace, account)?;
        let mut private = Map::new();
        private.insert("namespace".into(), namespace.into());
        if let Some(bound) = &request.bound_object {
            self.bind_token(namespace, account, bound, &mut private)?;
        }
        private.insert("serviceaccount".into(), reference(&object));
        let own = vec![ISSUER.to_owned()];
        let audiences = if request.audiences.is_empty() {
            own
        } else {
            request.audiences.clone()
        };
        let now = time::now(self.clock().as_ref()).0.as_second();
        let mut end = now + seconds;
        let expires = jiff::Timestamp::from_second(end).unwrap_or(jiff::Timestamp::MAX);
        if seconds == OF_A_VOLUME && audiences.iter().any(|audience| audience == ISSUER) {
            private.insert("warnafter".into(), end.into());
            end = now + A_YEAR;
        }
        let claims = json!({
            "aud": audiences, "exp": end, "iat": now, "iss": ISSUER, "jti": self.uid(), "kubernetes.io": private, "nbf": now,
            "sub": format!("system:serviceaccount:{namespace}:{account}"),
        });
        let signer = self.signer().lock().clone();
        let signer =
            signer.ok_or_else(|| StoreError::BadRequest("this server has no key to sign tokens with".into()))?;
        let token = signer.sign(&claims);
        let token =
            token.map_err(|_| StoreError::BadRequest("the system has no random numbers to sign with".into()))?;
        Ok(IssuedToken {
            token,
            expires,
            audiences,
            expiration_seconds: seconds,
        })
    }

    /// Puts what the token is bound to into its claims.
    fn bind_token(
        &self,
        namespace: &str,
        account: &str,
        bound: &BoundObject,
        private: &mut Map<String, Value>,
    ) -> Result<(), StoreError> {
        let core = bound.api_version == "v1";
        let object = match bound.kind.as_str() {
            "Pod" if core => {
                let pod = self.get(&kinds::POD, namespace, &bound.name)?;
                if pod["spec"]["serviceAccountName"] != account {
                    return Err(StoreError::BadRequest(format!(
                        "cannot bind token for serviceaccount {account:?} to pod running with different serviceaccount name."
                    )));
                }
                if let Some(node) = pod["spec"]["nodeName"].as_str().filter(|node| !node.is_empty()) {
                    // The name alone where there is no such Node (yet).
                    let found = self.get(&kinds::NODE, "", node);
                    let claim = found.map_or_else(|_| json!({"name": node}), |node| reference(&node));
                    private.insert("node".into(), claim);
                }
                pod
            }
            "Secret" if core => self.get(&kinds::SECRET, namespace, &bound.name)?,
            "Node" if core => self.get(&kinds::NODE, "", &bound.name)?,
            _ => {
                let (group, version) = bound.api_version.split_once('/').unwrap_or(("", &bound.api_version));
                return Err(StoreError::BadRequest(format!(
                    "cannot bind token to object of type {group}/{version}, Kind={}",
                    bound.kind
                )));
            }
        };
        if !bound.uid.is_empty() && object["metadata"]["uid"] != bound.uid {
            return Err(StoreError::Conflict {
                resource: bound.kind.clone(),
                name: bound.name.clone(),
                detail: format!(
                    "the UID in the bound object reference ({}) does not match the UID in record. The object might have been deleted and then recreated",
                    bound.uid
                ),
            });
        }
        private.insert(bound.kind.to_lowercase(), reference(&object));
        Ok(())
    }

    /// Whose token this is: signed by us, not run out, its ServiceAccount and what it is bound to still there, and meant for
    /// one of `audiences` (none: for the API server).
    ///
    /// # Errors
    ///
    /// Why it does not count.
    pub fn review_token(&self, token: &str, audiences: &[String]) -> Result<TokenOwner, Refusal> {
        let signer = self.signer().lock().clone();
        let claims = signer.and_then(|signer| signer.verify(token));
        let claims = claims.ok_or("invalid bearer token")?;
        let now = time::timestamp(self.clock().as_ref()).as_second();
        if claims["exp"].as_i64().is_none_or(|end| now >= end + LEEWAY) {
            return Err("service account token has expired".into());
        }
        if claims["nbf"].as_i64().is_none_or(|start| now + LEEWAY < start) {
            return Err("service account token is not valid yet".into());
        }
        let own = [ISSUER.to_owned()];
        let asked = if audiences.is_empty() { &own } else { audiences };
        let meant = claims["aud"].as_array().into_iter().flatten();
        let meant: Vec<&str> = meant.filter_map(Value::as_str).collect();
        let both = asked.iter().filter(|audience| meant.contains(&audience.as_str()));
        let both: Vec<String> = both.cloned().collect();
        if both.is_empty() {
            return Err(format!(
                "token audiences {meant:?} is invalid for the target audiences {asked:?}"
            ));
        }
        let private = &claims["kubernetes.io"];
        let namespace = private["namespace"].as_str().unwrap_or_default();
        let account = &private["serviceaccount"];
        if !self.still_there(&kinds::SERVICE_ACCOUNT, namespace, account, now) {
            let name = account["name"].as_str().unwrap_or_default();
            return Err(format!("service account {namespace}/{name} has been deleted"));
        }
        for (claim, kind) in [("pod", &kinds::POD), ("secret", &kinds::SECRET)] {
            if !private[claim].is_null() && !self.still_there(kind, namespace, &private[claim], now) {
                return Err("service account token has been invalidated".into());
            }
        }
        // With a Pod, the Node is only told of: the Pod's end is the token's.
        let to_node = private["pod"].is_null() && !private["node"].is_null();
        if to_node && !self.still_there(&kinds::NODE, "", &private["node"], now) {
            return Err("service account token has been invalidated".into());
        }
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let mut extra = BTreeMap::new();
        for (key, value) in [
            ("credential-id", format!("JTI={}", text(&claims["jti"]))),
            ("node-name", text(&private["node"]["name"])),
            ("node-uid", text(&private["node"]["uid"])),
            ("pod-name", text(&private["pod"]["name"])),
            ("pod-uid", text(&private["pod"]["uid"])),
        ] {
            if !value.is_empty() {
                extra.insert(format!("authentication.kubernetes.io/{key}"), vec![value]);
            }
        }
        Ok(TokenOwner {
            namespace: namespace.to_owned(),
            name: text(&account["name"]),
            uid: text(&account["uid"]),
            extra,
            audiences: both,
        })
    }

    /// The keys by which others can check tokens, as a JSON web key set.
    #[must_use]
    pub fn token_keys(&self) -> Value {
        let signer = self.signer().lock().clone();
        let keys: Vec<Value> = signer.iter().map(|signer| signer.public_key()).collect();
        json!({ "keys": keys })
    }

    /// Whether the very object that a claim names is there, and not deleted for longer than clocks differ.
    fn still_there(&self, kind: &'static Kind, namespace: &str, claim: &Value, now: i64) -> bool {
        let name = claim["name"].as_str().unwrap_or_default();
        let Ok(object) = self.get(kind, namespace, name) else {
            return false;
        };
        let deleted = object["metadata"]["deletionTimestamp"].as_str();
        let deleted = deleted.and_then(|at| at.parse::<jiff::Timestamp>().ok());
        object["metadata"]["uid"] == claim["uid"] && deleted.is_none_or(|at| at.as_second() >= now - LEEWAY)
    }
}

fn reference(object: &Object) -> Value {
    json!({"name": object["metadata"]["name"], "uid": object["metadata"]["uid"]})
}

/// `ValidateTokenRequest`.
fn validate(request: &TokenRequestSpec, seconds: i64) -> Result<(), StoreError> {
    let mut errors = vec![];
    let field = "spec.expirationSeconds";
    if seconds < LEAST_SECONDS {
        errors.push(FieldError::invalid_raw(
            field,
            seconds,
            "may not specify a duration less than 10 minutes",
        ));
    }
    if seconds > 1 << 32 {
        errors.push(FieldError::invalid_raw(
            field,
            seconds,
            "may not specify a duration larger than 2^32 seconds",
        ));
    }
    if request.bound_object.as_ref().is_some_and(|bound| bound.name.is_empty()) {
        errors.push(FieldError::required("spec.boundObjectRef.name", ""));
    }
    if errors.is_empty() {
        return Ok(());
    }
    Err(StoreError::Invalid {
        kind: "TokenRequest.authentication.k8s.io".into(),
        name: String::new(),
        errors,
    })
}
