use super::*;
use crate::contrast::AtomKind;
use serde_json::json;

// A red apple on a table and a green one under it, a man left of the table with an umbrella.
fn scenes() -> String {
    let object = |name: &str, attributes: &[&str], relations: &[(&str, &str)]| {
        let relations: Vec<_> =
            relations.iter().map(|(name, object)| json!({"name": name, "object": object})).collect();
        json!({"name": name, "x": 1, "y": 2, "w": 3, "h": 4, "attributes": attributes, "relations": relations})
    };
    json!({"7": {"width": 640, "height": 480, "objects": {
        "1": object("apple", &["red", "small"], &[("on", "3")]),
        "2": object("apple", &["green"], &[("under", "3")]),
        "3": object("table", &["wooden"], &[("to the right of", "4")]),
        "4": object("man", &[], &[("to the left of", "3"), ("holding", "5")]),
        "5": object("umbrella", &["orange"], &[]),
    }}})
    .to_string()
}

type Steps<'a> = &'a [(&'a str, &'a str, &'a [usize])];

fn ask(text: &str, answer: &str, steps: Steps) -> serde_json::Value {
    let semantic: Vec<_> = steps
        .iter()
        .map(|(operation, argument, of)| json!({"operation": operation, "argument": argument, "dependencies": of}))
        .collect();
    json!({"imageId": "7", "question": text, "answer": answer, "semantic": semantic})
}

fn gqa(questions: &[serde_json::Value]) -> Gqa {
    let named: serde_json::Map<String, serde_json::Value> =
        questions.iter().enumerate().map(|(i, q)| (format!("{i:02}"), q.clone())).collect();
    Gqa::read(&scenes(), &serde_json::Value::from(named).to_string()).unwrap()
}

fn known() -> Vec<serde_json::Value> {
    vec![
        ask("Is there an apple?", "yes", &[("select", "apple (1,2)", &[]), ("exist", "?", &[0])]),
        ask(
            "Is there a red apple on the table?",
            "yes",
            &[
                ("select", "table (3)", &[]),
                ("relate", "apple,on,s (1)", &[0]),
                ("filter color", "red", &[1]),
                ("exist", "?", &[2]),
            ],
        ),
        ask(
            "Is there an apple that is not green?",
            "yes",
            &[("select", "apple (1,2)", &[]), ("filter color", "not(green)", &[0]), ("exist", "?", &[1])],
        ),
        ask("Is the table wooden?", "yes", &[("select", "table (3)", &[]), ("verify material", "wooden ", &[0])]),
        ask(
            "Is the man to the left of the table?",
            "yes",
            &[("select", "man (4)", &[]), ("verify rel", "table,to the left of,o (3)", &[0])],
        ),
        ask(
            "What is the man holding?",
            "umbrella",
            &[("select", "man (4)", &[]), ("relate", "_,holding,o (5)", &[0]), ("query", "name", &[1])],
        ),
        ask(
            "Is the umbrella both orange and small?",
            "no",
            &[
                ("select", "umbrella (5)", &[]),
                ("verify color", "orange", &[0]),
                ("verify size", "small", &[0]),
                ("and", "", &[1, 2]),
            ],
        ),
        ask(
            "Is there a cat or an umbrella?",
            "yes",
            &[
                ("select", "cat (-)", &[]),
                ("exist", "?", &[0]),
                ("select", "umbrella (5)", &[]),
                ("exist", "?", &[2]),
                ("or", "", &[1, 3]),
            ],
        ),
    ]
}

#[test]
fn programs_find_what_is_in_the_scene() {
    let gqa = gqa(&known());
    assert!(gqa.skipped().is_empty(), "{:?}", gqa.skipped());
    assert_eq!(gqa.questions().len(), known().len());
    assert_eq!(gqa.questions()[5].answer, Answer::Word("umbrella".into()));
}

#[test]
fn what_has_no_answer_here_is_left_out_and_counted() {
    let found = gqa(&[
        ask("Is the apple red?", "yes", &[("select", "apple (1,2)", &[]), ("verify color", "red", &[0])]),
        ask("Is the cat red?", "no", &[("select", "cat (-)", &[]), ("verify color", "red", &[0])]),
        ask("Is there a table?", "no", &[("select", "table (3)", &[]), ("exist", "?", &[0])]),
        ask("Who is taller?", "man", &[("select", "man (4)", &[]), ("choose taller", "", &[0])]),
        ask("Is there?", "yes", &[("exist", "?", &[0])]),
        ask("What?", "man", &[("select", "man (4)", &[])]),
        json!({"imageId": "8", "question": "?", "answer": "no", "semantic": []}),
    ]);
    assert!(found.questions().is_empty());
    let reasons: Vec<(&str, usize)> = found.skipped().iter().map(|(reason, n)| (reason.as_str(), *n)).collect();
    let expected = [
        ("a definite description fits no object of the scene graph", 1),
        ("a definite description fits several objects of the scene graph", 1),
        ("a step of its program has other operands than its operation takes", 2),
        ("its image has no scene graph", 1),
        ("the operation 'choose taller' is not known", 1),
        ("the scene graph gives another answer than the recorded one", 1),
    ];
    assert_eq!(reasons, expected);
}

#[test]
fn contrasts_are_those_found_by_hand() {
    let gqa = gqa(&known());
    let texts = |at: usize| -> Vec<(String, String, AtomKind)> {
        let changes = gqa.contrasts(&gqa.questions()[at]);
        changes.into_iter().map(|c| (c.text, c.answer.to_string(), c.replaced)).collect()
    };
    // Everything that the scenes name is there, but nothing else.
    assert!(texts(0).is_empty());
    let expected = [
        ("Is there a red man on the table?", "no", AtomKind::Object),
        ("Is there a red table on the table?", "no", AtomKind::Object),
        ("Is there a red umbrella on the table?", "no", AtomKind::Object),
        ("Is there a red apple holding the table?", "no", AtomKind::Relation),
        ("Is there a red apple to the left of the table?", "no", AtomKind::Relation),
        ("Is there a red apple to the right of the table?", "no", AtomKind::Relation),
        ("Is there a red apple under the table?", "no", AtomKind::Relation),
        ("Is there a green apple on the table?", "no", AtomKind::Attribute),
        ("Is there an orange apple on the table?", "no", AtomKind::Attribute),
    ];
    let mut found = texts(1);
    let mut expected: Vec<_> = expected.iter().map(|(t, a, k)| (t.to_string(), a.to_string(), *k)).collect();
    // "table" is said once, and so are apple, on and red; a table that is replaced by what is there once may do too.
    expected.extend(
        ["man", "umbrella"].map(|n| (format!("Is there a red apple on the {n}?"), "no".to_string(), AtomKind::Object)),
    );
    found.sort_by(|a, b| a.0.cmp(&b.0));
    expected.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(found, expected);
    // Of two apples one is not red, and none is "the apple".
    let found = texts(2);
    assert_eq!(
        found,
        [],
        "every other colour leaves an apple that is not so, every other name has one that is not green"
    );
    // Words change into words: the man is left of one thing, the table right of another.
    assert!(texts(5).iter().any(|(text, answer, _)| text == "What is the man to the left of?" && answer == "table"));
}

// The laws that every contrast obeys.
#[test]
fn contrasts_differ_in_one_atom_and_in_the_answer() {
    let gqa = gqa(&known());
    let mut seen = 0;
    for question in gqa.questions() {
        for change in gqa.contrasts(question) {
            assert!(change.answer != question.answer && change.answer.has_type_of(&question.answer));
            let words = |text: &str| -> Vec<String> { text.split(' ').map(String::from).collect() };
            let (old, new) = (words(&question.text), words(&change.text));
            let same_start = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
            let same_end = old.iter().rev().zip(new.iter().rev()).take_while(|(a, b)| a == b).count();
            // One atom has at most four words ("to the left of") and an article.
            assert!(old.len().saturating_sub(same_start + same_end) <= 5, "{} → {}", question.text, change.text);
            for wrong in [" a apple", " a umbrella", " a orange", " an man", " an table", " an red", " an green"] {
                assert!(!change.text.contains(wrong), "{}", change.text);
            }
            seen += 1;
        }
    }
    assert!(seen > 20, "{seen}");
}

#[test]
fn other_files_are_refused_with_their_place() {
    let message = Gqa::read("{\n \"7\": {}}", "{}").unwrap_err().to_string();
    assert!(message.contains("scene graphs") && message.contains("objects") && message.contains("line 2"), "{message}");
    let message = Gqa::read("{}", "{\"1\": {\"imageId\": \"7\"}}").unwrap_err().to_string();
    assert!(message.contains("questions") && message.contains("question"), "{message}");
}
