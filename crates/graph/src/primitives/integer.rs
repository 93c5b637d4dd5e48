//! Intervals of integers.

use crate::{DType, Expr, Interval, Op};

// Below this, integers are exact as `f64`, and a sum, a product or a quotient that comes out below it is as well.
const EXACT: f64 = (1u64 << 52) as f64;

/// The interval of an operation on integers by `rule`, which works on the ends as `f64`; all integers where an end is so
/// large that `f64` does not hold it exactly, or that the operation may wrap.
pub(crate) fn interval(op: impl Into<Op>, inputs: &[Interval], rule: impl Fn(&[Interval]) -> Interval) -> Interval {
    if inputs.iter().all(Interval::is_point) {
        let operands: Vec<Expr> = inputs.iter().map(|i| i.lo.clone()).collect();
        return Interval::point(&Expr::build(op, &operands));
    }
    let wide = |x: &Interval| {
        let lo = x.lo.cast(DType::F64);
        Interval { hi: if x.is_point() { lo.clone() } else { x.hi.cast(DType::F64) }, lo }
    };
    let operands: Vec<Interval> = inputs.iter().map(wide).collect();
    let image = rule(&operands);
    let shape = image.lo.shape().clone();
    // 1 where everything that enters is small. Operands of another shape are judged as a whole.
    let small = |x: &Interval| {
        let mask = x.magnitude().less(&x.lo.like(EXACT));
        if *mask.shape() == shape {
            return mask;
        }
        let all: Vec<usize> = (0..mask.rank()).collect();
        let smallest = mask.neg().reduce_max(&all, false).neg();
        smallest.broadcast_to(&shape)
    };
    let known = operands.iter().map(small).fold(small(&image), |a, b| a.minimum(&b)).cast(DType::I64);
    let end = |x: &Expr, otherwise: i64| {
        let otherwise = Expr::constant(crate::Tensor::scalar(otherwise)).broadcast_to(&shape);
        Expr::select(&known, &x.cast(DType::I64), &otherwise)
    };
    Interval { lo: end(&image.lo, i64::MIN), hi: end(&image.hi, i64::MAX) }
}
