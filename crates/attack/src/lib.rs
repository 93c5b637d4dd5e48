//! Adversarial attacks: the perturbation of an input that breaks a model.
//!
//! ```
//! use perturb_attack::{Attack, Ball, Classifier, Criterion, Fgsm, Norm, Seed};
//! use perturb_graph::{DType, Expr, Graph, Tensor};
//!
//! // Logits (x₀, x₁): the larger coordinate wins.
//! let x = Expr::input("x", [1, 2], DType::F32);
//! let model = Graph::new(vec![x.clone()], vec![("logits".into(), x)])?;
//! let model = Classifier::new(&model, 8)?;
//! let inputs = Tensor::new([2, 2], vec![0.6f32, 0.5, 0.9, 0.1])?;
//! let criterion = Criterion::Misclassify { labels: vec![0, 0] };
//! let ball = Ball::new(Norm::Linf, 0.1, (0.0, 1.0))?;
//! let found = Fgsm.run(&model, &inputs, &criterion, &ball, &Seed::new(0, 0))?;
//! assert_eq!(found.success, [true, false]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! An [`Attack`] is a small struct of hyperparameters with one call; what counts as success is a [`Criterion`], what may
//! be changed a [`Ball`].
//!
//! - Gradient ascent within a ball: [`Fgsm`], [`Pgd`], the other configurations of [`Ascent`] (BIM, MI-, NI-, DI- and
//!   TI-FGSM), and [`Apgd`], [`ApgdT`], which choose their own step size.
//! - The nearest adversarial example: [`DeepFool`], [`Fab`].
//! - With the logits only: [`Square`].
//! - Several in turn: [`AutoAttack`]. The smallest budget of a list that suffices: [`minimal_epsilon`].
//!
//! Every attack keeps these promises: each returned example lies in the ball around its input and within the bounds, in
//! single precision; success was verified by a separate forward pass; the result for one example depends on that example,
//! its index and the seed only, not on what it is batched with.

mod apgd;
mod ascent;
mod attack;
mod classifier;
mod criterion;
mod deepfool;
mod ensemble;
mod error;
mod fab;
mod fgsm;
mod geometry;
mod loss;
mod minimal;
mod pgd;
mod problem;
mod seed;
mod square;

pub use apgd::{Apgd, ApgdT};
pub use ascent::{Ascent, Diversity, Smoothing, Start};
pub use attack::{Adversarial, Attack};
pub use classifier::Classifier;
pub use criterion::Criterion;
pub use deepfool::DeepFool;
pub use ensemble::{AutoAttack, Version, in_turn};
pub use error::AttackError;
pub use fab::Fab;
pub use fgsm::Fgsm;
pub use loss::Loss;
pub use minimal::{MinimalEpsilon, minimal_epsilon};
pub use perturb_threat::{Ball, Norm};
pub use pgd::Pgd;
pub use seed::Seed;
pub use square::Square;
