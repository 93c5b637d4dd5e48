//! Attacks that estimate or try: against what is possible, found otherwise.

use crate::linear::{COUNT, case};
use crate::networks::{affine, examples};
use perturb_attack::{Attack, Ball, Boundary, Classifier, Criterion, Estimated, HopSkipJump, Norm, OnePixel, Seed};

#[test]
fn estimated_gradients_reach_the_optimum() {
    let case = case(60, 2);
    for attack in [Estimated { rate: 0.02, ..Estimated::spsa() }, Estimated::nes()] {
        for row in 0..COUNT {
            let input = case.inputs.rows(row, row + 1);
            let criterion = Criterion::Misclassify { labels: vec![case.labels[row]] };
            let nearest = case.nearest(row, Norm::Linf);
            let run = |epsilon| {
                let ball = Ball::new(Norm::Linf, epsilon, (0.0, 1.0)).unwrap();
                attack.run(&case.model, &input, &criterion, &ball, &Seed::new(1, row as u64)).unwrap()
            };
            let found = run(1.1 * nearest + 1e-5);
            assert!(found.success[0], "{} above {nearest}", attack.name());
            assert_eq!(found.queries[0] % (2 * attack.pairs as u64 + 1), 0);
            assert!(!run(0.999 * nearest - 1e-6).success[0], "{} below {nearest}", attack.name());
        }
    }
}

// Which linear classifiers one pixel of an image can fool is known: the pixel goes to the corner that helps most.
#[test]
fn one_pixel_finds_the_pixel_that_suffices() {
    let (channels, size) = (2, 5);
    let area = size * size;
    let (mut possible, mut found_count) = (0, 0);
    for seed in 0..12 {
        let w = examples(seed, 2, &[channels * area], -1.0, 1.0);
        let rows: Vec<Vec<f32>> = w.as_slice::<f32>().chunks(channels * area).map(<[f32]>::to_vec).collect();
        let flat = affine(&rows, &[0.0, 0.0]);
        let inputs = examples(100 + seed, 6, &[channels * area], 0.0, 1.0);
        let x = perturb_graph::Expr::input("x", [1, channels, size, size], perturb_graph::DType::F32);
        let logits = flat.outputs[0].1.clone();
        let logits =
            perturb_graph::substitute(&[logits], &[(flat.inputs[0].clone(), x.reshape([1, channels * area]))]).unwrap();
        let graph = perturb_graph::Graph::new(vec![x], vec![("logits".into(), logits[0].clone())]).unwrap();
        let model = Classifier::new(&graph, 64).unwrap();
        let inputs = inputs.reshape([6, channels, size, size]).unwrap();
        let labels: Vec<usize> = model.predictions(&inputs).unwrap().into_iter().map(Option::unwrap).collect();
        let ball = Ball::new(Norm::L0, channels as f64, (0.0, 1.0)).unwrap();
        let attack = OnePixel { population: 60, generations: 40, ..OnePixel::default() };
        let criterion = Criterion::Misclassify { labels: labels.clone() };
        let found = attack.run(&model, &inputs, &criterion, &ball, &Seed::new(2, 0)).unwrap();
        for row in 0..6 {
            let x = &inputs.as_slice::<f32>()[row * channels * area..(row + 1) * channels * area];
            let difference = |i: usize| f64::from(rows[1 - labels[row]][i]) - f64::from(rows[labels[row]][i]);
            let gap: f64 = -(0..channels * area).map(|i| difference(i) * f64::from(x[i])).sum::<f64>();
            let gain = |i: usize| {
                let d = difference(i);
                if d > 0.0 { d * (1.0 - f64::from(x[i])) } else { -d * f64::from(x[i]) }
            };
            let best = (0..area).map(|p| (0..channels).map(|c| gain(c * area + p)).sum::<f64>()).fold(0.0, f64::max);
            assert!(!found.success[row] || best > gap - 1e-5, "impossible");
            if best > gap + 0.1 {
                possible += 1;
                found_count += usize::from(found.success[row]);
            }
        }
    }
    assert!(possible > 10 && found_count * 10 >= possible * 9, "{found_count} of {possible}");
}

// Decision-based attacks of a target start from another example of that class, and fail without one.
#[test]
fn targeted_decisions_need_an_example_of_the_target() {
    let case = case(61, 3);
    let targets: Vec<usize> = case.labels.iter().map(|l| (l + 1) % 3).collect();
    let ball = Ball::unbounded(Norm::L2, (0.0, 1.0)).unwrap();
    let (boundary, jump) =
        (Boundary { steps: 300, ..Boundary::default() }, HopSkipJump { steps: 4, ..HopSkipJump::default() });
    let attacks: [&dyn Attack; 2] = [&boundary, &jump];
    for attack in attacks {
        let criterion = Criterion::Targeted { classes: targets.clone() };
        let found = attack.run(&case.model, &case.inputs, &criterion, &ball, &Seed::new(1, 0)).unwrap();
        for (row, target) in targets.iter().enumerate() {
            assert_eq!(found.success[row], case.labels.contains(target));
            if found.success[row] {
                assert!(found.distances[row] >= case.distance(row, *target, Norm::L2) - 1e-5);
            }
        }
        let criterion = Criterion::Targeted { classes: vec![targets[0]] };
        let alone = attack.run(&case.model, &case.inputs.rows(0, 1), &criterion, &ball, &Seed::new(1, 0)).unwrap();
        assert_eq!((alone.success[0], alone.distances[0]), (false, 0.0));
    }
}
