//! A network as the search sees it.

use crate::{CertifyError, Result};
use perturb_graph::{DType, Expr, FreeSlopes, Graph, Op, topological};
use std::collections::HashMap;

/// A network of one example.
#[derive(Clone, Debug)]
pub(crate) struct Network {
    /// The input, of any shape.
    pub input: Expr,
    /// `[outputs]`, or `[outputs + inputs]` if properties speak of inputs too.
    pub values: Expr,
    /// Number of outputs.
    pub outputs: usize,
    /// The nodes whose relaxation has free slopes (`relu`, `sigmoid`, `tanh`) and that depend on the input, in topological
    /// order.
    pub activations: Vec<Expr>,
    /// Whether weights were rounded to `f32`: then nothing that is proved of it holds for the network as given.
    pub rounded: bool,
}

impl Network {
    /// A network in `f32` and the same in `f64`, in which weights are what they are in `graph`. If that computes in `f64`, the first
    /// may have other weights, so that nothing proved of it holds for the network.
    ///
    /// # Errors
    /// If `graph` has not one input and one output that depends on it, both of `f32` or both of `f64`.
    pub fn both(graph: &Graph, with_inputs: bool) -> Result<(Network, Network)> {
        if graph.inputs.iter().chain(graph.outputs.iter().map(|(_, o)| o)).all(|e| e.dtype() == DType::F64) {
            let double = Network::new(crate::problem::one_of_each(graph)?, with_inputs)?;
            return Ok((Network { rounded: true, ..double.in_type(DType::F32)? }, double));
        }
        let single = Network::new(crate::problem::single_example(graph)?, with_inputs)?;
        let double = single.in_type(DType::F64)?;
        Ok((single, double))
    }

    fn new((input, output): (Expr, Expr), with_inputs: bool) -> Result<Network> {
        let flat = |e: &Expr| e.try_reshape([e.shape().count()]);
        let outputs = output.shape().count();
        let values = flat(&output)?;
        let values = if with_inputs { Expr::try_concat(&[values, flat(&input)?], 0)? } else { values };
        let network = Network { input, values, outputs, activations: Vec::new(), rounded: false };
        let varying = perturb_graph::dependents(std::slice::from_ref(&network.values), &[network.input.clone()]);
        if !varying.contains(&network.values.id()) {
            return CertifyError::model("its output does not depend on its input");
        }
        let is_activation = |n: &Expr| n.op().free_slopes().is_some() && varying.contains(&n.id());
        let order = topological(std::slice::from_ref(&network.values));
        Ok(Network { activations: order.into_iter().filter(is_activation).collect(), ..network })
    }

    // The same layers in another type: all weights and all that is computed.
    fn in_type(&self, dtype: DType) -> Result<Network> {
        let mut all = self.activations.clone();
        all.extend([self.values.clone(), self.input.clone()]);
        let converted = in_type(&all, dtype)?;
        let count = self.activations.len();
        Ok(Network {
            input: converted[count + 1].clone(),
            values: converted[count].clone(),
            outputs: self.outputs,
            activations: converted[..count].to_vec(),
            rounded: self.rounded,
        })
    }

    /// The network up to the operand of its activation number `layer`, which becomes its output.
    ///
    /// # Errors
    /// If the operand cannot be flattened.
    pub fn up_to(&self, layer: usize) -> Result<Network> {
        let operand = self.activations[layer].inputs()[0].clone();
        let outputs = operand.shape().count();
        let values = operand.try_reshape([outputs])?;
        let order = topological(std::slice::from_ref(&values));
        let below = |a: &&Expr| order.iter().any(|n| n.id() == a.id());
        let activations = self.activations.iter().filter(below).cloned().collect();
        Ok(Network { input: self.input.clone(), values, outputs, activations, rounded: self.rounded })
    }

    /// Number of inputs.
    pub fn inputs(&self) -> usize {
        self.input.shape().count()
    }

    /// Length of a functional over the network's values.
    pub fn width(&self) -> usize {
        self.values.shape().count()
    }

    /// The operand of each activation.
    pub fn operands(&self) -> Vec<Expr> {
        self.activations.iter().map(|a| a.inputs()[0].clone()).collect()
    }

    /// What is free in the relaxation of each activation.
    pub fn free_slopes(&self) -> Vec<FreeSlopes> {
        self.activations.iter().filter_map(|a| a.op().free_slopes()).collect()
    }
}

fn in_type(outputs: &[Expr], dtype: DType) -> Result<Vec<Expr>> {
    let mut map: HashMap<u64, Expr> = HashMap::new();
    for node in topological(outputs) {
        let operands: Vec<Expr> = node.inputs().iter().map(|i| map.get(&i.id()).unwrap_or(i).clone()).collect();
        let new = match node.op() {
            Op::Input { name, shape, dtype: own } if own.is_float() => Expr::try_input(name.clone(), shape, dtype)?,
            Op::Constant(value) | Op::Param { value, .. } if value.dtype().is_float() => {
                Expr::constant(value.to_dtype(dtype))
            }
            op if op.is_leaf() => node.clone(),
            op => Expr::apply(op.clone(), &operands)?,
        };
        map.insert(node.id(), new);
    }
    Ok(outputs.iter().map(|o| map.get(&o.id()).unwrap_or(o).clone()).collect())
}
