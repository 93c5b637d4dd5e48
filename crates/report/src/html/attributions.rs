//! The quality of the attribution methods.

use super::{page_section, table};
use crate::audit::{AttributionRow, AuditReport, Estimate};
use crate::escape::escape;
use crate::format::{number, seconds};

/// One column: its title, whether lower is better, and its figure.
struct Column {
    title: &'static str,
    lower: bool,
    figure: fn(&AttributionRow) -> Option<Estimate>,
}

const COLUMNS: [Column; 6] = [
    Column { title: "Infidelity ↓", lower: true, figure: |r| r.infidelity },
    Column { title: "Max-sensitivity ↓", lower: true, figure: |r| r.max_sensitivity },
    Column { title: "Deletion AUC ↓", lower: true, figure: |r| r.deletion_auc },
    Column { title: "Insertion AUC ↑", lower: false, figure: |r| r.insertion_auc },
    Column { title: "Pointing ↑", lower: false, figure: |r| r.pointing },
    Column { title: "Mask IoU ↑", lower: false, figure: |r| r.mask_iou },
];

pub(super) fn section(report: &AuditReport) -> String {
    let rows = &report.attributions.rows;
    if rows.is_empty() {
        return String::new();
    }
    let columns: Vec<&Column> = COLUMNS.iter().filter(|c| rows.iter().any(|r| (c.figure)(r).is_some())).collect();
    let timed = rows.iter().any(|r| time(report, r).is_some());
    let mut head = vec!["Method".to_string()];
    head.extend(columns.iter().map(|c| c.title.to_string()));
    head.extend(timed.then(|| "Time".to_string()));
    let mut body = String::new();
    for row in rows {
        let cells: String = columns.iter().map(|column| cell(column, row, rows)).collect();
        let time = match time(report, row) {
            Some(s) => format!("<td>{}</td>", seconds(s)),
            None if timed => "<td>–</td>".into(),
            None => String::new(),
        };
        body += &format!("<tr><th scope=\"row\">{}</th>{cells}{time}</tr>\n", escape(&row.method));
    }
    let caption =
        format!("Quality of attributions, mean over {} examples with 95% intervals", report.attributions.examples);
    let hint = "<p class=\"hint\">★ marks the best of each column; methods whose intervals overlap with it may be as \
                good. ↓ lower is better, ↑ higher is better.</p>\n";
    page_section("attributions", "Which explanation to trust", &(table(&caption, "numeric", &head, &body) + hint))
}

fn time(report: &AuditReport, row: &AttributionRow) -> Option<f64> {
    report.timings.attributions.iter().find(|t| t.name == row.method).map(|t| t.seconds)
}

fn cell(column: &Column, row: &AttributionRow, rows: &[AttributionRow]) -> String {
    let Some(e) = (column.figure)(row) else { return "<td>–</td>".into() };
    let means = rows.iter().filter_map(|r| (column.figure)(r)).map(|e| e.mean);
    let best = if column.lower { means.fold(f64::INFINITY, f64::min) } else { means.fold(f64::NEG_INFINITY, f64::max) };
    let (class, star) = if e.mean == best && rows.len() > 1 {
        (" class=\"best\"", "<span aria-label=\"best\" role=\"img\">★</span> ")
    } else {
        ("", "")
    };
    format!("<td{class}>{star}{} <small>[{}, {}]</small></td>", number(e.mean, 3), number(e.lo, 3), number(e.hi, 3))
}
