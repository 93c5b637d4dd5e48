//! Models of the physical world as things to perturb.
//!
//! [`pinn`]: functions that are fitted to a differential equation and its boundary values. An [`Ansatz`](pinn::Ansatz) is
//! a function of expressions, so its derivatives are transforms of its graph, and so is the derivative of a loss on them.
//!
//! ```
//! use perturb_nn::{Adam, Initializer, Layers};
//! use perturb_science::pinn::{Domain, Fit, Helmholtz, Pig, Problem, relative_error};
//!
//! // u_xx + u_yy + u = q on the square, with u = sin(πx)·sin(πy).
//! let problem = Problem::helmholtz(Helmholtz { waves: [1.0, 1.0] }, 24)?;
//! let pig = Pig { gaussians: 16, sigma: 0.4, domain: Domain::square(), ..Pig::default() };
//! let layers = Layers::new(Initializer::pytorch(0));
//! let fit = Fit { points: 400, residual_weight: 1e-2, ..Fit::default() };
//! let solution = fit.run(&problem, &pig, &layers)?;
//! let found = solution.values(&problem.domain.lattice(20))?;
//! let exact = problem.exact(&problem.domain.lattice(20));
//! assert!(relative_error(&found, &exact) < 0.1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod error;
pub mod pinn;

pub use error::{Result, ScienceError};
