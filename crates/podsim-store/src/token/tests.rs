//! Tokens given out, shown, and run out.

use super::*;
use crate::DeleteOptions;
use podsim_sys::ManualClock;
use std::time::Duration;

/// A store with the ServiceAccount `robot` and a Pod `p` of it, at second 1000.
fn store() -> (Store, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new(Duration::from_secs(1000)));
    let mut entropy = 0;
    let store = Store::new(clock.clone(), move || {
        entropy += 1;
        entropy
    });
    let key = TokenSigner::generate().unwrap();
    store.install_signer(Arc::new(TokenSigner::from_pkcs8(&key).unwrap()));
    for name in ["default", "robot"] {
        let account = json!({"metadata": {"name": name}});
        store.create(&kinds::SERVICE_ACCOUNT, "default", account).unwrap();
    }
    let spec = json!({"serviceAccountName": "robot", "containers": [{"name": "c", "image": "x"}]});
    let pod = json!({"metadata": {"name": "p"}, "spec": spec});
    store.create(&kinds::POD, "default", pod).unwrap();
    (store, clock)
}

fn bound(kind: &str, name: &str) -> TokenRequestSpec {
    let bound = BoundObject {
        api_version: "v1".into(),
        kind: kind.into(),
        name: name.into(),
        uid: String::new(),
    };
    TokenRequestSpec {
        bound_object: Some(bound),
        ..TokenRequestSpec::default()
    }
}

fn refused(store: &Store, account: &str, request: &TokenRequestSpec) -> String {
    store
        .request_token("default", account, request)
        .unwrap_err()
        .to_string()
}

#[test]
fn a_token_tells_who_shows_it_until_it_runs_out() {
    let (store, clock) = store();
    let issued = store
        .request_token("default", "robot", &TokenRequestSpec::default())
        .unwrap();
    assert_eq!((issued.expires.as_second(), issued.expiration_seconds), (4600, 3600));
    let owner = store.review_token(&issued.token, &[]).unwrap();
    assert_eq!((owner.namespace.as_str(), owner.name.as_str()), ("default", "robot"));
    assert_eq!(
        owner.extra.keys().collect::<Vec<_>>(),
        ["authentication.kubernetes.io/credential-id"]
    );
    let wrong = store.review_token(&issued.token, &["vault".into()]).unwrap_err();
    assert!(
        wrong.contains("is invalid for the target audiences [\"vault\"]"),
        "{wrong}"
    );
    assert_eq!(store.review_token("x.y.z", &[]).unwrap_err(), "invalid bearer token");
    clock.advance(Duration::from_secs(3600));
    assert!(store.review_token(&issued.token, &[]).is_ok(), "clocks differ");
    clock.advance(Duration::from_secs(60));
    assert_eq!(
        store.review_token(&issued.token, &[]).unwrap_err(),
        "service account token has expired"
    );
}

#[test]
fn a_bound_token_dies_with_its_pod() {
    let (store, _) = store();
    let issued = store.request_token("default", "robot", &bound("Pod", "p")).unwrap();
    let owner = store.review_token(&issued.token, &[]).unwrap();
    assert_eq!(owner.extra["authentication.kubernetes.io/pod-name"], ["p"]);
    store
        .delete(&kinds::POD, "default", "p", &DeleteOptions::default())
        .unwrap();
    assert_eq!(
        store.review_token(&issued.token, &[]).unwrap_err(),
        "service account token has been invalidated"
    );
    // Another of the same name is not the one.
    let spec = json!({"serviceAccountName": "robot", "containers": [{"name": "c", "image": "x"}]});
    let again = json!({"metadata": {"name": "p"}, "spec": spec});
    store.create(&kinds::POD, "default", again).unwrap();
    assert!(store.review_token(&issued.token, &[]).is_err());
    store
        .delete(&kinds::SERVICE_ACCOUNT, "default", "robot", &DeleteOptions::default())
        .unwrap();
    let free = store.review_token(&issued.token, &[]).unwrap_err();
    assert_eq!(free, "service account default/robot has been deleted");
}

#[test]
fn the_token_of_a_volume_lasts_a_year_and_says_when_to_read_it_anew() {
    let (store, clock) = store();
    let request = TokenRequestSpec {
        expiration_seconds: Some(3607),
        ..bound("Pod", "p")
    };
    let issued = store.request_token("default", "robot", &request).unwrap();
    assert_eq!(issued.expires.as_second(), 4607);
    clock.advance(Duration::from_secs(364 * 24 * 3600));
    assert!(store.review_token(&issued.token, &[]).is_ok());
}

#[test]
fn requests_are_checked() {
    let (store, _) = store();
    let seconds = |n: i64| TokenRequestSpec {
        expiration_seconds: Some(n),
        ..TokenRequestSpec::default()
    };
    let mut wrong_uid = bound("Pod", "p");
    if let Some(bound) = &mut wrong_uid.bound_object {
        bound.uid = "u".into();
    }
    for (account, request, message) in [
        (
            "robot",
            seconds(599),
            "TokenRequest.authentication.k8s.io \"\" is invalid: spec.expirationSeconds: Invalid value: 599: may not specify a \
             duration less than 10 minutes",
        ),
        (
            "robot",
            seconds((1 << 32) + 1),
            "TokenRequest.authentication.k8s.io \"\" is invalid: spec.expirationSeconds: Invalid value: 4294967297: may not \
             specify a duration larger than 2^32 seconds",
        ),
        ("nobody", seconds(600), "serviceaccounts \"nobody\" not found"),
        ("robot", bound("Pod", "q"), "pods \"q\" not found"),
        (
            "default",
            bound("Pod", "p"),
            "cannot bind token for serviceaccount \"default\" to pod running with different serviceaccount name.",
        ),
        (
            "robot",
            bound("ConfigMap", "c"),
            "cannot bind token to object of type /v1, Kind=ConfigMap",
        ),
        (
            "robot",
            wrong_uid,
            "Operation cannot be fulfilled on Pod \"p\": the UID in the bound object reference (u) does not match the UID in \
             record. The object might have been deleted and then recreated",
        ),
    ] {
        assert_eq!(refused(&store, account, &request), message);
    }
}
