//! Text.

use crate::{counts, data};
use perturb_data::text::{
    Analogies, SentencePairs, SentenceSplits, TokenStream, Vocabulary, WordSimilarity, load_books, load_text,
};

#[test]
fn sentences() {
    let Some(path) = data("text/sentences") else { return };
    let sst2 = SentenceSplits::load(&path, "sst2").unwrap();
    assert_eq!(counts(sst2.train.labels.clone()), [3310, 3610]);
    assert_eq!(counts(sst2.validation.unwrap().labels), [428, 444]);
    assert_eq!(counts(sst2.test.unwrap().labels), [912, 909]);
    assert!(sst2.train.texts[1].starts_with("apparently reassembled from the cutting-room floor"));
    let sst5 = SentenceSplits::load(&path, "sst5").unwrap();
    assert_eq!((counts(sst5.train.labels.clone()), sst5.train.classes()), (vec![1092, 2218, 1624, 2322, 1288], 5));
    let trec = SentenceSplits::load(&path, "trec").unwrap();
    assert_eq!(counts(trec.train.labels.clone()), [1162, 1250, 86, 1223, 835, 896]);
    assert_eq!((counts(trec.test.unwrap().labels), trec.validation), (vec![138, 94, 9, 65, 81, 113], None));
    let whole = [("mr", [5331, 5331]), ("subj", [5000, 5000]), ("cr", [1368, 2407]), ("mpqa", [7294, 3312])];
    for (name, expected) in whole {
        let set = SentenceSplits::load(&path, name).unwrap();
        assert_eq!((counts(set.train.labels), set.test), (expected.to_vec(), None), "{name}");
    }
}

#[test]
fn sentence_pairs() {
    let Some(path) = data("text/stsb") else { return };
    for (part, count, mean) in [("train", 5749, 2.70099903), ("dev", 1500, 2.36390756), ("test", 1379, 2.60791661)] {
        let set = SentencePairs::load(&path.join(format!("stsb-en-{part}.csv"))).unwrap();
        assert_eq!((set.pairs.len(), set.scores.len()), (count, count));
        assert!((set.scores.iter().sum::<f64>() / count as f64 - mean).abs() < 1e-8);
    }
}

#[test]
fn words() {
    let Some(path) = data("text/word-similarity") else { return };
    for (name, count) in [("MC-30", 30), ("RG-65", 65), ("WS-353-ALL", 353), ("MEN-TR-3k", 3000), ("RW-STANFORD", 2034)]
    {
        assert_eq!(WordSimilarity::load(&path.join(format!("EN-{name}.txt"))).unwrap().pairs.len(), count, "{name}");
    }
    let simlex = WordSimilarity::load(&path.join("EN-SIMLEX-999.txt")).unwrap();
    assert_eq!((&*simlex.pairs[1].0, &*simlex.pairs[1].1, simlex.scores[1]), ("smart", "intelligent", 9.2));
    let analogies = Analogies::load(&path.join("questions-words.txt")).unwrap();
    assert_eq!(analogies.groups.iter().map(|g| g.questions.len()).sum::<usize>(), 19544);
    assert_eq!((analogies.groups.len(), &*analogies.groups[0].name), (14, "capital-common-countries"));
    assert_eq!(analogies.groups[0].questions[0], ["Athens", "Greece", "Baghdad", "Iraq"]);
}

#[test]
fn corpora() {
    let Some(path) = data("text") else { return };
    let text = load_text(&path.join("tinyshakespeare.txt")).unwrap();
    let vocabulary = Vocabulary::characters(&text);
    assert_eq!((text.len(), vocabulary.len()), (1_115_394, 65));
    let tokens = vocabulary.encode_characters(&text);
    assert_eq!(vocabulary.decode(&tokens[..14], ""), "First Citizen:");
    let (train, validation) = TokenStream::new(tokens).split(0.9);
    assert_eq!((train.tokens().len(), validation.tokens().len()), (1_003_854, 111_540));
    let books = load_books(&path).unwrap();
    assert_eq!((books.len(), &*books[22].title, books[22].text.len()), (23, "Herman Melville/Moby-Dick", 1_195_056));
    assert!(books[22].text.contains("Call me Ishmael"));
}
