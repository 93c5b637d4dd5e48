//! Fitting a function to an equation.

use super::{Ansatz, Problem, jet};
use crate::{Result, ScienceError};
use perturb_engine::{Executable, Options};
use perturb_graph::{DType, Expr, Tensor};
use perturb_nn::{Adam, Cosine, Key, Layers, Lbfgs, Parameters, Step, Trainer, Without};
use std::sync::Arc;

/// Adam on random points of the domain, new ones in every step, then rounds of L-BFGS on points that stay for a round.
#[derive(Clone, Debug, PartialEq)]
pub struct Fit {
    /// Points at which the equation is asked for.
    pub points: usize,
    /// Weight of the mean squared residual.
    pub residual_weight: f64,
    /// Weight of the mean squared difference on the border.
    pub border_weight: f64,
    /// Steps of Adam.
    pub adam_steps: usize,
    /// Its learning rate, which falls to 0 by half a cosine.
    pub learning_rate: f64,
    /// What a round of L-BFGS is.
    pub lbfgs: Lbfgs,
    /// Number of rounds, each on new points, so that a function with more parameters than points is not fitted to those
    /// points alone.
    pub rounds: usize,
    /// Seed of the points.
    pub seed: u64,
}

impl Default for Fit {
    /// Of the residual, the weight of the released code of Kang et al. 2025 for Helmholtz' equation, 10⁻⁴ to 1 for the
    /// border, and its learning rate of 10⁻²; 1000 points; 200 steps, and as many of L-BFGS in four rounds.
    fn default() -> Self {
        Fit {
            points: 1000,
            residual_weight: 1e-4,
            border_weight: 1.0,
            adam_steps: 200,
            learning_rate: 1e-2,
            lbfgs: Lbfgs { memory: 20, iterations: 50, tolerance: 1e-9 },
            rounds: 4,
            seed: 0,
        }
    }
}

/// A fitted function.
pub struct Solution<'a> {
    ansatz: &'a dyn Ansatz,
    layers: Layers,
    /// Its parameters.
    pub parameters: Parameters,
    /// The loss at the end of the last round.
    pub loss: f64,
}

impl Fit {
    /// Fits `ansatz`, from the values that its parameters get from `layers`.
    ///
    /// # Errors
    /// If there are no points, a weight is negative, or the loss is no number any more.
    pub fn run<'a>(&self, problem: &Problem, ansatz: &'a dyn Ansatz, layers: &Layers) -> Result<Solution<'a>> {
        ScienceError::check(self.points > 0, "points", self.points, "at least 1")?;
        ScienceError::check(self.rounds > 0, "rounds", self.rounds, "at least 1")?;
        let weights = [self.residual_weight, self.border_weight];
        let sensible = weights.iter().all(|w| *w >= 0.0 && w.is_finite());
        ScienceError::check(sensible, "weights", format!("{weights:?}"), "at least 0")?;
        let layers = layers.dtype(DType::F64);
        let mut step = Step::with_dtype(DType::F64);
        let key = step.key();
        step.minimize(self.loss(problem, ansatz, &layers, &key)?);
        let optimizer = Adam { learning_rate: self.learning_rate, ..Adam::default() };
        let schedule = Arc::new(Cosine::default());
        let trainer = Trainer { seed: self.seed, schedule, ..Trainer::with(optimizer) };
        let mut parameters = trainer.fit(step, &Without(self.adam_steps), &mut [])?.parameters;
        let mut loss = f64::NAN;
        for round in 0..self.rounds {
            // Points that stay, because L-BFGS learns the curvature of one function.
            let key = Key::constant(self.seed, u64::MAX - round as u64);
            let bound = parameters.bind_exprs(&[self.loss(problem, ansatz, &layers, &key)?])?.remove(0);
            let nodes = perturb_graph::topological(std::slice::from_ref(&bound)).into_iter();
            let trained = |node: &Expr| node.name().is_some_and(|name| parameters.get(name).is_some());
            let minimum = self.lbfgs.minimize(&bound, &nodes.filter(trained).collect::<Vec<Expr>>())?;
            (parameters, loss) = (minimum.parameters, minimum.loss);
        }
        Ok(Solution { ansatz, layers, parameters, loss })
    }

    /// The weighted mean squares of the residual at uniformly random points and of the difference on the border.
    fn loss(&self, problem: &Problem, ansatz: &dyn Ansatz, layers: &Layers, key: &Key) -> Result<Expr> {
        let mean_square = |e: &Expr| e.square().reduce_mean(&[0, 1], false);
        let unit = key.uniform([self.points, problem.domain.dimension()], DType::F64);
        let x = problem.domain.scaled(&unit);
        let residual = problem.equation.residual(&x, &jet(&ansatz.value(layers, &x), &x));
        let border = ansatz.value(layers, &Expr::constant(problem.points.clone()));
        let difference = border.try_sub(&Expr::constant(problem.values.clone()))?;
        let (inside, outside) = (mean_square(&residual), mean_square(&difference));
        Ok(inside.scale(self.residual_weight).add(&outside.scale(self.border_weight)))
    }
}

impl Solution<'_> {
    /// Its values at points `[n, d]`.
    ///
    /// # Errors
    /// If the points do not fit.
    pub fn values(&self, points: &Tensor) -> Result<Vec<f64>> {
        let x = Expr::input("x", points.shape(), DType::F64);
        let value = self.parameters.bind_exprs(&[self.ansatz.value(&self.layers, &x)])?;
        let found = Executable::compile(&value, &[x], &Options::default())?.run(&[points])?;
        Ok(found[0].to_f64_vec())
    }
}
