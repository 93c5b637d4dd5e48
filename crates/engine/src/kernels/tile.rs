//! The inner loops of products: a few rows times a few registers of columns, summed in registers.
//!
//! Every element of a result is one sum in the order of the terms, whatever tile it falls into, so that results depend
//! neither on how work is split nor on an element's place.

// Loops over the registers of a tile count, so that they unroll to straight code.
#![allow(clippy::needless_range_loop)]

use super::simd::Lanes;
use crate::float::Float;

/// Most registers of columns in one tile.
pub(crate) const COLUMNS: usize = 3;

/// Rows of each panel when `rows` are cut into the fewest panels of at most `most`, as even as can be.
pub(crate) fn panel_rows(rows: usize, most: usize) -> usize {
    rows.div_ceil(rows.div_ceil(most).max(1)).max(1)
}

/// `target[r, j] = Σ_k weights[k, r]·source[offsets[k] + at + j]` for `rows` rows, `target_stride` apart, and `columns`
/// registers of columns.
///
/// # Panics
/// If a slice is too short, or `rows` exceeds [`Lanes::ROWS`] or `columns` exceeds [`COLUMNS`].
///
/// # Safety
/// The processor has the instruction set of `V`; no offset exceeds `reach`.
#[inline(always)]
#[allow(clippy::too_many_arguments)] // both shapes and both sides of a product
pub(crate) unsafe fn correlate<T: Float, V: Lanes<T>>(
    (rows, columns): (usize, usize),
    weights: &[T],
    offsets: &[usize],
    reach: usize,
    source: &[T],
    at: usize,
    target: &mut [T],
    target_stride: usize,
) {
    assert!(weights.len() >= rows * offsets.len(), "packed weights are too few");
    assert!(at + reach + columns * V::N <= source.len(), "a tile leaves its source");
    assert!((rows - 1) * target_stride + columns * V::N <= target.len(), "a tile leaves its target");
    let (weights, source, target) = (weights.as_ptr(), source.as_ptr(), target.as_mut_ptr());
    macro_rules! tiles {
        ($($r:literal)*) => {
            match (rows, columns) {
                // SAFETY: the three checks above cover every address; the instruction set is the caller's promise.
                $(
                    ($r, 1) if $r <= V::ROWS => unsafe { sum::<T, V, $r, 1>(weights, offsets, source.add(at), target, target_stride) },
                    ($r, 2) if $r <= V::ROWS => unsafe { sum::<T, V, $r, 2>(weights, offsets, source.add(at), target, target_stride) },
                    ($r, 3) if $r <= V::ROWS => unsafe { sum::<T, V, $r, 3>(weights, offsets, source.add(at), target, target_stride) },
                )*
                _ => panic!("no tile of {rows} × {columns}"),
            }
        };
    }
    tiles!(1 2 3 4 5 6 7 8);
}

#[inline(always)]
unsafe fn sum<T: Float, V: Lanes<T>, const R: usize, const C: usize>(
    mut weights: *const T,
    offsets: &[usize],
    source: *const T,
    target: *mut T,
    target_stride: usize,
) {
    // SAFETY: `correlate` has checked the ranges; all calls need the instruction set that its caller promises.
    unsafe {
        let mut sums = [[V::splat(T::ZERO); C]; R];
        for &offset in offsets {
            let row = source.add(offset);
            let mut columns = [V::splat(T::ZERO); C];
            for c in 0..C {
                columns[c] = V::load(row.add(c * V::N));
            }
            for r in 0..R {
                let weight = V::splat(*weights.add(r));
                for c in 0..C {
                    sums[r][c] = weight.mul_add(columns[c], sums[r][c]);
                }
            }
            weights = weights.add(R);
        }
        for r in 0..R {
            for c in 0..C {
                sums[r][c].store(target.add(r * target_stride + c * V::N));
            }
        }
    }
}

/// Rows of neighbouring positions, `pitch` apart on one side and following each other on the other.
#[derive(Clone, Copy)]
pub(crate) struct Walk {
    pub lines: usize,
    pub positions: usize,
    pub pitch: usize,
}

/// `target[r, j] += Σ_(y, x) source[offsets[r] + y·pitch + x]·vectors[y·positions + x, j]` over the lines and positions of
/// `walk`, for `columns` registers of columns; rows of `vectors` are `vector_stride` apart.
///
/// # Panics
/// If a slice is too short, or there are more than [`Lanes::ROWS`] offsets or [`COLUMNS`] columns.
///
/// # Safety
/// The processor has the instruction set of `V`.
#[inline(always)]
#[allow(clippy::too_many_arguments)] // both shapes and both sides of a product
pub(crate) unsafe fn accumulate<T: Float, V: Lanes<T>>(
    columns: usize,
    walk: Walk,
    source: &[T],
    offsets: &[usize],
    vectors: &[T],
    vector_stride: usize,
    target: &mut [T],
    target_stride: usize,
) {
    let (rows, terms) = (offsets.len(), walk.lines * walk.positions);
    if rows == 0 || terms == 0 {
        return;
    }
    let reach = offsets.iter().fold(0, |most, &o| most.max(o));
    assert!(reach + (walk.lines - 1) * walk.pitch + walk.positions <= source.len(), "a tile leaves its source");
    assert!((terms - 1) * vector_stride + columns * V::N <= vectors.len(), "a tile leaves its vectors");
    assert!((rows - 1) * target_stride + columns * V::N <= target.len(), "a tile leaves its target");
    let (source, vectors, target) = (source.as_ptr(), vectors.as_ptr(), target.as_mut_ptr());
    macro_rules! tiles {
        ($($r:literal)*) => {
            match (rows, columns) {
                // SAFETY: the three checks above cover every address; the instruction set is the caller's promise.
                $(
                    ($r, 1) if $r <= V::ROWS => unsafe { add::<T, V, $r, 1>(walk, source, offsets, vectors, vector_stride, target, target_stride) },
                    ($r, 2) if $r <= V::ROWS => unsafe { add::<T, V, $r, 2>(walk, source, offsets, vectors, vector_stride, target, target_stride) },
                    ($r, 3) if $r <= V::ROWS => unsafe { add::<T, V, $r, 3>(walk, source, offsets, vectors, vector_stride, target, target_stride) },
                )*
                _ => panic!("no tile of {rows} × {columns}"),
            }
        };
    }
    tiles!(1 2 3 4 5 6 7 8);
}

#[inline(always)]
unsafe fn add<T: Float, V: Lanes<T>, const R: usize, const C: usize>(
    walk: Walk,
    source: *const T,
    offsets: &[usize],
    mut vectors: *const T,
    vector_stride: usize,
    target: *mut T,
    target_stride: usize,
) {
    // SAFETY: `accumulate` has checked the ranges; all calls need the instruction set that its caller promises.
    unsafe {
        let mut sums = [[V::splat(T::ZERO); C]; R];
        let mut rows = [source; R];
        for r in 0..R {
            rows[r] = source.add(offsets[r]);
            for c in 0..C {
                sums[r][c] = V::load(target.add(r * target_stride + c * V::N));
            }
        }
        for line in 0..walk.lines {
            let start = line * walk.pitch;
            for position in start..start + walk.positions {
                let mut columns = [V::splat(T::ZERO); C];
                for c in 0..C {
                    columns[c] = V::load(vectors.add(c * V::N));
                }
                for r in 0..R {
                    let factor = V::splat(*rows[r].add(position));
                    for c in 0..C {
                        sums[r][c] = factor.mul_add(columns[c], sums[r][c]);
                    }
                }
                vectors = vectors.add(vector_stride);
            }
        }
        for r in 0..R {
            for c in 0..C {
                sums[r][c].store(target.add(r * target_stride + c * V::N));
            }
        }
    }
}
