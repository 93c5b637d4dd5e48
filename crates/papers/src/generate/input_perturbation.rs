//! Input Perturbation Reduces Exposure Bias in Diffusion Models (Ning et al. 2023).
//!
//! Claim: a diffusion model that is trained on inputs with perturbed noise, and still predicts the noise itself, samples
//! better in the same number of steps, with unchanged recall. Method: γ = 0.1. Baseline: γ = 0; other γ beside it.
//! First exactly, on standard normal data, where the best predictor and the variance at the end of a chain are known: few
//! steps leave too little variance, and γ raises it. Then learned, on a mixture of four Gaussians in eight dimensions, in
//! 50 steps; the Fréchet distance is to the exact moments, and the error of predictions to the exact predictor.
//!
//! Where it must not help: γ = 0.15 in 1000 steps, where there is little error to make up for.

use crate::curves::mean_curve;
use crate::{Claim, Estimator, Figure, Measurements, Quantity, Reproduction, Run, RunError, SeedResult};
use perturb_data::worlds::mixtures::{Density, GaussianMixture};
use perturb_engine::{Executable, Options};
use perturb_generate::metric::{mixed, prediction_error};
use perturb_generate::nets::Perceptron;
use perturb_generate::sampler::gaussian_variance;
use perturb_generate::train::{denoising, perturb};
use perturb_generate::{At, Ddpm, Denoiser, Level, Mixture, NoiseSchedule, Prediction, Spacing, sample};
use perturb_graph::{DType, Expr, Tensor};
use perturb_metrics::Matrix;
use perturb_metrics::distribution::{Gaussian, fidelity, frechet_distance};
use perturb_nn::{Adam, Cosine, Ema, Examples, Initializer, Key, Layers, Parameters, Shuffled, Trainer};
use perturb_report::chart::{Hue, LineChart, Marker, Series};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use std::sync::Arc;

pub struct InputPerturbation;

const PLAIN: &str = "γ = 0";
const WEAK: &str = "γ = 0.05";
const PERTURBED: &str = "γ = 0.1";
const MORE: &str = "γ = 0.15";
const STRONG: &str = "γ = 0.2";

/// The arms that are trained, with γ and the names of the curves of their errors.
const ARMS: [(&str, f64, [&str; 2], Hue, Marker); 4] = [
    (PLAIN, 0.0, ["free running, γ = 0", "training inputs, γ = 0"], Hue::Blue, Marker::Square),
    (WEAK, 0.05, ["free running, γ = 0.05", "training inputs, γ = 0.05"], Hue::Sky, Marker::Triangle),
    (PERTURBED, 0.1, ["free running, γ = 0.1", "training inputs, γ = 0.1"], Hue::Vermillion, Marker::Circle),
    (STRONG, 0.2, ["free running, γ = 0.2", "training inputs, γ = 0.2"], Hue::Purple, Marker::Diamond),
];

const FRECHET: Quantity = Quantity::positive("Fréchet distance to the data, 50 steps");
const FRECHET_20: Quantity = Quantity::positive("Fréchet distance to the data, 20 steps");
const FRECHET_100: Quantity = Quantity::positive("Fréchet distance to the data, 100 steps");
const RECALL: Quantity = Quantity::share("recall, 50 steps");
const PRECISION: Quantity = Quantity::share("precision, 50 steps");
const ERROR: Quantity = Quantity::positive("error of predictions in free running, times up to 200");
const BIAS: Quantity = Quantity::real("error in free running less that on training inputs, times up to 200");
const LEFT: Quantity = Quantity::positive("exact variance of standard normal data after 100 steps");
const OFF_50: Quantity = Quantity::positive("exact variance of standard normal data after 50 steps, distance from 1");
const OFF_1000: Quantity =
    Quantity::positive("exact variance of standard normal data after 1000 steps, distance from 1");
const FALL: Quantity = Quantity::positive("best γ of 250 over 50 steps, or of 1000 over 250, whichever is larger");

const DIMENSION: usize = 8;
const BATCH: usize = 256;
/// Chains that are run at once.
const CHAINS: usize = 1024;

impl Reproduction for InputPerturbation {
    fn slug(&self) -> &'static str {
        "input-perturbation"
    }

    fn claim(&self) -> Claim {
        let difference = |quantity: Quantity, a, b| Estimator::Difference(quantity.of(a), quantity.of(b));
        let ratio = |quantity: Quantity| Estimator::Ratio(quantity.of(PERTURBED), quantity.of(PLAIN));
        Claim {
            method: PERTURBED,
            baselines: &[PLAIN, WEAK, MORE, STRONG],
            seeds: 5,
            preconditions: Vec::new(),
            rules: vec![
                ratio(FRECHET).at_most(0.95),
                difference(RECALL, PERTURBED, PLAIN).within(-0.02, 0.02),
                ratio(ERROR).at_most(0.99),
                Estimator::Level(LEFT.of(PLAIN)).within(0.9205, 0.922),
                difference(OFF_50, PERTURBED, PLAIN).at_most(-0.005),
                Estimator::Largest(FALL.of(PERTURBED)).at_most(0.99),
                // Where it must not help.
                difference(OFF_1000, MORE, PLAIN).at_least(0.001),
            ],
        }
    }

    fn run(&self, run: &Run) -> Result<Measurements, RunError> {
        let mut found = Measurements::new();
        let schedule = NoiseSchedule::linear();
        exact(&mut found, &schedule)?;
        let world = World::draw(run)?;
        for (i, (arm, gamma, curves, ..)) in ARMS.into_iter().enumerate() {
            run.progress(i as f64 / ARMS.len() as f64, arm);
            let model = world.train(run, &schedule, gamma)?;
            for (quantity, steps) in [(FRECHET_20, 20), (FRECHET, 50), (FRECHET_100, 100)] {
                let levels = schedule.levels(steps, Spacing::Trailing)?;
                let samples = world.samples(run, &model, &levels)?;
                let fitted = Gaussian::fit(&Matrix::new(&samples, DIMENSION)?)?;
                found.record(quantity.of(arm), frechet_distance(&fitted, &world.moments)?)?;
                if steps == 50 {
                    world.fidelity(&mut found, arm, &samples, run.seed)?;
                    world.errors(&mut found, arm, &model, &levels, curves, run.seed)?;
                }
            }
        }
        Ok(found)
    }

    fn figures(&self, seeds: &[SeedResult]) -> Vec<Figure> {
        let series = ARMS.into_iter().flat_map(|(arm, _, curves, hue, marker)| {
            curves.into_iter().zip([false, true]).map(move |(curve, forced)| Series {
                name: if forced { format!("{arm}, training inputs") } else { format!("{arm}, free running") },
                points: mean_curve(seeds, curve),
                hue,
                marker,
                dashed: forced,
                bold: arm == PERTURBED && !forced,
            })
        });
        let series: Vec<Series> = series.filter(|s| !s.name.contains("0.05")).collect();
        let highest = series.iter().flat_map(|s| &s.points).map(|p| p.y).fold(0.0, f64::max);
        let chart = LineChart {
            description: "Error of predicted noise against time, in free running and on training inputs.".into(),
            x_label: "time t of 1000".into(),
            y_label: "error of predicted noise".into(),
            x_range: (0.0, 1000.0),
            y_range: (0.0, 1.1 * highest),
            percent: false,
            series,
            regions: Vec::new(),
        };
        let caption = "Root mean square difference to the best predictor, along chains of 50 steps; mean over seeds, bars \
                       from the lowest to the highest seed.";
        vec![Figure { name: "error", caption: caption.into(), chart }]
    }
}

/// What chains of the best predictor make of standard normal data.
fn exact(found: &mut Measurements, schedule: &NoiseSchedule) -> Result<(), RunError> {
    let variance = |steps: usize, gamma: f64| -> Result<f64, RunError> {
        Ok(gaussian_variance(&Ddpm::default(), &schedule.levels(steps, Spacing::Trailing)?, 1.0, gamma)?)
    };
    found.record(LEFT.of(PLAIN), variance(100, 0.0)?)?;
    for (arm, gamma) in [(PLAIN, 0.0), (PERTURBED, 0.1)] {
        found.record(OFF_50.of(arm), (variance(50, gamma)? - 1.0).abs())?;
    }
    for (arm, gamma) in [(PLAIN, 0.0), (PERTURBED, 0.1), (MORE, 0.15)] {
        found.record(OFF_1000.of(arm), (variance(1000, gamma)? - 1.0).abs())?;
    }
    // The variance rises with γ: the best is where it is 1.
    let best = |steps: usize| -> Result<f64, RunError> {
        let (mut low, mut high) = (0.0, 1.0);
        for _ in 0..40 {
            let middle = 0.5 * (low + high);
            if variance(steps, middle)? < 1.0 { low = middle } else { high = middle }
        }
        Ok(low)
    };
    let best = [50, 100, 250, 1000].map(|steps| best(steps).map(|gamma| (steps as f64, gamma)));
    let best: Vec<(f64, f64)> = best.into_iter().collect::<Result<_, _>>()?;
    found.record(FALL.of(PERTURBED), (best[2].1 / best[0].1).max(best[3].1 / best[2].1))?;
    found.curve("best γ against the number of steps, exact", best);
    Ok(())
}

/// Four Gaussians with random means and diagonal covariances.
struct World {
    density: GaussianMixture,
    truth: Mixture,
    /// The exact mean and covariance.
    moments: Gaussian,
}

impl World {
    fn draw(run: &Run) -> Result<World, RunError> {
        const COMPONENTS: usize = 4;
        let mut rng = ChaCha8Rng::seed_from_u64(run.seed);
        let mut component = || {
            let mean: Vec<f64> = (0..DIMENSION).map(|_| 0.7 * rng.sample::<f64, _>(StandardNormal)).collect();
            let variances: Vec<f64> = (0..DIMENSION).map(|_| rng.random_range(0.3f64..0.9).powi(2)).collect();
            (1.0 / COMPONENTS as f64, mean, variances)
        };
        let components: Vec<(f64, Vec<f64>, Vec<f64>)> = (0..COMPONENTS).map(|_| component()).collect();
        let full = |(w, m, v): &(f64, Vec<f64>, Vec<f64>)| {
            let entry = |i: usize| if i / DIMENSION == i % DIMENSION { v[i / DIMENSION] } else { 0.0 };
            (*w, m.clone(), (0..DIMENSION * DIMENSION).map(entry).collect())
        };
        let density = GaussianMixture::new(&components.iter().map(full).collect::<Vec<_>>())?;
        let mean: Vec<f64> = (0..DIMENSION).map(|i| components.iter().map(|(w, m, _)| w * m[i]).sum()).collect();
        let moment = |i: usize, j: usize| {
            let own = |v: &[f64]| if i == j { v[i] } else { 0.0 };
            components.iter().map(|(w, m, v)| w * (own(v) + (m[i] - mean[i]) * (m[j] - mean[j]))).sum::<f64>()
        };
        let covariance = (0..DIMENSION * DIMENSION).map(|i| moment(i / DIMENSION, i % DIMENSION)).collect();
        let moments = Gaussian::new(&mean, &Matrix::from_vec(covariance, DIMENSION)?)?;
        Ok(World { density, truth: Mixture::new(&components)?, moments })
    }

    fn train(&self, run: &Run, schedule: &NoiseSchedule, gamma: f64) -> Result<Trained, RunError> {
        let network = Perceptron::new(Layers::new(Initializer::pytorch(run.seed)));
        let mut step = denoising(schedule, &network, [BATCH, DIMENSION])?;
        step.apply(&perturb::InputPerturbation { gamma })?;
        step.apply(&Ema::new(0.995))?;
        let points = self.density.dataset(run.seed, run.scaled(32, 128) * BATCH).points.to_dtype(DType::F32);
        let trainer = Trainer {
            epochs: run.scaled(50, 200),
            seed: run.seed,
            schedule: Arc::new(Cosine::default()),
            ..Trainer::with(Adam { learning_rate: 3e-3, ..Adam::default() })
        };
        let trained = trainer.fit(step, &Shuffled::new(Examples::new("data", points)?, BATCH)?, &mut [])?;
        Ok(Trained { network, parameters: trained.variables.under("ema.") })
    }

    /// Ends of chains.
    fn samples(&self, run: &Run, model: &Trained, levels: &[Level]) -> Result<Vec<f64>, RunError> {
        let pair = Expr::input("seed and stream", [2], DType::I64);
        let key = Key::new(pair.clone());
        let start = key.fold(0).normal([CHAINS, DIMENSION], DType::F32);
        let chain = sample(model, &Ddpm::default(), levels, &start, &key.fold(1))?;
        let executable = Executable::compile(&model.bound(&[chain.samples])?, &[pair], &Options::default())?;
        let mut samples = Vec::new();
        for block in 0..run.scaled(8, 32) {
            let pair = Tensor::new([2], vec![run.seed as i64, block])?;
            samples.extend(executable.run(&[&pair])?[0].to_f64_vec());
        }
        Ok(samples)
    }

    fn fidelity(
        &self,
        found: &mut Measurements,
        arm: &'static str,
        samples: &[f64],
        seed: u64,
    ) -> Result<(), RunError> {
        const POINTS: usize = 2048;
        let real = self.density.dataset(seed + 1_000_000, POINTS).points.to_f64_vec();
        let samples = Matrix::new(&samples[..POINTS * DIMENSION], DIMENSION)?;
        let found_fidelity = fidelity(&Matrix::new(&real, DIMENSION)?, &samples, 5)?;
        found.record(RECALL.of(arm), found_fidelity.recall)?;
        found.record(PRECISION.of(arm), found_fidelity.precision)
    }

    /// Errors of predictions along chains and on training inputs.
    fn errors(
        &self,
        found: &mut Measurements,
        arm: &'static str,
        model: &Trained,
        levels: &[Level],
        curves: [&str; 2],
        seed: u64,
    ) -> Result<(), RunError> {
        let steps = levels.len() - 1;
        let key = Key::constant(seed, 1 << 40);
        let start = key.fold(0).normal([CHAINS, DIMENSION], DType::F32);
        let chain = sample(model, &Ddpm::default(), levels, &start, &key.fold(1))?;
        let free = chain.prediction_error(model, &self.truth, levels)?;
        let data = Expr::constant(self.density.dataset(seed + 2_000_000, CHAINS).points.to_dtype(DType::F32));
        let noise = key.fold(2).normal([steps, CHAINS, DIMENSION], DType::F32);
        let forced = prediction_error(model, &self.truth, levels, &mixed(&data, &noise, levels)?)?;
        let executable = Executable::compile(&model.bound(&[free, forced])?, &[], &Options::default())?;
        let errors: Vec<Vec<f64>> = executable.run(&[])?.iter().map(Tensor::to_f64_vec).collect();
        let early = |errors: &[f64]| {
            let late: Vec<f64> = levels.iter().zip(errors).filter(|(l, _)| l.time <= 200.0).map(|(_, e)| *e).collect();
            late.iter().sum::<f64>() / late.len() as f64
        };
        found.record(ERROR.of(arm), early(&errors[0]))?;
        found.record(BIAS.of(arm), early(&errors[0]) - early(&errors[1]))?;
        for (name, errors) in curves.iter().zip(&errors) {
            let points = levels.iter().zip(errors).rev().step_by(3).map(|(l, e)| (l.time, *e)).collect();
            found.curve(name, points);
        }
        Ok(())
    }
}

/// A trained network.
struct Trained {
    network: Perceptron,
    parameters: Parameters,
}

impl Trained {
    fn bound(&self, outputs: &[Expr]) -> Result<Vec<Expr>, RunError> {
        Ok(self.parameters.bind_exprs(outputs)?)
    }
}

impl Denoiser for Trained {
    fn prediction(&self) -> Prediction {
        self.network.prediction()
    }

    fn predict(&self, x: &Expr, at: &At) -> Expr {
        self.network.predict(x, at)
    }
}
