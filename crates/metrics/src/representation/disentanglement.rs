//! Whether single features stand for single factors.

use crate::error::{MetricError, Result, check_lengths};
use crate::linear_algebra::{thin_svd, view};
use crate::matrix::{Matrix, check_rows};
use crate::rank::{pearson, spearman};
use crate::transport::assignment;

/// Which correlation counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Correlation {
    /// Linear.
    Pearson,
    /// Of ranks: invariant to monotone maps of each feature.
    Spearman,
}

/// Factors matched with features.
#[derive(Clone, Debug, PartialEq)]
pub struct MatchedCorrelation {
    /// The mean over factors of `|correlation|` with the matched feature (MCC), in [0, 1].
    pub mean: f64,
    /// The feature matched with each factor.
    pub features: Vec<usize>,
    /// `|correlation|`, row-major `[factors, features]`.
    pub correlations: Vec<f64>,
}

/// Mean correlation coefficient (Hyvärinen & Morioka 2016): each factor gets a feature of its own so that the sum of
/// absolute correlations is largest. A feature that does not vary correlates with nothing.
///
/// # Errors
/// [`MetricError::Length`] for different numbers of rows; [`MetricError::Constant`] if a factor does not vary;
/// [`MetricError::Domain`] with fewer features than factors.
pub fn mean_correlation(factors: &Matrix, features: &Matrix, kind: Correlation) -> Result<MatchedCorrelation> {
    check_lengths("rows of factors and features", factors.rows(), features.rows())?;
    let correlate = |factor: &[f64], feature: &[f64]| {
        let found = match kind {
            Correlation::Pearson => pearson(factor, feature),
            Correlation::Spearman => spearman(factor, feature),
        };
        match found {
            Err(MetricError::Constant { what: "y" }) => Ok(0.0),
            Err(MetricError::Constant { .. }) => Err(MetricError::Constant { what: "factors" }),
            other => other.map(f64::abs),
        }
    };
    let columns: Vec<Vec<f64>> = (0..features.columns()).map(|j| features.column(j)).collect();
    let mut correlations = Vec::with_capacity(factors.columns() * features.columns());
    for factor in (0..factors.columns()).map(|i| factors.column(i)) {
        for feature in &columns {
            correlations.push(correlate(&factor, feature)?);
        }
    }
    let costs = Matrix::from_vec(correlations.iter().map(|c| -c).collect(), features.columns())?;
    let matched = assignment(&costs)?;
    Ok(MatchedCorrelation { mean: -matched.cost / factors.columns() as f64, features: matched.columns, correlations })
}

/// The share of the variance of each factor that an affine map of all features explains, in [0, 1]. Dependent features
/// are allowed. With nearly as many features as rows everything is explained; take more rows.
///
/// # Errors
/// [`MetricError::Length`]; [`MetricError::Constant`] if a factor does not vary; [`MetricError::Domain`] with fewer than
/// two rows.
pub fn affine_r_squared(features: &Matrix, factors: &Matrix) -> Result<Vec<f64>> {
    check_lengths("rows of features and factors", features.rows(), factors.rows())?;
    check_rows("features", features, 2)?;
    let centred = features.centred();
    let (u, s, _) = thin_svd("features", view(&centred))?;
    let cutoff = s[0] * f64::EPSILON * features.rows().max(features.columns()) as f64;
    let rank = s.iter().filter(|s| **s > cutoff).count();
    let targets = factors.centred();
    let explained = |j: usize| {
        let target = targets.column(j);
        let total: f64 = target.iter().map(|v| v * v).sum();
        if total == 0.0 {
            return Err(MetricError::Constant { what: "factors" });
        }
        let project = |c: usize| target.iter().enumerate().map(|(i, t)| t * u[(i, c)]).sum::<f64>();
        Ok(((0..rank).map(|c| project(c).powi(2)).sum::<f64>() / total).min(1.0))
    };
    (0..factors.columns()).map(explained).collect()
}

/// Disentanglement and completeness (Eastwood & Williams 2018), both in [0, 1].
#[derive(Clone, Debug, PartialEq)]
pub struct Dci {
    /// Whether each feature matters for one factor only: the mean of `1 − entropy` of each feature's importances over
    /// factors, in base of their number, weighted by importance.
    pub disentanglement: f64,
    /// Whether each factor needs one feature only: the same over features for each factor, weighted by importance.
    pub completeness: f64,
}

/// [`Dci`] from the importance of each feature (row) for predicting each factor (column): absolute coefficients of
/// [`lasso`](crate::probe::lasso) on standardised features, or impurity reductions of trees.
///
/// # Errors
/// [`MetricError::Domain`] for a negative importance, all of them zero, or fewer than two features or factors.
pub fn dci(importances: &Matrix) -> Result<Dci> {
    check_rows("importances", importances, 2)?;
    let values = importances.values();
    if importances.columns() < 2 || values.iter().any(|v| *v < 0.0) || values.iter().all(|v| *v == 0.0) {
        let reason = "needs two factors or more, no negative value and some positive one".to_string();
        return Err(MetricError::Domain { what: "importances", reason });
    }
    let columns: Vec<Vec<f64>> = (0..importances.columns()).map(|j| importances.column(j)).collect();
    Ok(Dci {
        disentanglement: concentration(importances.iter()),
        completeness: concentration(columns.iter().map(Vec::as_slice)),
    })
}

/// The mean of one minus the normalised entropy of each group, weighted by the group's sum.
fn concentration<'a>(groups: impl Iterator<Item = &'a [f64]>) -> f64 {
    let (mut sum, mut weights) = (0.0, 0.0);
    for group in groups {
        let total: f64 = group.iter().sum();
        let shares = group.iter().map(|v| v / total).filter(|p| *p > 0.0);
        let entropy: f64 = shares.map(|p| -p * p.ln()).sum::<f64>() / (group.len() as f64).ln();
        sum += total * (1.0 - entropy);
        weights += total;
    }
    sum / weights
}
