//! Moving, repeating, cutting and reducing.

use super::{Table, WIDE};
use perturb_graph::{Broadcast, Expr, Pad};

pub fn add(table: &mut Table) {
    let mut of = |name: &str, shape: &[usize], f: &dyn Fn(&Expr) -> Expr| {
        let x = table.input("x", shape);
        let y = f(&x);
        table.add(name, &[(&x, WIDE)], y);
    };
    of("reshape", &[2, 3, 2], &|x| x.reshape([4, 3]));
    of("reshape to scalar", &[1, 1], &|x| x.reshape([]));
    of("transpose", &[2, 3, 4], &|x| x.transpose(&[2, 0, 1]));
    of("transpose twice", &[2, 3, 2], &|x| x.transpose(&[1, 2, 0]).square().transpose(&[1, 2, 0]));
    of("broadcast into the middle", &[2, 3], &|x| {
        Expr::apply(Broadcast { shape: [2, 4, 3, 2].into(), axes: vec![0, 2] }, &[x.clone()]).unwrap()
    });
    of("broadcast_to", &[3, 1], &|x| x.broadcast_to([2, 3, 2]));
    of("slice", &[5, 7], &|x| x.try_slice(&[1, 0], &[5, 6], &[2, 3]).unwrap());
    of("slice to nothing left over", &[4, 6], &|x| x.try_slice(&[0, 1], &[4, 6], &[3, 4]).unwrap());
    of("slice_axis", &[3, 4], &|x| x.slice_axis(1, 1, 3));
    of("pad", &[2, 3], &|x| x.pad(&[1, 0], &[0, 2]));
    of("pad between", &[2, 3], &|x| {
        let pad = Pad { low: vec![0, 1], high: vec![2, 0], interior: vec![1, 2] };
        Expr::apply(pad, &[x.clone()]).unwrap()
    });
    of("reverse", &[2, 3, 2], &|x| x.reverse(&[2, 0]));
    of("concat with itself", &[2, 3], &|x| Expr::concat(&[x.clone(), x.square(), x.clone()], 1));
    of("reduce_sum", &[2, 3, 4], &|x| x.reduce_sum(&[2, 0], false));
    of("reduce_sum of all", &[2, 3], &Expr::sum);
    of("reduce_mean, kept", &[2, 3, 2], &|x| x.reduce_mean(&[1], true));
    of("reduce_max", &[2, 3, 4], &|x| x.reduce_max(&[2, 0], false));
    of("reduce_max, kept", &[3, 5], &|x| x.reduce_max(&[1], true));
    of("reduce_max of one", &[3, 1], &|x| x.reduce_max(&[1], false));
    of("reduce_min", &[2, 5], &|x| x.try_reduce_min(&[1], false).unwrap());
    of("sum after repeating", &[2], &|x| {
        let signs = Expr::constant(perturb_graph::Tensor::from_f64([3], x.dtype(), vec![1.0, -1.0, 0.5]).unwrap());
        x.reshape([2, 1]).broadcast_to([2, 3]).matmul(&signs)
    });
    let (a, b, c) = (table.input("a", [2, 1, 2]), table.input("b", [2, 3, 2]), table.input("c", [2, 2, 2]));
    table.add("concat", &[(&a, WIDE), (&b, WIDE), (&c, WIDE)], Expr::concat(&[a.clone(), b.clone(), c.clone()], 1));
}
