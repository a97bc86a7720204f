//! The `podsim` program, built where the tests can find it.

fn main() {
    podsim::main()
}
