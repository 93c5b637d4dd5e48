//! From nodes to steps over buffers: folding, fusion, views and memory.

mod contractions;
mod fold;
mod fuse;
mod indexing;
mod memory;
mod readings;
mod registers;
mod results;
mod statistics;
mod steps;

pub(crate) use fold::{fold_constants, prune};
pub(crate) use fuse::share_signs;
pub(crate) use memory::{Memory, assign};
pub(crate) use steps::{Plan, Step, Work, build};
