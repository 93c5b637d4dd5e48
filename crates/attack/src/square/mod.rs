//! The Square attack: random search over localised changes.

mod bumps;
mod stripes;

use crate::geometry::Geometry;
use crate::problem::{Problem, require};
use crate::{Adversarial, Attack, AttackError, Classifier, Criterion, Seed};
use perturb_graph::Tensor;
use perturb_threat::{Ball, Norm};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

/// Square attack (Andriushchenko et al. 2020, algorithms 1 to 3; in ℓ1 Croce and Hein 2021): random search that sees the logits only. Each proposal
/// changes one randomly placed square window, and is kept if it lowers the loss (margin; cross-entropy of the target if
/// targeted). The windows' share of the image falls on the published schedule, stretched to the number of queries.
///
/// An example `[C, H, W]` is an image with C channels; `[H, W]` one channel; of more axes, those after the second count
/// as one. For features `[d]`, a vector with one row, windows are blocks of neighbouring coordinates of the same share.
/// Axes of size 1 do not count.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Square {
    /// Most queries on each example.
    pub queries: u64,
    /// Share of the image that the first windows cover.
    pub initial_fraction: f64,
}

impl Default for Square {
    /// 5000 queries, 0.8.
    fn default() -> Self {
        Square { queries: 5000, initial_fraction: 0.8 }
    }
}

impl Attack for Square {
    fn name(&self) -> &'static str {
        "Square"
    }

    fn run(
        &self,
        model: &Classifier,
        inputs: &Tensor,
        criterion: &Criterion,
        ball: &Ball,
        seed: &Seed,
    ) -> Result<Adversarial, AttackError> {
        let fraction = self.initial_fraction;
        require(self.queries > 0, self.name(), "queries", 0.0, "1 or more")?;
        require(fraction > 0.0 && fraction <= 1.0, self.name(), "initial_fraction", fraction, "in (0, 1]")?;
        let mut problem = Problem::new(model, inputs, criterion, ball, seed)?;
        problem.supports(self.name(), &[Norm::L1, Norm::L2, Norm::Linf])?;
        problem.needs_budget(self.name())?;
        let geometry = Geometry::of(model.example_shape());
        let start =
            |row| Search { row, rng: problem.stream(row), x: problem.center(row).to_vec(), loss: f64::INFINITY };
        let mut pending: Vec<Search> = problem.pending().into_iter().map(start).collect();
        for query in 0..self.queries {
            if pending.is_empty() {
                break;
            }
            // The first query is the start, then the schedule begins.
            let fraction = query.checked_sub(1).map(|done| fraction * shrinkage(done, self.queries));
            self.query(&mut problem, &mut pending, &geometry, fraction)?;
        }
        for search in &pending {
            problem.keep(search.row, &search.x);
        }
        problem.finish()
    }
}

// The search for one example: its best point so far.
struct Search {
    row: usize,
    rng: ChaCha8Rng,
    x: Vec<f32>,
    loss: f64,
}

impl Square {
    // One query of all pending examples; whoever succeeds leaves. Without a fraction the query is the start.
    fn query(
        &self,
        problem: &mut Problem,
        pending: &mut Vec<Search>,
        geometry: &Geometry,
        fraction: Option<f64>,
    ) -> Result<(), AttackError> {
        let (model, criterion, ball) = (problem.model, problem.criterion, problem.ball);
        let centers: Vec<&[f32]> = pending.iter().map(|s| problem.center(s.row)).collect();
        let proposals: Vec<Vec<f32>> = pending
            .par_iter_mut()
            .zip(&centers)
            .map(|(search, center)| propose(search, center, ball, geometry, fraction))
            .collect();
        let rows: Vec<usize> = pending.iter().map(|s| s.row).collect();
        let logits = problem.logits(&rows, &proposals.concat())?;
        let mut fooled = Vec::with_capacity(rows.len());
        for ((search, proposal), z) in pending.iter_mut().zip(proposals).zip(logits.chunks_exact(model.classes())) {
            let (done, loss) = (criterion.is_adversarial(search.row, z), loss(criterion, search.row, z));
            if done || loss < search.loss {
                (search.x, search.loss) = (proposal, loss);
            }
            if done {
                problem.keep(search.row, &search.x);
            }
            fooled.push(done);
        }
        let mut done = fooled.into_iter();
        pending.retain(|_| !done.next().unwrap_or(false));
        Ok(())
    }
}

fn propose(search: &mut Search, center: &[f32], ball: &Ball, geometry: &Geometry, fraction: Option<f64>) -> Vec<f32> {
    let rng = &mut search.rng;
    match (ball.norm(), fraction) {
        (Norm::L1 | Norm::L2, None) => bumps::start(center, ball, geometry, rng),
        (Norm::L1 | Norm::L2, Some(share)) => bumps::propose(center, &search.x, ball, geometry, share, rng),
        (_, None) => stripes::start(center, ball, geometry, rng),
        (_, Some(share)) => stripes::propose(center, &search.x, ball, geometry, share, rng),
    }
}

// What the search lowers (§3 of the paper).
fn loss(criterion: &Criterion, row: usize, logits: &[f32]) -> f64 {
    match criterion {
        Criterion::Misclassify { .. } => criterion.margin(row, logits),
        Criterion::Targeted { classes } => {
            let largest = logits.iter().fold(f32::NEG_INFINITY, |a, &b| a.max(b));
            let sum: f64 = logits.iter().map(|&z| f64::from(z - largest).exp()).sum();
            sum.ln() - f64::from(logits[classes[row]] - largest)
        }
    }
}

// By what the initial share is multiplied after `done` of `total` queries: halved at the paper's iterations 10, 50, 200,
// 500, 1000, 2000, 4000, 6000 and 8000 of 10000.
fn shrinkage(done: u64, total: u64) -> f64 {
    let iteration = (u128::from(done) * 10_000 / u128::from(total)) as u64;
    let halvings = [10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000].iter().filter(|&&at| iteration > at).count();
    0.5f64.powi(halvings as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    // The values of p_selection in the authors' code, relative to p_init.
    #[test]
    fn schedule_is_that_of_the_paper() {
        for (done, divisor) in [
            (0, 1),
            (10, 1),
            (11, 2),
            (50, 2),
            (51, 4),
            (201, 8),
            (501, 16),
            (1001, 32),
            (2001, 64),
            (4001, 128),
            (6001, 256),
            (8001, 512),
            (9999, 512),
        ] {
            assert_eq!(shrinkage(done, 10_000), 1.0 / f64::from(divisor), "{done}");
            assert_eq!(shrinkage(done / 10, 1000), shrinkage(done / 10 * 10, 10_000));
        }
    }

    #[test]
    fn targeted_loss_is_the_cross_entropy() {
        let criterion = Criterion::Targeted { classes: vec![1] };
        let expected = -(2f64.exp() / (1f64.exp() + 2f64.exp() + 0.5f64.exp())).ln();
        assert!((loss(&criterion, 0, &[1.0, 2.0, 0.5]) - expected).abs() < 1e-7);
    }
}
