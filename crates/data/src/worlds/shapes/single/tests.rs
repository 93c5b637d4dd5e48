//! The world against closed forms and brute force.

use super::*;

/// The mask is the set of pixel centres inside the figure, and its area that of the figure, whose closed form is known.
#[test]
fn masks_have_the_area_of_the_figure() {
    let world = Shapes { size: 256, noise: 0.0 };
    let mut seen = [false; 6];
    for index in 0..60 {
        let sample = world.sample(11, index);
        let area: f32 = sample.mask.as_slice::<f32>().iter().sum();
        let (radius, inner, arm) = (256.0 * sample.factors.size, ShapeKind::RING_INNER, ShapeKind::CROSS_ARM);
        let unit = match sample.factors.shape {
            ShapeKind::Circle => TAU / 2.0,
            ShapeKind::Ring => TAU / 2.0 * (1.0 - inner * inner),
            ShapeKind::Square => 2.0,
            ShapeKind::Triangle => 0.75 * 3.0f32.sqrt(),
            ShapeKind::Star => 5.0 * ShapeKind::STAR_INNER * (TAU / 10.0).sin(),
            ShapeKind::Cross => 8.0 * arm * (1.0 - arm * arm).sqrt() - 4.0 * arm * arm,
            ShapeKind::Heart | ShapeKind::Creature => unreachable!("not a figure of this world"),
        };
        let expected = unit * radius * radius;
        assert!((area / expected - 1.0).abs() < 0.01, "{:?}: {area} instead of {expected}", sample.factors.shape);
        seen[sample.label] = true;
    }
    assert_eq!(seen, [true; 6]);
}

/// Brute force: every pixel sampled at 16×16 points. The image without noise is the exact mixture up to the error of
/// the antialiasing, and the mask is right wherever coverage is not close to one half.
#[test]
fn pixels_equal_supersampled_coverage() {
    let world = Shapes { size: 32, noise: 0.0 };
    for index in 0..24 {
        let Sample { mask, factors: f, .. } = world.sample(3, index);
        let outline = Outline::new(f.shape, [f.x * 32.0, f.y * 32.0], f.size * 32.0, f.rotation, 0);
        let mut total_error = 0.0;
        for (i, &mask) in mask.as_slice::<f32>().iter().enumerate() {
            let (column, row) = ((i % 32) as f32, (i / 32) as f32);
            let at = |k: usize| [column + ((k % 16) as f32 + 0.5) / 16.0, row + ((k / 16) as f32 + 0.5) / 16.0];
            let covered = (0..256).filter(|&k| outline.signed_distance(at(k)) <= 0.0).count() as f32 / 256.0;
            let coverage = (0.5 - outline.signed_distance([column + 0.5, row + 0.5])).clamp(0.0, 1.0);
            assert!((covered - coverage).abs() < 0.45, "{:?}", f.shape);
            assert!(
                (covered - 0.5).abs() < 0.25 || (covered > 0.5) == (mask == 1.0),
                "{:?} covered {covered}",
                f.shape
            );
            total_error += covered - coverage;
        }
        let area: f32 = mask.as_slice::<f32>().iter().sum();
        assert!(total_error.abs() < 0.03 * area, "{:?}: area off by {total_error} of {area}", f.shape);
    }
}

#[test]
fn foreground_and_background_have_their_colours() {
    let world = Shapes { size: 64, noise: 0.0 };
    for index in 0..50 {
        let Sample { image, mask, factors, .. } = world.sample(1, index);
        let (image, mask) = (image.as_slice::<f32>(), mask.as_slice::<f32>());
        let brightest = |i: usize| image[i].max(image[4096 + i]).max(image[8192 + i]);
        let outline =
            Outline::new(factors.shape, [factors.x * 64.0, factors.y * 64.0], factors.size * 64.0, factors.rotation, 0);
        for (i, &mask) in mask.iter().enumerate() {
            let distance = outline.signed_distance([(i % 64) as f32 + 0.5, (i / 64) as f32 + 0.5]);
            if distance < -0.5 {
                assert_eq!(mask, 1.0);
                assert!((brightest(i) - factors.value).abs() < 1e-6);
            } else if distance > 0.5 {
                assert_eq!(mask, 0.0);
                assert!(brightest(i) <= factors.background_value + 1e-6);
                assert!(brightest(i) >= 0.4 * factors.background_value - 1e-6);
            }
        }
    }
}

#[test]
fn same_in_any_order_and_number_of_threads() {
    let world = Shapes::default();
    let set = world.dataset(42, 64);
    let one_thread = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    assert_eq!(one_thread.install(|| world.dataset(42, 64)), set);
    for index in (0..64).rev() {
        let sample = world.sample(42, index as u64);
        assert_eq!(sample.image.as_slice::<f32>(), set.images.rows(index, index + 1).as_slice::<f32>());
        assert_eq!(sample.mask.as_slice::<f32>(), set.masks.rows(index, index + 1).as_slice::<f32>());
        assert_eq!((sample.label, sample.factors), (set.labels[index], set.factors[index]));
    }
    assert_ne!(world.dataset(43, 64).images, set.images);
    assert_eq!(&world.dataset(42, 0).images.shape()[..], [0, 3, 32, 32]);
}

/// 6,000 labels: each class within five standard deviations of 1,000, and uncorrelated with the colour.
#[test]
fn classes_are_balanced_and_independent_of_colour() {
    let factors: Vec<Factors> = (0..6000).map(|i| Factors::draw(&mut stream("shapes", 9, i))).collect();
    for kind in Shapes::KINDS {
        let hues: Vec<f32> = factors.iter().filter(|f| f.shape == kind).map(|f| f.hue).collect();
        assert!((hues.len() as f32 - 1000.0).abs() < 5.0 * 28.9, "{kind:?}: {}", hues.len());
        let mean = hues.iter().sum::<f32>() / hues.len() as f32;
        assert!((mean - 0.5).abs() < 5.0 * 0.289 / 31.6, "{kind:?}: mean hue {mean}");
    }
}
