//! `report.json`: round trips, errors, and agreement with the documentation in `SCHEMA.md`.

mod sample;

use perturb_report::audit::{AuditReport, CertifiedClassifier, Guarantee, ReportError, SCHEMA_VERSION};
use serde_json::Value;
use std::collections::BTreeSet;

#[test]
fn reads_back_to_the_same_report_and_the_same_bytes() {
    let mut report = sample::mnist_like();
    // Floats that a parser without exact rounding gets wrong in the last place.
    report.settings.epsilons =
        vec![0.1 + 0.2, 8.0 / 255.0, 5e-324, 1.797_693_134_862_315_7e308, 2.225_073_858_507_201_4e-308];
    let json = report.to_json().unwrap();
    let back = AuditReport::from_json(&json).unwrap();
    assert_eq!(back, report);
    assert_eq!(back.to_json().unwrap(), json);
    assert!(json.contains("0.30000000000000004"));
}

#[test]
fn keys_come_in_the_documented_order() {
    let json = sample::mnist_like().to_json().unwrap();
    let Value::Object(report) = serde_json::from_str(&json).unwrap() else { panic!("not an object") };
    let schema = include_str!("../SCHEMA.md");
    let table = schema.split("## The report").nth(1).unwrap().split("\n## ").next().unwrap();
    let documented: Vec<&str> = table.lines().filter_map(|l| l.strip_prefix("| `")?.split('`').next()).collect();
    assert_eq!(report.keys().collect::<Vec<_>>(), documented);
}

#[test]
fn every_key_is_documented_and_every_documented_key_exists() {
    let mut written = BTreeSet::new();
    collect_keys(&serde_json::from_str(&sample::mnist_like().to_json().unwrap()).unwrap(), &mut written);
    let schema = include_str!("../SCHEMA.md");
    let code: BTreeSet<&str> = schema.split('`').skip(1).step_by(2).collect();
    for key in &written {
        assert!(code.contains(key.as_str()), "SCHEMA.md does not document `{key}`");
    }
    let first_cells = schema.lines().filter(|l| l.starts_with("| `")).filter_map(|l| l.split('|').nth(1));
    for documented in first_cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)) {
        assert!(written.contains(documented), "SCHEMA.md documents `{documented}`, which is never written");
    }
}

fn collect_keys(value: &Value, keys: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => object.iter().for_each(|(key, value)| {
            keys.insert(key.clone());
            collect_keys(value, keys);
        }),
        Value::Array(items) => items.iter().for_each(|item| collect_keys(item, keys)),
        _ => {}
    }
}

#[test]
fn variants_are_written_as_documented() {
    let report = sample::mnist_like();
    let json: Value = serde_json::from_str(&report.to_json().unwrap()).unwrap();
    assert_eq!(json["settings"]["norm"], "linf");
    assert_eq!(json["settings"]["rounding"], "outward");
    assert_eq!(json["attacks"][3]["kind"], "black-box");
    assert_eq!(json["certificates"][0]["guarantee"], serde_json::json!({"kind": "deterministic"}));
    assert_eq!(json["certificates"][2]["guarantee"], serde_json::json!({"kind": "probabilistic", "confidence": 0.999}));
    assert_eq!(json["certificates"][2]["classifier"], serde_json::json!({"kind": "smoothed", "sigma": 0.25}));
    assert_eq!(report.certificates[0].guarantee, Guarantee::Deterministic);
    assert_eq!(report.certificates[0].classifier, CertifiedClassifier::Model);
}

#[test]
fn numbers_that_json_cannot_hold_are_errors_where_required_and_null_where_not() {
    let mut report = sample::mnist_like();
    report.weakest[0].margin = Some(f64::NAN);
    let back = AuditReport::from_json(&report.to_json().unwrap()).unwrap();
    assert_eq!(back.weakest[0].margin, None);
    report.clean.value = f64::INFINITY;
    match report.to_json() {
        Err(ReportError::NotFinite { text, .. }) => assert!(text.contains("\"value\": null"), "{text}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn other_texts_are_errors() {
    assert!(matches!(AuditReport::from_json("{"), Err(ReportError::Parse(_))));
    assert!(matches!(AuditReport::from_json("{\"schema_version\": 1}"), Err(ReportError::Parse(_))));
    let json = sample::mnist_like().to_json().unwrap();
    let newer = json.replacen(&format!("\"schema_version\": {SCHEMA_VERSION}"), "\"schema_version\": 99", 1);
    assert!(matches!(AuditReport::from_json(&newer), Err(ReportError::Version { found: 99 })));
}

#[test]
fn unknown_keys_are_ignored() {
    let json = sample::mnist_like().to_json().unwrap();
    let longer = json.replacen('{', "{\"from_the_future\": [1],", 1);
    assert_eq!(AuditReport::from_json(&longer).unwrap(), sample::mnist_like());
}
