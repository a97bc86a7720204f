//! Quantities and the rules for names.

use super::{names, quantity};

#[test]
fn quantities_are_read_in_thousandths() {
    for (text, expected) in [
        ("1", Some(1000)),
        ("500m", Some(500)),
        ("0.5", Some(500)),
        (".5", Some(500)),
        ("1Ki", Some(1_024_000)),
        ("1.5Gi", Some(1_610_612_736_000)),
        ("1e3", Some(1_000_000)),
        ("1u", Some(1)),
        ("-1", Some(-1000)),
        ("", None),
        ("1Gx", None),
        ("one", None),
        ("1..2", None),
        ("99999999999999999999999", None),
    ] {
        assert_eq!(quantity::millis(text), expected, "{text}");
    }
}

#[test]
fn names_follow_rfc_1123() {
    for good in ["a", "a-1", "0a"] {
        assert_eq!(names::dns_label(good), None, "{good}");
    }
    for bad in ["", "-a", "a-", "A", "a_b", "a.b", "ü"] {
        assert!(names::dns_label(bad).is_some(), "{bad}");
    }
    assert_eq!(names::dns_subdomain("host.test.site"), None);
    assert!(names::dns_subdomain("host..site").is_some());
    assert_eq!(names::qualified_name("app.kubernetes.io/name"), None);
    assert!(names::qualified_name("/x").is_some());
}

#[test]
fn a_pods_class_follows_from_its_resources() {
    use serde_json::json;
    let both = json!({ "limits": { "cpu": "1", "memory": "1Gi" }, "requests": { "cpu": "1", "memory": "1Gi" } });
    let some = json!({ "requests": { "cpu": "1" } });
    for (pod, first, second, expected) in [
        (json!(null), json!({}), json!({}), "BestEffort"),
        (json!(null), both.clone(), both.clone(), "Guaranteed"),
        (json!(null), both.clone(), json!({}), "Burstable"),
        (json!(null), some.clone(), json!({}), "Burstable"),
        (both.clone(), some.clone(), json!({}), "Guaranteed"),
        (some.clone(), both.clone(), both, "Burstable"),
    ] {
        let containers = json!([{ "name": "a", "resources": first }, { "name": "b", "resources": second }]);
        let value = json!({ "spec": { "resources": pod, "containers": containers } });
        let object = serde_json::from_value(value.clone()).unwrap_or_default();
        assert_eq!(super::qos_class(&object), expected, "{value}");
    }
}
