//! The inner loops of products: a few rows times a few registers of columns, summed in registers.
//!
//! Every element of a result is one sum in the order of the terms, whatever tile it falls into, so that results depend
//! neither on how work is split nor on an element's place.

// Which tiles there are is a constant of each kind of register, so that no others are compiled.
//
// Loops over the registers of a tile count, so that they unroll to straight code.
#![allow(clippy::needless_range_loop)]

use super::simd::Lanes;
use crate::float::Float;

/// Rows of each panel when `rows` are cut into the fewest panels of at most `most`, as even as can be.
pub(crate) fn panel_rows(rows: usize, most: usize) -> usize {
    rows.div_ceil(rows.div_ceil(most).max(1)).max(1)
}

/// `target[r, j] = Σ_k weights[k, r]·source[offsets[k] + at + j]` for `rows` rows, `target_stride` apart, and `columns`
/// registers of columns; with `add`, the sums begin with what the target holds.
///
/// # Panics
/// If a slice is too short, or `rows` exceeds [`Lanes::ROWS`] or `columns` exceeds [`Lanes::COLUMNS`].
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
    add: bool,
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
                    ($r, 1) if const { $r <= V::ROWS } => unsafe { sum::<T, V, $r, 1>(weights, offsets, source.add(at), target, target_stride, add) },
                    ($r, 2) if const { $r <= V::ROWS } => unsafe { sum::<T, V, $r, 2>(weights, offsets, source.add(at), target, target_stride, add) },
                    ($r, 3) if const { $r <= V::ROWS && V::COLUMNS >= 3 } => unsafe { sum::<T, V, $r, 3>(weights, offsets, source.add(at), target, target_stride, add) },
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
    add: bool,
) {
    // SAFETY: `correlate` has checked the ranges; all calls need the instruction set that its caller promises.
    unsafe {
        let mut sums = [[V::splat(T::ZERO); C]; R];
        if add {
            for r in 0..R {
                for c in 0..C {
                    sums[r][c] = V::load(target.add(r * target_stride + c * V::N));
                }
            }
        }
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

/// `target[r, j] = Σ_k source[places[r] + offsets[k]]·weights[k·width + j]` for all places and `columns` registers of columns;
/// with `add`, the sums begin with what the target holds.
///
/// # Panics
/// If a slice is too short, or there are more than [`Lanes::ROWS`] places or [`Lanes::COLUMNS`] columns.
///
/// # Safety
/// The processor has the instruction set of `V`; no offset exceeds `reach`.
#[inline(always)]
#[allow(clippy::too_many_arguments)] // both shapes and both sides of a product
pub(crate) unsafe fn gather<T: Float, V: Lanes<T>>(
    columns: usize,
    source: &[T],
    places: &[usize],
    offsets: &[usize],
    reach: usize,
    weights: &[T],
    width: usize,
    target: &mut [T],
    target_stride: usize,
    add: bool,
) {
    let (rows, terms) = (places.len(), offsets.len());
    if rows == 0 || terms == 0 {
        return;
    }
    let last = places.iter().fold(0, |most, &p| most.max(p));
    assert!(last + reach < source.len(), "a tile leaves its source");
    assert!((terms - 1) * width + columns * V::N <= weights.len(), "packed weights are too few");
    assert!((rows - 1) * target_stride + columns * V::N <= target.len(), "a tile leaves its target");
    let (source, weights, target) = (source.as_ptr(), weights.as_ptr(), target.as_mut_ptr());
    macro_rules! tiles {
        ($($r:literal)*) => {
            match (rows, columns) {
                // SAFETY: the three checks above cover every address; the instruction set is the caller's promise.
                $(
                    ($r, 1) if const { $r <= V::ROWS } => unsafe { sum_places::<T, V, $r, 1>(source, places, offsets, weights, width, target, target_stride, add) },
                    ($r, 2) if const { $r <= V::ROWS } => unsafe { sum_places::<T, V, $r, 2>(source, places, offsets, weights, width, target, target_stride, add) },
                    ($r, 3) if const { $r <= V::ROWS && V::COLUMNS >= 3 } => unsafe { sum_places::<T, V, $r, 3>(source, places, offsets, weights, width, target, target_stride, add) },
                )*
                _ => panic!("no tile of {rows} × {columns}"),
            }
        };
    }
    tiles!(1 2 3 4 5 6 7 8);
}

#[inline(always)]
#[allow(clippy::too_many_arguments)] // as for `gather`
unsafe fn sum_places<T: Float, V: Lanes<T>, const R: usize, const C: usize>(
    source: *const T,
    places: &[usize],
    offsets: &[usize],
    mut weights: *const T,
    width: usize,
    target: *mut T,
    target_stride: usize,
    add: bool,
) {
    // SAFETY: `gather` has checked the ranges; all calls need the instruction set that its caller promises.
    unsafe {
        let mut sums = [[V::splat(T::ZERO); C]; R];
        let mut rows = [source; R];
        for r in 0..R {
            rows[r] = source.add(places[r]);
            if add {
                for c in 0..C {
                    sums[r][c] = V::load(target.add(r * target_stride + c * V::N));
                }
            }
        }
        for &offset in offsets {
            let mut columns = [V::splat(T::ZERO); C];
            for c in 0..C {
                columns[c] = V::load(weights.add(c * V::N));
            }
            for r in 0..R {
                let factor = V::splat(*rows[r].add(offset));
                for c in 0..C {
                    sums[r][c] = factor.mul_add(columns[c], sums[r][c]);
                }
            }
            weights = weights.add(width);
        }
        for r in 0..R {
            for c in 0..C {
                sums[r][c].store(target.add(r * target_stride + c * V::N));
            }
        }
    }
}

/// A matrix of which a tile reads some rows: element `(r, k)` lies at `start + r·row + k·term`.
#[derive(Clone, Copy)]
pub(crate) struct Factors<'a, T> {
    pub data: &'a [T],
    pub start: usize,
    pub row: isize,
    pub term: isize,
}

/// `target[r, j] = Σ_k factors[r, k]·source[k·pitch + j]` for `rows` rows, `target_stride` apart, and `columns` registers of
/// columns, over the ascending `terms` k; with `add`, the sums begin with what the target holds.
///
/// # Panics
/// If a slice is too short, or `rows` exceeds [`Lanes::ROWS`], or `columns` exceeds [`Lanes::COLUMNS`] (twice that for at most
/// two rows).
///
/// # Safety
/// The processor has the instruction set of `V`.
#[inline(always)]
#[allow(clippy::too_many_arguments)] // both shapes and both sides of a product
pub(crate) unsafe fn multiply<T: Float, V: Lanes<T>>(
    (rows, columns): (usize, usize),
    factors: Factors<T>,
    terms: &[u32],
    source: &[T],
    pitch: usize,
    target: &mut [T],
    target_stride: usize,
    add: bool,
) {
    let Some(&last) = terms.last() else {
        if !add {
            (0..rows).for_each(|r| target[r * target_stride..][..columns * V::N].fill(T::ZERO));
        }
        return;
    };
    let last = last as usize;
    let far = [(0, 0), (rows - 1, 0), (0, last), (rows - 1, last)]
        .map(|(r, k)| factors.start as isize + r as isize * factors.row + k as isize * factors.term);
    assert!(far.iter().all(|&at| at >= 0 && (at as usize) < factors.data.len()), "a tile leaves its factors");
    assert!(last * pitch + columns * V::N <= source.len(), "a tile leaves its source");
    assert!((rows - 1) * target_stride + columns * V::N <= target.len(), "a tile leaves its target");
    debug_assert!(terms.is_sorted());
    let (source, target) = (source.as_ptr(), target.as_mut_ptr());
    macro_rules! tiles {
        ($($r:literal by $c:literal)*) => {
            match (rows, columns) {
                // SAFETY: the three checks above cover every address; the instruction set is the caller's promise.
                $(
                    ($r, $c) if const { $r <= V::ROWS && $c <= if $r <= 2 { 2 * V::COLUMNS } else { V::COLUMNS } } => unsafe {
                        sum_terms::<T, V, $r, $c>(factors, terms, source, pitch, target, target_stride, add)
                    },
                )*
                _ => panic!("no tile of {rows} × {columns}"),
            }
        };
    }
    tiles!(
        1 by 1 1 by 2 1 by 3 1 by 4 1 by 5 1 by 6 2 by 1 2 by 2 2 by 3 2 by 4 2 by 5 2 by 6 3 by 1 3 by 2 3 by 3 4 by 1 4 by 2
        4 by 3 5 by 1 5 by 2 5 by 3 6 by 1 6 by 2 6 by 3 7 by 1 7 by 2 7 by 3 8 by 1 8 by 2 8 by 3
    );
}

#[inline(always)]
unsafe fn sum_terms<T: Float, V: Lanes<T>, const R: usize, const C: usize>(
    factors: Factors<T>,
    terms: &[u32],
    source: *const T,
    pitch: usize,
    target: *mut T,
    target_stride: usize,
    add: bool,
) {
    // SAFETY: `multiply` has checked the ranges; all calls need the instruction set that its caller promises.
    unsafe {
        let mut sums = [[V::splat(T::ZERO); C]; R];
        let mut rows = [factors.data.as_ptr(); R];
        for r in 0..R {
            rows[r] = factors.data.as_ptr().offset(factors.start as isize + r as isize * factors.row);
            if add {
                for c in 0..C {
                    sums[r][c] = V::load(target.add(r * target_stride + c * V::N));
                }
            }
        }
        // Neighbouring terms are the common case, and are worth a loop of their own.
        macro_rules! sum {
            (|$k:ident| $place:expr) => {
                for &$k in terms {
                    let $k = $k as isize;
                    let row = source.offset($k * pitch as isize);
                    let mut columns = [V::splat(T::ZERO); C];
                    for c in 0..C {
                        columns[c] = V::load(row.add(c * V::N));
                    }
                    for r in 0..R {
                        let factor = V::splat(*rows[r].offset($place));
                        for c in 0..C {
                            sums[r][c] = factor.mul_add(columns[c], sums[r][c]);
                        }
                    }
                }
            };
        }
        if factors.term == 1 {
            sum!(|k| k);
        } else {
            sum!(|k| k * factors.term);
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
/// If a slice is too short, or there are more than [`Lanes::ROWS`] offsets or [`Lanes::COLUMNS`] columns.
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
                    ($r, 1) if const { $r <= V::ROWS } => unsafe { add::<T, V, $r, 1>(walk, source, offsets, vectors, vector_stride, target, target_stride) },
                    ($r, 2) if const { $r <= V::ROWS } => unsafe { add::<T, V, $r, 2>(walk, source, offsets, vectors, vector_stride, target, target_stride) },
                    ($r, 3) if const { $r <= V::ROWS && V::COLUMNS >= 3 } => unsafe { add::<T, V, $r, 3>(walk, source, offsets, vectors, vector_stride, target, target_stride) },
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
