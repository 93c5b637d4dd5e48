//! Assertions: linear constraints joined by `and` and `or`.

use super::error::Result;
use super::syntax::Term;
use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{One, Zero};
use std::collections::BTreeMap;

/// An input or an output of the network, flattened row-major.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Variable {
    /// X_i.
    Input(usize),
    /// Y_i.
    Output(usize),
}

/// `Σ coefficient·variable + constant ≤ 0`, or `< 0` if strict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Constraint {
    /// Coefficients, none of them 0.
    pub terms: BTreeMap<Variable, BigRational>,
    /// The constant.
    pub constant: BigRational,
    /// Whether 0 itself is excluded.
    pub strict: bool,
}

impl Constraint {
    /// Whether the constraint holds where variables have the given values.
    pub fn holds(&self, value: impl Fn(Variable) -> BigRational) -> bool {
        let sum = self.terms.iter().fold(self.constant.clone(), |sum, (v, c)| sum + c * value(*v));
        if self.strict { sum < BigRational::zero() } else { sum <= BigRational::zero() }
    }
}

#[derive(Clone, Debug)]
pub(super) enum Formula {
    Atom(Constraint),
    And(Vec<Formula>),
    Or(Vec<Formula>),
}

/// A linear expression.
#[derive(Clone, Debug, Default)]
struct Linear {
    terms: BTreeMap<Variable, BigRational>,
    constant: BigRational,
}

impl Linear {
    fn constant(value: BigRational) -> Linear {
        Linear { terms: BTreeMap::new(), constant: value }
    }

    fn add(mut self, other: &Linear, factor: &BigRational) -> Linear {
        for (variable, coefficient) in &other.terms {
            *self.terms.entry(*variable).or_insert_with(BigRational::zero) += coefficient * factor;
        }
        self.terms.retain(|_, c| !c.is_zero());
        self.constant += &other.constant * factor;
        self
    }
}

// a − b. Nearly all assertions compare a variable with a number, for which no fractions need to be added.
fn difference(a: &Linear, b: &Linear) -> Linear {
    if b.terms.is_empty() && a.constant.is_zero() {
        return Linear { terms: a.terms.clone(), constant: -&b.constant };
    }
    if a.terms.is_empty() && b.constant.is_zero() {
        return Linear { terms: b.terms.iter().map(|(v, c)| (*v, -c)).collect(), constant: a.constant.clone() };
    }
    a.clone().add(b, &-BigRational::one())
}

/// Reads what an `assert` asserts. `declared` tells whether a variable exists.
pub(super) fn formula(term: &Term<'_>, declared: &dyn Fn(Variable) -> bool) -> Result<Formula> {
    let (op, operands) = term.call()?;
    match op {
        "and" | "or" => {
            let parts = operands.iter().map(|t| formula(t, declared)).collect::<Result<Vec<_>>>()?;
            Ok(if op == "and" { Formula::And(parts) } else { Formula::Or(parts) })
        }
        "<=" | ">=" | "<" | ">" | "=" => {
            let [a, b] = operands else {
                return term.error(format!("'{op}' compares two terms, not {}", operands.len()));
            };
            let (a, b) = (linear(a, declared)?, linear(b, declared)?);
            let at_most = |a: &Linear, b: &Linear, strict: bool| {
                let Linear { terms, constant } = difference(a, b);
                Formula::Atom(Constraint { terms, constant, strict })
            };
            Ok(match op {
                "<=" => at_most(&a, &b, false),
                "<" => at_most(&a, &b, true),
                ">=" => at_most(&b, &a, false),
                ">" => at_most(&b, &a, true),
                _ => Formula::And(vec![at_most(&a, &b, false), at_most(&b, &a, false)]),
            })
        }
        _ => term.error(format!("'{op}' is not one of: and or <= >= < > =")),
    }
}

fn linear(term: &Term<'_>, declared: &dyn Fn(Variable) -> bool) -> Result<Linear> {
    if let Some(word) = term.word() {
        return match variable(word) {
            Some(v) if declared(v) => {
                Ok(Linear { terms: BTreeMap::from([(v, BigRational::one())]), constant: BigRational::zero() })
            }
            Some(_) => term.error(format!("'{word}' is not declared")),
            None => match decimal(word) {
                Some(value) => Ok(Linear::constant(value)),
                None => term.error(format!("'{word}' is neither a number nor a variable X_i or Y_i")),
            },
        };
    }
    let (op, operands) = term.call()?;
    let parts = operands.iter().map(|t| linear(t, declared)).collect::<Result<Vec<_>>>()?;
    let minus_one = -BigRational::one();
    match (op, parts.as_slice()) {
        ("+", [_, ..]) => Ok(parts.iter().fold(Linear::default(), |sum, p| sum.add(p, &BigRational::one()))),
        ("-", [one]) => Ok(Linear::default().add(one, &minus_one)),
        ("-", [first, rest @ ..]) => Ok(rest.iter().fold(first.clone(), |sum, p| sum.add(p, &minus_one))),
        ("*", [first, rest @ ..]) => {
            rest.iter().try_fold(first.clone(), |product, p| match (product.terms.is_empty(), p.terms.is_empty()) {
                (true, _) => Ok(Linear::default().add(p, &product.constant)),
                (_, true) => Ok(Linear::default().add(&product, &p.constant)),
                _ => term.error("a product of two variables is not linear"),
            })
        }
        ("/", [a, b]) if b.terms.is_empty() && !b.constant.is_zero() => {
            Ok(Linear::default().add(a, &b.constant.recip()))
        }
        _ => term.error(format!("'{op}' with {} operands is not a linear term", parts.len())),
    }
}

/// X_3 or Y_0.
pub(super) fn variable(word: &str) -> Option<Variable> {
    let (kind, index) = word.split_once('_')?;
    let index = index.parse().ok().filter(|_| index.bytes().all(|b| b.is_ascii_digit()))?;
    match kind {
        "X" => Some(Variable::Input(index)),
        "Y" => Some(Variable::Output(index)),
        _ => None,
    }
}

/// Largest power of ten in a number; a longer one is a mistake or an attack on memory.
const MAX_EXPONENT: i64 = 400;

/// The exact value of a decimal such as −1.5e−3.
pub(super) fn decimal(word: &str) -> Option<BigRational> {
    let (mantissa, exponent) = match word.split_once(['e', 'E']) {
        Some((m, e)) => (m, e.parse::<i64>().ok()?),
        None => (word, 0),
    };
    let (negative, digits) = match mantissa.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, mantissa.strip_prefix('+').unwrap_or(mantissa)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all = format!("{whole}{fraction}");
    if all.is_empty() || !all.bytes().all(|b| b.is_ascii_digit()) || all.len() > MAX_EXPONENT as usize {
        return None;
    }
    let exponent = exponent.checked_sub(fraction.len() as i64).filter(|e| e.abs() <= MAX_EXPONENT)?;
    let value: BigInt = all.parse().ok()?;
    let power = BigInt::from(10).pow(exponent.unsigned_abs() as u32);
    let value = if negative { -value } else { value };
    Some(if exponent >= 0 { BigRational::from(value * power) } else { BigRational::new(value, power) })
}
