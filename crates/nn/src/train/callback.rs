//! What happens beside training.

use super::Run;
use crate::{Parameters, TrainError};
use perturb_graph::Tensor;

/// Whether a run goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// It does.
    Continue,
    /// It stops after this step.
    Stop,
}

/// Something that looks at a run after every step or epoch: progress, metrics, stopping. Any function of a run is one
/// that is called after every step.
pub trait Callback {
    /// After every step.
    ///
    /// # Errors
    /// Any error ends the run.
    fn step(&mut self, _run: &mut Run) -> Result<Control, TrainError> {
        Ok(Control::Continue)
    }

    /// After the last step of every epoch.
    ///
    /// # Errors
    /// Any error ends the run.
    fn epoch(&mut self, _run: &mut Run) -> Result<Control, TrainError> {
        Ok(Control::Continue)
    }

    /// After the run, which may still be changed.
    ///
    /// # Errors
    /// Any error ends the run.
    fn end(&mut self, _run: &mut Run) -> Result<(), TrainError> {
        Ok(())
    }

    /// What has to be kept in a checkpoint so that a resumed run goes on alike.
    fn state(&self) -> Parameters {
        Parameters::default()
    }

    /// Goes on from a kept state.
    ///
    /// # Errors
    /// If the state is not one of this callback.
    fn restore(&mut self, _state: &Parameters) -> Result<(), TrainError> {
        Ok(())
    }
}

impl<F: FnMut(&mut Run) -> Control> Callback for F {
    fn step(&mut self, run: &mut Run) -> Result<Control, TrainError> {
        Ok(self(run))
    }
}

type Score = Box<dyn FnMut(&Run) -> Result<f64, TrainError>>;

/// Stops when a score, computed after every epoch, has not improved for some epochs, and puts the parameters back that
/// had the best.
pub struct EarlyStopping {
    score: Score,
    patience: u64,
    best: f64,
    waited: u64,
    parameters: Parameters,
}

impl EarlyStopping {
    /// Higher scores are better; `patience` epochs without a new best end the run. Such a score is, for instance,
    /// [`Evaluator::mean`](crate::Evaluator::mean) of validation examples.
    pub fn new(patience: u64, score: impl FnMut(&Run) -> Result<f64, TrainError> + 'static) -> EarlyStopping {
        EarlyStopping {
            score: Box::new(score),
            patience,
            best: f64::NEG_INFINITY,
            waited: 0,
            parameters: Parameters::default(),
        }
    }

    /// The best score so far.
    pub fn best(&self) -> f64 {
        self.best
    }
}

impl Callback for EarlyStopping {
    fn epoch(&mut self, run: &mut Run) -> Result<Control, TrainError> {
        let score = (self.score)(run)?;
        if score > self.best {
            (self.best, self.waited, self.parameters) = (score, 0, run.parameters());
        } else {
            self.waited += 1;
        }
        Ok(if self.waited > self.patience { Control::Stop } else { Control::Continue })
    }

    fn end(&mut self, run: &mut Run) -> Result<(), TrainError> {
        self.parameters.iter().try_for_each(|(name, value)| run.set_variable(name, value))
    }

    fn state(&self) -> Parameters {
        let best = self.parameters.iter().map(|(name, value)| (format!("best.{name}"), value.clone()));
        let waited = Tensor::scalar(self.waited as i64);
        best.chain([("score".to_string(), Tensor::scalar(self.best)), ("waited".to_string(), waited)]).collect()
    }

    fn restore(&mut self, state: &Parameters) -> Result<(), TrainError> {
        let number = |name: &str| state.get(name).and_then(|t| t.to_f64_vec().first().copied());
        let (Some(best), Some(waited)) = (number("score"), number("waited")) else {
            return Err(TrainError::Setting("the checkpoint was kept without early stopping".into()));
        };
        (self.best, self.waited, self.parameters) = (best, waited as u64, state.under("best."));
        Ok(())
    }
}
