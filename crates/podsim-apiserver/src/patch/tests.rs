//! Patches as tables.

use super::*;
use serde_json::json;

fn apply(kind: PatchKind, object: Value, patch: Value) -> std::result::Result<Value, String> {
    kind.apply(&object, &patch).map_err(|error| error.message)
}

#[test]
fn a_merge_patch_merges_objects_and_replaces_lists() {
    let object = json!({"a": {"x": 1, "y": 2}, "l": [1, 2]});
    let patch = json!({"a": {"x": null, "z": 3}, "l": [3]});
    assert_eq!(
        apply(PatchKind::Merge, object, patch),
        Ok(json!({"a": {"y": 2, "z": 3}, "l": [3]}))
    );
}

#[test]
fn a_json_patch_is_all_or_nothing() {
    let object = json!({"a": [1, 2], "b~/c": "x"});
    let patch = json!([
        {"op": "test", "path": "/a/0", "value": 1},
        {"op": "add", "path": "/a/-", "value": 3},
        {"op": "add", "path": "/a/0", "value": 0},
        {"op": "replace", "path": "/b~0~1c", "value": "y"},
        {"op": "move", "from": "/a/1", "path": "/moved"},
        {"op": "copy", "from": "/moved", "path": "/copied"},
        {"op": "remove", "path": "/a/0"},
    ]);
    let expected = json!({"a": [2, 3], "b~/c": "y", "moved": 1, "copied": 1});
    assert_eq!(apply(PatchKind::Json, object.clone(), patch), Ok(expected));
    for bad in [
        json!([{"op": "remove", "path": "/none"}]),
        json!([{"op": "test", "path": "/a/0", "value": 9}]),
        json!([{"op": "add", "path": "/a/9", "value": 9}]),
        json!([{"op": "nope", "path": "/a"}]),
        json!({"op": "remove"}),
    ] {
        assert!(apply(PatchKind::Json, object.clone(), bad.clone()).is_err(), "{bad}");
    }
}

#[test]
fn a_strategic_patch_merges_containers_by_name() {
    let object = json!({"spec": {"containers": [
        {"name": "a", "image": "x", "env": [{"name": "E", "value": "1"}]},
        {"name": "b", "image": "y"},
    ], "tolerations": [{"key": "k"}]}, "metadata": {"labels": {"keep": "1", "drop": "1"}}});
    let patch = json!({"spec": {
        "$setElementOrder/containers": [{"name": "b"}, {"name": "a"}],
        "containers": [
            {"name": "a", "image": "z", "env": [{"name": "F", "value": "2"}]},
            {"name": "c", "image": "w"},
        ],
        "tolerations": [],
    }, "metadata": {"labels": {"drop": null}}});
    let expected = json!({"spec": {"containers": [
        {"name": "b", "image": "y"},
        {"name": "a", "image": "z", "env": [{"name": "F", "value": "2"}, {"name": "E", "value": "1"}]},
        {"name": "c", "image": "w"},
    ], "tolerations": []}, "metadata": {"labels": {"keep": "1"}}});
    assert_eq!(apply(PatchKind::Strategic, object.clone(), patch), Ok(expected));

    let patch = json!({"spec": {"containers": [{"name": "a", "$patch": "delete"}]}});
    let result = apply(PatchKind::Strategic, object.clone(), patch).unwrap();
    assert_eq!(result["spec"]["containers"], json!([{"name": "b", "image": "y"}]));
    assert!(
        apply(
            PatchKind::Strategic,
            object,
            json!({"spec": {"containers": [{"image": "q"}]}})
        )
        .is_err()
    );
}
