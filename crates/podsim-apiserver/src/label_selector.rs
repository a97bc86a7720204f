//! `metav1.LabelSelector`, as objects hold it.

use serde_json::Value;

/// Whether a `LabelSelector` selects an object. An empty one selects all, none at all selects nothing.
pub(crate) fn selects(selector: &Value, object: &Value) -> bool {
    let labels = &object["metadata"]["labels"];
    let equal = selector["matchLabels"].as_object();
    let expressions = selector["matchExpressions"].as_array();
    selector.is_object()
        && equal.into_iter().flatten().all(|(key, value)| labels[key] == *value)
        && expressions.into_iter().flatten().all(|expression| {
            let label = &labels[expression["key"].as_str().unwrap_or_default()];
            let values = expression["values"].as_array();
            let listed = values.is_some_and(|values| values.contains(label));
            match expression["operator"].as_str().unwrap_or_default() {
                "In" => listed,
                "NotIn" => !listed,
                "Exists" => !label.is_null(),
                "DoesNotExist" => label.is_null(),
                _ => false,
            }
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_selector_selects_by_all_that_it_says() {
        let pod = json!({"metadata": {"labels": {"app": "web", "tier": "front"}}});
        let by = |operator: &str, key: &str, values: Value| {
            let expression = json!({"key": key, "operator": operator, "values": values});
            selects(
                &json!({"matchLabels": {"app": "web"}, "matchExpressions": [expression]}),
                &pod,
            )
        };
        for (operator, key, values, selected) in [
            ("In", "tier", json!(["front", "back"]), true),
            ("In", "tier", json!(["back"]), false),
            ("In", "none", json!(["back"]), false),
            ("NotIn", "tier", json!(["front"]), false),
            ("NotIn", "none", json!(["front"]), true),
            ("Exists", "tier", Value::Null, true),
            ("Exists", "none", Value::Null, false),
            ("DoesNotExist", "tier", Value::Null, false),
            ("DoesNotExist", "none", Value::Null, true),
            ("Near", "tier", Value::Null, false),
        ] {
            assert_eq!(by(operator, key, values.clone()), selected, "{operator} {key} {values}");
        }
        assert!(selects(&json!({}), &pod));
        assert!(!selects(&Value::Null, &pod));
        assert!(!selects(&json!({"matchLabels": {"app": "db"}}), &pod));
    }
}
