//! `expr`.

use crate::complain;
use crate::util::Out;
use crate::util::pattern::{self, Syntax};

/// `expr EXPRESSION`: 1 if the result is empty or 0, 2 for a wrong expression.
pub fn main(args: &[String]) -> i32 {
    let words = args.get(1..).unwrap_or_default();
    if words.is_empty() {
        complain!("expr", "too few arguments");
        return 2;
    }
    match evaluate(words) {
        Ok(value) => {
            let mut out = Out::stdout();
            out.line(&value);
            out.finish("expr", i32::from(is_null(&value)))
        }
        Err(message) => {
            complain!("expr", "{message}");
            2
        }
    }
}

fn evaluate(words: &[String]) -> Result<String, String> {
    let mut parser = Parser { words, depth: 0 };
    let value = parser.binary(0)?;
    if parser.words.is_empty() {
        Ok(value)
    } else {
        Err("syntax error".to_owned())
    }
}

fn is_null(value: &str) -> bool {
    value.is_empty() || value.parse() == Ok(0i64)
}

struct Parser<'a> {
    words: &'a [String],
    depth: u32,
}

const LEVELS: [&[&str]; 6] = [
    &["|"],
    &["&"],
    &["=", "==", "!=", "<", "<=", ">", ">="],
    &["+", "-"],
    &["*", "/", "%"],
    &[":"],
];

impl<'a> Parser<'a> {
    fn next(&mut self) -> Option<&'a str> {
        let (first, rest) = self.words.split_first()?;
        self.words = rest;
        Some(first)
    }

    fn binary(&mut self, level: usize) -> Result<String, String> {
        let Some(operators) = LEVELS.get(level) else {
            return self.primary();
        };
        let mut left = self.binary(level + 1)?;
        while let Some(operator) = self
            .words
            .first()
            .map(String::as_str)
            .filter(|word| operators.contains(word))
        {
            self.next();
            let right = self.binary(level + 1)?;
            left = apply(operator, &left, &right)?;
        }
        Ok(left)
    }

    fn primary(&mut self) -> Result<String, String> {
        let syntax = || "syntax error".to_owned();
        let word = self.next().ok_or_else(syntax)?;
        let operand = |parser: &mut Self| parser.next().map(str::to_owned).ok_or_else(syntax);
        Ok(match word {
            "(" => {
                self.depth += 1;
                if self.depth > 100 {
                    return Err(syntax());
                }
                let value = self.binary(0)?;
                self.depth -= 1;
                if self.next() != Some(")") {
                    return Err(syntax());
                }
                value
            }
            ")" => return Err(syntax()),
            "length" if !self.words.is_empty() => operand(self)?.chars().count().to_string(),
            "match" if self.words.len() > 1 => {
                let text = operand(self)?;
                matched(&text, &operand(self)?)?
            }
            "index" if self.words.len() > 1 => {
                let text = operand(self)?;
                let set = operand(self)?;
                text.chars()
                    .position(|c| set.contains(c))
                    .map_or(0, |at| at + 1)
                    .to_string()
            }
            "substr" if self.words.len() > 2 => {
                let text = operand(self)?;
                let mut number = || operand(self).map(|word| word.parse::<usize>().unwrap_or(0));
                let (from, count) = (number()?, number()?);
                if from == 0 {
                    String::new()
                } else {
                    text.chars().skip(from - 1).take(count).collect()
                }
            }
            "quote" if !self.words.is_empty() => operand(self)?,
            value => value.to_owned(),
        })
    }
}

fn apply(operator: &str, a: &str, b: &str) -> Result<String, String> {
    let numbers = || a.parse::<i64>().ok().zip(b.parse::<i64>().ok());
    Ok(match operator {
        "|" => (if is_null(a) { b } else { a }).to_owned(),
        "&" => (if is_null(a) || is_null(b) { "0" } else { a }).to_owned(),
        ":" => matched(a, b)?,
        "=" | "==" | "!=" | "<" | "<=" | ">" | ">=" => {
            let order = numbers().map_or_else(|| a.cmp(b), |(a, b)| a.cmp(&b));
            let holds = match operator {
                "!=" => order.is_ne(),
                "<" => order.is_lt(),
                "<=" => order.is_le(),
                ">" => order.is_gt(),
                ">=" => order.is_ge(),
                _ => order.is_eq(),
            };
            u8::from(holds).to_string()
        }
        _ => {
            let (a, b) = numbers().ok_or("non-numeric argument")?;
            if b == 0 && matches!(operator, "/" | "%") {
                return Err("division by zero".to_owned());
            }
            let result = match operator {
                "+" => a.checked_add(b),
                "-" => a.checked_sub(b),
                "*" => a.checked_mul(b),
                "/" => a.checked_div(b),
                _ => a.checked_rem(b),
            };
            result.ok_or("number out of range")?.to_string()
        }
    })
}

/// The text of the first group, or how many characters match from the beginning on.
fn matched(text: &str, regex: &str) -> Result<String, String> {
    let translated = pattern::translate(regex.strip_prefix('^').unwrap_or(regex), false)?;
    let regex = pattern::build(&format!("^(?:{translated})"), Syntax::default())?;
    let groups = regex.captures_len() > 1;
    Ok(match regex.captures(text.as_bytes()) {
        None => (if groups { "" } else { "0" }).to_owned(),
        Some(found) if groups => found
            .get(1)
            .map_or(String::new(), |m| String::from_utf8_lossy(m.as_bytes()).into_owned()),
        Some(found) => found
            .get(0)
            .map_or(0, |m| String::from_utf8_lossy(m.as_bytes()).chars().count())
            .to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::evaluate;

    #[test]
    fn expressions_have_their_precedences() {
        for (text, want) in [
            ("1 + 2 * 3", Ok("7")),
            ("( 1 + 2 ) * 3", Ok("9")),
            ("7 % 4", Ok("3")),
            ("abc : a\\(.*\\)", Ok("bc")),
            ("abc : ab", Ok("2")),
            ("2 < 10", Ok("1")),
            ("a | b", Ok("a")),
            ("0 | b", Ok("b")),
            ("length hello", Ok("5")),
            ("substr hello 2 3", Ok("ell")),
            ("1 +", Err("syntax error")),
            ("1 / 0", Err("division by zero")),
            ("a + 1", Err("non-numeric argument")),
            ("9223372036854775807 + 1", Err("number out of range")),
        ] {
            let words: Vec<String> = text.split(' ').map(str::to_owned).collect();
            let got = evaluate(&words);
            assert_eq!(got.as_deref().map_err(String::as_str), want, "{text}");
        }
    }
}
