//! The elastic-net attack.

use crate::problem::{Problem, require};
use crate::tradeoff::Tradeoff;
use crate::{Adversarial, Attack, AttackError, Ball, Classifier, Criterion, Norm, Seed};
use perturb_graph::Tensor;

/// EAD (Chen et al. 2018, algorithm 1): FISTA minimises `c·max(margin(x), −κ) + ‖x − x₀‖² + β·‖x − x₀‖₁` within the bounds,
/// for several c found by binary search; coordinates that moved by less than β are set back. Of all adversarial iterates
/// the nearest in the ball's norm, ℓ1 or ℓ2, is returned.
///
/// In a ball of infinite radius it returns the nearest adversarial example found; in a finite one, the first within it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ElasticNet {
    /// Steps of each search.
    pub steps: usize,
    /// Searches, each with another c.
    pub searches: usize,
    /// The first c.
    pub initial_weight: f64,
    /// Step size at the start; it falls with the square root of the share of steps left.
    pub rate: f64,
    /// κ, by how much the margin should be passed.
    pub confidence: f64,
    /// β, the weight of the ℓ1 norm.
    pub shrinkage: f64,
    /// Whether a search ends when what it minimises has not fallen by 0.01% in a tenth of its steps.
    pub early_abort: bool,
}

impl Default for ElasticNet {
    /// 10 000 steps of 0.01, nine searches from c = 1e-3, κ = 0, β = 0.01, early abort.
    fn default() -> Self {
        ElasticNet {
            steps: 10_000,
            searches: 9,
            initial_weight: 1e-3,
            rate: 0.01,
            confidence: 0.0,
            shrinkage: 0.01,
            early_abort: true,
        }
    }
}

/// A search whose loss is above this share of what it was at the last check is over (as in the authors' code).
const ENOUGH: f64 = 0.9999;

// The search for one example: the iterate x and the extrapolated point y at which gradients are taken.
struct Search {
    row: usize,
    tradeoff: Tradeoff,
    best: f64,
    x: Vec<f32>,
    y: Vec<f32>,
    /// Whether this search succeeded, and whether it is over.
    succeeded: bool,
    over: bool,
    last_loss: f64,
}

impl Attack for ElasticNet {
    fn name(&self) -> &'static str {
        "EAD"
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
        let name = self.name();
        require(self.steps > 0, name, "steps", 0.0, "1 or more")?;
        require(self.searches > 0, name, "searches", 0.0, "1 or more")?;
        let positive = |v: f64| v > 0.0 && v.is_finite();
        require(positive(self.initial_weight), name, "initial_weight", self.initial_weight, "positive")?;
        require(positive(self.rate), name, "rate", self.rate, "positive")?;
        for (parameter, value) in [("confidence", self.confidence), ("shrinkage", self.shrinkage)] {
            require(value >= 0.0 && value.is_finite(), name, parameter, value, "0 or more")?;
        }
        let mut problem = Problem::new(model, inputs, criterion, ball, seed)?;
        problem.supports(name, &[Norm::L1, Norm::L2])?;
        let start = |row| {
            let (x, y) = (Vec::new(), Vec::new());
            let tradeoff = Tradeoff::new(self.initial_weight);
            Search { row, tradeoff, best: f64::INFINITY, x, y, succeeded: false, over: false, last_loss: f64::INFINITY }
        };
        let mut pending: Vec<Search> = problem.pending().into_iter().map(start).collect();
        for _ in 0..self.searches {
            for search in &mut pending {
                search.x = problem.center(search.row).to_vec();
                (search.y, search.succeeded) = (search.x.clone(), false);
                (search.over, search.last_loss) = (false, f64::INFINITY);
            }
            for step in 0..self.steps {
                if pending.iter().all(|search| search.over) {
                    break;
                }
                self.step(&mut problem, &mut pending, step)?;
            }
            pending.iter_mut().for_each(|search| search.tradeoff.update(search.succeeded));
        }
        problem.project();
        problem.finish()
    }
}

impl ElasticNet {
    // One step of all searches that go on; whoever is adversarial within the ball leaves.
    fn step(&self, problem: &mut Problem, pending: &mut Vec<Search>, step: usize) -> Result<(), AttackError> {
        let (width, classes) = (problem.model.width(), problem.model.classes());
        let active = || pending.iter().filter(|s| !s.over);
        let rows: Vec<usize> = active().map(|s| s.row).collect();
        let y: Vec<f32> = active().flat_map(|s| &s.y).copied().collect();
        let found = problem.margin_gradients(&rows, &y)?;
        let rate = self.rate * (1.0 - step as f64 / self.steps as f64).sqrt();
        let momentum = step as f64 / (step as f64 + 3.0);
        let parts = found.gradients.chunks_exact(width).zip(found.logits.chunks_exact(classes));
        for (search, (gradient, z)) in pending.iter_mut().filter(|s| !s.over).zip(parts) {
            let margin = problem.criterion.margin(search.row, z);
            let pull = if margin > -self.confidence { search.tradeoff.weight } else { 0.0 };
            self.shrink(search, problem.center(search.row), problem.ball, gradient, (pull, rate, momentum));
        }
        let x: Vec<f32> = pending.iter().filter(|s| !s.over).flat_map(|s| &s.x).copied().collect();
        let logits = problem.logits(&rows, &x)?;
        let mut logits = logits.chunks_exact(classes);
        let checking = self.early_abort && step.is_multiple_of(self.steps.div_ceil(10));
        pending.retain_mut(|search| {
            if search.over {
                return true;
            }
            let Some(z) = logits.next() else { return true };
            let margin = problem.criterion.margin(search.row, z);
            let passed = margin <= -self.confidence;
            if checking {
                let loss = self.loss(search, problem.center(search.row), margin);
                search.over = loss > ENOUGH * search.last_loss;
                search.last_loss = loss;
            }
            if !passed || !problem.criterion.is_adversarial(search.row, z) {
                return true;
            }
            search.succeeded = true;
            !problem.keep_nearer(search.row, &search.x, &mut search.best)
        });
        Ok(())
    }

    // What the search minimises.
    fn loss(&self, search: &Search, center: &[f32], margin: f64) -> f64 {
        let offsets = search.x.iter().zip(center).map(|(&v, &c)| f64::from(v) - f64::from(c));
        let distance: f64 = offsets.map(|d| d * d + self.shrinkage * d.abs()).sum();
        distance + search.tradeoff.weight * margin.max(-self.confidence)
    }

    // A gradient step from y, shrunk towards the centre by β and clipped, is the next x.
    fn shrink(
        &self,
        search: &mut Search,
        center: &[f32],
        ball: &Ball,
        gradient: &[f32],
        (pull, rate, momentum): (f64, f64, f64),
    ) {
        let (lo, hi) = ball.limits();
        let points = search.x.iter_mut().zip(&mut search.y).zip(center);
        for (((x, y), &c), &g) in points.zip(gradient) {
            let (wide, c) = (f64::from(*y), f64::from(c));
            let offset = wide - rate * (2.0 * (wide - c) + pull * f64::from(g)) - c;
            let kept = offset.signum() * (offset.abs() - self.shrinkage).max(0.0);
            let next = ((c + kept) as f32).clamp(lo, hi);
            *y = (f64::from(next) + momentum * (f64::from(next) - f64::from(*x))) as f32;
            *x = next;
        }
    }
}
