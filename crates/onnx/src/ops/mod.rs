//! The operators, one file per group: each importer turns a node and its operands into values.

mod activation;
mod arithmetic;
mod constant;
mod convolution;
mod einsum;
mod gather;
mod grid;
mod index;
mod interpolation;
mod layout;
mod linear;
mod logic;
mod loss;
mod normalization;
mod order;
mod pad;
mod pooling;
mod quantization;
mod recurrent;
mod reduction;
mod resize;
mod signal;
mod softmax;

use crate::node::{Node, Outputs};

/// Imports one node.
pub(crate) type Importer = fn(&Node) -> Outputs;

/// Operators of one group with their importers.
type Group = &'static [(&'static str, Importer)];

const GROUPS: [Group; 22] = [
    activation::OPS,
    arithmetic::OPS,
    constant::OPS,
    convolution::OPS,
    einsum::OPS,
    gather::OPS,
    grid::OPS,
    index::OPS,
    layout::OPS,
    linear::OPS,
    logic::OPS,
    loss::OPS,
    normalization::OPS,
    order::OPS,
    pad::OPS,
    pooling::OPS,
    quantization::OPS,
    recurrent::OPS,
    reduction::OPS,
    resize::OPS,
    signal::OPS,
    softmax::OPS,
];

/// Kinds of operators that a graph of tensors of known shapes does not have, with the reason.
const REFUSED: [(&str, &[&str]); 6] = [
    ("control flow that depends on run-time values", &["If", "Loop", "Scan"]),
    (
        "sequences and optional values",
        &[
            "ConcatFromSequence",
            "Optional",
            "OptionalGetElement",
            "OptionalHasElement",
            "SequenceAt",
            "SequenceConstruct",
            "SequenceEmpty",
            "SequenceErase",
            "SequenceInsert",
            "SequenceLength",
            "SequenceMap",
            "SplitToSequence",
        ],
    ),
    (
        "texts and encoded images",
        &["ImageDecoder", "RegexFullMatch", "StringConcat", "StringNormalizer", "StringSplit", "TfIdfVectorizer"],
    ),
    (
        "random numbers, which are no function of the inputs",
        &["Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"],
    ),
    ("a result whose shape depends on run-time values", &["NonMaxSuppression", "Unique"]),
    ("arithmetic on bits", &["BitShift", "BitwiseAnd", "BitwiseNot", "BitwiseOr", "BitwiseXor"]),
];

/// Why there is no importer of an operator.
pub(crate) fn refusal(op: &str) -> &'static str {
    let kind = REFUSED.iter().find(|(_, names)| names.contains(&op));
    kind.map_or("the importer does not know this operator", |(reason, _)| reason)
}

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
