//! The distance to the nearest adversarial example.

use super::{page_section, responsive};
use crate::audit::AuditReport;
use crate::chart::{HistogramChart, Hue};
use crate::escape::escape;
use crate::format::number;

const TITLE: &str = "Smallest perturbation that changes the answer";

pub(super) fn section(report: &AuditReport) -> String {
    let Some(m) = &report.minimal_perturbation else { return String::new() };
    let norm = m.norm.symbol();
    if m.found == 0 {
        let text =
            format!("<p>{} found a misclassified neighbour for none of {} inputs.</p>\n", escape(&m.attack), m.of);
        return page_section("distance", TITLE, &text);
    }
    let shown = |q: Option<f64>| q.map_or("beyond what was found".into(), |v| number(v, 3));
    let text = format!(
        "<p>{} found a misclassified neighbour for <b>{}</b> of {} correctly classified inputs. Median {norm} distance \
         <b>{}</b>, quartiles {} and {}.{}</p>\n",
        escape(&m.attack),
        m.found,
        m.of,
        shown(m.median),
        shown(m.lower_quartile),
        shown(m.upper_quartile),
        if m.found < m.of { " Inputs without one count as infinitely far." } else { "" }
    );
    let chart = HistogramChart {
        description: format!(
            "Histogram of {norm} distances to the nearest adversarial example, {} inputs, median {}",
            m.found,
            shown(m.median)
        ),
        x_label: format!("{norm} distance to the nearest adversarial example found"),
        y_label: "inputs".into(),
        edges: m.histogram.edges.clone(),
        counts: m.histogram.counts.clone(),
        mark: m.median.map(|v| (v, format!("median {}", number(v, 3)))),
        hue: Hue::Blue,
    };
    let body = text + &responsive(|size| chart.svg(size), 260.0);
    page_section("distance", TITLE, &body)
}
