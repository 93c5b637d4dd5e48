//! Against Captum 0.9.0 with torch 2.15: `captum_reference.py` beside this file made the figures.

use perturb_explain::{
    Attribution, Baseline, Gradient, InputTimesGradient, IntegratedGradients, Model, Occlusion, Quadrature,
};
use perturb_graph::Shape;
use perturb_nn::{peers, recipe};

fn cnn() -> Model {
    Model::compile(&peers::cnn(), 128).unwrap()
}

// Sum of absolute values, and sum of products with recipe(11).
fn figures(model: &Model, method: &dyn Attribution) -> (f64, f64) {
    let mut inputs = recipe(7, [16, 1, 28, 28], 1.0);
    inputs.as_mut_slice::<f32>().iter_mut().for_each(|v| *v = (*v + 1.0) / 2.0);
    let maps = method.attribute(model, &inputs, &[3; 16]).unwrap();
    assert_eq!(*maps.shape(), Shape::from([16, 1, 28, 28]));
    let weights = recipe(11, [16, 1, 28, 28], 1.0).to_f64_vec();
    let maps = maps.to_f64_vec();
    (maps.iter().map(|v| v.abs()).sum(), maps.iter().zip(weights).map(|(v, w)| v * w).sum())
}

fn agrees(model: &Model, method: &dyn Attribution, captum: (f64, f64)) {
    let (size, pattern) = figures(model, method);
    println!("{}: {size:.6} {pattern:.6}, Captum {captum:?}", method.name());
    // The second figure is a sum of terms of both signs: its error is judged by the first.
    assert!((size - captum.0).abs() < 1e-5 * captum.0, "{}: {size} instead of {}", method.name(), captum.0);
    assert!((pattern - captum.1).abs() < 1e-5 * captum.0, "{}: {pattern} instead of {}", method.name(), captum.1);
}

#[test]
fn captum() {
    let model = cnn();
    let integrated = |value, rule| {
        let baseline = if value == 0.0 { Baseline::Zero } else { Baseline::Value(value) };
        IntegratedGradients { steps: 50, baseline, rule }
    };
    agrees(&model, &Gradient, (90.078977, -0.426736));
    agrees(&model, &InputTimesGradient, (45.494814, -0.060287));
    agrees(&model, &IntegratedGradients::default(), (45.494814, -0.060287));
    agrees(&model, &integrated(0.0, Quadrature::Left), (44.584916, -0.059081));
    agrees(&model, &integrated(0.5, Quadrature::GaussLegendre), (20.818056, 0.234356));
    agrees(&model, &integrated(0.5, Quadrature::Left), (20.830474, 0.235037));
    agrees(&model, &integrated(0.5, Quadrature::Right), (20.810954, 0.233844));
    agrees(&model, &integrated(0.5, Quadrature::Middle), (20.816876, 0.237558));
    let occlusion = |stride| Occlusion { window: 7, stride, baseline: Baseline::Value(0.25) };
    agrees(&model, &occlusion(7), (239.012973, 2.812595));
    agrees(&model, &occlusion(3), (185.751979, 2.415123));
}

/// The figure of the benchmark workload `integrated-gradients50-cnn-b16`, within its tolerance.
#[test]
fn integrated_gradients_workload() {
    let (size, _) = figures(&cnn(), &IntegratedGradients::default());
    assert!((size / 45.4948 - 1.0).abs() < 0.005, "{size}");
}
