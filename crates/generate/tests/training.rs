//! The training step, and input perturbation, on Gaussian data, whose best predictor is known.

use perturb_generate::metric::{mixed, prediction_error};
use perturb_generate::train::denoising;
use perturb_generate::train::perturb::InputPerturbation;
use perturb_generate::{At, Ddim, Denoiser, Mixture, NoiseSchedule, Prediction, Spacing, sample};
use perturb_graph::{DType, Expr, Tensor, eval};
use perturb_nn::{Adam, Cosine, Examples, Key, Shuffled, Trainer, recipe};
use std::sync::Arc;

/// `c·x` with one trained number.
struct Linear(Expr, Prediction);

impl Linear {
    fn new(prediction: Prediction) -> Linear {
        Linear(Expr::param("c", Tensor::scalar(0.3f32)), prediction)
    }
}

impl Denoiser for Linear {
    fn prediction(&self) -> Prediction {
        self.1
    }

    fn predict(&self, x: &Expr, _: &At) -> Expr {
        x.mul(&self.0.cast(x.dtype()))
    }
}

/// Values at equal distances: variance 1/3·(1 − 1/n²).
fn data() -> Tensor {
    let n = 512;
    let value = |i: usize| (2.0 * i as f32 + 1.0) / n as f32 - 1.0;
    Tensor::new([n, 1], (0..n).map(value).collect()).unwrap()
}

fn trained(prediction: Prediction, gamma: Option<f64>) -> f64 {
    // All times have one level, so that one number is the whole answer.
    let schedule = NoiseSchedule::of_betas(&[0.4]).unwrap();
    let mut step = denoising(&schedule, &Linear::new(prediction), [256, 1]).unwrap();
    if let Some(gamma) = gamma {
        step.apply(&InputPerturbation { gamma }).unwrap();
    }
    let optimizer = Adam { learning_rate: 0.02, ..Adam::default() };
    let trainer = Trainer { epochs: 600, schedule: Arc::new(Cosine::default()), ..Trainer::with(optimizer) };
    let batches = Shuffled::new(Examples::new("data", data()).unwrap(), 256).unwrap();
    trainer.fit(step, &batches, &mut []).unwrap().parameters.get("c").unwrap().to_f64_vec()[0]
}

#[test]
fn what_is_learned_is_the_best_predictor() {
    let (alpha2, sigma2, variance) = (0.6f64, 0.4f64, 1.0 / 3.0);
    for gamma in [None, Some(0.0f64), Some(0.6)] {
        let seen = alpha2 * variance + sigma2 * (1.0 + gamma.unwrap_or(0.0).powi(2));
        // Least squares of each target on the input: E[target·x]/E[x²].
        for (prediction, expected) in [
            (Prediction::Epsilon, sigma2.sqrt() / seen),
            (Prediction::Sample, alpha2.sqrt() * variance / seen),
            (Prediction::Velocity, (alpha2 * sigma2).sqrt() * (1.0 - variance) / seen),
        ] {
            let found = trained(prediction, gamma);
            assert!((found - expected).abs() < 0.015, "{prediction:?}, γ = {gamma:?}: {found}, not {expected}");
        }
    }
}

#[test]
fn every_prediction_gives_the_others() {
    let (alpha, sigma) = (0.8, 0.6);
    let tensor = |values: [f64; 2]| Expr::constant(Tensor::new([2, 1], values.to_vec()).unwrap());
    let each = |v: f64| Expr::constant(Tensor::new([2], vec![v; 2]).unwrap());
    let at = At { time: each(1.0), alpha: each(alpha), sigma: each(sigma) };
    let (data, noise) = ([0.5, -2.0], [1.5, 0.25]);
    let x = tensor([0, 1].map(|i| alpha * data[i] + sigma * noise[i]));
    for prediction in [Prediction::Epsilon, Prediction::Sample, Prediction::Velocity] {
        let target = prediction.target(&tensor(data), &tensor(noise), &at);
        let found = [prediction.denoised(&target, &x, &at), prediction.epsilon(&target, &x, &at)];
        let found = eval(&found, &[]).unwrap();
        for (found, expected) in found.iter().zip([data, noise]) {
            assert!(found.to_f64_vec().iter().zip(expected).all(|(f, e)| (f - e).abs() < 1e-12));
        }
    }
}

#[test]
fn errors_are_measured_against_the_truth() {
    let levels = NoiseSchedule::linear().levels(4, Spacing::Trailing).unwrap();
    let truth = Mixture::new(&[(1.0, vec![0.0], vec![1.0])]).unwrap();
    let model = Linear::new(Prediction::Epsilon);
    let key = Key::constant(5, 0);
    let start = key.fold(0).normal([64, 1], DType::F64);
    let chain = sample(&model, &Ddim::default(), &levels, &start, &key.fold(1)).unwrap();
    let free = chain.prediction_error(&model, &truth, &levels).unwrap();
    let noise = key.fold(2).normal([4, 64, 1], DType::F64);
    let data = Expr::constant(recipe(9, [64, 1], 1.0)).cast(DType::F64);
    let places = mixed(&data, &noise, &levels).unwrap();
    let forced = prediction_error(&model, &truth, &levels, &places).unwrap();
    let found = eval(&[free, forced, chain.states, places, data, noise], &[]).unwrap();
    let values: Vec<Vec<f64>> = found.iter().map(Tensor::to_f64_vec).collect();
    for (errors, states) in [(&values[0], &values[2]), (&values[1], &values[3])] {
        for (i, (error, states)) in errors.iter().zip(states.chunks(64)).enumerate() {
            // The network says 0.3·x and the truth, for standard normal data, σ·x.
            let factor = (f64::from(0.3f32) - levels[i].sigma).abs();
            let expected = factor * (states.iter().map(|x| x * x).sum::<f64>() / 64.0).sqrt();
            assert!((error - expected).abs() < 1e-12, "{error}, not {expected}");
        }
    }
    let place = |i: usize, n: usize| levels[i].alpha * values[4][n] + levels[i].sigma * values[5][64 * i + n];
    assert!((0..256).all(|k| (values[3][k] - place(k / 64, k % 64)).abs() < 1e-12));
}

#[test]
fn a_negative_gamma_is_refused() {
    let schedule = NoiseSchedule::linear();
    for gamma in [-0.1, f64::NAN, f64::INFINITY] {
        let mut step = denoising(&schedule, &Linear::new(Prediction::Epsilon), [4, 1]).unwrap();
        assert!(step.apply(&InputPerturbation { gamma }).is_err());
    }
    assert!(denoising(&schedule, &Linear::new(Prediction::Epsilon), [4]).is_err());
}
