//! `$((…))` and `let`: the operators of C on 64-bit integers, with `**` and assignments.

/// The variables that an expression reads and assigns. Errors are complete messages.
pub(crate) trait Variables {
    /// The value, if it is set.
    fn value(&mut self, name: &str) -> Result<Option<String>, String>;
    /// Assigns.
    fn assign(&mut self, name: &str, value: i64) -> Result<(), String>;
}

/// How deep parentheses, unary operators and conditions may be nested.
const MAX_DEPTH: u32 = 60;

/// Evaluates an expression; an empty one is 0.
pub(crate) fn evaluate(text: &str, variables: &mut dyn Variables) -> Result<i64, String> {
    Evaluator {
        text: text.as_bytes(),
        pos: 0,
        variables,
        skip: 0,
        depth: 0,
        chain: Vec::new(),
    }
    .whole()
}

struct Evaluator<'a> {
    text: &'a [u8],
    pos: usize,
    variables: &'a mut dyn Variables,
    /// Above 0: only the syntax is read (the branch not taken).
    skip: u32,
    depth: u32,
    /// Variables whose values are being evaluated.
    chain: Vec<String>,
}

/// A value, and the variable that it came from if it can be assigned to.
struct Operand {
    value: i64,
    variable: Option<String>,
    /// The variable's value has not been looked up yet.
    lazy: bool,
}

fn number(value: i64) -> Operand {
    Operand {
        value,
        variable: None,
        lazy: false,
    }
}

type Result<T, E = String> = std::result::Result<T, E>;

fn syntax<T>() -> Result<T> {
    Err("arithmetic syntax error".to_owned())
}

/// Binary operators by binding strength, weakest first. Longer ones before their prefixes.
const BINARY: [(&str, u8); 20] = [
    ("||", 1),
    ("&&", 2),
    ("|", 3),
    ("^", 4),
    ("&", 5),
    ("==", 6),
    ("!=", 6),
    ("<<", 8),
    (">>", 8),
    ("<=", 7),
    (">=", 7),
    ("<", 7),
    (">", 7),
    ("+", 9),
    ("-", 9),
    ("**", 11),
    ("*", 10),
    ("/", 10),
    ("%", 10),
    ("=", 0),
];

const ASSIGNMENTS: [&str; 11] = ["<<=", ">>=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "="];

impl Evaluator<'_> {
    fn whole(&mut self) -> Result<i64> {
        self.blanks();
        if self.pos == self.text.len() {
            return Ok(0);
        }
        let value = self.comma()?;
        if self.pos == self.text.len() {
            Ok(value)
        } else {
            syntax()
        }
    }

    fn blanks(&mut self) {
        while self.text.get(self.pos).is_some_and(u8::is_ascii_whitespace) {
            self.pos += 1;
        }
    }

    fn rest(&self) -> &[u8] {
        self.text.get(self.pos..).unwrap_or_default()
    }

    fn eat(&mut self, token: &str) -> bool {
        let hit = self.rest().starts_with(token.as_bytes());
        if hit {
            self.pos += token.len();
            self.blanks();
        }
        hit
    }

    fn deeper(&mut self) -> Result<()> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            Err("expression nested too deep".to_owned())
        } else {
            Ok(())
        }
    }

    fn comma(&mut self) -> Result<i64> {
        let mut value = self.assignment()?;
        while self.eat(",") {
            value = self.assignment()?;
        }
        Ok(value)
    }

    fn assignment(&mut self) -> Result<i64> {
        self.deeper()?;
        let left = self.conditional()?;
        let operator = ASSIGNMENTS
            .iter()
            .copied()
            .find(|op| self.rest().starts_with(op.as_bytes()));
        let value = match (operator, &left.variable) {
            (Some("="), _) if self.rest().starts_with(b"==") => syntax(),
            (Some(operator), Some(name)) => {
                let name = name.clone();
                self.eat(operator);
                let right = self.assignment()?;
                let value = match operator.strip_suffix('=') {
                    None | Some("") => right,
                    Some(binary) => {
                        let old = self.load(left)?;
                        self.apply(binary, old, right)?
                    }
                };
                self.store(&name, value)?;
                Ok(value)
            }
            (Some(_), None) => syntax(),
            (None, _) => self.load(left),
        };
        self.depth -= 1;
        value
    }

    fn conditional(&mut self) -> Result<Operand> {
        let condition = self.binary(1)?;
        if !self.eat("?") {
            return Ok(condition);
        }
        let taken = self.load(condition)? != 0;
        let then = self.branch(taken)?;
        if !self.eat(":") {
            return Err("malformed ?: operator".to_owned());
        }
        let otherwise = self.branch(!taken)?;
        Ok(number(if taken { then } else { otherwise }))
    }

    /// Evaluates, or only reads over, an operand of `?:`, `&&`, `||`.
    fn branch(&mut self, taken: bool) -> Result<i64> {
        self.skip += u32::from(!taken);
        let value = self.assignment();
        self.skip -= u32::from(!taken);
        value
    }

    fn binary(&mut self, weakest: u8) -> Result<Operand> {
        let mut left = self.unary()?;
        loop {
            let rest = self.rest();
            let Some((operator, strength)) = BINARY.iter().copied().find(|(op, _)| rest.starts_with(op.as_bytes()))
            else {
                return Ok(left);
            };
            // `a += b` is the assignment's business.
            let assigns = !matches!(operator, "<=" | ">=" | "==" | "!=" | "||" | "&&" | "**")
                && ASSIGNMENTS.iter().any(|op| rest.starts_with(op.as_bytes()));
            if strength < weakest || assigns {
                return Ok(left);
            }
            self.eat(operator);
            let a = self.load(left)?;
            let decided = match operator {
                "&&" => a == 0,
                "||" => a != 0,
                _ => false,
            };
            self.skip += u32::from(decided);
            // `**` groups to the right.
            let right = self.binary(if operator == "**" { strength } else { strength + 1 });
            let b = right.and_then(|right| self.load(right));
            self.skip -= u32::from(decided);
            left = number(self.apply(operator, a, b?)?);
        }
    }

    fn apply(&self, operator: &str, a: i64, b: i64) -> Result<i64> {
        let shift = (b & 63) as u32;
        Ok(match operator {
            "||" => i64::from(a != 0 || b != 0),
            "&&" => i64::from(a != 0 && b != 0),
            "|" => a | b,
            "^" => a ^ b,
            "&" => a & b,
            "==" => i64::from(a == b),
            "!=" => i64::from(a != b),
            "<<" => a.wrapping_shl(shift),
            ">>" => a.wrapping_shr(shift),
            "<=" => i64::from(a <= b),
            ">=" => i64::from(a >= b),
            "<" => i64::from(a < b),
            ">" => i64::from(a > b),
            "+" => a.wrapping_add(b),
            "-" => a.wrapping_sub(b),
            "*" => a.wrapping_mul(b),
            "/" | "%" if b == 0 && self.skip > 0 => 0,
            "/" | "%" if b == 0 => return Err("divide by zero".to_owned()),
            "/" => a.wrapping_div(b),
            "%" => a.wrapping_rem(b),
            "**" if b < 0 && self.skip > 0 => 0,
            "**" if b < 0 => return Err("exponent less than 0".to_owned()),
            "**" => power(a, b),
            _ => return syntax(),
        })
    }

    fn unary(&mut self) -> Result<Operand> {
        self.deeper()?;
        let operand = self.unary_inner();
        self.depth -= 1;
        operand
    }

    fn unary_inner(&mut self) -> Result<Operand> {
        for (step, delta) in [("++", 1), ("--", -1)] {
            if !self.rest().starts_with(step.as_bytes()) {
                continue;
            }
            let start = self.pos;
            self.eat(step);
            if let Some(name) = self.name() {
                return self.step(name, delta).map(|(_, new)| number(new));
            }
            // `--5` is minus minus 5.
            self.pos = start;
        }
        if self.eat("!") {
            let value = self.operand()?;
            return Ok(number(i64::from(value == 0)));
        }
        if self.eat("~") {
            return Ok(number(!self.operand()?));
        }
        if self.eat("-") {
            return Ok(number(self.operand()?.wrapping_neg()));
        }
        if self.eat("+") {
            return Ok(number(self.operand()?));
        }
        if self.eat("(") {
            let value = self.comma()?;
            return if self.eat(")") { Ok(number(value)) } else { syntax() };
        }
        if let Some(name) = self.name() {
            for (step, delta) in [("++", 1), ("--", -1)] {
                // `a+++b` is `a++ + b`, but `a++b`… is nobody's.
                if self.eat(step) {
                    return self.step(name, delta).map(|(old, _)| number(old));
                }
            }
            return Ok(Operand {
                value: 0,
                variable: Some(name),
                lazy: true,
            });
        }
        self.literal().map(number)
    }

    fn operand(&mut self) -> Result<i64> {
        let operand = self.unary()?;
        self.load(operand)
    }

    /// `++` and `--`: the old value and the new one.
    fn step(&mut self, name: String, delta: i64) -> Result<(i64, i64)> {
        let old = self.lookup(&name)?;
        let new = old.wrapping_add(delta);
        self.store(&name, new)?;
        Ok((old, new))
    }

    fn load(&mut self, operand: Operand) -> Result<i64> {
        match operand.variable {
            Some(name) if operand.lazy => self.lookup(&name),
            _ => Ok(operand.value),
        }
    }

    /// A variable's value is an expression in its turn.
    fn lookup(&mut self, name: &str) -> Result<i64> {
        if self.skip > 0 {
            return Ok(0);
        }
        let Some(text) = self.variables.value(name)? else {
            return Ok(0);
        };
        if self.chain.iter().any(|n| n == name) || self.chain.len() > 16 {
            return Err("expression recursion loop detected".to_owned());
        }
        let mut chain = std::mem::take(&mut self.chain);
        chain.push(name.to_owned());
        let mut inner = Evaluator {
            text: text.as_bytes(),
            pos: 0,
            variables: &mut *self.variables,
            skip: 0,
            depth: self.depth,
            chain,
        };
        let value = inner.whole();
        let mut chain = inner.chain;
        chain.pop();
        self.chain = chain;
        value
    }

    fn store(&mut self, name: &str, value: i64) -> Result<()> {
        if self.skip > 0 {
            Ok(())
        } else {
            self.variables.assign(name, value)
        }
    }

    fn name(&mut self) -> Option<String> {
        let rest = self.rest();
        if !rest.first().is_some_and(|b| b.is_ascii_alphabetic() || *b == b'_') {
            return None;
        }
        let len = rest
            .iter()
            .take_while(|b| b.is_ascii_alphanumeric() || **b == b'_')
            .count();
        let name = rest.get(..len).map(|n| String::from_utf8_lossy(n).into_owned());
        self.pos += len;
        self.blanks();
        name
    }

    /// `12`, `0x1f`, `017`, `2#101`.
    fn literal(&mut self) -> Result<i64> {
        let rest = self.rest();
        let len = rest
            .iter()
            .take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'#' | b'_' | b'@'))
            .count();
        let text = rest
            .get(..len)
            .map(|n| String::from_utf8_lossy(n).into_owned())
            .unwrap_or_default();
        let value = parse_number(&text).ok_or(()).or_else(|()| syntax())?;
        self.pos += len;
        self.blanks();
        Ok(value)
    }
}

/// An integer constant of the shell.
fn parse_number(text: &str) -> Option<i64> {
    if let Some((base, digits)) = text.split_once('#') {
        let base: u32 = base.parse().ok().filter(|b| (2..=64).contains(b))?;
        return parse_digits(digits, base);
    }
    match text.strip_prefix('0') {
        Some("") => Some(0),
        Some(rest) => match rest.strip_prefix(['x', 'X']) {
            Some(hex) => parse_digits(hex, 16),
            None => parse_digits(rest, 8),
        },
        None => parse_digits(text, 10),
    }
}

fn parse_digits(digits: &str, base: u32) -> Option<i64> {
    if digits.is_empty() {
        return None;
    }
    // As strtoull: what does not fit saturates in C; bash and ash wrap. Wrapping it is.
    digits.chars().try_fold(0_i64, |value, c| {
        let digit = match c {
            '0'..='9' => u32::from(c) - u32::from('0'),
            'a'..='z' => u32::from(c) - u32::from('a') + 10,
            'A'..='Z' if base <= 36 => u32::from(c) - u32::from('A') + 10,
            'A'..='Z' => u32::from(c) - u32::from('A') + 36,
            '@' => 62,
            '_' => 63,
            _ => return None,
        };
        (digit < base).then(|| value.wrapping_mul(i64::from(base)).wrapping_add(i64::from(digit)))
    })
}

fn power(mut base: i64, mut exponent: i64) -> i64 {
    let mut result = 1_i64;
    while exponent > 0 {
        if exponent & 1 == 1 {
            result = result.wrapping_mul(base);
        }
        base = base.wrapping_mul(base);
        exponent >>= 1;
    }
    result
}
