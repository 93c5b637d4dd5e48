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
}

impl Network {
    /// # Errors
    /// If `graph` has not one `f32` input and one `f32` output that depends on it.
    pub fn new(graph: &Graph, with_inputs: bool) -> Result<Network> {
        let (input, output) = crate::problem::single_example(graph)?;
        let flat = |e: &Expr| e.try_reshape([e.shape().count()]);
        let outputs = output.shape().count();
        let values = flat(&output)?;
        let values = if with_inputs { Expr::try_concat(&[values, flat(&input)?], 0)? } else { values };
        let network = Network { input, values, outputs, activations: Vec::new() };
        let varying = perturb_graph::dependents(std::slice::from_ref(&network.values), &[network.input.clone()]);
        if !varying.contains(&network.values.id()) {
            return CertifyError::model("its output does not depend on its input");
        }
        let is_activation = |n: &Expr| n.op().free_slopes().is_some() && varying.contains(&n.id());
        let order = topological(std::slice::from_ref(&network.values));
        Ok(Network { activations: order.into_iter().filter(is_activation).collect(), ..network })
    }

    /// The same function in `f64`: weights keep their values, and everything is computed in more digits.
    ///
    /// # Errors
    /// If a primitive does not work in `f64`.
    pub fn in_double(&self) -> Result<Network> {
        let mut all = self.activations.clone();
        all.extend([self.values.clone(), self.input.clone()]);
        let double = in_double(&all)?;
        let count = self.activations.len();
        Ok(Network {
            input: double[count + 1].clone(),
            values: double[count].clone(),
            outputs: self.outputs,
            activations: double[..count].to_vec(),
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
        Ok(Network { input: self.input.clone(), values, outputs, activations })
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

fn in_double(outputs: &[Expr]) -> Result<Vec<Expr>> {
    let mut map: HashMap<u64, Expr> = HashMap::new();
    for node in topological(outputs) {
        let operands: Vec<Expr> = node.inputs().iter().map(|i| map.get(&i.id()).unwrap_or(i).clone()).collect();
        let new = match node.op() {
            Op::Input { name, shape, dtype: DType::F32 } => Expr::try_input(name.clone(), shape, DType::F64)?,
            Op::Constant(value) | Op::Param { value, .. } if value.dtype() == DType::F32 => {
                Expr::constant(value.to_dtype(DType::F64))
            }
            op if op.is_leaf() => node.clone(),
            op => Expr::apply(op.clone(), &operands)?,
        };
        map.insert(node.id(), new);
    }
    Ok(outputs.iter().map(|o| map.get(&o.id()).unwrap_or(o).clone()).collect())
}
