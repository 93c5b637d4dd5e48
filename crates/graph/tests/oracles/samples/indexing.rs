//! Choosing by indices, ordering, and running sums.

use super::{Table, WIDE};
use perturb_graph::{ArgMax, ArgSort, Compare, CumSum, DType, Expr, Gather, ScatterAdd, Sort};

// Includes indices outside of an axis of size 3, which are clamped.
const INDEX: (f64, f64) = (-1.5, 4.5);

pub fn add(table: &mut Table) {
    gathering(table);
    ordering(table);
    integers(table);
    for (axis, exclusive, reverse) in [(1, false, false), (0, true, false), (2, false, true), (1, true, true)] {
        let x = table.input("x", [2, 2, 4]);
        let op = CumSum { axis, exclusive, reverse };
        table.add(format!("{op:?}"), &[(&x, WIDE)], Expr::apply(op, &[x.clone()]).unwrap());
    }
    table.one("cumsum twice", WIDE, |x| {
        let op = CumSum { axis: 1, exclusive: false, reverse: false };
        let first = Expr::apply(op, &[x.clone()]).unwrap().tanh();
        Expr::apply(op, &[first]).unwrap()
    });
}

fn gathering(table: &mut Table) {
    let cases: [(&[usize], &[usize], usize, usize); 6] = [
        (&[3], &[], 0, 0),
        (&[3, 2], &[2, 2], 0, 0),
        (&[2, 3, 2], &[4], 1, 0),
        (&[2, 3, 2], &[2, 4], 1, 1),
        (&[2, 2, 3], &[2, 2], 2, 1),
        (&[2, 2, 3], &[2, 2, 2, 2], 2, 2),
    ];
    for (shape, indices, axis, batch) in cases {
        let (x, i) = (table.input("x", shape), table.indices(indices));
        let y = Expr::apply(Gather { axis, batch }, &[x.clone(), i.clone()]).unwrap();
        let u = table.input("u", y.shape());
        table.add(format!("gather {shape:?} {indices:?} {axis} {batch}"), &[(&x, WIDE), (&i, INDEX)], y.clone());
        let scatter = ScatterAdd { axis, batch, size: 3 };
        let z = Expr::apply(scatter, &[u.clone(), i.clone()]).unwrap();
        table.add(format!("scatter_add {indices:?} {scatter:?}"), &[(&u, WIDE), (&i, INDEX)], z);
    }
    let (x, i) = (table.input("x", [2, 3, 2]), table.indices([2, 4, 2]));
    table.add("take_along_axis", &[(&x, WIDE), (&i, INDEX)], x.take_along_axis(1, &i));
    let (e, i, w) = (table.input("embedding", [3, 4]), table.indices([5]), table.input("w", [4, 2]));
    table.add("embedding", &[(&e, WIDE), (&i, INDEX), (&w, WIDE)], e.gather(0, &i).tanh().matmul(&w));
    let (x, i) = (table.input("x", [4]), table.indices([4]));
    let there_and_back = x.square().scatter_add(0, &i, 3).gather(0, &i);
    table.add("scatter, then gather", &[(&x, WIDE), (&i, (0.0, 3.0))], there_and_back.mul(&x));
}

fn ordering(table: &mut Table) {
    for (axis, descending) in [(0, false), (1, true), (2, false)] {
        let x = table.input("x", [2, 2, 4]);
        let sorted = Expr::apply(Sort { axis, descending }, &[x.clone()]).unwrap();
        table.add(format!("sort {axis} {descending}"), &[(&x, WIDE)], sorted);
        let order = Expr::apply(ArgSort { axis, descending }, &[x.clone()]).unwrap();
        table.add(format!("argsort {axis} {descending}"), &[(&x, WIDE)], order.clone());
        table.add(format!("sort by argsort {axis} {descending}"), &[(&x, WIDE)], x.take_along_axis(axis, &order));
        let first = Expr::apply(ArgMax { axis }, &[x.clone()]).unwrap();
        table.add(format!("argmax {axis}"), &[(&x, WIDE)], first.clone());
    }
    table.one("sort of a product", WIDE, |x| {
        let sorted = Expr::apply(Sort { axis: 1, descending: false }, &[x.mul(&x.sin())]).unwrap();
        sorted.square().slice_axis(1, 1, 3)
    });
    table.one("argmax as a number", WIDE, |x| {
        let index = Expr::apply(ArgMax { axis: 1 }, &[x.tanh()]).unwrap();
        index.cast(x.dtype()).mul(&x.reduce_sum(&[1], false))
    });
}

fn integers(table: &mut Table) {
    const SMALL: (f64, f64) = (-6.5, 6.5);
    let (i, j) = (table.indices([2, 3]), table.indices([2, 3]));
    let both = [(&i, SMALL), (&j, SMALL)];
    for f in perturb_graph::Binary::ALL {
        if f.integer(1, 1).is_some() {
            table.add(format!("{f:?} of integers"), &both, Expr::apply(f, &[i.clone(), j.clone()]).unwrap());
        }
    }
    for f in [Compare::Equal, Compare::Greater, Compare::LessEqual] {
        table.add(format!("{f:?} of integers"), &both, Expr::apply(f, &[i.clone(), j.clone()]).unwrap());
    }
    for f in perturb_graph::Unary::ALL.into_iter().filter(|f| f.integer(1).is_some()) {
        table.add(format!("{f:?} of integers"), &[(&i, SMALL)], i.try_unary(f).unwrap());
    }
    table.add("select of integers", &both, Expr::select(&i.greater(&j), &i, &j.neg()));
    table.add("reduce_sum of integers", &both, i.mul(&j).reduce_sum(&[1], false));
    table.add("reduce_max of integers", &both, i.sub(&j).reduce_max(&[0], false));
    let running = CumSum { axis: 1, exclusive: false, reverse: false };
    table.add("cumsum of integers", &[(&i, SMALL)], Expr::apply(running, &[i.clone()]).unwrap());
    let sorted = Expr::apply(Sort { axis: 1, descending: true }, &[i.clone()]).unwrap();
    table.add("sort of integers", &[(&i, SMALL)], sorted);
    table.add(
        "structure of integers",
        &both,
        Expr::concat(&[i.transpose(&[1, 0]), j.reshape([3, 2])], 1).pad(&[0, 1], &[1, 0]),
    );
    table.add("truth values", &both, i.cast(DType::Bool).reverse(&[1]).cast(DType::I64).add(&j.greater(&i)));
    let x = table.input("x", [2, 3]);
    table.add("cast to integers", &[(&x, WIDE)], x.scale(2.0).cast(DType::I64));
    table.add("cast of integers", &[(&i, SMALL), (&x, WIDE)], i.cast(x.dtype()).mul(&x));
    table.add("cast to truth values", &[(&x, WIDE)], x.round().cast(DType::Bool).cast(x.dtype()));
    table.add(
        "truth values gathered",
        &[(&x, WIDE), (&j, SMALL)],
        x.step().cast(DType::Bool).gather(1, &j).cast(x.dtype()),
    );
}
