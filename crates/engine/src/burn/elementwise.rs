//! Elementwise functions, comparisons and choices.
//!
//! Devices disagree about NaN in maxima, signs and activation functions, so these are built from comparisons, of which
//! every one but "unequal" is false for NaN.

use super::kernel::{Kernel, Site, take};
use burn_backend::ops::{ActivationOps, BoolTensorOps, FloatTensorOps};
use burn_backend::{BoolDType, FloatDType};
use burn_dispatch::{Dispatch, DispatchTensor};
use perturb_graph::{Binary, Compare, DType, Unary};

fn of_one(f: impl Fn(DispatchTensor) -> DispatchTensor + Send + Sync + 'static) -> Kernel {
    Box::new(move |operands| {
        let [x] = take(operands);
        f(x)
    })
}

fn of_two(f: impl Fn(DispatchTensor, DispatchTensor) -> DispatchTensor + Send + Sync + 'static) -> Kernel {
    Box::new(move |operands| {
        let [a, b] = take(operands);
        f(a, b)
    })
}

/// Functions of one operand.
pub(super) fn unary(f: Unary, site: &Site) -> Result<Kernel, String> {
    let (truth, float) = (site.truth, site.float());
    Ok(of_one(match f {
        Unary::Neg => Dispatch::float_neg,
        Unary::Abs => Dispatch::float_abs,
        Unary::Sign => return Ok(of_one(move |x| sign(x, truth, float))),
        Unary::Step => return Ok(of_one(move |x| positive(x, truth, float))),
        Unary::Relu => {
            return Ok(of_one(move |x| {
                let negative = Dispatch::float_lower_elem(x.clone(), 0f64.into(), truth);
                Dispatch::float_mask_fill(x, negative, 0f64.into())
            }));
        }
        Unary::Exp => Dispatch::float_exp,
        Unary::Log => Dispatch::float_log,
        Unary::Sqrt => Dispatch::float_sqrt,
        Unary::Square => |x: DispatchTensor| Dispatch::float_mul(x.clone(), x),
        Unary::Reciprocal => Dispatch::float_recip,
        Unary::Tanh => Dispatch::float_tanh,
        Unary::Sigmoid => <Dispatch as ActivationOps<Dispatch>>::sigmoid,
        Unary::Erf => Dispatch::float_erf,
        Unary::Sin => Dispatch::float_sin,
        Unary::Cos => Dispatch::float_cos,
        Unary::Floor => Dispatch::float_floor,
        Unary::Ceil => Dispatch::float_ceil,
        Unary::Round => Dispatch::float_round,
        Unary::Log1p => {
            let terms = if site.dtype == DType::F64 { 12 } else { 6 };
            return Ok(of_one(move |x| log1p(x, terms, truth)));
        }
        Unary::Expm1 => {
            let terms = if site.dtype == DType::F64 { 18 } else { 10 };
            return Ok(of_one(move |x| expm1(x, terms, truth)));
        }
        Unary::Tan => Dispatch::float_tan,
        Unary::Asin => Dispatch::float_asin,
        Unary::Acos => Dispatch::float_acos,
        Unary::Atan => Dispatch::float_atan,
        Unary::Sinh => Dispatch::float_sinh,
        Unary::Cosh => Dispatch::float_cosh,
        Unary::Asinh => Dispatch::float_asinh,
        Unary::Acosh => Dispatch::float_acosh,
        Unary::Atanh => Dispatch::float_atanh,
    }))
}

fn positive(x: DispatchTensor, truth: BoolDType, float: FloatDType) -> DispatchTensor {
    Dispatch::bool_into_float(Dispatch::float_greater_elem(x, 0f64.into(), truth), float)
}

fn sign(x: DispatchTensor, truth: BoolDType, float: FloatDType) -> DispatchTensor {
    let nan = Dispatch::float_is_nan(x.clone(), truth);
    let above = positive(x.clone(), truth, float);
    let below = positive(Dispatch::float_neg(x.clone()), truth, float);
    Dispatch::float_mask_where(Dispatch::float_sub(above, below), nan, x)
}

// Near 0 by the series x(1 + x/2(1 + x/3(…))), elsewhere eˣ − 1, which then loses nothing.
fn expm1(x: DispatchTensor, terms: usize, truth: BoolDType) -> DispatchTensor {
    let far = Dispatch::float_sub_scalar(Dispatch::float_exp(x.clone()), 1f64.into());
    let near = Dispatch::float_lower_elem(Dispatch::float_abs(x.clone()), 0.5f64.into(), truth);
    let factor = |k: usize| Dispatch::float_mul_scalar(x.clone(), (1.0 / k as f64).into());
    let start = Dispatch::float_add_scalar(factor(terms), 1f64.into());
    let sum = (2..terms)
        .rev()
        .fold(start, |sum, k| Dispatch::float_add_scalar(Dispatch::float_mul(factor(k), sum), 1f64.into()));
    Dispatch::float_mask_where(far, near, Dispatch::float_mul(x.clone(), sum))
}

// Near 0 by the series 2(s + s³/3 + s⁵/5 + …) with s = x/(2 + x), elsewhere ln(1 + x), which some devices take anywhere.
fn log1p(x: DispatchTensor, terms: usize, truth: BoolDType) -> DispatchTensor {
    let far = Dispatch::float_log(Dispatch::float_add_scalar(x.clone(), 1f64.into()));
    let near = Dispatch::float_lower_elem(Dispatch::float_abs(x.clone()), 0.25f64.into(), truth);
    let s = Dispatch::float_div(x.clone(), Dispatch::float_add_scalar(x, 2f64.into()));
    let square = Dispatch::float_mul(s.clone(), s.clone());
    let coefficient = |k: usize| 2.0 / (2 * k + 1) as f64;
    let last = Dispatch::float_mul_scalar(square.clone(), coefficient(terms).into());
    let sum = (0..terms).rev().fold(last, |sum, k| {
        let sum = Dispatch::float_add_scalar(sum, coefficient(k).into());
        if k == 0 { sum } else { Dispatch::float_mul(sum, square.clone()) }
    });
    Dispatch::float_mask_where(far, near, Dispatch::float_mul(s, sum))
}

/// Functions of two operands.
pub(super) fn binary(f: Binary, site: &Site) -> Result<Kernel, String> {
    let truth = site.truth;
    Ok(match f {
        Binary::Add => of_two(Dispatch::float_add),
        Binary::Sub => of_two(Dispatch::float_sub),
        Binary::Mul => of_two(Dispatch::float_mul),
        Binary::Div => of_two(Dispatch::float_div),
        Binary::Pow => of_two(Dispatch::float_powf),
        Binary::Atan2 => of_two(Dispatch::float_atan2),
        Binary::Max => of_two(move |a, b| {
            let larger = Dispatch::float_lower(a.clone(), b.clone(), truth);
            take_second(a, b, larger, truth)
        }),
        Binary::Min => of_two(move |a, b| {
            let smaller = Dispatch::float_greater(a.clone(), b.clone(), truth);
            take_second(a, b, smaller, truth)
        }),
        Binary::Rem => return Err("Burn's remainder has the sign of the divisor".into()),
    })
}

// `b` where the mask says so or `b` is NaN, else `a`: a NaN in either operand wins.
fn take_second(a: DispatchTensor, b: DispatchTensor, mask: DispatchTensor, truth: BoolDType) -> DispatchTensor {
    let nan = Dispatch::float_is_nan(b.clone(), truth);
    Dispatch::float_mask_where(a, Dispatch::bool_or(mask, nan), b)
}

/// Comparisons, as 0 and 1 in the operands' type.
pub(super) fn compare(f: Compare, site: &Site) -> Kernel {
    let (truth, float) = (site.truth, site.float());
    of_two(move |a, b| {
        let holds = match f {
            Compare::Equal => Dispatch::float_equal(a, b, truth),
            Compare::Greater => Dispatch::float_greater(a, b, truth),
            Compare::GreaterEqual => Dispatch::float_greater_equal(a, b, truth),
            Compare::Less => Dispatch::float_lower(a, b, truth),
            Compare::LessEqual => Dispatch::float_lower_equal(a, b, truth),
        };
        Dispatch::bool_into_float(holds, float)
    })
}

/// `mask ≠ 0 ? on_true : on_false`.
pub(super) fn select(site: &Site) -> Kernel {
    let truth = site.truth;
    Box::new(move |operands| {
        let [mask, on_true, on_false] = take(operands);
        let mask = Dispatch::float_not_equal_elem(mask, 0f64.into(), truth);
        Dispatch::float_mask_where(on_false, mask, on_true)
    })
}
