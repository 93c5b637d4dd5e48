//! Conversion between element types.

use super::SERIAL;
use crate::element::{Lane, with_lane};
use crate::storage::{typed, typed_mut};
use perturb_graph::DType;
use rayon::prelude::*;

/// Conversion as by Rust's `as`, and to truth values by whether an element is not 0.
trait To<T> {
    fn to(self) -> T;
}

macro_rules! to {
    ($($from:ident => $($to:ident),*;)*) => {$($(
        impl To<$to> for $from {
            #[inline(always)]
            fn to(self) -> $to { self as $to }
        }
    )*)*};
}
to! {
    f32 => f32, f64, i64;
    f64 => f32, f64, i64;
    i64 => f32, f64, i64;
    u8 => f32, f64, i64, u8;
}

macro_rules! to_truth {
    ($($from:ident),*) => {$(
        impl To<u8> for $from {
            #[inline(always)]
            fn to(self) -> u8 { u8::from(self != 0 as $from) }
        }
    )*};
}
to_truth!(f32, f64, i64);

/// Converts the first `out.len()` elements of `x`, which are of type `from`, to type `to`.
pub(crate) fn run(from: DType, x: &[u8], to: DType, out: &mut [u8]) {
    with_lane!(from, A => with_lane!(to, B => convert::<A, B>(typed(x), typed_mut(out))));
}

fn convert<A: Lane + To<B>, B: Lane>(x: &[A], out: &mut [B]) {
    let convert = |x: &[A], out: &mut [B]| out.iter_mut().zip(x).for_each(|(o, &v)| *o = v.to());
    if out.len() <= SERIAL {
        return convert(x, out);
    }
    out.par_chunks_mut(SERIAL).zip(x.par_chunks(SERIAL)).for_each(|(o, x)| convert(x, o));
}
