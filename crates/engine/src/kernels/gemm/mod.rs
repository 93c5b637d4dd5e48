//! Matrix products on strided operands.
//!
//! Columns of the right operand are packed into panels as wide as a block of accumulators, once for all threads; rows of
//! the left operand are read where they lie. Every element is one sum in the order of its terms, so that results depend
//! neither on how a product is split nor on the number of threads.

mod block;
mod dots;
mod pack;
pub(crate) mod readings;
mod row;
#[cfg(test)]
mod tests;

use super::Finish;
use super::simd::dispatch;
use crate::float::Float;
use block::{Block, Right, near_terms};
use dots::{Column, Series, Stack};
use pack::{Pack, Panels, pack_all};
use rayon::prelude::*;
use row::Row;

/// A strided matrix inside a slice.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Matrix<'a, T> {
    pub data: &'a [T],
    pub offset: usize,
    pub row_stride: isize,
    pub column_stride: isize,
}

impl<T> Matrix<'_, T> {
    fn transposed(self) -> Self {
        Matrix { row_stride: self.column_stride, column_stride: self.row_stride, ..self }
    }

    /// The matrix without its first rows.
    fn at_row(self, row: usize) -> Self {
        Matrix { offset: (self.offset as isize + row as isize * self.row_stride) as usize, ..self }
    }

    /// The matrix without its first columns.
    fn at_column(self, column: usize) -> Self {
        self.transposed().at_row(column).transposed()
    }
}

/// Floating-point operations below which a product is not split.
const SERIAL_FLOPS: usize = 1 << 21;
/// Most tasks that one product is split into.
const MAX_TASKS: usize = 32;
/// Fewest rows of a task.
const ROWS: usize = 24;
/// Fewest columns of a task.
const COLUMNS: usize = 96;
/// Most columns for which sums are taken across registers.
const FEW: usize = 4;
/// Elements that a right operand spans, up to which it is read where it lies.
const IN_PLACE: usize = 1 << 13;
/// Elements of the right operand that are packed at a time.
const PACKED: usize = 1 << 22;

/// Batched product into a row-major `[batch, m, n]`, split over threads by size.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Product {
    pub batch: Vec<usize>,
    pub m: usize,
    pub n: usize,
    pub k: usize,
    pub lhs: Operand,
    pub rhs: Operand,
}

impl Product {
    /// Computes the transpose of every matrix instead; the operands change places.
    pub fn transpose(&mut self) {
        std::mem::swap(&mut self.m, &mut self.n);
        std::mem::swap(&mut self.lhs, &mut self.rhs);
        for operand in [&mut self.lhs, &mut self.rhs] {
            std::mem::swap(&mut operand.row_stride, &mut operand.column_stride);
        }
    }

    /// Floating-point operations of one run.
    pub fn flops(&self) -> u64 {
        2 * (self.batch.iter().product::<usize>() * self.m * self.n * self.k) as u64
    }

    // Floating-point operations of one matrix, as if all cost the same: a product with a vector costs the reading of its
    // matrix.
    fn effort(&self) -> usize {
        let flops = 2 * self.m * self.n * self.k;
        if self.m.min(self.n) <= FEW { 4 * flops } else { flops }
    }

    fn tasks(&self) -> usize {
        (self.batch.iter().product::<usize>() * self.effort() / SERIAL_FLOPS).clamp(1, MAX_TASKS)
    }

    /// Whether a run is worth several threads.
    pub fn is_split(&self) -> bool {
        if self.is_outer() {
            return self.batch.iter().product::<usize>() * self.m * self.n > OUTER_TASK;
        }
        self.as_dots().map_or(self.tasks() > 1, |(stack, _)| stack.is_split())
    }

    // Whether there is one term in every sum, and rows of the result are multiples of rows of the right operand.
    fn is_outer(&self) -> bool {
        self.k == 1 && self.rhs.column_stride == 1
    }

    // Whether the terms are neighbours in both operands and there are few columns, or a single row: then the matrices,
    // what they are multiplied with, and how many columns that has.
    fn as_dots(&self) -> Option<(Stack<'_>, bool)> {
        let batch = &self.batch;
        if self.n <= FEW && self.lhs.column_stride == 1 {
            return Some((Stack { batch, rows: self.m, terms: self.k }, false));
        }
        (self.m == 1 && self.rhs.row_stride == 1).then_some((Stack { batch, rows: self.n, terms: self.k }, true))
    }
}

/// Strides of one operand of a [`Product`].
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Operand {
    pub offset: usize,
    pub batch_strides: Vec<isize>,
    pub row_stride: isize,
    pub column_stride: isize,
}

impl Operand {
    fn matrix<'a, T>(&self, data: &'a [T], sizes: &[usize], flat: usize) -> Matrix<'a, T> {
        let (mut rest, mut at) = (flat, self.offset as isize);
        for (&size, &stride) in sizes.iter().zip(&self.batch_strides).rev() {
            at += (rest % size) as isize * stride;
            rest /= size;
        }
        Matrix { data, offset: at as usize, row_stride: self.row_stride, column_stride: self.column_stride }
    }
}

/// Runs the product. Every element of the result is finished once.
pub(crate) fn run<T: Float>(p: &Product, lhs: &[T], rhs: &[T], out: &mut [T], finish: Finish<T>) {
    let (m, n, k) = (p.m, p.n, p.k);
    if out.is_empty() {
        return;
    }
    if k == 0 {
        out.fill(T::ZERO);
        return finish(0, out);
    }
    if p.is_outer() {
        return outer(p, lhs, rhs, out, finish);
    }
    if let Some((stack, transposed)) = p.as_dots() {
        let left = Series { data: lhs, operand: &p.lhs, transposed };
        let right = Series { data: rhs, operand: &p.rhs, transposed };
        let (matrix, of, columns) = if transposed { (right, left, 1) } else { (left, right, n) };
        return dots::run(stack, matrix, columns, |at| Column { of, at, magnitudes: false }, out, finish);
    }
    let batches: usize = p.batch.iter().product();
    let (effort, tasks) = (p.effort(), p.tasks());
    let one = |b: usize| One {
        size: (m, n, k),
        left: p.lhs.matrix(lhs, &p.batch, b),
        right: p.rhs.matrix(rhs, &p.batch, b),
        first: b * m * n,
        finish,
    };
    if tasks > 1 && (batches == 1 || effort >= 8 * SERIAL_FLOPS) {
        return out.chunks_mut(m * n).enumerate().for_each(|(b, out)| one(b).split(out));
    }
    let per_task = batches.div_ceil(tasks);
    let group = |task: usize, out: &mut [T]| {
        out.chunks_mut(m * n).enumerate().for_each(|(i, out)| one(task * per_task + i).serial(out));
    };
    if tasks == 1 {
        group(0, out);
    } else {
        out.par_chunks_mut(m * n * per_task).enumerate().for_each(|(task, out)| group(task, out));
    }
}

/// The product of two matrices.
struct One<'a, T> {
    size: (usize, usize, usize),
    left: Matrix<'a, T>,
    right: Matrix<'a, T>,
    /// Where the result begins among all results.
    first: usize,
    finish: Finish<'a, T>,
}

impl<T: Float> One<'_, T> {
    fn serial(&self, out: &mut [T]) {
        match self.as_row() {
            Some((left, right)) => dispatch(Row { left, right, terms: self.size.2, out: &mut *out }),
            None => self.each_group(false, |block, _| block.run(0, out)),
        }
        (self.finish)(self.first, out);
    }

    // A row times a matrix, if the product or its transpose is one and the columns are neighbours.
    fn as_row(&self) -> Option<(Matrix<'_, T>, Matrix<'_, T>)> {
        let (left, right) = (self.left, self.right);
        match self.size {
            (1, _, _) if right.column_stride == 1 => Some((left, right)),
            (_, 1, _) if left.row_stride == 1 => Some((right.transposed(), left.transposed())),
            _ => None,
        }
    }

    // Over the threads, by rows if there are enough, else by columns.
    fn split(&self, out: &mut [T]) {
        let (m, n, k) = self.size;
        let tasks = (2 * m * n * k / SERIAL_FLOPS).clamp(1, MAX_TASKS);
        if let Some((left, right)) = self.as_row() {
            let width = out.len().div_ceil(tasks).max(COLUMNS).next_multiple_of(COLUMNS);
            return out.par_chunks_mut(width).enumerate().for_each(|(t, out)| {
                dispatch(Row { left, right: right.at_column(t * width), terms: k, out: &mut *out });
                (self.finish)(self.first + t * width, out);
            });
        }
        if m < 4 * ROWS && n >= 2 * COLUMNS && m < n {
            self.by_columns(tasks, out);
            return (self.finish)(self.first, out);
        }
        // Halves of halves, so that two, four or eight threads have the same to do.
        let rows = m.div_ceil((m / ROWS).clamp(1, tasks).next_power_of_two());
        self.each_group(true, |block, last| {
            out.par_chunks_mut(rows * n).enumerate().for_each(|(t, out)| {
                block.run(t * rows, out);
                if last {
                    (self.finish)(self.first + t * rows * n, out);
                }
            });
        });
    }

    // Lends the columns of the product, as many at a time as are packed, and whether they are the last.
    fn each_group(&self, parallel: bool, mut f: impl FnMut(Block<'_, T>, bool)) {
        let (m, n, k) = self.size;
        let at_once = (PACKED / k).next_multiple_of(COLUMNS).min(n);
        for first in (0..n).step_by(at_once) {
            let columns = at_once.min(n - first);
            let panels = Panels::new::<T>(m, columns);
            let matrix = self.right.at_column(first);
            let mut lend = |right: Right<'_, T>| {
                let block = Block { left: self.left, right, terms: k, panels, first_column: first, row_stride: n };
                f(block, first + columns == n);
            };
            // A right operand that is small, or is read but once or twice, is not worth packing.
            let span = usize::try_from(matrix.row_stride).ok().filter(|_| matrix.column_stride == 1);
            let near =
                |span: &usize| panels.rows_are_few(m) || k * span <= IN_PLACE || near_terms::<T>(*span).is_some();
            if let Some(pitch) = span.filter(near) {
                let rest = panels.rest();
                T::with_scratch(k * rest, |scratch| {
                    if rest > 0 {
                        dispatch(Pack { matrix, terms: k, panels, panel: panels.count() - 1, out: &mut *scratch });
                    }
                    lend(Right::InPlace { matrix, pitch, rest: &*scratch });
                });
            } else {
                T::with_scratch(k * panels.padded(), |scratch| {
                    let finite = pack_all(matrix, k, panels, parallel, scratch);
                    lend(Right::Packed { panels: &*scratch, finite });
                });
            }
        }
    }

    // Few rows, many columns: blocks of columns are computed apart and copied into place.
    fn by_columns(&self, tasks: usize, out: &mut [T]) {
        let (m, n, k) = self.size;
        let width = n.div_ceil(tasks).max(COLUMNS);
        let tasks = n.div_ceil(width);
        T::with_scratch(m * width * tasks, |scratch| {
            scratch.par_chunks_mut(m * width).enumerate().for_each(|(t, part)| {
                let columns = width.min(n - t * width);
                let right = self.right.at_column(t * width);
                let own = One { size: (m, columns, k), right, left: self.left, first: 0, finish: &|_, _| {} };
                own.serial(&mut part[..m * columns]);
            });
            for (t, part) in scratch.chunks(m * width).enumerate() {
                let columns = width.min(n - t * width);
                for (i, row) in part[..m * columns].chunks(columns).enumerate() {
                    out[i * n + t * width..][..columns].copy_from_slice(row);
                }
            }
        });
    }
}

/// Elements of one task of an outer product.
const OUTER_TASK: usize = 1 << 15;

// One term in every sum: a row of the result is a multiple of the right operand's row, at the speed of memory.
fn outer<T: Float>(p: &Product, lhs: &[T], rhs: &[T], out: &mut [T], finish: Finish<T>) {
    let rows = (OUTER_TASK / p.n).max(1);
    let part = |task: usize, chunk: &mut [T]| {
        for (i, out) in chunk.chunks_mut(p.n).enumerate() {
            let (batch, row) = ((task * rows + i) / p.m, (task * rows + i) % p.m);
            let (left, right) = (p.lhs.matrix(lhs, &p.batch, batch), p.rhs.matrix(rhs, &p.batch, batch));
            let factor = left.data[(left.offset as isize + row as isize * left.row_stride) as usize];
            let values = &right.data[right.offset..right.offset + p.n];
            out.iter_mut().zip(values).for_each(|(o, &v)| *o = factor * v);
        }
        finish(task * rows * p.n, chunk);
    };
    if out.len() <= OUTER_TASK {
        part(0, out);
    } else {
        out.par_chunks_mut(rows * p.n).enumerate().for_each(|(task, chunk)| part(task, chunk));
    }
}
