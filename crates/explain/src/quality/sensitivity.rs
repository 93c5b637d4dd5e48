//! Max-sensitivity.

use crate::seed::Purpose;
use crate::sweep::check_draws;
use crate::{Attribution, Magnitude, Model, Result, Seed};
use perturb_graph::Tensor;
use rand::RngExt;

/// Max-sensitivity (Yeh et al. 2019, definition 4.1, here relative): `max ‖φ(x′) − φ(x)‖₂ / ‖φ(x)‖₂` over random x′ with
/// `‖x′ − x‖∞ ≤ r`, uniform in that cube and not clipped. It is a lower bound of the maximum over the whole cube. As in
/// Captum, the target stays and the change is divided by the norm of the attributions.
///
/// A method that draws random numbers draws the same ones for x and x′: what is measured is its sensitivity, not the
/// scatter of its draws.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MaxSensitivity {
    /// Number of x′ for each example.
    pub samples: usize,
    /// r.
    pub radius: Magnitude,
    /// Where the x′ come from.
    pub seed: Seed,
}

impl Default for MaxSensitivity {
    /// 10 samples within 0.02 of the example's range, as in Captum 0.9 for pixels in \[0, 1\].
    fn default() -> Self {
        MaxSensitivity { samples: 10, radius: Magnitude::OfRange(0.02), seed: Seed::default() }
    }
}

impl MaxSensitivity {
    /// Judges `method` by its `attributions` at `inputs` and those that it gives nearby. Where the attributions are all
    /// 0 the value is 0 if they stay so, else infinite.
    ///
    /// # Errors
    /// If a tensor or a target does not fit the model, a hyperparameter is outside its domain, or a value is not finite.
    pub fn evaluate(
        &self,
        model: &Model,
        method: &dyn Attribution,
        inputs: &Tensor,
        attributions: &Tensor,
        targets: &[usize],
    ) -> Result<Vec<f64>> {
        check_draws("max-sensitivity samples", 1, self.samples)?;
        self.radius.check("max-sensitivity radius")?;
        let examples = model.targeted(inputs, targets)?;
        let maps = examples.partner("attributions", attributions, model.example_shape())?;
        let mut largest = vec![0.0f64; examples.count()];
        for draw in 0..self.samples {
            let nearby = (0..examples.count()).flat_map(|example| {
                let radius = self.radius.of(examples.row(example));
                let mut rng = self.seed.rng(Purpose::Sensitivity, example, draw);
                examples.row(example).iter().map(move |x| x + radius * rng.random_range(-1.0..=1.0f32))
            });
            let nearby = Tensor::new(inputs.shape(), nearby.collect())?;
            let moved = method.attribute(model, &nearby, targets)?;
            let moved = examples.partner("attributions nearby", &moved, model.example_shape())?;
            for (largest, (a, b)) in largest.iter_mut().zip(moved.rows().zip(maps.rows())) {
                *largest = largest.max(distance(a, b));
            }
        }
        let relative = largest.into_iter().zip(maps.rows()).map(|(change, map)| {
            let norm = distance(map, &vec![0.0; map.len()]);
            if change == 0.0 { 0.0 } else { change / norm }
        });
        Ok(relative.collect())
    }
}

fn distance(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum::<f64>().sqrt()
}
