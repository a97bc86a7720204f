//! `busybox`: one program that is many tools; the name it is called by says which.

fn main() {
    podsim_guest::init();
    podsim_guest::exit(busybox::main(&podsim_guest::args()));
}
