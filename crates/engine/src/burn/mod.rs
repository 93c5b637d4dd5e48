//! Plans on the devices of [Burn](https://burn.dev): its portable CPU device, and GPUs through CUDA, Vulkan, Metal and
//! WebGPU (features `burn`, `burn-cuda`, `burn-vulkan`, `burn-metal`, `burn-webgpu`).
//!
//! ```
//! use perturb_engine::burn::{BurnExecutable, Device};
//! use perturb_graph::{DType, Expr, Tensor, grad};
//!
//! let x = Expr::input("x", [2], DType::F32);
//! let y = x.square().sum();
//! let gradient = grad(&y, &[x.clone()])?.remove(0);
//! let device = Device::available().pop().unwrap_or(Device::Cpu);
//! let exe = BurnExecutable::compile(&[y, gradient], &[x], &device)?;
//! let out = exe.run(&[&Tensor::new([2], vec![1.0f32, -3.0])?])?;
//! assert_eq!(out[0].as_slice::<f32>(), [10.0]);
//! assert_eq!(out[1].as_slice::<f32>(), [2.0, -6.0]);
//! assert!(exe.fallbacks().is_empty());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What runs where
//!
//! Floating-point values live on the device, from the weights, which are moved there when a graph is compiled, to the
//! outputs, which are moved back together at the end of a run. Every primitive with a floating-point result is mapped to
//! Burn's operations, except those listed below. Results differ from those of [`Executable`](crate::Executable) by
//! rounding only: the order of sums is the device's, and GPUs approximate functions to an absolute rather than a relative
//! error and may take subnormal numbers for 0. `f64` needs the CPU or CUDA.
//!
//! Integers and truth values live on the host, where they are exact in 64 bits whatever the device, and are moved to the
//! device where they index it; an index outside of its axis is an error.
//!
//! The host computes, and [`BurnExecutable::fallbacks`] names with the reason:
//!
//! - primitives with an integer result and floating-point operands: `argmax`, `argsort`, casts to integers and truth
//!   values;
//! - `sort`, which Burn leaves to the host as well, and `rem`, whose sign Burn defines otherwise;
//! - Fourier transforms, factorisations, linear systems, and loops (`scan`);
//! - convolutions over more than three spatial axes, and what touches a tensor without elements.
//!
//! A fallback costs two transfers in every run, and lets the device wait.

mod compiler;
mod contraction;
mod convolution;
mod device;
mod elementwise;
mod executable;
mod host;
mod indexing;
mod kernel;
mod layout;
mod reduce;
mod value;
mod windows;

pub use device::Device;
pub use executable::BurnExecutable;

/// A primitive that the host computes, because the device cannot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fallback {
    /// Name of the primitive.
    pub op: &'static str,
    /// Why.
    pub reason: String,
}
