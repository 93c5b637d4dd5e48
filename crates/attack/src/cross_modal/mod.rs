//! Universal perturbations against models of images and text.
//!
//! What is attacked is an image encoder, a graph from one image `[1, C, H, W]` to one embedding `[1, D]`, and the
//! embeddings `[N, D]` of the texts that belong to images, by whatever reads them.

mod c_pgc;
mod etu;

pub use c_pgc::CPgc;
pub use etu::{Etu, FeatureUap};

use crate::feature::{Rise, single};
use crate::problem::require;
use crate::{AttackError, Ball, Norm, Seed, Universal};
use perturb_graph::{DType, Expr, Graph, GraphError, Tensor};

/// A random batch of pairs, in a graph of which the perturbation is the input.
struct Batch {
    /// `[B, C, H, W]`.
    images: Expr,
    /// `[B, D]`.
    texts: Expr,
    /// `[1, C, H, W]`.
    delta: Expr,
    /// For what else is random.
    key: Expr,
}

/// How many of the pairs a step sees, and how it steps.
struct Universally<'a> {
    name: &'static str,
    rise: &'a Rise,
    pairs: usize,
}

impl Universally<'_> {
    /// The perturbation in `ball` around zero under which the score, a function of a random batch `[…] → [1, 1]`, rises.
    fn fit(
        &self,
        (images, texts): (&Tensor, &Tensor),
        ball: &Ball,
        seed: &Seed,
        score: impl FnOnce(&Batch) -> Result<Expr, AttackError>,
    ) -> Result<Universal, AttackError> {
        require(self.pairs > 0, self.name, "pairs", 0.0, "1 or more")?;
        let (shape, n) = (single(images)?, images.shape()[0]);
        paired(images, texts)?;
        let delta = Expr::input("delta", shape, DType::F32);
        let key = Expr::input("key", [2], DType::I64);
        let keys = key.try_random_split(2)?;
        let part = |i: usize| keys.slice_axis(0, i, i + 1).reshape([2]);
        let count = Expr::constant(Tensor::full([self.pairs], n as i64));
        let rows = part(0).try_random_bits([self.pairs])?.rem(&count);
        let column = |values: &Tensor| Expr::constant(values.clone()).try_gather(0, &rows);
        let batch = Batch { images: column(images)?, texts: column(texts)?, delta: delta.clone(), key: part(1) };
        let score = score(&batch)?;
        let graph = Graph::new(vec![delta, key], vec![("score".into(), score)])?;
        let reach = Ball::new(ball.norm(), ball.epsilon(), (f64::NEG_INFINITY, f64::INFINITY))?;
        let rise = Rise { batch: 1, ..*self.rise };
        let found = rise.run(&graph, &Tensor::full(shape, 0.0f32), None, &reach, seed)?;
        Universal::new(found.reshape(&shape[1..])?, *ball)
    }
}

/// Refuses texts that are not one for each image.
fn paired(images: &Tensor, texts: &Tensor) -> Result<(), AttackError> {
    let fits = texts.shape().len() == 2 && texts.shape()[0] == images.shape()[0] && images.shape()[0] > 0;
    if fits && [images.dtype(), texts.dtype()] == [DType::F32; 2] {
        return Ok(());
    }
    let reason = "needs images [N, C, H, W] and embeddings of texts [N, D] in f32".to_string();
    Err(GraphError::Shape { op: "pairs".into(), reason, shapes: vec![images.shape().clone(), texts.shape().clone()] }
        .into())
}

/// What is added to images by a perturbation, within their bounds.
fn add(images: &Expr, delta: &Expr, ball: &Ball) -> Expr {
    let (lo, hi) = ball.bounds();
    images.add(delta).clip(lo, hi)
}

/// Refuses norms other than ℓ∞.
fn signs_only(attack: &'static str, ball: &Ball) -> Result<(), AttackError> {
    if ball.norm() == Norm::Linf { Ok(()) } else { Err(AttackError::Norm { attack, norm: ball.norm() }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feature::{encode, unit};
    use perturb_graph::eval;
    use perturb_nn::{Adam, Trainer};
    use std::sync::Arc;

    // Linear encoders of 2×2 images, for which all corners of the ball can be tried.
    struct Small {
        encoder: Graph,
        images: Tensor,
        texts: Tensor,
        ball: Ball,
    }

    impl Small {
        fn new() -> Small {
            let numbers = |n: usize, seed: usize| -> Vec<f32> {
                (0..n).map(|i| ((i * 37 + seed * 101 + i * i * 13) % 61) as f32 / 60.0).collect()
            };
            let x = Expr::input("x", [1, 1, 2, 2], DType::F32);
            let weights = Expr::constant(Tensor::new([4, 3], numbers(12, 5)).unwrap()).offset(-0.5);
            let embedding = x.offset(-0.4).reshape([1, 4]).matmul(&weights);
            let encoder = Graph::new(vec![x], vec![("embedding".into(), embedding)]).unwrap();
            let images = Tensor::new([40, 1, 2, 2], numbers(160, 1).iter().map(|v| 0.2 + 0.6 * v).collect()).unwrap();
            let seen = encode(&encoder, &Expr::constant(images.clone())).unwrap();
            let texts = eval(&[seen], &[]).unwrap().remove(0);
            Small { encoder, images, texts, ball: Ball::new(Norm::Linf, 0.15, (0.0, 1.0)).unwrap() }
        }

        // Mean cosine of moved images with their texts.
        fn cosine(&self, delta: &Tensor) -> f64 {
            let delta = Expr::constant(delta.reshape([1, 1, 2, 2]).unwrap());
            let moved = add(&Expr::constant(self.images.clone()), &delta, &self.ball);
            let seen = unit(&encode(&self.encoder, &moved).unwrap());
            let cosines = seen.mul(&unit(&Expr::constant(self.texts.clone()))).reduce_sum(&[1], false);
            f64::from(eval(&[cosines.reduce_mean(&[0], false)], &[]).unwrap()[0].as_slice::<f32>()[0])
        }

        // The smallest at a corner, and the mean over corners, which is what random signs give.
        fn corners(&self) -> (f64, f64) {
            let corner = |bits: usize| {
                let signs = (0..4).map(|i| if bits >> i & 1 == 1 { 0.15f32 } else { -0.15 }).collect();
                self.cosine(&Tensor::new([1, 2, 2], signs).unwrap())
            };
            let all: Vec<f64> = (0..16).map(corner).collect();
            (all.iter().copied().fold(f64::INFINITY, f64::min), all.iter().sum::<f64>() / 16.0)
        }

        // How far it gets from the mean to the best corner; 1 for an attack on this very cosine.
        fn check(&self, found: &Universal, share: f64, name: &str) {
            let ((best, mean), reached) = (self.corners(), self.cosine(&found.delta));
            assert!(found.delta.as_slice::<f32>().iter().all(|d| d.abs() <= 0.15 + 1e-6), "{name}");
            assert!(reached < mean - share * (mean - best), "{name}: {reached}, best {best}, mean {mean}");
        }
    }

    #[test]
    fn perturbations_are_far_better_than_random_signs() {
        let small = Small::new();
        let (encoder, images, texts) = (&small.encoder, &small.images, &small.texts);
        let seed = Seed::new(1, 0);
        let etu = Etu { local: None, mix: None, ..Etu::default() };
        small.check(&etu.fit(encoder, images, texts, &small.ball, &seed).unwrap(), 0.25, "global");
        let etu = Etu { mix: None, ..Etu::default() };
        small.check(&etu.fit(encoder, images, texts, &small.ball, &seed).unwrap(), 0.25, "local");
        // Crops of so few pixels are nearly uniform: all of ETU comes to a shift of all pixels alike, up or down.
        let shifted = [0.15, -0.15].map(|by: f32| small.cosine(&Tensor::full([1, 2, 2], by)));
        let etu = Etu::default().fit(encoder, images, texts, &small.ball, &seed).unwrap();
        let reached = small.cosine(&etu.delta);
        assert!(reached < shifted[0].max(shifted[1]) + 0.02, "ETU: {reached}, shifts {shifted:?}");
        // A value that goes the wrong way first reaches its corner late.
        let FeatureUap { rise, .. } = FeatureUap::default();
        let rise = Rise { ascent: crate::Ascent { steps: 400, ..rise.ascent }, ..rise };
        let attack = FeatureUap { rise, ..FeatureUap::default() };
        let features = attack.fit(encoder, images, &small.ball, &seed).unwrap();
        small.check(&features, 1.0 - 1e-3, "features");
    }

    // On images of 2×2 the generator's smallest map is one place, of which a norm leaves nothing: it is told texts, and else
    // can only shift all pixels alike.
    #[test]
    fn generated_perturbations_shift_images_from_their_texts() {
        let small = Small::new();
        let shifted = |by: f32| small.cosine(&Tensor::full([1, 2, 2], by));
        let (clean, best) = (shifted(0.0), shifted(0.15).min(shifted(-0.15)));
        assert!(best < clean - 0.1, "{best} {clean}");
        for (condition, farthest) in [(true, true), (false, true), (true, false)] {
            let attack = CPgc { width: 8, pairs: 8, temperature: 0.7, condition, farthest, ..CPgc::default() };
            let optimizer = Arc::new(Adam { learning_rate: 1e-2, ..Adam::default() });
            let trainer = Trainer { epochs: 100, optimizer, ..CPgc::trainer(1) };
            let found = attack.fit(&small.encoder, &small.images, &small.texts, &small.ball, &trainer).unwrap();
            assert!(found.delta.as_slice::<f32>().iter().all(|d| d.abs() <= 0.15 + 1e-6));
            let reached = small.cosine(&found.delta);
            assert!(reached < 0.5 * (clean + best), "{condition} {farthest}: {reached}, clean {clean}, best {best}");
        }
    }

    #[test]
    fn mistakes_are_told() {
        let small = Small::new();
        let few = small.texts.rows(0, 3);
        let seed = Seed::new(0, 0);
        let error = Etu::default().fit(&small.encoder, &small.images, &few, &small.ball, &seed).unwrap_err();
        assert!(matches!(error, AttackError::Graph(GraphError::Shape { .. })), "{error}");
        let round = Ball::new(Norm::L2, 1.0, (0.0, 1.0)).unwrap();
        let error = Etu::default().fit(&small.encoder, &small.images, &small.texts, &round, &seed).unwrap_err();
        assert!(matches!(error, AttackError::Norm { .. }), "{error}");
    }
}
