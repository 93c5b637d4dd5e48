//! Compiles a perturb graph to a plan and runs it on the CPU.
//!
//! ```
//! use perturb_engine::{Executable, Options};
//! use perturb_graph::{DType, Expr, Tensor, grad};
//!
//! let x = Expr::input("x", [2], DType::F32);
//! let y = x.square().sum();
//! let gradient = grad(&y, &[x.clone()])?.remove(0);
//! let exe = Executable::compile(&[y, gradient], &[x], &Options::default())?;
//! let out = exe.run(&[&Tensor::new([2], vec![1.0f32, -3.0])?])?;
//! assert_eq!(out[0].as_slice::<f32>(), [10.0]);
//! assert_eq!(out[1].as_slice::<f32>(), [2.0, -6.0]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Results do not depend on the number of threads: work is split by its size, never by the size of the pool, and every
//! sum is taken in a fixed order.

#[cfg(feature = "burn")]
pub mod burn;
mod compile;
mod disjoint;
mod element;
mod error;
mod executable;
mod float;
mod kernels;
mod key;
mod looping;
mod lower;
mod plan;
pub mod profile;
mod run;
mod session;
mod storage;
mod view;

pub use error::EngineError;
pub use executable::{Executable, Options, Statistics, set_threads};
pub use session::Session;
