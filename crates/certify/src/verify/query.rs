//! A property in the numbers that bounds are computed with.

use crate::{CertifyError, Result};
use num_bigint::BigInt;
use num_integer::Integer;
use num_rational::BigRational;
use num_traits::{One, Signed, ToPrimitive, Zero};
use perturb_onnx::vnnlib::{self, Constraint, Property, Variable};

/// Most bits of a coefficient, so that it is exact in `f32` after its constraint was multiplied by the denominators.
const MAX_COEFFICIENT: u64 = 1 << 24;

/// A property with boxes rounded outward and coefficients that are exact.
#[derive(Clone, Debug)]
pub(crate) struct Query {
    pub cases: Vec<Case>,
}

/// A box and the conjunctions to refute on it.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    /// Lower and upper ends of every input, not inside of the box as written.
    pub lower: Vec<f32>,
    pub upper: Vec<f32>,
    /// Ends that lie in the box as written; crossed where no `f32` does.
    pub inner: Vec<(f32, f32)>,
    pub conjunctions: Vec<Vec<Row>>,
}

/// `Σ coefficient·variable + constant ≤ 0`, in the scale that makes coefficients integers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    /// Coefficients of the outputs.
    pub outputs: Vec<(usize, f32)>,
    /// Coefficients of the inputs.
    pub inputs: Vec<(usize, f32)>,
    /// Not above the constant as written.
    pub constant: f64,
    /// What the constraint as written was multiplied by.
    pub scale: f64,
}

/// Weights of constraints as written, for weights of the scaled `rows`.
pub(crate) fn as_written(weights: &[f32], rows: &[Row]) -> Vec<f32> {
    weights.iter().zip(rows).map(|(&w, row)| (f64::from(w) * row.scale) as f32).collect()
}

impl Query {
    pub fn new(property: &Property) -> Result<Query> {
        Ok(Query { cases: property.cases.iter().map(case).collect::<Result<_>>()? })
    }

    /// Whether any constraint speaks of inputs.
    pub fn mentions_inputs(&self) -> bool {
        self.cases.iter().flat_map(|c| c.conjunctions.iter().flatten()).any(|row| !row.inputs.is_empty())
    }
}

impl Case {
    /// All rows of all conjunctions, one after the other.
    pub fn rows(&self) -> impl Iterator<Item = &Row> {
        self.conjunctions.iter().flatten()
    }

    /// Where the rows of each conjunction begin among [`Case::rows`], and where the last ends.
    pub fn starts(&self) -> Vec<usize> {
        let mut starts = vec![0];
        for conjunction in &self.conjunctions {
            starts.push(starts[starts.len() - 1] + conjunction.len());
        }
        starts
    }
}

impl Row {
    /// The coefficients of `[outputs]`, or of `[outputs, inputs]` one after the other.
    pub fn write(&self, outputs: usize, target: &mut [f32]) {
        self.outputs.iter().for_each(|&(i, c)| target[i] = c);
        self.inputs.iter().for_each(|&(i, c)| target[outputs + i] = c);
    }

    /// One output times 1 or −1.
    pub fn of_output(output: usize, sign: f32) -> Row {
        Row { outputs: vec![(output, sign)], inputs: Vec::new(), constant: 0.0, scale: 1.0 }
    }

    /// The left side at a point.
    pub fn at(&self, inputs: &[f32], outputs: &[f32]) -> f64 {
        let sum = |terms: &[(usize, f32)], values: &[f32]| -> f64 {
            terms.iter().map(|&(i, c)| f64::from(c) * f64::from(values[i])).sum()
        };
        self.constant + sum(&self.outputs, outputs) + sum(&self.inputs, inputs)
    }
}

fn case(case: &vnnlib::Case) -> Result<Case> {
    let lower = case.bounds.iter().map(|(lo, _)| single_below(lo)).collect();
    let upper = case.bounds.iter().map(|(_, hi)| -single_below(&-hi)).collect();
    let inner = case.bounds.iter().map(|(lo, hi)| (-single_below(&-lo), single_below(hi))).collect();
    let rows = |all: &Vec<Constraint>| all.iter().map(row).collect::<Result<Vec<Row>>>();
    Ok(Case { lower, upper, inner, conjunctions: case.any_of.iter().map(rows).collect::<Result<_>>()? })
}

fn row(constraint: &Constraint) -> Result<Row> {
    let factor = constraint.terms.values().fold(BigInt::one(), |lcm, c| lcm.lcm(c.denom()));
    let divisor = constraint.terms.values().fold(BigInt::zero(), |gcd, c| gcd.gcd(&(c * &factor).to_integer()));
    let scale = BigRational::new(factor, if divisor.is_zero() { BigInt::one() } else { divisor });
    let (mut outputs, mut inputs) = (Vec::new(), Vec::new());
    for (variable, coefficient) in &constraint.terms {
        let scaled = (coefficient * &scale).to_integer();
        let magnitude = scaled.abs().to_u64().filter(|m| *m <= MAX_COEFFICIENT).ok_or_else(|| {
            let reason = format!("a constraint has the coefficient {coefficient}, which f32 cannot hold exactly");
            CertifyError::Model { reason }
        })?;
        let value = if scaled.is_negative() { -(magnitude as f32) } else { magnitude as f32 };
        match variable {
            Variable::Output(i) => outputs.push((*i, value)),
            Variable::Input(i) => inputs.push((*i, value)),
        }
    }
    let constant = double_below(&(&constraint.constant * &scale));
    Ok(Row { outputs, inputs, constant, scale: double_below(&scale) })
}

/// The largest `f64` that is not above a fraction, −∞ for none.
fn double_below(value: &BigRational) -> f64 {
    let mut near = value.to_f64().unwrap_or(f64::NEG_INFINITY);
    if near == f64::INFINITY {
        near = f64::MAX;
    }
    while near.is_finite() && BigRational::from_float(near).is_none_or(|n| n > *value) {
        near = near.next_down();
    }
    near
}

/// The same for `f32`.
fn single_below(value: &BigRational) -> f32 {
    let mut near = double_below(value) as f32;
    if near == f32::INFINITY {
        near = f32::MAX;
    }
    while near.is_finite() && BigRational::from_float(near).is_none_or(|n| n > *value) {
        near = near.next_down();
    }
    near
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(assertions: &str) -> Query {
        let declared = "(declare-const X_0 Real) (declare-const Y_0 Real) (declare-const Y_1 Real)";
        Query::new(&Property::parse(&format!("{declared} {assertions}")).unwrap()).unwrap()
    }

    // 0.1 lies between two f32: the outer box holds it, the inner one does not go beyond it.
    #[test]
    fn boxes_are_rounded_to_both_sides() {
        let query = parse("(assert (>= X_0 0.1)) (assert (<= X_0 0.7)) (assert (<= Y_0 Y_1))");
        let case = &query.cases[0];
        let exact = |n: i64, d: i64| BigRational::new(n.into(), d.into());
        let of = |x: f32| BigRational::from_float(x).unwrap();
        assert!(of(case.lower[0]) < exact(1, 10) && of(case.lower[0].next_up()) > exact(1, 10));
        assert!(of(case.upper[0]) > exact(7, 10) && of(case.upper[0].next_down()) < exact(7, 10));
        assert_eq!(case.inner[0], (case.lower[0].next_up(), case.upper[0].next_down()));
    }

    // 0.3·Y_0 − 0.1·Y_1 ≤ 1/3 becomes 3·Y_0 − Y_1 − 10/3 ≤ 0.
    #[test]
    fn coefficients_become_integers() {
        let bounds = "(assert (>= X_0 0)) (assert (<= X_0 1))";
        let query = parse(&format!("{bounds} (assert (<= (- (* 0.3 Y_0) (* 0.1 Y_1)) 0.25))"));
        let row = &query.cases[0].conjunctions[0][0];
        assert_eq!(row.outputs, vec![(0, 3.0), (1, -1.0)]);
        assert_eq!((row.constant, row.scale), (-2.5, 10.0));
        assert_eq!(as_written(&[0.5], std::slice::from_ref(row)), vec![5.0]);
        assert!(row.at(&[0.0], &[1.0, 0.5]).abs() < 1e-12);
    }
}
