//! `test`, `[` and `printf` as programs: the shell has them, and one of each is enough.

/// `test EXPRESSION`
pub fn test(args: &[String]) -> i32 {
    run("test \"$@\"", args)
}

/// `[ EXPRESSION ]`
pub fn bracket(args: &[String]) -> i32 {
    run("[ \"$@\"", args)
}

/// `printf FORMAT [ARG]...`
pub fn printf(args: &[String]) -> i32 {
    run("printf \"$@\"", args)
}

/// `pwd [-LP]`
pub fn pwd(args: &[String]) -> i32 {
    run("pwd \"$@\"", args)
}

fn run(script: &str, args: &[String]) -> i32 {
    let mut argv: Vec<String> = ["sh", "-c", script].map(str::to_owned).into();
    argv.extend_from_slice(args);
    crate::shell::main(&argv)
}
