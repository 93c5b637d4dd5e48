//! Sessions: variables that live in a plan from run to run.

use crate::EngineError;
use crate::executable::Compiled;
use crate::run::State;
use crate::storage::{tensor_bytes, tensor_of};
use perturb_graph::Tensor;
use std::sync::Arc;

/// The variables of an executable and the memory to run it in. See
/// [`Executable::compile_with_state`](crate::Executable::compile_with_state).
///
/// A variable is overwritten by its next value where nothing reads the old one any more, and changes places with a
/// second storage elsewhere; no run copies one.
pub struct Session {
    compiled: Arc<Compiled>,
    state: State,
}

impl Session {
    pub(crate) fn new(compiled: Arc<Compiled>, initial: &[Tensor]) -> Result<Session, EngineError> {
        if initial.len() != compiled.variables.len() {
            return Err(EngineError::InitialCount { expected: compiled.variables.len(), got: initial.len() });
        }
        let mut session = Session { state: compiled.runner.state(), compiled };
        initial.iter().enumerate().try_for_each(|(i, value)| session.set_variable(i, value))?;
        Ok(session)
    }

    /// Runs on one tensor for each input, and advances the variables.
    ///
    /// # Errors
    /// If the number, a shape or a type of the feeds does not fit: the variables stay as they are. If a kernel meets
    /// an index out of range: some variables may hold next values, and some may be lost; set them before going on.
    pub fn run(&mut self, feeds: &[&Tensor]) -> Result<Vec<Tensor>, EngineError> {
        let mut outputs = self.compiled.runner.blank_outputs();
        self.run_into(feeds, &mut outputs)?;
        Ok(outputs)
    }

    /// Like [`Session::run`], into tensors that are there already; see
    /// [`Executable::run_into`](crate::Executable::run_into).
    ///
    /// # Errors
    /// See [`Session::run`]; and if the number of `outputs` does not fit.
    pub fn run_into(&mut self, feeds: &[&Tensor], outputs: &mut [Tensor]) -> Result<(), EngineError> {
        self.compiled.check(feeds, outputs)?;
        self.compiled.runner.run_tensors(&mut self.state, feeds, outputs)
    }

    /// A copy of the value of variable `i`.
    ///
    /// # Panics
    /// If there is no variable `i`.
    #[track_caller]
    pub fn variable(&self, i: usize) -> Tensor {
        let declared = &self.compiled.variables[i];
        tensor_of(&declared.shape, declared.dtype, self.state.variable(i))
    }

    /// Copies of the values of all variables, in the order they were declared.
    pub fn variables(&self) -> Vec<Tensor> {
        (0..self.compiled.variables.len()).map(|i| self.variable(i)).collect()
    }

    /// Gives variable `i` another value.
    ///
    /// # Errors
    /// If its shape or type does not fit.
    ///
    /// # Panics
    /// If there is no variable `i`.
    #[track_caller]
    pub fn set_variable(&mut self, i: usize, value: &Tensor) -> Result<(), EngineError> {
        self.compiled.variables[i].check(value)?;
        let bytes = tensor_bytes(value);
        self.state.variable_mut(i)[..bytes.len()].copy_from_slice(bytes);
        Ok(())
    }
}
