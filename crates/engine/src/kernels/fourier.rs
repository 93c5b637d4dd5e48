//! Discrete Fourier transforms of lines, by the `rustfft` crate.

use super::SERIAL;
use crate::element::Scratch;
use crate::storage::{typed, typed_mut};
use num_complex::Complex;
use perturb_graph::DType;
use rayon::prelude::*;
use rustfft::{Fft, FftNum, FftPlanner};
use std::sync::Arc;

/// A transform of lines of one length, planned once.
#[derive(Clone)]
pub(crate) struct Fourier {
    inverse: bool,
    length: usize,
    transform: Transform,
}

#[derive(Clone)]
enum Transform {
    F32(Arc<dyn Fft<f32>>),
    F64(Arc<dyn Fft<f64>>),
}

impl std::fmt::Debug for Fourier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Fourier {{ length: {}, inverse: {} }}", self.length, self.inverse)
    }
}

fn planned<T: FftNum>(length: usize, inverse: bool) -> Arc<dyn Fft<T>> {
    let mut planner = FftPlanner::new();
    if inverse { planner.plan_fft_inverse(length) } else { planner.plan_fft_forward(length) }
}

impl Fourier {
    /// A transform of `length` complex numbers of the floating-point type `dtype`.
    pub fn new(length: usize, inverse: bool, dtype: DType) -> Fourier {
        let transform = match dtype {
            DType::F32 => Transform::F32(planned(length, inverse)),
            _ => Transform::F64(planned(length, inverse)),
        };
        Fourier { inverse, length, transform }
    }

    /// Floating-point operations of transforming `count` real and imaginary parts, as they are counted for powers of
    /// two.
    pub fn flops(&self, count: usize) -> u64 {
        (2.5 * count as f64 * (self.length as f64).log2()) as u64
    }
}

/// Transforms every line of `x`.
pub(crate) fn run(f: &Fourier, x: &[u8], out: &mut [u8]) {
    match &f.transform {
        Transform::F32(t) => lines::<f32>(f, &**t, 1.0 / f.length as f32, x, out),
        Transform::F64(t) => lines::<f64>(f, &**t, 1.0 / f.length as f64, x, out),
    }
}

fn lines<T>(f: &Fourier, transform: &dyn Fft<T>, share: T, x: &[u8], out: &mut [u8])
where
    T: FftNum + Scratch,
    Complex<T>: bytemuck::Pod,
{
    let (x, out) = (typed::<Complex<T>>(&x[..out.len()]), typed_mut::<Complex<T>>(out));
    let task = |x: &[Complex<T>], out: &mut [Complex<T>]| {
        out.copy_from_slice(x);
        T::with_scratch(2 * transform.get_inplace_scratch_len(), |scratch| {
            transform.process_with_scratch(out, bytemuck::cast_slice_mut(scratch));
        });
        if f.inverse {
            out.iter_mut().for_each(|v| *v = v.scale(share));
        }
    };
    if x.len() <= SERIAL {
        return task(x, out);
    }
    let size = f.length * (SERIAL / f.length).max(1);
    out.par_chunks_mut(size).zip(x.par_chunks(size)).for_each(|(out, x)| task(x, out));
}
