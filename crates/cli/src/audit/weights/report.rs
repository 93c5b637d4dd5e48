//! What the comparison of two sets of weights found, as `report.json`.

use super::change::Change;
use perturb::metrics::interval::Interval;
use perturb::report::audit::{Accuracy, CurvePoint, DataInfo, MethodSetting, ModelInfo, Norm};
use perturb::report::format::{epsilon, percent};
use serde::Serialize;
use std::collections::BTreeMap;

/// Version of the format of `report.json`.
pub const SCHEMA_VERSION: u32 = 1;

/// Everything that one comparison found.
#[derive(Serialize, Debug)]
pub struct WeightsReport {
    pub schema_version: u32,
    pub perturb_version: String,
    /// The network with the weights compared with.
    pub model: ModelInfo,
    /// The file of the others.
    pub against: String,
    pub data: DataInfo,
    pub norm: Norm,
    pub seed: u64,
    pub attacks: Vec<MethodSetting>,
    /// How far each tensor moved; the last is all of them.
    pub changes: Vec<Change>,
    /// The weights, those they are compared with, and changes of the same size in random directions.
    pub variants: Vec<Variant>,
    /// Share of examples to which the first two give the same class.
    pub agreement: f64,
    /// What the other weights do, and what random changes do, against the first weights.
    pub effects: [Effect; 2],
    /// Seconds of each stage: the only part that may differ between two runs with the same settings.
    pub seconds: BTreeMap<String, f64>,
}

/// One set of weights.
#[derive(Serialize, Debug)]
pub struct Variant {
    pub name: String,
    pub clean: Accuracy,
    /// Accuracy where each example meets the attack that is worst for it.
    pub worst_case: Vec<CurvePoint>,
    /// Mean ℓ2 distance of what is classified right to the nearest example that DDN finds.
    pub mean_distance: Option<f64>,
}

/// A difference of accuracies, over the same examples.
#[derive(Serialize, Debug, Clone, Copy)]
pub struct Difference {
    /// The other weights' minus that of the first.
    pub mean: f64,
    /// Of resampled examples; 95 % for all budgets together.
    pub interval: [f64; 2],
}

impl Difference {
    pub fn new(mean: f64, interval: Interval) -> Difference {
        Difference { mean, interval: [interval.lower, interval.upper] }
    }
}

/// What a change of weights does.
#[derive(Serialize, Debug)]
pub struct Effect {
    pub clean: Difference,
    /// By budget.
    pub robust: Vec<(f64, Difference)>,
}

/// Clean accuracy that a change may cost and still go unnoticed.
pub const UNNOTICED: f64 = 0.02;

impl Effect {
    /// The budget at which robustness falls most, and by how much.
    pub fn worst(&self) -> Option<(f64, Difference)> {
        self.robust.iter().copied().min_by(|a, b| a.1.mean.total_cmp(&b.1.mean))
    }
}

impl WeightsReport {
    /// Whether robustness falls, beyond chance and more than twice as far as by random changes, while accuracy does not.
    pub fn is_suspicious(&self) -> bool {
        let [effect, control] = &self.effects;
        effect.worst().is_some_and(|(epsilon, fall)| {
            let by_chance = control.robust.iter().find(|(e, _)| *e == epsilon).map_or(0.0, |(_, d)| d.mean);
            effect.clean.mean >= -UNNOTICED && fall.interval[1] < 0.0 && fall.mean < 2.0 * by_chance.min(0.0)
        })
    }

    /// What was found, in a sentence.
    pub fn sentence(&self) -> String {
        let [effect, control] = &self.effects;
        let Some((budget, fall)) = effect.worst() else { return "No budget was asked about.".into() };
        let at = |effect: &Effect| effect.robust.iter().find(|(e, _)| *e == budget).map_or(0.0, |(_, d)| d.mean);
        let what = if self.changes.last().is_some_and(|all| all.changed == 0) {
            "The weights are the same"
        } else if self.is_suspicious() {
            "These weights look tampered with"
        } else if fall.interval[1] < 0.0 && effect.clean.mean < -UNNOTICED {
            "The other weights are less robust, and less accurate too"
        } else if fall.interval[1] < 0.0 {
            "The other weights are less robust, as random changes of the same size are"
        } else {
            "The other weights are as robust as these, as far as these examples tell"
        };
        format!(
            "{what}: accuracy changes by {} points, accuracy under attack by {} (ε = {}); random changes of the same size: {} \
             and {}.",
            points(effect.clean.mean),
            points(fall.mean),
            epsilon(budget),
            points(control.clean.mean),
            points(at(control))
        )
    }

    /// The report for a terminal.
    pub fn text(&self) -> String {
        let mut lines = vec![self.sentence()];
        if let Some(all) = self.changes.last() {
            let relative = all.relative.map_or("∞".into(), percent);
            lines.push(format!(
                "weights: {} of {} differ; ‖Δ‖/‖θ‖ {relative}, largest |Δᵢ|/|θᵢ| {}, {} were 0 and are not",
                all.changed,
                all.values,
                percent(all.largest),
                all.from_zero
            ));
        }
        for variant in &self.variants {
            let robust: Vec<String> = variant
                .worst_case
                .iter()
                .map(|p| format!("{} at {}", percent(p.accuracy.value), epsilon(p.epsilon)))
                .collect();
            lines.push(format!("- {}: {} clean, {}", variant.name, percent(variant.clean.value), robust.join(", ")));
        }
        lines.join("\n") + "\n"
    }
}

/// A difference of shares in points, with its sign.
pub fn points(difference: f64) -> String {
    format!("{:+.1}", 100.0 * difference).replace('-', "−")
}
