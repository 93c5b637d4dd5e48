//! Random numbers as functions of a key, a pair (seed, stream) of type `i64`.
//!
//! The same key gives the same numbers, on every machine and in every batch. Draw once with a key, or split it first.

use crate::{Cast, DType, Expr, GraphError, RandomBits, Result, Shape};
use std::f64::consts::PI;

// Keys come from a stream of their own: a key that was split may still be drawn from.
const SPLIT: i64 = 0x5851_F42D_4C95_7F2D;

panicking! {
    random_bits, try_random_bits(shape: impl Into<Shape>) -> Expr;
    random_uniform, try_random_uniform(shape: impl Into<Shape>, dtype: DType) -> Expr;
    random_normal, try_random_normal(shape: impl Into<Shape>, dtype: DType) -> Expr;
    random_split, try_random_split(n: usize) -> Expr;
}

impl Expr {
    /// Words `[…, shape]` in 0..2³² of type `i64` for keys `[…, 2]`, see [`RandomBits`].
    ///
    /// # Errors
    /// If this is no key.
    pub fn try_random_bits(&self, shape: impl Into<Shape>) -> Result<Expr> {
        Expr::apply(RandomBits { shape: shape.into() }, std::slice::from_ref(self))
    }

    /// Uniform numbers `[…, shape]` in [0, 1) for keys `[…, 2]`: the top 24 bits of one word for `f32`, and 53 bits of
    /// two words for `f64` (all 32 of word 2i above the top 21 of word 2i + 1).
    ///
    /// # Errors
    /// If this is no key, or `dtype` no floating-point type.
    pub fn try_random_uniform(&self, shape: impl Into<Shape>, dtype: DType) -> Result<Expr> {
        let shape = shape.into();
        match dtype {
            DType::F32 => {
                let bits = self.try_random_bits(shape)?.div(&integer(1 << 8));
                Ok(Expr::apply(Cast { to: dtype }, &[bits])?.scale(2f64.powi(-24)))
            }
            DType::F64 => {
                let words = self.try_random_bits(shape.iter().copied().chain([2]).collect::<Shape>())?;
                let axis = words.rank() - 1;
                let word = |i: usize| words.slice_axis(axis, i, i + 1).reshape(&words.shape()[..axis]);
                let bits = word(0).mul(&integer(1 << 21)).add(&word(1).div(&integer(1 << 11)));
                Ok(Expr::apply(Cast { to: dtype }, &[bits])?.scale(2f64.powi(-53)))
            }
            _ => {
                let reason = "random numbers are of a floating-point type".to_string();
                Err(GraphError::DType { op: "random_uniform".into(), reason, dtypes: vec![dtype] })
            }
        }
    }

    /// Standard normal numbers `[…, shape]` for keys `[…, 2]` (Box and Muller 1958): the cosine half of the result, then
    /// the sine half, of pairs of uniform numbers.
    ///
    /// # Errors
    /// If this is no key, or `dtype` no floating-point type.
    pub fn try_random_normal(&self, shape: impl Into<Shape>, dtype: DType) -> Result<Expr> {
        let shape = shape.into();
        let Some(count) = shape.checked_count() else {
            let reason = "the number of draws does not fit in an index".to_string();
            return Err(GraphError::Shape { op: "random_normal".into(), reason, shapes: vec![shape] });
        };
        let pairs = count.div_ceil(2);
        let uniform = self.try_random_uniform([2, pairs], dtype)?;
        let axis = uniform.rank() - 2;
        let lead = uniform.shape()[..axis].to_vec();
        let part = |i: usize| uniform.slice_axis(axis, i, i + 1).reshape([&lead[..], &[pairs]].concat());
        // 1 − u lies in (0, 1], where the logarithm is finite.
        let radius = part(0).neg().log1p().scale(-2.0).sqrt();
        let angle = part(1).scale(2.0 * PI);
        let both = Expr::try_concat(&[radius.mul(&angle.cos()), radius.mul(&angle.sin())], axis)?;
        both.slice_axis(axis, 0, count).try_reshape([&lead[..], &shape[..]].concat())
    }

    /// `n` keys `[…, n, 2]` whose numbers have nothing to do with one another's or with this key's `[…, 2]`.
    ///
    /// # Errors
    /// If this is no key.
    pub fn try_random_split(&self, n: usize) -> Result<Expr> {
        let offset = crate::Tensor::new([2], vec![0, SPLIT])?;
        let words = self.try_add(&Expr::constant(offset))?.try_random_bits([n, 2, 2])?;
        let axis = words.rank() - 1;
        let half = |i: usize| words.slice_axis(axis, i, i + 1).reshape(&words.shape()[..axis]);
        // Both halves of 64 bits; the product wraps into the sign.
        Ok(half(1).mul(&integer(1 << 32)).add(&half(0)))
    }
}

fn integer(value: i64) -> Expr {
    Expr::constant(crate::Tensor::scalar(value))
}
