//! Many rows through a model: every example with several draws (path points, noise, windows), in full batches.

use crate::{ExplainError, Model, Result};
use perturb_graph::{Shape, Tensor};
use rayon::prelude::*;
use std::ops::Range;

/// Most rows that one example may need: more are a mistake.
const MAX_DRAWS: usize = 1 << 20;

/// Fails unless a number of steps or samples is between `least` and the limit.
pub(crate) fn check_draws(name: &'static str, least: usize, draws: usize) -> Result<()> {
    let reason = || format!("must be between {least} and {MAX_DRAWS}, but was {draws}");
    crate::error::require((least..=MAX_DRAWS).contains(&draws), name, reason)
}

/// One row that went through the model.
pub(crate) struct Row<'a> {
    pub example: usize,
    pub draw: usize,
    /// What went in.
    pub input: &'a [f32],
    /// What came out: logits, or a gradient of the shape of the input.
    pub result: &'a [f32],
}

impl Model {
    /// Logits of `draws` variations of each of `examples`. `fill(example, draw, row)` writes a variation, on any thread;
    /// `visit` gets the rows in order, an example's draws after one another.
    pub(crate) fn for_each_logits(
        &self,
        examples: usize,
        draws: usize,
        fill: impl Fn(usize, usize, &mut [f32]) + Sync,
        mut visit: impl FnMut(Row),
    ) -> Result<()> {
        self.for_each_batch(
            examples * draws,
            |r, row| fill(r / draws, r % draws, row),
            |rows, inputs| {
                let logits = self.forward.run(&[inputs])?;
                visit_rows("the model's output", rows, draws, inputs, &logits[0], self.batch(), &mut visit)
            },
        )
    }

    /// Gradients of the target logits of `draws` variations of each example; see [`Model::for_each_logits`].
    fn for_each_gradient(
        &self,
        targets: &[usize],
        draws: usize,
        fill: impl Fn(usize, usize, &mut [f32]) + Sync,
        mut visit: impl FnMut(Row),
    ) -> Result<()> {
        let executable = self.gradient()?;
        let mut one_hot = Tensor::full([self.batch(), self.classes()], 0.0f32);
        self.for_each_batch(
            targets.len() * draws,
            |r, row| fill(r / draws, r % draws, row),
            |rows, inputs| {
                let weights = one_hot.as_mut_slice::<f32>();
                weights.fill(0.0);
                for (weights, row) in weights.chunks_exact_mut(self.classes()).zip(rows.clone()) {
                    weights[targets[row / draws]] = 1.0;
                }
                let gradients = executable.run(&[inputs, &one_hot])?;
                visit_rows("the gradient", rows, draws, inputs, &gradients[0], self.batch(), &mut visit)
            },
        )
    }

    /// `Σ_k weights[k]·∇f(x_k)` for each example, f the target's logit and `x_k` what `fill` writes for draw k; the sums
    /// are taken in f64. Row-major `[N, …example]`.
    pub(crate) fn weighted_gradients(
        &self,
        targets: &[usize],
        weights: &[f64],
        fill: impl Fn(usize, usize, &mut [f32]) + Sync,
    ) -> Result<Vec<f32>> {
        let width = self.example_shape().count();
        let mut result = Vec::with_capacity(targets.len() * width);
        let mut sum = vec![0.0f64; width];
        self.for_each_gradient(targets, weights.len(), fill, |row| {
            sum.iter_mut().zip(row.result).for_each(|(sum, &g)| *sum += weights[row.draw] * f64::from(g));
            if row.draw + 1 == weights.len() {
                result.extend(sum.iter().map(|&v| v as f32));
                sum.fill(0.0);
            }
        })?;
        Ok(result)
    }

    // The last batch is filled up with rows of the one before it, which nobody looks at.
    fn for_each_batch(
        &self,
        rows: usize,
        fill: impl Fn(usize, &mut [f32]) + Sync,
        mut run: impl FnMut(Range<usize>, &Tensor) -> Result<()>,
    ) -> Result<()> {
        let width = self.example_shape().count();
        let shape: Shape = [self.batch(), 1].into_iter().chain(self.example_shape().iter().copied()).collect();
        let mut inputs = Tensor::full(shape, 0.0f32);
        for start in (0..rows).step_by(self.batch()) {
            let batch = start..rows.min(start + self.batch());
            let values = &mut inputs.as_mut_slice::<f32>()[..batch.len() * width];
            values.par_chunks_exact_mut(width).enumerate().for_each(|(i, row)| fill(start + i, row));
            run(batch, &inputs)?;
        }
        Ok(())
    }
}

fn visit_rows(
    what: &'static str,
    rows: Range<usize>,
    draws: usize,
    inputs: &Tensor,
    results: &Tensor,
    batch: usize,
    visit: &mut impl FnMut(Row),
) -> Result<()> {
    let inputs = inputs.as_slice::<f32>().chunks_exact(inputs.count() / batch);
    let results = results.as_slice::<f32>().chunks_exact(results.count() / batch);
    for ((row, input), result) in rows.zip(inputs).zip(results) {
        let (example, draw) = (row / draws, row % draws);
        if !result.iter().all(|v| v.is_finite()) {
            return Err(ExplainError::NotFinite { what, example });
        }
        visit(Row { example, draw, input, result });
    }
    Ok(())
}
