//! SmoothGrad.

use crate::seed::Purpose;
use crate::sweep::check_draws;
use crate::{Attribution, Magnitude, Model, Result, Seed};
use perturb_graph::Tensor;
use rand_distr::{Distribution, StandardNormal};

/// The mean gradient of the target's logit at noisy copies of the input, `mean_k ∂f(x + σ·n_k)` with standard normal
/// `n_k` (Smilkov et al. 2017, section 2).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SmoothGrad {
    /// Number of noisy copies.
    pub samples: usize,
    /// Standard deviation σ of the noise.
    pub noise: Magnitude,
    /// Where the noise comes from.
    pub seed: Seed,
}

impl Default for SmoothGrad {
    /// 50 copies, σ = 0.15 of the example's range: the paper (section 3) finds 10 to 20 % good and little gain beyond 50.
    fn default() -> Self {
        SmoothGrad { samples: 50, noise: Magnitude::OfRange(0.15), seed: Seed::default() }
    }
}

impl Attribution for SmoothGrad {
    fn name(&self) -> &'static str {
        "SmoothGrad"
    }

    fn attribute(&self, model: &Model, inputs: &Tensor, targets: &[usize]) -> Result<Tensor> {
        check_draws("SmoothGrad samples", 1, self.samples)?;
        self.noise.check("SmoothGrad noise")?;
        let examples = model.targeted(inputs, targets)?;
        let deviations: Vec<f32> = examples.rows().map(|row| self.noise.of(row)).collect();
        let weights = vec![1.0 / self.samples as f64; self.samples];
        let maps = model.weighted_gradients(targets, &weights, |example, draw, row| {
            let mut rng = self.seed.rng(Purpose::SmoothGrad, example, draw);
            for (row, &x) in row.iter_mut().zip(examples.row(example)) {
                let noise: f32 = StandardNormal.sample(&mut rng);
                *row = x + deviations[example] * noise;
            }
        })?;
        Ok(Tensor::new(inputs.shape(), maps)?)
    }
}
