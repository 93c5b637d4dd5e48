//! Optimizers and schedules against PyTorch 2.15, whose numbers are given.

use crate::{assert_close, param, run, tensor};
use perturb_engine::{Executable, Options};
use perturb_graph::{DType, Expr, Tensor, grad};
use perturb_nn::{
    Adagrad, Adam, Cosine, Lbfgs, OneCycle, Optimizer, Polynomial, Ramp, RmsProp, Schedule, Sgd, Step, StepDecay,
    updates,
};

/// `½wᵀAw − bᵀw + 0.1·Σ sin(3w)` from (1, −2, ½).
fn problem() -> Step {
    let mut step = Step::with_dtype(DType::F64);
    let w = param("w", &[3], &[1.0, -2.0, 0.5]);
    let a = Expr::constant(tensor(&[3, 3], &[3.0, 0.5, 0.0, 0.5, 1.0, -0.3, 0.0, -0.3, 0.2]));
    let b = Expr::constant(tensor(&[3], &[1.0, -1.0, 0.3]));
    let sines = w.scale(3.0).sin().sum().scale(0.1);
    step.minimize(w.inner(&a.matmul(&w)).scale(0.5).sub(&b.inner(&w)).add(&sines));
    step
}

/// After ten steps.
#[track_caller]
fn check(optimizer: impl Optimizer + 'static, expected: [f64; 3]) {
    let (_, variables) = run(problem(), optimizer, 10);
    // The learning rate and 1 − βᵗ are computed in f64 here and there, in another order.
    assert_close(&variables.get("w").unwrap().to_f64_vec(), &expected, 1e-12);
}

#[test]
fn gradient_descent() {
    check(
        Sgd { learning_rate: 0.1, ..Sgd::default() },
        [0.6987965393245895, -1.6859657315074847, 0.011019097818234815],
    );
    let momentum = Sgd { learning_rate: 0.05, momentum: 0.9, weight_decay: 0.1, nesterov: false };
    check(momentum, [0.35268783365934214, -0.9527568655523886, -0.45462942427482395]);
    check(Sgd { nesterov: true, ..momentum }, [0.3993623611669629, -0.90319409905884, -0.5122930233470838]);
}

#[test]
fn adam_and_its_relatives() {
    let adam = Adam { learning_rate: 0.1, ..Adam::default() };
    check(adam, [0.4411250716850431, -1.0312497566909977, -0.4751735539490044]);
    check(Adam { weight_decay: 0.1, ..adam }, [0.3937894299033818, -1.0258757167691204, -0.4659724840643195]);
    check(
        Adam { learning_rate: 0.1, weight_decay: 0.1, ..Adam::w() },
        [0.4112867462055888, -0.9004068207279257, -0.4704791571590704],
    );
    check(
        Adam { amsgrad: true, beta1: 0.5, beta2: 0.6, ..adam },
        [0.5527855991141533, -1.1553996128431636, -0.3836332596003286],
    );
}

#[test]
fn root_mean_squares() {
    check(
        RmsProp { learning_rate: 0.05, ..RmsProp::default() },
        [0.5143543372871087, -1.0946413380183104, -0.4547061044047143],
    );
    let centered = RmsProp { momentum: 0.9, centered: true, weight_decay: 0.1, alpha: 0.9, ..RmsProp::default() };
    check(RmsProp { learning_rate: 0.02, ..centered }, [0.2889385965629413, -0.5451829701778321, -0.8885391086090347]);
    check(
        Adagrad { learning_rate: 0.3, weight_decay: 0.1, ..Adagrad::default() },
        [0.47161254428081945, -0.9944820037194071, -0.3970186299920151],
    );
    check(
        Adagrad { learning_rate: 0.3, initial: 0.5, ..Adagrad::default() },
        [0.5707861197912606, -1.2816539110476675, -0.433905308734127],
    );
}

#[test]
fn updates_are_a_step_of_their_own() {
    let w = param("w", &[1], &[1.0]);
    let loss = w.square().sum();
    let state = updates(&Adam { learning_rate: 0.1, ..Adam::default() }, &[w.clone()], &grad(&loss, &[w]).unwrap());
    let initial: Vec<Tensor> = state.iter().map(|(v, _)| v.value().unwrap().clone()).collect();
    let step = Executable::compile_with_state(&[], &[], &state, &Options::default()).unwrap();
    let mut session = step.session(&initial).unwrap();
    session.run(&[]).unwrap();
    // Adam's first step is the learning rate, whatever the gradient.
    assert_close(&session.variable(0).to_f64_vec(), &[0.9], 1e-8);
    assert_eq!(session.variable(3).to_f64_vec(), [1.0]);
}

#[track_caller]
fn check_schedule(schedule: impl Schedule, expected: &[f64]) {
    let steps = expected.len() as u64;
    assert_close(&(0..steps).map(|k| schedule.at(k, steps)).collect::<Vec<_>>(), expected, 1e-12);
}

#[test]
fn schedules() {
    check_schedule(
        OneCycle::default(),
        &[
            0.040000000000000036,
            0.52,
            1.0,
            0.9504846320134737,
            0.8117456539497631,
            0.6112620219362893,
            0.38874197806371075,
            0.18825834605023697,
            0.049519367986526286,
            4e-06,
        ],
    );
    check_schedule(
        Cosine { warm_up: 0, floor: 0.1 },
        &[
            1.0,
            0.9657457896300791,
            0.8681980515339464,
            0.7222075445642905,
            0.55,
            0.3777924554357097,
            0.2318019484660537,
            0.134254210369921,
        ],
    );
    check_schedule(StepDecay { every: 3, gamma: 0.5 }, &[1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.25, 0.25]);
    check_schedule(
        Polynomial { warm_up: 0, power: 2.0, floor: 0.0 },
        &[
            1.0,
            0.765625,
            0.5625,
            0.39062500000000006,
            0.2500000000000001,
            0.14062500000000006,
            0.06250000000000003,
            0.015625000000000007,
        ],
    );
    check_schedule(Polynomial::linear(2), &[0.5, 1.0, 1.0, 0.75, 0.5, 0.25]);
    check_schedule(Cosine { warm_up: 2, floor: 0.0 }, &[0.5, 1.0, 1.0, 0.5]);
    check_schedule(Ramp { from: 1.0, to: 3.0, start: 0.25, end: 0.75 }, &[1.0, 1.0, 1.5, 2.0, 2.5, 3.0, 3.0, 3.0]);
    check_schedule(Ramp { from: 0.0, to: 1.0, start: 0.0, end: 0.0 }, &[1.0, 1.0]);
}

#[test]
fn lbfgs_finds_the_minimum_to_many_digits() {
    // Rosenbrock's valley from (−1.2, 1): 0 at (1, 1).
    let w = param("w", &[2], &[-1.2, 1.0]);
    let (a, b) = (w.slice_axis(0, 0, 1), w.slice_axis(0, 1, 2));
    let loss = a.neg().offset(1.0).square().add(&b.sub(&a.square()).square().scale(100.0)).sum();
    let found = Lbfgs::default().minimize(&loss, &[w]).unwrap();
    assert_close(&found.parameters.get("w").unwrap().to_f64_vec(), &[1.0, 1.0], 1e-8);
    // SciPy 1.17.1's L-BFGS-B takes 38 iterations for a projected gradient of 1e-8.
    assert!(found.iterations <= 50 && found.gradient <= 1e-8, "{} iterations", found.iterations);
}

#[test]
fn lbfgs_stops_where_a_quadratic_ends() {
    // Ten dimensions with condition 1000: the minimum of ½xᵀDx − Σx is 1/d.
    let d: Vec<f64> = (0..10).map(|i| 10f64.powf(i as f64 / 3.0)).collect();
    let (w, diagonal) = (param("w", &[10], &[0.0; 10]), Expr::constant(tensor(&[10], &d)));
    let loss = w.square().mul(&diagonal).scale(0.5).sub(&w).sum();
    let found = Lbfgs::default().minimize(&loss, &[w]).unwrap();
    // A loss near −1 in f64 tells two points apart if they differ by √(2ε) = 2e−8.
    let expected: Vec<f64> = d.iter().map(|d| 1.0 / d).collect();
    assert_close(&found.parameters.get("w").unwrap().to_f64_vec(), &expected, 2e-8);
    // A loss without a minimum ends all the same.
    let w = param("w", &[1], &[0.0]);
    let found = Lbfgs { iterations: 5, ..Lbfgs::default() }.minimize(&w.sum(), &[w]).unwrap();
    assert_eq!(found.iterations, 5);
}
