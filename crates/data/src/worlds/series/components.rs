//! Additive series: trend, seasons, regimes, noise, anomalies.

use super::autoregressive;
use crate::worlds::stream::stream;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use std::f64::consts::TAU;
use std::ops::Range;

/// The law of additive series; the unit of time is one step.
#[derive(Clone, Debug, PartialEq)]
pub struct Components {
    /// Number of steps.
    pub length: usize,
    /// Slopes of the trend are uniform from ±this, per step; the trend bends once, at a uniform time.
    pub slope: f64,
    /// Seasons; phases are uniform.
    pub seasons: Vec<Season>,
    /// Probability per step that the level changes to a new value from N(0, `level`²).
    pub switching: f64,
    /// Standard deviation of the levels.
    pub level: f64,
    /// Autoregression φ of the noise, within (−1, 1).
    pub autoregression: f64,
    /// Standard deviation of the noise (stationary).
    pub noise: f64,
    /// Number of anomalies.
    pub anomalies: usize,
    /// Their size, in standard deviations of the noise.
    pub severity: f64,
}

/// A sine wave.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Season {
    /// Period in steps.
    pub period: f64,
    /// Amplitude.
    pub amplitude: f64,
}

/// What is wrong in an interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Anomaly {
    /// One step is too high or too low.
    Spike,
    /// A constant is added over 8 to 24 steps.
    Shift,
    /// A wave of period 4 is added over 8 to 24 steps.
    Oscillation,
}

/// A series and its parts; all are of the same length and sum to the values.
#[derive(Clone, Debug, PartialEq)]
pub struct ComponentSeries {
    /// The series.
    pub values: Vec<f64>,
    /// Two straight lines that meet.
    pub trend: Vec<f64>,
    /// The sum of the seasons.
    pub season: Vec<f64>,
    /// The level of the current regime.
    pub level: Vec<f64>,
    /// Index of the regime, from 0 on.
    pub regime: Vec<usize>,
    /// Autoregressive noise.
    pub noise: Vec<f64>,
    /// What anomalies add.
    pub anomaly: Vec<f64>,
    /// Kinds and times of the anomalies, in order of time; they do not overlap.
    pub intervals: Vec<(Anomaly, Range<usize>)>,
}

impl Default for Components {
    /// 512 steps, slope up to 0.01, seasons of 24 and 168 steps, a switch every 200 steps, noise of 0.3 with φ = 0.7, two
    /// anomalies of six standard deviations.
    fn default() -> Self {
        Components {
            length: 512,
            slope: 0.01,
            seasons: vec![Season { period: 24.0, amplitude: 1.0 }, Season { period: 168.0, amplitude: 0.5 }],
            switching: 0.005,
            level: 1.0,
            autoregression: 0.7,
            noise: 0.3,
            anomalies: 2,
            severity: 6.0,
        }
    }
}

impl Components {
    /// Sample `index` of `seed`, which depends on nothing else.
    pub fn sample(&self, seed: u64, index: u64) -> ComponentSeries {
        let mut rng = stream("series parts", seed, index);
        let trend = self.trend(&mut rng);
        let season = self.season(&mut rng);
        let (regime, level) = self.regimes(&mut rng);
        let noise = autoregressive(self.length, self.autoregression, self.noise, &mut rng);
        let (intervals, anomaly) = self.anomalies(&mut rng);
        let values = (0..self.length).map(|t| trend[t] + season[t] + level[t] + noise[t] + anomaly[t]).collect();
        ComponentSeries { values, trend, season, level, regime, noise, anomaly, intervals }
    }

    fn trend(&self, rng: &mut ChaCha8Rng) -> Vec<f64> {
        let [before, after] = [0; 2].map(|_| self.slope * rng.random_range(-1.0..1.0));
        let bend = rng.random_range(0.0..1.0) * self.length as f64;
        let line = |t: f64| if t < bend { before * t } else { before * bend + after * (t - bend) };
        (0..self.length).map(|t| line(t as f64)).collect()
    }

    fn season(&self, rng: &mut ChaCha8Rng) -> Vec<f64> {
        let phases: Vec<f64> = self.seasons.iter().map(|_| rng.random_range(0.0..TAU)).collect();
        let wave = |t: usize| {
            let each = self.seasons.iter().zip(&phases);
            each.map(|(s, phase)| s.amplitude * (TAU * t as f64 / s.period + phase).sin()).sum()
        };
        (0..self.length).map(wave).collect()
    }

    fn regimes(&self, rng: &mut ChaCha8Rng) -> (Vec<usize>, Vec<f64>) {
        let draw = |rng: &mut ChaCha8Rng| autoregressive(1, 0.0, self.level, rng)[0];
        let (mut regime, mut level) = (0, draw(rng));
        let mut step = |t: usize| {
            if t > 0 && rng.random_bool(self.switching.clamp(0.0, 1.0)) {
                (regime, level) = (regime + 1, draw(rng));
            }
            (regime, level)
        };
        (0..self.length).map(&mut step).unzip()
    }

    /// Places the anomalies one after the other, each in a slot of its own.
    fn anomalies(&self, rng: &mut ChaCha8Rng) -> (Vec<(Anomaly, Range<usize>)>, Vec<f64>) {
        let mut added = vec![0.0; self.length];
        let count = self.anomalies.min(self.length);
        let slot = self.length / count.max(1);
        let mut intervals = Vec::new();
        for k in 0..count {
            let kind = [Anomaly::Spike, Anomaly::Shift, Anomaly::Oscillation][rng.random_range(0..3)];
            let wanted = if kind == Anomaly::Spike { 1 } else { rng.random_range(8..=24) };
            let width = wanted.min(slot);
            let start = k * slot + rng.random_range(0..=slot - width);
            let sign = if rng.random() { 1.0 } else { -1.0 };
            for (i, value) in added[start..start + width].iter_mut().enumerate() {
                let wave = if kind == Anomaly::Oscillation { (TAU * i as f64 / 4.0).cos() } else { 1.0 };
                *value = sign * self.severity * self.noise * wave;
            }
            intervals.push((kind, start..start + width));
        }
        (intervals, added)
    }
}
