//! Adam (Kingma & Ba 2015) on variables of an executable, for ascent on bounds.

use perturb_graph::Expr;

/// Decay of the averages of gradients and of their squares, from step to step.
const DECAY: (f32, f32) = (0.9, 0.999);

/// Averages of the gradients of one variable and of their squares, both 0 at first.
pub(crate) struct Moments {
    pub mean: Expr,
    pub square: Expr,
}

impl Moments {
    /// The direction of ascent and the next averages. `corrections` are those of [`Corrections`]. An unknown derivative
    /// moves nothing.
    pub fn ascend(&self, gradient: &Expr, corrections: &[Expr; 2]) -> (Expr, Moments) {
        let gradient = Expr::select(&gradient.is_finite(), gradient, &gradient.like(0.0));
        let blend =
            |old: &Expr, new: &Expr, decay: f32| old.scale(decay.into()).add(&new.scale(1.0 - f64::from(decay)));
        let mean = blend(&self.mean, &gradient, DECAY.0);
        let square = blend(&self.square, &gradient.square(), DECAY.1);
        let direction = mean.mul(&corrections[0]).div(&square.mul(&corrections[1]).sqrt().offset(1e-8));
        (direction, Moments { mean, square })
    }
}

/// Factors that make up for averages which start at 0, from step to step.
pub(crate) struct Corrections(f32, f32);

impl Corrections {
    pub fn new() -> Corrections {
        Corrections(DECAY.0, DECAY.1)
    }
}

impl Iterator for Corrections {
    type Item = [f32; 2];

    fn next(&mut self) -> Option<[f32; 2]> {
        let factors = [1.0 / (1.0 - self.0), 1.0 / (1.0 - self.1)];
        (self.0, self.1) = (self.0 * DECAY.0, self.1 * DECAY.1);
        Some(factors)
    }
}
