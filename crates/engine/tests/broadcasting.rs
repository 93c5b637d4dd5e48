//! Elementwise programs over operands of every layout give the bits that the definition gives, NaN and infinities included.

use perturb_engine::{Executable, Options};
use perturb_graph::{DType, Expr, Shape, Tensor, eval};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const ODD: [f32; 6] = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.0, -0.0, f32::MIN_POSITIVE];

// Small multiples of a power of two, whose sums and products are exact, and now and then something odd.
fn values(rng: &mut ChaCha8Rng, shape: &Shape) -> Tensor {
    let mut one = || match rng.random_range(0..100) {
        odd @ 0..6 => ODD[odd],
        _ => (rng.random_range(-64..64) as f32) / 16.0,
    };
    Tensor::new(shape.clone(), (0..shape.count()).map(|_| one()).collect()).unwrap()
}

fn check(outputs: &[Expr], inputs: &[Expr], seed: u64) {
    let rng = &mut ChaCha8Rng::seed_from_u64(seed);
    let feeds: Vec<Tensor> = inputs.iter().map(|i| values(rng, i.shape())).collect();
    let pairs: Vec<(Expr, Tensor)> = inputs.iter().cloned().zip(feeds.iter().cloned()).collect();
    let expected = eval(outputs, &pairs).unwrap();
    let exe = Executable::compile(outputs, inputs, &Options::default()).unwrap();
    for (k, (got, expected)) in exe.run(&feeds.iter().collect::<Vec<_>>()).unwrap().iter().zip(&expected).enumerate() {
        let pairs = got.as_slice::<f32>().iter().zip(expected.as_slice::<f32>());
        for (i, (g, e)) in pairs.enumerate() {
            let shape = got.shape();
            assert!(g == e || (g.is_nan() && e.is_nan()), "output {k} of {shape}, element {i}: {g} instead of {e}");
        }
    }
}

fn input(name: &str, shape: impl Into<Shape>) -> Expr {
    Expr::input(name, shape, DType::F32)
}

#[test]
fn rows_columns_and_planes_of_every_length() {
    // Rows shorter and longer than a tile, of whole registers and not, few and many.
    let shapes = [
        [1, 1, 1],
        [3, 5, 7],
        [2, 9, 127],
        [5, 3, 128],
        [3, 4, 129],
        [2, 3, 511],
        [2, 2, 513],
        [1, 2, 1600],
        [40, 33, 17],
        [7, 64, 64],
        [3, 1, 9001],
        [19, 31, 130],
        [900, 30, 1],
    ];
    for (seed, [a, b, c]) in shapes.into_iter().enumerate() {
        let x = input("x", [a, b, c]);
        let (row, column, plane) = (input("row", [c]), input("column", [b, 1]), input("plane", [a, 1, 1]));
        let (sheet, slab) = (input("sheet", [b, c]), input("slab", [a, 1, c]));
        let y = x.mul(&row).add(&column);
        let z = Expr::select(&x.greater(&slab), &y.sub(&sheet), &plane.broadcast_to([a, b, c])).maximum(&row);
        let without = row.add(&column).mul(&plane);
        let inputs = [x.clone(), row, column, plane, sheet, slab];
        check(&[y.clone(), z, without, x.relu().neg().broadcast_to([2, a, b, c])], &inputs, seed as u64);
    }
}

#[test]
fn operands_that_are_turned_reversed_or_cut() {
    for (seed, (a, b)) in [(1, 1), (7, 5), (130, 140), (33, 600), (600, 33), (257, 129)].into_iter().enumerate() {
        let (x, turned, longer) = (input("x", [a, b]), input("turned", [b, a]), input("longer", [a + 1, b + 3]));
        let cut = longer.slice_axis(0, 1, a + 1).slice_axis(1, 2, b + 2);
        let y = x.add(&turned.transpose(&[1, 0])).mul(&cut);
        let z = x.reverse(&[0]).minimum(&cut.reverse(&[1])).sub(&turned.transpose(&[1, 0]).slice_axis(0, 0, 1));
        check(&[y, z], &[x, turned, longer], seed as u64);
    }
}

#[test]
fn choices_between_values_that_are_the_same_everywhere() {
    let (mask, x) = (input("mask", [70, 300]), input("x", [70, 300]));
    let (one, column) = (x.like(2.0), input("column", [70, 1]));
    let choices = [
        Expr::select(&mask, &x, &one),
        Expr::select(&mask, &one, &x),
        Expr::select(&mask, &one, &x.like(-1.0)),
        Expr::select(&column.broadcast_to([70, 300]), &x, &one),
        Expr::select(&mask, &column.broadcast_to([70, 300]), &x),
    ];
    check(&choices, &[mask, x, column], 5);
}

#[test]
fn results_that_are_finished_with_broadcast_operands() {
    for (seed, (m, k, n)) in [(1, 3, 5), (150, 40, 129), (260, 30, 64), (1, 60, 700)].into_iter().enumerate() {
        let (x, w) = (input("x", [m, k]), input("w", [k, n]));
        let (row, column) = (input("row", [n]), input("column", [m, 1]));
        // Without odd values, whose products depend on the order of a sum.
        let (x0, w0) = (x.maximum(&x.like(-4.0)).minimum(&x.like(4.0)), w.step());
        let finite = Expr::select(&x0.equal(&x0), &x0, &x.like(0.5));
        check(&[finite.matmul(&w0).add(&row).mul(&column).relu()], &[x, w, row, column], seed as u64);
    }
}
