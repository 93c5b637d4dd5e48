//! Encoders learned without labels: two perturbed views of one thing are pulled together, and collapse is prevented.
//!
//! An [`Objective`] is a loss over the embeddings of two views, and [`joint_embedding`] makes a training step of it and
//! of an encoder, which is any function of expressions. A Barlow-Twins run over pairs of images:
//!
//! ```
//! use perturb_graph::Expr;
//! use perturb_nn::{Adam, Examples, Initializer, Layers, Shuffled, Trainer, flatten, recipe};
//! use perturb_ssl::{joint_embedding, objective::BarlowTwins};
//!
//! let images = recipe(1, [64, 3, 8, 8], 1.0);
//! let views = Examples::new("first", images.clone())?.with("second", images)?;
//!
//! let layers = Layers::new(Initializer::he(0));
//! let encoder = |x: &Expr| layers.mlp(&flatten(x), &[32, 8], Expr::relu);
//! let step = joint_embedding(&BarlowTwins::default(), [16, 3, 8, 8], encoder)?;
//! let trained = Trainer::with(Adam::default()).fit(step, &Shuffled::new(views, 16)?, &mut [])?;
//! assert!(trained.loss.is_finite());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! - [`objective`]: Barlow Twins, VICReg, NT-Xent.
//! - [`finite`]: worlds in which learning has a closed form.
//! - [`kernel`]: the same in the feature space of a kernel.
//! - [`eval`]: what happens to an embedding while it is learned.

mod error;
pub mod eval;
pub mod finite;
pub mod kernel;
pub mod objective;
mod train;

pub use error::{Result, SslError};
pub use objective::Objective;
pub use train::joint_embedding;
