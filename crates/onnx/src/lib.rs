//! ONNX models to perturb graphs, and back.
//!
//! ```no_run
//! use perturb_onnx::{ImportOptions, OnnxModel, import};
//!
//! let model = OnnxModel::read("classifier.onnx")?;
//! let graph = import(&model, &ImportOptions::default())?;
//! println!("{:?} -> {:?}", graph.inputs, graph.outputs);
//! # Ok::<(), perturb_onnx::OnnxError>(())
//! ```
//!
//! And any graph, also one that a transform made, becomes a file that other runtimes execute:
//!
//! ```
//! use perturb_graph::{DType, Expr, Graph, grad};
//! use perturb_onnx::{ExportOptions, OnnxModel, export};
//!
//! let x = Expr::input("x", [1, 4], DType::F32);
//! let gradient = grad(&x.softmax(1).square().sum(), &[x.clone()])?.remove(0);
//! let bytes = export(&Graph::new(vec![x], vec![("gradient".into(), gradient)])?, &ExportOptions::default())?;
//! assert!(OnnxModel::from_bytes(bytes).is_ok());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The graph is for one example, as the file declares it: a symbolic batch is 1, and larger batches come from
//! `Graph::vmap`. All floating-point arithmetic is in one type, [`ImportOptions::dtype`]; half-precision weights are
//! widened. Integers of every width are `i64`, in the graph's inputs too: convert where you feed them. They do not wrap
//! around at the end of a narrower type's range, except where the file converts a constant. Truth values are 0 and 1
//! inside the graph, and of type `bool` where they are inputs or outputs. Shapes are fixed: whatever a shape, an axis or
//! a number of elements depends on must be known when the file is imported, indices need not be. Which operators are
//! read, and how they do in the standard's own tests, is in `OPERATORS.md`.
//!
//! Files are hostile until proved otherwise: nothing in one makes the reader panic, allocate what the file only
//! declares, or read outside the file's own folder.

mod declared;
mod decode;
mod error;
mod export;
mod external;
mod host;
mod import;
mod node;
mod ops;
mod order;
pub mod proto;
mod read;
mod value;
pub mod vnnlib;
mod window;

pub use error::{OnnxError, Result, Unsupported};
pub use export::{EXPORT_OPSET, ExportError, ExportOptions, export, save};
pub use import::{ImportOptions, import};
pub use ops::supported as supported_operators;
pub use read::{MAX_MODEL_BYTES, OPSETS, OnnxModel};
