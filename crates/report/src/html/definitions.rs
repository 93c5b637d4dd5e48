//! How to read the page.

use super::page_section;
use crate::audit::{AuditReport, Norm};

const TERMS: [(&str, &str); 9] = [
    (
        "Accuracy under attack",
        "The share of inputs that are still classified correctly after the attack changed them within the budget. It is an upper bound: a better attack may break more.",
    ),
    ("Worst attack", "Each input counts as broken at ε if any of the attacks breaks it within that budget."),
    (
        "Certified accuracy",
        "The share of inputs that are classified correctly and for which a proof shows that no perturbation within the budget changes the answer. It is a lower bound: a tighter proof may cover more.",
    ),
    (
        "Randomized smoothing",
        "A certificate of another classifier, the majority vote of the model under Gaussian noise. It is measured in ℓ₂ and holds with the stated probability (Cohen et al. 2019).",
    ),
    ("White-box, black-box", "White-box attacks use the model's gradients, black-box attacks only its outputs."),
    (
        "Interval",
        "The 95% Clopper–Pearson interval: where the figure would lie for the population that the examples were drawn from.",
    ),
    (
        "Infidelity",
        "How badly an attribution predicts the change of the output when the input is perturbed (Yeh et al. 2019).",
    ),
    ("Max-sensitivity", "How much an attribution can change when the input hardly does (Yeh et al. 2019)."),
    (
        "Deletion, insertion",
        "The area under the class probability while the most important elements are removed (should fall fast) or added (should rise fast) (Petsiuk et al. 2018).",
    ),
];

pub(super) fn section(report: &AuditReport) -> String {
    let budget = match report.settings.norm {
        Norm::Linf => {
            "The budget: no element of the input (pixel, channel) changes by more than ε (ℓ∞ norm), in the units of the data before normalization."
        }
        Norm::L2 => {
            "The budget: the change as a whole has a Euclidean length of at most ε (ℓ₂ norm), in the units of the data before normalization."
        }
    };
    let terms = std::iter::once(("ε (epsilon)", budget)).chain(TERMS);
    let list: String = terms.map(|(term, text)| format!("<dt>{term}</dt><dd>{text}</dd>\n")).collect();
    page_section("reading", "How to read this", &format!("<dl class=\"terms\">\n{list}</dl>\n"))
}
