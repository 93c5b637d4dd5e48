//! The best combination of constraints on a box, from planes below them.

/// Weights are multiples of this, so that combined coefficients are exact.
pub(crate) const STEP: f32 = 1.0 / 4096.0;

/// Steps of the ascent.
const ROUNDS: u16 = 32;

/// Planes below the left sides of a conjunction's constraints on a box: `middle[k] + slopes[k]·(x − centre)`.
pub(crate) struct Planes<'a> {
    pub middle: &'a [f64],
    /// `[constraints][inputs]`.
    pub slopes: Vec<&'a [f32]>,
    /// Half the sides of the box.
    pub radius: &'a [f32],
}

impl Planes<'_> {
    /// The least value of the combination over the box: `Σ w·middle − Σᵢ |Σ w·slopeᵢ|·radiusᵢ`.
    pub fn least(&self, weights: &[f32]) -> f64 {
        let middle: f64 = self.middle.iter().zip(weights).map(|(m, &w)| m * f64::from(w)).sum();
        middle - (0..self.radius.len()).map(|i| self.slope(weights, i).abs() * f64::from(self.radius[i])).sum::<f64>()
    }

    fn slope(&self, weights: &[f32], input: usize) -> f64 {
        self.slopes.iter().zip(weights).map(|(s, &w)| f64::from(s[input]) * f64::from(w)).sum()
    }

    /// Weights, multiples of [`STEP`] of sum 1, whose combination has nearly the greatest least value, and that value; any
    /// at which it is positive will do. The value is concave in the weights: by multiplicative ascent along supergradients
    /// from equal weights, if no constraint alone is positive.
    pub fn best(&self) -> (Vec<f32>, f64) {
        let count = self.middle.len();
        let single = |k: usize| -> Vec<f32> { (0..count).map(|j| f32::from(u8::from(j == k))).collect() };
        let mut best = (Vec::new(), f64::NEG_INFINITY);
        for k in 0..count {
            let value = self.least(&single(k));
            if best.0.is_empty() || value > best.1 {
                best = (single(k), value);
            }
        }
        if count == 1 || best.1 > 0.0 || !best.1.is_finite() {
            return best;
        }
        let mut weights = vec![1.0 / count as f32; count];
        let mut sum = vec![0.0f32; count];
        for step in 0..ROUNDS {
            let corner: Vec<f64> =
                (0..self.radius.len()).map(|i| -self.slope(&weights, i).signum() * f64::from(self.radius[i])).collect();
            let values: Vec<f64> = (0..count)
                .map(|k| {
                    let along = self.slopes[k].iter().zip(&corner).map(|(&s, c)| f64::from(s) * c);
                    self.middle[k] + along.sum::<f64>()
                })
                .collect();
            let (low, high) = values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), &v| (l.min(v), h.max(v)));
            let rate = 1.5 / f64::from(1 + step).sqrt() / (high - low).max(1e-30);
            let raised = weights.iter().zip(&values).map(|(&w, v)| w * (rate * (v - low)).exp() as f32);
            weights = rounded(&raised.collect::<Vec<f32>>());
            // The path goes to and fro across a ridge, which its mean is near to.
            sum.iter_mut().zip(&weights).for_each(|(s, w)| *s += w);
            for candidate in [weights.clone(), rounded(&sum)] {
                let value = self.least(&candidate);
                if value > best.1 {
                    best = (candidate, value);
                }
            }
            if best.1 > 0.0 {
                break;
            }
        }
        best
    }
}

/// Multiples of the step, of sum 1.
pub(crate) fn rounded(weights: &[f32]) -> Vec<f32> {
    let sum: f32 = weights.iter().sum();
    let mut steps: Vec<f32> = weights.iter().map(|w| (w / sum / STEP).round()).collect();
    let missing = 1.0 / STEP - steps.iter().sum::<f32>();
    if let Some(largest) = (0..steps.len()).max_by(|&a, &b| steps[a].total_cmp(&steps[b])) {
        steps[largest] += missing;
    }
    steps.into_iter().map(|s| s * STEP).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    // On [−1, 1], x − 0.2 and −x − 0.2 reach −1.2, and their mean is −0.2 everywhere.
    #[test]
    fn two_opposite_planes_are_combined() {
        let (a, b) = ([1.0f32], [-1.0f32]);
        let planes = Planes { middle: &[-0.2, -0.2], slopes: vec![&a, &b], radius: &[1.0] };
        let (weights, value) = planes.best();
        assert!((value + 0.2).abs() < 0.02, "{weights:?}: {value}");
        assert_eq!(weights.iter().sum::<f32>(), 1.0);
    }

    // Against a fine grid of weights.
    #[test]
    fn the_best_combination_is_nearly_found() {
        let slopes = [[0.7f32, -0.2], [-0.5, 0.9], [0.1, -0.8]];
        let planes = Planes {
            middle: &[-0.1, -0.25, 0.0],
            slopes: slopes.iter().map(|s| &s[..]).collect(),
            radius: &[0.5, 0.4],
        };
        let mut grid = f64::NEG_INFINITY;
        for i in 0..=100 {
            for j in 0..=100 - i {
                let weights = [i as f32 / 100.0, j as f32 / 100.0, (100 - i - j) as f32 / 100.0];
                grid = grid.max(planes.least(&weights));
            }
        }
        assert!(planes.best().1 >= grid - 0.01, "{} and {grid}", planes.best().1);
    }
}
