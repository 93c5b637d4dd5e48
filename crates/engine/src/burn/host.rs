//! Nodes that the host computes.

use crate::{EngineError, Executable, Options};
use perturb_graph::{DType, Expr, GraphError, Op, Shape, Tensor, eval};

/// One primitive on the host: by the CPU executable, or by its definition where that has no kernel.
pub(super) struct HostKernel {
    operands: Vec<Expr>,
    node: Expr,
    compiled: Option<Executable>,
}

impl HostKernel {
    /// The kernel of `op` for operands of these shapes and types.
    pub fn new(op: &Op, operands: &[(&Shape, DType)]) -> Result<HostKernel, EngineError> {
        let placeholders = operands.iter().map(|(shape, dtype)| Expr::try_input("operand", *shape, *dtype));
        let operands = placeholders.collect::<Result<Vec<Expr>, GraphError>>()?;
        let node = Expr::apply(op.clone(), &operands)?;
        let compiled = Executable::compile(std::slice::from_ref(&node), &operands, &Options::default()).ok();
        Ok(HostKernel { operands, node, compiled })
    }

    /// Computes the node.
    pub fn run(&self, operands: &[&Tensor]) -> Result<Tensor, EngineError> {
        let results = match &self.compiled {
            Some(executable) => executable.run(operands)?,
            None => {
                let feeds: Vec<_> = self.operands.iter().cloned().zip(operands.iter().copied().cloned()).collect();
                eval(std::slice::from_ref(&self.node), &feeds).map_err(|e| self.failed(e.to_string()))?
            }
        };
        results.into_iter().next().ok_or_else(|| self.failed("there is no result".into()))
    }

    fn failed(&self, reason: String) -> EngineError {
        EngineError::Device { device: "host".into(), reason: format!("{}: {reason}", self.node.op().name()) }
    }
}
