//! Each kind of method as a hook of a few lines, against what it must do in closed form.

use crate::{assert_close, param, run, tensor};
use perturb_graph::{DType, Expr, grad};
use perturb_nn::{
    Batch, ClipGradients, Ema, Group, Initializer, Key, Layers, Sgd, Step, Swa, TrainError, Trainer, losses,
};

const RATE: f64 = 0.1;

fn sgd() -> Sgd {
    Sgd { learning_rate: RATE, ..Sgd::default() }
}

fn batch(tensors: &[(&str, &[usize], &[f64])]) -> Batch {
    Batch::new(tensors.iter().map(|(name, shape, values)| (name.to_string(), tensor(shape, values))).collect())
}

/// Logistic regression `softplus(−y·⟨w, x⟩)` of two points in the plane with targets ±1.
struct Logistic {
    step: Step,
    x: Expr,
    w: Expr,
}

const X: [f64; 4] = [0.3, -0.8, 1.1, 0.4];
const Y: [f64; 2] = [1.0, -1.0];
const W: [f64; 2] = [0.7, -0.2];

fn logistic() -> Logistic {
    let mut step = Step::with_dtype(DType::F64);
    let (x, y) = (step.input("x", [2, 2], DType::F64), step.input("y", [2], DType::F64));
    let w = param("w", &[2], &W);
    step.minimize(x.matmul(&w).mul(&y).neg().softplus());
    Logistic { step, x, w }
}

fn logistic_batch() -> Batch {
    batch(&[("x", &[2, 2], &X), ("y", &[2], &Y)])
}

fn softplus(z: f64) -> f64 {
    z.exp().ln_1p()
}

/// Ascends the loss in the ℓ∞ ball around `x` (Madry et al. 2018), by steps of the gradient's sign.
fn pgd(step: &mut Step, x: &Expr, epsilon: f64, steps: usize, size: f64) -> Result<(), TrainError> {
    let mut delta = x.like(0.0);
    for _ in 0..steps {
        let at = x.add(&delta);
        let ascent = grad(&step.loss_with(&[(x.clone(), at.clone())])?.sum(), &[delta.clone()])?.remove(0);
        delta = delta.add(&ascent.sign().scale(size)).clip(-epsilon, epsilon);
    }
    step.replace(x, &x.add(&delta))
}

#[test]
fn adversarial_training_trains_on_the_worst_of_the_ball() {
    let Logistic { mut step, x, .. } = logistic();
    pgd(&mut step, &x, 0.1, 5, 0.04).unwrap();
    let mut run = Trainer::with(sgd()).start(step, 1).unwrap();
    let loss = run.advance(&logistic_batch()).unwrap();
    // The worst point of a linear model lowers every margin by ε·|w|₁.
    let margin = |i: usize| Y[i] * (W[0] * X[2 * i] + W[1] * X[2 * i + 1]) - 0.1 * 0.9;
    let expected = (softplus(-margin(0)) + softplus(-margin(1))) / 2.0;
    assert_close(&[loss], &[expected], 1e-12);
    // And the gradient is that at the worst point: no derivative through the attack.
    let slope = |i: usize| -Y[i] / (1.0 + margin(i).exp()) / 2.0;
    let worst = |i: usize, k: usize| X[2 * i + k] - 0.1 * Y[i] * W[k].signum();
    let next: Vec<f64> = (0..2).map(|k| W[k] - RATE * (slope(0) * worst(0, k) + slope(1) * worst(1, k))).collect();
    assert_close(&run.parameters().get("w").unwrap().to_f64_vec(), &next, 1e-12);
}

#[test]
fn an_attack_may_be_a_loop_in_the_graph() {
    let loss = |scanned: bool| {
        let Logistic { mut step, x, .. } = logistic();
        if scanned {
            let (start, objective) = (x.like(0.0), step.objective().unwrap());
            let (delta, _) = Expr::scan(&[start], &[], 5, false, |state, _| {
                let loss = step.at_current(&objective, &[(x.clone(), x.add(&state[0]))])?;
                let ascent = grad(&loss.sum(), &[state[0].clone()])?.remove(0);
                Ok((vec![state[0].add(&ascent.sign().scale(0.04)).clip(-0.1, 0.1)], vec![]))
            })
            .unwrap();
            step.replace(&x, &x.add(&delta[0])).unwrap();
        } else {
            pgd(&mut step, &x, 0.1, 5, 0.04).unwrap();
        }
        Trainer::with(sgd()).start(step, 1).unwrap().advance(&logistic_batch()).unwrap()
    };
    assert_close(&[loss(true)], &[loss(false)], 1e-14);
}

/// Sharpness-aware minimisation (Foret et al. 2021, eq. 2): the gradient at `w + ρ·g/|g|`.
fn sam(step: &mut Step, rho: f64) -> Result<(), TrainError> {
    let parameters = step.parameters()?;
    let ascent = grad(&step.loss_with(&[])?.reduce_mean(&[0], false), &parameters)?;
    let norm = ascent.iter().map(|g| g.square().sum()).reduce(|a, b| a.add(&b)).expect("parameters").sqrt();
    let amounts = parameters.into_iter().zip(ascent).map(|(p, g)| (p, g.div(&norm).scale(rho)));
    step.move_weights(&amounts.collect::<Vec<_>>())
}

#[test]
fn sharpness_aware_minimisation_descends_from_the_uphill_neighbour() {
    // ½·h·w²: the gradient at w + ρ·sign(w) is h·(w + ρ·sign(w)), and the step starts from w.
    let (h, w, rho) = (3.0, -0.4, 0.05);
    let mut step = Step::with_dtype(DType::F64);
    step.minimize(param("w", &[1], &[w]).square().scale(h / 2.0));
    sam(&mut step, rho).unwrap();
    let (losses, variables) = run(step, sgd(), 1);
    assert_close(&losses, &[h / 2.0 * (w - rho) * (w - rho)], 1e-12);
    assert_close(&variables.get("w").unwrap().to_f64_vec(), &[w - RATE * h * (w - rho)], 1e-12);
}

/// Adversarial weight perturbation (Wu et al. 2020, eq. 9): every tensor moves uphill by γ of its norm.
fn awp(step: &mut Step, gamma: f64) -> Result<(), TrainError> {
    let parameters = step.parameters()?;
    let ascent = grad(&step.loss_with(&[])?.reduce_mean(&[0], false), &parameters)?;
    let norm = |e: &Expr| e.square().sum().sqrt();
    let amount = |(p, g): (Expr, Expr)| (p.clone(), g.mul(&norm(&p).div(&norm(&g)).scale(gamma)));
    step.move_weights(&parameters.into_iter().zip(ascent).map(amount).collect::<Vec<_>>())
}

#[test]
fn weights_are_perturbed_on_the_adversarial_batch_of_the_unperturbed_weights() {
    let Logistic { mut step, x, .. } = logistic();
    // A ball so large that the attack at the moved weights, whose second component has another sign, would differ.
    pgd(&mut step, &x, 0.5, 1, 0.5).unwrap();
    awp(&mut step, 6.0).unwrap();
    let mut run = Trainer::with(sgd()).start(step, 1).unwrap();
    let loss = run.advance(&logistic_batch()).unwrap();
    let worst = |i: usize, k: usize| X[2 * i + k] - 0.5 * Y[i] * W[k].signum();
    let margin = |i: usize, w: [f64; 2]| Y[i] * (w[0] * worst(i, 0) + w[1] * worst(i, 1));
    let gradient = |w: [f64; 2]| {
        let slope = |i: usize| -Y[i] / (1.0 + margin(i, w).exp()) / 2.0;
        [0, 1].map(|k| slope(0) * worst(0, k) + slope(1) * worst(1, k))
    };
    let norm = |v: [f64; 2]| v[0].hypot(v[1]);
    let g = gradient(W);
    let moved = [0, 1].map(|k| W[k] + 6.0 * norm(W) / norm(g) * g[k]);
    assert!(moved[0].signum() != W[0].signum() || moved[1].signum() != W[1].signum(), "{moved:?}");
    assert_close(&[loss], &[(softplus(-margin(0, moved)) + softplus(-margin(1, moved))) / 2.0], 1e-12);
    let g = gradient(moved);
    let next = [0, 1].map(|k| W[k] - RATE * g[k]);
    assert_close(&run.parameters().get("w").unwrap().to_f64_vec(), &next, 1e-12);
}

/// Mixup with Beta(1, 1) (Zhang et al. 2018): inputs and targets of pairs, mixed alike.
fn mixup(step: &mut Step, names: &[&str]) -> Result<(), TrainError> {
    let key = step.key();
    for name in names {
        let x = step.named(name)?;
        let n = x.shape()[0];
        let share = key.fold(0).uniform([], x.dtype());
        let partner = x.gather(0, &key.fold(1).permutation(n));
        step.replace(&x, &partner.add(&x.sub(&partner).mul(&share)))?;
    }
    Ok(())
}

#[test]
fn mixup_mixes_inputs_and_targets_alike() {
    let fit = |names: &[&str]| {
        let mut step = Step::with_dtype(DType::F64);
        let (x, y) = (step.input("x", [4, 1], DType::F64), step.input("y", [4, 1], DType::F64));
        step.minimize(losses::mse(&x.matmul(&param("w", &[1, 1], &[3.0])), &y));
        mixup(&mut step, names).unwrap();
        step.report("x", &x);
        let mut run = Trainer::with(sgd()).start(step, 10).unwrap();
        let data = batch(&[("x", &[4, 1], &[1.0, 2.0, 5.0, 9.0]), ("y", &[4, 1], &[3.0, 6.0, 15.0, 27.0])]);
        let loss = run.advance(&data).unwrap();
        (loss, run.report("x").unwrap())
    };
    // The targets are linear in the inputs: mixed alike they still are, and mixed alone they are not.
    assert_close(&[fit(&["x", "y"]).0], &[0.0], 1e-12);
    assert!(fit(&["x"]).0 > 0.1);
    // A permutation keeps the mean.
    assert_close(&[fit(&["x"]).1], &[17.0 / 4.0], 1e-12);
}

#[test]
fn a_jacobian_penalty_of_a_linear_map_is_the_norm_of_its_matrix() {
    // λ/2·‖∂z/∂x‖² for each example (Hoffman et al. 2019, eq. 3), exactly.
    let jacobian = |step: &mut Step, lambda: f64| -> Result<(), TrainError> {
        let (x, logits) = (step.named("x")?, step.named("logits")?);
        for k in 0..logits.shape()[1] {
            let row = grad(&logits.slice_axis(1, k, k + 1), &[x.clone()])?.remove(0);
            step.add_term(&row.square().reduce_sum(&[1], false).scale(lambda / 2.0))?;
        }
        Ok(())
    };
    let mut step = Step::with_dtype(DType::F64);
    let x = step.input("x", [3, 2], DType::F64);
    let w = param("w", &[2, 2], &[1.0, 2.0, -3.0, 0.5]);
    let logits = x.matmul(&w);
    step.name("logits", &logits);
    step.minimize(logits.reduce_sum(&[1], false).scale(0.0));
    step.apply(&|step: &mut Step| jacobian(step, 0.2)).unwrap();
    let mut run = Trainer::with(sgd()).start(step, 1).unwrap();
    let loss = run.advance(&batch(&[("x", &[3, 2], &[0.1, 0.2, 0.3, 0.4, 0.5, 0.6])])).unwrap();
    assert_close(&[loss], &[0.1 * (1.0 + 4.0 + 9.0 + 0.25)], 1e-12);
    // Its gradient, λ·W, is a derivative of a derivative.
    assert_close(
        &run.parameters().get("w").unwrap().to_f64_vec(),
        &[1.0, 2.0, -3.0, 0.5].map(|v| v * (1.0 - RATE * 0.2)),
        1e-12,
    );
}

/// A loss with the gradient (3, 4) in every step.
fn slope() -> Step {
    let mut step = Step::with_dtype(DType::F64);
    let w = param("w", &[2], &[1.0, 1.0]);
    step.minimize(w.mul(&Expr::constant(tensor(&[2], &[3.0, 4.0]))).sum());
    step
}

#[test]
fn averages_follow_the_weights() {
    let mut step = slope();
    step.apply(&Ema::new(0.9)).unwrap();
    step.apply(&Swa { start: 3, every: 2 }).unwrap();
    let (_, variables) = run(step, sgd(), 6);
    let weight = |t: i32| 1.0 - 0.3 * f64::from(t);
    let ema = (1..=6).fold(1.0, |average, t| 0.9 * average + 0.1 * weight(t));
    assert_close(&variables.under("ema.").get("w").unwrap().to_f64_vec()[..1], &[ema], 1e-12);
    let swa = (weight(3) + weight(5)) / 2.0;
    assert_close(&variables.under("swa.").get("w").unwrap().to_f64_vec()[..1], &[swa], 1e-12);
}

#[test]
fn the_first_averages_of_a_warmed_up_mean_are_short() {
    let mut step = slope();
    step.apply(&Ema { decay: 0.9, warm_up: true }).unwrap();
    let (_, variables) = run(step, sgd(), 3);
    let kept = |t: f64| f64::min(0.9, (1.0 + t) / (10.0 + t));
    let average = [1.0, 2.0, 3.0].iter().fold(1.0, |a, &t| kept(t) * a + (1.0 - kept(t)) * (1.0 - 0.3 * t));
    assert_close(&variables.get("ema.w").unwrap().to_f64_vec()[..1], &[average], 1e-12);
}

#[test]
fn gradients_are_clipped_by_norm_and_by_value() {
    let moved = |clip: ClipGradients| {
        let mut step = slope();
        step.apply(&clip).unwrap();
        run(step, sgd(), 1).1.get("w").unwrap().to_f64_vec()
    };
    let factor = 2.0 / (5.0 + 1e-6);
    assert_close(&moved(ClipGradients::Norm(2.0)), &[1.0 - 0.3 * factor, 1.0 - 0.4 * factor], 1e-12);
    assert_close(&moved(ClipGradients::Norm(7.0)), &[0.7, 0.6], 1e-12);
    assert_close(&moved(ClipGradients::Value(3.5)), &[0.7, 0.65], 1e-12);
    assert!(slope().apply(&ClipGradients::Norm(0.0)).is_err());
}

#[test]
fn gradients_can_be_projected_and_weights_constrained() {
    // Only along (1, 0), and never below 0.8.
    let mut step = slope();
    step.map_gradients(|_, gradients| {
        let axis = Expr::constant(tensor(&[2], &[1.0, 0.0]));
        gradients.iter_mut().for_each(|g| g.value = g.value.mul(&axis));
        Ok(())
    });
    step.after_update(|_, updated| {
        updated.iter_mut().for_each(|u| u.next = u.next.maximum(&u.next.like(0.8)));
        Ok(())
    });
    assert_eq!(run(step, sgd(), 2).1.get("w").unwrap().to_f64_vec(), [0.8, 1.0]);
}

#[test]
fn schedules_drive_terms_of_the_loss() {
    let mut step = slope();
    let share = step.scalar("kappa", |k: u64, n: u64| k as f64 / n as f64);
    step.add_term(&share).unwrap();
    let (losses, _) = run(step, Sgd { learning_rate: 0.0, ..Sgd::default() }, 4);
    assert_close(&losses, &[7.0, 7.25, 7.5, 7.75], 1e-12);
}

#[test]
fn groups_set_rates_decay_and_what_is_frozen() {
    let parameters = |groups: Vec<Group>| {
        let mut step = Step::with_dtype(DType::F64);
        let (a, b) = (param("a.weight", &[1, 1], &[1.0]), param("b.bias", &[1], &[1.0]));
        step.minimize(a.reshape([1]).add(&b));
        groups.into_iter().for_each(|g| step.group(g));
        let decaying = Sgd { weight_decay: 0.5, ..sgd() };
        run(step, decaying, 1).1
    };
    let values = |p: &perturb_nn::Parameters| ["a.weight", "b.bias"].map(|name| p.get(name).map(|t| t.to_f64_vec()[0]));
    // Gradient 1, and decay 0.5 of a weight of 1.
    assert_eq!(values(&parameters(vec![])), [Some(0.85), Some(0.85)]);
    assert_eq!(values(&parameters(vec![Group::vectors_do_not_decay()])), [Some(0.85), Some(0.9)]);
    assert_eq!(values(&parameters(vec![Group { rate: 2.0, ..Group::of("b.*") }])), [Some(0.85), Some(0.7)]);
    assert_eq!(values(&parameters(vec![Group::frozen("a.*")])), [None, Some(0.85)]);
}

#[test]
fn a_target_network_follows_its_online_network() {
    // Regression of an online map to a slow copy of itself at another view: no labels, no gradient to the copy.
    let mut step = Step::with_dtype(DType::F64);
    let x = step.input("x", [1, 1], DType::F64);
    let w = param("w", &[1, 1], &[2.0]);
    let online = x.matmul(&w);
    let pairs = Ema::new(0.5).track(&mut step, &[w], "target.").unwrap();
    let target = perturb_graph::substitute(&[online.clone()], &pairs).unwrap().remove(0).stop_gradient();
    step.minimize(losses::mse(&online.scale(3.0), &target));
    assert_eq!(step.parameters().unwrap().len(), 1);
    let mut run = Trainer::with(sgd()).start(step, 1).unwrap();
    run.advance(&batch(&[("x", &[1, 1], &[1.0])])).unwrap();
    // d/dw (3w − 2)² = 6·(6 − 2) = 24.
    let next = 2.0 - RATE * 24.0;
    assert_close(&run.variable("w").unwrap().to_f64_vec(), &[next], 1e-12);
    assert_close(&run.variable("target.w").unwrap().to_f64_vec(), &[0.5 * 2.0 + 0.5 * next], 1e-12);
}

#[test]
fn two_players_may_have_objectives_of_their_own() {
    // max over d, min over g of d·g − d²/2 at once: each player's loss holds the other's parameters still.
    let (d, g) = (param("d", &[1], &[2.0]), param("g", &[1], &[3.0]));
    let value = d.mul(&g).sub(&d.square().scale(0.5));
    let still = |e: &Expr, p: &Expr| {
        perturb_graph::substitute(&[e.clone()], &[(p.clone(), p.stop_gradient())]).unwrap().remove(0)
    };
    let mut step = Step::with_dtype(DType::F64);
    step.minimize(still(&value, &d).sub(&still(&value, &g)));
    let (_, variables) = run(step, sgd(), 1);
    assert_close(&variables.get("d").unwrap().to_f64_vec(), &[2.0 + RATE * (3.0 - 2.0)], 1e-12);
    assert_close(&variables.get("g").unwrap().to_f64_vec(), &[3.0 - RATE * 2.0], 1e-12);
}

#[test]
fn running_statistics_are_state_and_see_the_perturbed_batch() {
    let layers = Layers::new(Initializer::he(0)).dtype(DType::F64);
    // The second of two steps that are built of the same layers is like the first.
    for _ in 0..2 {
        let mut step = Step::with_dtype(DType::F64);
        let x = step.input("x", [4, 1], DType::F64);
        let training = layers.training(step.key());
        step.minimize(training.at("bn").batch_norm(&x).square().reduce_mean(&[1], false));
        step.update_all(&layers.take_updates());
        step.replace(&x, &x.offset(10.0)).unwrap();
        let names: Vec<String> = step.parameters().unwrap().iter().map(|p| p.name().unwrap().to_string()).collect();
        assert_eq!(names, ["bn.weight", "bn.bias"]);
        let mut run = Trainer::with(sgd()).start(step, 1).unwrap();
        run.advance(&batch(&[("x", &[4, 1], &[1.0, 2.0, 3.0, 6.0])])).unwrap();
        // Mean 13, unbiased variance (4 + 1 + 0 + 9)/3, each with a momentum of 0.1.
        assert_close(&run.variable("bn.running_mean").unwrap().to_f64_vec(), &[1.3], 1e-12);
        assert_close(&run.variable("bn.running_var").unwrap().to_f64_vec(), &[0.9 + 0.1 * 14.0 / 3.0], 1e-12);
    }
}

#[test]
fn noise_and_times_are_drawn_in_the_step() {
    // A denoiser's step: x₀ from the batch, t and ε from the step's key, another draw in every step.
    let mut step = Step::with_dtype(DType::F64);
    let x = step.input("x", [64, 2], DType::F64);
    let (times, noise) = (step.key().uniform([64, 1], DType::F64), step.key().normal([64, 2], DType::F64));
    let noised = x.mul(&times).add(&noise);
    step.minimize(losses::mse(&noised.matmul(&param("w", &[2, 2], &[0.0; 4])), &noise));
    step.report("t", &times);
    step.report("t²", &times.square());
    let draws = |seed: u64, step: Step| {
        let trainer = Trainer { seed, ..Trainer::with(Sgd { learning_rate: 0.0, ..Sgd::default() }) };
        let mut run = trainer.start(step, 50).unwrap();
        let data = run.batch();
        (0..50).map(|_| (run.advance(&data).unwrap(), run.report("t").unwrap(), run.report("t²").unwrap())).collect()
    };
    let found: Vec<(f64, f64, f64)> = draws(5, step);
    let mean = |f: fn(&(f64, f64, f64)) -> f64| found.iter().map(f).sum::<f64>() / 50.0;
    // 6400 normal and 3200 uniform numbers: within about four standard errors.
    assert_close(&[mean(|r| r.0), mean(|r| r.1), mean(|r| r.2)], &[1.0, 0.5, 1.0 / 3.0], 0.07);
    assert!(found[0].1 != found[1].1);
}

#[test]
fn dropout_keeps_the_mean_and_is_off_in_evaluation() {
    let layers = Layers::new(Initializer::he(0)).dtype(DType::F64);
    let x = Expr::full([1000], 1.0, DType::F64);
    let dropped = layers.training(Key::constant(1, 2)).dropout(&x, 0.25);
    let values = perturb_graph::eval(&[dropped], &[]).unwrap().remove(0).to_f64_vec();
    let kept = values.iter().filter(|&&v| v == 1.0 / 0.75).count();
    assert_eq!(kept + values.iter().filter(|&&v| v == 0.0).count(), 1000);
    assert!((kept as f64 - 750.0).abs() < 60.0, "{kept}");
    assert_eq!(layers.dropout(&x, 0.25).id(), x.id());
}

#[test]
fn hooks_that_cannot_work_say_why() {
    let Logistic { mut step, x, w } = logistic();
    let missing = step.named("logits").unwrap_err().to_string();
    assert!(missing.contains("'logits'") && missing.contains("x, y"), "{missing}");
    assert!(step.replace(&w, &w).unwrap_err().to_string().contains("no tensor of the step's batch"));
    assert!(step.replace(&x, &w).unwrap_err().to_string().contains("'x' cannot be replaced"));
    assert!(Step::new().loss_with(&[]).unwrap_err().to_string().contains("`minimize`"));
    let mut twice = slope();
    twice.variable("w", tensor(&[1], &[0.0]));
    let error = Trainer::with(sgd()).start(twice, 1).err().unwrap().to_string();
    assert!(error.contains("named 'w'"), "{error}");
}
