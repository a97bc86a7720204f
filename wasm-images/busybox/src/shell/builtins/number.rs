//! Numbers in `printf`, as C reads and writes them.

/// `strtol` with base 0 on the whole text, or `'c`: the number of the character.
pub(super) fn parse_integer(text: &str) -> Option<i128> {
    let trimmed = text.trim_start();
    if let Some(quoted) = trimmed.strip_prefix(['\'', '"']) {
        return quoted.chars().next().map(|c| i128::from(u32::from(c)));
    }
    let (negative, digits) = match trimmed.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, trimmed.strip_prefix('+').unwrap_or(trimmed)),
    };
    let value = if let Some(hex) = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        u64::from_str_radix(hex, 16).ok()?
    } else if digits.len() > 1 && digits.starts_with('0') {
        u64::from_str_radix(digits, 8).ok()?
    } else if digits.starts_with(|c: char| c.is_ascii_digit()) {
        digits.parse().ok()?
    } else {
        return None;
    };
    Some(if negative {
        -i128::from(value)
    } else {
        i128::from(value)
    })
}

/// `%e`: `1.234500e+03`.
pub(super) fn exponent(value: f64, precision: usize, upper: bool) -> String {
    let text = format!("{value:.precision$e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let sign = if exponent < 0 { '-' } else { '+' };
    let e = if upper { 'E' } else { 'e' };
    format!("{mantissa}{e}{sign}{:02}", exponent.abs())
}

/// `%g`: the shorter of `%e` and `%f`, without trailing zeros.
pub(super) fn general(value: f64, precision: usize, upper: bool) -> String {
    let precision = precision.max(1);
    let scientific = exponent(value, precision - 1, upper);
    let e = if upper { 'E' } else { 'e' };
    let (mantissa, power) = scientific.split_once(e).unwrap_or((&scientific, "0"));
    let power: i32 = power.parse().unwrap_or(0);
    let trim = |text: &str| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    };
    let digits = i32::try_from(precision).unwrap_or(i32::MAX);
    if power < -4 || power >= digits {
        return format!(
            "{}{e}{}",
            trim(mantissa),
            scientific.get(mantissa.len() + 1..).unwrap_or("")
        );
    }
    let decimals = usize::try_from(digits - 1 - power).unwrap_or(0);
    trim(&format!("{value:.decimals$}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_c_writes_them() {
        assert_eq!(exponent(1234.5, 6, false), "1.234500e+03");
        assert_eq!(general(0.0001, 6, false), "0.0001");
        assert_eq!(general(1e10, 6, true), "1E+10");
        assert_eq!(general(100.0, 6, false), "100");
        assert_eq!(general(0.0, 6, false), "0");
        assert_eq!(general(123456789.0, 6, false), "1.23457e+08");
    }

    #[test]
    fn numbers_are_read_as_c_reads_them() {
        for (text, want) in [
            ("12", Some(12)),
            ("-12", Some(-12)),
            ("0x10", Some(16)),
            ("010", Some(8)),
            ("'a", Some(97)),
            ("1x", None),
            ("", None),
            ("-", None),
        ] {
            assert_eq!(parse_integer(text), want, "{text}");
        }
    }
}
