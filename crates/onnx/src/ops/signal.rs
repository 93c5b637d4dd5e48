//! Window functions and Fourier transforms.

use super::Group;
use crate::decode::Code;
use crate::error::{invalid, unsupported};
use crate::host;
use crate::node::{Node, Outputs};
use perturb_graph::{DType, Expr, Fft, Tensor};
use std::f64::consts::TAU;

pub(super) const OPS: Group = &[
    ("BlackmanWindow", |n| window(n, [0.42, 0.5, 0.08])),
    ("DFT", dft),
    ("HammingWindow", |n| window(n, [25.0 / 46.0, 21.0 / 46.0, 0.0])),
    ("HannWindow", |n| window(n, [0.5, 0.5, 0.0])),
];

/// `a − b·cos(2πi/n) + c·cos(4πi/n)`, with n the size, or one less for a symmetric window.
fn window(node: &Node, [a, b, c]: [f64; 3]) -> Outputs {
    let size = node.known_scalar(0, "sizes")?.unwrap_or(-1.0);
    if !(0.0..=host::MAX_FOLDED as f64).contains(&size) {
        return invalid(format!("a window of size {size}"));
    }
    let period = if node.int("periodic", 1) != 0 { size } else { size - 1.0 };
    let value = |i: usize| {
        let phase = TAU * i as f64 / period.max(1.0);
        a - b * phase.cos() + c * (2.0 * phase).cos()
    };
    let values = (0..size as usize).map(value).collect();
    let dtype = match i32::try_from(node.int("output_datatype", 1)).map_err(|_| ()).map(Code::from_number) {
        Ok(Ok(code)) if code.is_float() => node.dtype,
        Ok(Ok(_)) => DType::I64,
        _ => return unsupported("an output_datatype that is not a number"),
    };
    Ok(vec![Tensor::from_f64([size as usize], dtype, values)?.into()])
}

/// Of real signals (last axis 1) or complex ones (last axis 2); cut or filled with zeros to `dft_length`. The axis is an
/// attribute before operator set 20 and an operand from then on.
fn dft(node: &Node) -> Outputs {
    let x = node.expr_of_rank(0, 2)?;
    let last = x.rank() - 1;
    let along = match node.known_scalar(2, "axes")? {
        Some(axis) => axis as i64,
        None if node.opset >= 20 => -2,
        None => node.int("axis", 1),
    };
    let axis = crate::node::axis(along, x.rank())?;
    if axis == last || x.shape()[last] > 2 {
        return invalid("the last axis must hold real and imaginary parts");
    }
    let (inverse, onesided) = (node.int("inverse", 0) != 0, node.int("onesided", 0) != 0);
    if inverse && onesided {
        return unsupported("the inverse of a one-sided transform");
    }
    let size = x.shape()[axis];
    let length = match node.known_scalar(1, "lengths")? {
        Some(n) if !(1.0..=host::MAX_FOLDED as f64).contains(&n) => return invalid(format!("dft_length {n}")),
        Some(n) => n as usize,
        None => size,
    };
    let mut x = x.slice_axis(axis, 0, size.min(length));
    if length == 0 {
        return invalid("a signal without elements");
    }
    let mut missing = vec![0; x.rank()];
    (missing[axis], missing[last]) = (length.saturating_sub(size), 2 - x.shape()[last]);
    x = x.try_pad(&vec![0; x.rank()], &missing)?;
    // The axis goes beside the last one and back.
    let mut perm: Vec<usize> = (0..x.rank()).filter(|&a| a != axis && a != last).collect();
    perm.extend([axis, last]);
    let mut back = vec![0; perm.len()];
    perm.iter().enumerate().for_each(|(to, &from)| back[from] = to);
    let y = Expr::apply(Fft { inverse }, &[x.try_transpose(&perm)?])?.try_transpose(&back)?;
    let kept = if onesided { length / 2 + 1 } else { length };
    Ok(vec![y.slice_axis(axis, 0, kept).into()])
}
