//! Single examples: the gallery and the weakest inputs.

use super::{image, page_section, table};
use crate::audit::{AuditReport, GalleryItem, NamedImage, WeakInput};
use crate::escape::escape;
use crate::format::{epsilon, number, percent};
use std::fmt::Write;

/// Examples side by side with what broke them.
pub(super) fn gallery(report: &AuditReport) -> String {
    if report.gallery.is_empty() {
        return String::new();
    }
    let cards: String = report.gallery.iter().map(|item| card(report, item)).collect();
    page_section("gallery", "Examples and what broke them", &format!("<div class=\"gallery\">\n{cards}</div>\n"))
}

fn card(report: &AuditReport, item: &GalleryItem) -> String {
    let class = |c: usize| escape(&report.class_name(c));
    let sure = |c: Option<f64>| c.map(|p| format!(" <small>({})</small>", escape(&percent(p)))).unwrap_or_default();
    let mut html = format!(
        "<article>\n<h3>Example {}: <b>{}</b>{} → <b class=\"wrong\">{}</b>{}</h3>\n<p class=\"hint\">",
        item.index,
        class(item.clean_prediction),
        sure(item.clean_confidence),
        class(item.adversarial_prediction),
        sure(item.adversarial_confidence)
    );
    if item.clean_prediction != item.label {
        let _ = write!(html, "wrong already without perturbation, the true class is {} · ", class(item.label));
    }
    let _ = writeln!(
        html,
        "{} at ε = {} · ℓ∞ {} · ℓ₂ {}</p>",
        escape(&item.attack),
        epsilon(item.epsilon),
        number(item.linf, 3),
        number(item.l2, 3)
    );
    html += &strip(&item.images, &format!("Example {}", item.index));
    html + "</article>\n"
}

/// Pictures side by side with their captions; `what` they show, for those who cannot see them.
pub fn strip(pictures: &[NamedImage], what: &str) -> String {
    let figure = |picture: &NamedImage| {
        let alt = format!("{what}, {}. {}", picture.name, picture.caption);
        format!(
            "<figure>{}<figcaption><b>{}</b> {}</figcaption></figure>\n",
            image(&picture.png_base64, &alt),
            escape(&picture.name),
            escape(&picture.caption)
        )
    };
    match pictures {
        [] => String::new(),
        _ => format!("<div class=\"strip\">\n{}</div>\n", pictures.iter().map(figure).collect::<String>()),
    }
}

/// The inputs that break first.
pub(super) fn weakest(report: &AuditReport) -> String {
    if report.weakest.is_empty() {
        return String::new();
    }
    let pictures = report.weakest.iter().any(|w| w.png_base64.is_some());
    let mut head: Vec<String> = pictures.then(|| "Input".to_string()).into_iter().collect();
    head.extend(
        ["Example", "True class", "Prediction", "Margin (logits)", "Breaks at ε", "Broken by"].map(String::from),
    );
    let rows: String = report.weakest.iter().map(|w| weak_row(report, w, pictures)).collect();
    let caption = format!("The {} weakest inputs, in {}", report.weakest.len(), report.settings.norm.symbol());
    let hint = "<p class=\"hint\">Look at these first: inputs that break early are often mislabelled, ambiguous, or \
                unlike the training data.</p>\n";
    page_section("weakest", "The weakest inputs", &(String::from(hint) + &table(&caption, "", &head, &rows)))
}

fn weak_row(report: &AuditReport, input: &WeakInput, pictures: bool) -> String {
    let picture = match &input.png_base64 {
        Some(png) => format!("<td>{}</td>", image(png, &format!("Example {}", input.index))),
        None if pictures => "<td>–</td>".into(),
        None => String::new(),
    };
    let wrong = if input.prediction == input.label { "" } else { " class=\"wrong\"" };
    format!(
        "<tr>{picture}<th scope=\"row\">{}</th><td>{}</td><td{wrong}>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
        input.index,
        escape(&report.class_name(input.label)),
        escape(&report.class_name(input.prediction)),
        input.margin.map_or("–".into(), |m| number(m, 3)),
        match input.smallest_epsilon {
            Some(0.0) => "wrong when clean".into(),
            Some(e) => epsilon(e),
            None => "not broken".into(),
        },
        input.broken_by.as_deref().map_or("–".into(), escape)
    )
}
