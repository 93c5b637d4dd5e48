//! What was run, and how long it took.

use serde::{Deserialize, Serialize};

/// The distance that bounds a perturbation.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Norm {
    /// Largest change of any element.
    Linf,
    /// Euclidean length of the change.
    L2,
}

impl Norm {
    /// The mathematical symbol.
    pub fn symbol(self) -> &'static str {
        match self {
            Norm::Linf => "ℓ∞",
            Norm::L2 => "ℓ₂",
        }
    }
}

/// The arithmetic that the certificates account for.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Rounding {
    /// Bounds are widened by a proven bound on the rounding errors.
    Outward,
    /// Bounds hold for exact arithmetic only.
    Nearest,
}

/// What was run, with which parameters. Together with the model and the data it determines the report.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct Settings {
    /// The norm of the attacks' budgets.
    pub norm: Norm,
    /// The budgets, in pixel units, increasing.
    pub epsilons: Vec<f64>,
    /// The seed of all random numbers.
    pub seed: u64,
    /// Largest number of examples asked for, if limited.
    pub limit: Option<usize>,
    /// The attacks.
    pub attacks: Vec<MethodSetting>,
    /// The certificates.
    pub certificates: Vec<MethodSetting>,
    /// The attribution methods.
    pub attributions: Vec<MethodSetting>,
    /// The arithmetic that the certificates account for.
    pub rounding: Rounding,
}

/// A method and its hyperparameters.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct MethodSetting {
    /// The method's name.
    pub name: String,
    /// Its hyperparameters as text, such as `steps 40, restarts 1`.
    pub hyperparameters: String,
}

/// Wall-clock times.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
pub struct Timings {
    /// When the audit ended (ISO 8601, UTC), if recorded.
    pub finished: Option<String>,
    /// The whole audit, in seconds, over all its runs if it was resumed.
    pub total_seconds: f64,
    /// The stages, in order.
    pub stages: Vec<StageTime>,
    /// Each attribution method, by its name in [`super::AttributionRow::method`].
    pub attributions: Vec<StageTime>,
}

/// The time one stage took.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct StageTime {
    /// The stage.
    pub name: String,
    /// Seconds.
    pub seconds: f64,
}
