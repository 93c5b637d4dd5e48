//! From a lowered graph to a plan.

use super::executable::{Plan, Step, Work, lives_on_device};
use super::host::HostKernel;
use super::kernel::{Kernel, Site, kernel};
use super::value::{Value, extent, sizes};
use super::{Device, Fallback};
use crate::EngineError;
use crate::lower::{Kind, Lowered, Node};
use burn_backend::ops::FloatTensorOps;
use burn_backend::{BoolDType, FloatDType, get_or_init_device_settings};
use burn_dispatch::{Dispatch, DispatchDevice};
use perturb_graph::{DType, GraphError, Op, Tensor};

/// Compiles node by node.
pub(super) struct Compiler<'a> {
    device: Device,
    handle: &'a DispatchDevice,
    truth: BoolDType,
    plan: Plan,
}

impl Compiler<'_> {
    /// Compiles a graph of `inputs` inputs. Nodes that depend on no input are computed now.
    pub fn compile(
        graph: Lowered,
        inputs: usize,
        device: Device,
        handle: &DispatchDevice,
    ) -> Result<Plan, EngineError> {
        let plan = Plan {
            kinds: graph.nodes.iter().map(|n| (n.shape.clone(), n.dtype)).collect(),
            resident: vec![None; graph.nodes.len()],
            feeds: vec![None; inputs],
            steps: Vec::new(),
            outputs: graph.outputs.clone(),
            fallbacks: Vec::new(),
        };
        let truth = get_or_init_device_settings::<Dispatch>(handle).bool_dtype;
        let mut compiler = Compiler { device, handle, truth, plan };
        for (index, node) in graph.nodes.iter().enumerate() {
            compiler.node(index, node)?;
        }
        compiler.release();
        for fallback in &compiler.plan.fallbacks {
            eprintln!("{device}: {} runs on the host: {}", fallback.op, fallback.reason);
        }
        Ok(compiler.plan)
    }

    fn node(&mut self, index: usize, node: &Node) -> Result<(), EngineError> {
        let value = match &node.kind {
            Kind::Feed(i) => {
                self.plan.feeds[*i] = Some(index);
                return Ok(());
            }
            Kind::Variable(_) => {
                let reason =
                    "variables have no place on it: pass their values as inputs, and read the next ones as outputs";
                return Err(self.device.error(reason.into()));
            }
            Kind::Op(op) => return self.primitive(index, op, node),
            Kind::Loop(_, scan) => return self.primitive(index, &Op::Scan(scan.clone()), node),
            Kind::Const(tensor) => self.keep(tensor.clone()),
            Kind::Uniform(value) if lives_on_device(&node.shape, node.dtype) => {
                Value::Device(self.uniform(*value, node))
            }
            Kind::Uniform(value) => Value::Host(filled(*value, node)?),
            Kind::Integer(value) if node.dtype == DType::I64 => Value::Host(Tensor::full(node.shape.clone(), *value)),
            Kind::Integer(value) => Value::Host(filled(*value as f64, node)?),
        };
        self.plan.resident[index] = Some(value);
        Ok(())
    }

    fn keep(&self, tensor: Tensor) -> Value {
        let there = lives_on_device(tensor.shape(), tensor.dtype());
        let value = Value::Host(tensor);
        if there { Value::Device(value.on_device(self.handle)) } else { value }
    }

    // One element, repeated without being copied.
    fn uniform(&self, value: f64, node: &Node) -> burn_dispatch::DispatchTensor {
        let float = if node.dtype == DType::F64 { FloatDType::F64 } else { FloatDType::F32 };
        let one = vec![1; sizes(&node.shape).len()];
        Dispatch::float_expand(Dispatch::float_full(one.into(), value.into(), self.handle, float), extent(&node.shape))
    }

    fn primitive(&mut self, index: usize, op: &Op, node: &Node) -> Result<(), EngineError> {
        let work = match self.on_device(op, node) {
            Ok(kernel) => match op {
                Op::Gather(g) => {
                    Work::Indexed { kernel, op: op.name(), size: self.plan.kinds[node.inputs[0]].0[g.axis] }
                }
                Op::ScatterAdd(s) => Work::Indexed { kernel, op: op.name(), size: s.size },
                _ => Work::Device(kernel),
            },
            Err(reason) => {
                let operands: Vec<_> =
                    node.inputs.iter().map(|&i| (&self.plan.kinds[i].0, self.plan.kinds[i].1)).collect();
                // Integers are computed on the host in any case: only a way back from the device is worth a warning.
                if operands.iter().any(|(shape, dtype)| lives_on_device(shape, *dtype)) {
                    let fallback = Fallback { op: op.name(), reason };
                    if !self.plan.fallbacks.contains(&fallback) {
                        self.plan.fallbacks.push(fallback);
                    }
                }
                Work::Host(HostKernel::new(op, &operands)?)
            }
        };
        let step = Step { work, inputs: node.inputs.clone(), output: index, last: Vec::new() };
        let known: Option<Vec<Value>> = node.inputs.iter().map(|&i| self.plan.resident[i].clone()).collect();
        match known {
            Some(operands) => {
                let value = step.run(operands, &self.plan.kinds, self.device, self.handle)?;
                self.plan.resident[index] = Some(value);
            }
            None => self.plan.steps.push(step),
        }
        Ok(())
    }

    fn on_device(&self, op: &Op, node: &Node) -> Result<Kernel, String> {
        let kinds = || node.inputs.iter().map(|&i| &self.plan.kinds[i]);
        if !node.dtype.is_float() {
            return Err(format!("its result is {}, and only floating-point values live on the device", node.dtype));
        }
        if node.shape.count() == 0 || kinds().any(|(shape, _)| shape.count() == 0) {
            return Err("devices have no tensors without elements".into());
        }
        // The only integers that a device reads are indices.
        let indexed = matches!(op, Op::Gather(_) | Op::ScatterAdd(_));
        let numbers = node.inputs.len() - usize::from(indexed);
        if kinds().take(numbers).any(|(_, dtype)| !dtype.is_float()) {
            return Err("its operands are integers or truth values, which live on the host".into());
        }
        let site = Site {
            operands: kinds().map(|(shape, _)| shape).collect(),
            shape: &node.shape,
            dtype: node.dtype,
            device: self.handle,
            truth: self.truth,
        };
        kernel(op, &site)
    }

    // Drops resident values that only other resident values needed, and finds the last reader of every other one.
    fn release(&mut self) {
        let mut read = vec![false; self.plan.resident.len()];
        self.plan.outputs.iter().for_each(|&o| read[o] = true);
        for step in self.plan.steps.iter_mut().rev() {
            for &i in &step.inputs {
                if !read[i] {
                    read[i] = true;
                    step.last.push(i);
                }
            }
        }
        for (value, read) in self.plan.resident.iter_mut().zip(read) {
            if !read {
                *value = None;
            }
        }
    }
}

fn filled(value: f64, node: &Node) -> Result<Tensor, GraphError> {
    Tensor::from_f64(node.shape.clone(), node.dtype, vec![value; node.shape.count()])
}
