//! Fourier transforms and complex numbers, whose real and imaginary parts are the two elements of a last axis.

use crate::{Expr, Fft, Result};

// A shape error that names the operation.
fn refuse<T>(op: &str, reason: impl Into<String>, of: &Expr) -> Result<T> {
    crate::op::shape_error(op, reason, std::slice::from_ref(of))
}

impl Expr {
    /// Discrete Fourier transform of complex numbers `[…, n, 2]` over axis −2, see [`Fft`].
    ///
    /// # Errors
    /// If the last axis is not (real, imaginary), or there are no numbers.
    pub fn try_fft(&self) -> Result<Expr> {
        Expr::apply(Fft { inverse: false }, std::slice::from_ref(self))
    }

    /// Inverse of [`Expr::try_fft`], with the factor 1/n.
    ///
    /// # Errors
    /// See [`Expr::try_fft`].
    pub fn try_ifft(&self) -> Result<Expr> {
        Expr::apply(Fft { inverse: true }, std::slice::from_ref(self))
    }

    /// See [`Expr::try_fft`].
    ///
    /// # Panics
    /// If the last axis is not (real, imaginary), or there are no numbers.
    #[track_caller]
    pub fn fft(&self) -> Expr {
        self.try_fft().unwrap_or_else(|e| panic!("{e}"))
    }

    /// See [`Expr::try_ifft`].
    ///
    /// # Panics
    /// If the last axis is not (real, imaginary), or there are no numbers.
    #[track_caller]
    pub fn ifft(&self) -> Expr {
        self.try_ifft().unwrap_or_else(|e| panic!("{e}"))
    }

    /// The non-redundant half `[…, n/2 + 1, 2]` of the Fourier transform of real numbers `[…, n]`.
    ///
    /// # Errors
    /// If this is a scalar, there are no numbers, or the type is not a floating-point type.
    pub fn try_rfft(&self) -> Result<Expr> {
        let Some(&n) = self.shape().last() else { return refuse("rfft", "a scalar has no axis to transform", self) };
        let axis = self.rank() - 1;
        Ok(self.try_with_imaginary(&self.like(0.0))?.try_fft()?.slice_axis(axis, 0, n / 2 + 1))
    }

    /// The real numbers `[…, n]` whose [`Expr::try_rfft`] is this `[…, n/2 + 1, 2]`. Imaginary parts of the first
    /// element and, for even n, of the last one have no meaning and are ignored.
    ///
    /// # Errors
    /// If this is not the half transform of `n` numbers, or `n` is 0.
    pub fn try_irfft(&self, n: usize) -> Result<Expr> {
        let rank = self.rank();
        if rank < 2 || n == 0 || self.shape()[rank - 2] != n / 2 + 1 || self.shape()[rank - 1] != 2 {
            return refuse("irfft", format!("needs the half transform […, {}, 2] of {n} numbers", n / 2 + 1), self);
        }
        let axis = rank - 2;
        // The other half is the conjugate, in the opposite order.
        let rest = n - (n / 2 + 1);
        let whole = match rest {
            0 => self.clone(),
            _ => {
                let mirrored = self.slice_axis(axis, 1, rest + 1).try_reverse(&[axis])?.conjugate();
                Expr::try_concat(&[self.clone(), mirrored], axis)?
            }
        };
        Ok(whole.try_ifft()?.real())
    }

    /// See [`Expr::try_rfft`].
    ///
    /// # Panics
    /// If this is a scalar or there are no numbers.
    #[track_caller]
    pub fn rfft(&self) -> Expr {
        self.try_rfft().unwrap_or_else(|e| panic!("{e}"))
    }

    /// See [`Expr::try_irfft`].
    ///
    /// # Panics
    /// If this is not the half transform of `n` numbers.
    #[track_caller]
    pub fn irfft(&self, n: usize) -> Expr {
        self.try_irfft(n).unwrap_or_else(|e| panic!("{e}"))
    }

    /// Fourier transform of complex images `[…, h, w, 2]` over both of their axes; the inverse divides by h·w.
    ///
    /// # Errors
    /// If the shape is not that of complex images, or they are empty.
    pub fn try_fft2(&self, inverse: bool) -> Result<Expr> {
        if self.rank() < 3 {
            return refuse("fft2", "needs complex images […, h, w, 2]", self);
        }
        let transform = |x: &Expr| Expr::apply(Fft { inverse }, std::slice::from_ref(x));
        let (rows, columns) = (self.rank() - 3, self.rank() - 2);
        Ok(transform(&transform(self)?.move_axis(rows, columns))?.move_axis(rows, columns))
    }

    /// Complex numbers `[…, 2]` with this as real part.
    ///
    /// # Errors
    /// If the parts differ in shape or type.
    pub fn try_with_imaginary(&self, imaginary: &Expr) -> Result<Expr> {
        let column = |x: &Expr| x.try_reshape(x.shape().iter().copied().chain([1]).collect::<crate::Shape>());
        Expr::try_concat(&[column(self)?, column(imaginary)?], self.rank())
    }

    /// Real parts of complex numbers `[…, 2]`.
    ///
    /// # Panics
    /// If the last axis does not have two elements.
    #[track_caller]
    pub fn real(&self) -> Expr {
        self.part(0)
    }

    /// Imaginary parts of complex numbers `[…, 2]`.
    ///
    /// # Panics
    /// If the last axis does not have two elements.
    #[track_caller]
    pub fn imaginary(&self) -> Expr {
        self.part(1)
    }

    #[track_caller]
    fn part(&self, index: usize) -> Expr {
        assert_eq!(self.shape().last(), Some(&2), "complex numbers have a last axis (real, imaginary)");
        let axis = self.rank() - 1;
        self.slice_axis(axis, index, index + 1).reshape(&self.shape()[..axis])
    }

    /// Complex conjugates of complex numbers `[…, 2]`.
    ///
    /// # Panics
    /// If the last axis does not have two elements.
    #[track_caller]
    pub fn conjugate(&self) -> Expr {
        let signs = crate::Tensor::from_f64([2], self.dtype(), vec![1.0, -1.0]).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(self.shape().last(), Some(&2), "complex numbers have a last axis (real, imaginary)");
        self.mul(&Expr::constant(signs))
    }

    /// Product of complex numbers `[…, 2]`, the leading axes broadcast as in NumPy.
    ///
    /// # Errors
    /// If a last axis does not have two elements, or shapes or types do not fit.
    pub fn try_complex_mul(&self, other: &Expr) -> Result<Expr> {
        for x in [self, other] {
            if x.shape().last() != Some(&2) {
                return refuse("complex_mul", "complex numbers have a last axis (real, imaginary)", x);
            }
        }
        let (a, b, c, d) = (self.real(), self.imaginary(), other.real(), other.imaginary());
        let real = a.try_mul(&c)?.try_sub(&b.try_mul(&d)?)?;
        real.try_with_imaginary(&a.try_mul(&d)?.try_add(&b.try_mul(&c)?)?)
    }
}
