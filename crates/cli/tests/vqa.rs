//! `perturb audit --task vqa`: contrast sets of questions about images.

mod models;

use models::{Folder, classifier, perturb, questioner};
use perturb::data::save_png;
use perturb::graph::Tensor;
use serde_json::{Value, json};
use std::path::Path;

/// A folder with GQA's files about one image: a red apple and a wooden table.
struct Quiz {
    folder: Folder,
    scenes: String,
    questions: String,
    words: String,
    answers: String,
}

impl Quiz {
    fn new() -> Quiz {
        let folder = Folder::new();
        let object = |name: &str, attribute: &str| json!({"name": name, "attributes": [attribute], "relations": []});
        let scenes = json!({"7": {"objects": {"1": object("apple", "red"), "2": object("table", "wooden")}}});
        let ask = |color: &str, answer: &str| {
            json!({"imageId": "7", "question": format!("Is there a {color} apple?"), "answer": answer, "semantic": [
                {"operation": "select", "dependencies": [], "argument": "apple (1)"},
                {"operation": "filter color", "dependencies": [0], "argument": color},
                {"operation": "exist", "dependencies": [1], "argument": "?"},
            ]})
        };
        let questions = json!({"01": ask("red", "yes"), "02": ask("green", "no")});
        let image = Tensor::full([3, 8, 8], 0.5f32);
        std::fs::create_dir(folder.path("images")).unwrap();
        save_png(Path::new(&folder.path("images/7.png")), &image).unwrap();
        Quiz {
            scenes: folder.file("scenes.json", scenes.to_string().as_bytes()),
            questions: folder.file("questions.json", questions.to_string().as_bytes()),
            words: folder.file("words.txt", b"\nis\nthere\na\nan\nred\ngreen\napple\ntable\n"),
            answers: folder.file("answers.txt", b"no\nyes\n"),
            folder,
        }
    }

    fn run(&self, model: &str, more: &[&str]) -> (Option<i32>, String, String) {
        let (images, out) = (self.folder.path("images"), self.folder.path("out"));
        let fixed = ["audit", model, "--task", "vqa", "--data", &images, "--scenes", &self.scenes, "--out", &out];
        let files = ["--questions", &self.questions, "--vocabulary", &self.words, "--answers", &self.answers];
        run(&[&fixed[..], &files, more].concat())
    }

    fn report(&self) -> Value {
        serde_json::from_str(&std::fs::read_to_string(self.folder.path("out/report.json")).unwrap()).unwrap()
    }
}

fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = perturb(arguments);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

// "Is there a red apple?" (yes) becomes a red table and a green apple (no); "… a green apple?" (no) a red one (yes).
#[test]
fn three_models_have_the_numbers_worked_out_by_hand() {
    let quiz = Quiz::new();
    // Always yes; yes to everything red; yes to a red apple only: its tokens are 5 and 7, the least of all.
    let models = [
        ("yes", [0.0, 0.0], -1.0, [0.5, 0.5, 0.0]),
        ("red", [-1.0, 0.0], -5.5, [1.0, 0.75, 0.5]),
        ("right", [-1.0, -1.0], -12.5, [1.0, 1.0, 1.0]),
    ];
    for (name, [color, noun], threshold, expected) in models {
        let weights = [0.0, 0.0, 0.0, color, noun];
        let model = quiz.folder.model(&format!("{name}.onnx"), &questioner(8, 6, &weights, threshold));
        let (code, text, err) = quiz.run(&model, &[]);
        assert_eq!(code, Some(0), "{name}: {err}");
        let report = quiz.report();
        let numbers = [&report["original"]["value"], &report["contrast"], &report["consistency"]];
        assert_eq!(numbers.map(|v| v.as_f64().unwrap()), expected, "{name}: {text}");
        assert_eq!((&report["contrasts"], &report["original"]["total"]), (&3.into(), &2.into()));
        let difference = report["difference"][0].as_f64().unwrap();
        assert!((difference - (expected[1] - expected[0])).abs() < 1e-12, "{report}");
        let by_answer = |at: usize, set: &str| report["by_answer"][at][set]["value"].as_f64();
        // One question is answered by yes and one by no, and of the contrasts two by no.
        let right = |total: u64, at: usize| report["by_answer"][at]["contrasts"]["total"] == total;
        assert!(right(1, 0) && right(2, 1) && report["by_answer"][2]["original"].is_null(), "{report}");
        assert_eq!(by_answer(0, "original"), Some(1.0), "all three say yes to the red apple");
        assert_eq!(by_answer(1, "original"), Some(if name == "yes" { 0.0 } else { 1.0 }));
        // A question's contrasts weigh as much as it does: one of two sets is answered by yes.
        assert_eq!(report["sets"][1]["right"], json!([0.5, 0.5]));
        assert_eq!(report["sets"][0]["given"][0].as_f64(), Some(if name == "yes" { 1.0 } else { 0.5 }));
        let page = std::fs::read_to_string(quiz.folder.path("out/report.html")).unwrap();
        assert!(page.contains("Is there a red table?") && page.contains("data:image/png"));
        let (code, _, err) = quiz.run(&model, &["--resume"]);
        assert!(code == Some(0) && quiz.report() == report, "{err}");
    }
    // Filled up in front, the same words stand elsewhere, and one contrast may be asked for.
    let weights = [0.0, 0.0, 0.0, 0.0, -1.0, -1.0];
    let model = quiz.folder.model("front.onnx", &questioner(8, 6, &weights, -12.5));
    let (code, _, err) = quiz.run(&model, &["--padding", "front", "--contrasts", "1"]);
    assert_eq!(code, Some(0), "{err}");
    let report = quiz.report();
    assert_eq!((&report["contrasts"], &report["contrast"]), (&2.into(), &1.0.into()));
}

#[test]
fn the_procedural_world_asks_too() {
    let quiz = Quiz::new();
    let model = quiz.folder.model("yes.onnx", &questioner(8, 16, &[], -1.0));
    let (out, words) = (quiz.folder.path("out"), quiz.folder.file("all.txt", b"\n<unk>\n"));
    let arguments = ["audit", &model, "--task", "vqa", "--scenes", "shapes", "--limit", "60", "--out", &out];
    let (code, text, err) = run(&[&arguments[..], &["--vocabulary", &words, "--answers", &quiz.answers]].concat());
    assert_eq!(code, Some(0), "{err}");
    let report = quiz.report();
    let (asked, original) = (report["original"]["total"].as_u64().unwrap(), report["original"]["value"].as_f64());
    // Questions for a number or a colour have answers that this model does not give.
    let skipped: u64 = report["skipped"].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum();
    assert!(asked > 10 && asked + skipped == 60 && text.contains("left out"), "{report}");
    // Who always says yes is right where yes is right, and never with all contrasts, which have the other answer.
    assert_eq!(original, report["sets"][0]["right"][0].as_f64());
    assert_eq!(report["consistency"], 0.0);
}

// Operations that are not known, other answers than the graph's and unknown words are counted, each by itself.
#[test]
fn what_is_left_out_is_counted() {
    let quiz = Quiz::new();
    let mut questions: Value = serde_json::from_str(&std::fs::read_to_string(&quiz.questions).unwrap()).unwrap();
    let mut more = |id: &str, change: &dyn Fn(&mut Value)| {
        let mut question = questions["01"].clone();
        change(&mut question);
        questions[id] = question;
    };
    more("03", &|q| q["answer"] = "no".into());
    more("04", &|q| q["semantic"][1]["operation"] = "filter hposition".into());
    more("05", &|q| q["question"] = "Can you see a red apple?".into());
    more("06", &|q| q["imageId"] = "8".into());
    std::fs::write(&quiz.questions, questions.to_string()).unwrap();
    // Without "table" one contrast less can be asked.
    std::fs::write(&quiz.words, "\nis\nthere\na\nan\nred\ngreen\napple\n").unwrap();
    let model = quiz.folder.model("m.onnx", &questioner(8, 6, &[], -1.0));
    let (code, text, err) = quiz.run(&model, &[]);
    assert_eq!(code, Some(0), "{err}");
    let report = quiz.report();
    let expected = json!({
        "the scene graph does not give the recorded answer": 1,
        "the operation 'filter hposition' is not known": 1,
        "its image has no scene graph": 1,
        "a word is not in the vocabulary": 1,
    });
    assert_eq!(report["skipped"], expected);
    assert_eq!(report["skipped_contrasts"], json!({"a word is not in the vocabulary": 1}));
    assert!(text.contains("4 questions were left out") && report["contrasts"] == 2, "{text}");
}

#[test]
fn what_cannot_be_asked_is_told() {
    let quiz = Quiz::new();
    let model = quiz.folder.model("m.onnx", &questioner(8, 6, &[], -1.0));
    let refused = |(code, _, err): (Option<i32>, String, String), words: &[&str]| {
        assert_eq!(code, Some(2), "{err}");
        assert!(!err.contains("panicked") && words.iter().all(|word| err.contains(word)), "{words:?} in {err}");
    };
    refused(run(&["audit", "--task", "vqa"]), &["needs a model"]);
    refused(run(&["audit", &model, "--task", "vqa"]), &["--vocabulary FILE"]);
    let lists = ["--vocabulary", &quiz.words, "--answers", &quiz.answers];
    let gqa = ["audit", &model, "--task", "vqa", "--scenes", &quiz.scenes];
    refused(run(&[&gqa[..], &lists].concat()), &["--questions FILE", "--data FOLDER"]);
    let one = quiz.folder.model("one.onnx", &classifier(4, 2));
    refused(quiz.run(&one, &[]), &["a question [1, tokens]", "[1, 4]"]);
    let short = quiz.folder.model("short.onnx", &questioner(8, 3, &[], -1.0));
    refused(quiz.run(&short, &[]), &["0 questions", "longer than the model takes"]);
    let wide = quiz.folder.model("wide.onnx", &questioner(9, 6, &[], -1.0));
    refused(quiz.run(&wide, &[]), &["7.png", "8 × 8", "9 × 9", "resize"]);
    let three = quiz.folder.file("three.txt", b"no\nyes\nmaybe\n");
    let gqa = ["audit", &model, "--task", "vqa", "--scenes", &quiz.scenes, "--vocabulary", &quiz.words];
    refused(run(&[&gqa[..], &["--answers", &three]].concat()), &["3 lines", "2 scores"]);
    let broken = quiz.folder.file("broken.json", b"{\n\"7\": 3}");
    let images = quiz.folder.path("images");
    let files = ["audit", &model, "--task", "vqa", "--data", &images, "--questions", &quiz.questions];
    refused(run(&[&files[..], &["--scenes", &broken], &lists].concat()), &["broken.json", "line 2"]);
    let files = ["audit", &model, "--task", "vqa", "--data", &images, "--scenes", &quiz.scenes];
    refused(run(&[&files[..], &["--questions", &broken], &lists].concat()), &["broken.json", "questions in GQA's"]);
    refused(quiz.run(&model, &["--epsilon", "0.1"]), &["--epsilon", "leave it out"]);
    std::fs::remove_file(quiz.folder.path("images/7.png")).unwrap();
    refused(quiz.run(&model, &[]), &["7.jpg or 7.png"]);
}
