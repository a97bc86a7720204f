//! `diff` (unified only, as BusyBox's) and `cmp`.

use crate::util::files::{is_dir, read_dir};
use crate::util::{Opts, Out, base_name, join, open_input, parse, show_usage};
use crate::{complain, out};
use podsim_sys::{Errno, FileType};
use std::collections::BTreeSet;

/// `diff [-abBdiNqrTstw] [-L LABEL] [-U LINES] FILE1 FILE2`: 1 where they differ, 2 for trouble.
pub fn diff(args: &[String]) -> i32 {
    let longs = [
        ("brief", 'q'),
        ("recursive", 'r'),
        ("unified", 'u'),
        ("new-file", 'N'),
        ("ignore-case", 'i'),
        ("label", 'L'),
    ];
    let opts = match parse(args, "abBdiNqrstwuU:L:S:", &longs) {
        Ok(opts) => opts,
        Err(code) => return if code == 0 { 0 } else { 2 },
    };
    let [left, right] = opts.args.as_slice() else {
        show_usage("diff");
        return 2;
    };
    let context = match opts.value('U').map(str::parse::<usize>) {
        None => 3,
        Some(Ok(lines)) => lines,
        Some(Err(_)) => {
            complain!("diff", "invalid number '{}'", opts.value('U').unwrap_or(""));
            return 2;
        }
    };
    let (mut left, mut right) = (left.clone(), right.clone());
    let labels: Vec<String> = opts.values('L').map(str::to_owned).collect();
    let mut compare = Compare {
        opts,
        labels,
        context,
        out: Out::stdout(),
        code: 0,
    };
    match (left != "-" && is_dir(&left), right != "-" && is_dir(&right)) {
        (true, true) => compare.dirs(&left, &right),
        (dir_left, dir_right) => {
            // A file against a directory means the file of that name in it.
            if dir_left {
                left = join(&left, base_name(&right));
            } else if dir_right {
                right = join(&right, base_name(&left));
            }
            compare.files(&left, &right);
        }
    }
    let code = compare.code;
    compare.out.finish("diff", code)
}

struct Compare {
    opts: Opts,
    labels: Vec<String>,
    context: usize,
    out: Out,
    code: i32,
}

impl Compare {
    fn read(&mut self, path: &str) -> Option<Vec<u8>> {
        match open_input(path).and_then(|mut input| input.read_to_end()) {
            Ok(bytes) => Some(bytes),
            Err(Errno::ENOENT) if self.opts.has('N') => Some(Vec::new()),
            Err(error) => {
                self.out.flush();
                complain!("diff", "can't stat '{path}': {error}");
                self.code = 2;
                None
            }
        }
    }

    fn files(&mut self, left: &str, right: &str) {
        let (Some(a), Some(b)) = (self.read(left), self.read(right)) else {
            return;
        };
        if a == b {
            if self.opts.has('s') {
                out!(self.out, "Files {left} and {right} are identical\n");
            }
            return;
        }
        let binary = |bytes: &[u8]| bytes.iter().take(8192).any(|byte| *byte == 0);
        if self.opts.has('q') || (!self.opts.has('a') && (binary(&a) || binary(&b))) {
            let text = if self.opts.has('q') { "Files" } else { "Binary files" };
            out!(self.out, "{text} {left} and {right} differ\n");
            self.code = self.code.max(1);
            return;
        }
        let (a, b) = (lines(&a), lines(&b));
        let key = |line: &[u8]| self.key(line);
        let keys = (
            a.iter().map(|l| key(l)).collect::<Vec<_>>(),
            b.iter().map(|l| key(l)).collect::<Vec<_>>(),
        );
        let edits = edits(&keys.0, &keys.1);
        if !edits.iter().any(|edit| !matches!(edit, Edit::Same(..))) {
            return;
        }
        self.code = self.code.max(1);
        let label = |index: usize, path: &str| self.labels.get(index).cloned().unwrap_or_else(|| path.to_owned());
        out!(self.out, "--- {}\n+++ {}\n", label(0, left), label(1, right));
        let text = unified(&a, &b, &edits, self.context);
        self.out.bytes(&text);
    }

    /// What of a line counts.
    fn key(&self, line: &[u8]) -> Vec<u8> {
        let mut key: Vec<u8> = line.to_vec();
        if self.opts.has('w') {
            key.retain(|byte| !byte.is_ascii_whitespace());
        } else if self.opts.has('b') {
            let text = String::from_utf8_lossy(&key).into_owned();
            key = text.split_whitespace().collect::<Vec<_>>().join(" ").into_bytes();
            if text.starts_with(char::is_whitespace) {
                key.insert(0, b' ');
            }
        }
        if self.opts.has('i') {
            key.make_ascii_lowercase();
        }
        key
    }

    fn dirs(&mut self, left: &str, right: &str) {
        let names = |dir: &str| -> BTreeSet<String> {
            read_dir(dir)
                .unwrap_or_default()
                .into_iter()
                .map(|entry| entry.name)
                .collect()
        };
        let (a, b) = (names(left), names(right));
        for name in a.union(&b) {
            let paths = (join(left, name), join(right, name));
            match (a.contains(name), b.contains(name)) {
                (true, false) if !self.opts.has('N') => {
                    out!(self.out, "Only in {left}: {name}\n");
                    self.code = self.code.max(1);
                }
                (false, true) if !self.opts.has('N') => {
                    out!(self.out, "Only in {right}: {name}\n");
                    self.code = self.code.max(1);
                }
                _ => match (is_dir(&paths.0), is_dir(&paths.1)) {
                    (true, true) if self.opts.has('r') => self.dirs(&paths.0, &paths.1),
                    (true, true) => out!(self.out, "Common subdirectories: {} and {}\n", paths.0, paths.1),
                    (false, false) => {
                        let plain = |path: &str| {
                            crate::util::files::stat(path).map_or(true, |s| s.file_type == FileType::Regular)
                        };
                        if plain(&paths.0) && plain(&paths.1) {
                            if !self.opts.has('q') {
                                let before = self.code;
                                self.code = 0;
                                self.files(&paths.0, &paths.1);
                                self.code = self.code.max(before);
                            } else {
                                self.files(&paths.0, &paths.1);
                            }
                        }
                    }
                    (true, false) => {
                        out!(
                            self.out,
                            "File {} is a directory while file {} is a regular file\n",
                            paths.0,
                            paths.1
                        );
                        self.code = self.code.max(1);
                    }
                    (false, true) => {
                        out!(
                            self.out,
                            "File {} is a regular file while file {} is a directory\n",
                            paths.0,
                            paths.1
                        );
                        self.code = self.code.max(1);
                    }
                },
            }
        }
    }
}

/// Lines with their line feeds.
fn lines(bytes: &[u8]) -> Vec<&[u8]> {
    bytes.split_inclusive(|byte| *byte == b'\n').collect()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Edit {
    /// Line of the first file and of the second.
    Same(usize, usize),
    Delete(usize),
    Insert(usize),
}

/// The shortest way from one file to the other (Myers' algorithm). Where that would take too much memory, what is between
/// the common beginning and end is taken as replaced.
fn edits(a: &[Vec<u8>], b: &[Vec<u8>]) -> Vec<Edit> {
    let prefix = a.iter().zip(b).take_while(|(x, y)| x == y).count();
    let (tail_a, tail_b) = (a.get(prefix..).unwrap_or_default(), b.get(prefix..).unwrap_or_default());
    let suffix = tail_a
        .iter()
        .rev()
        .zip(tail_b.iter().rev())
        .take_while(|(x, y)| x == y)
        .count();
    let middle_a = tail_a.get(..tail_a.len() - suffix).unwrap_or_default();
    let middle_b = tail_b.get(..tail_b.len() - suffix).unwrap_or_default();
    let mut all: Vec<Edit> = (0..prefix).map(|i| Edit::Same(i, i)).collect();
    let shifted = |edit: Edit| match edit {
        Edit::Same(i, j) => Edit::Same(i + prefix, j + prefix),
        Edit::Delete(i) => Edit::Delete(i + prefix),
        Edit::Insert(j) => Edit::Insert(j + prefix),
    };
    all.extend(myers(middle_a, middle_b).into_iter().map(shifted));
    all.extend((0..suffix).map(|i| Edit::Same(a.len() - suffix + i, b.len() - suffix + i)));
    all
}

const MOST_STEPS: usize = 3000;

fn myers(a: &[Vec<u8>], b: &[Vec<u8>]) -> Vec<Edit> {
    let replaced = || {
        (0..a.len())
            .map(Edit::Delete)
            .chain((0..b.len()).map(Edit::Insert))
            .collect()
    };
    if a.is_empty() || b.is_empty() {
        return replaced();
    }
    // furthest[k]: how far along `a` the best path on diagonal k comes; one copy for each step, to walk back.
    let size = (a.len() + b.len()).min(MOST_STEPS);
    let center = size + 1;
    let mut furthest = vec![0usize; 2 * size + 3];
    let mut trace = Vec::new();
    let get = |v: &[usize], k: usize| v.get(k).copied().unwrap_or(0);
    for step in 0..=size {
        trace.push(furthest.get(center - step..=center + step).unwrap_or_default().to_vec());
        for k in (center - step..=center + step).step_by(2) {
            let down = k == center - step || (k != center + step && get(&furthest, k - 1) < get(&furthest, k + 1));
            let mut x = if down {
                get(&furthest, k + 1)
            } else {
                get(&furthest, k - 1) + 1
            };
            // y = x - (k - center), which may not be negative.
            let Some(mut y) = (x + center).checked_sub(k) else {
                continue;
            };
            while x < a.len() && y < b.len() && a.get(x) == b.get(y) {
                x += 1;
                y += 1;
            }
            if let Some(slot) = furthest.get_mut(k) {
                *slot = x;
            }
            if x >= a.len() && y >= b.len() {
                return walk_back(&trace, a.len(), b.len());
            }
        }
    }
    replaced()
}

fn walk_back(trace: &[Vec<usize>], a: usize, b: usize) -> Vec<Edit> {
    let (mut x, mut y) = (a, b);
    let mut edits = Vec::new();
    for (step, row) in trace.iter().enumerate().rev() {
        // The row holds the diagonals -step..=step as they were before this step.
        let diagonal = x as isize - y as isize;
        let at = |k: isize| {
            usize::try_from(k + step as isize)
                .ok()
                .and_then(|i| row.get(i))
                .copied()
                .unwrap_or(0)
        };
        let n = step as isize;
        let down = diagonal == -n || (diagonal != n && at(diagonal - 1) < at(diagonal + 1));
        let before = if down { diagonal + 1 } else { diagonal - 1 };
        let from_x = if step == 0 { 0 } else { at(before) };
        let from_y = usize::try_from(from_x as isize - before).unwrap_or(0);
        let (start_x, start_y) = match (step, down) {
            (0, _) => (0, 0),
            (_, true) => (from_x, from_y + 1),
            _ => (from_x + 1, from_y),
        };
        while x > start_x && y > start_y {
            x -= 1;
            y -= 1;
            edits.push(Edit::Same(x, y));
        }
        if step > 0 {
            edits.push(if down {
                Edit::Insert(from_y)
            } else {
                Edit::Delete(from_x)
            });
            (x, y) = (from_x, from_y);
        }
    }
    edits.reverse();
    edits
}

fn unified(a: &[&[u8]], b: &[&[u8]], edits: &[Edit], context: usize) -> Vec<u8> {
    let changed: Vec<usize> = edits
        .iter()
        .enumerate()
        .filter(|(_, edit)| !matches!(edit, Edit::Same(..)))
        .map(|(at, _)| at)
        .collect();
    let mut text = Vec::new();
    let mut next = 0;
    while let Some(first) = changed.get(next) {
        let start = first.saturating_sub(context);
        let mut end = first + context + 1;
        while let Some(more) = changed.get(next) {
            // Changes whose contexts touch are one piece.
            if *more > end + context {
                break;
            }
            end = more + context + 1;
            next += 1;
        }
        let hunk = edits.get(start..end.min(edits.len())).unwrap_or_default();
        let count = |which: fn(&Edit) -> bool| hunk.iter().filter(|edit| which(edit)).count();
        let before = edits.get(..start).unwrap_or_default();
        let line = |which: fn(&Edit) -> bool| before.iter().filter(|edit| which(edit)).count();
        let in_a = |edit: &Edit| !matches!(edit, Edit::Insert(_));
        let in_b = |edit: &Edit| !matches!(edit, Edit::Delete(_));
        let range = |line: usize, count: usize| match count {
            0 => format!("{line},0"),
            1 => (line + 1).to_string(),
            count => format!("{},{count}", line + 1),
        };
        let header = format!(
            "@@ -{} +{} @@\n",
            range(line(in_a), count(in_a)),
            range(line(in_b), count(in_b))
        );
        text.extend_from_slice(header.as_bytes());
        for edit in hunk {
            let (mark, content) = match edit {
                Edit::Same(i, _) => (b' ', a.get(*i)),
                Edit::Delete(i) => (b'-', a.get(*i)),
                Edit::Insert(j) => (b'+', b.get(*j)),
            };
            let content = content.copied().unwrap_or_default();
            text.push(mark);
            text.extend_from_slice(content);
            if !content.ends_with(b"\n") {
                text.extend_from_slice(b"\n\\ No newline at end of file\n");
            }
        }
    }
    text
}

/// `cmp [-ls] [-n NUM] FILE1 [FILE2]`
pub fn cmp(args: &[String]) -> i32 {
    let opts = match parse(args, "lsn:", &[("silent", 's'), ("quiet", 's')]) {
        Ok(opts) => opts,
        Err(code) => return if code == 0 { 0 } else { 2 },
    };
    let (left, right) = match opts.args.as_slice() {
        [left] => (left.as_str(), "-"),
        [left, right] => (left.as_str(), right.as_str()),
        _ => {
            show_usage("cmp");
            return 2;
        }
    };
    let mut contents = Vec::new();
    for path in [left, right] {
        match open_input(path).and_then(|mut input| input.read_to_end()) {
            Ok(bytes) => contents.push(bytes),
            Err(error) => {
                if !opts.has('s') {
                    complain!("cmp", "{path}: {error}");
                }
                return 2;
            }
        }
    }
    let [a, b] = contents.as_slice() else { return 2 };
    let most = opts.value('n').and_then(|n| n.parse().ok()).unwrap_or(usize::MAX);
    let (a, b) = (
        a.get(..most.min(a.len())).unwrap_or_default(),
        b.get(..most.min(b.len())).unwrap_or_default(),
    );
    let mut out = Out::stdout();
    let mut code = 0;
    let mut line = 1;
    for (at, (x, y)) in a.iter().zip(b).enumerate() {
        if x != y {
            code = 1;
            if opts.has('s') {
                return 1;
            }
            if !opts.has('l') {
                out!(out, "{left} {right} differ: char {}, line {line}\n", at + 1);
                return out.finish("cmp", 1);
            }
            out!(out, "{} {x:3o} {y:3o}\n", at + 1);
        }
        line += usize::from(*x == b'\n');
    }
    if a.len() != b.len() {
        out.flush();
        if !opts.has('s') {
            complain!("cmp", "EOF on {}", if a.len() < b.len() { left } else { right });
        }
        return 1;
    }
    out.finish("cmp", code)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(a: &str, b: &str, want: &str) {
        let (a, b) = (lines(a.as_bytes()), lines(b.as_bytes()));
        let owned = |lines: &[&[u8]]| lines.iter().map(|l| l.to_vec()).collect::<Vec<_>>();
        let edits = edits(&owned(&a), &owned(&b));
        assert_eq!(String::from_utf8_lossy(&unified(&a, &b, &edits, 1)), want);
    }

    #[test]
    fn differences_are_the_shortest_ones() {
        check("a\nb\nc\n", "a\nx\nc\n", "@@ -1,3 +1,3 @@\n a\n-b\n+x\n c\n");
        check("", "a\n", "@@ -0,0 +1 @@\n+a\n");
        check(
            "a\nb\nc\nd\ne\nf\n",
            "b\nc\nd\ne\nf\ng\n",
            "@@ -1,2 +1 @@\n-a\n b\n@@ -6 +5,2 @@\n f\n+g\n",
        );
        check(
            "a\nb",
            "a\nb\n",
            "@@ -1,2 +1,2 @@\n a\n-b\n\\ No newline at end of file\n+b\n",
        );
        check(
            "a\nb\nc\na\nb\nb\na\n",
            "c\nb\na\nb\na\nc\n",
            "@@ -1,7 +1,6 @@\n-a\n-b\n c\n+b\n a\n b\n-b\n a\n+c\n",
        );
    }
}
