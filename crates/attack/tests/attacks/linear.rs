//! Linear classifiers, where the nearest adversarial example and the smallest sufficient budget are known.

use crate::networks::{affine, examples};
use perturb_attack::{
    Apgd, ApgdT, Attack, Ball, Classifier, Criterion, DeepFool, Fab, Fgsm, Loss, Norm, Pgd, Seed, Square,
};
use perturb_graph::Tensor;
use perturb_threat::step_to_hyperplane;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

pub const WIDTH: usize = 20;
pub const COUNT: usize = 24;

pub struct Case {
    pub weights: Vec<Vec<f32>>,
    bias: Vec<f32>,
    pub model: Classifier,
    pub inputs: Tensor,
    pub labels: Vec<usize>,
}

pub fn case(seed: u64, classes: usize) -> Case {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let weights: Vec<Vec<f32>> =
        (0..classes).map(|_| (0..WIDTH).map(|_| rng.random_range(-1.0..1.0)).collect()).collect();
    let bias: Vec<f32> = (0..classes).map(|_| rng.random_range(-0.1..0.1)).collect();
    let model = Classifier::new(&affine(&weights, &bias), 8).unwrap();
    let inputs = examples(seed + 1, COUNT, &[WIDTH], 0.3, 0.7);
    let labels = model.predictions(&inputs).unwrap().into_iter().map(Option::unwrap).collect();
    Case { weights, bias, model, inputs, labels }
}

impl Case {
    // Distance of example `row` to the boundary with `class`, without bounds: gap over the dual norm.
    pub fn distance(&self, row: usize, class: usize, norm: Norm) -> f64 {
        let x = &self.inputs.as_slice::<f32>()[row * WIDTH..(row + 1) * WIDTH];
        let label = self.labels[row];
        let difference: Vec<f64> =
            (0..WIDTH).map(|i| f64::from(self.weights[label][i]) - f64::from(self.weights[class][i])).collect();
        let gap: f64 = difference.iter().zip(x).map(|(d, &v)| d * f64::from(v)).sum::<f64>()
            + f64::from(self.bias[label])
            - f64::from(self.bias[class]);
        let dual = match norm {
            Norm::L1 => difference.iter().fold(0.0, |m, d| f64::max(m, d.abs())),
            Norm::L2 => difference.iter().map(|d| d * d).sum::<f64>().sqrt(),
            _ => difference.iter().map(|d| d.abs()).sum(),
        };
        gap / dual
    }

    pub fn nearest(&self, row: usize, norm: Norm) -> f64 {
        let others = (0..self.weights.len()).filter(|&k| k != self.labels[row]);
        others.map(|k| self.distance(row, k, norm)).fold(f64::INFINITY, f64::min)
    }

    pub fn criterion(&self) -> Criterion {
        Criterion::Misclassify { labels: self.labels.clone() }
    }
}

const WIDE: (f64, f64) = (-100.0, 100.0);

#[test]
fn deepfool_finds_the_nearest_boundary() {
    for (classes, norm) in [(2, Norm::L2), (2, Norm::Linf), (6, Norm::L2), (6, Norm::Linf)] {
        let case = case(10, classes);
        let ball = Ball::unbounded(norm, WIDE).unwrap();
        let found = DeepFool::default().run(&case.model, &case.inputs, &case.criterion(), &ball, &Seed::new(0, 0));
        let found = found.unwrap();
        assert_eq!(found.success, [true; COUNT]);
        for row in 0..COUNT {
            let (nearest, distance) = (case.nearest(row, norm), found.distances[row]);
            // One step, with its overshoot and the constant 1e-4.
            let expected = 1.02 * (nearest + 1e-4);
            assert!((distance - expected).abs() < 2e-6 + 1e-4 * nearest, "{norm:?}: {distance} for {expected}");
            assert!(found.queries[row] <= 2);
        }
    }
}

// What is left without the overshoot is the closed form itself: the projection onto the nearest boundary.
#[test]
fn steps_of_deepfool_lead_onto_the_nearest_boundary() {
    for norm in [Norm::L2, Norm::Linf] {
        let case = case(12, 10);
        let ball = Ball::unbounded(norm, WIDE).unwrap();
        let approach = DeepFool::default()
            .approach(&case.model, &case.inputs, &case.criterion(), &ball, &Seed::new(0, 0))
            .unwrap();
        for (row, steps) in approach.steps.as_slice::<f32>().chunks_exact(WIDTH).enumerate() {
            let length = ball.distance(&[0.0; WIDTH], steps);
            assert!(
                (length - case.nearest(row, norm)).abs() < 1e-6,
                "{norm:?}: {length} for {}",
                case.nearest(row, norm)
            );
            assert!(approach.found.queries[row] <= 2, "one step, and one look at where it led");
        }
    }
}

#[test]
fn targeted_deepfool_finds_the_boundary_of_the_target() {
    let case = case(11, 2);
    let targets: Vec<usize> = case.labels.iter().map(|l| 1 - l).collect();
    let ball = Ball::unbounded(Norm::L2, WIDE).unwrap();
    let criterion = Criterion::Targeted { classes: targets };
    let found = DeepFool::default().run(&case.model, &case.inputs, &criterion, &ball, &Seed::new(0, 0)).unwrap();
    assert_eq!(found.success, [true; COUNT]);
    for row in 0..COUNT {
        assert!((found.distances[row] - 1.02 * (case.nearest(row, Norm::L2) + 1e-4)).abs() < 1e-4);
    }
}

// The step past a boundary is 5% too long, what is left after a success 90%: so the result is near the nearest.
#[test]
fn fab_finds_the_nearest_boundary() {
    for norm in [Norm::L1, Norm::L2, Norm::Linf] {
        let case = case(20, 6);
        let ball = Ball::unbounded(norm, WIDE).unwrap();
        for fab in [Fab::default(), Fab::targeted()] {
            let found = fab.run(&case.model, &case.inputs, &case.criterion(), &ball, &Seed::new(0, 0)).unwrap();
            assert_eq!(found.success, [true; COUNT]);
            for row in 0..COUNT {
                let (nearest, distance) = (case.nearest(row, norm), found.distances[row]);
                assert!(
                    distance > nearest - 2e-6 && distance < 1.02 * nearest + 2e-6,
                    "{norm:?}: {distance} {nearest}"
                );
            }
        }
    }
}

// Within bounds that the shortest step would leave: the nearest point of a hyperplane within a box.
#[test]
fn fab_keeps_to_the_bounds() {
    let mut cut = 0;
    for norm in [Norm::L1, Norm::L2, Norm::Linf] {
        let case = case(21, 2);
        let bounds = (0.28, 0.72);
        let ball = Ball::unbounded(norm, bounds).unwrap();
        let found = Fab::default().run(&case.model, &case.inputs, &case.criterion(), &ball, &Seed::new(0, 0)).unwrap();
        for row in 0..COUNT {
            let (label, x) = (case.labels[row], &case.inputs.as_slice::<f32>()[row * WIDTH..(row + 1) * WIDTH]);
            let difference: Vec<f32> =
                (0..WIDTH).map(|i| case.weights[1 - label][i] - case.weights[label][i]).collect();
            let gap = case.distance(row, 1 - label, Norm::L1) * {
                difference.iter().fold(0.0, |m: f64, &d| m.max(f64::from(d).abs()))
            };
            let step = step_to_hyperplane(norm, x, &difference, gap, (0.28, 0.72));
            let reached: f64 = step.iter().zip(&difference).map(|(d, &w)| d * f64::from(w)).sum();
            if reached < gap * (1.0 - 1e-4) {
                assert!(!found.success[row]);
                continue;
            }
            let moved: Vec<f32> = x.iter().zip(&step).map(|(&v, d)| (f64::from(v) + d) as f32).collect();
            let nearest = ball.distance(x, &moved);
            cut += usize::from(nearest > 1.001 * case.nearest(row, norm));
            let distance = found.distances[row];
            assert!(found.success[row] && distance > nearest - 2e-6 && distance < 1.03 * nearest + 2e-6);
        }
    }
    assert!(cut > 10, "{cut}");
}

// With two classes the smallest sufficient budget is the distance to the boundary: just above it an optimal attack
// succeeds, just below it none can.
#[test]
fn ascent_reaches_the_optimum() {
    let case = case(12, 2);
    for norm in [Norm::Linf, Norm::L2, Norm::L1] {
        // On the sphere each step shrinks the angle to the optimum by 1 + 2.5/40 only.
        let steps = if norm == Norm::L2 { 200 } else { 40 };
        let pgd = |loss| Pgd { loss, steps, ..Pgd::default() };
        let all: [&dyn Attack; 6] =
            [&Fgsm, &Apgd::ce(), &Apgd::dlr(), &ApgdT::default(), &pgd(Loss::CrossEntropy), &pgd(Loss::Margin)];
        // Steps of a fixed size do not end in the corner of an ℓ1 ball.
        let attacks = if norm == Norm::L1 { &all[..4] } else { &all[..] };
        for attack in attacks {
            for row in 0..COUNT {
                let input = case.inputs.rows(row, row + 1);
                let criterion = Criterion::Misclassify { labels: vec![case.labels[row]] };
                let nearest = case.nearest(row, norm);
                let run = |epsilon| {
                    let ball = Ball::new(norm, epsilon, WIDE).unwrap();
                    attack.run(&case.model, &input, &criterion, &ball, &Seed::new(1, row as u64)).unwrap().success[0]
                };
                // Sparse steps come near the corner of an ℓ1 ball, but rarely into it.
                let slack = if norm == Norm::L1 && attack.name() != Fgsm.name() { 0.1 } else { 1e-4 };
                assert!(run(nearest * (1.0 + slack) + 1e-6), "{} {norm:?} above {nearest}", attack.name());
                assert!(!run(nearest * (1.0 - 1e-4) - 1e-6), "{} {norm:?} below {nearest}", attack.name());
            }
        }
    }
}

#[test]
fn targeted_attacks_reach_every_target() {
    let case = case(13, 5);
    let targets: Vec<usize> = case.labels.iter().enumerate().map(|(row, l)| (l + 1 + row % 4) % 5).collect();
    let criterion = Criterion::Targeted { classes: targets.clone() };
    for norm in [Norm::Linf, Norm::L2] {
        let ball = Ball::new(norm, 3.0, WIDE).unwrap();
        let (square, deepfool) = (Square { queries: 2000, ..Square::default() }, DeepFool::default());
        let (apgd, apgd_t, fab) = (Apgd::ce(), ApgdT::default(), Fab::default());
        // Not on the difference of logits ratio, whose denominator can lead astray from far below the top.
        let attacks: [&dyn Attack; 6] = [&Pgd::default(), &deepfool, &square, &apgd, &apgd_t, &fab];
        for attack in attacks {
            let found = attack.run(&case.model, &case.inputs, &criterion, &ball, &Seed::new(2, 0)).unwrap();
            let predictions = case.model.predictions(&found.inputs).unwrap();
            for row in 0..COUNT {
                assert_eq!(found.success[row], predictions[row] == Some(targets[row]));
            }
            let reached = found.success.iter().filter(|&&s| s).count();
            assert!(reached >= COUNT - 2, "{} {norm:?}: {reached}", attack.name());
        }
    }
}

#[test]
fn gradients_are_those_of_the_formula() {
    let case = case(14, 3);
    let logits = case.model.logits(&case.inputs).unwrap();
    for loss in [Loss::CrossEntropy, Loss::Margin] {
        let (again, gradient) = case.model.loss_gradient(loss, &case.inputs, &case.labels).unwrap();
        for row in 0..COUNT {
            let z: Vec<f64> = logits.rows(row, row + 1).to_f64_vec();
            assert!(again.rows(row, row + 1).to_f64_vec().iter().zip(&z).all(|(a, b)| (a - b).abs() < 1e-5));
            let label = case.labels[row];
            // dL/dz: softmax minus one-hot; or +1 at the runner-up and −1 at the label.
            let sum: f64 = z.iter().map(|v| v.exp()).sum();
            let rival = (0..3).filter(|&k| k != label).max_by(|&a, &b| z[a].total_cmp(&z[b])).unwrap();
            let outer: Vec<f64> = (0..3)
                .map(|k| match loss {
                    Loss::CrossEntropy => z[k].exp() / sum - f64::from(u8::from(k == label)),
                    Loss::Margin | Loss::Dlr => f64::from(u8::from(k == rival)) - f64::from(u8::from(k == label)),
                })
                .collect();
            for (i, g) in gradient.rows(row, row + 1).to_f64_vec().into_iter().enumerate() {
                let expected: f64 = (0..3).map(|k| outer[k] * f64::from(case.weights[k][i])).sum();
                assert!((g - expected).abs() < 1e-5, "{loss:?}: {g} for {expected}");
            }
        }
    }
}
