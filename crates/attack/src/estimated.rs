//! Gradient ascent on gradients estimated from logits: SPSA and NES.

use crate::adam::Adam;
use crate::problem::{Problem, require};
use crate::{Adversarial, Attack, AttackError, Ball, Classifier, Criterion, Norm, Seed};
use perturb_graph::Tensor;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;

/// Which directions are tried, and how the estimate is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Estimator {
    /// SPSA (Uesato et al. 2018, algorithm 1): signs ±1, steps by Adam.
    Spsa,
    /// NES (Ilyas et al. 2018, algorithm 1): normal directions, steps along the sign.
    Nes,
}

/// Attack in ℓ∞ that sees the logits only: the gradient of the margin is estimated by
/// `mean[(m(x + c·v) − m(x − c·v))/(2c)·v]` over random directions v, and followed within ball and bounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimated {
    /// The variant.
    pub estimator: Estimator,
    /// Steps.
    pub steps: usize,
    /// Directions of each step; each takes two queries.
    pub pairs: usize,
    /// c, how far to look, in the units of the input.
    pub spacing: f64,
    /// Learning rate of Adam, or step along the sign, in the units of the input.
    pub rate: f64,
}

impl Estimated {
    /// SPSA: 100 steps of 128 pairs, c = 0.01, rate 0.01.
    pub fn spsa() -> Estimated {
        Estimated { estimator: Estimator::Spsa, steps: 100, pairs: 128, spacing: 0.01, rate: 0.01 }
    }

    /// NES: 100 steps of 50 pairs, c = 0.001, rate 0.01.
    pub fn nes() -> Estimated {
        Estimated { estimator: Estimator::Nes, steps: 100, pairs: 50, spacing: 0.001, rate: 0.01 }
    }
}

// The search for one example.
struct Search {
    row: usize,
    rng: ChaCha8Rng,
    x: Vec<f32>,
    adam: Adam,
    best: f64,
}

// Points whose logits are computed at once, for as many examples as that is enough for.
const POINTS: usize = 4096;

impl Attack for Estimated {
    fn name(&self) -> &'static str {
        match self.estimator {
            Estimator::Spsa => "SPSA",
            Estimator::Nes => "NES",
        }
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
        require(self.pairs > 0, name, "pairs", 0.0, "1 or more")?;
        let positive = |v: f64| v > 0.0 && v.is_finite();
        require(positive(self.spacing), name, "spacing", self.spacing, "positive")?;
        require(positive(self.rate), name, "rate", self.rate, "positive")?;
        let mut problem = Problem::new(model, inputs, criterion, ball, seed)?;
        problem.supports(name, &[Norm::Linf])?;
        problem.needs_budget(name)?;
        let start = |row| {
            let (rng, x) = (problem.stream(row), problem.center(row).to_vec());
            Search { row, rng, x, adam: Adam::default(), best: f64::INFINITY }
        };
        let mut pending: Vec<Search> = problem.pending().into_iter().map(start).collect();
        for _ in 0..self.steps {
            for group in pending.chunks_mut(POINTS.div_ceil(2 * self.pairs)) {
                self.step(&mut problem, group)?;
            }
            self.judge(&mut problem, &mut pending)?;
        }
        problem.finish()
    }
}

impl Estimated {
    fn step(&self, problem: &mut Problem, group: &mut [Search]) -> Result<(), AttackError> {
        let (width, classes) = (problem.model.width(), problem.model.classes());
        let directions: Vec<Vec<f32>> = group.par_iter_mut().map(|search| self.directions(search)).collect();
        let around = |search: &Search, v: &[f32], side: f64| -> Vec<f32> {
            let moved = |(&x, &v): (&f32, &f32)| (f64::from(x) + side * self.spacing * f64::from(v)) as f32;
            search.x.iter().zip(v).map(moved).collect()
        };
        let mut points = Vec::with_capacity(group.len() * 2 * self.pairs * width);
        for (search, directions) in group.iter().zip(&directions) {
            for v in directions.chunks_exact(width) {
                points.extend(around(search, v, 1.0));
                points.extend(around(search, v, -1.0));
            }
        }
        let rows: Vec<usize> = group.iter().flat_map(|s| std::iter::repeat_n(s.row, 2 * self.pairs)).collect();
        let logits = problem.logits(&rows, &points)?;
        let (criterion, ball) = (problem.criterion, problem.ball);
        let parts = group.par_iter_mut().zip(&directions).zip(logits.par_chunks_exact(2 * self.pairs * classes));
        let problem = &*problem;
        parts.for_each(|((search, directions), logits)| {
            let mut gradient = vec![0.0f64; width];
            for (v, z) in directions.chunks_exact(width).zip(logits.chunks_exact(2 * classes)) {
                let (ahead, behind) = z.split_at(classes);
                let rise = criterion.margin(search.row, ahead) - criterion.margin(search.row, behind);
                let slope = rise / (2.0 * self.spacing * self.pairs as f64);
                gradient.iter_mut().zip(v).for_each(|(g, &v)| *g += slope * f64::from(v));
            }
            self.descend(search, &gradient);
            ball.project(problem.center(search.row), &mut search.x);
        });
        Ok(())
    }

    fn directions(&self, search: &mut Search) -> Vec<f32> {
        let rng = &mut search.rng;
        let draw = |_| match self.estimator {
            Estimator::Spsa if rng.random::<bool>() => 1.0,
            Estimator::Spsa => -1.0,
            Estimator::Nes => StandardNormal.sample(rng),
        };
        (0..self.pairs * search.x.len()).map(draw).collect()
    }

    fn descend(&self, search: &mut Search, gradient: &[f64]) {
        match self.estimator {
            Estimator::Spsa => {
                let mut x: Vec<f64> = search.x.iter().map(|&v| f64::from(v)).collect();
                search.adam.descend(&mut x, gradient, self.rate);
                search.x.iter_mut().zip(x).for_each(|(v, x)| *v = x as f32);
            }
            Estimator::Nes => {
                for (v, &g) in search.x.iter_mut().zip(gradient).filter(|(_, g)| **g != 0.0) {
                    *v = (f64::from(*v) - self.rate * g.signum()) as f32;
                }
            }
        }
    }

    // Keeps the best points; whoever succeeds leaves.
    fn judge(&self, problem: &mut Problem, pending: &mut Vec<Search>) -> Result<(), AttackError> {
        if pending.is_empty() {
            return Ok(());
        }
        let rows: Vec<usize> = pending.iter().map(|s| s.row).collect();
        let x: Vec<f32> = pending.iter().flat_map(|s| &s.x).copied().collect();
        let logits = problem.logits(&rows, &x)?;
        let mut logits = logits.chunks_exact(problem.model.classes());
        pending.retain_mut(|search| {
            let Some(z) = logits.next() else { return false };
            let margin = problem.criterion.margin(search.row, z);
            let done = problem.criterion.is_adversarial(search.row, z);
            if done || margin < search.best {
                search.best = margin;
                problem.keep(search.row, &search.x);
            }
            !done
        });
        Ok(())
    }
}
