//! Convolution and its two adjoints: the three contractions of one trilinear form.

use super::dot::bilinear_interval;
use super::finish;
use super::layout::for_each_index;
use crate::interval::sum_error;
use crate::op::{Primitive, arity, same_float, separately_linear, shape_error};
use crate::{DType, Expr, Interval, Result, Rounding, Shape, Tensor};

/// One contraction of the form `⟨y, x ∗ w⟩ = Σ y[n,o,p]·x[n,i,p·stride − pad + k·dilation]·w[o,i,k]` over images
/// `x [N, C, spatial…]`, kernels `w [O, C/groups, window…]` and responses `y [N, O, positions…]`.
///
/// Two of the three are given and the third is the result, so transposing any of the three primitives yields another
/// one, and convolution is closed under differentiation of every order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Convolution {
    /// Step between positions along each spatial axis.
    pub strides: Vec<usize>,
    /// Zeros before and after each spatial axis.
    pub padding: Vec<(usize, usize)>,
    /// Step between the kernel's elements along each spatial axis.
    pub dilation: Vec<usize>,
    /// Number of groups of channels that do not see each other.
    pub groups: usize,
    /// Which of the three is the result.
    pub result: Slot,
    /// Spatial sizes of the result where the operands do not determine them (`Image` and `Kernel`).
    pub result_spatial: Vec<usize>,
}

/// A place in the trilinear form of a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Slot {
    /// `y`; operands are `(x, w)`: the convolution itself.
    Response,
    /// `x`; operands are `(y, w)`: transposed convolution, the gradient of the image.
    Image,
    /// `w`; operands are `(x, y)`: the gradient of the kernel.
    Kernel,
}

/// Shapes of the three tensors of a convolution.
#[derive(Clone, Debug)]
pub struct ConvShapes {
    /// `[N, C, spatial…]`.
    pub image: Shape,
    /// `[O, C/groups, window…]`.
    pub kernel: Shape,
    /// `[N, O, positions…]`.
    pub response: Shape,
}

impl Convolution {
    /// Positions along a spatial axis of the given size, or `None` if the window does not fit.
    pub fn positions(&self, axis: usize, size: usize, window: usize) -> Option<usize> {
        let (low, high) = self.padding[axis];
        let reach = self.dilation[axis].checked_mul(window.checked_sub(1)?)?.checked_add(1)?;
        Some((size.checked_add(low)?.checked_add(high)?.checked_sub(reach)?) / self.strides[axis] + 1)
    }

    /// Shapes of image, kernel and response of a node with this primitive.
    pub fn shapes(&self, node: &Expr) -> ConvShapes {
        let (a, b, r) = (node.inputs()[0].shape(), node.inputs()[1].shape(), node.shape());
        let (image, kernel, response) = match self.result {
            Slot::Response => (a, b, r),
            Slot::Image => (r, b, a),
            Slot::Kernel => (a, r, b),
        };
        ConvShapes { image: image.clone(), kernel: kernel.clone(), response: response.clone() }
    }

    fn with_result(&self, result: Slot, like: &Expr) -> Convolution {
        let result_spatial = if result == Slot::Response { Vec::new() } else { like.shape()[2..].to_vec() };
        Convolution { result, result_spatial, ..self.clone() }
    }

    fn of(self, a: &Expr, b: &Expr) -> Expr {
        Expr::build(self, &[a.clone(), b.clone()])
    }

    // Number of products that are summed for one element of the result, at most.
    fn terms(&self, node: &Expr) -> usize {
        let s = self.shapes(node);
        let window: usize = s.kernel[2..].iter().product();
        match self.result {
            Slot::Response => s.kernel[1] * window,
            Slot::Image => s.kernel[0] / self.groups * window,
            Slot::Kernel => s.response[0] * s.response[2..].iter().product::<usize>(),
        }
    }
}

impl Primitive for Convolution {
    fn name(&self) -> &'static str {
        match self.result {
            Slot::Response => "conv",
            Slot::Image => "conv_image",
            Slot::Kernel => "conv_kernel",
        }
    }

    fn infer(&self, inputs: &[Expr]) -> Result<(Shape, DType)> {
        let name = self.name();
        arity(name, inputs, 2)?;
        let dtype = same_float(name, inputs)?;
        let (a, b) = (inputs[0].shape(), inputs[1].shape());
        let spatial = self.strides.len();
        let well_formed = self.padding.len() == spatial
            && self.dilation.len() == spatial
            && self.groups > 0
            && self.strides.iter().chain(&self.dilation).all(|&s| s > 0)
            && (self.result == Slot::Response || self.result_spatial.len() == spatial);
        if !well_formed || a.len() != spatial + 2 || b.len() != spatial + 2 {
            let rank = spatial + 2;
            let reason = format!("needs two operands of rank {rank} and positive strides, dilations and groups");
            return shape_error(name, reason, inputs);
        }
        let (n, c, o, i, size, window): (_, _, _, _, &[usize], &[usize]) = match self.result {
            Slot::Response => (a[0], a[1], b[0], b[1], &a[2..], &b[2..]),
            Slot::Image => (a[0], b[1].saturating_mul(self.groups), b[0], b[1], &self.result_spatial, &b[2..]),
            Slot::Kernel => (a[0], a[1], b[1], a[1] / self.groups, &a[2..], &self.result_spatial),
        };
        if i.checked_mul(self.groups) != Some(c) || o % self.groups != 0 {
            let reason = format!("{c} input and {o} output channels do not fit {} group(s) of {i}", self.groups);
            return shape_error(name, reason, inputs);
        }
        let positions: Option<Vec<usize>> = (0..spatial).map(|s| self.positions(s, size[s], window[s])).collect();
        let Some(positions) = positions else {
            return shape_error(name, format!("window {window:?} does not fit the padded size {size:?}"), inputs);
        };
        let consistent = match self.result {
            Slot::Response => true,
            Slot::Image => a[1] == o && a[2..] == positions[..],
            Slot::Kernel => b[0] == n && b[2..] == positions[..],
        };
        if !consistent {
            return shape_error(name, format!("the response should be [{n}, {o}] at positions {positions:?}"), inputs);
        }
        let (first, second, rest) = match self.result {
            Slot::Response => (n, o, positions),
            Slot::Image => (n, c, size.to_vec()),
            Slot::Kernel => (o, i, window.to_vec()),
        };
        Ok(([first, second].into_iter().chain(rest).collect(), dtype))
    }

    fn eval(&self, node: &Expr, inputs: &[&Tensor]) -> Tensor {
        let s = self.shapes(node);
        let (a, b) = (inputs[0].to_f64_vec(), inputs[1].to_f64_vec());
        let (xs, ws, ys) = (s.image.strides(), s.kernel.strides(), s.response.strides());
        let mut result = vec![0.0; node.shape().count()];
        let per_group = s.kernel[0] / self.groups;
        for_each_index(&s.response, |y| {
            let yi: usize = y.iter().zip(&ys).map(|(i, s)| i * s).sum();
            let group = y[1] / per_group;
            for_each_index(&s.kernel[1..].into(), |k| {
                let mut xi = y[0] * xs[0] + (group * s.kernel[1] + k[0]) * xs[1];
                let mut wi = y[1] * ws[0] + k[0] * ws[1];
                for d in 0..self.strides.len() {
                    let at = y[2 + d] * self.strides[d] + k[1 + d] * self.dilation[d];
                    let Some(at) = at.checked_sub(self.padding[d].0).filter(|&v| v < s.image[2 + d]) else { return };
                    xi += at * xs[2 + d];
                    wi += k[1 + d] * ws[2 + d];
                }
                match self.result {
                    Slot::Response => result[yi] += a[xi] * b[wi],
                    Slot::Image => result[xi] += a[yi] * b[wi],
                    Slot::Kernel => result[wi] += a[xi] * b[yi],
                }
            });
        });
        finish(node, result)
    }

    fn linear_in(&self, varying: &[bool]) -> Option<Vec<bool>> {
        separately_linear(varying)
    }

    fn transpose(&self, node: &Expr, cotangent: &Expr, linear: &[bool]) -> Vec<Option<Expr>> {
        let (a, b, ct) = (&node.inputs()[0], &node.inputs()[1], cotangent);
        let to = |slot: Slot, like: &Expr| self.with_result(slot, like);
        match self.result {
            Slot::Response => {
                vec![linear[0].then(|| to(Slot::Image, a).of(ct, b)), linear[1].then(|| to(Slot::Kernel, b).of(a, ct))]
            }
            Slot::Image => vec![
                linear[0].then(|| to(Slot::Response, a).of(ct, b)),
                linear[1].then(|| to(Slot::Kernel, b).of(ct, a)),
            ],
            Slot::Kernel => vec![
                linear[0].then(|| to(Slot::Image, a).of(b, ct)),
                linear[1].then(|| to(Slot::Response, b).of(a, ct)),
            ],
        }
    }

    fn batch(&self, node: &Expr, inputs: &[Expr], batched: &[bool], size: usize) -> Expr {
        let shapes = self.shapes(node);
        let (n, g) = (shapes.image[0], self.groups);
        let carries_batch = |slot: Slot| match (self.result, slot) {
            (Slot::Response, Slot::Image) | (Slot::Image, Slot::Response) | (Slot::Kernel, Slot::Image) => Some(0),
            (Slot::Response, Slot::Kernel) | (Slot::Image, Slot::Kernel) | (Slot::Kernel, Slot::Response) => Some(1),
            _ => None,
        };
        let has = |slot: Slot| carries_batch(slot).is_some_and(|i: usize| batched[i]);
        let fold = |slot: Slot, x: &Expr, how: Fold| how.fold(slot, x, size, g);
        let operand_slots = match self.result {
            Slot::Response => [Slot::Image, Slot::Kernel],
            Slot::Image => [Slot::Response, Slot::Kernel],
            Slot::Kernel => [Slot::Image, Slot::Response],
        };
        // Which axis of each tensor takes the new axis in: see `Fold`.
        let (how, groups) = match (has(Slot::Image), has(Slot::Kernel), has(Slot::Response)) {
            // Both operands: examples become groups.
            (true, true, _) | (true, _, true) | (_, true, true) => (Fold::Groups, g * size),
            // Kernels are shared: examples become images.
            (true, ..) if self.result == Slot::Response => (Fold::Images, g),
            (.., true) if self.result == Slot::Image => (Fold::Images, g),
            // Otherwise the new axis becomes channels on the side that varies.
            (true, ..) => (Fold::InputChannels, g),
            (.., true) => (Fold::OutputChannels, g),
            (_, true, _) if self.result == Slot::Response => (Fold::OutputChannels, g),
            _ => (Fold::InputChannels, g),
        };
        let operands: Vec<Expr> = (0..2)
            .map(|i| if batched[i] { fold(operand_slots[i], &inputs[i], how) } else { inputs[i].clone() })
            .collect();
        let folded = Convolution { groups, ..self.clone() }.of(&operands[0], &operands[1]);
        how.unfold(self.result, &folded, node.shape(), size, g, n)
    }

    fn interval(&self, node: &Expr, inputs: &[Interval], rounding: Rounding) -> Interval {
        let (a, b) = (&inputs[0], &inputs[1]);
        if a.is_point() && b.is_point() && rounding == Rounding::Nearest {
            return Interval::point(&self.clone().of(&a.lo, &b.lo));
        }
        bilinear_interval(a, b, self.terms(node), node, rounding, &|x, y| self.clone().of(x, y))
    }

    fn adjoint_error(&self, node: &Expr, inputs: &[Interval], linear: &[bool]) -> Option<Expr> {
        let wanted = &node.inputs()[usize::from(!linear[0])];
        let adjoint = &self.transpose(node, node, linear)[usize::from(!linear[0])];
        let terms = match adjoint.as_ref().map(Expr::op) {
            Some(crate::Op::Conv(c)) => c.terms(adjoint.as_ref()?),
            _ => wanted.shape().count(),
        };
        let size = self.clone().of(&inputs[0].magnitude(), &inputs[1].magnitude());
        Some(size.scale(sum_error(1.0, terms + self.terms(node) + 2, node.dtype())))
    }
}

/// Where a batch axis goes so that one convolution serves all of it.
#[derive(Clone, Copy)]
enum Fold {
    /// Into the image axis N of image and response.
    Images,
    /// Into the input channels of image and kernel.
    InputChannels,
    /// Into the output channels of kernel and response.
    OutputChannels,
    /// Into the groups: channels of all three.
    Groups,
}

impl Fold {
    // Moves the leading axis B of x into the axis of `slot` that `self` names; untouched slots are not passed here.
    fn fold(self, slot: Slot, x: &Expr, b: usize, g: usize) -> Expr {
        let s = x.shape().to_vec(); // [B, first, second, …]
        let tail = &s[3..];
        let join = |head: &[usize]| head.iter().chain(tail).copied().collect::<Vec<_>>();
        match (self, slot) {
            (Fold::Images, _) => x.reshape(join(&[b * s[1], s[2]])),
            // Kernels [B, O, I] under groups: B·O, groups outermost within each example.
            (Fold::Groups, Slot::Kernel) => x.reshape(join(&[b * s[1], s[2]])),
            // Images and responses [B, N, C] → [N, B·C].
            (Fold::Groups, _) => x.move_axis(0, 1).reshape(join(&[s[1], b * s[2]])),
            // Images [B, N, g, I] → [N, g, B, I].
            (Fold::InputChannels, Slot::Image) | (Fold::OutputChannels, Slot::Response) => {
                let split = x.reshape(join(&[b, s[1], g, s[2] / g]));
                split.move_axis(0, 2).reshape(join(&[s[1], b * s[2]]))
            }
            // Kernels [B, O, I] → [O, B·I].
            (Fold::InputChannels, _) => x.move_axis(0, 1).reshape(join(&[s[1], b * s[2]])),
            // Kernels [B, g, O/g, I] → [g, B, O/g, I].
            (Fold::OutputChannels, _) => {
                let split = x.reshape(join(&[b, g, s[1] / g, s[2]]));
                split.move_axis(0, 1).reshape(join(&[b * s[1], s[2]]))
            }
        }
    }

    // The inverse of `fold` for the result, whose shape without the batch axis is `single`.
    fn unfold(self, slot: Slot, x: &Expr, single: &Shape, b: usize, g: usize, n: usize) -> Expr {
        let tail = &single[2..];
        let join = |head: &[usize]| head.iter().chain(tail).copied().collect::<Vec<_>>();
        let whole = single.prepend(b);
        match (self, slot) {
            (Fold::Images, _) | (Fold::Groups, Slot::Kernel) => x.reshape(whole),
            (Fold::Groups, _) => x.reshape(join(&[n, b, single[1]])).move_axis(1, 0),
            (Fold::InputChannels, Slot::Image) | (Fold::OutputChannels, Slot::Response) => {
                x.reshape(join(&[n, g, b, single[1] / g])).move_axis(2, 0).reshape(whole)
            }
            (Fold::InputChannels, _) => x.reshape(join(&[single[0], b, single[1]])).move_axis(1, 0),
            (Fold::OutputChannels, _) => {
                x.reshape(join(&[g, b, single[0] / g, single[1]])).move_axis(1, 0).reshape(whole)
            }
        }
    }
}
