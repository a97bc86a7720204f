//! `true` and `false`.

/// `true`: succeeds.
pub fn true_main(_args: &[String]) -> i32 {
    0
}

/// `false`: fails.
pub fn false_main(_args: &[String]) -> i32 {
    1
}
