//! Branch and bound over the inputs, for networks of few inputs.

use super::boxes::{BoxBounds, BoxesFound, Corners};
use super::combine::Planes;
use super::falsify::{Falsifier, POINTS};
use super::network::Network;
use super::pieces::{Decision, Question};
use super::query::{Case, Row, as_written};
use super::tree::Growing;
use super::{End, Watch};
use crate::Result;
use crate::check::prover::{self, Prover};
use crate::proof::Evidence;
use rayon::prelude::*;
use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashSet};

/// Boxes that one executable bounds at a time, and boxes of one round.
const ITEMS: usize = 64;
const ROUND: usize = 512;
/// How much a side counts that the plane does not see, because it still blurs the inner bounds: relative to the plane's mean
/// slope. Without it some properties of ACAS Xu need eighty times as many boxes.
const BLUR: f32 = 0.5;
/// Most open signs with which a box is decided piece by piece.
const MOST_OPEN_SIGNS: f32 = 24.0;

/// First steps, relative to the whole box, and number of steps of the descents from a round's lowest corners.
const NEAR: f32 = 0.02;
const STEPS: usize = 20;

/// A box on which some conjunctions are still open.
struct Open {
    corners: Corners,
    conjunctions: Vec<usize>,
    /// The least of the conjunctions' best lower bounds, of the box that this one was cut from.
    bound: f64,
    place: usize,
}

impl PartialEq for Open {
    fn eq(&self, other: &Open) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Open {}

impl PartialOrd for Open {
    fn partial_cmp(&self, other: &Open) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Open {
    // The lowest bound first: there a counterexample is most likely.
    fn cmp(&self, other: &Open) -> Ordering {
        other.bound.total_cmp(&self.bound).then(other.place.cmp(&self.place))
    }
}

/// The executables of a search.
struct Search<'a> {
    prover: &'a Prover<'a>,
    index: usize,
    conjunctions: &'a [Vec<Row>],
    starts: Vec<usize>,
    inputs: usize,
    /// Without it the prover bounds boxes.
    compiled: Option<BoxBounds>,
}

/// Most operands of `relu`s for which compiled bounds, which walk from each of them on every box, are worth it. The prover walks
/// from those only whose sign is open, over the weights only that are not 0, and in `f64`: `nn4sys` has 60,100 of them behind
/// matrices of which 99.5 % is 0, and weights of 10¹⁰.
const MOST_OPERANDS: usize = 8192;

/// What bounds say of a conjunction on a box.
struct Found {
    conjunction: usize,
    /// Weights of the constraints, as written, of the combination that is highest, and its lowest value.
    weights: Vec<f32>,
    least: f64,
    /// Slopes of its plane.
    slopes: Vec<f32>,
    /// How many operands of `relu`s have an open sign on the box.
    open_signs: f32,
}

/// Refutes all conjunctions of a case, or finds a counterexample.
///
/// # Errors
/// If bounds cannot be compiled or computed.
pub(crate) fn search(
    network: &Network,
    prover: &Prover<'_>,
    index: usize,
    case: &Case,
    falsifier: &mut Falsifier<'_>,
    tree: &mut Growing,
    watch: &Watch,
) -> Result<End> {
    if case.conjunctions.iter().any(Vec::is_empty) {
        return Ok(End::Unknown(
            "a case asks nothing of the outputs: every input of its box is a counterexample".into(),
        ));
    }
    let search = Search::compile(network, prover, (index, case), watch.settings.memory_limit)?;
    let whole = Corners { lower: case.lower.clone(), upper: case.upper.clone() };
    let all = (0..case.conjunctions.len()).collect();
    let mut heap = BinaryHeap::from([Open { corners: whole, conjunctions: all, bound: f64::NEG_INFINITY, place: 0 }]);
    while !heap.is_empty() {
        if let Some(end) = watch.over() {
            return Ok(end);
        }
        let count = heap.len().min(ROUND);
        let round: Vec<Open> = std::iter::from_fn(|| heap.pop()).take(count).collect();
        round.iter().for_each(|_| watch.visited());
        let (mut points, mut cut) = (Vec::new(), Vec::new());
        let open = search.refute(round, tree)?;
        let decide = |(open, worst): &(Open, Found)| {
            let question = Question { prover, index, case, corners: &open.corners };
            if worst.open_signs > MOST_OPEN_SIGNS { Decision::Open } else { question.decide(&open.conjunctions) }
        };
        let decisions: Vec<Decision> = open.par_iter().map(decide).collect();
        for ((open, worst), decision) in open.into_iter().zip(decisions) {
            match decision {
                Decision::Refuted(piece) => {
                    piece.write(open.place, tree);
                    continue;
                }
                Decision::Point(point) => points.extend(point),
                Decision::Open => points.extend(lowest_corner(&open.corners, &worst.slopes)),
            }
            cut.push((open, worst));
        }
        if let Some(witness) = falsifier.check(index, case, &points)? {
            return Ok(End::Sat(witness));
        }
        // From where the bounds are lowest, a little further.
        cut.sort_by(|(_, a), (_, b)| a.least.total_cmp(&b.least));
        let near: Vec<&(Open, Found)> = cut.iter().take(POINTS).collect();
        if !near.is_empty() {
            let starts: Vec<f32> =
                near.iter().flat_map(|(o, worst)| lowest_corner(&o.corners, &worst.slopes)).collect();
            let conjunctions: Vec<usize> = near.iter().map(|(_, worst)| worst.conjunction).collect();
            if let Some(witness) = falsifier.descend_from(index, case, &starts, &conjunctions, NEAR, STEPS)? {
                return Ok(End::Sat(witness));
            }
        }
        for (open, worst) in cut {
            let Some((input, at)) = widest(&open.corners, &worst.slopes) else {
                return Ok(End::Unknown("a box that cannot be cut any more stays undecided".into()));
            };
            let places = tree.split_input(open.place, input, f64::from(at));
            for (corners, place) in open.corners.halves(input, at).into_iter().zip(places) {
                let conjunctions = open.conjunctions.clone();
                heap.push(Open { corners, conjunctions, bound: worst.least, place });
            }
        }
        watch.open(heap.len(), heap.peek().map(|o| o.bound));
    }
    Ok(End::Unsat)
}

impl<'a> Search<'a> {
    fn compile(
        network: &Network,
        prover: &'a Prover<'a>,
        (index, case): (usize, &'a Case),
        memory_limit: u64,
    ) -> Result<Search<'a>> {
        let rows: Vec<&Row> = case.rows().collect();
        let operands: usize = network.operands().iter().map(|o| o.shape().count()).sum();
        let few = operands <= MOST_OPERANDS;
        let compiled = few.then(|| BoxBounds::compile(network, &rows, ITEMS, memory_limit)).transpose()?;
        let (conjunctions, starts, inputs) = (case.conjunctions.as_slice(), case.starts(), network.inputs());
        Ok(Search { prover, index, conjunctions, starts, inputs, compiled })
    }

    // Bounds of all rows on some boxes.
    fn bounds(&self, boxes: &[&Corners]) -> Result<BoxesFound> {
        if let Some(compiled) = &self.compiled {
            return compiled.run(boxes);
        }
        let planes = |corners: &&Corners| self.prover.planes(self.index, &corners.lower, &corners.upper);
        let mut found = BoxesFound { lower: Vec::new(), slopes: Vec::new(), open_signs: Vec::new() };
        for planes in boxes.par_iter().map(planes).collect::<Vec<_>>() {
            let scales = self.conjunctions.iter().flatten().map(|row| row.scale);
            let scaled = |slopes: &[f32], scale: f64| slopes.iter().map(|s| s * scale as f32).collect::<Vec<f32>>();
            found.lower.extend(planes.lower.iter().zip(scales.clone()).map(|(l, scale)| l * scale));
            found.slopes.extend(planes.slopes.chunks(self.inputs).zip(scales).flat_map(|(s, scale)| scaled(s, scale)));
            found.open_signs.push(planes.open as f32);
        }
        Ok(found)
    }

    /// Closes what can be refuted, and returns the boxes on which something stays open, with what is known of the
    /// conjunction that is farthest from being refuted.
    fn refute(&self, round: Vec<Open>, tree: &mut Growing) -> Result<Vec<(Open, Found)>> {
        let bounds = self.bounds(&round.iter().map(|o| &o.corners).collect::<Vec<_>>())?;
        let found: Vec<Vec<Found>> = round
            .iter()
            .enumerate()
            .map(|(item, open)| {
                open.conjunctions.iter().map(|&c| self.found(item, &open.corners, c, &bounds)).collect()
            })
            .collect();
        let (mut asked, mut questions) = (Vec::new(), Vec::new());
        for (item, open) in round.iter().enumerate() {
            let mut refutations = Vec::new();
            for (place, (found, &c)) in found[item].iter().zip(&open.conjunctions).enumerate() {
                if found.least > 0.0 {
                    asked.push((item, place));
                    refutations.push((c, found.weights.as_slice()));
                }
            }
            if !refutations.is_empty() {
                questions.push(prover::Question {
                    lower: &open.corners.lower,
                    upper: &open.corners.upper,
                    refutations,
                });
            }
        }
        let holds = self.prover.refuted(self.index, &questions).into_iter().flatten();
        let proved: HashSet<(usize, usize)> =
            asked.into_iter().zip(holds).filter(|(_, h)| *h).map(|(a, _)| a).collect();
        let mut open_still = Vec::new();
        for (item, (mut open, found)) in round.into_iter().zip(found).enumerate() {
            let mut conjunctions = Vec::new();
            let mut worst: Option<Found> = None;
            for (place, (c, found)) in open.conjunctions.iter().copied().zip(found).enumerate() {
                if proved.contains(&(item, place)) {
                    tree.refute(open.place, c, || evidence(found.weights));
                    continue;
                }
                conjunctions.push(c);
                if worst.as_ref().is_none_or(|w| found.least < w.least) {
                    worst = Some(found);
                }
            }
            open.conjunctions = conjunctions;
            match worst {
                Some(worst) => open_still.push((open, worst)),
                None => tree.close(open.place),
            }
        }
        Ok(open_still)
    }

    // The best combination of a conjunction's constraints on a box, by the planes of the search.
    fn found(&self, item: usize, corners: &Corners, conjunction: usize, bounds: &BoxesFound) -> Found {
        let (rows, all) =
            (self.starts[conjunction]..self.starts[conjunction + 1], self.starts[self.conjunctions.len()]);
        let radius: Vec<f32> = corners.lower.iter().zip(&corners.upper).map(|(l, u)| 0.5 * u - 0.5 * l).collect();
        let slopes: Vec<&[f32]> = rows
            .clone()
            .map(|r| {
                let start = (item * all + r) * self.inputs;
                &bounds.slopes[start..start + self.inputs]
            })
            .collect();
        let middle: Vec<f64> = rows
            .zip(&slopes)
            .map(|(r, s)| {
                let reach: f64 = s.iter().zip(&radius).map(|(a, r)| f64::from(a.abs()) * f64::from(*r)).sum();
                bounds.lower[item * all + r] + reach
            })
            .collect();
        let (weights, least) = Planes { middle: &middle, slopes: slopes.clone(), radius: &radius }.best();
        let combined = (0..radius.len()).map(|i| slopes.iter().zip(&weights).map(|(s, w)| s[i] * w).sum()).collect();
        Found {
            conjunction,
            weights: as_written(&weights, &self.conjunctions[conjunction]),
            least: if least.is_nan() { f64::NEG_INFINITY } else { least },
            slopes: combined,
            open_signs: bounds.open_signs[item],
        }
    }
}

fn evidence(weights: Vec<f32>) -> Evidence {
    Evidence { weights, slopes: None, multipliers: Vec::new() }
}

// The corner at which a plane of these slopes is lowest.
fn lowest_corner(corners: &Corners, slopes: &[f32]) -> Vec<f32> {
    let ends = corners.lower.iter().zip(&corners.upper).zip(slopes);
    ends.map(|((&l, &u), &s)| if s > 0.0 { l } else { u }).collect()
}

// The input along which the plane falls most, of those that can be cut, and the cut.
fn widest(corners: &Corners, slopes: &[f32]) -> Option<(usize, f32)> {
    let cuts = (0..slopes.len()).map(|i| (i, corners.middle(i)));
    let mean = slopes.iter().map(|s| s.abs()).sum::<f32>() / slopes.len() as f32;
    let inside = cuts.filter(|&(i, cut)| corners.lower[i] < cut && cut < corners.upper[i]);
    inside.max_by(|a, b| {
        let fall = |i: usize| (slopes[i].abs() + BLUR * mean) * (corners.upper[i] - corners.lower[i]);
        let finite = |x: f32| if x.is_nan() { 0.0 } else { x };
        finite(fall(a.0)).total_cmp(&finite(fall(b.0)))
    })
}
