//! Products of a single row: multiples of the right operand's rows are added up, each read once and from end to end.

use super::Matrix;
use crate::float::Float;
use crate::kernels::simd::{Lanes, Task};

/// Rows of the right operand that are added at a time, so that sums are loaded and stored once for all of them.
const TOGETHER: usize = 8;
/// Columns whose sums stay in the first-level cache.
const COLUMNS: usize = 2048;

/// `out[j] = Σ_k left[0, k]·right[k, j]` for a right operand whose columns are neighbours in memory.
pub(super) struct Row<'a, 'o, T> {
    pub left: Matrix<'a, T>,
    pub right: Matrix<'a, T>,
    pub terms: usize,
    pub out: &'o mut [T],
}

impl<T: Float> Task<T> for Row<'_, '_, T> {
    type Output = ();
    #[inline(always)]
    unsafe fn run<V: Lanes<T>>(self) {
        let Row { left, right, terms, out } = self;
        let whole = terms / TOGETHER * TOGETHER;
        for (block, out) in out.chunks_mut(COLUMNS).enumerate() {
            let right = right.at_column(block * COLUMNS);
            out.fill(T::ZERO);
            for k in (0..whole).step_by(TOGETHER) {
                // SAFETY: the instruction set is the caller's promise.
                unsafe { add::<T, V, TOGETHER>(&left, &right, k, out) };
            }
            for k in whole..terms {
                // SAFETY: as above.
                unsafe { add::<T, V, 1>(&left, &right, k, out) };
            }
        }
    }
}

// Adds the multiples of R rows from `first` on. The order of the terms is that of any other product.
#[inline(always)]
unsafe fn add<T: Float, V: Lanes<T>, const R: usize>(left: &Matrix<T>, right: &Matrix<T>, first: usize, out: &mut [T]) {
    let n = out.len();
    let mut rows = [&right.data[..0]; R];
    let mut factors = [T::ZERO; R];
    for r in 0..R {
        rows[r] = &right.data[right.at_row(first + r).offset..][..n];
        factors[r] = left.data[left.at_column(first + r).offset];
    }
    // SAFETY: all rows have as many elements as `out`, of which N are read and written at a time and the last fewer ones
    // by `load_first` and `copy`; the instruction set is the caller's promise.
    unsafe {
        let factors = factors.map(
            #[inline(always)]
            |f| V::splat(f),
        );
        let whole = n / V::N * V::N;
        for j in (0..whole).step_by(V::N) {
            let mut sum = V::load(out.as_ptr().add(j));
            for r in 0..R {
                sum = factors[r].mul_add(V::load(rows[r].as_ptr().add(j)), sum);
            }
            sum.store(out.as_mut_ptr().add(j));
        }
        let rest = n - whole;
        if rest > 0 {
            let mut sum = V::load_first(out.as_ptr().add(whole), rest);
            for r in 0..R {
                sum = factors[r].mul_add(V::load_first(rows[r].as_ptr().add(whole), rest), sum);
            }
            sum.store_first(out.as_mut_ptr().add(whole), rest);
        }
    }
}
