//! Universal perturbations whose every part works: ETU, and the simpler attack on features.

use super::{Batch, Universally, add, signs_only};
use crate::feature::{Rise, Similarity, encode, unit};
use crate::problem::require;
use crate::views::{LocalCrop, ScMix};
use crate::{Ascent, AttackError, Ball, Seed, Start, Universal};
use perturb_graph::{Expr, Graph, Tensor};

/// ETU (Zhang, Huang and Bai 2024): a perturbation that takes embeddings of images away from those of the clean images and
/// of their texts, in the Kullback–Leibler divergence of softmaxes over their coordinates. Three kinds of images rise
/// together: with the perturbation; with a crop of it, resized, so that its parts work alone; and mixed images
/// ([`ScMix`]) with a crop of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Etu {
    /// Crops of the perturbation; if none, images of the second kind are left out and those of the third get all of it.
    pub local: Option<LocalCrop>,
    /// Mixtures of images; if none, images of the third kind are left out.
    pub mix: Option<ScMix>,
    /// What unit vectors are divided by to give logits. (The authors take embeddings as they are.)
    pub temperature: f64,
    /// Pairs that a step sees.
    pub pairs: usize,
    /// How.
    pub rise: Rise,
}

const NAME: &str = "ETU";

impl Default for Etu {
    /// Crops of 0.1 to 0.5 of the area, [`ScMix`] with its defaults, 16 pairs, 100 steps of 1.25·ε/100 from small noise. At
    /// zero the divergence from clean images has no slope; from noise as large as ε, steps do not reach the other end.
    fn default() -> Self {
        let ascent = Ascent { name: NAME, steps: 100, relative_step: 0.0125, start: Start::Near, ..Ascent::bim() };
        Etu {
            local: Some(LocalCrop::new([0.1, 0.5])),
            mix: Some(ScMix::default()),
            temperature: 0.1,
            pairs: 16,
            rise: Rise { ascent, batch: 1 },
        }
    }
}

impl Etu {
    /// The perturbation in `ball` around zero (whose bounds are those of the images) for `images [N, C, H, W]` and the
    /// embeddings `texts [N, D]` of what belongs to them.
    ///
    /// # Errors
    /// If the encoder does not map one image to one embedding of the texts' size, there is not one text for each image, the
    /// ball is not in ℓ∞, or a hyperparameter is out of its range.
    pub fn fit(
        &self,
        encoder: &Graph,
        images: &Tensor,
        texts: &Tensor,
        ball: &Ball,
        seed: &Seed,
    ) -> Result<Universal, AttackError> {
        signs_only(NAME, ball)?;
        self.local.iter().try_for_each(|crop| crop.check(NAME))?;
        self.mix.iter().try_for_each(|mix| mix.check(NAME))?;
        require(self.temperature > 0.0, NAME, "temperature", self.temperature, "positive")?;
        let universally = Universally { name: NAME, rise: &self.rise, pairs: self.pairs };
        universally.fit((images, texts), ball, seed, |batch| self.score(encoder, batch, ball))
    }

    fn score(&self, encoder: &Graph, batch: &Batch, ball: &Ball) -> Result<Expr, AttackError> {
        let keys = batch.key.try_random_split(3)?;
        let key = |i: usize| keys.slice_axis(0, i, i + 1).reshape([2]);
        let logits = |images: &Expr| -> Result<Expr, AttackError> {
            let embedded = encode(encoder, images)?;
            Ok(unit(&embedded).scale(1.0 / self.temperature))
        };
        let part = |i: usize| match self.local {
            Some(crop) => crop.apply(&batch.delta, &key(i)),
            None => Ok(batch.delta.clone()),
        };
        let (clean, text) = (logits(&batch.images)?, unit(&batch.texts).scale(1.0 / self.temperature));
        let away = |moved: &Expr| divergence(&clean, moved).add(&divergence(&text, moved));
        let mut score = away(&logits(&add(&batch.images, &batch.delta, ball))?);
        if self.local.is_some() {
            score = score.add(&away(&logits(&add(&batch.images, &part(0)?, ball))?));
        }
        if let Some(mix) = self.mix {
            let mixed = mix.apply(&batch.images, &key(1))?;
            let moved = logits(&add(&mixed.images, &part(2)?, ball))?;
            let [first, second] = [logits(&mixed.crops[0])?, logits(&mixed.crops[1])?];
            let reference = mixed.share.mul(&first).add(&mixed.share.neg().offset(1.0).mul(&second));
            score = score.add(&away(&moved)).add(&divergence(&reference, &moved));
        }
        Ok(score.reshape([1, 1]))
    }
}

/// A universal perturbation that takes embeddings of images away from those of the clean images: the plain attack on
/// features, without text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FeatureUap {
    /// What is lowered.
    pub similarity: Similarity,
    /// Images that a step sees.
    pub pairs: usize,
    /// How.
    pub rise: Rise,
}

impl Default for FeatureUap {
    /// The cosine; images and steps as [`Etu`].
    fn default() -> Self {
        let Etu { pairs, rise, .. } = Etu::default();
        let ascent = Ascent { name: "feature UAP", ..rise.ascent };
        FeatureUap { similarity: Similarity::Cosine, pairs, rise: Rise { ascent, ..rise } }
    }
}

impl FeatureUap {
    /// The perturbation in `ball` around zero (whose bounds are those of the images) for `images [N, C, H, W]`.
    ///
    /// # Errors
    /// If the encoder does not map one image to one embedding, or a hyperparameter is out of its range.
    pub fn fit(&self, encoder: &Graph, images: &Tensor, ball: &Ball, seed: &Seed) -> Result<Universal, AttackError> {
        let universally = Universally { name: "feature UAP", rise: &self.rise, pairs: self.pairs };
        let texts = Tensor::full([images.shape()[0], 1], 0.0f32);
        universally.fit((images, &texts), ball, seed, |batch| {
            let (clean, moved) =
                (encode(encoder, &batch.images)?, encode(encoder, &add(&batch.images, &batch.delta, ball))?);
            Ok(self.similarity.of(&moved, &clean).reduce_mean(&[0], true).neg())
        })
    }
}

/// `KL(softmax(p) ‖ softmax(q))`, the mean over rows.
fn divergence(p: &Expr, q: &Expr) -> Expr {
    let (p, q) = (p.log_softmax(1), q.log_softmax(1));
    p.exp().mul(&p.sub(&q)).reduce_sum(&[1], false).reduce_mean(&[0], false)
}
