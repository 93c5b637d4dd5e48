//! Factorisations and solutions against their definitions, exact integers, and functions that do not see degeneracy.

use crate::numbers::{assert_close, run, seeded, uniform};
use perturb_graph::{DType, Expr, Tensor, grad, linear_algebra, vmap};

const SHAPES: [(usize, usize); 10] = [(1, 1), (1, 3), (3, 1), (2, 2), (4, 3), (3, 4), (6, 6), (9, 5), (5, 9), (40, 30)];

fn random(seed: u64, shape: &[usize]) -> Tensor {
    uniform(&mut seeded(seed), shape, DType::F64, (-1.0, 1.0))
}

fn values(outputs: &[Expr]) -> Vec<Vec<f64>> {
    run(outputs, &[])
}

fn t(x: &Expr) -> Expr {
    x.transpose(&[1, 0])
}

fn eye(n: usize) -> Expr {
    Expr::full([n], 1.0, DType::F64).diagonal_matrix()
}

#[track_caller]
fn same(what: &str, got: &Expr, want: &Expr, tolerance: f64) {
    let both = values(&[got.clone(), want.clone()]);
    assert_close(what, &both[0], &both[1], tolerance);
}

// Matrices of full and of lower rank, huge and tiny ones.
fn matrices(m: usize, n: usize) -> Vec<Expr> {
    let k = m.min(n);
    let full = random((100 * m + n) as u64, &[m, n]);
    let narrow = |seed: u64, shape: [usize; 2]| Expr::constant(random(seed, &shape));
    let low = narrow(1, [m, k.div_ceil(2)]).matmul(&narrow(2, [k.div_ceil(2), n]));
    let full = Expr::constant(full);
    vec![full.clone(), low, full.scale(1e200), full.scale(1e-200), full.scale(0.0)]
}

#[test]
fn orthogonal_and_triangular_factors() {
    for (m, n) in SHAPES {
        for a in matrices(m, n) {
            let (q, r) = a.qr();
            let unit = values(&[a.abs().reduce_max(&[0, 1], false)])[0][0].max(1e-300);
            same("q·r", &q.matmul(&r.scale(1.0 / unit)), &a.scale(1.0 / unit), 1e-13);
            same("qᵀ·q", &t(&q).matmul(&q), &eye(m.min(n)), 1e-13);
            let r = values(&[r]).remove(0);
            assert!((0..m.min(n)).all(|i| r[i * n + i] >= 0.0 && r[i * n..i * n + i].iter().all(|&v| v == 0.0)));
        }
    }
}

#[test]
fn singular_values_and_vectors() {
    for (m, n) in SHAPES {
        for a in matrices(m, n) {
            let (u, s, v) = a.svd();
            let unit = values(&[a.abs().reduce_max(&[0, 1], false)])[0][0].max(1e-300);
            let scaled = s.scale(1.0 / unit);
            same("u·s·vᵀ", &u.mul(&scaled).matmul(&t(&v)), &a.scale(1.0 / unit), 1e-13);
            same("uᵀ·u", &t(&u).matmul(&u), &eye(m.min(n)), 1e-12);
            same("vᵀ·v", &t(&v).matmul(&v), &eye(m.min(n)), 1e-12);
            let s = values(&[s]).remove(0);
            assert!(s.windows(2).all(|w| w[0] >= w[1]) && s.iter().all(|&v| v >= 0.0));
        }
    }
}

#[test]
fn eigenvalues_and_vectors() {
    for n in [1, 2, 3, 6, 30] {
        for x in matrices(n, n) {
            let a = x.add(&t(&x));
            let (w, v) = a.eigh();
            let unit = values(&[a.abs().reduce_max(&[0, 1], false)])[0][0].max(1e-300);
            let scaled = w.scale(1.0 / unit);
            same("v·w·vᵀ", &v.mul(&scaled).matmul(&t(&v)), &a.scale(1.0 / unit), 1e-13);
            same("vᵀ·v", &t(&v).matmul(&v), &eye(n), 1e-12);
            assert!(values(&[w])[0].windows(2).all(|w| w[0] <= w[1]));
        }
    }
    // Known spectra: the second difference has eigenvalues 2 − 2·cos(kπ/(n + 1)).
    let n = 8;
    let difference = |at: usize| [2.0, -1.0].get((at / n).abs_diff(at % n)).copied().unwrap_or(0.0);
    let a = Expr::constant(Tensor::new([n, n], (0..n * n).map(difference).collect()).unwrap());
    let angle = |k: usize| k as f64 * std::f64::consts::PI / (n + 1) as f64;
    let want: Vec<f64> = (1..=n).map(|k| 2.0 - 2.0 * angle(k).cos()).collect();
    assert_close("second difference", &values(&[a.eigh().0])[0], &want, 1e-14);
}

#[test]
fn only_the_named_triangle_is_read() {
    let a = Expr::constant(Tensor::new([2, 2], vec![4.0, f64::NAN, 2.0, 5.0]).unwrap());
    assert_close("cholesky", &values(&[a.cholesky()])[0], &[2.0, 0.0, 1.0, 2.0], 1e-15);
    assert_close("eigh", &values(&[a.eigh().0])[0], &[(9.0 - 17f64.sqrt()) / 2.0, (9.0 + 17f64.sqrt()) / 2.0], 1e-14);
    let b = Expr::constant(Tensor::new([2], vec![8.0, 9.0]).unwrap());
    assert_close("lower", &values(&[a.triangular_solve(&b, true, false)])[0], &[2.0, 1.0], 1e-15);
    assert_close("its transpose", &values(&[a.triangular_solve(&b, true, true)])[0], &[1.1, 1.8], 1e-15);
}

#[test]
fn solutions_solve() {
    for n in [1, 2, 5, 30] {
        let (a, b) = (Expr::constant(random(n as u64, &[n, n])), Expr::constant(random(7, &[n, 3])));
        same("solve", &a.matmul(&a.solve(&b)), &b, 1e-11);
        same("inverse", &a.inverse().matmul(&a), &eye(n), 1e-11);
        let spd = a.matmul(&t(&a)).add(&eye(n));
        let l = spd.cholesky();
        same("cholesky", &l.matmul(&t(&l)), &spd, 1e-13);
        same(
            "by factors",
            &l.triangular_solve(&l.triangular_solve(&b, true, false), true, true),
            &spd.solve(&b),
            1e-12,
        );
        same("power", &spd.matrix_power(-3).matmul(&spd.matrix_power(5)), &spd.matmul(&spd), 1e-9);
        same("zeroth power", &spd.matrix_power(0), &eye(n), 0.0);
    }
    // Zeros on the diagonal need pivots.
    let swap = Expr::constant(Tensor::new([2, 2], vec![0.0, 1.0, 1.0, 0.0]).unwrap());
    let b = Expr::constant(Tensor::new([2], vec![3.0, 4.0]).unwrap());
    assert_eq!(values(&[swap.solve(&b)])[0], [4.0, 3.0]);
}

#[test]
fn least_squares() {
    for (m, n) in SHAPES {
        let (a, b) = (Expr::constant(random(m as u64, &[m, n])), Expr::constant(random(n as u64, &[m, 2])));
        let x = a.lstsq(&b);
        // The residual is orthogonal to the columns, the solution lies in the space of the rows.
        same("normal equations", &t(&a).matmul(&a.matmul(&x)), &t(&a).matmul(&b), 1e-12);
        same("pseudo-inverse", &a.pinverse().matmul(&b), &x, 1e-11);
    }
}

// The four equations of Penrose (1955), of full and of lower rank.
#[test]
fn pseudo_inverses() {
    for (m, n) in SHAPES {
        for a in matrices(m, n).into_iter().take(2) {
            let p = a.pinverse();
            same("a·p·a", &a.matmul(&p).matmul(&a), &a, 1e-11);
            same("p·a·p", &p.matmul(&a).matmul(&p), &p, 1e-10);
            same("(a·p)ᵀ", &t(&a.matmul(&p)), &a.matmul(&p), 1e-11);
            same("(p·a)ᵀ", &t(&p.matmul(&a)), &p.matmul(&a), 1e-11);
        }
    }
}

// By permutations (Leibniz), exactly.
fn leibniz(n: usize, a: &[i64]) -> i64 {
    fn sum(n: usize, a: &[i64], row: usize, free: &mut Vec<usize>) -> i64 {
        if row == n {
            return 1;
        }
        (0..free.len())
            .map(|i| {
                let column = free.remove(i);
                let rest = a[row * n + column] * sum(n, a, row + 1, free);
                free.insert(i, column);
                if i % 2 == 0 { rest } else { -rest }
            })
            .sum()
    }
    sum(n, a, 0, &mut (0..n).collect())
}

#[test]
fn determinants_of_integer_matrices() {
    for n in 0..=6 {
        for seed in 0..20 {
            let entries: Vec<i64> =
                random(seed, &[n, n]).to_f64_vec().iter().map(|v| (v * 4.0).round() as i64).collect();
            let want = leibniz(n, &entries) as f64;
            let a = Tensor::new([n, n], entries.iter().map(|&v| v as f64).collect()).unwrap();
            let a = Expr::constant(a);
            let (sign, log) = a.slogdet();
            let got = values(&[a.determinant(), sign, log]);
            assert_close(&format!("n = {n}, seed {seed}"), &got[0], &[want], 1e-11);
            if want != 0.0 {
                assert_eq!(got[1], [want.signum()]);
                assert_close("logarithm", &got[2], &[want.abs().ln()], 1e-11);
            }
        }
    }
}

#[test]
fn stacks_are_taken_matrix_by_matrix() {
    let x = Expr::input("x", [3, 3], DType::F64);
    let spd = x.matmul(&t(&x)).add(&eye(3));
    let (u, s, _) = x.svd();
    let outputs = [spd.cholesky(), x.inverse(), x.determinant(), x.qr().0, u.abs(), s, spd.eigh().0, x.slogdet().0];
    let xs = Expr::constant(random(3, &[4, 3, 3]));
    let together = values(&vmap(&outputs, &[(x.clone(), xs.clone())], 4).unwrap());
    for i in 0..4 {
        let one = perturb_graph::substitute(&outputs, &[(x.clone(), xs.slice_axis(0, i, i + 1).reshape([3, 3]))]);
        for (together, one) in together.iter().zip(values(&one.unwrap())) {
            assert_close("stack", &together[i * one.len()..(i + 1) * one.len()], &one, 1e-14);
        }
    }
    // The same for matrices that are a stack as they stand.
    let direct = values(&[xs.inverse(), xs.determinant()]);
    assert_close("inverse", &direct[0], &together[1], 1e-14);
    assert_close("determinant", &direct[1], &together[2], 1e-14);
}

// Σ f(w_i) of a symmetric matrix has the gradient f'(A), however many eigenvalues are equal; the nuclear norm of an
// orthogonal matrix, whose singular values are all 1, has itself as gradient.
#[test]
fn derivatives_at_equal_eigenvalues() {
    let x = Expr::input("x", [3, 3], DType::F64);
    let (q, _) = Expr::constant(random(5, &[3, 3])).qr();
    let a = q.mul(&Expr::constant(Tensor::new([3], vec![2.0, 2.0, 5.0]).unwrap())).matmul(&t(&q));
    let at = |e: &Expr| perturb_graph::eval(&[e.clone()], &[]).unwrap().remove(0);
    let symmetric = x.add(&t(&x)).scale(0.5);
    let (w, v) = symmetric.eigh();
    let by_values = grad(&w.exp().sum(), &[x.clone()]).unwrap().remove(0);
    let by_vectors = grad(&v.mul(&w.exp()).matmul(&t(&v)).trace(), &[x.clone()]).unwrap().remove(0);
    let weights = Tensor::new([3], vec![2f64.exp(), 2f64.exp(), 5f64.exp()]).unwrap();
    let want = values(&[q.mul(&Expr::constant(weights)).matmul(&t(&q))]).remove(0);
    let feed = [(x.clone(), at(&a))];
    assert_close("values", &run(&[by_values], &feed)[0], &want, 1e-11);
    assert_close("vectors", &run(&[by_vectors], &feed)[0], &want, 1e-11);
    let nuclear = grad(&x.svd().1.sum(), &[x.clone()]).unwrap().remove(0);
    let feed = [(x, at(&q))];
    assert_close("nuclear norm", &run(&[nuclear], &feed)[0], &values(&[q])[0], 1e-12);
}

#[test]
fn what_has_no_answer_is_not_a_number() {
    let constant = |v: [f64; 4]| Expr::constant(Tensor::new([2, 2], v.to_vec()).unwrap());
    let singular = constant([1.0, 2.0, 2.0, 4.0]);
    assert!(values(&[singular.inverse()])[0].iter().all(|v| !v.is_finite()));
    assert!(values(&[constant([1.0, 2.0, 2.0, 1.0]).cholesky()])[0].iter().all(|v| v.is_nan()));
    let unknown = constant([1.0, f64::NAN, f64::INFINITY, 1.0]);
    for x in [unknown.svd().1, unknown.eigh().0, unknown.cholesky()] {
        assert!(values(&[x])[0].iter().all(|v| v.is_nan()));
    }
}

// The routines that kernels share read and write single precision too, rounding once.
#[test]
fn routines_in_single_precision() {
    let a: Vec<f32> = random(9, &[4, 3]).to_f64_vec().iter().map(|&v| v as f32).collect();
    let wide: Vec<f64> = a.iter().map(|&v| f64::from(v)).collect();
    let (mut single, mut double) = (vec![0f32; 8 * 3], vec![0f64; 8 * 3]);
    linear_algebra::svd(4, 3, &a, &mut single);
    linear_algebra::svd(4, 3, &wide, &mut double);
    assert!(single.iter().zip(&double).all(|(s, d)| *s == *d as f32));
}

#[test]
fn shapes_that_do_not_fit() {
    let matrix = |shape: [usize; 2]| Expr::input("a", shape, DType::F64);
    let error = |e: perturb_graph::Result<Expr>| e.unwrap_err().to_string();
    assert!(error(matrix([2, 3]).try_cholesky()).contains("square"));
    assert!(error(matrix([2, 3]).try_inverse()).contains("square"));
    assert!(error(matrix([2, 3]).try_determinant()).contains("square"));
    assert!(error(matrix([2, 2]).try_solve(&matrix([3, 1]))).contains("[2, 2] and [3, 1]"));
    assert!(error(matrix([2, 3]).try_lstsq(&matrix([3, 1]))).contains("right-hand sides"));
    assert!(Expr::input("v", [3], DType::F64).try_svd().is_err());
    assert!(Expr::input("i", [3, 3], DType::I64).try_eigh().is_err());
    assert!(error(Expr::scalar(1.0, DType::F64).try_diagonal_matrix()).contains("scalar"));
}
