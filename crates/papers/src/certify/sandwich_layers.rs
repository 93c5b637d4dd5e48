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
//! All arms with a bound have one loss, step size and number of epochs. On CIFAR-10, at the paper's radius, the baseline is a
//! network of equal size without a bound, whose balls CROWN certifies: a stronger certificate than the product of norms that
//! the literature gives such networks. Its step size is smaller, because that of the others threw it off.
//!
//! The first tries on CIFAR-10 showed no gain (seeds 0 to 4; 26 to 31 % against 26 to 32 %): the loss was that for MNIST, which
//! asks for too little. Temperature and margin for CIFAR-10 were then chosen on seeds 100 and 101.

use super::lipschitz_classifiers::{Goal, Images};
use crate::curves::mean_curve;
use crate::{Claim, Estimator, Figure, Measurements, Quantity, Reproduction, Run, RunError, SeedResult};
use perturb_certify::lipschitz::{Activation, LbdnSequential, Parameterization, cayley};
use perturb_graph::{DType, Expr, Tensor, grad};
use perturb_nn::{Adam, Cosine, Evaluator, Examples, Initializer, Layers, Shuffled, Step, TrainError, Trainer};
use perturb_report::chart::{Hue, LineChart, Marker, Sample, Series};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

pub struct SandwichLayers;

const SANDWICH: &str = "sandwich";
const PLAIN: &str = "sandwich, Ψ = I";
const ORTHOGONAL: &str = "orthogonal";
const SPECTRAL: &str = "spectral normalisation";
const STEEP: &str = "sandwich, activation of slope 2";
const UNCONSTRAINED: &str = "no bound";

const SLOPE: Quantity = Quantity::positive("steepest slope ÷ γ that a search over weights finds");
const GAP: Quantity = Quantity::positive("largest element of A·Aᵀ + B·Bᵀ − I");
const WAVE: Quantity = Quantity::positive("steepest slope ÷ γ, square wave");
const CERTIFIED: Quantity = Quantity::share("certified accuracy at ℓ2 radius 0.5, MNIST");
const CLEAN: Quantity = Quantity::share("accuracy, MNIST");
const SMALL_CERTIFIED: Quantity = Quantity::share("certified accuracy at ℓ2 radius 36/255, CIFAR-10");
const SMALL_CLEAN: Quantity = Quantity::share("accuracy, CIFAR-10");

/// Bound of the wave.
const WAVE_GAMMA: f64 = 10.0;
const ON_MNIST: Goal = Goal { radius: 0.5, temperature: 0.35, margin: 1.4 };
const ON_CIFAR: Goal = Goal { radius: 36.0 / 255.0, temperature: 2.8, margin: 5.0 };
pub(super) const CLASSES: usize = 10;
/// Hidden widths on CIFAR-10 with and without a bound, of equally many parameters within a few percent.
const SMALL_WIDTHS: [usize; 2] = [64, 74];

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
            baselines: &[ORTHOGONAL, SPECTRAL, PLAIN, STEEP, UNCONSTRAINED],
            seeds: 5,
            preconditions: vec![
                Estimator::Level(CLEAN.of(ORTHOGONAL)).at_least(0.85),
                Estimator::Level(CLEAN.of(SPECTRAL)).at_least(0.7),
                Estimator::Level(SMALL_CLEAN.of(UNCONSTRAINED)).at_least(0.35),
            ],
            rules: vec![
                gain(CERTIFIED, ORTHOGONAL).at_least(0.01),
                gain(CERTIFIED, SPECTRAL).at_least(0.01),
                gain(SMALL_CERTIFIED, UNCONSTRAINED).at_least(0.01),
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
        let mnist = Images::mnist(run)?;
        for (i, (arm, parameterization, width, ..)) in ARMS.into_iter().enumerate() {
            run.progress(0.2 + 0.2 * i as f64, arm);
            let shares = mnist.bounded(run, (parameterization, width), ON_MNIST, &|_: &mut Step| Ok(()))?;
            found.record(CLEAN.of(arm), shares.right)?;
            found.record(CERTIFIED.of(arm), shares.certified)?;
        }
        run.progress(0.8, PLAIN);
        let frozen = (Parameterization::Sandwich, ARMS[0].2);
        let shares = mnist.bounded(run, frozen, ON_MNIST, &|step: &mut Step| freeze_psi(step))?;
        found.record(CLEAN.of(PLAIN), shares.right)?;
        found.record(CERTIFIED.of(PLAIN), shares.certified)?;
        run.progress(0.9, "CIFAR-10");
        let (cifar, [bounded, unconstrained]) = (Images::cifar(run)?, SMALL_WIDTHS);
        let bounded = (Parameterization::Sandwich, bounded);
        let shares = [
            (SANDWICH, cifar.bounded(run, bounded, ON_CIFAR, &|_: &mut Step| Ok(()))?),
            (UNCONSTRAINED, cifar.unconstrained(run, unconstrained, ON_CIFAR.radius)?),
        ];
        for (arm, shares) in shares {
            found.record(SMALL_CLEAN.of(arm), shares.right)?;
            found.record(SMALL_CERTIFIED.of(arm), shares.certified)?;
        }
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
