//! The Square attack: random search over localised changes.

mod bumps;
mod stripes;

use crate::geometry::Geometry;
use crate::local::{Change, Kept, LocalPasses};
use crate::problem::{Problem, require};
use crate::{Adversarial, Attack, AttackError, Classifier, Criterion, Seed};
use perturb_graph::Tensor;
use perturb_threat::{Ball, Norm};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

/// Square attack (Andriushchenko et al. 2020, algorithms 1 to 3; in ℓ1 Croce and Hein 2021): random search that sees the logits only. Each proposal
/// changes one randomly placed square window, and is kept if it lowers the loss (margin; cross-entropy of the target if
/// targeted). The windows' share of the image falls on the published schedule, stretched to the number of queries.
///
/// An example `[C, H, W]` is an image with C channels; `[H, W]` one channel; of more axes, those after the second count
/// as one. For features `[d]`, a vector with one row, windows are blocks of neighbouring coordinates of the same share.
/// Axes of size 1 do not count.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Square {
    /// Most queries on each example.
    pub queries: u64,
    /// Share of the image that the first windows cover.
    pub initial_fraction: f64,
}

impl Default for Square {
    /// 5000 queries, 0.8.
    fn default() -> Self {
        Square { queries: 5000, initial_fraction: 0.8 }
    }
}

impl Attack for Square {
    fn name(&self) -> &'static str {
        "Square"
    }

    fn run(
        &self,
        model: &Classifier,
        inputs: &Tensor,
        criterion: &Criterion,
        ball: &Ball,
        seed: &Seed,
    ) -> Result<Adversarial, AttackError> {
        let fraction = self.initial_fraction;
        require(self.queries > 0, self.name(), "queries", 0.0, "1 or more")?;
        require(fraction > 0.0 && fraction <= 1.0, self.name(), "initial_fraction", fraction, "in (0, 1]")?;
        let mut problem = Problem::new(model, inputs, criterion, ball, seed)?;
        problem.supports(self.name(), &[Norm::L1, Norm::L2, Norm::Linf])?;
        problem.needs_budget(self.name())?;
        let geometry = Geometry::of(model.example_shape());
        let start = |row| {
            let (rng, x) = (problem.stream(row), problem.center(row).to_vec());
            Search { row, rng, x, loss: f64::INFINITY, kept: None }
        };
        let mut pending: Vec<Search> = problem.pending().into_iter().map(start).collect();
        let mut passes = None;
        for query in 0..self.queries {
            if pending.is_empty() {
                break;
            }
            // The first query is the start, then the schedule begins.
            let fraction = query.checked_sub(1).map(|done| fraction * shrinkage(done, self.queries));
            match passes_for(&mut passes, model, ball, &geometry, fraction)? {
                Some((passes, fraction)) if passes.bytes() * pending.len() <= KEPT => {
                    local_query(&mut problem, &mut pending, &geometry, fraction, passes)?
                }
                _ => query_all(&mut problem, &mut pending, &geometry, fraction)?,
            }
        }
        for search in &pending {
            problem.keep(search.row, &search.x);
        }
        problem.finish()
    }
}

// The search for one example: its best point so far, and what local passes keep of it.
struct Search {
    row: usize,
    rng: ChaCha8Rng,
    x: Vec<f32>,
    loss: f64,
    kept: Option<Kept>,
}

/// Most bytes that are kept of all examples; where they are not enough, models are run in full.
const KEPT: usize = 2 << 30;

/// Passes for windows of the size that was last asked for.
type Passes = Option<((usize, usize), Option<LocalPasses>)>;

// Local passes and the windows' share, where a proposal changes one window only and they save work.
fn passes_for<'a>(
    passes: &'a mut Passes,
    model: &Classifier,
    ball: &Ball,
    geometry: &Geometry,
    fraction: Option<f64>,
) -> Result<Option<(&'a mut LocalPasses, f64)>, AttackError> {
    let (Norm::Linf, Some(share)) = (ball.norm(), fraction) else { return Ok(None) };
    let size = geometry.window_size(share, 1, false);
    if passes.as_ref().is_none_or(|(of, _)| *of != size) {
        *passes = Some((size, LocalPasses::new(model, geometry, size)?));
    }
    Ok(passes.as_mut().and_then(|(_, passes)| Some((passes.as_mut()?, share))))
}

// One query of all pending examples, at proposals that change one window each; whoever succeeds leaves.
fn local_query(
    problem: &mut Problem,
    pending: &mut Vec<Search>,
    geometry: &Geometry,
    share: f64,
    passes: &mut LocalPasses,
) -> Result<(), AttackError> {
    let points: Vec<&[f32]> = pending.iter().filter(|s| s.kept.is_none()).map(|s| s.x.as_slice()).collect();
    if !points.is_empty() {
        let kept = passes.keep(&points)?;
        pending.iter_mut().filter(|s| s.kept.is_none()).zip(kept).for_each(|(s, kept)| s.kept = Some(kept));
    }
    let centers: Vec<&[f32]> = pending.iter().map(|s| problem.center(s.row)).collect();
    let propose =
        |(s, center): (&mut Search, &&[f32])| stripes::propose(center, &s.x, problem.ball, geometry, share, &mut s.rng);
    let changes: Vec<Change> = pending.iter_mut().zip(&centers).map(propose).collect();
    let rows: Vec<usize> = pending.iter().map(|s| s.row).collect();
    problem.count(&rows);
    let criterion = problem.criterion;
    let losses: Vec<f64> = pending.iter().map(|s| s.loss).collect();
    let mut kept: Vec<&mut Kept> = pending.iter_mut().filter_map(|s| s.kept.as_mut()).collect();
    let logits = passes.query(&mut kept, &changes, |at, z| judge(criterion, rows[at], z, losses[at]).1)?;
    settle(problem, pending, &logits, |search, at, better| {
        if better {
            changes[at].apply(geometry, &mut search.x);
        }
    });
    Ok(())
}

// One query of all pending examples. Without a fraction the query is the start.
fn query_all(
    problem: &mut Problem,
    pending: &mut Vec<Search>,
    geometry: &Geometry,
    fraction: Option<f64>,
) -> Result<(), AttackError> {
    let centers: Vec<&[f32]> = pending.iter().map(|s| problem.center(s.row)).collect();
    let ball = problem.ball;
    let mut proposals: Vec<Vec<f32>> = pending
        .par_iter_mut()
        .zip(&centers)
        .map(|(search, center)| propose(search, center, ball, geometry, fraction))
        .collect();
    let rows: Vec<usize> = pending.iter().map(|s| s.row).collect();
    let logits = problem.logits(&rows, &proposals.concat())?;
    settle(problem, pending, &logits, |search, at, better| {
        if better {
            (search.x, search.kept) = (std::mem::take(&mut proposals[at]), None);
        }
    });
    Ok(())
}

// Whether a point is adversarial, and whether it is to be kept: it is that or has a smaller loss.
fn judge(criterion: &Criterion, row: usize, logits: &[f32], least: f64) -> (bool, bool) {
    let done = criterion.is_adversarial(row, logits);
    (done, done || loss(criterion, row, logits) < least)
}

// What the logits at the proposals mean: `update(search, its place, whether its proposal is better)`, and whoever has
// succeeded leaves.
fn settle(
    problem: &mut Problem,
    pending: &mut Vec<Search>,
    logits: &[f32],
    mut update: impl FnMut(&mut Search, usize, bool),
) {
    let criterion = problem.criterion;
    let mut rows = logits.chunks_exact(problem.model.classes()).enumerate();
    pending.retain_mut(|search| {
        let Some((at, z)) = rows.next() else { return true };
        let (done, better) = judge(criterion, search.row, z, search.loss);
        update(search, at, better);
        if better {
            search.loss = loss(criterion, search.row, z);
        }
        if done {
            problem.keep(search.row, &search.x);
        }
        !done
    });
}

fn propose(search: &mut Search, center: &[f32], ball: &Ball, geometry: &Geometry, fraction: Option<f64>) -> Vec<f32> {
    let rng = &mut search.rng;
    match (ball.norm(), fraction) {
        (Norm::L1 | Norm::L2, None) => bumps::start(center, ball, geometry, rng),
        (Norm::L1 | Norm::L2, Some(share)) => bumps::propose(center, &search.x, ball, geometry, share, rng),
        (_, None) => stripes::start(center, ball, geometry, rng),
        (_, Some(share)) => {
            let mut x = search.x.clone();
            stripes::propose(center, &search.x, ball, geometry, share, rng).apply(geometry, &mut x);
            x
        }
    }
}

// What the search lowers (§3 of the paper).
fn loss(criterion: &Criterion, row: usize, logits: &[f32]) -> f64 {
    match criterion {
        Criterion::Misclassify { .. } => criterion.margin(row, logits),
        Criterion::Targeted { classes } => {
            let largest = logits.iter().fold(f32::NEG_INFINITY, |a, &b| a.max(b));
            let sum: f64 = logits.iter().map(|&z| f64::from(z - largest).exp()).sum();
            sum.ln() - f64::from(logits[classes[row]] - largest)
        }
    }
}

// By what the initial share is multiplied after `done` of `total` queries: halved at the paper's iterations 10, 50, 200,
// 500, 1000, 2000, 4000, 6000 and 8000 of 10000.
fn shrinkage(done: u64, total: u64) -> f64 {
    let iteration = (u128::from(done) * 10_000 / u128::from(total)) as u64;
    let halvings = [10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000].iter().filter(|&&at| iteration > at).count();
    0.5f64.powi(halvings as i32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use perturb_graph::{Conv, DType, Expr, Graph};
    use rand::{RngExt, SeedableRng};

    // The values of p_selection in the authors' code, relative to p_init.
    #[test]
    fn schedule_is_that_of_the_paper() {
        for (done, divisor) in [
            (0, 1),
            (10, 1),
            (11, 2),
            (50, 2),
            (51, 4),
            (201, 8),
            (501, 16),
            (1001, 32),
            (2001, 64),
            (4001, 128),
            (6001, 256),
            (8001, 512),
            (9999, 512),
        ] {
            assert_eq!(shrinkage(done, 10_000), 1.0 / f64::from(divisor), "{done}");
            assert_eq!(shrinkage(done / 10, 1000), shrinkage(done / 10 * 10, 10_000));
        }
    }

    fn values(shape: &[usize], rng: &mut ChaCha8Rng) -> Tensor {
        let count = shape.iter().product();
        Tensor::new(shape.to_vec(), (0..count).map(|_| rng.random_range(-0.5f32..0.5)).collect()).unwrap()
    }

    // Two convolutions and a dense layer, of an image to which `offset` is added.
    fn network(offset: Option<Vec<f32>>) -> Graph {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let x = Expr::input("x", [1, 2, 12, 12], DType::F32);
        let mut y = match offset {
            Some(offset) => x.add(&Expr::constant(Tensor::new([1, 2, 12, 12], offset).unwrap())),
            None => x.clone(),
        };
        for (channels, stride) in [(2, 1), (8, 2)] {
            let conv = Conv { strides: vec![stride; 2], padding: vec![(1, 1); 2], ..Conv::default() };
            y = y.conv(&Expr::param("w", values(&[8, channels, 3, 3], &mut rng)), conv).relu();
        }
        let dense = Expr::param("d", values(&[8 * 36, 4], &mut rng));
        Graph::new(vec![x], vec![("y".into(), y.reshape([1, 8 * 36]).matmul(&dense))]).unwrap()
    }

    #[test]
    fn local_passes_change_nothing_but_the_time() {
        // Zeros of both signs vary over the plane, which the cut refuses, and change no sum.
        let zeros = (0..288).map(|i| if i % 3 == 0 { -0.0 } else { 0.0 }).collect();
        let model = |offset| Classifier::new(&network(offset), 8).unwrap();
        let (local, full) = (model(None), model(Some(zeros)));
        let geometry = Geometry::of(local.example_shape());
        let cut = |model: &Classifier| LocalPasses::new(model, &geometry, (2, 2)).unwrap().is_some();
        assert!(cut(&local) && !cut(&full));
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        let inputs: Vec<f32> = (0..21 * 288).map(|_| rng.random_range(0.0..1.0)).collect();
        let inputs = Tensor::new([21, 2, 12, 12], inputs).unwrap();
        let labels = local.predictions(&inputs).unwrap().into_iter().map(Option::unwrap).collect();
        let (criterion, ball) = (Criterion::Misclassify { labels }, Ball::new(Norm::Linf, 0.05, (0.0, 1.0)).unwrap());
        let attack = Square { queries: 300, ..Square::default() };
        let run = |model| attack.run(model, &inputs, &criterion, &ball, &Seed::new(5, 0)).unwrap();
        let (a, b) = (run(&local), run(&full));
        assert_eq!((a.inputs.as_slice::<f32>(), &a.queries), (b.inputs.as_slice::<f32>(), &b.queries));
        // Some fall and some do not, so that batches shrink.
        assert!(a.success.contains(&true) && a.success.contains(&false), "{:?}", a.success);
    }

    #[test]
    fn targeted_loss_is_the_cross_entropy() {
        let criterion = Criterion::Targeted { classes: vec![1] };
        let expected = -(2f64.exp() / (1f64.exp() + 2f64.exp() + 0.5f64.exp())).ln();
        assert!((loss(&criterion, 0, &[1.0, 2.0, 0.5]) - expected).abs() < 1e-7);
    }
}
