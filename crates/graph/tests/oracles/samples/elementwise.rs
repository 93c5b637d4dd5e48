//! Functions of single elements.

use super::{Table, WIDE};
use perturb_graph::{Binary, Compare, Expr, Primitive, Unary};

const POSITIVE: (f64, f64) = (0.375, 3.0);
const NEGATIVE: (f64, f64) = (-3.0, -0.375);

pub fn add(table: &mut Table) {
    for f in Unary::ALL {
        let range = if matches!(f, Unary::Log | Unary::Sqrt | Unary::Reciprocal) { POSITIVE } else { WIDE };
        table.one(f.name(), range, |x| Expr::apply(f, &[x.clone()]).unwrap());
        table.one(format!("{} twice", f.name()), range, |x| {
            let inner = Expr::apply(f, &[x.clone()]).unwrap().scale(0.5).add(&x.scale(0.6));
            Expr::apply(f, &[inner.offset(0.77)]).unwrap()
        });
    }
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
