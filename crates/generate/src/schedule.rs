//! How much signal and noise there is at each time.

use crate::{GenerateError, Result};
use std::f64::consts::FRAC_PI_2;

/// A place on the way from data to noise: `x = alpha·x₀ + sigma·ε`, ε standard normal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Level {
    /// The time that a network is told.
    pub time: f64,
    /// Share of the signal.
    pub alpha: f64,
    /// Standard deviation of the noise.
    pub sigma: f64,
}

impl Level {
    /// Data without noise.
    pub const CLEAN: Level = Level { time: 0.0, alpha: 1.0, sigma: 0.0 };

    /// `λ = ln(alpha/sigma)`, half the logarithm of the signal-to-noise ratio; infinite for clean data.
    pub fn log_ratio(&self) -> f64 {
        (self.alpha / self.sigma).ln()
    }
}

/// Which times of a schedule a short chain visits (Lin et al. 2024, table 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spacing {
    /// From the last time down in equal steps: T, T − T/n, …
    Trailing,
    /// Equal steps that end at time 1.
    Leading,
    /// Both the last and the first time.
    Linspace,
}

/// A schedule of T discrete times that preserves variance: `α² = ᾱ_t = Π(1 − β_i)`, `σ² = 1 − ᾱ_t` (Ho et al. 2020).
/// Time 0 is clean data.
#[derive(Clone, Debug, PartialEq)]
pub struct NoiseSchedule {
    /// ᾱ at the times 0 to T.
    alpha_bar: Vec<f64>,
}

impl NoiseSchedule {
    /// β from 10⁻⁴ to 0.02 in 1000 equal steps (Ho et al. 2020).
    pub fn linear() -> NoiseSchedule {
        NoiseSchedule::accumulate((0..1000).map(|t| 1e-4 + (0.02 - 1e-4) * f64::from(t) / 999.0))
    }

    /// √β from √0.00085 to √0.012 in 1000 equal steps (Rombach et al. 2022).
    pub fn scaled_linear() -> NoiseSchedule {
        let (first, last) = (0.00085f64.sqrt(), 0.012f64.sqrt());
        NoiseSchedule::accumulate((0..1000).map(|t| (first + (last - first) * f64::from(t) / 999.0).powi(2)))
    }

    /// `ᾱ ∝ cos²((t/T + 0.008)/1.008·π/2)` with β at most 0.999 (Nichol & Dhariwal 2021, eq. 17).
    ///
    /// # Errors
    /// If there are no steps.
    pub fn cosine(steps: usize) -> Result<NoiseSchedule> {
        GenerateError::check(steps > 0, "steps", steps, "at least 1")?;
        let at = |t: usize| ((t as f64 / steps as f64 + 0.008) / 1.008 * FRAC_PI_2).cos().powi(2);
        Ok(NoiseSchedule::accumulate((0..steps).map(|t| (1.0 - at(t + 1) / at(t)).min(0.999))))
    }

    /// The schedule of these β.
    ///
    /// # Errors
    /// If there are none, or one is not between 0 and 1.
    pub fn of_betas(betas: &[f64]) -> Result<NoiseSchedule> {
        GenerateError::check(!betas.is_empty(), "betas", "empty", "at least one")?;
        for beta in betas {
            GenerateError::check(*beta > 0.0 && *beta < 1.0, "beta", beta, "between 0 and 1")?;
        }
        Ok(NoiseSchedule::accumulate(betas.iter().copied()))
    }

    fn accumulate(betas: impl Iterator<Item = f64>) -> NoiseSchedule {
        let mut alpha_bar = vec![1.0];
        for beta in betas {
            alpha_bar.push(alpha_bar[alpha_bar.len() - 1] * (1.0 - beta));
        }
        NoiseSchedule { alpha_bar }
    }

    /// T.
    pub fn steps(&self) -> usize {
        self.alpha_bar.len() - 1
    }

    /// The level at a time from 0 to T.
    ///
    /// # Panics
    /// If the time is later.
    #[track_caller]
    pub fn level(&self, time: usize) -> Level {
        let alpha_bar = self.alpha_bar[time];
        Level { time: time as f64, alpha: alpha_bar.sqrt(), sigma: (1.0 - alpha_bar).sqrt() }
    }

    /// The levels of a chain of `n` steps, from noise to clean data: `n + 1` of them.
    ///
    /// # Errors
    /// If there are no steps, or more than times.
    pub fn levels(&self, n: usize, spacing: Spacing) -> Result<Vec<Level>> {
        let t = self.steps();
        GenerateError::check((1..=t).contains(&n), "steps", n, "between 1 and the number of the schedule's times")?;
        let (last, count) = (t as f64, n as f64);
        let time = |i: usize| match spacing {
            Spacing::Trailing => (last * (count - i as f64) / count).round() as usize,
            Spacing::Leading => t / n * (n - 1 - i) + 1,
            Spacing::Linspace if n == 1 => t,
            Spacing::Linspace => (last - (last - 1.0) * i as f64 / (count - 1.0)).round() as usize,
        };
        Ok((0..n).map(|i| self.level(time(i))).chain([Level::CLEAN]).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_schedules() {
        // Products of 1 − β with 30 digits.
        for (schedule, t, expected) in [
            (NoiseSchedule::linear(), 1000, 4.035829765375683e-5),
            (NoiseSchedule::linear(), 1, 0.9999),
            (NoiseSchedule::scaled_linear(), 1000, 0.004660095),
        ] {
            let level = schedule.level(t);
            assert!((level.alpha.powi(2) / expected - 1.0).abs() < 1e-6, "{}", level.alpha.powi(2));
            assert!((level.alpha.powi(2) + level.sigma.powi(2) - 1.0).abs() < 1e-15);
        }
        let cosine = NoiseSchedule::cosine(100).unwrap();
        let closed = |t: f64| ((t / 100.0 + 0.008) / 1.008 * FRAC_PI_2).cos().powi(2);
        assert!((cosine.level(60).alpha.powi(2) - closed(60.0) / closed(0.0)).abs() < 1e-12);
        assert!(cosine.level(100).alpha > 0.0, "the last β is capped");
    }

    #[test]
    fn times_fall_to_clean_data() {
        let schedule = NoiseSchedule::linear();
        let times = |n, spacing| schedule.levels(n, spacing).unwrap().iter().map(|l| l.time).collect::<Vec<f64>>();
        assert_eq!(times(4, Spacing::Trailing), [1000.0, 750.0, 500.0, 250.0, 0.0]);
        assert_eq!(times(4, Spacing::Leading), [751.0, 501.0, 251.0, 1.0, 0.0]);
        assert_eq!(times(4, Spacing::Linspace), [1000.0, 667.0, 334.0, 1.0, 0.0]);
        assert_eq!(times(1, Spacing::Linspace), [1000.0, 0.0]);
        assert_eq!(times(1000, Spacing::Trailing), times(1000, Spacing::Leading));
        assert!(schedule.levels(0, Spacing::Trailing).is_err() && schedule.levels(1001, Spacing::Trailing).is_err());
    }

    #[test]
    fn betas_must_be_shares() {
        assert!(NoiseSchedule::of_betas(&[]).is_err() && NoiseSchedule::of_betas(&[0.5, 1.0]).is_err());
        assert!(NoiseSchedule::of_betas(&[f64::NAN]).is_err() && NoiseSchedule::cosine(0).is_err());
        assert_eq!(NoiseSchedule::of_betas(&[0.5, 0.5]).unwrap().level(2).alpha, 0.5);
    }
}
