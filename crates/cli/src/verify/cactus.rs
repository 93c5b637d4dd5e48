//! The page of a list of instances: how many are solved within which time.

use super::instances::Decided;
use perturb::report::chart::{Hue, LineChart, Marker, Sample, Series};
use perturb::report::escape;
use perturb::report::html::{document, page_section, responsive, table};
use std::collections::BTreeMap;

/// A page with a cactus plot and a table.
pub fn page(title: &str, all: &BTreeMap<String, Decided>) -> String {
    let curve = |name: &str, verdicts: &[&str], hue: Hue, marker: Marker| {
        let mut times: Vec<f64> =
            all.values().filter(|d| verdicts.contains(&d.verdict.as_str())).map(|d| d.seconds.max(1e-3)).collect();
        times.sort_unstable_by(f64::total_cmp);
        let note = |i: usize, t: f64| format!("{} solved within {t:.2} s", i + 1);
        let sample =
            |(i, t): (usize, f64)| Sample { x: (i + 1) as f64, y: t.log10(), interval: None, note: note(i, t) };
        let points = times.into_iter().enumerate().map(sample).collect();
        Series { name: name.into(), points, hue, marker, dashed: false, bold: false }
    };
    let series = vec![
        curve("sat or unsat", &["sat", "unsat"], Hue::Blue, Marker::Circle),
        curve("unsat", &["unsat"], Hue::Vermillion, Marker::Square),
    ];
    let highest = series[0].points.last().map_or(1.0, |p| p.y.ceil().max(-1.0));
    let chart = LineChart {
        description: "Time of each solved instance, in increasing order.".into(),
        x_label: "instances solved".into(),
        y_label: "seconds, log₁₀".into(),
        x_range: (0.0, all.len().max(1) as f64),
        y_range: (-3.0, highest.max(-2.0)),
        percent: false,
        series,
        regions: Vec::new(),
    };
    let picture = chart.legend() + &responsive(|size| chart.svg(size), 420.0);
    let rows: String = all
        .iter()
        .map(|(name, d)| {
            let (network, property) = name.split_once(',').unwrap_or((name, ""));
            let cells = [network, property, &d.verdict, &format!("{:.2}", d.seconds)].map(escape);
            format!("<tr>{}</tr>\n", cells.map(|c| format!("<td>{c}</td>")).concat())
        })
        .collect();
    let head = ["network", "property", "verdict", "seconds"].map(String::from);
    let body = format!("<header>\n<p class=\"kicker\">Verification</p>\n<h1>{}</h1>\n</header>\n", escape(title))
        + &page_section("cactus", "Solved within a time", &picture)
        + &page_section("instances", "Instances", &table("All instances", "", &head, &rows));
    document(&format!("Verification of {}", escape(title)), &body, env!("CARGO_PKG_VERSION"))
}
