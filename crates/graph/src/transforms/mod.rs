//! The transforms: from expressions to expressions, so that they compose.

mod interval;
mod jvp;
mod linear_bounds;
mod localize;
mod pull_back;
mod unroll;
mod vjp;
mod vmap;

pub use interval::{interval, intervals, try_interval};
pub use jvp::{jvp, try_jvp};
pub use linear_bounds::{Bounder, Domain, Intermediate, LinearBoundsOptions, Norm, Slopes, linear_bounds};
pub use localize::{Localized, Place, Read, Step};
pub(crate) use pull_back::transpose;
pub use unroll::unroll;
pub use vjp::{grad, vjp};
pub use vmap::vmap;

use crate::{Expr, GraphError, Result};

// Whether what a transform is given for an input has the input's shape and type.
fn like_inputs(transform: &str, input: &Expr, given: &Expr) -> Result<()> {
    if input.dtype() != given.dtype() {
        let reason = format!("what is given for {input:?} must have its type");
        return Err(GraphError::DType { op: transform.into(), reason, dtypes: vec![given.dtype()] });
    }
    if input.shape() != given.shape() {
        let reason = format!("what is given for {input:?} must have its shape");
        return Err(GraphError::Shape { op: transform.into(), reason, shapes: vec![given.shape().clone()] });
    }
    Ok(())
}
