//! Series with a hidden state that says which feature counts.

use crate::worlds::stream::stream;
use rand::RngExt;
use rand_distr::StandardNormal;

/// The benchmark of Tonekaboni et al. (2020) and Crabbé and van der Schaar (2021): a Markov chain of two states; three
/// features, normal around a mean that depends on the state; at every time a label with probability σ(x₁) in state 0
/// and σ(x₂) in state 1. Feature 0 never counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HiddenStates {
    /// Number of steps.
    pub length: usize,
    /// P(next state | state); rows sum to 1. Equal rows make the series independent over time.
    pub transitions: [[f64; 2]; 2],
    /// Means of the three features in each state.
    pub means: [[f64; 3]; 2],
    /// Variance of each feature.
    pub variance: f64,
    /// Covariance of the features 1 and 2 in state 0, of 0 and 1 in state 1.
    pub covariance: f64,
}

/// A series with its states.
#[derive(Clone, Debug, PartialEq)]
pub struct StateSeries {
    /// `[length, 3]`, row-major.
    pub values: Vec<f64>,
    /// State at every time.
    pub states: Vec<usize>,
    /// The feature that counts at every time: 1 in state 0, 2 in state 1.
    pub salient: Vec<usize>,
    /// P(label = 1) at every time.
    pub probabilities: Vec<f64>,
    /// Labels.
    pub labels: Vec<bool>,
}

impl Default for HiddenStates {
    /// 200 steps, P(stay) = 0.9 in both states, means (0.1, 1.6, 0.5) and (−0.1, −0.4, −1.5), variance 0.8, covariance
    /// 0.01.
    fn default() -> Self {
        HiddenStates {
            length: 200,
            transitions: [[0.9, 0.1], [0.1, 0.9]],
            means: [[0.1, 1.6, 0.5], [-0.1, -0.4, -1.5]],
            variance: 0.8,
            covariance: 0.01,
        }
    }
}

impl HiddenStates {
    /// The label's probability given the features and the state: the exact black box.
    pub fn probability(features: &[f64], state: usize) -> f64 {
        1.0 / (1.0 + (-features[1 + state]).exp())
    }

    /// Sample `index` of `seed`, which depends on nothing else. The first state is fair.
    pub fn sample(&self, seed: u64, index: u64) -> StateSeries {
        let mut rng = stream("series states", seed, index);
        let mut series = StateSeries {
            values: Vec::with_capacity(3 * self.length),
            states: Vec::new(),
            salient: Vec::new(),
            probabilities: Vec::new(),
            labels: Vec::new(),
        };
        let mut state = usize::from(rng.random::<bool>());
        // Of two features of equal variance v and covariance c: b = ρ a + √(1 − ρ²) e.
        let rho = (self.covariance / self.variance).clamp(-1.0, 1.0);
        for t in 0..self.length {
            if t > 0 {
                state = usize::from(rng.random_range(0.0..1.0) >= self.transitions[state][0]);
            }
            let [a, e, free] = [0; 3].map(|_| rng.sample::<f64, _>(StandardNormal));
            let paired = rho * a + (1.0 - rho * rho).sqrt() * e;
            let standard = if state == 0 { [free, a, paired] } else { [a, paired, free] };
            let features = [0, 1, 2].map(|i| self.means[state][i] + self.variance.sqrt() * standard[i]);
            let probability = HiddenStates::probability(&features, state);
            series.values.extend(features);
            series.states.push(state);
            series.salient.push(1 + state);
            series.probabilities.push(probability);
            series.labels.push(rng.random_range(0.0..1.0) < probability);
        }
        series
    }
}
