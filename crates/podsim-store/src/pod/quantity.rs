//! Quantities: `500m`, `1.5Gi`, `1e3`.

/// A quantity in thousandths, rounded up; `None` if it is malformed.
#[must_use]
pub fn millis(text: &str) -> Option<i128> {
    let end = text
        .find(|c: char| !(c.is_ascii_digit() || "+-.".contains(c)))
        .unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    // Powers of two and of ten that the suffix stands for.
    let (two, ten): (u32, i32) = match suffix {
        "" => (0, 0),
        "n" => (0, -9),
        "u" => (0, -6),
        "m" => (0, -3),
        "k" => (0, 3),
        "M" => (0, 6),
        "G" => (0, 9),
        "T" => (0, 12),
        "P" => (0, 15),
        "E" => (0, 18),
        "Ki" => (10, 0),
        "Mi" => (20, 0),
        "Gi" => (30, 0),
        "Ti" => (40, 0),
        "Pi" => (50, 0),
        "Ei" => (60, 0),
        exponent => (
            0,
            exponent
                .strip_prefix(['e', 'E'])?
                .parse()
                .ok()
                .filter(|e| (-18..=18).contains(e))?,
        ),
    };
    let negative = number.starts_with('-');
    let digits = number.strip_prefix(['+', '-']).unwrap_or(number);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() && fraction.is_empty() || fraction.len() > 18 || whole.len() > 18 {
        return None;
    }
    let all: i128 = format!("0{whole}{fraction}").parse().ok()?;
    let scaled = all.checked_shl(two)?.checked_mul(1000)?;
    let power = ten - i32::try_from(fraction.len()).ok()?;
    let factor = 10_i128.checked_pow(power.unsigned_abs())?;
    let value = if power >= 0 {
        scaled.checked_mul(factor)?
    } else {
        (scaled + factor - 1) / factor
    };
    Some(if negative { -value } else { value })
}

/// A quantity in whole units, rounded up.
#[must_use]
pub fn units(text: &str) -> Option<i128> {
    millis(text).map(|m| (m + 999).div_euclid(1000))
}

/// Whole units with the largest binary suffix that leaves no fraction: `20Mi`.
#[must_use]
pub fn binary(units: i128) -> String {
    let (mut amount, mut suffix) = (units, "");
    for next in ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"] {
        if amount == 0 || amount % 1024 != 0 {
            break;
        }
        (amount, suffix) = (amount / 1024, next);
    }
    format!("{amount}{suffix}")
}

/// What Kubernetes says of a malformed one.
pub const MALFORMED: &str =
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
