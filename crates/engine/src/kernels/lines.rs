//! Functions of lines of neighbouring elements: running sums, orders, and the place of the largest.

use super::SERIAL;
use crate::element::{Lane, Scratch, with_number};
use crate::storage::{typed, typed_mut};
use perturb_graph::DType;
use rayon::prelude::*;

/// A function along the last axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Along {
    ArgMax,
    ArgSort { descending: bool },
    Sort { descending: bool },
    CumSum { exclusive: bool, reverse: bool },
}

/// Elements that can be put in order and added.
pub(crate) trait Ordered: Lane {
    /// A number that grows with the element, from the largest if `descending`; NaN is above all either way, and zeros
    /// of both signs are equal.
    fn key(self, descending: bool) -> u64;
    fn plus(self, other: Self) -> Self;
}

macro_rules! ordered {
    ($t:ident, $bits:ident, $plus:expr) => {
        impl Ordered for $t {
            fn key(self, descending: bool) -> u64 {
                if self.is_nan() {
                    return u64::MAX;
                }
                let bits = (self + 0.0).to_bits();
                let sign = 1 << ($bits::BITS - 1);
                // Negative numbers grow with falling bits. Only a NaN's key would be 0 or the largest.
                let key = u64::from(if bits & sign == 0 { bits | sign } else { !bits });
                if descending { !key } else { key }
            }
            fn plus(self, other: Self) -> Self {
                self + other
            }
        }
    };
}
ordered!(f32, u32, |a, b| a + b);
ordered!(f64, u64, |a, b| a + b);

impl Ordered for i64 {
    fn key(self, descending: bool) -> u64 {
        let key = (self as u64) ^ (1 << 63);
        if descending { !key } else { key }
    }
    fn plus(self, other: Self) -> Self {
        self.wrapping_add(other)
    }
}

/// Runs on lines of `length` elements of type `dtype`.
pub(crate) fn run(along: Along, length: usize, dtype: DType, x: &[u8], out: &mut [u8]) {
    if out.is_empty() {
        return;
    }
    with_number!(dtype, T => {
        let x = typed::<T>(x);
        match along {
            Along::ArgMax => each(length, 1, x, typed_mut(out), |line, o: &mut [i64]| o[0] = arg_max(line)),
            Along::ArgSort { descending } => each(length, length, x, typed_mut(out), |line, o: &mut [i64]| {
                order(line, descending, |k, from| o[k] = from as i64);
            }),
            Along::Sort { descending } => each(length, length, x, typed_mut(out), |line, o: &mut [T]| {
                order(line, descending, |k, from| o[k] = line[from]);
            }),
            Along::CumSum { exclusive, reverse } => each(length, length, x, typed_mut(out), |line, o: &mut [T]| {
                cum_sum(line, exclusive, reverse, o);
            }),
        }
    });
}

// Calls f for every line and its part of the result, of `width` elements.
fn each<A: Lane, B: Lane>(length: usize, width: usize, x: &[A], out: &mut [B], f: impl Fn(&[A], &mut [B]) + Sync) {
    let lines = out.len() / width;
    let run = |x: &[A], out: &mut [B]| x.chunks(length).zip(out.chunks_mut(width)).for_each(|(x, o)| f(x, o));
    let x = &x[..lines * length];
    if x.len() <= SERIAL {
        return run(x, out);
    }
    let task = (SERIAL / length).max(1);
    out.par_chunks_mut(task * width).zip(x.par_chunks(task * length)).for_each(|(o, x)| run(x, o));
}

fn arg_max<T: Ordered>(line: &[T]) -> i64 {
    let mut best = (line[0].key(false), 0);
    for (k, &x) in line.iter().enumerate().skip(1) {
        let key = x.key(false);
        if key > best.0 {
            best = (key, k);
        }
    }
    best.1 as i64
}

// Calls f(place, index) for the elements in order. Key and index in one number: the order is stable without memory.
fn order<T: Ordered>(line: &[T], descending: bool, mut f: impl FnMut(usize, usize)) {
    u128::with_scratch(line.len(), |pairs| {
        for (k, (pair, x)) in pairs.iter_mut().zip(line).enumerate() {
            *pair = (u128::from(x.key(descending)) << 64) | k as u128;
        }
        pairs.sort_unstable();
        pairs.iter().enumerate().for_each(|(k, &pair)| f(k, pair as u64 as usize));
    });
}

fn cum_sum<T: Ordered>(line: &[T], exclusive: bool, reverse: bool, out: &mut [T]) {
    let mut sum = T::ZERO;
    let mut step = |k: usize| {
        let next = sum.plus(line[k]);
        out[k] = if exclusive { sum } else { next };
        sum = next;
    };
    if reverse {
        (0..line.len()).rev().for_each(&mut step);
    } else {
        (0..line.len()).for_each(&mut step);
    }
}
