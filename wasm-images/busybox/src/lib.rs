//! BusyBox's tools for podsim: small versions of the usual commands that look, to their users, as BusyBox 1.36 does.
//!
//! * [`applets`]: the table of tools, and a file for each.
//! * [`shell`]: `sh`, `ash`, and `bash` for images that have it.
//! * [`main`]: finds the tool that the program's name, or its first argument, asks for.

pub mod applets;
pub mod shell;
pub mod util;

/// Runs the applet that `args` ask for and returns its exit code. `args[0]` is the name that the program was called by.
pub fn main(args: &[String]) -> i32 {
    let called = args.first().map_or("busybox", String::as_str);
    let name = called.rsplit('/').next().unwrap_or(called);
    // A login shell is called "-sh".
    let name = name.strip_prefix('-').unwrap_or(name);
    if name == "busybox" || name == "busybox.wasm" {
        return applets::busybox::main(args);
    }
    // Not an applet of BusyBox: images that have a bash link its name to this program.
    if name == "bash" {
        return shell::main(args);
    }
    applets::run(name, args)
}
