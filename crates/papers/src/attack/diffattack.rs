//! Diffusion Models for Imperceptible and Transferable Adversarial Attack (Chen et al. 2023).
//!
//! Claim: an image whose latent in a diffusion model was moved a little fools classifiers that were never seen more often than
//! one with a perturbation of small norm does, and looks no less like the original. Here: single figures of `shapes`, a small
//! diffusion model led by the figure's kind, one surrogate, and three victims of another make each, a wider CNN, a residual
//! network and a transformer. Baselines: PGD and MI-FGSM with ℓ∞ ≤ 8/255 on the same surrogate, to their last step. Only
//! images count that all four networks classify rightly, and all are judged after rounding to 8 bits.
//!
//! Two things differ from the paper. The attack's learning rate is half of its 0.01, where a latent is the pixels of 2×2 and a
//! step of it a step of pixels; the weights of 10, 10⁴ and 100 are the paper's. All attacks see a tenth of the surrogate's
//! logits, as the authors do for data sets other than ImageNet: where a network is sure, the cross-entropy has no slope, and
//! only the other terms move the latent (on 16 images of development seed 100, a fooled share of 0.75 for rates of 0.01, 0.02
//! and 0.03 alike). So softened, with 30 iterations, the rate trades strength for likeness: 0.003 fooled the surrogate on 0.81
//! of these images and the victims on 0.15, with LPIPS of 0.12; 0.005 (and weights of 10³ and 10⁴) on 0.94 and 0.27, with 0.26;
//! PGD on 0.81 and 0.02, with 0.09. LPIPS below PGD's took 20 iterations of 0.003 without the other terms, and those fooled
//! the surrogate on 0.63: no setting that was tried met all rules, and the one here is to meet those on success (0.88 and
//! 0.23 on that seed, where PGD and MI-FGSM have 0.75 and at most 0.02; LPIPS 0.22 and 0.09).
//!
//! Where it must not hold: what comes back from the diffusion model without an attack must not fool the surrogate.

use super::figure_diffusion::{self, ATTENTION_SIDE, Effort};
use super::figure_networks::{FigureNetwork, Make, SIDE, figures};
use super::perceivers::{Perceiver, Sight};
use super::subjects::gather;
use crate::curves::{Axes, share_figure};
use crate::training::Split;
use crate::{Claim, Estimator, Figure, Measurements, Quantity, Reproduction, Run, RunError, SeedResult};
use perturb_attack::perceptual::{Distances, Lpips, Metric, Ssim};
use perturb_attack::unrestricted::{DiffAttack as Attacker, LatentDiffusion};
use perturb_attack::{Ascent, Attack, Ball, Classifier, Criterion, Keep, Norm, Pgd, Seed, Start};
use perturb_graph::{Graph, Tensor};
use perturb_report::chart::{Hue, Marker};
use perturb_report::picture::Picture;

pub struct DiffAttack;

const DIFF: &str = "DiffAttack";
const PGD: &str = "PGD, ℓ∞ 8/255";
const MI: &str = "MI-FGSM, ℓ∞ 8/255";
const BEST: &str = "the better of PGD and MI-FGSM";
const EVEN: &str = "without the variance term";
const BACK: &str = "back without an attack";
const CLEAN: &str = "clean";

const FOOLED: Quantity = Quantity::share("surrogate fooled");
const TRANSFER: Quantity = Quantity::share("victims fooled, mean of three");
const LPIPS: Quantity = Quantity::positive("LPIPS of a network of CIFAR-10, mean");
const SSIM: Quantity = Quantity { name: "SSIM, mean", lowest: -1.0, highest: 1.0 };
const LARGEST: Quantity = Quantity::share("largest change of a channel, mean");
const SURROGATE_ACCURACY: Quantity = Quantity::share("accuracy of the surrogate");
const VARIANCE: Quantity = Quantity::positive("variance of attention to the kind · 10⁴, mean");

/// The victims, with what is measured of each.
const VICTIMS: [(Make, Quantity, Quantity); 3] = [
    (Make::Pooled, Quantity::share("accuracy of the wider CNN"), Quantity::share("wider CNN fooled")),
    (Make::Residual, Quantity::share("accuracy of the residual network"), Quantity::share("residual network fooled")),
    (Make::Patches, Quantity::share("accuracy of the transformer"), Quantity::share("transformer fooled")),
];
const CURVES: [(&str, &str); 3] =
    [("victims fooled by DiffAttack", DIFF), ("victims fooled by PGD", PGD), ("victims fooled by MI-FGSM", MI)];

/// The budget of the baselines, and those of their curves, in units of 1/255.
const BUDGET: f64 = 8.0;
const BUDGETS: [f64; 4] = [2.0, 4.0, 8.0, 16.0];

impl Reproduction for DiffAttack {
    fn slug(&self) -> &'static str {
        "diffattack"
    }

    fn claim(&self) -> Claim {
        let level = |quantity: Quantity, arm| Estimator::Level(quantity.of(arm));
        // A sixth is chance; what a network gets wrong does not count.
        let accurate = VICTIMS.map(|(_, accuracy, _)| level(accuracy, CLEAN).at_least(0.5));
        Claim {
            method: DIFF,
            baselines: &[PGD, MI, BEST, EVEN, BACK, CLEAN],
            seeds: 3,
            preconditions: std::iter::once(level(SURROGATE_ACCURACY, CLEAN).at_least(0.7)).chain(accurate).collect(),
            rules: vec![
                Estimator::Difference(TRANSFER.of(DIFF), TRANSFER.of(BEST)).at_least(0.05),
                level(FOOLED, DIFF).at_least(0.85),
                Estimator::Difference(LPIPS.of(DIFF), LPIPS.of(PGD)).at_most(0.0),
                Estimator::Difference(LPIPS.of(DIFF), LPIPS.of(MI)).at_most(0.0),
                // Where it must not hold.
                level(FOOLED, BACK).at_most(0.15),
            ],
        }
    }

    fn run(&self, run: &Run) -> Result<Measurements, RunError> {
        let mut found = Measurements::new();
        let bench = Bench::train(run, &mut found)?;
        let attack = attacker(&bench.diffusion);
        run.progress(0.6, DIFF);
        let anywhere = Ball::unbounded(Norm::Linf, (0.0, 1.0))?;
        let diffused = bench.attack(&attack, &anywhere)?;
        run.progress(0.75, EVEN);
        let even = bench.attack(&Attacker { variance: 0.0, ..attack }, &anywhere)?;
        run.progress(0.9, "baselines");
        let [pushed, momentum] = bench.baselines(BUDGET)?;
        let back = rounded(&attack.reconstructed(&bench.images, &bench.labels)?)?;
        let arms = [(DIFF, &diffused), (PGD, &pushed), (MI, &momentum), (EVEN, &even), (BACK, &back)];
        for (arm, images) in arms {
            bench.measure(&mut found, arm, images)?;
        }
        let transfers = [PGD, MI].map(|arm| found.value(TRANSFER.of(arm)).unwrap_or(0.0));
        found.record(TRANSFER.of(BEST), transfers[0].max(transfers[1]))?;
        bench.curves(&mut found, &diffused)?;
        let maps = [&bench.images, &diffused, &even].map(|images| attack.attention(images, &bench.labels));
        let [before, after, unspread] = maps;
        let maps = [(CLEAN, before?), (DIFF, after?), (EVEN, unspread?)];
        for (arm, map) in &maps {
            found.record(VARIANCE.of(arm), 1e4 * variance(map))?;
        }
        bench.show(&mut found, &arms, &maps[..2])?;
        Ok(found)
    }

    fn figures(&self, seeds: &[SeedResult]) -> Vec<Figure> {
        let looks = [(Hue::Vermillion, Marker::Circle), (Hue::Grey, Marker::Square), (Hue::Blue, Marker::Triangle)];
        let arms: Vec<_> =
            CURVES.iter().zip(looks).map(|(&(curve, arm), (hue, marker))| (curve, arm, hue, marker)).collect();
        let axes = Axes {
            description: "Share of images that fool networks which were not attacked, against the baselines' budget; \
                          DiffAttack has none, and is a level line.",
            x: "ε · 255 of PGD and MI-FGSM",
            y: "victims fooled",
            last: BUDGETS[BUDGETS.len() - 1],
        };
        vec![share_figure("transfer", seeds, DIFF, &arms, &axes)]
    }
}

fn attacker(diffusion: &LatentDiffusion) -> Attacker<'_> {
    Attacker { rate: 0.005, ..Attacker::new(diffusion) }
}

/// Networks, and images that all of them classify rightly.
struct Bench {
    seed: u64,
    diffusion: LatentDiffusion,
    surrogate: FigureNetwork,
    /// The surrogate as attacks see it.
    soft: Classifier,
    victims: Vec<FigureNetwork>,
    lpips: Lpips,
    /// `[N, 3, 32, 32]`.
    images: Tensor,
    labels: Vec<usize>,
}

impl Bench {
    fn train(run: &Run, found: &mut Measurements) -> Result<Bench, RunError> {
        let ([train, test], epochs, count) = run.scaled(([4000, 400], 6, 16), ([10_000, 1000], 15, 100));
        let effort = run.scaled(Effort { channels: 24, epochs: 4 }, Effort { channels: 32, epochs: 20 });
        let (data, seed) = (figures([train, test], run.seed), run.seed);
        let batch = count.min(50);
        run.progress(0.0, "networks");
        // Beside each other: steps of so small ones do not fill two cores.
        let (diffusion, networks) = std::thread::scope(|scope| {
            let diffusion = scope.spawn(|| figure_diffusion::train(&data, effort, seed));
            let makes = std::iter::once(Make::Strided).chain(VICTIMS.map(|(make, ..)| make));
            let networks: Result<Vec<_>, _> =
                makes.enumerate().map(|(i, make)| make.train(&data, epochs, batch, 4 * seed + i as u64)).collect();
            (diffusion.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), networks)
        });
        let (diffusion, mut networks) = (diffusion?, networks?);
        let perceiver = Perceiver::train(run, Sight::Fine, run.scaled(2000, 10_000), 3)?;
        let victims = networks.split_off(1);
        let surrogate = networks.remove(0);
        found.record(SURROGATE_ACCURACY.of(CLEAN), surrogate.accuracy)?;
        for ((_, accuracy, _), victim) in VICTIMS.iter().zip(&victims) {
            found.record(accuracy.of(CLEAN), victim.accuracy)?;
        }
        let (images, labels) = right(&data, victims.iter().chain([&surrogate]), count)?;
        let lpips = perceiver.lpips([3, SIDE, SIDE], None)?;
        let soft = soft(&surrogate.graph, batch)?;
        Ok(Bench { seed, diffusion, surrogate, soft, victims, lpips, images, labels })
    }

    fn attack(&self, attack: &dyn Attack, ball: &Ball) -> Result<Tensor, RunError> {
        let criterion = Criterion::Misclassify { labels: self.labels.clone() };
        Ok(attack.run(&self.soft, &self.images, &criterion, ball, &Seed::new(self.seed, 0))?.inputs)
    }

    /// What PGD and MI-FGSM make of the images, with all their steps and rounded to 8 bits.
    fn baselines(&self, budget: f64) -> Result<[Tensor; 2], RunError> {
        let ball = Ball::new(Norm::Linf, budget / 255.0, (0.0, 1.0))?;
        let Pgd { steps, relative_step, .. } = Pgd::default();
        let pgd = Ascent { steps, relative_step, start: Start::Uniform, keep: Keep::Last, ..Ascent::bim() };
        let momentum = Ascent { keep: Keep::Last, ..Ascent::mi_fgsm() };
        Ok([rounded(&self.attack(&pgd, &ball)?)?, rounded(&self.attack(&momentum, &ball)?)?])
    }

    /// Share of images that a network does not classify as their labels say.
    fn fooled(&self, network: &FigureNetwork, images: &Tensor) -> Result<f64, RunError> {
        let predictions = network.model.predictions(images)?;
        let wrong = predictions.iter().zip(&self.labels).filter(|(p, l)| **p != Some(**l)).count();
        Ok(wrong as f64 / self.labels.len() as f64)
    }

    fn victims_fooled(&self, images: &Tensor) -> Result<Vec<f64>, RunError> {
        self.victims.iter().map(|victim| self.fooled(victim, images)).collect()
    }

    fn measure(&self, found: &mut Measurements, arm: &'static str, images: &Tensor) -> Result<(), RunError> {
        found.record(FOOLED.of(arm), self.fooled(&self.surrogate, images)?)?;
        let each = self.victims_fooled(images)?;
        for ((.., fooled), value) in VICTIMS.iter().zip(&each) {
            found.record(fooled.of(arm), *value)?;
        }
        found.record(TRANSFER.of(arm), mean(&each))?;
        found.record(LPIPS.of(arm), self.distance(&self.lpips, images)?)?;
        found.record(SSIM.of(arm), 1.0 - self.distance(&Ssim, images)?)?;
        let pairs = [&self.images, images].map(|t| t.as_slice::<f32>().chunks_exact(3 * SIDE * SIDE));
        let [before, after] = pairs;
        let largest = |(x, y): (&[f32], &[f32])| x.iter().zip(y).fold(0.0, |m: f32, (a, b)| m.max((a - b).abs()));
        found.record(LARGEST.of(arm), mean(&before.zip(after).map(|p| f64::from(largest(p))).collect::<Vec<_>>()))
    }

    /// Mean distance of the images from the originals.
    fn distance(&self, metric: &dyn Metric, images: &Tensor) -> Result<f64, RunError> {
        let distances = Distances::new(metric, [3, SIDE, SIDE], self.labels.len().min(50))?;
        Ok(mean(&distances.of(&self.images, images)?))
    }

    fn curves(&self, found: &mut Measurements, diffused: &Tensor) -> Result<(), RunError> {
        let level = mean(&self.victims_fooled(diffused)?);
        let [diffattack, others @ ..] = CURVES;
        found.curve(diffattack.0, [0.0, BUDGETS[BUDGETS.len() - 1]].map(|x| (x, level)).to_vec());
        let mut points = [vec![(0.0, 0.0)], vec![(0.0, 0.0)]];
        for budget in BUDGETS {
            for (points, images) in points.iter_mut().zip(self.baselines(budget)?) {
                points.push((budget, mean(&self.victims_fooled(&images)?)));
            }
        }
        for ((curve, _), points) in others.iter().zip(points) {
            found.curve(curve, points);
        }
        Ok(())
    }

    /// Some images, what became of them, and how much their places attend to the name of their kind.
    fn show(
        &self,
        found: &mut Measurements,
        arms: &[(&str, &Tensor)],
        maps: &[(&str, Tensor)],
    ) -> Result<(), RunError> {
        let sheet = [3, 2 * SIDE, 2 * SIDE];
        let values = four(&self.images, [3, SIDE]);
        let original = Picture::new(&values, sheet)?;
        found.image("original", &original.png(3)?);
        for (i, (arm, images)) in arms.iter().enumerate() {
            let values = four(images, [3, SIDE]);
            let changed = Picture::new(&values, sheet)?;
            found.image(arm, &changed.png(3)?);
            if i < 2 {
                let factor = original.magnification(&changed);
                let caption = format!("what {arm} changed, magnified {factor}-fold");
                found.image(&caption, &original.perturbation_png(&changed, factor, 3)?);
            }
        }
        let largest = maps.iter().flat_map(|(_, map)| map.as_slice::<f32>()).fold(f32::MIN_POSITIVE, |m, v| m.max(*v));
        for (arm, map) in maps {
            let scaled: Vec<f32> = four(map, [1, ATTENTION_SIDE]).iter().map(|v| v / largest).collect();
            let picture = Picture::new(&scaled, [1, 2 * ATTENTION_SIDE, 2 * ATTENTION_SIDE])?;
            found.image(&format!("attention to the kind, {arm}"), &picture.png(3 * SIDE / ATTENTION_SIDE)?);
        }
        Ok(())
    }
}

/// The network with a tenth of its logits: the same decisions, but the cross-entropy has a slope where the network is sure.
fn soft(graph: &Graph, batch: usize) -> Result<Classifier, RunError> {
    let logits = graph.outputs[0].1.scale(0.1);
    Ok(Classifier::new(&Graph::new(graph.inputs.clone(), vec![("logits".into(), logits)])?, batch)?)
}

/// The first `count` test images that all networks classify rightly, with their labels.
fn right<'a>(
    data: &Split,
    networks: impl Iterator<Item = &'a FigureNetwork>,
    count: usize,
) -> Result<(Tensor, Vec<usize>), RunError> {
    let predictions = networks.map(|n| n.model.predictions(&data.test)).collect::<Result<Vec<_>, _>>()?;
    let all = |row: &usize| predictions.iter().all(|p| p[*row] == Some(data.test_labels[*row]));
    let rows: Vec<usize> = (0..data.test_labels.len()).filter(all).take(count).collect();
    if rows.len() < count {
        let message = format!("only {} of {count} images that are needed are classified rightly by all", rows.len());
        return Err(RunError::Measurement(message));
    }
    Ok((gather(&data.test, &rows)?, rows.iter().map(|&row| data.test_labels[row]).collect()))
}

fn rounded(images: &Tensor) -> Result<Tensor, RunError> {
    let values = images.as_slice::<f32>().iter().map(|v| (255.0 * v).round() / 255.0).collect();
    Ok(Tensor::new(images.shape(), values)?)
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Mean over images of the variance of a map `[N, places]`.
fn variance(maps: &Tensor) -> f64 {
    let each = |map: &[f32]| {
        let map: Vec<f64> = map.iter().map(|&v| f64::from(v)).collect();
        let centre = mean(&map);
        map.iter().map(|v| (v - centre).powi(2)).sum::<f64>() / (map.len() - 1) as f64
    };
    mean(&maps.as_slice::<f32>().chunks_exact(ATTENTION_SIDE * ATTENTION_SIDE).map(each).collect::<Vec<_>>())
}

/// The first four images `[channels, side, side]` of a tensor, in two rows.
fn four(images: &Tensor, [channels, side]: [usize; 2]) -> Vec<f32> {
    let values = images.as_slice::<f32>();
    let line = |(channel, y): (usize, usize)| {
        let start = move |image: usize| ((image * channels + channel) * side + y % side) * side;
        (0..2).flat_map(move |column| &values[start(y / side * 2 + column)..][..side])
    };
    (0..channels).flat_map(|c| (0..2 * side).map(move |y| (c, y))).flat_map(line).copied().collect()
}
