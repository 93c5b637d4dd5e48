//! The perturb command
fn main() {}
