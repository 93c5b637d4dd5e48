//! Many runs of one step at once.

use crate::{Parameters, TrainError};
use perturb_graph::{Expr, GraphError, Result, Shape, Tensor, vmap};

/// A step's outputs and next values for many members at once, with a leading axis of that length.
pub(super) struct Ensemble {
    pub outputs: Vec<Expr>,
    pub state: Vec<(Expr, Expr)>,
    /// Seed and step of each member, `[members, 2]`.
    pub pairs: Expr,
}

impl Ensemble {
    /// Gives every variable a leading axis, with each member's initial values where it has some.
    pub fn new(
        outputs: &[Expr],
        state: &[(Expr, Expr)],
        pair: &Expr,
        members: &[Parameters],
    ) -> Result<Ensemble, TrainError> {
        let size = members.len();
        let pairs = Expr::try_input(pair.name().unwrap_or("pairs"), pair.shape().prepend(size), pair.dtype())?;
        let stacked = |variable: &Expr| {
            let name = variable.name().unwrap_or_default();
            let own = members.iter().map(|m| m.get(name).or(variable.value()));
            let values: Vec<&Tensor> = own.flatten().collect();
            Ok((variable.clone(), Expr::param(name, stack(variable, &values)?)))
        };
        let variables = state.iter().map(|(variable, _)| stacked(variable)).collect::<Result<Vec<_>>>()?;
        let all: Vec<Expr> = outputs.iter().chain(state.iter().map(|(_, next)| next)).cloned().collect();
        let batched = [variables.clone(), vec![(pair.clone(), pairs.clone())]].concat();
        let mut outputs_of_members = vmap(&all, &batched, size)?;
        let next = outputs_of_members.split_off(outputs.len());
        let leaves = variables.into_iter().map(|(_, leaf)| leaf);
        Ok(Ensemble { outputs: outputs_of_members, state: leaves.zip(next).collect(), pairs })
    }
}

fn stack(variable: &Expr, values: &[&Tensor]) -> Result<Tensor> {
    if let Some(odd) = values.iter().find(|v| (v.shape(), v.dtype()) != (variable.shape(), variable.dtype())) {
        let reason = format!("a member's '{}' has another shape or type", variable.name().unwrap_or_default());
        let shapes = vec![variable.shape().clone(), odd.shape().clone()];
        return Err(GraphError::Shape { op: "ensemble".into(), reason, shapes });
    }
    // i64 beyond 2⁵³ would be rounded, but counters do not get there.
    let all = values.iter().flat_map(|v| v.to_f64_vec()).collect();
    let shape: Shape = variable.shape().prepend(values.len());
    Tensor::from_f64(shape, variable.dtype(), all)
}
