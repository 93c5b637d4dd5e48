//! Functions of single elements.

use super::{Table, WIDE};
use perturb_graph::{Binary, Compare, DType, Expr, Primitive, Tensor, Unary};

const POSITIVE: (f64, f64) = (0.375, 3.0);
const NEGATIVE: (f64, f64) = (-3.0, -0.375);

pub fn add(table: &mut Table) {
    for f in Unary::ALL {
        // Where the function is defined, and a, b, c so that f(a·f(x) + b·x + c) is.
        let (range, [a, b, c]) = match f {
            Unary::Log | Unary::Sqrt | Unary::Reciprocal => (POSITIVE, [0.5, 0.6, 0.77]),
            Unary::Log1p => ((-0.75, 2.5), [0.3, 0.3, 0.5]),
            Unary::Tan => ((-1.375, 1.375), [0.1, 0.2, 0.3]),
            Unary::Asin | Unary::Acos | Unary::Atanh => ((-0.875, 0.875), [0.1, 0.3, 0.1]),
            Unary::Acosh => ((1.125, 3.0), [0.5, 0.6, 0.77]),
            Unary::Sinh | Unary::Cosh | Unary::Expm1 => (WIDE, [0.2, 0.3, 0.1]),
            _ => (WIDE, [0.5, 0.6, 0.77]),
        };
        table.one(f.name(), range, |x| Expr::apply(f, &[x.clone()]).unwrap());
        table.one(format!("{} twice", f.name()), range, |x| {
            let inner = Expr::apply(f, &[x.clone()]).unwrap().scale(a).add(&x.scale(b));
            Expr::apply(f, &[inner.offset(c)]).unwrap()
        });
    }
    table.one("tan on another branch", (1.75, 4.5), Expr::tan);
    table.one("sin far from 0", (40.0, 44.0), Expr::sin);
    table.one("cos of negatives", (-9.0, -5.0), Expr::cos);
    let far_from_zero = [(WIDE, POSITIVE), (NEGATIVE, WIDE), (POSITIVE, WIDE)];
    for (y_range, x_range) in far_from_zero {
        let (y, x) = (table.input("y", [2, 3]), table.input("x", [2, 3]));
        table.add(format!("atan2 of {y_range:?}, {x_range:?}"), &[(&y, y_range), (&x, x_range)], y.atan2(&x));
    }
    let (a, b) = (table.input("a", [2, 3]), table.input("b", [2, 3]));
    table.add("pow", &[(&a, POSITIVE), (&b, WIDE)], a.pow(&b));
    table.add("rem", &[(&a, WIDE), (&b, POSITIVE)], a.rem(&b));
    let exponents = Expr::constant(Tensor::new([3], vec![2.0, -3.0, 1.5]).unwrap()).cast(table.dtype);
    table.one("pow with fixed exponents", POSITIVE, |x| x.pow(&exponents));
    let integers = Expr::constant(Tensor::new([3], vec![2.0, 3.0, -3.0]).unwrap()).cast(table.dtype);
    table.one("pow of negatives", NEGATIVE, |x| x.pow(&integers));
    table.one("cast to f64 and back", WIDE, |x| x.square().cast(DType::F64).exp().cast(x.dtype()).scale(0.1));
    table.one("reciprocal of negatives", NEGATIVE, Expr::reciprocal);
    for f in [Binary::Add, Binary::Sub, Binary::Mul, Binary::Max, Binary::Min] {
        table.two(f.name(), &[2, 3], &[2, 3], |x, y| Expr::apply(f, &[x.clone(), y.clone()]).unwrap());
    }
    for range in [POSITIVE, NEGATIVE] {
        let (x, y) = (table.input("x", [2, 3]), table.input("y", [2, 3]));
        table.add(format!("div by {range:?}"), &[(&x, WIDE), (&y, range)], x.div(&y));
    }
    for f in [Compare::Equal, Compare::Greater, Compare::GreaterEqual, Compare::Less, Compare::LessEqual] {
        table.two(f.name(), &[2, 3], &[2, 3], |x, y| Expr::apply(f, &[x.clone(), y.clone()]).unwrap());
    }
    table.two("equal after rounding", &[4, 3], &[4, 3], |x, y| x.round().equal(&y.round()));
    table.two("add broadcast", &[2, 1, 3], &[4, 1], |x, y| x.add(y));
    table.two("mul broadcast", &[3], &[2, 2, 1], |x, y| x.mul(y));
    table.two("mul of sums", &[2, 3], &[2, 3], |x, y| x.add(y).mul(&x.sub(y)));
    table.one("x times x", WIDE, |x| x.mul(x));
    table.one("max of x and its shift", WIDE, |x| x.maximum(&x.scale(-0.7).offset(0.3)));
    let (m, a, b) = (table.input("m", [2, 3]), table.input("a", [2, 3]), table.input("b", [3]));
    table.add("select", &[(&m, WIDE), (&a, WIDE), (&b, WIDE)], Expr::select(&m.step(), &a, &b));
    table.add("select by any value", &[(&m, WIDE), (&a, WIDE), (&b, WIDE)], Expr::select(&m.round(), &a, &b));
}
