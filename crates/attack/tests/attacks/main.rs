//! Attacks against closed forms, a reference implementation, and their promises.

mod ensemble;
mod errors;
mod foolbox;
mod linear;
mod networks;
mod promises;
