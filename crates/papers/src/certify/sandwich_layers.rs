//! Direct Parameterization of Lipschitz-Bounded Deep Networks (Wang & Manchester 2023).
//!
//! Claim: sandwich layers, which reach every network that a semidefinite bound certifies, make better certified classifiers
//! than earlier layers with a bound. Method: networks of sandwich layers. Baselines: layers with orthogonal and with
//! spectrally normalised weights, on MNIST with as many parameters, and on a square wave that needs the whole bound. Where
//! it must not hold: an activation of slope 2.
//!
//! Networks of random weights come nowhere near their bound (a sixth of it, in trials), so that an activation of slope 2 would
//! not break it either: weights are searched for the steepest slope instead.
//!
//! Pixels are averaged in blocks of 2×2 and doubled, which is 1-Lipschitz: bounds and radii are those of the whole image. All
//! arms have one loss, step size and number of epochs, which were not tuned.

use crate::curves::mean_curve;
use crate::{Claim, Estimator, Figure, Measurements, Quantity, Reproduction, Run, RunError, SeedResult};
use perturb_certify::lipschitz::{Activation, LbdnSequential, Parameterization, cayley, certified_radius};
use perturb_data::{LoadOptions, load};
use perturb_graph::{DType, Expr, Graph, Tensor, grad};
use perturb_nn::{Adam, Cosine, Evaluator, Examples, Hook, Initializer, Layers, Shuffled, Step, TrainError, Trainer};
use perturb_report::chart::{Hue, LineChart, Marker, Sample, Series};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

pub struct SandwichLayers;

const SANDWICH: &str = "sandwich";
const PLAIN: &str = "sandwich, Ψ = I";
const ORTHOGONAL: &str = "orthogonal";
const SPECTRAL: &str = "spectral normalisation";
const STEEP: &str = "sandwich, activation of slope 2";

const SLOPE: Quantity = Quantity::positive("steepest slope ÷ γ that a search over weights finds");
const GAP: Quantity = Quantity::positive("largest element of A·Aᵀ + B·Bᵀ − I");
const WAVE: Quantity = Quantity::positive("steepest slope ÷ γ, square wave");
const CERTIFIED: Quantity = Quantity::share("certified accuracy at ℓ2 radius 0.5, MNIST");
const CLEAN: Quantity = Quantity::share("accuracy, MNIST");

/// Bounds of the wave and of the classifiers.
const WAVE_GAMMA: f64 = 10.0;
const GAMMA: f64 = 1.0;
const RADIUS: f64 = 0.5;
const CLASSES: usize = 10;
const BATCH: usize = 100;
/// Temperature of the classifiers' loss, and the margin that it asks for, in radii.
const TEMPERATURE: f64 = 0.25;
const MARGIN: f64 = 0.7;

/// Arms on MNIST and the wave, with hidden widths that make the numbers of parameters equal within a few percent.
const ARMS: [(&str, Parameterization, usize, usize, &str, Hue, Marker); 3] = [
    (SANDWICH, Parameterization::Sandwich, 64, 32, "wave of sandwich layers", Hue::Vermillion, Marker::Circle),
    (ORTHOGONAL, Parameterization::Orthogonal, 88, 44, "wave of orthogonal layers", Hue::Blue, Marker::Square),
    (SPECTRAL, Parameterization::Spectral, 88, 44, "wave of spectral normalisation", Hue::Amber, Marker::Triangle),
];

impl Reproduction for SandwichLayers {
    fn slug(&self) -> &'static str {
        "sandwich-layers"
    }

    fn claim(&self) -> Claim {
        let largest = |quantity: Quantity, arm| Estimator::Largest(quantity.of(arm));
        let gain = |quantity: Quantity, over| Estimator::Difference(quantity.of(SANDWICH), quantity.of(over));
        Claim {
            method: SANDWICH,
            baselines: &[ORTHOGONAL, SPECTRAL, PLAIN, STEEP],
            seeds: 5,
            preconditions: vec![
                Estimator::Level(CLEAN.of(ORTHOGONAL)).at_least(0.85),
                Estimator::Level(CLEAN.of(SPECTRAL)).at_least(0.7),
            ],
            rules: vec![
                gain(CERTIFIED, ORTHOGONAL).at_least(0.01),
                gain(CERTIFIED, SPECTRAL).at_least(0.01),
                largest(SLOPE, SANDWICH).at_most(1.0 + 1e-5),
                Estimator::Level(SLOPE.of(SANDWICH)).at_least(0.9),
                largest(GAP, SANDWICH).at_most(1e-12),
                Estimator::Level(WAVE.of(SANDWICH)).at_least(0.9),
                gain(WAVE, SPECTRAL).at_least(0.1),
                // Where it must not hold.
                Estimator::Level(SLOPE.of(STEEP)).at_least(1.05),
            ],
        }
    }

    fn run(&self, run: &Run) -> Result<Measurements, RunError> {
        let mut found = Measurements::new();
        run.progress(0.0, "slopes of random networks");
        slopes(&mut found, run)?;
        run.progress(0.1, "a square wave");
        for (arm, parameterization, _, width, curve, ..) in ARMS {
            let points = wave(run, parameterization, width)?;
            let steepest = points.windows(2).map(|p| ((p[1].1 - p[0].1) / (p[1].0 - p[0].0)).abs()).fold(0.0, f64::max);
            found.record(WAVE.of(arm), steepest / WAVE_GAMMA)?;
            found.curve(curve, points.into_iter().step_by(10).collect());
        }
        let data = Split::load(run)?;
        for (i, (arm, parameterization, width, ..)) in ARMS.into_iter().enumerate() {
            run.progress(0.3 + 0.2 * i as f64, arm);
            data.measure(&mut found, run, arm, parameterization, width, &|_: &mut Step| Ok(()))?;
        }
        run.progress(0.9, PLAIN);
        data.measure(&mut found, run, PLAIN, Parameterization::Sandwich, ARMS[0].2, &|step: &mut Step| {
            freeze_psi(step)
        })?;
        Ok(found)
    }

    fn figures(&self, seeds: &[SeedResult]) -> Vec<Figure> {
        let sample = |p: Sample| Sample { note: format!("{:.3}", p.y), interval: None, ..p };
        let mut series: Vec<Series> = ARMS
            .iter()
            .map(|&(arm, .., curve, hue, marker)| Series {
                name: arm.into(),
                points: mean_curve(&seeds[..seeds.len().min(1)], curve).into_iter().map(sample).collect(),
                hue,
                marker,
                dashed: false,
                bold: arm == SANDWICH,
            })
            .collect();
        // Both ends of every flat part.
        let target = (-4..4).flat_map(|i| [(f64::from(i), 1e-6), (f64::from(i + 1), -1e-6)]).map(|(x, d)| x / 4.0 + d);
        series.push(Series {
            name: "square wave".into(),
            points: target.map(|x| Sample { x, y: square(x), interval: None, note: String::new() }).collect(),
            hue: Hue::Grey,
            marker: Marker::Diamond,
            dashed: true,
            bold: false,
        });
        let chart = LineChart {
            description: "A square wave and three networks of Lipschitz bound 10 that were fitted to it.".into(),
            x_label: "x".into(),
            y_label: "f(x)".into(),
            x_range: (-1.0, 1.0),
            y_range: (-1.3, 1.3),
            percent: false,
            series,
            regions: Vec::new(),
        };
        let caption = "First seed. No network of this bound can fit the jumps; the best rises with slope 10 at each.";
        vec![Figure { name: "wave", caption: caption.into(), chart }]
    }
}

/// Ψ stays at I.
fn freeze_psi(step: &mut Step) -> Result<(), TrainError> {
    let psi: Vec<Expr> =
        step.parameters()?.into_iter().filter(|p| p.name().is_some_and(|n| n.ends_with("psi"))).collect();
    psi.iter().for_each(|p| step.update(p, p));
    Ok(())
}

fn square(x: f64) -> f64 {
    if (x * 2.0).rem_euclid(1.0) < 0.5 { 1.0 } else { -1.0 }
}

/// The values of a network of bound 10 that was fitted to the wave, on a fine grid.
fn wave(run: &Run, parameterization: Parameterization, width: usize) -> Result<Vec<(f64, f64)>, RunError> {
    const POINTS: usize = 256;
    let at = |i: usize, n: usize| -1.0 + (2 * i + 1) as f32 / n as f32;
    let xs: Vec<f32> = (0..POINTS).map(|i| at(i, POINTS)).collect();
    let ys: Vec<f32> = xs.iter().map(|&x| square(f64::from(x)) as f32).collect();
    let examples = Examples::new("x", Tensor::new([POINTS, 1], xs)?)?.with("y", Tensor::new([POINTS, 1], ys)?)?;
    let network = LbdnSequential {
        widths: vec![width, width, width, 1],
        gamma: WAVE_GAMMA,
        activation: Activation::Relu,
        parameterization,
    };
    let layers = Layers::new(Initializer::he(run.seed));
    let mut step = Step::new();
    let (x, y) = (step.input("x", [POINTS / 4, 1], DType::F32), step.input("y", [POINTS / 4, 1], DType::F32));
    step.minimize(perturb_nn::losses::mse(&network.build(&layers, &x)?, &y));
    let trainer = Trainer {
        epochs: run.scaled(400, 1000),
        seed: run.seed,
        schedule: std::sync::Arc::new(Cosine::default()),
        ..Trainer::with(Adam { learning_rate: 0.01, ..Adam::default() })
    };
    let trained = trainer.fit(step, &Shuffled::new(examples, POINTS / 4)?, &mut [])?;
    let grid = 801;
    let x = Expr::input("x", [grid, 1], DType::F32);
    let values = Evaluator::new(std::slice::from_ref(&x), &[network.build(&layers, &x)?])?;
    let points: Vec<f32> = (0..grid).map(|i| at(i, grid)).collect();
    let found = values.outputs(&trained.parameters, &Examples::new("x", Tensor::new([grid, 1], points.clone())?)?)?;
    Ok(points.into_iter().map(f64::from).zip(found[0].to_f64_vec()).collect())
}

/// The steepest slope that a search over the weights finds, in f64, at the points that it searches at and at others; and how
/// exact the Cayley transform is.
fn slopes(found: &mut Measurements, run: &Run) -> Result<(), RunError> {
    const INPUT: usize = 8;
    const GAMMA: f64 = 3.0;
    let mut rng = ChaCha8Rng::seed_from_u64(run.seed);
    let mut random = |shape: &[usize], size: f64| {
        let values = (0..shape.iter().product()).map(|_| rng.random_range(-size..size)).collect();
        Tensor::from_f64(shape, DType::F64, values)
    };
    let (x, y) = (Expr::constant(random(&[24, 24], 1.0)?), Expr::constant(random(&[8, 24], 1.0)?));
    let [a, b] = cayley(&x, &y)?;
    let product = |e: &Expr| e.transpose(&[1, 0]).matmul(e);
    let identity = (0..24 * 24).map(|i| if i % 25 == 0 { 1.0 } else { 0.0 }).collect();
    let gap = product(&a).add(&product(&b)).sub(&Expr::constant(Tensor::new([24, 24], identity)?));
    let gap = gap.abs().reduce_max(&[0, 1], false);
    let evaluated = perturb_graph::eval(&[gap], &[]).map_err(|e| RunError::Measurement(e.to_string()))?;
    found.record(GAP.of(SANDWICH), evaluated[0].to_f64_vec()[0])?;

    let network = LbdnSequential {
        widths: vec![12, 12, 4],
        gamma: GAMMA,
        activation: Activation::Relu,
        parameterization: Parameterization::Sandwich,
    };
    let (searched, others) = (random(&[8, INPUT], 1.0)?, random(&[2000, INPUT], 2.0)?);
    for (arm, factor) in [(SANDWICH, 1.0), (STEEP, 2.0)] {
        let layers = Layers::new(Initializer::he(run.seed)).dtype(DType::F64);
        let slope = |x: &Expr| largest_singular_value(&steeper(&network.build(&layers, x)?, factor)?, x);
        let mut step = Step::with_dtype(DType::F64);
        let x = step.input("x", searched.shape(), DType::F64);
        step.minimize(slope(&x)?.neg());
        let trainer =
            Trainer { epochs: run.scaled(200, 1000), ..Trainer::with(Adam { learning_rate: 0.03, ..Adam::default() }) };
        let batches = Shuffled::new(Examples::new("x", searched.clone())?, 8)?;
        let trained = trainer.fit(step, &batches, &mut [])?;
        let mut largest = 0.0f64;
        for points in [&searched, &others] {
            let x = Expr::input("x", points.shape(), DType::F64);
            let evaluator = Evaluator::new(std::slice::from_ref(&x), &[slope(&x)?])?;
            let slopes = evaluator.outputs(&trained.parameters, &Examples::new("x", points.clone())?)?.remove(0);
            largest = slopes.to_f64_vec().into_iter().fold(largest, f64::max);
        }
        found.record(SLOPE.of(arm), largest / GAMMA)?;
    }
    Ok(())
}

/// The same graph with every `relu` times `factor`.
fn steeper(output: &Expr, factor: f64) -> Result<Expr, RunError> {
    let relus = perturb_graph::topological(std::slice::from_ref(output)).into_iter();
    let relus = relus.filter(|n| matches!(n.op(), perturb_graph::Op::Unary(perturb_graph::Unary::Relu)));
    let mut changed = output.clone();
    // From the last to the first, so that what is replaced is still there.
    for relu in relus.collect::<Vec<_>>().into_iter().rev() {
        changed = perturb_graph::substitute(&[changed], &[(relu.clone(), relu.scale(factor))])?.remove(0);
    }
    Ok(changed)
}

/// For each row of `x` the largest singular value of the Jacobian of the outputs, `[N, 1]`.
fn largest_singular_value(output: &Expr, x: &Expr) -> Result<Expr, RunError> {
    let (n, width) = (x.shape()[0], x.shape()[1]);
    let row = |k: usize| -> Result<Expr, RunError> {
        let gradient = grad(&output.slice_axis(1, k, k + 1), std::slice::from_ref(x))?.remove(0);
        Ok(gradient.reshape([n, 1, width]))
    };
    let rows = (0..output.shape()[1]).map(row).collect::<Result<Vec<_>, _>>()?;
    let jacobian = Expr::try_concat(&rows, 1)?;
    let (_, vectors) = jacobian.try_matmul(&jacobian.try_transpose(&[0, 2, 1])?)?.stop_gradient().try_eigh()?;
    let outputs = output.shape()[1];
    // With the singular vector held fixed, the length of its product has the derivative of the singular value.
    let vector = vectors.slice_axis(2, outputs - 1, outputs).try_transpose(&[0, 2, 1])?.stop_gradient();
    Ok(vector.try_matmul(&jacobian)?.square().reduce_sum(&[1, 2], false).sqrt().reshape([n, 1]))
}

/// MNIST with blocks of 2×2 pixels averaged and doubled: `[N, 1, 196]`.
struct Split {
    train: Tensor,
    train_labels: Vec<usize>,
    test: Tensor,
    test_labels: Vec<usize>,
}

impl Split {
    fn load(run: &Run) -> Result<Split, RunError> {
        let folder = run.data("mnist")?;
        let part = |name: &str, limit| -> Result<(Tensor, Vec<usize>), RunError> {
            let options = LoadOptions { limit: Some(limit), ..LoadOptions::default() };
            let data = load(&folder.join(name), &options)?;
            let labels = data.labels.ok_or_else(|| RunError::Measurement(format!("{name} has no labels")))?;
            Ok((halved(&data.inputs)?, labels))
        };
        let (train, train_labels) = part("train-images-idx3-ubyte.gz", run.scaled(8000, 60_000))?;
        let (test, test_labels) = part("t10k-images-idx3-ubyte.gz", run.scaled(2000, 10_000))?;
        Ok(Split { train, train_labels, test, test_labels })
    }

    /// Trains one network and certifies it.
    fn measure(
        &self,
        found: &mut Measurements,
        run: &Run,
        arm: &'static str,
        parameterization: Parameterization,
        width: usize,
        hook: &dyn Hook,
    ) -> Result<(), RunError> {
        let network = LbdnSequential {
            widths: vec![width, width, CLASSES],
            gamma: GAMMA,
            activation: Activation::Relu,
            parameterization,
        };
        let x = Expr::input("image", [1, 196], DType::F32);
        let logits = network.build(&Layers::new(Initializer::he(run.seed)), &x)?;
        let graph = Graph::new(vec![x], vec![("logits".into(), logits)])?;
        let mut step = Step::classifier(&graph, BATCH)?;
        let (logits, targets) = (step.named("logits")?, step.named("targets")?);
        let asked = std::f64::consts::SQRT_2 * GAMMA * MARGIN;
        let shifted = logits.sub(&targets.scale(asked)).scale(1.0 / TEMPERATURE);
        step.minimize(shifted.cross_entropy(&targets));
        step.apply(hook)?;
        let examples = Examples::labelled(self.train.clone(), &self.train_labels, CLASSES)?;
        let trainer = Trainer {
            epochs: run.scaled(8, 20),
            seed: run.seed,
            schedule: std::sync::Arc::new(Cosine::default()),
            ..Trainer::with(Adam { learning_rate: 0.01, ..Adam::default() })
        };
        let trained = trainer.fit(step, &Shuffled::new(examples, BATCH)?, &mut [])?;

        let batched = graph.vmap(BATCH)?;
        let evaluator = Evaluator::new(&batched.inputs, &batched.output_exprs())?;
        let examples = Examples::new(batched.inputs[0].name().unwrap_or("image"), self.test.clone())?;
        let logits = evaluator.outputs(&trained.parameters, &examples)?.remove(0).to_f64_vec();
        let margins = logits.chunks_exact(CLASSES).zip(&self.test_labels).map(|(z, &y)| {
            let others = (0..CLASSES).filter(|&j| j != y).map(|j| z[j]);
            z[y] - others.fold(f64::NEG_INFINITY, f64::max)
        });
        let margins: Vec<f64> = margins.collect();
        let share = |f: &dyn Fn(f64) -> bool| margins.iter().filter(|m| f(**m)).count() as f64 / margins.len() as f64;
        found.record(CLEAN.of(arm), share(&|m| m > 0.0))?;
        found.record(CERTIFIED.of(arm), share(&|m| certified_radius(m, GAMMA) > RADIUS))
    }
}

fn halved(images: &Tensor) -> Result<Tensor, RunError> {
    const SIDE: usize = 14;
    let n = images.shape()[0];
    let mut rows = Vec::with_capacity(n * SIDE * SIDE);
    for image in images.as_slice::<f32>().chunks_exact(4 * SIDE * SIDE) {
        for (i, j) in (0..SIDE).flat_map(|i| (0..SIDE).map(move |j| (i, j))) {
            let at = |di: usize, dj: usize| image[(2 * i + di) * 2 * SIDE + 2 * j + dj];
            rows.push((at(0, 0) + at(0, 1) + at(1, 0) + at(1, 1)) / 2.0);
        }
    }
    Ok(Tensor::new([n, 1, SIDE * SIDE], rows)?)
}
