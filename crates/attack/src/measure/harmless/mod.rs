//! Perturbations that change nothing (Chen et al. 2024).
//!
//! What the first affine layer `A·x + b` of a network maps to zero cannot reach what follows, at any magnitude:
//!
//! ```
//! use perturb_attack::measure::harmless::{AffineLayer, NullSpace};
//! use perturb_graph::{DType, Expr, Graph, Tensor};
//!
//! // relu(x₀ + x₁): the difference of the inputs is not seen.
//! let x = Expr::input("x", [1, 2], DType::F32);
//! let sum = x.matmul(&Expr::param("w", Tensor::new([2, 1], vec![1.0f32, 1.0])?));
//! let model = Graph::new(vec![x], vec![("y".into(), sum.relu())])?;
//! let space = NullSpace::of(&AffineLayer::first(&model)?)?;
//! assert_eq!((space.dimension(), space.rank()), (1, 1));
//! let harmless = space.project(&[3.0, 1.0]);
//! assert!((harmless[0] - 1.0).abs() < 1e-12 && (harmless[1] + 1.0).abs() < 1e-12);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod layer;
mod space;

pub use layer::AffineLayer;
pub use space::{NullSpace, identify};
