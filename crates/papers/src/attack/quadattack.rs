//! QuadAttack: A Quadratic Programming Approach to Ordered Top-K Attacks (Paniagua, Grainger & Wu 2023).
//!
//! Claim: with 60 steps, projecting features onto the polytope of those that are ranked as wanted succeeds for ordered top-K
//! targets where other losses do not, and does as well for K = 1. Here a CNN tells 64 classes of `shapes` pictures apart,
//! four figures in sixteen hues; targets are random. Baselines, with the same search: the hinge of Carlini and Wagner,
//! extended to K targets, and adversarial distillation.

use super::subjects::{accuracy, gather, right};
use crate::curves::{ArmCurve, Axes, share_figure};
use crate::training::{Fit, Split};
use crate::{Claim, Estimator, Figure, Measurements, Quantity, Reproduction, Run, RunError, SeedResult};
use perturb_attack::measure::harmless::AffineLayer;
use perturb_attack::ordered::{OrderedTopK, Polytope, Ranking};
use perturb_attack::{Adversarial, Ball, Classifier, Norm, Seed};
use perturb_data::worlds::shapes::{Radii, Scenes, ShapeKind, SizeName};
use perturb_graph::{Conv, DType, Expr, Graph, Tensor};
use perturb_nn::{Initializer, Layers, flatten};
use perturb_report::chart::{Hue, Marker};
use perturb_report::picture::Picture;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

pub struct QuadAttack;

const QUAD: &str = "QuadAttack";
const HINGE: &str = "ordered C&W";
const DISTILLATION: &str = "adversarial distillation";

/// Numbers of ordered targets, and what is measured for each.
const PLACES: [(usize, Quantity, Quantity); 4] = [
    (1, Quantity::share("success, K = 1"), Quantity::positive("mean ℓ2 distance, K = 1")),
    (5, Quantity::share("success, K = 5"), Quantity::positive("mean ℓ2 distance, K = 5")),
    (10, Quantity::share("success, K = 10"), Quantity::positive("mean ℓ2 distance, K = 10")),
    (20, Quantity::share("success, K = 20"), Quantity::positive("mean ℓ2 distance, K = 20")),
];
const RIGHT: Quantity = Quantity::share("test pictures classified rightly");
const RESIDUAL: Quantity = Quantity::positive("largest KKT residual of a projection");
const CURVES: [(&str, &str); 3] = [
    (QUAD, "success against K, QuadAttack"),
    (HINGE, "success against K, ordered C&W"),
    (DISTILLATION, "success against K, adversarial distillation"),
];

const SIDE: usize = 32;
const HUES: usize = 16;
const KINDS: [ShapeKind; 4] = [ShapeKind::Circle, ShapeKind::Triangle, ShapeKind::Cross, ShapeKind::Ring];
const CLASSES: usize = HUES * KINDS.len();
const FEATURES: usize = 256;

impl Reproduction for QuadAttack {
    fn slug(&self) -> &'static str {
        "quadattack"
    }

    fn claim(&self) -> Claim {
        let [one, _, ten, _] = PLACES.map(|(_, success, _)| success);
        let difference = |quantity: Quantity, over| Estimator::Difference(quantity.of(QUAD), quantity.of(over));
        Claim {
            method: QUAD,
            baselines: &[HINGE, DISTILLATION],
            seeds: 5,
            preconditions: vec![Estimator::Level(RIGHT.of(QUAD)).at_least(0.8)],
            rules: vec![
                difference(ten, HINGE).at_least(0.1),
                difference(one, HINGE).within(-0.05, 0.05),
                Estimator::Largest(RESIDUAL.of(QUAD)).at_most(1e-6),
            ],
        }
    }

    fn run(&self, run: &Run) -> Result<Measurements, RunError> {
        let mut found = Measurements::new();
        let data = pictures(run)?;
        let fit = Fit { batch: 50, classes: CLASSES, epochs: run.scaled(15, 20), seed: run.seed, hook: None };
        let graph = fit.run(&network(run.seed)?, &data.train, &data.train_labels, |_| ())?;
        let model = Classifier::new(&graph, 50)?;
        found.record(RIGHT.of(QUAD), accuracy(&model, &data.test, &data.test_labels)?)?;
        let (images, labels) = right(&model, &data, run.scaled(50, 200))?;
        let products = AffineLayer::last(&graph)?.products();
        let (mut residual, mut curves) = (0.0f64, [const { Vec::new() }; 3]);
        for (i, (places, success, distance)) in PLACES.into_iter().enumerate() {
            run.progress(0.5 + 0.12 * i as f64, success.name);
            let ranking = targets(&labels, places, run.seed)?;
            for ((arm, _), (attack, curve)) in CURVES.into_iter().zip(attacks().iter().zip(&mut curves)) {
                let moved = attack.run(&graph, &images, &ranking, &free()?, &Seed::new(run.seed, 0))?;
                let reached = moved.success.iter().filter(|s| **s).count();
                curve.push((places as f64, reached as f64 / labels.len() as f64));
                found.record(success.of(arm), reached as f64 / labels.len() as f64)?;
                if reached > 0 {
                    found.record(distance.of(arm), mean_distance(&moved))?;
                }
                if arm == QUAD {
                    let all = [&images, &moved.inputs];
                    residual = residual.max(largest_residual(&model, &all, &ranking, &products)?);
                }
                if arm == QUAD && places == 10 {
                    show(&mut found, &model, &images, &moved, &ranking)?;
                }
            }
        }
        CURVES.iter().zip(curves).for_each(|((_, name), points)| found.curve(name, points));
        found.record(RESIDUAL.of(QUAD), residual)?;
        Ok(found)
    }

    fn figures(&self, seeds: &[SeedResult]) -> Vec<Figure> {
        let looks = [(Hue::Vermillion, Marker::Circle), (Hue::Blue, Marker::Square), (Hue::Green, Marker::Triangle)];
        let arms: Vec<ArmCurve> =
            CURVES.into_iter().zip(looks).map(|((name, curve), (hue, marker))| (curve, name, hue, marker)).collect();
        let axes = Axes {
            description: "Share of pictures whose K most likely classes become the wanted ones in order.",
            x: "K",
            y: "success with 60 steps",
            last: 20.0,
        };
        vec![share_figure("success", seeds, QUAD, &arms, &axes)]
    }
}

/// The search of all three, in the order of [`CURVES`].
fn attacks() -> [OrderedTopK; 3] {
    [OrderedTopK::quad_attack(), OrderedTopK::carlini_wagner(), OrderedTopK::distillation()]
}

fn free() -> Result<Ball, RunError> {
    Ok(Ball::unbounded(Norm::L2, (0.0, 1.0))?)
}

/// Pictures of one figure each, whose kind and hue are the class.
fn pictures(run: &Run) -> Result<Split, RunError> {
    let [train, test] = run.scaled([5000, 200], [12_000, 600]);
    let (train, train_labels) = draw(2 * run.seed, train)?;
    let (test, test_labels) = draw(2 * run.seed + 1, test)?;
    Ok(Split { train, train_labels, test, test_labels })
}

fn draw(seed: u64, count: usize) -> Result<(Tensor, Vec<usize>), RunError> {
    let world = Scenes {
        size: SIDE,
        objects: [1, 1],
        kinds: KINDS.map(|kind| (kind, 1.0)).to_vec(),
        radii: Radii::Named(vec![SizeName::Large]),
        rotation: [0.0, 0.0],
        ..Scenes::default()
    };
    let (mut values, mut labels) = (Vec::with_capacity(count * 3 * SIDE * SIDE), Vec::with_capacity(count));
    for index in 0..count {
        let mut scene = world.scene(seed, index as u64)?;
        let object = &mut scene.objects[0];
        let kind = KINDS.iter().position(|&kind| kind == object.kind).unwrap_or(0);
        let hue = index % HUES;
        object.hue = (hue as f32 + 0.5) / HUES as f32;
        values.extend_from_slice(scene.render(SIDE).image.as_slice::<f32>());
        labels.push(kind * HUES + hue);
    }
    Ok((Tensor::new([count, 1, 3, SIDE, SIDE], values)?, labels))
}

/// Two convolutions and a hidden layer of 256 features: four for each class, where the paper's networks have two and more.
fn network(seed: u64) -> Result<Graph, RunError> {
    let layers = Layers::new(Initializer::he(seed));
    let x = Expr::input("image", [1, 3, SIDE, SIDE], DType::F32);
    let first = layers.at("conv1").conv2d(&x.offset(-0.5), 24, 3, Conv::same().stride(2)).relu();
    let second = layers.at("conv2").conv2d(&first, 48, 3, Conv::same().stride(2)).relu();
    let features = layers.at("fc1").linear(&flatten(&second), FEATURES).gelu();
    let logits = layers.at("fc2").linear(&features, CLASSES);
    Ok(Graph::new(vec![x], vec![("logits".into(), logits)])?)
}

/// Random targets for each label, which is not one of them.
fn targets(labels: &[usize], places: usize, seed: u64) -> Result<Ranking, RunError> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(places as u64);
    let draw = |&label: &usize| {
        let mut others: Vec<usize> = (0..CLASSES).filter(|&class| class != label).collect();
        others.shuffle(&mut rng);
        others.truncate(places);
        others
    };
    Ok(Ranking::new(labels.iter().map(draw).collect(), CLASSES)?)
}

fn mean_distance(found: &Adversarial) -> f64 {
    let reached = found.distances.iter().zip(&found.success).filter(|(_, s)| **s).map(|(d, _)| *d);
    let distances: Vec<f64> = reached.collect();
    distances.iter().sum::<f64>() / distances.len() as f64
}

/// Of the projections of the features of all these images.
fn largest_residual(
    model: &Classifier,
    images: &[&Tensor],
    ranking: &Ranking,
    products: &[f64],
) -> Result<f64, RunError> {
    // The attack's own.
    const MARGIN: f64 = 0.2;
    let mut largest = 0.0f64;
    for images in images {
        let logits = model.logits(images)?;
        for (row, z) in logits.as_slice::<f32>().chunks_exact(CLASSES).enumerate() {
            largest = largest.max(Polytope::new(ranking, row, products, MARGIN).project(z)?.residual);
        }
    }
    Ok(largest)
}

/// The first picture that was moved with success, what was added, and its logits before and after as bars, the targets in
/// another colour and in their order.
fn show(
    found: &mut Measurements,
    model: &Classifier,
    images: &Tensor,
    adversarial: &Adversarial,
    ranking: &Ranking,
) -> Result<(), RunError> {
    let row = adversarial.success.iter().position(|s| *s).unwrap_or(0);
    let [clean, moved] = [images, &adversarial.inputs].map(|images| gather(images, &[row]));
    let (clean, moved) = (clean?, moved?);
    let pictures = [&clean, &moved].map(|image| Picture::new(image.as_slice::<f32>(), [3, SIDE, SIDE]));
    let [before, after] = pictures;
    let (before, after) = (before?, after?);
    found.image("a picture", &before.png(6)?);
    found.image("with ten ordered targets at the top", &after.png(6)?);
    let factor = before.magnification(&after);
    found.image(&format!("what was added, {factor:.0} times"), &before.perturbation_png(&after, factor, 6)?);
    for (name, image) in [("logits of the picture", &clean), ("logits after the attack", &moved)] {
        let values = bars(model.logits(image)?.as_slice::<f32>(), &ranking.targets()[row]);
        let caption = format!("{name}: the targets in their order, then the other classes");
        found.image(&caption, &Picture::new(&values, [3, BAR_HEIGHT, 4 * CLASSES])?.png(2)?);
    }
    Ok(())
}

const BAR_HEIGHT: usize = 80;

/// Bars of logits on a common scale from the smallest to the largest: targets first, in vermillion.
fn bars(logits: &[f32], targets: &[usize]) -> Vec<f32> {
    let rest = (0..CLASSES).filter(|class| !targets.contains(class));
    let order: Vec<usize> = targets.iter().copied().chain(rest).collect();
    let (low, high) = logits.iter().fold((f32::MAX, f32::MIN), |(l, h), &z| (l.min(z), h.max(z)));
    let mut values = vec![1.0; 3 * BAR_HEIGHT * 4 * CLASSES];
    for (at, &class) in order.iter().enumerate() {
        let color = if at < targets.len() { [0.84, 0.37, 0.0] } else { [0.45, 0.45, 0.45] };
        let height = ((logits[class] - low) / (high - low).max(f32::MIN_POSITIVE) * (BAR_HEIGHT - 1) as f32) as usize;
        for (row, column) in (BAR_HEIGHT - 1 - height..BAR_HEIGHT).flat_map(|r| (0..3).map(move |c| (r, 4 * at + c))) {
            (0..3).for_each(|c| values[(c * BAR_HEIGHT + row) * 4 * CLASSES + column] = color[c]);
        }
    }
    values
}
