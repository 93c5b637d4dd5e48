//! Factorisations and solutions of stacks of small systems, by the routines of `perturb_graph::linear_algebra`.

use super::SERIAL;
use crate::float::Float;
use perturb_graph::linear_algebra::{self, Real};
use rayon::prelude::*;

/// A routine on matrices of one shape.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Routine {
    Cholesky { n: usize },
    TriangularSolve { n: usize, k: usize, lower: bool, transpose: bool },
    Solve { n: usize, k: usize },
    Qr { m: usize, n: usize },
    Eigh { n: usize },
    Svd { m: usize, n: usize },
}

impl Routine {
    // Elements of one matrix of the first operand, of the second, and of the result.
    fn widths(self) -> [usize; 3] {
        match self {
            Routine::Cholesky { n } => [n * n, 0, n * n],
            Routine::TriangularSolve { n, k, .. } | Routine::Solve { n, k } => [n * n, n * k, n * k],
            Routine::Qr { m, n } => [m * n, 0, (m + n) * m.min(n)],
            Routine::Eigh { n } => [n * n, 0, (n + 1) * n],
            Routine::Svd { m, n } => [m * n, 0, (m + 1 + n) * m.min(n)],
        }
    }

    fn one<T: Real>(self, a: &[T], b: &[T], out: &mut [T]) {
        match self {
            Routine::Cholesky { n } => linear_algebra::cholesky(n, a, out),
            Routine::TriangularSolve { n, k, lower, transpose } => {
                linear_algebra::triangular_solve(n, k, lower, transpose, a, b, out);
            }
            Routine::Solve { n, k } => linear_algebra::solve(n, k, a, b, out),
            Routine::Qr { m, n } => linear_algebra::qr(m, n, a, out),
            Routine::Eigh { n } => linear_algebra::eigh(n, a, out),
            Routine::Svd { m, n } => linear_algebra::svd(m, n, a, out),
        }
    }
}

/// Runs a routine on every matrix of `a` (and of `b`, which may be empty for routines of one operand).
pub(crate) fn run<T: Float + Real>(routine: Routine, a: &[T], b: &[T], out: &mut [T]) {
    let [wide_a, wide_b, wide_out] = routine.widths();
    if out.is_empty() {
        return;
    }
    let one = |i: usize, out: &mut [T]| {
        let part = |x: &[T], width: usize| -> std::ops::Range<usize> {
            (i * width).min(x.len())..((i + 1) * width).min(x.len())
        };
        routine.one(&a[part(a, wide_a)], &b[part(b, wide_b)], out);
    };
    // About the operations that one matrix takes.
    let work = out.len() * (wide_a as f64).sqrt() as usize;
    if work <= SERIAL {
        out.chunks_mut(wide_out).enumerate().for_each(|(i, out)| one(i, out));
    } else {
        out.par_chunks_mut(wide_out).enumerate().for_each(|(i, out)| one(i, out));
    }
}
