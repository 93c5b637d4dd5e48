//! Adam, for one example's vector.

/// Moments of the gradients so far (Kingma and Ba 2015, algorithm 1, with its β₁ = 0.9, β₂ = 0.999 and ε = 1e-8).
#[derive(Clone, Debug, Default)]
pub(crate) struct Adam {
    first: Vec<f64>,
    second: Vec<f64>,
    steps: i32,
}

const DECAY: (f64, f64) = (0.9, 0.999);
const TINY: f64 = 1e-8;

impl Adam {
    /// AdamW (Loshchilov and Hutter 2019): lowers `x` along the gradient, from where it has shrunk by `rate·decay` of itself.
    pub fn descend_decoupled(&mut self, x: &mut [f64], gradient: &[f64], rate: f64, decay: f64) {
        x.iter_mut().for_each(|v| *v *= 1.0 - rate * decay);
        self.descend(x, gradient, rate);
    }

    /// Lowers `x` along the gradient.
    pub fn descend(&mut self, x: &mut [f64], gradient: &[f64], rate: f64) {
        self.first.resize(x.len(), 0.0);
        self.second.resize(x.len(), 0.0);
        self.steps += 1;
        let correction = (1.0 - DECAY.0.powi(self.steps), 1.0 - DECAY.1.powi(self.steps));
        let moments = self.first.iter_mut().zip(&mut self.second);
        for ((v, &g), (m, s)) in x.iter_mut().zip(gradient).zip(moments) {
            *m = DECAY.0 * *m + (1.0 - DECAY.0) * g;
            *s = DECAY.1 * *s + (1.0 - DECAY.1) * g * g;
            *v -= rate * (*m / correction.0) / ((*s / correction.1).sqrt() + TINY);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Without a slope only the decay is left.
    #[test]
    fn decay_is_a_share_of_the_value() {
        let mut x = [2.0, -1.0];
        Adam::default().descend_decoupled(&mut x, &[0.0, 0.0], 0.1, 0.5);
        assert!((x[0] - 1.9).abs() < 1e-12 && (x[1] + 0.95).abs() < 1e-12);
    }

    // The first step has length `rate` whatever the gradient's size; a quadratic is minimised.
    #[test]
    fn steps_are_scale_free_and_reach_a_minimum() {
        let mut x = [3.0, -2.0];
        Adam::default().descend(&mut x, &[1e-3, -5.0], 0.1);
        assert!((x[0] - 2.9).abs() < 1e-5 && (x[1] + 1.9).abs() < 1e-8);
        let mut adam = Adam::default();
        for _ in 0..2000 {
            let gradient = [x[0] - 1.0, 4.0 * (x[1] - 2.0)];
            adam.descend(&mut x, &gradient, 0.01);
        }
        assert!((x[0] - 1.0).abs() < 1e-3 && (x[1] - 2.0).abs() < 1e-3);
    }
}
