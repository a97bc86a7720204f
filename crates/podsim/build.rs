//! Links the program statically where it can be done, see [`static_link`].

#[path = "build/static_link.rs"]
mod static_link;

fn main() {
    static_link::link();
}
