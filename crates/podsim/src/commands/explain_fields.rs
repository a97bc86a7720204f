//! `podsim explain --fields`: the whole table of what podsim does with the fields of a Pod.

use crate::errors::Failure;
use crate::output::tabwriter;
use anyhow::Result;
use podsim_kubelet::fields::{FIELDS, Field, Support, counts};
use serde_json::json;

/// The table in a format.
pub(super) fn text(format: &str) -> Result<String> {
    Ok(match format {
        "table" => as_table(),
        "json" => crate::output::json::pretty(&FIELDS.iter().map(as_json).collect::<Vec<_>>()) + "\n",
        "markdown" => as_markdown(),
        other => {
            let message = format!("error: the format {other:?} is not table, json or markdown");
            return Err(Failure::new(message).into());
        }
    })
}

fn summary() -> String {
    let [enforced, recorded, refused] = counts();
    let all = enforced + recorded + refused;
    format!(
        "Of the {all} fields that a Pod's spec has in this version of the API, {enforced} are enforced, {recorded} recorded and {refused} refused."
    )
}

fn as_table() -> String {
    let mut rows = vec![vec![
        "FIELD".to_owned(),
        "LEVEL".to_owned(),
        "SUPPORT".to_owned(),
        "NAMESPACE".to_owned(),
        "WHAT IT DOES HERE".to_owned(),
    ]];
    for field in FIELDS {
        rows.push(vec![
            field.path.to_owned(),
            field.level.name().to_owned(),
            field.support.name().to_owned(),
            namespace(field).unwrap_or("-").to_owned(),
            field.note.to_owned(),
        ]);
    }
    format!("{}\n{}\n", tabwriter::table(&rows, 0, 3), summary())
}

fn namespace(field: &Field) -> Option<&'static str> {
    field.namespace.map(podsim_sys::NsKind::name)
}

fn as_json(field: &Field) -> serde_json::Value {
    json!({
        "path": field.path,
        "level": field.level.name(),
        "support": field.support.name(),
        "namespace": namespace(field),
        "note": field.note,
    })
}

fn as_markdown() -> String {
    let mut page = format!(
        "# The fields of a Pod

{}

A row goes for its field and for all below it, unless a longer row goes for those; what is said of `spec.containers[]` goes for init containers too.
*Enforced*: it acts as in Kubernetes. *Recorded*: it is kept and shown, and does nothing; `podsim run` warns of it. *Refused*: a Pod that uses it is refused.

This page is what `podsim explain --fields -o markdown` prints.
",
        summary()
    );
    for (support, title) in [
        (Support::Refused, "Refused"),
        (Support::Recorded, "Recorded"),
        (Support::Enforced, "Enforced"),
    ] {
        page += &format!("\n## {title}\n\n| Field | Level | What it does here |\n|---|---|---|\n");
        for field in FIELDS.iter().filter(|field| field.support == support) {
            let about = namespace(field).map_or_else(String::new, |name| format!(" ({name} namespace)"));
            page += &format!(
                "| `{}` | {} | {}{about} |\n",
                field.path,
                field.level.name(),
                field.note.replace('|', "\\|")
            );
        }
    }
    page
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_page_in_the_docs_is_what_is_printed() {
        let page = include_str!("../../../../docs/fields.md");
        // Git may have changed the ends of the lines.
        assert!(
            page.replace("\r\n", "\n") == super::as_markdown(),
            "`just bless` writes docs/fields.md again"
        );
    }
}
