//! `podsim test`: executable notes.
//!
//! * [`document`]: reads sections, manifests and terminal sessions from Markdown.
//! * [`run`]: applies the manifests and types the commands, on a node of the document's own.
//! * [`terminal`]: the shell that they are typed into.
//! * [`compare`]: judges the output.
//! * [`differences`]: the same looks at both backends, compared so too (`podsim diff-backends`).
//! * [`report`]: tells what came of it.

pub(crate) mod command;
mod compare;
pub(crate) mod differences;
mod document;
mod report;
mod run;
mod terminal;
