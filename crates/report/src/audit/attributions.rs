//! How good the attributions are.

use serde::{Deserialize, Serialize};

/// The quality of attribution methods on this model.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
pub struct AttributionQuality {
    /// Number of examples averaged over.
    pub examples: usize,
    /// One row per method.
    pub rows: Vec<AttributionRow>,
}

/// The quality of one attribution method. A figure that was not computed, or is not a number, is absent.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct AttributionRow {
    /// The method, as in the settings.
    pub method: String,
    /// Infidelity (Yeh et al. 2019, def. 2.1); lower is better.
    pub infidelity: Option<Estimate>,
    /// Max-sensitivity (Yeh et al. 2019, def. 4.1), relative to the attribution's norm; lower is better.
    pub max_sensitivity: Option<Estimate>,
    /// Area under the deletion curve (Petsiuk et al. 2018), in \[0, 1\]; lower is better.
    pub deletion_auc: Option<Estimate>,
    /// Area under the insertion curve (Petsiuk et al. 2018), in \[0, 1\]; higher is better.
    pub insertion_auc: Option<Estimate>,
    /// Share of examples whose largest attribution lies on the true object; higher is better.
    pub pointing: Option<Estimate>,
    /// Overlap (intersection over union) of the largest attributions with the true object; higher is better.
    pub mask_iou: Option<Estimate>,
}

/// A mean with its 95 % interval.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The mean over examples.
    pub mean: f64,
    /// Lower end of the interval.
    pub lo: f64,
    /// Upper end of the interval.
    pub hi: f64,
}

impl Estimate {
    /// An estimate, or `None` if one of the numbers is NaN or infinite.
    pub fn new(mean: f64, lo: f64, hi: f64) -> Option<Estimate> {
        [mean, lo, hi].iter().all(|v| v.is_finite()).then_some(Estimate { mean, lo, hi })
    }
}
