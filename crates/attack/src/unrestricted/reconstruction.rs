//! Latents of images, with texts that lead back to the images.

use super::chain::{Chain, Sampled};
use super::function::Function;
use crate::AttackError;
use crate::adam::Adam;
use perturb_graph::Expr;
use rayon::prelude::*;

/// How texts are tuned.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tuning {
    /// Steps of AdamW at the first step back, from the level with the most noise.
    pub iterations: usize,
    /// By how many more there are at each step after it.
    pub increase: usize,
    /// Learning rate.
    pub rate: f64,
}

impl Default for Tuning {
    /// The authors' 10 steps of 0.1, and 2 more from step to step.
    fn default() -> Self {
        Tuning { iterations: 10, increase: 2, rate: 0.1 }
    }
}

/// AdamW's weight decay in PyTorch, which the authors leave as it is.
pub(super) const DECAY: f64 = 0.01;

/// What leads back to images, for each of them.
pub(super) struct Reconstruction {
    /// Latents with noise.
    pub latents: Vec<f32>,
    /// What is known beside them: the texts of all steps, then the prompts.
    pub texts: [Vec<f32>; 2],
    /// What comes of the latents, in [0, 1].
    pub images: Vec<f32>,
    /// Attention to the class, if there is any.
    pub cross: Option<Vec<f32>>,
    /// Self-attention of each layer.
    pub own: Vec<Vec<f32>>,
}

/// Finds reconstructions.
pub(super) struct Reconstructor<'a> {
    back: Chain<'a>,
    invert: Function,
    noise: Function,
    approach: Function,
    sample: Function,
}

impl<'a> Reconstructor<'a> {
    /// Along the chains `forth`, to noise, and `back`.
    pub fn new(forth: Chain<'a>, back: Chain<'a>, batch: usize) -> Result<Reconstructor<'a>, AttackError> {
        let Inputs { latent, empty, prompt } = Inputs::of(&back)?;
        let model = back.model;
        let input = |name: &str, shape: &[usize]| Expr::try_input(name, shape, model.dtype());
        let [image, step] = [input("image", model.image_shape())?, input("step", &[3])?];
        let [led, target] = [input("noise", model.latent_shape())?, input("target", model.latent_shape())?];
        let text = input("empty", &model.text_shape()[1..])?;
        let Sampled { image: sampled, cross, own } = back.sample(&latent, &empty, &prompt)?;
        let sampled: Vec<Expr> = std::iter::once(sampled).chain(cross).chain(own).collect();
        let approach = back.approach(&latent, &step, &led, [&target, &text])?;
        Ok(Reconstructor {
            back,
            invert: Function::new(&[&image, &prompt], &[forth.invert(&image, &prompt)?], batch)?,
            noise: Function::new(&[&latent, &step, &prompt], &[back.noise(&latent, &step, &prompt)?], batch)?,
            approach: Function::new(&[&latent, &step, &led, &target, &text], &approach, batch)?,
            sample: Function::new(&[&latent, &empty, &prompt], &sampled, batch)?,
        })
    }

    /// Of images of these classes.
    ///
    /// # Errors
    /// If a class has no prompt, or the engine fails.
    pub fn find(&self, images: &[f32], classes: &[usize], tuning: Tuning) -> Result<Reconstruction, AttackError> {
        let Chain { model, kept, .. } = self.back;
        let (classes_known, text) = (model.prompts.shape()[0], model.unconditional.count());
        if let Some((row, &class)) = classes.iter().enumerate().find(|(_, class)| **class >= classes_known) {
            return Err(AttackError::ClassRange { row, class, classes: classes_known });
        }
        let all = model.prompts.as_slice::<f32>();
        let prompts: Vec<f32> = classes.iter().flat_map(|&c| &all[c * text..(c + 1) * text]).copied().collect();
        let path = self.invert.run(&[images, &prompts])?.remove(0);
        let size = model.latent_shape().count();
        let at = |level: usize| -> Vec<f32> {
            let rows = path.chunks_exact((kept + 1) * size);
            rows.flat_map(|row| &row[level * size..(level + 1) * size]).copied().collect()
        };
        let latents = at(kept);
        let tuned = self.tune(&latents, &prompts, at, tuning)?;
        let mut found = self.sample(&latents, [&tuned, &prompts])?;
        found.latents = latents;
        found.texts = [tuned, prompts];
        Ok(found)
    }

    /// What comes of latents; latents and texts themselves are left out.
    pub fn sample(&self, latents: &[f32], [empty, prompts]: [&[f32]; 2]) -> Result<Reconstruction, AttackError> {
        let mut outputs = self.sample.run(&[latents, empty, prompts])?.into_iter();
        let images = outputs.next().unwrap_or_default();
        let cross = self.back.model.places().and_then(|_| outputs.next());
        Ok(Reconstruction { latents: Vec::new(), texts: Default::default(), images, cross, own: outputs.collect() })
    }

    /// The texts `[n, kept, tokens, width]` with which the way back from `latents` meets the latents `at` each level (Mokady
    /// et al. 2023, algorithm 1): step by step, each from where the one before has come to.
    fn tune(
        &self,
        latents: &[f32],
        prompts: &[f32],
        at: impl Fn(usize) -> Vec<f32>,
        tuning: Tuning,
    ) -> Result<Vec<f32>, AttackError> {
        let Chain { model, steps, kept, .. } = self.back;
        let n = latents.len() / model.latent_shape().count();
        let start = model.unconditional.to_f64_vec();
        let width = start.len();
        let mut texts = vec![(start, Adam::default()); n];
        let mut tuned = vec![0.0f32; n * kept * width];
        let mut x = latents.to_vec();
        for (i, level) in (1..=kept).rev().enumerate() {
            let row = model.step(steps, level, level - 1).row();
            let rows: Vec<f32> = row.iter().map(|&v| v as f32).cycle().take(3 * n).collect();
            let led = self.noise.run(&[&x, &rows, prompts])?.remove(0);
            let target = at(level - 1);
            let go = |texts: &[(Vec<f64>, Adam)]| {
                let values: Vec<f32> = texts.iter().flat_map(|(text, _)| text).map(|&v| v as f32).collect();
                Ok::<_, AttackError>((self.approach.run(&[&x, &rows, &led, &target, &values])?, values))
            };
            for _ in 0..tuning.iterations + tuning.increase * i {
                let (found, _) = go(&texts)?;
                texts.par_iter_mut().zip(found[1].par_chunks_exact(width)).for_each(|((text, adam), slope)| {
                    let slope: Vec<f64> = slope.iter().map(|&s| f64::from(s)).collect();
                    adam.descend_decoupled(text, &slope, tuning.rate, DECAY);
                });
            }
            let (mut found, values) = go(&texts)?;
            for (all, text) in tuned.chunks_exact_mut(kept * width).zip(values.chunks_exact(width)) {
                all[i * width..(i + 1) * width].copy_from_slice(text);
            }
            x = found.swap_remove(0);
        }
        Ok(tuned)
    }
}

/// What the way back is a function of.
pub(super) struct Inputs {
    pub latent: Expr,
    pub empty: Expr,
    pub prompt: Expr,
}

impl Inputs {
    pub fn of(back: &Chain) -> Result<Inputs, AttackError> {
        let model = back.model;
        let text = &model.text_shape()[1..];
        Ok(Inputs {
            latent: Expr::try_input("latent", model.latent_shape(), model.dtype())?,
            empty: Expr::try_input("empty", [&[back.kept], text].concat(), model.dtype())?,
            prompt: Expr::try_input("prompt", text, model.dtype())?,
        })
    }
}
