//! Transposition of matrices.

use crate::float::Float;
use crate::kernels::simd::{Lanes, Task};

/// `to[j, i] = from[i, j]`.
pub(super) struct Transpose<'a, T> {
    pub from: &'a [T],
    pub stride: usize,
    pub rows: usize,
    pub columns: usize,
    pub to: &'a mut [T],
    pub to_stride: usize,
}

impl<T: Float> Task<T> for Transpose<'_, T> {
    type Output = ();
    #[inline(always)]
    unsafe fn run<V: Lanes<T>>(self) {
        let Transpose { from, stride, rows, columns, to, to_stride } = self;
        if rows == 0 || columns == 0 {
            return;
        }
        assert!((rows - 1) * stride + columns <= from.len() && (columns - 1) * to_stride + rows <= to.len());
        let (whole_rows, whole_columns) = (rows / V::N * V::N, columns / V::N * V::N);
        for i in (0..whole_rows).step_by(V::N) {
            for j in (0..whole_columns).step_by(V::N) {
                // SAFETY: the block lies inside both matrices by the check above.
                unsafe {
                    let from = from.as_ptr().add(i * stride + j);
                    V::transpose(from, stride, to.as_mut_ptr().add(j * to_stride + i), to_stride);
                }
            }
        }
        for i in 0..rows {
            let done = if i < whole_rows { whole_columns } else { 0 };
            for j in done..columns {
                to[j * to_stride + i] = from[i * stride + j];
            }
        }
    }
}
