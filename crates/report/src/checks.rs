//! Tests of the audit itself: signs that the attacks are weaker than they should be, or a certificate wrong.
//!
//! The signs of masked gradients are those of Athalye et al. 2018, "Obfuscated gradients give a false sense of
//! security", section 3.1.

use crate::audit::{Accuracy, AttackKind, AuditReport, Check, CheckName, point_at};
use crate::format::{epsilon, percent};

/// The share of inputs without a gradient from which it is suspicious: a saturated softmax explains a few.
const ZERO_GRADIENTS: f64 = 0.05;

/// Tests the curves of `report`. `zero_gradients` is (inputs at which the loss's gradient is exactly zero, inputs
/// looked at), if that was counted. Tests for which there is nothing to compare are left out.
pub fn checks(report: &AuditReport, zero_gradients: Option<(usize, usize)>) -> Vec<Check> {
    [
        black_box_beats_white_box(report),
        accuracy_rises(report),
        zero_gradients.and_then(zero_gradient_check),
        certificate_contradicted(report),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Differences of one example or one percent are the attacks' own randomness.
fn clearly_more(a: &Accuracy, b: &Accuracy) -> bool {
    a.total == b.total && a.correct > b.correct + 1.max(a.total / 100)
}

/// The lowest accuracy that attacks of one kind reach at `eps`.
fn strongest(report: &AuditReport, kind: AttackKind, eps: f64) -> Option<Accuracy> {
    let curves = report.attacks.iter().filter(|a| a.kind == kind);
    curves.filter_map(|a| point_at(&a.points, eps)).map(|p| p.accuracy).min_by(|a, b| a.value.total_cmp(&b.value))
}

fn black_box_beats_white_box(report: &AuditReport) -> Option<Check> {
    let mut compared = false;
    let mut detail = String::from("no black-box attack breaks more inputs than the best white-box attack");
    let mut passed = true;
    for &eps in &report.settings.epsilons {
        let (Some(white), Some(black)) =
            (strongest(report, AttackKind::WhiteBox, eps), strongest(report, AttackKind::BlackBox, eps))
        else {
            continue;
        };
        compared = true;
        if passed && clearly_more(&white, &black) {
            passed = false;
            detail = format!(
                "at ε = {} a black-box attack leaves {} accuracy, the best white-box attack {}",
                epsilon(eps),
                percent(black.value),
                percent(white.value)
            );
        }
    }
    compared.then_some(Check { name: CheckName::BlackBoxBeatsWhiteBox, passed, detail })
}

/// Single-step attacks may overshoot, so only the strongest white-box attack at each budget counts.
fn accuracy_rises(report: &AuditReport) -> Option<Check> {
    let points: Vec<(f64, Accuracy)> = report
        .settings
        .epsilons
        .iter()
        .filter_map(|&eps| Some((eps, strongest(report, AttackKind::WhiteBox, eps)?)))
        .collect();
    let rise = points.windows(2).find(|w| clearly_more(&w[1].1, &w[0].1));
    let detail = match rise {
        Some(w) => format!(
            "the best white-box attack leaves {} at ε = {} but {} at ε = {}",
            percent(w[0].1.value),
            epsilon(w[0].0),
            percent(w[1].1.value),
            epsilon(w[1].0)
        ),
        None => "accuracy never rises when the budget of the best white-box attack grows".into(),
    };
    (points.len() > 1).then_some(Check { name: CheckName::AccuracyRisesWithEpsilon, passed: rise.is_none(), detail })
}

fn zero_gradient_check((zero, total): (usize, usize)) -> Option<Check> {
    let passed = (zero as f64) <= ZERO_GRADIENTS * total as f64;
    let detail = format!("the gradient of the loss is exactly zero at {zero} of {total} inputs");
    (total > 0).then_some(Check { name: CheckName::ZeroGradients, passed, detail })
}

/// The certified examples are among the attacked ones, so fewer survivors than proofs is impossible.
fn certificate_contradicted(report: &AuditReport) -> Option<Check> {
    let mut compared = false;
    for curve in report.comparable_certificates() {
        for point in &curve.points {
            let Some(attacked) = report.attacked_at(point.epsilon) else { continue };
            compared = true;
            if point.accuracy.correct > attacked.accuracy.correct && point.accuracy.total <= attacked.accuracy.total {
                let detail = format!(
                    "{} proves {} inputs at ε = {}, but only {} survived the attacks",
                    curve.name,
                    point.accuracy.correct,
                    epsilon(point.epsilon),
                    attacked.accuracy.correct
                );
                return Some(Check { name: CheckName::CertificateContradicted, passed: false, detail });
            }
        }
    }
    let detail = "no attack breaks more inputs than the certificates allow".into();
    compared.then_some(Check { name: CheckName::CertificateContradicted, passed: true, detail })
}
