//! Running operations and products over axes.

use super::{Table, WIDE};
use perturb_graph::Expr;

pub fn add(table: &mut Table) {
    table.one("cumsum built", WIDE, |x| x.cumsum(1, true, true));
    table.one("cumprod", WIDE, |x| x.cumprod(1));
    table.one("cummax", WIDE, |x| x.cummax(1));
    let x = table.input("x", [1, 3]);
    table.add("logcumsumexp", &[(&x, WIDE)], x.logcumsumexp(1));
    table.one("reduce_prod", WIDE, |x| x.reduce_prod(&[1, 0], false));
    table.one("reduce_prod, kept", WIDE, |x| x.reduce_prod(&[1], true));
    let x = table.input("x", [5, 2]);
    table.add("reduce_prod of five", &[(&x, WIDE)], x.reduce_prod(&[0], false));
    // h[t] = a[t]·h[t − 1] + b[t]
    table.two("linear recurrence", &[5, 2], &[5, 2], |a, b| {
        let combine = |l: &[Expr], r: &[Expr]| Ok(vec![l[0].mul(&r[0]), r[0].mul(&l[1]).add(&r[1])]);
        Expr::associative_scan(&[a.scale(0.4), b.clone()], 0, combine).unwrap().remove(1)
    });
    table.one("argmin as a number", WIDE, |x| x.argmin(1).cast(x.dtype()).mul(&x.reduce_min(&[1], false)));
    let x = table.input("x", [2, 5]);
    table.add("top_k", &[(&x, WIDE)], x.top_k(1, 3).0);
    table.add("quantile", &[(&x, WIDE)], x.quantile(0.3, 1, true));
    table.add("median", &[(&x, WIDE)], x.square().quantile(0.5, 1, false));
    let i = table.indices([2, 3]);
    table.add("one_hot", &[(&i, (-1.5, 4.5))], i.one_hot(3, x.dtype()));
}
