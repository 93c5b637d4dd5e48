//! Products of few columns, whose terms are neighbours in memory: sums across the lanes of registers. Columns that multiply
//! the same matrices are taken together, so that the matrices are read once.

// Loops over the registers of a block count, so that they unroll to straight code.
#![allow(clippy::needless_range_loop)]

use super::{Matrix, Operand};
use crate::float::Float;
use crate::kernels::Finish;
use crate::kernels::simd::{Lanes, Task, dispatch};
use rayon::prelude::*;
use smallvec::SmallVec;

/// Elements of the matrices up to which a product is not split.
const SERIAL: usize = 1 << 18;
/// Elements of the matrices that are one thread's work.
const TASK: usize = 1 << 16;

/// How many matrices, and their rows and terms.
#[derive(Clone, Copy)]
pub(super) struct Stack<'a> {
    pub batch: &'a [usize],
    pub rows: usize,
    pub terms: usize,
}

impl Stack<'_> {
    pub fn batches(self) -> usize {
        self.batch.iter().product()
    }

    pub fn is_split(self) -> bool {
        self.batches() * self.rows * self.terms > SERIAL
    }
}

/// A matrix, or its transpose, for each item of a batch.
#[derive(Clone, Copy)]
pub(super) struct Series<'a, T> {
    pub data: &'a [T],
    pub operand: &'a Operand,
    pub transposed: bool,
}

impl<'a, T> Series<'a, T> {
    fn at(&self, batch: &[usize], item: usize) -> Matrix<'a, T> {
        let matrix = self.operand.matrix(self.data, batch, item);
        if self.transposed { matrix.transposed() } else { matrix }
    }

    /// Distance of a matrix from the one before.
    fn step(&self) -> isize {
        self.operand.batch_strides.last().copied().unwrap_or(0)
    }

    /// Distance of rows.
    fn row_stride(&self) -> isize {
        if self.transposed { self.operand.column_stride } else { self.operand.row_stride }
    }
}

/// What the rows of matrices, or their magnitudes, are multiplied with: a column of each matrix of `of`.
#[derive(Clone, Copy)]
pub(super) struct Column<'a, T> {
    pub of: Series<'a, T>,
    pub at: usize,
    pub magnitudes: bool,
}

/// `out[b, i, c] = Σ_k matrix(b)[i, k]·column(c)(b)[k]` for neighbouring terms of the matrices.
pub(super) fn run<'a, T: Float>(
    stack: Stack,
    matrix: Series<'a, T>,
    columns: usize,
    column: impl Fn(usize) -> Column<'a, T> + Sync,
    out: &mut [T],
    finish: Finish<T>,
) {
    let Stack { rows, terms, .. } = stack;
    let columns: SmallVec<[Column<T>; 8]> = (0..columns).map(column).collect();
    let along = along(stack, matrix, &columns);
    let part = |first: usize, out: &mut [T]| {
        T::with_scratch(columns.len() * terms, |scratch| {
            dispatch(Part { first, along, stack, matrix, columns: &columns, scratch, out });
        });
        finish(first * columns.len(), out);
    };
    if !stack.is_split() {
        return part(0, out);
    }
    let unit = if along == 1 { TOGETHER } else { along * rows };
    let at_once = (TASK / terms).max(1).next_multiple_of(unit);
    out.par_chunks_mut(at_once * columns.len()).enumerate().for_each(|(t, out)| part(t * at_once, out));
}

// How many neighbouring matrices are walked through side by side, row by row: all of the last axis if their rows lie between
// each other (as the parts of long sums do) or are single ones, so that memory is read in its order.
fn along<T>(stack: Stack, matrix: Series<T>, columns: &[Column<T>]) -> usize {
    let last = stack.batch.last().copied().unwrap_or(1);
    let between = stack.rows == 1 || matrix.step().unsigned_abs() < matrix.row_stride().unsigned_abs();
    let near = columns.iter().all(|c| stack.terms == 1 || c.of.row_stride() == 1);
    let few = !stack.is_split() || last * stack.rows * stack.terms <= TASK;
    if between && near && few { last } else { 1 }
}

/// Some rows of all matrices, from the `first` on; whole groups of `along` matrices if there are several in a group.
struct Part<'a, 's, T> {
    first: usize,
    along: usize,
    stack: Stack<'s>,
    matrix: Series<'a, T>,
    columns: &'s [Column<'a, T>],
    scratch: &'s mut [T],
    out: &'s mut [T],
}

impl<T: Float> Task<T> for Part<'_, '_, T> {
    type Output = ();
    #[inline(always)]
    unsafe fn run<V: Lanes<T>>(self) {
        let Part { first, along, stack: Stack { batch, rows, terms }, matrix, columns, scratch, out } = self;
        let (mut row, mut rest) = (first, out);
        while !rest.is_empty() {
            let (b, i) = (row / rows, row % rows);
            let count = (along * rows - i).min(rest.len() / columns.len());
            let (now, later) = rest.split_at_mut(count * columns.len());
            let vectors = scratch.chunks_mut(terms).zip(columns).map(|(s, c)| Vectors::new(c, batch, b, s));
            let group = Group {
                matrix: matrix.at(batch, b).at_row(i),
                step: matrix.step(),
                along,
                rows: count / along,
                terms,
                vectors: vectors.collect(),
            };
            // SAFETY: the instruction set is the caller's promise.
            unsafe { group.run::<V>(now) };
            (row, rest) = (row + count, later);
        }
    }
}

/// The vectors that neighbouring matrices are multiplied with.
struct Vectors<'a, T> {
    data: &'a [T],
    offset: usize,
    step: isize,
    magnitudes: bool,
}

impl<'a, T: Float> Vectors<'a, T> {
    // From the matrix `b` on. A vector whose elements are apart is copied; then it is the only one.
    #[inline(always)]
    fn new(column: &Column<'a, T>, batch: &[usize], b: usize, scratch: &'a mut [T]) -> Vectors<'a, T> {
        let Column { of, at, magnitudes } = *column;
        let vector = of.at(batch, b).at_column(at);
        if vector.row_stride == 1 || scratch.len() == 1 {
            return Vectors { data: vector.data, offset: vector.offset, step: of.step(), magnitudes };
        }
        scratch.iter_mut().enumerate().for_each(|(k, s)| *s = vector.data[vector.at_row(k).offset]);
        Vectors { data: scratch, offset: 0, step: 0, magnitudes }
    }

    #[inline(always)]
    fn of(&self, j: usize, terms: usize) -> &[T] {
        &self.data[(self.offset as isize + j as isize * self.step) as usize..][..terms]
    }
}

/// Rows of neighbouring matrices.
struct Group<'a, T> {
    matrix: Matrix<'a, T>,
    step: isize,
    along: usize,
    rows: usize,
    terms: usize,
    vectors: SmallVec<[Vectors<'a, T>; 8]>,
}

impl<T: Float> Group<'_, T> {
    #[inline(always)]
    unsafe fn run<V: Lanes<T>>(&self, out: &mut [T]) {
        let whole = self.rows / TOGETHER * TOGETHER;
        // SAFETY: the instruction set is the caller's promise.
        unsafe {
            for i in (0..whole).step_by(TOGETHER) {
                self.products::<V, TOGETHER>(i, out);
            }
            for i in whole..self.rows {
                self.products::<V, 1>(i, out);
            }
        }
    }

    // `out[j, i + r, c] = Σ_k matrix(j)[i + r, k]·vector(c)(j)[k]` for R rows of all matrices.
    #[inline(always)]
    unsafe fn products<V: Lanes<T>, const R: usize>(&self, i: usize, out: &mut [T]) {
        let columns = self.vectors.len();
        for j in 0..self.along {
            let offset = self.matrix.offset as isize + j as isize * self.step;
            let row = |r: usize| &self.matrix.data[(offset + (i + r) as isize * self.matrix.row_stride) as usize..];
            let rows: [&[T]; R] = std::array::from_fn(
                #[inline(always)]
                |r| &row(r)[..self.terms],
            );
            for (c, vectors) in self.vectors.iter().enumerate() {
                // SAFETY: the instruction set is the caller's promise.
                let sums = unsafe { inner::<T, V, R>(rows, vectors.of(j, self.terms), vectors.magnitudes) };
                for r in 0..R {
                    out[(j * self.rows + i + r) * columns + c] = sums[r];
                }
            }
        }
    }
}

/// Rows that are summed together, so that a vector is read once for all of them.
const TOGETHER: usize = 4;

// Inner products of rows, or of their magnitudes, with a vector.
#[inline(always)]
unsafe fn inner<T: Float, V: Lanes<T>, const R: usize>(rows: [&[T]; R], vector: &[T], magnitudes: bool) -> [T; R] {
    // SAFETY: the instruction set is the caller's promise.
    unsafe { if magnitudes { sums::<T, V, R, true>(rows, vector) } else { sums::<T, V, R, false>(rows, vector) } }
}

// Two sums for every lane, then the lanes: the same for any R.
#[inline(always)]
unsafe fn sums<T: Float, V: Lanes<T>, const R: usize, const MAGNITUDES: bool>(rows: [&[T]; R], vector: &[T]) -> [T; R] {
    let n = vector.len();
    assert!(rows.iter().all(|r| r.len() == n), "rows and vector differ in length");
    // SAFETY: no more is read than the slices have; the instruction set is the caller's promise.
    unsafe {
        let mut sums = [[V::splat(T::ZERO); 2]; R];
        let whole = n / (2 * V::N) * (2 * V::N);
        for k in (0..whole).step_by(2 * V::N) {
            for h in 0..2 {
                let factor = V::load(vector.as_ptr().add(k + h * V::N));
                for r in 0..R {
                    let row = V::load(rows[r].as_ptr().add(k + h * V::N));
                    sums[r][h] = add_product::<T, V, MAGNITUDES>(row, factor, sums[r][h]);
                }
            }
        }
        let mut k = whole;
        if k + V::N <= n {
            let factor = V::load(vector.as_ptr().add(k));
            for r in 0..R {
                let row = V::load(rows[r].as_ptr().add(k));
                sums[r][0] = add_product::<T, V, MAGNITUDES>(row, factor, sums[r][0]);
            }
            k += V::N;
        }
        if k < n {
            // What is not read is zero on both sides.
            let factor = V::load_first(vector.as_ptr().add(k), n - k);
            for r in 0..R {
                let row = V::load_first(rows[r].as_ptr().add(k), n - k);
                sums[r][1] = add_product::<T, V, MAGNITUDES>(row, factor, sums[r][1]);
            }
        }
        sums.map(
            #[inline(always)]
            |[a, b]| a.mul_add(V::splat(T::ONE), b).sum(),
        )
    }
}

#[inline(always)]
unsafe fn add_product<T: Float, V: Lanes<T>, const MAGNITUDES: bool>(row: V, factor: V, sum: V) -> V {
    // SAFETY: the instruction set is the caller's promise.
    unsafe { if MAGNITUDES { row.abs() } else { row }.mul_add(factor, sum) }
}
