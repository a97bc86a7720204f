//! [`User`]: who makes a request. The administrator (by certificate or by the node's token), a ServiceAccount by one of its tokens,
//! or whom the administrator speaks for (`Impersonate-User`).

use crate::authorize::{self, Action, On};
use crate::server::App;
use crate::status::{ApiError, Result};
use axum::http::{HeaderMap, header};
use podsim_store::token::TokenOwner;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Who makes a request, as `userInfo` shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) uid: String,
    pub(crate) groups: Vec<String>,
    pub(crate) extra: BTreeMap<String, Vec<String>>,
}

const AUTHENTICATED: &str = "system:authenticated";
const MASTERS: &str = "system:masters";

impl User {
    /// The name and the group that kubeadm gives its administrator.
    pub(crate) fn admin() -> Self {
        Self {
            name: "kubernetes-admin".into(),
            groups: vec![MASTERS.into(), AUTHENTICATED.into()],
            ..Self::default()
        }
    }

    /// Whether he may do everything.
    pub(crate) fn is_master(&self) -> bool {
        self.groups.iter().any(|group| group == MASTERS)
    }

    /// As `userInfo` of a review.
    pub(crate) fn to_value(&self) -> Value {
        let mut value = json!({"username": self.name, "groups": self.groups});
        if !self.uid.is_empty() {
            value["uid"] = self.uid.as_str().into();
        }
        if !self.extra.is_empty() {
            value["extra"] = json!(self.extra);
        }
        value
    }

    /// Notes in the `spec` of a CertificateSigningRequest who has made it, whatever it said of that (`csrStrategy.PrepareForCreate`).
    pub(crate) fn sign(&self, spec: &mut Value) {
        let Some(spec) = spec.as_object_mut() else { return };
        for field in ["username", "uid", "groups", "extra"] {
            spec.remove(field);
        }
        if let Value::Object(user) = self.to_value() {
            spec.extend(user);
        }
    }

    /// Who the `spec` of a SubjectAccessReview asks about.
    pub(crate) fn of_review(spec: &Value) -> Self {
        let groups = spec["groups"].as_array().into_iter().flatten();
        Self {
            name: spec["user"].as_str().unwrap_or_default().to_owned(),
            groups: groups.filter_map(|group| group.as_str().map(str::to_owned)).collect(),
            ..Self::default()
        }
    }
}

/// A ServiceAccount (`pkg/serviceaccount/util.go`).
impl From<TokenOwner> for User {
    fn from(owner: TokenOwner) -> Self {
        Self {
            name: format!("system:serviceaccount:{}:{}", owner.namespace, owner.name),
            uid: owner.uid,
            groups: service_account_groups(&owner.namespace),
            extra: owner.extra,
        }
    }
}

fn service_account_groups(namespace: &str) -> Vec<String> {
    vec![
        "system:serviceaccounts".into(),
        format!("system:serviceaccounts:{namespace}"),
        AUTHENTICATED.into(),
    ]
}

/// Whose token this is.
pub(crate) fn of_token(
    app: &App,
    token: &str,
    audiences: &[String],
) -> std::result::Result<(User, Vec<String>), String> {
    if app.is_token(token.as_bytes()) {
        return Ok((User::admin(), audiences.to_vec()));
    }
    let owner = app.store.review_token(token, audiences)?;
    let audiences = owner.audiences.clone();
    Ok((User::from(owner), audiences))
}

/// Who makes a request with these headers; `certified`: with a certificate of our own.
pub(crate) fn authenticate(app: &App, headers: &HeaderMap, certified: bool) -> Result<User> {
    let user = if certified {
        User::admin()
    } else {
        let shown = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = shown
            .and_then(|shown| shown.strip_prefix("Bearer "))
            .unwrap_or_default();
        // Why a token is not believed is not a stranger's business.
        of_token(app, token, &[]).map_err(|_| ApiError::unauthorized())?.0
    };
    impersonated(app, headers, user)
}

/// Whom the user speaks for, if he may (`apiserver/pkg/endpoints/filters/impersonation.go`).
fn impersonated(app: &App, headers: &HeaderMap, user: User) -> Result<User> {
    let all = |name: &str| -> Vec<String> {
        let values = headers.get_all(name).iter();
        values
            .filter_map(|value| value.to_str().ok().map(str::to_owned))
            .collect()
    };
    let (names, groups, uid) = (
        all("impersonate-user"),
        all("impersonate-group"),
        all("impersonate-uid"),
    );
    let mut extra: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for key in headers.keys() {
        if let Some(short) = key.as_str().strip_prefix("impersonate-extra-") {
            extra.insert(short.to_owned(), all(key.as_str()));
        }
    }
    let Some(name) = names.into_iter().next() else {
        if groups.is_empty() && uid.is_empty() && extra.is_empty() {
            return Ok(user);
        }
        return Err(ApiError::internal(
            "requested impersonation without impersonating a user",
        ));
    };
    let account = name
        .strip_prefix("system:serviceaccount:")
        .and_then(|rest| rest.split_once(':'));
    let mut asked = vec![match account {
        Some((namespace, account)) => ("", "serviceaccounts", namespace, account),
        None => ("", "users", "", name.as_str()),
    }];
    asked.extend(groups.iter().map(|group| ("", "groups", "", group.as_str())));
    asked.extend(
        uid.iter()
            .map(|uid| ("authentication.k8s.io", "uids", "", uid.as_str())),
    );
    for values in extra.values().flatten() {
        asked.push(("authentication.k8s.io", "userextras", "", values));
    }
    for (group, resource, namespace, name) in asked {
        let action = Action {
            verb: "impersonate",
            on: On::Resource {
                group,
                resource,
                subresource: "",
                namespace,
                name,
            },
        };
        authorize::require(&app.store, &user, &action)?;
    }
    let mut groups = groups;
    if groups.is_empty()
        && let Some((namespace, _)) = account
    {
        groups = service_account_groups(namespace);
    }
    if name != "system:anonymous" && !groups.iter().any(|group| group == AUTHENTICATED) {
        groups.push(AUTHENTICATED.into());
    }
    Ok(User {
        name,
        uid: uid.into_iter().next().unwrap_or_default(),
        groups,
        extra,
    })
}
