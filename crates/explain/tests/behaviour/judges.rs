//! The judges on attributions whose quality is known.

use crate::models::{column, dot, graph, linear, rows, uniform};
use perturb_explain::{
    Attribution, Baseline, ChannelSum, Gradient, Infidelity, InputTimesGradient, IntegratedGradients, Magnitude,
    MaxSensitivity, Model, Perturbation, RemovalCurve, Route, SmoothGrad,
};
use perturb_graph::{Expr, Tensor};

fn gaussian(samples: usize, deviation: f64) -> Infidelity {
    let perturbation = Perturbation::Gaussian { deviation: Magnitude::Absolute(deviation) };
    Infidelity { samples, perturbation, seed: 4.into() }
}

fn square(samples: usize, side: usize) -> Infidelity {
    let perturbation = Perturbation::SquareRemoval { side, baseline: Baseline::Value(0.5) };
    Infidelity { samples, perturbation, seed: 4.into() }
}

/// On f = wᵀx the gradient predicts every loss: infidelity 0. Any multiple c·w is as good after scaling by β = 1/c.
#[test]
fn infidelity_of_exact_attributions_is_zero() {
    let (weights, inputs, targets) = (uniform(1, [18, 2]), uniform(2, [3, 2, 3, 3]), [0, 1, 1]);
    let model = linear(&[2, 3, 3], &weights, 16);
    let exact = Gradient.attribute(&model, &inputs, &targets).unwrap();
    let mut double = exact.clone();
    double.as_mut_slice::<f32>().iter_mut().for_each(|v| *v *= -2.0);
    for judge in [gaussian(200, 0.3), square(200, 2)] {
        let scores = judge.evaluate(&model, &inputs, &exact, &targets).unwrap();
        assert!(scores.raw.iter().chain(&scores.scaled).all(|&v| v < 1e-11), "{scores:?}");
        let scores = judge.evaluate(&model, &inputs, &double, &targets).unwrap();
        assert!(scores.raw.iter().all(|&v| v > 1e-2) && scores.scaled.iter().all(|&v| v < 1e-11), "{scores:?}");
        assert!(scores.factor.iter().all(|&f| (f + 0.5).abs() < 1e-5), "{scores:?}");
    }
}

/// On f = wᵀx with normal noise the infidelity of φ is σ²‖φ − w‖², and β = φᵀw/‖φ‖².
#[test]
fn infidelity_under_noise_has_a_closed_form() {
    let (weights, inputs, maps) = (uniform(1, [10, 2]), uniform(2, [1, 10]), uniform(3, [1, 10]));
    let model = linear(&[10], &weights, 64);
    let (w, phi) = (column(&weights, 1), maps.to_f64_vec());
    let error: Vec<f64> = phi.iter().zip(&w).map(|(p, w)| p - w).collect();
    let samples = 20_000;
    let scores = gaussian(samples, 0.4).evaluate(&model, &inputs, &maps, &[1]).unwrap();
    // The mean of squared normal variables has relative standard error √(2/n): four of them.
    let slack = 4.0 * (2.0 / samples as f64).sqrt();
    let expected = 0.16 * dot(&error, &error);
    assert!((scores.raw[0] / expected - 1.0).abs() < slack, "{} instead of {expected}", scores.raw[0]);
    let factor = dot(&phi, &w) / dot(&phi, &phi);
    let scaled = 0.16 * (dot(&w, &w) - factor * dot(&phi, &w));
    assert!((scores.scaled[0] / scaled - 1.0).abs() < slack, "{} instead of {scaled}", scores.scaled[0]);
    // β is a regression slope: its standard error is √(residual variance/(n·σ²‖φ‖²)).
    let spread = (scaled / (samples as f64 * 0.16 * dot(&phi, &phi))).sqrt();
    assert!((scores.factor[0] - factor).abs() < 4.0 * spread);
}

/// Square removal of 2×2 from 3×3: the mean over the four positions.
#[test]
fn infidelity_under_square_removal_by_enumeration() {
    let (weights, inputs, maps) = (uniform(1, [9, 2]), uniform(2, [1, 3, 3]), uniform(3, [1, 3, 3]));
    // [1, 3, 3] is one example [3, 3]: a single channel is said explicitly.
    let geometry = perturb_explain::Geometry::new(1, [3, 3]).unwrap();
    let model = linear(&[3, 3], &weights, 64).with_geometry(geometry).unwrap();
    let (w, x, phi) = (column(&weights, 0), inputs.to_f64_vec(), maps.to_f64_vec());
    let term = |corner: usize| -> f64 {
        let lost = [0, 1, 3, 4].map(|k| corner + k);
        lost.iter().map(|&i| (x[i] - 0.5) * (phi[i] - w[i])).sum::<f64>().powi(2)
    };
    let terms = [0, 1, 3, 4].map(term);
    let mean = terms.iter().sum::<f64>() / 4.0;
    let variance = terms.iter().map(|t| (t - mean).powi(2)).sum::<f64>() / 4.0;
    let samples = 10_000;
    let scores = square(samples, 2).evaluate(&model, &inputs, &maps, &[0]).unwrap();
    assert!((scores.raw[0] - mean).abs() < 4.0 * (variance / samples as f64).sqrt(), "{} and {mean}", scores.raw[0]);
}

/// A linear model's gradient never changes. The gradient of ½‖x‖² is x, so it moves by exactly the perturbation, whose
/// norm in d = 400 dimensions is r·√(d/3) within a few percent.
#[test]
fn max_sensitivity_of_gradients() {
    let (inputs, judge) =
        (uniform(2, [2, 400]), MaxSensitivity { radius: Magnitude::Absolute(0.05), ..Default::default() });
    let model = linear(&[400], &uniform(1, [400, 2]), 8);
    let maps = Gradient.attribute(&model, &inputs, &[0, 1]).unwrap();
    assert_eq!(judge.evaluate(&model, &Gradient, &inputs, &maps, &[0, 1]).unwrap(), [0.0, 0.0]);
    // The same noise for both: SmoothGrad, too, is constant but for rounding.
    let smooth = SmoothGrad::default().attribute(&model, &inputs, &[0, 1]).unwrap();
    let change = judge.evaluate(&model, &SmoothGrad::default(), &inputs, &smooth, &[0, 1]).unwrap();
    assert!(change.iter().all(|&c| c < 1e-6), "{change:?}");

    let energy = graph(&[400], |x: &Expr| x.square().reduce_sum(&[1], true).scale(0.5));
    let model = Model::compile(&energy, 8).unwrap();
    let maps = Gradient.attribute(&model, &inputs, &[0, 0]).unwrap();
    let change = judge.evaluate(&model, &Gradient, &inputs, &maps, &[0, 0]).unwrap();
    for (change, x) in change.iter().zip(rows(&inputs)) {
        let expected = 0.05 * (400.0f64 / 3.0).sqrt() / dot(&x, &x).sqrt();
        // The largest of ten: up to three standard deviations (of about 2.2 %) above the mean.
        assert!((0.98..1.08).contains(&(change / expected)), "{change} instead of {expected}");
    }
}

/// Attributions that are zero, and stay zero or do not.
#[test]
fn max_sensitivity_of_zero_attributions() {
    let model = Model::compile(&graph(&[2], |x: &Expr| x.square()), 8).unwrap();
    let inputs = Tensor::full([1, 2], 0.0f32);
    let maps = Gradient.attribute(&model, &inputs, &[0]).unwrap();
    let radius = |r| MaxSensitivity { radius: Magnitude::Absolute(r), ..MaxSensitivity::default() };
    let judge = |r| radius(r).evaluate(&model, &Gradient, &inputs, &maps, &[0]).unwrap();
    assert_eq!((judge(0.0), judge(0.1)), (vec![0.0], vec![f64::INFINITY]));
}

// Logits (wᵀx, 0) of one-channel images 4×5.
fn two_classes(weights: &[f32]) -> Model {
    let columns: Vec<f32> = weights.iter().flat_map(|&w| [w, 0.0]).collect();
    linear(&[1, 4, 5], &Tensor::new([20, 2], columns).unwrap(), 16)
}

/// Deletion of single pixels from a linear model: after k steps the logit is the sum of the terms not among the k
/// largest, so the curve is known; the ranking by w ⊙ x has the smallest area of all, its reverse the largest.
#[test]
fn deletion_and_insertion_curves_of_a_linear_model() {
    let (weights, inputs) = (uniform(1, [20]), uniform(2, [1, 1, 4, 5]));
    let model = two_classes(weights.as_slice());
    let maps = InputTimesGradient.attribute(&model, &inputs, &[0]).unwrap();
    let mut terms: Vec<f64> = weights.to_f64_vec().iter().zip(inputs.to_f64_vec()).map(|(w, x)| w * x).collect();
    terms.sort_by(|a, b| b.total_cmp(a));
    let sigmoid = |z: f64| 1.0 / (1.0 + (-z).exp());

    let deletion = RemovalCurve::deletion();
    let insertion = RemovalCurve { route: Route::Insertion, ..deletion.clone() };
    for (judge, left) in [(&deletion, 1.0), (&insertion, 0.0)] {
        let curve = judge.curves(&model, &inputs, &maps, &[0]).unwrap().remove(0);
        assert_eq!(curve.probability.len(), 21);
        for (k, (fraction, probability)) in curve.fraction.iter().zip(&curve.probability).enumerate() {
            let (first, rest): (f64, f64) = (terms[..k].iter().sum(), terms[k..].iter().sum());
            let logit = if left == 1.0 { rest } else { first };
            assert!((fraction - k as f64 / 20.0).abs() < 1e-12 && (probability - sigmoid(logit)).abs() < 1e-6);
        }
    }

    let area = |judge: &RemovalCurve, maps: &Tensor| judge.evaluate(&model, &inputs, maps, &[0]).unwrap()[0];
    let mut reversed = maps.clone();
    reversed.as_mut_slice::<f32>().iter_mut().for_each(|v| *v = -*v);
    for seed in 0..20 {
        let random = uniform(100 + seed, [1, 1, 4, 5]);
        assert!(
            area(&deletion, &maps) < area(&deletion, &random) && area(&deletion, &random) < area(&deletion, &reversed)
        );
        assert!(area(&insertion, &maps) > area(&insertion, &random));
    }
}

/// Few steps take several pixels each, and absolute values rank pixels by their channels' sizes.
#[test]
fn removal_in_groups_by_absolute_channels() {
    // Two channels of four pixels; the signed sums of the attributions are 0, 1, −6, 3, the absolute ones 8, 1, 6, 3.
    let maps = Tensor::new([1, 2, 2, 2], vec![4.0f32, 0.5, -3.0, 1.5, -4.0, 0.5, -3.0, 1.5]).unwrap();
    let weights: Vec<f32> = (0..8).flat_map(|i| [f32::from(1u8 << (i % 4)) / 4.0, 0.0]).collect();
    let model = linear(&[2, 2, 2], &Tensor::new([8, 2], weights).unwrap(), 4);
    let inputs = Tensor::full([1, 2, 2, 2], 1.0f32);
    // Pixel p adds 2·2^p/4 to the logit.
    let sigmoid = |z: f64| 1.0 / (1.0 + (-z).exp());
    for (channels, left) in [(ChannelSum::Signed, 0.5 + 2.0), (ChannelSum::Absolute, 1.0 + 4.0)] {
        let judge = RemovalCurve { steps: 2, channels, ..RemovalCurve::deletion() };
        let curve = judge.curves(&model, &inputs, &maps, &[0]).unwrap().remove(0);
        assert_eq!(curve.fraction, [0.0, 0.5, 1.0]);
        for (got, expected) in curve.probability.iter().zip([sigmoid(7.5), sigmoid(left), 0.5]) {
            assert!((got - expected).abs() < 1e-6, "{channels:?}: {got} instead of {expected}");
        }
    }
}

/// A curve that starts at the blurred input starts at the probability of the blurred input.
#[test]
fn insertion_starts_at_the_blurred_input() {
    let (inputs, model) = (uniform(2, [1, 1, 4, 5]), two_classes(uniform(1, [20]).as_slice()));
    let judge = RemovalCurve { baseline: Baseline::Blurred { sigma: 1e6, radius: 9 }, ..RemovalCurve::insertion() };
    let maps = IntegratedGradients::default().attribute(&model, &inputs, &[0]).unwrap();
    let start = judge.curves(&model, &inputs, &maps, &[0]).unwrap()[0].probability[0];
    // So strong a blur leaves the mean.
    let mean = inputs.to_f64_vec().iter().sum::<f64>() / 20.0;
    let logit = mean * uniform(1, [20]).to_f64_vec().iter().sum::<f64>();
    assert!((start - 1.0 / (1.0 + (-logit).exp())).abs() < 1e-6);
}
