//! Bounds of the operands of all `relu`s over a whole box.

use super::Watch;
use super::network::Network;
use super::query::Case;
use crate::Result;
use crate::known::Group;
use crate::problem::{Kind, Problem};
use crate::region::Balls;
use crate::stage::{Intervals, Stage};
use perturb_graph::{Graph, Rounding};

/// Lower and upper bounds of one operand, of its number of elements.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LayerBounds {
    pub lower: Vec<f32>,
    pub upper: Vec<f32>,
}

/// Bounds of the operand of each `relu` that hold in real arithmetic: by interval propagation, and by backward walks with
/// adaptive slopes for the elements whose sign is open. `None` if the time runs out.
///
/// # Errors
/// If a primitive has no rule, or a plan exceeds the memory limit.
pub(crate) fn root_bounds(network: &Network, case: &Case, watch: &Watch) -> Result<Option<Vec<LayerBounds>>> {
    let graph = Graph::new(vec![network.input.clone()], vec![("values".into(), network.values.clone())])?;
    let operands = network.operands();
    let limit = watch.settings.memory_limit;
    let (mut problem, operands) = Problem::over(Kind::Box, &graph, &operands, Rounding::Outward, limit)?;
    let improvable = problem.bounder.to_tighten();
    let order = problem.cone(&problem.output.clone());
    let input = problem.input.id();
    let wanted = |id: u64| operands.iter().chain(&improvable).any(|n| n.id() == id);
    let balls = Balls::of_box(&case.lower, &case.upper);
    let mut group = Group { balls: &balls, start: 0, len: 1, known: Vec::new() };
    for node in order.iter().filter(|n| wanted(n.id()) && n.id() != input) {
        if watch.late() {
            return Ok(None);
        }
        let known = if improvable.iter().any(|n| n.id() == node.id()) {
            Stage::compile(&problem, node, 1)?.run(&group)?
        } else {
            Intervals::compile(&problem, node, 1)?.run(&group)?
        };
        problem.give(node)?;
        group.known.push(known);
    }
    let bounds_of = |id: u64| {
        let place = problem.given.iter().position(|g| g.node.id() == id);
        place.map(|p| LayerBounds { lower: group.known[p].lo.clone(), upper: group.known[p].hi.clone() })
    };
    let whole = |case: &Case| LayerBounds { lower: case.lower.clone(), upper: case.upper.clone() };
    let found = operands.iter().map(|o| bounds_of(o.id()).unwrap_or_else(|| whole(case)));
    Ok(Some(found.map(LayerBounds::known).collect()))
}

impl LayerBounds {
    // An end that is not known is infinite.
    fn known(mut self) -> LayerBounds {
        let replace =
            |values: &mut Vec<f32>, end: f32| values.iter_mut().for_each(|v| *v = if v.is_nan() { end } else { *v });
        replace(&mut self.lower, f32::NEG_INFINITY);
        replace(&mut self.upper, f32::INFINITY);
        self
    }

    /// Whether the sign of an element is open.
    pub fn straddles(&self, element: usize) -> bool {
        self.lower[element] < 0.0 && self.upper[element] > 0.0
    }
}
