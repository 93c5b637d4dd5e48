//! Variables: a training step in one plan against the same step in plain loops, and the order of updates.

use perturb_engine::{EngineError, Executable, Options, Session};
use perturb_graph::{DType, Expr, Tensor, eval, grad};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn tensor(shape: &[usize], seed: u64) -> Tensor {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let count = shape.iter().product();
    Tensor::new(shape, (0..count).map(|_| rng.random_range(-1.0..1.0)).collect::<Vec<f64>>()).unwrap()
}

fn input(name: &str, shape: &[usize]) -> Expr {
    Expr::input(name, shape, DType::F64)
}

/// Runs `steps` steps and compares every output and variable with the reference evaluator, which computes all next
/// values from the old ones.
fn check(outputs: &[Expr], inputs: &[Expr], state: &[(Expr, Expr)], steps: u64) -> Session {
    let exe = Executable::compile_with_state(outputs, inputs, state, &Options::default()).unwrap();
    let mut values: Vec<Tensor> =
        state.iter().enumerate().map(|(i, (v, _))| tensor(v.shape(), 90 + i as u64)).collect();
    let mut session = exe.session(&values).unwrap();
    let everything: Vec<Expr> = outputs.iter().chain(state.iter().map(|(_, next)| next)).cloned().collect();
    for step in 0..steps {
        let feeds: Vec<Tensor> = inputs.iter().map(|i| tensor(i.shape(), step)).collect();
        let pairs = inputs.iter().cloned().zip(feeds.clone());
        let pairs: Vec<_> = pairs.chain(state.iter().map(|(v, _)| v.clone()).zip(values.clone())).collect();
        let mut expected = eval(&everything, &pairs).unwrap();
        values = expected.split_off(outputs.len());
        let got = session.run(&feeds.iter().collect::<Vec<_>>()).unwrap();
        for (g, e) in got.iter().chain(&session.variables()).zip(expected.iter().chain(&values)) {
            assert_eq!(g.shape(), e.shape());
            for (a, b) in g.as_slice::<f64>().iter().zip(e.as_slice::<f64>()) {
                assert!((a - b).abs() <= 1e-12 * (1.0 + b.abs()), "step {step}: {a} instead of {b}");
            }
        }
    }
    session
}

/// Least squares with `Adam` (Kingma & Ba 2015, algorithm 1) on `x·w + b`.
struct Problem {
    x: Expr,
    y: Expr,
    loss: Expr,
    state: Vec<(Expr, Expr)>,
}

fn adam() -> Problem {
    let (x, y) = (input("x", &[8, 3]), input("y", &[8, 2]));
    let (w, b, t) = (input("w", &[3, 2]), input("b", &[2]), input("t", &[1]));
    let loss = x.matmul(&w).add(&b).sub(&y).square().sum();
    let gradients = grad(&loss, &[w.clone(), b.clone()]).unwrap();
    let mut state = vec![];
    let time = t.offset(1.0);
    let correction = |beta: f64| time.scale(beta.ln()).exp().neg().offset(1.0);
    for (p, g) in [w, b].into_iter().zip(gradients) {
        let (m, v) = (input("m", p.shape()), input("v", p.shape()));
        let next_m = m.scale(0.9).add(&g.scale(0.1));
        let next_v = v.abs().scale(0.999).add(&g.square().scale(0.001));
        let m_hat = next_m.div(&correction(0.9));
        let v_hat = next_v.div(&correction(0.999));
        let next = p.sub(&m_hat.scale(0.01).div(&v_hat.sqrt().offset(1e-8)));
        state.extend([(p, next), (m, next_m), (v, next_v)]);
    }
    state.push((t.clone(), t.abs().floor().offset(1.0)));
    Problem { x, y, loss, state }
}

#[test]
fn adam_is_the_published_loop() {
    let Problem { x, y, loss, state } = adam();
    let exe = Executable::compile_with_state(&[loss], &[x, y], &state, &Options::default()).unwrap();
    let zeros = |shape: &[usize]| Tensor::full(shape, 0.0f64);
    let (w0, b0) = (tensor(&[3, 2], 1), tensor(&[2], 2));
    let initial = [w0.clone(), zeros(&[3, 2]), zeros(&[3, 2]), b0.clone(), zeros(&[2]), zeros(&[2]), zeros(&[1])];
    let mut session = exe.session(&initial).unwrap();
    let (feed_x, feed_y) = (tensor(&[8, 3], 3), tensor(&[8, 2], 4));
    let (xs, ys) = (feed_x.as_slice::<f64>(), feed_y.as_slice::<f64>());
    // Parameters in one list: six weights, two biases.
    let mut p: Vec<f64> = [w0.as_slice::<f64>(), b0.as_slice::<f64>()].concat();
    let (mut m, mut v) = (vec![0.0; 8], vec![0.0; 8]);
    for step in 1..=20 {
        let mut g = [0.0; 8];
        let mut loss = 0.0;
        for i in 0..8 {
            for k in 0..2 {
                let error = (0..3).map(|j| xs[3 * i + j] * p[2 * j + k]).sum::<f64>() + p[6 + k] - ys[2 * i + k];
                loss += error * error;
                (0..3).for_each(|j| g[2 * j + k] += 2.0 * error * xs[3 * i + j]);
                g[6 + k] += 2.0 * error;
            }
        }
        for j in 0..8 {
            m[j] = 0.9 * m[j] + 0.1 * g[j];
            v[j] = 0.999 * v[j] + 0.001 * g[j] * g[j];
            let (m_hat, v_hat) = (m[j] / (1.0 - 0.9f64.powi(step)), v[j] / (1.0 - 0.999f64.powi(step)));
            p[j] -= 0.01 * m_hat / (v_hat.sqrt() + 1e-8);
        }
        let got = session.run(&[&feed_x, &feed_y]).unwrap();
        assert!((got[0].as_slice::<f64>()[0] - loss).abs() < 1e-10 * loss, "step {step}");
    }
    let got = [session.variable(0).as_slice::<f64>(), session.variable(3).as_slice::<f64>()].concat();
    got.iter().zip(&p).for_each(|(a, b)| assert!((a - b).abs() < 1e-11, "{a} instead of {b}"));
    assert_eq!(session.variable(6).as_slice::<f64>(), [20.0]);
}

#[test]
fn optimizers_see_old_values() {
    let Problem { x, y, loss, state } = adam();
    check(&[loss.clone()], &[x.clone(), y.clone()], &state, 5);
    // Momentum whose parameter moves by the old velocity, and plain descent.
    let (w, b) = (state[0].0.clone(), state[3].0.clone());
    let gradients = grad(&loss, &[w.clone(), b.clone()]).unwrap();
    let velocity = input("velocity", &[3, 2]);
    let next = velocity.scale(0.9).add(&gradients[0]);
    let momentum = [
        (velocity.clone(), next),
        (w.clone(), w.sub(&velocity.scale(0.1))),
        (b.clone(), b.sub(&gradients[1].scale(0.01))),
    ];
    check(&[loss], &[x, y], &momentum, 5);
}

#[test]
fn variables_change_places() {
    let (a, b, c, d) = (input("a", &[3, 4]), input("b", &[3, 4]), input("c", &[3, 4]), input("d", &[2]));
    let swap = [(a.clone(), b.clone()), (b.clone(), a.clone())];
    check(&[], &[], &swap, 3);
    check(&[a.clone(), a.add(&b)], &[], &swap, 3);
    check(&[], &[], &[(a.clone(), b.clone()), (b.clone(), c.clone()), (c.clone(), a.clone())], 4);
    // Along a path whose end is new, with one that stays and one that two others take.
    let path = [(a.clone(), b.clone()), (b.clone(), c.clone()), (c.clone(), c.scale(0.5)), (d.clone(), d.clone())];
    check(&[a.clone()], &[], &path, 5);
    check(&[], &[], &[(a.clone(), c.clone()), (b.clone(), c.clone()), (c.clone(), a.clone())], 4);
    let fibonacci = [(a.clone(), b.clone()), (b.clone(), a.add(&b))];
    let session = check(&[b.clone()], &[], &fibonacci, 6);
    assert_eq!(session.variables().len(), 2);
}

#[test]
fn an_update_made_early_does_not_show_in_another() {
    let (a, b, x) = (input("a", &[4, 4]), input("b", &[4, 4]), input("x", &[4, 4]));
    // a's next value is made first, but b's reads the old a; and a product of the new a is an output.
    let next_a = a.add(&x).tanh();
    let next_b = b.matmul(&a).add(&next_a);
    let out = next_a.matmul(&next_b);
    check(&[out, next_a.clone()], &[x.clone()], &[(a.clone(), next_a.clone()), (b.clone(), next_b)], 4);
    // The old value of a variable that is overwritten is an output, as it is and through a view.
    let outputs = [a.clone(), a.transpose(&[1, 0]), a.slice_axis(0, 1, 2), next_a.clone()];
    check(&outputs, &[x.clone()], &[(a.clone(), next_a)], 4);
    // A chain of in-place steps longer than one fused program.
    let long = (0..90).fold(a.clone(), |v, _| v.mul(&a).add(&x).scale(0.3));
    check(&[long.sum()], &[x], &[(a, long)], 3);
}

#[test]
fn next_values_that_are_views_feeds_or_constants() {
    let (a, b, c, x) = (input("a", &[4, 4]), input("b", &[4, 4]), input("c", &[4, 4]), input("x", &[4, 4]));
    let row = x.slice_axis(0, 0, 1);
    let state =
        [(a.clone(), a.transpose(&[1, 0])), (b.clone(), row.broadcast_to([4, 4])), (c.clone(), b.reverse(&[0]))];
    check(&[a.sum()], &[x.clone()], &state, 4);
    let fixed = Expr::constant(tensor(&[4, 4], 5));
    let state = [(a.clone(), x.clone()), (b.clone(), fixed), (c.clone(), c.like(2.0))];
    check(&[a.add(&b).add(&c), x.clone()], &[x.clone()], &state, 3);
    // Both take the same new value; one is not used by anything.
    let next = x.exp();
    check(&[next.clone()], &[x], &[(a, next.clone()), (b, next)], 3);
}

#[test]
fn large_variables_are_updated_in_place() {
    let (w, x) = (input("w", &[1000]), input("x", &[1000]));
    let state = [(w.clone(), w.sub(&w.mul(&x).scale(0.1)))];
    let exe = Executable::compile_with_state(&[], &[x], &state, &Options::default()).unwrap();
    assert_eq!(exe.statistics().working_bytes, 8000);
    assert_eq!(exe.statistics().steps, 1);
}

#[test]
fn sessions_are_independent_can_move_between_threads_and_be_set() {
    fn sendable<T: Send>(value: T) -> T {
        value
    }
    let (w, x) = (input("w", &[2]), input("x", &[2]));
    let exe =
        Executable::compile_with_state(&[], &[x.clone()], &[(w.clone(), w.add(&x))], &Options::default()).unwrap();
    let mut first = sendable(exe.session(&[Tensor::full([2], 0.0)]).unwrap());
    let mut second = exe.session(&[Tensor::full([2], 10.0)]).unwrap();
    drop(exe);
    let one = Tensor::full([2], 1.0);
    let first = std::thread::spawn(move || {
        (0..3).for_each(|_| drop(first.run(&[&Tensor::full([2], 1.0)]).unwrap()));
        first
    })
    .join()
    .unwrap();
    second.run(&[&one]).unwrap();
    assert_eq!(first.variable(0).as_slice::<f64>(), [3.0; 2]);
    assert_eq!(second.variable(0).as_slice::<f64>(), [11.0; 2]);
    second.set_variable(0, &Tensor::full([2], -1.0)).unwrap();
    second.run(&[&one]).unwrap();
    assert_eq!(second.variable(0).as_slice::<f64>(), [0.0; 2]);
}

#[test]
fn mistakes_are_named() {
    let (w, x) = (input("weight", &[2]), input("x", &[2]));
    let options = Options::default();
    let compile = |state: &[(Expr, Expr)]| {
        Executable::compile_with_state(&[], &[x.clone()], state, &options).err().map(|e| e.to_string())
    };
    let next = w.add(&x);
    assert!(compile(&[(w.clone(), next.sum())]).unwrap().contains("'weight' is f64[2], but its next value is f64[]"));
    assert!(compile(&[(w.clone(), next.clone()), (w.clone(), next.clone())]).unwrap().contains("listed twice"));
    assert!(compile(&[(x.clone(), next.clone())]).unwrap().contains("also an input"));
    assert!(compile(&[(next.clone(), next.clone())]).unwrap().contains("only a parameter or an input"));
    let exe = Executable::compile_with_state(&[], &[x.clone()], &[(w.clone(), next)], &options).unwrap();
    assert_eq!(exe.run(&[&tensor(&[2], 0)]), Err(EngineError::NeedsSession { variables: 1 }));
    assert!(exe.session(&[]).err().unwrap().to_string().contains("1 variable"));
    assert!(exe.session(&[tensor(&[3], 0)]).err().unwrap().to_string().contains("weight"));
    let mut session = exe.session(&[tensor(&[2], 0)]).unwrap();
    assert!(session.run(&[&tensor(&[3], 0)]).unwrap_err().to_string().contains("'x'"));
    assert!(session.run_into(&[&tensor(&[2], 0)], &mut [tensor(&[2], 0)]).unwrap_err().to_string().contains("output"));
    assert_eq!(session.variable(0), tensor(&[2], 0));
}
