//! A classifier compiled for explaining: its logits, and the input gradient of any of them.

use crate::examples::Examples;
use crate::{ExplainError, Geometry, Result};
use perturb_engine::{Executable, Options};
use perturb_graph::{DType, Expr, Graph, Shape, Tensor, grad};
use std::sync::OnceLock;

/// A compiled classifier. It always computes batches of one fixed size, so that an example's result is the same
/// whatever else is computed.
pub struct Model {
    graph: Graph,
    example: Shape,
    geometry: Geometry,
    classes: usize,
    batch: usize,
    pub(crate) forward: Executable,
    gradient: OnceLock<Executable>,
}

impl Model {
    /// Compiles a classifier of one example, f32 `[1, …example] → [1, classes]`, for batches of `batch` examples. Inputs
    /// are in the units of the graph's input: pixels, if a normalisation is part of the graph.
    ///
    /// # Errors
    /// [`ExplainError::Model`] if the graph does not have that form; [`ExplainError::Engine`] if it cannot be compiled,
    /// for instance because the batch needs too much memory.
    pub fn compile(graph: &Graph, batch: usize) -> Result<Model> {
        let refuse = |reason: String| Err(ExplainError::Model { reason });
        let ([input], [(_, output)]) = (&graph.inputs[..], &graph.outputs[..]) else {
            let (inputs, outputs) = (graph.inputs.len(), graph.outputs.len());
            return refuse(format!("it has {inputs} inputs and {outputs} outputs; choose one input and one output"));
        };
        if input.dtype() != DType::F32 || output.dtype() != DType::F32 {
            let found = if input.dtype() == DType::F32 { output.dtype() } else { input.dtype() };
            return refuse(format!("it computes in {found}; convert it to {}", DType::F32));
        }
        let [1, example @ ..] = &input.shape()[..] else {
            return refuse(format!("its input is {}; give the graph of one example, [1, …]", input.shape()));
        };
        if output.shape().iter().filter(|&&n| n != 1).count() > 1 || output.shape().count() == 0 {
            return refuse(format!("its output is {}; choose an output with one axis of classes", output.shape()));
        }
        if batch == 0 {
            return refuse("the batch size is 0; give at least 1".into());
        }
        let geometry = Geometry::of(example)?;
        let (example, classes) = (Shape::from(example), output.shape().count());
        let mut graph = graph.vmap(batch)?;
        graph.outputs[0].1 = graph.outputs[0].1.try_reshape([batch, classes])?;
        let forward = Executable::of(&graph, &Options::default())?;
        Ok(Model { graph, example, geometry, classes, batch, forward, gradient: OnceLock::new() })
    }

    /// The same model with another view of its examples, for instance of flat inputs as images.
    ///
    /// # Errors
    /// [`ExplainError::Setting`] if the view has another number of elements.
    pub fn with_geometry(self, geometry: Geometry) -> Result<Model> {
        let (wanted, got) = (self.example.count(), geometry.elements());
        let reason = || format!("has {got} elements, but the model's examples {} have {wanted}", self.example);
        crate::error::require(wanted == got, "geometry", reason)?;
        Ok(Model { geometry, ..self })
    }

    /// Shape of one example, batch axis left out.
    pub fn example_shape(&self) -> &Shape {
        &self.example
    }

    /// How an example's elements lie in space.
    pub fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Examples that are computed at once.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// Logits `[N, classes]` of inputs `[N, …example]`.
    ///
    /// # Errors
    /// If the inputs do not fit or hold NaN, or a logit is not finite.
    pub fn logits(&self, inputs: &Tensor) -> Result<Tensor> {
        let examples = self.examples("inputs", inputs)?;
        let mut logits = Vec::with_capacity(examples.count() * self.classes);
        let fill = |example: usize, _, row: &mut [f32]| row.copy_from_slice(examples.row(example));
        self.for_each_logits(examples.count(), 1, fill, |row| logits.extend_from_slice(row.result))?;
        Ok(Tensor::new([examples.count(), self.classes], logits)?)
    }

    /// Gradients, of the shape of `inputs`, of each example's target logit.
    ///
    /// # Errors
    /// If inputs or targets do not fit, inputs hold NaN, or a gradient is not finite.
    pub fn gradients(&self, inputs: &Tensor, targets: &[usize]) -> Result<Tensor> {
        let examples = self.targeted(inputs, targets)?;
        let fill = |example: usize, _, row: &mut [f32]| row.copy_from_slice(examples.row(example));
        Ok(Tensor::new(inputs.shape(), self.weighted_gradients(targets, &[1.0], fill)?)?)
    }

    /// The rows of `tensor`, checked to be examples of this model.
    pub(crate) fn examples<'a>(&self, what: &'static str, tensor: &'a Tensor) -> Result<Examples<'a>> {
        Examples::new(what, tensor, &self.example)
    }

    /// The rows of `inputs`, and one valid target for each.
    pub(crate) fn targeted<'a>(&self, inputs: &'a Tensor, targets: &[usize]) -> Result<Examples<'a>> {
        let examples = self.examples("inputs", inputs)?;
        if targets.len() != examples.count() {
            return Err(ExplainError::TargetCount { examples: examples.count(), targets: targets.len() });
        }
        match targets.iter().position(|&t| t >= self.classes) {
            Some(example) => Err(ExplainError::Target { example, target: targets[example], classes: self.classes }),
            None => Ok(examples),
        }
    }

    /// `(inputs [batch, 1, …], weights [batch, classes]) → gradients` of `Σ weights·logits`, compiled when first needed:
    /// with one-hot weights every example has its own target.
    pub(crate) fn gradient(&self) -> Result<&Executable> {
        if let Some(compiled) = self.gradient.get() {
            return Ok(compiled);
        }
        let (input, logits) = (&self.graph.inputs[0], &self.graph.outputs[0].1);
        let weights = Expr::try_input("weights", logits.shape(), DType::F32)?;
        let gradient = grad(&logits.try_mul(&weights)?, std::slice::from_ref(input))?;
        let compiled = Executable::compile(&gradient, &[input.clone(), weights], &Options::default())?;
        Ok(self.gradient.get_or_init(|| compiled))
    }
}
