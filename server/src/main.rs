//! The executable `quai`.
fn main() {}
