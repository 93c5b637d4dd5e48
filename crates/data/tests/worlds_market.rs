//! The `market` world: returns against their conditional law, portfolios against first-order conditions.

use perturb_data::worlds::market::*;

/// Returns, standardized by their conditional mean and covariance, are white: means and covariances of L⁻¹(r − μ) over
/// 20,000 steps are those of N(0, I) within 5.5 standard errors (65 tests, once in 4·10⁵ runs).
#[test]
fn returns_have_the_stated_conditional_law() {
    let market = Market::new(1);
    let path = market.sample(20_000, 2, 0).unwrap();
    let n = market.assets;
    let (mut mean, mut second) = (vec![0.0; n], vec![0.0; n * n]);
    for step in 0..path.steps() {
        let covariance = path.covariance(step);
        // Cholesky by hand, and forward substitution.
        let mut l = vec![0.0; n * n];
        for i in 0..n {
            for j in 0..=i {
                let sum: f64 = (0..j).map(|k| l[i * n + k] * l[j * n + k]).sum();
                let rest = covariance[i * n + j] - sum;
                l[i * n + j] = if i == j { rest.sqrt() } else { rest / l[j * n + j] };
            }
        }
        let mut white = vec![0.0; n];
        for i in 0..n {
            let sum: f64 = (0..i).map(|k| l[i * n + k] * white[k]).sum();
            white[i] = (path.returns(step)[i] - path.mean(step)[i] - sum) / l[i * n + i];
        }
        for i in 0..n {
            mean[i] += white[i] / 20_000.0;
            (0..n).for_each(|j| second[i * n + j] += white[i] * white[j] / 20_000.0);
        }
    }
    let error = 1.0 / 20_000f64.sqrt();
    for i in 0..n {
        assert!(mean[i].abs() < 5.5 * error, "{}", mean[i]);
        for j in 0..=i {
            let (expected, error) = if i == j { (1.0, error * 2f64.sqrt()) } else { (0.0, error) };
            assert!((second[i * n + j] - expected).abs() < 5.5 * error, "{}", second[i * n + j]);
        }
    }
}

#[test]
fn parts_are_what_they_are_called() {
    let market = Market::new(3);
    let path = market.sample(5000, 4, 1).unwrap();
    assert_eq!((path.steps(), path.returns.len(), path.features.len()), (5000, 50_000, 1_000_000));
    let base = market.base_covariance();
    for step in (0..5000).step_by(97) {
        let scale = market.regimes[path.regimes[step]].volatility.powi(2) * path.log_volatility[step].exp();
        assert!(path.covariance(step).iter().zip(&base).all(|(c, b)| (c - scale * b).abs() < 1e-15));
    }
    // Log-volatility: stationary with deviation 0.3 and memory 0.97, so some 80 independent values in 5,000.
    let square = path.log_volatility.iter().map(|h| h * h).sum::<f64>() / 5000.0;
    assert!((square.sqrt() / 0.3 - 1.0).abs() < 0.5, "{square}");
    // Features are of unit variance; all 200 over 5,000 steps.
    let square = path.features.iter().map(|x| x * x).sum::<f64>() / 1e6;
    assert!((square - 1.0).abs() < 0.02, "{square}");
    // Regimes: transitions out of calm, five standard errors.
    let calm: Vec<bool> = path.regimes.windows(2).filter(|w| w[0] == 0).map(|w| w[1] != 0).collect();
    let (leaves, stays) = (calm.iter().filter(|l| **l).count() as f64, calm.len() as f64);
    assert!((leaves / stays - 0.01).abs() < 5.0 * (0.0099 / stays).sqrt(), "{leaves} of {stays}");
    // Without signals the mean is that of the regime.
    let blind = Market { signal_strength: 0.0, ..market.clone() }.sample(300, 4, 1).unwrap();
    for step in 0..300 {
        assert_eq!(blind.mean(step), &market.regimes[blind.regimes[step]].mean[..]);
    }
    // With signals it is regression that finds them: the first feature moves the mean, the last does not.
    let explained = |feature: usize| {
        let mean: Vec<f64> = (0..5000).map(|s| path.mean(s)[0] - market.regimes[path.regimes[s]].mean[0]).collect();
        let x: Vec<f64> = (0..5000).map(|s| path.features[s * 200 + feature]).collect();
        let cross: f64 = mean.iter().zip(&x).map(|(m, x)| m * x).sum();
        cross * cross / (mean.iter().map(|m| m * m).sum::<f64>() * x.iter().map(|x| x * x).sum::<f64>())
    };
    let signals: f64 = (0..5).map(explained).sum();
    let noise: f64 = (100..105).map(explained).sum();
    assert!(signals > 0.5 && noise < 0.1, "{signals} {noise}");
}

/// Two assets by hand, and first-order conditions for ten.
#[test]
fn portfolios_are_optimal() {
    let weights = mean_variance(&[0.02, 0.01], &[0.04, 0.0, 0.0, 0.01], 2.0).unwrap();
    assert!((weights[0] - 0.25).abs() < 1e-14 && (weights[1] - 0.5).abs() < 1e-14);
    assert!((largest_sharpe_ratio(&[0.02, 0.01], &[0.04, 0.0, 0.0, 0.01]).unwrap() - 0.02f64.sqrt()).abs() < 1e-14);
    let least = fully_invested(&[0.02, 0.01], &[0.04, 0.0, 0.0, 0.01], f64::INFINITY).unwrap();
    assert!((least[0] - 0.2).abs() < 1e-14 && (least[1] - 0.8).abs() < 1e-14);
    let market = Market::new(5);
    let path = market.sample(50, 5, 0).unwrap();
    let (mean, covariance) = (path.mean(49), path.covariance(49));
    let utility = |w: &[f64]| {
        let risk: f64 = (0..100).map(|k| w[k / 10] * w[k % 10] * covariance[k]).sum();
        w.iter().zip(mean).map(|(w, m)| w * m).sum::<f64>() - 1.5 * risk
    };
    let (free, full) = (mean_variance(mean, covariance, 3.0).unwrap(), fully_invested(mean, covariance, 3.0).unwrap());
    assert!((full.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    for i in 0..10 {
        let mut moved = free.clone();
        moved[i] += 0.01;
        assert!(utility(&moved) < utility(&free));
        let mut exchanged = full.clone();
        exchanged[i] += 0.01;
        exchanged[(i + 1) % 10] -= 0.01;
        assert!(utility(&exchanged) < utility(&full));
    }
    // No portfolio beats the largest Sharpe ratio, and the optimal one has it.
    let sharpe = |w: &[f64]| {
        let risk: f64 = (0..100).map(|k| w[k / 10] * w[k % 10] * covariance[k]).sum();
        w.iter().zip(mean).map(|(w, m)| w * m).sum::<f64>() / risk.sqrt()
    };
    let best = largest_sharpe_ratio(mean, covariance).unwrap();
    assert!((sharpe(&free) - best).abs() < 1e-10 && sharpe(&full) <= best + 1e-12);
}

#[test]
fn paths_depend_on_seed_and_index_alone() {
    let market = Market::new(1);
    assert_eq!(market, Market::new(1));
    assert_ne!(market.loadings, Market::new(2).loadings);
    let path = market.sample(40, 3, 7).unwrap();
    assert_eq!(market.sample(40, 3, 7).unwrap(), path);
    // Longer paths continue shorter ones: no look-ahead.
    assert_eq!(market.sample(80, 3, 7).unwrap().returns[..400], path.returns[..]);
    assert_ne!(market.sample(40, 3, 8).unwrap(), path);
    assert_eq!(market.sample(0, 0, 0).unwrap().steps(), 0);
}

#[test]
fn impossible_portfolios_are_errors() {
    assert!(mean_variance(&[0.1], &[1.0, 2.0], 1.0).is_err() && mean_variance(&[], &[], 1.0).is_err());
    assert!(
        mean_variance(&[0.1, 0.1], &[1.0, 1.0, 1.0, 1.0], 1.0).unwrap_err().to_string().contains("positive definite")
    );
    assert!(mean_variance(&[0.1], &[1.0], 0.0).is_err() && mean_variance(&[0.1], &[1.0], f64::INFINITY).is_err());
    assert!(mean_variance(&[0.1], &[f64::NAN], 1.0).is_err());
}

/// Probabilities are calibrated: the count of each regime less its expectation is a sum whose terms, conditional on the
/// past, have mean 0 only before the return is seen; after it, the whole sum is still centred. Regimes last, so the
/// variance is multiplied by their memory of some 100 steps.
#[test]
fn regimes_are_read_from_returns_as_well_as_can_be() {
    let market = Market::new(2);
    let (mut counts, mut expected, mut variance, mut hits, mut steps) = ([0.0; 3], [0.0; 3], [0.0; 3], 0.0, 0.0);
    for index in 0..10 {
        let path = market.sample(1000, 3, index).unwrap();
        let probabilities = market.regime_probabilities(&path).unwrap();
        for (step, law) in probabilities.chunks(3).enumerate() {
            assert!((law.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            counts[path.regimes[step]] += 1.0;
            for i in 0..3 {
                expected[i] += law[i];
                variance[i] += law[i] * (1.0 - law[i]);
            }
            hits += law[path.regimes[step]];
            steps += 1.0;
        }
    }
    for i in 0..3 {
        assert!((counts[i] - expected[i]).abs() < 5.0 * f64::sqrt(100.0 * variance[i]), "{counts:?} {expected:?}");
    }
    assert!(hits / steps > 0.8, "{}", hits / steps);
    // With regimes of one volatility and one mean, nothing can be learned: the prediction stays.
    let mut blind = market.clone();
    let calm = blind.regimes[0].clone();
    blind.regimes.iter_mut().for_each(|r| *r = calm.clone());
    let path = blind.sample(3, 1, 0).unwrap();
    let law = blind.regime_probabilities(&path).unwrap();
    assert!((law[3] - 0.99).abs() < 1e-12 && (law[5] - 0.001).abs() < 1e-12);
}

#[test]
fn impossible_markets_are_errors() {
    let market = Market::new(0);
    for (broken, part) in [
        (Market { loadings: vec![0.0; 7], ..market.clone() }, "loadings"),
        (Market { specific: vec![0.0; 7], ..market.clone() }, "specific"),
        (Market { switching: vec![0.5; 9], ..market.clone() }, "row 0"),
        (Market { signals: 300, ..market.clone() }, "signals"),
        (Market { regimes: vec![], switching: vec![], ..market.clone() }, "regimes"),
        (Market { assets: 3, loadings: vec![0.0; 9], specific: vec![0.0; 3], ..market.clone() }, "expected returns"),
    ] {
        assert!(broken.sample(5, 0, 0).unwrap_err().to_string().contains(part), "{part}");
    }
}
