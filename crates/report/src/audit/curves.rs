//! Accuracy by perturbation budget, attacked and proved.

use super::Norm;
use serde::{Deserialize, Serialize};

/// A share of examples, with its uncertainty as an estimate for the population they were drawn from.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq)]
pub struct Accuracy {
    /// Examples that count.
    pub correct: usize,
    /// Examples looked at.
    pub total: usize,
    /// `correct / total`, in \[0, 1\]; 0 if there are none.
    pub value: f64,
    /// 95 % Clopper–Pearson interval (lower, upper), in \[0, 1\].
    pub interval: [f64; 2],
}

impl Accuracy {
    /// `correct` of `total`, with the given 95 % interval.
    pub fn new(correct: usize, total: usize, interval: [f64; 2]) -> Accuracy {
        let value = if total == 0 { 0.0 } else { correct as f64 / total as f64 };
        Accuracy { correct, total, value, interval }
    }
}

/// Accuracy at one budget.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq)]
pub struct CurvePoint {
    /// The budget, in pixel units, in the norm of the curve.
    pub epsilon: f64,
    /// The share of examples that are still (or provably) classified correctly.
    pub accuracy: Accuracy,
}

/// The point of a curve at exactly `epsilon`.
pub fn point_at(points: &[CurvePoint], epsilon: f64) -> Option<&CurvePoint> {
    points.iter().find(|p| p.epsilon == epsilon)
}

/// Accuracy under one attack.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct AttackCurve {
    /// The attack, as in the settings.
    pub name: String,
    /// What the attack may see.
    pub kind: AttackKind,
    /// Accuracy by budget, in increasing order of ε.
    pub points: Vec<CurvePoint>,
}

/// What an attack may see.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum AttackKind {
    /// The model's gradients.
    WhiteBox,
    /// The model's outputs only.
    BlackBox,
}

/// Accuracy that one certificate proves.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct CertificateCurve {
    /// The certificate, as in the settings.
    pub name: String,
    /// How sure it is.
    pub guarantee: Guarantee,
    /// What it speaks about.
    pub classifier: CertifiedClassifier,
    /// The norm of its ε, which may differ from that of the attacks.
    pub norm: Norm,
    /// Number of examples it was computed for: the first ones of the audited set.
    pub examples: usize,
    /// Certified accuracy by budget, in increasing order of ε.
    pub points: Vec<CurvePoint>,
    /// What else a reader must know.
    pub notes: String,
}

/// How sure a certificate is.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Guarantee {
    /// It always holds.
    Deterministic,
    /// Each example's certificate holds with at least this probability over the certificate's own sampling.
    Probabilistic {
        /// 1 − α.
        confidence: f64,
    },
}

/// The classifier a certificate speaks about.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum CertifiedClassifier {
    /// The model itself.
    Model,
    /// The majority vote of the model under Gaussian noise (Cohen et al. 2019).
    Smoothed {
        /// Standard deviation of the noise, in pixel units.
        sigma: f64,
    },
}
