//! Training steps.

use crate::{Objective, Result};
use perturb_graph::{DType, Expr, Shape};
use perturb_nn::Step;

/// The step that minimises `objective` over the embeddings that `embed` (an encoder with its projector) gives to two
/// views of a batch, fed as `first` and `second`, each `shape` (`[batch, …]`, f32). For hooks, the embeddings
/// `[batch, width]` are named `first embedding` and `second embedding`.
///
/// `embed` is called once for each view; layers of one name share their weights.
///
/// # Errors
/// Those of the objective.
pub fn joint_embedding(
    objective: &dyn Objective,
    shape: impl Into<Shape>,
    embed: impl Fn(&Expr) -> Expr,
) -> Result<Step> {
    let shape = shape.into();
    let mut step = Step::new();
    let [first, second] = ["first", "second"].map(|name| embed(&step.input(name, shape.clone(), DType::F32)));
    step.name("first embedding", &first);
    step.name("second embedding", &second);
    step.minimize(objective.loss(&first, &second)?);
    Ok(step)
}
