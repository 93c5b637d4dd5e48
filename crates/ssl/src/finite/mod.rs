//! Worlds in which learning has a closed form.

pub mod stepwise;
