//! Text from its embedding: what a vector that was stored in place of a text gives away.
//!
//! A text is a row of word numbers, filled up behind with 0, which stands for no word. An embedder is a graph from one text
//! `[1, T]` (i64) to one embedding `[1, D]`, of which nothing but its outputs is used.

mod inversion;
mod writer;

pub use inversion::{Candidate, Inverter};

use crate::problem::require;
use crate::{AttackError, Seed};
use perturb_graph::{DType, Graph, Tensor};
use perturb_nn::{Evaluator, Examples, Parameters, Trainer};
use writer::Writer;

/// Vec2Text (Morris et al. 2023): a network is trained to write the text of an embedding, and a second one, the corrector,
/// to write it given also a guess and what the embedder makes of the guess. Applied again and again, the corrector moves
/// its guess towards the embedding.
///
/// Both are encoder–decoders. The encoder reads pseudo-words that a perceptron makes of the embedding e, and for the
/// corrector also the words of the guess x̂ and pseudo-words of φ(x̂) and of e − φ(x̂); the decoder writes one word after the
/// other. The corrector is trained on guesses that the first network makes for the training texts.
#[derive(Clone, Debug, PartialEq)]
pub struct Vec2Text {
    /// Width of the networks.
    pub width: usize,
    /// Heads of attention, which divide the width.
    pub heads: usize,
    /// Pseudo-words that an embedding becomes.
    pub pseudo_words: usize,
    /// Words there are, number 0 included.
    pub vocabulary: usize,
    /// Texts in a batch.
    pub batch: usize,
}

impl Vec2Text {
    /// Small networks for a vocabulary: width 64, 4 heads, 4 pseudo-words, batches of 64. (The authors': T5-base, 768 wide,
    /// 16 pseudo-words.)
    pub fn new(vocabulary: usize) -> Vec2Text {
        Vec2Text { width: 64, heads: 4, pseudo_words: 4, vocabulary, batch: 64 }
    }

    /// Trains both networks on `texts [N, T]`, each by its trainer.
    ///
    /// # Errors
    /// If the embedder does not map one text to one embedding, there are fewer texts than in a batch, a word has no number
    /// in the vocabulary, a hyperparameter is out of its range, or training diverges.
    pub fn fit(
        &self,
        embedder: &Graph,
        texts: &Tensor,
        [base, corrector]: [&Trainer; 2],
    ) -> Result<Inverter, AttackError> {
        self.check(texts)?;
        let embedder = Embedder::new(embedder, self.batch)?;
        let embeddings = embedder.embed(texts)?;
        let (length, size) = (texts.shape()[1], embeddings.shape()[1]);
        let base = Writer::fit(self, [length, size], &embeddings, None, texts, base)?;
        // Half of the guesses are the likeliest words, half are drawn: what the corrector will see.
        let guesses = base.write(&embeddings, None, &Seed::new(corrector.seed, 0), &[1.0, 0.0])?;
        let seen = embedder.embed(&guesses)?;
        let corrector = Writer::fit(self, [length, size], &embeddings, Some((&guesses, &seen)), texts, corrector)?;
        Ok(Inverter { embedder, base, corrector, size })
    }

    fn check(&self, texts: &Tensor) -> Result<(), AttackError> {
        const NAME: &str = "Vec2Text";
        let divides = self.heads > 0 && self.width.is_multiple_of(self.heads) && self.width > 0;
        require(divides, NAME, "heads", self.heads as f64, "a divisor of the width")?;
        require(self.pseudo_words > 0, NAME, "pseudo_words", 0.0, "1 or more")?;
        let words = texts.try_as_slice::<i64>().filter(|words| texts.shape().len() == 2 && !words.is_empty());
        let outside = |w: &&i64| **w < 0 || **w >= self.vocabulary as i64;
        match words.map(|words| words.iter().find(outside)) {
            Some(None) => Ok(()),
            Some(Some(word)) => {
                Err(AttackError::Training { reason: format!("word {word} of a vocabulary of {}", self.vocabulary) })
            }
            None => {
                let reason = format!("texts are {}{}, not i64[N, T]", texts.dtype(), texts.shape());
                Err(AttackError::Training { reason })
            }
        }
    }
}

/// What is attacked.
struct Embedder {
    run: Evaluator,
    name: String,
    /// T.
    text: usize,
}

impl Embedder {
    fn new(graph: &Graph, batch: usize) -> Result<Embedder, AttackError> {
        let model = |reason: &str| AttackError::Model { reason: reason.into() };
        let ([input], [(_, output)]) = (&graph.inputs[..], &graph.outputs[..]) else {
            return Err(model("an embedder has one input, a text, and one output, its embedding"));
        };
        if input.dtype() != DType::I64 || input.shape().first() != Some(&1) {
            return Err(model("an embedder takes the numbers of the words of one text, i64[1, T]"));
        }
        if output.dtype() != DType::F32 {
            return Err(model("an embedder gives an embedding in single precision"));
        }
        let batched = graph.vmap(batch)?;
        let name = batched.inputs[0].name().unwrap_or("input").to_string();
        Ok(Embedder {
            run: Evaluator::new(&batched.inputs, &batched.output_exprs())?,
            name,
            text: input.shape().count(),
        })
    }

    /// Embeddings `[N, D]` of texts `[N, T]`, of length 1: their lengths are not used.
    fn embed(&self, texts: &Tensor) -> Result<Tensor, AttackError> {
        let expected = &self.text;
        if texts.shape().len() != 2
            || texts.shape()[1] != *expected
            || texts.count() == 0
            || texts.dtype() != DType::I64
        {
            let (dtype, shape) = (texts.dtype(), texts.shape().clone());
            return Err(AttackError::Inputs { dtype, shape, expected: [*expected].into() });
        }
        let found = self.run.outputs(&Parameters::default(), &Examples::new(&self.name, texts.clone())?)?.remove(0);
        let n = texts.shape()[0];
        let mut found = found.reshape([n, found.count() / n])?;
        normalize(&mut found);
        Ok(found)
    }
}

/// Makes rows of length 1.
fn normalize(rows: &mut Tensor) {
    let width = rows.shape()[1].max(1);
    for row in rows.as_mut_slice::<f32>().chunks_exact_mut(width) {
        let length = row.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt().max(1e-12);
        row.iter_mut().for_each(|v| *v = (f64::from(*v) / length) as f32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use perturb_graph::Expr;
    use perturb_nn::Adam;

    // Texts of two words of five; the embedding is the sum of a vector for each word and place, random ones.
    fn embedder() -> Graph {
        let words = Expr::input("words", [1, 2], DType::I64);
        let table = |seed: u64| Expr::constant(perturb_nn::recipe(seed, [6, 8], 1.0));
        let part = |i: usize| table(i as u64 + 1).gather(0, &words.slice_axis(1, i, i + 1).reshape([1]));
        let sum = part(0).add(&part(1));
        Graph::new(vec![words], vec![("embedding".into(), sum)]).unwrap()
    }

    fn texts() -> Tensor {
        Tensor::new([25, 2], (0..25).flat_map(|i| [1 + i / 5, 1 + i % 5]).collect::<Vec<i64>>()).unwrap()
    }

    #[test]
    fn texts_are_found_again_and_candidates_only_get_nearer() {
        let method = Vec2Text { width: 16, heads: 2, pseudo_words: 2, batch: 25, ..Vec2Text::new(6) };
        let trainer = |epochs| Trainer { epochs, ..Trainer::with(Adam { learning_rate: 1e-2, ..Adam::default() }) };
        let inverter = method.fit(&embedder(), &texts(), [&trainer(15), &trainer(120)]).unwrap();
        let embeddings = inverter.embed(&texts()).unwrap();
        let rounds = inverter.invert(&embeddings, 4, 2, &Seed::new(1, 0)).unwrap();
        let exact = |round: &[Candidate]| {
            let words = texts();
            round.iter().zip(words.as_slice::<i64>().chunks_exact(2)).filter(|(c, w)| c.words == *w).count()
        };
        assert_eq!(rounds.len(), 5);
        assert!(exact(&rounds[0]) < exact(&rounds[4]) && exact(&rounds[4]) >= 23, "{}", exact(&rounds[4]));
        for pair in rounds.windows(2) {
            assert!(pair[0].iter().zip(&pair[1]).all(|(a, b)| b.cosine >= a.cosine));
        }
        let narrow = Tensor::full([1, 7], 0.1f32);
        let error = inverter.invert(&narrow, 1, 1, &Seed::new(1, 0)).unwrap_err();
        assert!(matches!(error, AttackError::Embeddings { width: 8, .. }), "{error}");
    }

    #[test]
    fn texts_with_unknown_words_are_refused() {
        let error = Vec2Text::new(5).fit(&embedder(), &texts(), [&Trainer::default(), &Trainer::default()]);
        assert!(matches!(error, Err(AttackError::Training { .. })));
    }
}
