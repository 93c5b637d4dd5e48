//! Values with another derivative than their own.

use crate::{Expr, Result};

panicking! {
    straight_through, try_straight_through(surrogate: &Expr) -> Expr;
}

impl Expr {
    /// This value, with the derivative of `surrogate` (Bengio et al. 2013): of rounding, that of the identity.
    ///
    /// # Errors
    /// If the shapes or types differ.
    pub fn try_straight_through(&self, surrogate: &Expr) -> Result<Expr> {
        // What is added is 0, exactly.
        let nothing = surrogate.sub(&surrogate.stop_gradient());
        self.stop_gradient().try_add(&nothing.try_broadcast_to(self.shape())?)
    }

    /// The value, with `−lambda` times its derivative (Ganin and Lempitsky 2015).
    #[track_caller]
    pub fn gradient_reversal(&self, lambda: f64) -> Expr {
        self.straight_through(&self.scale(-lambda))
    }
}
