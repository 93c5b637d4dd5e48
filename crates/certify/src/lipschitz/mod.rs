//! Networks with a Lipschitz bound by construction, whatever their parameters are: nothing has to be bounded afterwards, and
//! nothing projected while they are trained.
//!
//! A margin m of the logits certifies every input within the ℓ2 radius `m/(√2·γ)` ([`certified_radius`]):
//!
//! ```
//! use perturb_certify::lipschitz::{Activation, LbdnSequential, Parameterization, certified_radius};
//! use perturb_graph::{DType, Expr, Graph};
//! use perturb_nn::{Initializer, Layers};
//!
//! let network = LbdnSequential {
//!     widths: vec![32, 32, 10],
//!     gamma: 2.0,
//!     activation: Activation::Relu,
//!     parameterization: Parameterization::Sandwich,
//! };
//! let x = Expr::input("x", [1, 20], DType::F32);
//! let logits = network.build(&Layers::new(Initializer::he(0)), &x)?;
//! let graph = Graph::new(vec![x], vec![("logits".into(), logits)])?;
//! # assert_eq!(graph.outputs[0].1.shape()[..], [1, 10]);
//! assert!((certified_radius(4.0, network.gamma) - 2f64.sqrt()).abs() < 1e-12);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! γ is the bound of exactly the map from `x`: what scales or pools the input before counts, too. The bound is that of exact
//! arithmetic; in f32 slopes may exceed it by some units of roundoff.

mod cayley;
mod convolution;
mod layers;
mod network;

pub use cayley::cayley;
pub use convolution::SandwichConv;
pub use layers::{OrthogonalLinear, SandwichLinear, SpectralLinear};
pub use network::{LbdnSequential, Parameterization, certified_radius};

use crate::{CertifyError, Result};
use perturb_graph::Expr;

/// An activation whose slope lies in [0, 1] everywhere, which the bounds need; GELU and swish, whose slopes do not, are none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Activation {
    /// max(x, 0).
    Relu,
    /// x where positive, else this slope, in [0, 1], times x.
    LeakyRelu(f64),
    /// Hyperbolic tangent.
    Tanh,
    /// log(1 + eˣ).
    Softplus,
}

impl Activation {
    /// The function.
    ///
    /// # Errors
    /// If a slope is outside of [0, 1].
    pub fn apply(self, x: &Expr) -> Result<Expr> {
        match self {
            Activation::Relu => Ok(x.relu()),
            Activation::LeakyRelu(slope) if (0.0..=1.0).contains(&slope) => Ok(x.leaky_relu(slope)),
            Activation::LeakyRelu(value) => {
                Err(CertifyError::Parameter { name: "the slope of an activation", range: "in [0, 1]", value })
            }
            Activation::Tanh => Ok(x.tanh()),
            Activation::Softplus => Ok(x.softplus()),
        }
    }
}

// Width of the rows `x [N, width]`.
fn width(x: &Expr) -> Result<usize> {
    match x.shape()[..] {
        [_, width] if x.dtype().is_float() && width > 0 => Ok(width),
        _ => {
            CertifyError::unfit("an input of a layer", format!("it is {}{}, no rows [N, width]", x.dtype(), x.shape()))
        }
    }
}
