//! Permissions: `drwxr-xr-x`, and what `chmod` understands.

use super::files::type_letter;
use podsim_sys::{FileType, Mode};

/// Type and permissions as `ls -l` shows them.
#[must_use]
pub fn to_text(file_type: FileType, mode: Mode) -> String {
    let bits = mode.0;
    let mut text = String::with_capacity(10);
    text.push(type_letter(file_type));
    for (shift, special, letters) in [
        (6, Mode::SETUID, "sS"),
        (3, Mode::SETGID, "sS"),
        (0, Mode::STICKY, "tT"),
    ] {
        let three = bits >> shift;
        text.push(if three & 4 != 0 { 'r' } else { '-' });
        text.push(if three & 2 != 0 { 'w' } else { '-' });
        let (with_x, without_x) = match letters {
            "tT" => ('t', 'T'),
            _ => ('s', 'S'),
        };
        text.push(match (bits & special != 0, three & 1 != 0) {
            (true, true) => with_x,
            (true, false) => without_x,
            (false, true) => 'x',
            (false, false) => '-',
        });
    }
    text
}

/// Reads a mode as `chmod` takes it, octal or symbolic (`u+rwX,go-w`), starting from `current`; `None` is an invalid mode.
#[must_use]
pub fn parse(text: &str, current: Mode, is_dir: bool, umask: Mode) -> Option<Mode> {
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        let mode = u16::from_str_radix(text, 8).ok()?;
        return (mode <= 0o7777).then_some(Mode(mode));
    }
    let mut mode = current.0;
    for clause in text.split(',') {
        mode = apply_clause(clause, mode, is_dir, umask.0)?;
    }
    Some(Mode(mode))
}

fn apply_clause(clause: &str, start: u16, is_dir: bool, umask: u16) -> Option<u16> {
    let mut mode = start;
    let mut chars = clause.chars().peekable();
    let mut who = 0;
    while let Some(c) = chars.peek() {
        who |= match c {
            'u' => 0o4700,
            'g' => 0o2070,
            'o' => 0o1007,
            'a' => 0o7777,
            _ => break,
        };
        chars.next();
    }
    let (who, mask) = if who == 0 { (0o7777, !umask) } else { (who, 0o7777) };
    chars.peek()?;
    while let Some(op) = chars.next() {
        if !matches!(op, '+' | '-' | '=') {
            return None;
        }
        let mut bits: u16 = 0;
        while let Some(c) = chars.peek() {
            bits |= match c {
                'r' => 0o444,
                'w' => 0o222,
                'x' => 0o111,
                'X' if is_dir || mode & 0o111 != 0 => 0o111,
                'X' => 0,
                's' => 0o6000,
                't' => 0o1000,
                'u' => spread(mode >> 6),
                'g' => spread(mode >> 3),
                'o' => spread(mode),
                _ => break,
            };
            chars.next();
        }
        let bits = bits & who & (mask | 0o7000);
        mode = match op {
            '+' => mode | bits,
            '-' => mode & !bits,
            // A directory keeps its set-id bits unless they are named.
            _ => (mode & !(who & 0o777) & !(if is_dir { 0 } else { who & 0o6000 })) | bits,
        };
    }
    Some(mode)
}

fn spread(three: u16) -> u16 {
    let three = three & 7;
    three << 6 | three << 3 | three
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_shown_with_their_special_bits() {
        for (mode, want) in [
            (0o755, "-rwxr-xr-x"),
            (0o4755, "-rwsr-xr-x"),
            (0o6644, "-rwSr-Sr--"),
            (0o1777, "-rwxrwxrwt"),
            (0o1666, "-rw-rw-rwT"),
        ] {
            assert_eq!(to_text(FileType::Regular, Mode(mode)), want);
        }
    }

    #[test]
    fn chmod_reads_octal_and_symbolic_modes() {
        for (text, start, is_dir, want) in [
            ("644", 0o777, false, Some(0o644)),
            ("u+x", 0o644, false, Some(0o744)),
            ("+x", 0o644, false, Some(0o755)),
            ("+w", 0o444, false, Some(0o644)),
            ("go-rwx,u=rw", 0o755, false, Some(0o600)),
            ("a+X", 0o644, false, Some(0o644)),
            ("a+X", 0o644, true, Some(0o755)),
            ("g=u", 0o740, false, Some(0o770)),
            ("u+s,+t", 0o755, false, Some(0o5755)),
            ("9", 0o755, false, None),
            ("u", 0o755, false, None),
            ("u+q", 0o755, false, None),
        ] {
            assert_eq!(
                parse(text, Mode(start), is_dir, Mode(0o022)).map(|m| m.0),
                want,
                "{text}"
            );
        }
    }
}
