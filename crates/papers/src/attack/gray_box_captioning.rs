//! I See Dead People: Gray-Box Adversarial Attack on Image-To-Text Models (Lapid & Sipper 2023).
//!
//! Claim: perturbations found with the image encoder alone ruin, or choose, what a model of images and text says, whatever
//! its decoder. Here an encoder of `shapes` pictures, trained on captions by contrast, feeds two decoders, a recurrent one
//! and a transformer, that are never run by the attack. Baselines: sign noise of the same size; the same ascent through the
//! decoder, on the cross-entropy of the true caption. Where it must not hold: a decoder on another encoder.

use super::captioner::{Captioner, Voice, slots_right};
use super::dual_encoder::{DualEncoder, Eye, Pairs, SIDE};
use super::subjects::gather;
use crate::curves::{Axes, share_figure};
use crate::{Claim, Estimator, Figure, Measurements, Quantity, Reproduction, Run, RunError, SeedResult};
use perturb_attack::feature::{GrayBox, Rise};
use perturb_attack::{Ascent, Ball, Norm, Seed};
use perturb_data::worlds::shapes::Caption;
use perturb_graph::Tensor;
use perturb_report::chart::{Hue, Marker};
use perturb_report::picture::Picture;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

pub struct GrayBoxCaptioning;

const GRAY: &str = "gray-box";
const WHITE: &str = "through the decoder";
const NOISE: &str = "sign noise";
const CLEAN: &str = "clean";

/// A decoder, with its measurements.
struct Subject {
    voice: Voice,
    slots: Quantity,
    drop: Quantity,
    targeted: Quantity,
}

const SUBJECTS: [Subject; 2] = [
    Subject {
        voice: Voice::Recurrent,
        slots: Quantity::share("slots right, recurrent decoder"),
        drop: Quantity::positive("slots lost, recurrent decoder"),
        targeted: Quantity::share("captions equal to the target's, recurrent decoder"),
    },
    Subject {
        voice: Voice::Transformer,
        slots: Quantity::share("slots right, transformer"),
        drop: Quantity::positive("slots lost, transformer"),
        targeted: Quantity::share("captions equal to the target's, transformer"),
    },
];
const OTHER: Quantity = Quantity::share("slots right, decoder on another encoder");
const CURVE: &str = "slots right against ε";
const NOISE_CURVE: &str = "slots right against ε, sign noise";

const EPSILON: f64 = 8.0 / 255.0;

impl Reproduction for GrayBoxCaptioning {
    fn slug(&self) -> &'static str {
        "gray-box-captioning"
    }

    fn claim(&self) -> Claim {
        let level = |quantity: Quantity, arm| Estimator::Level(quantity.of(arm));
        let [recurrent, transformer] = SUBJECTS;
        let ratio = |quantity: Quantity, a, b| Estimator::Ratio(quantity.of(a), quantity.of(b));
        Claim {
            method: GRAY,
            baselines: &[CLEAN, NOISE, WHITE],
            seeds: 5,
            preconditions: vec![
                level(recurrent.slots, CLEAN).at_least(0.8),
                level(transformer.slots, CLEAN).at_least(0.8),
                level(OTHER, CLEAN).at_least(0.8),
            ],
            rules: vec![
                ratio(recurrent.slots, GRAY, CLEAN).at_most(0.5),
                ratio(transformer.slots, GRAY, CLEAN).at_most(0.5),
                ratio(recurrent.slots, NOISE, CLEAN).at_least(0.9),
                ratio(transformer.slots, NOISE, CLEAN).at_least(0.9),
                ratio(recurrent.drop, GRAY, WHITE).at_least(0.75),
                ratio(transformer.drop, GRAY, WHITE).at_least(0.75),
                level(recurrent.targeted, GRAY).at_least(0.5),
                level(transformer.targeted, GRAY).at_least(0.5),
                // Where it must not hold.
                ratio(OTHER, GRAY, CLEAN).at_least(0.8),
            ],
        }
    }

    fn run(&self, run: &Run) -> Result<Measurements, RunError> {
        let mut found = Measurements::new();
        let scene = Scene::train(run)?;
        run.progress(0.6, "attacks");
        scene.untargeted(&mut found)?;
        scene.targeted(&mut found)?;
        Ok(found)
    }

    fn figures(&self, seeds: &[SeedResult]) -> Vec<Figure> {
        let axes = Axes {
            description: "Share of caption slots that are right, against the size of the perturbation.",
            x: "ε · 255",
            y: "slots right, recurrent decoder",
            last: 16.0,
        };
        let arms = [(CURVE, GRAY, Hue::Vermillion, Marker::Circle), (NOISE_CURVE, NOISE, Hue::Grey, Marker::Square)];
        vec![share_figure("slots", seeds, GRAY, &arms, &axes)]
    }
}

/// Encoders, decoders and test pictures.
struct Scene<'a> {
    run: &'a Run<'a>,
    encoder: DualEncoder,
    speakers: Vec<Captioner>,
    other: (DualEncoder, Captioner),
    pairs: Pairs,
}

impl Scene<'_> {
    fn train<'a>(run: &'a Run<'a>) -> Result<Scene<'a>, RunError> {
        let ([count, test], epochs) = run.scaled(([3000, 100], 15), ([6000, 400], 25));
        let pairs = Pairs::draw(2 * run.seed, count)?;
        let encoder = DualEncoder::fit(Eye::Small, &pairs, epochs, run.seed)?;
        run.progress(0.3, "decoders");
        let speaker = |encoder: &DualEncoder, voice: Voice| {
            Captioner::fit(voice, &encoder.see(&pairs.images)?, &pairs.captions, epochs, run.seed)
        };
        let speakers = SUBJECTS.iter().map(|s| speaker(&encoder, s.voice)).collect::<Result<Vec<_>, _>>()?;
        run.progress(0.4, "another encoder");
        let other = DualEncoder::fit(Eye::Wide, &pairs, epochs, run.seed + 1)?;
        let other_speaker = speaker(&other, Voice::Recurrent)?;
        let pairs = Pairs::draw(2 * run.seed + 1, test)?;
        Ok(Scene { run, encoder, speakers, other: (other, other_speaker), pairs })
    }

    fn slots(&self, speaker: &Captioner, images: &Tensor) -> Result<f64, RunError> {
        Ok(slots_right(&speaker.describe(&self.encoder.image, images)?, &self.pairs.captions))
    }

    fn untargeted(&self, found: &mut Measurements) -> Result<(), RunError> {
        let (images, seed) = (&self.pairs.images, Seed::new(self.run.seed, 0));
        let ball = |epsilon| Ball::new(Norm::Linf, epsilon, (0.0, 1.0));
        let attack = GrayBox::default();
        let moved = attack.leave(&self.encoder.image, images, &ball(EPSILON)?, &seed)?;
        let noisy = noise(images, EPSILON, self.run.seed)?;
        for (subject, speaker) in SUBJECTS.iter().zip(&self.speakers) {
            let (score, words) = (speaker.surprise(&self.encoder.image)?, speaker.contexts(&self.pairs.captions)?);
            let through = Rise { ..attack.rise }.run(&score, images, Some(&words), &ball(EPSILON)?, &seed)?;
            let clean = self.slots(speaker, images)?;
            for (arm, images) in [(CLEAN, images), (GRAY, &moved), (NOISE, &noisy), (WHITE, &through)] {
                let slots = self.slots(speaker, images)?;
                found.record(subject.slots.of(arm), slots)?;
                found.record(subject.drop.of(arm), (clean - slots).max(0.0))?;
            }
        }
        let (other, speaker) = &self.other;
        for (arm, images) in [(CLEAN, images), (GRAY, &moved)] {
            let spoken = speaker.describe(&other.image, images)?;
            found.record(OTHER.of(arm), slots_right(&spoken, &self.pairs.captions))?;
        }
        let (mut curve, mut noise_curve) = (Vec::new(), Vec::new());
        for steps in [0.0, 2.0, 4.0, 8.0, 16.0] {
            let epsilon = steps / 255.0;
            let moved = match steps {
                0.0 => images.clone(),
                8.0 => moved.clone(),
                _ => attack.leave(&self.encoder.image, images, &ball(epsilon)?, &seed)?,
            };
            curve.push((steps, self.slots(&self.speakers[0], &moved)?));
            noise_curve.push((steps, self.slots(&self.speakers[0], &noise(images, epsilon, self.run.seed)?)?));
        }
        found.curve(CURVE, curve);
        found.curve(NOISE_CURVE, noise_curve);
        self.show(found, &moved)
    }

    /// Towards the picture after it, where that has another caption.
    fn targeted(&self, found: &mut Measurements) -> Result<(), RunError> {
        let captions = &self.pairs.captions;
        let n = captions.len();
        let rows: Vec<usize> = (0..n).filter(|&i| captions[i] != captions[(i + 1) % n]).collect();
        let next: Vec<usize> = rows.iter().map(|i| (i + 1) % n).collect();
        let (from, to) = (gather(&self.pairs.images, &rows)?, gather(&self.pairs.images, &next)?);
        let ball = Ball::new(Norm::Linf, EPSILON, (0.0, 1.0))?;
        // To meet is harder than to leave: more and smaller steps.
        let leave = GrayBox::default();
        let ascent = Ascent { steps: 100, relative_step: 0.025, ..leave.rise.ascent };
        let meet = GrayBox { rise: Rise { ascent, ..leave.rise }, ..leave };
        let moved = meet.meet(&self.encoder.image, &from, &to, &ball, &Seed::new(self.run.seed, 0))?;
        for (subject, speaker) in SUBJECTS.iter().zip(&self.speakers) {
            let equal = |images: &Tensor| -> Result<f64, RunError> {
                let spoken = speaker.describe(&self.encoder.image, images)?;
                let targets = speaker.describe(&self.encoder.image, &to)?;
                let same = spoken
                    .iter()
                    .zip(&targets)
                    .filter(|(s, t)| matches!((s, t), (Some(s), Some(t)) if alike(s, t)))
                    .count();
                Ok(same as f64 / rows.len() as f64)
            };
            found.record(subject.targeted.of(GRAY), equal(&moved)?)?;
            found.record(subject.targeted.of(CLEAN), equal(&from)?)?;
        }
        Ok(())
    }

    /// A picture, what was added to it, and what is said of both.
    fn show(&self, found: &mut Measurements, moved: &Tensor) -> Result<(), RunError> {
        let said = |images: &Tensor| -> Result<Vec<Option<Caption>>, RunError> {
            self.speakers[0].describe(&self.encoder.image, &images.rows(0, 1))
        };
        let text = |said: &[Option<Caption>]| said[0].map_or("(no caption)".to_string(), |c| c.to_string());
        let (clean, after) = (said(&self.pairs.images)?, said(moved)?);
        let rows = [&self.pairs.images, moved].map(|images| images.rows(0, 1));
        let pictures = rows.iter().map(|row| Picture::new(row.as_slice::<f32>(), [3, SIDE, SIDE]));
        let pictures: Vec<Picture> = pictures.collect::<Result<_, _>>()?;
        found.image(&text(&clean), &pictures[0].png(6)?);
        found.image(&text(&after), &pictures[1].png(6)?);
        let factor = pictures[0].magnification(&pictures[1]);
        let caption = format!("what was added, {factor:.0} times");
        found.image(&caption, &pictures[0].perturbation_png(&pictures[1], factor, 6)?);
        Ok(())
    }
}

/// Whether captions say the same of the object: its kind, colour and place.
fn alike(a: &Caption, b: &Caption) -> bool {
    (a.subject, a.place) == (b.subject, b.place)
}

/// Images with every value moved by ε up or down, within their range.
fn noise(images: &Tensor, epsilon: f64, seed: u64) -> Result<Tensor, RunError> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let moved = |&v: &f32| {
        let amount = if rng.random::<bool>() { epsilon } else { -epsilon } as f32;
        (v + amount).clamp(0.0, 1.0)
    };
    Ok(Tensor::new(images.shape(), images.as_slice::<f32>().iter().map(moved).collect())?)
}
