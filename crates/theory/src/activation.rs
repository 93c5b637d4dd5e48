//! Activation functions.

use std::f64::consts::SQRT_2;

/// A scalar nonlinearity φ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// `z`
    Linear,
    /// `max(z, 0)`
    Relu,
    /// `tanh(z)`
    Tanh,
    /// `erf(z)`
    Erf,
    /// `z·Φ(z)` (Hendrycks & Gimpel 2016)
    Gelu,
    /// `−1`, `0` or `1`
    Sign,
}

impl Activation {
    /// Its value.
    pub fn apply(self, z: f64) -> f64 {
        match self {
            Activation::Linear => z,
            Activation::Relu => z.max(0.0),
            Activation::Tanh => z.tanh(),
            Activation::Erf => libm::erf(z),
            Activation::Gelu => 0.5 * z * libm::erfc(-z / SQRT_2),
            Activation::Sign => f64::from(u8::from(z > 0.0)) - f64::from(u8::from(z < 0.0)),
        }
    }

    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Activation::Linear => "linear",
            Activation::Relu => "ReLU",
            Activation::Tanh => "tanh",
            Activation::Erf => "erf",
            Activation::Gelu => "GELU",
            Activation::Sign => "sign",
        }
    }
}
