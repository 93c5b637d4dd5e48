//! Smoothing against the closed form of linear classifiers: the exact radius is the distance to the hyperplane.

use perturb_certify::{NoisyClassifier, Smoothed};
use perturb_graph::{DType, Expr, Graph, Tensor};

/// Two classes on either side of the hyperplane `3·x₁ − 4·x₂ = 0`.
fn linear(batch: usize) -> NoisyClassifier {
    let x = Expr::input("x", [1, 2], DType::F32);
    let w = Expr::constant(Tensor::new([2, 2], vec![3.0f32, 0.0, -4.0, 0.0]).unwrap());
    let graph = Graph::new(vec![x.clone()], vec![("z".into(), x.matmul(&w))]).unwrap();
    NoisyClassifier::new(&graph, batch).unwrap()
}

/// A point of class 0 (or 1) at a distance from the hyperplane.
fn point(distance: f32, class: usize) -> Tensor {
    let sign = if class == 0 { 1.0 } else { -1.0 };
    Tensor::new([1, 2], vec![sign * 0.6 * distance + 4.0, sign * -0.8 * distance + 3.0]).unwrap()
}

#[test]
fn radii_stay_below_the_exact_one_and_reach_it() {
    let model = linear(500);
    for (distance, class) in [(0.1f32, 0), (0.3, 1), (0.6, 0), (0.9, 1)] {
        let mut reached = Vec::new();
        for n in [100, 1_000, 100_000] {
            let smoothed = Smoothed { sigma: 0.5, n, ..Smoothed::default() };
            let seeds = if n < 100_000 { 0..20 } else { 0..3 };
            let trials = seeds.end;
            let mut sum = 0.0;
            for seed in seeds {
                let found = Smoothed { seed, ..smoothed }.certify(&model, &point(distance, class), 0).unwrap();
                assert!(found.class.is_none_or(|c| c == class));
                assert!(found.radius <= f64::from(distance) * 1.000_001, "{} above {distance}", found.radius);
                sum += found.radius;
            }
            reached.push(sum / trials as f64);
        }
        assert!(reached.windows(2).all(|w| w[0] < w[1]), "{distance}: {reached:?}");
        assert!(reached[2] > 0.94 * f64::from(distance), "{distance}: {reached:?}");
    }
}

// The radius is wrong with probability at most alpha: with alpha = 0.05, in at most 100 of 2000 trials, give or take five
// standard deviations; and not so rarely that the limit would be wasteful.
#[test]
fn radii_are_wrong_as_seldom_as_promised() {
    let model = linear(40);
    let trials = 2000;
    let smoothed = Smoothed { sigma: 0.5, n0: 10, n: 40, alpha: 0.05, seed: 9 };
    let mut wrong = 0;
    for example in 0..trials {
        let found = smoothed.certify(&model, &point(0.25, 0), example).unwrap();
        wrong += u32::from(found.radius > 0.25 * 1.000_001 || found.class == Some(1));
    }
    let (mean, deviation) = (0.05 * trials as f64, (0.05 * 0.95 * trials as f64).sqrt());
    assert!(f64::from(wrong) <= mean + 5.0 * deviation, "{wrong} of {trials}");
    assert!(wrong >= 20, "{wrong} of {trials}");
}

#[test]
fn predictions_abstain_near_the_boundary_only() {
    let model = linear(100);
    let smoothed = Smoothed { sigma: 0.5, n: 100, alpha: 0.01, ..Smoothed::default() };
    let count = |distance: f32, wanted: Option<usize>| {
        (0..200).filter(|&e| smoothed.predict(&model, &point(distance, 1), e).unwrap() == wanted).count()
    };
    // On the boundary a tie is rejected with probability at most alpha: 2 of 200, give or take five deviations.
    assert!(count(0.0, None) >= 200 - 9);
    assert_eq!(count(0.5, Some(1)), 200);
    assert_eq!(count(0.1, Some(0)), 0);
}

#[test]
fn results_do_not_depend_on_batches_but_on_seed_and_example() {
    let x = point(0.2, 0);
    let smoothed = Smoothed { sigma: 0.5, n: 1_001, ..Smoothed::default() };
    let run = |batch: usize, seed: u64, example: u64| {
        Smoothed { seed, ..smoothed }.certify(&linear(batch), &x, example).unwrap()
    };
    let base = run(1, 0, 0);
    assert!(base.class == Some(0));
    for batch in [7, 100, 2_000] {
        assert_eq!(run(batch, 0, 0), base);
    }
    let others = [run(7, 1, 0), run(7, 0, 1), run(7, 0, 2), run(7, 2, 0)];
    assert!(others.iter().all(|o| o.radius != base.radius), "{others:?}");
}

// The class is chosen on draws of their own: with a single counting draw nothing can be certified, whatever n0.
#[test]
fn selection_does_not_count() {
    let model = linear(100);
    for seed in 0..20 {
        let smoothed = Smoothed { sigma: 0.1, n0: 10_000, n: 1, alpha: 0.4, seed };
        let found = smoothed.certify(&model, &point(1.0, 0), 0).unwrap();
        // p = alpha for one win in one draw.
        assert_eq!((found.class, found.radius), (None, 0.0));
    }
}
