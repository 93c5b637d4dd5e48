//! Samplers with exact denoisers, in f64: closed forms of what they must give.

use perturb_data::worlds::mixtures::{Density, GaussianMixture, gmm8};
use perturb_engine::{Executable, Options};
use perturb_generate::sampler::gaussian_variance;
use perturb_generate::{
    At, Ddim, Ddpm, Denoiser, DpmPp2m, Level, Mixture, NoiseSchedule, Sampler, Spacing, Variance, Weights, sample,
};
use perturb_graph::{DType, Expr, Tensor, eval};
use perturb_nn::Key;

fn gaussian(variance: f64) -> Mixture {
    Mixture::new(&[(1.0, vec![0.0], vec![variance])]).unwrap()
}

fn run(outputs: &[Expr]) -> Vec<Vec<f64>> {
    let executable = Executable::compile(outputs, &[], &Options::default()).unwrap();
    executable.run(&[]).unwrap().iter().map(Tensor::to_f64_vec).collect()
}

#[test]
fn the_exact_denoiser_is_that_of_the_density() {
    let components = [
        (0.2, vec![0.5, -1.0], vec![0.3, 0.05]),
        (0.5, vec![-0.7, 0.1], vec![0.02, 0.4]),
        (0.3, vec![0.0, 1.2], vec![0.1, 0.1]),
    ];
    let full = components.clone().map(|(w, m, v)| (w, m, vec![v[0], 0.0, 0.0, v[1]]));
    let density = GaussianMixture::new(&full).unwrap();
    let points = [[0.3, 0.2], [-1.5, 0.9], [4.0, -3.0]];
    for (t, gamma) in [(1, 0.0), (300, 0.0), (1000, 0.0), (300, 0.4)] {
        let level = NoiseSchedule::linear().level(t);
        let x = Expr::constant(Tensor::new([3, 2], points.concat()).unwrap());
        let each = |v: f64| Expr::constant(Tensor::new([3], vec![v; 3]).unwrap());
        let at = At { time: each(level.time), alpha: each(level.alpha), sigma: each(level.sigma) };
        let exact = Mixture::new(&components).unwrap().perturbed(gamma);
        let found = eval(&[exact.predict(&x, &at)], &[]).unwrap()[0].to_f64_vec();
        for (point, found) in points.iter().zip(found.chunks(2)) {
            // E[ε | x] = −σ·∇log p_t(x), and p_t(x) is the density at x/α with noise σ·√(1 + γ²)/α.
            let scaled = point.map(|v| v / level.alpha);
            let mut score = [0.0; 2];
            density.score(&scaled, level.sigma * (1.0 + gamma * gamma).sqrt() / level.alpha, &mut score);
            for (found, score) in found.iter().zip(score) {
                let expected = -level.sigma * score / level.alpha;
                assert!((found - expected).abs() < 1e-10 * expected.abs().max(1.0), "{found}, not {expected}");
            }
        }
    }
}

/// On N(0, s²) the probability flow keeps x in proportion to √(α²s² + σ²), so that the error of a chain without noise
/// between two interior times is known.
#[test]
fn orders_of_convergence() {
    let (from, to, variance): (f64, f64, f64) = (0.95, 0.3, 0.25);
    // Equal steps of λ for σ from 0.95 to 0.3.
    let level = |lambda: f64| {
        let alpha = (1.0 / (1.0 + (-2.0 * lambda).exp())).sqrt();
        Level { time: 0.0, alpha, sigma: (1.0 - alpha * alpha).sqrt() }
    };
    let lambda = |sigma: f64| ((1.0 - sigma * sigma).sqrt() / sigma).ln();
    let (start, end) = (lambda(from), lambda(to));
    let spread = |l: Level| (l.alpha.powi(2) * variance + l.sigma.powi(2)).sqrt();
    let exact = spread(level(end)) / spread(level(start));
    let error = |sampler: &dyn Sampler, n: usize| {
        let levels: Vec<Level> = (0..=n).map(|i| level(start + (end - start) * i as f64 / n as f64)).collect();
        let one = Expr::constant(Tensor::new([1, 1], vec![1.0]).unwrap());
        let chain = sample(&gaussian(variance), sampler, &levels, &one, &Key::constant(0, 0)).unwrap();
        (eval(&[chain.samples], &[]).unwrap()[0].to_f64_vec()[0] - exact).abs()
    };
    for (sampler, order) in [(&Ddim::default() as &dyn Sampler, 1.0), (&DpmPp2m, 2.0)] {
        let (coarse, fine) = (error(sampler, 40), error(sampler, 80));
        let found = (coarse / fine).log2();
        assert!((found - order).abs() < 0.15, "order {found}, not {order}");
    }
}

#[test]
fn variances_of_chains_are_those_of_the_recursion() {
    const CHAINS: usize = 40_000;
    let schedule = NoiseSchedule::linear();
    let levels = schedule.levels(20, Spacing::Trailing).unwrap();
    let samplers: [&dyn Sampler; 5] =
        [&Ddpm::default(), &Ddpm { variance: Variance::Large }, &Ddim::default(), &Ddim { eta: 0.5 }, &DpmPp2m];
    for (i, sampler) in samplers.into_iter().enumerate() {
        for gamma in [0.0, 0.5] {
            let key = Key::constant(3, i as u64);
            let start = key.fold(0).normal([CHAINS, 1], DType::F64);
            let chain = sample(&gaussian(0.5).perturbed(gamma), sampler, &levels, &start, &key.fold(1)).unwrap();
            let values = run(&[chain.samples]).remove(0);
            let found = values.iter().map(|x| x * x).sum::<f64>() / CHAINS as f64;
            let expected = gaussian_variance(sampler, &levels, 0.5, gamma).unwrap();
            // Four standard errors of a variance of so many.
            let allowed = 4.0 * expected * (2.0 / CHAINS as f64).sqrt();
            assert!((found - expected).abs() < allowed, "{i}: {found}, not {expected}");
        }
    }
    // With all times there is little that a chain can get wrong.
    let all = schedule.levels(1000, Spacing::Trailing).unwrap();
    assert!((gaussian_variance(&Ddpm::default(), &all, 0.5, 0.0).unwrap() - 0.5).abs() < 0.01);
    // The published schedule at 100 steps, standard normal data: 0.9216.
    let hundred = schedule.levels(100, Spacing::Trailing).unwrap();
    assert!((gaussian_variance(&Ddpm::default(), &hundred, 1.0, 0.0).unwrap() - 0.9216).abs() < 5e-5);
}

/// A chain on Gaussian data is linear in its start and in each step's noise: the graph's answers to units of each of them
/// add up to the variance of the recursion.
#[test]
fn the_recursion_is_exact() {
    struct Silent<'a>(&'a dyn Sampler);
    impl Sampler for Silent<'_> {
        fn weights(&self, levels: &[Level]) -> perturb_generate::Result<Vec<Weights>> {
            Ok(self.0.weights(levels)?.into_iter().map(|w| Weights { noise: 0.0, ..w }).collect())
        }
    }
    let levels = NoiseSchedule::linear().levels(50, Spacing::Leading).unwrap();
    let one = Expr::constant(Tensor::new([1, 1], vec![1.0]).unwrap());
    for sampler in [&Ddpm::default() as &dyn Sampler, &Ddim { eta: 0.7 }] {
        for gamma in [0.0, 0.1, 0.5] {
            let denoiser = gaussian(0.7).perturbed(gamma);
            // What is left at the end of a unit at level i.
            let left = |i: usize| match &levels[i..] {
                [_] => 1.0,
                rest => {
                    run(&[sample(&denoiser, &Silent(sampler), rest, &one, &Key::constant(0, 0)).unwrap().samples])[0][0]
                }
            };
            let weights = sampler.weights(&levels).unwrap();
            let noise: f64 = weights.iter().enumerate().map(|(i, w)| (w.noise * left(i + 1)).powi(2)).sum();
            let found = gaussian_variance(sampler, &levels, 0.7, gamma).unwrap();
            let expected = left(0).powi(2) + noise;
            assert!((found - expected).abs() < 1e-10, "{found}, not {expected}");
        }
    }
}

#[test]
fn ddim_with_all_noise_is_ddpm() {
    let levels = NoiseSchedule::cosine(50).unwrap().levels(10, Spacing::Leading).unwrap();
    let [a, b] = [Ddpm::default().weights(&levels).unwrap(), Ddim { eta: 1.0 }.weights(&levels).unwrap()];
    for (a, b) in a.iter().zip(&b) {
        let pairs = [(a.current, b.current), (a.denoised, b.denoised), (a.noise, b.noise)];
        assert!(pairs.iter().all(|(a, b)| (a - b).abs() < 1e-12), "{a:?} {b:?}");
    }
}

/// Eight modes of deviation 0.15: the sampler must find all of them equally often, and their width.
#[test]
fn a_mixture_is_reproduced() {
    const CHAINS: usize = 4000;
    let density = gmm8();
    let modes: Vec<(f64, Vec<f64>, Vec<f64>)> =
        (0..8).map(|k| (1.0, density.mean(k).to_vec(), vec![0.15 * 0.15; 2])).collect();
    let levels = NoiseSchedule::linear().levels(200, Spacing::Trailing).unwrap();
    let key = Key::constant(11, 0);
    let start = key.fold(0).normal([CHAINS, 2], DType::F64);
    let chain = sample(&Mixture::new(&modes).unwrap(), &Ddpm::default(), &levels, &start, &key.fold(1)).unwrap();
    let points = run(&[chain.samples]).remove(0);
    let (mut counts, mut squares) = ([0.0; 8], 0.0);
    for point in points.chunks(2) {
        let distance = |k: usize| {
            let mean = density.mean(k);
            (point[0] - mean[0]).powi(2) + (point[1] - mean[1]).powi(2)
        };
        let nearest = (0..8).min_by(|a, b| distance(*a).total_cmp(&distance(*b))).unwrap();
        counts[nearest] += 1.0;
        squares += distance(nearest);
    }
    // χ² with 7 degrees of freedom exceeds 24.3 once in a thousand.
    let expected = CHAINS as f64 / 8.0;
    let chi2: f64 = counts.iter().map(|c| (c - expected).powi(2) / expected).sum();
    assert!(chi2 < 24.3, "{counts:?}");
    let deviation = (squares / (2.0 * CHAINS as f64)).sqrt();
    // One mode alone at the same place tells what so many steps make of its width.
    let alone = gaussian_variance(&Ddpm::default(), &levels, 0.15 * 0.15, 0.0).unwrap().sqrt();
    assert!((deviation / alone - 1.0).abs() < 0.04, "{deviation}, not {alone}");
}

#[test]
fn what_makes_no_sense_is_refused() {
    let schedule = NoiseSchedule::linear();
    let levels = schedule.levels(5, Spacing::Trailing).unwrap();
    let start = Expr::input("x", [2, 1], DType::F32);
    let key = Key::constant(0, 0);
    let rising: Vec<Level> = levels.iter().rev().copied().collect();
    for levels in [&levels[..1], &rising[..]] {
        assert!(sample(&gaussian(1.0), &Ddpm::default(), levels, &start, &key).is_err());
        assert!(gaussian_variance(&Ddpm::default(), levels, 1.0, 0.0).is_err());
    }
    assert!(gaussian_variance(&Ddpm::default(), &levels, 0.0, 0.0).is_err());
    assert!(Ddim { eta: 1.5 }.weights(&levels).is_err() && Ddim { eta: f64::NAN }.weights(&levels).is_err());
    let good = (1.0, vec![0.0], vec![1.0]);
    assert!(Mixture::new(&[]).is_err());
    for bad in [(0.0, vec![0.0], vec![1.0]), (1.0, vec![0.0], vec![0.0]), (1.0, vec![0.0, 1.0], vec![1.0, 1.0])] {
        assert!(Mixture::new(&[good.clone(), bad.clone()]).is_err(), "{bad:?}");
    }
}
