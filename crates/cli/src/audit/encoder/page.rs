//! The page of an encoder's audit.

use super::report::{Card, Curve, EncoderReport, Point, Spread};
use perturb::report::audit::Accuracy;
use perturb::report::chart::{Hue, LineChart, Marker, Sample, Series};
use perturb::report::escape;
use perturb::report::format::{count, epsilon, interval, number, percent, seconds};
use perturb::report::html::{document, measured, page_section, responsive, strip, table};

/// Hue and marker of each way of changing images.
const STYLES: [(Hue, Marker); 3] =
    [(Hue::Grey, Marker::Square), (Hue::Vermillion, Marker::Circle), (Hue::Blue, Marker::Triangle)];

/// The report as one page that needs no network.
pub fn page(report: &EncoderReport) -> String {
    let sections = [header(report), cosines(report), retrieval(report), gallery(report), setup(report)];
    document(&format!("Audit of {}", escape(&report.model.name)), &sections.concat(), &report.perturb_version)
}

fn header(report: &EncoderReport) -> String {
    let width = report.model.classes;
    format!(
        "<header>\n<p class=\"kicker\">How far do perturbations carry an embedding?</p>\n<h1>{}</h1>\n<p class=\"about\">{} · \
         embeddings of {width} numbers · {} images of {}</p>\n<p class=\"verdict\">{}</p>\n</header>\n",
        escape(&report.model.name),
        escape(&report.model.path),
        count(report.images as u64),
        escape(&report.data),
        escape(&report.sentence())
    )
}

fn chart(report: &EncoderReport, label: &str, low: f64, of: impl Fn(&Point) -> (f64, [f64; 2])) -> String {
    let series = report.curves.iter().zip(STYLES).map(|(curve, (hue, marker))| {
        let sample = |point: &Point| {
            let (y, bar) = of(point);
            let note = format!("{}, {}: {}", curve.name, epsilon(point.epsilon), number(y, 3));
            Sample { x: point.epsilon, y, interval: Some(bar), note }
        };
        let points = curve.points.iter().map(sample).collect();
        Series { name: curve.name.into(), points, hue, marker, dashed: false, bold: false }
    });
    let series: Vec<Series> = series.collect();
    let end = series.iter().flat_map(|s| &s.points).map(|p| p.x).fold(0.0, f64::max);
    let chart = LineChart {
        description: format!("{label} by size of the perturbation."),
        x_label: format!("size of the perturbation ε ({})", report.norm.symbol()),
        y_label: label.into(),
        x_range: (0.0, if end > 0.0 { end } else { 1.0 }),
        y_range: (low, 1.0),
        percent: label.starts_with("share"),
        series,
        regions: Vec::new(),
    };
    responsive(|size| chart.svg(size), 380.0) + &chart.legend()
}

fn cosines(report: &EncoderReport) -> String {
    let spread = |s: Spread| (s.mean, [s.tenth, s.nine_tenths]);
    let points = report.curves.iter().flat_map(|c| &c.points);
    let low = points.map(|p| p.own.tenth).fold(0.0, f64::min);
    let hint = format!(
        "Means, with bars from the lowest to the highest tenth of the images. Two different images of this set have a cosine of \
         {} on average: below that, a changed image is no more like itself than like another. What uses the embedding is never \
         run: whatever it is, it is given these embeddings.",
        number(report.apart.mean, 3)
    );
    let body = chart(report, "cosine with the own embedding", (low * 10.0).floor() / 10.0, |p| spread(p.own))
        + &format!("<p class=\"hint\">{hint}</p>\n")
        + &numbers(report, "Cosine with the own embedding", |p| spread_cell(p.own))
        + &numbers(report, "Cosine with another image's embedding", |p| spread_cell(p.target));
    page_section("cosine", "Where embeddings go", &body)
}

fn retrieval(report: &EncoderReport) -> String {
    let bar = |a: Accuracy| (a.value, a.interval);
    let doubles = match report.doubles {
        0 => String::new(),
        n => format!(" {n} images have the embedding of an earlier one, and cannot be found again even unchanged."),
    };
    let hint = format!(
        "A changed image is found again if, of the embeddings of all {} images as they are, its own is the nearest.{doubles}",
        count(report.images as u64)
    );
    let body = chart(report, "share found again", 0.0, |p| bar(p.found_again))
        + &format!("<p class=\"hint\">{hint}</p>\n")
        + &numbers(report, "Found again, with 95% intervals", |p| share_cell(p.found_again))
        + &numbers(report, "Nearer to another image than to itself", |p| share_cell(p.taken_over));
    page_section("retrieval", "Which image is found", &body)
}

fn spread_cell(s: Spread) -> String {
    format!("<td>{} <small>{} – {}</small></td>", number(s.mean, 3), number(s.tenth, 3), number(s.nine_tenths, 3))
}

fn share_cell(a: Accuracy) -> String {
    format!("<td>{} <small>{}</small></td>", percent(a.value), interval(&a))
}

fn numbers(report: &EncoderReport, caption: &str, cell: impl Fn(&Point) -> String) -> String {
    let Some(first) = report.curves.first() else { return String::new() };
    let mut head = vec![format!("ε ({})", report.norm.symbol())];
    head.extend(first.points.iter().map(|p| epsilon(p.epsilon)));
    let row = |curve: &Curve| {
        let cells: String = curve.points.iter().map(&cell).collect();
        format!("<tr><th scope=\"row\">{}</th>{cells}</tr>\n", escape(curve.name))
    };
    let rows: String = report.curves.iter().map(row).collect();
    table(caption, "numeric", &head, &rows)
}

fn gallery(report: &EncoderReport) -> String {
    if report.gallery.is_empty() {
        return String::new();
    }
    let card = |card: &Card| {
        format!(
            "<article>\n<h3>Image {}</h3>\n<p class=\"hint\">ε = {}</p>\n{}</article>\n",
            card.index,
            epsilon(card.epsilon),
            strip(&card.pictures, &format!("Image {}", card.index))
        )
    };
    let cards: String = report.gallery.iter().map(card).collect();
    page_section("gallery", "Images and what was done to them", &format!("<div class=\"gallery\">\n{cards}</div>\n"))
}

fn setup(report: &EncoderReport) -> String {
    let m = &report.model;
    let shape: Vec<String> = m.input_shape.iter().map(usize::to_string).collect();
    let entries = [
        ("Encoder", m.path.clone()),
        ("SHA-256", m.sha256.clone()),
        ("Parameters", count(m.parameters)),
        ("Input", format!("{} [{}], {}", m.input_name, shape.join(", "), m.dtype)),
        ("Data", report.data.clone()),
        ("Pixels", format!("from {} to {}", report.pixel_range[0], report.pixel_range[1])),
        ("Preprocessing", report.preprocessing.clone()),
        ("Attack", "gray-box (Lapid and Sipper 2023): 40 steps of ε/16 on the cosine, from a uniform start".into()),
        ("Noise", "every pixel up or down by chance, as far as the budget allows".into()),
        ("Seed", report.seed.to_string()),
        ("Time", seconds(report.seconds.values().sum())),
    ];
    measured(&entries.map(|(term, value)| (term.to_string(), value)))
}
