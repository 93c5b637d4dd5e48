//! Linear bounds of margins and of the cross-entropy itself.

use perturb_graph::{
    Bounder, Domain, Expr, GraphError, Intermediate, LinearBoundsOptions, Result, Rounding, Shape, Tensor, substitute,
};

/// Upper bounds `[classes]` of the margins `z_j − z_y` of one example's `logits [1, classes]` while `inputs` range over
/// their domains, with y by a one-hot `target [1, classes]`: one backward walk for each class over interval bounds of the
/// inner nodes ("CROWN-IBP", Zhang et al. 2020). What ranges over a domain may also be a parameter.
///
/// Rounding is to nearest: for training, not for verdicts.
///
/// # Errors
/// If shapes do not fit, or a primitive has no relaxation.
pub fn linear_margins(logits: &Expr, target: &Expr, inputs: &[(Expr, Domain)]) -> Result<Expr> {
    let classes = classes(logits, target)?;
    let (logits, inputs) = apart(logits, inputs)?;
    let (bounder, prepared) = Bounder::new(&[logits], &inputs, options())?;
    let identity = (0..classes * classes).map(|i| if i / classes == i % classes { 1.0 } else { 0.0 }).collect();
    let identity = Expr::constant(Tensor::from_f64([classes, 1, classes], target.dtype(), identity)?);
    let rows = identity.try_sub(&target.reshape([1, 1, classes]).broadcast_to([classes, 1, classes]))?;
    Ok(bounder.functionals(&prepared[0], &rows)?.hi)
}

/// An upper bound, a scalar, of the cross-entropy of one example's `logits [1, classes]` while `inputs` range over their
/// domains, with y by a one-hot `target [1, classes]`: "loss fusion" (Xu et al. 2020). As `log` is increasing, what is
/// bounded is `Σ_j exp(z_j − z_y)`, with `exp` and the sum as nodes like any other, by one backward walk whatever the
/// number of classes; never looser than by intervals of the same graph.
///
/// Rounding is to nearest: for training, not for verdicts.
///
/// # Errors
/// As [`linear_margins`].
pub fn fused_cross_entropy(logits: &Expr, target: &Expr, inputs: &[(Expr, Domain)]) -> Result<Expr> {
    Ok(Fused::new(logits, target, inputs)?.walked)
}

/// Bounds of one example's cross-entropy as one node.
pub(super) struct Fused {
    /// By a backward walk, and by intervals where those are better: a scalar.
    pub walked: Expr,
    /// By intervals alone: a scalar.
    pub by_intervals: Expr,
    /// Upper bounds of the margins by intervals, `[1, classes]`, 0 for the class itself.
    pub margins: Expr,
}

impl Fused {
    pub fn new(logits: &Expr, target: &Expr, inputs: &[(Expr, Domain)]) -> Result<Fused> {
        classes(logits, target)?;
        let (logits, inputs) = apart(logits, inputs)?;
        let own = logits.try_mul(target)?.try_reduce_sum(&[1], true)?;
        // The margin over the class itself is exactly 0, which intervals do not see.
        let differences = logits.try_sub(&own)?.try_mul(&target.neg().offset(1.0))?;
        let (bounder, prepared) = Bounder::new(std::slice::from_ref(&differences), &inputs, options())?;
        let margins = bounder.bounds(&prepared[0]).hi;
        // Relaxations of exp scale with its value, so that any shift gives the same bound; this one keeps it from
        // overflow.
        let shift = margins.reduce_max(&[0, 1], false).stop_gradient();
        let total = differences.sub(&shift.broadcast_to(differences.shape())).exp().sum();
        let (bounder, prepared) = Bounder::new(&[total], &inputs, options())?;
        let walked = bounder.functionals(&prepared[0], &Expr::full([1], 1.0, target.dtype()))?.hi.try_reshape([])?;
        let by_intervals = bounder.bounds(&prepared[0]).hi;
        let loss = |total: &Expr| total.log().try_add(&shift);
        Ok(Fused { walked: loss(&walked.minimum(&by_intervals))?, by_intervals: loss(&by_intervals)?, margins })
    }
}

fn options() -> LinearBoundsOptions {
    LinearBoundsOptions { rounding: Rounding::Nearest, intermediate: Intermediate::Interval }
}

fn classes(logits: &Expr, target: &Expr) -> Result<usize> {
    match logits.shape()[..] {
        [1, classes] if target.shape() == logits.shape() => Ok(classes),
        _ => {
            let shapes: Vec<Shape> = vec![logits.shape().clone(), target.shape().clone()];
            let reason = "needs logits and a one-hot target [1, classes] of one example".to_string();
            Err(GraphError::Shape { op: "bounds of a loss".into(), reason, shapes })
        }
    }
}

// What varies, apart from what a domain may be described by.
fn apart(logits: &Expr, inputs: &[(Expr, Domain)]) -> Result<(Expr, Vec<(Expr, Domain)>)> {
    let varying = |(e, _): &(Expr, Domain)| Expr::try_input("varying", e.shape(), e.dtype());
    let varying = inputs.iter().map(varying).collect::<Result<Vec<Expr>>>()?;
    let pairs: Vec<(Expr, Expr)> = inputs.iter().map(|(e, _)| e.clone()).zip(varying.iter().cloned()).collect();
    let logits = substitute(std::slice::from_ref(logits), &pairs)?.remove(0);
    Ok((logits, varying.into_iter().zip(inputs.iter().map(|(_, d)| d.clone())).collect()))
}
