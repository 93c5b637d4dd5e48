//! Building graphs as one writes formulas: methods and operators over the primitives.
//!
//! Every method that can fail on shapes comes twice: `try_name` returns an error, `name` panics with its message.

/// Defines `name` beside `try_name`: it panics with the error's message.
macro_rules! panicking {
    ($($name:ident, $try_name:ident($($arg:ident: $t:ty),*) -> $result:ty;)*) => {
        impl crate::Expr {$(
            #[doc = concat!("See [`Expr::", stringify!($try_name), "`].\n\n# Panics\nWhere that returns an error.")]
            #[track_caller]
            pub fn $name(&self, $($arg: $t),*) -> $result {
                self.$try_name($($arg),*).unwrap_or_else(|e| panic!("{e}"))
            }
        )*}
    };
}

mod attention;
mod composite;
mod convolution;
mod cumulative;
mod elementwise;
mod fourier;
mod gradient;
mod grid_sample;
mod indexing;
mod linear;
mod linear_algebra;
mod normalization;
mod operators;
mod ordering;
mod padding;
mod random;
mod reduction;
mod resize;
mod scan;
mod structure;

pub use convolution::{Conv, Padding, Pool};
pub use grid_sample::{GridSample, Outside};
pub use resize::{Coordinates, Interpolation, NearestRounding, Resize};
