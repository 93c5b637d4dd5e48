//! The `mixtures` world against quadrature, finite differences and sampling.

use perturb_data::worlds::mixtures::*;

fn named() -> Vec<(&'static str, Box<dyn Density>)> {
    let general = GaussianMixture::new(&[
        (1.0, vec![0.5, -0.5], vec![0.5, 0.2, 0.2, 0.3]),
        (2.0, vec![-1.0, 0.3], vec![0.2, -0.05, -0.05, 0.1]),
    ]);
    vec![
        ("gmm8", Box::new(gmm8())),
        ("gmm25", Box::new(gmm25())),
        ("checkerboard", Box::new(Checkerboard::default())),
        ("moons", Box::new(moons())),
        ("swiss_roll", Box::new(swiss_roll())),
        ("rings", Box::new(rings())),
        ("spiral", Box::new(spiral())),
        ("general", Box::new(general.unwrap())),
    ]
}

/// The trapezoidal rule converges faster than any power of the step for smooth functions that vanish at the border.
fn integrate(density: &dyn Density, sigma: f64, step: f64, f: impl Fn(&[f64], f64) -> f64) -> f64 {
    let reach = 5.0 + 8.0 * sigma;
    let n = (2.0 * reach / step) as i64;
    let at = |i: i64| -reach + step * i as f64;
    let column = |i: i64| -> f64 {
        let value = |j: i64| {
            let x = [at(i), at(j)];
            f(&x, density.log_prob(&x, sigma).exp())
        };
        (0..=n).map(value).sum()
    };
    (0..=n).map(column).sum::<f64>() * step * step
}

#[test]
fn densities_integrate_to_one() {
    for (name, density) in named() {
        // Noised, the checkerboard is smooth too; without noise it is an indicator, whose area is exact below.
        let sigma = if name == "checkerboard" { 0.1 } else { 0.0 };
        let total = integrate(&*density, sigma, 0.08, |_, p| p);
        assert!((total - 1.0).abs() < 1e-6, "{name}: {total}");
        let mean = integrate(&*density, 0.5, 0.25, |x, p| x[0] * p);
        let samples = density.dataset(1, 20_000);
        let sampled: f64 = samples.points.as_slice::<f64>().iter().step_by(2).sum::<f64>() / 20_000.0;
        // Standard deviations are below 3: five standard errors, one failure in a million.
        assert!((mean - sampled).abs() < 5.0 * 3.0 / 141.0, "{name}: {mean} and {sampled}");
    }
    let board = Checkerboard::default();
    let inside = (0..400 * 400).filter(|k| {
        let x = [(k % 400) as f64 / 80.0 - 2.5 + 1e-3, (k / 400) as f64 / 80.0 - 2.5 + 1e-3];
        board.log_prob(&x, 0.0) == -(8.0f64.ln())
    });
    assert_eq!(inside.count(), 8 * 80 * 80);
}

#[test]
fn scores_are_gradients() {
    for (name, density) in named() {
        for sigma in [0.0, 0.05, 0.3, 2.0] {
            if sigma == 0.0 && name == "checkerboard" {
                continue;
            }
            for k in 0..40u64 {
                let (mut x, _) = density.sample(2, k);
                // Also away from the samples, into the tails.
                let spread = 1.0 + 0.1 * (k % 5) as f64;
                x.iter_mut().for_each(|v| *v *= spread);
                let mut score = [0.0; 2];
                density.score(&x, sigma, &mut score);
                for i in 0..2 {
                    let h = 1e-5;
                    let at = |step: f64| {
                        let mut moved = x.clone();
                        moved[i] += step;
                        density.log_prob(&moved, sigma)
                    };
                    // Fourth order: error h⁴ times the fifth derivative, at most (1/0.08)⁵ here.
                    let slope = (8.0 * (at(h) - at(-h)) - (at(2.0 * h) - at(-2.0 * h))) / (12.0 * h);
                    let size = score[i].abs().max(1.0);
                    assert!((slope - score[i]).abs() < 1e-6 * size, "{name}, σ = {sigma}: {slope} and {}", score[i]);
                }
            }
        }
    }
}

/// The noised density is the density convolved with a Gaussian: by quadrature over the noise.
#[test]
fn noised_densities_are_convolutions() {
    for (name, density) in named().into_iter().filter(|d| d.0 != "checkerboard") {
        let sigma = 0.2;
        for k in 0..3 {
            let (x, _) = density.sample(3, k);
            let (step, n) = (0.04, 30i32);
            let mut sum = 0.0;
            for i in -n..=n {
                for j in -n..=n {
                    let e = [f64::from(i) * step, f64::from(j) * step];
                    let kernel = (-(e[0] * e[0] + e[1] * e[1]) / (2.0 * sigma * sigma)).exp();
                    sum += kernel * density.log_prob(&[x[0] - e[0], x[1] - e[1]], 0.0).exp();
                }
            }
            let expected = sum * step * step / (std::f64::consts::TAU * sigma * sigma);
            let found = density.log_prob(&x, sigma).exp();
            // Six standard deviations of the kernel are left out.
            assert!((found / expected - 1.0).abs() < 1e-6, "{name}: {found} and {expected}");
        }
    }
    // The checkerboard's kernel is integrated over squares by the same rule with the midpoints of fine cells.
    let (board, sigma, x, n) = (Checkerboard::default(), 0.3, [0.2, -0.6], 2000);
    let mut sum = 0.0;
    for k in 0..n * n {
        let y = [(k % n) as f64 + 0.5, (k / n) as f64 + 0.5].map(|v| 4.0 * v / n as f64 - 2.0);
        let square = (x[0] - y[0]).powi(2) + (x[1] - y[1]).powi(2);
        sum += board.log_prob(&y, 0.0).exp() * (-square / (2.0 * sigma * sigma)).exp();
    }
    let expected = sum * (4.0 / n as f64).powi(2) / (std::f64::consts::TAU * sigma * sigma);
    let found = board.log_prob(&x, sigma).exp();
    assert!((found / expected - 1.0).abs() < 1e-5, "{found} and {expected}");
}

/// Tweedie's formula for one Gaussian is the conjugate posterior mean, and for one component of unequal variances the
/// closed form −(Σ + σ²I)⁻¹(x − μ).
#[test]
fn one_gaussian_is_the_textbook() {
    let one = GaussianMixture::new(&[(3.0, vec![1.0, 2.0], vec![2.0, 0.6, 0.6, 1.0])]).unwrap();
    let (x, sigma) = ([0.3, -0.4], 0.7f64);
    let (a, b, c) = (2.0 + sigma * sigma, 0.6, 1.0 + sigma * sigma);
    let determinant: f64 = a * c - b * b;
    let (dx, dy) = (x[0] - 1.0, x[1] - 2.0);
    let expected = [-(c * dx - b * dy) / determinant, -(a * dy - b * dx) / determinant];
    let mut score = [0.0; 2];
    one.score(&x, sigma, &mut score);
    assert!((score[0] - expected[0]).abs() < 1e-13 && (score[1] - expected[1]).abs() < 1e-13);
    let quadratic = -(dx * expected[0] + dy * expected[1]);
    let log_prob = -0.5 * (quadratic + determinant.ln()) - std::f64::consts::TAU.ln();
    assert!((one.log_prob(&x, sigma) - log_prob).abs() < 1e-13);
}

/// Covariance of 40,000 samples against that of the law: each entry within five standard errors.
#[test]
fn samples_have_the_moments_of_the_law() {
    let covariance = vec![1.0, 0.5, -0.2, 0.5, 2.0, 0.1, -0.2, 0.1, 0.5];
    let law = GaussianMixture::new(&[(1.0, vec![1.0, 0.0, -1.0], covariance.clone())]).unwrap();
    let n = 40_000;
    let points = law.dataset(4, n).points;
    let points = points.as_slice::<f64>();
    let mean: Vec<f64> = (0..3).map(|i| points.iter().skip(i).step_by(3).sum::<f64>() / n as f64).collect();
    for i in 0..3 {
        for j in 0..3 {
            let products = points.chunks(3).map(|x| (x[i] - mean[i]) * (x[j] - mean[j]));
            let found = products.sum::<f64>() / n as f64;
            let (s, vi, vj) = (covariance[3 * i + j], covariance[4 * i], covariance[4 * j]);
            let error = ((vi * vj + s * s) / n as f64).sqrt();
            assert!((found - s).abs() < 5.0 * error, "{found} instead of {s}");
        }
    }
}

/// Classes are drawn as the posterior says: the mean posterior over samples is the share of each class, and the class
/// that a sample states is the one whose component made it.
#[test]
fn classes_agree_with_posteriors() {
    for (name, density) in named() {
        let points = density.dataset(5, 4000);
        let mut shares = vec![0.0; density.classes()];
        let mut hits = 0.0;
        for (x, &class) in points.points.as_slice::<f64>().chunks(2).zip(&points.classes) {
            let mut posterior = vec![0.0; density.classes()];
            density.posterior(x, 0.0, &mut posterior);
            assert!((posterior.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            shares.iter_mut().zip(&posterior).for_each(|(s, p)| *s += p / 4000.0);
            hits += posterior[class];
        }
        for (class, share) in shares.iter().enumerate() {
            let drawn = points.classes.iter().filter(|&&c| c == class).count() as f64 / 4000.0;
            assert!((drawn - share).abs() < 5.0 * 0.5 / 63.0, "{name}: {drawn} and {share}");
        }
        // Named mixtures have separate classes; the general one overlaps.
        assert!(name == "general" || hits > 0.9 * 4000.0, "{name}: {hits}");
    }
}

#[test]
fn samples_depend_on_seed_and_index_alone() {
    let density = gmm25();
    let set = density.dataset(6, 100);
    let one_thread = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    assert_eq!(one_thread.install(|| density.dataset(6, 100)), set);
    for index in (0..100).rev() {
        let (x, class) = density.sample(6, index as u64);
        assert_eq!((&x[..], class), (&set.points.as_slice::<f64>()[2 * index..][..2], set.classes[index]));
    }
    assert_ne!(density.dataset(7, 100), set);
}

#[test]
fn impossible_mixtures_are_errors() {
    for (components, part) in [
        (vec![], "components"),
        (vec![(0.0, vec![0.0], vec![1.0])], "weight"),
        (vec![(1.0, vec![], vec![])], "mean"),
        (vec![(1.0, vec![0.0, 1.0], vec![1.0])], "mean"),
        (vec![(1.0, vec![0.0; 2], vec![1.0, 0.5, 0.4, 1.0])], "covariance"),
        (vec![(1.0, vec![0.0; 2], vec![1.0, 2.0, 2.0, 1.0])], "covariance"),
        (vec![(1.0, vec![0.0], vec![f64::NAN])], "covariance"),
    ] {
        let message = GaussianMixture::new(&components).unwrap_err().to_string();
        assert!(message.starts_with(&format!("mixtures: {part} is")), "{message}");
    }
}
