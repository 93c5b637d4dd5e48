//! The losses on embeddings small enough for a calculation by hand, and their derivatives.

use perturb_graph::{DType, Expr, Tensor, eval, grad};
use perturb_ssl::objective::{BarlowTwins, CrossMoment, NtXent, VicReg};
use perturb_ssl::{Objective, SslError};

const A: [f64; 6] = [0.5, -1.0, 2.0, 0.25, -0.75, 1.5];
const B: [f64; 6] = [0.25, -0.5, 1.5, 0.75, -1.25, 1.0];

fn value(objective: &dyn Objective, a: &[f64], b: &[f64]) -> f64 {
    let [x, y] = [a, b].map(|v| Expr::constant(Tensor::new([v.len() / 2, 2], v.to_vec()).unwrap()));
    let loss = objective.loss(&x, &y).unwrap();
    let loss = loss.reduce_mean(&(0..loss.rank()).collect::<Vec<_>>(), false);
    eval(&[loss], &[]).unwrap()[0].to_f64_vec()[0]
}

fn all() -> Vec<Box<dyn Objective>> {
    vec![
        Box::new(BarlowTwins::default()),
        Box::new(BarlowTwins::PLAIN),
        Box::new(VicReg::default()),
        Box::new(NtXent::default()),
    ]
}

fn close(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-12 * expected.abs().max(1.0), "{found}, not {expected}");
}

fn column(z: &[f64], k: usize) -> [f64; 3] {
    [z[k], z[2 + k], z[4 + k]]
}

fn mean(z: [f64; 3]) -> f64 {
    z.iter().sum::<f64>() / 3.0
}

fn covariance(x: [f64; 3], y: [f64; 3], divisor: f64) -> f64 {
    let (a, b) = (mean(x), mean(y));
    x.iter().zip(y).map(|(x, y)| (x - a) * (y - b)).sum::<f64>() / divisor
}

#[test]
fn barlow_twins_by_hand() {
    let std = |z: [f64; 3]| (covariance(z, z, 3.0) + 1e-5).sqrt();
    let c = |i: usize, j: usize| {
        let (x, y) = (column(&A, i), column(&B, j));
        covariance(x, y, 3.0) / (std(x) * std(y))
    };
    let lambda = 0.005;
    let expected = (1.0 - c(0, 0)).powi(2) + (1.0 - c(1, 1)).powi(2) + lambda * (c(0, 1).powi(2) + c(1, 0).powi(2));
    close(value(&BarlowTwins::default(), &A, &B), expected);

    let moment = |i: usize, j: usize| (0..3).map(|n| A[2 * n + i] * B[2 * n + j]).sum::<f64>() / 3.0;
    let off = 0.5 * (moment(0, 1) + moment(1, 0));
    let expected = (1.0 - moment(0, 0)).powi(2) + (1.0 - moment(1, 1)).powi(2) + 2.0 * off * off;
    close(value(&BarlowTwins::PLAIN, &A, &B), expected);

    let c = |i: usize, j: usize| {
        let cross = |i: usize, j: usize| covariance(column(&A, i), column(&B, j), 3.0);
        0.5 * (cross(i, j) + cross(j, i))
    };
    let expected = (1.0 - c(0, 0)).powi(2) + (1.0 - c(1, 1)).powi(2) + 2.0 * c(0, 1).powi(2);
    close(value(&BarlowTwins { moment: CrossMoment::Covariance, ..BarlowTwins::PLAIN }, &A, &B), expected);
}

#[test]
fn vicreg_by_hand() {
    let invariance = A.iter().zip(B).map(|(a, b)| (a - b).powi(2)).sum::<f64>() / 6.0;
    let hinge = |z: &[f64], k: usize| (1.0 - (covariance(column(z, k), column(z, k), 2.0) + 1e-4).sqrt()).max(0.0);
    let variance = (hinge(&A, 0) + hinge(&A, 1) + hinge(&B, 0) + hinge(&B, 1)) / 4.0;
    assert!(variance > 0.0, "the hinge must matter");
    let off = |z: &[f64]| 2.0 * covariance(column(z, 0), column(z, 1), 2.0).powi(2) / 2.0;
    close(value(&VicReg::default(), &A, &B), 25.0 * invariance + 25.0 * variance + off(&A) + off(&B));
}

#[test]
fn nt_xent_by_hand() {
    let rows: Vec<[f64; 2]> = A.chunks(2).chain(B.chunks(2)).map(|r| [r[0], r[1]]).collect();
    let cosine = |i: usize, j: usize| {
        let (x, y) = (rows[i], rows[j]);
        (x[0] * y[0] + x[1] * y[1]) / ((x[0].hypot(x[1]).powi(2) + 1e-12) * (y[0].hypot(y[1]).powi(2) + 1e-12)).sqrt()
    };
    let anchor = |i: usize| {
        let others: f64 = (0..6).filter(|&j| j != i).map(|j| (cosine(i, j) / 0.5).exp()).sum();
        others.ln() - cosine(i, (i + 3) % 6) / 0.5
    };
    close(value(&NtXent { temperature: 0.5 }, &A, &B), (0..6).map(anchor).sum::<f64>() / 6.0);
}

#[test]
fn the_order_of_pairs_does_not_matter() {
    let permuted = |z: &[f64]| [&z[4..6], &z[0..2], &z[2..4]].concat();
    for objective in all() {
        close(value(&*objective, &permuted(&A), &permuted(&B)), value(&*objective, &A, &B));
    }
}

#[test]
fn gradients_are_those_of_finite_differences() {
    for objective in all() {
        let [x, y] = ["x", "y"].map(|name| Expr::input(name, [3, 2], DType::F64));
        let loss = objective.loss(&x, &y).unwrap();
        let loss = loss.reduce_mean(&(0..loss.rank()).collect::<Vec<_>>(), false);
        let gradient = grad(&loss, &[x.clone()]).unwrap();
        let at = |v: &[f64]| Tensor::new([3, 2], v.to_vec()).unwrap();
        let found = eval(&gradient, &[(x, at(&A)), (y, at(&B))]).unwrap()[0].to_f64_vec();
        for (i, found) in found.iter().enumerate() {
            let h = 1e-5;
            let moved = |sign: f64| {
                let mut a = A;
                a[i] += sign * h;
                value(&*objective, &a, &B)
            };
            let expected = (moved(1.0) - moved(-1.0)) / (2.0 * h);
            assert!((found - expected).abs() < 1e-6 * expected.abs().max(1.0), "{found}, not {expected}");
        }
    }
}

#[test]
fn what_makes_no_sense_is_refused() {
    let z = |shape: &[usize]| Expr::input("z", shape, DType::F32);
    for objective in all() {
        for (a, b) in [(vec![1, 2], vec![1, 2]), (vec![3, 2], vec![3, 3]), (vec![3], vec![3]), (vec![3, 0], vec![3, 0])]
        {
            assert!(matches!(objective.loss(&z(&a), &z(&b)), Err(SslError::Views { .. })), "{a:?} {b:?}");
        }
    }
    let refused = |objective: &dyn Objective| {
        assert!(matches!(objective.loss(&z(&[3, 2]), &z(&[3, 2])), Err(SslError::Setting { .. })));
    };
    refused(&BarlowTwins { lambda: -1.0, moment: CrossMoment::Correlation });
    refused(&VicReg { covariance: f64::NAN, ..VicReg::default() });
    refused(&NtXent { temperature: 0.0 });
}
