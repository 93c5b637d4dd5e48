//! Generalizable Data-free Objective for Crafting Universal Adversarial Perturbations (Mopuri, Ganeshan & Babu 2018).
//!
//! Claim: a perturbation that excites all layers of a network changes its decisions and those of other networks, without
//! data and for any task; to know the data's range helps. Here: convolutional networks of CIFAR-10 at ε = 10/255, and a
//! network that segments `shapes` pictures. Baselines: the best of ten random signs; UAP on 64 images.

use super::cifar_networks::{DEVIATION, MEAN, Network, subjects};
use super::retrieval::sign_noise;
use super::segmenter::{Pictures, Segmenter};
use crate::curves::{Axes, share_figure};
use crate::training::Split;
use crate::{Claim, Estimator, Figure, Measurements, Quantity, Reproduction, Run, RunError, SeedResult};
use perturb_attack::feature::rectified;
use perturb_attack::{Ball, Classifier, GdUap as Attacker, Norm, Prior, Seed, Uap, Universal};
use perturb_report::chart::{Hue, Marker};
use perturb_report::picture::Picture;

pub struct GdUap;

const NONE: &str = "GD-UAP, no data";
const RANGE: &str = "GD-UAP, range of the data";
const DATA: &str = "UAP on 64 images";
const NOISE: &str = "sign noise, best of 10";
const CLEAN: &str = "clean";

const FOOLED: Quantity = Quantity::share("decisions changed");
const TRANSFER: Quantity = Quantity::share("decisions changed of another network");
const ACCURACY: Quantity = Quantity::share("clean accuracy, the worse network");
const IOU: Quantity = Quantity::share("mean IoU of the segmentation");
const EXCESS: Quantity = Quantity::real("fall of the mean IoU, less twice that under noise");
const CURVE: &str = "decisions changed against ε";
const NOISE_CURVE: &str = "decisions changed against ε, sign noise";

const EPSILON: f64 = 10.0 / 255.0;

impl Reproduction for GdUap {
    fn slug(&self) -> &'static str {
        "gd-uap"
    }

    fn claim(&self) -> Claim {
        let level = |quantity: Quantity, arm| Estimator::Level(quantity.of(arm));
        let difference = |quantity: Quantity, a, b| Estimator::Difference(quantity.of(a), quantity.of(b));
        Claim {
            method: NONE,
            baselines: &[RANGE, DATA, NOISE, CLEAN],
            seeds: 5,
            preconditions: vec![level(ACCURACY, CLEAN).at_least(0.45), level(IOU, CLEAN).at_least(0.6)],
            rules: vec![
                difference(FOOLED, NONE, NOISE).at_least(0.15),
                difference(FOOLED, RANGE, NONE).at_least(-0.01),
                difference(TRANSFER, NONE, NOISE).at_least(0.05),
                level(EXCESS, NONE).at_least(0.0),
            ],
        }
    }

    fn run(&self, run: &Run) -> Result<Measurements, RunError> {
        let mut found = Measurements::new();
        let (data, network, other) = subjects(run)?;
        found.record(ACCURACY.of(CLEAN), network.accuracy.min(other.accuracy))?;
        run.progress(0.5, "perturbations");
        let fooled = |universal: &Universal, network: &Network| {
            universal.success_rate(&network.model, &data.test, &network.clean)
        };
        let range = Prior::Range { mean: MEAN, deviation: DEVIATION };
        let without = fit(run, &network, Prior::Blank(MEAN), EPSILON)?;
        let arms = [
            (NONE, without.clone()),
            (RANGE, fit(run, &network, range, EPSILON)?),
            (DATA, on_data(run, &network, &data)?),
        ];
        for (arm, universal) in &arms {
            found.record(FOOLED.of(arm), fooled(universal, &network)?)?;
            found.record(TRANSFER.of(arm), fooled(universal, &other)?)?;
        }
        let noise = |epsilon, network: &Network| -> Result<f64, RunError> {
            let rate = |i: u64| Ok(fooled(&sign_noise(&[3, 32, 32], &ball(epsilon)?, 10 * run.seed + i)?, network)?);
            (0..10).map(rate).try_fold(0.0, |best, rate: Result<f64, RunError>| Ok(rate?.max(best)))
        };
        found.record(FOOLED.of(NOISE), noise(EPSILON, &network)?)?;
        found.record(TRANSFER.of(NOISE), noise(EPSILON, &other)?)?;
        run.progress(0.75, "segmentation");
        segmentation(&mut found, run)?;
        run.progress(0.9, "other sizes");
        let (mut curve, mut random) = (vec![(0.0, 0.0)], vec![(0.0, 0.0)]);
        for size in run.scaled(&[5.0, 10.0][..], &[2.0, 5.0, 10.0, 15.0, 20.0][..]) {
            let epsilon = size / 255.0;
            let universal = match *size {
                10.0 => without.clone(),
                _ => fit(run, &network, Prior::Blank(MEAN), epsilon)?,
            };
            curve.push((*size, fooled(&universal, &network)?));
            random.push((*size, noise(epsilon, &network)?));
        }
        found.curve(CURVE, curve);
        found.curve(NOISE_CURVE, random);
        for (arm, universal) in &arms {
            show(&mut found, arm, universal)?;
        }
        Ok(found)
    }

    fn figures(&self, seeds: &[SeedResult]) -> Vec<Figure> {
        let axes = Axes {
            description: "Share of decisions changed, against the size of the perturbation.",
            x: "ε · 255",
            y: "decisions changed",
            last: 20.0,
        };
        let arms = [(CURVE, NONE, Hue::Vermillion, Marker::Circle), (NOISE_CURVE, NOISE, Hue::Grey, Marker::Diamond)];
        vec![share_figure("sizes", seeds, NONE, &arms, &axes)]
    }
}

fn ball(epsilon: f64) -> Result<Ball, RunError> {
    Ok(Ball::new(Norm::Linf, epsilon, (0.0, 1.0))?)
}

fn fit(run: &Run, network: &Network, prior: Prior, epsilon: f64) -> Result<Universal, RunError> {
    let attack = Attacker { prior, ..Attacker::default() };
    let layers = rectified(&network.graph)?;
    Ok(attack.fit(&layers, Some(&network.model), &ball(epsilon)?, &Seed::new(run.seed, 0))?)
}

/// UAP on training images, one by one.
fn on_data(run: &Run, network: &Network, data: &Split) -> Result<Universal, RunError> {
    let model = Classifier::new(&network.graph, 1)?;
    let images = data.train.rows(0, 64);
    let clean = super::cifar_networks::decisions(&model, &images)?;
    let attack = Uap { passes: run.scaled(2, 10), ..Uap::default() };
    Ok(attack.fit(&model, &images, &clean, &ball(EPSILON)?)?)
}

/// The same attack on a network that segments.
fn segmentation(found: &mut Measurements, run: &Run) -> Result<(), RunError> {
    let (count, epochs) = run.scaled((1500, 8), (4000, 15));
    let segmenter = Segmenter::train(&Pictures::draw(2 * run.seed, count)?, epochs, run.seed)?;
    let test = Pictures::draw(2 * run.seed + 1, 200)?;
    let attack = Attacker { prior: Prior::Blank(0.5), steps: run.scaled(600, 2000), ..Attacker::default() };
    let universal = attack.fit(&rectified(&segmenter.graph)?, None, &ball(EPSILON)?, &Seed::new(run.seed, 0))?;
    let noise = sign_noise(&[3, 32, 32], &ball(EPSILON)?, run.seed)?;
    let iou = |images| segmenter.mean_iou(images, &test.classes);
    let (clean, attacked, noisy) =
        (iou(&test.images)?, iou(&universal.apply(&test.images)?)?, iou(&noise.apply(&test.images)?)?);
    found.record(IOU.of(CLEAN), clean)?;
    found.record(IOU.of(NONE), attacked)?;
    found.record(IOU.of(NOISE), noisy)?;
    found.record(EXCESS.of(NONE), (clean - attacked) - 2.0 * (clean - noisy))
}

fn show(found: &mut Measurements, arm: &str, universal: &Universal) -> Result<(), RunError> {
    let grey = vec![0.5; 3 * 32 * 32];
    let moved: Vec<f32> = grey.iter().zip(universal.delta.as_slice::<f32>()).map(|(g, d)| g + d).collect();
    let [grey, moved] = [&grey, &moved].map(|values| Picture::new(values, [3, 32, 32]));
    found.image(&format!("the perturbation, {arm}"), &grey?.perturbation_png(&moved?, 10.0, 6)?);
    Ok(())
}
