//! Small boxes, on which the signs of few `relu` operands are open: linear programs over pieces of fixed signs decide them
//! where halving inputs would go on for long, next to where the network bends.

use super::boxes::Corners;
use super::combine::rounded;
use super::forms::Forms;
use super::query::{Case, Row, as_written};
use super::tree::Growing;
use super::triangles::{Dual, Program};
use crate::check::prover::{Enclosure, Prover, Sign};
use crate::proof::Evidence;

/// Programs that are solved for one box before it is given up.
const PROGRAMS: usize = 64;

/// A piece of a box on which all conjunctions are refuted, or are on its parts.
#[derive(Debug, PartialEq)]
pub(crate) struct Piece {
    refuted: Vec<(usize, Evidence)>,
    parts: Option<Box<Parts>>,
}

#[derive(Debug, PartialEq)]
struct Parts {
    activation: usize,
    element: usize,
    /// Where the operand is at most 0, and where it is at least 0.
    sides: [Piece; 2],
}

/// What is found of a box.
#[derive(Debug, PartialEq)]
pub(crate) enum Decision {
    /// No point of it is a counterexample.
    Refuted(Piece),
    /// This point may be one.
    Point(Vec<f32>),
    /// Nothing.
    Open,
}

/// A box and what is asked there.
pub(crate) struct Question<'a> {
    pub prover: &'a Prover<'a>,
    pub index: usize,
    pub case: &'a Case,
    pub corners: &'a Corners,
}

struct Search<'a> {
    question: &'a Question<'a>,
    enclosure: Enclosure,
    programs: usize,
    point: Option<Vec<f32>>,
}

impl Question<'_> {
    /// Refutes the conjunctions on the box, or finds where one of them is most likely not to be refuted.
    pub fn decide(&self, conjunctions: &[usize]) -> Decision {
        let enclosure = self.prover.enclose(self.index, &self.corners.lower, &self.corners.upper);
        let mut search = Search { question: self, enclosure, programs: 0, point: None };
        match (search.refute(conjunctions, &mut Vec::new()), search.point) {
            (Some(piece), _) => Decision::Refuted(piece),
            (None, Some(point)) => Decision::Point(point),
            (None, None) => Decision::Open,
        }
    }
}

impl Search<'_> {
    // The piece on which the signs are as given.
    fn refute(&mut self, conjunctions: &[usize], signs: &mut Vec<Sign>) -> Option<Piece> {
        let Question { prover, case, corners, .. } = *self.question;
        let network = prover.network();
        let forms = Forms::new(network, &self.enclosure, signs, (&corners.lower, &corners.upper))?;
        let (mut refuted, mut left, mut costs) = (Vec::new(), Vec::new(), vec![0.0f64; forms.open.len()]);
        for &conjunction in conjunctions {
            self.programs += 1;
            if self.programs > PROGRAMS {
                return None;
            }
            let program = Program { network, forms: &forms, signs, rows: &case.conjunctions[conjunction] };
            let dual = program.dual()?;
            if dual.value > 0.0
                && let Some(evidence) = self.proved(&forms, conjunction, &dual, signs)
            {
                refuted.push((conjunction, evidence));
                continue;
            }
            if forms.open.is_empty() {
                self.point = program.lowest_point().map(|y| place(corners, &y));
                return None;
            }
            left.push(conjunction);
            costs.iter_mut().zip(&dual.costs).for_each(|(c, d)| *c = c.max(*d));
        }
        if left.is_empty() {
            return Some(Piece { refuted, parts: None });
        }
        let most = (0..costs.len()).max_by(|&a, &b| costs[a].total_cmp(&costs[b]))?;
        let (activation, element) = (forms.open[most].activation, forms.open[most].element);
        drop(forms);
        let mut side = |above: bool| {
            signs.push(Sign { activation, element, above });
            let piece = self.refute(&left, signs);
            signs.pop();
            piece
        };
        let sides = [side(false)?, side(true)?];
        Some(Piece { refuted, parts: Some(Box::new(Parts { activation, element, sides })) })
    }

    // The dual's numbers as evidence, if a walk with them proves it. Slopes are left out where adaptive ones do.
    fn proved(&self, forms: &Forms, conjunction: usize, dual: &Dual, signs: &[Sign]) -> Option<Evidence> {
        let Question { prover, index, case, .. } = *self.question;
        let network = prover.network();
        let rows: &[Row] = &case.conjunctions[conjunction];
        let weights = match rows.len() {
            1 => vec![1.0],
            _ => rounded(&dual.weights.iter().map(|&w| w as f32).collect::<Vec<_>>()),
        };
        let weights = as_written(&weights, rows);
        let multipliers = dual.multipliers.iter().map(|&m| m as f32).collect();
        let mut evidence = Evidence { weights, slopes: None, multipliers };
        if prover.refutes(index, &self.enclosure, conjunction, &evidence, signs) {
            return Some(evidence);
        }
        let mut slopes: Vec<Vec<f32>> =
            (0..network.activations.len()).map(|activation| vec![0.0; network.operands_of(activation).len()]).collect();
        for (open, slope) in forms.open.iter().zip(&dual.slopes) {
            let adaptive = f64::from(u8::from(open.lower + open.upper > 0.0));
            slopes[open.activation][open.element] = slope.unwrap_or(adaptive) as f32;
        }
        evidence.slopes = Some(slopes);
        prover.refutes(index, &self.enclosure, conjunction, &evidence, signs).then_some(evidence)
    }
}

fn place(corners: &Corners, y: &[f64]) -> Vec<f32> {
    let ends = corners.lower.iter().zip(&corners.upper);
    ends.zip(y)
        .map(|((&l, &u), y)| (0.5 * (f64::from(l) + f64::from(u)) + 0.5 * y * (f64::from(u) - f64::from(l))) as f32)
        .collect()
}

impl Piece {
    /// Writes the piece into a tree, from one of its subdomains on.
    pub fn write(self, at: usize, tree: &mut Growing) {
        for (conjunction, evidence) in self.refuted {
            tree.refute(at, conjunction, || evidence);
        }
        match self.parts {
            None => tree.close(at),
            Some(parts) => {
                let Parts { activation, element, sides } = *parts;
                let places = tree.split_sign(at, activation, element);
                sides.into_iter().zip(places).for_each(|(side, place)| side.write(place, tree));
            }
        }
    }
}
