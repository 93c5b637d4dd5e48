//! A run: a compiled step and what lives on in it.

use crate::step::Compiled;
use crate::{Batch, Optimizer, Parameters, Schedule, Step, TrainError};
use perturb_graph::Tensor;
use std::sync::Arc;

/// A training run, one step after another. [`Trainer::fit`](crate::Trainer::fit) drives it; streams, alternating games
/// and searches drive it by themselves.
pub struct Run {
    compiled: Compiled,
    seed: u64,
    steps: u64,
    per_epoch: u64,
    done: u64,
    started: bool,
}

impl Run {
    /// Compiles a step for a run of `epochs` times `per_epoch` steps, which schedules are told.
    ///
    /// # Errors
    /// If the step cannot be differentiated or compiled.
    pub fn new(
        step: Step,
        optimizer: &dyn Optimizer,
        schedule: Arc<dyn Schedule>,
        seed: u64,
        [epochs, per_epoch]: [usize; 2],
    ) -> Result<Run, TrainError> {
        let compiled = Compiled::new(step, optimizer, schedule)?;
        let (steps, per_epoch) = ((epochs * per_epoch) as u64, per_epoch.max(1) as u64);
        Ok(Run { compiled, seed, steps, per_epoch, done: 0, started: false })
    }

    /// Trains on one batch, and returns the loss before the update.
    ///
    /// # Errors
    /// If the batch does not fit, an index is out of range, or the loss is no number.
    pub fn advance(&mut self, batch: &Batch) -> Result<f64, TrainError> {
        let Compiled { session, pair, schedules, scalars, outputs, .. } = &mut self.compiled;
        for (value, schedule) in scalars.iter_mut().zip(schedules.iter()) {
            let number = schedule.at(self.done, self.steps);
            match value.dtype() {
                perturb_graph::DType::F64 => value.as_mut_slice::<f64>()[0] = number,
                _ => value.as_mut_slice::<f32>()[0] = number as f32,
            }
        }
        for (member, pair) in pair.as_mut_slice::<i64>().chunks_exact_mut(2).enumerate() {
            pair.copy_from_slice(&[self.seed.wrapping_add(member as u64) as i64, self.done as i64]);
        }
        let feeds: Vec<&Tensor> = std::iter::once(&*pair).chain(scalars.iter()).chain(batch.tensors()).collect();
        session.run_into(&feeds, outputs)?;
        self.done += 1;
        self.started = true;
        let loss = self.loss();
        if loss.is_finite() { Ok(loss) } else { Err(TrainError::Diverged { step: self.done, loss }) }
    }

    /// Steps taken.
    pub fn step(&self) -> u64 {
        self.done
    }

    /// Steps of the whole run.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Epochs finished.
    pub fn epoch(&self) -> u64 {
        self.done / self.per_epoch
    }

    /// Whether the last step was the last of its epoch.
    pub fn is_at_epoch_end(&self) -> bool {
        self.done > 0 && self.done.is_multiple_of(self.per_epoch)
    }

    /// The loss of the last step; NaN before the first, or the first after a resume.
    pub fn loss(&self) -> f64 {
        if self.started { self.output(0) } else { f64::NAN }
    }

    /// What the last step reported under this name.
    pub fn report(&self, name: &str) -> Option<f64> {
        let index = self.compiled.reports.iter().position(|n| n == name)?;
        Some(self.output(1 + index))
    }

    /// Names of the reports.
    pub fn reports(&self) -> &[String] {
        &self.compiled.reports
    }

    /// The last step's loss of each member of an [ensemble](Step::ensemble); otherwise the only one.
    pub fn losses(&self) -> Vec<f64> {
        self.compiled.outputs[0].to_f64_vec()
    }

    // The mean over the members of an ensemble.
    fn output(&self, index: usize) -> f64 {
        let values = self.compiled.outputs[index].to_f64_vec();
        values.iter().sum::<f64>() / values.len() as f64
    }

    /// A blank batch: tensors of the shapes and types that the step takes.
    pub fn batch(&self) -> Batch {
        Batch::new(self.compiled.batch.clone())
    }

    /// The value of a parameter, of an optimizer's state or of a variable of the step.
    pub fn variable(&self, name: &str) -> Option<Tensor> {
        Some(self.compiled.session.variable(self.index(name)?))
    }

    /// Gives a parameter, state or variable another value.
    ///
    /// # Errors
    /// If there is none of that name, or shape or type differ.
    pub fn set_variable(&mut self, name: &str, value: &Tensor) -> Result<(), TrainError> {
        let Some(index) = self.index(name) else {
            let known = self.compiled.variables.join(", ");
            return Err(TrainError::Unnamed { name: name.into(), known });
        };
        Ok(self.compiled.session.set_variable(index, value)?)
    }

    fn index(&self, name: &str) -> Option<usize> {
        self.compiled.variables.iter().position(|n| n == name)
    }

    /// The trained parameters.
    pub fn parameters(&self) -> Parameters {
        self.values(0..self.compiled.parameters)
    }

    /// All that lives on from step to step: parameters, states of the optimizer, and variables of the step.
    pub fn variables(&self) -> Parameters {
        self.values(0..self.compiled.variables.len())
    }

    fn values(&self, range: std::ops::Range<usize>) -> Parameters {
        range.map(|i| (self.compiled.variables[i].clone(), self.compiled.session.variable(i))).collect()
    }

    /// Continues as if `done` steps had led to these variables.
    pub(crate) fn restore(&mut self, variables: &Parameters, done: u64) -> Result<(), TrainError> {
        for (name, value) in variables.iter() {
            self.set_variable(name, value)?;
        }
        self.done = done;
        Ok(())
    }

    pub(crate) fn seed(&self) -> u64 {
        self.seed
    }

    /// What makes this run this run: tensors, optimizer, number of steps, and all schedules at some steps.
    pub(crate) fn description(&self) -> String {
        const SAMPLES: u64 = 32;
        let at = |k: u64| self.steps * k / SAMPLES;
        let values = self.compiled.schedules.iter().map(|s| (0..SAMPLES).map(|k| s.at(at(k), self.steps)).collect());
        let schedules: Vec<Vec<f64>> = values.collect();
        format!("{}\n{} steps\n{schedules:?}", self.compiled.description, self.steps)
    }
}
