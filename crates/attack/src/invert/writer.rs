//! The networks that write texts: encoder–decoders, whose encoder reads pseudo-words of embeddings.

use super::Vec2Text;
use crate::{AttackError, Seed};
use perturb_graph::{DType, Expr, Tensor};
use perturb_nn::{Attention, Evaluator, Examples, Initializer, Layers, Parameters, Shuffled, Step, Trainer, losses};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

/// A trained network.
pub(super) struct Writer {
    encode: Evaluator,
    decode: Evaluator,
    parameters: Parameters,
    length: usize,
    vocabulary: usize,
}

/// The network, as functions of expressions.
struct Network<'a> {
    plan: &'a Vec2Text,
    layers: Layers,
    length: usize,
}

impl Network<'_> {
    /// What the decoder attends to, `[N, S, width]`, of embeddings `[N, D]` and, for a corrector, guesses `[N, T]` with
    /// their embeddings.
    fn encode(&self, embedding: &Expr, guess: Option<(&Expr, &Expr)>) -> Result<Expr, AttackError> {
        let (n, width, count) = (embedding.shape()[0], self.plan.width, self.plan.pseudo_words);
        let pseudo = |name: &str, e: &Expr| {
            let scaled = e.scale((e.shape()[1] as f64).sqrt());
            self.layers.at(name).mlp(&scaled, &[2 * width, count * width], Expr::gelu).reshape([n, count, width])
        };
        let mut parts = vec![pseudo("target", embedding)];
        if let Some((words, seen)) = guess {
            parts.push(pseudo("seen", seen));
            parts.push(pseudo("difference", &embedding.sub(seen)));
            parts.push(self.words("guess", words));
        }
        let joined = self.layers.at("sources").learned_positions(&Expr::try_concat(&parts, 1)?);
        Ok(self.layers.at("encoder").transformer_block(&joined, &Attention::full(self.plan.heads)))
    }

    /// Logits `[N, T, vocabulary]` of each word, given those before it.
    fn decode(&self, memory: &Expr, words: &Expr) -> Result<Expr, AttackError> {
        let (n, heads) = (words.shape()[0], self.plan.heads);
        // Number 0 begins a text.
        let start = Expr::constant(Tensor::full([n, 1], 0i64));
        let before = Expr::try_concat(&[start, words.slice_axis(1, 0, self.length - 1)], 1)?;
        let at = |name: &str| self.layers.at("decoder").at(name);
        let x = at("positions").learned_positions(&self.words("words", &before));
        let x = x.add(&at("own").self_attention(&at("norm1").layer_norm(&x), &Attention::causal(heads)));
        let x = x.add(&at("memory").cross_attention(&at("norm2").layer_norm(&x), memory, heads, None));
        let inner = at("mlp").mlp(&at("norm3").layer_norm(&x), &[4 * self.plan.width, self.plan.width], Expr::gelu);
        Ok(at("head").linear(&at("norm4").layer_norm(&x.add(&inner)), self.plan.vocabulary))
    }

    fn words(&self, name: &str, words: &Expr) -> Expr {
        self.layers.at(name).embedding(words, self.plan.vocabulary, self.plan.width)
    }
}

impl Writer {
    /// Trains on embeddings `[N, D]` of `texts [N, T]`, and on guesses `[M·N, T]` with their embeddings: M in turn for each
    /// text.
    pub fn fit(
        plan: &Vec2Text,
        [length, size]: [usize; 2],
        embeddings: &Tensor,
        guesses: Option<(&Tensor, &Tensor)>,
        texts: &Tensor,
        trainer: &Trainer,
    ) -> Result<Writer, AttackError> {
        let network = Network { plan, layers: Layers::new(Initializer::pytorch(trainer.seed)), length };
        let mut step = Step::new();
        let embedding = step.input("embedding", [plan.batch, size], DType::F32);
        let words = step.input("words", [plan.batch, length], DType::I64);
        let mut inputs = vec![embedding.clone()];
        if guesses.is_some() {
            inputs.push(step.input("guess", [plan.batch, length], DType::I64));
            inputs.push(step.input("seen", [plan.batch, size], DType::F32));
        }
        let guess = (inputs.len() == 3).then(|| (&inputs[1], &inputs[2]));
        let memory = network.encode(&embedding, guess)?;
        let logits = network.decode(&memory, &words)?;
        step.minimize(losses::cross_entropy_of_labels(&logits, &words));
        let times = guesses.map_or(1, |(words, _)| words.shape()[0] / texts.shape()[0]);
        let mut examples = Examples::new("embedding", repeated::<f32>(embeddings, times)?)?;
        examples = examples.with("words", repeated::<i64>(texts, times)?)?;
        if let Some((words, seen)) = guesses {
            examples = examples.with("guess", words.clone())?.with("seen", seen.clone())?;
        }
        let parameters = trainer.fit(step, &Shuffled::new(examples, plan.batch)?, &mut [])?.parameters;
        let given = Expr::input("memory", memory.shape(), DType::F32);
        let decode = Evaluator::new(&[given.clone(), words.clone()], &[network.decode(&given, &words)?])?;
        let encode = Evaluator::new(&inputs, &[memory])?;
        Ok(Writer { encode, decode, parameters, length, vocabulary: plan.vocabulary })
    }

    /// Texts `[M·N, T]` for embeddings `[N, D]`, and for a corrector guesses `[N, T]` with their embeddings: M in turn for
    /// each, one for each of `temperatures` by which logits are divided before a word is drawn; 0 takes the likeliest.
    pub fn write(
        &self,
        embeddings: &Tensor,
        guesses: Option<(&Tensor, &Tensor)>,
        seed: &Seed,
        temperatures: &[f64],
    ) -> Result<Tensor, AttackError> {
        let (n, times) = (embeddings.shape()[0], temperatures.len());
        let mut sources = Examples::new("embedding", embeddings.clone())?;
        if let Some((words, seen)) = guesses {
            sources = sources.with("guess", words.clone())?.with("seen", seen.clone())?;
        }
        let memory = repeated::<f32>(&self.encode.outputs(&self.parameters, &sources)?.remove(0), times)?;
        let mut rngs: Vec<ChaCha8Rng> = (0..n * times).map(|row| seed.stream(row)).collect();
        let mut written = vec![0i64; n * times * self.length];
        for place in 0..self.length {
            let words = Tensor::new([n * times, self.length], written.clone())?;
            let examples = Examples::new("memory", memory.clone())?.with("words", words)?;
            let logits = self.decode.outputs(&self.parameters, &examples)?.remove(0);
            let rows = logits.as_slice::<f32>().par_chunks_exact(self.length * self.vocabulary);
            let texts = written.par_chunks_exact_mut(self.length).zip(rngs.par_iter_mut()).enumerate();
            texts.zip(rows).for_each(|((row, (text, rng)), z)| {
                let z = &z[place * self.vocabulary..(place + 1) * self.vocabulary];
                text[place] = draw(z, temperatures[row % times], rng) as i64;
            });
        }
        Ok(Tensor::new([n * times, self.length], written)?)
    }
}

/// A word from the softmax of `logits/temperature`.
fn draw(logits: &[f32], temperature: f64, rng: &mut ChaCha8Rng) -> usize {
    let best = (0..logits.len()).reduce(|best, i| if logits[i] > logits[best] { i } else { best }).unwrap_or(0);
    if temperature == 0.0 {
        return best;
    }
    let weight = |z: &f32| (f64::from(*z - logits[best]) / temperature).exp();
    let mut rest = rng.random::<f64>() * logits.iter().map(weight).sum::<f64>();
    for (word, z) in logits.iter().enumerate() {
        rest -= weight(z);
        if rest < 0.0 {
            return word;
        }
    }
    best
}

/// Each row so many times, one after another.
fn repeated<T: perturb_graph::Element>(rows: &Tensor, times: usize) -> Result<Tensor, AttackError> {
    let width = rows.shape()[1..].iter().product::<usize>().max(1);
    let values = rows.as_slice::<T>().chunks_exact(width).flat_map(|row| std::iter::repeat_n(row, times)).flatten();
    let shape = [&[rows.shape()[0] * times], &rows.shape()[1..]].concat();
    Ok(Tensor::new(shape, values.copied().collect())?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn words_are_drawn_by_their_probabilities() {
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        let logits = [0.0f32, 3f32.ln(), 0.0];
        let mut counts = [0; 3];
        (0..5000).for_each(|_| counts[draw(&logits, 1.0, &mut rng)] += 1);
        assert!(
            counts.iter().zip([0.2, 0.6, 0.2]).all(|(c, p)| (f64::from(*c) / 5000.0 - p).abs() < 0.03),
            "{counts:?}"
        );
        assert_eq!(draw(&logits, 0.0, &mut rng), 1);
    }
}
