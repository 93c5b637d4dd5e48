//! The Unreasonable Effectiveness of Linear Prediction as a Perceptual Metric (Severo, Theis & Ballé 2024).
//!
//! Claim: how each pixel is predicted linearly from those before it, a problem solved for each image alone, tells how alike
//! images look, and more neighbours predict better. Here on patches of photographs: the recursion against the definition,
//! the loss for 4, 8 and 16 neighbours, six distortions at five severities, and pairs of patches of one texture, shifted,
//! against pairs of two photographs, all of one brightness and contrast. Baseline: mean squared error. There are no human
//! ratings here, so that SSIM and the distance of a small network's features are recorded only.

use super::perceivers::{Perceiver, Sight};
use super::photographs::{Photographs, standardized};
use crate::curves::mean_series;
use crate::{Claim, Estimator, Figure, Measurements, Quantity, Reproduction, Run, RunError, SeedResult};
use perturb_attack::perceptual::{
    Distances, Extreme, Lasi as Index, MaximumDifferentiation, MeanSquaredError, Metric, Ssim,
};
use perturb_data::augment::Augmentation;
use perturb_data::corrupt::{Corrupt, Corruption, Profile, Severity};
use perturb_engine::{Executable, Options};
use perturb_graph::{DType, Expr, Tensor, grad};
use perturb_metrics::rank::spearman;
use perturb_metrics::ranking::roc_auc;
use perturb_report::chart::{Hue, LineChart, Marker};
use perturb_report::picture::Picture;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

pub struct Lasi;

const LASI: &str = "LASI";
const MSE: &str = "MSE";
const SSIM: &str = "SSIM";
const LPIPS: &str = "features of a CNN";
const FEW: &str = "4 neighbours";
const MORE: &str = "8 neighbours";
const MOST: &str = "16 neighbours";

const DEVIATION: Quantity = Quantity::positive("largest difference of recursion and definition");
const SLOPE: Quantity = Quantity::positive("relative error of the gradient, against finite differences");
const LOSS: Quantity = Quantity::positive("weighted squared error of prediction");
const ORDER: Quantity = Quantity { name: "rank correlation with severity", lowest: -1.0, highest: 1.0 };
const WORST: Quantity =
    Quantity { name: "rank correlation with severity, worst distortion", lowest: -1.0, highest: 1.0 };
const TEXTURE: Quantity = Quantity::share("AUC of one texture against two");
const RANGE: Quantity = Quantity::positive("farthest over nearest distance where the other metric is held");

const SIDE: usize = 64;
const DISTORTIONS: [(Corruption, &str); 6] = [
    (Corruption::GaussianNoise, "noise"),
    (Corruption::DefocusBlur, "blur"),
    (Corruption::JpegCompression, "JPEG"),
    (Corruption::Contrast, "contrast"),
    (Corruption::Pixelate, "pixelate"),
    (Corruption::ImpulseNoise, "impulses"),
];

impl Reproduction for Lasi {
    fn slug(&self) -> &'static str {
        "lasi"
    }

    fn claim(&self) -> Claim {
        let level = |quantity: Quantity| Estimator::Level(quantity.of(LASI));
        let largest = |quantity: Quantity| Estimator::Largest(quantity.of(LASI));
        Claim {
            method: LASI,
            baselines: &[MSE, SSIM, LPIPS, FEW, MORE, MOST],
            seeds: 5,
            preconditions: vec![largest(DEVIATION).at_most(1e-9), largest(SLOPE).at_most(1e-4)],
            rules: vec![
                Estimator::Difference(TEXTURE.of(LASI), TEXTURE.of(MSE)).at_least(0.1),
                Estimator::Ratio(LOSS.of(MORE), LOSS.of(FEW)).at_most(0.99),
                Estimator::Ratio(LOSS.of(MOST), LOSS.of(MORE)).at_most(0.99),
                level(WORST).at_least(0.9),
            ],
        }
    }

    fn run(&self, run: &Run) -> Result<Measurements, RunError> {
        let mut found = Measurements::new();
        let photographs = Photographs::grey(run)?;
        let mut rng = ChaCha8Rng::seed_from_u64(run.seed);
        let small = photographs.patches(1, 32, 2, &mut rng)?;
        check(&mut found, &small, run.seed)?;
        run.progress(0.1, "more neighbours");
        let patches = photographs.patches(run.scaled(12, 60), SIDE, 1, &mut rng)?;
        neighbors(&mut found, &patches)?;
        run.progress(0.3, "a network");
        let perceiver = Perceiver::train(run, Sight::Fine, run.scaled(1000, 10_000), 3)?;
        let features = perceiver.lpips([1, SIDE, SIDE], None)?;
        // Sums take time with the square of the number of neighbours.
        let index = Index { neighborhood: run.scaled(8, 16), ..Index::default() };
        let metrics: [(&dyn Metric, &'static str); 4] =
            [(&index, LASI), (&MeanSquaredError, MSE), (&Ssim, SSIM), (&features, LPIPS)];
        let pairs = texture_pairs(&photographs, run.scaled(40, 200), &mut rng)?;
        for (k, (metric, arm)) in metrics.into_iter().enumerate() {
            run.progress(0.4 + 0.12 * k as f64, arm);
            let distances = Distances::new(metric, [1, SIDE, SIDE], 4)?;
            severities(&mut found, &distances, &patches, arm, run.seed)?;
            let scores: Vec<f64> = distances.of(&pairs.first, &pairs.second)?;
            found.record(TEXTURE.of(arm), roc_auc(&scores, &pairs.other)?)?;
        }
        run.progress(0.9, "maximum differentiation");
        differentiate(&mut found, &patches.rows(0, 1), &mut rng)?;
        Ok(found)
    }

    fn figures(&self, seeds: &[SeedResult]) -> Vec<Figure> {
        let looks = [
            (Hue::Vermillion, Marker::Circle),
            (Hue::Blue, Marker::Square),
            (Hue::Green, Marker::Diamond),
            (Hue::Grey, Marker::Triangle),
            (Hue::Purple, Marker::Circle),
            (Hue::Amber, Marker::Square),
        ];
        let series = DISTORTIONS.iter().zip(looks);
        let series = series.map(|((_, name), (hue, marker))| mean_series(seeds, name, name, hue, marker));
        let chart = LineChart {
            description: "Mean distance of distorted patches against the severity, for six distortions.".into(),
            x_label: "severity".into(),
            y_label: "LASI".into(),
            x_range: (1.0, 5.0),
            y_range: (0.0, 1.4),
            percent: false,
            series: series.collect(),
            regions: Vec::new(),
        };
        let caption = "Mean over seeds; bars from the lowest to the highest seed.";
        vec![Figure { name: "severity", caption: caption.into(), chart }]
    }
}

/// The recursion against the definition, the gradient against finite differences, on a patch of 16×16.
fn check(found: &mut Measurements, patch: &Tensor, seed: u64) -> Result<(), RunError> {
    let lasi = Index::default();
    let shape = [1, patch.shape()[2], patch.shape()[3]];
    let patch = patch.reshape(shape)?.to_dtype(DType::F64);
    let (fast, slow) = (lasi.embed(&patch)?, lasi.embed_by_definition(&patch)?);
    let pairs = fast.as_slice::<f64>().iter().zip(slow.as_slice::<f64>());
    found.record(DEVIATION.of(LASI), pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max))?;

    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut noise = |scale: f64| -> Vec<f64> { (0..patch.count()).map(|_| rng.random_range(-scale..scale)).collect() };
    let (offset, direction) = (noise(0.1), noise(1.0));
    let [x, y] = ["x", "y"].map(|name| Expr::input(name, shape, DType::F64));
    let distance = lasi.distance(&x, &y)?;
    let gradient = grad(&distance, std::slice::from_ref(&x))?.remove(0);
    let exe = Executable::compile(&[distance, gradient], &[x, y], &Options::default())?;
    let at = |step: f64| -> Result<Vec<Tensor>, RunError> {
        let moves = offset.iter().zip(&direction).map(|(o, d)| o + step * d);
        let moved = patch.as_slice::<f64>().iter().zip(moves).map(|(v, m)| v + m).collect();
        Ok(exe.run(&[&Tensor::new(shape, moved)?, &patch])?)
    };
    let (step, value) = (1e-5, |found: &[Tensor]| found[0].as_slice::<f64>()[0]);
    let numeric = (value(&at(step)?) - value(&at(-step)?)) / (2.0 * step);
    let gradient = at(0.0)?.remove(1);
    let analytic: f64 = gradient.as_slice::<f64>().iter().zip(&direction).map(|(g, d)| g * d).sum();
    found.record(SLOPE.of(LASI), (numeric - analytic).abs() / numeric.abs())
}

fn neighbors(found: &mut Measurements, patches: &Tensor) -> Result<(), RunError> {
    let count = patches.shape()[0];
    for (neighborhood, arm) in [(4, FEW), (8, MORE), (16, MOST)] {
        let lasi = Index { neighborhood, ..Index::default() };
        let mut loss = 0.0;
        for k in 0..count {
            loss += lasi.loss(&patches.rows(k, k + 1).reshape([1, SIDE, SIDE])?)? / count as f64;
        }
        found.record(LOSS.of(arm), loss)?;
    }
    Ok(())
}

/// For each patch and distortion the rank correlation of distance and severity, then the mean over patches.
fn severities(
    found: &mut Measurements,
    distances: &Distances,
    patches: &Tensor,
    arm: &'static str,
    seed: u64,
) -> Result<(), RunError> {
    let count = patches.shape()[0];
    let indices: Vec<u64> = (0..count as u64).collect();
    let levels: Vec<f64> = Severity::ALL.iter().map(|s| f64::from(s.level())).collect();
    let mut orders = Vec::new();
    for (corruption, name) in DISTORTIONS {
        let mut by_level = Vec::new();
        for severity in Severity::ALL {
            let corrupt = Corrupt { corruption, severity, profile: Profile::Cifar10 };
            by_level.push(distances.of(&corrupt.batch(patches, seed, &indices)?, patches)?);
        }
        let order = |k: usize| spearman(&levels, &by_level.iter().map(|d| d[k]).collect::<Vec<f64>>());
        let each = (0..count).map(order).collect::<Result<Vec<f64>, _>>()?;
        orders.push(each.iter().sum::<f64>() / count as f64);
        if arm == LASI {
            let mean = |d: &Vec<f64>| d.iter().sum::<f64>() / count as f64;
            found.curve(name, levels.iter().copied().zip(by_level.iter().map(mean)).collect());
        }
    }
    found.record(ORDER.of(arm), orders.iter().sum::<f64>() / orders.len() as f64)?;
    found.record(WORST.of(arm), orders.iter().copied().fold(f64::INFINITY, f64::min))
}

/// Pairs of patches `[N, 1, 64, 64]`, and which of them show two photographs.
struct Pairs {
    first: Tensor,
    second: Tensor,
    other: Vec<bool>,
}

/// Half of the pairs are patches of one photograph, half a side apart, half of two photographs.
fn texture_pairs(photographs: &Photographs, count: usize, rng: &mut ChaCha8Rng) -> Result<Pairs, RunError> {
    let (mut first, mut second, mut other) = (Vec::new(), Vec::new(), Vec::new());
    for k in 0..2 * count {
        let (index, apart) = (rng.random_range(0..photographs.len()), SIDE / 2);
        let differs = k >= count;
        // One place with room for both patches of one texture.
        let [top, left] = photographs.place(index, SIDE + apart, rng);
        first.extend(standardized(&photographs.patch(index, [top, left], SIDE, 1)));
        let patch = if differs {
            let index = (index + rng.random_range(1..photographs.len())) % photographs.len();
            photographs.patch(index, photographs.place(index, SIDE, rng), SIDE, 1)
        } else {
            photographs.patch(index, [top + apart, left + apart], SIDE, 1)
        };
        second.extend(standardized(&patch));
        other.push(differs);
    }
    let images = |values| Tensor::new([2 * count, 1, SIDE, SIDE], values);
    Ok(Pairs { first: images(first)?, second: images(second)?, other })
}

/// Images as far by one metric, nearest and farthest by the other; on a part of a patch, in which details are seen.
fn differentiate(found: &mut Measurements, patch: &Tensor, rng: &mut ChaCha8Rng) -> Result<(), RunError> {
    let noisy = patch.as_slice::<f32>().iter().map(|v| (v + rng.random_range(-0.15..0.15f32)).clamp(0.0, 1.0));
    let start = Tensor::new(patch.shape(), noisy.collect())?;
    let lasi = Index { neighborhood: 8, ..Index::default() };
    let game = MaximumDifferentiation { steps: 60, rate: 0.003 };
    let shown = |found: &mut Measurements, caption: &str, image: &Tensor| -> Result<(), RunError> {
        found.image(caption, &Picture::new(image.as_slice::<f32>(), [1, SIDE, SIDE])?.png(3)?);
        Ok(())
    };
    shown(found, "a patch", patch)?;
    shown(found, "with noise", &start)?;
    let games: [([&dyn Metric; 2], &'static str); 2] = [([&lasi, &Ssim], SSIM), ([&Ssim, &lasi], LASI)];
    for ([hold, vary], arm) in games {
        let measure = Distances::new(vary, [1, SIDE, SIDE], 1)?;
        let mut ends = Vec::new();
        for (extreme, word) in [(Extreme::Nearest, "nearest"), (Extreme::Farthest, "farthest")] {
            let image = game.run([hold, vary], patch, &start, extreme)?;
            let distance = measure.of(&image, patch)?[0];
            ends.push(distance);
            let caption = format!("{} held, {word} by {}: {distance:.3}", hold.name(), vary.name());
            shown(found, &caption, &image)?;
        }
        found.record(RANGE.of(arm), ends[1] / ends[0].max(1e-6))?;
    }
    Ok(())
}
