//! Products of the same matrices with several vectors: the matrices are read once.

use super::dots::{self, Column, Series, Stack};
use super::{FEW, Operand};
use crate::float::Float;
use crate::kernels::Finish;

/// The columns of several products by the same matrices.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Readings {
    pub batch: Vec<usize>,
    pub m: usize,
    pub k: usize,
    /// The matrices; their terms are neighbours.
    pub matrix: Operand,
    pub columns: Vec<Reading>,
}

/// One column of a right operand.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Reading {
    /// Its first element, and the distance of its rows.
    pub column: Operand,
    /// Whether it multiplies the magnitudes of the matrices' elements.
    pub magnitudes: bool,
}

impl Readings {
    /// Most columns of one product that are taken so.
    pub const FEW: usize = FEW;
    /// Most columns together.
    pub const MOST: usize = 8;

    fn stack(&self) -> Stack<'_> {
        Stack { batch: &self.batch, rows: self.m, terms: self.k }
    }

    /// Whether a run is worth several threads.
    pub fn is_split(&self) -> bool {
        self.stack().is_split()
    }

    /// Floating-point operations of one run.
    pub fn flops(&self) -> u64 {
        let stack = self.stack();
        2 * (stack.batches() * stack.rows * stack.terms * self.columns.len()) as u64
    }
}

/// Computes `[batch, m, columns]`; `vectors` holds the data of each column. Every element of the result is finished once.
pub(crate) fn run<T: Float>(r: &Readings, matrices: &[T], vectors: &[&[T]], out: &mut [T], finish: Finish<T>) {
    if out.is_empty() {
        return;
    }
    if r.k == 0 {
        out.fill(T::ZERO);
        return finish(0, out);
    }
    let matrix = Series { data: matrices, operand: &r.matrix, transposed: false };
    let column = |c: usize| {
        let Reading { column, magnitudes } = &r.columns[c];
        let of = Series { data: vectors[c], operand: column, transposed: false };
        Column { of, at: 0, magnitudes: *magnitudes }
    };
    dots::run(r.stack(), matrix, r.columns.len(), column, out, finish);
}
