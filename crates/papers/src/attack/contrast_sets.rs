//! Automatic Generation of Contrast Sets from Scene Graphs: Probing the Compositional Consistency of GQA (Bitton,
//! Stanovsky, Schwartz & Elhadad 2021).
//!
//! Claim: models that answer questions about images lose accuracy on questions changed in one word and in their answer,
//! and training on such questions gives much of it back. Here, as there, a network sees what a detector of objects, trained
//! before on scenes alone, makes of a picture; a recurrent reader of the question tells it what to look for. It answers yes
//! or no about scenes of three objects: whether one exists, whether one of a colour exists, how two
//! stand to each other. In training as in the test, the answer goes with the question's first noun with probability b.
//! Baseline: the same network on the unchanged questions. Where the claim must not hold: b = ½, where the nouns say nothing.
//!
//! Half of all questions have the answer yes, in the original test set and, since every contrast has the other answer, in
//! the changed one. All networks see equally many examples.

use super::subjects::gather;
use super::visual_questions::{COLORS, Detector, KINDS, Network, SIDE, WORDS};
use crate::curves::mean_series;
use crate::{Claim, Estimator, Figure, Measurements, Quantity, Reproduction, Run, RunError, SeedResult};
use perturb_attack::contrast::{Atoms, Contrast, consistency, contrast_set};
use perturb_data::text::Vocabulary;
use perturb_data::worlds::shapes::{
    Answer, Color, Filter, Hues, Question, Radii, Reference, Relation, Scene, SceneGraph, Scenes, ShapeKind, SizeName,
};
use perturb_graph::Tensor;
use perturb_nn::Examples;
use perturb_report::chart::{Hue, LineChart, Marker, Series};
use perturb_report::picture::Picture;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

pub struct ContrastSets;

const ORIGINAL: &str = "original questions";
const CONTRAST: &str = "contrast sets";

/// A way to train, with its measurements.
struct Training {
    accuracy: Quantity,
    consistency: Quantity,
    bias: f64,
    augmented: bool,
}

const BIASED: Training = Training {
    accuracy: Quantity::share("accuracy, b = 0.85"),
    consistency: Quantity::share("consistency, b = 0.85"),
    bias: 0.85,
    augmented: false,
};
const AUGMENTED: Training = Training {
    accuracy: Quantity::share("accuracy, b = 0.85, contrasts in training"),
    consistency: Quantity::share("consistency, b = 0.85, contrasts in training"),
    bias: 0.85,
    augmented: true,
};
const UNBIASED: Training = Training {
    accuracy: Quantity::share("accuracy, b = 0.5"),
    consistency: Quantity::share("consistency, b = 0.5"),
    bias: 0.5,
    augmented: false,
};
const REMOVED: Quantity = Quantity::real("share of the drop that contrasts in training remove");
const DETECTED: Quantity = Quantity::share("objects that the detector names rightly");
const DROP: &str = "drop against b";

const SET: usize = 3;

impl Reproduction for ContrastSets {
    fn slug(&self) -> &'static str {
        "contrast-sets"
    }

    fn claim(&self) -> Claim {
        let drop =
            |training: Training| Estimator::Difference(training.accuracy.of(ORIGINAL), training.accuracy.of(CONTRAST));
        Claim {
            method: CONTRAST,
            baselines: &[ORIGINAL],
            seeds: 5,
            preconditions: vec![Estimator::Level(UNBIASED.accuracy.of(ORIGINAL)).at_least(0.65)],
            rules: vec![
                drop(BIASED).at_least(0.08),
                Estimator::Level(REMOVED.of(CONTRAST)).at_least(0.5),
                // Where it must not hold.
                drop(UNBIASED).at_most(0.04),
            ],
        }
    }

    fn run(&self, run: &Run) -> Result<Measurements, RunError> {
        let mut found = Measurements::new();
        let quiz = Quiz::new(run)?;
        let scenes = (0..300).map(|i| quiz.world.scene(run.seed, (4 << 32) + i)).collect::<Result<Vec<Scene>, _>>()?;
        found.record(DETECTED.of(ORIGINAL), quiz.detector.accuracy(&scenes)?)?;
        let mut drops = Vec::new();
        for (i, training) in [UNBIASED, BIASED, AUGMENTED].into_iter().enumerate() {
            run.progress(i as f64 / 3.0, training.accuracy.name);
            let [original, contrast, consistent] = quiz.measure(training.bias, training.augmented)?;
            found.record(training.accuracy.of(ORIGINAL), original)?;
            found.record(training.accuracy.of(CONTRAST), contrast)?;
            found.record(training.consistency.of(CONTRAST), consistent)?;
            drops.push(original - contrast);
        }
        found.record(REMOVED.of(CONTRAST), 1.0 - drops[2] / drops[1])?;
        let mut curve = vec![(UNBIASED.bias, drops[0]), (BIASED.bias, drops[1])];
        for &bias in run.scaled(&[][..], &[0.6, 0.7, 0.95][..]) {
            let [original, contrast, _] = quiz.measure(bias, false)?;
            curve.push((bias, original - contrast));
        }
        curve.sort_by(|a, b| a.0.total_cmp(&b.0));
        found.curve(DROP, curve);
        quiz.show(&mut found)?;
        Ok(found)
    }

    fn figures(&self, seeds: &[SeedResult]) -> Vec<Figure> {
        let chart = LineChart {
            description: "Loss of accuracy from the original questions to the contrast sets, against b.".into(),
            x_label: "b, how often the answer goes with the first noun".into(),
            y_label: "loss of accuracy".into(),
            x_range: (0.5, 1.0),
            y_range: (-0.05, 0.6),
            percent: true,
            series: vec![Series {
                bold: true,
                ..mean_series(seeds, DROP, "original − contrast", Hue::Vermillion, Marker::Circle)
            }],
            regions: Vec::new(),
        };
        let caption = "Mean over seeds; bars from the lowest to the highest seed.";
        vec![Figure { name: "drop", caption: caption.into(), chart }]
    }
}

/// A question about a scene.
struct Item {
    scene: Scene,
    question: Question,
    answer: bool,
}

/// Where questions come from, and how networks are trained on them.
struct Quiz<'a> {
    run: &'a Run<'a>,
    world: Scenes,
    atoms: Atoms,
    vocabulary: Vocabulary,
    detector: Detector,
}

impl Quiz<'_> {
    fn new<'a>(run: &'a Run<'a>) -> Result<Quiz<'a>, RunError> {
        let world = Scenes {
            size: SIDE,
            objects: [3, 3],
            kinds: KINDS.map(|kind| (kind, 1.0)).to_vec(),
            hues: Hues::Named(COLORS.to_vec()),
            radii: Radii::Named(vec![SizeName::Medium]),
            rotation: [0.0, 0.0],
            ..Scenes::default()
        };
        let atoms = Atoms { kinds: KINDS.to_vec(), colors: COLORS.to_vec(), ..Atoms::default() };
        let names = Relation::ALL.into_iter().flat_map(|r| r.name().split(' '));
        let words = ["", "is", "there", "a", "an", "the"].into_iter().chain(names);
        let words = words.chain(KINDS.map(ShapeKind::name)).chain(COLORS.map(Color::name));
        let (scenes, epochs) = run.scaled((3000, 24), (8000, 24));
        let scenes = (0..scenes).map(|index| world.scene(run.seed, index)).collect::<Result<Vec<Scene>, _>>()?;
        let detector = Detector::fit(&scenes, epochs, run.seed)?;
        Ok(Quiz { run, world, atoms, vocabulary: Vocabulary::from_tokens(words), detector })
    }

    /// Questions whose answer goes with the first noun with probability `bias`; every other one has the answer yes.
    /// Different `part`s are about different scenes.
    fn items(&self, part: u64, count: usize, bias: f64) -> Result<Vec<Item>, RunError> {
        let mut rng = ChaCha8Rng::seed_from_u64(self.run.seed);
        rng.set_stream(part);
        let mut next = part << 32;
        let mut items = Vec::with_capacity(count);
        while items.len() < count {
            let answer = items.len() % 2 == 0;
            // The first half of the nouns lean towards yes.
            let yes = answer == rng.random_bool(bias);
            let noun = KINDS[rng.random_range(0..KINDS.len() / 2) + if yes { 0 } else { KINDS.len() / 2 }];
            let form = rng.random_range(0..3);
            items.push(loop {
                let scene = self.world.scene(self.run.seed, next)?;
                next += 1;
                let question = ask(&scene.graph(), form, noun, &mut rng);
                let holds = |q: &Question| q.answer(&scene.graph()) == Ok(Answer::Truth(answer));
                if let Some(question) = question.filter(holds) {
                    let item = Item { scene, question, answer };
                    // No single change makes "a red circle" of a blue cross.
                    if !self.set(&item, 1, &mut rng).is_empty() {
                        break item;
                    }
                }
            });
        }
        Ok(items)
    }

    /// Up to three contrasts of an item.
    fn set(&self, item: &Item, count: usize, rng: &mut ChaCha8Rng) -> Vec<Contrast> {
        contrast_set(&item.scene.graph(), &item.question, &self.atoms, count, rng)
    }

    /// Words as numbers, filled up in front.
    fn tokens(&self, question: &Question) -> Vec<i64> {
        let text = question.to_string();
        let words = self.vocabulary.encode(text.trim_end_matches('?').split(' '));
        std::iter::repeat_n(0, WORDS - words.len()).chain(words).collect()
    }

    /// Questions with their answers, each about the scene of a number among those that were seen `[N, 16, 6, 6]`.
    fn examples(&self, seen: &Tensor, asked: &[(usize, Question, bool)]) -> Result<Examples, RunError> {
        let scenes: Vec<usize> = asked.iter().map(|(scene, ..)| *scene).collect();
        let tokens = asked.iter().flat_map(|(_, question, _)| self.tokens(question)).collect();
        let answers = asked.iter().map(|(.., answer)| i64::from(*answer)).collect();
        let n = asked.len();
        let examples = Examples::new("seen", gather(seen, &scenes)?)?;
        let examples = examples.with("question", Tensor::new([n, WORDS], tokens)?)?;
        Ok(examples.with("answer", Tensor::new([n], answers)?)?)
    }

    /// Trains on questions of a bias, and tests: accuracy on original questions, on their contrasts, consistency.
    fn measure(&self, bias: f64, augmented: bool) -> Result<[f64; 3], RunError> {
        let (count, epochs) = self.run.scaled((4000, 20), (8000, 30));
        let mut rng = ChaCha8Rng::seed_from_u64(self.run.seed);
        let items = self.items(1, count, bias)?;
        let mut asked = own(&items);
        if augmented {
            // Twice the examples, half as often.
            let sets: Vec<Vec<Contrast>> = items.iter().map(|item| self.set(item, 1, &mut rng)).collect();
            asked.extend(changed(&items, &sets));
        }
        let epochs = if augmented { epochs / 2 } else { epochs };
        let seen = |items: &[Item]| self.detector.see(&items.iter().map(|i| i.scene.clone()).collect::<Vec<Scene>>());
        let examples = self.examples(&seen(&items)?, &asked)?;
        let network = Network::fit(examples, self.vocabulary.len(), epochs, self.run.seed)?;

        let items = self.items(2, self.run.scaled(500, 2000), bias)?;
        let sets: Vec<Vec<Contrast>> = items.iter().map(|item| self.set(item, SET, &mut rng)).collect();
        let seen = seen(&items)?;
        let original = network.right(&self.examples(&seen, &own(&items))?)?;
        let mut others = network.right(&self.examples(&seen, &changed(&items, &sets))?)?.into_iter();
        let right: Vec<(bool, Vec<bool>)> = original
            .into_iter()
            .zip(&sets)
            .map(|(own, set)| (own, others.by_ref().take(set.len()).collect()))
            .collect();
        let share = |right: &[bool]| right.iter().filter(|r| **r).count() as f64 / right.len() as f64;
        let mean = |values: Vec<f64>| values.iter().sum::<f64>() / values.len() as f64;
        let accuracy = mean(right.iter().map(|(own, _)| f64::from(u8::from(*own))).collect());
        // Each question counts once, however many contrasts it has, so that answers stay balanced.
        let contrast = mean(right.iter().map(|(_, others)| share(others)).collect());
        let whole = consistency(&right).ok_or_else(|| RunError::Measurement("no question has a contrast".into()))?;
        Ok([accuracy, contrast, whole])
    }

    /// A scene with its contrast set.
    fn show(&self, found: &mut Measurements) -> Result<(), RunError> {
        let item = self.items(3, 1, 0.5)?.remove(0);
        let mut rng = ChaCha8Rng::seed_from_u64(self.run.seed);
        let word = |truth: bool| if truth { "yes" } else { "no" };
        let mut caption = format!("{} {}.", item.question, word(item.answer));
        for contrast in self.set(&item, SET, &mut rng) {
            caption += &format!(" {} {}.", contrast.question, contrast.answer);
        }
        let image = item.scene.render(SIDE).image;
        found.image(&caption, &Picture::new(image.as_slice::<f32>(), [3, SIDE, SIDE])?.png(6)?);
        Ok(())
    }
}

/// The questions as they are.
fn own(items: &[Item]) -> Vec<(usize, Question, bool)> {
    items.iter().enumerate().map(|(i, item)| (i, item.question, item.answer)).collect()
}

/// The questions of their contrast sets.
fn changed(items: &[Item], sets: &[Vec<Contrast>]) -> Vec<(usize, Question, bool)> {
    let pairs = items.iter().zip(sets).enumerate();
    pairs.flat_map(|(i, (item, set))| set.iter().map(move |c| (i, c.question, !item.answer))).collect()
}

/// A question of one of three forms whose first noun is given. `None` if it has no answer.
fn ask(graph: &SceneGraph, form: usize, noun: ShapeKind, rng: &mut ChaCha8Rng) -> Option<Question> {
    let named = |kind| Filter { kind: Some(kind), ..Filter::default() };
    let color = (form == 1).then(|| COLORS.choose(rng).copied()).flatten();
    if form < 2 {
        return Some(Question::Exists(Reference { filter: Filter { color, ..named(noun) }, relative: None }));
    }
    let other = graph.nodes.choose(rng)?.kind;
    let question = Question::Relate(named(noun), *Relation::ALL.choose(rng)?, named(other));
    (other != noun && question.answer(graph).is_ok()).then_some(question)
}
