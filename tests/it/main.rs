//! The tests of podsim as a whole: one program, a module a topic.

mod cli;
mod conformance;
mod kubectl;
mod layers;
mod notes;
mod podsim;
mod tidy;
