//! What shows that a property holds: a tree of subdomains, each refuted by one bound that can be computed again.
//!
//! A property is a disjunction of cases, each a box of inputs and a disjunction of conjunctions of linear constraints
//! `Σ coefficient·variable + constant ≤ 0` on inputs and outputs ([`perturb_onnx::vnnlib`]). It holds if every conjunction is
//! refuted on its box: then no input of the box meets all its constraints. Trees split the box, or fix the sign of
//! an operand of an activation, so that their leaves cover the box by construction. *Activations* are `relu`, sigmoid and tanh
//! nodes that depend on the input, numbered in topological order.

use serde::{Deserialize, Serialize};

/// Refutations of all conjunctions of all cases of a property.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Proof {
    /// For each case of the property, in its order.
    pub cases: Vec<CaseProof>,
}

/// Refutations of the conjunctions of one case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CaseProof {
    /// How the operands of each activation are bounded over the whole box.
    pub layers: Vec<LayerSlopes>,
    /// Trees that together cover every conjunction.
    pub trees: Vec<Tree>,
}

/// Slopes with which the elements of one activation's operand are bounded by backward walks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum LayerSlopes {
    /// The adaptive ones of CROWN: for a `relu` 1 where the upper bound exceeds the negative of the lower one, else 0.
    Adaptive,
    /// Slopes of their own for some elements (the others take adaptive ones).
    Given(Vec<ElementSlopes>),
}

/// Slopes of the walks that bound one element from both sides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ElementSlopes {
    /// Which element of the operand, row-major.
    pub element: u32,
    /// For the lower bound: of each earlier activation the slopes as in [`Evidence::slopes`].
    pub lower: Vec<Vec<f32>>,
    /// For the upper bound.
    pub upper: Vec<Vec<f32>>,
}

/// Subdomains of one case on which some conjunctions are refuted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tree {
    /// The conjunctions that the tree refutes, as indices into the case's list.
    pub covers: Vec<u32>,
    /// The nodes in preorder: each of the two subtrees of a split follows it, first `below`, then `above`.
    pub nodes: Vec<Node>,
}

/// A node of a tree.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Node {
    /// Two subtrees: input `index` at most `at`, and at least `at`. Bounds of inner nodes are computed anew for the smaller
    /// box, with adaptive slopes. Not below a [`Node::Sign`].
    Input {
        /// Which input.
        index: u32,
        /// Where its range is cut.
        at: f64,
    },
    /// Two subtrees: the operand of an activation at most 0, and at least 0 at one element. Bounds of all other inner elements
    /// stay as they are until a [`Node::Narrow`].
    Sign {
        /// Which activation.
        layer: u32,
        /// Which element of its operand.
        element: u32,
    },
    /// One subtree, in which a conjunction need not be looked at any more: it is refuted here.
    Refuted {
        /// Index of the conjunction.
        conjunction: u32,
        /// Why.
        evidence: Evidence,
    },
    /// A leaf: every conjunction that the tree covers has been refuted on the way.
    Done,
    /// One subtree, in which the operands of activations that have slopes of their own ([`LayerSlopes::Given`]) are bounded anew
    /// by those walks, knowing the signs that were fixed on the way; bounds that were known before stay known. On the whole
    /// box only, not on a part of it.
    Narrow,
}

/// Why no point of a subdomain meets all constraints of a conjunction: a combination of their left sides with weights that
/// are not negative is positive everywhere on it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// One weight for each constraint, at least 0.
    pub weights: Vec<f32>,
    /// For every activation one slope in [0, 1] of the line below each element; for sigmoid and tanh after those as many of the
    /// lines above. `None` for adaptive ones. Where the sign of a `relu`'s operand is known, the slope does not matter.
    pub slopes: Option<Vec<Vec<f32>>>,
    /// One multiplier β ≥ 0 for each [`Node::Sign`] between the root and here, outermost first (β-CROWN: Wang et al. 2021,
    /// eq. 8); may be empty for none.
    pub multipliers: Vec<f32>,
}
