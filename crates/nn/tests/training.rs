//! The optimizer against its definition, and training against what it promises.

use perturb_engine::{Executable, Options};
use perturb_graph::{DType, Expr, Graph, Interval, Rounding, Tensor, interval};
use perturb_nn::{Adam, Initializer, IntervalLoss, Layers, Trainer, fit_classifier, recipe};

#[test]
fn adam_follows_algorithm_1_of_the_paper() {
    let adam = Adam { learning_rate: 0.1, beta1: 0.8, beta2: 0.9, epsilon: 1e-8 };
    let p = Expr::param("p", Tensor::new([1], vec![1.0]).unwrap());
    let g = Expr::input("g", [1], DType::F64);
    let state = adam.updates(&[p], &[g.clone()]);
    let initial: Vec<Tensor> = state.iter().map(|(v, _)| v.value().unwrap().clone()).collect();
    let step = Executable::compile_with_state(&[], &[g], &state, &Options::default()).unwrap();
    let mut session = step.session(&initial).unwrap();
    let mut expected = (1.0, 0.0, 0.0);
    for t in 1..=20 {
        let gradient = (t as f64 * 0.7).sin();
        session.run(&[&Tensor::new([1], vec![gradient]).unwrap()]).unwrap();
        // The algorithm as printed, with both moments corrected.
        expected.1 = 0.8 * expected.1 + 0.2 * gradient;
        expected.2 = 0.9 * expected.2 + 0.1 * gradient * gradient;
        let (m_hat, v_hat) = (expected.1 / (1.0 - 0.8f64.powi(t)), expected.2 / (1.0 - 0.9f64.powi(t)));
        expected.0 -= 0.1 * m_hat / (v_hat.sqrt() + 1e-8);
        let found = session.variable(0).as_slice::<f64>()[0];
        assert!((found - expected.0).abs() < 1e-6, "step {t}: {found} instead of {}", expected.0);
    }
}

/// Points in the unit square, labelled by which side of a circle they are on.
fn circle(n: usize, seed: u64) -> (Tensor, Vec<usize>) {
    let points: Vec<f32> = recipe(seed, [n, 2], 0.5).as_slice::<f32>().iter().map(|v| v + 0.5).collect();
    let inside = |p: &[f32]| usize::from((p[0] - 0.5).powi(2) + (p[1] - 0.5).powi(2) < 0.16);
    let labels = points.chunks(2).map(inside).collect();
    (Tensor::new([n, 1, 2], points).unwrap(), labels)
}

fn network() -> Graph {
    let mut layers = Layers::new(Initializer::He { seed: 4 });
    let x = Expr::input("x", [1, 2], DType::F32);
    let h = layers.linear(&x, 32).relu();
    let h = layers.linear(&h, 32).relu();
    let logits = layers.linear(&h, 2);
    Graph::new(vec![x], vec![("logits".into(), logits)]).unwrap()
}

/// Share of points whose logits are right, and whose intervals prove it for a radius.
fn rates(graph: &Graph, points: &Tensor, labels: &[usize], radius: f64) -> (f64, f64) {
    let (x, z) = (graph.inputs[0].clone(), graph.outputs[0].1.clone());
    let ball = Interval { lo: x.offset(-radius), hi: x.offset(radius) };
    let bounds = interval(&[z.clone()], &[(x.clone(), ball)], Rounding::Outward).remove(0);
    let exe = Executable::compile(&[z, bounds.lo, bounds.hi], &[x], &Options::default()).unwrap();
    let (mut right, mut proved) = (0.0, 0.0);
    for (i, &label) in labels.iter().enumerate() {
        let out = exe.run(&[&points.rows(i, i + 1).reshape([1, 2]).unwrap()]).unwrap();
        let at = |k: usize, class: usize| out[k].as_slice::<f32>()[class];
        right += f64::from(u8::from(at(0, label) > at(0, 1 - label)));
        proved += f64::from(u8::from(at(1, label) > at(2, 1 - label)));
    }
    (right / labels.len() as f64, proved / labels.len() as f64)
}

#[test]
fn training_learns_what_the_data_say_and_repeats_itself() {
    let (points, labels) = circle(1024, 1);
    let trainer = Trainer { adam: Adam { learning_rate: 1e-2, ..Adam::default() }, epochs: 20, ..Trainer::default() };
    let mut losses = Vec::new();
    let trained = fit_classifier(&network(), &points, &labels, &trainer, |_, _, loss| losses.push(loss)).unwrap();
    let again = fit_classifier(&network(), &points, &labels, &trainer, |_, _, _| {}).unwrap();
    for (a, b) in trained.params().iter().zip(again.params()) {
        assert_eq!(a.value(), b.value(), "the same seed gives the same weights");
    }
    assert!(losses[losses.len() - 1] < 0.3 * losses[0], "{} to {}", losses[0], losses[losses.len() - 1]);
    let (unseen, truth) = circle(500, 9);
    let before = rates(&network(), &unseen, &truth, 0.0).0;
    let after = rates(&trained, &unseen, &truth, 0.0).0;
    assert!(after > 0.93 && after > before + 0.2, "{before} to {after}");
}

#[test]
fn interval_loss_buys_certificates() {
    let (points, labels) = circle(1024, 1);
    let plain = Trainer { adam: Adam { learning_rate: 1e-2, ..Adam::default() }, epochs: 20, ..Trainer::default() };
    let certified = Some(IntervalLoss { epsilon: 0.04, weight: 0.7, ramp: 0.5 });
    let certified = Trainer { certified, ..plain.clone() };
    let (unseen, truth) = circle(500, 9);
    let proved = |trainer: &Trainer| {
        let trained = fit_classifier(&network(), &points, &labels, trainer, |_, _, _| {}).unwrap();
        rates(&trained, &unseen, &truth, 0.04).1
    };
    let (without, with) = (proved(&plain), proved(&certified));
    assert!(with > without + 0.2, "{without} without, {with} with interval loss");
}

#[test]
fn data_that_do_not_fit_are_errors() {
    let (points, labels) = circle(100, 1);
    let fit = |points: &Tensor, labels: &[usize]| {
        fit_classifier(&network(), points, labels, &Trainer::default(), |_, _, _| {}).err().unwrap().to_string()
    };
    assert!(fit(&points, &[7; 100]).contains("label 7"));
    assert!(fit(&points, &labels[..50]).contains("50 labels"));
    assert!(fit(&points.rows(0, 10), &labels[..10]).contains("batches of 64"));
}
