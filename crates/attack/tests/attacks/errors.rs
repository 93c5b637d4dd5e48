//! Bad input gives an error that names it.

use crate::networks::{examples, random};
use perturb_attack::{
    Apgd, ApgdT, Ascent, Attack, AttackError, AutoAttack, Ball, Classifier, Criterion, DeepFool, Diversity, Fab, Fgsm,
    Norm, Pgd, Seed, Smoothing, Square, Version,
};
use perturb_graph::{DType, Expr, Graph, Tensor};

fn ball(norm: Norm) -> Ball {
    Ball::new(norm, 0.1, (0.0, 1.0)).unwrap()
}

fn run(attack: &dyn Attack, inputs: &Tensor, labels: &[usize], ball: &Ball) -> AttackError {
    let model = Classifier::new(&random(1, &[6]), 4).unwrap();
    let criterion = Criterion::Misclassify { labels: labels.to_vec() };
    attack.run(&model, inputs, &criterion, ball, &Seed::new(0, 0)).unwrap_err()
}

#[test]
fn inputs_and_labels_are_checked() {
    let inputs = examples(1, 2, &[6], 0.0, 1.0);
    let linf = ball(Norm::Linf);
    assert!(matches!(run(&Fgsm, &inputs, &[0], &linf), AttackError::ClassCount { classes: 1, examples: 2 }));
    let error = run(&Fgsm, &inputs, &[0, 5], &linf);
    assert!(matches!(error, AttackError::ClassRange { row: 1, class: 5, classes: 5 }), "{error}");
    assert!(error.to_string().contains("classes 0 to 4"));
    for bad in [f32::NAN, f32::INFINITY, 1.5, -0.1] {
        let mut inputs = inputs.clone();
        inputs.as_mut_slice::<f32>()[8] = bad;
        let error = run(&Pgd::default(), &inputs, &[0, 0], &linf);
        assert!(matches!(error, AttackError::OutOfBounds { row: 1, position: 2, .. }), "{error}");
    }
    for wrong in [examples(1, 2, &[7], 0.0, 1.0), inputs.to_dtype(DType::F64), Tensor::full([6], 0.5f32)] {
        assert!(matches!(run(&Square::default(), &wrong, &[0, 0], &linf), AttackError::Inputs { .. }));
    }
}

#[test]
fn hyperparameters_and_norms_are_checked() {
    let inputs = examples(1, 1, &[6], 0.0, 1.0);
    let attacks: [(&dyn Attack, &str); 17] = [
        (&Pgd { relative_step: f64::NAN, ..Pgd::default() }, "relative_step"),
        (&Pgd { relative_step: 0.0, ..Pgd::default() }, "relative_step"),
        (&Pgd { restarts: 0, ..Pgd::default() }, "restarts"),
        (&Pgd { steps: 0, random_start: false, ..Pgd::default() }, "steps"),
        (&DeepFool { candidates: Some(1), ..DeepFool::default() }, "candidates"),
        (&DeepFool { overshoot: -1.0, ..DeepFool::default() }, "overshoot"),
        (&Square { queries: 0, ..Square::default() }, "queries"),
        (&Square { initial_fraction: 1.5, ..Square::default() }, "initial_fraction"),
        (&Ascent { momentum: -1.0, ..Ascent::mi_fgsm() }, "momentum"),
        (&Ascent { diversity: Some(Diversity { probability: 2.0, scale: 0.9 }), ..Ascent::bim() }, "probability"),
        (&Ascent { smoothing: Some(Smoothing { radius: 1, sigma: 0.0 }), ..Ascent::bim() }, "sigma"),
        (&Apgd { steps: 0, ..Apgd::ce() }, "steps"),
        (&Apgd { progress: f64::NAN, ..Apgd::dlr() }, "progress"),
        (&Apgd { samples: 0, ..Apgd::ce() }, "samples"),
        (&ApgdT { targets: 0, ..ApgdT::default() }, "targets"),
        (&Fab { overshoot: 0.5, ..Fab::default() }, "overshoot"),
        (&Fab { backward: f64::NAN, ..Fab::targeted() }, "backward"),
    ];
    for (attack, parameter) in attacks {
        let error = run(attack, &inputs, &[0], &ball(Norm::L2));
        assert!(matches!(error, AttackError::Hyperparameter { name, .. } if name == parameter), "{error}");
    }
    let attacks: [&dyn Attack; 4] = [&DeepFool::default(), &Square::default(), &Apgd::ce(), &Fab::default()];
    for attack in attacks {
        assert!(matches!(run(attack, &inputs, &[0], &ball(Norm::L0)), AttackError::Norm { norm: Norm::L0, .. }));
    }
    let unbounded = Ball::unbounded(Norm::L2, (0.0, 1.0)).unwrap();
    let autoattack = AutoAttack { version: Version::Standard };
    let attacks: [&dyn Attack; 5] = [&Pgd::default(), &Fgsm, &Square::default(), &Apgd::ce(), &autoattack];
    for attack in attacks {
        assert!(matches!(run(attack, &inputs, &[0], &unbounded), AttackError::NoBudget { .. }));
    }
}

#[test]
fn models_are_checked() {
    assert!(matches!(Classifier::new(&random(1, &[6]), 0), Err(AttackError::EmptyBatch)));
    let x = Expr::input("x", [1, 3], DType::F32);
    let build = |inputs: &[&Expr], outputs: &[&Expr]| {
        let inputs = inputs.iter().map(|&i| i.clone()).collect();
        let outputs = outputs.iter().enumerate().map(|(k, &o)| (format!("output{k}"), o.clone())).collect();
        Graph::new(inputs, outputs).unwrap()
    };
    let (y, wide) = (Expr::input("y", [1, 3], DType::F32), Expr::input("x", [1, 3], DType::F64));
    let map = Expr::input("x", [1, 3, 2], DType::F32);
    for graph in [
        build(&[&x], &[&x.sum()]),
        build(&[&x], &[&x, &x]),
        build(&[&x, &y], &[&x.add(&y)]),
        build(&[&x, &Expr::input("key", [3], DType::I64)], &[&x]),
        build(&[&wide], &[&wide]),
        build(&[&map], &[&map]),
    ] {
        assert!(matches!(Classifier::new(&graph, 2), Err(AttackError::Model { .. })), "{graph:?}");
    }
    // log of a negative number: not a single clean logit is finite.
    let model = Classifier::new(&build(&[&x], &[&x.offset(-2.0).log()]), 2).unwrap();
    let criterion = Criterion::Misclassify { labels: vec![0] };
    let inputs = Tensor::full([1, 3], 0.5f32);
    let error = Fgsm.run(&model, &inputs, &criterion, &ball(Norm::Linf), &Seed::new(0, 0)).unwrap_err();
    assert!(matches!(error, AttackError::NotFinite { row: 0 }), "{error}");
}

#[test]
fn no_examples_give_no_results() {
    let model = Classifier::new(&random(1, &[6]), 4).unwrap();
    let inputs = Tensor::new([0, 6], Vec::<f32>::new()).unwrap();
    let criterion = Criterion::Misclassify { labels: vec![] };
    let attacks: [&dyn Attack; 4] = [&Fgsm, &Pgd::default(), &DeepFool::default(), &Square::default()];
    for attack in attacks {
        let found = attack.run(&model, &inputs, &criterion, &ball(Norm::L2), &Seed::new(0, 0)).unwrap();
        assert!(found.success.is_empty() && found.inputs.shape() == inputs.shape());
    }
}
