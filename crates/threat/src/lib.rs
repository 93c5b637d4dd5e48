//! What may be perturbed, and how much.
//!
//! ```
//! use perturb_threat::{Ball, Norm};
//!
//! let ball = Ball::new(Norm::Linf, 8.0 / 255.0, (0.0, 1.0))?;
//! let center = [0.5, 0.01];
//! let mut x = [0.9, -0.3];
//! ball.project(&center, &mut x);
//! assert!(ball.contains(&center, &x));
//! assert_eq!(x[1], 0.0);
//! # Ok::<(), perturb_threat::ThreatError>(())
//! ```
//!
//! - [`Ball`]: all points within a distance of a given one, and within the range of a pixel: project, sample, minimise
//!   a linear function, describe for bound propagation.
//! - [`distance`]: how far apart two points are.
//! - [`step_to_hyperplane`]: the nearest point of a hyperplane within the range of a pixel.

mod ball;
mod domain;
mod error;
mod hyperplane;
mod linear;
mod norm;
mod project;
mod sample;

pub use ball::{Ball, distance};
pub use error::ThreatError;
pub use hyperplane::step_to_hyperplane;
pub use norm::Norm;
