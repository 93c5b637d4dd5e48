//! Single operations against torchvision 0.29 (functional, tensors, bilinear), and laws of the random ones.

use crate::{close, pattern, probes};
use perturb_data::augment::*;
use perturb_data::{DataError, Image};
use perturb_graph::Tensor;

#[test]
fn torchvision_numbers() {
    let cases = [
        (Operation::Brightness(1.4), [0.000000, 0.837113, 1.000000, 0.274227, 0.317526]),
        (Operation::Contrast(0.6), [0.202178, 0.560941, 0.789807, 0.319704, 0.338261]),
        (Operation::Saturation(1.7), [0.000000, 0.636676, 1.000000, 0.025328, 0.056286]),
        (Operation::Hue(0.3), [0.597938, 0.298969, 0.800000, 0.793814, 0.927835]),
        (Operation::Sharpness(1.9), [0.000000, 0.549405, 1.000000, 0.195876, 0.058366]),
        (Operation::Solarize(0.5), [0.000000, 0.402062, 0.020619, 0.195876, 0.226804]),
        (Operation::Posterize(3), [0.000000, 0.501961, 0.878431, 0.125490, 0.125490]),
        (Operation::Equalize, [0.000000, 0.658824, 1.000000, 0.211765, 0.223529]),
        (Operation::Grayscale, [0.243660, 0.542599, 0.625065, 0.439517, 0.470402]),
        (Operation::Rotate(25.0), [0.000000, 0.831568, 0.679599, 0.000000, 0.302404]),
        (Operation::ShearX(0.2), [0.013402, 0.745361, 0.314433, 0.000000, 0.639175]),
        (Operation::ShearY(-0.15), [0.000000, 0.828608, 0.535567, 0.606958, 0.631701]),
        (Operation::TranslateX(4.0), [0.000000, 0.061856, 0.000000, 0.432990, 0.917526]),
    ];
    for (operation, expected) in cases {
        // torchvision's luminance has the weights 0.2989, 0.587, 0.114, ours the exact ones.
        close(&format!("{operation:?}"), probes(&operation.to(pattern(24, 24))), expected, 1.2e-4);
    }
    let dull = Image::new(3, 24, 24, pattern(24, 24).values().iter().map(|v| v * 0.5 + 0.2).collect()).unwrap();
    let stretched = Operation::AutoContrast.to(dull);
    close("autocontrast", probes(&stretched), [0.000000, 0.604167, 0.989583, 0.197917, 0.229167], 1e-6);
    let squares: Vec<f32> = pattern(40, 40).values().iter().map(|v| v * v).collect();
    let equal = Operation::Equalize.to(Image::new(3, 40, 40, squares).unwrap());
    close("equalize", probes(&equal), [0.000000, 0.623529, 1.000000, 0.215686, 0.231373], 1e-6);
    let blur = GaussianBlur { radius: 2, sigma: (1.3, 1.3) };
    let blurred = Image::from_tensor(&blur.image(&pattern(24, 24).into_tensor(), 0, 0).unwrap()).unwrap();
    close("blur", probes(&blurred), [0.267233, 0.624433, 0.473324, 0.735368, 0.479947], 2e-6);
}

fn tensor() -> Tensor {
    pattern(24, 20).into_tensor()
}

#[test]
fn flips_are_their_own_inverse_and_mirror() {
    let always = 1.0;
    let horizontal = HorizontalFlip { probability: always };
    let vertical = VerticalFlip { probability: always };
    let (x, h) = (tensor(), horizontal.image(&tensor(), 0, 0).unwrap());
    let v = vertical.image(&x, 0, 0).unwrap();
    let at = |t: &Tensor, c: usize, y: usize, x: usize| t.as_slice::<f32>()[(c * 24 + y) * 20 + x];
    for (c, row, column) in [(0, 0, 0), (1, 5, 7), (2, 23, 19), (0, 12, 3)] {
        assert_eq!(at(&h, c, row, column), at(&x, c, row, 19 - column));
        assert_eq!(at(&v, c, row, column), at(&x, c, 23 - row, column));
    }
    assert_eq!(horizontal.image(&h, 0, 0).unwrap(), x);
    assert_eq!(vertical.image(&v, 0, 0).unwrap(), x);
    let half = HorizontalFlip::default();
    let flipped = (0..2000).filter(|&i| half.image(&x, 3, i).unwrap() != x).count();
    // Binomial, deviation 22.
    assert!((900..1100).contains(&flipped), "{flipped}");
}

#[test]
fn crops_show_the_image_or_black() {
    let x = tensor();
    let crop = RandomCrop { size: (24, 20), padding: 3 };
    let mut seen = std::collections::BTreeSet::new();
    for index in 0..400 {
        let out = crop.image(&x, 5, index).unwrap();
        // The shift is found by comparing, and all of the crop must agree with it.
        let shifted = |dy: isize, dx: isize| {
            let value = |i: usize| {
                let (c, y, x0) = (i / 480, (i / 20 % 24) as isize + dy, (i % 20) as isize + dx);
                let inside = (0..24).contains(&y) && (0..20).contains(&x0);
                if inside { x.as_slice::<f32>()[(c * 24 + y as usize) * 20 + x0 as usize] } else { 0.0 }
            };
            (0..1440).map(value).collect::<Vec<f32>>()
        };
        let found = (0..49).map(|k| (k / 7 - 3, k % 7 - 3)).find(|&(dy, dx)| out.as_slice::<f32>() == shifted(dy, dx));
        seen.insert(found.expect("a shift of the image"));
    }
    assert!(seen.len() > 45, "all 49 shifts occur: {}", seen.len());
    let centre = CenterCrop { size: (2, 4) }.image(&x, 0, 0).unwrap();
    assert_eq!((&centre.shape()[..], centre.as_slice::<f32>()[0]), (&[3, 2, 4][..], x.as_slice::<f32>()[11 * 20 + 8]));
    assert_eq!(&RandomCrop::padded(40, 0).image(&x, 0, 0).unwrap().shape()[..], [3, 40, 40]);
}

#[test]
fn resized_crops() {
    let x = tensor();
    let whole = RandomResizedCrop { scale: (1.0, 1.0), ratio: (20.0 / 24.0, 20.0 / 24.0), size: (12, 10) };
    assert_eq!(whole.image(&x, 0, 0).unwrap(), Resize { size: (12, 10) }.image(&x, 0, 0).unwrap());
    // A constant image stays constant whatever the crop and size.
    let grey = Tensor::full([3, 24, 20], 0.3f32);
    for index in 0..200 {
        let out = RandomResizedCrop::square(17).image(&grey, 1, index).unwrap();
        assert!(out.as_slice::<f32>().iter().all(|v| (v - 0.3).abs() < 1e-6) && out.count() == 3 * 17 * 17);
    }
    // Extreme ratios that never fit fall back to the middle.
    let impossible = RandomResizedCrop { size: (4, 4), scale: (1.0, 1.0), ratio: (50.0, 60.0) };
    assert_eq!(&impossible.image(&x, 0, 0).unwrap().shape()[..], [3, 4, 4]);
}

#[test]
fn erased_parts() {
    let x = Tensor::full([3, 24, 20], 0.5f32);
    let mut least = usize::MAX;
    for index in 0..300 {
        let out = Cutout { size: 6 }.image(&x, 2, index).unwrap();
        let zeros = out.as_slice::<f32>().iter().filter(|&&v| v == 0.0).count();
        // At a corner at least 3 of 6 rows and columns are inside.
        assert!(zeros.is_multiple_of(3) && (27..=108).contains(&zeros), "{zeros}");
        least = least.min(zeros);
        let erased = RandomErasing { probability: 1.0, ..RandomErasing::default() }.image(&x, 2, index).unwrap();
        let part = erased.as_slice::<f32>().iter().filter(|&&v| v == 0.0).count() as f64 / 1440.0;
        assert!((0.01..0.4).contains(&part), "{part}");
    }
    assert!(least < 108, "the edge cuts some squares");
}

#[test]
fn rotation_of_zero_and_full_circle() {
    let x = pattern(15, 22);
    for angle in [0.0, 360.0] {
        let turned = Operation::Rotate(angle).to(x.clone());
        assert!(turned.values().iter().zip(x.values()).all(|(a, b)| (a - b).abs() < 1e-4));
    }
    // A quarter turn of a square moves pixels exactly: up goes left.
    let square = pattern(9, 9);
    let turned = Operation::Rotate(90.0).to(square.clone());
    for (y, x) in [(0, 0), (3, 7), (8, 2)] {
        assert!((turned.values()[y * 9 + x] - square.values()[x * 9 + 8 - y]).abs() < 1e-4);
    }
}

#[test]
fn color_jitter_of_nothing_is_nothing() {
    let x = tensor();
    assert_eq!(ColorJitter::default().image(&x, 0, 0).unwrap(), x);
    let jitter = ColorJitter::simclr(1.0);
    assert_ne!(jitter.image(&x, 0, 0).unwrap(), jitter.image(&x, 0, 1).unwrap());
    let grey = RandomGrayscale { probability: 1.0 }.image(&x, 0, 0).unwrap();
    let values = grey.as_slice::<f32>();
    assert!((0..480).all(|i| (values[i] - values[i + 480]).abs() < 1e-6 && (values[i] - values[i + 960]).abs() < 1e-6));
}

#[test]
fn normalisation() {
    let x = Tensor::full([3, 1, 2], 0.485f32);
    let out = Normalize::IMAGENET.image(&x, 0, 0).unwrap();
    assert_eq!(out.as_slice::<f32>()[0], 0.0);
    assert!((out.as_slice::<f32>()[2] - (0.485 - 0.456) / 0.224).abs() < 1e-6);
    let x = Tensor::full([1, 1, 1], 0.1307f32);
    assert_eq!(Normalize::MNIST.image(&x, 0, 0).unwrap().as_slice::<f32>(), [0.0]);
}

#[test]
fn what_is_no_batch_of_images() {
    let flip = HorizontalFlip::default();
    let batch = |shape: &[usize], indices: &[u64]| flip.batch(&Tensor::full(shape, 0f32), 0, indices);
    assert!(matches!(batch(&[3, 4, 4], &[0; 3]), Err(DataError::NotAnImage { .. })));
    assert!(matches!(batch(&[2, 2, 4, 4], &[0, 1]), Err(DataError::NotAnImage { .. })));
    assert!(matches!(batch(&[0, 3, 4, 4], &[]), Err(DataError::NotAnImage { .. })));
    assert!(matches!(batch(&[2, 3, 0, 4], &[0, 1]), Err(DataError::NotAnImage { .. })));
    assert!(matches!(batch(&[2, 3, 4, 4], &[0]), Err(DataError::IndexCount { indices: 1, images: 2 })));
    let wrong = flip.batch(&Tensor::full([1, 3, 2, 2], 0f64), 0, &[0]);
    assert!(wrong.unwrap_err().to_string().contains("f64"));
}
