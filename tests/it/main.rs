//! The tests of podsim as a whole: one program, a module a topic.

mod layers;
mod notes;
mod podsim;
mod tidy;
