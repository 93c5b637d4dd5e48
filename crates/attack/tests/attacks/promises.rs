//! What every attack promises: results within ball and bounds, verified, and independent of batching.

use crate::networks::{examples, random, small_cnn};
use perturb_attack::{
    Adversarial, Apgd, ApgdT, Ascent, Attack, Ball, Boundary, CarliniWagner, Classifier, Criterion, Ddn, DeepFool,
    ElasticNet, Estimated, Fab, Fgsm, HopSkipJump, Jsma, Norm, OnePixel, Pgd, Seed, Spatial, Square, Uap, in_turn,
    minimal_epsilon, registry,
};
use perturb_graph::Tensor;
use perturb_nn::peers::mlp;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn labels(model: &Classifier, inputs: &Tensor) -> Vec<usize> {
    model.predictions(inputs).unwrap().into_iter().map(Option::unwrap).collect()
}

// Small versions of the attacks that work in a norm.
fn attacks(norm: Norm) -> Vec<Box<dyn Attack>> {
    let mut all: Vec<Box<dyn Attack>> = vec![
        Box::new(Fgsm),
        Box::new(Pgd { steps: 10, restarts: 2, relative_step: 0.2, ..Pgd::default() }),
        Box::new(Ascent { steps: 5, ..Ascent::bim() }),
        Box::new(Ascent { steps: 5, ..Ascent::mi_fgsm() }),
        Box::new(Ascent { steps: 5, ..Ascent::ni_fgsm() }),
        Box::new(Ascent { steps: 5, ..Ascent::di_fgsm() }),
        Box::new(Ascent { steps: 5, ..Ascent::ti_fgsm() }),
    ];
    all.push(Box::new(Spatial { steps: 8, rate: 0.2, ..Spatial::default() }));
    if norm == Norm::L0 {
        all.push(Box::new(Jsma { share: 0.5, ..Jsma::default() }));
        all.push(Box::new(Jsma { change: -0.5, ..Jsma::default() }));
        all.push(Box::new(OnePixel { population: 12, generations: 3, ..OnePixel::default() }));
    }
    if norm == Norm::Linf {
        all.push(Box::new(Estimated { steps: 4, pairs: 8, ..Estimated::spsa() }));
        all.push(Box::new(Estimated { steps: 4, pairs: 8, ..Estimated::nes() }));
    }
    if norm == Norm::L2 {
        all.push(Box::new(Ddn { steps: 15, ..Ddn::default() }));
        all.push(Box::new(CarliniWagner { steps: 15, searches: 4, ..CarliniWagner::default() }));
        all.push(Box::new(Boundary { steps: 40, ..Boundary::default() }));
    }
    if matches!(norm, Norm::L1 | Norm::L2) {
        all.push(Box::new(ElasticNet { steps: 15, searches: 4, ..ElasticNet::default() }));
    }
    if norm != Norm::L0 {
        all.push(Box::new(Apgd { steps: 12, restarts: 2, ..Apgd::ce() }));
        all.push(Box::new(Apgd { steps: 12, ..Apgd::dlr() }));
        all.push(Box::new(ApgdT { steps: 12, ..ApgdT::default() }));
        all.push(Box::new(Fab { steps: 6, restarts: 2, ..Fab::default() }));
        all.push(Box::new(Fab { steps: 6, restarts: 2, ..Fab::targeted() }));
        all.push(Box::new(Square { queries: 60, ..Square::default() }));
    }
    if matches!(norm, Norm::L2 | Norm::Linf) {
        all.push(Box::new(DeepFool::default()));
        all.push(Box::new(HopSkipJump { steps: 3, initial_evaluations: 20, ..HopSkipJump::default() }));
    }
    all
}

// Nothing that the registry knows is left out of the tests below, in any norm that it names.
#[test]
fn every_registered_attack_is_tested() {
    for entry in registry::attacks().iter().filter(|entry| !entry.name.starts_with("autoattack")) {
        for &norm in entry.norms {
            let tested = attacks(norm).iter().any(|attack| attack.name() == entry.attack().name());
            assert!(tested, "{} in {norm:?}", entry.name);
        }
    }
}

const NORMS: [Norm; 4] = [Norm::L0, Norm::L1, Norm::L2, Norm::Linf];

fn check(model: &Classifier, inputs: &Tensor, criterion: &Criterion, ball: &Ball, found: &Adversarial) {
    let width = inputs.count() / inputs.shape()[0];
    let (clean, logits) = (model.logits(inputs).unwrap(), model.logits(&found.inputs).unwrap());
    assert_eq!(found.inputs.shape(), inputs.shape());
    let rows = inputs.as_slice::<f32>().chunks(width).zip(found.inputs.as_slice::<f32>().chunks(width));
    for (row, (center, x)) in rows.enumerate() {
        assert!(ball.contains(center, x), "row {row} at {}", ball.distance(center, x));
        assert_eq!(found.distances[row], ball.distance(center, x));
        let z = &logits.as_slice::<f32>()[row * model.classes()..(row + 1) * model.classes()];
        assert_eq!(found.success[row], criterion.is_adversarial(row, z));
        let z = &clean.as_slice::<f32>()[row * model.classes()..(row + 1) * model.classes()];
        if criterion.is_adversarial(row, z) {
            assert_eq!((found.success[row], found.distances[row], found.queries[row]), (true, 0.0, 0));
        } else {
            // Decision-based attacks may have nothing to start from.
            assert!(found.queries[row] > 0 || (found.distances[row] == 0.0 && !found.success[row]));
        }
    }
}

#[test]
fn results_are_in_the_ball_and_verified() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    for round in 0..40 {
        let shape: &[usize] = [&[12][..], &[2, 4, 5], &[6, 7]][round % 3];
        let model = Classifier::new(&random(round as u64, shape), 8).unwrap();
        // Some examples on the bounds, where half of the ball is cut off.
        let mut inputs = examples(round as u64, 11, shape, 0.0, 1.0);
        inputs.as_mut_slice::<f32>().iter_mut().step_by(5).for_each(|v| *v = v.round());
        let mut classes = labels(&model, &inputs);
        classes[0] = (classes[0] + 1) % 5;
        let criterion = match round % 4 {
            0 => Criterion::Targeted { classes: classes.iter().map(|c| (c + 1) % 5).collect() },
            _ => Criterion::Misclassify { labels: classes },
        };
        for norm in NORMS {
            let budget = 10f64.powf(rng.random_range(-4.0..0.7));
            // An ℓ0 ball with room for a pixel of two channels.
            let budget = if norm == Norm::L0 { 2.0 + budget } else { budget };
            let ball = Ball::new(norm, budget, (0.0, 1.0)).unwrap();
            for attack in attacks(norm) {
                let found = attack.run(&model, &inputs, &criterion, &ball, &Seed::new(3, 0)).unwrap();
                check(&model, &inputs, &criterion, &ball, &found);
            }
            // Several in turn, as AutoAttack runs its members; and one perturbation for all.
            let found = in_turn(&attacks(norm), &model, &inputs, &criterion, &ball, &Seed::new(3, 0)).unwrap();
            check(&model, &inputs, &criterion, &ball, &found);
            let universal = Uap { passes: 1, ..Uap::default() }.fit(&model, &inputs, &criterion, &ball).unwrap();
            let delta = universal.delta.as_slice::<f32>();
            assert!(perturb_threat::distance(norm, &vec![0.0; delta.len()], delta) <= budget, "{norm:?}");
            let moved = universal.apply(&inputs).unwrap();
            let width = delta.len();
            let pairs = inputs.as_slice::<f32>().chunks(width).zip(moved.as_slice::<f32>().chunks(width));
            assert!(pairs.clone().all(|(center, x)| ball.contains(center, x)), "UAP in {norm:?} ≤ {budget}");
        }
    }
}

// Seven examples at once, then one by one in another order: the same bits.
#[test]
fn results_do_not_depend_on_the_batch() {
    let networks = [(mlp(), &[1, 28, 28][..]), (small_cnn(), &[1, 8, 8]), (random(5, &[2, 4, 5]), &[2, 4, 5])];
    for (graph, shape) in networks {
        let model = Classifier::new(&graph, 8).unwrap();
        let inputs = examples(2, 7, shape, 0.2, 0.8);
        let classes = labels(&model, &inputs);
        for (norm, epsilon) in NORMS.into_iter().zip([2.0, 0.5, 0.05, 0.003]) {
            let ball = Ball::new(norm, epsilon, (0.0, 1.0)).unwrap();
            for attack in attacks(norm) {
                let criterion = Criterion::Misclassify { labels: classes.clone() };
                let whole = attack.run(&model, &inputs, &criterion, &ball, &Seed::new(4, 100)).unwrap();
                for row in (0..7).rev() {
                    let criterion = Criterion::Misclassify { labels: vec![classes[row]] };
                    let seed = Seed::new(4, 100 + row as u64);
                    let one = attack.run(&model, &inputs.rows(row, row + 1), &criterion, &ball, &seed).unwrap();
                    assert_eq!(one.inputs, whole.inputs.rows(row, row + 1), "{} {norm:?} {row}", attack.name());
                    assert_eq!(
                        (one.success[0], one.distances[0], one.queries[0]),
                        (whole.success[row], whole.distances[row], whole.queries[row])
                    );
                }
            }
        }
    }
}

#[test]
fn random_numbers_depend_on_seed_and_index() {
    let model = Classifier::new(&random(6, &[30]), 4).unwrap();
    let inputs = examples(3, 3, &[30], 0.4, 0.6);
    let criterion = Criterion::Misclassify { labels: labels(&model, &inputs) };
    let ball = Ball::new(Norm::Linf, 1e-4, (0.0, 1.0)).unwrap();
    let run = |seed| Pgd::default().run(&model, &inputs, &criterion, &ball, &seed).unwrap().inputs;
    let square =
        |seed| Square { queries: 1, ..Square::default() }.run(&model, &inputs, &criterion, &ball, &seed).unwrap();
    assert_eq!(run(Seed::new(1, 0)), run(Seed::new(1, 0)));
    assert_ne!(square(Seed::new(1, 0)).inputs, square(Seed::new(2, 0)).inputs);
    assert_ne!(square(Seed::new(1, 0)).inputs, square(Seed::new(1, 50)).inputs);
}

#[test]
fn pgd_beats_one_step_and_restarts_beat_one_search() {
    let (mut fgsm, mut one, mut several) = (0, 0, 0);
    for seed in 0..10 {
        let model = Classifier::new(&random(seed, &[30]), 32).unwrap();
        let inputs = examples(seed, 32, &[30], 0.0, 1.0);
        let criterion = Criterion::Misclassify { labels: labels(&model, &inputs) };
        let ball = Ball::new(Norm::Linf, 0.15, (0.0, 1.0)).unwrap();
        let count = |attack: &dyn Attack| {
            let found = attack.run(&model, &inputs, &criterion, &ball, &Seed::new(5, 0)).unwrap();
            found.success.iter().filter(|&&s| s).count()
        };
        fgsm += count(&Fgsm);
        let single = count(&Pgd::default());
        let restarted = count(&Pgd { restarts: 5, ..Pgd::default() });
        assert!(restarted >= single);
        (one, several) = (one + single, several + restarted);
    }
    assert!(fgsm < one && one <= several && several < 320, "{fgsm} {one} {several}");
}

#[test]
fn square_beats_noise_and_keeps_to_its_queries() {
    let model = Classifier::new(&mlp(), 32).unwrap();
    let inputs = examples(7, 32, &[1, 28, 28], 0.0, 1.0);
    let criterion = Criterion::Misclassify { labels: labels(&model, &inputs) };
    for (norm, epsilon) in [(Norm::Linf, 0.02), (Norm::L2, 0.4), (Norm::L1, 4.0)] {
        let ball = Ball::new(norm, epsilon, (0.0, 1.0)).unwrap();
        let count = |queries| {
            let square = Square { queries, ..Square::default() };
            let found = square.run(&model, &inputs, &criterion, &ball, &Seed::new(6, 0)).unwrap();
            for (&success, &used) in found.success.iter().zip(&found.queries) {
                assert!(used >= 1 && used <= queries && (success || used == queries));
            }
            found.success.iter().filter(|&&s| s).count()
        };
        let mut broken = [false; 32];
        let mut rng = ChaCha8Rng::seed_from_u64(8);
        for _ in 0..200 {
            let noisy: Vec<f32> = inputs.as_slice::<f32>().chunks(784).flat_map(|c| ball.sample(c, &mut rng)).collect();
            let predictions = model.predictions(&inputs_like(&inputs, noisy)).unwrap();
            (0..32).for_each(|row| broken[row] |= predictions[row] != Some(criterion.classes()[row]));
        }
        let noise = broken.iter().filter(|&&b| b).count();
        let (start, short, long) = (count(1), count(200), count(500));
        assert!(start <= short && short <= long);
        assert!(short >= noise + 4, "{norm:?}: {short} of 32 by Square, {noise} by noise");
    }
}

fn inputs_like(inputs: &Tensor, values: Vec<f32>) -> Tensor {
    Tensor::new(inputs.shape(), values).unwrap()
}

// The budget found is the smallest of the list at which a separate run succeeds, or one already known to succeed.
#[test]
fn smallest_budget_is_where_separate_runs_first_succeed() {
    let model = Classifier::new(&random(8, &[30]), 8).unwrap();
    let inputs = examples(9, 20, &[30], 0.0, 1.0);
    let mut classes = labels(&model, &inputs);
    classes[3] = (classes[3] + 1) % 5;
    let criterion = Criterion::Misclassify { labels: classes };
    let budgets = [0.2, 0.01, 0.05, 0.1];
    let ball = Ball::new(Norm::Linf, 0.0, (0.0, 1.0)).unwrap();
    let pgd = Pgd::default();
    for attack in [&pgd as &dyn Attack, &DeepFool::default()] {
        let least = minimal_epsilon(attack, &model, &inputs, &criterion, &ball, &budgets, &Seed::new(7, 0)).unwrap();
        let largest = ball.with_epsilon(0.2).unwrap();
        let mut expected = vec![None; 20];
        for epsilon in [0.2, 0.1, 0.05, 0.01] {
            let ball = ball.with_epsilon(epsilon).unwrap();
            let found = attack.run(&model, &inputs, &criterion, &ball, &Seed::new(7, 0)).unwrap();
            for row in (0..20).filter(|&row| found.success[row]) {
                expected[row] = Some(if found.distances[row] == 0.0 { 0.0 } else { epsilon });
            }
        }
        assert_eq!(least.epsilon, expected, "{}", attack.name());
        assert_eq!(least.epsilon[3], Some(0.0));
        assert!(least.epsilon.contains(&Some(0.05)) && least.epsilon.iter().flatten().any(|&e| e > 0.05));
        let width = 30;
        for row in (0..20).filter(|&row| least.epsilon[row].is_some()) {
            let x = &least.adversarial.inputs.as_slice::<f32>()[row * width..(row + 1) * width];
            let center = &inputs.as_slice::<f32>()[row * width..(row + 1) * width];
            assert!(least.adversarial.success[row] && largest.contains(center, x));
            assert!(least.adversarial.distances[row] <= least.epsilon[row].unwrap());
        }
    }
}
