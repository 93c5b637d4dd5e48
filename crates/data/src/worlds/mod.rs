//! Worlds: data that are computed, each example with the truth about itself.
//!
//! A world's sample depends on its seed and index alone, so any part of a world can be computed anywhere, in any
//! order and on any number of threads, and comes out the same. Truth means masks, factors, captions, exact densities,
//! exact moments, exact solutions: what a method claims about a sample can be compared with what is so.
//!
//! | world | one sample | truth |
//! |---|---|---|
//! | [`shapes`] | a picture of figures, or a clip | factors, masks, captions, scene graph, answers, velocities |
//! | [`mixtures`] | a point | class, log-density and score, noised too |
//! | [`pde`] | a field over time | exact solutions or a solver of known error |
//! | [`sem`] | a row of variables | graph, moments under interventions, counterfactuals |
//! | [`grammar`] | a sentence | tree, log-probability, parts of speech, sentiment, synonyms, translation |
//! | [`series`] | a time series | its parts, regimes, anomalies, salient times |
//! | [`graphs`] | a graph | blocks, positions, roles, edges that explain |
//! | [`markov`] | a path, a session | stationary law, likelihood, values |
//! | [`market`] | returns and features | regimes, conditional mean and covariance, best portfolio |

mod error;
pub mod grammar;
pub mod graphs;
pub mod market;
pub mod markov;
pub mod mixtures;
pub mod pde;
pub mod sem;
pub mod series;
pub mod shapes;
mod stream;

pub use error::WorldError;
pub use shapes::{Factors, Sample, ShapeKind, Shapes, ShapesSet, Texture};
