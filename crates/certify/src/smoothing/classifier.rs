//! A classifier under noise.

use super::noise::Noise;
use crate::region::rows_of;
use crate::{CertifyError, Result};
use perturb_engine::{Executable, Options};
use perturb_graph::{DType, Graph, Shape, Tensor};
use rayon::prelude::*;

/// A classifier compiled for batches of noisy copies of one input.
pub struct NoisyClassifier {
    executable: Executable,
    example: Shape,
    batch: usize,
    classes: usize,
}

impl NoisyClassifier {
    /// Compiles `model`, a graph for one example (`[1, …] → [1, classes]`) in `f32`, for `batch` copies at a time.
    ///
    /// # Errors
    /// If the model has not one `f32` input and one `f32` output, or `batch` is 0 or too large to compile.
    pub fn new(model: &Graph, batch: usize) -> Result<NoisyClassifier> {
        let ([input], [(_, output)]) = (&model.inputs[..], &model.outputs[..]) else {
            return CertifyError::model("smoothing needs one input and one output");
        };
        if input.dtype() != DType::F32 || output.dtype() != DType::F32 {
            return CertifyError::model("smoothing computes in f32: convert the model");
        }
        if batch == 0 {
            return Err(CertifyError::Parameter { name: "batch", range: "at least 1", value: 0.0 });
        }
        let executable = Executable::of(&model.vmap(batch)?, &Options::default())?;
        Ok(NoisyClassifier { executable, example: input.shape().clone(), batch, classes: output.shape().count() })
    }

    /// Number of outputs.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The elements of `x`, one example with or without a leading row axis.
    pub(super) fn example<'a>(&self, x: &'a Tensor) -> Result<&'a [f32]> {
        let values = match x.try_as_slice::<f32>() {
            Some(values) if *x.shape() == self.example => values,
            _ => match rows_of(x, &self.example)? {
                (1, values) => values,
                _ => return CertifyError::input(&self.example, x),
            },
        };
        match values.iter().position(|v| !v.is_finite()) {
            Some(element) => Err(CertifyError::NotFinite { row: 0, element }),
            None => Ok(values),
        }
    }

    /// How often each class has the largest output over draws `0..draws` of `noise` around `x`. Of equal outputs the
    /// first wins; where an output is NaN, nobody does.
    pub(super) fn count(&self, x: &[f32], draws: u64, noise: &Noise) -> Result<Vec<u64>> {
        let mut counts = vec![0; self.classes];
        let mut feed = Tensor::full(self.example.prepend(self.batch), 0.0f32);
        for start in (0..draws).step_by(self.batch) {
            let values = feed.as_mut_slice::<f32>();
            values.par_chunks_mut(x.len()).enumerate().for_each(|(i, t)| noise.around(x, start + i as u64, t));
            let outputs = self.executable.run(&[&feed])?;
            let wanted = (draws - start).min(self.batch as u64) as usize;
            for logits in outputs[0].as_slice::<f32>().chunks(self.classes).take(wanted) {
                if let Some(winner) = winner(logits) {
                    counts[winner] += 1;
                }
            }
        }
        Ok(counts)
    }
}

fn winner(logits: &[f32]) -> Option<usize> {
    if logits.iter().any(|v| v.is_nan()) {
        return None;
    }
    (0..logits.len()).reduce(|best, j| if logits[j] > logits[best] { j } else { best })
}
