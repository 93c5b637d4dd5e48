//! A killed audit continues, and ends with the very same report.

mod models;

use models::{Folder, classifier, command, perturb, shared_data};
use std::process::Stdio;
use std::time::{Duration, Instant};

/// `report.json` without the one field that may differ.
fn report(folder: &str) -> serde_json::Value {
    let text = std::fs::read_to_string(format!("{folder}/report.json")).unwrap();
    let mut report: serde_json::Value = serde_json::from_str(&text).unwrap();
    report.as_object_mut().unwrap().remove("timings").expect("timings are reported");
    report
}

fn undisturbed(arguments: &[&str], out: &str) -> Duration {
    let start = Instant::now();
    let output = perturb(&[arguments, &["--out", out]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    start.elapsed()
}

/// Kills a run after each of these shares of its undisturbed time, then lets it finish.
fn killed_and_resumed(arguments: &[&str], out: &str, whole: Duration, shares: &[f64]) {
    let run = |resume: bool, limit: Option<Duration>| {
        let more: &[&str] = if resume { &["--out", out, "--resume"] } else { &["--out", out] };
        let mut child =
            command(&[arguments, more].concat()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        if let Some(limit) = limit {
            std::thread::sleep(limit);
            child.kill().unwrap(); // SIGKILL
        }
        child.wait().unwrap()
    };
    for (i, share) in shares.iter().enumerate() {
        // A kill before the run's file exists leaves nothing to resume.
        let resume = i > 0 && std::path::Path::new(out).join("run.sqlite").exists();
        run(resume, Some(whole.mul_f64(*share)));
    }
    let resume = std::path::Path::new(out).join("run.sqlite").exists();
    assert!(run(resume, None).success(), "the resumed run finishes");
}

#[test]
fn a_killed_run_ends_with_the_same_report() {
    let folder = Folder::new();
    let model = folder.model("model.onnx", &classifier(30, 3));
    let data = folder.images(700, 30);
    let arguments = ["audit", &model, "--data", &data, "--epsilon", "0.01,0.05,0.2", "--seed", "3"];
    let (whole, parts) = (folder.path("whole"), folder.path("parts"));
    let time = undisturbed(&arguments, &whole);
    killed_and_resumed(&arguments, &parts, time, &[0.3, 0.4, 0.2]);
    assert_eq!(report(&whole), report(&parts));
    // Threads change nothing either.
    let single = folder.path("single");
    undisturbed(&[&arguments[..], &["--threads", "1"]].concat(), &single);
    assert_eq!(report(&whole), report(&single));
}

#[test]
fn a_killed_audit_of_mnist_ends_with_the_same_report() {
    let Some(data) = shared_data() else { return };
    let folder = Folder::new();
    let model = data.join("vnncomp2021/mnistfc/mnist-net_256x2.onnx").display().to_string();
    let images = data.join("mnist").display().to_string();
    let arguments = ["audit", &model, "--data", &images, "--limit", "100", "--epsilon", "0.02,0.05"];
    let (whole, parts) = (folder.path("whole"), folder.path("parts"));
    let time = undisturbed(&arguments, &whole);
    killed_and_resumed(&arguments, &parts, time, &[0.45]);
    let report = report(&whole);
    assert_eq!(report, self::report(&parts));
    let accuracy = report["clean"]["value"].as_f64().unwrap();
    assert!(accuracy > 0.95, "the network is known to classify MNIST well, not with {accuracy}");
}

#[test]
fn further_outputs_of_a_model_change_nothing() {
    let folder = Folder::new();
    let one = folder.model("one.onnx", &classifier(4, 3));
    let two = folder.model("two.onnx", &models::with_second_output(4, 3));
    let data = folder.images(20, 4);
    let audit = |model: &str, out: &str| {
        undisturbed(&["audit", model, "--data", &data, "--epsilon", "0.1"], out);
        let mut report = report(out);
        report.as_object_mut().unwrap().remove("model").expect("the model is reported");
        report
    };
    assert_eq!(audit(&one, &folder.path("a")), audit(&two, &folder.path("b")));
}

#[test]
fn a_run_is_not_continued_with_other_settings() {
    let folder = Folder::new();
    let model = folder.model("model.onnx", &classifier(4, 3));
    let data = folder.images(20, 4);
    let out = folder.path("out");
    undisturbed(&["audit", &model, "--data", &data, "--epsilon", "0.1"], &out);
    let other = perturb(&["audit", &model, "--data", &data, "--epsilon", "0.2", "--out", &out, "--resume"]);
    assert_eq!(other.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&other.stderr).contains("other settings"));
}
