//! The options of `set` and of the command line.

/// An option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Opt {
    Errexit,
    Noglob,
    Ignoreeof,
    Interactive,
    Monitor,
    Noexec,
    Stdin,
    Command,
    Xtrace,
    Verbose,
    Noclobber,
    Allexport,
    Notify,
    Nounset,
    Errtrace,
    Vi,
    Pipefail,
}

/// All options in ash's order: letter (a blank: none), name (empty: not for `set -o`).
pub(crate) const OPTIONS: [(Opt, char, &str); 17] = [
    (Opt::Errexit, 'e', "errexit"),
    (Opt::Noglob, 'f', "noglob"),
    (Opt::Ignoreeof, 'I', "ignoreeof"),
    (Opt::Interactive, 'i', ""),
    (Opt::Monitor, 'm', "monitor"),
    (Opt::Noexec, 'n', "noexec"),
    (Opt::Stdin, 's', ""),
    (Opt::Command, 'c', ""),
    (Opt::Xtrace, 'x', "xtrace"),
    (Opt::Verbose, 'v', "verbose"),
    (Opt::Noclobber, 'C', "noclobber"),
    (Opt::Allexport, 'a', "allexport"),
    (Opt::Notify, 'b', "notify"),
    (Opt::Nounset, 'u', "nounset"),
    (Opt::Errtrace, 'E', "errtrace"),
    (Opt::Vi, ' ', "vi"),
    (Opt::Pipefail, ' ', "pipefail"),
];

/// Which options are on.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Options(pub(crate) u32);

impl Options {
    pub(crate) fn has(self, option: Opt) -> bool {
        self.0 & (1 << option as u8) != 0
    }

    pub(crate) fn set(&mut self, option: Opt, on: bool) {
        self.0 = self.0 & !(1 << option as u8) | (u32::from(on) << option as u8);
    }

    /// `$-`.
    pub(crate) fn letters(self) -> String {
        // ash builds it from the end of its table.
        OPTIONS
            .iter()
            .rev()
            .filter(|(option, letter, _)| *letter != ' ' && self.has(*option))
            .map(|o| o.1)
            .collect()
    }

    pub(crate) fn by_letter(letter: char) -> Option<Opt> {
        OPTIONS.iter().find(|o| o.1 == letter && letter != ' ').map(|o| o.0)
    }

    pub(crate) fn by_name(name: &str) -> Option<Opt> {
        OPTIONS.iter().find(|o| o.2 == name && !name.is_empty()).map(|o| o.0)
    }
}
