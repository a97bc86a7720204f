//! Tab completion of commands and files.

use super::builtins;
use super::glob::Directory;
use super::shell::Shell;
use super::sys::{self, Access, Fd, FileType};

/// What a word can be completed to.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Completion {
    /// Where the word begins, in characters.
    pub(crate) start: usize,
    /// Whole replacements for the word, quoted as needed; directories end in a slash.
    pub(crate) candidates: Vec<String>,
}

/// Completions of the word before the cursor.
pub(crate) fn complete(shell: &mut Shell, line: &[char], cursor: usize) -> Completion {
    let before = line.get(..cursor).unwrap_or_default();
    let start = word_start(before);
    let word: String = before.get(start..).unwrap_or_default().iter().collect();
    let plain = unquote(&word);
    let leading: String = before.get(..start).unwrap_or_default().iter().collect();
    let command = leading.trim_end().is_empty() || leading.trim_end().ends_with(['|', ';', '&', '(', '`', '{']);
    let mut found = if let Some(prefix) = plain.strip_prefix('$') {
        variables(shell, prefix)
    } else if command && !plain.contains('/') {
        commands(shell, &plain)
    } else {
        files(shell, &plain, command)
    };
    found.sort();
    found.dedup();
    Completion {
        start,
        candidates: found,
    }
}

/// Where the word before the cursor begins: after the last blank or operator that is not protected.
fn word_start(before: &[char]) -> usize {
    let mut start = 0;
    let mut quote = None;
    let mut escaped = false;
    for (i, c) in before.iter().copied().enumerate() {
        match (c, quote) {
            _ if escaped => escaped = false,
            ('\\', None | Some('"')) => escaped = true,
            (c, Some(q)) if c == q => quote = None,
            (_, Some(_)) => {}
            ('"' | '\'', None) => quote = Some(c),
            (c, None) if c.is_whitespace() || "|&;<>(){}`=".contains(c) => start = i + 1,
            _ => {}
        }
    }
    start
}

fn unquote(word: &str) -> String {
    let mut out = String::new();
    let mut chars = word.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => out.extend(chars.next()),
            '"' | '\'' => {}
            c => out.push(c),
        }
    }
    out
}

/// A name as it has to be typed.
fn quote(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_whitespace() || "\\'\"$`|&;<>(){}[]*?!#~=".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

fn variables(shell: &Shell, prefix: &str) -> Vec<String> {
    shell
        .vars
        .map()
        .keys()
        .filter(|name| name.starts_with(prefix))
        .map(|name| format!("${name}"))
        .collect()
}

fn commands(shell: &mut Shell, prefix: &str) -> Vec<String> {
    let mut found: Vec<String> = builtins::names().map(str::to_owned).collect();
    found.extend(shell.aliases.keys().chain(shell.functions.keys()).cloned());
    found.retain(|name| name.starts_with(prefix));
    let path = shell.vars.get("PATH").unwrap_or("").to_owned();
    for directory in path.split(':').filter(|d| !d.is_empty()) {
        for name in shell.list(directory).unwrap_or_default() {
            if name.starts_with(prefix)
                && name != "."
                && name != ".."
                && sys::faccessat(Fd::CWD, &format!("{directory}/{name}"), Access::EXEC).is_ok()
            {
                found.push(quote(&name));
            }
        }
    }
    found
}

fn files(shell: &mut Shell, prefix: &str, executable: bool) -> Vec<String> {
    let (directory, name) = match prefix.rsplit_once('/') {
        Some((directory, name)) => (format!("{directory}/"), name),
        None => (String::new(), prefix),
    };
    let real = match directory.strip_prefix("~/") {
        Some(rest) => format!("{}/{rest}", shell.vars.get("HOME").unwrap_or("")),
        None => directory.clone(),
    };
    let mut out = Vec::new();
    for entry in shell.list(&real).unwrap_or_default() {
        let hidden = entry.starts_with('.') && !name.starts_with('.');
        if hidden || !entry.starts_with(name) || entry == "." || entry == ".." {
            continue;
        }
        let path = format!("{real}{entry}");
        let is_directory = sys::fstatat(Fd::CWD, &path, true).is_ok_and(|s| s.file_type == FileType::Directory);
        if executable && !is_directory && sys::faccessat(Fd::CWD, &path, Access::EXEC).is_err() {
            continue;
        }
        let typed = if directory.starts_with("~/") {
            format!("~/{}", quote(directory.get(2..).unwrap_or("")))
        } else {
            quote(&directory)
        };
        out.push(format!(
            "{typed}{}{}",
            quote(&entry),
            if is_directory { "/" } else { "" }
        ));
    }
    out
}

/// What all candidates begin with.
pub(crate) fn common_prefix(candidates: &[String]) -> String {
    let Some(first) = candidates.first() else {
        return String::new();
    };
    let mut prefix = first.as_str();
    for candidate in candidates {
        while !candidate.starts_with(prefix) {
            let shorter = prefix.char_indices().next_back().map_or(0, |(i, _)| i);
            prefix = prefix.get(..shorter).unwrap_or("");
        }
    }
    // Half of an escape is no prefix.
    prefix.strip_suffix('\\').unwrap_or(prefix).to_owned()
}

/// Names in columns, as `ls` shows them; only the last component of each.
pub(crate) fn columns(candidates: &[String], width: usize) -> String {
    let names: Vec<String> = candidates
        .iter()
        .map(|candidate| {
            let end = candidate.trim_end_matches('/').rfind('/').map_or(0, |i| i + 1);
            unquote(candidate.get(end..).unwrap_or(candidate))
        })
        .collect();
    let width = if width == 0 { 80 } else { width };
    let longest = names.iter().map(|n| n.chars().count()).max().unwrap_or(0) + 2;
    let across = (width / longest).max(1);
    let rows = names.len().div_ceil(across);
    let mut out = String::new();
    for row in 0..rows {
        let line: Vec<&String> = names.iter().skip(row).step_by(rows.max(1)).collect();
        for (i, name) in line.iter().enumerate() {
            out.push_str(name);
            if i + 1 < line.len() {
                out.push_str(&" ".repeat(longest - name.chars().count()));
            }
        }
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_before_the_cursor_is_found() {
        for (line, want) in [
            ("ls fo", 3),
            ("ls \"a b", 3),
            ("ls a\\ b", 3),
            ("a|b", 2),
            ("", 0),
            ("x >f", 3),
        ] {
            let chars: Vec<char> = line.chars().collect();
            assert_eq!(word_start(&chars), want, "{line}");
        }
    }

    #[test]
    fn prefixes_and_columns() {
        let all = ["host.conf".to_owned(), "hostname".into(), "hosts".into()];
        assert_eq!(common_prefix(&all), "host");
        assert_eq!(columns(&all, 80), "host.conf  hostname   hosts\n");
        assert_eq!(quote("a b$"), "a\\ b\\$");
        assert_eq!(unquote("a\\ b\"c\""), "a bc");
    }
}
