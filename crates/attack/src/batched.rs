//! A classifier's graph for a batch, and its passes.

use crate::AttackError;
use crate::loss::Objective;
use perturb_engine::{Executable, Options};
use perturb_graph::{DType, Expr, Graph, grad, vmap};

/// What is computed of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Pass {
    /// Logits.
    Logits,
    /// Logits, and gradients of an objective.
    Gradient(Objective),
    /// Logits, and gradients of this many linear functions of them, sharing one forward pass.
    LogitGradients(usize),
}

/// The graph for a number of examples.
pub(crate) struct Batched {
    /// `[batch, …shape of the graph's input]`.
    input: Expr,
    /// What else belongs to each example: its context, its random key.
    others: Vec<Expr>,
    /// `[batch, classes]`.
    logits: Expr,
}

impl Batched {
    /// Of a graph from an example, with a context or a key beside it, to logits.
    ///
    /// # Errors
    /// If a batched tensor would be too large.
    pub fn new(graph: &Graph, batch: usize) -> Result<Batched, AttackError> {
        let classes = graph.outputs[0].1.shape().count();
        let batched = graph.vmap(batch)?;
        let logits = batched.outputs[0].1.try_reshape([batch, classes])?;
        let (input, others) = (batched.inputs[0].clone(), batched.inputs[1..].to_vec());
        Ok(Batched { input, others, logits })
    }

    /// The executable of a pass. It takes the examples, then weights `[batch, classes]` for [`Pass::Gradient`] and
    /// `[count, batch, classes]` for [`Pass::LogitGradients`], then what else belongs to the examples.
    ///
    /// # Errors
    /// If the gradient has no rule, or it cannot be compiled.
    pub fn compile(&self, pass: Pass) -> Result<Executable, AttackError> {
        let (x, z) = (std::slice::from_ref(&self.input), &self.logits);
        let inputs = |more: &[Expr]| [x, more, &self.others].concat();
        let weights = Expr::input("weights", z.shape(), DType::F32);
        let (gradient, weights) = match pass {
            Pass::Logits => {
                return Ok(Executable::compile(std::slice::from_ref(z), &inputs(&[]), &Options::default())?);
            }
            Pass::Gradient(objective) => (grad(&objective.total(z, &weights), x)?.remove(0), weights),
            Pass::LogitGradients(count) => {
                let one = grad(&z.mul(&weights).sum(), x)?;
                let several = Expr::try_input("weights", z.shape().prepend(count), DType::F32)?;
                (vmap(&one, &[(weights, several.clone())], count)?.remove(0), several)
            }
        };
        Ok(Executable::compile(&[z.clone(), gradient], &inputs(&[weights]), &Options::default())?)
    }
}
