//! Products of few columns, whose terms are neighbours in memory: sums across the lanes of registers. Columns that multiply
//! the same matrices are taken together, so that the matrices are read once.

// Loops over the registers of a block count, so that they unroll to straight code.
#![allow(clippy::needless_range_loop)]

use super::Matrix;
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
pub(super) struct Stack {
    pub batches: usize,
    pub rows: usize,
    pub terms: usize,
}

impl Stack {
    pub fn is_split(self) -> bool {
        self.batches * self.rows * self.terms > SERIAL
    }
}

/// What the rows of a matrix, or their magnitudes, are multiplied with: the first column of `vector`.
#[derive(Clone, Copy)]
pub(super) struct Column<'a, T> {
    pub vector: Matrix<'a, T>,
    pub magnitudes: bool,
}

impl<'a, T> Column<'a, T> {
    pub fn of(vector: Matrix<'a, T>) -> Column<'a, T> {
        Column { vector, magnitudes: false }
    }
}

/// `out[b, i, c] = Σ_k matrix(b)[i, k]·column(b, c)[k]` for neighbouring terms of the matrices.
pub(super) fn run<'a, T: Float>(
    stack: Stack,
    matrix: impl Fn(usize) -> Matrix<'a, T> + Sync,
    columns: usize,
    column: impl Fn(usize, usize) -> Column<'a, T> + Sync,
    out: &mut [T],
    finish: Finish<T>,
) {
    let Stack { rows, terms, .. } = stack;
    // Rows of all matrices are counted through.
    let part = |first: usize, out: &mut [T]| {
        let (mut row, mut rest) = (first, &mut *out);
        while !rest.is_empty() {
            let (b, i) = (row / rows, row % rows);
            let count = (rows - i).min(rest.len() / columns);
            let (now, later) = rest.split_at_mut(count * columns);
            T::with_scratch(columns * terms, |scratch| {
                let vectors = scratch.chunks_mut(terms).enumerate().map(|(c, s)| neighbours(column(b, c), s));
                let vectors: SmallVec<[(&[T], bool); 8]> = vectors.collect();
                dispatch(Rows { matrix: matrix(b).at_row(i), vectors: &vectors, out: now });
            });
            (row, rest) = (row + count, later);
        }
        finish(first * columns, out);
    };
    if !stack.is_split() {
        return part(0, out);
    }
    let at_once = (TASK / terms).max(1).next_multiple_of(TOGETHER);
    out.par_chunks_mut(at_once * columns).enumerate().for_each(|(t, out)| part(t * at_once, out));
}

// A column's elements where they lie, or copied if they are apart.
fn neighbours<'a, T: Float>(column: Column<'a, T>, scratch: &'a mut [T]) -> (&'a [T], bool) {
    let Column { vector, magnitudes } = column;
    if vector.row_stride == 1 || scratch.len() == 1 {
        return (&vector.data[vector.offset..][..scratch.len()], magnitudes);
    }
    scratch.iter_mut().enumerate().for_each(|(k, s)| *s = vector.data[vector.at_row(k).offset]);
    (scratch, magnitudes)
}

struct Rows<'a, 'o, T> {
    matrix: Matrix<'a, T>,
    vectors: &'a [(&'a [T], bool)],
    out: &'o mut [T],
}

/// Rows that are summed together, so that a vector is read once for all of them.
const TOGETHER: usize = 4;

impl<T: Float> Task<T> for Rows<'_, '_, T> {
    type Output = ();
    #[inline(always)]
    unsafe fn run<V: Lanes<T>>(self) {
        let Rows { matrix, vectors, out } = self;
        let (columns, terms) = (vectors.len(), vectors[0].0.len());
        let count = out.len() / columns;
        let row = |i: usize| &matrix.data[matrix.at_row(i).offset..][..terms];
        let whole = count / TOGETHER * TOGETHER;
        for i in (0..whole).step_by(TOGETHER) {
            let rows = [row(i), row(i + 1), row(i + 2), row(i + 3)];
            for (c, &(vector, magnitudes)) in vectors.iter().enumerate() {
                // SAFETY: the instruction set is the caller's promise.
                let sums = unsafe { inner::<T, V, TOGETHER>(rows, vector, magnitudes) };
                sums.into_iter().enumerate().for_each(|(r, sum)| out[(i + r) * columns + c] = sum);
            }
        }
        for i in whole..count {
            for (c, &(vector, magnitudes)) in vectors.iter().enumerate() {
                // SAFETY: as above.
                let [sum] = unsafe { inner::<T, V, 1>([row(i)], vector, magnitudes) };
                out[i * columns + c] = sum;
            }
        }
    }
}

// Inner products of rows, or of their magnitudes, with a vector.
#[inline(always)]
unsafe fn inner<T: Float, V: Lanes<T>, const R: usize>(rows: [&[T]; R], vector: &[T], magnitudes: bool) -> [T; R] {
    // SAFETY: the instruction set is the caller's promise.
    unsafe { if magnitudes { sums::<T, V, R, true>(rows, vector) } else { sums::<T, V, R, false>(rows, vector) } }
}

// Two sums for every lane, then the lanes, then what is left: the same for any R.
#[inline(always)]
unsafe fn sums<T: Float, V: Lanes<T>, const R: usize, const MAGNITUDES: bool>(rows: [&[T]; R], vector: &[T]) -> [T; R] {
    let n = vector.len();
    assert!(rows.iter().all(|r| r.len() == n), "rows and vector differ in length");
    let whole = n / (2 * V::N) * (2 * V::N);
    // SAFETY: `whole` elements are read of slices that have at least as many; the instruction set is the caller's promise.
    unsafe {
        let mut sums = [[V::splat(T::ZERO); 2]; R];
        for k in (0..whole).step_by(2 * V::N) {
            let vector = vector.as_ptr().add(k);
            for h in 0..2 {
                let factor = V::load(vector.add(h * V::N));
                for r in 0..R {
                    let row = V::load(rows[r].as_ptr().add(k + h * V::N));
                    let row = if MAGNITUDES { row.abs() } else { row };
                    sums[r][h] = row.mul_add(factor, sums[r][h]);
                }
            }
        }
        std::array::from_fn(
            #[inline(always)]
            |r| {
                let sum = sums[r][0].mul_add(V::splat(T::ONE), sums[r][1]).sum();
                let rest = rows[r][whole..].iter().zip(&vector[whole..]);
                rest.fold(sum, |a, (&x, &v)| a + if MAGNITUDES { x.abs() } else { x } * v)
            },
        )
    }
}
