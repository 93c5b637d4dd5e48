//! Optimal transport against linear programs (scipy 1.17.1, HiGHS), enumeration and closed forms.

use perturb_metrics::distribution::Gaussian;
use perturb_metrics::transport::{
    Order, Sinkhorn, assignment, sinkhorn_divergence, sliced_wasserstein, transport, wasserstein, wasserstein_gaussian,
    wasserstein_line,
};
use perturb_metrics::{Matrix, MetricError};
use proptest::prelude::*;

fn sample(rows: usize, seed: usize, shift: [f64; 3]) -> Matrix<'static> {
    let value =
        |k: usize, c: usize| (((k * (7 + 3 * c) + c * c * 5 + seed * k * k) % 23) as f64 - 11.0) / 5.0 + shift[c];
    Matrix::from_vec((0..rows).flat_map(|k| (0..3).map(move |c| value(k, c))).collect(), 3).unwrap()
}

fn pair() -> (Matrix<'static>, Matrix<'static>) {
    (sample(40, 1, [0.0; 3]), sample(30, 2, [0.5, 0.0, -0.25]))
}

fn distances(x: &Matrix, y: &Matrix) -> Matrix<'static> {
    let distance = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
    Matrix::from_vec(x.iter().flat_map(|a| y.iter().map(move |b| distance(a, b))).collect(), y.rows()).unwrap()
}

fn close(value: f64, expected: f64, tolerance: f64) {
    assert!((value - expected).abs() < tolerance, "{value} instead of {expected}");
}

/// `linprog` over plans with uniform weights, costs `cdist` and its square; `scipy.stats.wasserstein_distance`.
#[test]
fn samples_of_different_sizes() {
    let (x, y) = pair();
    close(wasserstein(&x, &y, Order::One).unwrap(), 1.4283341511443794, 1e-12);
    close(wasserstein(&x, &y, Order::Two).unwrap(), 1.6427619020012205, 1e-12);
    close(wasserstein_line(&x.column(0), &y.column(0), Order::One).unwrap(), 0.8833333333333334, 1e-14);
}

/// `linprog` with weights (7k mod 11) and (5k mod 8) + ½; `linear_sum_assignment(cdist(y, x))`.
#[test]
fn weights_and_rectangles() {
    let (x, y) = pair();
    let a: Vec<f64> = (0..40).map(|k| f64::from((k * 7) % 11)).collect();
    let b: Vec<f64> = (0..30).map(|k| f64::from((k * 5) % 8) + 0.5).collect();
    let found = transport(&distances(&x, &y), &a, &b).unwrap();
    close(found.cost, 1.5298933988244232, 1e-12);
    close(found.lower_bound, 1.5298933988244232, 1e-12);
    let matched = assignment(&distances(&y, &x)).unwrap();
    close(matched.cost, 32.46708502746598, 1e-12);
    close(matched.lower_bound, 32.46708502746598, 1e-12);
}

/// On a line the general solver must find what sorting finds.
#[test]
fn line_equals_points() {
    let (x, y) = pair();
    let column = |m: &Matrix| Matrix::from_vec(m.column(1), 1).unwrap();
    for order in [Order::One, Order::Two] {
        let expected = wasserstein(&column(&x), &column(&y), order).unwrap();
        close(wasserstein_line(&x.column(1), &y.column(1), order).unwrap(), expected, 1e-12);
        let one_dimensional = sliced_wasserstein(&column(&x), &column(&y), 3, 0).unwrap();
        if order == Order::Two {
            close(one_dimensional, expected, 1e-12);
        }
    }
}

/// Moving a sample by δ costs exactly ‖δ‖; its projections move by ⟨δ, θ⟩, whose mean square is ‖δ‖²/d.
#[test]
fn translations() {
    let (x, moved) = (sample(50, 1, [0.0; 3]), sample(50, 1, [3.0, -4.0, 0.0]));
    close(wasserstein(&x, &moved, Order::Two).unwrap(), 5.0, 1e-12);
    close(sliced_wasserstein(&x, &moved, 20_000, 1).unwrap(), 5.0 / 3.0f64.sqrt(), 0.02);
    let gaussian = |m| Gaussian::fit(m).unwrap();
    close(wasserstein_gaussian(&gaussian(&x), &gaussian(&moved)).unwrap(), 5.0, 1e-6);
}

#[test]
fn sinkhorn_brackets_the_exact_cost() {
    let (x, y) = pair();
    let (cost, exact) = (distances(&x, &y), 1.4283341511443794);
    let (a, b) = ([1.0; 40], [1.0; 30]);
    for (epsilon, gap) in [(0.5, 1.5), (0.05, 0.1), (0.005, 0.01)] {
        let solver = Sinkhorn { epsilon, tolerance: 1e-8, max_iterations: 2000 };
        let found = solver.solve(&cost, &a, &b).unwrap();
        assert!(found.lower_bound <= exact + 1e-12 && exact <= found.upper_bound + 1e-12, "{epsilon}");
        assert!(found.upper_bound - found.lower_bound < gap, "{} at {epsilon}", found.upper_bound - found.lower_bound);
        let rows: Vec<f64> = found.plan.chunks_exact(30).map(|row| row.iter().sum()).collect();
        let columns: Vec<f64> = (0..30).map(|j| found.plan.iter().skip(j).step_by(30).sum()).collect();
        assert!(rows.iter().all(|r| (r - 1.0 / 40.0).abs() < 1e-14));
        assert!(columns.iter().all(|c| (c - 1.0 / 30.0).abs() < 1e-14));
    }
}

#[test]
fn divergence_between_its_limits() {
    // Points on two spirals, none of which lie as close to two partners as a lattice's would.
    let spiral = |turn: f64| {
        let point = |i: i32| {
            let (radius, angle) = (1.0 + 0.1 * f64::from(i), 0.9 * f64::from(i) + turn);
            [radius * angle.cos() + turn, radius * angle.sin()]
        };
        Matrix::from_vec((0..20).flat_map(point).collect(), 2).unwrap()
    };
    let (x, y) = (spiral(0.0), spiral(0.8));
    let solver = |epsilon| Sinkhorn { epsilon, tolerance: 1e-7, max_iterations: 10_000 };
    close(sinkhorn_divergence(&x, &x, &solver(1.0)).unwrap(), 0.0, 1e-6);
    // numpy: `<P, C> + ε·KL(P | a⊗b)` of the plans after 200,000 iterations on scaling vectors.
    for (epsilon, expected) in [(1.0, 0.806238975815216), (3.0, 0.7521155216060484)] {
        close(sinkhorn_divergence(&x, &y, &solver(epsilon)).unwrap(), expected, 1e-6);
    }
    // For ε → 0 the divergence of samples of one size tends to the exact cost.
    let exact = wasserstein(&x, &y, Order::Two).unwrap().powi(2);
    let error = |epsilon| (sinkhorn_divergence(&x, &y, &solver(epsilon)).unwrap() - exact).abs();
    let errors = [1.6, 0.8, 0.4].map(error);
    assert!(errors[1] < errors[0] && errors[2] < 0.5 * errors[1] && errors[2] < 0.02 * exact, "{errors:?}");
    // For ε → ∞ the plans become products, and what is left is the squared distance of the means.
    let (mx, my) = (x.column_means(), y.column_means());
    let shift: f64 = mx.iter().zip(&my).map(|(a, b)| (a - b).powi(2)).sum();
    close(sinkhorn_divergence(&x, &y, &solver(1e5)).unwrap(), shift, 1e-3);
}

/// The cheapest of all ways to give each row a column of its own.
fn cheapest(cost: &[Vec<i32>], row: usize, used: &mut Vec<bool>) -> i32 {
    if row == cost.len() {
        return 0;
    }
    let mut best = i32::MAX;
    for column in 0..used.len() {
        if !used[column] {
            used[column] = true;
            best = best.min(cost[row][column] + cheapest(cost, row + 1, used));
            used[column] = false;
        }
    }
    best
}

proptest! {
    #[test]
    fn assignment_equals_enumeration(rows in 1usize..6, extra in 0usize..2, values in prop::collection::vec(-9i32..9, 42)) {
        let columns = rows + extra;
        let cost: Vec<Vec<i32>> = values.chunks(columns).take(rows).map(<[i32]>::to_vec).collect();
        let matrix = Matrix::from_vec(cost.concat().into_iter().map(f64::from).collect(), columns).unwrap();
        let found = assignment(&matrix).unwrap();
        prop_assert_eq!(found.cost, f64::from(cheapest(&cost, 0, &mut vec![false; columns])));
        prop_assert_eq!(found.lower_bound, found.cost);
        let mut seen = found.columns.clone();
        seen.sort_unstable();
        seen.dedup();
        prop_assert_eq!(seen.len(), rows);
    }

    /// Plans are feasible, and the dual proves them optimal.
    #[test]
    fn transport_is_feasible_and_tight(
        costs in prop::collection::vec(0u32..20, 35),
        a in prop::collection::vec(0u32..6, 5),
        b in prop::collection::vec(0.0f64..1.0, 7),
    ) {
        prop_assume!(a.iter().any(|w| *w > 0) && b.iter().any(|w| *w > 0.0));
        let cost = Matrix::from_vec(costs.into_iter().map(f64::from).collect(), 7).unwrap();
        let a: Vec<f64> = a.into_iter().map(f64::from).collect();
        let found = transport(&cost, &a, &b).unwrap();
        prop_assert!((found.cost - found.lower_bound).abs() < 1e-12, "gap {}", found.cost - found.lower_bound);
        let (mut rows, mut columns) = (vec![0.0; 5], vec![0.0; 7]);
        for (i, j, mass) in &found.plan {
            rows[*i] += mass;
            columns[*j] += mass;
        }
        let near = |sums: &[f64], weights: &[f64]| {
            let total: f64 = weights.iter().sum();
            sums.iter().zip(weights).all(|(s, w)| (s - w / total).abs() < 1e-13)
        };
        prop_assert!(near(&rows, &a) && near(&columns, &b));
    }
}

#[test]
fn refuses_what_has_no_answer() {
    let (x, y) = pair();
    let cost = distances(&x, &y);
    assert!(matches!(assignment(&cost), Err(MetricError::Domain { what: "cost", .. })));
    assert!(matches!(transport(&cost, &[1.0; 40], &[1.0; 29]), Err(MetricError::Length { .. })));
    assert!(matches!(transport(&cost, &[-1.0; 40], &[1.0; 30]), Err(MetricError::Domain { .. })));
    assert!(matches!(transport(&cost, &[1.0; 40], &[0.0; 30]), Err(MetricError::Domain { .. })));
    let solver = Sinkhorn { epsilon: 0.01, tolerance: 1e-9, max_iterations: 3 };
    assert!(!solver.solve(&cost, &[1.0; 40], &[1.0; 30]).unwrap().converged);
    assert!(matches!(sinkhorn_divergence(&x, &y, &solver), Err(MetricError::Domain { what: "sinkhorn", .. })));
    let invalid = Sinkhorn { epsilon: 0.0, ..solver };
    assert!(matches!(sinkhorn_divergence(&x, &y, &invalid), Err(MetricError::Domain { .. })));
    assert!(matches!(wasserstein_line(&[], &[1.0], Order::One), Err(MetricError::Empty { .. })));
    assert!(matches!(wasserstein_line(&[f64::INFINITY], &[1.0], Order::One), Err(MetricError::Domain { .. })));
    assert!(matches!(sliced_wasserstein(&x, &y, 0, 0), Err(MetricError::Empty { .. })));
}
