//! Lower bounds of linear functionals by a walk from the results back to the inputs.

mod activations;

use super::bounds::{Bounds, Model};
use super::network::{Affine, Block, Kind, ZERO};
use super::rounding::{TINY, add_down, add_up, gamma, mul_up, sum_up};
use activations::Bent;

/// Σ coefficient·scalar + constant.
pub(super) struct Functional {
    /// Scalars, each at most once, with their coefficients and how far those are at most from the exact ones.
    pub terms: Vec<(u32, f64, f64)>,
    /// The constant.
    pub constant: f64,
    /// How far it is at most from the exact one.
    pub constant_error: f64,
}

impl Functional {
    /// One scalar times 1 or −1.
    pub fn scalar(scalar: u32, sign: f64) -> Functional {
        Functional { terms: vec![(scalar, sign, 0.0)], constant: 0.0, constant_error: 0.0 }
    }
}

/// An operand of an activation whose sign is known on a subdomain.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Split {
    /// Which activation.
    pub activation: usize,
    /// Which element of its operand.
    pub element: usize,
    /// Whether it is at least 0 there, or at most 0.
    pub above: bool,
    /// The multiplier of that constraint, at least 0.
    pub multiplier: f64,
}

/// How activations are relaxed.
#[derive(Clone, Copy)]
pub(super) struct Rule<'a> {
    /// Slopes of the line below every element of every activation, and for curves after those the slopes of the lines above;
    /// adaptive ones without.
    pub slopes: Option<&'a [Vec<f32>]>,
    /// The signs that are known.
    pub splits: &'a [Split],
}

/// A walk back over the first layers of a network.
pub(super) struct Walk<'a> {
    pub model: &'a Model,
    pub bounds: &'a Bounds,
    /// How many layers: the functional speaks only of their results.
    pub layers: usize,
}

/// A sum of absolute values under construction.
#[derive(Default)]
struct Sizes {
    sum: f64,
    terms: usize,
}

impl Sizes {
    fn add(&mut self, term: f64) {
        self.sum += term.abs();
        self.terms += 1;
    }

    // Not below the exact sum.
    fn above(&self) -> f64 {
        sum_up(self.sum, self.terms)
    }
}

/// What a walk has collected.
#[derive(Default)]
struct State {
    /// The part of the functional that does not depend on scalars.
    constant: f64,
    /// Of that part's terms.
    terms: Sizes,
    /// Of every number that was added to a coefficient: its absolute value times the scalar's magnitude.
    rounded: Sizes,
    /// Magnitudes whose factors may have underflowed.
    underflowed: Sizes,
}

impl State {
    fn add(&mut self, term: f64) {
        self.constant += term;
        self.terms.add(term);
    }
}

impl Walk<'_> {
    /// A number that the functional does not fall below on the box; −∞ where none is found. `coefficients` is working
    /// memory.
    pub fn lower(&self, start: &Functional, rule: Rule<'_>, coefficients: &mut Vec<f64>) -> f64 {
        // With the widest registers at hand; the operations and their order are the same with all.
        pulp::Arch::new().dispatch(
            #[inline(always)]
            || self.lower_here(start, rule, coefficients),
        )
    }

    #[inline(always)]
    fn lower_here(&self, start: &Functional, rule: Rule<'_>, coefficients: &mut Vec<f64>) -> f64 {
        let network = &self.model.network;
        coefficients.clear();
        coefficients.resize(self.bounds.lo.len(), 0.0);
        let mut state = State::default();
        state.add(start.constant);
        let mut slack = start.constant_error;
        for &(scalar, coefficient, error) in &start.terms {
            let magnitude = self.bounds.magnitude[scalar as usize];
            coefficients[scalar as usize] = coefficient;
            state.rounded.add(coefficient * magnitude);
            if error > 0.0 {
                slack = add_up(slack, mul_up(error, magnitude));
            }
        }
        let mut activation = network.activations.partition_point(|&layer| layer < self.layers);
        for (index, layer) in network.layers[..self.layers].iter().enumerate().rev() {
            let (before, own) = coefficients.split_at_mut(layer.first);
            let own = &mut own[..layer.len()];
            match &layer.kind {
                Kind::Affine(affine) => self.affine(affine, layer.first, before, own, &mut state),
                Kind::Max(groups) => self.max(groups, before, own, &mut state),
                Kind::Relu(operands) | Kind::Curve(_, operands) => {
                    activation -= 1;
                    let splits = rule.splits.iter().filter(|s| s.activation == activation);
                    let slopes = rule.slopes.map(|slopes| slopes[activation].as_slice());
                    if let Kind::Curve(curve, _) = layer.kind {
                        let bent = Bent { curve, operands, slopes, adaptive: &self.bounds.lines[index] };
                        self.split_curve(&bent, splits, before, own, &mut state);
                        self.curve(&bent, before, own, &mut state);
                    } else {
                        self.split_relu(splits, operands, before, own, &mut state);
                        self.relu(operands, slopes, before, own, &mut state);
                    }
                }
            }
        }
        for (scalar, &coefficient) in coefficients[..network.inputs].iter().enumerate() {
            let end = if coefficient > 0.0 { self.bounds.lo[scalar] } else { self.bounds.hi[scalar] };
            state.constant += coefficient * end;
            state.terms.add(coefficient * self.bounds.magnitude[scalar]);
        }
        self.conclude(&state, slack)
    }

    #[inline(always)]
    fn conclude(&self, state: &State, slack: f64) -> f64 {
        let terms = state.terms.terms;
        let summed = mul_up(gamma(terms + 1), state.terms.above());
        let rounded = mul_up(gamma(self.model.fan_out), state.rounded.above());
        // Every product that was added to a coefficient may have lost half of the smallest number.
        let products = mul_up(self.model.fan_out as f64, self.bounds.total);
        let underflowed = add_up(add_up(state.underflowed.above(), products), terms as f64);
        let errors = [slack, summed, rounded, mul_up(underflowed, TINY)].into_iter().fold(0.0, add_up);
        let lower = add_down(state.constant, -errors);
        if lower.is_finite() { lower } else { f64::NEG_INFINITY }
    }

    #[inline(always)]
    fn affine(&self, affine: &Affine, first: usize, before: &mut [f64], own: &mut [f64], state: &mut State) {
        let reach = &self.bounds.reach[first..];
        for (result, coefficient) in own.iter_mut().enumerate() {
            if *coefficient == 0.0 {
                continue;
            }
            if let Some(divisors) = &affine.divisors {
                *coefficient /= divisors[result];
                // The quotient stands for itself in the products with weights and bias.
                state.underflowed.add(reach[result] + affine.bias[result].abs());
                state.rounded.add(*coefficient * affine.bias[result]);
            }
            state.rounded.add(*coefficient * reach[result]);
            if affine.bias[result] != 0.0 {
                state.add(*coefficient * affine.bias[result]);
            }
        }
        for block in &affine.blocks {
            if (0..block.count).any(|row| own[block.first + row * block.step] != 0.0) {
                transpose(affine, block, own, before);
            }
        }
    }
}

// Adds to each source's coefficient those of the block's results times the weights.
#[inline(always)]
fn transpose(affine: &Affine, block: &Block, own: &[f64], before: &mut [f64]) {
    let sources = affine.sources_of(block);
    let rows = (0..block.count).map(|row| (own[block.first + row * block.step], affine.row(block, row)));
    let rows = rows.filter(|(coefficient, _)| *coefficient != 0.0);
    if block.contiguous && !sources.is_empty() {
        let target = &mut before[sources[0] as usize..][..sources.len()];
        for (coefficient, weights) in rows {
            add_scaled(target, coefficient, weights);
        }
    } else if block.count == 1 {
        for (coefficient, weights) in rows {
            scatter(sources, weights.iter().map(|w| coefficient * w), before);
        }
    } else {
        let mut sums = vec![0.0; sources.len()];
        for (coefficient, weights) in rows {
            add_scaled(&mut sums, coefficient, weights);
        }
        scatter(sources, sums.into_iter(), before);
    }
}

#[inline(always)]
fn add_scaled(target: &mut [f64], factor: f64, values: &[f64]) {
    target.iter_mut().zip(values).for_each(|(t, v)| *t += factor * v);
}

#[inline(always)]
fn scatter(sources: &[u32], values: impl Iterator<Item = f64>, before: &mut [f64]) {
    for (&source, value) in sources.iter().zip(values) {
        if source != ZERO {
            before[source as usize] += value;
        }
    }
}
