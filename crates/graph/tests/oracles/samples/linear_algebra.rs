//! Factorisations and solutions, of matrices that are well conditioned throughout the range of the inputs.

use super::Table;
use perturb_graph::{Expr, Tensor};

const SMALL: (f64, f64) = (-0.5, 0.5);

// x plus distinct elements on the diagonal: eigenvalues and singular values stay apart.
fn spread(x: &Expr) -> Expr {
    let (m, n) = (x.shape()[x.rank() - 2], x.shape()[x.rank() - 1]);
    let values = (0..m * n).map(|at| if at / n == at % n { [2.0, 5.0, 9.0, 14.0][at % n] } else { 0.0 }).collect();
    x.add(&Expr::constant(Tensor::from_f64([m, n], x.dtype(), values).unwrap()))
}

pub fn add(table: &mut Table) {
    factors(table);
    solutions(table);
    let mut of = |name: &str, shape: &[usize], f: &dyn Fn(&Expr) -> Expr| {
        let x = table.input("x", shape);
        let y = f(&spread(&x));
        table.add(name, &[(&x, SMALL)], y);
    };
    of("inverse", &[2, 2], &Expr::inverse);
    of("determinant", &[2, 2, 2], &Expr::determinant);
    of("slogdet", &[3, 3], &|x| x.slogdet().1);
    of("pinverse, tall", &[3, 2], &Expr::pinverse);
    of("pinverse, wide", &[2, 3], &Expr::pinverse);
    of("matrix_power 3", &[2, 2], &|x| x.matrix_power(3));
    of("matrix_power −2", &[2, 2], &|x| x.matrix_power(-2));
    of("diagonal", &[2, 2, 3], &Expr::diagonal);
    of("trace", &[3, 2], &Expr::trace);
    let x = table.input("x", [2, 3]);
    table.add("diagonal_matrix", &[(&x, SMALL)], x.diagonal_matrix());
    table.two("outer", &[2, 3], &[2], |a, b| a.outer(b));
}

fn factors(table: &mut Table) {
    let mut of = |name: &str, shape: &[usize], f: &dyn Fn(&Expr) -> Expr| {
        let x = table.input("x", shape);
        let y = f(&spread(&x));
        table.add(name, &[(&x, SMALL)], y);
    };
    of("cholesky", &[2, 3, 3], &Expr::cholesky);
    of("cholesky of a gram matrix", &[3, 3], &|x| x.matmul(&x.transpose(&[1, 0])).cholesky());
    for (name, shape) in [("tall", [4, 3]), ("square", [3, 3]), ("wide", [2, 4])] {
        of(&format!("qr, {name}: q"), &shape, &|x| x.qr().0);
        of(&format!("qr, {name}: r"), &shape, &|x| x.qr().1);
        of(&format!("svd, {name}: values"), &shape, &|x| x.svd().1);
        // Squares do not depend on the signs of vectors.
        of(&format!("svd, {name}: vectors"), &shape, &|x| {
            let (u, _, v) = x.svd();
            Expr::concat(&[u, v], 0).square()
        });
        of(&format!("svd, {name}: best of rank one"), &shape, &|x| {
            let (u, s, v) = x.svd();
            let first = |x: &Expr| x.slice_axis(1, 0, 1).reshape([x.shape()[0]]);
            first(&u).outer(&first(&v)).mul(&s.slice_axis(0, 0, 1))
        });
    }
    of("qr of several", &[2, 2, 2], &|x| x.qr().0);
    of("svd of several", &[2, 2, 3], &|x| x.svd().1);
    of("eigh: values", &[2, 3, 3], &|x| x.eigh().0);
    of("eigh: vectors", &[3, 3], &|x| x.eigh().1.square());
    of("eigh: matrix function", &[3, 3], &|x| {
        let (w, v) = x.eigh();
        v.mul(&w.log()).matmul(&v.transpose(&[1, 0]))
    });
}

fn solutions(table: &mut Table) {
    let mut of = |name: &str, a: &[usize], b: &[usize], f: &dyn Fn(&Expr, &Expr) -> Expr| {
        let (x, y) = (table.input("x", a), table.input("y", b));
        let z = f(&spread(&x), &y);
        table.add(name, &[(&x, SMALL), (&y, SMALL)], z);
    };
    of("solve", &[2, 3, 3], &[2, 3, 2], &|a, b| a.solve(b));
    of("solve for a vector", &[3, 3], &[3], &|a, b| a.solve(b));
    of("solve, broadcast", &[2, 2], &[2, 2, 1], &|a, b| a.solve(b));
    for (lower, transpose) in [(true, false), (true, true), (false, false), (false, true)] {
        let name = format!("triangular_solve, lower {lower}, transpose {transpose}");
        of(&name, &[3, 3], &[3, 2], &|a, b| a.triangular_solve(b, lower, transpose));
    }
    of("lstsq, tall", &[4, 2], &[4, 1], &|a, b| a.lstsq(b));
    of("lstsq, wide", &[2, 3], &[2, 2], &|a, b| a.lstsq(b));
}
