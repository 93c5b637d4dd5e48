//! What the fast gradient sign method does to linear models, where the worst case is known.

use crate::RunError;
use perturb_attack::{Attack, Ball, Classifier, Criterion, Fgsm, Norm, Seed};
use perturb_graph::{DType, Expr, Graph, Tensor};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A linear model of two classes with logits (0, w·x + b), with its weights.
fn linear_model(dimension: usize, bias: f64, rng: &mut ChaCha8Rng) -> Result<(Graph, Vec<f64>), RunError> {
    let weights: Vec<f32> = (0..dimension).map(|_| rng.random_range(-1.0..1.0)).collect();
    let x = Expr::input("x", [1, dimension], DType::F32);
    let both: Vec<f32> = weights.iter().flat_map(|w| [0.0, *w]).collect();
    let bias = Expr::constant(Tensor::new([1, 2], vec![0.0, bias as f32])?);
    let logits = x.matmul(&Expr::param("w", Tensor::new([dimension, 2], both)?)).add(&bias);
    Ok((Graph::new(vec![x], vec![("logits".into(), logits)])?, weights.into_iter().map(f64::from).collect()))
}

/// The largest gap, over 50 points, between the loss at FGSM's point and the exact worst case in the ball,
/// `log(1 + exp(ε‖w‖₁ − y(w·x + b)))`.
pub(super) fn logistic_gap(epsilon: f64, seed: u64) -> Result<f64, RunError> {
    const DIMENSION: usize = 20;
    const POINTS: usize = 50;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let bias = 0.25;
    let (graph, weights) = linear_model(DIMENSION, bias, &mut rng)?;
    let inputs: Vec<f32> = (0..DIMENSION * POINTS).map(|_| rng.random_range(-1.0..1.0)).collect();
    // Only points on the right side: elsewhere there is nothing for an attack to do.
    let score = |x: &[f32]| x.iter().zip(&weights).map(|(x, w)| f64::from(*x) * w).sum::<f64>() + bias;
    let labels: Vec<usize> = inputs.chunks_exact(DIMENSION).map(|x| usize::from(score(x) > 0.0)).collect();
    let ball = Ball::new(Norm::Linf, epsilon, (-10.0, 10.0))?;
    let criterion = Criterion::Misclassify { labels: labels.clone() };
    let inputs = Tensor::new([POINTS, 1, DIMENSION], inputs)?;
    let found = Fgsm.run(&Classifier::new(&graph, POINTS)?, &inputs, &criterion, &ball, &Seed::new(seed, 0))?;
    let norm: f64 = weights.iter().map(|w| w.abs()).sum();
    let rows =
        inputs.as_slice::<f32>().chunks_exact(DIMENSION).zip(found.inputs.as_slice::<f32>().chunks_exact(DIMENSION));
    let gap = |((x, attacked), &label): ((&[f32], &[f32]), &usize)| {
        let sign = if label == 1 { 1.0 } else { -1.0 };
        let exact = (epsilon * norm - sign * score(x)).exp().ln_1p();
        ((-sign * score(attacked)).exp().ln_1p() - exact).abs()
    };
    Ok(rows.zip(&labels).map(gap).fold(0.0, f64::max))
}

/// `w·η` of random linear models for dimensions from 64 to 4096.
pub(super) fn dot_products(epsilon: f64, seed: u64) -> Result<Vec<(f64, f64)>, RunError> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed + 1);
    let mut at = |dimension: usize| -> Result<(f64, f64), RunError> {
        let (graph, weights) = linear_model(dimension, -0.5, &mut rng)?;
        let origin = Tensor::full([1, 1, dimension], 0.0f32);
        let ball = Ball::new(Norm::Linf, epsilon, (-1.0, 1.0))?;
        let criterion = Criterion::Misclassify { labels: vec![0] };
        let found = Fgsm.run(&Classifier::new(&graph, 1)?, &origin, &criterion, &ball, &Seed::new(seed, 0))?;
        let eta = found.inputs.as_slice::<f32>().iter();
        Ok((dimension as f64, eta.zip(&weights).map(|(e, w)| f64::from(*e) * w).sum()))
    };
    (6..=12).map(|power| at(1 << power)).collect()
}
