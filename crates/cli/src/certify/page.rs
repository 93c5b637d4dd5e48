//! The page of `perturb certify`.

use super::report::CertifyReport;
use perturb::report::audit::{CertificateCurve, CurvePoint, Norm};
use perturb::report::chart::{Hue, LineChart, Marker, Sample, Series};
use perturb::report::escape;
use perturb::report::format::{accuracy, count, epsilon, interval, number, percent, seconds};
use perturb::report::html::{document, measured, page_section, responsive, table};

/// Hue and marker of each method, in the order of the methods.
const STYLES: [(&str, Hue, Marker); 4] = [
    ("IBP", Hue::Sky, Marker::Square),
    ("CROWN", Hue::Blue, Marker::Triangle),
    ("α-CROWN", Hue::Vermillion, Marker::Circle),
    ("randomized smoothing", Hue::Green, Marker::Wedge),
];
/// Examples in the table of the hardest.
const HARDEST: usize = 20;

/// The report as one page that needs no network.
pub fn page(report: &CertifyReport) -> String {
    let sections = [header(report), bounds(report), smoothing(report), hardest(report), setup(report)];
    document(&format!("Certificates of {}", escape(&report.model.name)), &sections.concat(), &report.perturb_version)
}

fn header(report: &CertifyReport) -> String {
    let best = report.curves(false).last().and_then(|c| Some((c.name.clone(), *middle(&c.points)?)));
    let smoothed = report.curves(true).first().and_then(|c| Some((c.name.clone(), *middle(&c.points)?)));
    let mut numbers = big("clean", "Clean accuracy", "no perturbation", &report.clean);
    if let Some((name, point)) = best {
        let at = format!("{name}, {}, ε = {}", report.norm.symbol(), epsilon(point.epsilon));
        numbers += &big("proved", "The model itself", &at, &point.accuracy);
    }
    if let Some((name, point)) = smoothed {
        let at = format!("{name}, {}, radius {}", Norm::L2.symbol(), epsilon(point.epsilon));
        numbers += &big("proved", "Smoothed classifier", &at, &point.accuracy);
    }
    format!(
        "<header>\n<p class=\"kicker\">Certified robustness</p>\n<h1>{}</h1>\n<p class=\"about\">{} · first {} example{} of \
         {}</p>\n<dl class=\"numbers\">\n{numbers}</dl>\n</header>\n",
        escape(&report.model.name),
        escape(&report.model.path),
        count(report.clean.total as u64),
        if report.clean.total == 1 { "" } else { "s" },
        escape(&report.data.source)
    )
}

fn middle(points: &[CurvePoint]) -> Option<&CurvePoint> {
    points.get(points.len() / 2)
}

fn big(class: &str, title: &str, at: &str, a: &perturb::report::audit::Accuracy) -> String {
    format!(
        "<div class=\"{class}\"><dt>{title} <span>{}</span></dt><dd><b>{}</b> <small>{} · {} of {}</small></dd></div>\n",
        escape(at),
        percent(a.value),
        interval(a),
        a.correct,
        a.total
    )
}

fn bounds(report: &CertifyReport) -> String {
    let curves = report.curves(false);
    if curves.is_empty() {
        return String::new();
    }
    let clean = CurvePoint { epsilon: 0.0, accuracy: report.clean };
    let unit = match report.data.pixel_range {
        Some([low, high]) => format!("inputs range from {low} to {high}"),
        None => "in units of the input".into(),
    };
    let label = format!("size of the perturbation ε ({}; {unit})", report.norm.symbol());
    let hint = "Below a curve, no perturbation within the budget changes the right answer: this is proved for every input \
                that counts, and rounding of the arithmetic is taken into account. Above it nobody knows; only an attack \
                could tell.";
    let body = picture(&curves, Some(clean), &label) + &format!("<p class=\"hint\">{hint}</p>\n");
    page_section("bounds", "Proved for the model itself", &(body + &numbers(&curves, "ε", Some(clean))))
}

fn smoothing(report: &CertifyReport) -> String {
    let curves = report.curves(true);
    let Some(summary) = &report.smoothing else { return String::new() };
    let hint = format!(
        "This is another classifier: the majority vote of the model under Gaussian noise of σ = {}. Each certificate holds \
         with probability ≥ {} over the {} draws that it rests on. It abstained on {} of {} examples; the average certified \
         radius is {}.",
        number(summary.sigma, 3),
        1.0 - summary.alpha,
        count(summary.draws),
        summary.abstained,
        report.clean.total,
        number(summary.average_certified_radius, 3)
    );
    let label = format!("radius ({})", Norm::L2.symbol());
    let body = picture(&curves, None, &label) + &format!("<p class=\"hint\">{hint}</p>\n");
    page_section("smoothing", "Certified for the smoothed classifier", &(body + &numbers(&curves, "radius", None)))
}

fn picture(curves: &[&CertificateCurve], clean: Option<CurvePoint>, x_label: &str) -> String {
    let with_clean = |curve: &CertificateCurve| -> Vec<CurvePoint> {
        let missing = curve.points.first().is_some_and(|p| p.epsilon > 0.0);
        clean.filter(|_| missing).into_iter().chain(curve.points.iter().copied()).collect()
    };
    let series: Vec<Series> = curves
        .iter()
        .map(|curve| {
            let style = STYLES.iter().find(|(name, ..)| *name == curve.name).unwrap_or(&STYLES[0]);
            let sample = |p: CurvePoint| Sample {
                x: p.epsilon,
                y: p.accuracy.value,
                interval: Some(p.accuracy.interval),
                note: format!("{}, {}: {}", curve.name, epsilon(p.epsilon), accuracy(&p.accuracy)),
            };
            Series {
                name: curve.name.clone(),
                points: with_clean(curve).into_iter().map(sample).collect(),
                hue: style.1,
                marker: style.2,
                dashed: false,
                bold: false,
            }
        })
        .collect();
    let end = series.iter().flat_map(|s| &s.points).map(|p| p.x).fold(0.0, f64::max);
    let chart = LineChart {
        description: "Certified accuracy by size of the perturbation, a curve for each method.".into(),
        x_label: x_label.into(),
        y_label: "certified accuracy".into(),
        x_range: (0.0, if end > 0.0 { end } else { 1.0 }),
        y_range: (0.0, 1.0),
        percent: true,
        series,
        regions: Vec::new(),
    };
    responsive(|size| chart.svg(size), 420.0) + &chart.legend()
}

fn numbers(curves: &[&CertificateCurve], head: &str, clean: Option<CurvePoint>) -> String {
    let Some(first) = curves.first() else { return String::new() };
    let mut titles = vec![format!("{head} ({})", first.norm.symbol())];
    titles.extend(clean.map(|_| "clean".to_string()));
    titles.extend(first.points.iter().map(|p| epsilon(p.epsilon)));
    let cell =
        |p: &CurvePoint| format!("<td>{} <small>{}</small></td>", percent(p.accuracy.value), interval(&p.accuracy));
    let row = |curve: &&CertificateCurve| {
        let cells: String = clean.iter().chain(&curve.points).map(cell).collect();
        format!("<tr><th scope=\"row\">{}</th>{cells}</tr>\n", escape(&curve.name))
    };
    let rows: String = curves.iter().map(row).collect();
    table("Certified accuracy with 95% intervals", "numeric", &titles, &rows)
}

// The examples that are classified right and proved to the smallest budgets.
fn hardest(report: &CertifyReport) -> String {
    let methods: Vec<&str> = report.certificates.iter().map(|c| c.name.as_str()).collect();
    let Some(tightest) = report.curves(false).last().map(|c| c.name.clone()) else { return String::new() };
    let reach = |e: &super::report::Example| e.proved.get(&tightest).copied().flatten().unwrap_or(0.0);
    let mut order: Vec<_> = report.examples.iter().filter(|e| e.prediction == e.label).collect();
    order.sort_by(|a, b| reach(a).total_cmp(&reach(b)).then(a.index.cmp(&b.index)));
    let mut head = vec!["Example".to_string(), "Class".into()];
    head.extend(methods.iter().map(|m| m.to_string()));
    let row = |e: &&super::report::Example| {
        let cells: String = methods
            .iter()
            .map(|m| match (e.proved.get(*m), &e.smoothed) {
                (Some(Some(at)), _) => format!("<td>{}</td>", epsilon(*at)),
                (Some(None), _) => "<td>–</td>".into(),
                (None, Some(s)) if s.class == Some(e.label) => format!("<td>{}</td>", number(s.radius, 3)),
                (None, Some(s)) if s.class.is_none() => "<td>abstained</td>".into(),
                (None, _) => "<td class=\"wrong\">wrong</td>".into(),
            })
            .collect();
        format!("<tr><th scope=\"row\">{}</th><td>{}</td>{cells}</tr>\n", e.index, escape(&class(report, e.label)))
    };
    let rows: String = order.iter().take(HARDEST).map(row).collect();
    let caption = "Largest budget that each method proves of those asked about; for smoothing its ℓ₂ radius";
    page_section("hardest", "Right answers that are proved the least", &table(caption, "numeric", &head, &rows))
}

fn class(report: &CertifyReport, label: usize) -> String {
    report.data.label_names.get(label).cloned().unwrap_or_else(|| label.to_string())
}

fn setup(report: &CertifyReport) -> String {
    let m = &report.model;
    let shape: Vec<String> = m.input_shape.iter().map(usize::to_string).collect();
    let mut entries = vec![
        ("Model".to_string(), m.path.clone()),
        ("SHA-256".into(), m.sha256.clone()),
        ("Parameters".into(), count(m.parameters)),
        ("Input".into(), format!("{} [{}], {}", m.input_name, shape.join(", "), m.dtype)),
        ("Data".into(), report.data.source.clone()),
        ("Preprocessing".into(), report.data.normalization.how_chosen.clone()),
        ("Seed".into(), report.seed.to_string()),
    ];
    entries.extend(report.methods.iter().map(|s| (s.name.clone(), s.hyperparameters.clone())));
    entries.extend(report.seconds.iter().map(|(stage, s)| (format!("Time: {stage}"), seconds(*s))));
    measured(&entries)
}
