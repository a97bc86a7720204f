//! Runs a document on a node of its own.

use super::compare::{Bindings, compare, known_to};
use super::document::{Content, Document, Section, Step};
use super::report::{Case, Outcome, Report};
use super::terminal::{PROMPT, Terminal};
use crate::node::Node;
use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::Pod;
use podsim_store::{DeleteOptions, Selectors, manifest};
use podsim_sys::Winsize;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long a Pod may take to settle before the commands go on without it.
const SETTLE: Duration = Duration::from_secs(30);
/// The size of the terminal that the commands run on.
const WINDOW: Winsize = Winsize { rows: 50, cols: 160 };

/// Lines of the document that are to be replaced: from, how many, by what.
pub(crate) struct Edit {
    line: usize,
    count: usize,
    lines: Vec<String>,
}

/// Runs a document. The second result is what `--update` would change.
pub(crate) async fn run(file: &Path, text: &str, node: &Node) -> Result<(Report, Vec<Edit>)> {
    let document = Document::parse(text);
    let mut runner = Runner {
        node,
        terminal: None,
        edits: Vec::new(),
    };
    let mut report = Report {
        file: file.to_owned(),
        cases: Vec::new(),
    };
    for section in &document.sections {
        report.cases.extend(runner.section(section).await?);
    }
    Ok((report, runner.edits))
}

/// Applies manifests, waits until their Pods have settled, and types commands: what each of them printed.
///
/// # Errors
///
/// A manifest is refused, or the node's shell does not answer.
pub(super) async fn observe(node: &Node, manifests: &[String], commands: &[&str]) -> Result<Vec<Vec<String>>> {
    let mut runner = Runner {
        node,
        terminal: None,
        edits: Vec::new(),
    };
    for manifest in manifests {
        if let (name, Outcome::Failed(why)) = runner.apply(manifest, 1).await? {
            anyhow::bail!("{name}: {why}");
        }
    }
    let mut printed = Vec::new();
    for command in commands {
        runner.idle().await;
        let answer = runner.terminal().await?.run(command, None).await;
        printed.push(answer.with_context(|| (*command).to_owned())?.lines);
    }
    Ok(printed)
}

/// The document with its outputs replaced by those of the run.
pub(crate) fn apply(text: &str, mut edits: Vec<Edit>) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    edits.sort_by_key(|edit| std::cmp::Reverse(edit.line));
    for edit in &edits {
        let start = (edit.line - 1).min(lines.len());
        let end = (start + edit.count).min(lines.len());
        lines.splice(start..end, edit.lines.iter().map(String::as_str));
    }
    let mut out = lines.join("\n");
    if text.ends_with('\n') {
        out.push('\n');
    }
    out
}

struct Runner<'a> {
    node: &'a Node,
    terminal: Option<Terminal>,
    edits: Vec<Edit>,
}

impl Runner<'_> {
    async fn section(&mut self, section: &Section) -> Result<Vec<Case>> {
        let title = section.headings.join(" › ");
        let case = |line, name: String, outcome| Case {
            section: title.clone(),
            line,
            name,
            outcome,
        };
        let mut cases = Vec::new();
        let mut bindings = Bindings::default();
        // A section with manifests of its own begins on a clean node.
        if section
            .fences
            .iter()
            .any(|fence| matches!(fence.content, Content::Manifest(_)))
        {
            self.clean().await?;
        }
        for fence in &section.fences {
            match &fence.content {
                Content::Skipped(why) => {
                    cases.push(case(fence.line, "fence".to_owned(), Outcome::Skipped(why.clone())));
                }
                Content::Manifest(text) => {
                    bindings.add_manifest(text);
                    let (name, outcome) = self.apply(text, fence.line).await?;
                    cases.push(case(fence.line, format!("apply {name}"), outcome));
                }
                Content::Session(steps) => {
                    for (line, name, outcome) in self.session(steps, &mut bindings).await? {
                        cases.push(case(line, name, outcome));
                    }
                }
            }
        }
        Ok(cases)
    }

    /// Applies a manifest; what was there under the same name goes first.
    async fn apply(&mut self, text: &str, line: usize) -> Result<(String, Outcome)> {
        let documents = match manifest::decode("manifest", text) {
            Ok(documents) => documents,
            Err(errors) => {
                return Ok((
                    "manifest".to_owned(),
                    Outcome::Failed(format!("(from line {line})\n{errors}")),
                ));
            }
        };
        let mut names = Vec::new();
        for document in documents {
            let (kind, namespace) = (document.kind(), document.namespace().unwrap_or("default"));
            let name = format!("{}/{}", kind.singular, document.name());
            if kind.singular == "pod" {
                self.delete(namespace, document.name()).await?;
            }
            if let Err(error) = self.node.store.create(kind, namespace, document.value().clone()) {
                return Ok((name, Outcome::Failed(error.for_people())));
            }
            names.push(name);
        }
        self.settle().await?;
        Ok((names.join(", "), Outcome::Passed))
    }

    /// Deletes all Pods at once.
    async fn clean(&mut self) -> Result<()> {
        for pod in self.pods()? {
            let (namespace, name) = (
                pod.metadata.namespace.unwrap_or_default(),
                pod.metadata.name.unwrap_or_default(),
            );
            self.delete(&namespace, &name).await?;
        }
        Ok(())
    }

    fn pods(&self) -> Result<Vec<Pod>> {
        Ok(self.node.store.api::<Pod>().list(None, &Selectors::default())?)
    }

    async fn delete(&self, namespace: &str, name: &str) -> Result<()> {
        let now = DeleteOptions {
            grace_period_seconds: Some(0),
            ..DeleteOptions::default()
        };
        if self.node.store.api::<Pod>().delete(namespace, name, &now).is_err() {
            return Ok(()); // it was not there
        }
        let gone = || self.node.is_gone(namespace, name);
        wait_for(SETTLE, gone)
            .await
            .with_context(|| format!("pod {namespace}/{name} could not be removed"))
    }

    /// Waits until every Pod runs or cannot, and no program has anything left to do.
    async fn settle(&self) -> Result<()> {
        let settled = || async { self.pods().is_ok_and(|pods| pods.iter().all(is_settled)) };
        // A Pod that never settles is for the document's commands to show.
        let _ = wait_for(SETTLE, settled).await;
        self.idle().await;
        Ok(())
    }

    /// Waits until all processes sleep: a person types after a Pod has come up, not while.
    async fn idle(&self) {
        let runtime = &self.node.runtime;
        let sleeps = || async { runtime.is_idle() };
        for _ in 0..3 {
            // Busy programs are no reason to wait for ever.
            let _ = wait_for(Duration::from_secs(2), sleeps).await;
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
    }

    async fn terminal(&mut self) -> Result<&mut Terminal> {
        if self.terminal.is_none() {
            let command = ["env", &format!("PS1={PROMPT}"), "sh"].map(str::to_owned);
            let session = self
                .node
                .runtime
                .exec_on_node(&command, true, true, Some(WINDOW))
                .await?;
            self.terminal = Some(Terminal::open(session).await.context("the node's shell")?);
        }
        self.terminal.as_mut().context("the node's shell")
    }

    async fn session(&mut self, steps: &[Step], bindings: &mut Bindings) -> Result<Vec<(usize, String, Outcome)>> {
        let mut outcomes = Vec::new();
        let mut nested = false;
        let mut skip = 0;
        for (index, step) in steps.iter().enumerate() {
            if skip > 0 {
                skip -= 1;
                continue;
            }
            let name = format!("{}{}", step.prompt, step.command);
            if nested && !step.nested {
                self.terminal().await?.leave().await?;
                nested = false;
            }
            if step.nested != nested {
                let why = format!(
                    "there is no shell with the prompt {:?}: the command before did not open one",
                    step.prompt
                );
                outcomes.push((step.line, name, Outcome::Failed(why)));
                continue;
            }
            let next = steps
                .get(index + 1)
                .filter(|next| next.nested)
                .map(|next| next.prompt.clone());
            self.idle().await;
            let command = bindings.substitute(&step.command);
            let answer = match self.terminal().await?.run(&command, next.as_deref()).await {
                Ok(answer) => answer,
                Err(error) => {
                    // Whatever hangs there ends with its terminal.
                    self.terminal = None;
                    nested = false;
                    outcomes.push((step.line, name, Outcome::Failed(format!("{error:#}"))));
                    continue;
                }
            };
            nested = answer.prompt != PROMPT;
            let (outcome, taken) = self.judge(step, &steps[index + 1..], &answer.lines, bindings);
            skip = taken;
            let outcome = match (outcome, next) {
                (Outcome::Passed, Some(next)) if skip == 0 && next != answer.prompt => Outcome::Failed(format!(
                    "the prompt is {:?}, the document has {next:?}",
                    if nested { &answer.prompt } else { "the shell's own" }
                )),
                (outcome, _) => outcome,
            };
            outcomes.push((step.line, name, outcome));
        }
        if nested {
            self.terminal().await?.leave().await?;
        }
        Ok(outcomes)
    }

    /// Compares the output. A line of output may look like a command (`# Kubernetes-managed hosts file.` in a session of
    /// `# `): where the output goes on with just that line, it is taken for output; the number of steps taken so is returned.
    fn judge(&mut self, step: &Step, later: &[Step], actual: &[String], bindings: &mut Bindings) -> (Outcome, usize) {
        let mut expected = step.expected.clone();
        let printed = actual;
        let actual = &*known_to(&expected, actual);
        let mut taken = 0;
        loop {
            match compare(&expected, actual, bindings) {
                Ok(found) => {
                    *bindings = found;
                    return (Outcome::Passed, taken);
                }
                Err(mismatch) => {
                    let next = later.get(taken).filter(|next| {
                        let line = format!("{}{}", next.prompt, next.command);
                        mismatch.expected == expected.len()
                            && actual.get(mismatch.actual).is_some_and(|a| a.trim_end() == line)
                    });
                    let Some(next) = next else {
                        self.edits.push(Edit {
                            line: step.line + 1,
                            count: expected.len(),
                            lines: printed.to_vec(),
                        });
                        return (
                            Outcome::Failed(diff(
                                &expected,
                                actual,
                                &mismatch.why,
                                mismatch.expected,
                                mismatch.actual,
                            )),
                            taken,
                        );
                    };
                    expected.push(format!("{}{}", next.prompt, next.command));
                    expected.extend(next.expected.iter().cloned());
                    taken += 1;
                }
            }
        }
    }
}

/// The lines around the first difference: `-` is the document's, `+` what was printed.
fn diff(expected: &[String], actual: &[String], why: &str, at_expected: usize, at_actual: usize) -> String {
    let mut out = String::new();
    if !why.is_empty() {
        out.push_str(&format!("{why}\n"));
    }
    for line in &expected[..at_expected.min(expected.len())] {
        out.push_str(&format!("  {line}\n"));
    }
    for line in &expected[at_expected.min(expected.len())..] {
        out.push_str(&format!("- {line}\n"));
    }
    for line in &actual[at_actual.min(actual.len())..] {
        out.push_str(&format!("+ {line}\n"));
    }
    out
}

/// Whether a Pod runs, has ended, or says why it cannot.
fn is_settled(pod: &Pod) -> bool {
    let Some(status) = &pod.status else { return false };
    let has = |kind: &str| {
        status
            .conditions
            .iter()
            .flatten()
            .any(|c| c.type_ == kind && c.status == "True")
    };
    let stuck = || {
        let waiting = status
            .container_statuses
            .iter()
            .flatten()
            .filter_map(|c| c.state.as_ref()?.waiting.as_ref()?.reason.as_deref());
        waiting
            .into_iter()
            .any(|reason| !matches!(reason, "ContainerCreating" | "PodInitializing"))
    };
    let unscheduled = || {
        let mut conditions = status.conditions.iter().flatten();
        conditions.any(|c| c.type_ == "PodScheduled" && c.status == "False")
    };
    let over = matches!(status.phase.as_deref(), Some("Succeeded" | "Failed"));
    has("Ready") || over || stuck() || unscheduled()
}

async fn wait_for<F: Future<Output = bool>>(limit: Duration, condition: impl Fn() -> F) -> Result<()> {
    let begin = Instant::now();
    while !condition().await {
        anyhow::ensure!(begin.elapsed() < limit, "not within {} s", limit.as_secs());
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_are_replaced_from_the_end() {
        let edit = |line, count, text: &str| Edit {
            line,
            count,
            lines: text.lines().map(str::to_owned).collect(),
        };
        let text = "$ a\nold\n$ b\nold 1\nold 2\nend\n";
        assert_eq!(
            apply(text, vec![edit(2, 1, "new\nlines"), edit(4, 2, "")]),
            "$ a\nnew\nlines\n$ b\nend\n"
        );
    }
}
