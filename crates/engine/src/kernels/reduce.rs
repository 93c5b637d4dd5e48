//! Sums and maxima over axes.

use super::SERIAL;
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

/// Outputs of one parallel task.
const ROW_TASK: usize = 256;

pub(crate) fn run<T: Float>(r: &Reduction, x: &[T], out: &mut [T]) {
    let terms: usize = r.reduced.iter().product();
    let inner = *r.kept.last().unwrap_or(&1);
    let columns = r.kept_strides.last() == Some(&1) && r.reduced_strides.last() != Some(&1);
    let task = |start: usize, chunk: &mut [T]| {
        if columns {
            sum_columns(r, x, start, chunk, inner);
        } else {
            chunk.iter_mut().enumerate().for_each(|(i, o)| *o = reduce_one(r, x, position(r, start + i)));
        }
    };
    if out.len() * terms <= SERIAL || out.len() < 2 {
        return task(0, out);
    }
    // Chunks hold a fixed amount of work, whatever the number of threads.
    let size = (SERIAL / terms.max(1)).clamp(1, ROW_TASK * 16);
    out.par_chunks_mut(size).enumerate().for_each(|(i, chunk)| task(i * size, chunk));
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

fn combine<T: Float>(max: bool, a: T, b: T) -> T {
    if !max {
        a + b
    } else if a.is_nan() || a >= b {
        a
    } else {
        b
    }
}

// Calls f with the offset of every combination of the reduced axes but the innermost.
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

fn reduce_one<T: Float>(r: &Reduction, x: &[T], base: isize) -> T {
    let n = *r.reduced.last().unwrap_or(&1);
    let step = *r.reduced_strides.last().unwrap_or(&0);
    let mut total = if r.max { T::NEG_INFINITY } else { T::ZERO };
    for_each_outer(r, |outer| {
        let start = base + outer;
        let part = if step == 1 {
            let row = &x[start as usize..start as usize + n];
            if r.max { row.iter().fold(T::NEG_INFINITY, |a, &b| combine(true, a, b)) } else { sum(row) }
        } else {
            (0..n).fold(if r.max { T::NEG_INFINITY } else { T::ZERO }, |a, i| {
                combine(r.max, a, x[(start + i as isize * step) as usize])
            })
        };
        total = combine(r.max, total, part);
    });
    total
}

/// A sum in 16 interleaved partial sums: vectorisable, and more accurate than one running sum.
pub(crate) fn sum<T: Float>(row: &[T]) -> T {
    let mut lanes = [T::ZERO; 16];
    let mut chunks = row.chunks_exact(16);
    for chunk in &mut chunks {
        for (lane, &v) in lanes.iter_mut().zip(chunk) {
            *lane += v;
        }
    }
    let tail: T = chunks.remainder().iter().copied().sum();
    let mut width = 8;
    while width > 0 {
        for i in 0..width {
            lanes[i] += lanes[i + width];
        }
        width /= 2;
    }
    lanes[0] + tail
}

// Whole runs of neighbouring outputs at once: each reduced element adds a row to them.
fn sum_columns<T: Float>(r: &Reduction, x: &[T], start: usize, chunk: &mut [T], inner: usize) {
    let n = *r.reduced.last().unwrap_or(&1);
    let step = *r.reduced_strides.last().unwrap_or(&0);
    let mut done = 0;
    while done < chunk.len() {
        let flat = start + done;
        let run = (inner - flat % inner).min(chunk.len() - done);
        let base = position(r, flat);
        let target = &mut chunk[done..done + run];
        target.fill(if r.max { T::NEG_INFINITY } else { T::ZERO });
        for_each_outer(r, |outer| {
            for i in 0..n {
                let at = (base + outer + i as isize * step) as usize;
                let row = &x[at..at + run];
                if r.max {
                    target.iter_mut().zip(row).for_each(|(t, &v)| *t = combine(true, *t, v));
                } else {
                    target.iter_mut().zip(row).for_each(|(t, &v)| *t += v);
                }
            }
        });
        done += run;
    }
}
