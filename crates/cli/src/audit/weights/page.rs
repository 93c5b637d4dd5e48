//! The page that compares two sets of weights.

use super::change::Change;
use super::report::{Difference, Variant, WeightsReport, points};
use perturb::report::chart::{Hue, LineChart, Marker, Sample, Series};
use perturb::report::escape;
use perturb::report::format::{accuracy, count, epsilon, interval, number, percent, seconds};
use perturb::report::html::{document, measured, page_section, responsive, table};

/// Hue and marker of each variant.
const STYLES: [(Hue, Marker); 3] =
    [(Hue::Blue, Marker::Circle), (Hue::Vermillion, Marker::Triangle), (Hue::Grey, Marker::Square)];
/// Tensors in the table.
const TENSORS: usize = 40;

/// The report as one page that needs no network.
pub fn page(report: &WeightsReport) -> String {
    let sections = [header(report), behaviour(report), changes(report), setup(report)];
    document(&format!("Weights of {}", escape(&report.model.name)), &sections.concat(), &report.perturb_version)
}

fn header(report: &WeightsReport) -> String {
    format!(
        "<header>\n<p class=\"kicker\">Do these weights do what those did?</p>\n<h1>{}</h1>\n<p class=\"about\">{} against \
         {} · {} examples of {}</p>\n<p class=\"verdict\">{}</p>\n</header>\n",
        escape(&report.model.name),
        escape(&report.variants[0].name),
        escape(&report.variants[1].name),
        count(report.variants[0].clean.total as u64),
        escape(&report.data.source),
        escape(&report.sentence())
    )
}

fn behaviour(report: &WeightsReport) -> String {
    let series: Vec<Series> =
        report.variants.iter().zip(STYLES).map(|(variant, style)| curve(variant, style)).collect();
    let end = series.iter().flat_map(|s| &s.points).map(|p| p.x).fold(0.0, f64::max);
    let chart = LineChart {
        description: "Accuracy under attack by size of the perturbation, a curve for each set of weights.".into(),
        x_label: format!("size of the perturbation ε ({})", report.norm.symbol()),
        y_label: "accuracy under attack".into(),
        x_range: (0.0, if end > 0.0 { end } else { 1.0 }),
        y_range: (0.0, 1.0),
        percent: true,
        series,
        regions: Vec::new(),
    };
    let hint = format!(
        "Each example meets the attack that is worst for it, and each set of weights its own attacks. The two sets give {} of \
         the examples the same class. Random changes move every weight as far as the other file does, up or down by chance: \
         what they do not do to robustness, the size of the change does not explain.",
        percent(report.agreement)
    );
    let body = responsive(|size| chart.svg(size), 420.0)
        + &chart.legend()
        + &format!("<p class=\"hint\">{hint}</p>\n")
        + &numbers(report)
        + &effects(report);
    page_section("behaviour", "What they do", &body)
}

fn curve(variant: &Variant, (hue, marker): (Hue, Marker)) -> Series {
    let clean = std::iter::once((0.0, variant.clean));
    let points = clean.chain(variant.worst_case.iter().map(|p| (p.epsilon, p.accuracy)));
    let sample = |(x, a): (f64, perturb::report::audit::Accuracy)| Sample {
        x,
        y: a.value,
        interval: Some(a.interval),
        note: format!("{}, {}: {}", variant.name, epsilon(x), accuracy(&a)),
    };
    Series { name: variant.name.clone(), points: points.map(sample).collect(), hue, marker, dashed: false, bold: false }
}

fn numbers(report: &WeightsReport) -> String {
    let mut head = vec![format!("ε ({})", report.norm.symbol()), "clean".into()];
    head.extend(report.variants[0].worst_case.iter().map(|p| epsilon(p.epsilon)));
    head.push("ℓ₂ to the nearest".into());
    let row = |variant: &Variant| {
        let shares = std::iter::once(&variant.clean).chain(variant.worst_case.iter().map(|p| &p.accuracy));
        let cells: String =
            shares.map(|a| format!("<td>{} <small>{}</small></td>", percent(a.value), interval(a))).collect();
        let distance = variant.mean_distance.map_or("–".into(), |d| number(d, 3));
        format!("<tr><th scope=\"row\">{}</th>{cells}<td>{distance}</td></tr>\n", escape(&variant.name))
    };
    let rows: String = report.variants.iter().map(row).collect();
    table("Accuracy with 95% intervals, and the mean distance that DDN needs", "numeric", &head, &rows)
}

fn effects(report: &WeightsReport) -> String {
    let mut head = vec!["Change of accuracy, points".to_string(), "clean".into()];
    head.extend(report.variants[0].worst_case.iter().map(|p| epsilon(p.epsilon)));
    let cell = |d: &Difference| {
        format!("<td>{} <small>{} – {}</small></td>", points(d.mean), points(d.interval[0]), points(d.interval[1]))
    };
    let names = report.variants[1..].iter().map(|v| &v.name);
    let row = |(name, effect): (&String, &super::report::Effect)| {
        let cells: String =
            std::iter::once(&effect.clean).chain(effect.robust.iter().map(|(_, d)| d)).map(cell).collect();
        format!("<tr><th scope=\"row\">{}</th>{cells}</tr>\n", escape(name))
    };
    let rows: String = names.zip(&report.effects).map(row).collect();
    table("Differences over the same examples; the intervals hold for all columns together", "numeric", &head, &rows)
}

fn changes(report: &WeightsReport) -> String {
    let head = ["Tensor", "values", "changed", "‖Δ‖/‖θ‖", "largest |Δᵢ|/|θᵢ|", "0 before, not after"];
    let row = |c: &Change| {
        format!(
            "<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
            escape(&c.name),
            count(c.values as u64),
            count(c.changed as u64),
            c.relative.map_or("∞".into(), |r| number(r, 3)),
            number(c.largest, 3),
            count(c.from_zero as u64)
        )
    };
    let Some((all, tensors)) = report.changes.split_last() else { return String::new() };
    let mut order: Vec<&Change> = tensors.iter().collect();
    order.sort_by(|a, b| b.relative.unwrap_or(f64::INFINITY).total_cmp(&a.relative.unwrap_or(f64::INFINITY)));
    let rows: String = std::iter::once(all).chain(order.into_iter().take(TENSORS)).map(row).collect();
    let more = tensors.len().saturating_sub(TENSORS);
    let rest =
        if more > 0 { format!("<p class=\"hint\">{more} more are in report.json.</p>\n") } else { String::new() };
    let head: Vec<String> = head.iter().map(|h| h.to_string()).collect();
    let body = table("Largest relative change first", "numeric", &head, &rows) + &rest;
    page_section("changes", "How far they are apart", &body)
}

fn setup(report: &WeightsReport) -> String {
    let mut entries = vec![
        ("Model".to_string(), report.model.path.clone()),
        ("SHA-256".into(), report.model.sha256.clone()),
        ("Compared with".into(), report.against.clone()),
        ("Data".into(), report.data.source.clone()),
        ("Preprocessing".into(), report.data.normalization.how_chosen.clone()),
        ("Seed".into(), report.seed.to_string()),
    ];
    entries.extend(report.attacks.iter().map(|s| (s.name.clone(), s.hyperparameters.clone())));
    let total: f64 = report.seconds.values().sum();
    entries.push(("Time".into(), seconds(total)));
    measured(&entries)
}
