//! A function of one example, run on many.

use crate::AttackError;
use perturb_engine::{Executable, Options};
use perturb_graph::{Expr, Graph, Tensor};

/// A function of one example in single precision, compiled for batches.
pub(super) struct Function {
    compiled: Executable,
    batch: usize,
}

impl Function {
    /// # Errors
    /// If the batch is empty, or the function cannot be compiled.
    pub fn new(inputs: &[&Expr], outputs: &[Expr], batch: usize) -> Result<Function, AttackError> {
        if batch == 0 {
            return Err(AttackError::EmptyBatch);
        }
        let outputs = outputs.iter().map(|output| ("output".to_string(), output.clone())).collect();
        let graph = Graph::new(inputs.iter().map(|&x| x.clone()).collect(), outputs)?;
        Ok(Function { compiled: Executable::of(&graph.vmap(batch)?, &Options::default())?, batch })
    }

    /// The values of each output, example by example, from those of each input. Batches are of one size, the last one filled
    /// up with its own examples, so that sums are rounded alike.
    ///
    /// # Errors
    /// If inputs are not of as many examples, or the engine fails.
    pub fn run(&self, inputs: &[&[f32]]) -> Result<Vec<Vec<f32>>, AttackError> {
        let shapes: Vec<_> = self.compiled.input_shapes().cloned().collect();
        let width = |i: usize| shapes[i].count() / self.batch;
        let n = inputs.first().map_or(0, |values| values.len() / width(0).max(1));
        let mut results = vec![Vec::new(); self.compiled.output_shapes().len()];
        for first in (0..n).step_by(self.batch) {
            let count = self.batch.min(n - first);
            let part = |(i, values): (usize, &&[f32])| {
                let rows = values.get(first * width(i)..(first + count) * width(i)).unwrap_or_default();
                Tensor::new(shapes[i].clone(), rows.iter().cycle().take(self.batch * width(i)).copied().collect())
            };
            let feeds = inputs.iter().enumerate().map(part).collect::<Result<Vec<_>, _>>()?;
            let outputs = self.compiled.run(&feeds.iter().collect::<Vec<_>>())?;
            for (all, output) in results.iter_mut().zip(outputs) {
                all.extend_from_slice(&output.as_slice::<f32>()[..output.count() / self.batch * count]);
            }
        }
        Ok(results)
    }
}
