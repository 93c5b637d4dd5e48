//! The verdict in one sentence, with the three numbers that carry it.

use crate::audit::{Accuracy, AuditReport, Severity};
use crate::findings::failed_masking_checks;
use crate::format::{epsilon, percent};

/// The first thing a reader sees.
#[derive(Clone, Debug, PartialEq)]
pub struct Headline {
    /// The verdict.
    pub verdict: Verdict,
    /// One sentence for it.
    pub sentence: String,
    /// The budget that the two numbers below are about: the smallest that breaks the model, else the largest attacked.
    pub epsilon: Option<f64>,
    /// Accuracy under the worst attack at `epsilon`.
    pub attacked: Option<Accuracy>,
    /// The best deterministic certificate at `epsilon`.
    pub proved: Option<Accuracy>,
}

/// How the audit ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// There was nothing to attack.
    Nothing,
    /// The audit cannot be trusted yet: see the failed checks.
    Doubtful,
    /// An attacked budget breaks more than half of what the model gets right.
    Fragile,
    /// No attacked budget does, but the largest takes more than a tenth of it.
    Weakened,
    /// At least nine tenths of what the model gets right survive the largest attacked budget.
    Holds,
}

impl Verdict {
    /// One or two words.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Nothing => "Nothing attacked",
            Verdict::Doubtful => "Doubtful",
            Verdict::Fragile => "Fragile",
            Verdict::Weakened => "Weakened",
            Verdict::Holds => "Holds",
        }
    }

    /// The severity whose colour it is shown in.
    pub fn severity(self) -> Severity {
        match self {
            Verdict::Nothing => Severity::Note,
            Verdict::Doubtful | Verdict::Weakened => Severity::Warning,
            Verdict::Fragile => Severity::Critical,
            Verdict::Holds => Severity::Good,
        }
    }
}

/// Derives the verdict from the numbers.
pub fn headline(report: &AuditReport) -> Headline {
    let breaking = report.breaking_epsilon();
    let at = breaking.or_else(|| report.worst_case.last().map(|p| p.epsilon));
    let attacked = at.and_then(|e| report.attacked_at(e)).map(|p| p.accuracy);
    let proved = at.and_then(|e| report.proved_at(e)).map(|p| p.accuracy);
    let masked = failed_masking_checks(report).next().is_some();
    let (verdict, sentence) = match (at, attacked) {
        (Some(e), Some(attacked)) => {
            let change = format!("a perturbation of {} size {}", report.settings.norm.symbol(), epsilon(e));
            let (clean, left) = (percent(report.clean.value), percent(attacked.value));
            if breaking.is_some() {
                (Verdict::Fragile, format!("{change} takes accuracy from {clean} to {left}."))
            } else if masked {
                (
                    Verdict::Doubtful,
                    format!("{left} is left under {change}, but the attacks look weaker than they should."),
                )
            } else {
                let holds = report.holds_against(&attacked);
                let verdict = if holds { Verdict::Holds } else { Verdict::Weakened };
                (verdict, format!("{left} of inputs stay right under {change} ({clean} without)."))
            }
        }
        _ => (Verdict::Nothing, "no attack was run, or there were no examples.".into()),
    };
    Headline { verdict, sentence, epsilon: at, attacked, proved }
}
