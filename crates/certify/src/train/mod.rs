//! Certified training: hooks of a training [`Step`](perturb_nn::Step) whose loss is a bound over a ball around every input,
//! which reverse mode then differentiates like any other graph.
//!
//! [`IbpLoss`] is the cheapest and, with ramps, often the best; [`CrownIbpLoss`] starts from tighter bounds. [`WeightLoss`]
//! bounds the loss over perturbed weights instead of inputs.
//!
//! ```
//! use perturb_certify::train::IbpLoss;
//! use perturb_graph::{DType, Expr, Graph};
//! use perturb_nn::{Initializer, Layers, Step};
//!
//! let x = Expr::input("image", [1, 196], DType::F32);
//! let logits = Layers::new(Initializer::he(0)).mlp(&x, &[32, 10], Expr::relu);
//! let graph = Graph::new(vec![x], vec![("logits".into(), logits)])?;
//! let mut step = Step::classifier(&graph, 64)?;
//! // Ten percent of the steps without, half of them growing, and the rest at ε = 0.1.
//! step.apply(&IbpLoss::ramped(0.1, 0.1, 0.6))?;
//! # perturb_nn::Trainer::default().start(step, 10)?;
//! # Ok::<(), perturb_nn::TrainError>(())
//! ```

mod crown_ibp;
mod ibp_loss;
mod linear_loss;
mod margins;
mod weight_loss;

pub use crown_ibp::{Bounded, CrownIbpLoss};
pub use ibp_loss::IbpLoss;
pub use linear_loss::{fused_cross_entropy, linear_margins};
pub use margins::interval_margins;
pub use weight_loss::WeightLoss;
