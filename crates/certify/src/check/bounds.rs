//! Intervals of all scalars over a box of inputs.

use super::network::{Affine, Curve, Groups, Kind, Network, ZERO};
use super::relaxation::Line;
use super::rounding::{TINY, add_down, add_up, gamma, mul_up, sum_up, weighted_sums};
use super::walk::{Functional, Rule, Split, Walk};
use crate::proof::{ElementSlopes, LayerSlopes};
use rayon::prelude::*;
use std::collections::HashMap;

/// A network with what bounds need to know about its arithmetic.
pub(super) struct Model {
    pub network: Network,
    /// Most numbers that are added up to one coefficient of a backward walk.
    pub fan_out: usize,
}

impl Model {
    pub fn new(network: Network) -> Model {
        // An activation adds a product and a multiplier to its operand's coefficient; biases' and divisors' roundings and
        // what the functional starts with are among the rest.
        let fan_out = 2 * network.fan_out() + 8;
        Model { network, fan_out }
    }
}

/// What is known of every scalar over a box.
pub(super) struct Bounds {
    pub lo: Vec<f64>,
    pub hi: Vec<f64>,
    /// Largest absolute value.
    pub magnitude: Vec<f64>,
    /// Of results of affine layers: not below Σ |weight|·magnitude, before the division.
    pub reach: Vec<f64>,
    /// Of each layer that is a curve: lines below and above each result.
    pub lines: Vec<Vec<[Line; 2]>>,
    /// Not below the sum of all magnitudes.
    pub total: f64,
    /// Whether no input is in the box and meets the signs that are known.
    pub empty: bool,
    /// Whether two bounds of one scalar excluded each other.
    crossed: bool,
}

/// Which operands of activations backward walks bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Walked {
    /// Those whose sign is open: enough for the `relu` itself.
    Open,
    /// The same, but none of a layer where they are many: for a search that had better cut the box.
    Few,
    /// All that may be positive: intervals of what follows become narrower, for about twice the work.
    Positive,
    /// Those that have slopes of their own.
    Given,
}

/// Most operands of one layer that [`Walked::Few`] bounds by walks.
const FEW: usize = 1024;

/// Fewest walks that are worth a task of their own.
const WALKS_PER_TASK: usize = 8;

impl Bounds {
    /// Interval propagation from a box.
    pub fn intervals(model: &Model, inputs: &[(f64, f64)]) -> Bounds {
        Bounds::propagate(model, inputs, None, |_, _| Vec::new())
    }

    /// Interval propagation, in which the operands of every `relu` and curve are bounded by backward walks too. `layers`
    /// names the slopes for each of them; without it they are adaptive.
    pub fn tightened(model: &Model, inputs: &[(f64, f64)], layers: Option<&[LayerSlopes]>, walked: Walked) -> Bounds {
        Bounds::walked(model, inputs, layers, walked, None)
    }

    /// The same where some signs are known, and `outer` besides, which holds on the same box. Operands have bounds from
    /// there, from signs, and from walks with slopes of their own; others would be better for some and, since evidence is
    /// found for certain relaxations, worse for the proof.
    pub fn narrowed(
        model: &Model,
        inputs: &[(f64, f64)],
        layers: &[LayerSlopes],
        outer: &Bounds,
        splits: &[Split],
    ) -> Bounds {
        let bounds = Bounds::walked(model, inputs, Some(layers), Walked::Given, Some((outer, splits)));
        // Operands have taken magnitudes from there.
        let total = add_up(bounds.total, outer.total);
        Bounds { empty: bounds.crossed || outer.empty, total, ..bounds }
    }

    fn walked(
        model: &Model,
        inputs: &[(f64, f64)],
        layers: Option<&[LayerSlopes]>,
        walked: Walked,
        known: Option<(&Bounds, &[Split])>,
    ) -> Bounds {
        let splits = known.map_or(&[][..], |(_, splits)| splits);
        Bounds::propagate(model, inputs, known, |bounds, layer| {
            let activation = model.network.activations.binary_search(&layer).ok();
            let given = match activation.and_then(|activation| layers?.get(activation)) {
                Some(LayerSlopes::Given(given)) => given.as_slice(),
                _ => &[],
            };
            match &model.network.layers[layer].kind {
                Kind::Relu(operands) | Kind::Curve(_, operands) => {
                    bounds.walk_back(model, layer, operands, (given, splits), walked)
                }
                Kind::Affine(_) | Kind::Max(_) => Vec::new(),
            }
        })
    }

    // `known` are bounds of operands that hold already, and signs of some; `tighten` gives better bounds of some scalars
    // before the layer that uses them is bounded.
    fn propagate(
        model: &Model,
        inputs: &[(f64, f64)],
        known: Option<(&Bounds, &[Split])>,
        tighten: impl Fn(&Bounds, usize) -> Vec<(u32, f64, f64)>,
    ) -> Bounds {
        let count = model.network.scalars();
        let empty = || Vec::with_capacity(count);
        let lines = Vec::with_capacity(model.network.layers.len());
        let mut bounds = Bounds {
            lo: empty(),
            hi: empty(),
            magnitude: empty(),
            reach: empty(),
            lines,
            total: 0.0,
            empty: false,
            crossed: false,
        };
        inputs.iter().for_each(|&(lo, hi)| bounds.push(lo, hi, 0.0));
        for (index, layer) in model.network.layers.iter().enumerate() {
            if let (Some((outer, splits)), Kind::Relu(operands) | Kind::Curve(_, operands)) = (known, &layer.kind) {
                for scalar in operands.iter().map(|&o| o as usize) {
                    (bounds.lo[scalar], bounds.hi[scalar]) = (outer.lo[scalar], outer.hi[scalar]);
                    bounds.magnitude[scalar] = outer.magnitude[scalar];
                }
                let activation = model.network.activations.binary_search(&index).ok();
                for split in splits.iter().filter(|s| Some(s.activation) == activation) {
                    let (lo, hi) = if split.above { (0.0, f64::INFINITY) } else { (f64::NEG_INFINITY, 0.0) };
                    bounds.intersect(operands[split.element] as usize, lo, hi);
                }
            }
            for (scalar, lo, hi) in tighten(&bounds, index) {
                bounds.intersect(scalar as usize, lo, hi);
            }
            let mut lines = Vec::new();
            match &layer.kind {
                Kind::Affine(affine) => bounds.push_affine(affine),
                Kind::Relu(operands) => {
                    for &operand in operands {
                        let (lo, hi) = bounds.of(operand);
                        bounds.push(lo.max(0.0), hi.max(0.0), 0.0);
                    }
                }
                Kind::Max(groups) => bounds.push_max(groups),
                Kind::Curve(curve, operands) => lines = bounds.push_curve(*curve, operands),
            }
            bounds.lines.push(lines);
        }
        bounds
    }

    /// Lower and upper bound of a scalar.
    pub fn of(&self, scalar: u32) -> (f64, f64) {
        (self.lo[scalar as usize], self.hi[scalar as usize])
    }

    fn push(&mut self, lo: f64, hi: f64, reach: f64) {
        self.lo.push(lo);
        self.hi.push(hi);
        self.magnitude.push(lo.abs().max(hi.abs()));
        self.reach.push(reach);
        self.total = add_up(self.total, lo.abs().max(hi.abs()));
    }

    fn intersect(&mut self, scalar: usize, lo: f64, hi: f64) {
        let (lo, hi) = (self.lo[scalar].max(lo), self.hi[scalar].min(hi));
        if lo > hi {
            self.crossed = true;
            return;
        }
        (self.lo[scalar], self.hi[scalar]) = (lo, hi);
        self.magnitude[scalar] = lo.abs().max(hi.abs());
    }

    // Bounds of the operands whose sign (or, for curves, value) is not known.
    fn walk_back(
        &self,
        model: &Model,
        layer: usize,
        operands: &[u32],
        (given, splits): (&[ElementSlopes], &[Split]),
        walked: Walked,
    ) -> Vec<(u32, f64, f64)> {
        let curve = matches!(model.network.layers[layer].kind, Kind::Curve(..));
        let given: HashMap<u32, &ElementSlopes> = given.iter().map(|g| (g.element, g)).collect();
        let open = |&(element, &operand): &(usize, &u32)| {
            let (lo, hi) = self.of(operand);
            match walked {
                Walked::Given => given.contains_key(&(element as u32)),
                _ if curve => lo < hi,
                _ => (lo < 0.0 || walked == Walked::Positive) && hi > 0.0,
            }
        };
        let open: Vec<(usize, &u32)> = operands.iter().enumerate().filter(open).collect();
        if walked == Walked::Few && open.len() > FEW {
            return Vec::new();
        }
        let bound = |coefficients: &mut Vec<f64>, &(element, &operand): &(usize, &u32)| {
            let slopes = given.get(&(element as u32));
            let mut walk = |sign: f64, slopes: Option<&[Vec<f32>]>| {
                let rule = Rule { slopes, splits };
                let start = Functional::scalar(operand, sign);
                Walk { model, bounds: self, layers: layer }.lower(&start, rule, coefficients)
            };
            let lower = walk(1.0, slopes.map(|s| s.lower.as_slice()));
            let upper = -walk(-1.0, slopes.map(|s| s.upper.as_slice()));
            (operand, lower, upper)
        };
        open.par_iter().with_min_len(WALKS_PER_TASK).map_init(Vec::new, bound).collect()
    }

    fn push_affine(&mut self, affine: &Affine) {
        let results = affine.bias.len();
        let first = self.lo.len();
        for &bias in &affine.bias {
            self.push(bias, bias, 0.0);
        }
        let mut gathered = Gathered::default();
        for block in &affine.blocks {
            gathered.fill(self, affine.sources_of(block));
            // As in walks: the same operations in wider registers.
            pulp::Arch::new().dispatch(
                #[inline(always)]
                || {
                    for row in 0..block.count {
                        let result = block.first + row * block.step;
                        let (lo, hi, reach) = gathered.row(affine.row(block, row), affine.bias[result]);
                        let at = first + result;
                        (self.lo[at], self.hi[at], self.reach[at]) = (lo, hi, reach);
                    }
                },
            );
        }
        if let Some(divisors) = &affine.divisors {
            for (at, &divisor) in (first..).zip(divisors) {
                let ends = [self.lo[at] / divisor, self.hi[at] / divisor];
                let (lo, hi) = (ends[0].min(ends[1]).next_down(), ends[0].max(ends[1]).next_up());
                (self.lo[at], self.hi[at]) = if lo.is_nan() || hi.is_nan() { WHOLE } else { (lo, hi) };
            }
        }
        for at in first..first + results {
            self.magnitude[at] = self.lo[at].abs().max(self.hi[at].abs());
            self.total = add_up(self.total, self.magnitude[at]);
        }
    }

    fn push_max(&mut self, groups: &Groups) {
        for index in 0..groups.len() {
            let ends = groups.group(index).iter().map(|&o| self.of(o));
            let (lo, hi) =
                ends.fold((f64::NEG_INFINITY, f64::NEG_INFINITY), |(lo, hi), end| (lo.max(end.0), hi.max(end.1)));
            self.push(lo, hi, 0.0);
        }
    }

    fn push_curve(&mut self, curve: Curve, operands: &[u32]) -> Vec<[Line; 2]> {
        let bound = |&operand: &u32| {
            let (lo, hi) = self.of(operand);
            ((curve.value(lo).0, curve.value(hi).1), curve.lines(None, lo, hi))
        };
        let (ends, lines): (Vec<_>, Vec<_>) = operands.iter().map(bound).unzip();
        ends.into_iter().for_each(|(lo, hi)| self.push(lo, hi, 0.0));
        lines
    }
}

/// All numbers.
const WHOLE: (f64, f64) = (f64::NEG_INFINITY, f64::INFINITY);

/// Centres, radii and magnitudes of the sources of a block.
#[derive(Default)]
struct Gathered {
    center: Vec<f64>,
    radius: Vec<f64>,
    magnitude: Vec<f64>,
}

impl Gathered {
    fn fill(&mut self, bounds: &Bounds, sources: &[u32]) {
        self.center.clear();
        self.radius.clear();
        self.magnitude.clear();
        for &source in sources {
            let (lo, hi) = if source == ZERO { (0.0, 0.0) } else { bounds.of(source) };
            let center = if lo == hi { lo } else { 0.5 * lo + 0.5 * hi };
            let radius = if lo == hi { 0.0 } else { add_up(hi, -center).max(add_up(center, -lo)) };
            self.center.push(center);
            self.radius.push(radius);
            self.magnitude.push(lo.abs().max(hi.abs()));
        }
    }

    // Bounds of Σ weight·source + bias, and of Σ |weight|·magnitude.
    #[inline(always)]
    fn row(&self, weights: &[f64], bias: f64) -> (f64, f64, f64) {
        let [center, radius, reach] = weighted_sums(weights, &self.center, &self.radius, &self.magnitude);
        let terms = weights.len();
        let reach = sum_up(reach, terms);
        // |computed − exact| of the centre's sum, whose terms are not larger than those of the reach.
        let error = add_up(mul_up(gamma(terms), reach), mul_up(terms as f64, TINY));
        let radius = add_up(sum_up(radius, terms), error);
        let (lo, hi) = (add_down(add_down(center, bias), -radius), add_up(add_up(center, bias), radius));
        if lo.is_finite() && hi.is_finite() { (lo, hi, reach) } else { (WHOLE.0, WHOLE.1, f64::INFINITY) }
    }
}
