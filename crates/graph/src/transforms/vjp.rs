//! Reverse mode: linearize, then transpose.

use super::jvp::jvp;
use super::pull_back::transpose;
use crate::{Expr, GraphError, Result};

/// Covectors on `inputs` for `covectors` on `outputs`: `Σ_o covector_oᵀ · ∂output_o/∂input`.
///
/// The graph is first linearized by `jvp` with symbolic tangents, and the linear graph transposed. The result is a
/// graph again: derivatives of any order come from applying this repeatedly.
///
/// # Errors
/// If there is not one covector for each output, of its shape and type.
pub fn vjp(outputs: &[Expr], inputs: &[Expr], covectors: &[Expr]) -> Result<Vec<Expr>> {
    if outputs.len() != covectors.len() {
        let reason = format!("needs a covector for each of {} outputs", outputs.len());
        let shapes = covectors.iter().map(|c| c.shape().clone()).collect();
        return Err(GraphError::Shape { op: "vjp".into(), reason, shapes });
    }
    if let Some((o, c)) = outputs.iter().zip(covectors).find(|(o, c)| o.shape() != c.shape()) {
        let shapes = vec![o.shape().clone(), c.shape().clone()];
        let reason = "every covector must have the shape of its output".into();
        return Err(GraphError::Shape { op: "vjp".into(), reason, shapes });
    }
    if let Some((o, c)) = outputs.iter().zip(covectors).find(|(o, c)| o.dtype() != c.dtype()) {
        let reason = "every covector must have the type of its output".into();
        return Err(GraphError::DType { op: "vjp".into(), reason, dtypes: vec![o.dtype(), c.dtype()] });
    }
    let tangents: Vec<Expr> = inputs.iter().map(|i| Expr::input("tangent", i.shape(), i.dtype())).collect();
    let seeds: Vec<Option<Expr>> = tangents.iter().cloned().map(Some).collect();
    let (mut linear, mut kept) = (Vec::new(), Vec::new());
    for (tangent, covector) in jvp(outputs, inputs, &seeds).into_iter().zip(covectors) {
        if let Some(tangent) = tangent {
            linear.push(tangent);
            kept.push(covector.clone());
        }
    }
    let adjoint = transpose(&linear, &kept, &tangents)?;
    Ok(adjoint.into_iter().zip(inputs).map(|(v, i)| v.unwrap_or_else(|| i.like(0.0))).collect())
}

/// Gradient of the sum of all elements of `output` with respect to `inputs`. For an output that keeps examples apart
/// this is every example's own gradient.
///
/// # Errors
/// See [`vjp`].
pub fn grad(output: &Expr, inputs: &[Expr]) -> Result<Vec<Expr>> {
    vjp(std::slice::from_ref(output), inputs, &[output.like(1.0)])
}
