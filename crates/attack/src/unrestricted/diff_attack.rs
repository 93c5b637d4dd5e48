//! DiffAttack: an image is sent to the latents of a diffusion model and comes back as another.

use super::chain::{Chain, Sampled};
use super::function::Function;
use super::latent_diffusion::LatentDiffusion;
use super::reconstruction::{DECAY, Inputs, Reconstruction, Reconstructor, Tuning};
use crate::adam::Adam;
use crate::criterion::prediction;
use crate::problem::{Problem, require};
use crate::{Adversarial, Attack, AttackError, Ball, Classifier, Criterion, Loss, Seed};
use perturb_graph::{DType, Expr, GraphError, Tensor, grad};

/// DiffAttack (Chen et al. 2023): DDIM takes an image a few steps towards noise; the latent found there is moved by AdamW so
/// that the image which the diffusion model makes of it fools a classifier.
///
/// 1. *Inversion.* The first `kept` of `steps` steps of DDIM run backwards, by the noise predicted without a text.
/// 2. *Tuning.* Back again with classifier-free guidance towards the class's name, each step led away from a text of its own,
///    which is tuned until the step meets the latent of the inversion (null-text inversion, Mokady et al. 2023).
/// 3. *Attack.* With those texts, the latent is moved to lower, for a label y,
///    `−attack·CE(classifier(image), y) + variance·Var(A) + structure·Σ mean (S − S⁰)²`. A is the attention of places to the
///    tokens of the class, the mean over steps, layers and heads: an even A is one that finds the object nowhere, which
///    is to deceive the diffusion model too. S is the self-attention of each layer in each step, and S⁰ that before the
///    attack: it keeps the layout. For a target, the cross-entropy counts the other way round, and the prompt is of the class
///    that the classifier sees.
///
/// What comes back is rounded to 8 bits, and then judged, after all iterations and not before. An image that meets the
/// criterion as it is comes back unchanged. Images are in [0, 1]; they change where the diffusion model likes, and the ball is
/// meant to be of infinite radius.
#[derive(Clone, Copy, Debug)]
pub struct DiffAttack<'a> {
    /// The diffusion model.
    pub diffusion: &'a LatentDiffusion,
    /// Levels of noise that the times of the model are divided into.
    pub steps: usize,
    /// How many of them an image is taken through.
    pub kept: usize,
    /// Guidance of the inversion: 0 is without a text, 1 with the class's name.
    pub inversion_guidance: f64,
    /// Guidance of the way back.
    pub guidance: f64,
    /// How texts are tuned.
    pub tuning: Tuning,
    /// Iterations of the attack.
    pub iterations: usize,
    /// Learning rate of the attack, in the latent's unit.
    pub rate: f64,
    /// Weight of the cross-entropy.
    pub attack: f64,
    /// Weight of the variance of attention to the class.
    pub variance: f64,
    /// Weight of the change of self-attention.
    pub structure: f64,
}

const NAME: &str = "DiffAttack";

impl<'a> DiffAttack<'a> {
    /// The paper's settings, for Stable Diffusion: 5 of 20 steps, guidance 2.5, 30 iterations of 0.01, weights of 10, 10⁴ and
    /// 100. Its code takes all steps but the last of the inversion, of which those beyond the kept ones are not used.
    pub fn new(diffusion: &'a LatentDiffusion) -> DiffAttack<'a> {
        DiffAttack {
            diffusion,
            steps: 20,
            kept: 5,
            inversion_guidance: 0.0,
            guidance: 2.5,
            tuning: Tuning::default(),
            iterations: 30,
            rate: 0.01,
            attack: 10.0,
            variance: 1e4,
            structure: 100.0,
        }
    }

    /// `images [N, C, H, W]` of these classes as they come back without an attack.
    ///
    /// # Errors
    /// If the images are not those of the diffusion model, a class has no prompt, or a hyperparameter is out of its range.
    pub fn reconstructed(&self, images: &Tensor, classes: &[usize]) -> Result<Tensor, AttackError> {
        Ok(Tensor::new(images.shape(), self.reconstruct(images, classes)?.images)?)
    }

    /// How much each place of `images [N, C, H, W]` attends to the name of its image's class, `[N, places]`: the mean over
    /// steps, layers, heads and tokens; without places if the model has no such attention.
    ///
    /// # Errors
    /// As for [`DiffAttack::reconstructed`].
    pub fn attention(&self, images: &Tensor, classes: &[usize]) -> Result<Tensor, AttackError> {
        let (places, tokens) = (self.diffusion.places().unwrap_or(0), self.diffusion.class_tokens.len());
        let maps = self.reconstruct(images, classes)?.cross.unwrap_or_default();
        let means = maps.chunks_exact(tokens.max(1)).map(|each| each.iter().sum::<f32>() / tokens as f32);
        Ok(Tensor::new([classes.len(), places], means.collect())?)
    }

    fn reconstruct(&self, images: &Tensor, classes: &[usize]) -> Result<Reconstruction, AttackError> {
        self.check()?;
        let expected = self.diffusion.image_shape();
        let values =
            images.try_as_slice::<f32>().filter(|_| images.shape().len() == 4 && images.shape()[1..] == expected[1..]);
        let Some(values) = values else { return Err(self.misfit(images)) };
        let examples = images.shape()[0];
        if classes.len() != examples {
            return Err(AttackError::ClassCount { classes: classes.len(), examples });
        }
        Reconstructor::new(self.forth(), self.back(), examples)?.find(values, classes, self.tuning)
    }

    fn misfit(&self, images: &Tensor) -> AttackError {
        let expected = perturb_graph::Shape::from(&self.diffusion.image_shape()[1..]);
        AttackError::Inputs { dtype: images.dtype(), shape: images.shape().clone(), expected }
    }

    fn forth(&self) -> Chain<'a> {
        Chain { guidance: self.inversion_guidance, ..self.back() }
    }

    fn back(&self) -> Chain<'a> {
        Chain { model: self.diffusion, steps: self.steps, kept: self.kept, guidance: self.guidance }
    }

    fn check(&self) -> Result<(), AttackError> {
        self.diffusion.check()?;
        if self.diffusion.dtype() != DType::F32 {
            let reason = format!("its latents are {}, and attacks are in f32", self.diffusion.dtype());
            return Err(AttackError::Diffusion { reason });
        }
        let times = self.diffusion.alpha_bar.len() - 1;
        let fits = (1..=times).contains(&self.steps);
        require(fits, NAME, "steps", self.steps as f64, "1 to the number of the diffusion model's times")?;
        require((1..=self.steps).contains(&self.kept), NAME, "kept", self.kept as f64, "1 to the number of steps")?;
        for (name, value) in [("rate", self.rate), ("tuning.rate", self.tuning.rate)] {
            require(value > 0.0 && value.is_finite(), NAME, name, value, "positive")?;
        }
        for (name, value) in [("attack", self.attack), ("variance", self.variance), ("structure", self.structure)] {
            require(value >= 0.0 && value.is_finite(), NAME, name, value, "0 or more")?;
        }
        for (name, value) in [("guidance", self.guidance), ("inversion_guidance", self.inversion_guidance)] {
            require(value.is_finite(), NAME, name, value, "finite")?;
        }
        Ok(())
    }

    /// What is lowered beside the cross-entropy, of what came of a latent and of the self-attention `before` the attack.
    fn penalty(&self, sampled: &Sampled, before: &[Expr]) -> Result<Expr, GraphError> {
        let mut sum = Expr::scalar(0.0, sampled.image.dtype());
        if let Some(cross) = sampled.cross.as_ref().filter(|cross| cross.shape().count() > 1) {
            sum = sum.add(&cross.try_variance(&[0, 1], 1, false)?.scale(self.variance));
        }
        for (own, before) in sampled.own.iter().zip(before) {
            // The sum over steps of the mean in each.
            let mean = own.try_sub(before)?.square().sum().scale(self.kept as f64 / own.shape().count() as f64);
            sum = sum.add(&mean.scale(self.structure));
        }
        Ok(sum)
    }

    /// The slopes by the latent of `Σ slope·image` and the penalty, as a function of latent, texts, prompt, slope and the
    /// self-attention before.
    fn pull(&self) -> Result<(Vec<Expr>, Expr), AttackError> {
        let Inputs { latent, empty, prompt } = Inputs::of(&self.back())?;
        let sampled = self.back().sample(&latent, &empty, &prompt)?;
        let slope = Expr::try_input("slope", sampled.image.shape(), sampled.image.dtype())?;
        let before = sampled.own.iter().map(|own| Expr::try_input("before", own.shape(), own.dtype()));
        let before = before.collect::<Result<Vec<_>, GraphError>>()?;
        let lowered = sampled.image.mul(&slope).sum().add(&self.penalty(&sampled, &before)?);
        let slopes = grad(&lowered, std::slice::from_ref(&latent))?.remove(0);
        Ok(([vec![latent, empty, prompt, slope], before].concat(), slopes))
    }

    /// The images that the attack makes of the rows of `problem` that it has to do with.
    fn search(&self, problem: &mut Problem, rows: &[usize]) -> Result<Vec<f32>, AttackError> {
        let classes = problem.model.classes();
        let seen = |&row: &usize| match problem.criterion {
            Criterion::Misclassify { labels } => Some(labels[row]),
            Criterion::Targeted { .. } => prediction(&problem.clean[row * classes..(row + 1) * classes]),
        };
        let seen: Vec<usize> = rows.iter().filter_map(seen).collect();
        let reconstructor = Reconstructor::new(self.forth(), self.back(), problem.model.batch())?;
        let start = reconstructor.find(&problem.gather(rows), &seen, self.tuning)?;
        let (inputs, slopes) = self.pull()?;
        let pull = Function::new(&inputs.iter().collect::<Vec<_>>(), &[slopes], problem.model.batch())?;
        let [empty, prompts] = &start.texts;
        let mut latents: Vec<f64> = start.latents.iter().map(|&v| f64::from(v)).collect();
        let (mut adam, mut x, mut images) = (Adam::default(), start.latents, start.images);
        for _ in 0..self.iterations {
            let mut slope = problem.goal_gradients(rows, &images, Loss::CrossEntropy)?.gradients;
            slope.iter_mut().for_each(|g| *g *= self.attack as f32);
            let feeds = [&x, empty, prompts, &slope].into_iter().chain(&start.own).map(Vec::as_slice);
            let slopes = pull.run(&feeds.collect::<Vec<_>>())?.remove(0);
            let slopes: Vec<f64> = slopes.into_iter().map(f64::from).collect();
            // Adam treats every number alone: one state for all images.
            adam.descend_decoupled(&mut latents, &slopes, self.rate, DECAY);
            x = latents.iter().map(|&v| v as f32).collect();
            images = reconstructor.sample(&x, [empty, prompts])?.images;
        }
        Ok(images)
    }
}

impl Attack for DiffAttack<'_> {
    fn name(&self) -> &'static str {
        NAME
    }

    fn run(
        &self,
        model: &Classifier,
        inputs: &Tensor,
        criterion: &Criterion,
        ball: &Ball,
        seed: &Seed,
    ) -> Result<Adversarial, AttackError> {
        self.check()?;
        require(ball.limits() == (0.0, 1.0), NAME, "upper bound", ball.bounds().1, "1, and the lower bound 0")?;
        let mut problem = Problem::new(model, inputs, criterion, ball, seed)?;
        if model.example_shape()[..] != self.diffusion.image_shape()[1..] {
            return Err(self.misfit(inputs));
        }
        let pending = problem.pending();
        if !pending.is_empty() {
            let images = self.search(&mut problem, &pending)?;
            let rounded: Vec<f32> = images.iter().map(|v| (255.0 * v).round() / 255.0).collect();
            let width = model.example_shape().count();
            for (&row, image) in pending.iter().zip(rounded.chunks_exact(width)) {
                problem.keep(row, image);
            }
        }
        problem.finish()
    }
}

#[cfg(test)]
mod tests;
