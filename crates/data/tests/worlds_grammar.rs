//! The `grammar` world: probabilities against enumeration, labels against the words.

use perturb_data::worlds::grammar::*;
use std::collections::{HashMap, HashSet};

/// A finite language with ambiguity, a chain of unary rules, words within long bodies.
const FINITE: &str = "
# 'a b a' and others have several trees
S -> A B A [0.4] | A C [0.3] | B [0.2] | 'x' A 'y' B [0.1]
A -> 'a' [0.6] | 'b' [0.4]
B -> A [0.5] | 'b' 'a' [0.5]
C -> B A [0.7] | A [0.3]
";

type Rules = HashMap<&'static str, Vec<(Vec<&'static str>, f64)>>;

/// Reads the same text by other means, for enumeration.
fn rules(text: &'static str) -> Rules {
    let mut rules = Rules::new();
    for line in text.lines().filter(|l| l.contains("->")) {
        let (head, bodies) = line.split_once(" -> ").unwrap();
        for body in bodies.split(" | ") {
            let (items, p) = body.trim().trim_end_matches(']').split_once('[').unwrap();
            rules.entry(head).or_default().push((items.split_whitespace().collect(), p.parse().unwrap()));
        }
    }
    rules
}

/// Every leftmost derivation, with its probability.
fn enumerate(rules: &Rules, form: Vec<&'static str>, p: f64, found: &mut HashMap<String, f64>) {
    match form.iter().position(|item| !item.starts_with('\'')) {
        None => *found.entry(form.join(" ").replace('\'', "")).or_default() += p,
        Some(i) => {
            for (body, q) in &rules[form[i]] {
                enumerate(rules, [&form[..i], body, &form[i + 1..]].concat(), p * q, found);
            }
        }
    }
}

#[test]
fn inside_probabilities_are_sums_over_all_derivations() {
    let grammar: Pcfg = FINITE.parse().unwrap();
    let mut found = HashMap::new();
    enumerate(&rules(FINITE), vec!["S"], 1.0, &mut found);
    assert!((found.values().sum::<f64>() - 1.0).abs() < 1e-12 && found.len() > 20);
    for (sentence, p) in &found {
        let words: Vec<&str> = sentence.split(' ').collect();
        assert!(
            (grammar.log_prob(&words) - p.ln()).abs() < 1e-12,
            "{sentence}: {} and {}",
            grammar.log_prob(&words),
            p.ln()
        );
    }
    let expected: f64 = found.iter().map(|(s, p)| p * s.split(' ').count() as f64).sum();
    assert!((grammar.expected_length() - expected).abs() < 1e-12);
    for outside in [&["a", "a", "a", "a", "a"][..], &["x"], &["c"], &[]] {
        assert_eq!(grammar.log_prob(outside), f64::NEG_INFINITY);
    }
    // 20,000 samples: each sentence within 5.5 standard deviations, once in 10⁵ runs outside.
    let mut counts: HashMap<String, f64> = HashMap::new();
    for index in 0..20_000 {
        let tree = grammar.sample(3, index);
        let words = tree.words();
        assert!(grammar.tree_log_prob(&tree) <= grammar.log_prob(&words) + 1e-12);
        *counts.entry(words.join(" ")).or_default() += 1.0;
    }
    for (sentence, p) in &found {
        let (mean, deviation) = (20_000.0 * p, (20_000.0 * p * (1.0 - p)).sqrt());
        let count = counts.get(sentence).copied().unwrap_or(0.0);
        assert!((count - mean).abs() < 5.5 * deviation + 1.0, "{sentence}: {count} instead of {mean}");
    }
}

/// S → S S | a has Catalan many trees: P(aⁿ) = C(n−1) qⁿ⁻¹ pⁿ.
#[test]
fn ambiguous_powers_are_catalan_numbers() {
    let grammar: Pcfg = "S -> S S [0.4] | 'a' [0.6]".parse().unwrap();
    let mut catalan = 1.0f64;
    for n in 1..40u32 {
        let expected = catalan.ln() + f64::from(n - 1) * 0.4f64.ln() + f64::from(n) * 0.6f64.ln();
        assert!((grammar.log_prob(&vec!["a"; n as usize]) - expected).abs() < 1e-10);
        catalan *= f64::from(4 * n - 2) / f64::from(n + 1);
    }
    assert!((grammar.expected_length() - 0.6 / 0.2).abs() < 1e-12);
    // Unary cycles are sums of geometric series.
    let cycle: Pcfg = "S -> T [0.5] | 'a' [0.5]\nT -> S [0.5] | 'b' [0.5]".parse().unwrap();
    assert!((cycle.log_prob(&["a"]) - (0.5f64 / 0.75).ln()).abs() < 1e-12);
    assert!((cycle.log_prob(&["b"]) - (0.25f64 / 0.75).ln()).abs() < 1e-12);
}

/// A regular grammar is a Markov chain; its sentences are long without underflow.
#[test]
fn regular_grammars_are_chains() {
    let grammar: Pcfg = "A -> 'u' A [0.6] | 'v' B [0.4]\nB -> 'u' A [0.3] | 'v' B [0.6] | 'w' [0.1]".parse().unwrap();
    let mut words = vec!["u"; 200];
    words.extend(vec!["v"; 200]);
    words.push("w");
    let expected = 200.0 * 0.6f64.ln() + 0.4f64.ln() + 199.0 * 0.6f64.ln() + 0.1f64.ln();
    assert!((grammar.log_prob(&words) - expected).abs() < 1e-9);
}

#[test]
fn english_sentences_have_one_tree() {
    let english = English::new();
    let (mut length, mut depths) = (0, HashSet::new());
    for index in 0..400 {
        let tree = english.sample(1, index);
        let words = tree.words();
        let (tree_log_prob, log_prob) = (english.pcfg().tree_log_prob(&tree), english.pcfg().log_prob(&words));
        assert!((tree_log_prob - log_prob).abs() < 1e-10, "{tree}");
        length += words.len();
        depths.insert(tree.depth());
        let brackets = tree.to_string();
        assert_eq!(brackets.matches('(').count(), brackets.matches(')').count());
    }
    let mean = length as f64 / 400.0;
    assert!((mean - english.pcfg().expected_length()).abs() < 5.0 * 4.0 / 20.0, "{mean}");
    assert!((6.0..12.0).contains(&english.pcfg().expected_length()), "{}", english.pcfg().expected_length());
    assert_eq!(english.pcfg().vocabulary().len(), 148);
    assert!(depths.len() >= 3, "{depths:?}");
}

const GOOD: &str = "good great wonderful excellent lovely charming clever loves love loved adores adore adored enjoys enjoy \
                    enjoyed praises praise praised admires admire admired";
const BAD: &str = "bad poor terrible awful horrible boring dull silly hates hate hated loathes loathe loathed criticizes \
                   criticize criticized dislikes dislike disliked";

/// From the words alone: what stands behind the last "and" or "but".
fn sentiment(words: &[&str]) -> Sentiment {
    let start = words.iter().rposition(|w| ["and", "but"].contains(w)).map_or(0, |i| i + 1);
    let has = |list: &str| words[start..].iter().any(|w| list.split_whitespace().any(|l| l == *w));
    let sign = i32::from(has(GOOD)) - i32::from(has(BAD));
    match if words[start..].contains(&"not") { -sign } else { sign } {
        1 => Sentiment::Positive,
        -1 => Sentiment::Negative,
        _ => Sentiment::Neutral,
    }
}

#[test]
fn labels_follow_from_the_words() {
    let english = English::new();
    let mut counts: HashMap<Sentiment, usize> = HashMap::new();
    for index in 0..3000 {
        let tree = english.sample(2, index);
        let words = tree.words();
        assert_eq!(english.sentiment(&tree), sentiment(&words), "{}", words.join(" "));
        *counts.entry(sentiment(&words)).or_default() += 1;
        // Copulas and auxiliaries tell number and tense where there are any.
        let (number, tense) = english.agreement(&tree).unwrap();
        let clause = words.split(|w| ["and", "but"].contains(w)).next().unwrap();
        for (word, n, t) in [
            ("is", Some(Number::Singular), Tense::Present),
            ("are", Some(Number::Plural), Tense::Present),
            ("was", Some(Number::Singular), Tense::Past),
            ("were", Some(Number::Plural), Tense::Past),
            ("does", Some(Number::Singular), Tense::Present),
            ("do", Some(Number::Plural), Tense::Present),
            ("did", None, Tense::Past),
        ] {
            assert!(!clause.contains(&word) || (n.is_none_or(|n| n == number) && t == tense), "{clause:?}");
        }
        assert!(english.topic(&tree).is_some());
        assert!(tree.tagged().iter().all(|(tag, word)| (*tag == "NOT") == (*word == "not")));
    }
    // Neutral: half of the clauses are judgements; of the others a fifth.
    let share = |s| counts[&s] as f64 / 3000.0;
    assert!((share(Sentiment::Neutral) - 0.1).abs() < 5.0 * 0.0055, "{counts:?}");
    assert!((share(Sentiment::Positive) - 0.45).abs() < 5.0 * 0.0091, "{counts:?}");
}

#[test]
fn synonyms_change_nothing_but_the_word() {
    let english = English::new();
    let mut swaps = 0;
    for index in 0..120 {
        let tree = english.sample(4, index);
        let words = tree.words();
        let log_prob = english.pcfg().log_prob(&words);
        for (i, word) in words.iter().enumerate() {
            for other in english.synonyms(word) {
                let mut changed = words.clone();
                changed[i] = other;
                assert!((english.pcfg().log_prob(&changed) - log_prob).abs() < 1e-10, "{changed:?}");
                assert_eq!(sentiment(&changed), sentiment(&words));
                assert!(english.synonyms(other).contains(word));
                swaps += 1;
            }
        }
    }
    assert!(swaps > 150 && english.synonyms("the").is_empty());
}

#[test]
fn translations_are_one_to_one_and_put_the_verb_last() {
    let english = English::new();
    let mut dictionary: HashMap<String, String> = HashMap::new();
    for index in 0..1000 {
        let tree = english.sample(5, index);
        let (words, foreign) = (tree.words(), english.translate(&tree));
        assert_eq!(words.len(), foreign.len());
        // Learn the dictionary from one-word constituents: as multisets, sentences correspond.
        let known: HashSet<&String> = foreign.iter().collect();
        let distinct: HashSet<&&str> = words.iter().collect();
        assert_eq!(known.len(), distinct.len());
        if let [_, noun, copula, adjective] = words[..] {
            // "the soup was good" → the soup good was
            for (own, there) in [(noun, 1), (copula, 3), (adjective, 2)] {
                let old = dictionary.insert(own.to_string(), foreign[there].clone());
                assert!(old.is_none_or(|old| old == foreign[there]));
            }
        }
    }
    let images: HashSet<&String> = dictionary.values().collect();
    assert!(images.len() == dictionary.len() && images.len() > 20, "{}", images.len());
}

#[test]
fn trees_depend_on_seed_and_index_alone() {
    let english = English::new();
    let forwards: Vec<Tree> = (0..40).map(|i| english.sample(6, i)).collect();
    let backwards: Vec<Tree> = (0..40).rev().map(|i| english.sample(6, i)).collect();
    assert!(forwards.iter().eq(backwards.iter().rev()) && english.sample(7, 0) != forwards[0]);
}

#[test]
fn what_is_no_grammar_is_an_error() {
    for (text, message) in [
        ("", "no rules"),
        ("S -> 'a' [1.0]\nT 'b'", "line 2"),
        ("S T -> 'a' [1.0]", "one symbol"),
        ("S -> 'a'", "brackets"),
        ("S -> 'a' [x]", "not a number"),
        ("S -> 'a' [1.5]", "above 0"),
        ("S -> 'a [1.0]", "single quotes"),
        ("S -> [1.0]", "empty bodies"),
        ("S -> 'a' [0.5] | 'a' [0.5]", "stands twice"),
        ("S -> T [1.0]", "symbol T of the grammar: it has no rules"),
        ("S -> 'a' [0.5]", "sum to 0.5"),
        ("S -> S S [0.6] | 'a' [0.4]", "no finite expected length"),
        ("S -> S S [0.5] | 'a' [0.5]", "no finite expected length"),
        ("S -> T [1.0]\nT -> S [1.0]", "no finite expected length"),
    ] {
        let error = text.parse::<Pcfg>().unwrap_err().to_string();
        assert!(error.contains(message), "{text}: {error}");
    }
}
