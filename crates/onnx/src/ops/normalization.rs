//! Normalization layers, in their inference form.

use super::Group;
use crate::error::{NodeError, invalid, unsupported};
use crate::node::{Node, Outputs};
use perturb_graph::Expr;

pub(super) const OPS: Group = &[
    ("BatchNormalization", batch),
    ("GroupNormalization", group),
    ("InstanceNormalization", instance),
    ("LRN", local_response),
    ("LayerNormalization", layer),
    ("LpNormalization", lp),
    ("MeanVarianceNormalization", mean_variance),
    ("RMSNormalization", root_mean_square),
];

/// A vector over the channels, shaped so that it broadcasts over `x` [N, C, …].
fn per_channel(v: &Expr, x: &Expr) -> Result<Expr, NodeError> {
    let mut shape = vec![1; x.rank()];
    shape[1] = x.shape()[1];
    Ok(v.try_reshape(shape)?)
}

/// `(x − μ)/√(σ² + ε)` with moments over `axes`; also the mean and the reciprocal deviation.
fn standardized(x: &Expr, axes: &[usize], epsilon: f64) -> Result<[Expr; 3], NodeError> {
    let mean = x.try_reduce_mean(axes, true)?;
    let centred = x.try_sub(&mean)?;
    let variance = centred.square().try_reduce_mean(axes, true)?;
    let inverse = variance.add(&variance.like(epsilon)).sqrt().reciprocal();
    Ok([centred.try_mul(&inverse)?, mean, inverse])
}

fn epsilon(node: &Node) -> f64 {
    node.float("epsilon", f64::from(1e-5f32))
}

/// `x·s + (b − μ·s)` with `s = γ/√(σ² + ε)`: an affine map, with running moments as weights.
fn batch(node: &Node) -> Outputs {
    if node.int("training_mode", 0) != 0 || node.wants(1) {
        return unsupported("training mode; export the model in evaluation mode");
    }
    if node.int("spatial", 1) == 0 {
        return unsupported("spatial = 0 of old operator sets");
    }
    let x = node.expr_of_rank(0, 2)?;
    let [scale, bias, mean, variance] = [node.expr(1)?, node.expr(2)?, node.expr(3)?, node.expr(4)?];
    let factor = scale.try_div(&variance.add(&variance.like(epsilon(node))).sqrt())?;
    let offset = bias.try_sub(&mean.try_mul(&factor)?)?;
    Ok(vec![x.try_mul(&per_channel(&factor, &x)?)?.try_add(&per_channel(&offset, &x)?)?.into()])
}

fn instance(node: &Node) -> Outputs {
    let x = node.expr_of_rank(0, 3)?;
    let axes: Vec<usize> = (2..x.rank()).collect();
    let [y, ..] = standardized(&x, &axes, epsilon(node))?;
    let (scale, bias) = (per_channel(&node.expr(1)?, &x)?, per_channel(&node.expr(2)?, &x)?);
    Ok(vec![y.try_mul(&scale)?.try_add(&bias)?.into()])
}

/// Ba et al. 2016: moments over the axes from `axis` on.
fn layer(node: &Node) -> Outputs {
    let x = node.expr_of_rank(0, 1)?;
    let axes: Vec<usize> = (node.axis("axis", -1, x.rank())?..x.rank()).collect();
    let [mut y, mean, inverse] = standardized(&x, &axes, epsilon(node))?;
    y = y.try_mul(&node.expr(1)?.try_broadcast_to(x.shape())?)?;
    if let Some(bias) = node.optional_expr(2)? {
        y = y.try_add(&bias.try_broadcast_to(x.shape())?)?;
    }
    Ok(vec![y.into(), mean.into(), inverse.into()])
}

/// Wu & He 2018: moments over each group of channels. Scale and bias are per group before operator set 21.
fn group(node: &Node) -> Outputs {
    let x = node.expr_of_rank(0, 3)?;
    let (groups, channels) = (node.int("num_groups", 0), x.shape()[1]);
    let Some(groups) = usize::try_from(groups).ok().filter(|&g| g > 0 && channels.is_multiple_of(g)) else {
        return invalid(format!("num_groups {groups} does not divide the {channels} channels"));
    };
    let rest: usize = x.shape()[2..].iter().product();
    let [y, ..] = standardized(&x.try_reshape([x.shape()[0], groups, channels / groups * rest])?, &[2], epsilon(node))?;
    let y = y.try_reshape(x.shape())?;
    let full = |v: Expr| -> Result<Expr, NodeError> {
        let v = if v.shape()[..] == [channels] {
            v
        } else {
            v.try_reshape([groups, 1])?.try_broadcast_to([groups, channels / groups])?.try_reshape([channels])?
        };
        per_channel(&v, &x)
    };
    Ok(vec![y.try_mul(&full(node.expr(1)?)?)?.try_add(&full(node.expr(2)?)?)?.into()])
}

/// `x/‖x‖ₚ` along one axis.
fn lp(node: &Node) -> Outputs {
    let x = node.expr_of_rank(0, 1)?;
    let axis = [node.axis("axis", -1, x.rank())?];
    let norm = match node.int("p", 2) {
        1 => x.abs().try_reduce_sum(&axis, true)?,
        2 => x.square().try_reduce_sum(&axis, true)?.sqrt(),
        p => return invalid(format!("p = {p} is neither 1 nor 2")),
    };
    Ok(vec![x.try_div(&norm)?.into()])
}

/// `x/(bias + α/size·Σ x²)^β` with the sum over the neighbouring channels (Krizhevsky et al. 2012, §3.3).
fn local_response(node: &Node) -> Outputs {
    let x = node.expr_of_rank(0, 2)?;
    let channels = x.shape()[1];
    let size = crate::node::sizes(&[node.int("size", 1)], 1, "size")?[0];
    // Neighbours beyond all channels are none.
    let (before, after) = (((size - 1) / 2).min(channels), (size / 2).min(channels));
    const MAX_NEIGHBOURS: usize = 1024;
    if before + after > MAX_NEIGHBOURS {
        return unsupported(format!("{} neighbouring channels", before + after));
    }
    let (mut low, mut high) = (vec![0; x.rank()], vec![0; x.rank()]);
    (low[1], high[1]) = (before, after);
    let padded = x.square().try_pad(&low, &high)?;
    let mut sum = padded.slice_axis(1, 0, channels);
    for offset in 1..=before + after {
        sum = sum.try_add(&padded.slice_axis(1, offset, offset + channels))?;
    }
    let (alpha, beta) = (node.float("alpha", 1e-4), node.float("beta", 0.75));
    let base = sum.scale(alpha / size as f64).offset(node.float("bias", 1.0));
    Ok(vec![x.try_div(&base.try_pow(&Expr::scalar(beta, x.dtype()))?)?.into()])
}

/// `(x − μ)/(σ + 10⁻⁹)` with moments over `axes`.
fn mean_variance(node: &Node) -> Outputs {
    let x = node.expr(0)?;
    let axes = crate::node::axes(node.ints("axes").unwrap_or(&[0, 2, 3]), x.rank())?;
    let centred = x.try_sub(&x.try_reduce_mean(&axes, true)?)?;
    let deviation = centred.square().try_reduce_mean(&axes, true)?.sqrt();
    Ok(vec![centred.try_div(&deviation.offset(1e-9))?.into()])
}

/// `γ·x/√(mean x² + ε)` over the axes from `axis` on (Zhang & Sennrich 2019).
fn root_mean_square(node: &Node) -> Outputs {
    let x = node.expr_of_rank(0, 1)?;
    let axes: Vec<usize> = (node.axis("axis", -1, x.rank())?..x.rank()).collect();
    let square = x.square().try_reduce_mean(&axes, true)?;
    let y = x.try_mul(&square.offset(epsilon(node)).sqrt().reciprocal())?;
    Ok(vec![y.try_mul(&node.expr(1)?.try_broadcast_to(x.shape())?)?.into()])
}
