//! Reads a document: its sections, the manifests and the terminal sessions in its code fences.

use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Parser, Tag, TagEnd};
use regex::Regex;
use std::sync::LazyLock;

/// A document as a list of sections.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Document {
    pub(crate) sections: Vec<Section>,
}

/// What stands between two headings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Section {
    /// The headings that lead here, the outermost first.
    pub(crate) headings: Vec<String>,
    pub(crate) fences: Vec<Fence>,
}

/// A code fence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fence {
    /// The line of its first content line, from 1.
    pub(crate) line: usize,
    pub(crate) content: Content,
}

/// What a fence holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// A complete manifest.
    Manifest(String),
    /// Commands with their output.
    Session(Vec<Step>),
    /// Nothing to run, and why.
    Skipped(String),
}

/// A command and the lines that follow it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// The line it stands in, from 1.
    pub(crate) line: usize,
    /// The prompt before it, with its blank.
    pub(crate) prompt: String,
    /// Whether the prompt is that of a session inside the first one (a shell in a container).
    pub(crate) nested: bool,
    pub(crate) command: String,
    /// The output that the document shows.
    pub(crate) expected: Vec<String>,
}

/// A prompt at the beginning of a line: of the session itself, or of a shell inside it.
static TOP_PROMPT: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^[$#] ").ok());
static NESTED_PROMPT: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^(?:[~/]\S* [#$] |[\w.-]+@[\w.-]+:\S*[#$] |\[[^\]\s]+ [^\]\s]+\][#$] )").ok());

impl Document {
    /// Reads Markdown (or any text with fences).
    pub(crate) fn parse(text: &str) -> Self {
        let mut document = Document {
            sections: vec![Section::default()],
        };
        let mut headings: Vec<(HeadingLevel, String)> = Vec::new();
        let mut heading: Option<String> = None;
        let mut fence: Option<(usize, String)> = None;
        for (event, range) in Parser::new(text).into_offset_iter() {
            match event {
                Event::Start(Tag::Heading { level, .. }) => {
                    headings.retain(|(other, _)| *other < level);
                    headings.push((level, String::new()));
                    heading = Some(String::new());
                }
                Event::End(TagEnd::Heading(_)) => {
                    if let (Some(last), Some(title)) = (headings.last_mut(), heading.take()) {
                        last.1 = title;
                    }
                    let headings = headings.iter().map(|(_, title)| title.clone()).collect();
                    document.sections.push(Section {
                        headings,
                        fences: Vec::new(),
                    });
                }
                Event::Text(part) | Event::Code(part) if heading.is_some() => {
                    heading.get_or_insert_default().push_str(&part);
                }
                Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(_))) => {
                    let line = text[..range.start].matches('\n').count() + 2;
                    fence = Some((line, String::new()));
                }
                Event::Text(part) => {
                    if let Some((_, content)) = &mut fence {
                        content.push_str(&part);
                    }
                }
                Event::End(TagEnd::CodeBlock) => {
                    if let (Some((line, content)), Some(section)) = (fence.take(), document.sections.last_mut()) {
                        section.fences.push(Fence {
                            line,
                            content: classify(&content, line),
                        });
                    }
                }
                _ => {}
            }
        }
        document.sections.retain(|section| !section.fences.is_empty());
        document
    }
}

fn classify(content: &str, line: usize) -> Content {
    let looks_like_manifest = |l: &str| l.starts_with("apiVersion:") || l.starts_with("kind:");
    if content
        .lines()
        .find(|l| !l.trim().is_empty() && *l != "---")
        .is_some_and(looks_like_manifest)
    {
        // In YAML a line of three dots ends a document; in notes it stands for what was left out.
        if content.lines().any(|l| l.trim() == "...") {
            return Content::Skipped("not a complete manifest: `...` stands for what was left out".to_owned());
        }
        return Content::Manifest(content.to_owned());
    }
    let steps = session(content, line);
    if steps.is_empty() {
        Content::Skipped("no prompt, so no command".to_owned())
    } else {
        Content::Session(steps)
    }
}

fn starts_with(pattern: &LazyLock<Option<Regex>>, line: &str) -> Option<usize> {
    pattern.as_ref()?.find(line).map(|found| found.end())
}

/// The commands of a fence. The first prompt is that of the whole session: in a session of `$ `, a line that begins with
/// `# ` is output (or a comment), not a command.
fn session(content: &str, first_line: usize) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut top: Option<&str> = None;
    for (index, text) in content.lines().enumerate() {
        let line = first_line + index;
        if top.is_none() {
            top = starts_with(&TOP_PROMPT, text).and_then(|end| text.get(..end));
        }
        let prompt = match top {
            Some(top) if text.starts_with(top) => Some((top.len(), false)),
            _ => starts_with(&NESTED_PROMPT, text).map(|end| (end, top.is_some())),
        };
        match (prompt, steps.last_mut()) {
            (Some((end, nested)), _) => steps.push(Step {
                line,
                prompt: text[..end].to_owned(),
                nested,
                command: text[end..].trim().to_owned(),
                expected: Vec::new(),
            }),
            (None, Some(step)) => step.expected.push(text.trim_end().to_owned()),
            (None, None) => {}
        }
    }
    for step in &mut steps {
        while step.expected.last().is_some_and(String::is_empty) {
            step.expected.pop();
        }
        continue_lines(step);
    }
    steps
}

/// A command that ends with a backslash goes on in the next line.
fn continue_lines(step: &mut Step) {
    while step.command.ends_with('\\') && !step.expected.is_empty() {
        step.command.pop();
        let next = step.expected.remove(0);
        step.command.push_str(next.trim_start_matches("> ").trim());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only_session(text: &str) -> Vec<(String, String, Vec<String>)> {
        let document = Document::parse(text);
        match &document.sections[0].fences[0].content {
            Content::Session(steps) => steps
                .iter()
                .map(|s| (s.prompt.clone(), s.command.clone(), s.expected.clone()))
                .collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn sections_know_their_headings_and_fences_their_lines() {
        let text = "# A\n\n## `B` b\n\n```yaml\nkind: Pod\n```\n\n# C\n```\nno prompt\n```\n";
        let document = Document::parse(text);
        assert_eq!(document.sections.len(), 2);
        assert_eq!(document.sections[0].headings, ["A", "B b"]);
        assert_eq!(document.sections[0].fences[0].line, 6);
        assert_eq!(document.sections[1].headings, ["C"]);
        assert!(matches!(document.sections[1].fences[0].content, Content::Skipped(_)));
    }

    #[test]
    fn in_a_session_of_dollars_a_hash_is_output() {
        let steps = only_session("```bash\n$ cat /etc/hosts\n# managed\n127.0.0.1 x\n$ true\n```");
        assert_eq!(steps.len(), 2);
        assert_eq!(steps[0].2, ["# managed", "127.0.0.1 x"]);
    }

    #[test]
    fn shells_inside_a_session_have_prompts_of_their_own() {
        let steps =
            only_session("```\n# k exec -ti x sh\n/ # ps au\nPID\n/ # exit\n# k exec y bash\nroot@y:/# ls\n```");
        let prompts: Vec<_> = steps.iter().map(|(prompt, ..)| prompt.as_str()).collect();
        assert_eq!(prompts, ["# ", "/ # ", "/ # ", "# ", "root@y:/# "]);
    }

    #[test]
    fn a_manifest_with_dots_is_not_complete() {
        let document = Document::parse("```yaml\napiVersion: v1\nkind: Pod\n...\nspec:\n  a: 1\n...\n```");
        assert!(matches!(document.sections[0].fences[0].content, Content::Skipped(_)));
    }
}
