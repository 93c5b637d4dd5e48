//! The `markov` world against closed forms, enumeration and brute-force iteration.

use perturb_data::worlds::markov::*;

#[test]
fn two_states_by_hand() {
    let (a, b) = (0.1, 0.3);
    let chain = Chain::new(2, vec![1.0 - a, a, b, 1.0 - b]).unwrap();
    let stationary = chain.stationary().unwrap();
    assert!((stationary[0] - 0.75).abs() < 1e-15 && (stationary[1] - 0.25).abs() < 1e-15);
    assert!((chain.spectral_gap().unwrap() - 0.4).abs() < 1e-14);
    // The distance after t steps is ¾·0.6ᵗ from state 1 and ¼·0.6ᵗ from state 0.
    for epsilon in [0.9, 0.5, 0.1, 0.01, 1e-6] {
        let mut t = 0;
        while 0.75 * 0.6f64.powi(t) > epsilon {
            t += 1;
        }
        assert_eq!(chain.mixing_time(epsilon).unwrap(), t as u64, "{epsilon}");
    }
}

#[test]
fn stationary_laws_and_mixing_times_by_iteration() {
    for seed in 0..5 {
        let chain = Chain::random(7, seed);
        let stationary = chain.stationary().unwrap();
        let mut laws: Vec<Vec<f64>> = (0..7).map(|i| (0..7).map(|j| f64::from(u8::from(i == j))).collect()).collect();
        let distance = |laws: &[Vec<f64>]| {
            let one = |law: &Vec<f64>| law.iter().zip(&stationary).map(|(a, b)| (a - b).abs()).sum::<f64>() / 2.0;
            laws.iter().map(one).fold(0.0, f64::max)
        };
        let mut t = 0;
        while distance(&laws) > 1e-3 {
            laws = laws.iter().map(|law| chain.step(law)).collect();
            t += 1;
        }
        assert_eq!(chain.mixing_time(1e-3).unwrap(), t);
        for _ in 0..100 {
            laws = laws.iter().map(|law| chain.step(law)).collect();
        }
        assert!(distance(&laws) < 1e-12);
        let symmetric = Chain::random_symmetric(7, seed);
        assert!(symmetric.stationary().unwrap().iter().all(|p| (p - 1.0 / 7.0).abs() < 1e-12));
        for i in 0..49 {
            assert_eq!(symmetric.transitions()[i], symmetric.transitions()[i % 7 * 7 + i / 7]);
        }
        // The gap rules the speed in the end: distances fall by 1 − gap per step.
        let far = |t: u64| {
            let mut law = vec![1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
            (0..t).for_each(|_| law = symmetric.step(&law));
            law.iter().map(|p| (p - 1.0 / 7.0).powi(2)).sum::<f64>().sqrt()
        };
        let gap = symmetric.spectral_gap().unwrap();
        let steps = (12.0 / gap) as u64;
        let rate = (far(steps + 1) / far(steps)).clamp(0.0, 1.0);
        assert!((rate - (1.0 - gap)).abs() < 0.02 || far(steps) < 1e-14, "{rate} and {}", 1.0 - gap);
    }
}

/// Pairs of successive states in 200 paths of 200 steps, within five standard errors.
#[test]
fn paths_follow_the_matrix() {
    let chain = Chain::random(4, 3);
    let mut counts = [[0.0; 4]; 4];
    for index in 0..200 {
        let path = chain.sample(0, 200, 5, index);
        assert!(path.len() == 200 && path[0] == 0);
        path.windows(2).for_each(|w| counts[w[0]][w[1]] += 1.0);
    }
    for (i, row) in counts.iter().enumerate() {
        let total: f64 = row.iter().sum();
        for (count, p) in row.iter().zip(chain.row(i)) {
            assert!((count / total - p).abs() < 5.0 * (p * (1.0 - p) / total).sqrt(), "{} and {p}", count / total);
        }
    }
}

/// Sums over all 3⁶ state sequences.
#[test]
fn hidden_states_by_enumeration() {
    let model = Hmm::random(3, 4, 1);
    let (_, symbols) = model.sample(6, 2, 0);
    let (mut total, mut states_at) = (0.0, vec![0.0; 18]);
    for code in 0..3usize.pow(6) {
        let states: Vec<usize> = (0..6).map(|t| code / 3usize.pow(t) % 3).collect();
        let mut p = model.initial()[states[0]];
        (1..6).for_each(|t| p *= model.chain().row(states[t - 1])[states[t]]);
        (0..6).for_each(|t| p *= model.emission(states[t], symbols[t]));
        total += p;
        (0..6).for_each(|t| states_at[3 * t + states[t]] += p);
    }
    assert!((model.log_likelihood(&symbols).unwrap() - total.ln()).abs() < 1e-12);
    let smoothed = model.smooth(&symbols).unwrap();
    assert!(smoothed.iter().zip(&states_at).all(|(a, b)| (a - b / total).abs() < 1e-12));
    let (filtered, _) = model.filter(&symbols).unwrap();
    assert!((0..3).all(|i| (filtered[15 + i] - smoothed[15 + i]).abs() < 1e-12));
    // Likelihoods of all sequences of a length sum to 1.
    let all: f64 = (0..256)
        .map(|c| (0..4).map(|t| c / 4usize.pow(t) % 4).collect::<Vec<_>>())
        .map(|s| model.log_likelihood(&s).unwrap().exp())
        .sum();
    assert!((all - 1.0).abs() < 1e-12);
    // Long sequences do not underflow.
    let (_, long) = model.sample(5000, 2, 1);
    assert!(model.log_likelihood(&long).unwrap().is_finite());
    // Posteriors are calibrated: of states with posterior near p, a share near p is right.
    let (mut hits, mut expected, mut variance) = (0.0, 0.0, 0.0);
    for index in 0..100 {
        let (states, symbols) = model.sample(50, 3, index);
        let smoothed = model.smooth(&symbols).unwrap();
        for t in 0..50 {
            let p = smoothed[3 * t];
            hits += f64::from(u8::from(states[t] == 0));
            (expected, variance) = (expected + p, variance + p * (1.0 - p));
        }
    }
    // Neighbouring times depend on each other: ten times the independent variance is ample.
    assert!((hits - expected).abs() < 5.0 * (10.0f64 * variance).sqrt(), "{hits} and {expected}");
}

#[test]
fn values_solve_their_equations_and_no_policy_is_better() {
    let process = Mdp::random(5, 3, 1);
    let policy: Vec<f64> = [[0.2, 0.3, 0.5]; 5].concat();
    let value = process.value(&policy).unwrap();
    // Rewards summed over 400 steps: 0.9⁴⁰⁰ is below 10⁻¹⁸.
    let (chain, rewards) = process.under(&policy).unwrap();
    for state in 0..5 {
        let mut law = vec![0.0; 5];
        law[state] = 1.0;
        let (mut sum, mut discount) = (0.0, 1.0);
        for _ in 0..400 {
            sum += discount * law.iter().zip(&rewards).map(|(p, r)| p * r).sum::<f64>();
            law = chain.step(&law);
            discount *= 0.9;
        }
        assert!((sum - value[state]).abs() < 1e-12);
    }
    // All 3⁵ deterministic policies.
    let (best, values) = process.optimal();
    for code in 0..243usize {
        let policy: Vec<f64> =
            (0..15).map(|k| f64::from(u8::from(code / 3usize.pow(k as u32 / 3) % 3 == k % 3))).collect();
        let other = process.value(&policy).unwrap();
        assert!(other.iter().zip(&values).all(|(o, v)| *o <= v + 1e-9));
        if (0..5).all(|s| policy[3 * s + best[s]] == 1.0) {
            assert!(other.iter().zip(&values).all(|(o, v)| (o - v).abs() < 1e-12));
        }
    }
}

/// Without slips the best way is the shortest: V = γ^distance · V(goal).
#[test]
fn the_grid_is_walked_straight() {
    let process = Mdp::grid(4, 5, 7, 0.0, 0.9).unwrap();
    let (actions, values) = process.optimal();
    for state in 0..20usize {
        let distance = (state / 5).abs_diff(1) + (state % 5).abs_diff(2);
        assert!((values[state] - 0.9f64.powi(distance as i32) * values[7]).abs() < 1e-10, "{state}");
    }
    // Bellman's equation for the goal.
    let mean: f64 = values.iter().sum::<f64>() / 20.0;
    assert!((values[7] - (1.0 + 0.9 * mean)).abs() < 1e-10);
    assert_eq!(actions[6], 0);
    let slippery = Mdp::grid(4, 5, 7, 0.3, 0.9).unwrap().optimal().1;
    assert!(slippery.iter().zip(&values).all(|(s, v)| s < v));
}

#[test]
fn sessions_follow_their_law() {
    let world = Sessions::new(300, 12, 0.4, 1).unwrap();
    let mut counts = [0.0; 12];
    let (mut steps, mut expected, mut variance) = (0.0, [0.0; 12], [0.0; 12]);
    for user in 0..300 {
        let session = world.sample(user, 30, 2);
        assert_eq!(session, world.sample(user, 30, 2));
        for t in 0..30 {
            let law = world.next(user, if t == 0 { None } else { Some(session[t - 1]) });
            assert!((law.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            counts[session[t]] += 1.0;
            for i in 0..12 {
                expected[i] += law[i];
                variance[i] += law[i] * (1.0 - law[i]);
            }
            steps += 1.0;
        }
    }
    // Counts less their conditional expectations are a martingale: five of its standard deviations.
    for i in 0..12 {
        assert!((counts[i] - expected[i]).abs() < 5.0 * f64::sqrt(variance[i]), "{} and {}", counts[i], expected[i]);
    }
    // Sharp: knowing the law, the likeliest next item is right far more often than one in twelve.
    assert!(steps == 9000.0 && expected.iter().all(|e| *e > 0.0));
}

#[test]
fn impossible_chains_are_errors() {
    assert!(Chain::new(2, vec![0.5, 0.5, 0.5]).is_err() && Chain::new(0, vec![]).is_err());
    assert!(Chain::new(2, vec![0.5, 0.6, 0.5, 0.5]).unwrap_err().to_string().contains("row 0"));
    assert!(Chain::new(2, vec![1.5, -0.5, 0.5, 0.5]).is_err());
    let apart = Chain::new(2, vec![1.0, 0.0, 0.0, 1.0]).unwrap();
    assert!(apart.stationary().unwrap_err().to_string().contains("closed classes"));
    let periodic = Chain::new(2, vec![0.0, 1.0, 1.0, 0.0]).unwrap();
    assert!((periodic.stationary().unwrap()[0] - 0.5).abs() < 1e-12);
    assert!(periodic.mixing_time(0.1).unwrap_err().to_string().contains("periodic"));
    let transient = Chain::new(2, vec![0.5, 0.5, 0.0, 1.0]).unwrap();
    assert!(transient.stationary().unwrap()[0].abs() < 1e-12);
    let circular = Chain::new(3, vec![0.1, 0.8, 0.1, 0.1, 0.1, 0.8, 0.8, 0.1, 0.1]).unwrap();
    assert!(circular.spectral_gap().unwrap_err().to_string().contains("not reversible"));
    assert!(Hmm::new(vec![1.0], Chain::random(2, 0), 2, vec![0.5; 4]).is_err());
    assert!(Hmm::random(2, 3, 0).log_likelihood(&[3]).is_err());
    assert!(Mdp::new(1, 1, vec![1.0], vec![f64::NAN], 0.9).is_err());
    assert!(Mdp::new(1, 1, vec![1.0], vec![0.0], 1.0).is_err());
    assert!(Mdp::grid(2, 2, 4, 0.0, 0.9).is_err() && Mdp::grid(2, 2, 0, 2.0, 0.9).is_err());
    assert!(Mdp::random(2, 2, 0).value(&[1.0, 0.0]).is_err());
    assert!(Sessions::new(0, 3, 0.5, 0).is_err() && Sessions::new(3, 3, 1.5, 0).is_err());
}
