//! Triplets of a photograph's patch and two distortions of one kind, of which the milder one should be judged nearer, and
//! weights of a network's features that are fitted to such judgments.

use super::perceivers::Perceiver;
use super::photographs::Photographs;
use crate::RunError;
use perturb_attack::perceptual::Lpips;
use perturb_attack::perceptual::rank_flip::Triplets;
use perturb_data::augment::Augmentation;
use perturb_data::corrupt::{Corrupt, Corruption, Profile, Severity};
use perturb_engine::{Executable, Options};
use perturb_graph::{DType, Expr, Graph, Tensor};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Sides of the patches in pixels.
pub(super) const SIDE: usize = 32;
/// Patches are shown at a fourth of their size, which makes them rich in detail.
const SHRINK: usize = 4;
/// Difference of the severities.
const APART: u8 = 1;
const IMAGE: [usize; 3] = [3, SIDE, SIDE];

/// What is done to a patch.
#[derive(Clone, Copy)]
enum Distortion {
    Corrupted(Corruption),
    /// By half a pixel of the patch times the severity.
    Shifted,
}

const DISTORTIONS: [Distortion; 5] = [
    Distortion::Corrupted(Corruption::DefocusBlur),
    Distortion::Corrupted(Corruption::GaussianNoise),
    Distortion::Corrupted(Corruption::JpegCompression),
    Distortion::Corrupted(Corruption::Contrast),
    Distortion::Shifted,
];

/// So many triplets, the distortions in turn.
pub(super) fn draw(photographs: &Photographs, count: usize, seed: u64) -> Result<Triplets, RunError> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (mut reference, mut nearer, mut farther) = (Vec::new(), Vec::new(), Vec::new());
    for k in 0..count {
        let (index, distortion) = (rng.random_range(0..photographs.len()), DISTORTIONS[k % DISTORTIONS.len()]);
        // Room for the largest shift.
        let room = Severity::ALL.len() * SHRINK / 2;
        let ([top, left], _) = photographs.patch_with_detail(index, SIDE * SHRINK + room, SHRINK, &mut rng);
        let patch = |shift: usize| photographs.patch(index, [top, left + shift * SHRINK / 2], SIDE * SHRINK, SHRINK);
        // The mildest severity is hardly more than the attacks' budget.
        let mild = rng.random_range(2..=5 - APART);
        let strong = mild + APART;
        let distorted = |level: u8| -> Result<Vec<f32>, RunError> {
            let Distortion::Corrupted(corruption) = distortion else { return Ok(patch(usize::from(level))) };
            let corrupt = Corrupt { corruption, severity: Severity::new(level)?, profile: Profile::ImageNet };
            let image = Tensor::new([1, 3, SIDE, SIDE], patch(0))?;
            Ok(corrupt.batch(&image, seed, &[k as u64])?.as_slice::<f32>().to_vec())
        };
        reference.extend(patch(0));
        nearer.extend(distorted(mild)?);
        farther.extend(distorted(strong)?);
    }
    // Some corruptions leave the range a little.
    let images =
        |values: Vec<f32>| Tensor::new([count, 3, SIDE, SIDE], values.into_iter().map(|v| v.clamp(0.0, 1.0)).collect());
    Ok(Triplets { reference: images(reference)?, nearer: images(nearer)?, farther: images(farther)? })
}

/// The distance of a network's features with weights that rank triplets as they should be.
pub(super) fn fitted(perceiver: &Perceiver, triplets: &Triplets) -> Result<Lpips, RunError> {
    let plain = perceiver.lpips(IMAGE, None)?;
    let channels = perceiver.channels();
    let parts = parts(&plain, triplets)?;
    let weights = nonnegative_logistic(&parts, channels.iter().sum());
    let mut rest = &weights[..];
    let split = |&count: &usize| {
        let (own, left) = rest.split_at(count);
        rest = left;
        own.to_vec()
    };
    perceiver.lpips(IMAGE, Some(channels.iter().map(split).collect()))
}

/// Differences of the parts of the farther and the nearer image's distances, `[N, channels]`.
fn parts(lpips: &Lpips, triplets: &Triplets) -> Result<Vec<f64>, RunError> {
    let [x, near, far] = ["reference", "nearer", "farther"].map(|name| Expr::input(name, IMAGE, DType::F32));
    let difference = lpips.parts(&far, &x)?.try_sub(&lpips.parts(&near, &x)?)?;
    let count = triplets.reference.shape()[0];
    let graph = Graph::new(vec![x, near, far], vec![("difference".into(), difference)])?.vmap(count)?;
    let exe = Executable::compile(&graph.output_exprs(), &graph.inputs, &Options::default())?;
    Ok(exe.run(&[&triplets.reference, &triplets.nearer, &triplets.farther])?[0].to_f64_vec())
}

/// Weights w ≥ 0, of mean 1, that minimise the logistic loss of `⟨w, row⟩ > 0` over rows scaled by their typical size, by
/// projected gradient descent from ones.
fn nonnegative_logistic(rows: &[f64], width: usize) -> Vec<f64> {
    let sums: Vec<f64> = rows.chunks_exact(width).map(|row| row.iter().sum::<f64>().abs()).collect();
    let scale = 5.0 * sums.len() as f64 / sums.iter().sum::<f64>().max(f64::MIN_POSITIVE);
    let mut weights = vec![1.0; width];
    for _ in 0..500 {
        let mut slope = vec![0.0; width];
        for row in rows.chunks_exact(width) {
            let score: f64 = scale * row.iter().zip(&weights).map(|(r, w)| r * w).sum::<f64>();
            let pull = 1.0 / (1.0 + score.exp());
            slope.iter_mut().zip(row).for_each(|(s, r)| *s += pull * scale * r);
        }
        let rate = 0.5 * width as f64 / sums.len() as f64;
        weights.iter_mut().zip(slope).for_each(|(w, s)| *w = (*w + rate * s).max(0.0));
        let mean = weights.iter().sum::<f64>() / width as f64;
        weights.iter_mut().for_each(|w| *w /= mean.max(f64::MIN_POSITIVE));
    }
    weights
}
