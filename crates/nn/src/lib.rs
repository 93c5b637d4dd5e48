//! Layers, initial weights, optimizers, losses, and the training loop.
//!
//! # A model is a graph
//!
//! [`Layers`] makes parameters with names and initial values, and its methods are layers: functions of expressions.
//! There is no module type to derive and no forward pass to write; a model is whatever function of
//! [`Expr`](perturb_graph::Expr)s you write, and every transform of `perturb-graph` applies to what it returns.
//!
//! # A training step is a graph, too
//!
//! A [`Step`] holds the batch, the objective and what hooks do to them; it is differentiated, joined with the
//! [`Optimizer`]'s formula and compiled into one executable, in which parameters and states live. A [`Trainer`] runs it
//! over [`Batches`], which are made on another thread.
//!
//! ```
//! use perturb_graph::{DType, Expr, Tensor};
//! use perturb_nn::{Adam, Examples, Initializer, Layers, Shuffled, Step, Trainer, losses, recipe};
//!
//! // y = x₀·x₁ at 256 points.
//! let points = recipe(1, [256, 2], 1.0);
//! let products: Vec<f32> = points.as_slice::<f32>().chunks(2).map(|p| p[0] * p[1]).collect();
//! let examples = Examples::new("x", points)?.with("y", Tensor::new([256, 1], products)?)?;
//!
//! let layers = Layers::new(Initializer::pytorch(0));
//! let network = |x: &Expr| layers.mlp(x, &[32, 32, 1], Expr::tanh);
//! let mut step = Step::new();
//! let (x, y) = (step.input("x", [32, 2], DType::F32), step.input("y", [32, 1], DType::F32));
//! step.minimize(losses::mse(&network(&x), &y));
//!
//! let trainer = Trainer { epochs: 100, ..Trainer::with(Adam { learning_rate: 1e-2, ..Adam::default() }) };
//! let trained = trainer.fit(step, &Shuffled::new(examples, 32)?, &mut [])?;
//! assert!(trained.loss < 1e-2, "{}", trained.loss);
//!
//! // The trained model is the same function of expressions, bound to the trained parameters.
//! let at = Expr::constant(Tensor::new([1, 2], vec![0.5f32, -0.8])?);
//! let value = perturb_graph::eval(&trained.parameters.bind_exprs(&[network(&at)])?, &[])?;
//! assert!((value[0].as_slice::<f32>()[0] + 0.4).abs() < 0.1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # A method is a change to the step
//!
//! A method of training is a [`Hook`], mostly of a few lines. Adversarial training by the fast gradient sign method
//! (Goodfellow et al. 2015), followed by a step that sees the loss at perturbed weights, reads:
//!
//! ```
//! use perturb_graph::{Expr, grad};
//! use perturb_nn::{Hook, Step, TrainError};
//!
//! struct Fgsm {
//!     epsilon: f64,
//! }
//!
//! impl Hook for Fgsm {
//!     fn apply(&self, step: &mut Step) -> Result<(), TrainError> {
//!         let x = step.named("input")?;
//!         let ascent = grad(&step.objective()?.sum(), &[x.clone()])?.remove(0);
//!         step.replace(&x, &x.add(&ascent.sign().scale(self.epsilon)).clip(0.0, 1.0))
//!     }
//! }
//!
//! /// Moves all weights uphill by `rho` in the joint norm (Foret et al. 2021).
//! fn sam(step: &mut Step, rho: f64) -> Result<(), TrainError> {
//!     let parameters = step.parameters()?;
//!     let ascent = grad(&step.loss_with(&[])?.reduce_mean(&[0], false), &parameters)?;
//!     let norm = ascent.iter().map(|g| g.square().sum()).reduce(|a, b| a.add(&b)).expect("parameters").sqrt();
//!     let amounts: Vec<_> = parameters.into_iter().zip(ascent).map(|(p, g)| (p, g.div(&norm).scale(rho))).collect();
//!     step.move_weights(&amounts)
//! }
//! # let layers = perturb_nn::Layers::new(perturb_nn::Initializer::he(0));
//! # let x = Expr::input("x", [1, 4], perturb_graph::DType::F32);
//! # let graph = perturb_graph::Graph::new(vec![x.clone()], vec![("logits".into(), layers.linear(&x, 3))])?;
//! # let mut step = Step::classifier(&graph, 8)?;
//! step.apply(&Fgsm { epsilon: 0.1 })?;
//! step.apply(&|step: &mut Step| sam(step, 0.05))?;
//! # perturb_nn::Trainer::default().start(step, 1)?;
//! # Ok::<(), TrainError>(())
//! ```
//!
//! [`Step`] lists all means by which a method changes it. Ready-made hooks are [`ClipGradients`], [`Ema`], [`Swa`] and
//! [`IntervalLoss`]; families build theirs the same way.
//!
//! # What a run leaves
//!
//! [`Trained`] has everything by name. [`Parameters`] are read and written as safetensors with PyTorch's names and layout;
//! a [`Checkpoint`] keeps the state of a run, from which it goes on bit by bit. [`Callback`]s watch a run
//! ([`EarlyStopping`] is one), and an [`Evaluator`] computes validation scores with the parameters of the moment.

mod atomic;
mod batches;
mod error;
mod init;
mod key;
mod layers;
pub mod losses;
mod optimizers;
mod parameters;
pub mod peers;
mod schedule;
mod step;
mod train;

pub use batches::{Batch, Batches, Examples, Position, Shuffled, Without};
pub use error::{TensorDifference, TrainError};
pub use init::{Init, Initializer, recipe};
pub use key::Key;
pub use layers::{
    Attention, Cell, Edges, Layers, Pooling, flatten, fourier_features, pool, rotary, sinusoidal_features,
    sinusoidal_positions,
};
pub use optimizers::{Adagrad, Adam, Group, Lbfgs, Minimum, Optimizer, RmsProp, Select, Sgd, Update, updates};
pub use parameters::Parameters;
pub use schedule::{Cosine, OneCycle, Polynomial, Ramp, Schedule, StepDecay};
pub use step::{ClipGradients, Ema, Gradient, Hook, IntervalLoss, Step, Swa, Updated};
pub use train::{Callback, Checkpoint, Control, EarlyStopping, Evaluator, Run, Trained, Trainer};
