//! A container's environment (`makeEnvironmentVariables`): values, references, and `$(NAME)`.

use crate::{KubeletConfig, service_env};
use k8s_openapi::api::core::v1::{ConfigMap, Container, EnvVarSource, Pod, Secret};
use podsim_store::{Store, pod::quantity};
use std::collections::BTreeMap;

/// What a reference can be resolved from.
pub(crate) struct Sources<'a> {
    pub(crate) pod: &'a Pod,
    pub(crate) pod_ips: &'a [String],
    pub(crate) store: &'a Store,
    pub(crate) config: &'a KubeletConfig,
}

/// The variables in order. `Err` is the message of a `CreateContainerConfigError`.
pub(crate) fn environment(container: &Container, sources: &Sources<'_>) -> Result<Vec<(String, String)>, String> {
    let mut own: Vec<(String, String)> = vec![];
    for source in container.env_from.iter().flatten() {
        let prefix = source.prefix.as_deref().unwrap_or_default();
        let mut add = |data: BTreeMap<String, String>| {
            data.into_iter()
                .for_each(|(key, value)| set(&mut own, &format!("{prefix}{key}"), value));
        };
        if let Some(from) = &source.config_map_ref {
            add(sources.config_map(&from.name, from.optional == Some(true))?);
        }
        if let Some(from) = &source.secret_ref {
            add(sources.secret(&from.name, from.optional == Some(true))?);
        }
    }
    // Those of Services can be referred to, and give way to the container's own.
    let services = service_env::of(sources.pod, sources.store);
    let mut known: BTreeMap<String, String> = services.iter().cloned().collect();
    known.extend(own.iter().cloned());
    for var in container.env.iter().flatten() {
        let plain = var.value.as_deref().unwrap_or_default();
        let value = match &var.value_from {
            Some(from) if plain.is_empty() => match sources.resolve(from, container)? {
                Some(value) => value,
                None => continue,
            },
            _ => expand(plain, &known),
        };
        known.insert(var.name.clone(), value.clone());
        set(&mut own, &var.name, value);
    }
    for (name, value) in services {
        if !own.iter().any(|(n, _)| *n == name) {
            own.push((name, value));
        }
    }
    Ok(own)
}

fn set(vars: &mut Vec<(String, String)>, name: &str, value: String) {
    match vars.iter_mut().find(|(n, _)| n == name) {
        Some(var) => var.1 = value,
        None => vars.push((name.to_owned(), value)),
    }
}

impl Sources<'_> {
    pub(crate) fn namespace(&self) -> &str {
        self.pod.metadata.namespace.as_deref().unwrap_or("default")
    }

    fn config_map(&self, name: &str, optional: bool) -> Result<BTreeMap<String, String>, String> {
        match self.store.api::<ConfigMap>().get(self.namespace(), name) {
            Ok(map) => Ok(map.data.unwrap_or_default()),
            Err(_) if optional => Ok(BTreeMap::new()),
            Err(_) => Err(format!("configmap \"{name}\" not found")),
        }
    }

    fn secret(&self, name: &str, optional: bool) -> Result<BTreeMap<String, String>, String> {
        match self.store.api::<Secret>().get(self.namespace(), name) {
            Ok(secret) => {
                let text = |(key, value): (String, k8s_openapi::ByteString)| {
                    (key, String::from_utf8_lossy(&value.0).into_owned())
                };
                Ok(secret.data.unwrap_or_default().into_iter().map(text).collect())
            }
            Err(_) if optional => Ok(BTreeMap::new()),
            Err(_) => Err(format!("secret \"{name}\" not found")),
        }
    }

    fn resolve(&self, from: &EnvVarSource, container: &Container) -> Result<Option<String>, String> {
        let pick =
            |what: &str, name: &str, mut data: BTreeMap<String, String>, key: &str, optional: Option<bool>| match data
                .remove(key)
            {
                Some(value) => Ok(Some(value)),
                None if optional == Some(true) => Ok(None),
                None => {
                    let namespace = self.namespace();
                    Err(format!("couldn't find key {key} in {what} {namespace}/{name}"))
                }
            };
        if let Some(r) = &from.field_ref {
            return self.field(&r.field_path).map(Some);
        }
        if let Some(r) = &from.config_map_key_ref {
            let data = self.config_map(&r.name, r.optional == Some(true))?;
            return pick("ConfigMap", &r.name, data, &r.key, r.optional);
        }
        if let Some(r) = &from.secret_key_ref {
            let data = self.secret(&r.name, r.optional == Some(true))?;
            return pick("Secret", &r.name, data, &r.key, r.optional);
        }
        if let Some(r) = &from.resource_field_ref {
            let divisor = r.divisor.as_ref().map_or("1", |d| d.0.as_str());
            return self
                .resource(&r.resource, divisor, r.container_name.as_deref(), container)
                .map(Some);
        }
        Err("this kind of valueFrom is not supported by podsim".to_owned())
    }

    pub(crate) fn field(&self, path: &str) -> Result<String, String> {
        let (meta, spec) = (&self.pod.metadata, self.pod.spec.as_ref());
        let keyed = |prefix: &str| {
            path.strip_prefix(prefix)
                .and_then(|r| r.strip_prefix("['")?.strip_suffix("']"))
        };
        if let Some(key) = keyed("metadata.labels") {
            return Ok(meta
                .labels
                .as_ref()
                .and_then(|l| l.get(key))
                .cloned()
                .unwrap_or_default());
        }
        if let Some(key) = keyed("metadata.annotations") {
            return Ok(meta
                .annotations
                .as_ref()
                .and_then(|l| l.get(key))
                .cloned()
                .unwrap_or_default());
        }
        let hosts = || {
            self.config
                .addresses
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
        };
        Ok(match path {
            "metadata.name" => meta.name.clone().unwrap_or_default(),
            "metadata.namespace" => self.namespace().to_owned(),
            "metadata.uid" => meta.uid.clone().unwrap_or_default(),
            "spec.nodeName" => self.config.node_name.clone(),
            "spec.serviceAccountName" => spec.and_then(|s| s.service_account_name.clone()).unwrap_or_default(),
            "status.hostIP" => hosts().into_iter().next().unwrap_or_default(),
            "status.hostIPs" => hosts().join(","),
            "status.podIP" => self.pod_ips.first().cloned().unwrap_or_default(),
            "status.podIPs" => self.pod_ips.join(","),
            other => return Err(format!("unsupported fieldPath: {other}")),
        })
    }

    /// A limit or request, divided and rounded up; an unset limit is what the node has.
    pub(crate) fn resource(
        &self,
        name: &str,
        divisor: &str,
        of: Option<&str>,
        own: &Container,
    ) -> Result<String, String> {
        let containers = self
            .pod
            .spec
            .iter()
            .flat_map(|s| s.containers.iter().chain(s.init_containers.iter().flatten()));
        let container = match of.filter(|n| !n.is_empty()) {
            Some(wanted) => containers.clone().find(|c| c.name == wanted),
            None => Some(own),
        };
        let container = container.ok_or_else(|| format!("container {} not found", of.unwrap_or_default()))?;
        let resources = container.resources.clone().unwrap_or_default();
        let (list, kind) = match name.split_once('.') {
            Some(("limits", kind)) => (resources.limits, kind),
            Some(("requests", kind)) => (resources.requests, kind),
            _ => return Err(format!("unsupported container resource : {name}")),
        };
        let set = list.and_then(|l| l.get(kind).and_then(|q| quantity::millis(&q.0)));
        let millis = match (set, name) {
            (Some(millis), _) => millis,
            (None, "limits.cpu") => i128::from(self.config.cpus) * 1000,
            (None, "limits.memory") => i128::from(self.config.memory) * 1000,
            (None, _) => 0,
        };
        let divisor = quantity::millis(divisor).filter(|d| *d > 0).unwrap_or(1000);
        Ok(((millis + divisor - 1) / divisor).to_string())
    }
}

/// Replaces `$(NAME)` by the variable's value, `$$` by `$`; what is not known stays as it is (`third_party/forked/golang/expansion`).
pub(crate) fn expand(text: &str, vars: &BTreeMap<String, String>) -> String {
    expand_with(text, |name| match vars.get(name) {
        Some(value) => value.clone(),
        None => format!("$({name})"),
    })
}

/// The first variable that `text` refers to and that is not there.
pub(crate) fn missing(text: &str, vars: &BTreeMap<String, String>) -> Option<String> {
    let mut missing = None;
    expand_with(text, |name| {
        if vars.get(name).is_none_or(String::is_empty) {
            missing.get_or_insert_with(|| name.to_owned());
        }
        String::new()
    });
    missing
}

fn expand_with(text: &str, mut value: impl FnMut(&str) -> String) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            out.push('$');
            rest = after;
        } else if let Some((name, after)) = rest.strip_prefix('(').and_then(|r| r.split_once(')')) {
            out.push_str(&value(name));
            rest = after;
        } else {
            out.push('$');
        }
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_expand_as_upstreams_do() {
        let vars = [("A", "1"), ("B", "$(A)"), ("EMPTY", "")].map(|(k, v)| (k.to_owned(), v.to_owned()));
        let vars = vars.into_iter().collect();
        for (text, expected) in [
            ("$(A)-$(A)", "1-1"),
            ("$(B)", "$(A)"),
            ("x$(EMPTY)y", "xy"),
            ("$(NOPE)", "$(NOPE)"),
            ("$$(A)", "$(A)"),
            ("$$$(A)", "$1"),
            ("$A $", "$A $"),
            ("$(A", "$(A"),
            ("`ls`", "`ls`"),
        ] {
            assert_eq!(expand(text, &vars), expected, "{text}");
        }
        assert_eq!(missing("$(A)/$(NOPE)", &vars).as_deref(), Some("NOPE"));
    }
}
