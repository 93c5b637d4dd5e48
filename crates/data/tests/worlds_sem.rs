//! The `sem` world: closed forms against path sums, samples against closed forms, counterfactuals by hand.

use perturb_data::worlds::sem::*;

fn gaussian(deviation: f64) -> Noise {
    Noise { law: NoiseLaw::Gaussian, deviation }
}

fn linear(weights: &[f64], intercept: f64, deviation: f64) -> Equation {
    Equation { mechanism: Mechanism::Linear { weights: weights.to_vec(), intercept }, noise: gaussian(deviation) }
}

/// z → x, z → y, x → y: a confounded effect, numbers by hand.
fn confounded() -> Sem {
    let dag = Dag::from_edges(3, &[(0, 1), (0, 2), (1, 2)]).unwrap();
    Sem::new(dag, vec![linear(&[], 1.0, 1.0), linear(&[2.0], 0.0, 0.5), linear(&[3.0, -1.0], 0.5, 1.0)]).unwrap()
}

#[test]
fn a_confounded_effect_by_hand() {
    let sem = confounded();
    let Moments { mean, covariance } = sem.moments().unwrap();
    // y = 3z − (2z + e) + ½ + … = z − e + ½ + n.
    assert_eq!(mean, [1.0, 2.0, 1.5]);
    let expected = [1.0, 2.0, 1.0, 2.0, 4.25, 1.75, 1.0, 1.75, 2.25];
    assert!(covariance.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-14), "{covariance:?}");
    // Regression of y on x says 1.75 / 4.25 > 0; intervention says −1.
    let at = |value: f64| {
        let regime = sem.intervene(&[Intervention::Hard { node: 1, value }]).unwrap();
        assert_eq!(regime.dag().parents(1), &[] as &[usize]);
        regime.moments().unwrap()
    };
    assert!((at(1.0).mean[2] - at(0.0).mean[2] + 1.0).abs() < 1e-14);
    assert_eq!(at(5.0).covariance[3..6], [0.0; 3]);
    let shifted = sem.intervene(&[Intervention::Shift { node: 0, by: 2.0 }]).unwrap().moments().unwrap();
    assert_eq!((shifted.mean, shifted.covariance), (vec![3.0, 6.0, 3.5], covariance.clone()));
    let scaled = sem.intervene(&[Intervention::Scale { node: 1, factor: 2.0 }]).unwrap().moments().unwrap();
    assert!((scaled.covariance[4] - 5.0).abs() < 1e-14 && (scaled.covariance[8] - 3.0).abs() < 1e-14);
}

#[test]
fn a_counterfactual_by_hand() {
    let sem = confounded();
    // z = 2, x = 4.5 (e = 0.5), y = 6 − 4.5 + 0.5 + n = 1.5 with n = −0.5.
    let row = [2.0, 4.5, 1.5];
    assert_eq!(sem.counterfactual(&row, &[]).unwrap(), row);
    let under = |i: Intervention| sem.counterfactual(&row, &[i]).unwrap();
    assert_eq!(under(Intervention::Hard { node: 1, value: 0.0 }), [2.0, 0.0, 6.0]);
    assert_eq!(under(Intervention::Shift { node: 0, by: 1.0 }), [3.0, 6.5, 2.5]);
    assert_eq!(under(Intervention::Scale { node: 1, factor: 3.0 }), [2.0, 5.5, 0.5]);
    let soft = Intervention::Soft { node: 2, equation: linear(&[0.0, 1.0], 0.0, 2.0) };
    assert_eq!(under(soft), [2.0, 4.5, 3.5]);
    let random = Intervention::Randomized { node: 1, mean: 1.0, noise: gaussian(1.0) };
    assert_eq!(under(random), [2.0, 2.0, 4.0]);
}

/// Sum over all directed paths of the products of weights, by exhaustive search.
fn path_sum(sem: &Sem, from: usize, to: usize) -> f64 {
    if from == to {
        return 1.0;
    }
    let Mechanism::Linear { weights, .. } = &sem.equation(to).mechanism else { panic!("linear") };
    let parents = sem.dag().parents(to).iter().zip(weights);
    parents.map(|(&parent, w)| w * path_sum(sem, from, parent)).sum()
}

#[test]
fn total_effects_are_path_sums() {
    for seed in 0..10 {
        let sem = Sem::linear(Dag::erdos_renyi(8, 1.5, seed), &LinearLaw::default(), seed);
        let effects = sem.total_effects().unwrap();
        for (k, effect) in effects.iter().enumerate() {
            let expected = path_sum(&sem, k % 8, k / 8);
            assert!((effect - expected).abs() < 1e-12 * expected.abs().max(1.0), "{effect} and {expected}");
        }
    }
}

/// Means and covariances of 20,000 rows against the closed form, in five regimes, three laws of noise and two kinds of
/// graphs. Entries are within 6 standard errors (Gaussian: 2·10⁻⁹ each; others by the central limit theorem), all 1,320
/// tests together fail once in some 10⁵ runs of new seeds.
#[test]
fn samples_have_the_analytic_moments() {
    let (n, d) = (20_000, 6);
    for (k, law) in [NoiseLaw::Gaussian, NoiseLaw::Uniform, NoiseLaw::Laplace].into_iter().enumerate() {
        for dag in [Dag::erdos_renyi(d, 1.2, k as u64), Dag::scale_free(d, 2, k as u64)] {
            let law = LinearLaw { noise: law, intercepts: [-1.0, 1.0], ..LinearLaw::default() };
            let sem = Sem::linear(dag, &law, k as u64);
            let soft = |node: usize| {
                let weights = vec![0.3; sem.dag().parents(node).len()];
                Intervention::Soft { node, equation: linear(&weights, 0.2, 0.4) }
            };
            let regimes: [&[Intervention]; 5] = [
                &[],
                &[Intervention::Hard { node: 1, value: 2.0 }],
                &[Intervention::Shift { node: 0, by: -1.5 }, Intervention::Scale { node: 3, factor: 2.0 }],
                &[soft(2)],
                &[Intervention::Randomized { node: 4, mean: 1.0, noise: gaussian(1.5) }],
            ];
            for regime in regimes {
                let sem = sem.intervene(regime).unwrap();
                let Moments { mean, covariance } = sem.moments().unwrap();
                let rows = sem.dataset(11, n);
                let rows = rows.as_slice::<f64>();
                for i in 0..d {
                    let found = rows.iter().skip(i).step_by(d).sum::<f64>() / n as f64;
                    let error = (covariance[i * d + i] / n as f64).sqrt();
                    assert!((found - mean[i]).abs() <= 6.0 * error + 1e-12, "{found} and {}", mean[i]);
                    for j in 0..d {
                        let products: Vec<f64> = rows.chunks(d).map(|x| (x[i] - mean[i]) * (x[j] - mean[j])).collect();
                        let found = products.iter().sum::<f64>() / n as f64;
                        let spread = products.iter().map(|p| (p - found) * (p - found)).sum::<f64>() / n as f64;
                        let error = (spread / n as f64).sqrt();
                        let expected = covariance[i * d + j];
                        assert!((found - expected).abs() <= 6.0 * error + 1e-12, "{found} and {expected}");
                    }
                }
            }
        }
    }
}

/// Rows of two regimes with one seed are counterfactuals of each other, for nonlinear models too.
#[test]
fn rows_of_regimes_are_twins() {
    for nonlinear in [false, true] {
        let dag = Dag::erdos_renyi(6, 1.5, 3);
        let law = LinearLaw { noise: NoiseLaw::Laplace, ..LinearLaw::default() };
        let sem = if nonlinear { Sem::nonlinear(dag, &law, 3) } else { Sem::linear(dag, &law, 3) };
        let changes = [
            Intervention::Hard { node: 2, value: 0.7 },
            Intervention::Shift { node: 4, by: 1.0 },
            Intervention::Scale { node: 0, factor: 0.5 },
        ];
        let regime = sem.intervene(&changes).unwrap();
        for index in 0..50 {
            let (row, twin) = (sem.sample(5, index), regime.sample(5, index));
            let counterfactual = sem.counterfactual(&row, &changes).unwrap();
            assert!(counterfactual.iter().zip(&twin).all(|(a, b)| (a - b).abs() < 1e-9), "{counterfactual:?} {twin:?}");
            // Nodes that are not below a changed one stay.
            for node in (0..6).filter(|&n| ![0, 2, 4].contains(&n)) {
                let below = [0, 2, 4].iter().any(|&c| sem.dag().is_ancestor(c, node));
                assert!(below || row[node] == twin[node]);
            }
        }
    }
}

#[test]
fn mechanisms_compute_their_formulas() {
    let quadratic =
        Mechanism::Quadratic { weights: vec![1.0, -2.0], products: vec![0.5, 1.0, 0.0, -1.0], intercept: 3.0 };
    // 3 + 2 − 2·3 + ½·4 + 2·3 − 9 = −2.
    assert_eq!(quadratic.value(&[2.0, 3.0]), -2.0);
    let network = Mechanism::Network {
        weights: vec![1.0, 0.0, 0.0, 1.0],
        biases: vec![0.0, 1.0],
        outputs: vec![2.0, -1.0],
        intercept: 0.25,
    };
    assert!((network.value(&[0.5, -0.5]) - (0.25 + 2.0 * 0.5f64.tanh() - 0.5f64.tanh())).abs() < 1e-15);
}

#[test]
fn random_graphs_follow_their_laws() {
    let (mut edges, mut hub) = (0, 0.0);
    for seed in 0..200 {
        let dag = Dag::erdos_renyi(10, 2.0, seed);
        edges += dag.edges().len();
        let place = |node: usize| dag.order().iter().position(|&n| n == node).unwrap();
        assert!(dag.edges().iter().all(|&(from, to)| place(from) < place(to)));
        let free = Dag::scale_free(30, 2, seed);
        assert!((0..30).all(|n| free.parents(n).len() <= 2) && free.edges().len() == 1 + 2 * 28);
        let children = |n: usize| free.edges().iter().filter(|e| e.0 == n).count();
        hub += (0..30).map(children).max().unwrap() as f64 / 200.0;
    }
    // 200·45 coins of probability 4/9: five standard deviations of 47.
    assert!((edges as f64 - 4000.0).abs() < 5.0 * 47.2, "{edges}");
    // A uniform choice of parents gives a largest number of children of 8.0 on average, this law 10.8 (simulated).
    assert!(hub > 9.0, "{hub}");
}

#[test]
fn standardized_models_have_unit_variances_and_the_same_correlations() {
    let sem = Sem::linear(Dag::erdos_renyi(7, 2.0, 5), &LinearLaw::default(), 5);
    let (before, after) = (sem.moments().unwrap(), sem.standardized().unwrap().moments().unwrap());
    for i in 0..7 {
        assert!((after.covariance[8 * i] - 1.0).abs() < 1e-12 && after.mean[i].abs() < 1e-12);
        for j in 0..7 {
            let scale = (before.covariance[8 * i] * before.covariance[8 * j]).sqrt();
            assert!((before.covariance[7 * i + j] / scale - after.covariance[7 * i + j]).abs() < 1e-12);
        }
    }
}

#[test]
fn mixings_are_inverted() {
    for mixing in [Mixing::leaky_relu(3, 10, 1).unwrap(), Mixing::quadratic(3, 10, 1).unwrap()] {
        for k in 0..20 {
            let z = [0.3 * f64::from(k) - 3.0, (1.7 * f64::from(k)).sin(), (0.9 * f64::from(k)).cos() * 2.0];
            let x = mixing.apply(&z);
            assert_eq!(x.len(), 10);
            let back = mixing.invert(&x);
            assert!(back.iter().zip(z).all(|(a, b)| (a - b).abs() < 1e-10), "{back:?} and {z:?}");
        }
        // Not linear: the image of a middle is not the middle of the images.
        let [a, b, m] = [[-2.0, 1.0, 0.5], [2.0, -1.0, 1.5], [0.0, 0.0, 1.0]].map(|z| mixing.apply(&z));
        assert!((0..10).any(|i| (0.5 * (a[i] + b[i]) - m[i]).abs() > 0.05));
    }
    assert!(
        Mixing::leaky_relu(3, 2, 0).is_err()
            && Mixing::quadratic(3, 8, 0).is_err()
            && Mixing::leaky_relu(0, 2, 0).is_err()
    );
}

#[test]
fn samples_depend_on_seed_and_index_alone() {
    let sem = Sem::nonlinear(Dag::erdos_renyi(5, 1.5, 1), &LinearLaw::default(), 1);
    let set = sem.dataset(2, 50);
    let one_thread = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    assert_eq!(one_thread.install(|| sem.dataset(2, 50)), set);
    for index in (0..50).rev() {
        assert_eq!(sem.sample(2, index as u64), set.as_slice::<f64>()[index * 5..][..5]);
    }
    assert_ne!(sem.dataset(3, 50), set);
}

#[test]
fn impossible_models_are_errors() {
    assert!(Dag::from_edges(3, &[(0, 1), (1, 2), (2, 0)]).unwrap_err().to_string().contains("cycle"));
    assert!(Dag::from_edges(2, &[(0, 2)]).unwrap_err().to_string().contains("0 → 2"));
    let dag = Dag::from_edges(2, &[(0, 1)]).unwrap();
    assert!(Sem::new(dag.clone(), vec![linear(&[], 0.0, 1.0)]).is_err());
    assert!(Sem::new(dag.clone(), vec![linear(&[], 0.0, 1.0), linear(&[], 0.0, 1.0)]).is_err());
    assert!(Sem::new(dag.clone(), vec![linear(&[], 0.0, -1.0), linear(&[1.0], 0.0, 1.0)]).is_err());
    let sem = Sem::nonlinear(dag, &LinearLaw::default(), 0);
    assert!(sem.moments().unwrap_err().to_string().contains("node 1 is not linear"));
    assert!(sem.intervene(&[Intervention::Hard { node: 2, value: 0.0 }]).is_err());
    assert!(sem.intervene(&[Intervention::Scale { node: 0, factor: -1.0 }]).is_err());
    assert!(sem.counterfactual(&[0.0], &[]).is_err());
}
