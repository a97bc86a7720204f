//! What form the client wants an answer in (`Accept`).

use crate::status::{ApiError, Result};
use crate::table::IncludeObject;
use axum::http::{HeaderMap, header};

/// The form of objects and lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// As they are.
    Object,
    /// As tables.
    Table,
    /// Their metadata only (`PartialObjectMetadata`).
    Metadata,
}

/// The media ranges of the `Accept` header, each with its parameters.
fn ranges(headers: &HeaderMap) -> impl Iterator<Item = (&str, Vec<(&str, &str)>)> {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    accept.unwrap_or("*/*").split(',').map(|range| {
        let mut parts = range.split(';').map(str::trim);
        let media_type = parts.next().unwrap_or_default();
        (media_type, parts.filter_map(|part| part.split_once('=')).collect())
    })
}

/// Whether the client wants discovery in one document.
pub(crate) fn wants_aggregated(headers: &HeaderMap) -> bool {
    ranges(headers).any(|(media_type, parameters)| {
        media_type == "application/json"
            && [
                ("g", "apidiscovery.k8s.io"),
                ("v", "v2"),
                ("as", "APIGroupDiscoveryList"),
            ]
            .iter()
            .all(|wanted| parameters.contains(wanted))
    })
}

/// Whether the client names this media type.
pub(crate) fn accepts(headers: &HeaderMap, media_type: &str) -> bool {
    ranges(headers).any(|(range, _)| range == media_type)
}

/// An error if the client takes no JSON.
pub(crate) fn accepts_json(headers: &HeaderMap) -> Result<()> {
    let json = |media_type: &str| matches!(media_type, "application/json" | "application/*" | "*/*" | "");
    if ranges(headers).any(|(media_type, _)| json(media_type)) {
        Ok(())
    } else {
        Err(ApiError::not_acceptable())
    }
}

/// The first form in the `Accept` header that the server knows.
pub(crate) fn form(headers: &HeaderMap) -> Result<Form> {
    for (media_type, parameters) in ranges(headers) {
        if !matches!(media_type, "application/json" | "application/*" | "*/*" | "") {
            continue;
        }
        let get = |key: &str| parameters.iter().find(|(k, _)| *k == key).map(|(_, value)| *value);
        match (get("as"), get("g"), get("v")) {
            (None, ..) => return Ok(Form::Object),
            (Some("Table"), Some("meta.k8s.io"), Some("v1")) => return Ok(Form::Table),
            (Some("PartialObjectMetadata" | "PartialObjectMetadataList"), Some("meta.k8s.io"), Some("v1")) => {
                return Ok(Form::Metadata);
            }
            _ => {}
        }
    }
    Err(ApiError::not_acceptable())
}

/// An error if the client takes this only in a form that it does not have: reviews have no columns.
pub(crate) fn accepts_objects(headers: &HeaderMap) -> Result<()> {
    accepts_json(headers)?;
    if ranges(headers).any(|(_, parameters)| parameters.iter().all(|(key, _)| *key != "as")) {
        Ok(())
    } else {
        Err(ApiError::not_acceptable())
    }
}

/// `includeObject=` of a request for a table.
pub(crate) fn include_object(value: Option<&str>) -> Result<IncludeObject> {
    match value {
        None | Some("Metadata") => Ok(IncludeObject::Metadata),
        Some("None") => Ok(IncludeObject::None),
        Some("Object") => Ok(IncludeObject::Object),
        Some(other) => Err(ApiError::bad_request(format!(
            "includeObject: {other:?} is not None, Metadata or Object"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_form_that_is_known_is_given() {
        for (accept, expected) in [
            ("application/json", Some(Form::Object)),
            (
                "application/json;as=Table;v=v1;g=meta.k8s.io,application/json",
                Some(Form::Table),
            ),
            (
                "application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json",
                Some(Form::Object),
            ),
            ("application/vnd.kubernetes.protobuf, */*", Some(Form::Object)),
            ("application/vnd.kubernetes.protobuf", None),
        ] {
            let headers = HeaderMap::from_iter([(header::ACCEPT, accept.parse().unwrap())]);
            assert_eq!(form(&headers).ok(), expected, "{accept}");
        }
    }
}
