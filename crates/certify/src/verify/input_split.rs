//! Branch and bound over the inputs, for networks of few inputs.

use super::boxes::{BoxBounds, Corners};
use super::falsify::Falsifier;
use super::network::Network;
use super::query::{Case, Row};
use super::tree::Growing;
use super::{End, Watch};
use crate::Result;
use crate::proof::Evidence;
use perturb_graph::Tensor;
use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// Boxes that one executable bounds at a time, and boxes of one round.
const ITEMS: usize = 64;
const ROUND: usize = 512;

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

/// Refutes all conjunctions of a case, or finds a counterexample.
///
/// # Errors
/// If bounds cannot be compiled or computed.
pub(crate) fn search(
    network: &Network,
    index: usize,
    case: &Case,
    falsifier: &mut Falsifier,
    tree: &mut Growing,
    watch: &Watch,
) -> Result<End> {
    let rows: Vec<&Row> = case.rows().collect();
    let starts = case.starts();
    let mut matrix = vec![0.0; rows.len() * network.width()];
    for (row, target) in rows.iter().zip(matrix.chunks_mut(network.width())) {
        row.write(network.outputs, target);
    }
    let matrix = Tensor::new([rows.len(), network.width()], matrix)?;
    let bounds = BoxBounds::compile(network, &matrix, ITEMS, watch.settings.memory_limit)?;
    let whole = Corners { lower: case.lower.clone(), upper: case.upper.clone() };
    let all = (0..case.conjunctions.len()).collect();
    let mut heap =
        BinaryHeap::from([Open { corners: whole, conjunctions: all, bound: f64::NEG_INFINITY, place: 0 }]);
    while !heap.is_empty() {
        if let Some(end) = watch.over() {
            return Ok(end);
        }
        let mut round = Vec::with_capacity(ROUND);
        while let Some(open) = if round.len() < ROUND { heap.pop() } else { None } {
            round.push(open);
        }
        let found = bounds.run(&round.iter().map(|o| &o.corners).collect::<Vec<_>>())?;
        let mut points = Vec::new();
        for (item, mut open) in round.into_iter().enumerate() {
            let at = |row: usize| {
                let sum = f64::from(found.lower[item * bounds.rows + row]) + rows[row].constant;
                // Sum of two numbers that are not above what they stand for.
                if sum.is_nan() { f64::NEG_INFINITY } else { sum.next_down() }
            };
            let mut worst: Option<(f64, usize)> = None;
            open.conjunctions.retain(|&c| {
                let best = (starts[c]..starts[c + 1]).max_by(|&a, &b| at(a).total_cmp(&at(b)));
                // An empty conjunction holds everywhere.
                let Some(best) = best else { return true };
                if at(best) > 0.0 {
                    if tree.keeps() {
                        let weights = (starts[c]..starts[c + 1]).map(|r| f32::from(u8::from(r == best))).collect();
                        tree.refute(open.place, c, Evidence { weights, slopes: None, multipliers: Vec::new() });
                    }
                    return false;
                }
                if worst.is_none_or(|(bound, _)| at(best) < bound) {
                    worst = Some((at(best), best));
                }
                true
            });
            watch.visited();
            if open.conjunctions.is_empty() {
                tree.close(open.place);
                continue;
            }
            let (bound, row) = worst.unwrap_or((f64::NEG_INFINITY, 0));
            let plane = (item * bounds.rows + row) * bounds.inputs;
            let slopes = &found.slopes[plane..plane + bounds.inputs];
            points.extend(lowest_corner(&open.corners, slopes));
            let Some((input, cut)) = widest(&open.corners, slopes) else {
                return Ok(End::Unknown("a box that cannot be cut any more stays undecided".into()));
            };
            let places = tree.split_input(open.place, input, f64::from(cut));
            for (corners, place) in open.corners.halves(input, cut).into_iter().zip(places) {
                heap.push(Open { corners, conjunctions: open.conjunctions.clone(), bound, place });
            }
        }
        if let Some(witness) = falsifier.check(index, case, &points)? {
            return Ok(End::Sat(witness));
        }
        watch.open(heap.len(), heap.peek().map(|o| o.bound));
    }
    Ok(End::Unsat)
}

// The corner at which a plane of these slopes is lowest.
fn lowest_corner(corners: &Corners, slopes: &[f32]) -> Vec<f32> {
    let ends = corners.lower.iter().zip(&corners.upper).zip(slopes);
    ends.map(|((&l, &u), &s)| if s > 0.0 { l } else { u }).collect()
}

// The input along which the plane falls most, of those that can be cut, and the cut.
fn widest(corners: &Corners, slopes: &[f32]) -> Option<(usize, f32)> {
    let cuts = (0..slopes.len()).map(|i| (i, corners.middle(i)));
    let inside = cuts.filter(|&(i, cut)| corners.lower[i] < cut && cut < corners.upper[i]);
    inside.max_by(|a, b| {
        // A side that the plane does not see still blurs the inner bounds.
        let fall = |i: usize| (slopes[i].abs() + 1e-6) * (corners.upper[i] - corners.lower[i]);
        let finite = |x: f32| if x.is_nan() { 0.0 } else { x };
        finite(fall(a.0)).total_cmp(&finite(fall(b.0)))
    })
}
