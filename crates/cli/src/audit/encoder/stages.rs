//! The stages: noise, perturbations away from an embedding, perturbations towards another one.

use super::Subject;
use super::embeddings::{Embeddings, cosine};
use crate::audit::{AuditArgs, Store};
use crate::{CliError, attack, progress};
use perturb::attack::feature::GrayBox;
use perturb::attack::{Ball, Seed};
use perturb::graph::Tensor;
use serde::{Deserialize, Serialize};

/// Images in one batch: a unit of work that survives a kill.
const BATCH: usize = 64;
/// Changed images that are kept for the page.
pub const KEPT: usize = 6;

/// How images are changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Every pixel up or down by chance.
    Noise,
    /// Away from the own embedding.
    Leave,
    /// Towards the embedding of another image.
    Meet,
}

impl Way {
    pub const ALL: [Way; 3] = [Way::Noise, Way::Leave, Way::Meet];

    /// Name in the report.
    pub fn name(self) -> &'static str {
        match self {
            Way::Noise => "noise",
            Way::Leave => "away from the own embedding",
            Way::Meet => "towards another image",
        }
    }
}

/// What became of one image.
#[derive(Serialize, Deserialize, Debug, Clone, PartialEq)]
pub struct Moved {
    /// Cosine with its own embedding.
    pub own: f64,
    /// Cosine with the embedding of its target.
    pub target: f64,
    /// The image, among all as they are, whose embedding is nearest.
    pub nearest: usize,
    /// The image as it was changed; kept for the first few only.
    pub image: Option<Vec<f32>>,
}

/// All images, changed in one way at one budget.
pub struct Stage {
    pub way: Way,
    pub epsilon: f64,
    pub moved: Vec<Moved>,
}

/// Everything that was found.
pub struct Found {
    /// Cosine of each image's embedding with that of its target.
    pub apart: Vec<f64>,
    /// How many images have the embedding of an earlier one.
    pub doubles: usize,
    pub stages: Vec<Stage>,
}

/// Runs all stages.
///
/// # Errors
/// If the encoder or an attack cannot be run, or the run's file fails.
pub fn run(subject: &Subject, args: &AuditArgs, store: &Store) -> Result<Found, CliError> {
    let clean = subject.encoder.embed(&subject.images, 0)?;
    let count = subject.count();
    let apart = (0..count).map(|i| cosine(clean.row(i), clean.row(subject.target(i)))).collect();
    let doubles = (0..count).filter(|&i| clean.nearest(clean.row(i)) != i).count();
    let mut stages = Vec::new();
    for way in Way::ALL {
        let bar = progress::bar(way.name(), count * args.epsilons().len());
        for epsilon in args.epsilons() {
            let ball = Ball::new(args.graph_norm(), epsilon, subject.limits)?;
            let mut moved = Vec::new();
            for (batch, first) in (0..count).step_by(BATCH).enumerate() {
                let end = (first + BATCH).min(count);
                let stage = format!("{}/{epsilon}", way.name());
                // Attacks on embeddings count the images of a call from 0; another seed for each batch instead.
                let seed = Seed::new(args.seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(first as u64), 0);
                let compute = || change(subject, &clean, way, (first, end), &ball, &seed);
                moved.extend(store.batch::<Vec<Moved>>(&stage, batch, compute)?);
                bar.inc((end - first) as u64);
            }
            stages.push(Stage { way, epsilon, moved });
        }
        bar.finish();
    }
    Ok(Found { apart, doubles, stages })
}

fn change(
    subject: &Subject,
    clean: &Embeddings,
    way: Way,
    (first, end): (usize, usize),
    ball: &Ball,
    seed: &Seed,
) -> Result<Vec<Moved>, CliError> {
    let images = subject.images.rows(first, end);
    let width = images.count() / (end - first);
    let encoder = &subject.encoder.graph;
    let changed = match way {
        Way::Noise => {
            let values = attack::noise(ball, images.as_slice::<f32>(), width, first as u64);
            Tensor::new(images.shape().clone(), values)?
        }
        Way::Leave => GrayBox::default().leave(encoder, &images, ball, seed)?,
        Way::Meet => {
            let all = subject.images.as_slice::<f32>();
            let targets = (first..end).map(|i| subject.target(i));
            let values = targets.flat_map(|t| all[t * width..(t + 1) * width].iter().copied()).collect();
            let targets = Tensor::new::<f32>(images.shape().clone(), values)?;
            GrayBox::default().meet(encoder, &images, &targets, ball, seed)?
        }
    };
    let found = subject.encoder.embed(&changed, first)?;
    let values = changed.as_slice::<f32>();
    let moved = |i: usize| {
        let (row, at) = (found.row(i - first), (i - first) * width);
        Moved {
            own: cosine(row, clean.row(i)),
            target: cosine(row, clean.row(subject.target(i))),
            nearest: clean.nearest(row),
            image: (i < KEPT).then(|| values[at..at + width].to_vec()),
        }
    };
    Ok((first..end).map(moved).collect())
}
