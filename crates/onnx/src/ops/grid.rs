//! Reading images at computed positions.

use super::Group;
use crate::error::{NodeError, invalid, unsupported};
use crate::host;
use crate::node::{Node, Outputs};
use crate::value::cast;
use perturb_graph::{DType, Expr, Gather, Shape, Tensor};

pub(super) const OPS: Group = &[("AffineGrid", affine_grid), ("GridSample", grid_sample)];

/// What lies outside of the image.
#[derive(Clone, Copy, PartialEq)]
enum Outside {
    Zeros,
    Edge,
    Mirror,
}

/// `x [N, C, sizes…]` at the positions `grid [N, places…, axes]`, whose coordinates go from −1 to 1 over the image, the
/// last axis first (Jaderberg et al. 2015).
fn grid_sample(node: &Node) -> Outputs {
    let (x, grid) = (node.expr_of_rank(0, 3)?, node.expr(1)?);
    let axes = x.rank() - 2;
    let places: Vec<usize> = match grid.shape().split_last() {
        Some((&n, lead)) if n == axes && lead.len() == axes + 1 && lead[0] == x.shape()[0] => lead[1..].to_vec(),
        _ => return invalid(format!("a grid of shape {} for images of shape {}", grid.shape(), x.shape())),
    };
    if axes > 3 {
        return unsupported(format!("images of {axes} axes"));
    }
    let outside = match node.text("padding_mode", "zeros").as_str() {
        "zeros" => Outside::Zeros,
        "border" => Outside::Edge,
        "reflection" => Outside::Mirror,
        other => return unsupported(format!("padding_mode {other:?}")),
    };
    let aligned = node.int("align_corners", 0) != 0;
    let (n, count) = (x.shape()[0], places.iter().product::<usize>());
    let sampler = Sampler { outside, aligned };
    let mode = node.text("mode", if node.opset >= 20 { "linear" } else { "bilinear" });
    let grid = grid.try_reshape([n, count, axes])?;
    let mut taps = vec![Tap::whole(n, count, x.dtype())];
    for axis in 0..axes {
        let size = x.shape()[2 + axis];
        // Coordinates are listed from the last axis to the first.
        let at = grid.slice_axis(2, axes - 1 - axis, axes - axis).try_reshape([n, count])?;
        let along = sampler.along(&at, size, &mode)?;
        taps = taps.iter().flat_map(|t| along.iter().map(move |a| t.and(a, size))).collect::<Result<_, _>>()?;
    }
    let flat = x.try_reshape([n, x.shape()[1], x.shape()[2..].iter().product::<usize>()])?;
    let mut sum: Option<Expr> = None;
    for tap in taps {
        let index = cast(&tap.index, DType::I64)?;
        let values = Expr::apply(Gather { axis: 2, batch: 1 }, &[flat.clone(), index])?;
        let term = values.try_mul(&tap.weight.try_reshape([n, 1, count])?)?;
        sum = Some(sum.map_or(Ok(term.clone()), |s| s.try_add(&term))?);
    }
    let Some(sum) = sum else { return invalid("there is nothing to read") };
    let shape: Shape = [n, x.shape()[1]].into_iter().chain(places).collect();
    Ok(vec![sum.try_reshape(shape)?.into()])
}

/// Elements that are read, with their weights, at every place of every image.
struct Tap {
    /// Positions, as floating-point numbers.
    index: Expr,
    weight: Expr,
}

impl Tap {
    fn whole(n: usize, count: usize, dtype: DType) -> Tap {
        Tap { index: Expr::full([n, count], 0.0, dtype), weight: Expr::full([n, count], 1.0, dtype) }
    }

    // The tap of one more axis, of `size`, behind the others.
    fn and(&self, next: &Tap, size: usize) -> Result<Tap, NodeError> {
        let index = self.index.scale(size as f64).try_add(&next.index)?;
        Ok(Tap { index, weight: self.weight.try_mul(&next.weight)? })
    }
}

struct Sampler {
    outside: Outside,
    aligned: bool,
}

impl Sampler {
    /// What is read along one axis of `size` at coordinates from −1 to 1.
    fn along(&self, at: &Expr, size: usize, mode: &str) -> Result<Vec<Tap>, NodeError> {
        let last = size as f64 - 1.0;
        let (low, high) = if self.aligned { (0.0, last) } else { (-0.5, size as f64 - 0.5) };
        let mut p = at.offset(1.0).scale((high - low) / 2.0).offset(low);
        if mode == "nearest" {
            p = p.round();
        }
        p = match self.outside {
            Outside::Zeros => p,
            Outside::Edge => p.clip(0.0, last),
            Outside::Mirror => mirrored(&p, low, high),
        };
        let floor = p.floor();
        let fraction = p.sub(&floor);
        let offsets: Vec<(f64, Expr)> = match mode {
            "nearest" => vec![(0.0, p.like(1.0))],
            "linear" | "bilinear" => vec![(0.0, fraction.neg().offset(1.0)), (1.0, fraction)],
            "cubic" | "bicubic" => [-1.0, 0.0, 1.0, 2.0].map(|o| (o, cubic(&fraction, o))).to_vec(),
            other => return unsupported(format!("mode {other:?}")),
        };
        let base = if mode == "nearest" { p } else { floor };
        offsets.into_iter().map(|(offset, weight)| self.tap(&base.offset(offset), weight, last, (low, high))).collect()
    }

    fn tap(&self, index: &Expr, weight: Expr, last: f64, (low, high): (f64, f64)) -> Result<Tap, NodeError> {
        let weight = match self.outside {
            Outside::Zeros => {
                let inside = index.greater_equal(&index.like(0.0)).mul(&index.less_equal(&index.like(last)));
                weight.try_mul(&inside)?
            }
            _ => weight,
        };
        let index = if self.outside == Outside::Mirror { mirrored(index, low, high) } else { index.clone() };
        let index = index.clip(0.0, last).round();
        Ok(Tap { index, weight })
    }
}

/// Positions mirrored at both ends as often as it takes to lie between them.
fn mirrored(p: &Expr, low: f64, high: f64) -> Expr {
    let span = high - low;
    if span <= 0.0 {
        return p.like(0.0);
    }
    // A triangle wave of period 2·span.
    let from = p.offset(-low).abs();
    let period = from.sub(&from.scale(0.5 / span).floor().scale(2.0 * span));
    period.minimum(&period.neg().offset(2.0 * span)).offset(low)
}

/// Keys 1981 with the coefficient −¾, at the distance of `offset` from the fraction.
fn cubic(fraction: &Expr, offset: f64) -> Expr {
    const A: f64 = -0.75;
    let t = fraction.offset(-offset).abs();
    let square = t.square();
    let cube = square.mul(&t);
    if (0.0..=1.0).contains(&offset) {
        cube.scale(A + 2.0).sub(&square.scale(A + 3.0)).offset(1.0)
    } else {
        cube.scale(A).sub(&square.scale(5.0 * A)).add(&t.scale(8.0 * A)).offset(-4.0 * A)
    }
}

/// Positions from −1 to 1 moved by affine maps `theta [N, axes, axes + 1]`, for images of a known size `[N, C, sizes…]`.
fn affine_grid(node: &Node) -> Outputs {
    let theta = node.expr_of_rank(0, 3)?;
    let Some(size) = node.known_ints(1, "sizes")? else { return invalid("the size is missing") };
    let sizes = crate::node::sizes(size.get(2..).unwrap_or_default(), 1, "size")?;
    let axes = sizes.len();
    if axes == 0 || theta.shape()[1..] != [axes, axes + 1] {
        return invalid(format!("maps of shape {} for images of {axes} axes", theta.shape()));
    }
    let count = host::check_count(&sizes.as_slice().into())?;
    let aligned = node.int("align_corners", 0) != 0;
    let coordinate = |axis: usize, i: usize| match (aligned, sizes[axis]) {
        (true, 1) => 0.0,
        (true, size) => 2.0 * i as f64 / (size as f64 - 1.0) - 1.0,
        (false, size) => (2.0 * i as f64 + 1.0) / size as f64 - 1.0,
    };
    let strides = Shape::from(&sizes).strides();
    let mut points = Vec::with_capacity(count * (axes + 1));
    for p in 0..count {
        // The last axis first, and a 1 for the shift.
        points.extend((0..axes).rev().map(|a| coordinate(a, p / strides[a] % sizes[a])).chain([1.0]));
    }
    let points = Expr::constant(Tensor::from_f64([count, axes + 1], node.dtype, points)?);
    let n = theta.shape()[0];
    let moved = points.try_matmul(&theta.try_transpose(&[0, 2, 1])?)?;
    let shape: Shape = std::iter::once(n).chain(sizes.iter().copied()).chain([axes]).collect();
    Ok(vec![moved.try_reshape(shape)?.into()])
}
