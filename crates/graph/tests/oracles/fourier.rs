//! Fourier transforms against closed forms.

use crate::numbers::{assert_close, inner, run, seeded, uniform};
use perturb_graph::{DType, Expr, Tensor, grad};
use std::f64::consts::PI;

const LENGTHS: [usize; 8] = [1, 2, 3, 4, 7, 8, 13, 30];

fn complex(values: &[(f64, f64)]) -> Tensor {
    Tensor::new([values.len(), 2], values.iter().flat_map(|&(re, im)| [re, im]).collect()).unwrap()
}

fn at(x: &Expr, f: impl Fn(&Expr) -> Expr, value: Tensor) -> Vec<f64> {
    run(&[f(x)], &[(x.clone(), value)]).remove(0)
}

// Σ_j r^j·exp(−2πi·jk/n) = (1 − r^n)/(1 − r·exp(−2πi·k/n)): every length, primes included.
#[test]
fn geometric_sequences() {
    for n in LENGTHS {
        let (x, r) = (Expr::input("x", [n, 2], DType::F64), 0.8f64);
        let powers: Vec<(f64, f64)> = (0..n).map(|j| (r.powi(j as i32), 0.0)).collect();
        let want: Vec<f64> = (0..n)
            .flat_map(|k| {
                let (sin, cos) = (-2.0 * PI * k as f64 / n as f64).sin_cos();
                let (re, im) = (1.0 - r * cos, -r * sin);
                let scale = (1.0 - r.powi(n as i32)) / (re * re + im * im);
                [re * scale, -im * scale]
            })
            .collect();
        let got = at(&x, Expr::fft, complex(&powers));
        assert_close(&format!("length {n}"), &got, &want, 1e-13);
        assert_close("inverse", &at(&x, |x| x.fft().ifft(), complex(&powers)), &complex(&powers).to_f64_vec(), 1e-13);
    }
}

// A single frequency is a single element, with the sign that the definition gives it.
#[test]
fn single_frequencies() {
    let (n, f) = (12, 5);
    let x = Expr::input("x", [n, 2], DType::F64);
    let wave: Vec<(f64, f64)> =
        (0..n).map(|j| (2.0 * PI * (f * j) as f64 / n as f64).sin_cos()).map(|(s, c)| (c, s)).collect();
    let want: Vec<f64> = (0..2 * n).map(|i| if i == 2 * f { n as f64 } else { 0.0 }).collect();
    assert_close("wave", &at(&x, Expr::fft, complex(&wave)), &want, 1e-12);
}

#[test]
fn energy_is_kept() {
    for n in LENGTHS {
        let x = Expr::input("x", [n, 2], DType::F64);
        let value = uniform(&mut seeded(n as u64), [n, 2], DType::F64, (-1.0, 1.0));
        let (before, after) = (value.to_f64_vec(), at(&x, Expr::fft, value.clone()));
        assert_close("Parseval", &[inner(&after, &after)], &[n as f64 * inner(&before, &before)], 1e-13);
    }
}

#[test]
fn real_transforms_undo_each_other() {
    for n in LENGTHS {
        let x = Expr::input("x", [2, n], DType::F64);
        assert_eq!(*x.rfft().shape(), [2, n / 2 + 1, 2].into());
        let value = uniform(&mut seeded(n as u64), [2, n], DType::F64, (-1.0, 1.0));
        assert_close(&format!("length {n}"), &at(&x, |x| x.rfft().irfft(n), value.clone()), &value.to_f64_vec(), 1e-13);
    }
}

// The imaginary parts of the constant and of the fastest frequency mean nothing, so nothing depends on them; every
// other element stands for itself and its mirror image.
#[test]
fn adjoint_of_the_half_transform() {
    for n in [5, 6] {
        let half = n / 2 + 1;
        let y = Expr::input("y", [half, 2], DType::F64);
        let weight: Vec<f64> = (0..n).map(|j| (j as f64 + 1.0).sqrt()).collect();
        let weights = Expr::constant(Tensor::new([n], weight.clone()).unwrap());
        let gradient = grad(&y.irfft(n).mul(&weights).sum(), &[y.clone()]).unwrap().remove(0);
        let got = at(&y, |_| gradient.clone(), Tensor::full([half, 2], 0.5));
        let want: Vec<f64> = (0..half)
            .flat_map(|k| {
                let alone = k == 0 || 2 * k == n;
                let times = if alone { 1.0 } else { 2.0 } / n as f64;
                let sum = |f: fn(f64) -> f64| -> f64 {
                    (0..n).map(|j| weight[j] * f(2.0 * PI * (j * k) as f64 / n as f64)).sum()
                };
                [times * sum(f64::cos), if alone { 0.0 } else { -times * sum(f64::sin) }]
            })
            .collect();
        assert_close(&format!("length {n}"), &got, &want, 1e-13);
    }
}

#[test]
fn images_are_transformed_along_both_axes() {
    let (h, w) = (3, 4);
    let rng = &mut seeded(1);
    let rows = uniform(rng, [h, 1, 2], DType::F64, (-1.0, 1.0));
    let columns = uniform(rng, [1, w, 2], DType::F64, (-1.0, 1.0));
    let (a, b) = (Expr::constant(rows), Expr::constant(columns));
    // The transform of a product of a function of the row and one of the column is the product of the transforms.
    let image = a.try_complex_mul(&b).unwrap();
    let along_rows = a.reshape([h, 2]).fft().reshape([h, 1, 2]);
    let want = along_rows.try_complex_mul(&b.fft()).unwrap();
    let values = run(&[image.try_fft2(false).unwrap(), want], &[]);
    assert_close("separable", &values[0], &values[1], 1e-13);
    let back = run(&[image.try_fft2(false).unwrap().try_fft2(true).unwrap(), image], &[]);
    assert_close("inverse", &back[0], &back[1], 1e-14);
}

#[test]
fn shapes_that_are_not_complex() {
    let x = Expr::input("x", [3], DType::F64);
    assert!(x.try_fft().unwrap_err().to_string().contains("[…, n, 2]"));
    assert!(Expr::input("x", [0, 2], DType::F64).try_ifft().is_err());
    assert!(Expr::input("x", [3, 2], DType::I64).try_fft().is_err());
    assert!(Expr::scalar(1.0, DType::F64).try_rfft().is_err());
    assert!(Expr::input("x", [3, 2], DType::F64).try_irfft(6).unwrap_err().to_string().contains("4, 2"));
    assert!(Expr::input("x", [1, 2], DType::F64).try_irfft(0).is_err());
    assert!(x.try_complex_mul(&x).is_err());
}
