//! Sentences, and a small embedder of them that pools over words.

use crate::RunError;
use perturb_data::text::Vocabulary;
use perturb_data::worlds::grammar::English;
use perturb_graph::{DType, Expr, Graph, Tensor};
use perturb_nn::{Adam, Attention, Examples, Initializer, Layers, Shuffled, Step, Trainer, losses};
use std::collections::HashSet;

/// Words of the longest sentence.
pub(super) const WORDS: usize = 10;
const SHORTEST: usize = 6;
/// Width of the embeddings.
const WIDTH: usize = 48;
const BATCH: usize = 64;

/// Different sentences of 6 to 10 words of the `grammar` world, as word numbers filled up with 0.
pub(super) struct Sentences {
    /// Number 0 is no word.
    pub vocabulary: Vocabulary,
    /// `[N, 10]`.
    pub train: Tensor,
    /// `[M, 10]`; no sentence of the training has the same words, in any order.
    pub test: Tensor,
}

impl Sentences {
    pub fn draw(seed: u64, [train, test]: [usize; 2]) -> Result<Sentences, RunError> {
        let english = English::new();
        let (mut sentences, mut seen) = (Vec::new(), HashSet::new());
        let mut rest = Vec::new();
        let mut bags = HashSet::new();
        for index in 0.. {
            let tree = english.sample(seed, index);
            let words: Vec<String> = tree.words().iter().map(|w| w.to_string()).collect();
            if !(SHORTEST..=WORDS).contains(&words.len()) || !seen.insert(words.clone()) {
                continue;
            }
            let mut bag = words.clone();
            bag.sort_unstable();
            if sentences.len() < train {
                bags.insert(bag);
                sentences.push(words);
            } else if !bags.contains(&bag) {
                rest.push(words);
            }
            if rest.len() == test {
                break;
            }
        }

        let vocabulary =
            Vocabulary::from_tokens(std::iter::once("").chain(english.pcfg().vocabulary().iter().map(String::as_str)));
        let numbers = |sentences: &[Vec<String>]| -> Result<Tensor, RunError> {
            let padded = |words: &Vec<String>| {
                let mut numbers = vocabulary.encode(words.iter().map(String::as_str));
                numbers.resize(WORDS, 0);
                numbers
            };
            Ok(Tensor::new([sentences.len(), WORDS], sentences.iter().flat_map(padded).collect())?)
        };
        Ok(Sentences { train: numbers(&sentences)?, test: numbers(&rest)?, vocabulary })
    }
}

/// Trains an embedder of one sentence `[1, 10]` by contrast: a sentence is to be nearer to itself under another dropout than
/// to others (Gao et al. 2021).
pub(super) fn encoder(sentences: &Sentences, epochs: usize, seed: u64) -> Result<Graph, RunError> {
    const TEMPERATURE: f64 = 0.1;
    let layers = Layers::new(Initializer::pytorch(seed));
    let count = sentences.vocabulary.len();
    let mut step = Step::new();
    let words = step.input("words", [BATCH, WORDS], DType::I64);
    let views = [0, 1].map(|_| unit(&embed(&layers.training(step.key()), &words, count)));
    let logits = views[0].matmul(&views[1].transpose(&[1, 0])).scale(1.0 / TEMPERATURE);
    step.minimize(losses::cross_entropy_of_labels(&logits, &Expr::arange(BATCH)));
    let examples = Shuffled::new(Examples::new("words", sentences.train.clone())?, BATCH)?;
    let trainer = Trainer { epochs, seed, ..Trainer::with(Adam::default()) };
    let trained = trainer.fit(step, &examples, &mut [])?;
    let one = Expr::input("words", [1, WORDS], DType::I64);
    let graph = Graph::new(vec![one.clone()], vec![("embedding".into(), embed(&layers, &one, count))])?;
    Ok(trained.parameters.bind(&graph)?)
}

/// A block of attention, and the mean over the words that there are.
fn embed(layers: &Layers, words: &Expr, count: usize) -> Expr {
    let x = layers.at("positions").learned_positions(&layers.at("words").embedding(words, count, WIDTH));
    let x = layers.at("block").transformer_block(&x, &Attention { dropout: 0.1, ..Attention::full(4) });
    let there = words.equal(&words.like(0.0)).cast(DType::F32).neg().offset(1.0);
    let weights = there.div(&there.reduce_sum(&[1], true)).reshape([words.shape()[0], WORDS, 1]);
    let pooled = x.mul(&weights).reduce_sum(&[1], false);
    layers.at("head").linear(&layers.dropout(&pooled, 0.1), WIDTH)
}

/// Rows of length 1.
fn unit(x: &Expr) -> Expr {
    x.div(&x.square().reduce_sum(&[1], true).offset(1e-12).sqrt())
}
