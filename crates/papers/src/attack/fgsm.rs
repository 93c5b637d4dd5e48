//! Explaining and Harnessing Adversarial Examples (Goodfellow, Shlens & Szegedy 2015).
//!
//! Claim: linear behaviour in high dimensions makes adversarial examples, so one step along the sign of the gradient
//! finds them; they transfer; training on them helps. Method: FGSM at ε = 0.25 on MNIST. Baselines: random signs of the
//! same size, clean inputs, training without them. Where it must not hold: random signs hurt little, and a network of
//! radial basis functions, which is not linear, is hurt less.

use crate::curves::mean_series;
use crate::training::{Fit, Split, perceptron};
use crate::{Claim, Estimator, Figure, Measurements, Quantity, Reproduction, Run, RunError, SeedResult};
use perturb_attack::{Attack, Ball, Classifier, Criterion, Fgsm as Attacker, Norm, Pgd, Seed};
use perturb_graph::{DType, Expr, Graph, Tensor};
use perturb_metrics::accuracy::accuracy;
use perturb_nn::{Hook, Initializer, Layers, Step, TrainError, flatten};
use perturb_report::chart::{Hue, LineChart, Marker};
use perturb_report::picture::Picture;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

pub struct Fgsm;

const EPSILON: f64 = 0.25;
const BATCH: usize = 100;
const CLASSES: usize = 10;

const FGSM: &str = "FGSM";
const NOISE: &str = "random signs";
const CLEAN: &str = "clean inputs";
const TRAINED: &str = "FGSM after adversarial training";
const CLEAN_TRAINED: &str = "clean inputs after adversarial training";
const PGD_TRAINED: &str = "PGD after adversarial training";

const MLP: Quantity = Quantity::share("error of the MLP");
const SOFTMAX: Quantity = Quantity::share("error of softmax regression");
const RBF: Quantity = Quantity::share("error of the RBF network");
const AGREEMENT: Quantity = Quantity::share("same class where two networks err");
const EXACTNESS: Quantity = Quantity::positive("gap to the exact worst case of logistic regression");
const DOT: &str = "w·η against dimension";
const MLP_CURVE: &str = "error of the MLP against signed ε";
const SOFTMAX_CURVE: &str = "error of softmax regression against signed ε";

impl Reproduction for Fgsm {
    fn slug(&self) -> &'static str {
        "fgsm"
    }

    fn claim(&self) -> Claim {
        let level = |quantity: Quantity, arm| Estimator::Level(quantity.of(arm));
        let difference = |quantity: Quantity, a, b| Estimator::Difference(quantity.of(a), quantity.of(b));
        Claim {
            method: FGSM,
            baselines: &[NOISE, CLEAN, TRAINED, CLEAN_TRAINED, PGD_TRAINED],
            seeds: 5,
            preconditions: vec![level(MLP, CLEAN).at_most(0.06), level(SOFTMAX, CLEAN).at_most(0.15)],
            rules: vec![
                difference(MLP, FGSM, NOISE).at_least(0.6),
                level(SOFTMAX, FGSM).at_least(0.95),
                level(MLP, FGSM).at_least(0.7),
                difference(MLP, FGSM, TRAINED).at_least(0.4),
                difference(MLP, CLEAN_TRAINED, CLEAN).at_most(0.01),
                difference(AGREEMENT, FGSM, CLEAN).at_least(0.01),
                Estimator::Largest(EXACTNESS.of(FGSM)).at_most(1e-6),
                Estimator::Slope(DOT).within(0.95, 1.05),
                // Where it must not hold.
                difference(MLP, NOISE, CLEAN).at_most(0.05),
                Estimator::Difference(RBF.of(FGSM), MLP.of(FGSM)).at_most(-0.05),
            ],
        }
    }

    fn run(&self, run: &Run) -> Result<Measurements, RunError> {
        let mut found = Measurements::new();
        found.record(EXACTNESS.of(FGSM), logistic_gap(run.seed)?)?;
        found.curve(DOT, dot_products(run.seed)?);

        let data = Mnist::load(run)?;
        run.progress(0.05, "training softmax regression");
        let softmax = data.fit(&network(&[], run.seed)?, run, 6)?;
        run.progress(0.15, "training two MLPs");
        let mlp = data.fit(&network(&[256, 128], run.seed + 1000)?, run, 6)?;
        let other = data.fit(&network(&[128], run.seed + 2000)?, run, 6)?;
        run.progress(0.35, "training an RBF network");
        let rbf = data.fit(&radial(&data.0.train, run.seed)?, run, 12)?;
        for (quantity, graph) in [(SOFTMAX, &softmax), (MLP, &mlp), (RBF, &rbf)] {
            let model = Classifier::new(graph, BATCH)?;
            found.record(quantity.of(CLEAN), data.error(&model, &data.0.test)?)?;
            found.record(quantity.of(NOISE), data.error(&model, &data.noisy(run.seed)?)?)?;
            found.record(quantity.of(FGSM), data.error(&model, &data.attacked(&model, &Attacker)?)?)?;
        }
        run.progress(0.45, "adversarial training");
        let trained = data.fit_adversarially(&network(&[256, 128], run.seed + 1000)?, run)?;
        let model = Classifier::new(&trained, BATCH)?;
        found.record(MLP.of(CLEAN_TRAINED), data.error(&model, &data.0.test)?)?;
        found.record(MLP.of(TRAINED), data.error(&model, &data.attacked(&model, &Attacker)?)?)?;
        found.record(MLP.of(PGD_TRAINED), data.error(&model, &data.attacked(&model, &Pgd::default())?)?)?;

        run.progress(0.95, "transfer and curves");
        let (mlp, other) = (Classifier::new(&mlp, BATCH)?, Classifier::new(&other, BATCH)?);
        let attacked = data.attacked(&mlp, &Attacker)?;
        found.record(AGREEMENT.of(FGSM), data.agreement(&mlp, &other, &attacked)?)?;
        found.record(AGREEMENT.of(CLEAN), data.agreement(&mlp, &other, &data.0.test)?)?;
        found.curve(MLP_CURVE, data.along_signs(&mlp)?);
        found.curve(SOFTMAX_CURVE, data.along_signs(&Classifier::new(&softmax, BATCH)?)?);
        pictures(&mut found, &data.0.test, &attacked)?;
        Ok(found)
    }

    fn figures(&self, seeds: &[SeedResult]) -> Vec<Figure> {
        let series = [
            (MLP_CURVE, "MLP", Hue::Vermillion, Marker::Circle),
            (SOFTMAX_CURVE, "softmax regression", Hue::Blue, Marker::Square),
        ];
        let series = series.into_iter().map(|(curve, name, hue, marker)| mean_series(seeds, curve, name, hue, marker));
        let chart = LineChart {
            description: "Test error along the sign of the gradient, for negative and positive sizes.".into(),
            x_label: "signed ε: x + ε·sign of the gradient at x".into(),
            y_label: "test error".into(),
            x_range: (-EPSILON, EPSILON),
            y_range: (0.0, 1.0),
            percent: true,
            series: series.collect(),
            regions: Vec::new(),
        };
        let caption =
            "Mean over seeds; bars from the lowest to the highest seed. Against the gradient the error falls.";
        vec![Figure { name: "error", caption: caption.into(), chart }]
    }
}

/// A network of ReLU layers of these widths; without any, softmax regression.
fn network(widths: &[usize], seed: u64) -> Result<Graph, RunError> {
    let x = Expr::input("image", [1, 1, 28, 28], DType::F32);
    let logits = perceptron(&x, widths, CLASSES, seed);
    Ok(Graph::new(vec![x], vec![("logits".into(), logits)])?)
}

/// Logits linear in `exp(−‖x − c‖²/(2·25))` for the first 500 training examples c.
fn radial(train: &Tensor, seed: u64) -> Result<Graph, RunError> {
    const CENTRES: usize = 500;
    let x = Expr::input("image", [1, 1, 28, 28], DType::F32);
    let centres = train.rows(0, CENTRES).reshape([CENTRES, 784])?;
    let squares: Vec<f32> =
        centres.as_slice::<f32>().chunks_exact(784).map(|c| c.iter().map(|v| v * v).sum()).collect();
    let (centres, squares) = (Expr::constant(centres), Expr::constant(Tensor::new([1, CENTRES], squares)?));
    let flat = flatten(&x);
    let own = flat.square().reduce_sum(&[1], true);
    let distances = flat.matmul(&centres.transpose(&[1, 0])).scale(-2.0).add(&own).add(&squares);
    let features = distances.scale(-1.0 / 50.0).exp();
    let logits = Layers::new(Initializer::he(seed)).at("fc").linear(&features, CLASSES);
    Ok(Graph::new(vec![x], vec![("logits".into(), logits)])?)
}

/// The objective `½J(x) + ½J(x + ε·sign ∇J(x))` (§6 of the paper); examples made so get no derivative.
struct HalfAdversarial;

impl Hook for HalfAdversarial {
    fn apply(&self, step: &mut Step) -> Result<(), TrainError> {
        let x = step.named("input")?;
        let clean = step.objective()?;
        let ascent = perturb_graph::grad(&clean.sum(), std::slice::from_ref(&x))?.remove(0);
        let moved = x.add(&ascent.sign().scale(EPSILON)).clip(0.0, 1.0).stop_gradient();
        let adversarial = perturb_graph::substitute(std::slice::from_ref(&clean), &[(x, moved)])?.remove(0);
        step.minimize(clean.add(&adversarial).scale(0.5));
        Ok(())
    }
}

/// MNIST, as much of it as the tier takes, each image `[1, 1, 28, 28]`.
struct Mnist(Split);

impl Mnist {
    fn load(run: &Run) -> Result<Mnist, RunError> {
        let split = Split::load(run, "mnist", run.scaled([10_000, 1000], [60_000, 10_000]))?;
        Ok(Mnist(split.map(|images| Ok(images.reshape([images.shape()[0], 1, 1, 28, 28])?))?))
    }

    fn fit(&self, graph: &Graph, run: &Run, epochs: usize) -> Result<Graph, RunError> {
        let fit = Fit { batch: BATCH, classes: CLASSES, epochs, seed: run.seed, hook: None };
        fit.run(graph, &self.0.train, &self.0.train_labels, |_| ())
    }

    fn fit_adversarially(&self, graph: &Graph, run: &Run) -> Result<Graph, RunError> {
        let epochs = run.scaled(12, 10);
        let fit = Fit { batch: BATCH, classes: CLASSES, epochs, seed: run.seed, hook: Some(&HalfAdversarial) };
        let progress = |share: f64| run.progress(0.45 + 0.5 * share, "adversarial training");
        fit.run(graph, &self.0.train, &self.0.train_labels, progress)
    }

    fn attacked(&self, model: &Classifier, attack: &dyn Attack) -> Result<Tensor, RunError> {
        attacked(model, attack, &self.0.test, &self.0.test_labels)
    }

    fn noisy(&self, seed: u64) -> Result<Tensor, RunError> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let values = self.0.test.as_slice::<f32>().iter();
        let noise = values.map(|v| (v + if rng.random() { 0.25 } else { -0.25 }).clamp(0.0, 1.0)).collect();
        Ok(Tensor::new(self.0.test.shape(), noise)?)
    }

    fn error(&self, model: &Classifier, inputs: &Tensor) -> Result<f64, RunError> {
        Ok(1.0 - accuracy(&predictions(model, inputs)?, &self.0.test_labels)?)
    }

    /// Of the examples that both models get wrong, the share to which they give the same class.
    fn agreement(&self, a: &Classifier, b: &Classifier, inputs: &Tensor) -> Result<f64, RunError> {
        let (a, b) = (predictions(a, inputs)?, predictions(b, inputs)?);
        let wrong = a.iter().zip(&b).zip(&self.0.test_labels).filter(|((a, b), l)| a != l && b != l);
        let (a, b): (Vec<usize>, Vec<usize>) = wrong.map(|((a, b), _)| (*a, *b)).unzip();
        Ok(accuracy(&a, &b)?)
    }

    /// Error at `x + ε·sign(∇ₓL)` for ε from −0.25 to 0.25.
    fn along_signs(&self, model: &Classifier) -> Result<Vec<(f64, f64)>, RunError> {
        let (_, gradient) =
            model.loss_gradient(perturb_attack::Loss::CrossEntropy, &self.0.test, &self.0.test_labels)?;
        let at = |step: i32| {
            let epsilon = EPSILON * f64::from(step) / 5.0;
            let sign = |g: &f32| if *g == 0.0 { 0.0 } else { g.signum() };
            let pairs = self.0.test.as_slice::<f32>().iter().zip(gradient.as_slice::<f32>());
            let moved = pairs.map(|(x, g)| (x + epsilon as f32 * sign(g)).clamp(0.0, 1.0)).collect();
            Ok((epsilon, self.error(model, &Tensor::new(self.0.test.shape(), moved)?)?))
        };
        (-5..=5).map(at).collect()
    }
}

fn attacked(model: &Classifier, attack: &dyn Attack, inputs: &Tensor, labels: &[usize]) -> Result<Tensor, RunError> {
    let criterion = Criterion::Misclassify { labels: labels.to_vec() };
    let ball = Ball::new(Norm::Linf, EPSILON, (0.0, 1.0))?;
    Ok(attack.run(model, inputs, &criterion, &ball, &Seed::new(0, 0))?.inputs)
}

fn predictions(model: &Classifier, inputs: &Tensor) -> Result<Vec<usize>, RunError> {
    let found = model.predictions(inputs)?.into_iter().collect::<Option<Vec<usize>>>();
    found.ok_or_else(|| RunError::Measurement("a logit is not a number".into()))
}

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
fn logistic_gap(seed: u64) -> Result<f64, RunError> {
    const DIMENSION: usize = 20;
    const POINTS: usize = 50;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let bias = 0.25;
    let (graph, weights) = linear_model(DIMENSION, bias, &mut rng)?;
    let inputs: Vec<f32> = (0..DIMENSION * POINTS).map(|_| rng.random_range(-1.0..1.0)).collect();
    // Only points on the right side: elsewhere there is nothing for an attack to do.
    let score = |x: &[f32]| x.iter().zip(&weights).map(|(x, w)| f64::from(*x) * w).sum::<f64>() + bias;
    let labels: Vec<usize> = inputs.chunks_exact(DIMENSION).map(|x| usize::from(score(x) > 0.0)).collect();
    let ball = Ball::new(Norm::Linf, EPSILON, (-10.0, 10.0))?;
    let criterion = Criterion::Misclassify { labels: labels.clone() };
    let inputs = Tensor::new([POINTS, 1, DIMENSION], inputs)?;
    let found = Attacker.run(&Classifier::new(&graph, POINTS)?, &inputs, &criterion, &ball, &Seed::new(seed, 0))?;
    let norm: f64 = weights.iter().map(|w| w.abs()).sum();
    let rows =
        inputs.as_slice::<f32>().chunks_exact(DIMENSION).zip(found.inputs.as_slice::<f32>().chunks_exact(DIMENSION));
    let gap = |((x, attacked), &label): ((&[f32], &[f32]), &usize)| {
        let sign = if label == 1 { 1.0 } else { -1.0 };
        let exact = (EPSILON * norm - sign * score(x)).exp().ln_1p();
        ((-sign * score(attacked)).exp().ln_1p() - exact).abs()
    };
    Ok(rows.zip(&labels).map(gap).fold(0.0, f64::max))
}

/// `w·η` of random linear models for dimensions from 64 to 4096.
fn dot_products(seed: u64) -> Result<Vec<(f64, f64)>, RunError> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed + 1);
    let mut at = |dimension: usize| -> Result<(f64, f64), RunError> {
        let (graph, weights) = linear_model(dimension, -0.5, &mut rng)?;
        let origin = Tensor::full([1, 1, dimension], 0.0f32);
        let ball = Ball::new(Norm::Linf, EPSILON, (-1.0, 1.0))?;
        let criterion = Criterion::Misclassify { labels: vec![0] };
        let found = Attacker.run(&Classifier::new(&graph, 1)?, &origin, &criterion, &ball, &Seed::new(seed, 0))?;
        let eta = found.inputs.as_slice::<f32>().iter();
        Ok((dimension as f64, eta.zip(&weights).map(|(e, w)| f64::from(*e) * w).sum()))
    };
    (6..=12).map(|power| at(1 << power)).collect()
}

/// The first test image, its perturbation and both together.
fn pictures(found: &mut Measurements, clean: &Tensor, attacked: &Tensor) -> Result<(), RunError> {
    let picture = |t: &Tensor| t.as_slice::<f32>()[..784].to_vec();
    let (clean, attacked) = (picture(clean), picture(attacked));
    let (clean, attacked) = (Picture::new(&clean, [1, 28, 28])?, Picture::new(&attacked, [1, 28, 28])?);
    found.image("original", &clean.png(6)?);
    found.image("perturbation, around grey", &clean.perturbation_png(&attacked, 1.0, 6)?);
    found.image("perturbed", &attacked.png(6)?);
    Ok(())
}
