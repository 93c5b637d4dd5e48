//! Distilling Robust and Non-Robust Features in Adversarial Examples by Information Bottleneck (Kim, Lee & Ro 2021).
//!
//! Claim: the channels of a hidden layer that bear little noise alone carry the wrong decision about an adversarial
//! example, the others do not; an attack that strengthens gradients along such channels breaks robust networks. Here
//! networks of CIFAR-10, one plain and one adversarially trained. Baselines: halves of the channels at random; the attack
//! of Carlini and Wagner at equal steps and weight, which the other must beat by 5 % of the distance at no less success.
//!
//! Every example's channels are split in halves by how much noise they bear in proportion to their deviation. With the
//! authors' threshold, the largest deviation of all, nearly no channel of these small layers is robust. Also measured:
//! halves by the deviation alone, which does as well.

use super::cifar_networks::{Network, Plan, decisions};
use super::subjects::{BATCH, cifar, gather, right};
use crate::curves::mean_series;
use crate::training::Split;
use crate::{Claim, Estimator, Figure, Measurements, Quantity, Reproduction, Run, RunError, SeedResult};
use perturb_attack::feature::{Bottleneck, Cut, Distilled, NonRobustAttack, rectified};
use perturb_attack::{Attack, Ball, Classifier, Criterion, Norm, Pgd, Seed};
use perturb_defend::AdversarialTraining;
use perturb_graph::Tensor;
use perturb_report::chart::{Hue, LineChart, Marker, Series};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

pub struct RobustFeaturesIb;

const NON_ROBUST: &str = "non-robust channels";
const ROBUST: &str = "robust channels";
const RANDOM: &str = "random channels";
const OTHERS: &str = "the other random channels";
const VARIED: &str = "channels of large deviation";
const STEADY: &str = "channels of small deviation";
const NRF: &str = "attack on non-robust channels";
const CW: &str = "C&W";

const PLAIN: Quantity = Quantity::share("agreement with the adversarial decision, plain network");
const TRAINED: Quantity = Quantity::share("agreement with the adversarial decision, adversarially trained network");
const SUCCESS: Quantity = Quantity::share("success on the adversarially trained network");
const DISTANCE: Quantity = Quantity::positive("mean ℓ2 distance of what succeeded");
const COUNT: Quantity = Quantity::positive("adversarial examples, the fewer of both networks");

const OVER_PLAIN: Quantity = Quantity::share("channels over the authors' threshold, plain network");
const OVER_TRAINED: Quantity = Quantity::share("channels over the authors' threshold, adversarially trained network");
const PLAIN_CURVES: [&str; 2] =
    ["agreement against the share kept, non-robust first", "agreement against the share kept, robust first"];
const TRAINED_CURVES: [&str; 2] = [
    "agreement against the share kept, non-robust first, adversarially trained",
    "agreement against the share kept, robust first, adversarially trained",
];

const EPSILON: f64 = 8.0 / 255.0;

impl Reproduction for RobustFeaturesIb {
    fn slug(&self) -> &'static str {
        "robust-features-ib"
    }

    fn claim(&self) -> Claim {
        let difference = |quantity: Quantity, a, b| Estimator::Difference(quantity.of(a), quantity.of(b));
        Claim {
            method: NON_ROBUST,
            baselines: &[ROBUST, RANDOM, OTHERS, VARIED, STEADY, NRF, CW],
            seeds: 5,
            preconditions: vec![Estimator::Level(COUNT.of(NON_ROBUST)).at_least(40.0)],
            rules: vec![
                difference(PLAIN, NON_ROBUST, ROBUST).at_least(0.2),
                difference(TRAINED, NON_ROBUST, ROBUST).at_least(0.2),
                Estimator::Ratio(DISTANCE.of(NRF), DISTANCE.of(CW)).at_most(0.95),
                difference(SUCCESS, NRF, CW).at_least(-0.01),
                // Where it must not hold.
                difference(PLAIN, RANDOM, OTHERS).within(-0.05, 0.05),
                difference(TRAINED, RANDOM, OTHERS).within(-0.05, 0.05),
            ],
        }
    }

    fn run(&self, run: &Run) -> Result<Measurements, RunError> {
        let mut found = Measurements::new();
        let data = cifar(run, run.scaled([4000, 800], [10_000, 1500]))?;
        let madry =
            AdversarialTraining { epsilon: EPSILON, step: EPSILON / 2.0, steps: 3, ..AdversarialTraining::default() };
        let plain = Network::train(Plan::Spread, &data, run.seed, run.scaled(6, 12))?;
        let trained = Network::tune(&plain.graph, &data, run.seed, run.scaled(3, 12), 1e-3, Some(&madry))?;
        run.progress(0.5, "channels");
        let mut fewest = usize::MAX;
        let subjects = [
            ([PLAIN, OVER_PLAIN], PLAIN_CURVES, &plain, EPSILON),
            ([TRAINED, OVER_TRAINED], TRAINED_CURVES, &trained, 2.0 * EPSILON),
        ];
        for (quantities, curves, network, epsilon) in subjects {
            let subject = Subject::new(run, network, &data, epsilon)?;
            fewest = fewest.min(subject.labels.len());
            subject.measure(&mut found, quantities, curves)?;
        }
        found.record(COUNT.of(NON_ROBUST), fewest as f64)?;
        run.progress(0.8, "attacks");
        attacks(&mut found, run, &trained, &data)?;
        Ok(found)
    }

    fn figures(&self, seeds: &[SeedResult]) -> Vec<Figure> {
        let series = |curve, name, hue, marker, bold| Series { bold, ..mean_series(seeds, curve, name, hue, marker) };
        let chart = LineChart {
            description: "Agreement with the adversarial decision, against the share of channels that are kept.".into(),
            x_label: "share of channels kept".into(),
            y_label: "agreement".into(),
            x_range: (0.0, 1.0),
            y_range: (0.0, 1.0),
            percent: true,
            series: vec![
                series(TRAINED_CURVES[0], "those that bear least noise", Hue::Vermillion, Marker::Circle, true),
                series(TRAINED_CURVES[1], "those that bear most", Hue::Blue, Marker::Square, false),
            ],
            regions: Vec::new(),
        };
        let caption = "Adversarially trained network; mean over seeds, bars from the lowest to the highest seed.";
        vec![Figure { name: "channels", caption: caption.into(), chart }]
    }
}

/// The network, cut after its fourth convolution.
fn cut(network: &Network) -> Result<Cut, RunError> {
    Ok(Cut::at(&network.graph, &rectified(&network.graph)?.outputs[3].1)?)
}

/// Adversarial examples of a network, their channels told apart.
struct Subject<'a> {
    run: &'a Run<'a>,
    head: Classifier,
    /// What the network takes them for.
    labels: Vec<usize>,
    distilled: Distilled,
}

impl Subject<'_> {
    fn new<'a>(run: &'a Run<'a>, network: &Network, data: &Split, epsilon: f64) -> Result<Subject<'a>, RunError> {
        let count = run.scaled(300, 1000);
        let rows: Vec<usize> = (0..count).collect();
        let (clean, truth) = (gather(&data.test, &rows)?, data.test_labels[..count].to_vec());
        let (ball, seed) = (Ball::new(Norm::Linf, epsilon, (0.0, 1.0))?, Seed::new(run.seed, 0));
        let attack = Pgd { steps: 10, relative_step: 0.25, ..Pgd::default() };
        let criterion = Criterion::Misclassify { labels: truth };
        let moved = attack.run(&network.model, &clean, &criterion, &ball, &seed)?;
        // What was misclassified before is no adversarial example.
        let fooled = |&i: &usize| moved.success[i] && moved.distances[i] > 0.0;
        let images = gather(&moved.inputs, &rows.into_iter().filter(fooled).collect::<Vec<_>>())?;
        let labels = decisions(&network.model, &images)?.classes().to_vec();
        let cut = cut(network)?;
        let distilled = Bottleneck::default().distill(&cut, &images, &labels, &seed)?;
        Ok(Subject { run, head: Classifier::new(&cut.head, BATCH)?, labels, distilled })
    }

    fn measure(
        &self,
        found: &mut Measurements,
        [quantity, kept]: [Quantity; 2],
        curves: [&str; 2],
    ) -> Result<(), RunError> {
        let part = |share| self.distilled.non_robust(share);
        let by_deviation =
            Distilled { noise: Tensor::full(self.distilled.noise.shape(), 1.0f32), ..self.distilled.clone() };
        let varied = by_deviation.non_robust(0.5);
        for (arm, mask) in
            [(NON_ROBUST, part(0.5)), (ROBUST, others(&part(0.5))), (VARIED, varied.clone()), (STEADY, others(&varied))]
        {
            found.record(quantity.of(arm), self.agreement(&mask)?)?;
        }
        let over = self.over_the_largest();
        found.record(kept.of(ROBUST), over)?;
        let mut halves = [0.0; 2];
        let mut rng = ChaCha8Rng::seed_from_u64(self.run.seed);
        const DRAWS: usize = 20;
        for _ in 0..DRAWS {
            let mut random = part(0.5);
            let channels = random.shape()[1];
            random.as_mut_slice::<f32>().chunks_exact_mut(channels).for_each(|mask| mask.shuffle(&mut rng));
            halves[0] += self.agreement(&random)? / DRAWS as f64;
            halves[1] += self.agreement(&others(&random))? / DRAWS as f64;
        }
        found.record(quantity.of(RANDOM), halves[0].min(1.0))?;
        found.record(quantity.of(OTHERS), halves[1].min(1.0))?;
        let shares = [0.125, 0.25, 0.5, 0.75, 0.875];
        let needed = shares.map(|share| Ok((share, self.agreement(&part(share))?)));
        let spared = shares.map(|share| Ok((share, self.agreement(&others(&part(1.0 - share)))?)));
        found.curve(curves[0], needed.into_iter().collect::<Result<_, RunError>>()?);
        found.curve(curves[1], spared.into_iter().collect::<Result<_, RunError>>()?);
        Ok(())
    }

    /// The share of channels that are robust by the authors' threshold.
    fn over_the_largest(&self) -> f64 {
        let (noise, deviations) = (self.distilled.noise.as_slice::<f32>(), self.distilled.deviations.as_slice::<f32>());
        let channels = self.distilled.noise.shape()[1];
        let over = |(noise, deviations): (&[f32], &[f32])| {
            let largest = deviations.iter().copied().fold(0.0, f32::max);
            noise.iter().filter(|l| **l > largest).count()
        };
        let rows = noise.chunks_exact(channels).zip(deviations.chunks_exact(channels));
        rows.map(over).sum::<usize>() as f64 / noise.len() as f64
    }

    /// The share of examples of which the channels of a mask alone are taken for what the whole is.
    fn agreement(&self, mask: &Tensor) -> Result<f64, RunError> {
        let told = self.head.predictions(&self.distilled.part(mask)?)?;
        let same = told.iter().zip(&self.labels).filter(|(told, label)| **told == Some(**label)).count();
        Ok(same as f64 / self.labels.len() as f64)
    }
}

/// The channels that a mask leaves out.
fn others(mask: &Tensor) -> Tensor {
    let mut others = mask.clone();
    others.as_mut_slice::<f32>().iter_mut().for_each(|m| *m = 1.0 - *m);
    others
}

/// The attack, and the one that it strengthens, on images that are classified rightly.
fn attacks(found: &mut Measurements, run: &Run, network: &Network, data: &Split) -> Result<(), RunError> {
    let (images, labels) = right(&network.model, data, run.scaled(80, 300))?;
    let (criterion, free) = (Criterion::Misclassify { labels }, Ball::unbounded(Norm::L2, (0.0, 1.0))?);
    let seed = Seed::new(run.seed, 0);
    let attack = NonRobustAttack::default();
    let strengthened = attack.run(&cut(network)?, &images, &criterion, &free, &seed)?;
    let plain = attack.base.run(&network.model, &images, &criterion, &free, &seed)?;
    for (arm, result) in [(NRF, strengthened), (CW, plain)] {
        let met: Vec<f64> =
            result.distances.iter().zip(&result.success).filter(|(_, success)| **success).map(|(d, _)| *d).collect();
        found.record(SUCCESS.of(arm), met.len() as f64 / result.success.len() as f64)?;
        found.record(DISTANCE.of(arm), met.iter().sum::<f64>() / met.len().max(1) as f64)?;
    }
    Ok(())
}
