//! The operators, one file per group: each importer turns a node and its operands into values.

mod activation;
mod arithmetic;
mod constant;
mod convolution;
mod index;
mod layout;
mod linear;
mod logic;
mod normalization;
mod pad;
mod pooling;
mod reduction;
mod resize;
mod softmax;

use crate::node::{Node, Outputs};

/// Imports one node.
pub(crate) type Importer = fn(&Node) -> Outputs;

/// Operators of one group with their importers.
type Group = &'static [(&'static str, Importer)];

const GROUPS: [Group; 14] = [
    activation::OPS,
    arithmetic::OPS,
    constant::OPS,
    convolution::OPS,
    index::OPS,
    layout::OPS,
    linear::OPS,
    logic::OPS,
    normalization::OPS,
    pad::OPS,
    pooling::OPS,
    reduction::OPS,
    resize::OPS,
    softmax::OPS,
];

/// The importer of an operator of the standard domain.
pub(crate) fn importer(op: &str) -> Option<Importer> {
    GROUPS.iter().flat_map(|g| g.iter()).find(|(name, _)| *name == op).map(|(_, importer)| *importer)
}

/// Names of all supported operators, sorted.
pub fn supported() -> Vec<&'static str> {
    let mut names: Vec<_> = GROUPS.iter().flat_map(|g| g.iter()).map(|(name, _)| *name).collect();
    names.sort_unstable();
    names
}
