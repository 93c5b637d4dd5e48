//! Fourier transforms and complex numbers.

use super::{Table, WIDE};
use perturb_graph::Expr;

pub fn add(table: &mut Table) {
    let mut of = |name: &str, shape: &[usize], f: &dyn Fn(&Expr) -> Expr| {
        let x = table.input("x", shape);
        let y = f(&x);
        table.add(name, &[(&x, WIDE)], y);
    };
    of("fft of 1", &[2, 1, 2], &Expr::fft);
    of("fft of 5", &[5, 2], &Expr::fft);
    of("ifft of 4", &[2, 4, 2], &Expr::ifft);
    of("rfft of 5", &[2, 5], &Expr::rfft);
    of("rfft of 6", &[6], &Expr::rfft);
    of("irfft to 1", &[1, 2], &|x| x.irfft(1));
    of("irfft to 5", &[3, 2], &|x| x.irfft(5));
    of("irfft to 6", &[2, 4, 2], &|x| x.irfft(6));
    of("fft2", &[2, 3, 2], &|x| x.try_fft2(false).unwrap());
    of("ifft2", &[3, 2, 2], &|x| x.try_fft2(true).unwrap());
    of("power spectrum", &[4], &|x| x.rfft().square().reduce_sum(&[1], false));
    table.two("complex_mul", &[3, 1, 2], &[2, 2], |a, b| a.try_complex_mul(b).unwrap());
    table.two("circular convolution", &[4], &[4], |a, b| a.rfft().try_complex_mul(&b.rfft()).unwrap().irfft(4));
}
