//! Fourier transforms.

use super::encode::int;
use super::error::ExportError;
use super::writer::{Stored, Writer};
use perturb_graph::{Expr, Fft};

/// The standard's transform, of signals in one stack.
pub(super) fn fft(w: &mut Writer, node: &Expr, op: &Fft) -> Result<Stored, ExportError> {
    let n = node.shape()[node.rank() - 2];
    let signals: usize = node.shape()[..node.rank() - 2].iter().product();
    let x = Stored { name: w.full(&node.inputs()[0])?, shape: node.shape().clone() };
    let stack = w.reshape(&x, [signals, n, 2]);
    let attributes = vec![int("axis", 1), int("inverse", i64::from(op.inverse)), int("onesided", 0)];
    let name = w.emit("DFT", &[&stack.name], attributes);
    Ok(w.reshape(&Stored { name, shape: stack.shape }, node.shape()))
}
