//! Resizing by interpolation, one axis after another.

use super::Group;
use super::interpolation::{Axis, Sampling};
use crate::error::{NodeError, invalid, unsupported};
use crate::host;
use crate::node::{Node, Outputs, axis, sizes};
use crate::value::Value;
use perturb_graph::{DotDims, Expr, Shape, Tensor};

pub(super) const OPS: Group = &[("Resize", resize), ("Upsample", upsample)];

/// The operator before `Resize`: position `i` reads `⌊i/scale⌋`, or interpolates there.
fn upsample(node: &Node) -> Outputs {
    let x = node.value(0)?;
    let scales = match node.floats("scales") {
        Some(scales) => scales.iter().map(|&s| f64::from(s)).collect(),
        None => known_floats(node, 1, "scales")?.unwrap_or_default(),
    };
    if scales.len() != x.rank() {
        return invalid(format!("scales must have {} entries", x.rank()));
    }
    let axes = scales.iter().enumerate().map(|(a, &scale)| (a, scaled(x.shape()[a], scale))).collect();
    apply(node, x.clone(), axes, &sampling(node, "asymmetric", "simple"))
}

fn sampling(node: &Node, coordinates: &str, rounding: &str) -> Sampling {
    Sampling {
        mode: node.text("mode", "nearest"),
        coordinates: node.text("coordinate_transformation_mode", coordinates),
        rounding: node.text("nearest_mode", rounding),
        cubic: node.float("cubic_coeff_a", -0.75),
        exclude_outside: node.int("exclude_outside", 0) != 0,
        antialias: node.int("antialias", 0) != 0,
    }
}

fn resize(node: &Node) -> Outputs {
    if node.opset < 11 {
        return upsample(node);
    }
    let x = node.value(0)?;
    let along = match node.ints("axes") {
        Some(list) => list.iter().map(|&a| axis(a, x.rank())).collect::<Result<Vec<_>, _>>()?,
        None => (0..x.rank()).collect(),
    };
    let extents: Vec<usize> = along.iter().map(|&a| x.shape()[a]).collect();
    let scales = known_floats(node, 2, "scales")?.filter(|s| !s.is_empty());
    let target = node.known_ints(3, "sizes")?.filter(|s| !s.is_empty());
    let mut axes: Vec<Axis> = match (scales, target) {
        (Some(scales), None) if scales.len() == along.len() => {
            extents.iter().zip(scales).map(|(&size, scale)| scaled(size, scale)).collect()
        }
        (None, Some(target)) if target.len() == along.len() => sized(node, &extents, &sizes(&target, 1, "sizes")?)?,
        _ => return invalid(format!("either scales or sizes must have {} entries", along.len())),
    };
    let sampling = sampling(node, "half_pixel", "round_prefer_floor");
    if sampling.coordinates == "tf_crop_and_resize" {
        let Some(region) = known_floats(node, 1, "regions")?.filter(|r| r.len() == 2 * along.len()) else {
            return invalid(format!("the region must have {} entries", 2 * along.len()));
        };
        axes.iter_mut().enumerate().for_each(|(i, axis)| axis.region = (region[i], region[i + along.len()]));
    }
    apply(node, x.clone(), along.into_iter().zip(axes).collect(), &sampling)
}

fn known_floats(node: &Node, i: usize, what: &str) -> Result<Option<Vec<f64>>, NodeError> {
    Ok(node.known(i, what)?.map(|t| t.to_f64_vec()))
}

fn scaled(size: usize, scale: f64) -> Axis {
    Axis { size, count: (size as f64 * scale).floor() as usize, scale, region: (0.0, 1.0) }
}

/// Axes of wanted sizes, all scaled alike if the node asks to keep the proportions.
fn sized(node: &Node, extents: &[usize], target: &[usize]) -> Result<Vec<Axis>, NodeError> {
    let ratio = |i: usize| target[i] as f64 / extents[i] as f64;
    let ratios = (0..target.len()).map(ratio);
    let one = |scale: f64, i: usize| {
        let count = (scale * extents[i] as f64 + 0.5).floor() as usize;
        Axis { size: extents[i], count, scale, region: (0.0, 1.0) }
    };
    let common = match node.text("keep_aspect_ratio_policy", "stretch").as_str() {
        "stretch" => None,
        "not_larger" => Some(ratios.fold(f64::INFINITY, f64::min)),
        "not_smaller" => Some(ratios.fold(0.0, f64::max)),
        other => return unsupported(format!("keep_aspect_ratio_policy {other:?}")),
    };
    Ok((0..target.len()).map(|i| one(common.unwrap_or(ratio(i)), i)).collect())
}

fn apply(node: &Node, mut x: Value, axes: Vec<(usize, Axis)>, sampling: &Sampling) -> Outputs {
    let shape = x.shape().clone();
    let mut outside: Option<Expr> = None;
    for (at, axis) in axes {
        let Axis { size, count, scale, .. } = axis;
        if !(scale > 0.0 && scale.is_finite()) || count == 0 || size == 0 {
            return invalid(format!("axis {at} of size {size} resized by {scale}"));
        }
        let cropped = sampling.coordinates == "tf_crop_and_resize" && axis.region != (0.0, 1.0);
        if scale == 1.0 && count == size && !cropped {
            continue;
        }
        host::check_count(&[count].into())?;
        let positions = (0..count).map(|o| sampling.position(o, axis)).collect::<Result<Vec<f64>, _>>()?;
        x = match sampling.mode.as_str() {
            "nearest" => nearest(&x, at, &sampling.nearest(&positions, axis)?)?,
            _ => interpolated(node, &x, at, &positions, axis, sampling)?,
        };
        if cropped {
            let inside = 0.0..=size as f64 - 1.0;
            let mask = positions.iter().map(|p| f64::from(u8::from(!inside.contains(p)))).collect();
            let mut along = vec![1; shape.len()];
            along[at] = count;
            let mask = Expr::constant(Tensor::from_f64(along, node.dtype, mask)?);
            outside = Some(outside.map_or(Ok(mask.clone()), |o| o.try_maximum(&mask))?);
        }
    }
    let Some(outside) = outside else { return Ok(vec![x]) };
    let x = x.to_expr(node.dtype)?;
    let value = Expr::scalar(node.float("extrapolation_value", 0.0), node.dtype).try_broadcast_to(x.shape())?;
    Ok(vec![Expr::try_select(&outside, &value, &x)?.into()])
}

/// Whole factors repeat elements; anything else gathers them.
fn nearest(x: &Value, axis: usize, indices: &[usize]) -> Result<Value, NodeError> {
    let size = x.shape()[axis];
    let factor = indices.len() / size;
    if factor == 0 || indices.len() != factor * size || indices.iter().enumerate().any(|(o, &i)| i != o / factor) {
        return x.gather(axis, indices);
    }
    let (before, after) = (&x.shape()[..axis], &x.shape()[axis + 1..]);
    let with = |middle: &[usize]| -> Shape { [before, middle, after].concat().into() };
    let (split, repeated, joined) = (with(&[size, 1]), with(&[size, factor]), with(&[size * factor]));
    if repeated.checked_count().is_none() {
        return invalid("the result has an overflowing number of elements");
    }
    x.reshape(split)?.broadcast_to(&repeated)?.reshape(joined)
}

/// Interpolation along one axis is a product with a matrix of weights.
fn interpolated(
    node: &Node,
    x: &Value,
    at: usize,
    positions: &[f64],
    axis: Axis,
    sampling: &Sampling,
) -> Result<Value, NodeError> {
    let (x, count) = (x.to_expr(node.dtype)?, positions.len());
    let shape = Shape::from([axis.size, count]);
    let mut weights = vec![0.0; host::check_count(&shape)?];
    for (o, &p) in positions.iter().enumerate() {
        for (i, weight) in sampling.taps(p, axis)? {
            weights[i * count + o] += weight;
        }
    }
    let weights = Expr::constant(Tensor::from_f64(shape, node.dtype, weights)?);
    let dims = DotDims { lhs_contract: vec![at], rhs_contract: vec![0], lhs_batch: vec![], rhs_batch: vec![] };
    let y = x.try_dot_general(&weights, dims)?;
    // The new axis comes last: move it back.
    let mut perm: Vec<usize> = (0..x.rank() - 1).collect();
    perm.insert(at, x.rank() - 1);
    Ok(y.try_transpose(&perm)?.into())
}
