//! Images.

use crate::data;
use perturb_data::{Format, LoadOptions, PixelEncoding, load, load_image, load_images};

fn limit(limit: usize) -> LoadOptions {
    LoadOptions { limit: Some(limit), ..LoadOptions::default() }
}

/// Sum of the stored bytes of the inputs.
fn byte_sum(inputs: &[f32]) -> u64 {
    inputs.iter().map(|v| (v * 255.0).round() as u64).sum()
}

#[test]
fn mnist_test_set() {
    let Some(path) = data("mnist") else { return };
    let set = load(&path, &LoadOptions::default()).unwrap();
    assert_eq!(
        (&set.inputs.shape()[..], set.format, set.pixel),
        (&[10_000, 1, 28, 28][..], Format::Idx, PixelEncoding::Bytes)
    );
    let labels = set.labels.unwrap();
    assert_eq!(labels[..10], [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]);
    let counts: Vec<usize> = (0..10).map(|c| labels.iter().filter(|&&l| l == c).count()).collect();
    assert_eq!(counts, [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]);
    // The mean of the test images, 0.1325, is well known.
    let values = set.inputs.as_slice::<f32>();
    let mean = byte_sum(values) as f64 / 255.0 / values.len() as f64;
    assert!((mean - 0.1325).abs() < 5e-5, "{mean}");
}

#[test]
fn mnist_by_file_with_limit_and_model_shape() {
    let Some(path) = data("mnist/t10k-images-idx3-ubyte.gz") else { return };
    let options = LoadOptions { expected_shape: Some(vec![1, 784, 1]), ..limit(5) };
    let set = load(&path, &options).unwrap();
    assert_eq!(&set.inputs.shape()[..], [5, 1, 784, 1]);
    assert_eq!(set.labels.unwrap(), [7, 2, 1, 0, 4]);
    let labels = Some(path.with_file_name("t10k-labels-idx1-ubyte.gz"));
    let given = load(&path, &LoadOptions { labels, ..limit(3) }).unwrap();
    assert_eq!(given.labels.unwrap(), [7, 2, 1]);
}

#[test]
fn mnist_training_set_by_file() {
    let Some(path) = data("mnist/train-images-idx3-ubyte.gz") else { return };
    let set = load(&path, &limit(10)).unwrap();
    assert_eq!(set.labels.unwrap(), [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]);
}

#[test]
fn cifar10_test_set() {
    let Some(path) = data("cifar10") else { return };
    let set = load(&path, &LoadOptions::default()).unwrap();
    assert_eq!((&set.inputs.shape()[..], set.format), (&[2000, 3, 32, 32][..], Format::Cifar10));
    let labels = set.labels.clone().unwrap();
    for class in 0..10 {
        assert_eq!(labels.iter().filter(|&&l| l == class).count(), 200);
    }
    assert_eq!(set.class_names.as_ref().unwrap()[..3], ["airplane", "automobile", "bird"]);
    assert!(set.check_labels(10).is_ok() && set.check_labels(9).is_err());
    let few = load(&path.join("test_2k.bin.gz"), &limit(7)).unwrap();
    assert_eq!((few.len(), few.labels.unwrap()), (7, labels[..7].to_vec()));
    assert_eq!(few.inputs, set.inputs.rows(0, 7));
    let last = LoadOptions { expected_shape: Some(vec![1, 32, 32, 3]), ..limit(1) };
    let last = load(&path.join("test_2k.bin.gz"), &last).unwrap();
    let (first, last) = (set.inputs.as_slice::<f32>(), last.inputs.as_slice::<f32>());
    assert!((0..3072).all(|i| last[i] == first[i % 3 * 1024 + i / 3]));
}

#[test]
fn photographs() {
    let Some(path) = data("images") else { return };
    let grey = load_image(&path.join("bsd68/test001.png"), None).unwrap();
    assert_eq!(grey.shape()[..2], [1, 1]);
    let colour = load_image(&path.join("china.jpg"), None).unwrap();
    assert_eq!(&colour.shape()[..], [1, 3, 427, 640]);
    assert_eq!(&load_image(&path.join("china.jpg"), Some(1)).unwrap().shape()[..], [1, 1, 427, 640]);
    let kodak = load(&path.join("kodak"), &limit(3)).unwrap();
    assert_eq!((&kodak.inputs.shape()[..], kodak.labels), (&[3, 3, 500, 500][..], None));
}

#[test]
fn collections_of_many_sizes() {
    let Some(path) = data("images/set5") else { return };
    let images = load_images(&path, None).unwrap();
    let names: Vec<&str> = images.iter().map(|i| i.name.as_str()).collect();
    assert_eq!(names, ["baby", "bird", "butterfly", "head", "woman"]);
    assert_eq!(&images[0].image.shape()[..], [3, 512, 512]);
    assert_eq!(&images[4].image.shape()[..], [3, 344, 228]);
    let Some(path) = data("images/set12") else { return };
    assert!(load_images(&path, None).unwrap().iter().all(|i| i.image.shape()[0] == 1));
}
