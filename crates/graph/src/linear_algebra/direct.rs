//! Factorisations and solutions of finitely many steps.

use super::{Real, store, widened};

/// `l [n, n]`: the lower triangular factor of the symmetric positive definite matrix `a [n, n]`, of which the lower
/// triangle is read; zero above the diagonal. NaN everywhere if the matrix is not positive definite.
///
/// # Panics
/// If a slice does not have its size.
pub fn cholesky<T: Real>(n: usize, a: &[T], l: &mut [T]) {
    let mut w = widened(a);
    for j in 0..n {
        for i in j..n {
            let dot: f64 = (0..j).map(|k| w[i * n + k] * w[j * n + k]).sum();
            let rest = w[i * n + j] - dot;
            if i == j {
                if !(rest > 0.0 && rest.is_finite()) {
                    w.fill(f64::NAN);
                    return store(&w, l);
                }
                w[j * n + j] = rest.sqrt();
            } else {
                w[i * n + j] = rest / w[j * n + j];
            }
        }
        w[j * n + j + 1..(j + 1) * n].fill(0.0);
    }
    store(&w, l);
}

/// `x [n, k]` with `op(a)·x = b`, where `op` is the transpose or nothing and only one triangle of `a [n, n]`, `lower`
/// or upper, is read. Infinite or NaN where a diagonal element is zero.
///
/// # Panics
/// If a slice does not have its size.
pub fn triangular_solve<T: Real>(n: usize, k: usize, lower: bool, transpose: bool, a: &[T], b: &[T], x: &mut [T]) {
    let (a, mut w) = (widened(a), widened(b));
    let element = |i: usize, j: usize| if transpose { a[j * n + i] } else { a[i * n + j] };
    let forward = lower != transpose;
    for step in 0..n {
        let i = if forward { step } else { n - 1 - step };
        let solved = if forward { 0..i } else { i + 1..n };
        for j in solved {
            subtract_row(&mut w, k, i, j, element(i, j));
        }
        w[i * k..(i + 1) * k].iter_mut().for_each(|v| *v /= element(i, i));
    }
    store(&w, x);
}

/// `x [n, k]` with `a·x = b` for `a [n, n]`, by elimination with partial pivoting. Infinite or NaN if `a` is singular.
///
/// # Panics
/// If a slice does not have its size.
pub fn solve<T: Real>(n: usize, k: usize, a: &[T], b: &[T], x: &mut [T]) {
    let (mut a, mut w) = (widened(a), widened(b));
    for j in 0..n {
        let size = |i: &usize| a[i * n + j].abs();
        let pivot = (j..n).max_by(|p, q| size(p).total_cmp(&size(q))).unwrap_or(j);
        swap_rows(&mut a, n, j, pivot);
        swap_rows(&mut w, k, j, pivot);
        for i in j + 1..n {
            let factor = a[i * n + j] / a[j * n + j];
            subtract_row(&mut a, n, i, j, factor);
            subtract_row(&mut w, k, i, j, factor);
        }
    }
    for i in (0..n).rev() {
        for j in i + 1..n {
            subtract_row(&mut w, k, i, j, a[i * n + j]);
        }
        w[i * k..(i + 1) * k].iter_mut().for_each(|v| *v /= a[i * n + i]);
    }
    store(&w, x);
}

/// Thin factorisation `a = q·r` of `a [m, n]` by Householder reflections, `k = min(m, n)`: `out [m + n, k]` holds
/// `q [m, k]` with orthonormal columns, then `rᵀ [n, k]`; the diagonal of `r` is not negative.
///
/// # Panics
/// If a slice does not have its size.
pub fn qr<T: Real>(m: usize, n: usize, a: &[T], out: &mut [T]) {
    let k = m.min(n);
    let mut r = widened(a);
    let mut q = vec![0.0; m * k];
    (0..k).for_each(|j| q[j * k + j] = 1.0);
    let reflections: Vec<Vec<f64>> = (0..k).map(|j| reflection(&mut r, m, n, j)).collect();
    for (j, v) in reflections.iter().enumerate().rev() {
        reflect(&mut q, k, j, v);
    }
    let mut packed = q;
    packed.resize((m + n) * k, 0.0);
    for j in 0..k {
        let sign = if r[j * n + j] < 0.0 { -1.0 } else { 1.0 };
        (0..m).for_each(|i| packed[i * k + j] *= sign);
        (j..n).for_each(|i| packed[(m + i) * k + j] = sign * r[j * n + i]);
    }
    store(&packed, out);
}

// The unit vector v of the reflection 1 − 2·v·vᵀ that clears column `j` of `r` below the diagonal, and does so.
fn reflection(r: &mut [f64], m: usize, n: usize, j: usize) -> Vec<f64> {
    let mut v: Vec<f64> = (j..m).map(|i| r[i * n + j]).collect();
    let unit = v.iter().fold(0.0f64, |u, x| u.max(x.abs()));
    if unit > 0.0 {
        v.iter_mut().for_each(|x| *x /= unit);
        let length = v.iter().map(|x| x * x).sum::<f64>().sqrt();
        v[0] += if v[0] < 0.0 { -length } else { length };
        let length = v.iter().map(|x| x * x).sum::<f64>().sqrt();
        v.iter_mut().for_each(|x| *x /= length);
    }
    reflect(r, n, j, &v);
    v
}

// Applies 1 − 2·v·vᵀ to the rows of `x [.., width]` from row `from` on.
fn reflect(x: &mut [f64], width: usize, from: usize, v: &[f64]) {
    let mut along = vec![0.0; width];
    for (i, &v) in v.iter().enumerate() {
        let row = &x[(from + i) * width..(from + i + 1) * width];
        along.iter_mut().zip(row).for_each(|(a, x)| *a += v * x);
    }
    for (i, &v) in v.iter().enumerate() {
        let row = &mut x[(from + i) * width..(from + i + 1) * width];
        row.iter_mut().zip(&along).for_each(|(x, a)| *x -= 2.0 * v * a);
    }
}

// Row `i` −= factor · row `j`.
fn subtract_row(w: &mut [f64], width: usize, i: usize, j: usize, factor: f64) {
    let (above, below) = w.split_at_mut(i.max(j) * width);
    let (earlier, later) = (&mut above[i.min(j) * width..][..width], &mut below[..width]);
    let (target, source) = if i < j { (earlier, later) } else { (later, earlier) };
    target.iter_mut().zip(source.iter()).for_each(|(t, s)| *t -= factor * s);
}

fn swap_rows(w: &mut [f64], width: usize, i: usize, j: usize) {
    if i != j {
        (0..width).for_each(|c| w.swap(i * width + c, j * width + c));
    }
}
