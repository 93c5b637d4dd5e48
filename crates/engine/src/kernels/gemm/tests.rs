//! Products against their definition, on every path and at every kind of stride.

use super::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn strides(rows: usize, columns: usize, kind: usize) -> (usize, isize, isize, usize) {
    // Offset, row stride, column stride, elements.
    match kind {
        0 => (0, columns as isize, 1, rows * columns),
        1 => (0, 1, rows as isize, rows * columns),
        2 => (3, 2 * columns as isize + 1, 2, 3 + rows * (2 * columns + 1)),
        3 => (rows * columns - 1, -(columns as isize), -1, rows * columns),
        _ => (1, columns as isize + 5, 1, 1 + rows * (columns + 5)),
    }
}

struct Case {
    product: Product,
    lhs: Vec<f64>,
    rhs: Vec<f64>,
}

fn case(rng: &mut ChaCha8Rng, batch: usize, (m, n, k): (usize, usize, usize), kinds: (usize, usize)) -> Case {
    let mut operand = |rows: usize, columns: usize, kind: usize| {
        let (offset, row_stride, column_stride, count) = strides(rows, columns, kind);
        let data = (0..count * batch + offset).map(|_| rng.random_range(-1.0..1.0)).collect::<Vec<f64>>();
        (Operand { offset, batch_strides: vec![count as isize], row_stride, column_stride }, data)
    };
    let (l, lhs) = operand(m, k, kinds.0);
    let (r, rhs) = operand(k, n, kinds.1);
    Case { product: Product { batch: vec![batch], m, n, k, lhs: l, rhs: r }, lhs, rhs }
}

// The definition, and the sum of the products' magnitudes.
fn define<T: Float + Into<f64>>(p: &Product, lhs: &[T], rhs: &[T]) -> Vec<(f64, f64)> {
    let mut all = Vec::new();
    for b in 0..p.batch.iter().product() {
        let (l, r) = (p.lhs.matrix(lhs, &p.batch, b), p.rhs.matrix(rhs, &p.batch, b));
        for i in 0..p.m {
            for j in 0..p.n {
                let (row, column) = (l.at_row(i), r.at_column(j));
                let terms = (0..p.k).map(|k| -> f64 {
                    let (a, b): (f64, f64) =
                        (row.data[row.at_column(k).offset].into(), column.data[column.at_row(k).offset].into());
                    a * b
                });
                all.push(terms.fold((0.0, 0.0), |(s, m), t| (s + t, m + t.abs())));
            }
        }
    }
    all
}

fn check<T: Float + Into<f64>>(p: &Product, lhs: &[T], rhs: &[T], epsilon: f64) {
    let mut out = vec![T::ONE; p.batch.iter().product::<usize>() * p.m * p.n];
    // Every element must be finished once: each pass adds 1.
    run(p, lhs, rhs, &mut out, &|_, part| part.iter_mut().for_each(|x| *x += T::ONE));
    for (i, (&got, (want, size))) in out.iter().zip(define(p, lhs, rhs)).enumerate() {
        let error = (got.into() - 1.0 - want).abs();
        assert!(error <= (p.k as f64 + 4.0) * epsilon * (1.0 + size), "{p:?}: element {i}: {got:?}, not {want} + 1");
    }
}

#[test]
fn products_agree_with_the_definition_at_all_sizes_and_strides() {
    let rng = &mut ChaCha8Rng::seed_from_u64(1);
    let edges = [1, 2, 3, 5, 7, 8, 9, 13, 16, 17, 24, 25, 33, 48, 49, 97];
    for round in 0..400 {
        let mut pick = || edges[rng.random_range(0..edges.len())];
        let size = (pick(), pick(), pick());
        let case = case(rng, 1 + round % 3, size, (round % 5, round / 5 % 5));
        check::<f64>(&case.product, &case.lhs, &case.rhs, f64::EPSILON);
        let narrow = |x: &[f64]| x.iter().map(|&v| v as f32).collect::<Vec<f32>>();
        check::<f32>(&case.product, &narrow(&case.lhs), &narrow(&case.rhs), f64::from(f32::EPSILON));
    }
}

#[test]
fn large_products_are_split_packed_and_blocked_rightly() {
    let rng = &mut ChaCha8Rng::seed_from_u64(2);
    let sizes = [
        (130, 150, 520),
        (6, 900, 700),
        (700, 9, 300),
        (1, 1500, 900),
        (1500, 1, 900),
        (49, 800, 257),
        (3, 4, 200_000),
    ];
    for (i, size) in sizes.into_iter().enumerate() {
        for kinds in [(0, 0), (1, 0), (0, 1), (4, 1)] {
            let case = case(rng, 1 + i % 2, size, kinds);
            check::<f64>(&case.product, &case.lhs, &case.rhs, f64::EPSILON);
        }
    }
}

#[test]
fn the_result_does_not_depend_on_how_rows_are_split() {
    let rng = &mut ChaCha8Rng::seed_from_u64(3);
    let case = case(rng, 1, (200, 130, 300), (0, 0));
    let (lhs, rhs): (Vec<f32>, Vec<f32>) =
        (case.lhs.iter().map(|&v| v as f32).collect(), case.rhs.iter().map(|&v| v as f32).collect());
    let whole = |m: usize, first: usize| {
        let mut p = case.product.clone();
        (p.m, p.lhs.offset) = (m, first * 300);
        let mut out = vec![0.0f32; m * 130];
        run(&p, &lhs, &rhs, &mut out, &|_, _| {});
        out
    };
    let all = whole(200, 0);
    for (first, m) in [(0, 3), (17, 40), (100, 100), (5, 20)] {
        assert_eq!(whole(m, first), all[first * 130..(first + m) * 130], "rows {first} to {}", first + m);
    }
}

#[test]
fn zero_terms_are_skipped_but_never_those_that_meet_an_infinite_factor() {
    let rng = &mut ChaCha8Rng::seed_from_u64(4);
    let mut case = case(rng, 1, (70, 200, 300), (0, 0));
    for row in case.lhs.chunks_mut(300) {
        row.iter_mut().enumerate().filter(|(k, _)| k % 3 != 0).for_each(|(_, x)| *x = 0.0);
    }
    check::<f64>(&case.product, &case.lhs, &case.rhs, f64::EPSILON);
    case.rhs[200 + 7] = f64::INFINITY;
    let mut out = vec![0.0; 70 * 200];
    run(&case.product, &case.lhs, &case.rhs, &mut out, &|_, _| {});
    assert!(out.chunks(200).all(|row| row[7].is_nan() && row[8].is_finite()), "0·∞ is not a number");
}

#[test]
fn a_single_row_meets_infinite_factors_and_reads_no_more_than_its_columns() {
    let rng = &mut ChaCha8Rng::seed_from_u64(5);
    for n in [1, 5, 16, 17, 40, 300] {
        let mut case = case(rng, 1, (1, n, 37), (0, 0));
        case.lhs[9] = 0.0;
        case.rhs[9 * n] = f64::INFINITY;
        case.rhs[20 * n + n - 1] = f64::NAN;
        let mut out = vec![0.0; n];
        run(&case.product, &case.lhs, &case.rhs, &mut out, &|_, _| {});
        for (j, x) in out.iter().enumerate() {
            assert_eq!(x.is_nan(), j == 0 || j == n - 1, "column {j} of {n}");
        }
    }
}

#[test]
fn a_row_alone_gives_the_bits_that_it_gives_among_others() {
    let rng = &mut ChaCha8Rng::seed_from_u64(6);
    let case = case(rng, 1, (3, 2100, 75), (0, 0));
    let (lhs, rhs): (Vec<f32>, Vec<f32>) =
        (case.lhs.iter().map(|&v| v as f32).collect(), case.rhs.iter().map(|&v| v as f32).collect());
    let (mut alone, mut all) = (vec![0.0f32; 2100], vec![0.0f32; 3 * 2100]);
    run(&case.product, &lhs, &rhs, &mut all, &|_, _| {});
    let mut p = case.product.clone();
    (p.m, p.lhs.offset) = (1, 75);
    run(&p, &lhs, &rhs, &mut alone, &|_, _| {});
    assert_eq!(alone, all[2100..4200]);
}

// The parts of long sums: matrices whose rows lie between each other, each with a vector of its own, or single rows.
#[test]
fn matrices_side_by_side_agree_with_the_definition() {
    let rng = &mut ChaCha8Rng::seed_from_u64(7);
    let mut sizes = vec![(2, 10, 200, 20), (3, 7, 1, 20), (300, 40, 1, 30), (2, 12, 700, 40), (1, 500, 90, 33)];
    for _ in 0..100 {
        sizes.push((rng.random_range(1..4), rng.random_range(1..9), rng.random_range(1..11), rng.random_range(1..50)));
    }
    for (items, parts, m, k) in sizes {
        // Columns of a few vectors, and vectors that lie apart, are taken too; some vectors are the same for all rows.
        let (n, apart) = (rng.random_range(1..4), rng.random_range(0..2) == 1);
        let row = (parts * k) as isize;
        let lhs =
            Operand { offset: 2, batch_strides: vec![m as isize * row, k as isize], row_stride: row, column_stride: 1 };
        let (row_stride, column_stride) = if apart { (n as isize, 1) } else { (1, row) };
        let step = if apart { (k * n) as isize } else { k as isize };
        let rhs = Operand { offset: 1, batch_strides: vec![n as isize * row, step], row_stride, column_stride };
        let p = Product { batch: vec![items, parts], m, n, k, lhs, rhs };
        let mut data = |count: usize| (0..count + 2).map(|_| rng.random_range(-1.0..1.0)).collect::<Vec<f64>>();
        let (lhs, rhs) = (data(items * m * parts * k), data(items * n * parts * k));
        check::<f64>(&p, &lhs, &rhs, f64::EPSILON);
        let mut transposed = p.clone();
        transposed.transpose();
        check::<f64>(&transposed, &rhs, &lhs, f64::EPSILON);
        let narrow = |x: &[f64]| x.iter().map(|&v| v as f32).collect::<Vec<f32>>();
        check::<f32>(&p, &narrow(&lhs), &narrow(&rhs), f64::from(f32::EPSILON));
    }
}
