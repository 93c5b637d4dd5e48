//! The methods on models where their results are known.

use crate::models::{column, convolutional, linear, rows, tanh_network, uniform};
use perturb_explain::{
    Attribution, Baseline, Geometry, Gradient, InputTimesGradient, IntegratedGradients, Magnitude, Model, Occlusion,
    Quadrature, SmoothGrad, completeness_gaps,
};
use perturb_graph::Tensor;

fn close(got: &Tensor, expected: &[Vec<f64>], tolerance: f64) {
    for (example, (got, expected)) in rows(got).iter().zip(expected).enumerate() {
        for (i, (g, e)) in got.iter().zip(expected).enumerate() {
            assert!((g - e).abs() <= tolerance, "example {example}, element {i}: {g} instead of {e}");
        }
    }
}

/// On f = wᵀx: the gradient and SmoothGrad are w, input×gradient w ⊙ x, integrated gradients w ⊙ (x − x′) for every rule.
#[test]
fn linear_models_have_closed_forms() {
    let (weights, inputs, targets) = (uniform(1, [12, 3]), uniform(2, [5, 12]), [0, 2, 1, 1, 0]);
    let model = linear(&[12], &weights, 4);
    let w: Vec<Vec<f64>> = targets.iter().map(|&t| column(&weights, t)).collect();
    let x = rows(&inputs);
    let weighted = |shift: &dyn Fn(usize) -> f64| -> Vec<Vec<f64>> {
        let row = |(w, x): (&Vec<f64>, &Vec<f64>)| (0..12).map(|i| w[i] * (x[i] - shift(i))).collect();
        w.iter().zip(&x).map(row).collect()
    };
    let run = |method: &dyn Attribution| method.attribute(&model, &inputs, &targets).unwrap();

    close(&run(&Gradient), &w, 0.0);
    close(&run(&SmoothGrad::default()), &w, 1e-7);
    close(&run(&InputTimesGradient), &weighted(&|_| 0.0), 1e-7);
    let baseline = uniform(3, [1, 12]);
    let from = baseline.to_f64_vec();
    use Quadrature::{GaussLegendre, Left, Middle, Right, Trapezoid};
    for rule in [GaussLegendre, Left, Right, Middle, Trapezoid] {
        let zero = IntegratedGradients { steps: 7, rule, ..IntegratedGradients::default() };
        close(&run(&zero), &weighted(&|_| 0.0), 1e-6);
        let value = IntegratedGradients { baseline: Baseline::Value(0.5), ..zero.clone() };
        close(&run(&value), &weighted(&|_| 0.5), 1e-6);
        let tensor = IntegratedGradients { baseline: Baseline::Tensor(baseline.clone()), ..zero };
        close(&run(&tensor), &weighted(&|i| from[i]), 1e-6);
    }
}

/// Completeness holds up to the error of the quadrature, which falls with the number of steps at the rule's rate.
#[test]
fn integrated_gradients_are_complete() {
    let (model, targets) = (tanh_network(32), [0, 1, 2, 0]);
    let inputs = uniform(5, [4, 8]);
    let worst = |rule, steps| {
        let method = IntegratedGradients { steps, rule, baseline: Baseline::Value(-0.3) };
        let maps = method.attribute(&model, &inputs, &targets).unwrap();
        let gaps = completeness_gaps(&model, &inputs, &maps, &targets, &method.baseline).unwrap();
        gaps.into_iter().fold(0.0, f64::max)
    };
    assert!(worst(Quadrature::GaussLegendre, 50) < 3e-6);
    assert!(worst(Quadrature::GaussLegendre, 2) > 1e-3);
    for (rule, order) in [(Quadrature::Left, 1), (Quadrature::Right, 1), (Quadrature::Middle, 2)] {
        let (coarse, fine) = (worst(rule, 10), worst(rule, 40));
        let fall = coarse / fine;
        let expected = 4f64.powi(order);
        assert!((0.7 * expected..1.4 * expected).contains(&fall), "{rule:?}: {coarse} to {fine}");
    }
}

/// E cos(w(x + σn)) = e^{−w²σ²/2}·cos(wx) for standard normal n: SmoothGrad of sin(w·x).
#[test]
fn smooth_grad_is_a_gaussian_average() {
    let w = 3.0f64;
    let model = Model::compile(&crate::models::graph(&[4], |x| x.scale(w).sin()), 64).unwrap();
    let inputs = Tensor::new([1, 4], vec![0.1f32, -0.2, 0.4, 0.8]).unwrap();
    let (samples, range) = (20_000, 1.0);
    let method = SmoothGrad { samples, noise: Magnitude::OfRange(0.25), seed: 9.into() };
    let smooth = w * (-0.5 * (w * 0.25 * range).powi(2)).exp();
    // The logit of class c is sin(w·x_c), so that only element c has a gradient.
    for (class, x) in inputs.to_f64_vec().into_iter().enumerate() {
        let map = method.attribute(&model, &inputs, &[class]).unwrap().to_f64_vec();
        let expected: Vec<f64> = (0..4).map(|i| if i == class { smooth * (w * x).cos() } else { 0.0 }).collect();
        for (got, expected) in map.iter().zip(expected) {
            // Four standard errors: the slopes lie in [−3, 3].
            assert!((got - expected).abs() < 4.0 * 3.0 / (samples as f64).sqrt(), "{got} instead of {expected}");
        }
    }
}

/// On f = wᵀx a window's drop is the sum of w·(x − x′) in it; a pixel has the mean over the windows that cover it.
#[test]
fn occlusion_of_a_linear_model() {
    let (weights, inputs, targets) = (uniform(1, [2 * 5 * 6, 2]), uniform(2, [3, 2, 5, 6]), [1, 0, 1]);
    let model = linear(&[2, 5, 6], &weights, 16);
    let method = Occlusion { window: 3, stride: 2, baseline: Baseline::Value(0.25) };
    let maps = rows(&method.attribute(&model, &inputs, &targets).unwrap());
    // Rows 0..3 and 2..5; columns 0..3, 2..5 and, up to the border, 3..6.
    let starts: Vec<(usize, usize)> = [0, 2].iter().flat_map(|&y| [0, 2, 3].map(|x| (y, x))).collect();
    for (example, x) in rows(&inputs).iter().enumerate() {
        let w = column(&weights, targets[example]);
        let inside = |(v, u): (usize, usize), p: usize| (v..v + 3).contains(&(p / 6)) && (u..u + 3).contains(&(p % 6));
        for p in 0..30 {
            let covering: Vec<_> = starts.iter().filter(|&&s| inside(s, p)).collect();
            let drop = |s: (usize, usize)| -> f64 {
                (0..60).filter(|i| inside(s, i % 30)).map(|i| w[i] * (x[i] - 0.25)).sum()
            };
            let expected = covering.iter().map(|&&s| drop(s)).sum::<f64>() / covering.len() as f64;
            for channel in 0..2 {
                let got = maps[example][channel * 30 + p];
                assert!((got - expected).abs() < 1e-5, "pixel {p}: {got} instead of {expected}");
            }
        }
    }
}

/// Flat inputs have windows of consecutive features, and the same inputs seen as an image have squares.
#[test]
fn occlusion_follows_the_geometry() {
    let (weights, inputs) = (uniform(1, [12, 2]), uniform(2, [1, 12]));
    let w = column(&weights, 0);
    let share: Vec<f64> = w.iter().zip(inputs.to_f64_vec()).map(|(w, x)| w * x).collect();
    let method = Occlusion { window: 2, stride: 2, baseline: Baseline::Zero };
    let flat = method.attribute(&linear(&[12], &weights, 8), &inputs, &[0]).unwrap();
    let pairs: Vec<f64> = (0..12).map(|i| share[i / 2 * 2] + share[i / 2 * 2 + 1]).collect();
    close(&flat, &[pairs], 1e-6);

    let image = linear(&[12], &weights, 8).with_geometry(Geometry::new(1, [2, 6]).unwrap()).unwrap();
    let squares: Vec<f64> = (0..12).map(|i| [0, 1, 6, 7].iter().map(|k| share[i % 6 / 2 * 2 + k]).sum()).collect();
    close(&method.attribute(&image, &inputs, &[0]).unwrap(), &[squares], 1e-6);
}

/// Logits and gradients of a network with convolutions, from the reference evaluator.
#[test]
fn gradients_of_the_reference_evaluator() {
    let (model, inputs, targets) = (convolutional(4), uniform(6, [3, 2, 9, 9]), [4, 0, 2]);
    let logits = model.logits(&inputs).unwrap().to_f64_vec();
    let gradients = rows(&model.gradients(&inputs, &targets).unwrap());
    // Central differences of the engine's own logits would carry f32 noise: the oracle differentiates in the graph.
    let graph = crate::models::convolutional_graph();
    for (example, &target) in targets.iter().enumerate() {
        let x = inputs.rows(example, example + 1);
        let logit = graph.outputs[0].1.slice_axis(1, target, target + 1);
        let gradient = perturb_graph::grad(&logit, &graph.inputs).unwrap().remove(0);
        let got =
            perturb_graph::eval(&[graph.outputs[0].1.clone(), gradient], &[(graph.inputs[0].clone(), x)]).unwrap();
        for (a, b) in got[0].to_f64_vec().iter().zip(&logits[example * 5..]) {
            assert!((a - b).abs() < 1e-4);
        }
        for (a, b) in got[1].to_f64_vec().iter().zip(&gradients[example]) {
            assert!((a - b).abs() < 1e-4);
        }
    }
}
