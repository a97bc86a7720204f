//! `busybox`: one program that is many tools; the name it is called by says which.

fn main() {
    let args: Vec<String> = std::env::args_os()
        .map(|arg| arg.to_string_lossy().into_owned())
        .collect();
    std::process::exit(busybox::main(&args));
}
