//! Losses of certified training against closed forms and the certifier.

use perturb_certify::train::{IbpLoss, interval_margins};
use perturb_certify::{Certifier, Method, Region, Settings};
use perturb_graph::{Conv, DType, Expr, Graph, Interval, Rounding, Tensor, eval};
use perturb_nn::{Adam, Examples, Initializer, Layers, Ramp, Shuffled, Step, Trainer, flatten};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const EPSILON: f64 = 0.05;

fn images(n: usize, shape: &[usize]) -> Tensor {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let shape = [&[n], shape].concat();
    let count = shape.iter().product();
    Tensor::new(shape, (0..count).map(|_| rng.random_range(0.0..1.0f32)).collect()).unwrap()
}

/// The margins of `network` on a batch, with the centres as a free input.
fn margins(network: &Graph, inputs: &Tensor, labels: &[usize]) -> Vec<f64> {
    let batched = network.vmap(labels.len()).unwrap();
    let (x, logits) = (&batched.inputs[0], &batched.outputs[0].1);
    let classes = logits.shape()[logits.rank() - 1];
    let logits = logits.reshape([labels.len(), classes]);
    let labels = Tensor::new([labels.len()], labels.iter().map(|&l| l as i64).collect()).unwrap();
    let targets = Expr::constant(labels).one_hot(classes, DType::F32);
    let radius = x.like(EPSILON);
    let ball = Interval { lo: x.sub(&radius).maximum(&x.like(0.0)), hi: x.add(&radius).minimum(&x.like(1.0)) };
    let upper = interval_margins(&logits, &targets, x, &ball).unwrap();
    eval(&[upper], &[(x.clone(), inputs.clone())]).unwrap()[0].to_f64_vec()
}

/// Worst margins, as the certifier bounds them with the same elision.
fn agree_with_certifier(network: &Graph, example: &[usize]) {
    let labels = [0usize, 1, 2, 1];
    let inputs = images(labels.len(), example);
    let upper = margins(network, &inputs, &labels);
    let settings = Settings { rounding: Rounding::Nearest, ..Settings::default() };
    let certifier = Certifier::new(network, Method::Ibp, settings).unwrap();
    let region = Region::from(EPSILON).within(0.0, 1.0);
    let certified = certifier.margins(&inputs, &labels, &region).unwrap();
    for ((row, &label), certified) in upper.chunks_exact(3).zip(&labels).zip(certified) {
        assert_eq!(row[label], 0.0);
        let others = (0..3).filter(|&j| j != label).map(|j| row[j]).fold(f64::NEG_INFINITY, f64::max);
        assert!((others + certified).abs() < 1e-5, "{others} {certified}");
    }
}

#[test]
fn margins_are_those_of_the_certifier() {
    let x = Expr::input("x", [1, 6], DType::F32);
    let layers = Layers::new(Initializer::he(3));
    let logits = layers.mlp(&x, &[8, 8, 3], Expr::relu);
    agree_with_certifier(&Graph::new(vec![x.clone()], vec![("logits".into(), logits)]).unwrap(), &[1, 6]);
    // Two affine layers at the end, and one that the input reaches past the nonlinearity.
    let layers = Layers::new(Initializer::he(4));
    let hidden = layers.at("a").linear(&x, 8).tanh();
    let skip = layers.at("b").linear(&x, 5);
    let logits = layers.at("d").linear(&layers.at("c").linear(&hidden, 5).add(&skip), 3);
    agree_with_certifier(&Graph::new(vec![x], vec![("logits".into(), logits)]).unwrap(), &[1, 6]);
}

#[test]
fn margins_of_a_convolutional_network() {
    let x = Expr::input("x", [1, 1, 6, 6], DType::F32);
    let layers = Layers::new(Initializer::he(5));
    let h = layers.at("conv").conv2d(&x, 4, 3, Conv::default().stride(2)).relu();
    let logits = layers.at("fc").linear(&flatten(&h), 3);
    agree_with_certifier(&Graph::new(vec![x], vec![("logits".into(), logits)]).unwrap(), &[1, 1, 6, 6]);
}

/// `z_j − z_y + ε·‖w_j − w_y‖₁` away from the limits.
#[test]
fn margins_of_a_linear_model() {
    let x = Expr::input("x", [1, 2], DType::F32);
    let weights = Tensor::new([2, 3], vec![1.0f32, -2.0, 0.5, 0.25, 3.0, -1.0]).unwrap();
    let logits = x.matmul(&Expr::constant(weights));
    let network = Graph::new(vec![x], vec![("logits".into(), logits)]).unwrap();
    let found = margins(&network, &Tensor::new([1, 1, 2], vec![0.5f32, 0.25]).unwrap(), &[0]);
    let (z, distances) = ([0.5625, -0.25, 0.0], [0.0, 3.0 + 2.75, 0.5 + 1.25]);
    for j in 0..3 {
        assert!((found[j] - (z[j] - z[0] + EPSILON * distances[j])).abs() < 1e-6, "{found:?}");
    }
}

/// Two blobs of points that are 0.5 apart in every direction: certified training certifies most of them at ε = 0.15.
#[test]
fn training_certifies() {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let labels: Vec<usize> = (0..200).map(|i| i % 2).collect();
    let mut value = |label: usize| 0.25 + 0.5 * label as f32 + rng.random_range(-0.05..0.05);
    let inputs: Vec<f32> = labels.iter().flat_map(|&l| [value(l), value(l)]).collect();
    let inputs = Tensor::new([200, 1, 2], inputs).unwrap();
    let x = Expr::input("x", [1, 2], DType::F32);
    let logits = Layers::new(Initializer::he(0)).mlp(&x, &[16, 16, 2], Expr::relu);
    let network = Graph::new(vec![x], vec![("logits".into(), logits)]).unwrap();
    let mut step = Step::classifier(&network, 50).unwrap();
    step.apply(&IbpLoss::ramped(0.15, 0.1, 0.5)).unwrap();
    let examples = Examples::labelled(inputs.clone(), &labels, 2).unwrap();
    let trainer = Trainer { epochs: 100, ..Trainer::with(Adam { learning_rate: 1e-2, ..Adam::default() }) };
    let mut last = 0.0;
    let mut watch = |run: &mut perturb_nn::Run| {
        last = run.report("verified").unwrap();
        perturb_nn::Control::Continue
    };
    let trained = trainer.fit(step, &Shuffled::new(examples, 50).unwrap(), &mut [&mut watch]).unwrap();
    let network = trained.parameters.bind(&network).unwrap();
    let certifier = Certifier::new(&network, Method::Ibp, Settings::default()).unwrap();
    let margins = certifier.margins(&inputs, &labels, &Region::from(0.15).within(0.0, 1.0)).unwrap();
    let verified = margins.iter().filter(|m| **m > 0.0).count();
    assert!(verified >= 190 && last > 0.9, "{verified} of 200, reported {last}");
}

#[test]
fn settings_that_make_no_sense_are_errors() {
    let x = Expr::input("x", [1, 2], DType::F32);
    let logits = Layers::new(Initializer::he(0)).mlp(&x, &[2], Expr::relu);
    let network = Graph::new(vec![x], vec![("logits".into(), logits)]).unwrap();
    let base = IbpLoss::ramped(0.1, 0.0, 1.0);
    for bad in [
        IbpLoss { epsilon: Ramp { to: -0.1, ..base.epsilon }, ..base },
        IbpLoss { kappa: Ramp { from: 1.5, ..base.kappa }, ..base },
        IbpLoss { limits: (1.0, 0.0), ..base },
    ] {
        assert!(Step::classifier(&network, 4).unwrap().apply(&bad).is_err(), "{bad:?}");
    }
}
