//! The state of bounding one graph: what is known about every node, and what should be known better.

use super::domain::{Sets, apart_from_domains};
use super::prepare::{Prepared, prepare};
use super::{Domain, LinearBoundsOptions};
use crate::op::linear_group;
use crate::transforms::interval::image;
use crate::{Expr, Interval, Op, Result, Rounding, dependents, topological};
use std::collections::{HashMap, HashSet};

/// Bound propagation over one graph and one set of domains, step by step: bounds of inner nodes can be computed here,
/// or elsewhere and handed in.
pub struct Bounder {
    pub(super) order: Vec<Expr>,
    pub(super) varying: HashSet<u64>,
    pub(super) inputs: Sets,
    pub(super) rounding: Rounding,
    known: HashMap<u64, Interval>,
    // What a node was before it was rewritten, by id of the node: its interval can be the better one.
    originals: HashMap<u64, Expr>,
    // Bounds that were handed in, which interval propagation must not overwrite.
    given: HashMap<u64, Interval>,
}

impl Bounder {
    /// Starts with interval bounds of every node. Also returns `outputs` as they are bounded: rewritten so that every
    /// nonlinear node has a relaxation.
    ///
    /// # Errors
    /// If a domain does not have its input's shape and type, or rewriting makes a tensor too large.
    pub fn new(
        outputs: &[Expr],
        inputs: &[(Expr, Domain)],
        options: LinearBoundsOptions,
    ) -> Result<(Bounder, Vec<Expr>)> {
        let (outputs, inputs) = apart_from_domains(outputs, inputs)?;
        let sources: Vec<Expr> = inputs.iter().map(|(x, _)| x.clone()).collect();
        let Prepared { outputs: prepared, originals } = prepare(&outputs, &sources)?;
        let varying = dependents(&prepared, &sources);
        let order = topological(&prepared).into_iter().filter(|n| varying.contains(&n.id())).collect();
        let mut bounder = Bounder {
            order,
            varying,
            inputs,
            rounding: options.rounding,
            known: HashMap::new(),
            originals,
            given: HashMap::new(),
        };
        bounder.propagate();
        Ok((bounder, prepared))
    }

    // Interval propagation, but for nodes whose bounds were handed in: those replace the image.
    fn propagate(&mut self) {
        self.known.clear();
        for (input, domain) in &self.inputs {
            self.known.insert(input.id(), domain.bounding_box(self.rounding));
        }
        for node in &self.order {
            if self.known.contains_key(&node.id()) {
                continue;
            }
            let bounds = match (self.given.get(&node.id()), self.originals.get(&node.id())) {
                (Some(given), _) => given.clone(),
                (None, Some(original)) => {
                    let own = image(node, &self.known, self.rounding);
                    own.intersect(&image(original, &self.known, self.rounding))
                }
                (None, None) => image(node, &self.known, self.rounding),
            };
            self.known.insert(node.id(), bounds);
        }
    }

    /// Current bounds of a node; a node that does not vary is exact.
    pub fn bounds(&self, node: &Expr) -> Interval {
        self.known.get(&node.id()).cloned().unwrap_or_else(|| Interval::point(node))
    }

    /// Replaces the bounds of a node by bounds from elsewhere, which must hold; bounds of later nodes are propagated
    /// anew. What [`Bounder::elementwise`] gives is already intersected with the bounds it replaces.
    pub fn tighten(&mut self, node: &Expr, bounds: Interval) {
        self.given.insert(node.id(), bounds);
        self.propagate();
    }

    /// The nodes whose bounds enter a relaxation and are not exact yet, in the order in which they should be bounded.
    pub fn to_tighten(&self) -> Vec<Expr> {
        let mut wanted = HashSet::new();
        for node in &self.order {
            if self.inputs.iter().all(|(x, _)| x.id() != node.id()) && self.linear_group(node).is_none() {
                wanted.extend(node.inputs().iter().filter(|i| self.varying.contains(&i.id())).map(Expr::id));
            }
        }
        let box_inputs = self.inputs.iter().all(|(_, d)| d.is_box());
        let exact = if box_inputs { self.exactly_bounded() } else { HashSet::new() };
        let is_input = |n: &Expr| self.inputs.iter().any(|(x, _)| x.id() == n.id());
        let useful =
            |n: &&Expr| wanted.contains(&n.id()) && n.dtype().is_float() && !exact.contains(&n.id()) && !is_input(n);
        self.order.iter().filter(useful).cloned().collect()
    }

    // Nodes for which interval propagation from a box is exact: at most one summing map, then elementwise scaling.
    fn exactly_bounded(&self) -> HashSet<u64> {
        let mut single: HashSet<u64> = self.inputs.iter().map(|(x, _)| x.id()).collect();
        let mut exact = single.clone();
        for node in &self.order {
            let from: Vec<&Expr> = node.inputs().iter().filter(|i| self.varying.contains(&i.id())).collect();
            if from.len() != 1 || self.linear_group(node).is_none() {
                continue;
            }
            let sums = matches!(node.op(), Op::Dot(_) | Op::Conv(_) | Op::ReduceSum(_) | Op::MaxPool(_));
            // Copies of one element vary together, so a sum over them is not exact any more.
            if single.contains(&from[0].id()) && !sums && !matches!(node.op(), Op::Broadcast(_)) {
                single.insert(node.id());
            }
            if (sums && single.contains(&from[0].id())) || (!sums && exact.contains(&from[0].id())) {
                exact.insert(node.id());
            }
        }
        exact
    }

    pub(super) fn linear_group(&self, node: &Expr) -> Option<Vec<bool>> {
        let mask: Vec<bool> = node.inputs().iter().map(|i| self.varying.contains(&i.id())).collect();
        linear_group(node, &mask)
    }
}
