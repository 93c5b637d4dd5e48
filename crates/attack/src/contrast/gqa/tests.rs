use super::*;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde_json::json;
use std::collections::BTreeSet;

// Image 7: a red apple on a table and a green one under it, a man left of the table with an umbrella.
// Image 8: a dog beside a cat, both brown, and bottles.
const SCENES: &str = r#"{
    "7": {"width": 640, "height": 480, "objects": {
        "1": {"name": "apple", "x": 1, "y": 2, "w": 3, "h": 4, "attributes": ["red", "small"],
              "relations": [{"name": "on", "object": "3"}]},
        "2": {"name": "apple", "attributes": ["green"], "relations": [{"name": "under", "object": "3"}]},
        "3": {"name": "table", "attributes": ["wooden"], "relations": [{"name": "to the right of", "object": "4"}]},
        "4": {"name": "man", "relations": [{"name": "to the left of", "object": "3"},
              {"name": "holding", "object": "5"}]},
        "5": {"name": "umbrella", "attributes": ["orange"], "relations": []}}},
    "8": {"width": 640, "height": 480, "objects": {
        "1": {"name": "dog", "attributes": ["brown", "small"], "relations": [{"name": "beside", "object": "2"}]},
        "2": {"name": "cat", "attributes": ["brown", "large", "brown"], "relations": []},
        "3": {"name": "bottles", "attributes": ["glass"], "relations": []}}}
}"#;

type Steps<'a> = &'a [(&'a str, &'a str, &'a [usize])];

fn exist(of: &[usize]) -> (&'static str, &'static str, &[usize]) {
    ("exist", "?", of)
}

fn ask(image: &str, text: &str, answer: &str, steps: Steps) -> serde_json::Value {
    let semantic: Vec<_> = steps
        .iter()
        .map(|(operation, argument, of)| json!({"operation": operation, "argument": argument, "dependencies": of}))
        .collect();
    json!({"imageId": image, "question": text, "answer": answer, "semantic": semantic})
}

fn gqa(questions: &[serde_json::Value]) -> Gqa {
    let named: serde_json::Map<String, serde_json::Value> =
        questions.iter().enumerate().map(|(i, q)| (format!("{i:02}"), q.clone())).collect();
    Gqa::read(SCENES, &serde_json::Value::from(named).to_string()).unwrap()
}

/// Every operation that is known, with answers found by hand.
fn known() -> Vec<serde_json::Value> {
    let apples = ("select", "apple (1,2)", &[][..]);
    let (table, man, umbrella) =
        (("select", "table (3)", &[][..]), ("select", "man (4)", &[][..]), ("select", "umbrella (5) ", &[][..]));
    let (dog, cat) = (("select", "dog (1)", &[][..]), ("select", "cat (2)", &[][..]));
    vec![
        ask("7", "Is there an apple?", "yes", &[apples, exist(&[0])]),
        ask(
            "7",
            "Is there a red apple on the table?",
            "yes",
            &[table, ("relate", "apple,on,s (1)", &[0]), ("filter color", "red", &[1]), exist(&[2])],
        ),
        ask(
            "7",
            "Is there an apple that is not green?",
            "yes",
            &[apples, ("filter color", "not(green)", &[0]), exist(&[1])],
        ),
        ask("7", "Is the table wooden?", "yes", &[table, ("verify material", "wooden ", &[0])]),
        ask(
            "7",
            "Is the man to the left of the table?",
            "yes",
            &[man, ("verify rel", "table,to the left of,o (3)", &[0])],
        ),
        ask(
            "7",
            "What is the man holding?",
            "umbrella",
            &[man, ("relate", "_,holding,o (5)", &[0]), ("query", "name", &[1])],
        ),
        ask(
            "7",
            "Is the umbrella both orange and small?",
            "no",
            &[umbrella, ("verify color", "orange", &[0]), ("verify size", "small", &[0]), ("and", "", &[1, 2])],
        ),
        ask(
            "7",
            "Is there a cat or an umbrella?",
            "yes",
            &[("select", "cat (-)", &[]), exist(&[0]), umbrella, exist(&[2]), ("or", "", &[1, 3])],
        ),
        ask("8", "What color is the dog?", "brown", &[dog, ("query", "color", &[0])]),
        ask("8", "Is the dog small or large?", "small", &[dog, ("choose size", "small|large", &[0])]),
        ask("8", "Is this a horse or a cat?", "cat", &[cat, ("choose name", "horse|cat", &[0])]),
        ask("8", "Do the dog and the cat have the same color?", "yes", &[dog, cat, ("same color", "", &[0, 1])]),
        ask("8", "Are the dog and the cat different in size?", "yes", &[dog, cat, ("different size", "", &[0, 1])]),
        ask("8", "What do the dog and the cat have in common?", "color", &[dog, cat, ("common", "", &[0, 1])]),
        ask("7", "Are all apples of the same type?", "Yes", &[apples, ("same", "type", &[0])]),
        ask("7", "Do the apples have different colors?", "yes", &[apples, ("different", "color", &[0])]),
        ask("8", "Is there a glass?", "no", &[("select", "glass (-)", &[]), exist(&[0])]),
    ]
}

#[test]
fn programs_find_what_is_in_the_scene() {
    let gqa = gqa(&known());
    // The last text says "glass", which is an attribute elsewhere, but its program says so too.
    assert!(gqa.skipped().is_empty(), "{:?}", gqa.skipped());
    assert_eq!(gqa.questions().len(), known().len());
    assert_eq!(gqa.questions()[5].answer, Answer::Word("umbrella".into()));
    assert_eq!(gqa.questions()[12].answer, Answer::Truth(true));
}

#[test]
fn what_has_no_answer_here_is_left_out_and_counted() {
    let select = |argument| ("select", argument, &[][..]);
    let (man, exist) = (select("man (4)"), ("exist", "?", &[0][..]));
    let left_out = [
        ask("7", "Is the apple red?", "yes", &[select("apple (1,2)"), ("verify color", "red", &[0])]),
        ask("7", "Is the cat red?", "no", &[select("cat (-)"), ("verify color", "red", &[0])]),
        ask("7", "Are both the same color?", "no", &[man, select("cat (-)"), ("same color", "", &[0, 1])]),
        ask("7", "What color is the man?", "red", &[man, ("query", "color", &[0])]),
        ask("7", "Is the man old or young?", "old", &[man, ("choose age", "old|young", &[0])]),
        ask("7", "Is there a table?", "no", &[select("table (3)"), exist]),
        ask("7", "Is there a person?", "yes", &[select("person (4)"), exist]),
        ask("7", "Is there a young man?", "yes", &[man, exist]),
        ask("7", "Is there a green man?", "yes", &[man, exist]),
        ask("7", "Is there?", "yes", &[exist]),
        ask("7", "What?", "man", &[man]),
        ask("7", "?", "yes", &[]),
        json!({"imageId": "9", "question": "?", "answer": "no", "semantic": []}),
    ];
    let unknown = [
        ask("7", "Who is taller?", "man", &[man, ("choose taller", "", &[0])]),
        ask("7", "Is he left?", "yes", &[man, ("filter hposition", "left", &[0]), ("exist", "?", &[1])]),
        ask("7", "Left or right?", "left", &[man, ("choose rel", "table,to the left of|on,s (3)", &[0])]),
        ask("7", "Which side?", "left", &[man, ("query", "hposition", &[0])]),
        ask("7", "Is it cloudy?", "yes", &[select("scene"), ("verify weather", "cloudy", &[0])]),
        ask("7", "Same?", "yes", &[man, ("relate", "_,same color,_ (1)", &[0]), ("exist", "?", &[1])]),
    ];
    let found = gqa(&[&left_out[..], &unknown[..]].concat());
    let reasons: Vec<(&str, usize)> = found.skipped().iter().map(|(reason, n)| (reason.as_str(), *n)).collect();
    let expected = [
        ("a definite description fits no object of the scene graph", 2),
        ("a definite description fits several objects of the scene graph", 1),
        ("a step of its program has other operands than its operation takes", 2),
        ("its image has no scene graph", 1),
        ("its program calls an object by another word than the scene graph", 1),
        ("its program is empty", 1),
        ("its text has an attribute that its program does not have", 1),
        ("the operation 'choose rel' is not known", 1),
        ("the operation 'choose taller' is not known", 1),
        ("the operation 'filter hposition' is not known", 1),
        ("the operation 'query hposition' is not known", 1),
        ("the operation 'relate same color' is not known", 1),
        ("the operation 'select scene' is not known", 1),
        ("the scene graph does not give the recorded answer", 1),
        ("the scene graph does not settle what is asked of an object", 2),
    ];
    assert_eq!(reasons, expected);
    // "Young" is the attribute of nothing in these files, and so no attribute.
    let kept: Vec<&str> = found.questions().iter().map(|q| q.text.as_str()).collect();
    assert_eq!(kept, ["Is there a young man?"]);
}

fn texts(gqa: &Gqa, at: usize) -> BTreeSet<(String, String)> {
    let changes = gqa.contrasts(&gqa.questions()[at]).unwrap_or_default();
    changes.into_iter().map(|c| (c.text, c.answer.to_string())).collect()
}

fn expect(found: BTreeSet<(String, String)>, expected: &[(&str, &str)]) {
    let expected: BTreeSet<_> = expected.iter().map(|(text, answer)| (text.to_string(), answer.to_string())).collect();
    assert_eq!(found, expected);
}

#[test]
fn contrasts_are_those_found_by_hand() {
    let gqa = gqa(&known());
    // Names that the scene lacks; "bottles" are several.
    expect(texts(&gqa, 0), &[("Is there a cat?", "no"), ("Is there a dog?", "no")]);
    expect(
        texts(&gqa, 1),
        &[
            ("Is there a red man on the table?", "no"),
            ("Is there a red umbrella on the table?", "no"),
            ("Is there a red cat on the table?", "no"),
            ("Is there a red dog on the table?", "no"),
            ("Is there a red apple holding the table?", "no"),
            ("Is there a red apple to the left of the table?", "no"),
            ("Is there a red apple to the right of the table?", "no"),
            ("Is there a red apple under the table?", "no"),
            ("Is there a red apple beside the table?", "no"),
            ("Is there a green apple on the table?", "no"),
            ("Is there an orange apple on the table?", "no"),
            ("Is there a brown apple on the table?", "no"),
            // A man and an umbrella are there once, but nothing is on them; "the cat" would be none.
            ("Is there a red apple on the man?", "no"),
            ("Is there a red apple on the umbrella?", "no"),
        ],
    );
    // Every other colour leaves an apple that is not so. Cats and dogs are absent.
    expect(texts(&gqa, 2), &[("Is there a cat that is not green?", "no"), ("Is there a dog that is not green?", "no")]);
    // An attribute has another type than "wooden", the only material; the apples are two.
    expect(texts(&gqa, 3), &[("Is the man wooden?", "no"), ("Is the umbrella wooden?", "no")]);
    // A thing on the man's other side; one that he is on neither side of; and other relations.
    let left = texts(&gqa, 4);
    assert!(left.contains(&("Is the man to the right of the table?".into(), "no".into())), "{left:?}");
    assert!(left.contains(&("Is the man to the left of the apple?".into(), "no".into())), "{left:?}");
    // Words change into words.
    expect(texts(&gqa, 5), &[("What is the man to the left of?", "table")]);
    // Only one of both is not so; no other size is known to be the umbrella's.
    expect(texts(&gqa, 6), &[]);
    expect(texts(&gqa, 7), &[("Is there a cat or a dog?", "no")]);
    expect(texts(&gqa, 11), &[]);
}

#[test]
fn questions_without_contrasts_say_why() {
    let gqa = gqa(&[
        ask("7", "Are there apples?", "yes", &[("select", "apple (1,2)", &[]), ("exist", "?", &[0])]),
        ask("7", "Is the man to the man's left a man?", "yes", &[("select", "man (4)", &[]), ("exist", "?", &[0])]),
        ask("7", "Is there a glass?", "no", &[("select", "glass (-)", &[]), ("exist", "?", &[0])]),
        ask("8", "Are there bottles?", "yes", &[("select", "bottles (3)", &[]), ("exist", "?", &[0])]),
    ]);
    let reason = |at: usize| gqa.contrasts(&gqa.questions()[at]).unwrap_err();
    assert_eq!((reason(0), reason(1)), (NoContrast::Words, NoContrast::Words));
    assert!(gqa.contrasts(&gqa.questions()[2]).unwrap().iter().all(|c| c.answer == Answer::Truth(true)));
    // No other name of the files is a plural.
    assert_eq!(reason(3), NoContrast::Answer);
}

// A word that stands for two steps of the program, or that is part of another name, is not replaced.
#[test]
fn a_word_that_means_two_things_stays() {
    let gqa = gqa(&[ask(
        "7",
        "Is the umbrella red or orange?",
        "yes",
        &[
            ("select", "umbrella (5)", &[]),
            ("verify color", "red", &[0]),
            ("select", "umbrella (5)", &[]),
            ("verify color", "orange", &[2]),
            ("or", "", &[1, 3]),
        ],
    )]);
    // A table in one of both steps would change the answer, but the text has one word for both.
    assert_eq!(gqa.contrasts(&gqa.questions()[0]).unwrap_err(), NoContrast::Answer);
}

// The man is called a person in another question: "no" to "is there a person?" would be wrong.
#[test]
fn other_words_for_what_is_there_are_not_absent() {
    let with_person = SCENES.replace("\"bottles\"", "\"person\"");
    let questions = json!({
        "1": ask("7", "Is there a table?", "yes", &[("select", "table (3)", &[]), ("exist", "?", &[0])]),
        "2": ask("7", "Is there a person?", "yes", &[("select", "person (4)", &[]), ("exist", "?", &[0])]),
    });
    let without: Gqa = Gqa::read(&with_person, &json!({"1": questions["1"]}).to_string()).unwrap();
    let gqa = Gqa::read(&with_person, &questions.to_string()).unwrap();
    assert!(texts(&without, 0).iter().any(|(text, _)| text.contains("person")));
    expect(texts(&gqa, 0), &[("Is there a cat?", "no"), ("Is there a dog?", "no")]);
}

// The laws that every contrast obeys.
#[test]
fn contrasts_differ_in_one_atom_and_in_the_answer() {
    let gqa = gqa(&known());
    let mut seen = 0;
    for question in gqa.questions() {
        let all = gqa.contrasts(question).unwrap_or_default();
        for change in &all {
            assert!(change.answer != question.answer && change.answer.has_type_of(&question.answer));
            let [old, new] = &change.atom;
            // Putting the atom back, without regard to articles, gives the question.
            let bare = |text: &str| text.replace(" an ", " a ").to_lowercase();
            let at = text::place(&change.text, new).expect("the new atom stands there once");
            let back = format!("{}{old}{}", &change.text[..at], &change.text[at + new.len()..]);
            assert_eq!(bare(&back), bare(&question.text), "{}", change.text);
            for wrong in [" a apple", " a umbrella", " a orange", " an man", " an table", " an red", " an green"] {
                assert!(!change.text.contains(wrong), "{}", change.text);
            }
            seen += 1;
        }
        let texts: BTreeSet<&str> = all.iter().map(|c| c.text.as_str()).collect();
        assert_eq!(texts.len(), all.len(), "all are different");
    }
    assert!(seen > 20, "{seen}");
}

#[test]
fn sets_are_drawn_from_all_contrasts_by_the_seed() {
    let gqa = gqa(&known());
    let question = &gqa.questions()[1];
    let draw = |seed| gqa.contrast_set(question, 4, &mut ChaCha8Rng::seed_from_u64(seed)).unwrap();
    let all = gqa.contrasts(question).unwrap();
    assert_eq!(draw(1), draw(1));
    assert!((0..20).any(|seed| draw(seed) != draw(1)));
    assert!(draw(1).len() == 4 && draw(1).iter().all(|c| all.contains(c)));
}

#[test]
fn other_files_are_refused_with_their_place() {
    let message = Gqa::read("{\n \"7\": {}}", "{}").unwrap_err().to_string();
    for word in ["scene graphs", "objects", "line 2", "val_sceneGraphs.json"] {
        assert!(message.contains(word), "{message}");
    }
    let message = Gqa::read("{}", "{\"1\": {\"imageId\": \"7\"}}").unwrap_err().to_string();
    for word in ["questions", "`question`", "line 1", "val_balanced_questions.json"] {
        assert!(message.contains(word), "{message}");
    }
}
