//! The `series` world: time series that are sums of known parts.
//!
//! ![Series and their parts](https://raw.githubusercontent.com/perturb-rs/perturb/main/docs/worlds/series.png)
//!
//! | world | one sample | truth |
//! |---|---|---|
//! | [`Components`] | trend + seasons + regimes + autoregressive noise + anomalies | each part, anomalous times |
//! | [`Motifs`] | noise with one pattern that tells the class | class, times and channel of the pattern |
//! | [`HiddenStates`] | a hidden Markov chain that says which feature counts | states, features that count, label probabilities |
//! | [`Tones`] | windows of a tone whose amplitude and frequency are modulated | both, at every time |
//! | [`Scales`] | one wave form at a level and an amplitude over eight decades | wave form, level, amplitude |
//!
//! ```
//! use perturb_data::worlds::series::Components;
//! let world = Components::default();
//! let sample = world.sample(7, 0);
//! let sum = |t: usize| sample.trend[t] + sample.season[t] + sample.level[t] + sample.noise[t] + sample.anomaly[t];
//! assert!((0..world.length).all(|t| sample.values[t] == sum(t)));
//! ```

mod components;
mod hidden_states;
mod motifs;
mod scales;
mod tones;

pub use components::{Anomaly, ComponentSeries, Components, Season};
pub use hidden_states::{HiddenStates, StateSeries};
pub use motifs::{Motif, MotifSeries, Motifs};
pub use scales::{ScaledSeries, Scales, Waveform};
pub use tones::{ToneSeries, Tones};

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

/// `length` values of x_t = φ x_{t−1} + √(1 − φ²) s ε_t from its stationary law N(0, s²).
fn autoregressive(length: usize, phi: f64, deviation: f64, rng: &mut ChaCha8Rng) -> Vec<f64> {
    let mut now = deviation * rng.sample::<f64, _>(StandardNormal);
    let step = deviation * (1.0 - phi * phi).max(0.0).sqrt();
    let mut next = || {
        let value = now;
        now = phi * now + step * rng.sample::<f64, _>(StandardNormal);
        value
    };
    (0..length).map(|_| next()).collect()
}
