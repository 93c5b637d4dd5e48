//! Linear bounds of margins and losses, for training, against samples, enumeration and the certifier.

use perturb_certify::train::{
    Bounded, CrownIbpLoss, IbpLoss, WeightLoss, fused_cross_entropy, interval_margins, linear_margins,
};
use perturb_certify::{Certifier, Method, Region, Settings};
use perturb_graph::{DType, Domain, Expr, Graph, Interval, Norm, Rounding, Tensor, eval, substitute};
use perturb_nn::{Adam, Control, Examples, Initializer, Layers, Ramp, Shuffled, Step, Trainer};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const INPUTS: usize = 4;
const CLASSES: usize = 3;

fn network(seed: u64, hidden: &[usize], activation: fn(&Expr) -> Expr) -> Graph {
    let x = Expr::input("x", [1, INPUTS], DType::F32);
    let layers = Layers::new(Initializer::he(seed));
    let widths: Vec<usize> = hidden.iter().copied().chain([CLASSES]).collect();
    let logits = layers.mlp(&x, &widths, activation);
    Graph::new(vec![x], vec![("logits".into(), logits)]).unwrap()
}

fn networks() -> Vec<Graph> {
    let shapes: [&[usize]; 3] = [&[], &[6], &[6, 5]];
    let activations: [fn(&Expr) -> Expr; 2] = [Expr::relu, Expr::tanh];
    (0..18u64).map(|i| network(i, shapes[i as usize % 3], activations[i as usize / 3 % 2])).collect()
}

fn one_hot(label: usize) -> Expr {
    let values = (0..CLASSES).map(|j| if j == label { 1.0f32 } else { 0.0 }).collect();
    Expr::constant(Tensor::new([1, CLASSES], values).unwrap())
}

fn value(expr: &Expr) -> Vec<f64> {
    eval(std::slice::from_ref(expr), &[]).unwrap()[0].to_f64_vec()
}

fn point(values: &[f32]) -> Expr {
    Expr::constant(Tensor::new([1, values.len()], values.to_vec()).unwrap())
}

fn logits_at(network: &Graph, x: &[f32]) -> Vec<f64> {
    value(&substitute(&network.output_exprs(), &[(network.inputs[0].clone(), point(x))]).unwrap()[0])
}

fn cross_entropy(logits: &[f64], label: usize) -> f64 {
    logits.iter().map(|z| (z - logits[label]).exp()).sum::<f64>().ln()
}

fn random_point(rng: &mut ChaCha8Rng) -> Vec<f32> {
    (0..INPUTS).map(|_| rng.random_range(0.0..1.0f32)).collect()
}

fn domains(network: &Graph, center: &[f32], epsilon: f64) -> Vec<(Expr, Domain)> {
    let center = point(center);
    let radius = Expr::scalar(epsilon, DType::F32);
    let within = Some((center.like(0.0), center.like(1.0)));
    vec![(network.inputs[0].clone(), Domain::Ball { center, radius, norm: Norm::Linf, within })]
}

/// Members of the ball: all corners, and points inside.
fn members(center: &[f32], epsilon: f32, rng: &mut ChaCha8Rng) -> Vec<Vec<f32>> {
    let inside = |v: f32| v.clamp(0.0, 1.0);
    let corner = |bits: usize| {
        let side = |(i, c): (usize, &f32)| inside(if bits >> i & 1 == 1 { c + epsilon } else { c - epsilon });
        center.iter().enumerate().map(side).collect()
    };
    let mut all: Vec<Vec<f32>> = (0..1 << INPUTS).map(corner).collect();
    for _ in 0..50 {
        all.push(center.iter().map(|c| inside(c + rng.random_range(-epsilon..=epsilon))).collect());
    }
    all
}

#[test]
fn no_input_of_the_ball_exceeds_the_bounds() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let (mut nearest, mut cases) = (f64::INFINITY, 0);
    for (i, network) in networks().iter().enumerate() {
        let (center, label) = (random_point(&mut rng), i % CLASSES);
        let logits = &network.outputs[0].1;
        for epsilon in [0.01, 0.1, 0.4] {
            let domains = domains(network, &center, epsilon);
            let margins = value(&linear_margins(logits, &one_hot(label), &domains).unwrap());
            let loss = value(&fused_cross_entropy(logits, &one_hot(label), &domains).unwrap())[0];
            assert!(margins[label].abs() < 1e-5, "the margin over the class itself is {}", margins[label]);
            let mut worst = f64::NEG_INFINITY;
            for x in members(&center, epsilon as f32, &mut rng) {
                let z = logits_at(network, &x);
                worst = worst.max(cross_entropy(&z, label));
                for j in 0..CLASSES {
                    assert!(z[j] - z[label] <= margins[j] + 1e-4, "network {i}, ε = {epsilon}, class {j}");
                }
            }
            assert!(worst <= loss + 1e-4, "network {i}, ε = {epsilon}: the loss reaches {worst}, the bound is {loss}");
            nearest = nearest.min(loss - worst);
            cases += 1;
        }
    }
    assert!(cases == 54 && nearest < 0.01, "at small radii the bound is tight, not {nearest} off");
}

/// Of an affine model the worst margins are reached at corners, and the worst loss too, because it is convex.
#[test]
fn margins_of_an_affine_model_are_exact_and_its_loss_is_bounded_by_chords() {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    for seed in 0..10 {
        let network = network(seed, &[], Expr::relu);
        let (center, label, epsilon) = (vec![0.5; INPUTS], seed as usize % CLASSES, 0.25);
        let domains = domains(&network, &center, epsilon);
        let logits = &network.outputs[0].1;
        let margins = value(&linear_margins(logits, &one_hot(label), &domains).unwrap());
        let loss = value(&fused_cross_entropy(logits, &one_hot(label), &domains).unwrap())[0];
        let corners = &members(&center, epsilon as f32, &mut rng)[..1 << INPUTS];
        let outputs: Vec<Vec<f64>> = corners.iter().map(|x| logits_at(&network, x)).collect();
        for j in 0..CLASSES {
            let worst = outputs.iter().map(|z| z[j] - z[label]).fold(f64::NEG_INFINITY, f64::max);
            assert!((worst - margins[j]).abs() < 1e-5, "{worst} {}", margins[j]);
        }
        let worst = outputs.iter().map(|z| cross_entropy(z, label)).fold(0.0, f64::max);
        assert!(worst <= loss + 1e-5, "{worst} {loss}");
    }
}

#[test]
fn the_certifier_finds_the_same_margins() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    for (i, network) in networks().iter().enumerate() {
        let (center, label, epsilon) = (random_point(&mut rng), i % CLASSES, 0.1);
        let logits = &network.outputs[0].1;
        let walked = value(&linear_margins(logits, &one_hot(label), &domains(network, &center, epsilon)).unwrap());
        let x = point(&center);
        let ball =
            Interval { lo: x.offset(-epsilon).maximum(&x.like(0.0)), hi: x.offset(epsilon).minimum(&x.like(1.0)) };
        let by_intervals = interval_margins(logits, &one_hot(label), &network.inputs[0], &ball).unwrap();
        let by_intervals = value(&by_intervals);
        let better = (0..CLASSES).filter(|&j| j != label).map(|j| walked[j].min(by_intervals[j]));
        let worst = better.fold(f64::NEG_INFINITY, f64::max);
        let settings = Settings { rounding: Rounding::Nearest, ..Settings::default() };
        let certifier = Certifier::new(network, Method::CrownIbp, settings).unwrap();
        let center = Tensor::new([1, INPUTS], center).unwrap();
        let certified = certifier.margins(&center, &[label], &Region::from(epsilon).within(0.0, 1.0)).unwrap()[0];
        assert!((certified + worst).abs() < 1e-4 * (1.0 + worst.abs()), "network {i}: {certified} {worst}");
    }
}

#[test]
fn at_radius_zero_bounds_are_the_loss() {
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    for (i, network) in networks().iter().enumerate() {
        let (x, label) = (random_point(&mut rng), i % CLASSES);
        let loss = fused_cross_entropy(&network.outputs[0].1, &one_hot(label), &domains(network, &x, 0.0)).unwrap();
        let expected = cross_entropy(&logits_at(network, &x), label);
        assert!((value(&loss)[0] - expected).abs() < 1e-4 * (1.0 + expected), "{} {expected}", value(&loss)[0]);
    }
}

/// exp(z) overflows f32 at 89: margins of hundreds must still have a finite bound.
#[test]
fn large_margins_do_not_overflow() {
    let x = Expr::input("x", [1, INPUTS], DType::F32);
    let weights: Vec<f32> = (0..INPUTS * CLASSES).map(|i| if i % CLASSES == 1 { 500.0 } else { -500.0 }).collect();
    let logits = x.matmul(&Expr::constant(Tensor::new([INPUTS, CLASSES], weights).unwrap()));
    let network = Graph::new(vec![x], vec![("logits".into(), logits)]).unwrap();
    let domains = domains(&network, &[0.5; INPUTS], 0.1);
    let loss = value(&fused_cross_entropy(&network.outputs[0].1, &one_hot(0), &domains).unwrap())[0];
    // z₁ − z₀ = 1000·Σ x_i, at most 1000·4·0.6.
    assert!((2400.0..2401.5).contains(&loss), "{loss}");
}

#[test]
fn no_weights_within_reach_exceed_the_bound() {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    for (i, network) in networks().iter().enumerate() {
        let (x, label) = (random_point(&mut rng), i % CLASSES);
        let fixed = |network: &Graph| {
            substitute(&network.output_exprs(), &[(network.inputs[0].clone(), point(&x))]).unwrap().remove(0)
        };
        let weights = network.params();
        for share in [0.0, 0.01, 0.1] {
            let set = |w: &Expr| {
                let radius = w.abs().scale(share);
                (w.clone(), Domain::Box { lo: w.sub(&radius), hi: w.add(&radius) })
            };
            let domains: Vec<(Expr, Domain)> = weights.iter().map(set).collect();
            let bound = value(&fused_cross_entropy(&fixed(network), &one_hot(label), &domains).unwrap())[0];
            for trial in 0..40 {
                let moved = |w: &Expr| {
                    let values = w.value().unwrap().as_slice::<f32>().iter();
                    let factor = |rng: &mut ChaCha8Rng| match trial % 2 {
                        0 => 1.0 + share as f32 * if rng.random_bool(0.5) { 1.0 } else { -1.0 },
                        _ => 1.0 + share as f32 * rng.random_range(-1.0..=1.0f32),
                    };
                    let values: Vec<f32> = values.map(|v| v * factor(&mut rng)).collect();
                    (w.clone(), Expr::constant(Tensor::new(w.shape(), values).unwrap()))
                };
                let pairs: Vec<(Expr, Expr)> = weights.iter().map(moved).collect();
                let logits = value(&substitute(&[fixed(network)], &pairs).unwrap()[0]);
                let loss = cross_entropy(&logits, label);
                assert!(loss <= bound + 1e-4 * (1.0 + bound), "network {i}, share {share}: {loss} above {bound}");
                if share == 0.0 {
                    assert!((loss - bound).abs() < 1e-4 * (1.0 + bound), "network {i}: {loss} {bound}");
                }
            }
        }
    }
}

/// Two blobs of points that are 0.5 apart in every direction.
fn blobs() -> (Tensor, Vec<usize>, Graph) {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let labels: Vec<usize> = (0..200).map(|i| i % 2).collect();
    let mut value = |label: usize| 0.25 + 0.5 * label as f32 + rng.random_range(-0.05..0.05);
    let inputs: Vec<f32> = labels.iter().flat_map(|&l| [value(l), value(l)]).collect();
    let x = Expr::input("x", [1, 2], DType::F32);
    let logits = Layers::new(Initializer::he(0)).mlp(&x, &[16, 16, 2], Expr::relu);
    let network = Graph::new(vec![x], vec![("logits".into(), logits)]).unwrap();
    (Tensor::new([200, 1, 2], inputs).unwrap(), labels, network)
}

fn fit(step: Step, epochs: usize) -> (perturb_nn::Trained, Vec<f64>) {
    let (inputs, labels, _) = blobs();
    let examples = Examples::labelled(inputs, &labels, 2).unwrap();
    let trainer = Trainer { epochs, ..Trainer::with(Adam { learning_rate: 1e-2, ..Adam::default() }) };
    let mut losses = Vec::new();
    let mut watch = |run: &mut perturb_nn::Run| {
        losses.push(run.loss());
        Control::Continue
    };
    let trained = trainer.fit(step, &Shuffled::new(examples, 50).unwrap(), &mut [&mut watch]).unwrap();
    (trained, losses)
}

#[test]
fn training_certifies() {
    let (inputs, labels, network) = blobs();
    for bounded in [Bounded::Margins, Bounded::Loss] {
        let mut step = Step::classifier(&network, 50).unwrap();
        step.apply(&CrownIbpLoss::ramped(&network, 0.15, 0.1, 0.5, bounded)).unwrap();
        let trained = fit(step, 100).0.parameters.bind(&network).unwrap();
        let certifier = Certifier::new(&trained, Method::Ibp, Settings::default()).unwrap();
        let margins = certifier.margins(&inputs, &labels, &Region::from(0.15).within(0.0, 1.0)).unwrap();
        let verified = margins.iter().filter(|m| **m > 0.0).count();
        assert!(verified >= 190, "{bounded:?}: {verified} of 200");
    }
}

/// With β = 0 the method is interval training, and with weights that may not move plain training.
#[test]
fn special_cases_are_the_simpler_methods() {
    let (_, _, network) = blobs();
    let losses = |hook: &dyn perturb_nn::Hook| {
        let mut step = Step::classifier(&network, 50).unwrap();
        step.apply(hook).unwrap();
        fit(step, 10).1
    };
    let never = Ramp { from: 0.0, to: 0.0, start: 0.0, end: 1.0 };
    let crown_ibp = CrownIbpLoss::ramped(&network, 0.1, 0.0, 0.5, Bounded::Margins);
    let pairs = [
        (losses(&IbpLoss::ramped(0.1, 0.0, 0.5)), losses(&CrownIbpLoss { beta: never, ..crown_ibp })),
        (losses(&|_: &mut Step| Ok(())), losses(&WeightLoss { network: network.clone(), relative: never })),
    ];
    for (simple, special) in pairs {
        assert_eq!(simple.len(), 40);
        for (a, b) in simple.iter().zip(&special) {
            assert!((a - b).abs() < 1e-3 * (1.0 + a.abs()), "{a} {b}");
        }
    }
}

#[test]
fn settings_that_make_no_sense_are_errors() {
    let (_, _, network) = blobs();
    let base = || CrownIbpLoss::ramped(&network, 0.1, 0.0, 1.0, Bounded::Loss);
    let ramp = |to: f64| Ramp { from: 0.0, to, start: 0.0, end: 1.0 };
    for bad in [
        CrownIbpLoss { epsilon: ramp(-0.1), ..base() },
        CrownIbpLoss { beta: ramp(1.5), ..base() },
        CrownIbpLoss { kappa: ramp(f64::NAN), ..base() },
        CrownIbpLoss { limits: (1.0, 0.0), ..base() },
    ] {
        assert!(Step::classifier(&network, 4).unwrap().apply(&bad).is_err());
    }
    let weights = WeightLoss { network: network.clone(), relative: ramp(-0.01) };
    assert!(Step::classifier(&network, 4).unwrap().apply(&weights).is_err());
    let logits = Expr::input("logits", [2, CLASSES], DType::F32);
    assert!(fused_cross_entropy(&logits, &one_hot(0), &[]).is_err());
    assert!(linear_margins(&logits, &one_hot(0), &[]).is_err());
}
