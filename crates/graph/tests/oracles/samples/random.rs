//! Primitives that move, reduce and order elements, at random shapes of rank 0 to 4.

use super::{Table, WIDE};
use perturb_graph::{Broadcast, Expr, Pad, Shape, Tensor};
use rand::RngExt;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

const SHAPES: usize = 6;

fn shape(rng: &mut ChaCha8Rng, least_rank: usize) -> Vec<usize> {
    let rank = rng.random_range(least_rank..=4);
    (0..rank).map(|_| rng.random_range(1..=3)).collect()
}

// Any subset of the axes, ascending.
fn some_axes(rng: &mut ChaCha8Rng, rank: usize) -> Vec<usize> {
    (0..rank).filter(|_| rng.random()).collect()
}

pub fn add(table: &mut Table) {
    for i in 0..SHAPES {
        let sizes = shape(&mut table.rng, 1);
        let axis = table.rng.random_range(0..sizes.len());
        layout(table, i, &sizes);
        reductions(table, i, &sizes, axis);
        joins(table, i, &sizes, axis);
    }
}

fn one(table: &mut Table, name: String, sizes: &[usize], f: impl FnOnce(&Expr, &mut ChaCha8Rng) -> Expr) {
    let x = table.input("x", sizes);
    let y = f(&x, &mut table.rng);
    table.add(format!("{name} {:?}", sizes), &[(&x, WIDE)], y);
}

fn layout(table: &mut Table, i: usize, sizes: &[usize]) {
    let rank = sizes.len();
    one(table, format!("random {i} reshape"), sizes, |x, rng| {
        // The axes from some place on become one.
        let kept = rng.random_range(0..rank);
        let joined = sizes[kept..].iter().product();
        x.reshape(sizes[..kept].iter().copied().chain([1, joined]).collect::<Shape>())
    });
    one(table, format!("random {i} transpose"), sizes, |x, rng| {
        let mut perm: Vec<usize> = (0..rank).collect();
        perm.shuffle(rng);
        x.transpose(&perm)
    });
    one(table, format!("random {i} broadcast"), sizes, |x, rng| {
        let mut full = Vec::new();
        let mut axes = Vec::new();
        for &size in sizes {
            if rng.random() {
                full.push(rng.random_range(1..=3));
            }
            axes.push(full.len());
            full.push(size);
        }
        Expr::apply(Broadcast { shape: full.into(), axes }, &[x.clone()]).unwrap()
    });
    one(table, format!("random {i} slice"), sizes, |x, rng| {
        let start: Vec<usize> = sizes.iter().map(|&n| rng.random_range(0..n)).collect();
        let end: Vec<usize> = sizes.iter().zip(&start).map(|(&n, &s)| rng.random_range(s + 1..=n)).collect();
        let steps: Vec<usize> = sizes.iter().map(|_| rng.random_range(1..=2)).collect();
        x.try_slice(&start, &end, &steps).unwrap()
    });
    one(table, format!("random {i} pad"), sizes, |x, rng| {
        let mut amounts = || sizes.iter().map(|_| rng.random_range(0..=2)).collect::<Vec<usize>>();
        let pad = Pad { low: amounts(), high: amounts(), interior: amounts() };
        Expr::apply(pad, &[x.clone()]).unwrap()
    });
    one(table, format!("random {i} reverse"), sizes, |x, rng| x.reverse(&some_axes(rng, rank)));
}

fn reductions(table: &mut Table, i: usize, sizes: &[usize], axis: usize) {
    let rank = sizes.len();
    one(table, format!("random {i} sum"), sizes, |x, rng| x.reduce_sum(&some_axes(rng, rank), false));
    one(table, format!("random {i} maximum"), sizes, |x, rng| x.reduce_max(&some_axes(rng, rank), rng.random()));
    one(table, format!("random {i} cumsum"), sizes, |x, rng| x.cumsum(axis, rng.random(), rng.random()));
    one(table, format!("random {i} sort"), sizes, |x, rng| x.sort(axis, rng.random()));
}

fn joins(table: &mut Table, i: usize, sizes: &[usize], axis: usize) {
    let other: Vec<usize> = {
        let own = table.rng.random_range(1..=3);
        sizes.iter().enumerate().map(|(a, &n)| if a == axis { own } else { n }).collect()
    };
    let of = |what: &str| format!("random {i} {what} {sizes:?}");
    table.two(of("concat"), sizes, &other, |a, b| Expr::concat(&[a.clone(), b.clone()], axis));
    table.two(of("difference of squares"), sizes, sizes, |a, b| a.square().sub(&b.square()));
    table.two(of("select"), sizes, sizes, |a, b| Expr::select(&a.step(), &b.neg(), b));
    one(table, format!("random {i} gather"), sizes, |x, rng| {
        let indices: Vec<i64> = (0..4).map(|_| rng.random_range(0..sizes[axis] as i64)).collect();
        x.gather(axis, &Expr::constant(Tensor::new([2, 2], indices).unwrap()))
    });
    one(table, format!("random {i} scatter"), sizes, |x, rng| {
        let size = 3;
        let indices = (0..sizes[axis]).map(|_| rng.random_range(0..size as i64)).collect();
        let indices = Expr::constant(Tensor::new([sizes[axis]], indices).unwrap());
        x.scatter_add(axis, &indices, size)
    });
}
