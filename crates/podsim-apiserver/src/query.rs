//! The query parameters of a request.

use crate::status::{ApiError, Result};
use std::time::Duration;

/// Query parameters, in order; a key may come more than once (`command=ls&command=-l`).
#[derive(Clone, Debug, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    /// Reads what follows the `?`.
    pub(crate) fn parse(text: Option<&str>) -> Result<Self> {
        let uri = format!("/?{}", text.unwrap_or_default());
        let uri: axum::http::Uri = uri
            .parse()
            .map_err(|_| ApiError::bad_request("the query cannot be read"))?;
        axum::extract::Query::<Vec<(String, String)>>::try_from_uri(&uri)
            .map(|query| Self(query.0))
            .map_err(|error| ApiError::bad_request(error.to_string()))
    }

    /// The first value of a key; an empty one counts as none.
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(k, v)| k == key && !v.is_empty())
            .map(|(_, value)| value.as_str())
    }

    /// All values of a key.
    pub(crate) fn all(&self, key: &str) -> Vec<String> {
        self.0
            .iter()
            .filter(|(k, _)| k == key)
            .map(|(_, value)| value.clone())
            .collect()
    }

    /// `true`, `1` and a bare key are true; anything else that is not false is an error.
    pub(crate) fn flag(&self, key: &str) -> Result<bool> {
        match self.0.iter().find(|(k, _)| k == key).map(|(_, value)| value.as_str()) {
            None | Some("false" | "0" | "False" | "f" | "F") => Ok(false),
            Some("true" | "1" | "True" | "t" | "T" | "") => Ok(true),
            Some(other) => Err(ApiError::bad_request(format!(
                "{key}: {other:?} is neither true nor false"
            ))),
        }
    }

    /// A whole number that is not negative.
    pub(crate) fn number(&self, key: &str) -> Result<Option<u64>> {
        self.get(key).map(|value| value.parse()).transpose().map_err(|_| {
            let value = self.get(key).unwrap_or_default();
            ApiError::bad_request(format!("{key}: {value:?} is not a number from 0 on"))
        })
    }

    /// A number of seconds.
    pub(crate) fn seconds(&self, key: &str) -> Result<Option<Duration>> {
        Ok(self.number(key)?.map(Duration::from_secs))
    }
}
