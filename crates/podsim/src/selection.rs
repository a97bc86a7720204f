//! Which objects a verb is about: `pods`, `pod x y`, `pod/x node/n`, `pods,nodes -l app=web`.

use crate::errors::Failure;
use anyhow::Result;
use podsim_store::{Kind, kinds};

/// A kind, and names of it (none: all).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Selection {
    pub(crate) kind: &'static Kind,
    pub(crate) names: Vec<String>,
}

/// Reads the arguments behind a verb.
pub(crate) fn parse(arguments: &[String]) -> Result<Vec<Selection>> {
    let Some(first) = arguments.first() else {
        let kinds: Vec<&str> = kinds::ALL.iter().map(|kind| kind.plural).collect();
        return Err(Failure::new(format!(
            "error: You must specify the type of resource, such as `pods`; known are {}",
            kinds.join(", ")
        ))
        .into());
    };
    if first.contains('/') {
        let mut selections: Vec<Selection> = Vec::new();
        for argument in arguments {
            let Some((kind, name)) = argument.split_once('/').filter(|(_, name)| !name.is_empty()) else {
                let message = "error: there is no need to specify a resource type as a separate argument when passing arguments in resource/name form (e.g. 'pod/web')";
                return Err(Failure::new(message).into());
            };
            let kind = find_kind(kind)?;
            match selections.last_mut().filter(|last| last.kind == kind) {
                Some(last) => last.names.push(name.to_owned()),
                None => selections.push(Selection {
                    kind,
                    names: vec![name.to_owned()],
                }),
            }
        }
        return Ok(selections);
    }
    let names = arguments.get(1..).unwrap_or_default();
    let mut selections = Vec::new();
    for word in first.split(',') {
        let all = [&kinds::POD, &kinds::SERVICE];
        let kinds = if word == "all" {
            all.to_vec()
        } else {
            vec![find_kind(word)?]
        };
        selections.extend(kinds.into_iter().map(|kind| Selection {
            kind,
            names: names.to_vec(),
        }));
    }
    if let Some(name) = names.iter().find(|name| name.contains('/')) {
        return Err(Failure::new(format!(
            "error: {name:?} is not a name: write TYPE/NAME everywhere or nowhere"
        ))
        .into());
    }
    Ok(selections)
}

fn find_kind(word: &str) -> Result<&'static Kind> {
    kinds::by_any_name(word)
        .ok_or_else(|| Failure::new(format!("error: the server doesn't have a resource type {word:?}")).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(arguments: &str) -> String {
        let arguments: Vec<String> = arguments.split_whitespace().map(str::to_owned).collect();
        match parse(&arguments) {
            Ok(all) => all
                .iter()
                .map(|s| format!("{}={} ", s.kind.kind, s.names.join("+")))
                .collect(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn arguments_are_read_as_kubectl_reads_them() {
        for (arguments, expected) in [
            ("po", "Pod= "),
            ("pod x y", "Pod=x+y "),
            ("pod/x po/y node/n", "Pod=x+y Node=n "),
            ("pods,no", "Pod= Node= "),
            ("all", "Pod= Service= "),
            ("widgets", "error: the server doesn't have a resource type \"widgets\""),
        ] {
            assert_eq!(show(arguments), expected, "{arguments}");
        }
        assert!(show("pod/x y").contains("resource/name form"));
        assert!(show("").contains("type of resource"));
    }
}
