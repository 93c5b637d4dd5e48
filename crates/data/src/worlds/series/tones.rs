//! Tones whose amplitude and frequency are modulated.

use crate::worlds::stream::stream;
use rand::RngExt;
use std::f64::consts::TAU;

/// x(t) = a(t) sin(2π ∫₀ᵗ f), a(t) = 1 + m sin(2πt/P + ·), f(t) = f₀ (1 + n sin(2πt/Q + ·)), cut into windows. f₀ is
/// log-uniform within `frequency`, P and Q uniform within `periods`, m and n uniform up to `depth`, phases uniform.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tones {
    /// Number of windows.
    pub windows: usize,
    /// Steps per window.
    pub width: usize,
    /// Smallest and largest f₀, in cycles per step.
    pub frequency: [f64; 2],
    /// Smallest and largest period of the modulations, in steps.
    pub periods: [f64; 2],
    /// Largest depth of both modulations, below 1.
    pub depth: f64,
}

/// A tone and what modulates it.
#[derive(Clone, Debug, PartialEq)]
pub struct ToneSeries {
    /// `[windows, width]`, row-major.
    pub values: Vec<f64>,
    /// a(t) at every step.
    pub amplitude: Vec<f64>,
    /// f(t) at every step, cycles per step.
    pub frequency: Vec<f64>,
}

impl Default for Tones {
    /// 64 windows of 16 steps, f₀ from 0.02 to 0.08, modulations of period 100 to 400 and depth up to 0.5.
    fn default() -> Self {
        Tones { windows: 64, width: 16, frequency: [0.02, 0.08], periods: [100.0, 400.0], depth: 0.5 }
    }
}

impl Tones {
    /// Sample `index` of `seed`, which depends on nothing else: more windows continue the same tone.
    pub fn sample(&self, seed: u64, index: u64) -> ToneSeries {
        let mut rng = stream("series tones", seed, index);
        let mut unit = || rng.random_range(0.0..1.0);
        let base = self.frequency[0] * (self.frequency[1] / self.frequency[0]).powf(unit());
        let mut modulation = || {
            let period = self.periods[0] + (self.periods[1] - self.periods[0]) * unit();
            (self.depth * unit(), TAU / period, TAU * unit())
        };
        let ((m, pace, shift), (n, rate, start)) = (modulation(), modulation());
        let phase = TAU * unit();
        let steps = self.windows * self.width;
        let amplitude: Vec<f64> = (0..steps).map(|t| 1.0 + m * (pace * t as f64 + shift).sin()).collect();
        let frequency = (0..steps).map(|t| base * (1.0 + n * (rate * t as f64 + start).sin())).collect();
        // ∫ f in closed form, so that nothing accumulates.
        let cycles = |t: f64| base * (t + n / rate * (start.cos() - (rate * t + start).cos()));
        let value = |t: usize| amplitude[t] * (TAU * cycles(t as f64) + phase).sin();
        ToneSeries { values: (0..steps).map(value).collect(), amplitude, frequency }
    }
}
