//! Series in which one pattern tells the class.

use super::autoregressive;
use crate::worlds::stream::stream;
use rand::RngExt;
use std::f64::consts::{PI, TAU};
use std::ops::Range;

/// Autoregressive noise on every channel, and one motif, added on one channel at one place. The class is the motif:
/// nothing outside of it tells anything.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Motifs {
    /// Number of steps.
    pub length: usize,
    /// Number of channels.
    pub channels: usize,
    /// Length of the motif in steps.
    pub width: usize,
    /// Its amplitude; the noise has standard deviation 1.
    pub amplitude: f64,
    /// Autoregression of the noise.
    pub autoregression: f64,
}

/// The pattern, which is the class. All have mean 0 and mean square 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Motif {
    /// One period of a sine.
    Sine,
    /// High, then low.
    Square,
    /// A ramp upwards.
    Ramp,
    /// Half a sine less its mean.
    Bump,
}

/// A series with its motif.
#[derive(Clone, Debug, PartialEq)]
pub struct MotifSeries {
    /// `[length, channels]`, row-major.
    pub values: Vec<f64>,
    /// The class.
    pub motif: Motif,
    /// When the motif is there.
    pub times: Range<usize>,
    /// On which channel.
    pub channel: usize,
    /// What the motif adds, `[length, channels]`: not 0 exactly where an attribution should point.
    pub signal: Vec<f64>,
}

impl Default for Motifs {
    /// 128 steps, 3 channels, motifs of 24 steps and amplitude 2 in noise with φ = 0.5.
    fn default() -> Self {
        Motifs { length: 128, channels: 3, width: 24, amplitude: 2.0, autoregression: 0.5 }
    }
}

impl Motif {
    /// All motifs, by class index.
    pub const ALL: [Motif; 4] = [Motif::Sine, Motif::Square, Motif::Ramp, Motif::Bump];

    /// The value at the share `t` of the motif, 0 < t < 1.
    fn at(self, t: f64) -> f64 {
        match self {
            Motif::Sine => 2.0f64.sqrt() * (TAU * t).sin(),
            Motif::Square => {
                if t < 0.5 {
                    1.0
                } else {
                    -1.0
                }
            }
            Motif::Ramp => 3.0f64.sqrt() * (2.0 * t - 1.0),
            Motif::Bump => ((PI * t).sin() - 2.0 / PI) / (0.5 - 4.0 / (PI * PI)).sqrt(),
        }
    }
}

impl Motifs {
    /// Sample `index` of `seed`, which depends on nothing else. A motif longer than the series fills it.
    pub fn sample(&self, seed: u64, index: u64) -> MotifSeries {
        let mut rng = stream("series motifs", seed, index);
        let (channels, width) = (self.channels.max(1), self.width.min(self.length));
        let motif = Motif::ALL[rng.random_range(0..Motif::ALL.len())];
        let (start, channel) = (rng.random_range(0..=self.length - width), rng.random_range(0..channels));
        let mut signal = vec![0.0; self.length * channels];
        for i in 0..width {
            let share = (i as f64 + 0.5) / width as f64;
            signal[(start + i) * channels + channel] = self.amplitude * motif.at(share);
        }
        let mut values = signal.clone();
        for c in 0..channels {
            let noise = autoregressive(self.length, self.autoregression, 1.0, &mut rng);
            noise.into_iter().enumerate().for_each(|(t, v)| values[t * channels + c] += v);
        }
        MotifSeries { values, motif, times: start..start + width, channel, signal }
    }
}
