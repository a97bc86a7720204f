//! `find`.

mod parse;

use crate::complain;
use crate::util::clock::now;
use crate::util::files::{lstat, read_dir, stat};
use crate::util::{Out, base_name, child, glob, join, show_usage};
use parse::{Expression, Plan, Test};
use podsim_guest as sys;
use podsim_sys::{Access, Errno, Fd, FileType, Stat};

pub(crate) struct Find {
    plan: Plan,
    out: Out,
    now: i64,
    code: i32,
    /// Set by `-prune` for the directory at hand.
    pruned: bool,
    done: bool,
}

/// A file that is looked at.
struct Item<'a> {
    path: &'a str,
    name: &'a str,
    stat: &'a Stat,
    depth: u32,
}

/// `find [-HL] [PATH]... [OPTIONS] [ACTIONS]`
pub fn main(args: &[String]) -> i32 {
    let plan = match parse::parse(args.get(1..).unwrap_or_default()) {
        Ok(plan) => plan,
        Err(message) => {
            complain!("find", "{message}");
            if message.starts_with("unrecognized") {
                return show_usage("find");
            }
            return 1;
        }
    };
    let paths = plan.paths.clone();
    let mut find = Find {
        plan,
        out: Out::stdout(),
        now: now().seconds,
        code: 0,
        pruned: false,
        done: false,
    };
    for path in paths {
        find.visit(&path, base_name(&path), 0, None);
        if find.done {
            break;
        }
    }
    find.run_batches();
    let code = find.code;
    find.out.finish("find", code)
}

impl Find {
    fn visit(&mut self, path: &str, name: &str, depth: u32, device: Option<u64>) {
        let follow = self.plan.follow || (depth == 0 && self.plan.follow_arguments);
        let found = match if follow {
            stat(path).or_else(|_| lstat(path))
        } else {
            lstat(path)
        } {
            Ok(stat) => stat,
            Err(error) => return self.fail(path, error),
        };
        let dev = found.dev.to_u64();
        let item = Item {
            path,
            name,
            stat: &found,
            depth,
        };
        let acts = depth >= self.plan.min_depth;
        self.pruned = false;
        if acts && !self.plan.depth_first {
            self.test_all(&item);
        }
        let other_device = self.plan.one_device && device.is_some_and(|of| of != dev);
        let descends =
            found.file_type == FileType::Directory && depth < self.plan.max_depth && !self.pruned && !other_device;
        if descends && !self.done && depth < 500 {
            match read_dir(path) {
                Ok(mut entries) => {
                    // BusyBox shows what the kernel gives; sorted, the same tree always looks the same.
                    entries.sort_by(|a, b| a.name.cmp(&b.name));
                    for entry in entries {
                        self.visit(&join(path, &entry.name), &entry.name, depth + 1, Some(dev));
                        if self.done {
                            return;
                        }
                    }
                }
                Err(error) => self.fail(path, error),
            }
        }
        if acts && self.plan.depth_first && !self.done {
            self.test_all(&item);
        }
    }

    fn fail(&mut self, path: &str, error: Errno) {
        self.out.flush();
        complain!("find", "{path}: {error}");
        self.code = 1;
    }

    fn test_all(&mut self, item: &Item<'_>) {
        // Taken out for the time of the test: actions change the rest.
        let expression = std::mem::replace(&mut self.plan.expression, Expression::Always);
        self.holds(&expression, item);
        self.plan.expression = expression;
    }

    fn holds(&mut self, expression: &Expression, item: &Item<'_>) -> bool {
        match expression {
            Expression::Always => true,
            Expression::And(all) => all.iter().all(|one| self.holds(one, item)),
            Expression::Or(any) => any.iter().any(|one| self.holds(one, item)),
            Expression::Not(inner) => !self.holds(inner, item),
            Expression::Test(test) => self.test(test, item),
        }
    }

    fn test(&mut self, test: &Test, item: &Item<'_>) -> bool {
        let found = item.stat;
        let days = |time: std::time::Duration, unit: i64| {
            (self.now - i64::try_from(time.as_secs()).unwrap_or(0)).div_euclid(unit)
        };
        match test {
            Test::Name(pattern, ignore_case) => matches(pattern, item.name, *ignore_case),
            Test::Path(pattern, ignore_case) => matches(pattern, item.path, *ignore_case),
            Test::Regex(regex) => regex.is_match(item.path.as_bytes()),
            Test::Type(kinds) => kinds.contains(&found.file_type),
            Test::Perm(how, bits) => {
                let mode = found.mode.0;
                match how {
                    '-' => mode & bits == *bits,
                    '+' => *bits == 0 || mode & bits != 0,
                    _ => mode == *bits,
                }
            }
            Test::Access(access) => sys::faccessat(Fd::CWD, item.path, *access).is_ok(),
            Test::Mtime(number, unit) => number.holds(days(found.mtime, *unit)),
            Test::Atime(number, unit) => number.holds(days(found.atime, *unit)),
            Test::Ctime(number, unit) => number.holds(days(found.ctime, *unit)),
            Test::Newer(than) => found.mtime > *than,
            Test::Inum(number) => number.holds(i64::try_from(found.ino).unwrap_or(i64::MAX)),
            Test::SameFile(device, inode) => found.dev.to_u64() == *device && found.ino == *inode,
            Test::User(uid) => found.uid == *uid,
            Test::Group(gid) => found.gid == *gid,
            Test::Size(number, unit) => number.holds(i64::try_from(found.size.div_ceil(*unit)).unwrap_or(i64::MAX)),
            Test::Links(number) => number.holds(i64::from(found.nlink)),
            Test::Empty => match found.file_type {
                FileType::Directory => read_dir(item.path).is_ok_and(|entries| entries.is_empty()),
                FileType::Regular => found.size == 0,
                _ => false,
            },
            Test::Prune => {
                self.pruned = true;
                true
            }
            Test::Print => {
                self.out.line(item.path);
                true
            }
            Test::Print0 => {
                self.out.text(item.path);
                self.out.bytes(b"\0");
                true
            }
            Test::Quit => {
                self.done = true;
                true
            }
            Test::Delete => {
                if item.name == "." || item.path == "." {
                    return true;
                }
                match sys::unlinkat(Fd::CWD, item.path, found.file_type == FileType::Directory) {
                    Ok(()) => true,
                    Err(error) => {
                        self.fail(item.path, error);
                        false
                    }
                }
            }
            Test::Exec(argv) => {
                self.out.flush();
                let argv: Vec<String> = argv.iter().map(|word| word.replace("{}", item.path)).collect();
                child::run("find", &argv) == 0
            }
            Test::ExecMany(batch) => {
                let full = self.plan.batches.get_mut(*batch).is_some_and(|batch| {
                    batch.files.push(item.path.to_owned());
                    batch.files.iter().map(String::len).sum::<usize>() > 64 * 1024
                });
                if full {
                    self.run_batches();
                }
                true
            }
            Test::True => item.depth < u32::MAX,
            Test::False => false,
        }
    }

    fn run_batches(&mut self) {
        self.out.flush();
        for batch in &mut self.plan.batches {
            let files = std::mem::take(&mut batch.files);
            if files.is_empty() {
                continue;
            }
            let argv: Vec<String> = batch
                .argv
                .iter()
                .flat_map(|word| {
                    if word == "{}" {
                        files.clone()
                    } else {
                        vec![word.clone()]
                    }
                })
                .collect();
            if child::run("find", &argv) != 0 {
                self.code = 1;
            }
        }
    }
}

fn matches(pattern: &str, text: &str, ignore_case: bool) -> bool {
    if ignore_case {
        glob::matches(&pattern.to_lowercase(), &text.to_lowercase(), false)
    } else {
        glob::matches(pattern, text, false)
    }
}

/// What `-executable` and the like ask the kernel for.
fn access(option: &str) -> Option<Access> {
    match option {
        "-executable" => Some(Access::EXEC),
        "-readable" => Some(Access::READ),
        "-writable" => Some(Access::WRITE),
        _ => None,
    }
}
