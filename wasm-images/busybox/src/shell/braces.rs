//! Brace expansion, bash's: `a{b,c}d`, `{1..5}`, `{a..e..2}`. It comes before all other expansions, so the parser does it.

use super::ast::{Part, Word};

/// A character of an unquoted literal, or a part that braces do not look into.
#[derive(Clone)]
enum Item {
    Char(char),
    Part(Part),
}

/// More words than this are not made from one.
const MAX_WORDS: usize = 10_000;

/// The words that a word stands for; the word itself if it has no braces.
pub(crate) fn expand(word: Word) -> Vec<Word> {
    let has_braces = |part: &Part| matches!(part, Part::Literal { text } if text.contains('{'));
    if !word.parts.iter().any(has_braces) {
        return vec![word];
    }
    let mut items = Vec::new();
    for part in &word.parts {
        match part {
            Part::Literal { text } => items.extend(text.chars().map(Item::Char)),
            other => items.push(Item::Part(other.clone())),
        }
    }
    let mut budget = MAX_WORDS;
    match alternatives(&items, 0, &mut budget) {
        Some(all) => all.into_iter().map(rebuild).collect(),
        None => vec![word],
    }
}

fn rebuild(items: Vec<Item>) -> Word {
    let mut parts = Vec::new();
    for item in items {
        match (item, parts.last_mut()) {
            (Item::Char(c), Some(Part::Literal { text })) => text.push(c),
            (Item::Char(c), _) => parts.push(Part::Literal { text: c.to_string() }),
            (Item::Part(part), _) => parts.push(part),
        }
    }
    Word { parts }
}

fn is(items: &[Item], at: usize, c: char) -> bool {
    matches!(items.get(at), Some(Item::Char(found)) if *found == c)
}

/// `None`: too many, or nested too deep.
fn alternatives(items: &[Item], depth: u32, budget: &mut usize) -> Option<Vec<Vec<Item>>> {
    if depth > 50 {
        return None;
    }
    for open in 0..items.len() {
        if !is(items, open, '{') {
            continue;
        }
        let Some((close, commas)) = matching(items, open) else {
            continue;
        };
        let inside = items.get(open + 1..close)?;
        let middles = if commas.is_empty() {
            match sequence(inside) {
                Some(middles) => middles,
                None => continue,
            }
        } else {
            let mut middles = Vec::new();
            let mut start = open + 1;
            for end in commas.into_iter().chain([close]) {
                middles.extend(alternatives(items.get(start..end)?, depth + 1, budget)?);
                start = end + 1;
            }
            middles
        };
        let tails = alternatives(items.get(close + 1..)?, depth + 1, budget)?;
        let before = items.get(..open)?;
        let count = middles.len().checked_mul(tails.len())?;
        *budget = budget.checked_sub(count)?;
        let mut all = Vec::with_capacity(count);
        for middle in &middles {
            for tail in &tails {
                all.push([before, middle, tail].concat());
            }
        }
        return Some(all);
    }
    Some(vec![items.to_vec()])
}

/// The brace that closes the one at `open`, and the commas between them on the same level.
fn matching(items: &[Item], open: usize) -> Option<(usize, Vec<usize>)> {
    let mut level = 0;
    let mut commas = Vec::new();
    for at in open..items.len() {
        match items.get(at) {
            Some(Item::Char('{')) => level += 1,
            Some(Item::Char('}')) => {
                level -= 1;
                if level == 0 {
                    return Some((at, commas));
                }
            }
            Some(Item::Char(',')) if level == 1 => commas.push(at),
            _ => {}
        }
    }
    None
}

/// `1..5`, `01..10..3`, `a..e`.
fn sequence(inside: &[Item]) -> Option<Vec<Vec<Item>>> {
    let text: String = inside
        .iter()
        .map(|item| match item {
            Item::Char(c) => Some(*c),
            Item::Part(_) => None,
        })
        .collect::<Option<_>>()?;
    let fields: Vec<&str> = text.split("..").collect();
    let (from, to, step) = match fields.as_slice() {
        [from, to] => (*from, *to, 1),
        [from, to, step] => (*from, *to, step.parse::<i64>().ok()?.unsigned_abs().max(1)),
        _ => return None,
    };
    let step = i64::try_from(step).ok()?;
    let letter = |text: &str| {
        let mut chars = text.chars();
        chars
            .next()
            .filter(|c| c.is_ascii_alphabetic() && chars.next().is_none())
    };
    let (start, end, letters) = match (letter(from), letter(to)) {
        (Some(a), Some(b)) => (i64::from(u32::from(a)), i64::from(u32::from(b)), true),
        _ => (from.parse().ok()?, to.parse().ok()?, false),
    };
    let padded = |text: &str| text.trim_start_matches('-').len() > 1 && text.trim_start_matches('-').starts_with('0');
    let width = if padded(from) || padded(to) {
        from.len().max(to.len())
    } else {
        0
    };
    let count = usize::try_from(end.checked_sub(start)?.unsigned_abs() / step.unsigned_abs() + 1).ok()?;
    if count > MAX_WORDS {
        return None;
    }
    let show = |n: i64| match letters {
        true => u32::try_from(n)
            .ok()
            .and_then(char::from_u32)
            .map(String::from)
            .unwrap_or_default(),
        false => format!("{n:0width$}"),
    };
    let numbers = (0..count).filter_map(|i| {
        let offset = i64::try_from(i).ok()? * step;
        Some(if end >= start { start + offset } else { start - offset })
    });
    Some(numbers.map(|n| show(n).chars().map(Item::Char).collect()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces_are_expanded_as_in_bash() {
        for (word, want) in [
            ("a{b,c}d", "abd acd"),
            ("{1..5}", "1 2 3 4 5"),
            ("{5..1..2}", "5 3 1"),
            ("{01..03}", "01 02 03"),
            ("{a..e..2}x", "ax cx ex"),
            ("{a,b}{1,2}", "a1 a2 b1 b2"),
            ("{a,{b,c}}", "a b c"),
            ("{a}", "{a}"),
            ("{", "{"),
            ("a{b", "a{b"),
            ("{,x}y", "y xy"),
            ("{1..99999999}", "{1..99999999}"),
            ("{x{1,2}", "{x1 {x2"),
        ] {
            let word = Word {
                parts: vec![Part::Literal { text: word.to_owned() }],
            };
            let got: Vec<String> = expand(word)
                .iter()
                .map(|w| w.as_literal().unwrap_or("").to_owned())
                .collect();
            assert_eq!(got.join(" "), want);
        }
    }
}
