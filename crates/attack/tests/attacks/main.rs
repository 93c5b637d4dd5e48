//! Attacks against closed forms, a reference implementation, and their promises.

mod ensemble;
mod errors;
mod foolbox;
mod harmless;
mod linear;
mod nearest;
mod networks;
mod promises;
mod queries;
mod universal;
