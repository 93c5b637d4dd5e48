//! The hooks on logistic regression in f64, where everything they do has a closed form.

use perturb_defend::{AdversarialTraining, Perturbing, WeightPerturbation};
use perturb_graph::{DType, Expr, Tensor};
use perturb_nn::{Batch, Run, Sgd, Step, TrainError, Trainer};

const X: [f64; 6] = [0.3, -0.8, 1.1, 0.4, -0.5, 0.9];
const Y: [f64; 3] = [1.0, -1.0, 1.0];
const W: [f64; 2] = [0.7, -0.2];
const RATE: f64 = 0.1;

/// `softplus(−y·⟨x, w⟩)` of three points in the plane, with the weights as a column.
fn logistic() -> Step {
    let mut step = Step::with_dtype(DType::F64);
    let (x, y) = (step.input("input", [3, 2], DType::F64), step.input("label", [3, 1], DType::F64));
    let w = Expr::param("w", Tensor::new([2, 1], W.to_vec()).unwrap());
    step.minimize(x.matmul(&w).mul(&y).neg().softplus().reshape([3]));
    step
}

fn start(step: Step) -> Run {
    Trainer::with(Sgd { learning_rate: RATE, ..Sgd::default() }).start(step, 1).unwrap()
}

fn batch() -> Batch {
    let x = Tensor::new([3, 2], X.to_vec()).unwrap();
    Batch::new(vec![("input".into(), x), ("label".into(), Tensor::new([3, 1], Y.to_vec()).unwrap())])
}

fn weights(run: &Run) -> Vec<f64> {
    run.parameters().get("w").unwrap().to_f64_vec()
}

fn loss(w: [f64; 2], i: usize) -> f64 {
    (-Y[i] * (w[0] * X[2 * i] + w[1] * X[2 * i + 1])).exp().ln_1p()
}

/// The gradient over the weights of the mean over all points of the losses that `counts`.
fn gradient(w: [f64; 2], counts: impl Fn(usize) -> bool) -> [f64; 2] {
    [0, 1].map(|k| {
        let slope = |i: usize| -Y[i] * X[2 * i + k] * (1.0 - (-loss(w, i)).exp());
        (0..3).filter(|&i| counts(i)).map(slope).sum::<f64>() / 3.0
    })
}

fn norm(v: [f64; 2]) -> f64 {
    v[0].hypot(v[1])
}

fn close(got: &[f64], want: &[f64]) {
    let near = got.iter().zip(want).all(|(g, w)| (g - w).abs() < 1e-12);
    assert!(got.len() == want.len() && near, "{got:?}, not {want:?}");
}

/// Algorithm 1 of Yu et al. 2022, line by line.
fn by_hand(gamma: f64, ascents: usize, examples: Perturbing) -> ([f64; 2], usize) {
    let (mut v, mut masked) = ([0.0; 2], 0);
    for _ in 0..ascents {
        let here = [W[0] + v[0], W[1] + v[1]];
        let counts = |i: usize| match examples {
            Perturbing::All => true,
            Perturbing::LossBelow(c) => loss(here, i) < c,
            Perturbing::LossFrom(c) => loss(here, i) >= c,
        };
        masked += (0..3).filter(|&i| !counts(i)).count();
        let g = gradient(here, counts);
        if norm(g) > 0.0 {
            v = [0, 1].map(|k| v[k] + g[k] * norm(W) / norm(g));
            v = v.map(|x| x * gamma * norm(W) / norm(v));
        }
    }
    (v, masked)
}

#[test]
fn weights_move_as_the_algorithm_says_and_the_step_starts_from_where_they_were() {
    let losses: Vec<f64> = (0..3).map(|i| loss(W, i)).collect();
    // A threshold between the losses, so that some examples perturb and some do not.
    let between =
        (losses.iter().copied().fold(f64::INFINITY, f64::min) + losses.iter().copied().fold(0.0, f64::max)) / 2.0;
    let (below, from) = (Perturbing::LossBelow(between), Perturbing::LossFrom(between));
    for (ascents, examples) in [(1, Perturbing::All), (4, Perturbing::All), (3, below), (10, below), (3, from)] {
        let mut step = logistic();
        step.apply(&WeightPerturbation { gamma: 0.3, ascents, examples }).unwrap();
        let mut run = start(step);
        let got = run.advance(&batch()).unwrap();
        let (v, masked) = by_hand(0.3, ascents, examples);
        assert_eq!(masked > 0, examples != Perturbing::All, "the threshold must matter");
        let moved = [W[0] + v[0], W[1] + v[1]];
        close(&[got], &[(0..3).map(|i| loss(moved, i)).sum::<f64>() / 3.0]);
        let g = gradient(moved, |_| true);
        close(&weights(&run), &[0, 1].map(|k| W[k] - RATE * g[k]));
    }
}

#[test]
fn a_threshold_of_zero_leaves_training_as_it_is_bit_by_bit() {
    let plain = |perturbed: bool| {
        let mut step = logistic();
        step.apply(&AdversarialTraining { epsilon: 0.1, step: 0.05, limits: (-2.0, 2.0), ..Default::default() })
            .unwrap();
        if perturbed {
            let examples = Perturbing::LossBelow(0.0);
            step.apply(&WeightPerturbation { gamma: 0.01, ascents: 10, examples }).unwrap();
        }
        let mut run = start(step);
        (0..5).for_each(|_| assert!(run.advance(&batch()).unwrap().is_finite()));
        weights(&run)
    };
    assert_eq!(plain(false), plain(true));
}

#[test]
fn adversarial_training_sees_the_worst_of_the_ball_and_its_limits() {
    // Two steps of half the radius reach the corner of the ball, where a linear model is worst; the limit cuts it.
    for (random_start, steps) in [(false, 2), (true, 4)] {
        let mut step = logistic();
        let hook = AdversarialTraining { epsilon: 0.2, step: 0.1, steps, random_start, limits: (-0.9, 1.0) };
        step.apply(&hook).unwrap();
        let got = start(step).advance(&batch()).unwrap();
        let worst = |i: usize, k: usize| (X[2 * i + k] - 0.2 * Y[i] * W[k].signum()).clamp(-0.9, 1.0);
        let loss = |i: usize| (-Y[i] * (W[0] * worst(i, 0) + W[1] * worst(i, 1))).exp().ln_1p();
        close(&[got], &[(0..3).map(loss).sum::<f64>() / 3.0]);
    }
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    let refused = |result: Result<(), TrainError>| assert!(matches!(result, Err(TrainError::Setting(_))), "{result:?}");
    for (gamma, c) in [(1.0, 1.0), (-0.1, 1.0), (f64::NAN, 1.0), (0.1, -1.0), (0.1, f64::NAN)] {
        let examples = Perturbing::LossBelow(c);
        refused(logistic().apply(&WeightPerturbation { gamma, ascents: 1, examples }));
    }
    for (epsilon, limits) in [(-0.1, (0.0, 1.0)), (f64::INFINITY, (0.0, 1.0)), (0.1, (1.0, 0.0))] {
        refused(logistic().apply(&AdversarialTraining { epsilon, limits, ..Default::default() }));
    }
}
