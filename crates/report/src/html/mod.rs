//! The page: one self-contained `report.html`, for screens from phone to desktop, light and dark, and for paper.

mod attributions;
mod curves;
mod definitions;
mod distances;
mod examples;
mod setup;
mod summary;

pub use examples::strip;

use crate::audit::AuditReport;
use crate::chart;
use crate::escape::escape;

const STYLE: &str = include_str!("style.css");

/// Forbids everything but what is on the page itself, so that no string in a report can load or run anything.
const POLICY: &str = "default-src 'none'; img-src data:; style-src 'unsafe-inline'";

/// Renders the report as one HTML page that needs no network.
pub fn render(report: &AuditReport) -> String {
    let title = format!("Audit of {}", escape(&report.model.name));
    let sections = [
        summary::header(report),
        summary::findings(report),
        curves::section(report),
        distances::section(report),
        examples::gallery(report),
        attributions::section(report),
        examples::weakest(report),
        setup::section(report),
        definitions::section(report),
    ];
    document(&title, &sections.concat(), &report.perturb_version)
}

/// A complete page around `body`, which is HTML as `title` is; only `version` is plain text.
pub fn document(title: &str, body: &str, version: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{title}</title>\n<style>\n{}{STYLE}</style>\n</head>\n<body>\n<main>\n{body}</main>\n\
         <footer>Written by perturb {}. This page is complete: it loads nothing and sends nothing.</footer>\n\
         </body>\n</html>\n",
        chart::STYLE,
        escape(version)
    )
}

/// A section with its heading; `id` is also the anchor.
pub fn page_section(id: &str, title: &str, body: &str) -> String {
    format!(
        "<section id=\"{id}\" aria-labelledby=\"{id}-title\">\n<h2 id=\"{id}-title\">{title}</h2>\n{body}</section>\n"
    )
}

/// A table that scrolls sideways on narrow screens. Cells are HTML.
pub fn table(caption: &str, class: &str, head: &[String], rows: &str) -> String {
    let head: String = head.iter().map(|cell| format!("<th scope=\"col\">{cell}</th>")).collect();
    // The focusable wrapper lets keyboard users scroll.
    format!(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{caption}\">\n<table class=\"{class}\">\n\
         <caption>{caption}</caption>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n</div>\n"
    )
}

/// The section of what was used and how, as terms with their values.
pub fn measured(entries: &[(String, String)]) -> String {
    let item = |(term, value): &(String, String)| format!("<dt>{}</dt><dd>{}</dd>\n", escape(term), escape(value));
    let list: String = entries.iter().map(item).collect();
    let body = format!("<div class=\"setup\"><div><dl>\n{list}</dl></div></div>\n");
    page_section("setup", "How this was measured", &body)
}

/// An inline PNG. Anything that is not base64 is left out.
pub fn image(png_base64: &str, alt: &str) -> String {
    let valid = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=');
    let data = if png_base64.bytes().all(valid) { png_base64 } else { "" };
    format!("<img src=\"data:image/png;base64,{data}\" alt=\"{}\">", escape(alt))
}

/// A chart drawn for wide and for narrow screens; the style sheet shows one of them.
pub fn responsive(draw: impl Fn(chart::Size) -> String, height: f64) -> String {
    let wide = draw(chart::Size { width: 920.0, height });
    let narrow = draw(chart::Size { width: 380.0, height: height.min(330.0) });
    format!("<div class=\"wide\">{wide}</div>\n<div class=\"narrow\">{narrow}</div>\n")
}
