//! Methods and judges against closed forms, brute force and each other.

mod bad_input;
mod batching;
mod judges;
mod methods;
mod models;
