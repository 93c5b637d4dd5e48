//! The page of an audit by contrast sets.

use super::report::{QuestionReport, Shown};
use perturb::report::audit::Accuracy;
use perturb::report::escape;
use perturb::report::format::{count, interval, percent};
use perturb::report::html::{document, image, measured, page_section, table};

/// The report as one page that needs no network.
pub fn page(report: &QuestionReport) -> String {
    let sections = [header(report), atoms(report), answers(report), balance(report), shown(report), setup(report)];
    document("Contrast sets", &sections.concat(), &report.perturb_version)
}

fn header(report: &QuestionReport) -> String {
    let big = |class: &str, title: &str, value: f64, note: String| {
        format!(
            "<div class=\"{class}\"><dt>{title}</dt><dd><b>{}</b> <small>{note}</small></dd></div>\n",
            percent(value)
        )
    };
    let numbers = [
        big("clean", "Questions", report.original.value, interval(&report.original)),
        big(
            "attacked",
            "Their contrasts",
            report.contrast,
            format!("{} changed questions", count(report.contrasts as u64)),
        ),
        big("proved", "Consistency", report.consistency, "right with all contrasts".into()),
    ];
    format!(
        "<header>\n<p class=\"kicker\">One word changed, and the answer with it</p>\n<h1>Contrast sets</h1>\n<p \
         class=\"about\">{} · {} questions of {}</p>\n<p class=\"verdict\">{}</p>\n<dl class=\"numbers\">\n{}</dl>\n</header>\n",
        escape(&report.model),
        count(report.original.total as u64),
        escape(&report.source),
        escape(&report.sentence()),
        numbers.concat()
    )
}

fn atoms(report: &QuestionReport) -> String {
    let row = |(name, a): &(&str, Accuracy)| {
        format!(
            "<tr><th scope=\"row\">{name}</th><td>{}</td><td>{} <small>{}</small></td></tr>\n",
            a.total,
            percent(a.value),
            interval(a)
        )
    };
    let rows: String = report.by_atom.iter().map(row).collect();
    let head = ["Replaced", "contrasts", "answered rightly"].map(String::from);
    page_section(
        "atoms",
        "By what was replaced",
        &table("Accuracy on contrasts with 95% intervals", "numeric", &head, &rows),
    )
}

fn answers(report: &QuestionReport) -> String {
    let cell = |a: &Option<Accuracy>| match a {
        Some(a) => format!("<td>{}</td><td>{} <small>{}</small></td>", a.total, percent(a.value), interval(a)),
        None => "<td>0</td><td>–</td>".into(),
    };
    let rows = report.by_answer.iter().map(|row| {
        format!("<tr><th scope=\"row\">{}</th>{}{}</tr>\n", row.answer, cell(&row.original), cell(&row.contrasts))
    });
    let head = ["Right answer", "questions", "answered rightly", "contrasts", "answered rightly"].map(String::from);
    let hint = "<p class=\"hint\">The intervals count every contrast by itself, as if those of one question were \
                independent.</p>\n";
    let body = table("Accuracy with 95% intervals", "numeric", &head, &rows.collect::<String>()) + hint;
    page_section("answers", "By the right answer", &body)
}

fn balance(report: &QuestionReport) -> String {
    let head =
        ["", "questions", "yes is right", "no is right", "model says yes", "says no", "always the commonest answer"];
    let row = |set: &super::report::Balance| {
        let shares = [set.right[0], set.right[1], set.given[0], set.given[1], set.constant];
        let cells: String = shares.iter().map(|&s| format!("<td>{}</td>", percent(s))).collect();
        format!("<tr><th scope=\"row\">{}</th><td>{}</td>{cells}</tr>\n", set.name, set.questions)
    };
    let rows: String = report.sets.iter().map(row).collect();
    let warning = if report.is_unbalanced() {
        "<p class=\"hint\"><strong>The two sets have other shares of yes and no: the difference of their accuracies may be an \
         artefact of the model's liking for one answer.</strong></p>\n"
    } else {
        ""
    };
    let hint = "<p class=\"hint\">All contrasts of a question together weigh as much as the question. A model that looks at \
                nothing and always gives the answer that is right most often gets the last column.</p>\n";
    let body = table("Right answers and the model's", "numeric", &head.map(String::from), &rows) + hint + warning;
    page_section("balance", "Which answers there are", &body)
}

fn shown(report: &QuestionReport) -> String {
    let line = |[text, right, given]: &[String; 3]| {
        let class = if right.eq_ignore_ascii_case(given) { "" } else { " class=\"wrong\"" };
        format!("<tr><td>{}</td><td>{}</td><td{class}>{}</td></tr>\n", escape(text), escape(right), escape(given))
    };
    let card = |(i, shown): (usize, &Shown)| {
        let picture = shown.png_base64.as_ref().map_or(String::new(), |png| image(png, &format!("Image {i}")));
        let head = ["question and contrasts", "right", "model"].map(String::from);
        let rows: String = shown.asked.iter().map(line).collect();
        format!("<article>\n{picture}\n{}</article>\n", table(&format!("Image {i}"), "", &head, &rows))
    };
    let cards: String = report.shown.iter().enumerate().map(card).collect();
    page_section("gallery", "Some of them", &format!("<div class=\"gallery\">\n{cards}</div>\n"))
}

fn setup(report: &QuestionReport) -> String {
    let mut entries = vec![
        ("Model".to_string(), report.model.clone()),
        ("SHA-256 of the weights".into(), report.weights_sha256.clone()),
        ("Questions".into(), report.source.clone()),
        ("Seed".into(), report.seed.to_string()),
        (
            "Contrasts".into(),
            "one atom of the question's program replaced by another of its type, so that the answer on the scene's graph \
             changes (Bitton et al. 2021); a question counts once, however many contrasts it has"
                .into(),
        ),
    ];
    let left_out = |what: &'static str| {
        move |(reason, n): (&String, &usize)| (format!("{what} left out: {}", count(*n as u64)), reason.clone())
    };
    entries.extend(report.skipped.iter().map(left_out("Questions")));
    entries.extend(report.skipped_contrasts.iter().map(left_out("Contrasts")));
    measured(&entries)
}
