//! Diffusion models that a text leads, as graphs.

use crate::AttackError;
use perturb_graph::{DType, Expr, Graph, GraphError, Shape, Tensor, substitute};
use std::ops::Range;

/// A diffusion model of images, or of their latents, that a text leads: the parts of Stable Diffusion, or of a small model of
/// one's own. All graphs are for one image, and all tensors of one floating-point type.
#[derive(Clone, Debug)]
pub struct LatentDiffusion {
    /// From a latent `[1, …]`, the time `[1]` and a text `[1, tokens, width]` to the noise ε in the latent, and whatever
    /// attention is looked at.
    pub denoiser: Graph,
    /// Which outputs of the denoiser, after the first, hold attention.
    pub attention: Vec<AttentionTap>,
    /// From an image `[1, C, H, W]` of values in [0, 1] to its latent; none if the denoiser works on such images.
    pub encoder: Option<Graph>,
    /// From a latent to its image; none as before.
    pub decoder: Option<Graph>,
    /// ᾱ, the share of the signal in the variance, at the times 0 (clean data, 1) to T.
    pub alpha_bar: Vec<f64>,
    /// The text of each class, `[classes, tokens, width]`.
    pub prompts: Tensor,
    /// The text that says nothing, `[tokens, width]`.
    pub unconditional: Tensor,
    /// Which tokens of a prompt name the class.
    pub class_tokens: Range<usize>,
}

/// An output of a denoiser, by its index, with the probabilities of an attention layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttentionTap {
    /// From places of the image to tokens of the text, `[1, heads, places, tokens]`; of all these, the places must be as
    /// many.
    Cross(usize),
    /// From places to places, `[1, heads, places, places]`.
    SelfAttention(usize),
}

/// What a denoiser says of a latent.
pub(super) struct Predicted {
    /// ε, of the latent's shape.
    pub noise: Expr,
    /// Attention to the tokens that name the class, the mean over layers and heads, `[places, tokens]`; none if there is no
    /// layer.
    pub cross: Option<Expr>,
    /// Self-attention of each layer.
    pub own: Vec<Expr>,
}

/// One step of DDIM (Song et al. 2021, eq. 12 with η = 0), forth or back: `x′ = current·x + noise·ε(x, time)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Move {
    pub time: f64,
    pub current: f64,
    pub noise: f64,
}

impl LatentDiffusion {
    /// Shape of an image, `[1, C, H, W]`.
    pub fn image_shape(&self) -> &Shape {
        self.encoder.as_ref().map_or_else(|| self.latent_shape(), |encoder| encoder.inputs[0].shape())
    }

    pub(super) fn latent_shape(&self) -> &Shape {
        self.denoiser.inputs[0].shape()
    }

    pub(super) fn text_shape(&self) -> &Shape {
        self.denoiser.inputs[2].shape()
    }

    pub(super) fn dtype(&self) -> DType {
        self.denoiser.inputs[0].dtype()
    }

    /// # Errors
    /// What is wrong with the model, if anything is.
    pub(super) fn check(&self) -> Result<(), AttackError> {
        let Graph { inputs, outputs } = &self.denoiser;
        let ([latent, _, text], [(_, noise), ..]) = (&inputs[..], &outputs[..]) else {
            let (i, o) = (inputs.len(), outputs.len());
            return refuse(format!(
                "its denoiser has {i} inputs and {o} outputs, not latent, time and text, and the noise"
            ));
        };
        let (from, to) = (latent.shape(), noise.shape());
        if from.count() != to.count() {
            return refuse(format!(
                "its denoiser maps a latent {from} to a noise {to}: the first output must be of that shape"
            ));
        }
        for (name, part) in [("encoder", &self.encoder), ("decoder", &self.decoder)] {
            if part.as_ref().is_some_and(|p| p.inputs.len() != 1 || p.outputs.len() != 1) {
                return refuse(format!("its {name} must have one input and one output"));
            }
        }
        if self.image_shape().len() != 4 || self.image_shape()[0] != 1 {
            return refuse(format!("it takes images {}, not [1, C, H, W]", self.image_shape()));
        }
        let falls = self.alpha_bar.windows(2).all(|pair| pair[1] < pair[0] && pair[1] > 0.0);
        if self.alpha_bar.len() < 2 || self.alpha_bar[0] < 1.0 || !falls {
            return refuse("its ᾱ must fall from 1 at time 0, and stay positive".into());
        }
        self.check_texts(text.shape())?;
        self.check_attention()
    }

    fn check_texts(&self, text: &Shape) -> Result<(), AttackError> {
        let (prompts, empty) = (self.prompts.shape(), self.unconditional.shape());
        let fits = text.len() == 3 && text[0] == 1 && prompts.len() == 3 && prompts[0] > 0;
        if !fits || prompts[1..] != text[1..] || empty[..] != text[1..] {
            let expected = "[1, tokens, width], [classes, tokens, width] and [tokens, width]";
            return refuse(format!(
                "its text, prompts and unconditional are {text}, {prompts} and {empty}, not {expected}"
            ));
        }
        if self.class_tokens.is_empty() || self.class_tokens.end > text[1] {
            return refuse(format!(
                "its class tokens {:?} are none of the text's {} tokens",
                self.class_tokens, text[1]
            ));
        }
        Ok(())
    }

    fn check_attention(&self) -> Result<(), AttackError> {
        let tokens = self.text_shape()[1];
        for tap in &self.attention {
            let (AttentionTap::Cross(index) | AttentionTap::SelfAttention(index)) = *tap;
            let Some((_, map)) = self.denoiser.outputs.get(index).filter(|_| index > 0) else {
                let last = self.denoiser.outputs.len() - 1;
                return refuse(format!(
                    "there is no attention at output {index} of its denoiser: choose among 1 to {last}"
                ));
            };
            let expected = match (tap, self.places()) {
                (AttentionTap::Cross(_), Some(places)) => (places, tokens),
                (_, _) => map.shape().get(2).map_or((0, 0), |&places| (places, places)),
            };
            if map.rank() != 4 || map.shape()[0] != 1 || (map.shape()[2], map.shape()[3]) != expected {
                let (shape, (places, keys)) = (map.shape(), expected);
                return refuse(format!("{tap:?} is {shape}, not attention [1, heads, {places}, {keys}]: leave it out"));
            }
        }
        Ok(())
    }

    /// How many places attend to the text.
    pub(super) fn places(&self) -> Option<usize> {
        let cross = |tap: &AttentionTap| match *tap {
            AttentionTap::Cross(index) => self.denoiser.outputs.get(index)?.1.shape().get(2).copied(),
            AttentionTap::SelfAttention(_) => None,
        };
        self.attention.iter().find_map(cross)
    }

    pub(super) fn encode(&self, image: &Expr) -> Result<Expr, GraphError> {
        through(self.encoder.as_ref(), image)?.try_reshape(self.latent_shape())
    }

    /// The image of a latent, limited to [0, 1].
    pub(super) fn decode(&self, latent: &Expr) -> Result<Expr, GraphError> {
        Ok(through(self.decoder.as_ref(), latent)?.try_reshape(self.image_shape())?.clip(0.0, 1.0))
    }

    pub(super) fn predict(&self, latent: &Expr, time: &Expr, text: &Expr) -> Result<Predicted, GraphError> {
        let given = self.denoiser.inputs.iter().zip([latent, time, text]);
        let pairs = given.map(|(input, given)| Ok((input.clone(), given.try_reshape(input.shape())?)));
        let pairs = pairs.collect::<Result<Vec<_>, GraphError>>()?;
        let outputs = substitute(&self.denoiser.output_exprs(), &pairs)?;
        let (mut layers, mut own) = (Vec::new(), Vec::new());
        for tap in &self.attention {
            match *tap {
                AttentionTap::SelfAttention(index) => own.push(outputs[index].clone()),
                AttentionTap::Cross(index) => {
                    let Range { start, end } = self.class_tokens;
                    layers.push(outputs[index].slice_axis(3, start, end).reduce_mean(&[0, 1], false));
                }
            }
        }
        let share = 1.0 / layers.len().max(1) as f64;
        let cross = layers.into_iter().reduce(|a, b| a.add(&b)).map(|sum| sum.scale(share));
        Ok(Predicted { noise: outputs[0].try_reshape(latent.shape())?, cross, own })
    }

    /// The step from one of `steps` equally spaced levels to another; level 0 is clean data.
    pub(super) fn step(&self, steps: usize, from: usize, to: usize) -> Move {
        let last = self.alpha_bar.len() - 1;
        let time = |level: usize| (last as f64 * level as f64 / steps as f64).round() as usize;
        let [a, b] = [from, to].map(|level| self.alpha_bar[time(level).min(last)]);
        let current = (b / a).sqrt();
        // Networks do not learn of time 0.
        Move { time: time(from).max(1) as f64, current, noise: (1.0 - b).sqrt() - current * (1.0 - a).sqrt() }
    }
}

fn through(graph: Option<&Graph>, x: &Expr) -> Result<Expr, GraphError> {
    let Some(Graph { inputs, outputs }) = graph else { return Ok(x.clone()) };
    let given = x.try_reshape(inputs[0].shape())?;
    Ok(substitute(std::slice::from_ref(&outputs[0].1), &[(inputs[0].clone(), given)])?.remove(0))
}

fn refuse<T>(reason: String) -> Result<T, AttackError> {
    Err(AttackError::Diffusion { reason })
}
