//! One perturbation for all inputs.

use crate::networks::{examples, random};
use perturb_attack::{AttackError, Ball, Classifier, Criterion, Norm, Uap};
use perturb_graph::Tensor;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

#[test]
fn one_perturbation_fools_more_than_noise_of_its_size() {
    for (norm, epsilon) in [(Norm::Linf, 0.05), (Norm::L2, 0.25)] {
        let model = Classifier::new(&random(3, &[30]), 1).unwrap();
        // Alike enough for one direction to suit many.
        let inputs = examples(3, 60, &[30], 0.4, 0.6);
        let labels = model.predictions(&inputs).unwrap().into_iter().map(Option::unwrap).collect();
        let criterion = Criterion::Misclassify { labels };
        let ball = Ball::new(norm, epsilon, (0.0, 1.0)).unwrap();
        let universal = Uap::default().fit(&model, &inputs, &criterion, &ball).unwrap();
        let free = Ball::new(norm, epsilon, (f64::NEG_INFINITY, f64::INFINITY)).unwrap();
        assert!(free.contains(&[0.0; 30], universal.delta.as_slice::<f32>()));
        let rate = universal.success_rate(&model, &inputs, &criterion).unwrap();
        let moved = universal.apply(&inputs).unwrap();
        assert!(moved.as_slice::<f32>().iter().all(|v| (0.0..=1.0).contains(v)));
        let mut rng = ChaCha8Rng::seed_from_u64(9);
        let mut noise = universal.clone();
        let mut mean = 0.0f64;
        for _ in 0..20 {
            let scale = if norm == Norm::Linf { epsilon } else { epsilon / 30f64.sqrt() };
            let signs = (0..30).map(|_| if rng.random::<bool>() { scale as f32 } else { -scale as f32 }).collect();
            noise.delta = Tensor::new([30], signs).unwrap();
            mean += noise.success_rate(&model, &inputs, &criterion).unwrap() / 20.0;
        }
        assert!(rate > mean + 0.2, "{norm:?}: universal {rate}, noise {mean}");
    }
}

#[test]
fn mistakes_are_told() {
    let model = Classifier::new(&random(3, &[6]), 1).unwrap();
    let inputs = examples(3, 2, &[6], 0.0, 1.0);
    let criterion = Criterion::Misclassify { labels: vec![0, 1] };
    let unbounded = Ball::unbounded(Norm::L2, (0.0, 1.0)).unwrap();
    let fit = |uap: Uap, ball: &Ball| uap.fit(&model, &inputs, &criterion, ball).unwrap_err();
    assert!(matches!(fit(Uap::default(), &unbounded), AttackError::NoBudget { attack: "UAP" }));
    let ball = unbounded.with_epsilon(0.1).unwrap();
    let error = fit(Uap { fooling_rate: 1.5, ..Uap::default() }, &ball);
    assert!(matches!(error, AttackError::Hyperparameter { name: "fooling_rate", .. }));
}
