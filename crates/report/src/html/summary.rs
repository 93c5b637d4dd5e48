//! The verdict, the three numbers that carry it, and the findings.

use super::page_section;
use crate::audit::{Accuracy, AuditReport, Severity};
use crate::escape::escape;
use crate::format::{epsilon, interval, percent};
use crate::headline::headline;
use std::fmt::Write;

/// Title, verdict and three numbers.
pub(super) fn header(report: &AuditReport) -> String {
    let head = headline(report);
    let norm = report.settings.norm.symbol();
    let at = head.epsilon.map(|e| format!("{norm}, ε = {}", epsilon(e))).unwrap_or_default();
    let numbers = [
        big("clean", "Clean accuracy", "no perturbation", Some(&report.clean), "no examples"),
        big("attacked", "Under the worst attack", &at, head.attacked.as_ref(), "not attacked"),
        big("proved", "Proved by a certificate", &at, head.proved.as_ref(), "no certificate"),
    ];
    format!(
        "<header>\n<p class=\"kicker\">Robustness audit</p>\n<h1>{}</h1>\n\
         <p class=\"about\">{} · {} example{} of {}</p>\n\
         <p class=\"verdict\"><strong class=\"{}\">{}</strong> {}</p>\n<dl class=\"numbers\">\n{}</dl>\n</header>\n",
        escape(&report.model.name),
        escape(&report.model.path),
        crate::format::count(report.clean.total as u64),
        if report.clean.total == 1 { "" } else { "s" },
        escape(&report.data.source),
        class(head.verdict.severity()),
        head.verdict.word(),
        escape(&head.sentence),
        numbers.concat()
    )
}

fn big(class: &str, title: &str, at: &str, accuracy: Option<&Accuracy>, missing: &str) -> String {
    let (value, note) = match accuracy.filter(|a| a.total > 0) {
        Some(a) => (percent(a.value), format!("{} · {} of {}", interval(a), a.correct, a.total)),
        None => ("–".into(), missing.into()),
    };
    format!(
        "<div class=\"{class}\"><dt>{title} <span>{}</span></dt><dd><b>{}</b> <small>{}</small></dd></div>\n",
        escape(at),
        escape(&value),
        escape(&note)
    )
}

/// The plain-language summary.
pub(super) fn findings(report: &AuditReport) -> String {
    if report.findings.is_empty() {
        return String::new();
    }
    let mut list = String::from("<ul class=\"findings\">\n");
    for finding in &report.findings {
        let _ = write!(
            list,
            "<li class=\"{}\"><h3><span class=\"severity\">{}</span> {}</h3><p>{}</p>",
            class(finding.severity),
            word(finding.severity),
            escape(&finding.title),
            escape(&finding.text)
        );
        if let Some(action) = &finding.action {
            let _ = write!(list, "<p class=\"action\"><b>Next:</b> {}</p>", escape(action));
        }
        list += "</li>\n";
    }
    page_section("summary", "What was found, and what to do", &(list + "</ul>\n"))
}

fn class(severity: Severity) -> &'static str {
    match severity {
        Severity::Good => "good",
        Severity::Note => "note",
        Severity::Warning => "warning",
        Severity::Critical => "critical",
    }
}

fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Good => "✓ Good",
        Severity::Note => "i Note",
        Severity::Warning => "! Warning",
        Severity::Critical => "✕ Critical",
    }
}
