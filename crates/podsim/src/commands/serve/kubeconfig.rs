//! The kubeconfig: cluster, user and context of the name `podsim` are put in, everything else in the file is kept.

use crate::errors::Failure;
use crate::output::yaml;
use crate::terminal::Terminal;
use anyhow::{Context, Result};
use k8s_openapi::ByteString;
use serde_json::{Value, json};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

/// The name of cluster, user and context.
const NAME: &str = "podsim";

/// How the server is reached and who opens it.
pub(super) struct Access {
    pub(super) server: String,
    /// PEM.
    pub(super) authority: Option<String>,
    pub(super) credentials: Credentials,
}

/// What the client shows.
pub(super) enum Credentials {
    Token(String),
    /// PEM.
    Certificate {
        certificate: String,
        key: String,
    },
}

/// Which file is written: the one that is asked for, the first of `$KUBECONFIG`, or `~/.kube/config`.
pub(super) fn place(terminal: &dyn Terminal, wanted: Option<&Path>) -> Result<PathBuf> {
    if let Some(wanted) = wanted {
        return Ok(wanted.to_owned());
    }
    let listed = terminal.env("KUBECONFIG").unwrap_or_default();
    if let Some(first) = std::env::split_paths(&listed).find(|path| !path.as_os_str().is_empty()) {
        return Ok(first);
    }
    let home = std::env::home_dir().filter(|home| !home.as_os_str().is_empty());
    let home =
        home.ok_or_else(|| Failure::new("error: there is no home directory: say where with --kubeconfig FILE"))?;
    Ok(home.join(".kube").join("config"))
}

/// Writes the file and says what was done.
pub(super) fn write(file: &Path, access: &Access) -> Result<String> {
    let place = || format!("kubeconfig {}", file.display());
    // A link is followed, so that it stays one.
    let target = fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    let old = match fs::read_to_string(&target) {
        Ok(text) => podsim_store::manifest::settings(&file.to_string_lossy(), &text)?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Value::Null,
        Err(error) => return Err(error).with_context(place),
    };
    let before = old["current-context"].as_str().unwrap_or_default().to_owned();
    let new = merge(old, access).with_context(place)?;
    let directory = target.parent().filter(|parent| !parent.as_os_str().is_empty());
    let directory = directory.unwrap_or(Path::new("."));
    fs::create_dir_all(directory).with_context(place)?;
    // Written beside it and moved over it: a reader sees the old file or the new one.
    let mut fresh = tempfile::Builder::new()
        .prefix(".kubeconfig")
        .tempfile_in(directory)
        .with_context(place)?;
    fresh.write_all(yaml::document(&new).as_bytes()).with_context(place)?;
    // tempfile makes its files with mode 0600, and so it stays.
    fresh
        .persist(&target)
        .map_err(|error| error.error)
        .with_context(place)?;
    let mut said = format!("The context \"{NAME}\" is the current one in {}", file.display());
    if !before.is_empty() && before != NAME {
        said.push_str(&format!(
            " (it was \"{before}\"; `kubectl config use-context {before}` goes back)"
        ));
    }
    Ok(said)
}

fn merge(old: Value, access: &Access) -> Result<Value> {
    let mut new = match old {
        Value::Null => json!({}),
        old @ Value::Object(_) => old,
        _ => anyhow::bail!("it is not a mapping"),
    };
    let encoded = |pem: &str| json!(ByteString(pem.as_bytes().to_vec()));
    let mut cluster = json!({"server": access.server});
    if let Some(authority) = &access.authority {
        cluster["certificate-authority-data"] = encoded(authority);
    }
    let user = match &access.credentials {
        Credentials::Token(token) => json!({"token": token}),
        Credentials::Certificate { certificate, key } => {
            json!({"client-certificate-data": encoded(certificate), "client-key-data": encoded(key)})
        }
    };
    new["apiVersion"] = "v1".into();
    new["kind"] = "Config".into();
    new["current-context"] = NAME.into();
    if !new["preferences"].is_object() {
        new["preferences"] = json!({});
    }
    put(&mut new["clusters"], json!({"name": NAME, "cluster": cluster}))?;
    put(&mut new["users"], json!({"name": NAME, "user": user}))?;
    let context = json!({"cluster": NAME, "user": NAME});
    put(&mut new["contexts"], json!({"name": NAME, "context": context}))?;
    Ok(new)
}

/// Replaces the entry of our name, or adds it.
fn put(list: &mut Value, entry: Value) -> Result<()> {
    if list.is_null() {
        *list = json!([]);
    }
    let list = list
        .as_array_mut()
        .context("clusters, users and contexts must be lists")?;
    match list.iter_mut().find(|old| old["name"] == NAME) {
        Some(old) => *old = entry,
        None => list.push(entry),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_entries_are_kept_and_our_own_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("new/config");
        let access = |port: u16| Access {
            server: format!("http://127.0.0.1:{port}"),
            authority: None,
            credentials: Credentials::Token("t".into()),
        };
        let said = write(&file, &access(1)).unwrap();
        assert!(said.ends_with("config"), "{said}");
        let other = "current-context: work\nclusters:\n- name: work\n  cluster: {server: \"https://work\"}\n";
        fs::write(&file, other).unwrap();
        let said = write(&file, &access(2)).unwrap();
        assert!(said.contains("it was \"work\""), "{said}");
        write(&file, &access(3)).unwrap();
        let value = podsim_store::manifest::settings("config", &fs::read_to_string(&file).unwrap()).unwrap();
        let servers: Vec<_> = value["clusters"]
            .as_array()
            .unwrap()
            .iter()
            .map(|cluster| cluster["cluster"]["server"].as_str().unwrap())
            .collect();
        assert_eq!(servers, ["https://work", "http://127.0.0.1:3"]);
        assert_eq!(value["current-context"], "podsim");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }
}
