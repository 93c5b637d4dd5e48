//! The model under attack.

use crate::batched::{Batched, Pass};
use crate::loss::Objective;
use crate::seed::Key;
use crate::{AttackError, Loss};
use perturb_engine::Executable;
use perturb_graph::{DType, Expr, Graph, Shape, Tensor};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

/// A classifier, and the passes that attacks need: logits, gradients of a loss, gradients of several logits.
///
/// Passes run on a batch at a time, the last one in a smaller batch that its examples nearly fill. The engine takes every sum
/// in the order of its terms, whatever the batch, unless that is a single example, which is therefore run twice: so the
/// result for an example does not depend on what it is batched with.
///
/// A randomised model has a second input, a key (see [`Expr::try_random_bits`]): every run on an example gets another one.
pub struct Classifier {
    graph: Graph,
    example: Shape,
    width: usize,
    batch: usize,
    classes: usize,
    randomized: bool,
    context: Option<Tensor>,
    compiled: Mutex<HashMap<(Pass, usize), Arc<Executable>>>,
}

/// Logits `[rows, classes]` and gradients `[rows, …, width]` of a pass, row-major.
pub(crate) struct Derivatives {
    pub logits: Vec<f32>,
    pub gradients: Vec<f32>,
}

impl Classifier {
    /// A classifier from a graph for one example (`[1, …] → [1, classes]`, the leading ones optional; single precision),
    /// to be run on at most `batch` examples at a time. Whatever normalises pixels belongs into the graph.
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
        let context = match context {
            Some((rows, one)) => {
                let fits = rows.shape().first().is_some_and(|n| n * one.shape().count() == rows.count());
                if !fits || [rows.dtype(), one.dtype()] != [DType::F32; 2] {
                    let (dtype, shape, expected) = (rows.dtype(), rows.shape().clone(), one.shape().clone());
                    return Err(AttackError::Inputs { dtype, shape, expected });
                }
                Some(rows.clone())
            }
            None => None,
        };
        let randomized = !keys.is_empty();
        // Whatever cannot be batched is refused here, and not in the middle of an attack.
        Batched::new(graph, batch)?;
        let graph = graph.clone();
        Ok(Classifier { graph, example, width, batch, classes, randomized, context, compiled: Mutex::default() })
    }

    /// Whether two runs on the same example may differ.
    pub fn is_randomized(&self) -> bool {
        self.randomized
    }

    /// Most examples in a run.
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

    /// The graph, if it is a function of the example alone.
    pub(crate) fn plain_graph(&self) -> Option<&Graph> {
        (self.graph.inputs.len() == 1).then_some(&self.graph)
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
        let mut logits = Vec::with_capacity(rows.len() / self.width * self.classes);
        for part in parts(rows.len() / self.width, self.batch) {
            let outputs = self.run(Pass::Logits, &part, keys, rows, None)?;
            logits.extend_from_slice(&outputs[0].as_slice::<f32>()[..part.len * self.classes]);
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
        let mut found = Derivatives { logits: Vec::new(), gradients: Vec::with_capacity(rows.len()) };
        for part in parts(rows.len() / self.width, self.batch) {
            let weights = Tensor::new([part.size, self.classes], part.fill(weights, self.classes))?;
            let outputs = self.run(Pass::Gradient(objective), &part, keys, rows, Some(weights))?;
            found.logits.extend_from_slice(&outputs[0].as_slice::<f32>()[..part.len * self.classes]);
            found.gradients.extend_from_slice(&outputs[1].as_slice::<f32>()[..part.len * self.width]);
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
        let mut found = Derivatives { logits: Vec::new(), gradients: vec![0.0; rows.len() * count] };
        for part in parts(rows.len() / self.width, self.batch) {
            let mut by_function = vec![0.0f32; count * part.size * self.classes];
            for (i, f) in (0..part.len).flat_map(|i| (0..count).map(move |f| (i, f))) {
                let from = ((part.first + i) * count + f) * self.classes;
                let to = (f * part.size + i) * self.classes;
                by_function[to..to + self.classes].copy_from_slice(&weights[from..from + self.classes]);
            }
            let by_function = Tensor::new([count, part.size, self.classes], by_function)?;
            let outputs = self.run(Pass::LogitGradients(count), &part, keys, rows, Some(by_function))?;
            found.logits.extend_from_slice(&outputs[0].as_slice::<f32>()[..part.len * self.classes]);
            let gradients = outputs[1].as_slice::<f32>();
            for (i, f) in (0..part.len).flat_map(|i| (0..count).map(move |f| (i, f))) {
                let from = (f * part.size + i) * self.width;
                let to = ((part.first + i) * count + f) * self.width;
                found.gradients[to..to + self.width].copy_from_slice(&gradients[from..from + self.width]);
            }
        }
        Ok(found)
    }

    fn run(
        &self,
        pass: Pass,
        part: &Part,
        keys: &[Key],
        rows: &[f32],
        weights: Option<Tensor>,
    ) -> Result<Vec<Tensor>, AttackError> {
        let input: Shape = self.graph.inputs[0].shape().prepend(part.size);
        let mut feeds = vec![Tensor::new(input, part.fill(rows, self.width))?];
        feeds.extend(weights);
        let keys = &keys[part.first..part.first + part.len];
        if let Some(rows) = &self.context {
            feeds.push(gather(rows, self.graph.inputs[1].shape().prepend(part.size), keys)?);
        }
        if self.randomized {
            let mut values = keys.concat();
            values.resize(2 * part.size, 0);
            feeds.push(Tensor::new([part.size, 2], values)?);
        }
        Ok(self.executable(pass, part.size)?.run(&feeds.iter().collect::<Vec<&Tensor>>())?)
    }

    fn executable(&self, pass: Pass, size: usize) -> Result<Arc<Executable>, AttackError> {
        let mut compiled = self.compiled.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(exe) = compiled.get(&(pass, size)) {
            return Ok(exe.clone());
        }
        let exe = Arc::new(Batched::new(&self.graph, size)?.compile(pass)?);
        compiled.insert((pass, size), exe.clone());
        Ok(exe)
    }
}

/// Some examples, run together.
pub(crate) struct Part {
    pub first: usize,
    pub len: usize,
    /// Size of the batch.
    pub size: usize,
}

/// The examples of each run on `count` of them, at most so many at a time.
pub(crate) fn parts(count: usize, batch: usize) -> Vec<Part> {
    let mut parts = Vec::with_capacity(count.div_ceil(batch) + 1);
    let mut first = 0;
    while first < count {
        let len = run_of(count - first, batch);
        parts.push(Part { first, len, size: size(len, batch) });
        first += len;
    }
    parts
}

impl Part {
    // The rows of a full batch: what is missing repeats the first one.
    fn fill(&self, all: &[f32], width: usize) -> Vec<f32> {
        let mut values = Vec::with_capacity(self.size * width);
        values.extend_from_slice(&all[self.first * width..(self.first + self.len) * width]);
        while values.len() < self.size * width {
            values.extend_from_slice(&all[self.first * width..(self.first + 1) * width]);
        }
        values
    }
}

/// Sizes of batches: few, because each is compiled. Never one but when a batch is one.
fn sizes(most: usize) -> impl Iterator<Item = usize> {
    (1..).flat_map(|k| [1usize << k, 3usize << (k - 1)]).take_while(move |&size| size < most).chain([most])
}

/// The size of the batch that so many examples are run in: at least two thirds of it are filled.
fn size(len: usize, most: usize) -> usize {
    sizes(most).find(|&size| size >= len).unwrap_or(most)
}

/// How many of the examples that are left are run together: all, or as many as fill a batch if the others fit into one that
/// is so much smaller that a run is saved.
fn run_of(left: usize, most: usize) -> usize {
    let full = sizes(most).take_while(|&size| size <= left).last().unwrap_or(left);
    let apart = full + size(left - full, most) + RUN;
    if left > most || apart < size(left, most) { full } else { left }
}

/// What a run costs beside its examples, in examples: the weights are packed for each.
const RUN: usize = 1;

/// The context's rows of some examples, the first one's again up to the shape's length.
fn gather(rows: &Tensor, shape: Shape, keys: &[Key]) -> Result<Tensor, AttackError> {
    let count = rows.shape()[0];
    let index = |&[_, index]: &Key| {
        let found = usize::try_from(index).ok().filter(|&i| i < count);
        found.ok_or(AttackError::NoContext { index, rows: count })
    };
    let mut chosen = keys.iter().map(index).collect::<Result<Vec<usize>, AttackError>>()?;
    chosen.resize(shape[0], chosen.first().copied().unwrap_or(0));
    let (width, all) = (rows.count() / count, rows.as_slice::<f32>());
    let values = chosen.iter().flat_map(|&i| &all[i * width..(i + 1) * width]).copied().collect();
    Ok(Tensor::new(shape, values)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    // Every example is in one run, which it fits into; never a batch of one; and no more is run than one batch that all fit.
    #[test]
    fn parts_hold_every_example_once_and_waste_little() {
        for (count, most) in (0..200).flat_map(|count| [1, 2, 5, 16, 64].map(|most| (count, most))) {
            let parts = parts(count, most);
            let mut next = 0;
            for part in &parts {
                assert!(part.first == next && part.len > 0 && part.len <= part.size && part.size <= most);
                assert!(part.size > 1 || most == 1);
                next += part.len;
            }
            assert_eq!(next, count);
            let run: usize = parts.iter().map(|p| p.size).sum();
            assert!(run <= count / most * most + size(count % most, most), "{count} in batches of {most}: {run}");
        }
        let sizes = |count| parts(count, 64).iter().map(|p| p.size).collect::<Vec<_>>();
        assert_eq!((sizes(53), sizes(50), sizes(64), sizes(65)), (vec![48, 6], vec![48, 2], vec![64], vec![64, 2]));
    }
}
