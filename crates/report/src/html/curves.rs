//! Accuracy by budget, attacked and proved: the main chart and its table.

use super::{page_section, responsive, table};
use crate::audit::{
    AttackKind, AuditReport, CertificateCurve, CertifiedClassifier, CurvePoint, Guarantee, Norm, point_at,
};
use crate::chart::{Hue, LineChart, Marker, Region, Sample, Series, Shade};
use crate::escape::escape;
use crate::format::{accuracy, epsilon, interval, percent};
use std::fmt::Write;

const MARKERS: [Marker; 4] = [Marker::Square, Marker::Triangle, Marker::Diamond, Marker::Wedge];
const ATTACK_HUES: [Hue; 4] = [Hue::Amber, Hue::Purple, Hue::Grey, Hue::Brown];
const CERTIFICATE_HUES: [Hue; 2] = [Hue::Blue, Hue::Sky];

pub(super) fn section(report: &AuditReport) -> String {
    if report.worst_case.is_empty() && report.certificates.is_empty() {
        return String::new();
    }
    let chart = chart(report);
    let mut body = responsive(|size| chart.svg(size), 440.0) + &chart.legend();
    let _ = writeln!(body, "<p class=\"hint\">{}</p>", explanation(report));
    let norm = report.settings.norm;
    body += &numbers(report, norm);
    let other = if norm == Norm::Linf { Norm::L2 } else { Norm::Linf };
    if report.certificates.iter().any(|c| c.norm == other) {
        body += &numbers(report, other);
    }
    page_section("accuracy", "Accuracy by size of the perturbation", &body)
}

fn explanation(report: &AuditReport) -> String {
    let mut text =
        String::from("Lines join measured budgets. Above the worst-attack curve inputs are known to break; ");
    text += if report.comparable_certificates().next().is_some() {
        "below the best certificate no perturbation can break them; in the grey band nobody knows yet."
    } else {
        "below it nothing is proved."
    };
    for curve in &report.certificates {
        if let CertifiedClassifier::Smoothed { sigma } = curve.classifier {
            let _ = write!(
                text,
                " {} (dashed) speaks about another classifier, the majority vote under noise of σ = {}, and its ε is \
                 an {} length{}.",
                escape(&curve.name),
                crate::format::number(sigma, 3),
                curve.norm.symbol(),
                if curve.norm == report.settings.norm {
                    ""
                } else {
                    ": do not compare it with the other curves point by point"
                }
            );
        }
        if curve.examples != report.clean.total {
            let _ = write!(text, " {} covers the first {} examples.", escape(&curve.name), curve.examples);
        }
        if !curve.notes.is_empty() {
            let _ = write!(text, " {}: {}.", escape(&curve.name), escape(curve.notes.trim_end_matches('.')));
        }
    }
    text
}

fn chart(report: &AuditReport) -> LineChart {
    let norm = report.settings.norm;
    let attacked = report.attacks.iter().flat_map(|a| &a.points).chain(&report.worst_case);
    let certified = report.certificates.iter().filter(|c| c.norm == norm).flat_map(|c| &c.points);
    let mut end = attacked.chain(certified).map(|p| p.epsilon).fold(0.0, f64::max);
    if end == 0.0 {
        end = report.certificates.iter().flat_map(|c| &c.points).map(|p| p.epsilon).fold(0.0, f64::max);
    }
    let unit = match report.data.pixel_range {
        Some([low, high]) => format!("inputs range from {low} to {high}"),
        None => "in units of the input".into(),
    };
    LineChart {
        description: description(report),
        x_label: format!("size of the perturbation ε ({}; {unit})", norm.symbol()),
        y_label: "accuracy".into(),
        x_range: (0.0, end),
        y_range: (0.0, 1.0),
        percent: true,
        series: series(report),
        regions: regions(report),
    }
}

fn description(report: &AuditReport) -> String {
    let mut text = format!("Line chart. Clean accuracy {}.", percent(report.clean.value));
    for point in &report.worst_case {
        let _ = write!(text, " At ε = {} attacks leave {}", epsilon(point.epsilon), percent(point.accuracy.value));
        match report.proved_at(point.epsilon) {
            Some(proved) => {
                let _ = write!(text, ", proved are {}.", percent(proved.accuracy.value));
            }
            None => text.push('.'),
        }
    }
    text
}

/// A curve about the model itself with its start: at ε = 0 any such curve is the clean accuracy, if it is about the same
/// examples.
fn from_clean(report: &AuditReport, points: &[CurvePoint]) -> Vec<CurvePoint> {
    let clean = CurvePoint { epsilon: 0.0, accuracy: report.clean };
    let missing = points.first().is_some_and(|p| p.epsilon > 0.0 && p.accuracy.total == report.clean.total);
    missing.then_some(clean).into_iter().chain(points.iter().copied()).collect()
}

/// The attacks (warm, thin), the certificates (cool), and the worst case above all.
fn series(report: &AuditReport) -> Vec<Series> {
    let from_clean = |points| from_clean(report, points);
    let mut all = Vec::new();
    for (i, attack) in report.attacks.iter().enumerate() {
        let kind = if attack.kind == AttackKind::BlackBox { " (black-box)" } else { "" };
        all.push(Series {
            name: format!("{}{kind}", attack.name),
            points: samples(&attack.name, &from_clean(&attack.points), false),
            hue: ATTACK_HUES[i % ATTACK_HUES.len()],
            marker: MARKERS[i % MARKERS.len()],
            dashed: false,
            bold: false,
        });
    }
    for (i, curve) in report.certificates.iter().enumerate() {
        let (of_model, name) = (curve.classifier == CertifiedClassifier::Model, certificate_name(curve));
        let points = if of_model { from_clean(&curve.points) } else { curve.points.clone() };
        all.push(Series {
            points: samples(&curve.name, &points, true),
            name,
            hue: if of_model { CERTIFICATE_HUES[i % CERTIFICATE_HUES.len()] } else { Hue::Green },
            marker: if of_model { MARKERS[i % MARKERS.len()] } else { Marker::Wedge },
            dashed: !of_model,
            bold: false,
        });
    }
    if !report.worst_case.is_empty() {
        all.push(Series {
            name: "worst attack for each input".into(),
            points: samples("worst attack", &from_clean(&report.worst_case), true),
            hue: Hue::Vermillion,
            marker: Marker::Circle,
            dashed: false,
            bold: true,
        });
    }
    all
}

fn samples(name: &str, points: &[CurvePoint], intervals: bool) -> Vec<Sample> {
    let sample = |p: &CurvePoint| Sample {
        x: p.epsilon,
        y: p.accuracy.value,
        interval: intervals.then_some(p.accuracy.interval),
        note: format!("{name}, ε = {}: {}", epsilon(p.epsilon), accuracy(&p.accuracy)),
    };
    points.iter().map(sample).collect()
}

fn certificate_name(curve: &CertificateCurve) -> String {
    let subject = match curve.classifier {
        CertifiedClassifier::Model => "certified".into(),
        CertifiedClassifier::Smoothed { .. } => format!("smoothed classifier, {}", curve.norm.symbol()),
    };
    match curve.guarantee {
        Guarantee::Deterministic => format!("{} ({subject})", curve.name),
        Guarantee::Probabilistic { confidence } => {
            format!("{} ({subject}, with probability ≥ {confidence})", curve.name)
        }
    }
}

/// Broken above the worst attack, proved below the best certificate, unknown between, at the attacked budgets.
fn regions(report: &AuditReport) -> Vec<Region> {
    if report.worst_case.is_empty() {
        return Vec::new();
    }
    let any = report.comparable_certificates().next().is_some();
    let clean = report.clean.value;
    let mut corners = vec![(0.0, clean, if any { clean } else { 0.0 })];
    for point in report.worst_case.iter().filter(|p| p.epsilon > 0.0) {
        let attacked = point.accuracy.value;
        match report.proved_at(point.epsilon) {
            Some(proved) => corners.push((point.epsilon, attacked, proved.accuracy.value.min(attacked))),
            None if !any => corners.push((point.epsilon, attacked, 0.0)),
            // No certificate was computed here: nothing can be said about the band.
            None => {}
        }
    }
    let broken = std::iter::once((0.0, clean))
        .chain(report.worst_case.iter().filter(|p| p.epsilon > 0.0).map(|p| (p.epsilon, p.accuracy.value)));
    let mut regions = vec![
        Region { label: "broken".into(), shade: Shade::Bad, bounds: broken.map(|(x, y)| (x, y, 1.0)).collect() },
        Region {
            label: if any { "unknown" } else { "unknown (nothing proved)" }.into(),
            shade: Shade::Unsure,
            bounds: corners.iter().map(|&(x, attacked, proved)| (x, proved, attacked)).collect(),
        },
    ];
    if any {
        let bounds = corners.iter().map(|&(x, _, proved)| (x, 0.0, proved)).collect();
        regions.push(Region { label: "proved".into(), shade: Shade::Sure, bounds });
    }
    regions
}

/// The numbers of the curves in one norm: a row per method, a column per budget.
fn numbers(report: &AuditReport, norm: Norm) -> String {
    let attacked = norm == report.settings.norm;
    let certificates: Vec<&CertificateCurve> = report.certificates.iter().filter(|c| c.norm == norm).collect();
    let mut budgets: Vec<f64> = certificates.iter().flat_map(|c| &c.points).map(|p| p.epsilon).collect();
    if attacked {
        let attacks = report.attacks.iter().flat_map(|a| &a.points).chain(&report.worst_case);
        budgets.extend(attacks.map(|p| p.epsilon));
    }
    budgets.sort_by(f64::total_cmp);
    budgets.dedup();
    budgets.retain(|e| !attacked || *e > 0.0);
    let mut head = vec![format!("ε ({})", norm.symbol())];
    head.extend(attacked.then(|| "0".to_string()));
    head.extend(budgets.iter().map(|e| epsilon(*e)));
    let width = head.len();
    let clean = cell(Some(&CurvePoint { epsilon: 0.0, accuracy: report.clean }));
    let mut rows = String::new();
    if attacked && !(report.attacks.is_empty() && report.worst_case.is_empty()) {
        rows += &group("Accuracy under attack (an upper bound)", width);
        for attack in &report.attacks {
            rows += &row(&escape(&attack.name), "", &clean, &attack.points, &budgets);
        }
        rows += &row("Worst attack for each input", "worst", &clean, &report.worst_case, &budgets);
    }
    if !certificates.is_empty() {
        rows += &group("Certified accuracy (a lower bound)", width);
    }
    for curve in certificates {
        let of_model = curve.classifier == CertifiedClassifier::Model;
        let points = if of_model { from_clean(report, &curve.points) } else { curve.points.clone() };
        let start = if attacked { cell(point_at(&points, 0.0)) } else { String::new() };
        rows += &row(&escape(&certificate_name(curve)), "", &start, &points, &budgets);
    }
    let caption = if attacked {
        format!("Accuracy by budget in {}, with 95% intervals", norm.symbol())
    } else {
        format!("Certificates in {}, with 95% intervals", norm.symbol())
    };
    table(&caption, "numeric", &head, &rows)
}

fn group(title: &str, width: usize) -> String {
    format!("<tr class=\"group\"><th scope=\"rowgroup\" colspan=\"{width}\">{title}</th></tr>\n")
}

/// One method: its name, the cell for ε = 0, and a cell per budget.
fn row(name: &str, class: &str, start: &str, points: &[CurvePoint], budgets: &[f64]) -> String {
    let cells: String = budgets.iter().map(|e| cell(point_at(points, *e))).collect();
    format!("<tr class=\"{class}\"><th scope=\"row\">{name}</th>{start}{cells}</tr>\n")
}

fn cell(point: Option<&CurvePoint>) -> String {
    match point.filter(|p| p.accuracy.total > 0) {
        Some(p) => {
            let a = &p.accuracy;
            format!("<td>{} <small>{}</small></td>", escape(&percent(a.value)), escape(&interval(a)))
        }
        None => "<td>–</td>".into(),
    }
}
