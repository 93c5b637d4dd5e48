//! `perturb certify`: closed forms, orders that must hold, runs that are killed, and mistakes of users.

mod models;

use models::{Folder, classifier, command, linear, perturb, shared_data};
use serde_json::Value;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// `report.json` without the one field that may differ.
fn report(folder: &str) -> Value {
    let text = std::fs::read_to_string(format!("{folder}/report.json")).unwrap();
    let mut report: Value = serde_json::from_str(&text).unwrap();
    report.as_object_mut().unwrap().remove("seconds").expect("times are reported");
    report
}

fn certify(arguments: &[&str], out: &str) -> (Value, String) {
    let output = perturb(&[&["certify"], arguments, &["--out", out]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    (report(out), String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs and returns standard error; the exit code must be 2 and nothing may have panicked.
fn refused(arguments: &[&str]) -> String {
    let output = perturb(&[&["certify"], arguments].concat());
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {text}");
    assert!(!text.contains("panicked"), "{arguments:?}: {text}");
    text
}

fn curve(report: &Value, name: &str) -> Vec<(f64, u64)> {
    let curves = report["certificates"].as_array().unwrap();
    let curve = curves.iter().find(|c| c["name"] == name).unwrap_or_else(|| panic!("no curve {name}"));
    let points = curve["points"].as_array().unwrap().iter();
    points.map(|p| (p["epsilon"].as_f64().unwrap(), p["accuracy"]["correct"].as_u64().unwrap())).collect()
}

/// z₀ − z₁ = x₀ − x₁: class 0 at (0.5 + m, 0.5) has margin m and loses 2ε in ℓ∞; the distance to the boundary is m/√2.
#[test]
fn a_linear_model_by_hand() {
    let folder = Folder::new();
    let model = folder.model("linear.onnx", &linear([1.0, 0.0, 0.0, 1.0]));
    let margins = [0.05f32, 0.15, 0.25, 0.35, -0.1];
    let values: Vec<f32> = margins.iter().flat_map(|m| [0.5 + m, 0.5]).collect();
    let data = folder.npz("data.npz", &values, &[5, 2], &[0; 5]);
    let out = folder.path("out");
    let arguments = [
        &model,
        "--data",
        &data,
        "--no-normalization",
        "--epsilon",
        "0,0.05,0.1,0.15,0.2",
        "--sigma",
        "0.1",
        "--radius",
        "0,0.1,0.2",
        "--draws",
        "2000",
    ];
    let (report, text) = certify(&arguments, &out);
    assert_eq!(report["clean"]["correct"], 4);
    for name in ["IBP", "CROWN", "α-CROWN"] {
        // 2ε = 0.3 stands against 0.35 alone.
        let held: Vec<u64> = curve(&report, name).iter().map(|p| p.1).collect();
        assert_eq!(held, [4, 3, 2, 1, 0], "{name}");
    }
    // Distances 0.035, 0.106, 0.177, 0.247; σ·Φ⁻¹(0.001^(1/2000)) = 0.27 is the most that 2000 draws can certify.
    let smoothed: Vec<u64> = curve(&report, "randomized smoothing").iter().map(|p| p.1).collect();
    assert!(smoothed[0] >= 3 && smoothed[1] <= 3 && smoothed[1] >= 2 && smoothed[2] <= 1, "{smoothed:?}");
    for (example, margin) in report["examples"].as_array().unwrap().iter().zip(margins) {
        let (class, radius) = (&example["smoothed"]["class"], example["smoothed"]["radius"].as_f64().unwrap());
        let distance = f64::from(margin.abs()) / 2f64.sqrt();
        assert!(radius <= distance, "a certified radius of {radius} at a distance of {distance}");
        assert!(class.is_null() == (radius == 0.0) && (class.is_null() || *class == u64::from(margin < 0.0)));
    }
    assert_eq!(report["examples"][3]["proved"]["CROWN"], 0.15);
    assert!(report["examples"][4]["proved"]["CROWN"].is_null());
    assert!(text.contains("α-CROWN") && text.contains("80.0%") && text.contains("abstained"), "{text}");
    let page = std::fs::read_to_string(format!("{out}/report.html")).unwrap();
    assert!(page.contains("<svg") && page.contains("α-CROWN") && page.contains("randomized smoothing"));
}

#[test]
fn tighter_methods_prove_more_and_larger_budgets_less() {
    let folder = Folder::new();
    let model = folder.model("model.onnx", &classifier(20, 3));
    let data = folder.images(150, 20);
    let out = folder.path("out");
    let epsilon = "0.001,0.01,0.02,0.05,0.1,0.2";
    for norm in ["linf", "l2"] {
        let (report, _) = certify(&[&model, "--data", &data, "--epsilon", epsilon, "--norm", norm], &out);
        assert_eq!(report["clean"]["total"], 100, "the default limit");
        let [ibp, crown, alpha] = ["IBP", "CROWN", "α-CROWN"].map(|name| curve(&report, name));
        for curve in [&ibp, &crown, &alpha, &curve(&report, "randomized smoothing")] {
            assert!(curve.windows(2).all(|w| w[0].0 < w[1].0 && w[0].1 >= w[1].1), "{curve:?}");
        }
        let below = |a: &[(f64, u64)], b: &[(f64, u64)]| a.iter().zip(b).all(|(a, b)| a.1 <= b.1);
        assert!(below(&ibp, &crown) && below(&crown, &alpha), "{ibp:?} {crown:?} {alpha:?}");
        assert!(ibp.last() != crown.last() || ibp != crown, "the methods differ somewhere");
    }
}

#[test]
fn one_method_alone() {
    let folder = Folder::new();
    let model = folder.model("model.onnx", &classifier(4, 3));
    let data = folder.images(30, 4);
    let (report, text) = certify(&[&model, "--data", &data, "--methods", "ibp"], &folder.path("a"));
    assert_eq!(report["certificates"].as_array().unwrap().len(), 1);
    assert!(report["smoothing"].is_null() && !text.contains("smoothing"), "{text}");
    let (report, _) = certify(&[&model, "--data", &data, "--methods", "smoothing,smoothing"], &folder.path("b"));
    assert_eq!(report["certificates"].as_array().unwrap().len(), 1);
    assert_eq!(report["smoothing"]["draws"], 1000);
}

#[test]
fn a_killed_run_ends_with_the_same_report() {
    let folder = Folder::new();
    let model = folder.model("model.onnx", &classifier(40, 3));
    let data = folder.images(400, 40);
    let arguments = ["certify", &model, "--data", &data, "--limit", "400", "--epsilon", "0.01,0.05,0.2", "--seed", "3"];
    let run = |out: &str, more: &[&str], limit: Option<Duration>| {
        let all = [&arguments[..], &["--out", out], more].concat();
        let mut child = command(&all).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        if let Some(limit) = limit {
            std::thread::sleep(limit);
            child.kill().unwrap(); // SIGKILL
        }
        child.wait().unwrap()
    };
    let (whole, parts) = (folder.path("whole"), folder.path("parts"));
    let start = Instant::now();
    assert!(run(&whole, &[], None).success());
    let time = start.elapsed();
    let started = |out: &str| std::path::Path::new(out).join("run.sqlite").exists();
    for share in [0.3, 0.3, 0.2] {
        let more: &[&str] = if started(&parts) { &["--resume"] } else { &[] };
        run(&parts, more, Some(time.mul_f64(share)));
    }
    let more: &[&str] = if started(&parts) { &["--resume"] } else { &[] };
    assert!(run(&parts, more, None).success(), "the resumed run finishes");
    assert_eq!(report(&whole), report(&parts));
    let single = folder.path("single");
    assert!(run(&single, &["--threads", "1"], None).success());
    assert_eq!(report(&whole), report(&single));
    // Nothing is computed anew, and nothing is continued with other settings.
    let again = Instant::now();
    assert!(run(&whole, &["--resume"], None).success());
    assert!(again.elapsed() < time);
    let other = refused(&[&arguments[1..], &["--out", &whole, "--resume", "--draws", "500"]].concat());
    assert!(other.contains("other settings"), "{other}");
}

#[test]
fn mistakes() {
    let folder = Folder::new();
    let model = folder.model("model.onnx", &classifier(4, 3));
    let data = folder.images(5, 4);
    let says = |text: &str, words: &[&str]| {
        for word in words {
            assert!(text.contains(word), "'{word}' is missing in: {text}");
        }
    };
    says(&refused(&[&model]), &["--data"]);
    says(&refused(&["/nowhere/model.onnx", "--data", &data]), &["/nowhere/model.onnx"]);
    says(&refused(&[&model, "--data", "/nowhere/data.npz"]), &["/nowhere/data.npz"]);
    let text = folder.file("text.onnx", b"this is not a model, it is a note about one\n");
    says(&refused(&[&text, "--data", &data]), &["text.onnx"]);
    says(&refused(&[&model, "--data", &folder.npz("s.npz", &[0.5; 10], &[2, 5], &[0, 1])]), &["s.npz", "5"]);
    says(&refused(&[&model, "--data", &folder.npz("l.npz", &[0.5; 8], &[2, 4], &[0, 7])]), &["7", "3"]);
    says(&refused(&[&model, "--data", &folder.npz("n.npz", &[0.5, f32::NAN, 0.0, 0.0], &[1, 4], &[0])]), &["NaN"]);
    let with = |more: &[&str]| refused(&[&[&model, "--data", &data], more].concat());
    says(&with(&["--methods", "crwn"]), &["crwn", "alpha-crown"]);
    says(&with(&["--epsilon=-0.1"]), &["at least 0", "-0.1"]);
    says(&with(&["--sigma", "0"]), &["--sigma", "above 0"]);
    says(&with(&["--alpha", "1.5"]), &["--alpha", "1.5"]);
    says(&with(&["--alpha", "nan"]), &["--alpha"]);
    says(&with(&["--draws", "9"]), &["--draws 9", "10"]);
    says(&with(&["--limit", "0"]), &["at least 1"]);
    says(&with(&["--resume", "--out", &folder.path("fresh")]), &["no run to resume"]);
    says(&with(&["--out", &folder.file("occupied", b"")]), &["occupied"]);
}

#[test]
fn a_network_trained_on_mnist() {
    let Some(shared) = shared_data() else { return };
    let folder = Folder::new();
    let model = shared.join("vnncomp2021/mnistfc/mnist-net_256x2.onnx").display().to_string();
    let images = shared.join("mnist").display().to_string();
    let arguments = [&model, "--data", &images, "--limit", "25", "--epsilon", "0.005,0.01,0.02", "--draws", "200"];
    let (report, _) = certify(&arguments, &folder.path("out"));
    assert!(report["clean"]["correct"].as_u64().unwrap() >= 24);
    let (ibp, alpha) = (curve(&report, "IBP"), curve(&report, "α-CROWN"));
    assert!(alpha[0].1 >= 22 && alpha[1].1 > ibp[1].1, "{ibp:?} {alpha:?}");
    assert!(report["smoothing"]["average_certified_radius"].as_f64().unwrap() > 0.1);
}
