//! What was audited, with which settings, and how long it took.

use super::page_section;
use crate::audit::{AuditReport, CheckName, MethodSetting, Rounding, StageTime};
use crate::escape::escape;
use crate::format::{count, epsilon, number, percent, seconds};
use std::fmt::Write;

/// Class names beyond these are only counted.
const NAMES_SHOWN: usize = 20;

pub(super) fn section(report: &AuditReport) -> String {
    let groups = [
        group("Model", &model(report)),
        group("Data", &data(report)),
        group("Settings", &settings(report)),
        group("Checks of the audit", &checks(report)),
        group("Time", &timings(report)),
    ];
    page_section("setup", "How this was measured", &format!("<div class=\"setup\">\n{}</div>\n", groups.concat()))
}

/// Terms with their values, which are HTML.
fn group(title: &str, entries: &[(String, String)]) -> String {
    if entries.is_empty() {
        return String::new();
    }
    let list: String =
        entries.iter().map(|(term, value)| format!("<dt>{}</dt><dd>{value}</dd>\n", escape(term))).collect();
    format!("<div>\n<h3>{title}</h3>\n<dl>\n{list}</dl>\n</div>\n")
}

fn entry(term: &str, value: &str) -> (String, String) {
    (term.to_string(), escape(value))
}

fn model(report: &AuditReport) -> Vec<(String, String)> {
    let m = &report.model;
    let shape: Vec<String> = m.input_shape.iter().map(usize::to_string).collect();
    let operators: Vec<String> = m.operators.iter().map(|o| format!("{} × {}", o.count, o.op)).collect();
    vec![
        entry("File", &m.path),
        ("SHA-256".into(), format!("<code>{}</code>", escape(&m.sha256))),
        entry("Parameters", &count(m.parameters)),
        entry("Input", &format!("{} [{}], {}", m.input_name, shape.join(", "), m.dtype)),
        entry("Output", &format!("{}, {} classes", m.output_name, m.classes)),
        entry("Operators", &operators.join(", ")),
    ]
}

fn data(report: &AuditReport) -> Vec<(String, String)> {
    let d = &report.data;
    let n = &d.normalization;
    let list = |values: &[f64]| values.iter().map(|v| number(*v, 4)).collect::<Vec<_>>().join(", ");
    let normalization = if n.mean.is_empty() && n.std.is_empty() {
        "none".into()
    } else {
        format!("(x − mean) / std with mean {}, std {}", list(&n.mean), list(&n.std))
    };
    let range = match d.pixel_range {
        Some([low, high]) => format!("{low} to {high}"),
        None => "unbounded".into(),
    };
    let mut entries = vec![
        entry("Source", &d.source),
        entry("Format", &d.format),
        entry("Examples", &count(d.examples as u64)),
        entry("Range of inputs", &range),
        entry("Normalization", &normalization),
        entry("Chosen because", &n.how_chosen),
    ];
    if !n.candidates.is_empty() {
        let tried: Vec<String> = n.candidates.iter().map(|c| format!("{} {}", c.name, percent(c.accuracy))).collect();
        entries.push(entry("Tried (clean accuracy)", &tried.join(", ")));
    }
    let mut classes = format!("{}", d.classes);
    if !d.label_names.is_empty() {
        let shown: Vec<&str> = d.label_names.iter().take(NAMES_SHOWN).map(String::as_str).collect();
        let _ = write!(classes, ": {}", shown.join(", "));
        if d.label_names.len() > NAMES_SHOWN {
            let _ = write!(classes, " and {} more", d.label_names.len() - NAMES_SHOWN);
        }
    }
    entries.push(entry("Classes", &classes));
    entries
}

fn settings(report: &AuditReport) -> Vec<(String, String)> {
    let s = &report.settings;
    let budgets: Vec<String> = s.epsilons.iter().map(|e| epsilon(*e)).collect();
    let rounding = match s.rounding {
        Rounding::Outward => "outward: certificates account for rounding errors",
        Rounding::Nearest => "nearest: certificates hold for exact arithmetic only",
    };
    let mut entries = vec![
        entry("Norm", s.norm.symbol()),
        entry("Budgets ε", &budgets.join(", ")),
        entry("Seed", &s.seed.to_string()),
        entry("Limit", &s.limit.map_or("none".into(), |l| count(l as u64))),
        entry("Rounding", rounding),
    ];
    for (kind, methods) in [("Attack", &s.attacks), ("Certificate", &s.certificates), ("Attribution", &s.attributions)]
    {
        entries
            .extend(methods.iter().map(|m: &MethodSetting| entry(&format!("{kind} {}", m.name), &m.hyperparameters)));
    }
    entries
}

fn checks(report: &AuditReport) -> Vec<(String, String)> {
    let title = |name: CheckName| match name {
        CheckName::BlackBoxBeatsWhiteBox => "Black box against white box",
        CheckName::AccuracyRisesWithEpsilon => "Larger budgets break more",
        CheckName::ZeroGradients => "Gradients are not zero",
        CheckName::CertificateContradicted => "Attacks obey certificates",
    };
    let outcome = |passed: bool| if passed { "✓ passed" } else { "✕ failed" };
    report.checks.iter().map(|c| entry(title(c.name), &format!("{}: {}", outcome(c.passed), c.detail))).collect()
}

fn timings(report: &AuditReport) -> Vec<(String, String)> {
    let t = &report.timings;
    let mut entries = vec![entry("Total", &seconds(t.total_seconds))];
    entries.extend(t.stages.iter().map(|s: &StageTime| entry(&s.name, &seconds(s.seconds))));
    entries.extend(t.finished.as_ref().map(|when| entry("Finished", when)));
    entries
}
