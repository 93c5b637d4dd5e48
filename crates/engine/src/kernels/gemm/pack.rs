//! Panels of the right operand.

use super::Matrix;
use crate::float::Float;
use crate::kernels::simd::{Lanes, Simd, Task, dispatch};
use crate::kernels::tile::panel_rows;
use rayon::prelude::*;

/// How columns are cut into panels, each as wide as a block of accumulators.
#[derive(Clone, Copy)]
pub(super) struct Panels {
    pub columns: usize,
    /// Elements of a register.
    pub lanes: usize,
    /// Elements of a panel; the last one may have fewer, but whole registers.
    pub width: usize,
    most_rows: usize,
}

impl Panels {
    /// For a product of `rows` rows.
    pub fn new<T: Simd>(rows: usize, columns: usize) -> Panels {
        dispatch::<T, _>(Cut { rows, columns })
    }

    pub fn count(&self) -> usize {
        self.columns.div_ceil(self.width)
    }

    /// Elements of a row of panel `p`.
    pub fn width_of(&self, p: usize) -> usize {
        (self.columns - p * self.width).min(self.width).next_multiple_of(self.lanes)
    }

    /// Whether the last register of panel `p` is not full.
    pub fn is_partial(&self, p: usize) -> bool {
        (p + 1) * self.width > self.columns && !self.columns.is_multiple_of(self.lanes)
    }

    /// Elements of a row of all panels.
    pub fn padded(&self) -> usize {
        self.columns.next_multiple_of(self.lanes)
    }

    /// Elements of a row of the last panel if it is partial, else 0.
    pub fn rest(&self) -> usize {
        let last = self.count() - 1;
        if self.is_partial(last) { self.width_of(last) } else { 0 }
    }

    /// Whether so few rows are multiplied that packing does not pay.
    pub fn rows_are_few(&self, rows: usize) -> bool {
        rows <= 2 * self.most_rows
    }
}

struct Cut {
    rows: usize,
    columns: usize,
}

impl<T: Simd> Task<T> for Cut {
    type Output = Panels;
    #[inline(always)]
    unsafe fn run<V: Lanes<T>>(self) -> Panels {
        let most = if self.rows <= 2 { 2 * V::COLUMNS } else { V::COLUMNS };
        let width = panel_rows(self.columns.div_ceil(V::N), most) * V::N;
        Panels { columns: self.columns, lanes: V::N, width, most_rows: V::ROWS }
    }
}

/// Elements from which packing is worth several threads.
const PARALLEL: usize = 1 << 16;

/// Packs all panels one after another, as `[panel][term][place]`; returns whether all elements are finite.
pub(super) fn pack_all<T: Float>(
    matrix: Matrix<T>,
    terms: usize,
    panels: Panels,
    parallel: bool,
    out: &mut [T],
) -> bool {
    let one = |(panel, out): (usize, &mut [T])| dispatch(Pack { matrix, terms, panels, panel, out });
    let size = panels.width * terms;
    if parallel && out.len() >= PARALLEL {
        out.par_chunks_mut(size).enumerate().map(one).reduce(|| true, |a, b| a & b)
    } else {
        out.chunks_mut(size).enumerate().map(one).fold(true, |a, b| a & b)
    }
}

/// Packs one panel, zeros behind the last column; returns whether all elements are finite.
pub(super) struct Pack<'a, T> {
    pub matrix: Matrix<'a, T>,
    pub terms: usize,
    pub panels: Panels,
    pub panel: usize,
    pub out: &'a mut [T],
}

impl<T: Float> Task<T> for Pack<'_, T> {
    type Output = bool;
    #[inline(always)]
    unsafe fn run<V: Lanes<T>>(self) -> bool {
        let Pack { matrix, terms, panels, panel, out } = self;
        let (first, width) = (panel * panels.width, panels.width_of(panel));
        let columns = width.min(panels.columns - first);
        let matrix = matrix.at_column(first);
        let rows = out.chunks_exact_mut(width).take(terms).enumerate();
        if matrix.column_stride == 1 {
            for (k, row) in rows {
                let from = &matrix.data[matrix.at_row(k).offset..][..columns];
                for (from, to) in from.chunks(V::N).zip(row.chunks_exact_mut(V::N)) {
                    // SAFETY: both hold as many elements as are copied; the instruction set is the caller's promise.
                    unsafe { V::copy(from.as_ptr(), to.as_mut_ptr(), from.len()) }
                }
                row[columns..].fill(T::ZERO);
            }
        } else if matrix.row_stride == 1 && matrix.column_stride > 0 {
            // SAFETY: the instruction set is the caller's promise.
            unsafe { transpose::<T, V>(&matrix, terms, columns, width, out) }
        } else {
            for (k, row) in rows {
                let from = matrix.at_row(k);
                let (fill, zeros) = row.split_at_mut(columns);
                fill.iter_mut().enumerate().for_each(|(j, x)| *x = matrix.data[from.at_column(j).offset]);
                zeros.fill(T::ZERO);
            }
        }
        let infinity = -T::NEG_INFINITY;
        out[..terms * width].iter().fold(true, |finite, x| finite & (x.abs() < infinity))
    }
}

// Rows of the panel from columns whose elements are neighbours, block by block.
#[inline(always)]
unsafe fn transpose<T: Float, V: Lanes<T>>(
    matrix: &Matrix<T>,
    terms: usize,
    columns: usize,
    width: usize,
    out: &mut [T],
) {
    let column = |j: usize| &matrix.data[matrix.at_column(j).offset..][..terms];
    let (whole_terms, whole_columns) = (terms / V::N * V::N, columns / V::N * V::N);
    for j in (0..whole_columns).step_by(V::N) {
        let (first, last) = (column(j), column(j + V::N - 1));
        let stride = matrix.column_stride as usize;
        for k in (0..whole_terms).step_by(V::N) {
            assert!(k + V::N <= last.len() && (k + V::N - 1) * width + j + V::N <= out.len());
            // SAFETY: all of the N columns, `stride` apart, hold elements k to k + N, since the first and the last were
            // sliced, and the block of the panel lies inside `out`, by the check above.
            unsafe { V::transpose(first.as_ptr().add(k), stride, out.as_mut_ptr().add(k * width + j), width) }
        }
    }
    for j in 0..columns {
        let from = column(j);
        let done = if j < whole_columns { whole_terms } else { 0 };
        for k in done..terms {
            out[k * width + j] = from[k];
        }
    }
    for row in out.chunks_exact_mut(width).take(terms) {
        row[columns..].fill(T::ZERO);
    }
}
