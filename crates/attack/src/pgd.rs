//! Projected gradient descent.

use crate::problem::{Problem, require};
use crate::{Adversarial, Attack, AttackError, Classifier, Criterion, Loss, Seed};
use perturb_graph::{Norm, Tensor};
use perturb_threat::Ball;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

/// Projected gradient descent (Madry et al. 2018): `x ← Π(x + α·d)` with `d = sign(∇ₓL)` for ℓ∞ and `∇ₓL/‖∇ₓL‖₂` for ℓ2,
/// α = `relative_step`·ε and Π the projection onto ball and bounds, from a uniformly random point of the ball.
///
/// The search for an example ends at the first iterate that meets the criterion, and returns it; where none does, it
/// returns the iterate whose logits came closest. (Libraries that return the last iterate find no more.)
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pgd {
    /// Steps of each restart.
    pub steps: usize,
    /// Step size divided by ε.
    pub relative_step: f64,
    /// Whether to start from a random point of the ball instead of from its centre.
    pub random_start: bool,
    /// How many searches, each from a new start, to make at most.
    pub restarts: usize,
    /// What the steps raise, or lower for a target.
    pub loss: Loss,
}

impl Default for Pgd {
    /// 40 steps of 2.5·ε/40: the paper's rule 2.5·ε/steps, with which every start can reach every point of the ball.
    fn default() -> Self {
        Pgd { steps: 40, relative_step: 2.5 / 40.0, random_start: true, restarts: 1, loss: Loss::CrossEntropy }
    }
}

impl Attack for Pgd {
    fn name(&self) -> &'static str {
        "PGD"
    }

    fn run(
        &self,
        model: &Classifier,
        inputs: &Tensor,
        criterion: &Criterion,
        ball: &Ball,
        seed: &Seed,
    ) -> Result<Adversarial, AttackError> {
        let step = self.relative_step;
        require(step > 0.0 && step.is_finite(), self.name(), "relative_step", step, "positive")?;
        require(self.restarts > 0, self.name(), "restarts", 0.0, "1 or more")?;
        require(self.random_start || self.steps > 0, self.name(), "steps", 0.0, "1 or more without random start")?;
        let mut problem = Problem::new(model, inputs, criterion, ball, seed)?;
        problem.supports(self.name(), &[Norm::L2, Norm::Linf])?;
        problem.needs_budget(self.name())?;
        let mut pending: Vec<Search> = problem.pending().into_iter().map(|row| Search::new(&problem, row)).collect();
        for _ in 0..self.restarts {
            for search in &mut pending {
                search.start(&problem, self.random_start);
            }
            self.descend(&mut problem, &mut pending)?;
        }
        problem.finish()
    }
}

// The search for one example.
struct Search {
    row: usize,
    rng: ChaCha8Rng,
    x: Vec<f32>,
    best: f64,
}

impl Search {
    fn new(problem: &Problem, row: usize) -> Search {
        Search { row, rng: problem.stream(row), x: Vec::new(), best: f64::INFINITY }
    }

    fn start(&mut self, problem: &Problem, random: bool) {
        let center = problem.center(self.row);
        self.x = if random { problem.ball.sample(center, &mut self.rng) } else { center.to_vec() };
    }
}

impl Pgd {
    // One restart; whoever succeeds leaves `pending`.
    fn descend(&self, problem: &mut Problem, pending: &mut Vec<Search>) -> Result<(), AttackError> {
        let model = problem.model;
        for step in 0..=self.steps {
            if pending.is_empty() {
                break;
            }
            let rows: Vec<usize> = pending.iter().map(|s| s.row).collect();
            let x: Vec<f32> = pending.iter().flat_map(|s| &s.x).copied().collect();
            problem.count(&rows);
            if step == self.steps {
                let logits = model.logits_of(&x)?;
                judge(problem, pending, &logits);
                break;
            }
            let classes = problem.criterion.select(&rows);
            let found = model.loss_gradient_of(self.loss, &x, classes.classes())?;
            let (ball, sign, size) = (problem.ball, problem.criterion.sign(), self.relative_step);
            let fooled = judge(problem, pending, &found.logits);
            let gradients = found.gradients.chunks_exact(model.width()).zip(fooled).filter(|(_, done)| !done);
            let gradients: Vec<&[f32]> = gradients.map(|(gradient, _)| gradient).collect();
            let centers: Vec<&[f32]> = pending.iter().map(|s| problem.center(s.row)).collect();
            pending.par_iter_mut().zip(gradients).zip(centers).for_each(|((search, gradient), center)| {
                advance(&mut search.x, gradient, ball, f64::from(sign) * size * ball.epsilon());
                ball.project(center, &mut search.x);
            });
        }
        Ok(())
    }
}

// Keeps points that are better than all before, and removes those that meet the criterion; tells which did.
fn judge(problem: &mut Problem, pending: &mut Vec<Search>, logits: &[f32]) -> Vec<bool> {
    let mut fooled = Vec::with_capacity(pending.len());
    for (search, z) in pending.iter_mut().zip(logits.chunks_exact(problem.model.classes())) {
        let done = problem.criterion.is_adversarial(search.row, z);
        let margin = problem.criterion.margin(search.row, z);
        if done || margin < search.best {
            search.best = margin;
            problem.keep(search.row, &search.x);
        }
        fooled.push(done);
    }
    let mut done = fooled.iter();
    pending.retain(|_| !done.next().is_some_and(|&d| d));
    fooled
}

// x + step·direction of steepest ascent, in place; a negative step descends.
fn advance(x: &mut [f32], gradient: &[f32], ball: &Ball, step: f64) {
    let length = match ball.norm() {
        Norm::L2 => gradient.iter().map(|&g| f64::from(g).powi(2)).sum::<f64>().sqrt().max(f64::MIN_POSITIVE),
        _ => 1.0,
    };
    for (v, &g) in x.iter_mut().zip(gradient) {
        let direction = match ball.norm() {
            Norm::L2 => f64::from(g) / length,
            // `signum` is 1 at zero.
            _ if g == 0.0 => 0.0,
            _ => f64::from(g.signum()),
        };
        *v = (f64::from(*v) + step * direction) as f32;
    }
}
