//! Pooling over windows.

use super::{Table, WIDE};
use perturb_graph::{Expr, MaxPool, Pool, PoolRole};

pub fn add(table: &mut Table) {
    let pools = [
        ("disjoint", vec![2, 2], vec![2, 2], vec![(0, 0), (0, 0)], vec![1, 1]),
        ("overlapping", vec![3, 2], vec![1, 2], vec![(1, 1), (0, 1)], vec![1, 1]),
        ("dilated", vec![2, 2], vec![2, 1], vec![(1, 2), (0, 0)], vec![2, 3]),
    ];
    for (name, window, strides, padding, dilation) in pools {
        let x = table.input("x", [2, 2, 4, 5]);
        let pool = MaxPool { window, strides, padding, dilation, role: PoolRole::Max };
        let y = Expr::apply(pool.clone(), &[x.clone()]).unwrap();
        let (t, r) = (table.input("t", x.shape()), table.input("r", y.shape()));
        table.add(format!("max_pool {name}"), &[(&x, WIDE)], y);
        let chosen = Expr::apply(pool.with_role(PoolRole::Choose), &[x.clone(), t.clone()]).unwrap();
        table.add(format!("max_pool choose {name}"), &[(&x, WIDE), (&t, WIDE)], chosen);
        let scattered = Expr::apply(pool.with_role(PoolRole::Scatter), &[x.clone(), r.clone()]).unwrap();
        table.add(format!("max_pool scatter {name}"), &[(&x, WIDE), (&r, WIDE)], scattered);
    }
    let (x1, x3) = (table.input("x", [1, 2, 7]), table.input("x", [1, 1, 3, 2, 4]));
    let line = Pool { window: vec![3], strides: vec![2], padding: vec![(1, 1)], dilation: vec![] };
    table.add("max_pool 1-D", &[(&x1, WIDE)], x1.max_pool(line.clone()));
    table.add("max_pool 3-D", &[(&x3, WIDE)], x3.max_pool(Pool::square(2, 3)));
    for include in [false, true] {
        let y = x1.try_avg_pool(&line, include).unwrap();
        table.add(format!("avg_pool, padding counted: {include}"), &[(&x1, WIDE)], y);
    }
    let x = table.input("x", [2, 3, 4, 4]);
    table.add("avg_pool 2-D", &[(&x, WIDE)], x.avg_pool(Pool::square(2, 2)));
}
