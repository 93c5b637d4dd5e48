//! The fast adaptive boundary attack.

use crate::problem::{Problem, require};
use crate::{Adversarial, Attack, AttackError, Ball, Classifier, Criterion, Norm, Seed};
use perturb_graph::Tensor;
use perturb_threat::step_to_hyperplane;
use rand::{Rng, RngExt};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;

/// FAB (Croce and Hein 2020, "Minimally distorted adversarial examples…", algorithm 1) in ℓ∞, ℓ2 and ℓ1: the iterate x and
/// the example x₀ are both projected onto the nearest linearised boundary within the bounds, by steps d and d₀, and
/// `x ← (1 − α)(x + ηd) + α(x₀ + ηd₀)` with `α = min(‖d‖/(‖d‖ + ‖d₀‖), α_max)`; an adversarial iterate is recorded and
/// taken back towards x₀ by the factor β.
///
/// In a ball of infinite radius it returns the nearest adversarial example found; in a finite one, the first within it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fab {
    /// Iterations of each restart.
    pub steps: usize,
    /// Searches: the first from the example, the others from random points about half as far away as the nearest
    /// adversarial example yet, or the radius.
    pub restarts: usize,
    /// Largest weight α_max of the step from the example.
    pub bias: f64,
    /// Extrapolation η of the steps.
    pub overshoot: f64,
    /// What is left (β) of the perturbation after a success.
    pub backward: f64,
    /// FAB-T: boundaries to one class after another, this many at most, the likeliest first; else to all at once, which
    /// takes a gradient for every class.
    pub targets: Option<usize>,
}

impl Default for Fab {
    /// FAB: 100 iterations, α_max = 0.1, η = 1.05, β = 0.9.
    fn default() -> Self {
        Fab { steps: 100, restarts: 1, bias: 0.1, overshoot: 1.05, backward: 0.9, targets: None }
    }
}

impl Fab {
    /// FAB-T with 9 targets.
    pub fn targeted() -> Fab {
        Fab { targets: Some(9), ..Fab::default() }
    }
}

/// Floor of step lengths, which α divides by.
const SHORTEST: f64 = 1e-8;
const TINY: f64 = 1e-12;

impl Attack for Fab {
    fn name(&self) -> &'static str {
        if self.targets.is_some() { "FAB-T" } else { "FAB" }
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
        require(self.restarts > 0, name, "restarts", 0.0, "1 or more")?;
        require(self.targets != Some(0), name, "targets", 0.0, "1 or more")?;
        require((0.0..=1.0).contains(&self.bias), name, "bias", self.bias, "in [0, 1]")?;
        require((0.0..=1.0).contains(&self.backward), name, "backward", self.backward, "in [0, 1]")?;
        require(self.overshoot >= 1.0 && self.overshoot.is_finite(), name, "overshoot", self.overshoot, "1 or more")?;
        let mut problem = Problem::new(model, inputs, criterion, ball, seed)?;
        problem.supports(name, &[Norm::L1, Norm::L2, Norm::Linf])?;
        let mut pending: Vec<Search> = problem.pending().into_iter().map(|row| Search::new(&problem, row)).collect();
        let rounds = match (criterion, self.targets) {
            (Criterion::Misclassify { .. }, Some(targets)) => targets.min(model.classes() - 1),
            _ => 1,
        };
        for (round, restart) in (0..rounds).flat_map(|r| (0..self.restarts).map(move |s| (r, s))) {
            pending.iter_mut().for_each(|search| search.start(&problem, self, round, restart > 0));
            for _ in 0..self.steps {
                if pending.is_empty() {
                    break;
                }
                self.step(&mut problem, &mut pending)?;
            }
        }
        problem.project();
        problem.finish()
    }
}

// The search for one example.
struct Search {
    row: usize,
    rng: ChaCha8Rng,
    x: Vec<f32>,
    logits: Vec<f32>,
    /// Distance of the nearest adversarial example yet.
    best: f64,
    /// Classes to go to.
    rivals: Vec<usize>,
}

impl Search {
    fn new(problem: &Problem, row: usize) -> Search {
        let (rng, best) = (problem.stream(row), f64::INFINITY);
        Search { row, rng, x: Vec::new(), logits: Vec::new(), best, rivals: Vec::new() }
    }

    fn start(&mut self, problem: &Problem, fab: &Fab, round: usize, random: bool) {
        let (classes, center) = (problem.model.classes(), problem.center(self.row));
        self.logits = problem.clean[self.row * classes..(self.row + 1) * classes].to_vec();
        self.rivals = match (problem.criterion, fab.targets) {
            (Criterion::Targeted { classes }, _) => vec![classes[self.row]],
            (_, None) => problem.rivals(self.row),
            (_, Some(_)) => vec![problem.rivals(self.row)[round]],
        };
        let radius = 0.5 * self.best.min(problem.ball.epsilon());
        self.x = center.to_vec();
        if random && radius.is_finite() {
            scatter(&mut self.x, problem.ball, radius, &mut self.rng);
        }
    }

    /// The class to get away from.
    fn current(&self, criterion: &Criterion) -> usize {
        match criterion {
            Criterion::Misclassify { labels } => labels[self.row],
            Criterion::Targeted { classes } => {
                let others = (0..self.logits.len()).filter(|&k| k != classes[self.row]);
                others.reduce(|best, k| if self.logits[k] > self.logits[best] { k } else { best }).unwrap_or(0)
            }
        }
    }
}

// Moves x by a random offset of the given length, within the bounds.
fn scatter(x: &mut [f32], ball: &Ball, radius: f64, rng: &mut impl Rng) {
    let draw = |rng: &mut _| match ball.norm() {
        Norm::Linf => RngExt::random_range(rng, -1.0..=1.0),
        _ => StandardNormal.sample(rng),
    };
    let offsets: Vec<f64> = x.iter().map(|_| draw(rng)).collect();
    let scale = radius / length(ball.norm(), &offsets).max(f64::MIN_POSITIVE);
    let (lo, hi) = ball.limits();
    x.iter_mut().zip(offsets).for_each(|(v, o)| *v = ((f64::from(*v) + scale * o) as f32).clamp(lo, hi));
}

fn length(norm: Norm, d: &[f64]) -> f64 {
    match norm {
        Norm::Linf => d.iter().fold(0.0, |m, d| f64::max(m, d.abs())),
        Norm::L2 => d.iter().map(|d| d * d).sum::<f64>().sqrt(),
        _ => d.iter().map(|d| d.abs()).sum(),
    }
}

fn dual(norm: Norm, gradient: &[f32]) -> f64 {
    let magnitudes = gradient.iter().map(|&g| f64::from(g).abs());
    match norm {
        Norm::Linf => magnitudes.sum(),
        Norm::L2 => magnitudes.map(|g| g * g).sum::<f64>().sqrt(),
        _ => magnitudes.fold(0.0, f64::max),
    }
}

impl Fab {
    // One iteration of all pending examples; whoever is adversarial within the ball leaves.
    fn step(&self, problem: &mut Problem, pending: &mut Vec<Search>) -> Result<(), AttackError> {
        let (model, criterion, ball) = (problem.model, problem.criterion, problem.ball);
        let (width, classes, count) = (model.width(), model.classes(), pending[0].rivals.len());
        let rows: Vec<usize> = pending.iter().map(|s| s.row).collect();
        let mut weights = vec![0.0f32; pending.len() * count * classes];
        for (search, weights) in pending.iter().zip(weights.chunks_exact_mut(count * classes)) {
            for (&rival, weights) in search.rivals.iter().zip(weights.chunks_exact_mut(classes)) {
                weights[rival] += 1.0;
                weights[search.current(criterion)] -= 1.0;
            }
        }
        let points = |pending: &[Search]| pending.iter().flat_map(|s| &s.x).copied().collect::<Vec<f32>>();
        let found = problem.logit_gradients(&rows, &points(pending), &weights, count)?;
        let centers: Vec<&[f32]> = rows.iter().map(|&row| problem.center(row)).collect();
        let parts = found.gradients.par_chunks_exact(count * width).zip(found.logits.par_chunks_exact(classes));
        pending.par_iter_mut().zip(parts).zip(&centers).for_each(|((search, (gradients, z)), center)| {
            let from = search.current(criterion);
            self.cross(search, from, z, gradients, center, ball);
        });
        let logits = problem.logits(&rows, &points(pending))?;
        let mut done = Vec::with_capacity(rows.len());
        for ((search, z), center) in pending.iter_mut().zip(logits.chunks_exact(classes)).zip(centers) {
            search.logits.copy_from_slice(z);
            if criterion.is_adversarial(search.row, z) {
                done.push(problem.keep_nearer(search.row, &search.x, &mut search.best));
                for (v, &c) in search.x.iter_mut().zip(center) {
                    *v = (f64::from(c) + self.backward * (f64::from(*v) - f64::from(c))) as f32;
                }
            } else {
                done.push(false);
            }
        }
        let mut done = done.into_iter();
        pending.retain(|_| !done.next().unwrap_or(false));
        Ok(())
    }

    // Moves over the nearest linearised boundary.
    fn cross(&self, search: &mut Search, from: usize, logits: &[f32], gradients: &[f32], center: &[f32], ball: &Ball) {
        let norm = ball.norm();
        let gap = |rival: usize| f64::from(logits[rival]) - f64::from(logits[from]);
        let nearest = search
            .rivals
            .iter()
            .zip(gradients.chunks_exact(center.len()))
            .map(|(&rival, g)| (gap(rival).abs() / (dual(norm, g) + TINY), gap(rival), g))
            .min_by(|(a, ..), (b, ..)| a.total_cmp(b));
        let Some((_, gap, gradient)) = nearest else { return };
        // The linearised difference of logits at the example.
        let slope = |(&g, (&c, &v)): (&f32, (&f32, &f32))| f64::from(g) * (f64::from(c) - f64::from(v));
        let at_center = gap + gradient.iter().zip(center.iter().zip(&search.x)).map(slope).sum::<f64>();
        let limits = ball.limits();
        let d = step_to_hyperplane(norm, &search.x, gradient, -gap, limits);
        let d0 = step_to_hyperplane(norm, center, gradient, -at_center, limits);
        let (near, far) = (length(norm, &d).max(SHORTEST), length(norm, &d0).max(SHORTEST));
        let alpha = (near / (near + far)).min(self.bias);
        for (((v, &c), d), d0) in search.x.iter_mut().zip(center).zip(d).zip(d0) {
            let here = f64::from(*v) + self.overshoot * d;
            let moved = (1.0 - alpha) * here + alpha * (f64::from(c) + self.overshoot * d0);
            *v = if moved.is_nan() { c } else { (moved as f32).clamp(limits.0, limits.1) };
        }
    }
}
