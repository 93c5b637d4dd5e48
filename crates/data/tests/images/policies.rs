//! Pipelines and automatic policies: determinism, ranges, and what they must leave alone.

use crate::pattern;
use perturb_data::Image;
use perturb_data::augment::*;
use perturb_graph::Tensor;
use rayon::ThreadPoolBuilder;

fn batch(count: usize) -> Tensor {
    let values: Vec<f32> = (0..count).flat_map(|i| pattern(20 + i % 2, 20).values()[..1200].to_vec()).collect();
    Tensor::new([count, 3, 20, 20], values).unwrap()
}

fn everything() -> Pipeline {
    Pipeline::new()
        .then(RandomResizedCrop::square(20))
        .then(HorizontalFlip::default())
        .then(RandomApply { augmentation: ColorJitter::simclr(0.5), probability: 0.8 })
        .then(RandomAffine::default())
        .then(RandomRotation { degrees: 20.0, fill: 0.0 })
        .then(GaussianBlur::simclr(20))
        .then(RandAugment::default())
        .then(TrivialAugment)
        .then(AugMix::default())
        .then(RandomErasing { noise: true, ..RandomErasing::default() })
        .then(Cutout { size: 4 })
}

#[test]
fn the_same_for_any_batch_and_number_of_threads() {
    let (images, augment) = (batch(12), everything());
    let indices: Vec<u64> = (100..112).collect();
    let all = augment.batch(&images, 9, &indices).unwrap();
    for i in [0, 5, 11] {
        assert_eq!(all.rows(i, i + 1), augment.batch(&images.rows(i, i + 1), 9, &indices[i..=i]).unwrap());
    }
    for threads in [1, 3] {
        let pool = ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        assert_eq!(all, pool.install(|| augment.batch(&images, 9, &indices)).unwrap());
    }
    assert_ne!(all, augment.batch(&images, 10, &indices).unwrap());
    assert!(all.as_slice::<f32>().iter().all(|v| (0.0..=1.0).contains(v)));
}

#[test]
fn grey_images_and_single_pixels() {
    for shape in [[2, 1, 20, 20], [2, 3, 1, 1], [2, 1, 1, 7], [2, 3, 2, 1]] {
        let images = Tensor::full(shape, 0.4f32);
        for seed in 0..20 {
            let out = everything().batch(&images, seed, &[0, 1]).unwrap();
            assert!(out.as_slice::<f32>().iter().all(|v| v.is_finite()), "{shape:?}");
        }
    }
}

#[test]
fn strength_zero_of_rand_augment_changes_little() {
    // At strength 0 only posterize to 8 bits, solarize of pure white, autocontrast and equalize can change anything.
    let x = pattern(20, 20);
    let weak = RandAugment { operations: 1, magnitude: 0 };
    let mut unchanged = 0;
    for index in 0..300 {
        let out = Image::from_tensor(&weak.image(&x.clone().into_tensor(), 0, index).unwrap()).unwrap();
        let difference = out.values().iter().zip(x.values()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        unchanged += usize::from(difference < 0.003);
    }
    // All but autocontrast and equalize: at least 11 of 14 leave it alone.
    assert!(unchanged > 210, "{unchanged}");
}

#[test]
fn aug_mix_is_a_convex_combination() {
    // Operations on a constant grey image give values between 0 and itself inverted, and so do mixtures.
    let x = Tensor::full([3, 16, 16], 0.25f32);
    for index in 0..100 {
        let out = AugMix { severity: 10, ..AugMix::default() }.image(&x, 4, index).unwrap();
        assert!(out.as_slice::<f32>().iter().all(|v| (-1e-6..=0.75 + 1e-6).contains(v)));
    }
    let narrow = AugMix { width: 0, ..AugMix::default() };
    assert!(narrow.image(&x, 0, 0).is_ok());
}
