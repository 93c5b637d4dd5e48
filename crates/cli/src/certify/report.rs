//! What `perturb certify` found, as `report.json` and as a table.

use perturb::report::audit::{Accuracy, CertificateCurve, CurvePoint, DataInfo, MethodSetting, ModelInfo, Norm};
use perturb::report::format::{epsilon, number, percent};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Version of the format of `report.json`.
pub const SCHEMA_VERSION: u32 = 1;

/// Everything that one run found.
#[derive(Serialize, Debug)]
pub struct CertifyReport {
    pub schema_version: u32,
    pub perturb_version: String,
    pub model: ModelInfo,
    pub data: DataInfo,
    /// Norm of the deterministic methods.
    pub norm: Norm,
    pub seed: u64,
    pub methods: Vec<MethodSetting>,
    /// Accuracy on unchanged inputs.
    pub clean: Accuracy,
    /// Certified accuracy by budget, a curve for each method.
    pub certificates: Vec<CertificateCurve>,
    /// Certificates of smoothing together.
    pub smoothing: Option<SmoothingSummary>,
    pub examples: Vec<Example>,
    /// Seconds of each stage, over all runs that contributed: the only part that may differ between two runs with the same
    /// settings.
    pub seconds: BTreeMap<String, f64>,
}

/// Certificates of smoothing together.
#[derive(Serialize, Debug)]
pub struct SmoothingSummary {
    pub sigma: f64,
    pub draws: u64,
    pub alpha: f64,
    /// Examples about which the smoothed classifier abstains.
    pub abstained: usize,
    /// Mean over all examples of the radius, 0 where the class is wrong or missing (Zhai et al. 2020).
    pub average_certified_radius: f64,
}

/// One example.
#[derive(Serialize, Debug)]
pub struct Example {
    pub index: usize,
    pub label: usize,
    pub prediction: usize,
    /// Largest budget at which a method proves it, of those that were asked about.
    pub proved: BTreeMap<String, Option<f64>>,
    /// Class (none: abstained) and ℓ2 radius of the smoothed classifier.
    pub smoothed: Option<Smoothed>,
}

/// A certificate of smoothing.
#[derive(Serialize, Debug)]
pub struct Smoothed {
    pub class: Option<usize>,
    pub radius: f64,
}

impl CertifyReport {
    /// Curves of one kind: of the model itself, or of the smoothed classifier.
    pub fn curves(&self, smoothed: bool) -> Vec<&CertificateCurve> {
        let of_model = perturb::report::audit::CertifiedClassifier::Model;
        self.certificates.iter().filter(|c| (c.classifier != of_model) == smoothed).collect()
    }

    /// The tables as text.
    pub fn text(&self) -> String {
        let n = self.clean.total;
        let mut text = format!(
            "certified accuracy of {} on the first {n} examples of {} (clean {})\n",
            self.model.name,
            self.data.source,
            percent(self.clean.value)
        );
        for smoothed in [false, true] {
            let curves = self.curves(smoothed);
            let Some(first) = curves.first() else { continue };
            let head = if smoothed { "radius" } else { "ε" };
            let mut rows = vec![vec![format!("{head} ({})", first.norm.symbol())]];
            rows[0].extend(curves.iter().map(|c| c.name.clone()));
            for (k, CurvePoint { epsilon: at, .. }) in first.points.iter().enumerate() {
                let shares = curves.iter().map(|c| percent(c.points[k].accuracy.value));
                rows.push(std::iter::once(epsilon(*at)).chain(shares).collect());
            }
            text += &columns(&rows);
        }
        if let Some(s) = &self.smoothing {
            let _ = writeln!(
                text,
                "smoothing: σ = {}, {} draws, each certificate right with probability ≥ {}; abstained on {}, average \
                 certified radius {}",
                s.sigma,
                s.draws,
                1.0 - s.alpha,
                s.abstained,
                number(s.average_certified_radius, 3)
            );
        }
        text
    }
}

// Columns as wide as their widest cell.
fn columns(rows: &[Vec<String>]) -> String {
    let width = |column: usize| rows.iter().map(|r| r[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..rows[0].len()).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:>width$}"));
        format!("  {}\n", cells.collect::<Vec<_>>().join("  "))
    };
    rows.iter().map(line).collect()
}
