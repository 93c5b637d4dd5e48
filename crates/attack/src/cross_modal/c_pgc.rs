//! Universal perturbations from a generator that is told what belongs to the images: C-PGC.

use super::{Batch, add, paired, signs_only};
use crate::feature::{encode, single, unit};
use crate::problem::require;
use crate::{AttackError, Ball, Universal};
use perturb_engine::{Executable, Options};
use perturb_graph::{Conv, DType, Expr, Graph, Resize, Tensor, substitute};
use perturb_nn::{Adam, Examples, Init, Initializer, Key, Layers, Shuffled, Step, Trainer};

/// C-PGC (Fang et al. 2024), the image side: a generator makes one perturbation of fixed noise and of the embeddings of
/// texts, to which it attends. It is trained by a contrastive loss turned round: for the embedding of a perturbed image,
/// `log(U/(U + V)) − α·‖e′ − e‖²` falls, with `U = exp(cos(e′, own text)/τ)` and `V` the same for the text of another batch
/// that is farthest from the clean embedding e, both means over views of the perturbed image: the image itself, and the
/// image resized to several scales and back, with noise.
///
/// What is returned is the perturbation for all texts: one for any image, whatever belongs to it.
#[derive(Clone, Debug, PartialEq)]
pub struct CPgc {
    /// Scales of the views.
    pub scales: Vec<f64>,
    /// Deviation of the views' noise.
    pub noise: f64,
    /// τ.
    pub temperature: f64,
    /// α.
    pub alpha: f64,
    /// Whether images are drawn to the farthest text; if not, V is 1 and they are only driven from their own.
    pub farthest: bool,
    /// Whether the generator attends to texts.
    pub condition: bool,
    /// Channels of the generator.
    pub width: usize,
    /// Pairs in a batch.
    pub pairs: usize,
}

const NAME: &str = "C-PGC";

impl Default for CPgc {
    /// Scales 0.5, 0.75, 1.25 and 1.5, noise of 0.05, τ = 0.1, α = 0.1, 32 channels, 16 pairs.
    fn default() -> Self {
        CPgc {
            scales: vec![0.5, 0.75, 1.25, 1.5],
            noise: 0.05,
            temperature: 0.1,
            alpha: 0.1,
            farthest: true,
            condition: true,
            width: 32,
            pairs: 16,
        }
    }
}

impl CPgc {
    /// The authors' training: 40 epochs of Adam at 2e-4 with β₁ = 0.5.
    pub fn trainer(seed: u64) -> Trainer {
        let adam = Adam { learning_rate: 2e-4, beta1: 0.5, ..Adam::default() };
        Trainer { epochs: 40, seed, ..Trainer::with(adam) }
    }

    /// The perturbation in `ball` around zero (whose bounds are those of the images) for `images [N, C, H, W]` and the
    /// embeddings `texts [N, D]` of what belongs to them.
    ///
    /// # Errors
    /// If the encoder does not map one image to one embedding of the texts' size, there is not one text for each image or
    /// fewer than in a batch, the ball is not in ℓ∞, a hyperparameter is out of its range, or training diverges.
    pub fn fit(
        &self,
        encoder: &Graph,
        images: &Tensor,
        texts: &Tensor,
        ball: &Ball,
        trainer: &Trainer,
    ) -> Result<Universal, AttackError> {
        self.check(ball)?;
        let encoder = &frozen(encoder)?;
        let (shape, size) = (single(images)?, texts.shape().last().copied().unwrap_or(0));
        paired(images, texts)?;
        let layers = Layers::new(Initializer::he(trainer.seed));
        let mut step = Step::new();
        let seen = step.input("images", [&[self.pairs], &shape[1..]].concat(), DType::F32);
        let read = step.input("texts", [self.pairs, size], DType::F32);
        let key = step.key();
        let rows = key.fold(0).integers(texts.shape()[0], [self.pairs]);
        let others = Expr::constant(texts.clone()).try_gather(0, &rows)?;
        let delta = self.generate(&layers, &read, shape, ball, trainer.seed);
        let batch = Batch { images: seen, texts: read, delta, key: key.fold(1).pair().clone() };
        step.minimize(self.loss(encoder, &batch, &others, ball)?);
        let examples = Examples::new("images", images.clone())?.with("texts", texts.clone())?;
        let trained = trainer.fit(step, &Shuffled::new(examples, self.pairs)?, &mut [])?;
        let delta = self.generate(&layers, &Expr::constant(texts.clone()), shape, ball, trainer.seed);
        let found =
            Executable::compile(&trained.parameters.bind_exprs(&[delta])?, &[], &Options::default())?.run(&[])?;
        Universal::new(found[0].reshape(&shape[1..])?, *ball)
    }

    fn check(&self, ball: &Ball) -> Result<(), AttackError> {
        signs_only(NAME, ball)?;
        require(self.pairs > 0, NAME, "pairs", 0.0, "1 or more")?;
        require(self.temperature > 0.0, NAME, "temperature", self.temperature, "positive")?;
        let finite = |v: f64| v >= 0.0 && v.is_finite();
        require(finite(self.alpha), NAME, "alpha", self.alpha, "0 or more")?;
        require(finite(self.noise), NAME, "noise", self.noise, "0 or more")?;
        let heads = self.width > 0 && self.width.is_multiple_of(HEADS);
        require(heads, NAME, "width", self.width as f64, "a multiple of 4")?;
        let odd = self.scales.iter().find(|s| !(0.1..=10.0).contains(*s));
        require(odd.is_none(), NAME, "scale", odd.copied().unwrap_or(1.0), "between 0.1 and 10")
    }

    /// `[1, C, H, W]` of texts `[M, D]`: noise of the images' size, made smaller twice, told the texts, and made larger again.
    fn generate(&self, layers: &Layers, texts: &Expr, [_, c, h, w]: [usize; 4], ball: &Ball, seed: u64) -> Expr {
        let (rows, columns, width) = (h.div_ceil(4), w.div_ceil(4), self.width);
        let block = |name: &str, x: &Expr, stride: usize| {
            layers.at(name).conv2d(x, width, 3, Conv::same().stride(stride)).instance_norm(1e-5).relu()
        };
        let noise = Key::constant(seed, 0).normal([1, c, h, w], DType::F32);
        let mut x = block("first", &noise, 1);
        for name in ["half", "quarter"] {
            x = block(name, &x, 2);
        }
        if self.condition {
            let places = x.reshape([1, width, rows * columns]).transpose(&[0, 2, 1]);
            let context = unit(texts).reshape([1, texts.shape()[0], texts.shape()[1]]);
            let normed = layers.at("norm").layer_norm(&places);
            let told = layers.at("texts").cross_attention(&normed, &context, HEADS, None);
            // All places are told much the same, which a norm with nothing between would take away.
            x = x.add(&told.transpose(&[0, 2, 1]).reshape([1, width, rows, columns])).relu();
        }
        for (name, sizes) in [("second", [2 * rows, 2 * columns]), ("third", [h, w])] {
            x = block(name, &x.resize(&sizes, &Resize::nearest()), 1);
        }
        // Without this scale a step moves all weights of the last layer so far that tanh saturates at a uniform colour.
        let x = x.scale(1.0 / (9.0 * width as f64).sqrt());
        layers.init(Init::Normal(1.0)).at("last").conv2d(&x, c, 3, Conv::same()).tanh().scale(ball.epsilon())
    }

    /// One value for each pair.
    fn loss(&self, encoder: &Graph, batch: &Batch, others: &Expr, ball: &Ball) -> Result<Expr, AttackError> {
        let moved = add(&batch.images, &batch.delta, ball);
        let (clean, own) = (unit(&encode(encoder, &batch.images)?), unit(&batch.texts));
        let others = unit(others);
        let farthest = clean.try_matmul(&others.transpose(&[1, 0]))?.try_argmin(1)?;
        let far = others.try_gather(0, &farthest.reshape([self.pairs]))?;
        let weight = |e: &Expr, texts: &Expr| e.mul(texts).reduce_sum(&[1], false).scale(1.0 / self.temperature).exp();
        let (mut toward, mut away, mut apart) = (Vec::new(), Vec::new(), Vec::new());
        for view in self.views(&moved, &batch.key)? {
            let e = unit(&encode(encoder, &view)?);
            toward.push(weight(&e, &own));
            away.push(weight(&e, &far));
            apart.push(e.sub(&clean).square().reduce_sum(&[1], false));
        }
        let mean = |parts: Vec<Expr>| -> Expr {
            let share = 1.0 / parts.len() as f64;
            let sum = parts.into_iter().reduce(|a, b| a.add(&b));
            sum.map_or_else(|| Expr::scalar(0.0, DType::F32), |sum| sum.scale(share))
        };
        let (u, v) = (mean(toward), mean(away));
        let v = if self.farthest { v } else { v.like(1.0) };
        Ok(u.div(&u.add(&v)).log().sub(&mean(apart).scale(self.alpha)))
    }

    /// The images, and the images at other scales.
    fn views(&self, images: &Expr, key: &Expr) -> Result<Vec<Expr>, AttackError> {
        let [_, _, h, w] = images.shape()[..] else { return Ok(vec![images.clone()]) };
        let mut views = vec![images.clone()];
        for (i, scale) in self.scales.iter().enumerate() {
            let scaled = [h, w].map(|side| ((side as f64 * scale).round() as usize).max(1));
            let view = images.try_resize(&scaled, &Resize::linear())?.try_resize(&[h, w], &Resize::linear())?;
            let noise = Key::new(key.clone()).fold(i as u64).normal(images.shape(), DType::F32);
            views.push(view.add(&noise.scale(self.noise)));
        }
        Ok(views)
    }
}

/// The graph with constants in place of its parameters, which are not to be trained.
fn frozen(graph: &Graph) -> Result<Graph, AttackError> {
    let constant = |p: Expr| Some((p.clone(), Expr::constant(p.value()?.clone())));
    let constants: Vec<(Expr, Expr)> = graph.params().into_iter().filter_map(constant).collect();
    let outputs = substitute(&graph.output_exprs(), &constants)?;
    let names = graph.outputs.iter().map(|(name, _)| name.clone());
    Ok(Graph::new(graph.inputs.clone(), names.zip(outputs).collect())?)
}

/// Heads of the generator's attention.
const HEADS: usize = 4;
