//! The table of applets.
//!
//! An applet is a name, a function from its arguments to an exit code, and its help. The table is sorted by name: it is
//! searched by halving, and `busybox --list` prints it as it is.

pub mod busybox;
pub mod true_false;

/// A tool.
pub struct Applet {
    /// What it is called by.
    pub name: &'static str,
    /// Runs it: arguments (the name first) to exit code.
    pub run: fn(&[String]) -> i32,
    /// Its arguments, as the line "Usage:" shows them.
    pub usage: &'static str,
    /// What it does, in a line; longer help follows after an empty line.
    pub about: &'static str,
}

const fn applet(name: &'static str, run: fn(&[String]) -> i32, usage: &'static str, about: &'static str) -> Applet {
    Applet {
        name,
        run,
        usage,
        about,
    }
}

/// Every applet, sorted by name.
pub static APPLETS: &[Applet] = &[
    applet("false", true_false::false_main, "", "Return an exit code of FALSE (1)"),
    applet("true", true_false::true_main, "", "Return an exit code of TRUE (0)"),
];

/// The applet of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Applet> {
    APPLETS
        .binary_search_by(|applet| applet.name.cmp(name))
        .ok()
        .and_then(|index| APPLETS.get(index))
}

/// Runs the applet `name`; 127 where there is none.
#[must_use]
pub fn run(name: &str, args: &[String]) -> i32 {
    match find(name) {
        Some(applet) => (applet.run)(args),
        None => {
            eprintln!("{name}: applet not found");
            127
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_so_that_it_can_be_searched() {
        assert!(APPLETS.is_sorted_by(|a, b| a.name < b.name));
    }
}
