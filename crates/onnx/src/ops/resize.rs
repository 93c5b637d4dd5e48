//! Resizing by interpolation, one axis after another.

use super::Group;
use crate::error::{NodeError, invalid, unsupported};
use crate::host;
use crate::node::{Node, Outputs, axis, sizes};
use crate::value::Value;
use perturb_graph::{DotDims, Expr, Shape, Tensor};

pub(super) const OPS: Group = &[("Resize", resize), ("Upsample", upsample)];

/// How positions of the result map to positions of the operand.
struct Sampling {
    mode: String,
    coordinates: String,
    rounding: String,
}

/// The operator before `Resize`: position `i` reads `⌊i/scale⌋`, or interpolates there.
fn upsample(node: &Node) -> Outputs {
    let x = node.value(0)?.clone();
    let scales = match node.floats("scales") {
        Some(scales) => scales.iter().map(|&s| f64::from(s)).collect(),
        None => known_floats(node, 1, "scales")?.unwrap_or_default(),
    };
    let sampling =
        Sampling { mode: node.text("mode", "nearest"), coordinates: "asymmetric".into(), rounding: "floor".into() };
    let axes: Vec<usize> = (0..x.rank()).collect();
    apply(node, x, &axes, &scales, None, &sampling)
}

fn resize(node: &Node) -> Outputs {
    let x = node.value(0)?.clone();
    if node.opset < 11 {
        return upsample(node);
    }
    if node.int("antialias", 0) != 0 {
        return unsupported("antialias");
    }
    let sampling = Sampling {
        mode: node.text("mode", "nearest"),
        coordinates: node.text("coordinate_transformation_mode", "half_pixel"),
        rounding: node.text("nearest_mode", "round_prefer_floor"),
    };
    let axes = match node.ints("axes") {
        Some(list) => list.iter().map(|&a| axis(a, x.rank())).collect::<Result<Vec<_>, _>>()?,
        None => (0..x.rank()).collect(),
    };
    let scales = known_floats(node, 2, "scales")?.unwrap_or_default();
    let target = node.known_ints(3, "sizes")?.filter(|s| !s.is_empty());
    if target.is_some() && node.text("keep_aspect_ratio_policy", "stretch") != "stretch" {
        return unsupported("keep_aspect_ratio_policy other than stretch");
    }
    let target = target.map(|t| sizes(&t, 1, "sizes")).transpose()?;
    apply(node, x, &axes, &scales, target, &sampling)
}

fn known_floats(node: &Node, i: usize, what: &str) -> Result<Option<Vec<f64>>, NodeError> {
    Ok(node.known(i, what)?.map(Tensor::to_f64_vec))
}

fn apply(
    node: &Node,
    mut x: Value,
    axes: &[usize],
    scales: &[f64],
    target: Option<Vec<usize>>,
    sampling: &Sampling,
) -> Outputs {
    if target.as_ref().map_or(scales.len(), Vec::len) != axes.len() {
        return invalid(format!("scales or sizes must have {} entries", axes.len()));
    }
    for (i, &axis) in axes.iter().enumerate() {
        let size = x.shape()[axis];
        let (scale, count) = match &target {
            Some(target) => (target[i] as f64 / size as f64, target[i]),
            None => (scales[i], (size as f64 * scales[i]).floor() as usize),
        };
        if !(scale > 0.0 && scale.is_finite()) || count == 0 {
            return invalid(format!("axis {axis} of size {size} resized by {scale}"));
        }
        if scale == 1.0 && count == size {
            continue;
        }
        host::check_count(&[count].into())?;
        let positions =
            (0..count).map(|o| sampling.position(o, scale, size, count)).collect::<Result<Vec<f64>, _>>()?;
        x = match sampling.mode.as_str() {
            "nearest" => nearest(node, &x, axis, &sampling.nearest(&positions, size)?)?,
            "linear" => linear(node, &x, axis, &positions)?,
            other => return unsupported(format!("mode {other:?}")),
        };
    }
    Ok(vec![x])
}

impl Sampling {
    /// Where in the operand, of `size`, position `o` of the result, of `count`, lies.
    fn position(&self, o: usize, scale: f64, size: usize, count: usize) -> Result<f64, NodeError> {
        let o = o as f64;
        Ok(match self.coordinates.as_str() {
            "half_pixel" => (o + 0.5) / scale - 0.5,
            "half_pixel_symmetric" => {
                let adjustment = count as f64 / (scale * size as f64);
                size as f64 / 2.0 * (1.0 - adjustment) + (o + 0.5) / scale - 0.5
            }
            "pytorch_half_pixel" if count > 1 => (o + 0.5) / scale - 0.5,
            "pytorch_half_pixel" => 0.0,
            // The standard's length of the result is not rounded here.
            "align_corners" if count > 1 => o * (size as f64 - 1.0) / (scale * size as f64 - 1.0),
            "align_corners" => 0.0,
            "asymmetric" => o / scale,
            other => return unsupported(format!("coordinate_transformation_mode {other:?}")),
        })
    }

    fn nearest(&self, positions: &[f64], size: usize) -> Result<Vec<usize>, NodeError> {
        let round: fn(f64) -> f64 = match self.rounding.as_str() {
            "round_prefer_floor" => |p| (p - 0.5).ceil(),
            "round_prefer_ceil" => |p| (p + 0.5).floor(),
            "floor" => f64::floor,
            "ceil" => f64::ceil,
            other => return unsupported(format!("nearest_mode {other:?}")),
        };
        Ok(positions.iter().map(|&p| round(p).clamp(0.0, size as f64 - 1.0) as usize).collect())
    }
}

/// Whole factors repeat elements; anything else gathers them.
fn nearest(node: &Node, x: &Value, axis: usize, indices: &[usize]) -> Result<Value, NodeError> {
    let size = x.shape()[axis];
    let factor = indices.len() / size;
    if factor == 0 || indices.len() != factor * size || indices.iter().enumerate().any(|(o, &i)| i != o / factor) {
        return x.gather(axis, indices, node.dtype);
    }
    let (before, after) = (&x.shape()[..axis], &x.shape()[axis + 1..]);
    let with = |middle: &[usize]| -> Shape { [before, middle, after].concat().into() };
    let (split, repeated, joined) = (with(&[size, 1]), with(&[size, factor]), with(&[size * factor]));
    if repeated.checked_count().is_none() {
        return invalid("the result has an overflowing number of elements");
    }
    x.reshape(split)?.broadcast_to(&repeated)?.reshape(joined)
}

/// Interpolation along one axis is a product with a matrix that has two weights in each row.
fn linear(node: &Node, x: &Value, axis: usize, positions: &[f64]) -> Result<Value, NodeError> {
    let (x, size, count) = (x.to_expr(node.dtype)?, x.shape()[axis], positions.len());
    let shape = Shape::from([size, count]);
    let mut weights = vec![0.0; host::check_count(&shape)?];
    for (o, &p) in positions.iter().enumerate() {
        let p = p.clamp(0.0, size as f64 - 1.0);
        let (low, fraction) = (p.floor() as usize, p.fract());
        weights[low * count + o] += 1.0 - fraction;
        weights[(low + 1).min(size - 1) * count + o] += fraction;
    }
    let weights = Expr::constant(Tensor::from_f64(shape, node.dtype, weights)?);
    let dims = DotDims { lhs_contract: vec![axis], rhs_contract: vec![0], lhs_batch: vec![], rhs_batch: vec![] };
    let y = x.try_dot_general(&weights, dims)?;
    // The new axis comes last: move it back.
    let mut perm: Vec<usize> = (0..x.rank() - 1).collect();
    perm.insert(axis, x.rank() - 1);
    Ok(y.try_transpose(&perm)?.into())
}
