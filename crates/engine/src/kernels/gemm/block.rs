//! Rows of a product: block by block of accumulators, over terms and panels that stay in the caches.

use super::Matrix;
use super::pack::Panels;
use crate::float::Float;
use crate::kernels::simd::{Lanes, Task, dispatch};
use crate::kernels::tile::{Factors, multiply};

/// Terms that are summed before the next panel is taken.
const TERMS: usize = 256;
/// Columns over which `TERMS` terms of the right operand stay in the second-level cache.
const WIDTH: usize = 384;
/// Columns from which it pays to look for terms that are zero in all rows of a block.
const SEARCH: usize = 128;
/// Elements of the left operand that are packed at a time, and a register more.
const PACKED: usize = 8 * TERMS + 16;
/// Elements of the largest block of accumulators.
const LARGEST: usize = 8 * 3 * 16;

/// How many terms, `stride` elements apart, can be read where they lie again and again, a cache line or two each: as many
/// as half of the sets of the first-level cache that they fall into hold. `None` if those are too few to be worth it.
pub(super) fn near_terms<T>(stride: usize) -> Option<usize> {
    match stride * size_of::<T>() {
        0..=128 => Some(128),
        129..=256 => Some(64),
        _ => None,
    }
}

/// How the right operand is read.
#[derive(Clone, Copy)]
pub(super) enum Right<'a, T> {
    /// All panels, and whether all of their elements are finite.
    Packed { panels: &'a [T], finite: bool },
    /// Rows `pitch` apart where they lie, and the last panel packed if its last register is not full.
    InPlace { matrix: Matrix<'a, T>, pitch: usize, rest: &'a [T] },
}

/// A product, or neighbouring columns of one.
#[derive(Clone, Copy)]
pub(super) struct Block<'a, T> {
    pub left: Matrix<'a, T>,
    pub right: Right<'a, T>,
    pub terms: usize,
    pub panels: Panels,
    /// Where the columns begin in a row of the result, and the length of such a row.
    pub first_column: usize,
    pub row_stride: usize,
}

impl<'a, T: Float> Block<'a, T> {
    /// Computes the rows from `first` on, as many as `out` holds, all columns of the result included.
    pub fn run(&self, first: usize, out: &mut [T]) {
        dispatch(Rows { block: *self, left: self.left.at_row(first), out });
    }

    // The rows of a panel from term `first` on, and their distance.
    fn panel(&self, p: usize, first: usize) -> (&'a [T], usize) {
        match self.right {
            Right::Packed { panels, .. } => {
                let width = self.panels.width_of(p);
                (&panels[p * self.panels.width * self.terms + first * width..], width)
            }
            Right::InPlace { rest, .. } if self.panels.is_partial(p) => {
                let width = self.panels.width_of(p);
                (&rest[first * width..], width)
            }
            Right::InPlace { matrix, pitch, .. } => {
                (&matrix.data[matrix.offset + first * pitch + p * self.panels.width..], pitch)
            }
        }
    }

    // Terms that are summed before the next panel is taken: fewer if an operand is read where it lies line by line.
    fn terms_at_once(&self) -> usize {
        let left = if self.left_is_near() { near_terms::<T>(self.left.column_stride.unsigned_abs()) } else { None };
        let right = match self.right {
            Right::InPlace { pitch, .. } => near_terms::<T>(pitch),
            Right::Packed { .. } => None,
        };
        left.unwrap_or(TERMS).min(right.unwrap_or(TERMS))
    }

    // Whether neighbouring rows of the left operand are neighbours in memory, and their terms not far apart.
    fn left_is_near(&self) -> bool {
        self.left.row_stride == 1 && near_terms::<T>(self.left.column_stride.unsigned_abs()).is_some()
    }

    // A product with an infinite element is not zero, whatever the other factor.
    fn may_skip(&self) -> bool {
        self.left.column_stride == 1
            && self.panels.columns >= SEARCH
            && matches!(self.right, Right::Packed { finite: true, .. })
    }
}

struct Rows<'a, 'o, T> {
    block: Block<'a, T>,
    left: Matrix<'a, T>,
    out: &'o mut [T],
}

impl<T: Float> Task<T> for Rows<'_, '_, T> {
    type Output = ();
    #[inline(always)]
    unsafe fn run<V: Lanes<T>>(self) {
        let Rows { block, left, out } = self;
        let stride = block.row_stride;
        let (m, panels) = (out.len() / stride, block.panels);
        // Blocks of rows as even as can be.
        let blocks = m.div_ceil(V::ROWS);
        let at_once = (WIDTH / panels.width).max(1);
        let (skip, terms_at_once) = (block.may_skip(), block.terms_at_once());
        let in_place = left.column_stride == 1 || block.left_is_near();
        let (mut list, mut partial, mut packed) = ([0u32; TERMS], [T::ZERO; LARGEST], [T::ZERO; PACKED]);
        for first_panel in (0..panels.count()).step_by(at_once) {
            let group = first_panel..(first_panel + at_once).min(panels.count());
            for first_term in (0..block.terms).step_by(terms_at_once) {
                let terms = terms_at_once.min(block.terms - first_term);
                for i in 0..blocks {
                    let row = i * m / blocks;
                    let rows = (i + 1) * m / blocks - row;
                    let factors = left.at_row(row).at_column(first_term);
                    let count = if skip { nonzero(&factors, rows, terms, &mut list) } else { all(terms, &mut list) };
                    // Terms that are far apart would be fetched anew, a cache line each, for every panel.
                    let factors = if in_place || group.len() == 1 {
                        let (row, term) = (factors.row_stride, factors.column_stride);
                        Factors { data: factors.data, start: factors.offset, row, term }
                    } else {
                        // SAFETY: the instruction set is the caller's promise.
                        unsafe { pack::<T, V>(&factors, rows, terms, &mut packed) }
                        Factors { data: &packed, start: 0, row: 1, term: rows as isize }
                    };
                    for p in group.clone() {
                        let (source, pitch) = block.panel(p, first_term);
                        let width = panels.width_of(p);
                        let tile = (rows, width / V::N);
                        let (terms, add) = (&list[..count], first_term > 0);
                        let target = &mut out[row * stride + block.first_column + p * panels.width..];
                        // A panel whose last register is not full is computed apart.
                        let columns = width.min(panels.columns - p * panels.width);
                        let apart = if panels.is_partial(p) { rows } else { 0 };
                        for (from, to) in target.chunks(stride).zip(partial.chunks_mut(width)).take(apart) {
                            to[..columns].copy_from_slice(&from[..columns]);
                        }
                        let (to, to_stride) =
                            if apart > 0 { (&mut partial[..], width) } else { (&mut *target, stride) };
                        // SAFETY: the instruction set is the caller's promise.
                        unsafe { multiply::<T, V>(tile, factors, terms, source, pitch, to, to_stride, add) };
                        for (to, from) in target.chunks_mut(stride).zip(partial.chunks(width)).take(apart) {
                            to[..columns].copy_from_slice(&from[..columns]);
                        }
                    }
                }
            }
        }
    }
}

// Copies the factors of `terms` terms, those of a term together.
#[inline(always)]
unsafe fn pack<T: Float, V: Lanes<T>>(factors: &Matrix<T>, rows: usize, terms: usize, out: &mut [T; PACKED]) {
    let whole = |k: usize| factors.row_stride == 1 && factors.at_column(k).offset + V::N <= factors.data.len();
    for k in 0..terms {
        let start = factors.at_column(k);
        if whole(k) && rows <= V::N {
            let (from, to) = (&start.data[start.offset..][..V::N], &mut out[k * rows..][..V::N]);
            // SAFETY: both hold a register. What it holds beyond the rows is overwritten by the next term.
            unsafe { V::load(from.as_ptr()).store(to.as_mut_ptr()) }
        } else {
            let out = out[k * rows..][..rows].iter_mut().enumerate();
            out.for_each(|(r, o)| *o = start.data[start.at_row(r).offset]);
        }
    }
}

// Lists all terms.
#[inline(always)]
fn all(terms: usize, list: &mut [u32; TERMS]) -> usize {
    if list[terms - 1] != terms as u32 - 1 {
        list.iter_mut().zip(0..).take(terms).for_each(|(l, k)| *l = k);
    }
    terms
}

// Lists the terms that are not zero in all rows, or all terms if few are: such as those of neurons that are off in a whole
// ball, or in every example.
#[inline(always)]
fn nonzero<T: Float>(factors: &Matrix<T>, rows: usize, terms: usize, list: &mut [u32; TERMS]) -> usize {
    let mut seen = [0u32; TERMS];
    for r in 0..rows {
        let row = &factors.data[factors.at_row(r).offset..][..terms];
        seen.iter_mut().zip(row).for_each(|(s, &x)| *s |= u32::from(x != T::ZERO));
        let found: u32 = seen[..terms].iter().sum();
        if found as usize >= terms - terms / 8 {
            list.iter_mut().zip(0..).take(terms).for_each(|(l, k)| *l = k);
            return terms;
        }
    }
    let mut count = 0;
    for (k, &s) in (0..).zip(&seen[..terms]) {
        list[count] = k;
        count += s as usize;
    }
    count
}
