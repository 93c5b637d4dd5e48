//! Against Captum 0.9.0 with torch 2.15: `captum_reference.py` beside this file made the figures.

use perturb_explain::{
    Attribution, Baseline, Gradient, InputTimesGradient, IntegratedGradients, Model, Occlusion, Quadrature,
};
use perturb_graph::{Conv, Expr, Graph, Shape, Tensor};

/// Value k is `(x_{k+1} >> 40) / 2²³ − 1` of a 64-bit linear congruential generator, times `scale`.
fn lcg(seed: u64, shape: &[usize], scale: f64) -> Tensor {
    let mut x = seed;
    let values = (0..shape.iter().product::<usize>()).map(|_| {
        x = x.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        ((x >> 40) as f64 / 8388608.0 - 1.0) as f32 * scale as f32
    });
    Tensor::new(shape, values.collect::<Vec<f32>>()).unwrap()
}

fn cnn() -> Model {
    // Parameters are numbered weight, bias, weight, bias, …; biases are zero.
    let weight = |k: u64, shape: &[usize]| {
        let fan_in: usize = shape[1..].iter().product();
        Expr::param(format!("w{k}"), lcg(100 + 2 * k, shape, (3.0 / fan_in as f64).sqrt()))
    };
    let x = Expr::input("x", [1, 1, 28, 28], perturb_graph::DType::F32);
    let pad = |stride: usize| Conv { padding: vec![(1, 1); 2], strides: vec![stride; 2], ..Conv::unit(2) };
    let h = x.conv(&weight(0, &[32, 1, 3, 3]), pad(1)).relu();
    let h = h.conv(&weight(1, &[64, 32, 3, 3]), pad(2)).relu();
    let h = h.conv(&weight(2, &[64, 64, 3, 3]), pad(2)).relu().reshape([1, 3136]);
    let h = h.matmul(&weight(3, &[128, 3136]).transpose(&[1, 0])).relu();
    let logits = h.matmul(&weight(4, &[10, 128]).transpose(&[1, 0]));
    Model::compile(&Graph::new(vec![x], vec![("logits".into(), logits)]).unwrap(), 128).unwrap()
}

// Sum of absolute values, and sum of products with lcg(11).
fn figures(model: &Model, method: &dyn Attribution) -> (f64, f64) {
    let mut inputs = lcg(7, &[16, 1, 28, 28], 1.0);
    inputs.as_mut_slice::<f32>().iter_mut().for_each(|v| *v = (*v + 1.0) / 2.0);
    let maps = method.attribute(model, &inputs, &[3; 16]).unwrap();
    assert_eq!(*maps.shape(), Shape::from([16, 1, 28, 28]));
    let weights = lcg(11, &[16, 1, 28, 28], 1.0).to_f64_vec();
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
