//! The page and the picture files of one run.

use crate::catalogue::System;
use crate::harness::{Report, SeedResult};
use crate::{Figure, Outcome, RunError, Verdict};
use perturb_report::chart::{Size, standalone};
use perturb_report::escape;
use perturb_report::format::{number, seconds};
use perturb_report::html::{document, image, page_section, responsive, table};
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Size of the charts' files.
const CHART: Size = Size { width: 920.0, height: 440.0 };

/// Writes `index.html`, complete in itself, and each figure as an SVG file into `folder`; returns the page's path.
///
/// # Errors
/// [`RunError::File`].
pub fn write_page(
    folder: &Path,
    system: &System,
    report: &Report,
    seeds: &[SeedResult],
    figures: &[Figure],
) -> Result<PathBuf, RunError> {
    let write = |name: String, content: &str| {
        let path = folder.join(name);
        let failed = |source| RunError::File { path: path.display().to_string(), source };
        std::fs::write(&path, content).map_err(failed).map(|()| path.clone())
    };
    std::fs::create_dir_all(folder).map_err(|source| RunError::File { path: folder.display().to_string(), source })?;
    for figure in figures {
        write(format!("{}.svg", figure.name), &standalone(&figure.chart.svg(CHART)))?;
    }
    let body = header(system, report) + &rules(report) + &pictures(seeds, figures) + &values(seeds) + &setup(report);
    let title = format!("Reproduction of {}", escape(system.slug));
    write("index.html".into(), &document(&title, &body, env!("CARGO_PKG_VERSION")))
}

fn header(system: &System, report: &Report) -> String {
    let year = system.year.map(|y| format!(" ({y})")).unwrap_or_default();
    let tone = match report.verdict {
        Verdict::Reproduced => "good",
        Verdict::Partly => "warning",
        Verdict::NotReproduced => "critical",
        Verdict::Inconclusive => "note",
    };
    let effect = report.headline().map(|f| format!("{} {}", escape(&f.estimated), estimate(f.value, f.interval)));
    format!(
        "<header>\n<p class=\"kicker\">Reproduction · {} · {}</p>\n<h1>{}{year}</h1>\n\
         <p class=\"about\">Claim: {}</p>\n\
         <p class=\"verdict {tone}\"><strong>{}</strong> {} over {} seeds.</p>\n</header>\n",
        escape(system.family),
        escape(system.slug),
        escape(system.title),
        escape(system.claim),
        report.verdict,
        effect.unwrap_or_default(),
        report.seeds
    )
}

fn rules(report: &Report) -> String {
    let mut rows = String::new();
    for finding in &report.findings {
        let (class, word) = match finding.outcome {
            Outcome::Holds => ("best", "holds"),
            Outcome::Fails => ("wrong", "fails"),
            Outcome::Uncertain => ("wrong", "uncertain"),
        };
        let kind = if finding.precondition { "precondition" } else { "claim" };
        let _ = writeln!(
            rows,
            "<tr><th scope=\"row\">{}</th><td>{kind}</td><td>{}</td><td class=\"{class}\">{word}</td></tr>",
            escape(&finding.rule),
            estimate(finding.value, finding.interval)
        );
    }
    let head = ["Rule", "Kind", "Measured, with 95% interval over seeds", "Outcome"].map(String::from);
    page_section("rules", "What must hold, and what was measured", &table("Rules", "", &head, &rows))
}

fn pictures(seeds: &[SeedResult], figures: &[Figure]) -> String {
    let mut body = String::new();
    for figure in figures {
        body += &responsive(|size| figure.chart.svg(size), CHART.height);
        let _ = writeln!(body, "{}<p class=\"hint\">{}</p>", figure.chart.legend(), escape(&figure.caption));
    }
    if let Some(first) = seeds.first().filter(|s| !s.measurements.images().is_empty()) {
        body += "<div class=\"strip\">\n";
        for picture in first.measurements.images() {
            let caption = escape(&picture.caption);
            let img = image(&picture.png, &picture.caption);
            let _ = writeln!(body, "<figure>{img}<figcaption>{caption}</figcaption></figure>");
        }
        body += "</div>\n";
    }
    if body.is_empty() { body } else { page_section("pictures", "Pictures", &body) }
}

fn values(seeds: &[SeedResult]) -> String {
    let Some(first) = seeds.first() else { return String::new() };
    let mut head = vec!["Measured".to_string()];
    head.extend(seeds.iter().map(|s| format!("seed {}", s.seed)));
    let mut rows = String::new();
    for (index, value) in first.measurements.values().iter().enumerate() {
        let of_seed = |s: &SeedResult| s.measurements.values().get(index).map_or("–".into(), |v| number(v.value, 4));
        let cells: String = seeds.iter().map(|s| format!("<td>{}</td>", of_seed(s))).collect();
        let name = format!("{}: {}", escape(&value.quantity), escape(&value.arm));
        let _ = writeln!(rows, "<tr><th scope=\"row\">{name}</th>{cells}</tr>");
    }
    page_section("values", "Every seed", &table("Measurements by seed", "numeric", &head, &rows))
}

fn setup(report: &Report) -> String {
    let baselines: Vec<String> = report.baselines.iter().map(|b| escape(b)).collect();
    let body = format!(
        "<div class=\"setup\"><div><dl>\n<dt>Method</dt><dd>{}</dd>\n<dt>Compared with</dt><dd>{}</dd>\n\
         <dt>Tier</dt><dd>{}</dd>\n<dt>Seeds</dt><dd>{}</dd>\n<dt>Time</dt><dd>{}</dd>\n<dt>Finished</dt><dd>{}</dd>\n\
         <dt>Commit</dt><dd>{}</dd>\n</dl></div></div>\n",
        escape(&report.method),
        baselines.join(", "),
        report.tier,
        report.seeds,
        seconds(report.seconds),
        escape(&report.date),
        escape(&report.build.commit)
    );
    page_section("setup", "How it was run", &body)
}

/// A number with its interval.
pub(crate) fn estimate(value: f64, interval: [f64; 2]) -> String {
    format!("{} [{}, {}]", number(value, 3), number(interval[0], 3), number(interval[1], 3))
}
