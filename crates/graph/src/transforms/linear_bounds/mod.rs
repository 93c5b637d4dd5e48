//! Linear bound propagation (CROWN: Zhang et al. 2018; LiRPA on general graphs: Xu et al. 2020): the backward walk of
//! reverse mode, with relaxed slopes in place of derivatives.

mod bounder;
mod concretize;
mod domain;
mod prepare;
mod total;
mod walk;

use crate::{Expr, Interval, Result, Rounding};
pub use bounder::Bounder;
pub use domain::{Domain, Norm};
pub use walk::Slopes;

/// Where the bounds of inner nodes, which the relaxations need, come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Intermediate {
    /// Interval propagation only: "CROWN-IBP" (Zhang et al. 2020).
    Interval,
    /// A backward walk from every node that a nonlinearity sees: CROWN.
    #[default]
    Backward,
}

/// How [`linear_bounds`] works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct LinearBoundsOptions {
    /// What the arithmetic promises.
    pub rounding: Rounding,
    /// Where inner bounds come from.
    pub intermediate: Intermediate,
}

/// Elementwise bounds of `outputs` while every input stays in its domain. Never looser than interval propagation with
/// the same inner bounds, because both are intersected.
///
/// Where nothing is known, such as about a quotient by an interval with 0 in it, the bound is infinite.
///
/// # Errors
/// If a domain does not have its input's shape and type, or a tensor of rows would be too large.
pub fn linear_bounds(
    outputs: &[Expr],
    inputs: &[(Expr, Domain)],
    options: LinearBoundsOptions,
) -> Result<Vec<Interval>> {
    let (mut bounder, prepared) = Bounder::new(outputs, inputs, options)?;
    if options.intermediate == Intermediate::Backward {
        for node in bounder.to_tighten() {
            let bounds = bounder.elementwise(&node)?;
            bounder.tighten(&node, bounds);
        }
    }
    prepared.iter().map(|o| Ok(bounder.elementwise(o)?.or_infinite())).collect()
}
