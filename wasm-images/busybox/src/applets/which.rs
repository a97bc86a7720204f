//! `which`.

use crate::util::files::stat;
use crate::util::{Out, child, join, parse, show_usage};
use podsim_guest as sys;
use podsim_sys::{Access, Fd, FileType};

/// `which [-a] COMMAND...`
pub fn main(args: &[String]) -> i32 {
    let opts = match parse(args, "a", &[]) {
        Ok(opts) => opts,
        Err(code) => return code,
    };
    if opts.args.is_empty() {
        return show_usage("which");
    }
    let path = child::search_path(&child::environ());
    let runs = |path: &str| {
        stat(path).is_ok_and(|stat| stat.file_type == FileType::Regular)
            && sys::faccessat(Fd::CWD, path, Access::EXEC).is_ok()
    };
    let mut out = Out::stdout();
    let mut code = 0;
    for name in &opts.args {
        let candidates: Vec<String> = if name.contains('/') {
            vec![name.clone()]
        } else {
            path.split(':').map(|dir| join(dir, name)).collect()
        };
        let mut found = candidates.into_iter().filter(|path| runs(path)).peekable();
        if found.peek().is_none() {
            code = 1;
        }
        let most = if opts.has('a') { usize::MAX } else { 1 };
        found.take(most).for_each(|path| out.line(&path));
    }
    out.finish("which", code)
}
