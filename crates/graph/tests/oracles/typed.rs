//! Element types: exact integers, conversions, and what is refused.

use crate::numbers::run;
use perturb_graph::{Binary, Compare, DType, Expr, Interval, Rounding, Tensor, Unary, eval, interval};
use rand::RngExt;

fn integers(values: &[i64]) -> Expr {
    Expr::constant(Tensor::new([values.len()], values.to_vec()).unwrap())
}

fn exact(e: &Expr) -> Vec<i64> {
    eval(std::slice::from_ref(e), &[]).unwrap()[0].as_slice::<i64>().to_vec()
}

// 2⁶² + 1 is no f64, and what does not fit wraps.
#[test]
fn integer_arithmetic_is_exact_and_wraps() {
    const BIG: i64 = (1 << 62) + 1;
    let (a, b) = (integers(&[BIG, BIG, -7, 7, i64::MIN]), integers(&[BIG, -1, 2, -2, -1]));
    let of = |f: Binary| exact(&Expr::apply(f, &[a.clone(), b.clone()]).unwrap());
    assert_eq!(of(Binary::Add), [i64::MIN + 2, BIG - 1, -5, 5, i64::MAX]);
    assert_eq!(of(Binary::Sub), [0, BIG + 1, -9, 9, i64::MIN + 1]);
    assert_eq!(of(Binary::Mul), [BIG.wrapping_mul(BIG), -BIG, -14, -14, i64::MIN]);
    assert_eq!(of(Binary::Div), [1, -BIG, -3, -3, i64::MIN]);
    assert_eq!(of(Binary::Rem), [0, 0, -1, 1, 0]);
    assert_eq!(of(Binary::Max), [BIG, BIG, 2, 7, -1]);
    assert_eq!(of(Binary::Min), [BIG, -1, -7, -2, i64::MIN]);
    let zero = integers(&[0; 5]);
    assert_eq!(exact(&a.div(&zero)), [0; 5]);
    assert_eq!(exact(&a.rem(&zero)), [0; 5]);
    let powers = integers(&[2, -3, 3, 0, -1, 1, 5, 10]).pow(&integers(&[62, 3, 41, 0, -3, -9, -1, 19]));
    assert_eq!(exact(&powers), [1 << 62, -27, 3i64.wrapping_pow(41), 1, -1, 1, 0, 10i64.wrapping_pow(19)]);
    let of = |f: Unary| exact(&a.try_unary(f).unwrap());
    assert_eq!(of(Unary::Neg), [-BIG, -BIG, 7, -7, i64::MIN]);
    assert_eq!(of(Unary::Abs), [BIG, BIG, 7, 7, i64::MIN]);
    assert_eq!(of(Unary::Sign), [1, 1, -1, 1, -1]);
    assert_eq!(of(Unary::Square), [BIG.wrapping_mul(BIG), BIG.wrapping_mul(BIG), 49, 49, 0]);
    // Neighbours that one f64 stands for.
    let neighbours = [integers(&[BIG]), integers(&[BIG - 1])];
    assert_eq!(exact(&Expr::apply(Compare::Equal, &neighbours).unwrap()), [0]);
    assert_eq!(exact(&Expr::concat(&neighbours, 0).sort(0, false)), [BIG - 1, BIG]);
    assert_eq!(exact(&Expr::concat(&neighbours, 0).sum().reshape([1])), [2i64.wrapping_mul(BIG) - 1]);
    assert_eq!(exact(&Expr::concat(&neighbours, 0).reduce_min(&[0], true)), [BIG - 1]);
    assert_eq!(exact(&Expr::concat(&neighbours, 0).argmin(0)), [1]);
    assert_eq!(exact(&integers(&[i64::MIN, 0, i64::MAX]).reduce_min(&[0], true)), [i64::MIN]);
    assert_eq!(exact(&Expr::concat(&neighbours, 0).cumsum(0, false, true)), [2i64.wrapping_mul(BIG) - 1, BIG - 1]);
    assert_eq!(exact(&Expr::concat(&neighbours, 0).gather(0, &integers(&[0, 1, 0]))), [BIG, BIG - 1, BIG]);
    assert_eq!(exact(&Expr::select(&integers(&[2]), &neighbours[0], &neighbours[1])), [BIG]);
}

// As Rust's `as`: towards 0, saturating, NaN to 0; i64 to f32 in one rounding.
#[test]
fn conversions() {
    let x = Expr::constant(Tensor::new([6], vec![1.9, -1.9, f64::NAN, 1e300, f64::NEG_INFINITY, -0.0]).unwrap());
    assert_eq!(exact(&x.cast(DType::I64)), [1, -1, 0, i64::MAX, i64::MIN, 0]);
    let truth = eval(&[x.cast(DType::Bool)], &[]).unwrap();
    assert_eq!(truth[0].as_slice::<bool>(), [true, true, true, true, true, false]);
    assert_eq!(exact(&x.cast(DType::Bool).cast(DType::I64)), [1, 1, 1, 1, 1, 0]);
    // 2²⁴ + 1 + 2⁻³⁰·2⁵⁴: through f64 it would be rounded twice, to a tie and then down.
    let twice = (1i64 << 54) + (1 << 30) + 1;
    let narrow = eval(&[integers(&[twice]).cast(DType::F32)], &[]).unwrap();
    assert_eq!(narrow[0].as_slice::<f32>(), [twice as f32]);
    assert_ne!(twice as f32, (twice as f64) as f32);
}

#[test]
fn types_are_refused_by_name() {
    let (i, b) = (integers(&[1]), integers(&[1]).cast(DType::Bool));
    let refused = |result: perturb_graph::Result<Expr>, shows: &str| {
        let message = result.unwrap_err().to_string();
        assert!(message.contains(shows), "{message}");
    };
    refused(i.try_unary(Unary::Exp), "exp: needs a floating-point operand (cast it first); got i64");
    refused(i.try_atan2(&i), "atan2: needs floating-point operands");
    refused(b.try_add(&b), "add: operands must be numbers of one type (cast truth values first); got bool and bool");
    refused(i.try_add(&i.cast(DType::F64)), "got i64 and f64");
    refused(i.try_reduce_mean(&[0], false), "reduce_mean: operands must be of one floating-point type; got i64");
    refused(i.cast(DType::F32).try_gather(0, &i.cast(DType::F32)), "gather: indices must be i64");
    refused(i.cast(DType::F32).try_one_hot(3, DType::F32), "one_hot: indices must be i64");
    let scaled = std::panic::catch_unwind(|| i.scale(0.5)).unwrap_err();
    assert!(scaled.downcast_ref::<String>().unwrap().starts_with("0.5 is not an integer"));
}

// Ranges of integers: exact while f64 holds them, everything once they may wrap.
#[test]
fn intervals_of_integers() {
    let i = Expr::input("i", [1], DType::I64);
    let of = |y: &Expr, lo: i64, hi: i64| {
        let [lo, hi] = [lo, hi].map(|v| integers(&[v]));
        let bounds =
            interval(std::slice::from_ref(y), &[(i.clone(), Interval { lo, hi })], Rounding::Outward).remove(0);
        (exact(&bounds.lo)[0], exact(&bounds.hi)[0])
    };
    assert_eq!(of(&i.add(&i.like(3.0)), -2, 5), (1, 8));
    assert_eq!(of(&i.mul(&i.like(-3.0)), -2, 5), (-15, 6));
    assert_eq!(of(&i.square(), -2, 5), (0, 25));
    assert_eq!(of(&i.add(&integers(&[i64::MAX - 3])), 0, 5), (i64::MIN, i64::MAX));
    assert_eq!(of(&i.mul(&i), i64::MIN, i64::MAX), (i64::MIN, i64::MAX));
    assert_eq!(of(&i.sort(0, false), -4, 9), (-4, 9));
}

// A cast of an interval holds the cast of every point, and a truth value is certain where the interval says so.
#[test]
fn intervals_of_conversions() {
    let rng = &mut crate::numbers::seeded(41);
    let x = Expr::input("x", [1], DType::F64);
    for _ in 0..200 {
        let (a, b): (f64, f64) = (rng.random_range(-2.0..2.0), rng.random_range(-2.0..2.0));
        let (lo, hi) = (a.min(b), a.max(b));
        let point = rng.random_range(lo..=hi);
        for to in [DType::F32, DType::I64, DType::Bool] {
            let y = x.cast(to).cast(DType::F64);
            let of = Interval { lo: x.like(lo), hi: x.like(hi) };
            let bounds = interval(&[y.clone()], &[(x.clone(), of)], Rounding::Outward).remove(0);
            let ends = run(&[bounds.lo, bounds.hi], &[]);
            let value = run(&[y], &[(x.clone(), Tensor::new([1], vec![point]).unwrap())])[0][0];
            assert!(ends[0][0] <= value && value <= ends[1][0], "{to}: {value} is not in {ends:?}");
            if to == DType::Bool && (lo > 0.0 || hi < 0.0) {
                assert_eq!([ends[0][0], ends[1][0]], [1.0, 1.0], "[{lo}, {hi}]");
            }
        }
    }
}
