//! `podsim`: the program. Everything is in the library, so that the tests can build it too.

fn main() {
    podsim::main()
}
