//! Corruptions against the authors' formulas run with their libraries (scikit-image, OpenCV, SciPy, PIL), and against
//! the statistics that define them.

use crate::{close, distance, pattern, probes};
use perturb_data::augment::Augmentation;
use perturb_data::corrupt::{Corrupt, Corruption, Profile, Severity};
use perturb_data::worlds::Shapes;
use perturb_data::{DataError, Image};
use perturb_graph::Tensor;

fn corrupt(image: &Image, corruption: Corruption, level: u8, profile: Profile, seed: u64) -> Image {
    let corrupt = Corrupt { corruption, severity: Severity::new(level).unwrap(), profile };
    Image::from_tensor(&corrupt.image(&image.clone().into_tensor(), seed, 0).unwrap()).unwrap()
}

#[test]
fn the_authors_numbers() {
    use Corruption::*;
    use Profile::*;
    let cases = [
        (DefocusBlur, 1, ImageNet, [0.396729, 0.567010, 0.451831, 0.670814, 0.498045]),
        (DefocusBlur, 5, ImageNet, [0.517800, 0.520942, 0.505905, 0.513478, 0.515299]),
        (ZoomBlur, 1, ImageNet, [0.049167, 0.623410, 0.620744, 0.624733, 0.394350]),
        (ZoomBlur, 5, ImageNet, [0.368557, 0.600177, 0.463204, 0.407806, 0.468312]),
        (ZoomBlur, 3, Cifar10, [0.112796, 0.638048, 0.575885, 0.591907, 0.396432]),
        (Brightness, 1, ImageNet, [0.000000, 0.664605, 1.000000, 0.220552, 0.244444]),
        (Brightness, 5, ImageNet, [0.000000, 0.666667, 1.000000, 0.246753, 0.244444]),
        (Contrast, 1, ImageNet, [0.299946, 0.544545, 0.693170, 0.378297, 0.396091]),
        (Contrast, 5, ImageNet, [0.474915, 0.513398, 0.526213, 0.484709, 0.494842]),
        (Pixelate, 1, ImageNet, [0.131443, 0.592784, 0.502577, 0.672680, 0.610825]),
        (Pixelate, 5, ImageNet, [0.395619, 0.540593, 0.505799, 0.519330, 0.485180]),
    ];
    for (corruption, level, profile, expected) in cases {
        let found = corrupt(&pattern(24, 24), corruption, level, profile, 0);
        close(&format!("{corruption} {level}"), probes(&found), expected, 2e-5);
    }
}

/// Mean and standard deviation of the values.
fn moments(image: &Image) -> (f64, f64) {
    let count = image.values().len() as f64;
    let mean = image.values().iter().map(|&v| f64::from(v)).sum::<f64>() / count;
    let variance = image.values().iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / count;
    (mean, variance.sqrt())
}

#[test]
fn levels_of_noise() {
    let grey = Image::new(3, 100, 100, vec![0.5; 30_000]).unwrap();
    for (level, deviation) in [(1, 0.04), (3, 0.08), (5, 0.10)] {
        let (mean, found) = moments(&corrupt(&grey, Corruption::GaussianNoise, level, Profile::Cifar10, 1));
        // The estimate of a deviation from 30,000 values errs by 0.4 %; clipping at five deviations is nothing.
        assert!((mean - 0.5).abs() < 0.003 && (found / deviation - 1.0).abs() < 0.02, "{level}: {mean} {found}");
    }
    for (level, photons) in [(1, 500.0), (5, 50.0)] {
        let (mean, found) = moments(&corrupt(&grey, Corruption::ShotNoise, level, Profile::Cifar10, 1));
        // Poisson: the variance of k/photons is 0.5/photons.
        let deviation = (0.5f64 / photons).sqrt();
        assert!((mean - 0.5).abs() < 0.003 && (found / deviation - 1.0).abs() < 0.02, "{level}: {mean} {found}");
    }
    for (level, amount) in [(1, 0.03), (3, 0.09), (5, 0.27)] {
        let noisy = corrupt(&grey, Corruption::ImpulseNoise, level, Profile::ImageNet, 1);
        let count = |value: f32| noisy.values().iter().filter(|&&v| v == value).count() as f64 / 30_000.0;
        let tolerance = 5.0 * (amount / 2.0 / 30_000f64).sqrt();
        assert!((count(0.0) - amount / 2.0).abs() < tolerance && (count(1.0) - amount / 2.0).abs() < tolerance);
        assert_eq!(count(0.0) + count(1.0) + count(0.5), 1.0);
    }
    let black = Image::new(1, 4, 4, vec![0.0; 16]).unwrap();
    assert_eq!(corrupt(&black, Corruption::ShotNoise, 5, Profile::ImageNet, 0), black);
}

/// Motion blur's kernel: on a single bright pixel it shows the weights exp(−i²/2σ²) on a line, and they add up to 1.
#[test]
fn motion_of_a_point() {
    let mut values = vec![0.0; 41 * 41];
    values[20 * 41 + 20] = 1.0;
    let point = Image::new(1, 41, 41, values).unwrap();
    let blurred = corrupt(&point, Corruption::MotionBlur, 1, Profile::Cifar10, 3);
    let total: f32 = blurred.values().iter().sum();
    assert!((total - 1.0).abs() < 1e-5);
    let mut weights: Vec<f32> = blurred.values().iter().copied().filter(|v| *v > 1e-5).collect();
    weights.sort_by(|a, b| b.total_cmp(a));
    for (i, ratio) in [(1, -0.5f32), (2, -2.0), (3, -4.5)] {
        assert!((weights[i] / weights[0] - ratio.exp()).abs() < 1e-4, "{weights:?}");
    }
}

#[test]
fn fog_and_frost_keep_their_formula() {
    let black = Image::new(1, 32, 32, vec![0.0; 1024]).unwrap();
    // A black image has no range to return to.
    assert_eq!(corrupt(&black, Corruption::Fog, 3, Profile::Cifar10, 0), black);
    let white = Image::new(1, 32, 32, vec![1.0; 1024]).unwrap();
    let fog = corrupt(&white, Corruption::Fog, 5, Profile::Cifar10, 0);
    let (low, high) = fog.values().iter().fold((1.0f32, 0.0f32), |(l, h), &v| (l.min(v), h.max(v)));
    // (1 + 1.5·p)/(1 + 1.5) with p from 0 to 1.
    assert!((low - 0.4).abs() < 1e-6 && (high - 1.0).abs() < 1e-6, "{low} {high}");
    let frost = corrupt(&black, Corruption::Frost, 1, Profile::Cifar10, 0);
    assert!(frost.values().iter().all(|v| (0.0..=0.2 + 1e-6).contains(v)));
    // The texture has the mean of one of the authors' photos, up to clipping.
    let mean = moments(&frost).0 / 0.2;
    assert!((0.47..0.82).contains(&mean), "{mean}");
}

#[test]
fn jpeg_against_its_quality() {
    let smooth: Vec<f32> = (0..64 * 64).map(|i| (i % 64 + i / 64) as f32 / 126.0).collect();
    let image = Image::new(1, 64, 64, smooth).unwrap();
    let error =
        |level| distance(&image, &corrupt(&image, Corruption::JpegCompression, level, Profile::Cifar10, 0)).sqrt();
    // Quality 80 reproduces a ramp to a level or two of 255, quality 40 worse.
    assert!(error(1) < 0.008 && error(1) < error(5), "{} {}", error(1), error(5));
}

/// The farther up the scale, the farther from the clean image, on average over 24 images.
#[test]
fn severities_are_ordered() {
    let images = Shapes { size: 64, noise: 0.0 }.dataset(1, 24).images;
    let indices: Vec<u64> = (0..24).collect();
    for profile in [Profile::Cifar10, Profile::ImageNet] {
        for corruption in Corruption::ALL {
            let distances: Vec<f64> = Severity::ALL
                .iter()
                .map(|&severity| {
                    let out = Corrupt { corruption, severity, profile }.batch(&images, 2, &indices).unwrap();
                    let squares = out.as_slice::<f32>().iter().zip(images.as_slice::<f32>());
                    squares.map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>() / images.count() as f64
                })
                .collect();
            // The published parameters of these do not grow in one way, so neighbours may change places.
            let loose = matches!(
                corruption,
                Corruption::ElasticTransform | Corruption::GlassBlur | Corruption::Frost | Corruption::Fog
            );
            // CIFAR-10's motion blurs 3 and 4 differ only in weights below 1e−7.
            let ordered = distances.windows(2).all(|w| w[0] <= w[1] || loose);
            assert!(ordered && distances[0] > 1e-6, "{corruption} {profile:?} {distances:?}");
            if corruption != Corruption::ElasticTransform {
                assert!(distances[0] < distances[4], "{corruption} {profile:?} {distances:?}");
            }
        }
    }
}

#[test]
fn every_size_and_channel() {
    for shape in [[1, 1, 1, 1], [1, 3, 1, 9], [1, 3, 7, 5], [1, 1, 28, 28], [1, 3, 70, 40]] {
        let images = Tensor::full(shape, 0.6f32);
        for corruption in Corruption::ALL {
            for profile in [Profile::Cifar10, Profile::ImageNet] {
                let severity = Severity::new(5).unwrap();
                let out = Corrupt { corruption, severity, profile }.batch(&images, 0, &[7]).unwrap();
                assert_eq!(out.shape(), images.shape());
                assert!(out.as_slice::<f32>().iter().all(|v| (0.0..=1.0).contains(v)), "{corruption} {shape:?}");
            }
        }
    }
}

#[test]
fn names_and_severities() {
    for corruption in Corruption::ALL {
        assert_eq!(Corruption::from_name(corruption.name()), Some(corruption));
    }
    assert!(matches!(Severity::new(6), Err(DataError::Severity(6))));
    assert_eq!((Profile::for_size(32, 32), Profile::for_size(224, 224)), (Profile::Cifar10, Profile::ImageNet));
}
