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
        for i in (0..rows).step_by(V::N) {
            for j in (0..columns).step_by(V::N) {
                let (r, c) = (V::N.min(rows - i), V::N.min(columns - j));
                // SAFETY: the block lies inside both matrices by the check above; a block that is not whole goes through
                // two of its own, of the widest register's size.
                unsafe {
                    let (from, to) = (from.as_ptr().add(i * stride + j), to.as_mut_ptr().add(j * to_stride + i));
                    if (r, c) == (V::N, V::N) {
                        V::transpose(from, stride, to, to_stride);
                        continue;
                    }
                    let (mut block, mut turned) = ([T::ZERO; WIDEST * WIDEST], [T::ZERO; WIDEST * WIDEST]);
                    for row in 0..r {
                        V::copy(from.add(row * stride), block.as_mut_ptr().add(row * V::N), c);
                    }
                    V::transpose(block.as_ptr(), V::N, turned.as_mut_ptr(), V::N);
                    for column in 0..c {
                        V::copy(turned.as_ptr().add(column * V::N), to.add(column * to_stride), r);
                    }
                }
            }
        }
    }
}

/// Elements of the widest register.
const WIDEST: usize = 16;
