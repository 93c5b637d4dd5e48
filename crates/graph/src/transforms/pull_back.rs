//! The backward walk over an affine graph: reverse mode and bound propagation are both this walk.

use crate::op::linear_group;
use crate::{Expr, GraphError, Result};
use std::collections::{BTreeMap, HashMap};

/// What a covector on an output becomes on the variables of an affine graph.
pub(crate) struct PullBack {
    /// One covector for each variable, in order; `None` is zero.
    pub variables: Vec<Option<Expr>>,
    /// Covectors on nodes that do not depend on the variables: their inner products with those nodes make up the
    /// constant part of the map.
    pub constants: Vec<(Expr, Expr)>,
    /// The covector that stood on every varying node that was walked through, in walking order.
    pub visited: Vec<(Expr, Expr)>,
}

/// Pulls a covector on `output` back to `variables` through nodes that are linear in what depends on them, and
/// collects the constant part of the affine map.
///
/// # Errors
/// If a node between is nonlinear in the variables.
pub(crate) fn pull_back(output: &Expr, covector: &Expr, variables: &[Expr]) -> Result<PullBack> {
    let mut walk = Walk::new(std::slice::from_ref(output), variables);
    let mut constants = Vec::new();
    if walk.varies(output) {
        walk.accumulate(output, covector.clone());
    } else {
        constants.push((output.clone(), covector.clone()));
    }
    let mut visited = Vec::new();
    while let Some((node, covector)) = walk.next() {
        visited.push((node.clone(), covector.clone()));
        constants.append(&mut walk.step(&node, &covector, true)?);
    }
    Ok(PullBack { variables: walk.results(variables), constants, visited })
}

/// Pulls covectors on `outputs` back to `variables` through a linear graph, the adjoint of reverse mode.
///
/// # Errors
/// If a node between is nonlinear in the variables.
pub(crate) fn transpose(outputs: &[Expr], covectors: &[Expr], variables: &[Expr]) -> Result<Vec<Option<Expr>>> {
    let mut walk = Walk::new(outputs, variables);
    for (output, covector) in outputs.iter().zip(covectors) {
        if walk.varies(output) {
            walk.accumulate(output, covector.clone());
        }
    }
    while let Some((node, covector)) = walk.next() {
        walk.step(&node, &covector, false)?;
    }
    Ok(walk.results(variables))
}

// Covectors wait on nodes in order of id: the largest has no user left that could still add to it.
struct Walk {
    varying: HashMap<u64, bool>,
    arrived: HashMap<u64, Expr>,
    pending: BTreeMap<u64, (Expr, Expr)>,
    variables: Vec<u64>,
}

impl Walk {
    fn new(outputs: &[Expr], variables: &[Expr]) -> Walk {
        let varying = variables.iter().map(|v| (v.id(), true)).collect();
        let ids = variables.iter().map(Expr::id).collect();
        let mut walk = Walk { varying, arrived: HashMap::new(), pending: BTreeMap::new(), variables: ids };
        let oldest = walk.variables.iter().copied().min().unwrap_or(u64::MAX);
        for output in outputs {
            walk.mark(output, oldest);
        }
        walk
    }

    // Marks what depends on the variables; nothing older than the oldest variable can.
    fn mark(&mut self, output: &Expr, oldest: u64) {
        let mut stack = vec![(output.clone(), false)];
        while let Some((node, operands_done)) = stack.pop() {
            if operands_done {
                let varies = node.inputs().iter().any(|i| self.varies(i));
                self.varying.insert(node.id(), varies);
            } else if node.id() >= oldest && !self.varying.contains_key(&node.id()) {
                stack.push((node.clone(), true));
                stack.extend(node.inputs().iter().map(|i| (i.clone(), false)));
            }
        }
    }

    fn varies(&self, node: &Expr) -> bool {
        self.varying.get(&node.id()).copied().unwrap_or(false)
    }

    fn accumulate(&mut self, node: &Expr, covector: Expr) {
        if self.variables.contains(&node.id()) {
            let sum = self.arrived.remove(&node.id()).map_or(covector.clone(), |earlier| earlier.add(&covector));
            self.arrived.insert(node.id(), sum);
            return;
        }
        let sum = self.pending.remove(&node.id()).map_or(covector.clone(), |(_, earlier)| earlier.add(&covector));
        self.pending.insert(node.id(), (node.clone(), sum));
    }

    fn next(&mut self) -> Option<(Expr, Expr)> {
        self.pending.pop_last().map(|(_, entry)| entry)
    }

    // Moves a covector from a node to its operands; returns the parts on constant operands if they are wanted.
    fn step(&mut self, node: &Expr, covector: &Expr, with_constants: bool) -> Result<Vec<(Expr, Expr)>> {
        let mask: Vec<bool> = node.inputs().iter().map(|i| self.varies(i)).collect();
        let Some((rules, group)) = node.op().primitive().and_then(|r| Some((r, linear_group(node, &mask)?))) else {
            let reason = "because it is not linear in what varies".to_string();
            return Err(GraphError::NoRule { op: node.op().name().into(), rule: "transpose", reason });
        };
        let wanted = if with_constants { group } else { mask };
        let mut constants = Vec::new();
        for (operand, part) in node.inputs().iter().zip(rules.transpose(node, covector, &wanted)) {
            match part {
                Some(part) if self.varies(operand) => self.accumulate(operand, part),
                Some(part) if with_constants => constants.push((operand.clone(), part)),
                _ => {}
            }
        }
        Ok(constants)
    }

    fn results(mut self, variables: &[Expr]) -> Vec<Option<Expr>> {
        variables.iter().map(|v| self.arrived.remove(&v.id())).collect()
    }
}
