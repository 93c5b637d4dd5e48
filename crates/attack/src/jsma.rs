//! The Jacobian-based saliency map attack.

use crate::problem::{Problem, require};
use crate::{Adversarial, Attack, AttackError, Ball, Classifier, Criterion, Norm, Seed};
use perturb_graph::Tensor;
use rayon::prelude::*;

/// JSMA (Papernot et al. 2016, algorithm 3), ℓ0: again and again the pair of coordinates p, q with the largest saliency
/// `(α_p + α_q)·|β_p + β_q|`, where the target's logit rises, `α = ∂z_t > 0`, and the others fall, `β = Σ_{i≠t} ∂z_i < 0`,
/// is raised by θ of the range; with a negative θ lowered, where the signs are the other way round. Untargeted, t is the
/// likeliest other class.
///
/// Of inputs with more than 1024 coordinates that can still move, pairs of the 1024 with the largest `|α| + |β|` are
/// compared.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Jsma {
    /// θ, change of a coordinate, as a share of the input's range.
    pub change: f64,
    /// γ, largest share of coordinates to change; a finite ball may allow fewer.
    pub share: f64,
}

impl Default for Jsma {
    /// θ = 1, γ = 0.1.
    fn default() -> Self {
        Jsma { change: 1.0, share: 0.1 }
    }
}

const COMPARED: usize = 1024;

// The search for one example.
struct Search {
    row: usize,
    target: usize,
    x: Vec<f32>,
    left: usize,
}

impl Attack for Jsma {
    fn name(&self) -> &'static str {
        "JSMA"
    }

    fn minimizes_distance(&self) -> bool {
        true
    }

    fn run(
        &self,
        model: &Classifier,
        inputs: &Tensor,
        criterion: &Criterion,
        ball: &Ball,
        seed: &Seed,
    ) -> Result<Adversarial, AttackError> {
        let (name, change) = (self.name(), self.change);
        require(change != 0.0 && change.abs() <= 1.0, name, "change", change, "in [-1, 1] and not 0")?;
        require(self.share > 0.0 && self.share <= 1.0, name, "share", self.share, "in (0, 1]")?;
        let mut problem = Problem::new(model, inputs, criterion, ball, seed)?;
        problem.supports(name, &[Norm::L0])?;
        problem.needs_bounds(name)?;
        let left = ((self.share * model.width() as f64) as usize).max(1).min(ball.epsilon() as usize);
        let start = |row| {
            let target = match criterion {
                Criterion::Targeted { classes } => classes[row],
                Criterion::Misclassify { .. } => problem.rivals(row)[0],
            };
            Search { row, target, x: problem.center(row).to_vec(), left }
        };
        let mut pending: Vec<Search> = problem.pending().into_iter().map(start).collect();
        while !pending.is_empty() {
            self.step(&mut problem, &mut pending)?;
        }
        problem.finish()
    }
}

impl Jsma {
    // Changes a pair of every pending example; whoever succeeds, or has nothing left to change, leaves.
    fn step(&self, problem: &mut Problem, pending: &mut Vec<Search>) -> Result<(), AttackError> {
        let (model, ball) = (problem.model, problem.ball);
        let (width, classes) = (model.width(), model.classes());
        let rows: Vec<usize> = pending.iter().map(|s| s.row).collect();
        let mut weights = vec![0.0f32; pending.len() * 2 * classes];
        for (search, weights) in pending.iter().zip(weights.chunks_exact_mut(2 * classes)) {
            let (target, others) = weights.split_at_mut(classes);
            target[search.target] = 1.0;
            others.fill(1.0);
            others[search.target] = 0.0;
        }
        let x: Vec<f32> = pending.iter().flat_map(|s| &s.x).copied().collect();
        let found = problem.logit_gradients(&rows, &x, &weights, 2)?;
        let gradients = found.gradients.par_chunks_exact(2 * width);
        let moved: Vec<bool> = pending.par_iter_mut().zip(gradients).map(|(s, g)| self.change(s, ball, g)).collect();
        let x: Vec<f32> = pending.iter().flat_map(|s| &s.x).copied().collect();
        let logits = problem.logits(&rows, &x)?;
        let mut verdicts = logits.chunks_exact(classes).zip(moved);
        pending.retain(|search| {
            problem.keep(search.row, &search.x);
            let Some((z, moved)) = verdicts.next() else { return false };
            moved && search.left > 0 && !problem.criterion.is_adversarial(search.row, z)
        });
        Ok(())
    }

    // Whether there was a pair to change.
    fn change(&self, search: &mut Search, ball: &Ball, gradients: &[f32]) -> bool {
        let (lo, hi) = ball.limits();
        let (target, others) = gradients.split_at(search.x.len());
        let sign = self.change.signum() as f32;
        let movable = |&i: &usize| if sign > 0.0 { search.x[i] < hi } else { search.x[i] > lo };
        let mut candidates: Vec<usize> = (0..search.x.len()).filter(movable).collect();
        if candidates.len() > COMPARED {
            let size = |i: usize| target[i].abs() + others[i].abs();
            candidates.select_nth_unstable_by(COMPARED, |&i, &j| size(j).total_cmp(&size(i)).then(i.cmp(&j)));
            candidates.truncate(COMPARED);
            candidates.sort_unstable();
        }
        let mut best = (0.0, None);
        for (k, &p) in candidates.iter().enumerate() {
            for &q in &candidates[k + 1..] {
                let (rise, fall) = (sign * (target[p] + target[q]), -sign * (others[p] + others[q]));
                if rise > 0.0 && fall > 0.0 && rise * fall > best.0 {
                    best = (rise * fall, Some([p, q]));
                }
            }
        }
        let Some(pair) = best.1 else { return false };
        let step = self.change * (f64::from(hi) - f64::from(lo));
        for &i in pair.iter().take(search.left) {
            search.x[i] = ((f64::from(search.x[i]) + step) as f32).clamp(lo, hi);
        }
        search.left -= pair.len().min(search.left);
        true
    }
}
