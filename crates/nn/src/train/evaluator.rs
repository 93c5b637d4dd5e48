//! Evaluation of a model with the parameters of a run.

use super::Run;
use crate::{Batch, Examples, Parameters, TrainError};
use perturb_engine::{Executable, Options};
use perturb_graph::{Expr, Op, Tensor, topological};

/// Functions of batches and parameters, compiled once, evaluated with whatever parameters there are: validation,
/// predictions.
pub struct Evaluator {
    executable: Executable,
    inputs: Vec<(String, Tensor)>,
    parameters: Vec<Expr>,
    batch: usize,
}

impl Evaluator {
    /// Compiles `outputs`, each with one row for each example of a batch (`[batch, …]`), as functions of `inputs` and of
    /// all parameters in them.
    ///
    /// # Errors
    /// If the graph cannot be compiled.
    pub fn new(inputs: &[Expr], outputs: &[Expr]) -> Result<Evaluator, TrainError> {
        let leaves = topological(outputs).into_iter();
        let parameters: Vec<Expr> = leaves.filter(|n| matches!(n.op(), Op::Param { .. })).collect();
        let all: Vec<Expr> = inputs.iter().chain(&parameters).cloned().collect();
        let batch = inputs.first().and_then(|x| x.shape().first().copied()).unwrap_or(1);
        if let Some(odd) = outputs.iter().chain(inputs).find(|e| e.shape().first() != Some(&batch)) {
            return Err(TrainError::Setting(format!("{odd:?} does not have a row for each of {batch} examples")));
        }
        let executable = Executable::compile(outputs, &all, &Options::default())?;
        let blank = |x: &Expr| {
            let zeros = vec![0.0; x.shape().count()];
            let value = Tensor::from_f64(x.shape(), x.dtype(), zeros).expect("one value for each element");
            (x.name().unwrap_or("input").to_string(), value)
        };
        Ok(Evaluator { executable, inputs: inputs.iter().map(blank).collect(), parameters, batch })
    }

    /// The outputs for all examples, `[N, …]` each, with these parameters; those that are not among them have the values
    /// they were built with.
    ///
    /// # Errors
    /// If the examples or parameters do not fit.
    pub fn outputs(&self, parameters: &Parameters, examples: &Examples) -> Result<Vec<Tensor>, TrainError> {
        let values: Vec<Tensor> = self.parameters.iter().filter_map(|p| value(p, parameters)).collect();
        let mut batch = Batch::new(self.inputs.clone());
        let mut rows: Vec<Vec<f64>> = Vec::new();
        let mut shapes = Vec::new();
        for start in (0..examples.len()).step_by(self.batch) {
            let count = self.batch.min(examples.len() - start);
            // The last batch is filled up with the first example; what comes of that is left out.
            let chosen: Vec<usize> = (0..self.batch).map(|i| if i < count { start + i } else { 0 }).collect();
            examples.gather(&chosen, &mut batch)?;
            let feeds: Vec<&Tensor> = batch.tensors().chain(&values).collect();
            let results = self.executable.run(&feeds)?;
            rows.resize(results.len(), Vec::new());
            for (all, result) in rows.iter_mut().zip(&results) {
                all.extend(result.rows(0, count).to_f64_vec());
            }
            shapes = results.iter().map(|r| (r.shape()[1..].to_vec(), r.dtype())).collect();
        }
        let stack = |(values, (rest, dtype)): (Vec<f64>, (Vec<usize>, _))| {
            Ok(Tensor::from_f64([&[examples.len()], &rest[..]].concat(), dtype, values)?)
        };
        rows.into_iter().zip(shapes).map(stack).collect()
    }

    /// The mean over all examples of the first output, with the parameters and variables of a run as they are.
    ///
    /// # Errors
    /// If the examples do not fit.
    pub fn mean(&self, run: &Run, examples: &Examples) -> Result<f64, TrainError> {
        let outputs = self.outputs(&run.variables(), examples)?;
        let values = outputs.first().map(Tensor::to_f64_vec).unwrap_or_default();
        Ok(values.iter().sum::<f64>() / values.len() as f64)
    }
}

fn value(parameter: &Expr, parameters: &Parameters) -> Option<Tensor> {
    parameter.name().and_then(|name| parameters.get(name)).or(parameter.value()).cloned()
}
