//! `busybox`: the program under its own name lists its applets or runs one.

use super::APPLETS;

/// What `busybox` and the help of every applet begin with.
pub const BANNER: &str = "BusyBox v1.36.1 (podsim) multi-call binary.";

/// `busybox [--list | --help | APPLET [ARGS]...]`
pub fn main(args: &[String]) -> i32 {
    match args.get(1).map(String::as_str) {
        None | Some("--help") => usage(),
        Some("--list") => APPLETS.iter().for_each(|applet| println!("{}", applet.name)),
        Some("--list-full") => APPLETS.iter().for_each(|applet| println!("bin/{}", applet.name)),
        Some(name) => return super::run(name, args.get(1..).unwrap_or_default()),
    }
    0
}

fn usage() {
    println!("{BANNER}");
    println!("These are podsim's own tools; they look as BusyBox's do.\n");
    println!("Usage: busybox [function [arguments]...]");
    println!("   or: busybox --list[-full]");
    println!("   or: function [arguments]...\n");
    println!("Currently defined functions:");
    let names: Vec<&str> = APPLETS.iter().map(|applet| applet.name).collect();
    let mut line = String::from("\t");
    for (index, name) in names.iter().enumerate() {
        let last = index + 1 == names.len();
        if line.len() + name.len() > 70 {
            println!("{}", line.trim_end());
            line = String::from("\t");
        }
        line.push_str(name);
        line.push_str(if last { "\n" } else { ", " });
    }
    print!("{line}");
}
