//! Dense factorisations and solutions of row-major matrices: what the reference evaluator and kernels both call.
//!
//! Every routine computes in `f64` and rounds its result once, whatever the element type. The iterative ones
//! (eigenvalues, singular values) come from `faer`.

mod direct;
mod spectral;

pub use direct::{cholesky, qr, solve, triangular_solve};
pub use spectral::{eigh, svd};

/// A floating-point type that the routines read and write.
pub trait Real: Copy {
    /// The value, exactly.
    fn widen(self) -> f64;
    /// The nearest value.
    fn narrow(value: f64) -> Self;
}

impl Real for f32 {
    fn widen(self) -> f64 {
        f64::from(self)
    }
    fn narrow(value: f64) -> f32 {
        value as f32
    }
}

impl Real for f64 {
    fn widen(self) -> f64 {
        self
    }
    fn narrow(value: f64) -> f64 {
        value
    }
}

fn widened<T: Real>(values: &[T]) -> Vec<f64> {
    values.iter().map(|v| v.widen()).collect()
}

fn store<T: Real>(values: &[f64], out: &mut [T]) {
    assert_eq!(values.len(), out.len(), "the result has the documented size");
    out.iter_mut().zip(values).for_each(|(o, &v)| *o = T::narrow(v));
}
