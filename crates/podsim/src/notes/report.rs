//! What came of a document: for people, and as JUnit XML.

use std::fmt::Write as _;
use std::path::PathBuf;

/// What came of a document.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) file: PathBuf,
    pub(crate) cases: Vec<Case>,
}

/// A manifest, a command, or a fence that was passed over.
#[derive(Debug)]
pub(crate) struct Case {
    /// The section's headings.
    pub(crate) section: String,
    pub(crate) line: usize,
    pub(crate) name: String,
    pub(crate) outcome: Outcome,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Passed,
    /// What is wrong, in one sentence or as a diff.
    Failed(String),
    /// Why nothing was run.
    Skipped(String),
}

impl Report {
    pub(crate) fn count(&self, wanted: fn(&Outcome) -> bool) -> usize {
        self.cases.iter().filter(|case| wanted(&case.outcome)).count()
    }

    pub(crate) fn failed(&self) -> usize {
        self.count(|outcome| matches!(outcome, Outcome::Failed(_)))
    }

    /// One line a case, with what is wrong below it.
    pub(crate) fn text(&self) -> String {
        let mut out = format!("{}\n", self.file.display());
        let mut section = None;
        for case in &self.cases {
            if section != Some(&case.section) {
                let title = if case.section.is_empty() {
                    "(before the first heading)"
                } else {
                    &case.section
                };
                let _ = writeln!(out, "  {title}");
                section = Some(&case.section);
            }
            let (mark, detail) = match &case.outcome {
                Outcome::Passed => ("✓", None),
                Outcome::Failed(why) => ("✗", Some(why)),
                Outcome::Skipped(why) => ("-", Some(why)),
            };
            let _ = writeln!(out, "    {mark} {}  (line {})", case.name, case.line);
            for line in detail.into_iter().flat_map(|detail| detail.lines()) {
                let _ = writeln!(out, "        {line}");
            }
        }
        out
    }

    /// `12 passed, 1 failed, 2 skipped`.
    pub(crate) fn summary(reports: &[Report]) -> String {
        let sum = |wanted: fn(&Outcome) -> bool| reports.iter().map(|report| report.count(wanted)).sum::<usize>();
        format!(
            "{} passed, {} failed, {} skipped",
            sum(|outcome| *outcome == Outcome::Passed),
            sum(|outcome| matches!(outcome, Outcome::Failed(_))),
            sum(|outcome| matches!(outcome, Outcome::Skipped(_))),
        )
    }
}

/// The reports as JUnit XML, as CI systems read it.
pub(crate) fn junit(reports: &[Report]) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    for report in reports {
        let file = escape(&report.file.to_string_lossy());
        let skipped = report.count(|outcome| matches!(outcome, Outcome::Skipped(_)));
        let _ = writeln!(
            out,
            "  <testsuite name=\"{file}\" tests=\"{}\" failures=\"{}\" skipped=\"{skipped}\">",
            report.cases.len(),
            report.failed(),
        );
        for case in &report.cases {
            let _ = write!(
                out,
                "    <testcase classname=\"{}\" name=\"{}\" file=\"{file}\" line=\"{}\"",
                escape(&case.section),
                escape(&case.name),
                case.line
            );
            let _ = match &case.outcome {
                Outcome::Passed => writeln!(out, "/>"),
                Outcome::Failed(why) => writeln!(out, "><failure>{}</failure></testcase>", escape(why)),
                Outcome::Skipped(why) => writeln!(out, "><skipped message=\"{}\"/></testcase>", escape(why)),
            };
        }
        out.push_str("  </testsuite>\n");
    }
    out.push_str("</testsuites>\n");
    out
}

/// Text for XML 1.0, which has no way at all to write most control characters.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(c),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
