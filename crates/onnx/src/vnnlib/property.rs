//! A property in the form that a verifier decides: boxes of inputs, and for each a disjunction of conjunctions.

use super::MAX_BYTES;
use super::error::{Result, VnnLibError};
use super::formula::{Constraint, Formula, Variable, formula, variable};
use super::syntax::{Term, read};
use num_rational::BigRational;
use num_traits::Zero;
use std::io::Read;
use std::path::Path;

/// What would be a counterexample: any of the cases.
#[derive(Clone, Debug, PartialEq)]
pub struct Property {
    /// Number of inputs X_0, X_1, ….
    pub inputs: usize,
    /// Number of outputs Y_0, Y_1, ….
    pub outputs: usize,
    /// The cases.
    pub cases: Vec<Case>,
}

/// A box of inputs, and what outputs of it would be a counterexample.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// Lower and upper bound of every input.
    pub bounds: Vec<(BigRational, BigRational)>,
    /// Conjunctions of which one must hold. They may speak of inputs too, also by strict bounds.
    pub any_of: Vec<Vec<Constraint>>,
}

/// Most conjunctions that nested `or`s may multiply to.
const MAX_CONJUNCTIONS: usize = 1 << 14;

impl Property {
    /// Reads a file, which may be compressed by gzip (`.gz`).
    ///
    /// # Errors
    /// If it cannot be read, is larger than [`MAX_BYTES`], or is no property: see [`Property::parse`].
    pub fn read(path: impl AsRef<Path>) -> Result<Property> {
        let path = path.as_ref();
        let failed = |reason: String| VnnLibError::File { path: path.display().to_string(), reason };
        let file = std::fs::File::open(path).map_err(|e| failed(e.to_string()))?;
        let compressed = path.extension().is_some_and(|e| e == "gz");
        let mut text = String::new();
        let mut source: Box<dyn Read> =
            if compressed { Box::new(flate2::read::MultiGzDecoder::new(file)) } else { Box::new(file) };
        let taken = source.by_ref().take(MAX_BYTES + 1).read_to_string(&mut text);
        let count = taken.map_err(|e| failed(e.to_string()))?;
        if count as u64 > MAX_BYTES {
            return Err(failed(format!("larger than {MAX_BYTES} bytes")));
        }
        Property::parse(&text)
    }

    /// Reads a text.
    ///
    /// # Errors
    /// With line and column, if it is malformed; or if a variable is missing, an input has no bounds on both sides, or
    /// the assertions have too many alternatives.
    pub fn parse(text: &str) -> Result<Property> {
        let (mut inputs, mut outputs) = (Vec::new(), Vec::new());
        let mut assertions = Vec::new();
        for term in read(text)? {
            let (command, operands) = term.call()?;
            match command {
                "declare-const" => match declaration(&term, operands)? {
                    Variable::Input(i) => inputs.push(i),
                    Variable::Output(i) => outputs.push(i),
                },
                "assert" => {
                    let [asserted] = operands else { return term.error("'assert' takes one formula") };
                    let declared = |v: Variable| match v {
                        // Declarations come in order in every file, which `count` checks below.
                        Variable::Input(i) => i < inputs.len(),
                        Variable::Output(i) => i < outputs.len(),
                    };
                    assertions.push(formula(asserted, &declared)?);
                }
                // Of the SMT-LIB frame that some files have.
                "set-logic" | "set-info" | "set-option" | "check-sat" | "get-model" | "exit" => {}
                _ => return term.error(format!("'{command}' is not one of: declare-const assert")),
            }
        }
        let (inputs, outputs) = (count("X", inputs)?, count("Y", outputs)?);
        let alternatives = alternatives(Formula::And(assertions))?;
        Ok(Property { inputs, outputs, cases: cases(inputs, alternatives)? })
    }

    /// Whether inputs and outputs of these values are a counterexample.
    ///
    /// # Panics
    /// If there are fewer values than variables.
    pub fn is_counterexample(&self, inputs: &[BigRational], outputs: &[BigRational]) -> bool {
        let value = |v: Variable| match v {
            Variable::Input(i) => inputs[i].clone(),
            Variable::Output(i) => outputs[i].clone(),
        };
        self.cases.iter().any(|case| {
            case.bounds.iter().zip(inputs).all(|((lo, hi), x)| lo <= x && x <= hi)
                && case.any_of.iter().any(|all| all.iter().all(|c| c.holds(value)))
        })
    }
}

fn declaration(term: &Term<'_>, operands: &[Term<'_>]) -> Result<Variable> {
    let [name, sort] = operands else { return term.error("expected (declare-const NAME Real)") };
    if !matches!(sort.word(), Some("Real")) {
        return sort.error("variables are of sort Real");
    }
    match name.word().and_then(variable) {
        Some(v) => Ok(v),
        None => name.error("variables are named X_0, X_1, … and Y_0, Y_1, …"),
    }
}

// Variables are numbered without gaps, each declared once.
fn count(kind: &str, mut indices: Vec<usize>) -> Result<usize> {
    indices.sort_unstable();
    match indices.iter().enumerate().find(|(at, i)| at != *i) {
        Some((at, &i)) if i < at => Err(VnnLibError::Property(format!("{kind}_{i} is declared twice"))),
        Some((at, _)) => Err(VnnLibError::Property(format!("{kind}_{at} is not declared, though later ones are"))),
        None if indices.is_empty() => Err(VnnLibError::Property(format!("no variable {kind}_0 is declared"))),
        None => Ok(indices.len()),
    }
}

/// A formula in disjunctive normal form: what all alternatives share, and what each adds.
#[derive(Default)]
struct Alternatives {
    common: Vec<Constraint>,
    choices: Vec<Vec<Constraint>>,
}

// What holds in all alternatives is kept apart, because it is most of a file: the bounds of the inputs.
fn alternatives(formula: Formula) -> Result<Alternatives> {
    match formula {
        Formula::Atom(c) => Ok(Alternatives { common: vec![c], choices: vec![Vec::new()] }),
        Formula::Or(parts) => {
            let mut choices = Vec::new();
            for part in parts {
                let Alternatives { common, choices: more } = alternatives(part)?;
                check(choices.len() + more.len())?;
                choices.extend(more.into_iter().map(|c| [common.as_slice(), &c].concat()));
            }
            Ok(Alternatives { common: Vec::new(), choices })
        }
        Formula::And(parts) => {
            let (mut common, mut product) = (Vec::new(), vec![Vec::new()]);
            for part in parts {
                let mut found = alternatives(part)?;
                common.append(&mut found.common);
                check(product.len().saturating_mul(found.choices.len()))?;
                if !matches!(found.choices.as_slice(), [one] if one.is_empty()) {
                    let joined =
                        |p: &Vec<Constraint>| found.choices.iter().map(|c| [p.as_slice(), c].concat()).collect();
                    product = product.iter().flat_map(|p| -> Vec<Vec<Constraint>> { joined(p) }).collect();
                }
            }
            Ok(Alternatives { common, choices: product })
        }
    }
}

fn check(count: usize) -> Result<()> {
    if count <= MAX_CONJUNCTIONS {
        return Ok(());
    }
    let message = format!("the assertions have more than {MAX_CONJUNCTIONS} alternatives; write them as several files");
    Err(VnnLibError::Property(message))
}

/// What is known of the inputs while constraints are read, and what no box says.
#[derive(Clone)]
struct Region {
    low: Vec<Option<BigRational>>,
    high: Vec<Option<BigRational>>,
    rest: Vec<Constraint>,
    impossible: bool,
}

impl Region {
    fn add(&mut self, constraint: Constraint) {
        match bound(&constraint) {
            Some((i, value, true)) => tighten(&mut self.high[i], value, |new, old| new < old),
            Some((i, value, false)) => tighten(&mut self.low[i], value, |new, old| new > old),
            None if constraint.terms.is_empty() => {
                self.impossible |= !constraint.holds(|_| BigRational::zero());
                return;
            }
            None => return self.rest.push(constraint),
        }
        // A strict bound is more than the box says.
        if constraint.strict {
            self.rest.push(constraint);
        }
    }

    fn bounds(&self) -> Result<Vec<(BigRational, BigRational)>> {
        let ends = self.low.iter().zip(&self.high).enumerate();
        ends.map(|(i, ends)| match ends {
            (Some(lo), Some(hi)) => Ok((lo.clone(), hi.clone())),
            (lo, _) => {
                let side = if lo.is_none() { "lower" } else { "upper" };
                Err(VnnLibError::Property(format!("input X_{i} has no {side} bound")))
            }
        })
        .collect()
    }
}

// Alternatives over the same box become one case. One whose box is empty holds nowhere and is dropped.
fn cases(inputs: usize, alternatives: Alternatives) -> Result<Vec<Case>> {
    let none = vec![None; inputs];
    let mut common = Region { low: none.clone(), high: none, rest: Vec::new(), impossible: false };
    alternatives.common.into_iter().for_each(|c| common.add(c));
    let mut cases: Vec<Case> = Vec::new();
    for choice in alternatives.choices {
        let mut region = common.clone();
        choice.into_iter().for_each(|c| region.add(c));
        let bounds = region.bounds()?;
        if region.impossible || bounds.iter().any(|(lo, hi)| lo > hi) {
            continue;
        }
        match cases.iter_mut().find(|c| c.bounds == bounds) {
            Some(case) => case.any_of.push(region.rest),
            None => cases.push(Case { bounds, any_of: vec![region.rest] }),
        }
    }
    Ok(cases)
}

fn tighten(end: &mut Option<BigRational>, value: BigRational, tighter: fn(&BigRational, &BigRational) -> bool) {
    if end.as_ref().is_none_or(|old| tighter(&value, old)) {
        *end = Some(value);
    }
}

// A constraint on one input alone: its index, the bound, and whether it is an upper one.
fn bound(constraint: &Constraint) -> Option<(usize, BigRational, bool)> {
    let mut terms = constraint.terms.iter();
    match (terms.next(), terms.next()) {
        (Some((Variable::Input(i), c)), None) => Some((*i, -&constraint.constant / c, *c > BigRational::zero())),
        _ => None,
    }
}
