//! Text Embeddings Reveal (Almost) As Much As Text (Morris et al. 2023).
//!
//! Claim: a network that corrects its guess of a text again and again, by what the embedder makes of the guess, recovers most
//! short texts exactly from their embeddings, where one guess does not. Here an embedder that pools over words is trained by
//! contrast on sentences of the `grammar` world, and the sentences to recover are new: no sentence of the training has the
//! same words in any order. Baselines: the first guess; as many guesses as the corrector makes, of which the nearest is taken.
//! Where it must not hold: embeddings with much noise.
//!
//! all-MiniLM-L6-v2 is not attacked: there is no loader of its tokenizer here.

use super::sentence_encoder::{Sentences, WORDS, encoder};
use crate::curves::mean_series;
use crate::{Claim, Estimator, Figure, Measurements, Quantity, Reproduction, Run, RunError, SeedResult};
use perturb_attack::Seed;
use perturb_attack::invert::{Candidate, Inverter, Vec2Text as Attacker};
use perturb_graph::Tensor;
use perturb_nn::{Adam, Cosine, Trainer};
use perturb_report::chart::{Hue, LineChart, Marker, Series};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use std::sync::Arc;

pub struct Vec2Text;

const CORRECTED: &str = "Vec2Text";
const BASE: &str = "first guess";
const RANKED: &str = "nearest of as many guesses";
const NOISY: &str = "Vec2Text on noisy embeddings";

const EXACT: Quantity = Quantity::share("sentences recovered exactly");
const BAGS: Quantity = Quantity::share("sentences with all words recovered, in any order");
const COSINE: Quantity = Quantity { name: "mean cosine of the best candidate", lowest: -1.0, highest: 1.0 };
const FALL: Quantity = Quantity::positive("largest fall of the mean cosine in a round");
const WORSE: Quantity = Quantity::share("sentences whose candidate is worse than the first guess");
const ROUNDS_CURVE: &str = "sentences recovered exactly against rounds";
const NOISE_CURVE: &str = "sentences recovered exactly against noise";

const ROUNDS: usize = 10;
const BEAM: usize = 2;
/// Lengths of the noise that is added to embeddings of length 1.
const NOISE: [f64; 4] = [0.05, 0.1, 0.2, 0.5];

impl Reproduction for Vec2Text {
    fn slug(&self) -> &'static str {
        "vec2text"
    }

    fn claim(&self) -> Claim {
        let difference = |a, b| Estimator::Difference(EXACT.of(a), EXACT.of(b));
        Claim {
            method: CORRECTED,
            baselines: &[BASE, RANKED, NOISY],
            seeds: 3,
            preconditions: Vec::new(),
            rules: vec![
                difference(CORRECTED, BASE).at_least(0.15),
                Estimator::Largest(FALL.of(CORRECTED)).at_most(0.0),
                Estimator::Largest(WORSE.of(CORRECTED)).at_most(0.0),
                // Where it must not hold.
                difference(NOISY, BASE).at_most(0.0),
            ],
        }
    }

    fn run(&self, run: &Run) -> Result<Measurements, RunError> {
        let mut found = Measurements::new();
        let sentences = Sentences::draw(run.seed, run.scaled([6000, 150], [30_000, 500]))?;
        run.progress(0.0, "an embedder");
        let embedder = encoder(&sentences, run.scaled(2, 3), run.seed)?;
        run.progress(0.1, "writers");
        let trainer = |epochs| Trainer {
            epochs,
            seed: run.seed,
            schedule: Arc::new(Cosine::default()),
            ..Trainer::with(Adam { learning_rate: 3e-3, ..Adam::default() })
        };
        let (base, corrector) = run.scaled((8, 5), (20, 15));
        let method = Attacker { width: run.scaled(48, 96), ..Attacker::new(sentences.vocabulary.len()) };
        let inverter = method.fit(&embedder, &sentences.train, [&trainer(base), &trainer(corrector)])?;
        run.progress(0.7, "inversion");
        let trial = Trial { inverter, sentences, seed: Seed::new(run.seed, 0) };
        trial.measure(&mut found)?;
        run.progress(0.9, "noise");
        trial.noise(&mut found, run.seed)?;
        Ok(found)
    }

    fn figures(&self, seeds: &[SeedResult]) -> Vec<Figure> {
        let chart = |curve: &str, x_label: &str, x_range: (f64, f64)| LineChart {
            description: format!("Share of {curve}."),
            x_label: x_label.into(),
            y_label: "sentences recovered exactly".into(),
            x_range,
            y_range: (0.0, 1.0),
            percent: true,
            series: vec![Series {
                bold: true,
                ..mean_series(seeds, curve, CORRECTED, Hue::Vermillion, Marker::Circle)
            }],
            regions: Vec::new(),
        };
        let caption = "Mean over seeds; bars from the lowest to the highest seed. Round 0 is the first guess.";
        let noise = "Mean over seeds; bars from the lowest to the highest seed.";
        vec![
            Figure { name: "rounds", caption: caption.into(), chart: chart(ROUNDS_CURVE, "rounds", (0.0, 10.0)) },
            Figure {
                name: "noise",
                caption: noise.into(),
                chart: chart(NOISE_CURVE, "length of the noise", (0.0, 0.5)),
            },
        ]
    }
}

struct Trial {
    inverter: Inverter,
    sentences: Sentences,
    seed: Seed,
}

impl Trial {
    fn measure(&self, found: &mut Measurements) -> Result<(), RunError> {
        let embeddings = self.inverter.embed(&self.sentences.test)?;
        let rounds = self.inverter.invert(&embeddings, ROUNDS, BEAM, &self.seed)?;
        let ranked = self.inverter.guess(&embeddings, BEAM + ROUNDS * BEAM * BEAM, &self.seed)?;
        // The likeliest words, without a choice among several texts.
        let base = self.inverter.guess(&embeddings, 1, &self.seed)?;
        for (arm, candidates) in [(CORRECTED, &rounds[ROUNDS]), (BASE, &base), (RANKED, &ranked)] {
            found.record(EXACT.of(arm), self.share(candidates, |a, b| a == b))?;
            found.record(BAGS.of(arm), self.share(candidates, |a, b| sorted(a) == sorted(b)))?;
            found.record(COSINE.of(arm), mean_cosine(candidates))?;
        }
        let fall = rounds.windows(2).map(|pair| mean_cosine(&pair[0]) - mean_cosine(&pair[1])).fold(0.0, f64::max);
        found.record(FALL.of(CORRECTED), fall)?;
        let worse = rounds[ROUNDS].iter().zip(&base).filter(|(last, first)| last.cosine < first.cosine).count();
        found.record(WORSE.of(CORRECTED), worse as f64 / base.len() as f64)?;
        let exact = |round: &[Candidate]| self.share(round, |a, b| a == b);
        found.curve(ROUNDS_CURVE, rounds.iter().enumerate().map(|(i, r)| (i as f64, exact(r))).collect());
        Ok(())
    }

    fn noise(&self, found: &mut Measurements, seed: u64) -> Result<(), RunError> {
        let embeddings = self.inverter.embed(&self.sentences.test)?;
        let mut points = vec![(0.0, found.value(EXACT.of(CORRECTED)).unwrap_or(0.0))];
        for length in NOISE {
            let noisy = add_noise(&embeddings, length, seed)?;
            let rounds = self.inverter.invert(&noisy, 3, BEAM, &self.seed)?;
            points.push((length, self.share(&rounds[3], |a, b| a == b)));
        }
        found.record(EXACT.of(NOISY), points[NOISE.len()].1)?;
        found.curve(NOISE_CURVE, points);
        Ok(())
    }

    /// Share of candidates that are alike to the sentences.
    fn share(&self, candidates: &[Candidate], alike: impl Fn(&[i64], &[i64]) -> bool) -> f64 {
        let truth = self.sentences.test.as_slice::<i64>().chunks_exact(WORDS);
        let right = candidates.iter().zip(truth).filter(|(candidate, words)| alike(&candidate.words, words)).count();
        right as f64 / candidates.len() as f64
    }
}

fn sorted(words: &[i64]) -> Vec<i64> {
    let mut words = words.to_vec();
    words.sort_unstable();
    words
}

fn mean_cosine(candidates: &[Candidate]) -> f64 {
    candidates.iter().map(|c| c.cosine).sum::<f64>() / candidates.len() as f64
}

/// Rows of length 1 with noise of a length in random directions.
fn add_noise(embeddings: &Tensor, length: f64, seed: u64) -> Result<Tensor, RunError> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let width = embeddings.shape()[1];
    let mut values = embeddings.as_slice::<f32>().to_vec();
    for row in values.chunks_exact_mut(width) {
        let noise: Vec<f64> = (0..width).map(|_| StandardNormal.sample(&mut rng)).collect();
        let scale = length / noise.iter().map(|v| v * v).sum::<f64>().sqrt();
        row.iter_mut().zip(noise).for_each(|(v, n)| *v += (scale * n) as f32);
    }
    Ok(Tensor::new(embeddings.shape(), values)?)
}
