//! `podsim inspect`, `docker inspect`.

use crate::context::Context;
use crate::errors::{Failure, report};
use crate::node_view::NodeView;
use crate::output::docker::{Inspect, template};
use crate::output::json::pretty;
use anyhow::Result;
use clap::Args;

/// Show all that the node knows of containers and sandboxes, as JSON
///
/// Ids are those that `podsim ps` lists; the first few digits are enough.
#[derive(Args, Debug)]
pub(crate) struct InspectArgs {
    /// Print only this, as '{{.State.Pid}}'
    #[arg(short, long, value_name = "TEMPLATE")]
    format: Option<String>,
    /// Ids or names
    #[arg(required = true, value_name = "ID")]
    ids: Vec<String>,
}

pub(crate) async fn run(context: &Context, args: &InspectArgs) -> Result<i32> {
    let view = NodeView::fetch(&context.client()?).await?;
    let (mut found, mut errors) = (Vec::new(), Vec::new());
    for id in &args.ids {
        match view.find(id) {
            Ok(entry) => found.push(Inspect::new(&entry)),
            Err(error) => errors.push(report(&error).0),
        }
    }
    match &args.format {
        // Docker prints the empty list too when there is nothing.
        None => context.printer.line(pretty(&found)).await?,
        Some(format) => {
            for inspect in &found {
                let value = serde_json::to_value(inspect)?;
                let text = template(format, &value).map_err(|why| Failure::new(format!("error: {why}")))?;
                context.printer.line(text).await?;
            }
        }
    }
    for error in &errors {
        context.printer.talk(error).await?;
    }
    Ok(i32::from(!errors.is_empty()))
}
