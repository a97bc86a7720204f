//! Field splitting (POSIX XCU 2.6.5): the results of expansions become the arguments of a command.

use super::pattern;

/// One field: its text, and the pattern that it is for pathname expansion (quoted characters are escaped there).
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Field {
    pub(crate) text: String,
    pub(crate) pattern: String,
}

/// Puts fields together from pieces of expanded text.
#[derive(Debug)]
pub(crate) struct Fields {
    ifs: String,
    /// Whether unquoted expansions are split at all (not in assignments, patterns, …).
    split: bool,
    done: Vec<Field>,
    current: Option<Field>,
    /// The last delimiter was white space: a further one that is not belongs to it.
    after_blank: bool,
}

impl Fields {
    pub(crate) fn new(ifs: String, split: bool) -> Self {
        Self {
            ifs,
            split,
            done: Vec::new(),
            current: None,
            after_blank: false,
        }
    }

    fn current(&mut self) -> &mut Field {
        self.after_blank = false;
        self.current.get_or_insert_default()
    }

    /// The word as it stands: not split, special characters are active.
    pub(crate) fn literal(&mut self, text: &str) {
        let field = self.current();
        field.text.push_str(text);
        field.pattern.push_str(text);
    }

    /// Quoted text: a field even if it is empty.
    pub(crate) fn quoted(&mut self, text: &str) {
        let field = self.current();
        field.text.push_str(text);
        pattern::push_escaped(&mut field.pattern, text);
    }

    /// The result of an unquoted expansion.
    pub(crate) fn expanded(&mut self, text: &str) {
        if !self.split {
            if !text.is_empty() {
                self.literal(text);
            }
            return;
        }
        let mut start = 0;
        for (at, c) in text.char_indices() {
            if !self.ifs.contains(c) {
                continue;
            }
            if let Some(piece) = text.get(start..at).filter(|p| !p.is_empty()) {
                self.literal(piece);
            }
            start = at + c.len_utf8();
            if matches!(c, ' ' | '\t' | '\n') {
                self.after_blank |= self.current.is_some();
                self.finish_current();
            } else if self.current.is_some() {
                self.finish_current();
            } else if self.after_blank {
                self.after_blank = false;
            } else {
                self.done.push(Field::default());
            }
        }
        if let Some(piece) = text.get(start..).filter(|p| !p.is_empty()) {
            self.literal(piece);
        }
    }

    fn finish_current(&mut self) {
        self.done.extend(self.current.take());
    }

    /// Between two elements of `$@`. Where nothing is split they are joined as `"$*"` is.
    pub(crate) fn next_element(&mut self) {
        if self.split {
            self.finish_current();
            self.after_blank = false;
        } else {
            let joiner = self.joiner();
            self.literal(&joiner);
        }
    }

    /// All fields.
    pub(crate) fn finish(mut self) -> Vec<Field> {
        self.finish_current();
        self.done
    }

    /// The one field of an expansion without splitting.
    pub(crate) fn single(mut self) -> Field {
        self.current.take().unwrap_or_default()
    }

    /// What joins `"$*"`.
    pub(crate) fn joiner(&self) -> String {
        self.ifs.chars().next().map(String::from).unwrap_or_default()
    }
}
