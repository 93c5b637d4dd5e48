//! The content of `report.json`. Every type here is part of the public format that `SCHEMA.md` describes.

mod attributions;
mod curves;
mod examples;
mod minimal;
mod settings;
mod subject;

pub use attributions::{AttributionQuality, AttributionRow, Estimate};
pub use curves::{
    Accuracy, AttackCurve, AttackKind, CertificateCurve, CertifiedClassifier, CurvePoint, Guarantee, point_at,
};
pub use examples::{GalleryItem, NamedImage, WeakInput};
pub use minimal::{Histogram, MinimalPerturbation};
pub use settings::{MethodSetting, Norm, Rounding, Settings, StageTime, Timings};
pub use subject::{Candidate, DataInfo, ModelInfo, Normalization, OperatorCount};

use serde::{Deserialize, Serialize};

/// The version of the format that this crate writes and reads.
pub const SCHEMA_VERSION: u32 = 1;

/// Everything one audit found. All distances are in the units of the input data before normalization
/// ("pixel units", see [`DataInfo::pixel_range`]).
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct AuditReport {
    /// Version of this format: [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// Version of the program that wrote the report.
    pub perturb_version: String,
    /// The model under audit.
    pub model: ModelInfo,
    /// The data it was audited on.
    pub data: DataInfo,
    /// What was run, with which parameters.
    pub settings: Settings,
    /// Accuracy on unchanged inputs.
    pub clean: Accuracy,
    /// Accuracy under each attack.
    pub attacks: Vec<AttackCurve>,
    /// Accuracy when every example meets the attack that is worst for it: an upper bound on robust accuracy,
    /// in increasing order of ε.
    pub worst_case: Vec<CurvePoint>,
    /// Accuracy that each certificate proves.
    pub certificates: Vec<CertificateCurve>,
    /// Distance to the nearest adversarial example that an attack found.
    pub minimal_perturbation: Option<MinimalPerturbation>,
    /// Some examples, side by side with what broke them.
    pub gallery: Vec<GalleryItem>,
    /// How good each attribution method is on this model.
    pub attributions: AttributionQuality,
    /// The inputs that break first, weakest first.
    pub weakest: Vec<WeakInput>,
    /// The plain-language summary, most severe first; see [`crate::findings()`].
    pub findings: Vec<Finding>,
    /// Tests of the attacks and certificates themselves; see [`crate::checks()`].
    pub checks: Vec<Check>,
    /// Wall-clock times: the only part that may differ between two runs with the same settings.
    pub timings: Timings,
}

/// One sentence of the summary, with what to do about it.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct Finding {
    /// How much it matters.
    pub severity: Severity,
    /// The finding in a few words.
    pub title: String,
    /// The numbers behind it.
    pub text: String,
    /// What to do next, where something can be done.
    pub action: Option<String>,
}

/// How much a finding matters, most severe first.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The model or the audit cannot be relied on as it is.
    Critical,
    /// Something to act on.
    Warning,
    /// Worth knowing.
    Note,
    /// A strength.
    Good,
}

/// The outcome of one test of the audit itself.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct Check {
    /// What was tested.
    pub name: CheckName,
    /// Whether nothing suspicious was seen.
    pub passed: bool,
    /// What was seen.
    pub detail: String,
}

/// What a [`Check`] tests. The first three are symptoms of masked gradients (Athalye et al. 2018, section 3.1).
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum CheckName {
    /// A black-box attack does not break more inputs than every white-box attack.
    BlackBoxBeatsWhiteBox,
    /// No attack gets weaker when its budget grows.
    AccuracyRisesWithEpsilon,
    /// The loss has a gradient at the inputs.
    ZeroGradients,
    /// No attack breaks more than a deterministic certificate allows.
    CertificateContradicted,
}

/// Why a report could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// A number is NaN or infinite, which JSON cannot hold.
    #[error("the report holds a number that is NaN or infinite (line {line}: `{text}`): it must be left out instead")]
    NotFinite {
        /// Line of the JSON text, from 1.
        line: usize,
        /// That line.
        text: String,
    },
    /// The text is not a report.
    #[error("not a report of perturb audit: {0}")]
    Parse(#[from] serde_json::Error),
    /// The report was written in another version of the format.
    #[error(
        "the report has schema version {found}, this program reads version {SCHEMA_VERSION}: use a matching perturb"
    )]
    Version {
        /// The version that the report states.
        found: u64,
    },
}

impl AuditReport {
    /// The report as indented JSON: keys in the order of the structs, floats in their shortest round-trip form.
    ///
    /// # Errors
    /// [`ReportError::NotFinite`] if a number that is not optional is NaN or infinite.
    pub fn to_json(&self) -> Result<String, ReportError> {
        let json = serde_json::to_string_pretty(self)? + "\n";
        // serde_json writes NaN as null, and null does not read back where a number is required.
        match serde_json::from_str::<AuditReport>(&json) {
            Ok(_) => Ok(json),
            Err(error) => {
                let text = json.lines().nth(error.line().saturating_sub(1)).unwrap_or_default().trim().to_string();
                Err(ReportError::NotFinite { line: error.line(), text })
            }
        }
    }

    /// Reads what [`to_json`](Self::to_json) wrote.
    ///
    /// # Errors
    /// [`ReportError::Version`] for another version of the format, [`ReportError::Parse`] for any other text.
    pub fn from_json(json: &str) -> Result<AuditReport, ReportError> {
        #[derive(Deserialize)]
        struct Version {
            schema_version: u64,
        }
        let version: Version = serde_json::from_str(json)?;
        if version.schema_version != u64::from(SCHEMA_VERSION) {
            return Err(ReportError::Version { found: version.schema_version });
        }
        Ok(serde_json::from_str(json)?)
    }

    /// The worst-case point at exactly `epsilon`.
    pub fn attacked_at(&self, epsilon: f64) -> Option<&CurvePoint> {
        point_at(&self.worst_case, epsilon)
    }

    /// The certificates that hold with certainty, for the model itself, in the norm of the attacks: those that an
    /// attack's result may be compared with.
    pub fn comparable_certificates(&self) -> impl Iterator<Item = &CertificateCurve> {
        self.certificates.iter().filter(|c| {
            c.guarantee == Guarantee::Deterministic
                && c.classifier == CertifiedClassifier::Model
                && c.norm == self.settings.norm
        })
    }

    /// The best of the [`comparable_certificates`](Self::comparable_certificates) at exactly `epsilon`.
    pub fn proved_at(&self, epsilon: f64) -> Option<&CurvePoint> {
        self.comparable_certificates()
            .filter_map(|c| point_at(&c.points, epsilon))
            .max_by(|a, b| a.accuracy.value.total_cmp(&b.accuracy.value))
    }

    /// The smallest attacked ε at which less than half of the clean accuracy is left.
    pub fn breaking_epsilon(&self) -> Option<f64> {
        let half = self.clean.value / 2.0;
        self.worst_case.iter().find(|p| p.accuracy.value < half).map(|p| p.epsilon)
    }

    /// Whether `attacked` keeps at least nine tenths of the clean accuracy.
    pub fn holds_against(&self, attacked: &Accuracy) -> bool {
        attacked.value >= 0.9 * self.clean.value
    }

    /// The name of a class, or its number where the data have no names.
    pub fn class_name(&self, class: usize) -> String {
        match self.data.label_names.get(class) {
            Some(name) if !name.is_empty() => name.clone(),
            _ => class.to_string(),
        }
    }
}
