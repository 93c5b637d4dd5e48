//! Executables on a device: a list of kernels, and the values that stay on the device between runs.

use super::compiler::Compiler;
use super::host::HostKernel;
use super::kernel::Kernel;
use super::value::{Value, fetch};
use super::{Device, Fallback};
use crate::EngineError;
use crate::executable::Declared;
use crate::lower::lower;
use crate::plan::prune;
use burn_backend::Backend;
use burn_dispatch::{Dispatch, DispatchDevice};
use perturb_graph::{DType, Expr, Graph, Shape, Tensor};

/// A graph compiled for a [`Device`]. Weights are on the device from then on; a run moves its inputs there and its
/// outputs back.
pub struct BurnExecutable {
    device: Device,
    handle: DispatchDevice,
    inputs: Vec<Declared>,
    plan: Plan,
}

/// What a run does.
pub(super) struct Plan {
    /// Shapes and types of all nodes.
    pub kinds: Vec<(Shape, DType)>,
    /// Values that do not depend on the inputs.
    pub resident: Vec<Option<Value>>,
    /// The node of each input, if anything needs it.
    pub feeds: Vec<Option<usize>>,
    pub steps: Vec<Step>,
    pub outputs: Vec<usize>,
    pub fallbacks: Vec<Fallback>,
}

/// The computation of one node.
pub(super) struct Step {
    pub work: Work,
    pub inputs: Vec<usize>,
    pub output: usize,
    /// The operands that nothing after this step reads.
    pub last: Vec<usize>,
}

/// Where a node is computed.
pub(super) enum Work {
    Device(Kernel),
    /// The last operand, on the host, indexes an axis of this size.
    Indexed {
        kernel: Kernel,
        op: &'static str,
        size: usize,
    },
    Host(HostKernel),
}

impl BurnExecutable {
    /// Compiles `outputs` as a function of `inputs` (placeholders, or parameters that are to be fed) for `device`.
    /// Primitives that the device cannot compute run on the host; each of them is named in [`Self::fallbacks`] and once
    /// on the standard error stream.
    ///
    /// # Errors
    /// If an output needs an input that is not listed, the device is not there or was not compiled in, or it lacks the
    /// graph's element type.
    pub fn compile(outputs: &[Expr], inputs: &[Expr], device: &Device) -> Result<BurnExecutable, EngineError> {
        let handle = device.open()?;
        device.guard(|| {
            let graph = prune(lower(outputs, inputs, &[])?);
            let has_f64 = device.has_f64() && Dispatch::supports_dtype(&handle, burn_backend::DType::F64);
            if !has_f64 && graph.nodes.iter().any(|n| n.dtype == DType::F64) {
                let reason = "it does not compute in f64: convert the graph to f32, or use another device";
                return Err(device.error(reason.into()));
            }
            let plan = Compiler::compile(graph, inputs.len(), *device, &handle)?;
            let declared = |i: &Expr| {
                let name = i.name().unwrap_or("input").to_string();
                Declared { name, shape: i.shape().clone(), dtype: i.dtype() }
            };
            let inputs = inputs.iter().map(declared).collect();
            Ok(BurnExecutable { device: *device, handle: handle.clone(), inputs, plan })
        })
    }

    /// Compiles a model as it stands.
    ///
    /// # Errors
    /// See [`BurnExecutable::compile`].
    pub fn of(graph: &Graph, device: &Device) -> Result<BurnExecutable, EngineError> {
        BurnExecutable::compile(&graph.output_exprs(), &graph.inputs, device)
    }

    /// The device.
    pub fn device(&self) -> Device {
        self.device
    }

    /// The primitives that run on the host although an operand is on the device, each with its reason.
    pub fn fallbacks(&self) -> &[Fallback] {
        &self.plan.fallbacks
    }

    /// Runs on one tensor for each input, in order.
    ///
    /// # Errors
    /// If the number, a shape or a type of the feeds does not fit, or the device fails.
    pub fn run(&self, feeds: &[&Tensor]) -> Result<Vec<Tensor>, EngineError> {
        if feeds.len() != self.inputs.len() {
            return Err(EngineError::FeedCount { expected: self.inputs.len(), got: feeds.len() });
        }
        self.inputs.iter().zip(feeds).try_for_each(|(declared, feed)| declared.check(feed))?;
        self.device.guard(|| {
            let mut values = self.plan.resident.clone();
            for (node, &feed) in self.plan.feeds.iter().zip(feeds) {
                let Some(node) = *node else { continue };
                let value = Value::Host(feed.clone());
                let there = lives_on_device(feed.shape(), feed.dtype());
                values[node] = Some(if there { Value::Device(value.on_device(&self.handle)) } else { value });
            }
            for step in &self.plan.steps {
                let operands = operands(step, &mut values);
                values[step.output] = Some(step.run(operands, &self.plan.kinds, self.device, &self.handle)?);
            }
            let results = self.plan.outputs.iter().map(|&o| {
                let (shape, dtype) = self.plan.kinds[o].clone();
                (values[o].clone().unwrap_or_else(|| missing()), shape, dtype)
            });
            fetch(results.collect(), self.device)
        })
    }
}

// A value that is read for the last time is handed over, so that the device may write the result over it.
fn operands(step: &Step, values: &mut [Option<Value>]) -> Vec<Value> {
    let mut operands = Vec::with_capacity(step.inputs.len());
    for (position, &i) in step.inputs.iter().enumerate() {
        let over = step.last.contains(&i) && !step.inputs[position + 1..].contains(&i);
        let value = if over { values[i].take() } else { values[i].clone() };
        operands.push(value.unwrap_or_else(|| missing()));
    }
    operands
}

impl Step {
    /// Computes the node; `kinds` are the shapes and types of all nodes.
    pub fn run(
        &self,
        operands: Vec<Value>,
        kinds: &[(Shape, DType)],
        device: Device,
        handle: &DispatchDevice,
    ) -> Result<Value, EngineError> {
        match &self.work {
            Work::Device(kernel) => {
                Ok(Value::Device(kernel(operands.into_iter().map(|v| v.on_device(handle)).collect())))
            }
            Work::Indexed { kernel, op, size } => {
                check_indices(op, *size, operands.last())?;
                Ok(Value::Device(kernel(operands.into_iter().map(|v| v.on_device(handle)).collect())))
            }
            Work::Host(kernel) => {
                let of = |(value, &i): (Value, &usize)| (value, kinds[i].0.clone(), kinds[i].1);
                let operands = fetch(operands.into_iter().zip(&self.inputs).map(of).collect(), device)?;
                Ok(Value::Host(kernel.run(&operands.iter().collect::<Vec<_>>())?))
            }
        }
    }
}

fn check_indices(op: &'static str, size: usize, indices: Option<&Value>) -> Result<(), EngineError> {
    let Some(Value::Host(indices)) = indices else { return Ok(()) };
    let outside = |&&i: &&i64| usize::try_from(i).map_or(true, |i| i >= size);
    match indices.try_as_slice::<i64>().and_then(|indices| indices.iter().find(outside)) {
        Some(&index) => Err(EngineError::Index { op, index, size }),
        None => Ok(()),
    }
}

fn missing() -> ! {
    unreachable!("operands come before what needs them")
}

/// Whether a value of this shape and type is kept on the device; devices have no tensors without elements.
pub(super) fn lives_on_device(shape: &Shape, dtype: DType) -> bool {
    dtype.is_float() && shape.count() > 0
}
