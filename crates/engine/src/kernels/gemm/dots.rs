//! Products of few columns, whose terms are neighbours in memory: sums across the lanes of registers.

use super::Matrix;
use crate::float::Float;
use crate::kernels::simd::{Lanes, Task, dispatch};

/// `out[i, j] = Σ_k left[i, k]·right[k, j]` for neighbouring terms of `left`.
#[derive(Clone, Copy)]
pub(super) struct Dots<'a, T> {
    pub m: usize,
    pub n: usize,
    pub k: usize,
    pub left: Matrix<'a, T>,
    pub right: Matrix<'a, T>,
}

impl<T: Float> Dots<'_, T> {
    /// Computes the rows from `first` on, as many as `out` holds.
    pub fn run(&self, first: usize, out: &mut [T]) {
        T::with_scratch(self.k, |scratch| {
            for j in 0..self.n {
                let column = self.right.at_column(j);
                let vector = if column.row_stride == 1 {
                    &column.data[column.offset..][..self.k]
                } else {
                    scratch.iter_mut().enumerate().for_each(|(k, s)| *s = column.data[column.at_row(k).offset]);
                    &*scratch
                };
                dispatch(Column { rows: self.left.at_row(first), vector, out: &mut out[j..], stride: self.n });
            }
        });
    }
}

struct Column<'a, 'o, T> {
    rows: Matrix<'a, T>,
    vector: &'a [T],
    out: &'o mut [T],
    stride: usize,
}

/// Rows that are summed together, so that the vector is read once for all of them.
const TOGETHER: usize = 4;

impl<T: Float> Task<T> for Column<'_, '_, T> {
    type Output = ();
    #[inline(always)]
    unsafe fn run<V: Lanes<T>>(self) {
        let Column { rows, vector, out, stride } = self;
        let count = out.len().div_ceil(stride);
        let row = |i: usize| &rows.data[rows.at_row(i).offset..][..vector.len()];
        let whole = count / TOGETHER * TOGETHER;
        for i in (0..whole).step_by(TOGETHER) {
            // SAFETY: the instruction set is the caller's promise.
            let sums = unsafe { inner::<T, V, TOGETHER>([row(i), row(i + 1), row(i + 2), row(i + 3)], vector) };
            sums.into_iter().enumerate().for_each(|(r, sum)| out[(i + r) * stride] = sum);
        }
        for i in whole..count {
            // SAFETY: as above.
            let [sum] = unsafe { inner::<T, V, 1>([row(i)], vector) };
            out[i * stride] = sum;
        }
    }
}

// Two sums for every lane, then the lanes in order, then what is left: the same for any R.
#[inline(always)]
unsafe fn inner<T: Float, V: Lanes<T>, const R: usize>(rows: [&[T]; R], vector: &[T]) -> [T; R] {
    let n = vector.len();
    assert!(rows.iter().all(|r| r.len() == n), "rows and vector differ in length");
    let whole = n / (2 * V::N) * (2 * V::N);
    // SAFETY: `whole` elements are read of slices that have at least as many; the instruction set is the caller's promise.
    unsafe {
        let mut sums = [[V::splat(T::ZERO); 2]; R];
        for k in (0..whole).step_by(2 * V::N) {
            let (first, second) = (V::load(vector.as_ptr().add(k)), V::load(vector.as_ptr().add(k + V::N)));
            for r in 0..R {
                let row = rows[r].as_ptr().add(k);
                sums[r][0] = V::load(row).mul_add(first, sums[r][0]);
                sums[r][1] = V::load(row.add(V::N)).mul_add(second, sums[r][1]);
            }
        }
        std::array::from_fn(
            #[inline(always)]
            |r| {
                let mut lanes = [T::ZERO; 32];
                sums[r][0].store(lanes.as_mut_ptr());
                sums[r][1].store(lanes.as_mut_ptr().add(V::N));
                let sum = lanes[..2 * V::N].iter().fold(T::ZERO, |a, &b| a + b);
                (whole..n).fold(sum, |a, k| a + rows[r][k] * vector[k])
            },
        )
    }
}
