//! `podsim test`: executable notes. [`document`] reads them, [`compare`] judges the output.

mod compare;
mod document;
