//! Selectors of labels (`metav1.LabelSelectorAsSelector`), and the requirements that they and node selectors are made of.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use std::collections::BTreeMap;

/// Labels of an object.
pub type Labels = BTreeMap<String, String>;

/// Does a requirement hold for what an object has under its key?
pub(super) fn holds(operator: &str, values: Option<&[String]>, has: Option<&str>) -> bool {
    let values = values.unwrap_or_default();
    let listed = || has.is_some_and(|has| values.iter().any(|v| v == has));
    let compare = |greater: bool| {
        let number = |text: &str| text.parse::<i64>().ok();
        let (has, bound) = (has.and_then(number), values.first().and_then(|v| number(v)));
        has.zip(bound)
            .is_some_and(|(has, bound)| if greater { has > bound } else { has < bound })
    };
    match operator {
        "In" => listed(),
        "NotIn" => !listed(),
        "Exists" => has.is_some(),
        "DoesNotExist" => has.is_none(),
        "Gt" => compare(true),
        "Lt" => compare(false),
        _ => false,
    }
}

/// Does a selector select an object with these labels? None selects nothing, an empty one everything.
#[must_use]
pub fn selects(selector: Option<&LabelSelector>, labels: &Labels) -> bool {
    let Some(selector) = selector else { return false };
    let equal = selector.match_labels.iter().flatten();
    let expressions = selector.match_expressions.iter().flatten();
    let has = |key: &str| labels.get(key).map(String::as_str);
    let mut expressions = expressions.map(|e| holds(&e.operator, e.values.as_deref(), has(&e.key)));
    equal.into_iter().all(|(key, value)| labels.get(key) == Some(value)) && expressions.all(|holds| holds)
}

/// Do other labels have the values of these keys that the own ones have? Keys that these do not have do not count.
pub(super) fn same(keys: Option<&[String]>, own: &Labels, other: &Labels) -> bool {
    let mut keys = keys.unwrap_or_default().iter();
    keys.all(|key| own.get(key).is_none_or(|value| other.get(key) == Some(value)))
}

/// Do other labels have other values of these keys than the own ones?
pub(super) fn different(keys: Option<&[String]>, own: &Labels, other: &Labels) -> bool {
    let mut keys = keys.unwrap_or_default().iter();
    keys.all(|key| own.get(key).is_none_or(|value| other.get(key) != Some(value)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn a_selector_selects_by_all_that_it_says() {
        let labels = Labels::from([("app".to_owned(), "web".to_owned()), ("n".to_owned(), "7".to_owned())]);
        let by = |selector: Value| selects(Some(&serde_json::from_value(selector).expect("a selector")), &labels);
        let expression = |key: &str, operator: &str, values: Value| json!({ "matchExpressions": [{ "key": key, "operator": operator, "values": values }] });
        for (selector, expected) in [
            (json!({}), true),
            (json!({ "matchLabels": { "app": "web" } }), true),
            (json!({ "matchLabels": { "app": "web", "n": "8" } }), false),
            (expression("app", "In", json!(["a", "web"])), true),
            (expression("app", "NotIn", json!(["web"])), false),
            (expression("other", "NotIn", json!(["web"])), true),
            (expression("n", "Exists", json!([])), true),
            (expression("n", "DoesNotExist", json!([])), false),
        ] {
            assert_eq!(by(selector.clone()), expected, "{selector}");
        }
        assert!(!selects(None, &labels));
    }
}
