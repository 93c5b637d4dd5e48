//! Wave forms over many orders of magnitude.

use crate::worlds::stream::stream;
use rand::RngExt;
use rand_distr::StandardNormal;
use std::f64::consts::TAU;

/// level + amplitude · (wave + noise): the wave form is one of four, log₁₀ of the amplitude uniform within `decades`, the
/// level ± its own amplitude from the same law. Labels can be asked of the wave form, of the level or of both.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scales {
    /// Number of steps.
    pub length: usize,
    /// Smallest and largest log₁₀ of amplitude and level.
    pub decades: [f64; 2],
    /// Standard deviation of the noise, relative to the amplitude.
    pub noise: f64,
}

/// A wave form of period 1, mean 0 and mean square 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Waveform {
    /// √2 sin.
    Sine,
    /// ±1.
    Square,
    /// A triangle.
    Triangle,
    /// A sawtooth.
    Sawtooth,
}

/// A series with what made it.
#[derive(Clone, Debug, PartialEq)]
pub struct ScaledSeries {
    /// The series.
    pub values: Vec<f64>,
    /// Wave form.
    pub waveform: Waveform,
    /// Amplitude: the standard deviation of the wave.
    pub amplitude: f64,
    /// Level.
    pub level: f64,
    /// Period in steps.
    pub period: f64,
}

impl Default for Scales {
    /// 512 steps over 10⁻⁴ to 10⁴, noise of a tenth.
    fn default() -> Self {
        Scales { length: 512, decades: [-4.0, 4.0], noise: 0.1 }
    }
}

impl Waveform {
    /// All wave forms, by class index.
    pub const ALL: [Waveform; 4] = [Waveform::Sine, Waveform::Square, Waveform::Triangle, Waveform::Sawtooth];

    /// The value at a phase in [0, 1).
    pub fn at(self, phase: f64) -> f64 {
        match self {
            Waveform::Sine => 2.0f64.sqrt() * (TAU * phase).sin(),
            Waveform::Square => {
                if phase < 0.5 {
                    1.0
                } else {
                    -1.0
                }
            }
            Waveform::Triangle => 3.0f64.sqrt() * (1.0 - 4.0 * (phase - 0.5).abs()),
            Waveform::Sawtooth => 3.0f64.sqrt() * (2.0 * phase - 1.0),
        }
    }
}

impl Scales {
    /// Sample `index` of `seed`, which depends on nothing else.
    pub fn sample(&self, seed: u64, index: u64) -> ScaledSeries {
        let mut rng = stream("series scales", seed, index);
        let waveform = Waveform::ALL[rng.random_range(0..Waveform::ALL.len())];
        let mut size =
            || 10f64.powf(self.decades[0] + (self.decades[1] - self.decades[0]) * rng.random_range(0.0..1.0));
        let (amplitude, level) = (size(), size());
        let level = if rng.random() { level } else { -level };
        let (period, phase) = (rng.random_range(16.0..64.0), rng.random_range(0.0..1.0));
        let mut value = |t: usize| {
            let wave = waveform.at((t as f64 / period + phase).fract());
            level + amplitude * (wave + self.noise * rng.sample::<f64, _>(StandardNormal))
        };
        ScaledSeries { values: (0..self.length).map(&mut value).collect(), waveform, amplitude, level, period }
    }
}
