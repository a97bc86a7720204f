//! LimitRanges: what a container gets that says nothing, and between what it has to stay (`plugin/pkg/admission/limitranger`).

use super::quantity;
use k8s_openapi::api::core::v1::{Container, LimitRange, LimitRangeItem, Pod};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use std::collections::BTreeMap;

type Quantities = BTreeMap<String, Quantity>;

fn items<'a>(ranges: &'a [LimitRange], type_: &'a str) -> impl Iterator<Item = &'a LimitRangeItem> {
    let all = ranges.iter().flat_map(|r| r.spec.iter().flat_map(|s| &s.limits));
    all.filter(move |item| item.type_ == type_)
}

/// The default limits and requests of an item, with what follows for each from the others (`SetDefaults_LimitRangeItem`).
fn defaults_of(item: &LimitRangeItem) -> (Quantities, Quantities) {
    let fill = |to: &mut Quantities, from: &Option<Quantities>| {
        for (name, amount) in from.iter().flatten() {
            to.entry(name.clone()).or_insert_with(|| amount.clone());
        }
    };
    let mut limits = item.default.clone().unwrap_or_default();
    fill(&mut limits, &item.max);
    let mut requests = item.default_request.clone().unwrap_or_default();
    fill(&mut requests, &Some(limits.clone()));
    fill(&mut requests, &item.min);
    (limits, requests)
}

/// Gives containers the defaults, and says so in an annotation.
pub(super) fn set_defaults(pod: &mut Pod, ranges: &[LimitRange]) {
    let (mut limits, mut requests) = (Quantities::new(), Quantities::new());
    for item in items(ranges, "Container") {
        let (more_limits, more_requests) = defaults_of(item);
        limits.extend(more_limits);
        requests.extend(more_requests);
    }
    let Some(spec) = pod.spec.as_mut() else { return };
    let mut set = vec![];
    let regular = spec.containers.iter_mut().map(|c| ("container", c));
    let init = spec.init_containers.iter_mut().flatten().map(|c| ("init container", c));
    for (what, container) in regular.chain(init) {
        let name = container.name.clone();
        let resources = container.resources.get_or_insert_default();
        for (kind, list, defaults) in [
            ("request", &mut resources.requests, &requests),
            ("limit", &mut resources.limits, &limits),
        ] {
            let missing: Vec<_> = defaults
                .iter()
                .filter(|(resource, _)| !list.as_ref().is_some_and(|l| l.contains_key(*resource)))
                .collect();
            if missing.is_empty() {
                continue;
            }
            let names: Vec<_> = missing.iter().map(|(resource, _)| resource.as_str()).collect();
            set.push(format!("{} {kind} for {what} {name}", names.join(", ")));
            let list = list.get_or_insert_default();
            list.extend(
                missing
                    .into_iter()
                    .map(|(resource, amount)| (resource.clone(), amount.clone())),
            );
        }
    }
    if !set.is_empty() {
        pod.metadata.annotations.get_or_insert_default().insert(
            "kubernetes.io/limit-ranger".to_owned(),
            format!("LimitRanger plugin set: {}", set.join("; ")),
        );
    }
}

/// Everything that is out of bounds.
pub(super) fn violations(pod: &Pod, ranges: &[LimitRange]) -> Vec<String> {
    let mut found = vec![];
    let Some(spec) = &pod.spec else { return found };
    let list = |c: &Container, limits: bool| {
        let resources = c.resources.as_ref();
        let list = resources.and_then(|r| if limits { r.limits.clone() } else { r.requests.clone() });
        list.unwrap_or_default()
    };
    let all = || spec.containers.iter().chain(spec.init_containers.iter().flatten());
    for item in items(ranges, "Container") {
        for container in all() {
            check(item, &list(container, false), &list(container, true), &mut found);
        }
    }
    for item in items(ranges, "Pod") {
        let sum = |limits: bool| {
            let mut total: BTreeMap<String, i128> = BTreeMap::new();
            for (name, amount) in spec.containers.iter().flat_map(|c| list(c, limits)) {
                *total.entry(name).or_default() += quantity::millis(&amount.0).unwrap_or(0);
            }
            let text = |millis: i128| {
                if millis % 1000 == 0 {
                    Quantity((millis / 1000).to_string())
                } else {
                    Quantity(format!("{millis}m"))
                }
            };
            total.into_iter().map(|(name, millis)| (name, text(millis))).collect()
        };
        check(item, &sum(false), &sum(true), &mut found);
    }
    found
}

fn check(item: &LimitRangeItem, requests: &Quantities, limits: &Quantities, found: &mut Vec<String>) {
    let millis = |q: Option<&Quantity>| q.and_then(|q| quantity::millis(&q.0));
    let type_ = &item.type_;
    for (name, bound) in item.min.iter().flatten() {
        let (least, what) = (
            millis(Some(bound)),
            format!("minimum {name} usage per {type_} is {}", bound.0),
        );
        match (requests.get(name), limits.get(name)) {
            (None, _) => found.push(format!("{what}.  No request is specified")),
            (Some(request), _) if millis(Some(request)) < least => {
                found.push(format!("{what}, but request is {}", request.0));
            }
            (_, Some(limit)) if millis(Some(limit)) < least => found.push(format!("{what}, but limit is {}", limit.0)),
            _ => {}
        }
    }
    for (name, bound) in item.max.iter().flatten() {
        let (most, what) = (
            millis(Some(bound)),
            format!("maximum {name} usage per {type_} is {}", bound.0),
        );
        match (limits.get(name), requests.get(name)) {
            (None, _) => found.push(format!("{what}.  No limit is specified")),
            (Some(limit), _) if millis(Some(limit)) > most => found.push(format!("{what}, but limit is {}", limit.0)),
            (_, Some(request)) if millis(Some(request)) > most => {
                found.push(format!("{what}, but request is {}", request.0));
            }
            _ => {}
        }
    }
    for (name, bound) in item.max_limit_request_ratio.iter().flatten() {
        let what = format!("{name} max limit to request ratio per {type_} is {}", bound.0);
        let (limit, request) = (millis(limits.get(name)), millis(requests.get(name)).filter(|r| *r > 0));
        match (limit, request) {
            (_, None) => found.push(format!("{what}, but no request is specified or request is 0")),
            (None, _) => found.push(format!("{what}, but no limit is specified or limit is 0")),
            (Some(limit), Some(request)) => {
                // Both are small enough that a hundredth of a millionth does not matter.
                let millionths = limit * 1_000_000 / request;
                if millionths > millis(Some(bound)).unwrap_or(0) * 1000 {
                    let (whole, fraction) = (millionths / 1_000_000, millionths % 1_000_000);
                    found.push(format!("{what}, but provided ratio is {whole}.{fraction:06}"));
                }
            }
        }
    }
}
