//! What several verbs need to know about a Pod.

use crate::context::Context;
use crate::errors::Failure;
use anyhow::Result;
use serde_json::Value;

/// The name behind `pod/`, `pods/` or `po/`; other kinds are refused.
pub(crate) fn pod_name(argument: &str) -> Result<&str> {
    match argument.split_once('/') {
        None => Ok(argument),
        Some((kind, name)) if podsim_store::kinds::by_any_name(kind) == Some(&podsim_store::kinds::POD) => Ok(name),
        Some((kind, _)) => {
            Err(Failure::new(format!("error: {kind:?} is not a kind that has containers: give a Pod")).into())
        }
    }
}

/// Containers with what kubectl says behind their names, in the order in which kubectl lists them.
pub(crate) fn containers(pod: &Value) -> Vec<(&str, &'static str)> {
    [
        ("containers", ""),
        ("ephemeralContainers", " (ephem)"),
        ("initContainers", " (init)"),
    ]
    .into_iter()
    .flat_map(|(list, mark)| {
        let containers = pod["spec"][list].as_array().into_iter().flatten();
        containers.filter_map(move |container| Some((container["name"].as_str()?, mark)))
    })
    .collect()
}

/// The container that is meant: `-c`, or the annotated default, or the first one, which is then said (`Defaulted container …`).
pub(crate) async fn choose_container(context: &Context, pod: &Value, wanted: Option<&str>) -> Result<String> {
    let all = containers(pod);
    let name = pod["metadata"]["name"].as_str().unwrap_or_default();
    let known = |name: &str| all.iter().any(|(known, _)| *known == name);
    if let Some(wanted) = wanted {
        if known(wanted) {
            return Ok(wanted.to_owned());
        }
        let message = format!("error: container {wanted} not found in pod {name}");
        let names = list(&all);
        return Err(Failure::new(format!("{message}: it has {names}")).into());
    }
    let annotated = pod["metadata"]["annotations"]["kubectl.kubernetes.io/default-container"].as_str();
    if let Some(annotated) = annotated.filter(|name| known(name)) {
        return Ok(annotated.to_owned());
    }
    let Some((first, _)) = all.first() else {
        return Err(Failure::new(format!("error: pod {name} has no containers")).into());
    };
    if all.len() > 1 {
        context
            .printer
            .talk(format!("Defaulted container \"{first}\" out of: {}", list(&all)))
            .await?;
    }
    Ok((*first).to_owned())
}

fn list(all: &[(&str, &str)]) -> String {
    all.iter()
        .map(|(name, mark)| format!("{name}{mark}"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// The phase.
pub(crate) fn phase(pod: &Value) -> &str {
    pod["status"]["phase"].as_str().unwrap_or("Unknown")
}
