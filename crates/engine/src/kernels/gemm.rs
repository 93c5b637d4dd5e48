//! Matrix products on strided operands, by the `gemm` crate.

use super::Finish;
use crate::float::Float;
use rayon::prelude::*;

/// A strided matrix inside a slice.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Matrix<'a, T> {
    pub data: &'a [T],
    pub offset: usize,
    pub row_stride: isize,
    pub column_stride: isize,
}

/// Floating-point operations below which a product is not split.
const SERIAL_FLOPS: usize = 1 << 21;
/// Most tasks that one product is split into.
const MAX_TASKS: usize = 32;

fn check_bounds<T>(m: &Matrix<T>, rows: usize, columns: usize) {
    let reach = |n: usize, stride: isize| (n as isize - 1) * stride;
    let (r, c) = (reach(rows, m.row_stride), reach(columns, m.column_stride));
    let low = m.offset as isize + r.min(0) + c.min(0);
    let high = m.offset as isize + r.max(0) + c.max(0);
    assert!(low >= 0 && (high as usize) < m.data.len(), "matrix operand leaves its buffer");
}

/// `out[i, j] (+)= Σ_k lhs[i, k]·rhs[k, j]` for an `m × n` result whose rows are `row_stride` apart in `out` and whose
/// columns are neighbours. One thread; the order of summation depends on the sizes only.
#[allow(clippy::too_many_arguments)] // the shape of a matrix product
pub(crate) fn single<T: Float>(
    (m, n, k): (usize, usize, usize),
    lhs: Matrix<T>,
    rhs: Matrix<T>,
    out: &mut [T],
    row_stride: usize,
    accumulate: bool,
) {
    if m == 0 || n == 0 {
        return;
    }
    assert!((m - 1) * row_stride + n <= out.len() && (n <= row_stride || m == 1), "matrix result leaves its buffer");
    if k == 0 {
        if !accumulate {
            (0..m).for_each(|i| out[i * row_stride..i * row_stride + n].fill(T::ZERO));
        }
        return;
    }
    check_bounds(&lhs, m, k);
    check_bounds(&rhs, k, n);
    // Miri, which checks all other unsafe code, does not know the crate's vector instructions.
    if cfg!(miri) {
        let at = |x: &Matrix<T>, i: usize, j: usize| {
            x.data[(x.offset as isize + i as isize * x.row_stride + j as isize * x.column_stride) as usize]
        };
        for (i, j) in (0..m).flat_map(|i| (0..n).map(move |j| (i, j))) {
            let sum: T = (0..k).map(|l| at(&lhs, i, l) * at(&rhs, l, j)).sum();
            let o = &mut out[i * row_stride + j];
            *o = if accumulate { *o + sum } else { sum };
        }
        return;
    }
    // SAFETY: all elements that the product reads and writes lie inside the slices, by the three checks above; `out` is
    // borrowed mutably, so it overlaps neither operand; T is f32 or f64, which the crate supports.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            1,
            row_stride as isize,
            accumulate,
            lhs.data.as_ptr().add(lhs.offset),
            lhs.column_stride,
            lhs.row_stride,
            rhs.data.as_ptr().add(rhs.offset),
            rhs.column_stride,
            rhs.row_stride,
            T::ONE,
            T::ONE,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

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
    if k == 1 && p.rhs.column_stride == 1 {
        return outer(p, lhs, rhs, out, finish);
    }
    let batches: usize = p.batch.iter().product();
    let flops = 2 * m * n * k.max(1);
    let tasks = (batches * flops / SERIAL_FLOPS).clamp(1, MAX_TASKS);
    // Rows of all batches together, in blocks that never cross a batch.
    let per_batch = tasks.div_ceil(batches).min(m).max(1);
    // The crate sums single rows, and products of at most 256 elements, in another order. No block may fall under these
    // while others do not, or equal rows would differ by their place.
    let least = 257usize.div_ceil(n).max(2);
    let mut block = m.div_ceil(per_batch).max(least).min(m);
    while m % block != 0 && m % block < least {
        block += 1;
    }
    let whole = |b: usize, start: usize, chunk: &mut [T]| {
        let rows = chunk.len() / n;
        let mut left = p.lhs.matrix(lhs, &p.batch, b);
        left.offset = (left.offset as isize + start as isize * p.lhs.row_stride) as usize;
        single((rows, n, k), left, p.rhs.matrix(rhs, &p.batch, b), chunk, n, false);
        finish((b * m + start) * n, chunk);
    };
    if tasks == 1 {
        return out.chunks_mut(m * n).enumerate().for_each(|(b, chunk)| whole(b, 0, chunk));
    }
    if batches == 1 && m < 2 * tasks.min(8) && n >= 64 * tasks.min(8) {
        wide(p, lhs, rhs, out, tasks.min(8));
        return finish(0, out);
    }
    let per_task = batches.div_ceil(tasks);
    out.par_chunks_mut(m * n * per_task).enumerate().for_each(|(t, group)| {
        group.chunks_mut(m * n).enumerate().for_each(|(i, product)| {
            let b = t * per_task + i;
            if per_batch == 1 {
                whole(b, 0, product);
            } else {
                product.par_chunks_mut(block * n).enumerate().for_each(|(j, chunk)| whole(b, j * block, chunk));
            }
        });
    });
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

// Few rows, many columns: blocks of columns are computed apart and copied into place.
fn wide<T: Float>(p: &Product, lhs: &[T], rhs: &[T], out: &mut [T], tasks: usize) {
    let block = p.n.div_ceil(tasks);
    let left = p.lhs.matrix(lhs, &p.batch, 0);
    let right = p.rhs.matrix(rhs, &p.batch, 0);
    T::with_scratch(p.m * block * tasks, |scratch| {
        let parts = scratch.par_chunks_mut(p.m * block).enumerate();
        parts.for_each(|(t, part)| {
            let width = block.min(p.n.saturating_sub(t * block));
            let mut columns = right;
            columns.offset = (right.offset as isize + (t * block) as isize * right.column_stride) as usize;
            if width > 0 {
                single((p.m, width, p.k), left, columns, part, width, false);
            }
        });
        for t in 0..tasks {
            let width = block.min(p.n.saturating_sub(t * block));
            for i in 0..p.m {
                let from = t * p.m * block + i * width;
                out[i * p.n + t * block..i * p.n + t * block + width].copy_from_slice(&scratch[from..from + width]);
            }
        }
    });
}
