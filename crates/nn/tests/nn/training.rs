//! Training against what it promises.

use perturb_engine::{Executable, Options};
use perturb_graph::{DType, Expr, Graph, Interval, Rounding, Tensor, interval};
use perturb_nn::{
    Adam, Callback, Control, EarlyStopping, Evaluator, Examples, Hook, Initializer, IntervalLoss, Layers, Run,
    Shuffled, Step, TrainError, Trainer, Without, losses, recipe,
};

/// Points in the unit square, labelled by which side of a circle they are on.
fn circle(n: usize, seed: u64) -> (Tensor, Vec<usize>) {
    let points: Vec<f32> = recipe(seed, [n, 2], 0.5).as_slice::<f32>().iter().map(|v| v + 0.5).collect();
    let inside = |p: &[f32]| usize::from((p[0] - 0.5).powi(2) + (p[1] - 0.5).powi(2) < 0.16);
    let labels = points.chunks(2).map(inside).collect();
    (Tensor::new([n, 1, 2], points).unwrap(), labels)
}

fn network() -> Graph {
    let x = Expr::input("x", [1, 2], DType::F32);
    let logits = Layers::new(Initializer::he(4)).mlp(&x, &[32, 32, 2], Expr::relu);
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

fn trainer() -> Trainer {
    Trainer { epochs: 20, ..Trainer::with(Adam { learning_rate: 1e-2, ..Adam::default() }) }
}

fn batches(points: &Tensor, labels: &[usize]) -> Shuffled {
    Shuffled::new(Examples::labelled(points.clone(), labels, 2).unwrap(), 64).unwrap()
}

fn fit(hooks: &[&dyn Hook], callbacks: &mut [&mut dyn Callback]) -> Graph {
    let (points, labels) = circle(1024, 1);
    let mut step = Step::classifier(&network(), 64).unwrap();
    hooks.iter().for_each(|hook| step.apply(*hook).unwrap());
    let trained = trainer().fit(step, &batches(&points, &labels), callbacks).unwrap();
    trained.parameters.bind(&network()).unwrap()
}

#[test]
fn training_learns_what_the_data_say_and_repeats_itself() {
    let mut reports = Vec::new();
    let trained = fit(
        &[],
        &mut [&mut |run: &mut Run| {
            reports.push((run.loss(), run.report("accuracy").unwrap()));
            Control::Continue
        }],
    );
    let again = fit(&[], &mut []);
    for (a, b) in trained.params().iter().zip(again.params()) {
        assert_eq!(a.value(), b.value(), "the same seed gives the same weights");
    }
    let (first, last) = (reports[0], reports[reports.len() - 1]);
    assert_eq!(reports.len(), 20 * 16);
    assert!(last.0 < 0.3 * first.0 && last.1 > 0.9, "{first:?} to {last:?}");
    let (unseen, truth) = circle(500, 9);
    let before = rates(&network(), &unseen, &truth, 0.0).0;
    let after = rates(&trained, &unseen, &truth, 0.0).0;
    assert!(after > 0.93 && after > before + 0.2, "{before} to {after}");
}

#[test]
fn interval_loss_buys_certificates() {
    let (unseen, truth) = circle(500, 9);
    let proved = |hooks: &[&dyn Hook]| rates(&fit(hooks, &mut []), &unseen, &truth, 0.04).1;
    let (without, with) = (proved(&[]), proved(&[&IntervalLoss { epsilon: 0.04, weight: 0.7, ramp: 0.5 }]));
    assert!(with > without + 0.2, "{without} without, {with} with interval loss");
}

#[test]
fn interval_loss_of_a_linear_model_is_that_of_the_worst_point() {
    // Two classes, logits ±w·x: the worst margin in the ball is the margin less 2ε|w|.
    let x = Expr::input("x", [1, 1], DType::F64);
    let w = crate::param("w", &[1, 2], &[0.8, -0.8]);
    let graph = Graph::new(vec![x.clone()], vec![("logits".into(), x.matmul(&w))]).unwrap();
    let mut step = Step::classifier(&graph, 1).unwrap();
    step.apply(&IntervalLoss { epsilon: 0.1, weight: 0.25, ramp: 0.0 }).unwrap();
    let examples = Examples::labelled(crate::tensor(&[1, 1], &[0.5]), &[0], 2).unwrap();
    let trained = trainer().fit(step, &Shuffled::new(examples, 1).unwrap(), &mut [&mut |_: &mut Run| Control::Stop]);
    let loss = |margin: f64| (-margin).exp().ln_1p();
    crate::assert_close(&[trained.unwrap().loss], &[0.75 * loss(0.8) + 0.25 * loss(0.64)], 1e-12);
}

#[test]
fn early_stopping_puts_the_best_parameters_back() {
    // A loss of w: w falls by 0.1 in each of two steps of an epoch. The score peaks at w = 0.6.
    let mut step = Step::with_dtype(DType::F64);
    step.minimize(crate::param("w", &[1], &[1.0]));
    let value = |run: &Run| run.variable("w").map(|t| t.to_f64_vec()[0]).unwrap();
    let mut stopping = EarlyStopping::new(1, move |run| Ok(-(value(run) - 0.6).abs()));
    let sgd = perturb_nn::Sgd { learning_rate: 0.1, ..perturb_nn::Sgd::default() };
    let trained = Trainer { epochs: 10, ..Trainer::with(sgd) }.fit(step, &Without(2), &mut [&mut stopping]).unwrap();
    // Epochs end at 0.8, 0.6, 0.4, 0.2: two without a new best.
    assert_eq!(trained.steps, 8);
    crate::assert_close(&trained.parameters.get("w").unwrap().to_f64_vec(), &[0.6], 1e-12);
    crate::assert_close(&[stopping.best()], &[0.0], 1e-12);
}

#[test]
fn validation_sees_every_example_once() {
    // 10 examples in batches of 4.
    let x = Expr::input("x", [4, 1], DType::F64);
    let w = crate::param("w", &[1, 1], &[2.0]);
    let evaluator = Evaluator::new(&[x.clone()], &[losses::mse(&x.matmul(&w), &x.like(0.0)), x.matmul(&w)]).unwrap();
    let values: Vec<f64> = (0..10).map(f64::from).collect();
    let examples = Examples::new("x", crate::tensor(&[10, 1], &values)).unwrap();
    let outputs = evaluator.outputs(&Default::default(), &examples).unwrap();
    assert_eq!(outputs[0].to_f64_vec(), values.iter().map(|v| 4.0 * v * v).collect::<Vec<_>>());
    assert_eq!(outputs[1].shape()[..], [10, 1]);
    let other = [("w".to_string(), crate::tensor(&[1, 1], &[3.0]))].into_iter().collect();
    assert_eq!(evaluator.outputs(&other, &examples).unwrap()[1].to_f64_vec()[9], 27.0);
}

#[test]
fn an_epoch_shows_every_example_once_in_another_order() {
    let mut step = Step::with_dtype(DType::F64);
    let x = step.input("x", [2], DType::F64);
    let index = step.input("index", [2], DType::I64);
    step.minimize(crate::param("w", &[1], &[1.0]).mul(&x));
    step.report("index", &index.cast(DType::F64));
    let values: Vec<f64> = (0..6).map(f64::from).collect();
    let examples = Examples::new("x", crate::tensor(&[6], &values)).unwrap();
    let (mut sums, mut means) = (Vec::new(), Vec::new());
    let idle = perturb_nn::Sgd { learning_rate: 0.0, ..perturb_nn::Sgd::default() };
    let trainer = Trainer { epochs: 3, ..Trainer::with(idle) };
    trainer
        .fit(
            step,
            &Shuffled::new(examples, 2).unwrap(),
            &mut [&mut |run: &mut Run| {
                sums.push(2.0 * run.loss());
                means.push(2.0 * run.report("index").unwrap());
                Control::Continue
            }],
        )
        .unwrap();
    assert_eq!(sums, means, "the value of each example is its index");
    assert!(sums.chunks(3).all(|epoch| epoch.iter().sum::<f64>() == 15.0), "{sums:?}");
    assert!(sums[..3] != sums[3..6] || sums[3..6] != sums[6..], "{sums:?}");
}

#[test]
fn data_that_do_not_fit_are_errors() {
    let (points, labels) = circle(100, 1);
    let error = |points: &Tensor, labels: &[usize]| -> TrainError {
        let fit = || {
            let batches = Shuffled::new(Examples::labelled(points.clone(), labels, 2)?, 64)?;
            trainer().fit(Step::classifier(&network(), 64)?, &batches, &mut [])
        };
        fit().err().unwrap()
    };
    assert!(error(&points, &[7; 100]).to_string().contains("label 7 of example 0"));
    assert!(error(&points, &labels[..50]).to_string().contains("50 labels"));
    assert!(error(&points.rows(0, 10), &labels[..10]).to_string().contains("batches of 64"));
    let wide = recipe(1, [100, 1, 3], 1.0);
    assert!(error(&wide, &labels).to_string().contains("examples f32[1, 3] of 'input' do not fill f32[64, 1, 2]"));
}

#[test]
fn a_loss_that_is_no_number_is_an_error() {
    let mut step = Step::with_dtype(DType::F64);
    step.minimize(crate::param("w", &[1], &[1.0]).square());
    let steep = perturb_nn::Sgd { learning_rate: 1e200, ..perturb_nn::Sgd::default() };
    let error = Trainer::with(steep).fit(step, &Without(10), &mut []).err().unwrap();
    assert!(matches!(error, TrainError::Diverged { step: 2 | 3, .. }), "{error}");
}

#[test]
fn an_ensemble_is_its_members() {
    // Dropout, so that the members' random numbers count, too.
    let member = |seed: u64| {
        let mut step = Step::with_dtype(DType::F64);
        let x = step.input("x", [4, 2], DType::F64);
        let layers = Layers::new(Initializer::he(seed)).dtype(DType::F64).training(step.key());
        let h = layers.dropout(&layers.at("fc1").linear(&x, 8).tanh(), 0.5);
        step.minimize(losses::mse(&layers.at("fc2").linear(&h, 1), &x.slice_axis(1, 0, 1)));
        (step, perturb_nn::Parameters::of_leaves(&layers.parameters()))
    };
    // Always the same batch, whose order a seed would change.
    let fit = |step: Step, seed: u64| {
        let mut run = Trainer { seed, ..trainer() }.start(step, 5).unwrap();
        let mut batch = run.batch();
        *batch.tensor("x").unwrap() = recipe(3, [4, 2], 1.0).to_dtype(DType::F64);
        (0..5).for_each(|_| assert!(run.advance(&batch).unwrap() > 0.0));
        run.variables()
    };
    let alone = [(11, 5), (12, 6)].map(|(init, seed)| fit(member(init).0, seed));
    let (mut step, first) = member(11);
    step.ensemble(vec![first, member(12).1]);
    let together = fit(step, 5);
    for (i, alone) in alone.iter().enumerate() {
        for (name, value) in alone.iter() {
            let found = together.member(i).get(name).unwrap().to_f64_vec();
            crate::assert_close(&found, &value.to_f64_vec(), 1e-12);
        }
    }
}

#[test]
fn an_error_of_the_data_ends_the_run() {
    struct Failing;
    impl perturb_nn::Batches for Failing {
        fn steps(&self) -> usize {
            100
        }
        fn fill(&self, at: perturb_nn::Position, _: &mut perturb_nn::Batch) -> Result<(), TrainError> {
            if at.step < 7 { Ok(()) } else { Err(TrainError::Data("the disk is gone".into())) }
        }
    }
    let mut step = Step::with_dtype(DType::F64);
    step.minimize(crate::param("w", &[1], &[1.0]).square());
    let mut taken = 0;
    let mut count = |run: &mut Run| {
        taken = run.step();
        Control::Continue
    };
    let error = trainer().fit(step, &Failing, &mut [&mut count]).unwrap_err().to_string();
    assert_eq!((taken, error.as_str()), (7, "the disk is gone"));
}
