//! Reviews: questions about who somebody is and what he may do, asked by POST and stored nowhere.
//!
//! Whoever is let in is the administrator, who may do everything: RBAC objects are kept and not evaluated.

use crate::body::read_object;
use crate::server::{App, json_response};
use crate::status::{ApiError, Result};
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};

/// The user that every authenticated client is.
fn admin() -> Value {
    json!({"username": "kubernetes-admin", "groups": ["system:masters", "system:authenticated"]})
}

/// Answers the POST of a review; `None` if the path is none.
pub(crate) async fn review(app: &App, group: &str, segments: &[&str], request: Request) -> Option<Result<Response>> {
    let resource = match segments {
        [resource] => *resource,
        ["namespaces", _, resource @ "localsubjectaccessreviews"] => *resource,
        _ => return None,
    };
    let answer: fn(&App, &Value) -> Value = match (group, resource) {
        ("authentication.k8s.io", "selfsubjectreviews") => |_, _| json!({"userInfo": admin()}),
        ("authentication.k8s.io", "tokenreviews") => |app, review| {
            if app.is_token(review["spec"]["token"].as_str().unwrap_or_default().as_bytes()) {
                json!({"authenticated": true, "user": admin()})
            } else {
                json!({"user": {}, "error": "the token is not known"})
            }
        },
        ("authorization.k8s.io", "selfsubjectaccessreviews") => {
            |_, _| json!({"allowed": true, "reason": "RBAC: allowed by the group \"system:masters\""})
        }
        ("authorization.k8s.io", "subjectaccessreviews" | "localsubjectaccessreviews") => |_, review| {
            let groups = review["spec"]["groups"].as_array();
            let allowed = groups.is_some_and(|groups| groups.contains(&json!("system:masters")));
            json!({"allowed": allowed, "reason": "podsim knows the group \"system:masters\" only"})
        },
        ("authorization.k8s.io", "selfsubjectrulesreviews") => |_, _| {
            json!({
                "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
                "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
                "incomplete": false,
            })
        },
        _ => return None,
    };
    if request.method() != axum::http::Method::POST {
        return Some(Err(ApiError::method_not_allowed()));
    }
    Some(read_object(request).await.map(|mut review| {
        review["status"] = answer(app, &review);
        if !review["metadata"].is_object() {
            review["metadata"] = json!({"creationTimestamp": null});
        }
        json_response(StatusCode::CREATED, review.to_string())
    }))
}
