//! The plain-language summary: fixed rules from the numbers of an audit to what they mean and what to do next.

use crate::audit::{AuditReport, Check, CheckName, Finding, Norm, Severity};
use crate::format::{accuracy, epsilon, number, percent};

/// Clean accuracy that no useful classifier should be below.
const LOW_CLEAN: f64 = 0.5;
/// A rival normalization must be better by this much to be mentioned.
const BETTER_CANDIDATE: f64 = 0.02;
/// Width of the interval of the clean accuracy from which more examples are asked for.
const WIDE_INTERVAL: f64 = 0.1;
/// Examples at which a 95 % interval of any accuracy is at most ±5 points: (1.96 / 0.05)² / 4.
const ENOUGH_EXAMPLES: usize = 385;

/// Derives the summary from the numbers (and `checks`) of `report`, most severe first. `report.findings` is not read.
pub fn findings(report: &AuditReport) -> Vec<Finding> {
    let rules = [
        contradiction,
        clean,
        normalization,
        masking,
        fragility,
        gap,
        certificates,
        sample_size,
        minimal,
        attributions,
    ];
    let mut found: Vec<Finding> = rules.iter().filter_map(|rule| rule(report)).collect();
    found.sort_by_key(|finding| finding.severity);
    found
}

/// The failed checks that are signs of masked gradients.
pub(crate) fn failed_masking_checks(report: &AuditReport) -> impl Iterator<Item = &Check> {
    report.checks.iter().filter(|c| !c.passed && c.name != CheckName::CertificateContradicted)
}

fn finding(severity: Severity, title: impl Into<String>, text: String, action: Option<&str>) -> Option<Finding> {
    Some(Finding { severity, title: title.into(), text, action: action.map(String::from) })
}

fn contradiction(report: &AuditReport) -> Option<Finding> {
    let check = report.checks.iter().find(|c| !c.passed && c.name == CheckName::CertificateContradicted)?;
    finding(
        Severity::Critical,
        "An attack contradicts a certificate",
        format!("{}. One of the two is wrong, so no certificate in this report can be relied on.", check.detail),
        Some("Please report this as a bug of perturb, with the model if you can share it."),
    )
}

fn clean(report: &AuditReport) -> Option<Finding> {
    let clean = &report.clean;
    if clean.total == 0 {
        let action = "Check the data path and --limit.";
        return finding(Severity::Critical, "No examples", "The data hold no example to audit.".into(), Some(action));
    }
    let text = format!(
        "Without any perturbation the model is right on {} of {} examples: {}.",
        clean.correct,
        clean.total,
        accuracy(clean)
    );
    if clean.interval[1] < LOW_CLEAN {
        return finding(
            Severity::Critical,
            "Low accuracy even without perturbation",
            text,
            Some(
                "Suspect the preparation of the input before the model: the pixel range, the normalization, the order \
                 of the channels, or labels in another order.",
            ),
        );
    }
    let severity = if clean.value >= 0.9 { Severity::Good } else { Severity::Note };
    finding(severity, format!("Clean accuracy {}", percent(clean.value)), text, None)
}

fn normalization(report: &AuditReport) -> Option<Finding> {
    let chosen = &report.data.normalization;
    let best = chosen.candidates.iter().max_by(|a, b| a.accuracy.total_cmp(&b.accuracy))?;
    let rival = best.accuracy > report.clean.value + BETTER_CANDIDATE;
    if !rival && (report.clean.total == 0 || report.clean.interval[1] >= LOW_CLEAN) {
        return None;
    }
    let tried: Vec<String> = chosen.candidates.iter().map(|c| format!("{} {}", c.name, percent(c.accuracy))).collect();
    let text = format!("The normalization in use was chosen so: {}. Tried: {}.", chosen.how_chosen, tried.join(", "));
    if rival {
        let action = format!("Use “{}” unless you know that the model was trained otherwise.", best.name);
        finding(Severity::Warning, "Another normalization fits the model better", text, Some(&action))
    } else {
        let action = "State the normalization that the model was trained with.";
        finding(Severity::Warning, "No normalization that was tried fits the model", text, Some(action))
    }
}

fn masking(report: &AuditReport) -> Option<Finding> {
    let signs: Vec<&str> = failed_masking_checks(report).map(|c| c.detail.as_str()).collect();
    if signs.is_empty() {
        return None;
    }
    finding(
        Severity::Warning,
        "Gradients may be masked",
        format!("Signs that the gradient attacks are weaker than they should be: {}.", signs.join("; ")),
        Some(
            "Do not read the accuracy under attack as robustness. Attack again with more restarts, with averaged \
             gradients (EOT) if the model is random, or with a smooth stand-in for steps without a gradient (BPDA).",
        ),
    )
}

fn fragility(report: &AuditReport) -> Option<Finding> {
    let largest = report.worst_case.last().filter(|p| p.accuracy.total > 0)?;
    let norm = report.settings.norm.symbol();
    let Some(eps) = report.breaking_epsilon() else {
        let holds = report.holds_against(&largest.accuracy);
        let title = if holds { "Holds" } else { "More than half holds" };
        return finding(
            if holds { Severity::Good } else { Severity::Note },
            format!("{title} up to ε = {}", epsilon(largest.epsilon)),
            format!(
                "Under the worst attack for each input, {} stay right at ε = {} ({norm}), the largest budget tried. \
                 A stronger attack may still break more.",
                accuracy(&largest.accuracy),
                epsilon(largest.epsilon)
            ),
            Some("Try larger budgets with --epsilon to see where the model gives way."),
        );
    };
    let point = report.attacked_at(eps)?;
    let first = report.worst_case.first().is_some_and(|p| p.epsilon == eps);
    let remedy = match report.settings.norm {
        Norm::Linf => {
            "Train on attacked inputs (adversarial training with PGD, Madry et al. 2018) at about this budget."
        }
        Norm::L2 => {
            "Train on attacked inputs (adversarial training with PGD, Madry et al. 2018) at about this budget, or \
             with Gaussian noise and audit the smoothed classifier (Cohen et al. 2019)."
        }
    };
    finding(
        if first { Severity::Critical } else { Severity::Warning },
        format!("Breaks at ε = {}", epsilon(eps)),
        format!(
            "At ε = {} ({norm}) attacks leave {} of the {} clean accuracy{}.",
            epsilon(eps),
            accuracy(&point.accuracy),
            percent(report.clean.value),
            if first { "; this is the smallest budget tried" } else { ", less than half of it" }
        ),
        Some(remedy),
    )
}

fn gap(report: &AuditReport) -> Option<Finding> {
    // The widest band between proofs and attacks on the same examples.
    let (eps, proved, attacked) = report
        .worst_case
        .iter()
        .filter_map(|p| Some((p.epsilon, report.proved_at(p.epsilon)?.accuracy, p.accuracy)))
        .filter(|(_, proved, attacked)| attacked.value > proved.value)
        .max_by(|a, b| (a.2.value - a.1.value).total_cmp(&(b.2.value - b.1.value)))?;
    let same = if proved.total == attacked.total {
        String::new()
    } else {
        format!(" (proofs on {} examples, attacks on {})", proved.total, attacked.total)
    };
    finding(
        Severity::Note,
        "Between proved and broken nobody knows yet",
        format!(
            "At ε = {} the share of inputs that no perturbation can break lies between {} (certified) and {} \
             (attacked){same}.",
            epsilon(eps),
            percent(proved.value),
            percent(attacked.value)
        ),
        Some("A complete verifier (branch and bound) narrows the band input by input; stronger attacks lower its top."),
    )
}

fn certificates(report: &AuditReport) -> Option<Finding> {
    if report.certificates.is_empty() {
        return finding(
            Severity::Note,
            "Nothing is proved",
            "No certificate was computed: the accuracy under attack is an upper bound on robustness only.".into(),
            None,
        );
    }
    let useless = report.worst_case.iter().find(|p| {
        p.accuracy.correct > 0
            && report.proved_at(p.epsilon).is_some_and(|c| c.accuracy.total > 0 && c.accuracy.correct == 0)
    })?;
    let smoothing = report.certificates.iter().any(|c| c.classifier != crate::audit::CertifiedClassifier::Model);
    let action = if report.settings.norm == Norm::L2 && !smoothing {
        "In ℓ₂, randomized smoothing (Cohen et al. 2019) gives useful certificates for models of any size."
    } else {
        "Bounds are tight for models trained for them: train with interval bounds (IBP, Gowal et al. 2018) or CROWN-IBP."
    };
    finding(
        Severity::Note,
        format!("The certificates prove nothing from ε = {}", epsilon(useless.epsilon)),
        format!(
            "There the bounds are too loose to prove a single input, although {} survive the attacks.",
            percent(useless.accuracy.value)
        ),
        Some(action),
    )
}

fn sample_size(report: &AuditReport) -> Option<Finding> {
    let clean = &report.clean;
    let widest = report.worst_case.iter().map(|p| &p.accuracy).chain([clean]).map(|a| a.interval[1] - a.interval[0]);
    let width = widest.fold(0.0, f64::max);
    if clean.total == 0 || width <= WIDE_INTERVAL {
        return None;
    }
    finding(
        Severity::Note,
        "Few examples, wide intervals",
        format!(
            "With {} examples an accuracy is known only to about ±{} percentage points.",
            clean.total,
            number(50.0 * width, 2)
        ),
        Some(&format!("Audit at least {ENOUGH_EXAMPLES} examples (--limit) for ±5 points at worst.")),
    )
}

fn minimal(report: &AuditReport) -> Option<Finding> {
    let m = report.minimal_perturbation.as_ref().filter(|m| m.of > 0)?;
    let norm = m.norm.symbol();
    let (title, text) = match m.median {
        Some(median) => (
            format!("Half of the inputs flip within {norm} distance {}", number(median, 3)),
            format!(
                "{} found a misclassified input near {} of {} correctly classified ones; the median distance is {}.",
                m.attack,
                m.found,
                m.of,
                number(median, 3)
            ),
        ),
        None => (
            "Most inputs have no adversarial neighbour that was found".into(),
            format!("{} found one for {} of {} correctly classified inputs.", m.attack, m.found, m.of),
        ),
    };
    finding(Severity::Note, title, text, None)
}

fn attributions(report: &AuditReport) -> Option<Finding> {
    let rows = &report.attributions.rows;
    let faithful = rows
        .iter()
        .filter_map(|r| Some((r, r.infidelity?)))
        .min_by(|a, b| a.1.mean.total_cmp(&b.1.mean))
        .filter(|_| rows.len() > 1)?;
    let stable =
        rows.iter().filter_map(|r| Some((r, r.max_sensitivity?))).min_by(|a, b| a.1.mean.total_cmp(&b.1.mean))?;
    let text = format!(
        "{} describes the model most faithfully (infidelity {}); {} changes least when the input does \
         (max-sensitivity {}).",
        faithful.0.method,
        number(faithful.1.mean, 3),
        stable.0.method,
        number(stable.1.mean, 3)
    );
    finding(Severity::Note, format!("To explain this model, start with {}", faithful.0.method), text, None)
}
