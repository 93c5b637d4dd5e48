//! What a network computes in exact arithmetic.
//!
//! Every weight is an integer times a power of two, so sums and products of such numbers are exact without fractions;
//! where the network divides, all numbers of a layer get a denominator in common.

mod scaled;

use crate::check::enclosure;
use crate::check::lower::lower;
use crate::check::network::{Affine, Kind, Network, ZERO};
use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{Signed, ToPrimitive, Zero};
use perturb_graph::Graph;
use perturb_onnx::vnnlib::{Case, Constraint, Property, Variable};
use rayon::prelude::*;
use scaled::{Common, Scaled, Weight, Weights, dyadic, shifted};

/// Why a network cannot be evaluated.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ExactError {
    /// The network computes something that is not known how to.
    #[error("the network cannot be evaluated: {0}")]
    Network(String),
    /// The network has functions whose values are no fractions.
    #[error("the network has {0}, whose values are no fractions")]
    Irrational(&'static str),
    /// There are not as many inputs or outputs as there should be.
    #[error("the network has {expected} {what}, but there are {got}")]
    Count {
        /// What is counted.
        what: &'static str,
        /// What the network has.
        expected: usize,
        /// What is given.
        got: usize,
    },
    /// An input is infinite or NaN.
    #[error("input {index} is {value}, not a finite number")]
    NotFinite {
        /// Which input.
        index: usize,
        /// Its value.
        value: f32,
    },
}

/// Whether an input is a counterexample of a property.
#[derive(Clone, Debug, PartialEq)]
pub enum Confirmation {
    /// It is: it lies in one of the boxes, and the outputs meet all constraints of one of its conjunctions.
    Counterexample {
        /// The outputs, each a number next to the exact one.
        outputs: Vec<f64>,
    },
    /// It is none.
    Not {
        /// Why.
        why: String,
    },
    /// The outputs are not known well enough to tell.
    Undecided {
        /// Why.
        why: String,
    },
}

/// The outputs of a network, row-major, for one input, row-major.
///
/// # Errors
/// If the network has operations that are unknown, or have no exact values, or `input` is of the wrong length.
pub fn evaluate(network: &Graph, input: &[BigRational]) -> Result<Vec<BigRational>, ExactError> {
    let network = lower(network).map_err(ExactError::Network)?;
    count("inputs", network.inputs, input.len())?;
    outputs(&network, input)
}

/// Whether `input` is a counterexample of `property` exactly as it is written: with the boxes' exact bounds, and strict and
/// non-strict inequalities as they stand. Networks with sigmoid or tanh are decided by an enclosure of their outputs.
///
/// # Errors
/// If the network cannot be evaluated, or network, property and input do not fit together.
pub fn confirm(network: &Graph, property: &Property, input: &[f32]) -> Result<Confirmation, ExactError> {
    let network = lower(network).map_err(ExactError::Network)?;
    count("inputs", network.inputs, input.len())?;
    count("inputs", network.inputs, property.inputs)?;
    count("outputs", network.outputs.len(), property.outputs)?;
    if let Some((index, &value)) = input.iter().enumerate().find(|(_, v)| !v.is_finite()) {
        return Err(ExactError::NotFinite { index, value });
    }
    let exact: Vec<BigRational> = input.iter().filter_map(|&v| BigRational::from_float(v)).collect();
    let inside: Vec<&Case> = property.cases.iter().filter(|case| outside(case, &exact).is_none()).collect();
    if inside.is_empty() {
        let why = match property.cases.as_slice() {
            [case] => outside(case, &exact).map(|i| format!("X_{i} = {} lies outside of its range", input[i])),
            cases => Some(format!("the input lies in none of the {} boxes", cases.len())),
        };
        return Ok(Confirmation::Not { why: why.unwrap_or_default() });
    }
    let ranges: Vec<[BigRational; 2]> = match outputs(&network, &exact) {
        Ok(outputs) => outputs.into_iter().map(|v| [v.clone(), v]).collect(),
        Err(ExactError::Irrational(function)) => {
            let found = enclosure(network, input)
                .into_iter()
                .map(|(lo, hi)| Some([BigRational::from_float(lo)?, BigRational::from_float(hi)?]));
            let Some(ranges) = found.collect() else {
                let why = format!("the network has {function}, and its outputs are too large to be enclosed");
                return Ok(Confirmation::Undecided { why });
            };
            ranges
        }
        Err(error) => return Err(error),
    };
    Ok(decide(&inside, &exact, &ranges))
}

fn count(what: &'static str, expected: usize, got: usize) -> Result<(), ExactError> {
    if expected == got { Ok(()) } else { Err(ExactError::Count { what, expected, got }) }
}

// An input outside of its range.
fn outside(case: &Case, input: &[BigRational]) -> Option<usize> {
    case.bounds.iter().zip(input).position(|((lo, hi), v)| v < lo || v > hi)
}

fn decide(cases: &[&Case], input: &[BigRational], ranges: &[[BigRational; 2]]) -> Confirmation {
    let mut open = false;
    for conjunction in cases.iter().flat_map(|case| &case.any_of) {
        let found: Vec<Option<bool>> = conjunction.iter().map(|c| holds(c, input, ranges)).collect();
        if found.iter().all(|f| *f == Some(true)) {
            let middle = |[lo, hi]: &[BigRational; 2]| ((lo + hi) / BigInt::from(2)).to_f64().unwrap_or(f64::NAN);
            return Confirmation::Counterexample { outputs: ranges.iter().map(middle).collect() };
        }
        open |= !found.contains(&Some(false));
    }
    if open {
        return Confirmation::Undecided { why: "a constraint is met or not within the enclosure's width".into() };
    }
    Confirmation::Not { why: "the outputs do not meet all constraints of any conjunction".into() }
}

// Whether a constraint holds for all outputs in the ranges (true), or for none (false).
fn holds(constraint: &Constraint, input: &[BigRational], ranges: &[[BigRational; 2]]) -> Option<bool> {
    let [mut least, mut most] = [constraint.constant.clone(), constraint.constant.clone()];
    for (variable, coefficient) in &constraint.terms {
        let [lo, hi] = match *variable {
            Variable::Input(i) => [&input[i], &input[i]],
            Variable::Output(i) => [&ranges[i][0], &ranges[i][1]],
        };
        let (lo, hi) = if coefficient.is_negative() { (hi, lo) } else { (lo, hi) };
        least += coefficient * lo;
        most += coefficient * hi;
    }
    let met = |value: &BigRational| if constraint.strict { value.is_negative() } else { !value.is_positive() };
    match (met(&least), met(&most)) {
        (true, true) => Some(true),
        (false, _) => Some(false),
        _ => None,
    }
}

fn outputs(network: &Network, input: &[BigRational]) -> Result<Vec<BigRational>, ExactError> {
    let mut values = vec![Scaled::new(input)];
    // Which list each scalar is in, and its place there.
    let mut places: Vec<(usize, usize)> = (0..network.inputs).map(|i| (0, i)).collect();
    for layer in &network.layers {
        let list = match &layer.kind {
            Kind::Affine(affine) => apply(affine, &values, &places),
            Kind::Relu(operands) => {
                let singles = operands.iter().map(std::slice::from_ref);
                let mut list = largest(singles, &values, &places);
                list.integers.iter_mut().filter(|i| i.is_negative()).for_each(|i| *i = BigInt::zero());
                list
            }
            Kind::Max(groups) => largest((0..groups.len()).map(|i| groups.group(i)), &values, &places),
            Kind::Curve(..) => return Err(ExactError::Irrational("sigmoid or tanh")),
        };
        places.extend((0..layer.len()).map(|i| (values.len(), i)));
        values.push(list.reduced());
    }
    let used: Vec<Vec<BigRational>> = values
        .iter()
        .enumerate()
        .map(|(list, scaled)| {
            let wanted = network.outputs.iter().any(|&o| places[o as usize].0 == list);
            if wanted { scaled.rationals() } else { Vec::new() }
        })
        .collect();
    Ok(network.outputs.iter().map(|&o| used[places[o as usize].0][places[o as usize].1].clone()).collect())
}

fn used_lists<'a>(lists: usize, sources: impl Iterator<Item = &'a u32>, places: &[(usize, usize)]) -> Vec<bool> {
    let mut used = vec![false; lists];
    sources.filter(|s| **s != ZERO).for_each(|&s| used[places[s as usize].0] = true);
    used
}

fn largest<'a>(
    groups: impl Iterator<Item = &'a [u32]> + Clone,
    values: &[Scaled],
    places: &[(usize, usize)],
) -> Scaled {
    let common = Common::of(values, &used_lists(values.len(), groups.clone().flatten(), places));
    let value = |&operand: &u32| {
        let (list, place) = places[operand as usize];
        common.integers[list].as_ref().map(|integers| &integers[place])
    };
    let integers = groups.filter_map(|group| group.iter().filter_map(value).max().cloned()).collect();
    Scaled { integers, exponent: common.exponent, denominator: common.denominator.clone() }
}

fn apply(affine: &Affine, values: &[Scaled], places: &[(usize, usize)]) -> Scaled {
    let common = Common::of(values, &used_lists(values.len(), affine.sources.iter(), places));
    let weights = Weights::new(&affine.weights);
    let biases: Vec<(i64, i64)> = affine.bias.iter().map(|&b| dyadic(b)).collect();
    let products = common.exponent + weights.exponent;
    let exponent = biases.iter().filter(|b| b.0 != 0).fold(products, |least, b| least.min(b.1));
    let mut rows: Vec<Option<(usize, usize)>> = vec![None; affine.bias.len()];
    for (index, block) in affine.blocks.iter().enumerate() {
        (0..block.count).for_each(|row| rows[block.first + row * block.step] = Some((index, row)));
    }
    let sum = |(row, bias): (&Option<(usize, usize)>, &(i64, i64))| {
        let mut sum = BigInt::zero();
        if let Some((index, row)) = *row {
            let block = &affine.blocks[index];
            let sources = affine.sources_of(block);
            let weights = &weights.integers[block.weights + row * sources.len()..][..sources.len()];
            for (&source, weight) in sources.iter().zip(weights) {
                let integers = (source != ZERO).then(|| places[source as usize]);
                let value = integers.and_then(|(list, place)| common.integers[list].as_ref().map(|l| &l[place]));
                match (value, weight) {
                    (None, _) | (_, Weight::Small(0)) => {}
                    (Some(value), _) if value.is_zero() => {}
                    (Some(value), Weight::Small(weight)) => sum += value * weight,
                    (Some(value), Weight::Large(weight)) => sum += value * weight,
                }
            }
            sum = shifted(sum, products - exponent);
        }
        if bias.0 != 0 {
            sum += shifted(&common.denominator * bias.0, bias.1 - exponent);
        }
        sum
    };
    let integers = rows.par_iter().zip(&biases).map(sum).collect();
    let list = Scaled { integers, exponent, denominator: common.denominator.clone() };
    match &affine.divisors {
        Some(divisors) => list.divided(divisors),
        None => list,
    }
}
