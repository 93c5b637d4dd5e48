//! Bounds of the operands of all activations over a whole box.

use super::Watch;
use super::ascent::{Ascent, Rates};
use super::evaluation::Evaluation;
use super::network::Network;
use super::query::{Case, Row};
use super::subdomain::{Layout, Subdomain};
use crate::check::prover::Prover;
use crate::known::Group;
use crate::problem::{Kind, Problem};
use crate::proof::{ElementSlopes, LayerSlopes};
use crate::region::Balls;
use crate::stage::{Intervals, Stage};
use crate::{CertifyError, Result};
use perturb_engine::Options;
use perturb_graph::{DType, Expr, Graph, Interval, Op, Rounding, Tensor, eval};
use std::sync::Arc;

/// Lower and upper bounds of one operand, of its number of elements.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LayerBounds {
    pub lower: Vec<f32>,
    pub upper: Vec<f32>,
}

/// Bounds of the operand of each activation that hold in real arithmetic: by interval propagation, and by backward walks with
/// adaptive slopes. `None` if the time runs out.
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

/// The same as the checker finds them, which knows the weights in `f64`.
pub(crate) fn enclosed(prover: &Prover<'_>, index: usize, case: &Case) -> Vec<LayerBounds> {
    let (enclosure, network) = (prover.enclose(index, &case.lower, &case.upper), prover.network());
    let of = |activation: usize| {
        let operands = network.operands_of(activation);
        let (lower, upper) = (vec![f32::NEG_INFINITY; operands.len()], vec![f32::INFINITY; operands.len()]);
        let mut bounds = LayerBounds { lower, upper };
        for (element, &operand) in operands.iter().enumerate() {
            let (lo, hi) = enclosure.of(operand);
            bounds.intersect(element, lo, hi);
        }
        bounds
    };
    (0..network.activations.len()).map(of).collect()
}

/// Ascent on the slopes of one element's bound.
const RATES: Rates = Rates { slopes: 0.1, multipliers: 0.0, decay: 0.95, steps: 20 };
/// Bounds that are raised together, and proved together.
const ITEMS: usize = 64;
const PROVED: usize = 16;

/// Narrows the bounds of all operands' elements that are relaxed by walks whose slopes are raised for each of them (Xu et al.
/// 2021), layer by layer, until `late`. Returns the slopes, with which the bounds can be computed again.
///
/// # Errors
/// If a primitive has no rule, or a plan exceeds the memory limit.
pub(crate) fn narrow(
    (network, double): (&Network, &Network),
    case: &Case,
    bounds: &mut [LayerBounds],
    options: &Options,
    late: &dyn Fn() -> bool,
) -> Result<Vec<LayerSlopes>> {
    let mut found = vec![LayerSlopes::Adaptive; bounds.len()];
    // The operand of the first activation is affine in the input.
    for layer in 1..bounds.len() {
        let curve = network.free_slopes()[layer].both;
        let is_relaxed = |&e: &usize| if curve { bounds[layer].varies(e) } else { bounds[layer].straddles(e) };
        let open: Vec<usize> = (0..bounds[layer].lower.len()).filter(is_relaxed).collect();
        if late() || open.is_empty() {
            continue;
        }
        let (single, exact) = (network.up_to(layer)?, double.up_to(layer)?);
        if single.activations.len() != layer {
            // An operand on a branch of its own.
            continue;
        }
        let sides = open.iter().flat_map(|&element| [(element, 1.0), (element, -1.0)]);
        let conjunctions = sides.map(|(element, sign)| vec![Row::of_output(element, sign)]).collect();
        let ask = Case { conjunctions, ..case.clone() };
        let (below, rest) = bounds.split_at_mut(layer);
        let items = ITEMS.min(ask.conjunctions.len());
        let mut ascent = Ascent::compile(&single, &ask, 1, items, options)?;
        let proof = Evaluation::compile(&exact, PROVED.min(items), Rounding::Outward, options)?;
        let layout = Layout::new(&single);
        let below = shared(below);
        let slopes = adaptive_slopes(&single, &below)?;
        let mut all: Vec<Subdomain> =
            (0..ask.conjunctions.len()).map(|c| Subdomain::root(c, 1, &below, &slopes)).collect();
        let mut given = Vec::new();
        for chunk in all.chunks_mut(items) {
            if late() {
                break;
            }
            ascent.raise(chunk, &ask, RATES, late)?;
            let proved = proof.run::<f64>(&chunk.iter().collect::<Vec<_>>(), &ask)?.bounds;
            for (pair, proved) in chunk.chunks(2).zip(proved.chunks(2)) {
                let element = open[pair[0].conjunction / 2];
                rest[0].intersect(element, proved[0], -proved[1]);
                let slopes = |s: &Subdomain| {
                    (0..layer)
                        .map(|l| layout.slopes_of(&s.slopes, l).iter().map(|v| v.clamp(0.0, 1.0)).collect())
                        .collect()
                };
                let (lower, upper) = (slopes(&pair[0]), slopes(&pair[1]));
                given.push(ElementSlopes { element: element as u32, lower, upper });
            }
        }
        if !given.is_empty() {
            found[layer] = LayerSlopes::Given(given);
        }
    }
    Ok(found)
}

/// The slopes with which ascent begins, for given bounds of operands: those of CROWN (Zhang et al. 2018).
///
/// # Errors
/// If bounds do not have their operand's number of elements.
pub(crate) fn adaptive_slopes(network: &Network, bounds: &[Arc<LayerBounds>]) -> Result<Arc<Vec<f32>>> {
    let (mut slopes, mut feeds) = (Vec::new(), Vec::new());
    for (activation, bounds) in network.activations.iter().zip(bounds) {
        let Op::Unary(unary) = activation.op() else { continue };
        let shape = activation.shape();
        let mut feed = |name: &str, values: &[f32]| -> Result<Expr> {
            let placeholder = Expr::try_input(name, shape, DType::F32)?;
            feeds.push((placeholder.clone(), Tensor::new(shape, values.to_vec())?));
            Ok(placeholder)
        };
        let interval = Interval { lo: feed("lo", &bounds.lower)?, hi: feed("hi", &bounds.upper)? };
        slopes.extend(unary.adaptive_slopes(&interval));
    }
    let found = eval(&slopes, &feeds).map_err(|e| CertifyError::Model { reason: e.to_string() })?;
    // Between bounds that are not known a slope may be no number.
    let values = found.iter().flat_map(|t| t.as_slice::<f32>()).map(|s| if s.is_nan() { 0.0 } else { *s });
    Ok(Arc::new(values.collect()))
}

/// The bounds for many subdomains to share.
pub(crate) fn shared(bounds: &[LayerBounds]) -> Vec<Arc<LayerBounds>> {
    bounds.iter().cloned().map(Arc::new).collect()
}

impl LayerBounds {
    // Narrows the bounds of an element to numbers that hold too, rounded outwards.
    fn intersect(&mut self, element: usize, lower: f64, upper: f64) {
        let below = |x: f64| if f64::from(x as f32) > x { (x as f32).next_down() } else { x as f32 };
        self.lower[element] = self.lower[element].max(below(lower));
        self.upper[element] = self.upper[element].min(-below(-upper));
    }

    // An end that is not known is infinite.
    fn known(mut self) -> LayerBounds {
        let replace =
            |values: &mut Vec<f32>, end: f32| values.iter_mut().for_each(|v| *v = if v.is_nan() { end } else { *v });
        replace(&mut self.lower, f32::NEG_INFINITY);
        replace(&mut self.upper, f32::INFINITY);
        self
    }

    /// Whether an element's ends differ.
    pub fn varies(&self, element: usize) -> bool {
        self.lower[element] < self.upper[element]
    }

    /// Whether the sign of an element is open.
    pub fn straddles(&self, element: usize) -> bool {
        self.lower[element] < 0.0 && self.upper[element] > 0.0
    }
}
