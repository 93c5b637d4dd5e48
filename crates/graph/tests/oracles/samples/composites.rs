//! Functions composed of primitives, and small networks of several.

use super::{Table, WIDE};
use perturb_graph::{Conv, Expr, Pool};

const POSITIVE: (f64, f64) = (0.375, 2.0);

pub fn add(table: &mut Table) {
    table.one("softplus", WIDE, Expr::softplus);
    table.one("leaky_relu", WIDE, |x| x.leaky_relu(0.1));
    table.one("elu", WIDE, |x| x.elu(1.3));
    table.one("gelu", WIDE, Expr::gelu);
    table.one("gelu_tanh", WIDE, Expr::gelu_tanh);
    table.one("silu", WIDE, Expr::silu);
    table.one("clip", WIDE, |x| x.clip(-1.0, 1.0));
    table.one("softmax", WIDE, |x| x.softmax(1));
    table.one("softmax along the first axis", WIDE, |x| x.softmax(0));
    table.one("log_softmax", WIDE, |x| x.log_softmax(1));
    table.two("cross_entropy", &[2, 3], &[2, 3], |x, y| x.cross_entropy(&y.softmax(1)));
    for p in [0.0, 1.0, 2.0, 3.0, -2.0, 0.5, 1.7] {
        table.one(format!("pow {p}"), POSITIVE, |x| x.try_pow(&x.like(p)).unwrap());
    }
    let (x, p) = (table.input("x", [2, 3]), table.input("p", [3]));
    table.add("pow of two", &[(&x, POSITIVE), (&p, WIDE)], x.try_pow(&p).unwrap());
    table.one("layer norm", WIDE, layer_norm);
    table.one("layer norm over both axes", WIDE, |x| x.layer_norm(&[0, 1], 0.1));
    table.one("rms norm", WIDE, |x| x.rms_norm(&[1], 0.1));
    let x = table.input("x", [2, 4, 3]);
    table.add("group norm", &[(&x, WIDE)], x.group_norm(2, 0.1));
    table.add("instance norm", &[(&x, WIDE)], x.instance_norm(0.1));
    table.one("variance", WIDE, |x| x.variance(&[1], 1, false));
    table.one("logsumexp", WIDE, |x| x.logsumexp(&[0, 1], true));
    table.two("squared distances", &[2, 3], &[4, 3], |x, y| x.squared_distances(y));
    table.two("floor_mod", &[2, 3], &[2, 3], |x, y| x.floor_mod(&y.abs().offset(0.55).neg()));
    table.one("masked fill", WIDE, |x| x.square().masked_fill(&x.greater(&x.like(0.5)), 1.5));
    table.one("finite masks", WIDE, |x| x.mul(&x.is_finite()).add(&x.is_nan()).add(&x.is_inf()));
    let (q, k, v) = (table.input("q", [2, 2]), table.input("k", [2, 2]), table.input("v", [2, 1]));
    let mask = Expr::causal_mask(2, 2, q.dtype());
    table.add("attention", &[(&q, WIDE), (&k, WIDE), (&v, WIDE)], q.attention(&k, &v, Some(&mask)));
    table.two("hidden layer", &[2, 3], &[3, 4], |x, w| x.matmul(w).relu().reduce_sum(&[1], false));
    table.two("gate", &[2, 3], &[3, 3], |x, w| x.matmul(w).sigmoid().mul(&x.tanh()));
    table.two("convolutional block", &[1, 2, 4, 4], &[2, 2, 3, 3], |x, w| {
        let h = x.conv(w, Conv::same()).scale(0.3).relu();
        h.add(x).max_pool(Pool::square(2, 2)).reduce_mean(&[2, 3], false)
    });
}

/// Zero mean and unit variance along the last axis.
pub fn layer_norm(x: &Expr) -> Expr {
    let axis = x.rank() - 1;
    let centred = x.sub(&x.reduce_mean(&[axis], true));
    let variance = centred.square().reduce_mean(&[axis], true);
    centred.div(&variance.offset(0.1).sqrt())
}
