//! `podsim explain`.
