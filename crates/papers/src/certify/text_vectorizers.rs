//! On the Robustness of Text Vectorizers (Catellier, Vaiter & Garreau 2023).
//!
//! Claim: concatenated word vectors, TF-IDF and doc2vec are Hölder or Lipschitz continuous in the Hamming distance, with
//! constants that depend on the length T of the document. Method: bounds for h replaced words, against random and greedy
//! replacements in movie reviews, and the exponents of h and T. Where it must not hold: an inserted word, which is no
//! step of the Hamming distance, and doc2vec without regularisation.
//!
//! How tight the bound of doc2vec is depends on λ, compared with the spread of the word vectors: training makes them long, and at
//! λ = 1 the worst document reached a fifth of the bound, with exponent 0.89 of h, because there the softmax bends and not
//! the penalty. So λ is a quarter of the squared diameter, the most that the other part of the Hessian can be along any
//! direction; that is the scale on which the bound is about the words and not about the unit of their vectors.
//!
//! Exponents are those of the worst documents, in which a word is repeated: replacements of different words by
//! different words move TF-IDF and doc2vec like √h only, which no bound contradicts.

use crate::curves::mean_curve;
use crate::{Claim, Estimator, Figure, Measurements, Quantity, Reproduction, Run, RunError, SeedResult};
use perturb_certify::text::vectorizers::{Concat, HammingRobust, ParagraphVector, TfIdf, WordVectors};
use perturb_data::text::{SentenceSplits, TokenStream, Vocabulary};
use perturb_graph::{DType, Tensor};
use perturb_nn::{Adam, Examples, Init, Initializer, Layers, Shuffled, Step, Trainer};
use perturb_report::chart::{Hue, LineChart, Marker, Sample, Series};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

pub struct TextVectorizers;

const REPLACED: &str = "replaced words";
const INSERTED: &str = "one inserted word";
const UNREGULARIZED: &str = "one replaced word, λ divided by 1000";

const CONCAT: Quantity = Quantity::positive("change ÷ bound, concatenation");
const TF_IDF: Quantity = Quantity::positive("change ÷ bound, TF-IDF");
const NORMALIZED: Quantity = Quantity::positive("change ÷ bound, normalised TF-IDF");
const DOC2VEC: Quantity = Quantity::positive("change ÷ bound, doc2vec");
const ONE_WORD: Quantity = Quantity::positive("change of doc2vec by one replaced word");

const CONCAT_H: &str = "concatenation against h";
const TF_IDF_H: &str = "TF-IDF against h";
const DOC2VEC_H: &str = "doc2vec against h";
const CONCAT_T: &str = "concatenation against T";
const DISTINCT_T: &str = "normalised TF-IDF against T, different words";
const REPEATED_T: &str = "normalised TF-IDF against T, one word";
const DOC2VEC_T: &str = "doc2vec against T";
const INSERTED_T: &str = "concatenation with an inserted word against T";

const VOCABULARY: usize = 1000;
const WIDTH: usize = 8;
/// Penalty of the documents' vectors while the word vectors are learned.
const PENALTY: f64 = 1.0;
/// Words of a document in which replacements are tried.
const LENGTH: usize = 16;
const CHANGES: [usize; 4] = [1, 2, 4, 8];
const LENGTHS: [usize; 5] = [8, 16, 32, 64, 128];

impl Reproduction for TextVectorizers {
    fn slug(&self) -> &'static str {
        "text-vectorizers"
    }

    fn claim(&self) -> Claim {
        let largest = |quantity: Quantity| Estimator::Largest(quantity.of(REPLACED)).at_most(1.0);
        let reached = |quantity: Quantity| Estimator::Level(quantity.of(REPLACED)).at_least(0.5);
        let slope = |curve, at: f64| Estimator::Slope(curve).within(at - 0.1, at + 0.1);
        let schemes = [CONCAT, TF_IDF, NORMALIZED, DOC2VEC];
        let mut rules: Vec<_> = schemes.into_iter().map(largest).chain(schemes.into_iter().map(reached)).collect();
        rules.extend([
            slope(CONCAT_H, 0.5),
            slope(TF_IDF_H, 1.0),
            slope(DOC2VEC_H, 1.0),
            slope(CONCAT_T, 0.0),
            slope(DISTINCT_T, -0.5),
            slope(REPEATED_T, -1.0),
            slope(DOC2VEC_T, -1.0),
            // Where it must not hold.
            Estimator::Difference(CONCAT.of(INSERTED), CONCAT.of(REPLACED)).at_least(1.0),
            slope(INSERTED_T, 0.5),
            Estimator::Ratio(ONE_WORD.of(UNREGULARIZED), ONE_WORD.of(REPLACED)).at_least(10.0),
        ]);
        Claim { method: REPLACED, baselines: &[INSERTED, UNREGULARIZED], seeds: 5, preconditions: Vec::new(), rules }
    }

    fn run(&self, run: &Run) -> Result<Measurements, RunError> {
        run.progress(0.0, "paragraph vectors of reviews");
        let stream = reviews(run)?;
        let words = learn(run, &stream)?;
        let documents = windows(&stream, run.scaled(100, 1000), LENGTH, run.seed)?;
        let schemes = Schemes::new(words, &documents)?;

        let mut found = Measurements::new();
        let arms: [(Quantity, &dyn HammingRobust, [usize; 2]); 4] = [
            (CONCAT, &schemes.concat, schemes.farthest),
            (TF_IDF, &schemes.counts, schemes.rarest),
            (NORMALIZED, &schemes.normalized, schemes.rarest),
            (DOC2VEC, &schemes.paragraph, schemes.farthest),
        ];
        for (i, (quantity, vectorizer, words)) in arms.into_iter().enumerate() {
            run.progress(0.2 + 0.15 * i as f64, quantity.name);
            let random = random_replacements(vectorizer, &documents, run.seed)?;
            let greedy = greedy_replacements(vectorizer, &documents[..run.scaled(5, 50)], words)?;
            let worst = vectorizer_ratio(vectorizer, &[words[0]; LENGTH], &replaced(words, LENGTH, 1), 1)?;
            found.record(quantity.of(REPLACED), random.max(greedy).max(worst))?;
        }
        run.progress(0.8, "exponents");
        schemes.exponents(&mut found)?;
        schemes.insertions(&mut found, &stream, run.seed)?;
        schemes.regularization(&mut found)?;
        Ok(found)
    }

    fn figures(&self, seeds: &[SeedResult]) -> Vec<Figure> {
        let by_changes = [
            ("concatenation (½)", CONCAT_H, Hue::Blue, Marker::Square),
            ("TF-IDF (1)", TF_IDF_H, Hue::Amber, Marker::Triangle),
            ("doc2vec (1)", DOC2VEC_H, Hue::Vermillion, Marker::Circle),
        ];
        let by_length = [
            ("concatenation (0)", CONCAT_T, Hue::Blue, Marker::Square),
            ("TF-IDF, different words (−½)", DISTINCT_T, Hue::Green, Marker::Wedge),
            ("TF-IDF, one word (−1)", REPEATED_T, Hue::Amber, Marker::Triangle),
            ("doc2vec (−1)", DOC2VEC_T, Hue::Vermillion, Marker::Circle),
        ];
        let inserted = [
            ("an inserted word (½)", INSERTED_T, Hue::Purple, Marker::Diamond),
            ("a replaced word (0)", CONCAT_T, Hue::Blue, Marker::Square),
        ];
        vec![
            figure("changes", "log₂ of the number of replaced words", (0.0, 3.0), seeds, &by_changes),
            figure("length", "log₂ of the number of words", (3.0, 7.0), seeds, &by_length),
            figure("insertion", "log₂ of the number of words", (3.0, 7.0), seeds, &inserted),
        ]
    }
}

fn figure(
    name: &'static str,
    x_label: &str,
    x_range: (f64, f64),
    seeds: &[SeedResult],
    curves: &[(&str, &str, Hue, Marker)],
) -> Figure {
    let series: Vec<Series> = curves
        .iter()
        .map(|&(name, curve, hue, marker)| {
            let mean = mean_curve(seeds, curve);
            let first = mean.first().map_or(1.0, |p| p.y);
            let sample = |p: Sample| {
                let y = (p.y / first).log2();
                Sample { x: p.x.log2(), y, interval: None, note: format!("change {:.3}", p.y) }
            };
            let points = mean.into_iter().map(sample).collect();
            Series { name: name.into(), points, hue, marker, dashed: false, bold: false }
        })
        .collect();
    let heights = series.iter().flat_map(|s| &s.points).map(|p| p.y);
    let (low, high) = heights.fold((0.0f64, 0.0f64), |(l, h), y| (l.min(y), h.max(y)));
    let chart = LineChart {
        description: "Growth of the change of three text vectors, with the predicted exponents.".into(),
        x_label: x_label.into(),
        y_label: "log₂ of the change, from its first value".into(),
        x_range,
        y_range: (low - 0.25, high + 0.25),
        percent: false,
        series,
        regions: Vec::new(),
    };
    Figure { name, caption: "Mean over seeds; in brackets, the predicted slope.".into(), chart }
}

/// The words of all reviews in an order of the seed's, those that are not frequent as one word.
fn reviews(run: &Run) -> Result<TokenStream, RunError> {
    let reviews = SentenceSplits::load(&run.data("text")?.join("sentences"), "mr")?.train.texts;
    let vocabulary = Vocabulary::words(reviews.iter().flat_map(|r| r.split_whitespace()), 1, VOCABULARY);
    Ok(TokenStream::new(reviews.iter().flat_map(|r| vocabulary.encode(r.split_whitespace())).collect()))
}

/// Documents of `length` words from anywhere in the reviews.
fn windows(stream: &TokenStream, count: usize, length: usize, seed: u64) -> Result<Vec<Vec<usize>>, RunError> {
    let missing = || RunError::Measurement("the reviews are too short".into());
    let batch = stream.random_batch(count, length, seed, length as u64).ok_or_else(missing)?;
    let word = |&w: &i64| w as usize;
    Ok(batch.inputs.as_slice::<i64>().chunks_exact(length).map(|d| d.iter().map(word).collect()).collect())
}

/// Output vectors of the words from the distributed bag of words of some documents (Le & Mikolov 2014).
fn learn(run: &Run, stream: &TokenStream) -> Result<WordVectors, RunError> {
    const BATCH: usize = 50;
    let documents = windows(stream, run.scaled(400, 4000), 64, run.seed)?;
    let mut shares = vec![0.0f32; documents.len() * VOCABULARY];
    for (row, document) in shares.chunks_exact_mut(VOCABULARY).zip(&documents) {
        document.iter().for_each(|&w| row[w] += 1.0 / document.len() as f32);
    }
    let indices: Vec<i64> = (0..documents.len() as i64).collect();
    let examples = Examples::new("document", Tensor::new([documents.len()], indices)?)?
        .with("shares", Tensor::new([documents.len(), VOCABULARY], shares)?)?;

    let layers = Layers::new(Initializer::he(run.seed));
    let mut step = Step::new();
    let document = step.input("document", [BATCH], DType::I64);
    let shares = step.input("shares", [BATCH, VOCABULARY], DType::F32);
    let q = layers.at("documents").embedding_with(&document, documents.len(), WIDTH, Init::Normal(0.1));
    let words = layers.at("words").parameter("weight", [VOCABULARY, WIDTH], Init::Normal(0.1));
    let likelihood = q.matmul(&words.transpose(&[1, 0])).log_softmax(1).mul(&shares).reduce_sum(&[1], false);
    step.minimize(q.square().reduce_sum(&[1], false).scale(PENALTY / 2.0).sub(&likelihood));
    let trainer = Trainer {
        epochs: run.scaled(20, 40),
        seed: run.seed,
        ..Trainer::with(Adam { learning_rate: 0.01, ..Adam::default() })
    };
    let trained = trainer.fit(step, &Shuffled::new(examples, BATCH)?, &mut [])?;
    let missing = || RunError::Measurement("training left no word vectors".into());
    Ok(WordVectors::new(trained.parameters.get("words.weight").ok_or_else(missing)?)?)
}

struct Schemes {
    concat: Concat,
    counts: TfIdf,
    normalized: TfIdf,
    paragraph: ParagraphVector,
    words: WordVectors,
    /// Two words whose vectors are farthest apart.
    farthest: [usize; 2],
    /// The words of the largest weights, in descending order.
    by_weight: Vec<usize>,
    rarest: [usize; 2],
    lambda: f64,
}

impl Schemes {
    fn new(words: WordVectors, documents: &[Vec<usize>]) -> Result<Schemes, RunError> {
        let counts = TfIdf::fit(documents, VOCABULARY, false)?;
        let normalized = TfIdf::new(counts.weights().to_vec(), true)?;
        let partners = (0..VOCABULARY).map(|w| (w, words.farthest(w)));
        let start = (0, (0, 0.0));
        let (a, (b, _)) = partners.fold(start, |best, next| if next.1.1 > best.1.1 { next } else { best });
        let mut by_weight: Vec<usize> = (0..VOCABULARY).collect();
        by_weight.sort_by(|&i, &j| counts.weights()[j].total_cmp(&counts.weights()[i]));
        let rarest = [by_weight[0], by_weight[1]];
        let lambda = 0.25 * words.diameter().powi(2);
        let paragraph = ParagraphVector::bag_of_words(words.clone(), lambda)?;
        let concat = Concat::new(words.clone());
        Ok(Schemes { concat, counts, normalized, paragraph, words, farthest: [a, b], by_weight, rarest, lambda })
    }

    /// Changes of the worst documents against h and T.
    fn exponents(&self, found: &mut Measurements) -> Result<(), RunError> {
        let repeated = |vectorizer: &dyn HammingRobust, words: [usize; 2], length: usize, changes: usize| {
            change(vectorizer, &vec![words[0]; length], &replaced(words, length, changes))
        };
        let by_changes: [(&str, &dyn HammingRobust, [usize; 2]); 3] = [
            (CONCAT_H, &self.concat, self.farthest),
            (TF_IDF_H, &self.counts, self.rarest),
            (DOC2VEC_H, &self.paragraph, self.farthest),
        ];
        for (curve, vectorizer, words) in by_changes {
            let points = CHANGES.iter().map(|&h| Ok((h as f64, repeated(vectorizer, words, 64, h)?)));
            found.curve(curve, points.collect::<Result<_, RunError>>()?);
        }
        let by_length: [(&str, &dyn HammingRobust, [usize; 2]); 3] = [
            (CONCAT_T, &self.concat, self.farthest),
            (REPEATED_T, &self.normalized, self.rarest),
            (DOC2VEC_T, &self.paragraph, self.farthest),
        ];
        for (curve, vectorizer, words) in by_length {
            let points = LENGTHS.iter().map(|&t| Ok((t as f64, repeated(vectorizer, words, t, 1)?)));
            found.curve(curve, points.collect::<Result<_, RunError>>()?);
        }
        let distinct = |t: usize| {
            let mut other = self.by_weight[..t].to_vec();
            other[0] = self.by_weight[t];
            Ok((t as f64, change(&self.normalized, &self.by_weight[..t], &other)?))
        };
        found.curve(DISTINCT_T, LENGTHS.iter().map(|&t| distinct(t)).collect::<Result<_, RunError>>()?);
        Ok(())
    }

    /// A word before the first shifts all others; the end of the shorter document counts as zeros.
    fn insertions(&self, found: &mut Measurements, stream: &TokenStream, seed: u64) -> Result<(), RunError> {
        const DOCUMENTS: usize = 50;
        let mut points = Vec::new();
        for length in LENGTHS {
            let mut total = 0.0;
            for document in windows(stream, DOCUMENTS, length, seed)? {
                let longer: Vec<usize> = self.farthest[..1].iter().chain(&document).copied().collect();
                let mut before = self.concat.transform(&document)?;
                before.resize(before.len() + self.words.width(), 0.0);
                total += distance(&before, &self.concat.transform(&longer)?);
            }
            points.push((length as f64, total / DOCUMENTS as f64));
        }
        let largest = points.iter().map(|p| p.1).fold(0.0, f64::max);
        found.record(CONCAT.of(INSERTED), largest / self.words.diameter())?;
        found.curve(INSERTED_T, points);
        Ok(())
    }

    /// One replaced word with and without regularisation, in the worst document.
    fn regularization(&self, found: &mut Measurements) -> Result<(), RunError> {
        let free = ParagraphVector::bag_of_words(self.words.clone(), self.lambda / 1000.0)?;
        for (arm, vectorizer) in [(REPLACED, &self.paragraph), (UNREGULARIZED, &free)] {
            let moved = change(vectorizer, &[self.farthest[0]; LENGTH], &replaced(self.farthest, LENGTH, 1))?;
            found.record(ONE_WORD.of(arm), moved)?;
        }
        Ok(())
    }
}

/// `length` times the first word, but for the second at the first places.
fn replaced(words: [usize; 2], length: usize, changes: usize) -> Vec<usize> {
    (0..length).map(|place| if place < changes { words[1] } else { words[0] }).collect()
}

/// The largest change ÷ bound of random replacements: 20 in each document, of 1, 2, 4 or 8 words.
fn random_replacements(vectorizer: &dyn HammingRobust, documents: &[Vec<usize>], seed: u64) -> Result<f64, RunError> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut worst = 0.0f64;
    for document in documents {
        let vector = vectorizer.transform(document)?;
        for trial in 0..20 {
            let changes = CHANGES[trial % CHANGES.len()];
            let mut other = document.clone();
            for _ in 0..changes {
                other[rng.random_range(0..LENGTH)] = rng.random_range(0..VOCABULARY);
            }
            let moved = distance(&vector, &vectorizer.transform(&other)?);
            worst = worst.max(moved / vectorizer.bound(document, changes)?);
        }
    }
    Ok(worst)
}

/// The largest change ÷ bound of replacements by these words, each where it moves the vector most.
fn greedy_replacements(
    vectorizer: &dyn HammingRobust,
    documents: &[Vec<usize>],
    words: [usize; 2],
) -> Result<f64, RunError> {
    let mut worst = 0.0f64;
    for document in documents {
        let mut best = (0.0, document.clone());
        for changes in 1..=CHANGES[3] {
            let from = best.1;
            best = (0.0, from.clone());
            for (place, word) in (0..LENGTH).flat_map(|place| words.map(|word| (place, word))) {
                // Only places that have their own word still.
                if from[place] == document[place] {
                    let mut other = from.clone();
                    other[place] = word;
                    let moved = change(vectorizer, document, &other)?;
                    best = if moved > best.0 { (moved, other) } else { best };
                }
            }
            worst = worst.max(best.0 / vectorizer.bound(document, changes)?);
        }
    }
    Ok(worst)
}

fn vectorizer_ratio(vectorizer: &dyn HammingRobust, a: &[usize], b: &[usize], changes: usize) -> Result<f64, RunError> {
    Ok(change(vectorizer, a, b)? / vectorizer.bound(a, changes)?)
}

fn change(vectorizer: &dyn HammingRobust, a: &[usize], b: &[usize]) -> Result<f64, RunError> {
    Ok(distance(&vectorizer.transform(a)?, &vectorizer.transform(b)?))
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt()
}
