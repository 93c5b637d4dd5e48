//! Arithmetic of integers: exact, and wrapping where it overflows.

use super::SERIAL;
use super::elementwise::{Operand, Scalar, map1, map2, select};
use super::reduce::{Reduction, for_each_outer, position};
use perturb_graph::{Binary, Compare, Unary};
use rayon::prelude::*;

/// One instruction of an integer program.
pub(crate) fn execute(op: Scalar, args: [Operand<i64>; 3], out: &mut [i64]) {
    let [a, b, c] = args;
    match op {
        Scalar::Copy => map1(a, out, |x| x),
        Scalar::Unary(Unary::Neg) => map1(a, out, i64::wrapping_neg),
        Scalar::Unary(Unary::Abs) => map1(a, out, i64::wrapping_abs),
        Scalar::Unary(Unary::Sign) => map1(a, out, i64::signum),
        Scalar::Unary(Unary::Square) => map1(a, out, |x| x.wrapping_mul(x)),
        // Rarer functions by their definition; a function that integers lack does not pass the graph's type rule.
        Scalar::Unary(f) => map1(a, out, |x| f.integer(x).unwrap_or_default()),
        Scalar::Binary(Binary::Add) => map2(a, b, out, i64::wrapping_add),
        Scalar::Binary(Binary::Sub) => map2(a, b, out, i64::wrapping_sub),
        Scalar::Binary(Binary::Mul) => map2(a, b, out, i64::wrapping_mul),
        Scalar::Binary(Binary::Max) => map2(a, b, out, i64::max),
        Scalar::Binary(Binary::Min) => map2(a, b, out, i64::min),
        Scalar::Binary(f) => map2(a, b, out, |x, y| f.integer(x, y).unwrap_or_default()),
        Scalar::Compare(Compare::Equal) => map2(a, b, out, |x, y| i64::from(x == y)),
        Scalar::Compare(Compare::Greater) => map2(a, b, out, |x, y| i64::from(x > y)),
        Scalar::Compare(Compare::GreaterEqual) => map2(a, b, out, |x, y| i64::from(x >= y)),
        Scalar::Compare(Compare::Less) => map2(a, b, out, |x, y| i64::from(x < y)),
        Scalar::Compare(Compare::LessEqual) => map2(a, b, out, |x, y| i64::from(x <= y)),
        Scalar::Select => select(a, b, c, out),
    }
}

/// One instruction over truth values, which have no arithmetic: they are only moved.
pub(crate) fn execute_truth(op: Scalar, args: [Operand<u8>; 3], out: &mut [u8]) {
    match op {
        Scalar::Copy => map1(args[0], out, |x| x),
        op => unreachable!("the graph has no {op:?} of truth values"),
    }
}

/// Sums (wrapping) and maxima over axes.
pub(crate) fn reduce(r: &Reduction, x: &[i64], out: &mut [i64]) {
    let n = *r.reduced.last().unwrap_or(&1);
    let step = *r.reduced_strides.last().unwrap_or(&0);
    let one = |flat: usize| {
        let base = position(r, flat);
        let mut total = if r.max { i64::MIN } else { 0 };
        for_each_outer(r, |outer| {
            for i in 0..n {
                let v = x[(base + outer + i as isize * step) as usize];
                total = if r.max { total.max(v) } else { total.wrapping_add(v) };
            }
        });
        total
    };
    let terms: usize = r.reduced.iter().product();
    if out.len() * terms <= SERIAL {
        out.iter_mut().enumerate().for_each(|(i, o)| *o = one(i));
    } else {
        out.par_iter_mut().enumerate().for_each(|(i, o)| *o = one(i));
    }
}
