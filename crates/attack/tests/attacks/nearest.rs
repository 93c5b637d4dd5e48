//! Attacks that minimise a distance, on linear classifiers, where the least is known.

use crate::linear::{COUNT, Case, WIDTH, case};
use crate::networks::small_cnn;
use perturb_attack::{
    Adversarial, Attack, Ball, Boundary, CarliniWagner, Classifier, Criterion, Ddn, ElasticNet, HopSkipJump, Jsma,
    Norm, Seed, Spatial,
};
use perturb_threat::step_to_hyperplane;

const RANGE: (f64, f64) = (0.0, 1.0);

fn run(case: &Case, attack: &dyn Attack, norm: Norm) -> Adversarial {
    let ball = Ball::unbounded(norm, RANGE).unwrap();
    attack.run(&case.model, &case.inputs, &case.criterion(), &ball, &Seed::new(3, 0)).unwrap()
}

// Distances over the least possible, of examples that the bounds do not hinder: the smallest and the mean.
fn ratios(case: &Case, found: &Adversarial, norm: Norm) -> (f64, f64) {
    let all: Vec<f64> = (0..COUNT)
        .filter(|&row| case.nearest(row, norm) > 1e-3)
        .map(|row| found.distances[row] / case.nearest(row, norm))
        .collect();
    (all.iter().fold(f64::INFINITY, |m, &r| m.min(r)), all.iter().sum::<f64>() / all.len() as f64)
}

#[test]
fn results_are_near_the_least_distance() {
    let case = case(40, 4);
    let cases: [(&dyn Attack, Norm, f64); 7] = [
        // The radius moves in steps of 5%.
        (&Ddn { levels: None, ..Ddn::default() }, Norm::L2, 1.06),
        (&CarliniWagner { steps: 400, ..CarliniWagner::default() }, Norm::L2, 1.05),
        (&ElasticNet { steps: 400, shrinkage: 1e-3, ..ElasticNet::default() }, Norm::L2, 1.1),
        (&ElasticNet { steps: 400, ..ElasticNet::default() }, Norm::L1, 1.5),
        (&Boundary { steps: 3000, ..Boundary::default() }, Norm::L2, 1.1),
        (&HopSkipJump { steps: 20, ..HopSkipJump::default() }, Norm::L2, 1.1),
        (&HopSkipJump { steps: 20, ..HopSkipJump::default() }, Norm::Linf, 1.25),
    ];
    for (attack, norm, most) in cases {
        let found = run(&case, attack, norm);
        assert_eq!(found.success, [true; COUNT], "{}", attack.name());
        let (least, mean) = ratios(&case, &found, norm);
        println!("{} {norm:?}: {least:.4} {mean:.4}", attack.name());
        assert!(least > 1.0 - 1e-4 && mean < most, "{} {norm:?}: least {least}, mean {mean}", attack.name());
    }
}

// A ball of finite radius ends the search as soon as something lies within it.
#[test]
fn searches_end_within_the_ball() {
    let case = case(41, 3);
    let ddn = Ddn::default();
    let cw = CarliniWagner { steps: 200, ..CarliniWagner::default() };
    let ead = ElasticNet { steps: 200, ..ElasticNet::default() };
    let attacks: [&dyn Attack; 3] = [&ddn, &cw, &ead];
    for attack in attacks {
        let free = run(&case, attack, Norm::L2);
        let ball = Ball::new(Norm::L2, 0.5, RANGE).unwrap();
        let found = attack.run(&case.model, &case.inputs, &case.criterion(), &ball, &Seed::new(3, 0)).unwrap();
        let (mut within, mut beyond) = (0, 0);
        for row in 0..COUNT {
            assert_eq!(found.success[row], free.distances[row] <= 0.5, "{} {row}", attack.name());
            assert!(found.queries[row] <= free.queries[row]);
            within += usize::from(found.success[row]);
            beyond += usize::from(!found.success[row]);
        }
        assert!(within > 3 && beyond > 0, "{}: {within} {beyond}", attack.name());
    }
}

// Of two classes the fewest coordinates are those of the largest gains; the pairs of the saliency map are among the best.
#[test]
fn jsma_needs_few_coordinates() {
    let case = case(42, 2);
    let both =
        [Jsma { share: 1.0, ..Jsma::default() }, Jsma { change: -1.0, share: 1.0 }].map(|j| run(&case, &j, Norm::L0));
    let mut compared = 0;
    for row in 0..COUNT {
        let (label, x) = (case.labels[row], &case.inputs.as_slice::<f32>()[row * WIDTH..(row + 1) * WIDTH]);
        let difference: Vec<f32> = (0..WIDTH).map(|i| case.weights[1 - label][i] - case.weights[label][i]).collect();
        let largest = difference.iter().fold(0.0, |m: f64, &d| m.max(f64::from(d).abs()));
        let gap = case.distance(row, 1 - label, Norm::L1) * largest;
        let step = step_to_hyperplane(Norm::L0, x, &difference, gap, (0.0, 1.0));
        let least = step.iter().filter(|d| **d != 0.0).count() as f64;
        for found in &both {
            if found.success[row] {
                assert!(found.distances[row] >= least && found.distances[row] <= 3.0 * least + 2.0);
                compared += 1;
            }
        }
    }
    assert!(compared > COUNT, "{compared}");
}

// Almost without a price on rough flows most images fall; at a high one almost none do.
#[test]
fn flows_change_predictions() {
    let model = Classifier::new(&small_cnn(), 16).unwrap();
    let inputs = crate::networks::examples(50, 16, &[1, 8, 8], 0.0, 1.0);
    let labels = model.predictions(&inputs).unwrap().into_iter().map(Option::unwrap).collect();
    let ball = Ball::unbounded(Norm::Linf, RANGE).unwrap();
    let criterion = Criterion::Misclassify { labels };
    let count = |smoothness: f64| {
        let attack = Spatial { smoothness, rate: 0.05, ..Spatial::default() };
        let found = attack.run(&model, &inputs, &criterion, &ball, &Seed::new(0, 0)).unwrap();
        found.success.iter().filter(|&&s| s).count()
    };
    let (loose, strict) = (count(1e-4), count(1e3));
    assert!(loose > 8 && strict < loose, "{loose} {strict}");
}
