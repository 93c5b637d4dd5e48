//! Maximum over windows, and the pair of linear maps that its argmax defines.

use super::finish;
use super::layout::for_each_index;
use crate::interval::gamma;
use crate::op::{Primitive, Relaxation, arity, batch_all, same_float, shape_error};
use crate::{DType, Expr, Interval, Result, Rounding, Shape, Tensor};

/// Windows over the spatial axes of `x [N, C, spatial…]`. Padding never wins: it counts as −∞. Of equal elements the
/// first in row-major order is chosen.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MaxPool {
    /// Window sizes.
    pub window: Vec<usize>,
    /// Steps between windows.
    pub strides: Vec<usize>,
    /// Padding before and after each spatial axis.
    pub padding: Vec<(usize, usize)>,
    /// Steps between the elements of a window.
    pub dilation: Vec<usize>,
    /// What is computed.
    pub role: PoolRole,
}

/// What a [`MaxPool`] computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PoolRole {
    /// `(x)`: the maximum of each window.
    Max,
    /// `(x, t)` with `t` of x's shape: the element of `t` where `x` is largest in each window; linear in `t`.
    Choose,
    /// `(x, y)` with `y` of the windows' shape: adds each `y` where `x` is largest in its window; the adjoint of
    /// `Choose`.
    Scatter,
}

impl MaxPool {
    /// Number of windows along a spatial axis.
    fn positions(&self, axis: usize, size: usize) -> Option<usize> {
        let (low, high) = self.padding[axis];
        let reach = self.dilation[axis].checked_mul(self.window[axis].checked_sub(1)?)?.checked_add(1)?;
        Some((size.checked_add(low)?.checked_add(high)?.checked_sub(reach)?) / self.strides[axis] + 1)
    }

    /// The same windows in another role.
    pub fn with_role(&self, role: PoolRole) -> MaxPool {
        MaxPool { role, ..self.clone() }
    }

    /// Shape of the windows' results for images of shape `x`.
    fn pooled(&self, x: &Shape) -> Option<Shape> {
        let spatial: Option<Vec<usize>> = (0..self.window.len()).map(|a| self.positions(a, x[2 + a])).collect();
        Some(x[..2].iter().copied().chain(spatial?).collect())
    }

    // Relative error of the sum of all windows that cover an element: at most one for each place in a window.
    fn sum_error(&self, dtype: DType) -> f64 {
        gamma(self.window.iter().product(), dtype)
    }

    // For every element of images of shape `x`, the sum of `y` over all windows that cover it.
    fn spread(&self, y: &Expr, x: &Shape) -> Expr {
        let channels = x[0] * x[1];
        let flat = |s: &Shape| [channels, 1].into_iter().chain(s[2..].iter().copied()).collect::<Shape>();
        let ones = Expr::full([1, 1].into_iter().chain(self.window.clone()).collect::<Shape>(), 1.0, y.dtype());
        let conv = super::Convolution {
            strides: self.strides.clone(),
            padding: self.padding.clone(),
            dilation: self.dilation.clone(),
            groups: 1,
            result: super::Slot::Image,
            result_spatial: x[2..].to_vec(),
        };
        Expr::build(conv, &[y.reshape(flat(y.shape())), ones]).reshape(x)
    }

    /// Calls `f` with the row-major index of each window and that of its chosen element.
    pub fn for_each_choice<T: Copy>(
        &self,
        x: &Shape,
        values: &[T],
        above: impl Fn(T, T) -> bool,
        mut f: impl FnMut(usize, usize),
    ) {
        let Some(pooled) = self.pooled(x) else { return };
        let strides = x.strides();
        let window: Shape = self.window.as_slice().into();
        let mut position = 0;
        for_each_index(&pooled, |p| {
            let mut best: Option<usize> = None;
            for_each_index(&window, |k| {
                let mut at = p[0] * strides[0] + p[1] * strides[1];
                for d in 0..k.len() {
                    let place = p[2 + d] * self.strides[d] + k[d] * self.dilation[d];
                    let Some(place) = place.checked_sub(self.padding[d].0).filter(|&v| v < x[2 + d]) else { return };
                    at += place * strides[2 + d];
                }
                if best.is_none_or(|b| above(values[at], values[b])) {
                    best = Some(at);
                }
            });
            f(position, best.unwrap_or(0));
            position += 1;
        });
    }
}

impl Primitive for MaxPool {
    fn name(&self) -> &'static str {
        match self.role {
            PoolRole::Max => "max_pool",
            PoolRole::Choose => "max_pool_choose",
            PoolRole::Scatter => "max_pool_scatter",
        }
    }

    fn infer(&self, inputs: &[Expr]) -> Result<(Shape, DType)> {
        let name = self.name();
        arity(name, inputs, if self.role == PoolRole::Max { 1 } else { 2 })?;
        let dtype = same_float(name, inputs)?;
        let (x, spatial) = (inputs[0].shape(), self.window.len());
        let well_formed = x.len() == spatial + 2
            && [self.strides.len(), self.dilation.len(), self.padding.len()].iter().all(|&l| l == spatial)
            && self.strides.iter().chain(&self.dilation).chain(&self.window).all(|&s| s > 0);
        if !well_formed {
            return shape_error(
                name,
                format!("needs rank {} and positive windows, strides, dilations", spatial + 2),
                inputs,
            );
        }
        let Some(pooled) = self.pooled(x) else {
            return shape_error(name, format!("window {:?} does not fit the padded size", self.window), inputs);
        };
        // A window made of padding alone would have no element to choose.
        let reach = |a: usize| self.dilation[a] * (self.window[a] - 1) + 1;
        if (0..spatial).any(|a| self.padding[a].0.max(self.padding[a].1) >= reach(a)) {
            return shape_error(name, "padding must be smaller than the window", inputs);
        }
        // Nor would a window whose steps jump over the whole image.
        if (0..spatial).any(|a| self.padding[a] != (0, 0) && self.dilation[a] > x[2 + a].max(1)) {
            return shape_error(name, "with padding, the dilation must not exceed the size", inputs);
        }
        match self.role {
            PoolRole::Max => Ok((pooled, dtype)),
            PoolRole::Choose if inputs[1].shape() == x => Ok((pooled, dtype)),
            PoolRole::Scatter if *inputs[1].shape() == pooled => Ok((x.clone(), dtype)),
            PoolRole::Choose => shape_error(name, "both operands must have one shape", inputs),
            PoolRole::Scatter => shape_error(name, format!("the second operand must be {pooled}"), inputs),
        }
    }

    fn eval(&self, node: &Expr, inputs: &[&Tensor]) -> Tensor {
        let x = inputs[0].to_f64_vec();
        let other = inputs.get(1).map(|t| t.to_f64_vec());
        let mut result = vec![0.0; node.shape().count()];
        self.for_each_choice(
            inputs[0].shape(),
            &x,
            // NaN wins, so that it stays visible.
            |a, b| a > b || (a.is_nan() && !b.is_nan()),
            |window, chosen| match (&self.role, &other) {
                (PoolRole::Choose, Some(t)) => result[window] = t[chosen],
                (PoolRole::Scatter, Some(y)) => result[chosen] += y[window],
                _ => result[window] = x[chosen],
            },
        );
        finish(node, result)
    }

    fn linear_in(&self, varying: &[bool]) -> Option<Vec<bool>> {
        (self.role != PoolRole::Max && !varying[0]).then(|| varying.to_vec())
    }

    fn jvp(&self, node: &Expr, tangents: &[Option<Expr>]) -> Option<Expr> {
        let x = &node.inputs()[0];
        let (role, tangent) = match self.role {
            PoolRole::Max => (PoolRole::Choose, tangents[0].as_ref()?),
            // The choice itself is piecewise constant in x.
            role => (role, tangents[1].as_ref()?),
        };
        Some(Expr::build(self.with_role(role), &[x.clone(), tangent.clone()]))
    }

    fn transpose(&self, node: &Expr, cotangent: &Expr, _linear: &[bool]) -> Vec<Option<Expr>> {
        let role = if self.role == PoolRole::Choose { PoolRole::Scatter } else { PoolRole::Choose };
        vec![None, Some(Expr::build(self.with_role(role), &[node.inputs()[0].clone(), cotangent.clone()]))]
    }

    fn batch(&self, node: &Expr, inputs: &[Expr], batched: &[bool], size: usize) -> Expr {
        let all = batch_all(inputs, batched, size);
        let folded: Vec<Expr> = all
            .iter()
            .map(|x| {
                let s = x.shape();
                x.reshape(std::iter::once(s[0] * s[1]).chain(s[2..].iter().copied()).collect::<Shape>())
            })
            .collect();
        Expr::build(self.clone(), &folded).reshape(node.shape().prepend(size))
    }

    fn interval(&self, _node: &Expr, inputs: &[Interval], rounding: Rounding) -> Interval {
        let x = &inputs[0];
        let apply = |args: &[Expr]| Expr::build(self.clone(), args);
        if self.role == PoolRole::Max {
            let lo = apply(std::slice::from_ref(&x.lo));
            return Interval { hi: if x.is_point() { lo.clone() } else { apply(std::slice::from_ref(&x.hi)) }, lo };
        }
        let t = &inputs[1];
        if x.is_point() {
            // Choosing moves elements; scattering adds some of them.
            let bounds =
                Interval { lo: apply(&[x.lo.clone(), t.lo.clone()]), hi: apply(&[x.lo.clone(), t.hi.clone()]) };
            if self.role == PoolRole::Choose || rounding == Rounding::Nearest {
                return bounds;
            }
            let error = apply(&[x.lo.clone(), t.magnitude()]).scale(3.0 * self.sum_error(t.lo.dtype()));
            return bounds.widen_by(&error);
        }
        // With an unknown choice: anything in the window may be chosen.
        match self.role {
            PoolRole::Choose => {
                let max = self.with_role(PoolRole::Max);
                let largest = Expr::build(max.clone(), std::slice::from_ref(&t.hi));
                let smallest = Expr::build(max, &[t.lo.neg()]).neg();
                Interval { lo: smallest, hi: largest }
            }
            _ => {
                // Every position may receive every window that covers it: a sum of the positive (negative) parts.
                let spread = |y: &Expr| self.spread(y, x.lo.shape());
                let bounds = Interval { lo: spread(&t.lo.neg().relu()).neg(), hi: spread(&t.hi.relu()) };
                if rounding == Rounding::Nearest {
                    return bounds;
                }
                bounds.widen_by(&spread(&t.magnitude()).scale(3.0 * self.sum_error(t.lo.dtype())))
            }
        }
    }

    // Below: the element with the largest lower bound. Above: that element where its lower bound reaches the upper
    // bound of the whole window, else the constant upper bound.
    fn relax(&self, node: &Expr, bounds: &[Interval], _rounding: Rounding) -> Option<Relaxation> {
        if self.role != PoolRole::Max {
            return None;
        }
        let (x, b) = (&node.inputs()[0], &bounds[0]);
        let choose = |t: &Expr| Expr::build(self.with_role(PoolRole::Choose), &[b.lo.clone(), t.clone()]);
        let pool = |t: &Expr| Expr::build(self.clone(), std::slice::from_ref(t));
        let (chosen, max_hi) = (choose(x), pool(&b.hi));
        // The rival: the largest upper bound among the other elements of the window.
        let picked = Expr::build(self.with_role(PoolRole::Scatter), &[b.lo.clone(), max_hi.like(1.0)]);
        let others = Expr::select(&picked, &b.hi.like(-f64::MAX), &b.hi);
        // An element that some other window picked is missing from `others`: only windows with disjoint elements
        // (stride ≥ reach) may use it.
        let disjoint = (0..self.window.len()).all(|a| self.strides[a] > self.dilation[a] * (self.window[a] - 1));
        let rival = if disjoint { pool(&others) } else { max_hi.clone() };
        let decided = choose(&b.lo).greater_equal(&rival);
        let upper_constant = Expr::select(&decided, &max_hi.like(0.0), &max_hi);
        Some(Relaxation { lower: chosen.clone(), upper: chosen.mul(&decided).add(&upper_constant) })
    }

    // Either the primitive (scattering) or its adjoint (choosing) adds up windows that overlap.
    fn adjoint_error(&self, _node: &Expr, inputs: &[Interval], _linear: &[bool]) -> Option<Expr> {
        let moved = Expr::build(self.clone(), &[inputs[0].lo.clone(), inputs.get(1)?.magnitude()]);
        let error = 3.0 * self.sum_error(moved.dtype());
        Some(moved.scale(error))
    }
}
