//! Sizes for people.

/// As BusyBox's `ls -h` and `df -h` write sizes: `0`, `999`, `1.0K`, `10.5K`, `1.2M`.
#[must_use]
pub fn short(bytes: u64) -> String {
    let mut value = bytes;
    let mut fraction = 0;
    let mut unit = 0;
    while value >= 1024 && unit < 6 {
        fraction = (value % 1024 * 10 + 512) / 1024;
        value /= 1024;
        unit += 1;
    }
    if fraction >= 10 {
        value += 1;
        fraction = 0;
    }
    match ["", "K", "M", "G", "T", "P", "E"].get(unit) {
        Some(suffix) if unit > 0 => format!("{value}.{fraction}{suffix}"),
        _ => value.to_string(),
    }
}

/// As `ifconfig` writes byte counts: `868.0 B`, `42.7 KiB`.
#[must_use]
pub fn counted(bytes: u64) -> String {
    let mut value = bytes;
    let mut fraction = 0;
    let mut unit = 0;
    while value >= 1024 && unit < 6 {
        fraction = value % 1024 * 10 / 1024;
        value /= 1024;
        unit += 1;
    }
    let suffix = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"]
        .get(unit)
        .copied()
        .unwrap_or("");
    format!("{value}.{fraction} {suffix}B")
}

/// Reads a number with a suffix: `k`, `K`, `M`, `G` (1024), `b` (512), `c` (1), `w` (2), `kB`, `MB` (1000).
#[must_use]
pub fn parse_size(text: &str) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let number: u64 = text.get(..digits)?.parse().ok()?;
    let factor = match text.get(digits..)? {
        "" | "c" => 1,
        "w" => 2,
        "b" => 512,
        "kB" | "KB" | "kD" => 1000,
        "k" | "K" | "kiB" | "KiB" => 1024,
        "MB" | "MD" => 1_000_000,
        "m" | "M" | "MiB" => 1 << 20,
        "GB" | "GD" => 1_000_000_000,
        "g" | "G" | "GiB" => 1 << 30,
        "T" => 1 << 40,
        _ => return None,
    };
    number.checked_mul(factor)
}

/// Reads a time: seconds with an optional fraction and one of `s`, `m`, `h`, `d`.
#[must_use]
pub fn parse_duration(text: &str) -> Option<std::time::Duration> {
    let (number, factor) = match text.chars().last()? {
        's' => (text.strip_suffix('s')?, 1.0),
        'm' => (text.strip_suffix('m')?, 60.0),
        'h' => (text.strip_suffix('h')?, 3600.0),
        'd' => (text.strip_suffix('d')?, 86400.0),
        _ => (text, 1.0),
    };
    if !number.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return None;
    }
    let seconds: f64 = number.parse().ok()?;
    std::time::Duration::try_from_secs_f64(seconds * factor).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_look_as_busybox_writes_them() {
        for (bytes, want_short, want_counted) in [
            (0, "0", "0.0 B"),
            (868, "868", "868.0 B"),
            (1023, "1023", "1023.0 B"),
            (1024, "1.0K", "1.0 KiB"),
            (1666, "1.6K", "1.6 KiB"),
            (43824, "42.8K", "42.7 KiB"),
            (1_048_576, "1.0M", "1.0 MiB"),
            (5_368_709_120, "5.0G", "5.0 GiB"),
        ] {
            assert_eq!(short(bytes), want_short);
            assert_eq!(counted(bytes), want_counted);
        }
    }

    #[test]
    fn sizes_and_times_are_read_with_their_suffixes() {
        assert_eq!(parse_size("2k"), Some(2048));
        assert_eq!(parse_size("3"), Some(3));
        assert_eq!(parse_size("1x"), None);
        assert_eq!(parse_size("99999999999999999999"), None);
        assert_eq!(parse_duration("0.25").map(|d| d.as_millis()), Some(250));
        assert_eq!(parse_duration("2m").map(|d| d.as_secs()), Some(120));
        assert_eq!(parse_duration("-1"), None);
        assert_eq!(parse_duration("inf"), None);
        assert_eq!(parse_duration(""), None);
    }
}
