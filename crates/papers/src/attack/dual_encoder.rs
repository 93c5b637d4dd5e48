//! Small models of images and captions that reproductions examine: an image encoder and a text encoder, trained together to
//! tell which caption belongs to which picture of the `shapes` world.

use crate::RunError;
use perturb_attack::views::LocalCrop;
use perturb_data::text::Vocabulary;
use perturb_data::worlds::shapes::{Caption, Color, Hues, NounPhrase, Place, Radii, Scenes, ShapeKind, SizeName};
use perturb_graph::{Conv, DType, Expr, Graph, Pool, Tensor};
use perturb_nn::{
    Adam, Attention, Cosine, Evaluator, Examples, Initializer, Layers, Parameters, Shuffled, Step, Trainer, flatten,
    losses,
};
use std::sync::Arc;

pub(super) const SIDE: usize = 32;
/// Width of the embeddings.
pub(super) const WIDTH: usize = 48;
/// Words of the longest caption.
pub(super) const WORDS: usize = 11;
pub(super) const KINDS: [ShapeKind; 4] = [ShapeKind::Circle, ShapeKind::Triangle, ShapeKind::Cross, ShapeKind::Ring];
/// What is left of the world's contrast. Its plain colours are so far apart that 8/255 is little to them, which it is not to
/// what tells things apart in photographs.
const CONTRAST: f32 = 0.3;
const BATCH: usize = 64;
const TEMPERATURE: f64 = 0.1;

/// Pictures of one object each, and what they show.
pub(super) struct Pairs {
    /// `[N, 3, 32, 32]`.
    pub images: Tensor,
    /// Object, colour, place and background.
    pub captions: Vec<Caption>,
}

impl Pairs {
    /// The first `count` pairs of a seed.
    pub fn draw(seed: u64, count: usize) -> Result<Pairs, RunError> {
        let world = Scenes {
            size: SIDE,
            objects: [1, 1],
            kinds: KINDS.map(|kind| (kind, 1.0)).to_vec(),
            hues: Hues::Named(Color::ALL.to_vec()),
            radii: Radii::Named(vec![SizeName::Large]),
            rotation: [0.0, 0.0],
            ..Scenes::default()
        };
        let mut set = world.dataset(seed, count)?;
        set.images.as_mut_slice::<f32>().iter_mut().for_each(|v| *v = 0.5 + CONTRAST * (*v - 0.5));
        let caption = |scene: &perturb_data::worlds::shapes::Scene| {
            let object = &scene.objects[0];
            self::caption(object.kind, object.color(), Place::of(object), scene.backdrop.color())
        };
        Ok(Pairs { captions: set.scenes.iter().map(caption).collect(), images: set.images })
    }
}

pub(super) fn caption(kind: ShapeKind, color: Color, place: Place, background: Color) -> Caption {
    let subject = NounPhrase { size: None, color: Some(color), kind };
    Caption { subject, relation: None, place: Some(place), background: Some(background), style: None }
}

/// The captions, each of the next kind, or of the one after that, in turn.
fn wrong_captions(captions: &[Caption]) -> Vec<Caption> {
    let wrong = |(i, caption): (usize, &Caption)| {
        let kind = KINDS.iter().position(|&kind| kind == caption.subject.kind).unwrap_or(0);
        let kind = KINDS[(kind + 1 + i % (KINDS.len() - 1)) % KINDS.len()];
        Caption { subject: NounPhrase { kind, ..caption.subject }, ..*caption }
    };
    captions.iter().enumerate().map(wrong).collect()
}

/// The words of captions; number 0 fills up, number 1 begins a caption.
pub(super) fn vocabulary() -> Vocabulary {
    Vocabulary::from_tokens(["", "<start>"].into_iter().chain(Caption::vocabulary()))
}

/// Words as numbers `[N, 11]`, filled up behind.
pub(super) fn tokens(vocabulary: &Vocabulary, captions: &[Caption]) -> Result<Tensor, RunError> {
    let words = |caption: &Caption| {
        let mut words = vocabulary.encode(caption.to_string().split(' '));
        words.resize(WORDS, 0);
        words
    };
    Ok(Tensor::new([captions.len(), WORDS], captions.iter().flat_map(words).collect())?)
}

/// How an image encoder sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Eye {
    /// Three convolutions of 3×3.
    Small,
    /// Two convolutions of 5×5 and a mean over 2×2.
    Wide,
    /// Patches of 8×8 and a block of attention.
    Patches,
    /// Three convolutions of 3×3, each with the maximum over 2×2.
    Pooled,
}

impl Eye {
    fn see(self, layers: &Layers, image: &Expr) -> Expr {
        let image = image.offset(-0.5).scale(3.0 / f64::from(CONTRAST));
        let strided = |name: &str, x: &Expr, out: usize, window: usize, stride: usize| {
            layers.at(name).conv2d(x, out, window, Conv::same().stride(stride))
        };
        let features = match self {
            Eye::Small => {
                let x = strided("conv1", &image, 12, 3, 2).relu();
                let x = strided("conv2", &x, 24, 3, 2).relu();
                strided("conv3", &x, 32, 3, 2).relu()
            }
            Eye::Wide => {
                let x = strided("conv1", &image, 12, 5, 2).gelu();
                strided("conv2", &x, 24, 5, 2).gelu().avg_pool(Pool::square(2, 2))
            }
            Eye::Patches => {
                let x = layers.at("patches").conv2d(&image, 48, 8, Conv::default().stride(8));
                let x = x.reshape([image.shape()[0], 48, 16]).transpose(&[0, 2, 1]);
                let x = layers.at("positions").learned_positions(&x);
                layers.at("block").transformer_block(&x, &Attention::full(4))
            }
            Eye::Pooled => {
                let pooled = |name, x: &Expr, out| strided(name, x, out, 3, 1).relu().max_pool(Pool::square(2, 2));
                pooled("conv3", &pooled("conv2", &pooled("conv1", &image, 8), 16), 32)
            }
        };
        layers.at("embedding").linear(&flatten(&features), WIDTH)
    }
}

/// A trained pair of encoders.
pub(super) struct DualEncoder {
    /// One image `[1, 3, 32, 32]` to its embedding `[1, 48]`.
    pub image: Graph,
    text: Evaluator,
    parameters: Parameters,
    vocabulary: Vocabulary,
}

impl DualEncoder {
    /// Trains on pairs by the symmetric contrastive loss over batches (Radford et al. 2021), images also against captions of
    /// another object each (Yuksekgonul et al. 2023): colours and places tell most pictures of a batch apart.
    pub fn fit(eye: Eye, pairs: &Pairs, epochs: usize, seed: u64) -> Result<DualEncoder, RunError> {
        DualEncoder::fit_on_crops(eye, pairs, None, epochs, seed)
    }

    /// The same on random crops of the images, another one in each step, as large models are trained.
    pub fn fit_on_crops(
        eye: Eye,
        pairs: &Pairs,
        crop: Option<LocalCrop>,
        epochs: usize,
        seed: u64,
    ) -> Result<DualEncoder, RunError> {
        let (vocabulary, layers) = (vocabulary(), Layers::new(Initializer::pytorch(seed)));
        let mut step = Step::new();
        let image = step.input("image", [BATCH, 3, SIDE, SIDE], DType::F32);
        let words = step.input("words", [BATCH, WORDS], DType::I64);
        let view = match crop {
            Some(crop) => crop.apply(&image, step.key().pair())?,
            None => image,
        };
        let seen = eye.see(&layers.at("image"), &view);
        let read = read(&layers.at("text"), &words, vocabulary.len())?;
        let wrong = step.input("wrong", [BATCH, WORDS], DType::I64);
        let wrong = self::read(&layers.at("text"), &wrong, vocabulary.len())?;
        let logits = |texts: &Expr| unit(&seen).matmul(&unit(texts).transpose(&[1, 0])).scale(1.0 / TEMPERATURE);
        let own = Expr::arange(BATCH);
        let toward = |logits: &Expr| losses::cross_entropy_of_labels(logits, &own);
        let images = toward(&logits(&Expr::try_concat(&[read.clone(), wrong], 0)?));
        step.minimize(images.add(&toward(&logits(&read).transpose(&[1, 0]))).scale(0.5));
        let examples = Examples::new("image", pairs.images.clone())?;
        let examples = examples.with("words", tokens(&vocabulary, &pairs.captions)?)?;
        let examples = examples.with("wrong", tokens(&vocabulary, &wrong_captions(&pairs.captions))?)?;
        let adam = Adam { learning_rate: 5e-3, ..Adam::default() };
        let schedule = Arc::new(Cosine::default());
        let trainer = Trainer { epochs, seed, schedule, ..Trainer::with(adam) };
        let trained = trainer.fit(step, &Shuffled::new(examples, BATCH)?, &mut [])?;

        let one = Expr::input("image", [1, 3, SIDE, SIDE], DType::F32);
        let graph = Graph::new(vec![one.clone()], vec![("embedding".into(), eye.see(&layers.at("image"), &one))])?;
        let text = Evaluator::new(&[words], &[read])?;
        let image = trained.parameters.bind(&graph)?;
        Ok(DualEncoder { image, text, parameters: trained.parameters, vocabulary })
    }

    /// Embeddings `[N, 48]` of images `[N, 3, 32, 32]`.
    pub fn see(&self, images: &Tensor) -> Result<Tensor, RunError> {
        embed(&self.image, images)
    }

    /// Embeddings `[N, 48]` of captions.
    pub fn read(&self, captions: &[Caption]) -> Result<Tensor, RunError> {
        let examples = Examples::new("words", tokens(&self.vocabulary, captions)?)?;
        Ok(self.text.outputs(&self.parameters, &examples)?.remove(0))
    }

    /// Which images are nearer to their own caption than to any other of `captions` (R@1); the same words twice are one.
    pub fn retrieved(&self, images: &Tensor, captions: &[Caption]) -> Result<Vec<bool>, RunError> {
        let nearest = nearest(&self.see(images)?, &self.read(captions)?);
        Ok(nearest.into_iter().zip(captions).map(|(i, own)| captions[i] == *own).collect())
    }
}

/// Embeddings `[N, D]` of images `[N, 3, 32, 32]`.
pub(super) fn embed(encoder: &Graph, images: &Tensor) -> Result<Tensor, RunError> {
    let batched = encoder.vmap(BATCH)?;
    let name = batched.inputs[0].name().unwrap_or("input");
    let found = Evaluator::new(&batched.inputs, &batched.output_exprs())?;
    let found = found.outputs(&Parameters::default(), &Examples::new(name, images.clone())?)?.remove(0);
    let n = images.shape()[0];
    Ok(found.reshape([n, found.count() / n])?)
}

/// For each row of `a [N, D]` the row of `b [M, D]` of the largest cosine with it, the first of equals.
pub(super) fn nearest(a: &Tensor, b: &Tensor) -> Vec<usize> {
    let width = a.shape()[1];
    let rows = |t: &Tensor| -> Vec<Vec<f32>> {
        let unit = |row: &[f32]| {
            let length = row.iter().map(|v| v * v).sum::<f32>().sqrt();
            row.iter().map(|v| v / length).collect()
        };
        t.as_slice::<f32>().chunks_exact(width).map(unit).collect()
    };
    let (a, b) = (rows(a), rows(b));
    let cosine = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    let best = |a: &Vec<f32>| {
        let scores: Vec<f32> = b.iter().map(|b| cosine(a, b)).collect();
        (0..scores.len()).reduce(|best, i| if scores[i] > scores[best] { i } else { best }).unwrap_or(0)
    };
    a.iter().map(best).collect()
}

/// Every place in a caption has its own part in what is read.
fn read(layers: &Layers, words: &Expr, count: usize) -> Result<Expr, RunError> {
    let embedded = layers.at("words").embedding(words, count, 16);
    Ok(layers.at("reader").mlp(&flatten(&embedded), &[64, WIDTH], Expr::relu))
}

/// Rows of length 1.
fn unit(x: &Expr) -> Expr {
    x.div(&x.square().reduce_sum(&[1], true).offset(1e-12).sqrt())
}
