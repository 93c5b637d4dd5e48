//! Chains of a diffusion model: from an image to a latent with noise, and back.

use super::latent_diffusion::{LatentDiffusion, Move};
use perturb_graph::{Expr, GraphError, Tensor, grad};

/// What comes of a latent.
pub(super) struct Sampled {
    /// In [0, 1].
    pub image: Expr,
    /// Attention to the tokens that name the class, the mean over steps, layers and heads, `[places, tokens]`.
    pub cross: Option<Expr>,
    /// Self-attention of each layer in all steps, `[steps, 1, heads, places, places]`.
    pub own: Vec<Expr>,
}

/// Chains over the last of so many levels of noise.
#[derive(Clone, Copy)]
pub(super) struct Chain<'a> {
    pub model: &'a LatentDiffusion,
    /// Levels from clean data to noise.
    pub steps: usize,
    /// How many of them are gone through.
    pub kept: usize,
    /// How much of the difference that a text makes is added to what is predicted without: 1 for that text.
    pub guidance: f64,
}

impl Chain<'_> {
    /// The latents of an image at the levels 0 to `kept`, `[kept + 1, …latent]`: DDIM run backwards.
    pub fn invert(&self, image: &Expr, prompt: &Expr) -> Result<Expr, GraphError> {
        let Chain { model, steps, kept, guidance } = *self;
        let start = model.encode(image)?;
        let empty = Expr::constant(model.unconditional.clone());
        let moves = self.rows((0..kept).map(|level| model.step(steps, level, level + 1)))?;
        let (_, path) = Expr::scan(std::slice::from_ref(&start), &[moves], kept, false, |state, row| {
            let at = At::of(&row[0]);
            let mut noise = model.predict(&state[0], &at.time, &empty)?.noise;
            if guidance != 0.0 {
                let led = model.predict(&state[0], &at.time, prompt)?.noise;
                noise = guided(&noise, &led, guidance);
            }
            let next = at.step(&state[0], &noise);
            Ok((vec![next.clone()], vec![next]))
        })?;
        let first = start.try_reshape(start.shape().prepend(1))?;
        Expr::try_concat(&[first, path[0].clone()], 0)
    }

    /// The image of a latent at level `kept`, each step led away from its own text of `empty [kept, tokens, width]` towards the
    /// prompt. Derivatives keep the memory of one step only, and compute the others again.
    pub fn sample(&self, latent: &Expr, empty: &Expr, prompt: &Expr) -> Result<Sampled, GraphError> {
        let Chain { model, steps, kept, guidance } = *self;
        let moves = self.rows((1..=kept).rev().map(|level| model.step(steps, level, level - 1)))?;
        let attention = model.places().map(|p| Expr::full([p, model.class_tokens.len()], 0.0, latent.dtype()));
        let start: Vec<Expr> = std::iter::once(latent.clone()).chain(attention).collect();
        let (finals, own) = Expr::scan_checkpointed(&start, &[moves, empty.clone()], kept, false, 1, |state, row| {
            let at = At::of(&row[0]);
            let free = model.predict(&state[0], &at.time, &row[1])?;
            let led = model.predict(&state[0], &at.time, prompt)?;
            let noise = guided(&free.noise, &led.noise, guidance);
            let seen = state[1..].iter().zip(&led.cross).map(|(sum, cross)| sum.add(&cross.scale(1.0 / kept as f64)));
            Ok((std::iter::once(at.step(&state[0], &noise)).chain(seen).collect(), led.own))
        })?;
        Ok(Sampled { image: model.decode(&finals[0])?, cross: finals.get(1).cloned(), own })
    }

    /// The next latent after one step, and the slope by `empty`, the text that it is led away from, of the mean squared
    /// distance to a `target`. The noise that is predicted with the prompt is given: it stays the same.
    pub fn approach(
        &self,
        latent: &Expr,
        step: &Expr,
        led: &Expr,
        [target, empty]: [&Expr; 2],
    ) -> Result<[Expr; 2], GraphError> {
        let at = At::of(step);
        let free = self.model.predict(latent, &at.time, empty)?.noise;
        let next = at.step(latent, &guided(&free, led, self.guidance));
        let axes: Vec<usize> = (0..next.rank()).collect();
        let distance = next.try_sub(target)?.square().reduce_mean(&axes, false);
        let slope = grad(&distance, std::slice::from_ref(empty))?.remove(0);
        Ok([next, slope])
    }

    /// The noise that is predicted for a step with a text.
    pub fn noise(&self, latent: &Expr, step: &Expr, text: &Expr) -> Result<Expr, GraphError> {
        Ok(self.model.predict(latent, &At::of(step).time, text)?.noise)
    }

    fn rows(&self, moves: impl Iterator<Item = Move>) -> Result<Expr, GraphError> {
        let values = moves.flat_map(Move::row).collect();
        Ok(Expr::constant(Tensor::from_f64([self.kept, 3], self.model.dtype(), values)?))
    }
}

impl Move {
    /// As a row of numbers, which a step of a chain takes.
    pub(super) fn row(self) -> [f64; 3] {
        [self.time, self.current, self.noise]
    }
}

/// A [`Move`] as expressions.
struct At {
    time: Expr,
    current: Expr,
    noise: Expr,
}

impl At {
    fn of(row: &Expr) -> At {
        let number = |i: usize| row.slice_axis(0, i, i + 1);
        At { time: number(0), current: number(1).reshape([]), noise: number(2).reshape([]) }
    }

    fn step(&self, x: &Expr, noise: &Expr) -> Expr {
        x.mul(&self.current).add(&noise.mul(&self.noise))
    }
}

/// Classifier-free guidance (Ho and Salimans 2022) in the form that 0 is without the text, and 1 with it.
fn guided(free: &Expr, led: &Expr, guidance: f64) -> Expr {
    free.add(&led.sub(free).scale(guidance))
}

#[cfg(test)]
mod tests {
    use super::*;
    use perturb_graph::{DType, Graph, eval};

    const TIMES: usize = 1000;
    /// Standard deviation of the data.
    const DEVIATION: f64 = 0.5;

    fn alpha_bar() -> Vec<f64> {
        (0..=TIMES).map(|t| (-3.0 * (t as f64 / TIMES as f64).powi(2)).exp()).collect()
    }

    // The best denoiser of data N(0, s²): ε = σ·x / (ᾱ·s² + σ²). Texts count for nothing.
    fn gaussian() -> LatentDiffusion {
        let inputs: Vec<Expr> = [("latent", &[1, 1, 1, 2][..]), ("time", &[1]), ("text", &[1, 1, 1])]
            .into_iter()
            .map(|(name, shape)| Expr::input(name, shape, DType::F64))
            .collect();
        let slopes = alpha_bar().iter().map(|a| (1.0 - a).sqrt() / (a * DEVIATION.powi(2) + 1.0 - a)).collect();
        let table = Expr::constant(Tensor::new([TIMES + 1], slopes).unwrap());
        let slope = table.gather(0, &inputs[1].cast(DType::I64)).reshape([1, 1, 1, 1]);
        let noise = inputs[0].mul(&slope);
        let text = |shape: &[usize]| Tensor::new(shape, vec![0.0f64]).unwrap();
        LatentDiffusion {
            denoiser: Graph::new(inputs, vec![("noise".into(), noise)]).unwrap(),
            attention: vec![],
            encoder: None,
            decoder: None,
            alpha_bar: alpha_bar(),
            prompts: text(&[1, 1, 1]),
            unconditional: text(&[1, 1]),
            class_tokens: 0..1,
        }
    }

    // The noisy latent and what comes back from it.
    fn there_and_back(steps: usize, image: &Tensor) -> [Vec<f64>; 2] {
        let model = gaussian();
        let chain = Chain { model: &model, steps, kept: steps / 4, guidance: 2.5 };
        let prompt = Expr::constant(model.unconditional.clone());
        let path = chain.invert(&Expr::constant(image.clone()), &prompt).unwrap();
        let latent = path.slice_axis(0, chain.kept, chain.kept + 1).reshape([1, 1, 1, 2]);
        let texts = Expr::full([chain.kept, 1, 1], 0.0, DType::F64);
        let back = chain.sample(&latent, &texts, &prompt).unwrap().image;
        let values = eval(&[latent, back], &[]).unwrap();
        [values[0].to_f64_vec(), values[1].to_f64_vec()]
    }

    // The flow of these data scales them to the standard deviation of each level; DDIM follows it with an error of the first
    // order in the size of its steps.
    #[test]
    fn gaussian_data_follow_their_flow_and_return() {
        let image = Tensor::new([1, 1, 1, 2], vec![0.3f64, 0.9]).unwrap();
        let noisy = alpha_bar()[TIMES / 4];
        let factor = (noisy * DEVIATION.powi(2) + 1.0 - noisy).sqrt() / DEVIATION;
        let errors = |steps: usize| {
            let [latent, back] = there_and_back(steps, &image);
            let off = |found: &[f64], factor: f64| {
                let pairs = found.iter().zip(image.as_slice::<f64>());
                pairs.map(|(a, b)| (a / (factor * b) - 1.0).abs()).fold(0.0, f64::max)
            };
            [off(&latent, factor), off(&back, 1.0)]
        };
        let (coarse, fine) = (errors(40), errors(80));
        for (coarse, fine) in coarse.into_iter().zip(fine) {
            assert!(coarse < 0.1 && (0.45..0.55).contains(&(fine / coarse)), "{coarse}, and with half the step {fine}");
        }
    }

    #[test]
    fn guidance_of_one_is_the_text_and_of_nought_none() {
        let [free, led] = [2.0, 3.0].map(|v| Expr::scalar(v, DType::F64));
        let at = |g: f64| eval(&[guided(&free, &led, g)], &[]).unwrap()[0].to_f64_vec()[0];
        assert_eq!([at(0.0), at(1.0), at(2.5)], [2.0, 3.0, 4.5]);
    }
}
