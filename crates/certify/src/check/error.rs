//! Why a proof is not accepted.

/// Why a proof is not accepted.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckError {
    /// The network computes something that the checker has no bounds for.
    #[error("the network cannot be checked: {0}")]
    Network(String),
    /// Network and property do not fit together.
    #[error(
        "the property is about {inputs} inputs and {outputs} outputs, but the network has {network_inputs} and {network_outputs}"
    )]
    Property {
        /// Inputs of the property.
        inputs: usize,
        /// Outputs of the property.
        outputs: usize,
        /// Inputs of the network.
        network_inputs: usize,
        /// Outputs of the network.
        network_outputs: usize,
    },
    /// The proof is not well-formed.
    #[error("{place}: {reason}")]
    Malformed {
        /// Where in the proof.
        place: Place,
        /// What is wrong there.
        reason: String,
    },
    /// A refutation does not hold, as far as the checker can tell.
    #[error("{place}: the combination of conjunction {conjunction} is only proved to be above {bound}, not above 0")]
    NotRefuted {
        /// Where in the proof.
        place: Place,
        /// Index of the conjunction.
        conjunction: usize,
        /// The best lower bound.
        bound: f64,
    },
    /// A conjunction is covered by no tree.
    #[error("case {case}: no tree covers conjunction {conjunction}")]
    NotCovered {
        /// Index of the case.
        case: usize,
        /// Index of the conjunction.
        conjunction: usize,
    },
}

/// A place in a proof; indices count from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place {
    /// The whole proof.
    Proof,
    /// A case.
    Case(usize),
    /// The slopes for an activation in a case.
    Layer {
        /// Index of the case.
        case: usize,
        /// Which activation.
        layer: usize,
    },
    /// A tree of a case.
    Tree {
        /// Index of the case.
        case: usize,
        /// Index of the tree.
        tree: usize,
    },
    /// A node of a tree.
    Node {
        /// Index of the case.
        case: usize,
        /// Index of the tree.
        tree: usize,
        /// Index of the node.
        node: usize,
    },
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Place::Proof => write!(f, "proof"),
            Place::Case(case) => write!(f, "case {case}"),
            Place::Layer { case, layer } => write!(f, "case {case}, slopes of activation {layer}"),
            Place::Tree { case, tree } => write!(f, "case {case}, tree {tree}"),
            Place::Node { case, tree, node } => write!(f, "case {case}, tree {tree}, node {node}"),
        }
    }
}

pub(super) fn malformed<T>(place: Place, reason: impl Into<String>) -> Result<T, CheckError> {
    Err(CheckError::Malformed { place, reason: reason.into() })
}
