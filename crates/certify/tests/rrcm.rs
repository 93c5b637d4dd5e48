//! Robust representation consistency against closed forms, and from pre-training to certificates.

use perturb_certify::represent::rrcm::{FineTune, NoiseLevels, Pretrain, classifier, info_nce};
use perturb_certify::{NoisyClassifier, Smoothed};
use perturb_graph::{DType, Expr, Graph, Tensor, eval, grad};
use perturb_nn::{Adam, Control, Examples, Initializer, Key, Layers, Shuffled, Step, Trained, Trainer};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const FEATURES: usize = 6;
const BATCH: usize = 50;

fn value(expr: &Expr) -> Vec<f64> {
    eval(std::slice::from_ref(expr), &[]).unwrap()[0].to_f64_vec()
}

fn constant(shape: [usize; 2], seed: u64) -> Tensor {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    Tensor::new(shape, (0..shape[0] * shape[1]).map(|_| rng.random_range(-1.0..1.0f32)).collect()).unwrap()
}

#[test]
fn levels_follow_their_formula() {
    let levels = NoiseLevels::default();
    let n = 20;
    let positions = Tensor::new([n], (0..n).map(|i| i as f32 / (n - 1) as f32).collect()).unwrap();
    let found = value(&levels.at(&Expr::constant(positions)));
    for (i, found) in found.iter().enumerate() {
        let (a, b) = (80f64.powf(1.0 / 7.0), 0.002f64.powf(1.0 / 7.0));
        let expected = (a + i as f64 / (n - 1) as f64 * (b - a)).powi(7);
        assert!((found / expected - 1.0).abs() < 1e-4, "{found} {expected}");
    }
}

#[test]
fn contrast_by_definition() {
    let (n, width, temperature) = (5, 3, 0.2);
    let (a, b) = (constant([n, width], 1), constant([n, width], 2));
    let loss = info_nce(&Expr::constant(a.clone()), &Expr::constant(b.clone()), temperature).unwrap();
    let cosine = |i: usize, j: usize| {
        let (u, v) = (a.rows(i, i + 1).to_f64_vec(), b.rows(j, j + 1).to_f64_vec());
        let dot = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
        dot(&u, &v) / (dot(&u, &u) * dot(&v, &v)).sqrt()
    };
    for (i, found) in value(&loss).into_iter().enumerate() {
        let total: f64 = (0..n).map(|j| (cosine(i, j) / temperature).exp()).sum();
        let expected = total.ln() - cosine(i, i) / temperature;
        assert!((found - expected).abs() < 1e-5, "{found} {expected}");
    }
    // Targets get no derivative.
    let (x, y) = (Expr::param("x", a), Expr::param("y", b));
    let gradients = grad(&info_nce(&x, &y, temperature).unwrap().sum(), &[x, y]).unwrap();
    let largest = |e: &Expr| value(e).into_iter().map(f64::abs).fold(0.0, f64::max);
    assert!(largest(&gradients[0]) > 0.1 && largest(&gradients[1]) == 0.0);
    assert!(info_nce(&Expr::input("z", [3], DType::F32), &Expr::input("z", [3], DType::F32), 1.0).is_err());
}

fn encode(layers: &Layers, x: &Expr, level: &Expr) -> Expr {
    layers.at("encoder").mlp(&Expr::concat(&[x.clone(), level.clone()], 1), &[32, 16], Expr::relu)
}

fn augment(x: &Expr, key: &Key) -> Expr {
    x.add(&key.uniform([BATCH, 1], DType::F32).scale(0.05).broadcast_to(x.shape()))
}

/// Three classes around random centres.
fn data() -> (Tensor, Vec<usize>) {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let centers: Vec<Vec<f32>> =
        (0..3).map(|_| (0..FEATURES).map(|_| rng.random_range(-1.0..1.0f32)).collect()).collect();
    let labels: Vec<usize> = (0..600).map(|i| i % 3).collect();
    let values = labels.iter().flat_map(|&l| centers[l].clone()).map(|v| v + rng.random_range(-0.1..0.1f32)).collect();
    (Tensor::new([600, 1, FEATURES], values).unwrap(), labels)
}

fn fit(step: Step, examples: Examples, epochs: usize, watch: &mut dyn FnMut(&perturb_nn::Run)) -> Trained {
    let trainer = Trainer { epochs, ..Trainer::with(Adam { learning_rate: 3e-3, ..Adam::default() }) };
    let mut callback = |run: &mut perturb_nn::Run| {
        watch(run);
        Control::Continue
    };
    trainer.fit(step, &Shuffled::new(examples, BATCH).unwrap(), &mut [&mut callback]).unwrap()
}

#[test]
fn from_pretraining_to_certificates() {
    let (inputs, labels) = data();
    let layers = Layers::new(Initializer::he(0));
    let pretrain = Pretrain { levels: NoiseLevels { largest: 2.0, smallest: 0.01, rho: 7.0 }, ..Pretrain::default() };
    let step = pretrain.step(&layers, &encode, &[BATCH, FEATURES], &augment).unwrap();
    let flat = inputs.reshape([labels.len(), FEATURES]).unwrap();
    let mut losses = Vec::new();
    let examples = Examples::new("input", flat).unwrap();
    let trained = fit(step, examples, 20, &mut |run| losses.push(run.report("consistency").unwrap()));
    let mean = |of: &[f64]| of.iter().sum::<f64>() / of.len() as f64;
    let (first, last) = (mean(&losses[..10]), mean(&losses[losses.len() - 10..]));
    assert!(last < 0.8 * first, "{first} {last}");
    assert!(trained.variables.iter().any(|(name, _)| name.starts_with("ema.encoder")));

    let sigma = 0.5;
    let graph = classifier(&layers, &encode, &[1, FEATURES], 3, sigma).unwrap();
    let graph = trained.parameters.bind(&graph).unwrap();
    let mut step = Step::classifier(&graph, BATCH).unwrap();
    step.apply(&FineTune { sigma, consistency: 5.0 }).unwrap();
    let examples = Examples::labelled(inputs.clone(), &labels, 3).unwrap();
    let graph = fit(step, examples, 10, &mut |_| ()).parameters.bind(&graph).unwrap();
    let smoothed = Smoothed { sigma, n: 500, ..Smoothed::default() };
    let model = NoisyClassifier::new(&graph, 100).unwrap();
    let certificates = (0..30).map(|i| smoothed.certify(&model, &inputs.rows(i, i + 1), i as u64).unwrap());
    let right = certificates.zip(&labels).filter(|(c, l)| c.class == Some(**l) && c.radius > 0.2).count();
    assert!(right >= 27, "{right} of 30");
}

/// Where the noise changes nothing, two draws agree and the loss is the cross-entropy; the weight of agreement is without
/// effect then, and only then.
#[test]
fn agreement_is_what_separates_draws() {
    let (inputs, labels) = data();
    let losses = |factor: f64, consistency: f64| {
        let x = Expr::input("x", [1, FEATURES], DType::F32);
        let logits = Layers::new(Initializer::he(1)).at("head").linear(&x.scale(factor), 3);
        let graph = Graph::new(vec![x], vec![("logits".into(), logits)]).unwrap();
        let mut step = Step::classifier(&graph, BATCH).unwrap();
        step.apply(&FineTune { sigma: 0.5, consistency }).unwrap();
        let mut losses = Vec::new();
        let examples = Examples::labelled(inputs.clone(), &labels, 3).unwrap();
        fit(step, examples, 1, &mut |run| losses.push(run.loss()));
        losses[0]
    };
    assert!((losses(0.0, 0.0) - 3f64.ln()).abs() < 1e-5);
    assert!((losses(0.0, 50.0) - 3f64.ln()).abs() < 1e-5);
    let (without, once, twice) = (losses(1.0, 0.0), losses(1.0, 1.0), losses(1.0, 2.0));
    assert!(once > without + 1e-3, "{without} {once}");
    assert!((twice - without - 2.0 * (once - without)).abs() < 1e-5, "the term is linear in its weight");
}

#[test]
fn settings_that_make_no_sense_are_errors() {
    let layers = Layers::new(Initializer::he(0));
    let step = |p: &Pretrain| p.step(&layers, &encode, &[BATCH, FEATURES], &augment);
    let base = Pretrain::default();
    for bad in [
        Pretrain { counts: (1, 10), ..base },
        Pretrain { counts: (10, 5), ..base },
        Pretrain { temperature: 0.0, ..base },
        Pretrain { decay: 1.5, ..base },
        Pretrain { levels: NoiseLevels { smallest: 0.0, ..base.levels }, ..base },
        Pretrain { levels: NoiseLevels { largest: 0.001, ..base.levels }, ..base },
        Pretrain { levels: NoiseLevels { rho: f64::NAN, ..base.levels }, ..base },
    ] {
        assert!(step(&bad).is_err(), "{bad:?}");
    }
    let graph = |sigma| classifier(&layers, &encode, &[1, FEATURES], 3, sigma);
    assert!(graph(0.0).is_err() && graph(f64::NAN).is_err());
    let graph = graph(0.5).unwrap();
    for bad in [FineTune { sigma: -1.0, consistency: 0.0 }, FineTune { sigma: 0.5, consistency: -1.0 }] {
        assert!(Step::classifier(&graph, 4).unwrap().apply(&bad).is_err());
    }
}
