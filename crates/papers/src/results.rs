//! `RESULTS.md`: what was reproduced, from stored runs.

use crate::Tier;
use crate::catalogue::{FAMILIES, Status, System, systems};
use crate::harness::Report;
use crate::page::estimate;
use perturb_report::format::seconds;
use std::fmt::Write;

/// The text of `RESULTS.md` for these reports, at most one for each system. Systems without one keep their row of the
/// `earlier` page, which names the commit that it was measured at.
pub fn results_page(reports: &[Report], earlier: &str) -> String {
    let mut text = String::from(
        "# Results\n\nWritten by `perturb papers --write` from stored runs; not edited by hand. *Measured* is the effect of \
         the claim's first rule with its 95% interval over seeds; *partly* means that it holds and another rule does not. \
         Verdicts marked *quick* come from the short tier.\n\n",
    );
    let row_of = |system: &System| -> Option<String> {
        let kept = || earlier.lines().find(|line| line.starts_with(&format!("| `{}` |", system.slug)));
        match reports.iter().find(|r| r.slug == system.slug) {
            Some(report) => Some(row(system, report)),
            None => kept().map(|line| format!("{line}\n")),
        }
    };
    let built = systems().iter().filter(|s| s.status() == Status::Built).count();
    let run = systems().iter().filter(|s| row_of(s).is_some()).count();
    let _ =
        writeln!(text, "{} systems: {built} built, {run} run, {} planned.", systems().len(), systems().len() - built);
    for family in FAMILIES {
        let rows: Vec<String> = systems().iter().filter(|s| s.family == family).filter_map(row_of).collect();
        if rows.is_empty() {
            continue;
        }
        let _ = writeln!(
            text,
            "\n## {family}\n\n| method | claim | baseline | measured | seeds | verdict | runtime | date | commit |\n\
             |---|---|---|---|---|---|---|---|---|"
        );
        text += &rows.concat();
    }
    let missing = systems().iter().filter(|s| s.status() == Status::Built && row_of(s).is_none());
    let missing: Vec<String> = missing.map(|s| format!("`{}`", s.slug)).collect();
    if !missing.is_empty() {
        let _ = writeln!(text, "\n## Built, but without a stored run\n\n{}", missing.join(", "));
    }
    text
}

fn row(system: &System, report: &Report) -> String {
    let measured = report.headline().map(|f| format!("{} = {}", f.estimated, estimate(f.value, f.interval)));
    let tier = if report.tier == Tier::Quick { " (quick)" } else { "" };
    let held = report.findings.iter().filter(|f| f.outcome == crate::Outcome::Holds).count();
    let cells = [
        format!("`{}`", system.slug),
        system.claim.into(),
        report.baselines.join(", "),
        measured.unwrap_or_default(),
        report.seeds.to_string(),
        format!("**{}**{tier}, {held}/{} rules", report.verdict, report.findings.len()),
        seconds(report.seconds),
        report.date.split('T').next().unwrap_or_default().into(),
        report.build.commit.clone(),
    ];
    let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|").replace('\n', " ")).collect();
    format!("| {} |\n", cells.join(" | "))
}
