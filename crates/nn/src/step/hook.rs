//! Methods of training as changes to a step.

use super::Step;
use crate::TrainError;
use perturb_graph::Expr;

pub(super) type GradientMap = Box<dyn FnOnce(&mut Step, &mut [Gradient]) -> Result<(), TrainError>>;
pub(super) type AfterUpdate = Box<dyn FnOnce(&mut Step, &mut [Updated]) -> Result<(), TrainError>>;

/// A parameter and its gradient, which [`Step::map_gradients`] may change.
#[derive(Clone, Debug)]
pub struct Gradient {
    /// The parameter.
    pub parameter: Expr,
    /// The gradient of the mean objective, of the parameter's shape.
    pub value: Expr,
}

/// What the optimizer makes of a parameter, which [`Step::after_update`] may change.
#[derive(Clone, Debug)]
pub struct Updated {
    /// The parameter, as it was before the step.
    pub parameter: Expr,
    /// Its gradient, as the optimizer got it.
    pub gradient: Expr,
    /// Its next value.
    pub next: Expr,
}

/// A change to a step: a method of training.
///
/// Any function of a step will do, and a struct of hyperparameters where a method has some.
pub trait Hook {
    /// Changes the step.
    ///
    /// # Errors
    /// If the hyperparameters make no sense, or the step lacks what the method needs.
    fn apply(&self, step: &mut Step) -> Result<(), TrainError>;
}

impl<F: Fn(&mut Step) -> Result<(), TrainError>> Hook for F {
    fn apply(&self, step: &mut Step) -> Result<(), TrainError> {
        self(step)
    }
}
