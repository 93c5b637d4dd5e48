//! Small decoders that put an image's embedding into words.

use super::dual_encoder::{WIDTH, WORDS, embed, tokens, vocabulary};
use crate::RunError;
use perturb_data::text::Vocabulary;
use perturb_data::worlds::shapes::{Caption, Place};
use perturb_graph::{DType, Expr, Graph, Tensor, substitute};
use perturb_nn::{
    Adam, Attention, Cell, Evaluator, Examples, Initializer, Layers, Parameters, Shuffled, Step, Trainer, losses,
};

const BATCH: usize = 64;
const START: i64 = 1;

/// How a decoder speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Voice {
    /// A recurrent network that is told the embedding with every word.
    Recurrent,
    /// A block of causal attention, the embedding added to every word.
    Transformer,
}

/// A decoder, trained on a frozen encoder.
pub(super) struct Captioner {
    voice: Voice,
    layers: Layers,
    parameters: Parameters,
    speaker: Evaluator,
    vocabulary: Vocabulary,
}

impl Captioner {
    /// Trains on the embeddings `[N, 48]` of pictures with these captions.
    pub fn fit(
        voice: Voice,
        embeddings: &Tensor,
        captions: &[Caption],
        epochs: usize,
        seed: u64,
    ) -> Result<Captioner, RunError> {
        let (vocabulary, layers) = (vocabulary(), Layers::new(Initializer::pytorch(seed)));
        let mut step = Step::new();
        let embedding = step.input("embedding", [BATCH, WIDTH], DType::F32);
        let words = step.input("words", [BATCH, WORDS], DType::I64);
        let logits = voice.logits(&layers, &embedding, &words, vocabulary.len())?;
        step.minimize(losses::cross_entropy_of_labels(&logits, &words));
        let examples = Examples::new("embedding", embeddings.clone())?.with("words", tokens(&vocabulary, captions)?)?;
        let trainer = Trainer { epochs, seed, ..Trainer::with(Adam { learning_rate: 5e-3, ..Adam::default() }) };
        let parameters = trainer.fit(step, &Shuffled::new(examples, BATCH)?, &mut [])?.parameters;
        let speaker = Evaluator::new(&[embedding, words], &[logits])?;
        Ok(Captioner { voice, layers, parameters, speaker, vocabulary })
    }

    /// Captions of embeddings `[N, 48]`, the likeliest word after the other; `None` where the words are no caption.
    pub fn speak(&self, embeddings: &Tensor) -> Result<Vec<Option<Caption>>, RunError> {
        let n = embeddings.shape()[0];
        let mut spoken = vec![0i64; n * WORDS];
        for place in 0..WORDS {
            let words = Tensor::new([n, WORDS], spoken.clone())?;
            let examples = Examples::new("embedding", embeddings.clone())?.with("words", words)?;
            let logits = self.speaker.outputs(&self.parameters, &examples)?.remove(0);
            let width = self.vocabulary.len();
            for (row, z) in logits.as_slice::<f32>().chunks_exact(WORDS * width).enumerate() {
                let z = &z[place * width..(place + 1) * width];
                let best = (0..width).reduce(|best, i| if z[i] > z[best] { i } else { best }).unwrap_or(0);
                spoken[row * WORDS + place] = best as i64;
            }
        }
        let text = |words: &[i64]| {
            let words: Vec<&str> = words.iter().map(|&w| self.vocabulary.tokens()[w as usize].as_str()).collect();
            words.join(" ").trim().parse().ok()
        };
        Ok(spoken.chunks_exact(WORDS).map(text).collect())
    }

    /// Captions of images through an encoder.
    pub fn describe(&self, encoder: &Graph, images: &Tensor) -> Result<Vec<Option<Caption>>, RunError> {
        self.speak(&embed(encoder, images)?)
    }

    /// What an attack through the decoder raises: the cross-entropy of an image's own caption, a graph from the image and
    /// the numbers of its words, which [`Captioner::contexts`] gives.
    pub fn surprise(&self, encoder: &Graph) -> Result<Graph, RunError> {
        let image = Expr::input("image", encoder.inputs[0].shape(), DType::F32);
        let numbers = Expr::input("words", [1, WORDS], DType::F32);
        let seen = [(encoder.inputs[0].clone(), image.clone())];
        let embedding = substitute(&[encoder.outputs[0].1.clone()], &seen)?.remove(0);
        let words = numbers.cast(DType::I64);
        let logits = self.voice.logits(&self.layers, &embedding, &words, self.vocabulary.len())?;
        let score = losses::cross_entropy_of_labels(&logits, &words).reshape([1, 1]);
        let graph = Graph::new(vec![image, numbers], vec![("surprise".into(), score)])?;
        Ok(self.parameters.bind(&graph)?)
    }

    /// The numbers of the captions' words, `[N, 11]`.
    pub fn contexts(&self, captions: &[Caption]) -> Result<Tensor, RunError> {
        Ok(tokens(&self.vocabulary, captions)?.to_dtype(DType::F32))
    }
}

impl Voice {
    /// Logits `[N, 11, words]` of each word, given the embedding and the words before it.
    fn logits(self, layers: &Layers, embedding: &Expr, words: &Expr, count: usize) -> Result<Expr, RunError> {
        let n = embedding.shape()[0];
        let start = Expr::constant(Tensor::full([n, 1], START));
        let before = Expr::try_concat(&[start, words.slice_axis(1, 0, WORDS - 1)], 1)?;
        // Embeddings of encoders differ in size.
        let seen = layers.at("norm").layer_norm(embedding).reshape([n, 1, WIDTH]);
        let before = layers.at("words").embedding(&before, count, WIDTH);
        let states = match self {
            Voice::Recurrent => {
                let input = Expr::try_concat(&[before, seen.broadcast_to([n, WORDS, WIDTH])], 2)?;
                layers.at("decoder").recurrent(&input, Cell::Gru, 64, 0)?.0
            }
            Voice::Transformer => {
                let input =
                    layers.at("positions").learned_positions(&before.add(&layers.at("seen").linear(&seen, WIDTH)));
                layers.at("block").transformer_block(&input, &Attention::causal(2))
            }
        };
        Ok(layers.at("head").linear(&states, count))
    }
}

/// Share of slots (colour, kind, place) that captions fill as they should; what is no caption fills none.
pub(super) fn slots_right(spoken: &[Option<Caption>], truth: &[Caption]) -> f64 {
    let right = |spoken: &Option<Caption>, truth: &Caption| {
        let Some(spoken) = spoken else { return 0 };
        let same = |place: Option<Place>| place == truth.place;
        usize::from(spoken.subject.color == truth.subject.color)
            + usize::from(spoken.subject.kind == truth.subject.kind)
            + usize::from(same(spoken.place))
    };
    let total: usize = spoken.iter().zip(truth).map(|(s, t)| right(s, t)).sum();
    total as f64 / (3 * truth.len()) as f64
}
