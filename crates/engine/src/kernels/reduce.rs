//! Sums and maxima over axes.

use super::SERIAL;
use super::simd::{Lanes, Task, dispatch};
use crate::float::Float;
use rayon::prelude::*;

/// A reduction of a strided source; the output is row-major over the kept axes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Reduction {
    pub max: bool,
    pub offset: usize,
    pub kept: Vec<usize>,
    pub kept_strides: Vec<isize>,
    pub reduced: Vec<usize>,
    pub reduced_strides: Vec<isize>,
}

/// Outputs of one parallel task, at most.
const ROW_TASK: usize = 4096;
/// Neighbouring outputs that are summed in registers together.
const COLUMNS: usize = 64;
/// Partial results of a row, which registers hold; the tree that joins them halves this.
const LANES: usize = 32;

pub(crate) fn run<T: Float>(r: &Reduction, x: &[T], out: &mut [T]) {
    let terms: usize = r.reduced.iter().product();
    let columns = r.kept_strides.last() == Some(&1) && r.reduced_strides.last() != Some(&1);
    let task = |start: usize, out: &mut [T]| dispatch(Part { r, x, columns, start, out });
    if out.len() * terms <= SERIAL || out.len() < 2 {
        return task(0, out);
    }
    // Chunks hold a fixed amount of work, whatever the number of threads.
    let size = (SERIAL / terms.max(1)).clamp(if columns { COLUMNS } else { 1 }, ROW_TASK);
    out.par_chunks_mut(size).enumerate().for_each(|(i, chunk)| task(i * size, chunk));
}

/// The outputs from `start` on.
struct Part<'a, T> {
    r: &'a Reduction,
    x: &'a [T],
    columns: bool,
    start: usize,
    out: &'a mut [T],
}

impl<T: Float> Task<T> for Part<'_, T> {
    type Output = ();
    #[inline(always)]
    unsafe fn run<V: Lanes<T>>(self) {
        let Part { r, x, columns, start, out } = self;
        match (columns, r.max) {
            (false, false) => rows::<T, false>(r, x, start, out),
            (false, true) => rows::<T, true>(r, x, start, out),
            (true, false) => all_columns::<T, false>(r, x, start, out),
            (true, true) => all_columns::<T, true>(r, x, start, out),
        }
    }
}

pub(super) fn position(r: &Reduction, flat: usize) -> isize {
    let mut rest = flat;
    let mut at = r.offset as isize;
    for (&size, &stride) in r.kept.iter().zip(&r.kept_strides).rev() {
        at += (rest % size) as isize * stride;
        rest /= size;
    }
    at
}

#[inline(always)]
fn first<T: Float, const MAX: bool>() -> T {
    if MAX { T::NEG_INFINITY } else { T::ZERO }
}

#[inline(always)]
fn combine<T: Float, const MAX: bool>(a: T, b: T) -> T {
    if !MAX {
        a + b
    } else if a.is_nan() | (a >= b) {
        a
    } else {
        b
    }
}

// Calls f with the offset of every combination of the reduced axes but the innermost.
#[inline(always)]
pub(super) fn for_each_outer(r: &Reduction, mut f: impl FnMut(isize)) {
    let axes = r.reduced.len().saturating_sub(1);
    let count: usize = r.reduced[..axes].iter().product();
    for flat in 0..count {
        let (mut rest, mut at) = (flat, 0);
        for a in (0..axes).rev() {
            at += (rest % r.reduced[a]) as isize * r.reduced_strides[a];
            rest /= r.reduced[a];
        }
        f(at);
    }
}

#[inline(always)]
fn rows<T: Float, const MAX: bool>(r: &Reduction, x: &[T], start: usize, out: &mut [T]) {
    let n = *r.reduced.last().unwrap_or(&1);
    let step = *r.reduced_strides.last().unwrap_or(&0);
    for (i, out) in out.iter_mut().enumerate() {
        let base = position(r, start + i);
        let mut total = first::<T, MAX>();
        for_each_outer(
            r,
            #[inline(always)]
            |outer| {
                let at = base + outer;
                let part = if step == 1 {
                    row::<T, MAX>(&x[at as usize..at as usize + n])
                } else {
                    let mut part = first::<T, MAX>();
                    for i in 0..n {
                        part = combine::<T, MAX>(part, x[(at + i as isize * step) as usize]);
                    }
                    part
                };
                total = combine::<T, MAX>(total, part);
            },
        );
        *out = total;
    }
}

// Partial results in interleaved lanes: vectorisable, and for sums more accurate than one running sum.
#[inline(always)]
fn row<T: Float, const MAX: bool>(row: &[T]) -> T {
    let mut lanes = [first::<T, MAX>(); LANES];
    let mut chunks = row.chunks_exact(LANES);
    for chunk in &mut chunks {
        for i in 0..LANES {
            lanes[i] = combine::<T, MAX>(lanes[i], chunk[i]);
        }
    }
    for (i, &v) in chunks.remainder().iter().enumerate() {
        lanes[i] = combine::<T, MAX>(lanes[i], v);
    }
    let mut width = LANES / 2;
    while width > 0 {
        for i in 0..width {
            lanes[i] = combine::<T, MAX>(lanes[i], lanes[i + width]);
        }
        width /= 2;
    }
    lanes[0]
}

// Runs of neighbouring outputs at once: each reduced element adds a row to them.
#[inline(always)]
fn all_columns<T: Float, const MAX: bool>(r: &Reduction, x: &[T], start: usize, out: &mut [T]) {
    let inner = *r.kept.last().unwrap_or(&1);
    let mut done = 0;
    while done < out.len() {
        let flat = start + done;
        let run = (inner - flat % inner).min(out.len() - done).min(COLUMNS);
        let (base, target) = (position(r, flat), &mut out[done..done + run]);
        if run == COLUMNS {
            let mut lanes = [first::<T, MAX>(); COLUMNS];
            columns::<T, MAX>(r, x, base, &mut lanes);
            target.copy_from_slice(&lanes);
        } else {
            target.fill(first::<T, MAX>());
            columns::<T, MAX>(r, x, base, target);
        }
        done += run;
    }
}

#[inline(always)]
fn columns<T: Float, const MAX: bool>(r: &Reduction, x: &[T], base: isize, target: &mut [T]) {
    let n = *r.reduced.last().unwrap_or(&1);
    let step = *r.reduced_strides.last().unwrap_or(&0);
    for_each_outer(
        r,
        #[inline(always)]
        |outer| {
            for i in 0..n {
                let at = (base + outer + i as isize * step) as usize;
                for (t, &v) in target.iter_mut().zip(&x[at..]) {
                    *t = combine::<T, MAX>(*t, v);
                }
            }
        },
    );
}
