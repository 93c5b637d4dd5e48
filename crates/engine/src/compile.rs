//! From expressions to a plan that runs.

use crate::EngineError;
use crate::kernels::MAX_RANK;
use crate::lower::lower;
use crate::plan::{build, fold_constants, prune, share_signs};
use crate::run::Runner;
use perturb_graph::{Expr, GraphError, Op, topological};

/// Compiles `outputs` as a function of `inputs` and of `state`, pairs of a variable and its next value.
pub(crate) fn compile(outputs: &[Expr], inputs: &[Expr], state: &[(Expr, Expr)]) -> Result<Runner, EngineError> {
    let results: Vec<Expr> = outputs.iter().chain(state.iter().map(|(_, next)| next)).cloned().collect();
    unsupported(&results)?;
    let mut graph = lower(outputs, inputs, state)?;
    fold_constants(&mut graph)?;
    share_signs(&mut graph);
    Ok(Runner::new(build(&prune(graph))))
}

// Primitives exist for any number of axes, kernels do not.
fn unsupported(outputs: &[Expr]) -> Result<(), EngineError> {
    for node in topological(outputs) {
        let spatial = match node.op() {
            Op::Conv(c) => c.strides.len(),
            Op::MaxPool(p) => p.window.len(),
            _ => 0,
        };
        if spatial > 3 || node.rank() > MAX_RANK {
            return Err(EngineError::Graph(GraphError::NoRule {
                op: node.op().name().into(),
                rule: "kernel",
                reason: "for more than three spatial axes or sixteen axes".into(),
            }));
        }
    }
    Ok(())
}
