//! The model under attack, compiled for batches of one size.

use crate::loss::Objective;
use crate::seed::Key;
use crate::{AttackError, Loss};
use perturb_engine::{Executable, Options};
use perturb_graph::{DType, Expr, Graph, Shape, Tensor, grad, vmap};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

/// A classifier, and the passes that attacks need: logits, gradients of a loss, gradients of several logits.
///
/// All passes run on batches of one fixed size, the last one padded, because sums are rounded differently at other sizes:
/// so the result for an example does not depend on what it is batched with.
///
/// A randomised model has a second input, a key (see [`Expr::try_random_bits`]): every run on an example gets another one.
pub struct Classifier {
    // [batch, …shape of the graph's input] and [batch, classes].
    input: Expr,
    // [batch, 2], of a randomised model.
    key: Option<Expr>,
    context: Option<Context>,
    logits: Expr,
    example: Shape,
    width: usize,
    batch: usize,
    classes: usize,
    compiled: Mutex<HashMap<Pass, Arc<Executable>>>,
}

// What else belongs to an example, by its index in the data set.
struct Context {
    input: Expr,
    rows: Tensor,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Pass {
    Logits,
    Gradient(Objective),
    // Gradients of this many linear functions of the logits, sharing one forward pass.
    LogitGradients(usize),
}

/// Logits `[rows, classes]` and gradients `[rows, …, width]` of a pass, row-major.
pub(crate) struct Derivatives {
    pub logits: Vec<f32>,
    pub gradients: Vec<f32>,
}

impl Classifier {
    /// A classifier from a graph for one example (`[1, …] → [1, classes]`, the leading ones optional; single precision),
    /// to be run on `batch` examples at a time. Whatever normalises pixels belongs into the graph.
    ///
    /// # Errors
    /// If the batch is empty, the graph has not exactly one input and one output vector of two or more logits in single
    /// precision, or a batched tensor would be too large.
    pub fn new(graph: &Graph, batch: usize) -> Result<Classifier, AttackError> {
        Classifier::build(graph, batch, None)
    }

    /// A classifier whose graph has a second input, the context: what else belongs to an example and is not perturbed,
    /// such as an image to compare it with. `rows [N, …]` holds those of a data set: the example of index i (see
    /// [`Seed`](crate::Seed)) comes with row i.
    ///
    /// # Errors
    /// As for [`Classifier::new`], and if rows do not have the context's size and type.
    pub fn with_context(graph: &Graph, batch: usize, rows: &Tensor) -> Result<Classifier, AttackError> {
        Classifier::build(graph, batch, Some(rows))
    }

    fn build(graph: &Graph, batch: usize, context: Option<&Tensor>) -> Result<Classifier, AttackError> {
        if batch == 0 {
            return Err(AttackError::EmptyBatch);
        }
        let model = |reason: String| AttackError::Model { reason };
        let ([input, keys @ ..], [(_, output)]) = (graph.inputs.as_slice(), graph.outputs.as_slice()) else {
            let (i, o) = (graph.inputs.len(), graph.outputs.len());
            return Err(model(format!("it has {i} inputs and {o} outputs, not one of each")));
        };
        let (context, keys) = match (context, keys) {
            (Some(rows), [context, keys @ ..]) => (Some((rows, context)), keys),
            (Some(_), []) => return Err(model("it has no second input for the context".into())),
            (None, keys) => (None, keys),
        };
        let is_key = |key: &Expr| key.dtype() == DType::I64 && key.shape()[..] == [2];
        if keys.len() > 1 || !keys.iter().all(is_key) {
            let i = graph.inputs.len();
            return Err(model(format!("it has {i} inputs, not one, nor one and a random key i64[2]")));
        }
        if (input.dtype(), output.dtype()) != (DType::F32, DType::F32) {
            return Err(model(format!("it maps {} to {}, not f32 to f32", input.dtype(), output.dtype())));
        }
        let classes = output.shape().count();
        if output.shape().iter().filter(|&&d| d != 1).count() != 1 || classes < 2 {
            return Err(model(format!("its output has shape {}, not [1, classes ≥ 2]", output.shape())));
        }
        let example = match input.shape().split_first() {
            Some((1, rest)) if !rest.is_empty() => Shape::from(rest),
            _ => input.shape().clone(),
        };
        let width = example.count();
        if width == 0 {
            return Err(model(format!("its input has shape {}, without elements", input.shape())));
        }
        let batched = graph.vmap(batch)?;
        let logits = batched.outputs[0].1.try_reshape([batch, classes])?;
        let mut inputs = batched.inputs.iter().cloned();
        let input = inputs.next().ok_or_else(|| model("it has no input".into()))?;
        let context = match context {
            Some((rows, one)) => {
                let fits = rows.shape().first().is_some_and(|n| n * one.shape().count() == rows.count());
                if !fits || [rows.dtype(), one.dtype()] != [DType::F32; 2] {
                    let (dtype, shape, expected) = (rows.dtype(), rows.shape().clone(), one.shape().clone());
                    return Err(AttackError::Inputs { dtype, shape, expected });
                }
                inputs.next().map(|input| Context { input, rows: rows.clone() })
            }
            None => None,
        };
        let key = inputs.next();
        Ok(Classifier { input, key, context, logits, example, width, batch, classes, compiled: Mutex::default() })
    }

    /// Whether two runs on the same example may differ.
    pub fn is_randomized(&self) -> bool {
        self.key.is_some()
    }

    /// Examples per run.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Shape of one example, without the graph's leading axis of size 1.
    pub fn example_shape(&self) -> &Shape {
        &self.example
    }

    /// Logits `[N, classes]` of `inputs [N, …example]`.
    ///
    /// # Errors
    /// If the inputs do not fit or the engine fails.
    pub fn logits(&self, inputs: &Tensor) -> Result<Tensor, AttackError> {
        let rows = self.rows(inputs)?;
        let logits = self.logits_of(rows, &self.first_keys(rows))?;
        Ok(Tensor::new([logits.len() / self.classes, self.classes], logits)?)
    }

    /// Predicted class of each of `inputs [N, …example]`: the first with the largest logit, none if a logit is NaN.
    ///
    /// # Errors
    /// If the inputs do not fit or the engine fails.
    pub fn predictions(&self, inputs: &Tensor) -> Result<Vec<Option<usize>>, AttackError> {
        let rows = self.rows(inputs)?;
        let logits = self.logits_of(rows, &self.first_keys(rows))?;
        Ok(logits.chunks_exact(self.classes).map(crate::criterion::prediction).collect())
    }

    /// Logits `[N, classes]` of `inputs [N, …example]`, and the gradient of each example's loss, of the inputs' shape.
    ///
    /// # Errors
    /// If the inputs do not fit, the number or a value of `classes` is wrong, or the engine fails.
    pub fn loss_gradient(
        &self,
        loss: Loss,
        inputs: &Tensor,
        classes: &[usize],
    ) -> Result<(Tensor, Tensor), AttackError> {
        let rows = self.rows(inputs)?;
        crate::Criterion::Misclassify { labels: classes.to_vec() }.check(rows.len() / self.width, self.classes)?;
        let objective = Objective::Class(loss);
        let weights: Vec<f32> = classes.iter().flat_map(|&c| objective.weights(self.classes, c, c)).collect();
        let found = self.gradient_of(objective, rows, &weights, &self.first_keys(rows))?;
        let logits = Tensor::new([classes.len(), self.classes], found.logits)?;
        Ok((logits, Tensor::new(inputs.shape(), found.gradients)?))
    }

    /// The values of `inputs [N, …example]`; axes of size 1 may differ.
    pub(crate) fn rows<'a>(&self, inputs: &'a Tensor) -> Result<&'a [f32], AttackError> {
        let long = |axes: &[usize]| axes.iter().copied().filter(|&d| d != 1).collect::<Vec<_>>();
        let fits = inputs.shape().split_first().is_some_and(|(_, rest)| long(rest) == long(&self.example));
        match inputs.try_as_slice::<f32>() {
            Some(values) if fits => Ok(values),
            _ => Err(AttackError::Inputs {
                dtype: inputs.dtype(),
                shape: inputs.shape().clone(),
                expected: self.example.clone(),
            }),
        }
    }

    /// Number of values of one example.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    // Keys where there is no seed.
    fn first_keys(&self, rows: &[f32]) -> Vec<Key> {
        (0..(rows.len() / self.width) as i64).map(|row| [0, row]).collect()
    }

    /// Logits `[n, classes]` of `n` examples.
    pub(crate) fn logits_of(&self, rows: &[f32], keys: &[Key]) -> Result<Vec<f32>, AttackError> {
        let exe = self.executable(Pass::Logits)?;
        let mut logits = Vec::with_capacity(rows.len() / self.width * self.classes);
        for (part, keys) in rows.chunks(self.batch * self.width).zip(keys.chunks(self.batch)) {
            let outputs = self.run(&exe, vec![self.padded(part)?], keys)?;
            logits.extend_from_slice(&outputs[0].as_slice::<f32>()[..part.len() / self.width * self.classes]);
        }
        Ok(logits)
    }

    /// Logits, and input gradients of the objective with these `weights [n, classes]`.
    pub(crate) fn gradient_of(
        &self,
        objective: Objective,
        rows: &[f32],
        weights: &[f32],
        keys: &[Key],
    ) -> Result<Derivatives, AttackError> {
        let exe = self.executable(Pass::Gradient(objective))?;
        let mut found = Derivatives { logits: Vec::new(), gradients: Vec::with_capacity(rows.len()) };
        let parts = rows.chunks(self.batch * self.width).zip(weights.chunks(self.batch * self.classes));
        for ((part, chosen), keys) in parts.zip(keys.chunks(self.batch)) {
            let mut padded = Vec::with_capacity(self.batch * self.classes);
            padded.extend_from_slice(chosen);
            while padded.len() < self.batch * self.classes {
                padded.extend_from_slice(&chosen[..self.classes]);
            }
            let padded = Tensor::new([self.batch, self.classes], padded)?;
            let outputs = self.run(&exe, vec![self.padded(part)?, padded], keys)?;
            found.logits.extend_from_slice(&outputs[0].as_slice::<f32>()[..chosen.len()]);
            found.gradients.extend_from_slice(&outputs[1].as_slice::<f32>()[..part.len()]);
        }
        Ok(found)
    }

    /// Logits, and for each row the input gradients `[count, width]` of the `count` linear functions of its logits whose
    /// coefficients are `weights [n, count, classes]`.
    pub(crate) fn logit_gradients_of(
        &self,
        rows: &[f32],
        weights: &[f32],
        count: usize,
        keys: &[Key],
    ) -> Result<Derivatives, AttackError> {
        let exe = self.executable(Pass::LogitGradients(count))?;
        let mut found = Derivatives { logits: Vec::new(), gradients: vec![0.0; rows.len() * count] };
        for (k, (part, keys)) in rows.chunks(self.batch * self.width).zip(keys.chunks(self.batch)).enumerate() {
            let (first, size) = (k * self.batch, part.len() / self.width);
            let mut by_function = vec![0.0f32; count * self.batch * self.classes];
            for (i, f) in (0..size).flat_map(|i| (0..count).map(move |f| (i, f))) {
                let from = ((first + i) * count + f) * self.classes;
                let to = (f * self.batch + i) * self.classes;
                by_function[to..to + self.classes].copy_from_slice(&weights[from..from + self.classes]);
            }
            let by_function = Tensor::new([count, self.batch, self.classes], by_function)?;
            let outputs = self.run(&exe, vec![self.padded(part)?, by_function], keys)?;
            found.logits.extend_from_slice(&outputs[0].as_slice::<f32>()[..size * self.classes]);
            let gradients = outputs[1].as_slice::<f32>();
            for (i, f) in (0..size).flat_map(|i| (0..count).map(move |f| (i, f))) {
                let from = (f * self.batch + i) * self.width;
                let to = ((first + i) * count + f) * self.width;
                found.gradients[to..to + self.width].copy_from_slice(&gradients[from..from + self.width]);
            }
        }
        Ok(found)
    }

    fn run(&self, exe: &Executable, mut feeds: Vec<Tensor>, keys: &[Key]) -> Result<Vec<Tensor>, AttackError> {
        if self.is_randomized() {
            let mut values = keys.concat();
            values.resize(2 * self.batch, 0);
            feeds.push(Tensor::new([self.batch, 2], values)?);
        }
        if let Some(context) = &self.context {
            feeds.push(context.gather(keys, self.batch)?);
        }
        Ok(exe.run(&feeds.iter().collect::<Vec<&Tensor>>())?)
    }

    // A full batch: what is missing repeats the first row.
    fn padded(&self, part: &[f32]) -> Result<Tensor, AttackError> {
        let mut values = Vec::with_capacity(self.batch * self.width);
        values.extend_from_slice(part);
        while values.len() < self.batch * self.width {
            values.extend_from_slice(&part[..self.width]);
        }
        Ok(Tensor::new(self.input.shape(), values)?)
    }

    fn executable(&self, pass: Pass) -> Result<Arc<Executable>, AttackError> {
        let mut compiled = self.compiled.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(exe) = compiled.get(&pass) {
            return Ok(exe.clone());
        }
        let exe = Arc::new(self.compile(pass)?);
        compiled.insert(pass, exe.clone());
        Ok(exe)
    }

    fn compile(&self, pass: Pass) -> Result<Executable, AttackError> {
        let (x, z) = (std::slice::from_ref(&self.input), &self.logits);
        let context: Vec<Expr> = self.context.iter().map(|c| c.input.clone()).collect();
        let inputs = |more: &[Expr]| [x, more, self.key.as_slice(), &context].concat();
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

impl Context {
    // The rows of a batch; what is missing repeats the first.
    fn gather(&self, keys: &[Key], batch: usize) -> Result<Tensor, AttackError> {
        let rows = self.rows.shape()[0];
        let index = |&[_, index]: &Key| {
            let found = usize::try_from(index).ok().filter(|&i| i < rows);
            found.ok_or(AttackError::NoContext { index, rows })
        };
        let mut chosen = keys.iter().map(index).collect::<Result<Vec<usize>, AttackError>>()?;
        chosen.resize(batch, chosen.first().copied().unwrap_or(0));
        let (width, all) = (self.rows.count() / rows, self.rows.as_slice::<f32>());
        let values = chosen.iter().flat_map(|&i| &all[i * width..(i + 1) * width]).copied().collect();
        Ok(Tensor::new(self.input.shape(), values)?)
    }
}
