//! One Perturbation is Enough: On Generating Universal Adversarial Perturbations against Vision-Language Pre-training Models
//! (Fang et al. 2024).
//!
//! Claim: a generator that attends to texts, trained by a contrastive loss turned round, makes one perturbation that pushes
//! images out of the region of their texts, across models. Here two small encoders of different architecture find the
//! captions of `shapes` pictures; a perturbation is fitted to 512 pairs of one of them, and what counts is by how much the
//! share of images that find their caption (R@1) falls, there and with the other encoder. Baselines: sign noise; GD-UAP,
//! which raises the activations of all nonlinear layers and sees no data; the perturbation that takes embeddings away from
//! the clean ones. Ablations: without the farthest text, without the condition.
//!
//! The perturbation of texts is not reproduced: encoders here read words, not word embeddings.
//!
//! With the authors' ε = 12/255, noise and τ = 0.1 the claim's seeds gave 0.042 over the best baseline, 0.05 being asked. ε and
//! noise were then set to a third, which is the contrast of these pictures, and τ to the spread of these encoders' cosines,
//! on seeds from 100 on, and the claim's seeds were run again: 0.095 [0.027, 0.155], over a stand-in for GD-UAP by steps along
//! signs. Over GD-UAP itself, in a third run, it was 0.055 [−0.059, 0.147].
//!
//! All of this was over a feature-distance perturbation whose search began from noise as large as ε, from which few values
//! reach the other end of the ball. From small noise that baseline is stronger, and the best one. The generator was made to
//! begin with noise of the images' size (on seeds 100 to 105, against the weaker baseline, 0.10 in 6 epochs where the former
//! gave 0.06 in 4), and the claim's seeds were run a fourth time: −0.052 [−0.076, −0.024]. White-box, the direct search does
//! better; in transfer, where no rule compares the two, the generator does: 0.38 and 0.28.

use super::dual_encoder::{DualEncoder, SIDE};
use super::embedding_map::embedding_map;
use super::retrieval::{Retrieval, sign_noise};
use crate::curves::{Axes, share_figure};
use crate::{Claim, Estimator, Figure, Measurements, Quantity, Reproduction, Run, RunError, SeedResult};
use perturb_attack::cross_modal::{CPgc as Attacker, FeatureUap};
use perturb_attack::{Ball, GdUap, Norm, Prior, Seed, Universal};
use perturb_graph::{Expr, Graph, Tensor, topological};
use perturb_nn::{Adam, Cosine, Trainer};
use perturb_report::chart::{Hue, Marker};
use perturb_report::picture::Picture;
use std::sync::Arc;

pub struct CPgc;

const CPGC: &str = "C-PGC";
const UNPULLED: &str = "without the farthest text";
const UNTOLD: &str = "without the condition";
const FEATURES: &str = "feature distance";
const GD_UAP: &str = "GD-UAP";
const NOISE: &str = "sign noise";
const BEST: &str = "best baseline";
const CLEAN: &str = "clean";

const RECALL: Quantity = Quantity::share("R@1, the worse encoder");
const WHITE: Quantity = Quantity::real("fall of R@1, white-box");
const TRANSFER: Quantity = Quantity::real("fall of R@1, transfer");
const CURVE: &str = "fall of R@1, white-box, against ε";
const FEATURES_CURVE: &str = "fall of R@1, white-box, against ε, feature distance";

/// The authors' 12/255 and their noise of 0.05 for the contrast of the pictures here, a third.
const EPSILON: f64 = 4.0 / 255.0;
const VIEW_NOISE: f64 = 0.05 / 3.0;

impl Reproduction for CPgc {
    fn slug(&self) -> &'static str {
        "c-pgc"
    }

    fn claim(&self) -> Claim {
        let difference = |quantity: Quantity, over| Estimator::Difference(quantity.of(CPGC), quantity.of(over));
        Claim {
            method: CPGC,
            baselines: &[BEST, NOISE, GD_UAP, FEATURES, UNPULLED, UNTOLD, CLEAN],
            seeds: 5,
            preconditions: vec![Estimator::Level(RECALL.of(CLEAN)).at_least(0.5)],
            rules: vec![difference(WHITE, BEST).at_least(0.05), difference(TRANSFER, NOISE).at_least(0.05)],
        }
    }

    fn run(&self, run: &Run) -> Result<Measurements, RunError> {
        let mut found = Measurements::new();
        let trial = Trial { run, retrieval: Retrieval::train(run)? };
        let clean = trial.retrieval.clean;
        found.record(RECALL.of(CLEAN), clean[0].min(clean[1]))?;
        // The cosines of these encoders span 1.5, not a tenth as those of CLIP: with the authors' τ the loss has no slope.
        let full = Attacker { temperature: 0.7, noise: VIEW_NOISE, ..Attacker::default() };
        let ball = Ball::new(Norm::Linf, EPSILON, (0.0, 1.0))?;
        let noise = sign_noise(&[3, SIDE, SIDE], &ball, run.seed)?;
        let mut best = f64::NEG_INFINITY;
        for arm in [NOISE, GD_UAP, FEATURES] {
            run.progress(0.4, arm);
            let fitted = match arm {
                NOISE => [noise.clone(), noise.clone()],
                GD_UAP => trial.each(|encoder, _| trial.data_free(&encoder.image, &ball))?,
                _ => trial.each(|encoder, _| trial.features(encoder, &ball))?,
            };
            best = best.max(trial.record(&mut found, arm, &fitted)?);
        }
        found.record(WHITE.of(BEST), best)?;
        let arms = [
            (CPGC, full.clone()),
            (UNPULLED, Attacker { farthest: false, ..full.clone() }),
            (UNTOLD, Attacker { condition: false, ..full.clone() }),
        ];
        for (i, (arm, attack)) in arms.iter().enumerate() {
            run.progress(0.5 + 0.15 * i as f64, arm);
            let fitted = trial.each(|encoder, texts| trial.generated(attack, encoder, texts, &ball))?;
            trial.record(&mut found, arm, &fitted)?;
            if *arm == CPGC {
                show(&mut found, &fitted[0])?;
                trial.map(&mut found, &fitted[0])?;
            }
        }
        trial.curves(&mut found, &full)?;
        Ok(found)
    }

    fn figures(&self, seeds: &[SeedResult]) -> Vec<Figure> {
        let axes = Axes {
            description: "Fall of R@1 of the encoder that a perturbation was fitted to, against its size.",
            x: "ε · 255",
            y: "fall of R@1",
            last: 8.0,
        };
        let arms =
            [(CURVE, CPGC, Hue::Vermillion, Marker::Circle), (FEATURES_CURVE, FEATURES, Hue::Blue, Marker::Square)];
        vec![share_figure("white-box", seeds, CPGC, &arms, &axes)]
    }
}

struct Trial<'a> {
    run: &'a Run<'a>,
    retrieval: Retrieval,
}

impl Trial<'_> {
    /// A perturbation fitted to each of the encoders.
    fn each(
        &self,
        fit: impl Fn(&DualEncoder, &Tensor) -> Result<Universal, RunError>,
    ) -> Result<[Universal; 2], RunError> {
        let Retrieval { encoders, texts, .. } = &self.retrieval;
        Ok([fit(&encoders[0], &texts[0])?, fit(&encoders[1], &texts[1])?])
    }

    /// Records by how much they lower R@1 of their own and of the other encoder; gives the former.
    fn record(
        &self,
        found: &mut Measurements,
        arm: &'static str,
        [first, second]: &[Universal; 2],
    ) -> Result<f64, RunError> {
        let (a, b) = (self.retrieval.drops(first)?, self.retrieval.drops(second)?);
        found.record(WHITE.of(arm), 0.5 * (a[0] + b[1]))?;
        found.record(TRANSFER.of(arm), 0.5 * (a[1] + b[0]))?;
        Ok(0.5 * (a[0] + b[1]))
    }

    fn generated(
        &self,
        attack: &Attacker,
        encoder: &DualEncoder,
        texts: &Tensor,
        ball: &Ball,
    ) -> Result<Universal, RunError> {
        // Fewer steps than the authors', and larger ones.
        let adam = Adam { learning_rate: 6e-3, beta1: 0.5, ..Adam::default() };
        let trainer = Trainer {
            epochs: self.run.scaled(4, 20),
            optimizer: Arc::new(adam),
            schedule: Arc::new(Cosine::default()),
            ..Attacker::trainer(self.run.seed)
        };
        Ok(attack.fit(&encoder.image, &self.retrieval.images, texts, ball, &trainer)?)
    }

    fn features(&self, encoder: &DualEncoder, ball: &Ball) -> Result<Universal, RunError> {
        let seed = Seed::new(self.run.seed, 0);
        Ok(FeatureUap::default().fit(&encoder.image, &self.retrieval.images, ball, &seed)?)
    }

    /// GD-UAP on the results of all nonlinear layers, for a grey image.
    fn data_free(&self, encoder: &Graph, ball: &Ball) -> Result<Universal, RunError> {
        let active = |node: &Expr| ["relu", "erf"].contains(&node.op().name());
        let nodes = topological(&encoder.output_exprs()).into_iter().filter(active);
        let outputs = nodes.enumerate().map(|(i, node)| (format!("layer{i}"), node)).collect();
        let layers = Graph::new(encoder.inputs.clone(), outputs)?;
        let attack = GdUap { prior: Prior::Blank(0.5), steps: 300, ..GdUap::default() };
        Ok(attack.fit(&layers, None, ball, &Seed::new(self.run.seed, 0))?)
    }

    fn curves(&self, found: &mut Measurements, attack: &Attacker) -> Result<(), RunError> {
        for (curve, arm) in [(CURVE, CPGC), (FEATURES_CURVE, FEATURES)] {
            let mut points = vec![(0.0, 0.0), (255.0 * EPSILON, found.value(WHITE.of(arm)).unwrap_or(0.0))];
            for size in self.run.scaled(&[2.0][..], &[2.0, 6.0, 8.0][..]) {
                let ball = Ball::new(Norm::Linf, size / 255.0, (0.0, 1.0))?;
                let [first, second] = self.each(|encoder, texts| match arm {
                    CPGC => self.generated(attack, encoder, texts, &ball),
                    _ => self.features(encoder, &ball),
                })?;
                let (a, b) = (self.retrieval.drops(&first)?, self.retrieval.drops(&second)?);
                points.push((*size, 0.5 * (a[0] + b[1])));
            }
            points.sort_by(|a, b| a.0.total_cmp(&b.0));
            found.curve(curve, points);
        }
        Ok(())
    }

    /// Embeddings of clean and of perturbed images, in the plane of the largest variance of both together.
    fn map(&self, found: &mut Measurements, universal: &Universal) -> Result<(), RunError> {
        let (encoder, images) = (&self.retrieval.encoders[0], &self.retrieval.test.images);
        let [clean, moved] = [encoder.see(images)?, encoder.see(&universal.apply(images)?)?];
        let picture = embedding_map(&clean, &moved)?;
        found.image("embeddings of images, blue, and of the perturbed images, red", &picture);
        Ok(())
    }
}

fn show(found: &mut Measurements, universal: &Universal) -> Result<(), RunError> {
    let grey = vec![0.5; 3 * SIDE * SIDE];
    let moved: Vec<f32> = grey.iter().zip(universal.delta.as_slice::<f32>()).map(|(g, d)| g + d).collect();
    let [grey, moved] = [&grey, &moved].map(|values| Picture::new(values, [3, SIDE, SIDE]));
    found.image("the perturbation, 10 times", &grey?.perturbation_png(&moved?, 10.0, 6)?);
    Ok(())
}
