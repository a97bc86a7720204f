//! Reading manifest files for the verbs that take `-f`.

use crate::context::Context;
use crate::errors::Failure;
use anyhow::Result;
use podsim_store::manifest::{Document, MAX_SIZE, decode};

/// The documents of a file (`-` is the input), decoded strictly. Every complaint has its line and column.
pub(crate) async fn read(context: &Context, file: &str) -> Result<Vec<Document>> {
    let name = if file == "-" { "stdin" } else { file };
    let bytes = context
        .terminal
        .read_file(file, MAX_SIZE)
        .await
        .map_err(|error| Failure::new(format!("error: cannot read {name}: {error}")))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Failure::new(format!(
            "error: {name}: this is not text in UTF-8 (byte {at}); a manifest is YAML or JSON"
        ))
    })?;
    let documents = decode(name, &text).map_err(|complaints| Failure::new(format!("error: {complaints}")))?;
    if documents.is_empty() {
        return Err(Failure::new(format!("error: {name}: there is no object in it")).into());
    }
    Ok(documents)
}

/// As [`read`], and what validation says of the Pods in it: before anything is created.
pub(crate) async fn read_checked(context: &Context, file: &str) -> Result<Vec<Document>> {
    let documents = read(context, file).await?;
    let complaints: Vec<String> = documents
        .iter()
        .flat_map(Document::check)
        .map(|complaint| complaint.to_string())
        .collect();
    if complaints.is_empty() {
        return Ok(documents);
    }
    Err(Failure::new(format!("error: {}", complaints.join("\n"))).into())
}
