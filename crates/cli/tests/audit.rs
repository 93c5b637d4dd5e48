//! `perturb audit`: which attacks it runs, and what is said of budgets and ranges that make no sense.

mod models;

use models::{Folder, classifier, perturb};
use perturb::attack::registry::find;
use serde_json::Value;

struct Audit {
    folder: Folder,
    model: String,
    data: String,
}

impl Audit {
    fn new() -> Audit {
        let folder = Folder::new();
        let (model, data) = (folder.model("model.onnx", &classifier(6, 3)), folder.images(20, 6));
        Audit { folder, model, data }
    }

    fn run(&self, more: &[&str]) -> (Option<i32>, String) {
        let out = self.folder.path("out");
        let fixed = ["audit", &self.model, "--data", &self.data, "--epsilon", "0.02,0.1", "--out", &out];
        let output = perturb(&[&fixed[..], more].concat());
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    }

    fn report(&self) -> Value {
        let text = std::fs::read_to_string(self.folder.path("out/report.json")).unwrap();
        let mut report: Value = serde_json::from_str(&text).unwrap();
        report.as_object_mut().unwrap().remove("timings");
        report
    }

    fn curves(&self) -> Vec<String> {
        let report = self.report();
        let attacks = report["attacks"].as_array().unwrap();
        assert!(attacks.iter().all(|curve| curve["points"].as_array().unwrap().len() == 2));
        attacks.iter().map(|curve| curve["name"].as_str().unwrap().to_string()).collect()
    }
}

#[test]
fn every_attack_asked_for_has_its_curve() {
    let audit = Audit::new();
    assert_eq!(audit.run(&["--attacks", "apgd-ce,square,boundary", "--norm", "l2"]).0, Some(0));
    let names: Vec<&str> = ["apgd-ce", "square", "boundary"].map(|n| find(n).unwrap().attack().name()).to_vec();
    assert_eq!(audit.curves(), names);
    let report = audit.report();
    assert_eq!(report["attacks"][0]["kind"], "white-box");
    assert!((1..3).all(|i| report["attacks"][i]["kind"] == "black-box"));
    let page = std::fs::read_to_string(audit.folder.path("out/report.html")).unwrap();
    assert!(names.iter().all(|name| page.contains(name)));
    // What FGSM alone leaves is no less than what a list with it leaves.
    let worst = |attacks: &str| {
        assert_eq!(audit.run(&["--attacks", attacks]).0, Some(0));
        audit.report()["worst_case"][1]["accuracy"]["correct"].as_u64().unwrap()
    };
    assert!(worst("fgsm") >= worst("fgsm,autoattack"));
}

#[test]
fn thorough_holds_standard_and_the_members_of_autoattack() {
    let audit = Audit::new();
    assert_eq!(audit.run(&[]).0, Some(0));
    let standard = audit.curves();
    assert_eq!(standard, ["FGSM", "PGD", "PGD, margin", "Square"]);
    assert_eq!(audit.run(&["--attacks", "thorough"]).0, Some(0));
    let thorough = audit.curves();
    assert!(standard.iter().all(|name| thorough.contains(name)), "{thorough:?}");
    assert!(["APGD-CE", "APGD-T", "FAB-T"].iter().all(|name| thorough.contains(&name.to_string())), "{thorough:?}");
}

#[test]
fn a_run_is_resumed_with_the_same_attacks_only() {
    let audit = Audit::new();
    assert_eq!(audit.run(&["--attacks", "fgsm,ddn", "--norm", "l2"]).0, Some(0));
    let whole = audit.report();
    assert_eq!(audit.run(&["--attacks", "fgsm,ddn", "--norm", "l2", "--resume"]).0, Some(0));
    assert_eq!(audit.report(), whole);
    let (code, err) = audit.run(&["--attacks", "fgsm", "--norm", "l2", "--resume"]);
    assert!(code == Some(2) && err.contains("other settings") && err.contains("DDN"), "{err}");
}

#[test]
fn attacks_that_do_not_exist_or_do_not_fit_are_told() {
    let audit = Audit::new();
    let refused = |more: &[&str], words: &[&str]| {
        let (code, err) = audit.run(more);
        assert_eq!(code, Some(2), "{err}");
        assert!(!err.contains("panicked") && words.iter().all(|word| err.contains(word)), "{words:?} in {err}");
    };
    refused(&["--attacks", "fgsm,autoatack"], &["autoatack", "autoattack", "--list"]);
    refused(&["--attacks", "standard,pgd"], &["standard", "stand alone"]);
    refused(&["--attacks", "ddn"], &["ddn works in l2, not in linf", "apgd-ce"]);
    refused(&["--attacks", "jsma", "--norm", "l2"], &["jsma works in l0"]);
}

#[test]
fn budgets_and_ranges_that_make_no_sense_are_told() {
    let audit = Audit::new();
    let (code, err) = audit.run(&["--epsilon", "8", "--attacks", "fgsm"]);
    assert!(code == Some(0) && err.contains("warning") && err.contains("--epsilon 8/255"), "{err}");
    let (code, err) = audit.run(&["--epsilon", "8/255", "--attacks", "fgsm"]);
    assert!(code == Some(0) && !err.contains("warning"), "{err}");
    let (code, err) = audit.run(&["--pixel-range", "0:0.25"]);
    assert!(code == Some(2) && err.contains("--pixel-range 0:0.25") && err.contains("reach from"), "{err}");
    let one = audit.folder.model("one.onnx", &classifier(6, 1));
    let output = perturb(&["audit", &one, "--data", &audit.data]);
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && err.contains("one score for each class"), "{err}");
}
