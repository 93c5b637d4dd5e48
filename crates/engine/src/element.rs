//! The element types that plans store and compute in.

use crate::kernels::elementwise::{Arg, Operand, Scalar, dispatch};
use crate::kernels::integer;
use crate::storage::{Storage, typed_mut};
use std::cell::RefCell;

// A stack of buffers: a kernel that waits inside rayon may run another task on the same thread.
thread_local!(static FREE: RefCell<Vec<Storage>> = const { RefCell::new(Vec::new()) });

/// A type that a thread keeps scratch buffers of.
pub(crate) trait Scratch: bytemuck::Pod {
    /// Lends a scratch buffer of `len` elements that belongs to this thread and begins with a cache line; its contents are
    /// arbitrary. Calls may nest.
    fn with_scratch<R>(len: usize, f: impl FnOnce(&mut [Self]) -> R) -> R {
        let bytes = len * size_of::<Self>();
        let free = FREE.with(|free| free.borrow_mut().pop());
        let mut buffer = free.filter(|b| b.bytes().len() >= bytes).unwrap_or_else(|| Storage::new(bytes));
        let result = f(&mut typed_mut(buffer.bytes_mut())[..len]);
        FREE.with(|free| free.borrow_mut().push(buffer));
        result
    }
}

impl<T: bytemuck::Pod> Scratch for T {}

/// An element of a plan: `f32`, `f64`, `i64`, or a truth value as a byte that is 0 or 1.
pub(crate) trait Lane: Scratch + Send + Sync + PartialOrd + std::fmt::Debug {
    const ZERO: Self;
    /// An immediate operand's value in this type.
    fn immediate(arg: Arg) -> Self;
    /// One instruction of an elementwise program over a tile.
    fn execute(op: Scalar, args: [Operand<Self>; 3], out: &mut [Self]);
}

macro_rules! lane {
    ($t:ident, $execute:path, $immediate:expr) => {
        impl Lane for $t {
            const ZERO: Self = 0 as $t;
            #[inline(always)]
            fn immediate(arg: Arg) -> Self {
                $immediate(arg)
            }
            #[inline(always)]
            fn execute(op: Scalar, args: [Operand<Self>; 3], out: &mut [Self]) {
                $execute(op, args, out)
            }
        }
    };
}
lane!(f32, dispatch, |arg| float(arg) as f32);
lane!(f64, dispatch, float);
lane!(i64, integer::execute, integer);
lane!(u8, integer::execute_truth, |arg| u8::from(integer(arg) != 0));

fn float(arg: Arg) -> f64 {
    match arg {
        Arg::Immediate(v) => v,
        Arg::Integer(v) => v as f64,
        _ => 0.0,
    }
}

fn integer(arg: Arg) -> i64 {
    match arg {
        Arg::Immediate(v) => v as i64,
        Arg::Integer(v) => v,
        _ => 0,
    }
}

/// Runs `$body` with `$t` as the Rust type that stores elements of `$dtype`.
macro_rules! with_lane {
    ($dtype:expr, $t:ident => $body:expr) => {
        match $dtype {
            perturb_graph::DType::F32 => {
                type $t = f32;
                $body
            }
            perturb_graph::DType::F64 => {
                type $t = f64;
                $body
            }
            perturb_graph::DType::I64 => {
                type $t = i64;
                $body
            }
            perturb_graph::DType::Bool => {
                type $t = u8;
                $body
            }
        }
    };
}

/// Like [`with_lane`] for primitives that exist for numbers only.
macro_rules! with_number {
    ($dtype:expr, $t:ident => $body:expr) => {
        match $dtype {
            perturb_graph::DType::I64 => {
                type $t = i64;
                $body
            }
            other => $crate::element::with_float!(other, $t => $body),
        }
    };
}

/// Like [`with_lane`] for primitives that exist for floating-point operands only.
macro_rules! with_float {
    ($dtype:expr, $t:ident => $body:expr) => {
        match $dtype {
            perturb_graph::DType::F32 => {
                type $t = f32;
                $body
            }
            perturb_graph::DType::F64 => {
                type $t = f64;
                $body
            }
            other => unreachable!("the graph has no {other} operands here"),
        }
    };
}
pub(crate) use {with_float, with_lane, with_number};
