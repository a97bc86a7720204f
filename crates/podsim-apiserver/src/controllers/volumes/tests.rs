//! The controller over a store: what it makes of claims and volumes, step by step until nothing changes.

use super::*;
use podsim_store::{DeleteOptions, Selectors};
use podsim_sys::ManualClock;
use std::sync::Arc;
use std::time::Duration;

struct Cluster {
    store: Store,
    volumes: Volumes,
}

impl Cluster {
    fn new() -> Self {
        let mut number = 0;
        let entropy = move || {
            number += 1;
            number
        };
        let store = Store::new(Arc::new(ManualClock::new(Duration::from_secs(9))), entropy);
        bootstrap(&store);
        let volumes = Volumes::new(&store);
        Self { store, volumes }
    }

    fn volume(&self, name: &str, storage: &str, more: Value) {
        let mut spec = json!({
            "capacity": {"storage": storage}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/data"},
        });
        merge(&mut spec, more);
        let object = json!({"metadata": {"name": name}, "spec": spec});
        self.store.create(&kinds::PERSISTENT_VOLUME, "", object).unwrap();
    }

    fn claim(&self, name: &str, more: Value) {
        let mut spec = json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}});
        merge(&mut spec, more);
        let object = json!({"metadata": {"name": name}, "spec": spec});
        self.store
            .create(&kinds::PERSISTENT_VOLUME_CLAIM, "default", object)
            .unwrap();
    }

    fn class(&self, name: &str, more: Value) {
        let mut object = json!({"metadata": {"name": name}, "provisioner": local::NAME});
        merge(&mut object, more);
        self.store.create(&kinds::STORAGE_CLASS, "", object).unwrap();
    }

    fn pod(&self, volume: Value) {
        let mut volume = volume;
        volume["name"] = "v".into();
        let spec = json!({"containers": [{"name": "c", "image": "x"}], "volumes": [volume]});
        let pod = json!({"metadata": {"name": "p"}, "spec": spec});
        self.store.create(&kinds::POD, "default", pod).unwrap();
    }

    fn delete(&self, kind: &'static Kind, name: &str) {
        let namespace = if kind.namespaced { "default" } else { "" };
        self.store
            .delete(kind, namespace, name, &DeleteOptions::default())
            .unwrap();
    }

    /// Reconciles until nothing changes any more.
    fn settle(&self) {
        loop {
            let before = self.store.resource_version();
            self.volumes.reconcile();
            if self.store.resource_version() == before {
                return;
            }
        }
    }

    /// Phases of claims and volumes, and what each is bound to.
    fn shown(&self) -> Vec<String> {
        self.settle();
        let claims = all(&self.store, &kinds::PERSISTENT_VOLUME_CLAIM);
        let claims = claims
            .iter()
            .map(|claim| (claim.clone(), claim["spec"]["volumeName"].clone()));
        let volumes = all(&self.store, &kinds::PERSISTENT_VOLUME);
        let volumes = volumes
            .iter()
            .map(|volume| (volume.clone(), volume["spec"]["claimRef"]["name"].clone()));
        let line = |(object, other): (Object, Value)| {
            let deleted = if is_deleted(&object) { " (deleted)" } else { "" };
            let other = other
                .as_str()
                .map(|other| format!(" -> {}", short(other)))
                .unwrap_or_default();
            let phase = object["status"]["phase"].as_str().unwrap_or_default();
            format!("{} {phase}{other}{deleted}", short(text(&object, "name")))
        };
        claims.chain(volumes).map(line).collect()
    }

    fn events(&self) -> Vec<String> {
        let events = self.store.list(&kinds::EVENT, None, &Selectors::default()).items;
        let line = |event: &Object| {
            let field = |field: &str| event[field].as_str().unwrap_or_default();
            format!("{} {}", field("reason"), field("message"))
        };
        events.iter().map(line).collect()
    }
}

fn merge(object: &mut Value, more: Value) {
    for (field, value) in more.as_object().into_iter().flatten() {
        object[field] = value.clone();
    }
}

/// A name without a uid in it.
fn short(name: &str) -> String {
    if name.starts_with("pvc-") {
        "pvc-UID".to_owned()
    } else {
        name.to_owned()
    }
}

#[test]
fn a_claim_is_bound_to_the_smallest_volume_that_will_do() {
    let none = json!({"storageClassName": ""});
    for (claim, expected) in [
        (none.clone(), "small"),
        (
            json!({"storageClassName": "", "resources": {"requests": {"storage": "3Gi"}}}),
            "big",
        ),
        (
            json!({"storageClassName": "", "accessModes": ["ReadWriteMany"]}),
            "shared",
        ),
        (json!({"storageClassName": "fast"}), "fast"),
        (
            json!({"storageClassName": "", "selector": {"matchLabels": {"a": "b"}}}),
            "",
        ),
        (json!({"storageClassName": "", "volumeName": "big"}), "big"),
        (json!({"storageClassName": "", "volumeMode": "Block"}), ""),
        (
            json!({"storageClassName": "", "resources": {"requests": {"storage": "1Ti"}}}),
            "",
        ),
    ] {
        let cluster = Cluster::new();
        cluster.volume("big", "5Gi", json!({}));
        cluster.volume("small", "2Gi", json!({}));
        cluster.volume("tiny", "500Mi", json!({}));
        cluster.volume(
            "shared",
            "9Gi",
            json!({"accessModes": ["ReadWriteMany", "ReadWriteOnce"]}),
        );
        cluster.volume("fast", "9Gi", json!({"storageClassName": "fast"}));
        cluster.volume(
            "kept",
            "1Gi",
            json!({"claimRef": {"namespace": "default", "name": "other"}}),
        );
        cluster.claim("c", claim.clone());
        let shown = cluster.shown();
        let wanted = if expected.is_empty() {
            "c Pending".to_owned()
        } else {
            format!("c Bound -> {expected}")
        };
        assert_eq!(shown[0], wanted, "{claim}");
    }
}

#[test]
fn a_volume_that_names_a_claim_is_kept_for_it() {
    let cluster = Cluster::new();
    cluster.volume(
        "kept",
        "9Gi",
        json!({"claimRef": {"namespace": "default", "name": "mine"}}),
    );
    cluster.volume("free", "2Gi", json!({}));
    cluster.claim("mine", json!({"storageClassName": ""}));
    cluster.claim("other", json!({"storageClassName": ""}));
    cluster.claim("third", json!({"storageClassName": ""}));
    assert_eq!(
        cluster.shown(),
        [
            "mine Bound -> kept",
            "other Bound -> free",
            "third Pending",
            "free Bound -> other",
            "kept Bound -> mine",
        ]
    );
    let claim = cluster.store.get(&kinds::PERSISTENT_VOLUME_CLAIM, "default", "other");
    let claim = claim.unwrap();
    assert_eq!(
        claim["status"],
        json!({"phase": "Bound", "accessModes": ["ReadWriteOnce"], "capacity": {"storage": "2Gi"}})
    );
    assert_eq!(annotation(&claim, BOUND_BY_CONTROLLER), "yes");
    assert_eq!(
        cluster.events(),
        ["FailedBinding no persistent volumes available for this claim and no storage class is set"]
    );
}

#[test]
fn a_volume_is_made_for_a_claim_of_the_default_class_and_released_with_it() {
    let cluster = Cluster::new();
    cluster.claim("c", json!({}));
    assert_eq!(cluster.shown(), ["c Bound -> pvc-UID", "pvc-UID Bound -> c"]);
    let volume = &all(&cluster.store, &kinds::PERSISTENT_VOLUME)[0];
    let path = volume["spec"]["hostPath"]["path"].as_str().unwrap();
    assert!(
        path.starts_with("/var/lib/podsim/volumes/pvc-") && path.ends_with("_default_c"),
        "{path}"
    );
    let events = cluster.events();
    assert_eq!(
        events[0],
        "Provisioning External provisioner is provisioning volume for claim \"default/c\""
    );
    assert!(
        events[1].starts_with("ProvisioningSucceeded Successfully provisioned volume pvc-"),
        "{events:?}"
    );
    cluster.delete(&kinds::PERSISTENT_VOLUME_CLAIM, "c");
    assert_eq!(cluster.shown(), ["pvc-UID Released -> c"]);
}

#[test]
fn what_is_in_use_is_not_deleted() {
    let cluster = Cluster::new();
    cluster.claim("c", json!({}));
    cluster.pod(json!({"persistentVolumeClaim": {"claimName": "c"}}));
    cluster.settle();
    cluster.delete(&kinds::PERSISTENT_VOLUME_CLAIM, "c");
    let volume = all(&cluster.store, &kinds::PERSISTENT_VOLUME)[0].clone();
    cluster.delete(&kinds::PERSISTENT_VOLUME, text(&volume, "name"));
    assert_eq!(
        cluster.shown(),
        ["c Bound -> pvc-UID (deleted)", "pvc-UID Bound -> c (deleted)"]
    );
    let ended = |pod: &mut Value| {
        pod["status"]["phase"] = "Succeeded".into();
        Ok(())
    };
    cluster.store.modify_status(&kinds::POD, "default", "p", ended).unwrap();
    assert_eq!(cluster.shown(), Vec::<String>::new());
}

#[test]
fn volumes_are_given_back_as_their_policy_says() {
    for (policy, expected) in [
        ("Retain", vec!["v Released -> c"]),
        ("Delete", vec!["v Failed -> c"]),
        ("Recycle", vec!["v Failed -> c"]),
    ] {
        let cluster = Cluster::new();
        cluster.volume("v", "1Gi", json!({"persistentVolumeReclaimPolicy": policy}));
        cluster.claim("c", json!({"storageClassName": ""}));
        assert_eq!(cluster.shown(), ["c Bound -> v", "v Bound -> c"]);
        cluster.delete(&kinds::PERSISTENT_VOLUME_CLAIM, "c");
        assert_eq!(cluster.shown(), expected, "{policy}");
        // Another claim of the same name is another claim.
        cluster.claim("c", json!({"storageClassName": ""}));
        assert_eq!(cluster.shown()[0], "c Pending", "{policy}");
    }
}

#[test]
fn a_claim_without_its_volume_is_lost() {
    let cluster = Cluster::new();
    cluster.volume("v", "1Gi", json!({}));
    cluster.claim("c", json!({"storageClassName": ""}));
    cluster.settle();
    cluster
        .store
        .modify(&kinds::PERSISTENT_VOLUME, "", "v", |volume| {
            volume["metadata"]["finalizers"] = json!([]);
            Ok(())
        })
        .unwrap();
    cluster.delete(&kinds::PERSISTENT_VOLUME, "v");
    assert_eq!(cluster.shown(), ["c Lost -> v"]);
    assert_eq!(
        cluster.events(),
        ["ClaimLost Bound claim has lost its PersistentVolume. Data on the volume is lost!"]
    );
}

#[test]
fn a_class_may_wait_for_the_first_pod() {
    let cluster = Cluster::new();
    cluster.class("late", json!({"volumeBindingMode": "WaitForFirstConsumer"}));
    cluster.claim("c", json!({"storageClassName": "late"}));
    assert_eq!(cluster.shown(), ["c Pending"]);
    assert_eq!(
        cluster.events(),
        ["WaitForFirstConsumer waiting for first consumer to be created before binding"]
    );
    cluster.pod(json!({"persistentVolumeClaim": {"claimName": "c"}}));
    assert_eq!(cluster.shown(), ["c Bound -> pvc-UID", "pvc-UID Bound -> c"]);
}

#[test]
fn why_a_claim_waits_is_told_once() {
    for (class, claim, expected) in [
        (
            json!({}),
            json!({"storageClassName": "none"}),
            "ProvisioningFailed storageclass.storage.k8s.io \"none\" not found",
        ),
        (
            json!({"provisioner": "kubernetes.io/no-provisioner"}),
            json!({"storageClassName": "x"}),
            "ProvisioningFailed no volume plugin matched name: kubernetes.io/no-provisioner",
        ),
        (
            json!({"provisioner": "ebs.csi.aws.com"}),
            json!({"storageClassName": "x"}),
            "ExternalProvisioning Waiting for a volume to be created either by the external provisioner 'ebs.csi.aws.com' or manually by \
             the system administrator. If volume creation is delayed, please verify that the provisioner is running and correctly \
             registered.",
        ),
        (
            json!({}),
            json!({"storageClassName": "x", "volumeMode": "Block"}),
            "ProvisioningFailed failed to provision volume with StorageClass \"x\": block volumes are not supported",
        ),
        (
            json!({}),
            json!({"storageClassName": "x", "dataSource": {"kind": "PersistentVolumeClaim", "name": "old"}}),
            "ProvisioningFailed failed to provision volume with StorageClass \"x\": claim DataSource is not supported",
        ),
        (
            json!({"parameters": {"type": "ssd"}}),
            json!({"storageClassName": "x"}),
            "ProvisioningFailed failed to provision volume with StorageClass \"x\": the class may have no parameters",
        ),
    ] {
        let cluster = Cluster::new();
        cluster.class("x", class);
        cluster.claim("c", claim);
        assert_eq!(cluster.shown(), ["c Pending"]);
        cluster.pod(json!({"emptyDir": {}}));
        cluster.settle();
        assert_eq!(cluster.events(), [expected]);
    }
}

#[test]
fn an_ephemeral_volume_is_a_claim_of_the_pods_own() {
    let template = json!({
        "metadata": {"labels": {"a": "b"}},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    });
    let cluster = Cluster::new();
    cluster.pod(json!({"ephemeral": {"volumeClaimTemplate": template}}));
    assert_eq!(cluster.shown(), ["p-v Bound -> pvc-UID", "pvc-UID Bound -> p-v"]);
    let claim = cluster.store.get(&kinds::PERSISTENT_VOLUME_CLAIM, "default", "p-v");
    let claim = claim.unwrap();
    assert_eq!(claim["metadata"]["labels"], json!({"a": "b"}));
    cluster.delete(&kinds::POD, "p");
    assert_eq!(cluster.shown(), ["pvc-UID Released -> p-v"]);
    // A claim of that name that somebody else has made is not the Pod's.
    let cluster = Cluster::new();
    cluster.claim("p-v", json!({}));
    cluster.pod(json!({"ephemeral": {"volumeClaimTemplate": template}}));
    cluster.settle();
    let told = "FailedBinding PVC default/p-v was not created for pod default/p (pod is not owner)";
    assert!(
        cluster.events().iter().any(|event| event == told),
        "{:?}",
        cluster.events()
    );
}
