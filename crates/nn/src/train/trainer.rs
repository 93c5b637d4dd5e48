//! The training loop.

use super::{Callback, Checkpoint, Control, Run};
use crate::batches::with_batches;
use crate::{Adam, Batches, Optimizer, Parameters, Schedule, Step, TrainError};
use std::sync::Arc;

/// Trains a [`Step`] on [`Batches`]: the same seed gives the same weights, for any number of threads, and whether or not
/// the run was killed and resumed.
#[derive(Clone)]
pub struct Trainer {
    /// The optimizer.
    pub optimizer: Arc<dyn Optimizer>,
    /// Factor of the optimizer's learning rate from step to step.
    pub schedule: Arc<dyn Schedule>,
    /// Passes over the data.
    pub epochs: usize,
    /// Seed of the order of examples and of the random numbers in the step.
    pub seed: u64,
    /// Where and how often the state of the run is kept, if at all.
    pub checkpoint: Option<Checkpoint>,
}

impl Default for Trainer {
    fn default() -> Self {
        Trainer { optimizer: Arc::new(Adam::default()), schedule: Arc::new(1.0), epochs: 1, seed: 0, checkpoint: None }
    }
}

/// What training leaves.
#[derive(Clone, Debug)]
pub struct Trained {
    /// The trained parameters, without what else a model may have: bind `variables` to one with batch norm.
    pub parameters: Parameters,
    /// All that lived on from step to step, parameters included: averages of weights under `ema.` and `swa.`, running
    /// statistics, states of the optimizer, and variables of hooks.
    pub variables: Parameters,
    /// Steps taken over the whole run.
    pub steps: u64,
    /// The loss of the last step; NaN if there was none.
    pub loss: f64,
}

impl Trainer {
    /// With this optimizer.
    pub fn with(optimizer: impl Optimizer + 'static) -> Trainer {
        Trainer { optimizer: Arc::new(optimizer), ..Trainer::default() }
    }

    /// Compiles the step for a run over `per_epoch` batches in each epoch.
    ///
    /// # Errors
    /// If the step cannot be differentiated or compiled.
    pub fn start(&self, step: Step, per_epoch: usize) -> Result<Run, TrainError> {
        Run::new(step, &*self.optimizer, self.schedule.clone(), self.seed, [self.epochs, per_epoch])
    }

    /// Trains. Callbacks are called in order after every step and every epoch.
    ///
    /// # Errors
    /// If step, data or checkpoint do not fit together, the loss is no number any more, or a callback fails.
    pub fn fit(
        &self,
        step: Step,
        batches: &dyn Batches,
        callbacks: &mut [&mut dyn Callback],
    ) -> Result<Trained, TrainError> {
        let mut run = self.start(step, batches.steps())?;
        if let Some(checkpoint) = &self.checkpoint {
            checkpoint.resume(&mut run, callbacks)?;
        }
        let (blank, range) = (run.batch(), run.step()..run.steps());
        with_batches(batches, &blank, range, self.seed, |batch| {
            run.advance(batch)?;
            let go_on = notify(&mut run, callbacks)?;
            if let Some(checkpoint) = &self.checkpoint {
                checkpoint.keep(&run, callbacks, !go_on)?;
            }
            Ok(go_on)
        })?;
        for callback in callbacks.iter_mut() {
            callback.end(&mut run)?;
        }
        let (parameters, variables) = (run.parameters(), run.variables());
        Ok(Trained { parameters, variables, steps: run.step(), loss: run.loss() })
    }
}

// Whether training goes on.
fn notify(run: &mut Run, callbacks: &mut [&mut dyn Callback]) -> Result<bool, TrainError> {
    let mut go_on = true;
    for callback in callbacks.iter_mut() {
        go_on &= callback.step(run)? == Control::Continue;
        if run.is_at_epoch_end() {
            go_on &= callback.epoch(run)? == Control::Continue;
        }
    }
    Ok(go_on)
}
