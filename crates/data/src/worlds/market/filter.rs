//! What can be known of the regime from returns.

use super::path::{Market, MarketPath};
use super::portfolio::solve;
use crate::worlds::error::WorldError;

impl Market {
    /// P(regime of step t | returns and features up to and with t), `[T, regimes]`, for an observer who knows the law,
    /// the volatility h and what the features are worth (Hamilton 1989): the best that any reader of regimes can do.
    ///
    /// # Errors
    /// [`WorldError::Parameter`] if the base covariance is not positive definite.
    pub fn regime_probabilities(&self, path: &MarketPath) -> Result<Vec<f64>, WorldError> {
        let (k, covariance) = (self.regimes.len(), self.base_covariance());
        let mut found: Vec<f64> = Vec::with_capacity(path.steps() * k);
        for step in 0..path.steps() {
            let truth = &self.regimes[path.regimes[step]].mean;
            let mut logs = Vec::with_capacity(k);
            for regime in &self.regimes {
                // What signals add is the stated mean less the true regime's.
                let signal = path.mean(step).iter().zip(truth).map(|(mean, own)| mean - own);
                let expected = signal.zip(&regime.mean).map(|(s, m)| s + m);
                let offset: Vec<f64> = path.returns(step).iter().zip(expected).map(|(r, e)| r - e).collect();
                let [solved] = solve(&covariance, [&offset])?;
                let square: f64 = offset.iter().zip(&solved).map(|(a, b)| a * b).sum();
                let variance = regime.volatility.powi(2) * path.log_volatility[step].exp();
                logs.push(-0.5 * (square / variance + offset.len() as f64 * variance.ln()));
            }
            let max = logs.iter().fold(f64::NEG_INFINITY, |max, l| max.max(*l));
            let prior = |regime: usize| match step {
                0 => f64::from(u8::from(regime == 0)),
                _ => (0..k).map(|from| found[(step - 1) * k + from] * self.switching[from * k + regime]).sum(),
            };
            let joint: Vec<f64> = (0..k).map(|regime| prior(regime) * (logs[regime] - max).exp()).collect();
            let total: f64 = joint.iter().sum();
            found.extend(joint.into_iter().map(|p| p / total));
        }
        Ok(found)
    }
}
