//! Checkpoints, from which a killed run goes on as if nothing had happened.

use super::{Callback, Run};
use crate::{Parameters, TrainError};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// The state of a run in a safetensors file: parameters, states of the optimizer, variables and callbacks under their
/// names, and step, seed and a hash of the settings in its metadata. Batches and random numbers are functions of seed and
/// step, so that nothing else has to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The file. It appears complete or not at all. If it is there when a run starts, the run goes on from it.
    pub path: PathBuf,
    /// Steps from one checkpoint to the next; there is one at the end of the run in any case.
    pub every: u64,
}

impl Checkpoint {
    /// A checkpoint every so many steps.
    pub fn new(path: impl Into<PathBuf>, every: u64) -> Checkpoint {
        Checkpoint { path: path.into(), every }
    }

    pub(crate) fn keep(&self, run: &Run, callbacks: &[&mut dyn Callback], last: bool) -> Result<(), TrainError> {
        let due = self.every > 0 && run.step().is_multiple_of(self.every);
        if !(due || last || run.step() == run.steps()) {
            return Ok(());
        }
        let mut stored = run.variables();
        for (i, callback) in callbacks.iter().enumerate() {
            for (name, value) in callback.state().iter() {
                stored.insert(format!("{}{name}", callback_prefix(i)), value.clone());
            }
        }
        let metadata = HashMap::from([
            ("step".to_string(), run.step().to_string()),
            ("seed".to_string(), run.seed().to_string()),
            ("settings".to_string(), settings(run)),
        ]);
        stored.save_with(&self.path, Some(metadata))
    }

    pub(crate) fn resume(&self, run: &mut Run, callbacks: &mut [&mut dyn Callback]) -> Result<(), TrainError> {
        if !self.path.exists() {
            return Ok(());
        }
        let (stored, metadata) = Parameters::load_with(&self.path)?;
        let (of_callbacks, variables): (Vec<_>, Vec<_>) =
            stored.iter().map(|(n, v)| (n.to_string(), v.clone())).partition(|(name, _)| name.starts_with(CALLBACK));
        let (of_callbacks, variables): (Parameters, Parameters) =
            (of_callbacks.into_iter().collect(), variables.into_iter().collect());
        let difference = variables.difference(&run.variables());
        if !difference.is_empty() {
            return Err(TrainError::Mismatch { path: self.path.clone(), difference });
        }
        let done = check(&self.path, &metadata, run)?;
        run.restore(&variables, done)?;
        callbacks.iter_mut().enumerate().try_for_each(|(i, callback)| {
            let state = of_callbacks.under(&callback_prefix(i));
            if state.is_empty() { Ok(()) } else { callback.restore(&state) }
        })
    }
}

const CALLBACK: &str = "callback.";

fn callback_prefix(index: usize) -> String {
    format!("{CALLBACK}{index}.")
}

// Number of the step that the checkpoint was kept after.
fn check(path: &Path, metadata: &HashMap<String, String>, run: &Run) -> Result<u64, TrainError> {
    let error = |reason: String| TrainError::Checkpoint { path: path.to_path_buf(), reason };
    let field = |name: &str| {
        metadata
            .get(name)
            .ok_or_else(|| error(format!("has no '{name}' in its metadata: it is no checkpoint of a run")))
    };
    let (seed, step) = (field("seed")?, field("step")?);
    if *seed != run.seed().to_string() {
        return Err(error(format!("is of a run with seed {seed}, not {}: use that seed, or another file", run.seed())));
    }
    if *field("settings")? != settings(run) {
        let advice = "use those, or another file for this run";
        return Err(error(format!("is of a run with another optimizer, batch, schedule or number of steps: {advice}")));
    }
    step.parse().map_err(|_| error(format!("has no number of steps in its metadata, but '{step}'")))
}

fn settings(run: &Run) -> String {
    Sha256::digest(run.description().as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}
