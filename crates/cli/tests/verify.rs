//! `perturb verify` and `perturb check`: verdicts, proofs, lists of instances, and what a user can get wrong.

mod models;

use models::{Folder, classifier, perturb};
use perturb::data::npz;
use std::path::Path;

/// The classifier takes four inputs and gives three outputs; on this box Y_0 stays within thousands.
fn property(limit: f64) -> String {
    let declared = |name: char, count: usize| -> String {
        (0..count).map(|i| format!("(declare-const {name}_{i} Real)\n")).collect()
    };
    let bounds: String = (0..4).map(|i| format!("(assert (>= X_{i} 0))\n(assert (<= X_{i} 1))\n")).collect();
    format!("{}{}{bounds}(assert (>= Y_0 {limit:?}))\n", declared('X', 4), declared('Y', 3))
}

fn run(arguments: &[&str], code: i32) -> (String, String) {
    let output = perturb(arguments);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {out}{err}");
    assert!(!err.contains("panicked"), "{err}");
    (out, err)
}

#[test]
fn verdicts_counterexamples_and_proofs() {
    let folder = Folder::new();
    let model = folder.model("model.onnx", &classifier(4, 3));
    let holds = folder.file("holds.vnnlib", property(10_000.0).as_bytes());
    let fails = folder.file("fails.vnnlib", property(-10_000.0).as_bytes());
    let (proof, results) = (folder.path("a.proof"), folder.path("results.txt"));
    let (out, _) = run(&["verify", &model, &holds, "--proof", &proof], 0);
    assert!(out.starts_with("unsat"), "{out}");
    let (out, _) = run(&["check", &model, &holds, &proof], 0);
    assert!(out.starts_with("the proof is right"), "{out}");
    let (_, err) = run(&["check", &model, &fails, &proof], 2);
    assert!(err.contains("another property"), "{err}");
    let whole = std::fs::read(&proof).unwrap();
    let cut = folder.file("cut.proof", &whole[..whole.len() - 3]);
    let (_, err) = run(&["check", &model, &holds, &cut], 2);
    assert!(err.contains("cut.proof"), "{err}");

    // The counterexample's outputs are those of the network.
    let (out, _) = run(&["verify", &model, &fails, "--results-file", &results], 0);
    assert!(out.starts_with("sat"), "{out}");
    let written = std::fs::read_to_string(&results).unwrap();
    assert!(written.starts_with("sat\n((X_0 "), "{written}");
    let number = |name: String| -> f32 {
        let (_, rest) = written.split_once(&format!("({name} ")).unwrap();
        rest.split_once(')').unwrap().0.parse().unwrap()
    };
    let x: Vec<f32> = (0..4).map(|i| number(format!("X_{i}"))).collect();
    assert!(x.iter().all(|v| (0.0..=1.0).contains(v)), "{x:?}");
    let (input, values) = (folder.array("x.npz", "x", &x, &[1, 4]), folder.path("y.npz"));
    run(&["run", &model, "--input", &input, "--out", &values], 0);
    let values = npz::read_all(Path::new(&values)).unwrap();
    let found: &[f32] = values[0].1.as_slice();
    for (i, &value) in found.iter().enumerate() {
        let claimed = number(format!("Y_{i}"));
        assert!((claimed - value).abs() <= 1e-5 * (1.0 + value.abs()), "{claimed} instead of {value}");
    }
}

#[test]
fn lists_go_on_where_they_were_killed() {
    let folder = Folder::new();
    folder.model("model.onnx", &classifier(4, 3));
    folder.file("holds.vnnlib", property(10_000.0).as_bytes());
    folder.file("fails.vnnlib", property(-10_000.0).as_bytes());
    let list = folder.file("all_instances.csv", b"model.onnx,holds.vnnlib,20\nmodel.onnx,fails.vnnlib,20\n");
    let published = folder.file("published.csv", b"net,property,verdict\nmodel.onnx,holds.vnnlib,sat\n");
    let out = folder.path("out");
    let arguments = ["verify", "--instances", &list, "--out", &out, "--published", &published, "--check-proofs"];
    let (text, _) = run(&arguments, 0);
    assert!(text.contains("2 of 2 solved: 1 unsat, 1 sat"), "{text}");
    assert!(text.contains("1 against the published verdict; 1 proofs right, 0 wrong"), "{text}");
    // The last row is cut off in the middle: it alone is decided again.
    let table = Path::new(&out).join("results.csv");
    let rows = std::fs::read_to_string(&table).unwrap();
    let marked = rows.replace("model.onnx,holds.vnnlib,20,unsat,", "model.onnx,holds.vnnlib,20,unsat,7");
    std::fs::write(&table, &marked[..marked.len() - 20]).unwrap();
    let (text, _) = run(&arguments, 0);
    assert!(text.contains("2 of 2 solved"), "{text}");
    let rows = std::fs::read_to_string(&table).unwrap();
    assert!(
        rows.contains("holds.vnnlib,20,unsat,7") && rows.lines().last().unwrap().contains("fails.vnnlib,20,sat"),
        "{rows}"
    );
    assert!(std::fs::read_to_string(Path::new(&out).join("index.html")).unwrap().contains("<svg"));
    let bad = folder.file("bad.csv", b"model.onnx,holds.vnnlib,20\nmodel.onnx;fails.vnnlib\n");
    let (_, err) = run(&["verify", "--instances", &bad, "--out", &folder.path("other")], 2);
    assert!(err.contains("bad.csv, line 2"), "{err}");
}

#[test]
fn bad_input_is_named() {
    let folder = Folder::new();
    let model = folder.model("model.onnx", &classifier(4, 3));
    let good = property(0.0);
    let ask = |name: &str, text: &str, code: i32| {
        let file = folder.file(name, text.as_bytes());
        run(&["verify", &model, &file, "--timeout", "20"], code)
    };
    let (_, err) = ask("open.vnnlib", "(declare-const X_0 Real)\n(assert (>= X_0 0)", 2);
    assert!(err.contains("open.vnnlib: line 2, column 1"), "{err}");
    let (_, err) = ask("word.vnnlib", &good.replace("(assert (>= X_1 0))", "(assert (>= X_1 nought))"), 2);
    assert!(err.contains("column") && err.contains("'nought'"), "{err}");
    let (_, err) = ask("narrow.vnnlib", &good.replace("(declare-const Y_2 Real)\n", ""), 2);
    assert!(err.contains("3 outputs") && err.contains("2 Y"), "{err}");
    let (out, err) = ask("empty.vnnlib", &good.replace("(assert (<= X_2 1))", "(assert (<= X_2 -1))"), 0);
    assert!(out.starts_with("unsat") && err.contains("no input meets its bounds"), "{out}{err}");
    let file = folder.file("good.vnnlib", good.as_bytes());
    let (out, _) = run(&["verify", &model, &file, "--timeout", "0"], 0);
    assert!(out.starts_with("timeout"), "{out}");
    let (_, err) = run(&["verify", &model, &file, "--timeout", "soon"], 2);
    assert!(err.contains("number of seconds"), "{err}");
    let (_, err) = run(&["verify", &model], 2);
    assert!(err.contains("PROPERTY"), "{err}");
    let (_, err) = run(&["verify", "nothing.onnx", &file], 2);
    assert!(err.contains("nothing.onnx"), "{err}");
}
