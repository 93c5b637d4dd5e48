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
//! - The nearest adversarial example: [`DeepFool`], [`Fab`], [`Ddn`], [`CarliniWagner`], [`ElasticNet`], [`Jsma`], and
//!   [`Spatial`], where near means little moved.
//! - With the logits only: [`Square`], [`Estimated`] (SPSA, NES), [`OnePixel`]; with the decisions only: [`Boundary`],
//!   [`HopSkipJump`].
//! - Several in turn: [`AutoAttack`]. One perturbation for all inputs: [`Uap`], [`TPower`] for one of few pixels,
//!   [`GdUap`] without data. The smallest budget of a list that
//!   suffices: [`minimal_epsilon`]. All by their names: [`registry`].
//! - The top K classes in a given order: [`ordered`].
//! - Of an encoder, not of a classifier: [`feature`], with random [`views`]; of models of images and text, for all inputs
//!   at once: [`cross_modal`].
//! - What an embedding tells about its text: [`invert`].
//! - Not small but plausible, other colours and textures, or another image of a diffusion model: [`unrestricted`].
//! - Questions about an image, changed in one word and in their answer: [`contrast`].
//! - Distances of images as they look, and attacks on them: [`perceptual`].
//! - Not of inputs but of a network's weights: [`parameters`].
//! - What perturbations say about a model: [`measure`].
//!
//! Every attack keeps these promises: each returned example lies in the ball around its input and within the bounds, in
//! single precision; success was verified by a separate forward pass; the result for one example depends on that example,
//! its index and the seed only, not on what it is batched with. There are two exceptions to the last: [`Uap`] is one
//! perturbation for all, and targeted attacks with the decisions only start from another of the inputs.

mod adam;
mod apgd;
mod ascent;
mod attack;
mod batched;
mod carlini_wagner;
mod classifier;
pub mod contrast;
mod criterion;
pub mod cross_modal;
mod ddn;
mod decision;
mod deepfool;
mod descent;
mod elastic_net;
mod ensemble;
mod error;
mod estimated;
mod fab;
pub mod feature;
mod fgsm;
mod geometry;
pub mod invert;
mod jsma;
mod local;
mod loss;
pub mod measure;
mod minimal;
mod one_pixel;
pub mod ordered;
pub mod parameters;
pub mod perceptual;
mod pgd;
mod problem;
pub mod registry;
mod seed;
mod spatial;
mod square;
mod tradeoff;
mod universal;
pub mod unrestricted;
pub mod views;

pub use apgd::{Apgd, ApgdT};
pub use ascent::{Ascent, Diversity, Keep, Smoothing, Start};
pub use attack::{Adversarial, Attack};
pub use carlini_wagner::CarliniWagner;
pub use classifier::Classifier;
pub use criterion::Criterion;
pub use ddn::Ddn;
pub use decision::{Boundary, HopSkipJump};
pub use deepfool::{Approach, DeepFool};
pub use elastic_net::ElasticNet;
pub use ensemble::{AutoAttack, Version, in_turn};
pub use error::AttackError;
pub use estimated::{Estimated, Estimator};
pub use fab::Fab;
pub use fgsm::Fgsm;
pub use jsma::Jsma;
pub use loss::Loss;
pub use minimal::{MinimalEpsilon, minimal_epsilon};
pub use one_pixel::OnePixel;
pub use perturb_threat::{Ball, Norm};
pub use pgd::Pgd;
pub use seed::Seed;
pub use spatial::Spatial;
pub use square::Square;
pub use universal::{GdUap, Prior, Singular, TPower, Uap, Universal};
