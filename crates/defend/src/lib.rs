//! Training that makes a model hold when its input or its weights are perturbed.
//!
//! A defence is a [`Hook`](perturb_nn::Hook) that changes a training step; hooks compose in the order in which they are
//! applied. Adversarial training with adversarial weight perturbation:
//!
//! ```
//! use perturb_defend::{AdversarialTraining, WeightPerturbation};
//! use perturb_graph::{DType, Expr, Graph};
//! use perturb_nn::{Initializer, Layers, Step};
//!
//! let x = Expr::input("image", [1, 196], DType::F32);
//! let logits = Layers::new(Initializer::he(0)).mlp(&x, &[32, 10], Expr::relu);
//! let graph = Graph::new(vec![x], vec![("logits".into(), logits)])?;
//! let mut step = Step::classifier(&graph, 64)?;
//! step.apply(&AdversarialTraining { epsilon: 0.1, step: 0.025, ..AdversarialTraining::default() })?;
//! step.apply(&WeightPerturbation::awp(0.01))?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod adversarial;
mod weight;

pub use adversarial::AdversarialTraining;
pub use weight::{Perturbing, WeightPerturbation};
