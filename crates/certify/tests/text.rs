//! Vectorizers against brute force and closed forms.

use perturb_certify::CertifyError;
use perturb_certify::text::vectorizers::{Concat, HammingRobust, ParagraphVector, TfIdf, WordVectors, hamming};
use perturb_graph::Tensor;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const VOCABULARY: usize = 5;
const LENGTH: usize = 4;

fn random_words(seed: u64) -> WordVectors {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let values = (0..VOCABULARY * 3).map(|_| rng.random_range(-1.0..1.0)).collect();
    WordVectors::new(&Tensor::new([VOCABULARY, 3], values).unwrap()).unwrap()
}

fn all_documents() -> Vec<Vec<usize>> {
    let word = |code: usize, place: usize| code / VOCABULARY.pow(place as u32) % VOCABULARY;
    (0..VOCABULARY.pow(LENGTH as u32)).map(|code| (0..LENGTH).map(|place| word(code, place)).collect()).collect()
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt()
}

/// The largest distance ÷ bound over all pairs of documents, for each number of replaced words.
fn worst_ratios(vectorizer: &dyn HammingRobust) -> Vec<f64> {
    let documents = all_documents();
    let vectors: Vec<Vec<f64>> = documents.iter().map(|d| vectorizer.transform(d).unwrap()).collect();
    let mut worst = vec![0.0f64; LENGTH];
    for (document, vector) in documents.iter().zip(&vectors) {
        let bounds: Vec<f64> = (1..=LENGTH).map(|h| vectorizer.bound(document, h).unwrap()).collect();
        for (other, moved) in documents.iter().zip(&vectors) {
            let changes = hamming(document, other).unwrap();
            if changes > 0 {
                worst[changes - 1] = worst[changes - 1].max(distance(vector, moved) / bounds[changes - 1]);
            }
        }
    }
    worst
}

fn assert_tight(vectorizer: &dyn HammingRobust, at_least: f64) {
    for (h, ratio) in worst_ratios(vectorizer).into_iter().enumerate() {
        assert!(ratio <= 1.0, "{} replaced words move the vector by {ratio} of the bound", h + 1);
        assert!(ratio >= at_least, "{} replaced words: only {ratio} of the bound is reached", h + 1);
    }
}

/// The bound of concatenation is reached: the two farthest words, at as many places as one likes.
#[test]
fn bounds_hold_for_every_pair_of_documents() {
    assert_tight(&Concat::new(random_words(1)), 1.0 - 1e-9);
    // Reached by a document of one word, for two words of the largest weight.
    assert_tight(&TfIdf::new(vec![1.0, 2.0, 2.0, 1.5, 1.2], false).unwrap(), 1.0 - 1e-9);
    assert_tight(&TfIdf::new(vec![1.0, 2.0, 2.0, 1.5, 1.2], true).unwrap(), 0.5);
    assert_tight(&ParagraphVector::bag_of_words(random_words(2), 1.0).unwrap(), 0.5);
    assert_tight(&ParagraphVector::memory(random_words(2), random_words(3), 1, 1.0).unwrap(), 0.1);
}

/// With λ large, the minimiser is that of the linear part: `(mean of the words' vectors − mean of all)/λ`, up to `1/λ²`.
#[test]
fn paragraph_vector_of_strong_regularization() {
    let (words, lambda) = (random_words(4), 1e5);
    let vectorizer = ParagraphVector::bag_of_words(words.clone(), lambda).unwrap();
    let found = vectorizer.transform(&[0, 0, 3]).unwrap();
    for (k, q) in found.iter().enumerate() {
        let own = (2.0 * words.vector(0)[k] + words.vector(3)[k]) / 3.0;
        let all = (0..VOCABULARY).map(|w| words.vector(w)[k]).sum::<f64>() / VOCABULARY as f64;
        assert!((q * lambda - (own - all)).abs() < 1e-4, "{} {}", q * lambda, own - all);
    }
}

/// The gradient of the objective, written out, vanishes at the vector.
#[test]
fn distributed_memory_is_a_minimum() {
    let (words, contexts, lambda, document) = (random_words(5), random_words(6), 0.1, [1usize, 4, 4, 0]);
    let q = ParagraphVector::memory(words.clone(), contexts.clone(), 1, lambda).unwrap().transform(&document).unwrap();
    let mut gradient: Vec<f64> = q.iter().map(|q| lambda * q).collect();
    for (t, &word) in document.iter().enumerate() {
        let mut state = q.clone();
        for place in [t.wrapping_sub(1), t + 1] {
            if let Some(&around) = document.get(place) {
                state.iter_mut().zip(contexts.vector(around)).for_each(|(s, c)| *s += c);
            }
        }
        let score = |w: usize| words.vector(w).iter().zip(&state).map(|(p, s)| p * s / 3.0).sum::<f64>().exp();
        let total: f64 = (0..VOCABULARY).map(score).sum();
        for (k, g) in gradient.iter_mut().enumerate() {
            let expected: f64 = (0..VOCABULARY).map(|w| score(w) / total * words.vector(w)[k]).sum();
            *g += (expected - words.vector(word)[k]) / 3.0 / document.len() as f64;
        }
    }
    assert!(gradient.iter().all(|g| g.abs() < 2e-9), "{gradient:?}");
}

/// ln((1 + 3)/(1 + n)) + 1 for words that 3, 2, 1 and 0 of three documents have.
#[test]
fn weights_of_a_corpus() {
    let documents = [vec![0, 1, 1, 2], vec![0, 0, 1], vec![0]];
    let fitted = TfIdf::fit(&documents, 4, false).unwrap();
    for (weight, n) in fitted.weights().iter().zip([3.0f64, 2.0, 1.0, 0.0]) {
        assert!((weight - ((4.0 / (1.0 + n)).ln() + 1.0)).abs() < 1e-15);
    }
    let vector = fitted.transform(&[1, 1, 3]).unwrap();
    assert_eq!(vector, [0.0, 2.0 * fitted.weights()[1], 0.0, fitted.weights()[3]]);
}

#[test]
fn what_makes_no_sense_is_an_error() {
    let unfit = |result: Result<(), CertifyError>| assert!(matches!(result, Err(CertifyError::Unfit { .. })));
    unfit(hamming(&[1, 2], &[1]).map(drop));
    unfit(Concat::new(random_words(0)).transform(&[]).map(drop));
    unfit(Concat::new(random_words(0)).transform(&[0, VOCABULARY]).map(drop));
    unfit(WordVectors::new(&Tensor::new([2], vec![0.0f64, 1.0]).unwrap()).map(drop));
    unfit(WordVectors::new(&Tensor::new([1, 1], vec![f64::NAN]).unwrap()).map(drop));
    for weights in [vec![1.0, 0.0], vec![-1.0], vec![f64::INFINITY]] {
        assert!(matches!(TfIdf::new(weights, true), Err(CertifyError::Parameter { .. })));
    }
    assert!(matches!(ParagraphVector::bag_of_words(random_words(0), 0.0), Err(CertifyError::Parameter { .. })));
    let narrow = WordVectors::new(&Tensor::new([VOCABULARY, 1], vec![0.0f64; VOCABULARY]).unwrap()).unwrap();
    unfit(ParagraphVector::memory(random_words(0), narrow, 1, 1.0).map(drop));
}
