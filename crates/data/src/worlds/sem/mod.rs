//! The `sem` world: structural equation models, their interventions and their counterfactuals.
//!
//! ![Observational and interventional samples](https://raw.githubusercontent.com/perturb-rs/perturb/main/docs/worlds/sem.png)
//!
//! A [`Sem`] assigns to every node j of a [`Dag`] the value x_j = f_j(x_parents) + s_j ε_j with independent ε of mean 0 and
//! variance 1. Truth that comes with it: the graph; mean and covariance, observational and interventional, exactly
//! ([`Sem::moments`], linear mechanisms with any noise); the counterfactual of any observed row ([`Sem::counterfactual`]).
//! Row `index` of a seed has the same noise under every intervention: rows of two regimes are twins.
//!
//! [`Mixing`] turns latent variables into observations of more dimensions through a map that can be inverted.
//!
//! ```
//! use perturb_data::worlds::sem::{Dag, Intervention, LinearLaw, Sem};
//! let dag = Dag::erdos_renyi(5, 1.5, 7);
//! let sem = Sem::linear(dag, &LinearLaw::default(), 7);
//! let regime = sem.intervene(&[Intervention::Hard { node: 2, value: 1.0 }])?;
//! assert_eq!(regime.moments()?.mean[2], 1.0);
//! let (before, after) = (sem.dataset(1, 100), regime.dataset(1, 100));
//! assert_eq!(&before.shape()[..], [100, 5]);
//! # assert_ne!(before, after);
//! # Ok::<(), perturb_data::worlds::WorldError>(())
//! ```

mod dag;
mod intervention;
mod mechanism;
mod mixing;
mod model;
mod moments;

pub use dag::Dag;
pub use intervention::Intervention;
pub use mechanism::{Mechanism, Noise, NoiseLaw};
pub use mixing::Mixing;
pub use model::{Equation, LinearLaw, Sem};
pub use moments::Moments;
