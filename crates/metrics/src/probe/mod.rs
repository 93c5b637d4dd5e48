//! How much a simple model finds in frozen features.
//!
//! | probe | model | for |
//! |---|---|---|
//! | [`LogisticProbe`] | multinomial logistic regression | classes |
//! | [`ridge`] | linear regression with an ℓ2 penalty, in closed form | real targets, classes one-hot |
//! | [`lasso`] | linear regression with an ℓ1 penalty | importances of features |

mod lasso;
mod lbfgs;
mod linear;
mod logistic;
mod ridge;

pub use lasso::lasso;
pub use linear::LinearMap;
pub use logistic::{FittedProbe, LogisticProbe};
pub use ridge::{r_squared, ridge};
