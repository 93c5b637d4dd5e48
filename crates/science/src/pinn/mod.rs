//! Physics-informed solvers: a function with trained parameters is fitted to a differential equation at points of its
//! domain, and to values on the border (Raissi et al. 2019). Everything is f64.

mod ansatz;
mod domain;
mod equation;
mod fit;
mod jet;
mod pig;

pub use ansatz::{Ansatz, Perceptron};
pub use domain::Domain;
pub use equation::{Burgers, Equation, Helmholtz, Problem};
pub use fit::{Fit, Solution};
pub use jet::{Jet, jet};
pub use pig::{Centres, Pig};

/// `‖found − exact‖ / ‖exact‖`.
pub fn relative_error(found: &[f64], exact: &[f64]) -> f64 {
    let square = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>();
    let error = square(&mut found.iter().zip(exact).map(|(f, e)| f - e));
    (error / square(&mut exact.iter().copied())).sqrt()
}
