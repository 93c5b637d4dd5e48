//! The step that most classifiers start from.

use super::Step;
use crate::{TrainError, losses};
use perturb_graph::{DType, Graph};

impl Step {
    /// Cross-entropy of a classifier graph of one example (`[1, …] → [1, classes]`) on batches of `batch`. The batch has
    /// `input [batch, 1, …]` and the class `label [batch]` (i64); for hooks there are also `targets [batch, classes]`,
    /// one-hot rows that may be replaced by soft ones, and `logits [batch, classes]`. The rate of right answers is
    /// reported as `accuracy`.
    ///
    /// # Errors
    /// If the graph does not have one input and logits, or cannot be batched.
    pub fn classifier(graph: &Graph, batch: usize) -> Result<Step, TrainError> {
        let batched = graph.vmap(batch)?;
        let ([input], Some((_, output))) = (&batched.inputs[..], batched.outputs.first()) else {
            let message = format!("a classifier has one input, not {}, and an output", batched.inputs.len());
            return Err(TrainError::Setting(message));
        };
        let classes = output.shape().last().copied().unwrap_or(0);
        let mut step = Step::with_dtype(output.dtype());
        let x = step.input("input", input.shape(), input.dtype());
        let label = step.input("label", [batch], DType::I64);
        let targets = step.derive("targets", &label.try_one_hot(classes, output.dtype())?)?;
        let output = perturb_graph::substitute(std::slice::from_ref(output), &[(input.clone(), x)])?.remove(0);
        let logits = output.try_reshape([batch, classes])?;
        step.name("logits", &logits);
        step.report("accuracy", &losses::accuracy(&logits, &label));
        step.minimize(logits.cross_entropy(&targets));
        Ok(step)
    }
}
