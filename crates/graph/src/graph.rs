//! A model: named inputs and named outputs.

use crate::{Expr, GraphError, Op, Result, Shape, topological, transforms::vmap};
use std::collections::BTreeMap;

/// A function of named inputs. Convention for classifiers: the graph describes *one* example whose leading axis is 1
/// (`[1, C, H, W] → [1, classes]`), and batches come from [`Graph::vmap`].
#[derive(Clone, Debug)]
pub struct Graph {
    /// Inputs, in order.
    pub inputs: Vec<Expr>,
    /// Outputs, in order, with their names.
    pub outputs: Vec<(String, Expr)>,
}

impl Graph {
    /// A graph with these inputs and outputs.
    ///
    /// # Errors
    /// If an output depends on an input that is not listed.
    pub fn new(inputs: Vec<Expr>, outputs: Vec<(String, Expr)>) -> Result<Graph> {
        let exprs: Vec<Expr> = outputs.iter().map(|(_, e)| e.clone()).collect();
        let stray = topological(&exprs)
            .into_iter()
            .find(|n| matches!(n.op(), Op::Input { .. }) && inputs.iter().all(|i| i.id() != n.id()));
        match stray {
            Some(node) => Err(GraphError::NoRule {
                op: node.name().unwrap_or("input").to_string(),
                rule: "graph",
                reason: "because it is an input that the graph does not list".into(),
            }),
            None => Ok(Graph { inputs, outputs }),
        }
    }

    /// The outputs without their names.
    pub fn output_exprs(&self) -> Vec<Expr> {
        self.outputs.iter().map(|(_, e)| e.clone()).collect()
    }

    /// The same function on `size` examples at once: inputs and outputs get a leading axis.
    ///
    /// # Errors
    /// If a batched tensor would be too large.
    pub fn vmap(&self, size: usize) -> Result<Graph> {
        let batched: Vec<Expr> = self
            .inputs
            .iter()
            .map(|i| Expr::try_input(i.name().unwrap_or("input"), i.shape().prepend(size), i.dtype()))
            .collect::<Result<_>>()?;
        let pairs: Vec<(Expr, Expr)> = self.inputs.iter().cloned().zip(batched.iter().cloned()).collect();
        let outputs = vmap(&self.output_exprs(), &pairs, size)?;
        let names = self.outputs.iter().map(|(n, _)| n.clone());
        Ok(Graph { inputs: batched, outputs: names.zip(outputs).collect() })
    }

    /// The graph's parameters, in order of construction.
    pub fn params(&self) -> Vec<Expr> {
        topological(&self.output_exprs()).into_iter().filter(|n| matches!(n.op(), Op::Param { .. })).collect()
    }

    /// Number of elements of all parameters.
    pub fn parameter_count(&self) -> usize {
        self.params().iter().map(|p| p.shape().count()).sum()
    }

    /// How often each primitive occurs.
    pub fn operators(&self) -> BTreeMap<&'static str, usize> {
        let mut counts = BTreeMap::new();
        for node in topological(&self.output_exprs()) {
            if !node.op().is_leaf() {
                *counts.entry(node.op().name()).or_insert(0) += 1;
            }
        }
        counts
    }

    /// Shape of input `index`.
    pub fn input_shape(&self, index: usize) -> &Shape {
        self.inputs[index].shape()
    }
}
