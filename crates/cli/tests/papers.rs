//! The catalogue and the runs on the command line.

mod models;

use ::perturb::papers::catalogue::{Status, systems};
use models::perturb;

fn output(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = perturb(arguments);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn the_catalogue_is_listed_and_filtered() {
    let (code, text, _) = output(&["papers"]);
    assert_eq!(code, Some(0));
    assert!(text.contains("attack (21)") && text.contains("210 systems"), "{text}");
    let (_, text, _) = output(&["papers", "--family", "theory", "--status", "built"]);
    assert!(text.contains("nngp-finite-width") && !text.contains("fgsm") && !text.contains("planned  "), "{text}");
    let (_, text, _) = output(&["papers", "--family", "attack", "--json"]);
    let rows: serde_json::Value = serde_json::from_str(&text).unwrap();
    let fgsm = rows.as_array().unwrap().iter().find(|r| r["slug"] == "fgsm").unwrap();
    assert_eq!((fgsm["status"].as_str(), fgsm["year"].as_u64()), (Some("built"), Some(2014)));
    assert_eq!(output(&["papers", "--family", "nonsense"]).0, Some(2));
}

#[test]
fn unknown_and_planned_systems_say_so() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_str().unwrap();
    let (code, _, error) = output(&["reproduce", "fgms", "--out", out]);
    assert_eq!(code, Some(2));
    assert!(error.contains("there is no system 'fgms'") && error.contains("fgsm"), "{error}");
    let planned = systems().iter().find(|s| s.status() == Status::Planned).unwrap();
    let (code, _, error) = output(&["reproduce", "nngp-finite-width", planned.slug, "--out", out]);
    assert_eq!(code, Some(2));
    assert!(error.contains(&format!("{} is planned", planned.slug)) && error.contains(planned.module), "{error}");
    let (code, _, error) = output(&["reproduce", "fgsm", "--seeds", "1", "--out", out]);
    assert_eq!(code, Some(2));
    assert!(error.contains("use at least 2"), "{error}");
    let (code, _, error) = output(&["papers", "--write", "--results", "/nowhere"]);
    assert_eq!(code, Some(2));
    assert!(error.contains("perturb reproduce"), "{error}");
}
