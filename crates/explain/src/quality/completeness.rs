//! Completeness.

use crate::{Baseline, Model, Result};
use perturb_graph::Tensor;

/// `|Σ_i φ_i − (f(x) − f(x′))|` for each example, f the target's logit and x′ the baseline: 0 for methods that satisfy
/// completeness (Sundararajan et al. 2017, section 3), computed exactly.
///
/// # Errors
/// If a tensor or a target does not fit the model, or a value is not finite.
pub fn completeness_gaps(
    model: &Model,
    inputs: &Tensor,
    attributions: &Tensor,
    targets: &[usize],
    baseline: &Baseline,
) -> Result<Vec<f64>> {
    let examples = model.targeted(inputs, targets)?;
    let maps = examples.partner("attributions", attributions, model.example_shape())?;
    let baselines = baseline.of(model, examples)?;
    let width = model.example_shape().count();
    let fill = |example: usize, draw: usize, row: &mut [f32]| {
        row.copy_from_slice(if draw == 0 { examples.row(example) } else { &baselines[example * width..][..width] });
    };
    let (mut gaps, mut whole) = (Vec::with_capacity(examples.count()), 0.0);
    model.for_each_logits(examples.count(), 2, fill, |row| {
        let logit = f64::from(row.result[targets[row.example]]);
        if row.draw == 0 {
            whole = logit;
        } else {
            let sum: f64 = maps.row(row.example).iter().map(|&v| f64::from(v)).sum();
            gaps.push((sum - (whole - logit)).abs());
        }
    })?;
    Ok(gaps)
}
