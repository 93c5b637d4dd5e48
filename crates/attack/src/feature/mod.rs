//! Attacks on what an encoder makes of an image: its embedding, not a decision.
//!
//! An encoder is a graph from one image `[1, C, H, W]` to one embedding `[1, D]`, whatever is done to pixels included; the
//! models that use the embedding are never run.

mod bottleneck;
mod cut;
mod gray_box;
mod m_attack;
mod non_robust;
mod rectified;

pub use bottleneck::{Bottleneck, Distilled};
pub use cut::Cut;
pub use gray_box::GrayBox;
pub use m_attack::MAttack;
pub use non_robust::NonRobustAttack;
pub use rectified::rectified;

use crate::{Ascent, Attack, AttackError, Ball, Classifier, Criterion, Keep, Loss, Seed};
use perturb_graph::{DType, Expr, Graph, GraphError, Tensor, substitute};

/// How alike two embeddings are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Similarity {
    /// The cosine of the angle between them.
    #[default]
    Cosine,
    /// Minus the square of their distance, divided by the square of the second's length.
    SquaredDistance,
}

impl Similarity {
    /// Of rows `[N, D]`: `[N, 1]`.
    pub(crate) fn of(self, a: &Expr, b: &Expr) -> Expr {
        const TINY: f64 = 1e-12;
        let dot = |a: &Expr, b: &Expr| a.mul(b).reduce_sum(&[1], true);
        match self {
            Similarity::Cosine => dot(a, b).div(&dot(a, a).mul(&dot(b, b)).offset(TINY).sqrt()),
            Similarity::SquaredDistance => dot(&a.sub(b), &a.sub(b)).div(&dot(b, b).offset(TINY)).neg(),
        }
    }
}

/// The embedding of `images [1, C, H, W]`.
pub(crate) fn encode(encoder: &Graph, images: &Expr) -> Result<Expr, AttackError> {
    let model = |reason: String| AttackError::Model { reason };
    let ([input], [(_, output)]) = (encoder.inputs.as_slice(), encoder.outputs.as_slice()) else {
        let (i, o) = (encoder.inputs.len(), encoder.outputs.len());
        return Err(model(format!("the encoder has {i} inputs and {o} outputs, not one of each")));
    };
    let image = images.shape();
    let batched = if image[0] == 1 { encoder.clone() } else { encoder.vmap(image[0])? };
    let (input, output) = match image[0] {
        1 => (input.clone(), output.clone()),
        _ => (batched.inputs[0].clone(), batched.outputs[0].1.clone()),
    };
    let fits = input.shape().count() == image.count() && input.dtype() == DType::F32;
    if !fits {
        return Err(model(format!("the encoder takes {}{}, not images {image}", input.dtype(), input.shape())));
    }
    let embedded = substitute(&[output], &[(input.clone(), images.try_reshape(input.shape())?)])?.remove(0);
    let width = embedded.shape().count() / image[0];
    Ok(embedded.try_reshape([image[0], width])?)
}

/// Raises a score of inputs in a ball by as many steps as an ascent has: what attacks on embeddings are made of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rise {
    /// How. Its loss and what it keeps do not matter: the last iterate is returned.
    pub ascent: Ascent,
    /// Examples in a run.
    pub batch: usize,
}

impl Rise {
    /// Inputs of the ball around `inputs [N, …]` with a higher score. The score is a graph from one input, its context if
    /// there are `contexts [N, …]` (see [`Classifier::with_context`]), and a key if it is random, to one number.
    ///
    /// # Errors
    /// If the graph is no such score, inputs leave the ball's bounds, or a hyperparameter is out of its range.
    pub fn run(
        &self,
        score: &Graph,
        inputs: &Tensor,
        contexts: Option<&Tensor>,
        ball: &Ball,
        seed: &Seed,
    ) -> Result<Tensor, AttackError> {
        // Of two classes the second always wins: no score gets there. Only the derivative is used, so that the first
        // logit may be of another size.
        const NEVER: f64 = 1e9;
        let [(_, value)] = score.outputs.as_slice() else {
            return Err(AttackError::Model { reason: format!("a score has {} outputs, not one", score.outputs.len()) });
        };
        let value = value.try_reshape([1, 1])?;
        let logits = Expr::try_concat(&[value.clone(), value.like(NEVER)], 1)?;
        let graph = Graph::new(score.inputs.clone(), vec![("logits".into(), logits)])?;
        let model = match contexts {
            Some(rows) => Classifier::with_context(&graph, self.batch, rows)?,
            None => Classifier::new(&graph, self.batch)?,
        };
        let examples = inputs.shape().first().copied().unwrap_or(0);
        let criterion = Criterion::Targeted { classes: vec![0; examples] };
        let ascent = Ascent { loss: Loss::Margin, keep: Keep::Last, ..self.ascent };
        Ok(ascent.run(&model, inputs, &criterion, ball, seed)?.inputs)
    }
}

/// Rows of length 1.
pub(crate) fn unit(x: &Expr) -> Expr {
    x.div(&x.square().reduce_sum(&[1], true).offset(1e-12).sqrt())
}

/// Shape `[1, C, H, W]` of one of `images [N, C, H, W]`.
pub(crate) fn single(images: &Tensor) -> Result<[usize; 4], AttackError> {
    match images.shape()[..] {
        [_, c, h, w] => Ok([1, c, h, w]),
        _ => {
            let (reason, shapes) = ("needs images [N, C, H, W]".to_string(), vec![images.shape().clone()]);
            Err(GraphError::Shape { op: "attack on features".into(), reason, shapes }.into())
        }
    }
}
