//! What cannot be explained is refused with the reason.

use crate::models::{graph, linear, uniform};
use perturb_explain::{
    Attribution, Baseline, ExplainError, Geometry, Gradient, Infidelity, IntegratedGradients, Magnitude,
    MaxSensitivity, Model, Occlusion, Perturbation, Quadrature, RemovalCurve, SmoothGrad,
};
use perturb_graph::{DType, Expr, Graph, Tensor};

fn model() -> Model {
    linear(&[1, 4, 4], &uniform(1, [16, 3]), 4)
}

fn inputs() -> Tensor {
    uniform(2, [2, 1, 4, 4])
}

fn setting<T: std::fmt::Debug>(result: Result<T, ExplainError>, part: &str) {
    match result {
        Err(error @ ExplainError::Setting { .. }) => assert!(error.to_string().contains(part), "{error}"),
        other => panic!("{other:?} instead of a refused setting"),
    }
}

#[test]
fn targets_and_inputs() {
    let (model, inputs) = (model(), inputs());
    let run = |inputs: &Tensor, targets: &[usize]| Gradient.attribute(&model, inputs, targets).unwrap_err();
    assert_eq!(run(&inputs, &[0, 3]), ExplainError::Target { example: 1, target: 3, classes: 3 });
    assert_eq!(run(&inputs, &[0]), ExplainError::TargetCount { examples: 2, targets: 1 });
    assert!(run(&inputs, &[0, 3]).to_string().contains("classes 0 to 2"));
    let mut spoilt = inputs.clone();
    spoilt.as_mut_slice::<f32>()[20] = f32::NAN;
    assert_eq!(run(&spoilt, &[0, 0]), ExplainError::NotFinite { what: "inputs", example: 1 });
    for wrong in [Tensor::full([2, 16], 0.0f32), Tensor::full([2, 1, 4, 4], 0.0f64), Tensor::scalar(0.0f32)] {
        assert!(matches!(run(&wrong, &[0, 0]), ExplainError::Shape { what: "inputs", .. }));
    }
    assert!(run(&Tensor::full([2, 16], 0.0f32), &[0, 0]).to_string().contains("f32[N, 1, 4, 4]"));
    let none = Tensor::full([0, 1, 4, 4], 0.0f32);
    assert_eq!(Gradient.attribute(&model, &none, &[]).unwrap(), none);
}

#[test]
fn models() {
    let refused = |graph: &Graph, batch, part: &str| match Model::compile(graph, batch).err() {
        Some(error @ ExplainError::Model { .. }) => assert!(error.to_string().contains(part), "{error}"),
        other => panic!("{other:?} instead of a refused model"),
    };
    let good = graph(&[4], |x: &Expr| x.relu());
    refused(&good, 0, "batch size is 0");
    refused(&Graph { outputs: vec![], ..good.clone() }, 4, "1 inputs and 0 outputs");
    refused(&graph(&[2, 3], |x: &Expr| x.relu()), 4, "one axis of classes");
    let many = Expr::input("x", [2, 4], DType::F32);
    refused(&Graph::new(vec![many.clone()], vec![("y".into(), many.relu())]).unwrap(), 4, "one example");
    let double = Expr::input("x", [1, 4], DType::F64);
    refused(&Graph::new(vec![double.clone()], vec![("y".into(), double.relu())]).unwrap(), 4, "convert");
    let huge = Model::compile(&graph(&[1 << 20], |x: &Expr| x.relu()), 1 << 30);
    assert!(matches!(huge, Err(ExplainError::Graph(_))), "{:?}", huge.err());
    setting(model().with_geometry(Geometry::new(1, [15]).unwrap()).map(|_| ()), "16");
}

/// log of a negative number, and the slope of a square root at 0.
#[test]
fn answers_that_are_not_finite() {
    let model = Model::compile(&graph(&[2], |x: &Expr| x.log()), 4).unwrap();
    let inputs = Tensor::new([2, 2], vec![1.0f32, 1.0, -1.0, 1.0]).unwrap();
    let error = Occlusion { window: 1, stride: 1, baseline: Baseline::Value(1.0) }.attribute(&model, &inputs, &[0, 0]);
    assert_eq!(error.unwrap_err(), ExplainError::NotFinite { what: "the model's output", example: 1 });
    let model = Model::compile(&graph(&[2], |x: &Expr| x.sqrt()), 4).unwrap();
    let error = Gradient.attribute(&model, &Tensor::new([1, 2], vec![0.0f32, 1.0]).unwrap(), &[0]);
    assert_eq!(error.unwrap_err(), ExplainError::NotFinite { what: "the gradient", example: 0 });
}

#[test]
fn hyperparameters_of_methods() {
    let (model, inputs) = (model(), inputs());
    let refused = |method: &dyn Attribution, part| setting(method.attribute(&model, &inputs, &[0, 1]), part);
    let integrated = IntegratedGradients::default;
    refused(&IntegratedGradients { steps: 0, ..integrated() }, "but was 0");
    refused(&IntegratedGradients { steps: 1, rule: Quadrature::Trapezoid, ..integrated() }, "between 2");
    refused(&IntegratedGradients { baseline: Baseline::Value(f32::INFINITY), ..integrated() }, "inf");
    refused(&IntegratedGradients { baseline: Baseline::Blurred { sigma: 0.0, radius: 2 }, ..integrated() }, "sigma");
    let spoilt = Baseline::Tensor(Tensor::full([1, 4, 4], f32::NAN));
    refused(&IntegratedGradients { baseline: spoilt, ..integrated() }, "NaN");
    let wrong = IntegratedGradients { baseline: Baseline::Tensor(Tensor::full([4, 4], 0.0f32)), ..integrated() };
    let error = wrong.attribute(&model, &inputs, &[0, 1]).unwrap_err();
    assert!(matches!(error, ExplainError::Shape { what: "baseline", .. }));

    refused(&SmoothGrad { samples: 0, ..SmoothGrad::default() }, "samples");
    refused(&SmoothGrad { samples: usize::MAX, ..SmoothGrad::default() }, "samples");
    refused(&SmoothGrad { noise: Magnitude::OfRange(-0.1), ..SmoothGrad::default() }, "-0.1");
    refused(&SmoothGrad { noise: Magnitude::Absolute(f64::NAN), ..SmoothGrad::default() }, "NaN");

    for (window, stride, part) in [(5, 1, "at most the image"), (0, 1, "window"), (2, 0, "stride"), (2, 3, "stride")] {
        refused(&Occlusion { window, stride, baseline: Baseline::Zero }, part);
    }
}

#[test]
fn judges() {
    let (model, inputs) = (model(), inputs());
    let maps = Gradient.attribute(&model, &inputs, &[0, 1]).unwrap();
    let infidelity = |judge: Infidelity, maps: &Tensor| judge.evaluate(&model, &inputs, maps, &[0, 1]);
    setting(infidelity(Infidelity { samples: 0, ..Infidelity::default() }, &maps), "samples");
    for side in [0, 5] {
        let perturbation = Perturbation::SquareRemoval { side, baseline: Baseline::Zero };
        setting(infidelity(Infidelity { perturbation, ..Infidelity::default() }, &maps), "side");
    }
    let (fewer, spoilt) = (maps.rows(0, 1), Tensor::full([2, 1, 4, 4], f32::NAN));
    let error = infidelity(Infidelity::default(), &fewer).unwrap_err();
    assert!(matches!(error, ExplainError::Shape { what: "attributions", .. }), "{error}");
    let error = infidelity(Infidelity::default(), &spoilt).unwrap_err();
    assert_eq!(error, ExplainError::NotFinite { what: "attributions", example: 0 });

    let sensitivity = |judge: MaxSensitivity| judge.evaluate(&model, &Gradient, &inputs, &maps, &[0, 1]);
    setting(sensitivity(MaxSensitivity { samples: 0, ..MaxSensitivity::default() }), "samples");
    setting(sensitivity(MaxSensitivity { radius: Magnitude::Absolute(-1.0), ..MaxSensitivity::default() }), "radius");
    let steps = RemovalCurve { steps: 0, ..RemovalCurve::deletion() };
    setting(steps.evaluate(&model, &inputs, &maps, &[0, 1]), "steps");
    let single = linear(&[1, 4, 4], &uniform(1, [16, 1]), 4);
    let error = RemovalCurve::deletion().evaluate(&single, &inputs, &maps, &[0, 0]).unwrap_err();
    assert!(error.to_string().contains("single output"));
}
