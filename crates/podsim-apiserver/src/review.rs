//! Reviews: questions about who somebody is and what he may do, asked by POST and stored nowhere; and `TokenRequest`.

use crate::authorize::{self, Action, On};
use crate::body::read_object;
use crate::server::{App, json_response};
use crate::status::{ApiError, Result};
use crate::user::{self, User};
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::Response;
use podsim_store::token::{BoundObject, TokenRequestSpec};
use serde_json::{Value, json};

/// Answers the POST of a review by `user`; `None` if the path is none.
pub(crate) async fn review(
    app: &App,
    user: &User,
    group: &str,
    segments: &[&str],
    request: Request,
) -> Option<Result<Response>> {
    let resource = match segments {
        [resource] => *resource,
        ["namespaces", _, resource @ "localsubjectaccessreviews"] => *resource,
        _ => return None,
    };
    let answer: fn(&App, &User, &Value) -> Value = match (group, resource) {
        ("authentication.k8s.io", "selfsubjectreviews") => |_, user, _| json!({"userInfo": user.to_value()}),
        ("authentication.k8s.io", "tokenreviews") => |app, _, spec| review_token(app, spec),
        ("authorization.k8s.io", "selfsubjectaccessreviews") => |app, user, spec| access(app, user, spec),
        ("authorization.k8s.io", "subjectaccessreviews" | "localsubjectaccessreviews") => {
            |app, _, spec| access(app, &User::of_review(spec), spec)
        }
        ("authorization.k8s.io", "selfsubjectrulesreviews") => rules,
        _ => return None,
    };
    if request.method() != axum::http::Method::POST {
        return Some(Err(ApiError::method_not_allowed()));
    }
    Some(read_object(request).await.map(|mut review| {
        review["status"] = answer(app, user, &review["spec"]);
        if !review["metadata"].is_object() {
            review["metadata"] = json!({"creationTimestamp": null});
        }
        json_response(StatusCode::CREATED, review.to_string())
    }))
}

fn texts(list: &Value) -> Vec<String> {
    let items = list.as_array().into_iter().flatten();
    items.filter_map(|item| item.as_str().map(str::to_owned)).collect()
}

fn review_token(app: &App, spec: &Value) -> Value {
    let token = spec["token"].as_str().unwrap_or_default();
    match user::of_token(app, token, &texts(&spec["audiences"])) {
        Ok((user, audiences)) => {
            let mut status = json!({"authenticated": true, "user": user.to_value()});
            if !audiences.is_empty() {
                status["audiences"] = json!(audiences);
            }
            status
        }
        Err(error) => json!({"user": {}, "error": error}),
    }
}

fn access(app: &App, user: &User, spec: &Value) -> Value {
    let (resource, path) = (&spec["resourceAttributes"], &spec["nonResourceAttributes"]);
    fn text<'a>(of: &'a Value, key: &str) -> &'a str {
        of[key].as_str().unwrap_or_default()
    }
    let (verb, on) = if path.is_object() {
        (text(path, "verb"), On::Path(text(path, "path")))
    } else {
        let on = On::Resource {
            group: text(resource, "group"),
            resource: text(resource, "resource"),
            subresource: text(resource, "subresource"),
            namespace: text(resource, "namespace"),
            name: text(resource, "name"),
        };
        (text(resource, "verb"), on)
    };
    match authorize::allowed(&app.store, user, &Action { verb, on }) {
        Some(reason) => json!({"allowed": true, "reason": reason}),
        None => json!({"allowed": false}),
    }
}

fn rules(app: &App, user: &User, spec: &Value) -> Value {
    let (mut resources, mut paths) = (Vec::new(), Vec::new());
    if user.is_master() {
        resources.push(json!({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}));
        paths.push(json!({"verbs": ["*"], "nonResourceURLs": ["*"]}));
    } else {
        let namespace = spec["namespace"].as_str().unwrap_or_default();
        authorize::each_rule(&app.store, user, namespace, &mut |_, rule| {
            if rule["nonResourceURLs"].as_array().is_some_and(|urls| !urls.is_empty()) {
                paths.push(json!({"verbs": rule["verbs"], "nonResourceURLs": rule["nonResourceURLs"]}));
            } else {
                resources.push(rule.clone());
            }
        });
    }
    json!({"resourceRules": resources, "nonResourceRules": paths, "incomplete": false})
}

/// POST to `serviceaccounts/NAME/token`.
pub(crate) async fn request_token(app: &App, namespace: &str, name: &str, request: Request) -> Result<Response> {
    let mut wanted = read_object(request).await?;
    let spec = &wanted["spec"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let bound = &spec["boundObjectRef"];
    let request = TokenRequestSpec {
        audiences: texts(&spec["audiences"]),
        expiration_seconds: spec["expirationSeconds"].as_i64(),
        bound_object: bound.is_object().then(|| BoundObject {
            api_version: text(&bound["apiVersion"]),
            kind: text(&bound["kind"]),
            name: text(&bound["name"]),
            uid: text(&bound["uid"]),
        }),
    };
    let issued = app.store.request_token(namespace, name, &request)?;
    wanted["kind"] = "TokenRequest".into();
    wanted["apiVersion"] = "authentication.k8s.io/v1".into();
    if !wanted["metadata"].is_object() {
        wanted["metadata"] = json!({});
    }
    wanted["metadata"]["name"] = name.into();
    wanted["metadata"]["namespace"] = namespace.into();
    wanted["metadata"]["creationTimestamp"] = json!(podsim_store::time::now(app.store.clock().as_ref()));
    wanted["spec"]["audiences"] = json!(issued.audiences);
    wanted["spec"]["expirationSeconds"] = issued.expiration_seconds.into();
    wanted["status"] = json!({"token": issued.token, "expirationTimestamp": issued.expires});
    Ok(json_response(StatusCode::CREATED, wanted.to_string()))
}
