//! The page: well-formed, self-contained, complete, and unharmed by unusual reports.

mod sample;

use perturb_report::audit::*;
use perturb_report::render;
use sample::{accuracy, curve, mnist_like, summarise};

/// Checks that tags nest and attributes are quoted, and returns the text outside tags and style sheets.
fn well_formed(html: &str) -> Result<String, String> {
    const VOID: [&str; 2] = ["meta", "img"];
    let mut open: Vec<&str> = Vec::new();
    let mut text = String::new();
    let mut rest = html.strip_prefix("<!DOCTYPE html>").ok_or("no doctype")?;
    while let Some(start) = rest.find('<') {
        if open.last() != Some(&"style") {
            text.push_str(&rest[..start]);
            text.push(' ');
        }
        let end = start + rest[start..].find('>').ok_or("unclosed tag")?;
        let tag = &rest[start + 1..end];
        rest = &rest[end + 1..];
        let name = tag.trim_matches('/').split_whitespace().next().ok_or("empty tag")?;
        if tag.matches('"').count() % 2 != 0 {
            return Err(format!("unbalanced quotes in <{tag}>"));
        }
        if tag.starts_with('/') {
            let opened = open.pop();
            if opened != Some(name) {
                return Err(format!("</{name}> closes {opened:?}"));
            }
        } else if !tag.ends_with('/') && !VOID.contains(&name) {
            open.push(name);
        }
    }
    if open.is_empty() { Ok(text) } else { Err(format!("never closed: {open:?}")) }
}

/// Renders `report` and checks what must hold of every page.
fn page(report: &AuditReport) -> (String, String) {
    let html = render(report);
    let text = well_formed(&html).unwrap_or_else(|error| panic!("{error}"));
    for word in ["NaN", "undefined", "null", "None", "Some(", "not finite", "inf "] {
        assert!(!text.contains(word), "the page says {word}");
    }
    // Coordinates of charts as well.
    assert!(!html.contains("NaN") && !html.contains("\"inf"));
    for loads in ["http://", "https://", "<script", "<link", "@import", "url(", "src=\"/", "javascript:"] {
        assert!(!html.contains(loads), "the page contains {loads}");
    }
    (html, text)
}

#[test]
fn the_check_of_well_formedness_can_fail() {
    for bad in ["<!DOCTYPE html><p>", "<!DOCTYPE html><b><i></b></i>", "<!DOCTYPE html><p a=\"x></p>", "<p></p>"] {
        assert!(well_formed(bad).is_err(), "{bad}");
    }
}

#[test]
fn a_full_report_shows_its_numbers() {
    let report = mnist_like();
    let (html, text) = page(&report);
    let sections = ["summary", "accuracy", "distance", "gallery", "attributions", "weakest", "setup", "reading"];
    let places: Vec<usize> = sections.iter().map(|id| html.find(&format!("<section id=\"{id}\"")).unwrap()).collect();
    assert!(places.is_sorted());
    for point in report.attacks.iter().flat_map(|a| &a.points).chain(&report.worst_case) {
        let shown = perturb_report::format::percent(point.accuracy.value).replace('<', "&lt;");
        assert!(text.contains(&shown), "{shown}");
    }
    for finding in &report.findings {
        assert!(text.contains(&finding.title), "{}", finding.title);
    }
    for label in ["broken", "unknown", "proved"] {
        assert!(html.contains(&format!("\">{label}</text>")), "{label}");
    }
    assert_eq!(html.matches("<img ").count(), 3 * 6 + 10);
    assert_eq!(html.matches("<img ").count(), html.matches("\" alt=\"").count());
    assert!(html.contains("aria-label=\"best\""));
}

#[test]
fn the_shaded_band_lies_between_the_worst_attack_and_the_best_certificate() {
    let mut report = mnist_like();
    let point = |epsilon, correct| CurvePoint { epsilon, accuracy: accuracy(correct, 1000) };
    report.clean = accuracy(1000, 1000);
    report.attacks.clear();
    report.worst_case = vec![point(0.1, 800), point(0.2, 600)];
    report.certificates.truncate(2);
    report.certificates[0].points = vec![point(0.1, 100), point(0.2, 300)];
    report.certificates[1].points = vec![point(0.1, 400), point(0.2, 200)];
    let (html, _) = page(&report);
    // The wide drawing: x from 56 to 904, y from 12 (100 %) to 394 (0 %); corners (0, 1), (.1, .8), (.2, .6), (.2, .3), (.1, .4), (0, 1).
    let corners = "class=\"unsure\" points=\"56.0,12.0 480.0,88.4 904.0,164.8 904.0,279.4 480.0,241.2 56.0,12.0\"";
    assert!(html.contains(corners));
}

#[test]
fn user_text_cannot_become_markup() {
    let evil = "<script>alert('\"&')</script>";
    let mut report = mnist_like();
    report.model.name = evil.into();
    report.model.path = evil.into();
    report.model.input_name = evil.into();
    report.data.source = evil.into();
    report.data.label_names = vec![evil.into(); 10];
    report.data.normalization.how_chosen = evil.into();
    report.settings.attacks[0] = MethodSetting { name: evil.into(), hyperparameters: evil.into() };
    report.attacks[0].name = evil.into();
    report.certificates[2].name = evil.into();
    report.certificates[2].notes = evil.into();
    report.gallery[0].attack = evil.into();
    report.gallery[0].images[0] =
        NamedImage { name: evil.into(), caption: evil.into(), png_base64: "\"><script>".into() };
    report.attributions.rows[0].method = evil.into();
    report.weakest[0].broken_by = Some(evil.into());
    report.perturb_version = evil.into();
    report.timings.stages[0].name = evil.into();
    report.timings.finished = Some(evil.into());
    summarise(&mut report);
    report.findings[0].text = evil.into();
    let (html, _) = page(&report);
    assert!(html.contains("&lt;script&gt;alert("));
}

#[test]
fn no_certificates() {
    let mut report = mnist_like();
    report.certificates.clear();
    summarise(&mut report);
    let (html, text) = page(&report);
    assert!(text.contains("no certificate") && html.contains("unknown (nothing proved)"));
    assert!(!text.contains("Certified accuracy (a lower bound)"));
}

/// Five features, no pictures, one budget, names in capitals: as for a collision-avoidance network.
fn tabular() -> AuditReport {
    let mut report = mnist_like();
    report.model.name = "ACASXU_run2a_1_1".into();
    report.model.input_shape = vec![1, 1, 1, 5];
    report.data.label_names =
        ["clear of conflict", "weak left", "weak right", "strong left", "strong right"].map(String::from).to_vec();
    report.data.pixel_range = None;
    report.settings.epsilons = vec![0.05];
    report.attacks.iter_mut().for_each(|a| a.points.retain(|p| p.epsilon == 0.05));
    report.worst_case.retain(|p| p.epsilon == 0.05);
    report.certificates.truncate(2);
    report.certificates.iter_mut().for_each(|c| c.points.retain(|p| p.epsilon == 0.05));
    report.gallery.iter_mut().for_each(|item| item.images.clear());
    report.weakest.iter_mut().for_each(|w| w.png_base64 = None);
    summarise(&mut report);
    report
}

#[test]
fn one_epsilon_and_inputs_that_are_not_images() {
    let mut report = tabular();
    let (html, text) = page(&report);
    assert_eq!(html.matches("<img ").count(), 0);
    assert!(!text.contains(" Input Example") && text.contains("unbounded"));
    // Classes beyond the names show their numbers.
    assert!(text.contains("strong right") && html.contains("<b>7</b>"));
    report.gallery.clear();
    assert!(!page(&report).0.contains("id=\"gallery\""));
}

#[test]
fn nothing_broken() {
    let mut report = mnist_like();
    let unbroken = curve(1000, &report.settings.epsilons, |_| 1e9);
    report.attacks.iter_mut().for_each(|a| a.points = unbroken.clone());
    report.worst_case = unbroken;
    report.gallery.clear();
    report.minimal_perturbation = Some(MinimalPerturbation::from_distances("DeepFool", Norm::Linf, &[None; 5]));
    report.weakest.iter_mut().for_each(|w| (w.smallest_epsilon, w.broken_by) = (None, None));
    summarise(&mut report);
    let (_, text) = page(&report);
    assert!(text.contains("Holds") && text.contains("not broken") && text.contains("for none of 5 inputs"));
}

#[test]
fn nothing_at_all() {
    let mut report = mnist_like();
    report.clean = Accuracy::new(0, 0, [0.0, 1.0]);
    report.attacks.clear();
    report.worst_case.clear();
    report.certificates.clear();
    report.settings.epsilons.clear();
    report.minimal_perturbation = None;
    report.gallery.clear();
    report.attributions = AttributionQuality::default();
    report.weakest.clear();
    report.data.normalization.candidates.clear();
    report.timings = Timings::default();
    summarise(&mut report);
    let (_, text) = page(&report);
    assert!(text.contains("Nothing attacked") && text.contains("No examples"));
}

#[test]
fn a_certificate_alone_in_the_other_norm() {
    let mut report = mnist_like();
    report.attacks.clear();
    report.worst_case.clear();
    report.certificates.remove(0);
    report.certificates.remove(0);
    summarise(&mut report);
    let (_, text) = page(&report);
    assert!(text.contains("Certificates in ℓ₂"));
}

#[test]
fn long_names_and_a_thousand_classes() {
    let mut report = mnist_like();
    report.model.classes = 1000;
    report.data.classes = 1000;
    report.data.label_names = (0..1000).map(|c| format!("class {c} {}", "verylongname".repeat(12))).collect();
    let (html, text) = page(&report);
    assert!(text.contains("and 980 more") && !text.contains("class 999 "));
    assert!(html.len() < render(&mnist_like()).len() + 20_000);
}
