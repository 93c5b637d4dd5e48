//! Moving elements: zero padding with gaps, and pieces of a concatenation. (Plain strided copies are elementwise
//! programs.)

use super::MAX_RANK;
use crate::element::Lane;

/// Writes `x` (row-major, of `shape`) into `out` (row-major, of `out_shape`) at `start + index·step`, leaving the rest.
pub(crate) fn place<T: Lane>(
    x: &[T],
    shape: &[usize],
    out: &mut [T],
    out_shape: &[usize],
    start: &[usize],
    step: &[usize],
) {
    if x.is_empty() {
        return;
    }
    if shape.is_empty() {
        out[0] = x[0];
        return;
    }
    let last = shape.len() - 1;
    let mut strides = [1; MAX_RANK];
    for a in (0..last).rev() {
        strides[a] = strides[a + 1] * out_shape[a + 1];
    }
    let mut index = [0; MAX_RANK];
    for row in x.chunks(shape[last]) {
        let base: usize = (0..last).map(|a| (start[a] + index[a] * step[a]) * strides[a]).sum::<usize>() + start[last];
        if step[last] == 1 {
            out[base..base + row.len()].copy_from_slice(row);
        } else {
            row.iter().enumerate().for_each(|(i, &v)| out[base + i * step[last]] = v);
        }
        for a in (0..last).rev() {
            index[a] += 1;
            if index[a] < shape[a] {
                break;
            }
            index[a] = 0;
        }
    }
}
