//! Files written here byte by byte, read back by the loaders.

use crate::builders::{bytes_of, gzip, idx, npy, plain, put, with_labels};
use perturb_data::{DataError, Dataset, Format, LoadOptions, PixelEncoding, load, load_image, npz, save_png};
use perturb_graph::Tensor;
use std::fs;
use tempfile::TempDir;

fn values(set: &Dataset) -> Vec<f32> {
    set.inputs.as_slice::<f32>().to_vec()
}

#[test]
fn npy_of_every_element_type() {
    let dir = TempDir::new().unwrap();
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("<f4", bytes_of(&[0f32, 1.0, 2.0, 3.0], |v| v.to_le_bytes())),
        (">f4", bytes_of(&[0f32, 1.0, 2.0, 3.0], |v| v.to_be_bytes())),
        ("<f8", bytes_of(&[0f64, 1.0, 2.0, 3.0], |v| v.to_le_bytes())),
        (">f8", bytes_of(&[0f64, 1.0, 2.0, 3.0], |v| v.to_be_bytes())),
        ("<f2", bytes_of(&[0x0000u16, 0x3c00, 0x4000, 0x4200], |v| v.to_le_bytes())),
        ("<i8", bytes_of(&[0i64, 1, 2, 3], |v| v.to_le_bytes())),
        (">i4", bytes_of(&[0i32, 1, 2, 3], |v| v.to_be_bytes())),
        (">u2", bytes_of(&[0u16, 1, 2, 3], |v| v.to_be_bytes())),
        ("|i1", vec![0, 1, 2, 3]),
    ];
    for (descr, elements) in cases {
        let path = put(&dir, "x.npy", &npy(descr, false, "(2, 2)", &elements));
        let set = plain(&path).unwrap();
        assert_eq!((values(&set), &set.inputs.shape()[..]), (vec![0.0, 1.0, 2.0, 3.0], &[2, 2][..]), "{descr}");
        assert_eq!((set.pixel, set.format), (PixelEncoding::Stored { min: 0.0, max: 3.0 }, Format::Npy));
    }
    let set = plain(&put(&dir, "u.npy", &gzip(&npy("|u1", true, "(2, 2)", &[0, 51, 102, 255])))).unwrap();
    assert_eq!((values(&set), set.pixel), (vec![0.0, 0.4, 0.2, 1.0], PixelEncoding::Bytes));
}

#[test]
fn npy_shapes_and_labels() {
    let dir = TempDir::new().unwrap();
    let x = put(&dir, "x.npy", &npy("|u1", false, "(3, 1, 2)", &[0, 255, 255, 0, 0, 0]));
    let y = put(&dir, "y.npy", &npy("<i4", false, "(3,)", &bytes_of(&[2i32, 0, 1], |v| v.to_le_bytes())));
    let real = put(&dir, "real.npy", &npy("<f4", false, "(3, 1)", &bytes_of(&[2f32, 0.0, 1.0], |v| v.to_le_bytes())));
    let text = put(&dir, "y.txt", b"2\n0\n1\n");
    let table = put(&dir, "y.csv", b"id,label\na,2\nb,0\nc,1\n");
    for labels in [&y, &real, &text, &table] {
        assert_eq!(with_labels(&x, labels.clone()).unwrap().labels.unwrap(), [2, 0, 1]);
    }
    let options = LoadOptions { labels: Some(y), limit: Some(2), expected_shape: Some(vec![1, 2]) };
    let set = load(&x, &options).unwrap();
    assert_eq!((&set.inputs.shape()[..], set.labels.unwrap()), (&[2, 1, 2][..], vec![2, 0]));
    // The whole array is one example of the model; a limit must not cut it.
    let options = LoadOptions { limit: Some(1), expected_shape: Some(vec![3, 1, 2]), ..LoadOptions::default() };
    assert_eq!(&load(&x, &options).unwrap().inputs.shape()[..], [1, 3, 1, 2]);
}

#[test]
fn npz_of_inputs_and_labels() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("set.npz");
    let inputs = Tensor::new([2, 3], vec![0.5f64, 1.0, 1.5, 2.0, 2.5, 3.0]).unwrap();
    let labels = Tensor::new([2], vec![1i64, 0]).unwrap();
    let other = Tensor::scalar(7.0f32);
    npz::write_all(&path, &[("other".into(), other), ("Y".into(), labels), ("images".into(), inputs)]).unwrap();
    let set = plain(&path).unwrap();
    assert_eq!(
        (values(&set), set.labels, set.format),
        (vec![0.5, 1.0, 1.5, 2.0, 2.5, 3.0], Some(vec![1, 0]), Format::Npz)
    );
}

#[test]
fn npz_round_trip() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("all.npz");
    let arrays: Vec<(String, Tensor)> = vec![
        ("grad/x".into(), Tensor::new([2, 2], vec![1.5f32, f32::NAN, -0.0, f32::INFINITY]).unwrap()),
        ("d".into(), Tensor::new([3], vec![f64::MIN_POSITIVE, 1.0 / 3.0, -1e300]).unwrap()),
        ("i".into(), Tensor::new([1, 2], vec![i64::MIN, i64::MAX]).unwrap()),
        ("b".into(), Tensor::scalar(true)),
        ("empty".into(), Tensor::new([0, 4], Vec::<f32>::new()).unwrap()),
    ];
    npz::write_all(&path, &arrays).unwrap();
    npz::write_all(&path, &arrays).unwrap();
    let back = npz::read_all(&path).unwrap();
    assert_eq!(back.len(), arrays.len());
    for ((name, read), (expected_name, expected)) in back.iter().zip(&arrays) {
        assert_eq!((name, read.shape(), read.dtype()), (expected_name, expected.shape(), expected.dtype()));
        assert_eq!(format!("{:?}", read.data()), format!("{:?}", expected.data()));
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "a partial file was left behind");
    let twice = [arrays[0].clone(), arrays[0].clone()];
    assert!(matches!(npz::write_all(&path, &twice), Err(DataError::Malformed { .. })));
    assert!(matches!(npz::write_all(&dir.path().join("no/such/x.npz"), &arrays), Err(DataError::Write { .. })));
}

#[test]
fn idx_beside_its_labels() {
    let dir = TempDir::new().unwrap();
    let images = put(&dir, "train-images-idx3-ubyte", &idx(8, &[2, 1, 2], &[0, 255, 51, 0]));
    put(&dir, "train-labels-idx1-ubyte.gz", &gzip(&idx(8, &[2], &[3, 9])));
    for path in [images.as_path(), dir.path()] {
        let set = plain(path).unwrap();
        assert_eq!((values(&set), &set.inputs.shape()[..]), (vec![0.0, 1.0, 0.2, 0.0], &[2, 1, 1, 2][..]));
        assert_eq!(set.labels.unwrap(), [3, 9]);
    }
    let floats = bytes_of(&[0.25f32, -1.0], |v| v.to_be_bytes());
    let set = plain(&put(&dir, "f.idx", &idx(0x0d, &[1, 2], &floats))).unwrap();
    assert_eq!((values(&set), set.labels), (vec![0.25, -1.0], None));
}

#[test]
fn cifar_batches_in_turn() {
    let dir = TempDir::new().unwrap();
    let row =
        |label: u8, value: u8| std::iter::once(label).chain(std::iter::repeat_n(value, 3072)).collect::<Vec<u8>>();
    put(&dir, "data_batch_1.bin", &[row(0, 0), row(1, 51)].concat());
    put(&dir, "data_batch_2.bin.gz", &gzip(&row(9, 255)));
    let set = plain(dir.path()).unwrap();
    assert_eq!((set.labels, &set.inputs.shape()[..]), (Some(vec![0, 1, 9]), &[3, 3, 32, 32][..]));
    assert_eq!(set.inputs.as_slice::<f32>()[2 * 3072], 1.0);
    put(&dir, "test_batch.bin", &row(5, 0));
    assert_eq!(plain(dir.path()).unwrap().labels, Some(vec![5]));
}

/// A 2×1 image whose first pixel is `first` and second `second`, RGB in [0, 1].
fn pixels(first: [f32; 3], second: [f32; 3]) -> Tensor {
    Tensor::new([3, 1, 2], (0..3).flat_map(|c| [first[c], second[c]]).collect::<Vec<f32>>()).unwrap()
}

#[test]
fn folder_with_table() {
    let dir = TempDir::new().unwrap();
    let (red, blue) = (pixels([1.0, 0.0, 0.0], [0.2; 3]), pixels([0.0, 0.0, 1.0], [0.2; 3]));
    save_png(&dir.path().join("a.png"), &red).unwrap();
    save_png(&dir.path().join("b.png"), &blue).unwrap();
    let expected = [blue.as_slice::<f32>(), red.as_slice::<f32>()].concat();
    put(&dir, "labels.csv", b"b.png,zebra\na.png,ape\n");
    let set = plain(dir.path()).unwrap();
    assert_eq!((values(&set), set.labels.unwrap(), set.format), (expected.clone(), vec![1, 0], Format::ImageFolder));
    assert_eq!(set.class_names.unwrap(), ["ape", "zebra"]);
    put(&dir, "labels.csv", b"class,file\n4,b.png\n7,a.png\n");
    let set = plain(dir.path()).unwrap();
    assert_eq!((values(&set), set.labels.unwrap(), set.class_names), (expected, vec![4, 7], None));
    let elsewhere = put(&dir, "other/three.csv", b"file,label\na.png,3\n");
    assert_eq!(with_labels(dir.path(), elsewhere).unwrap().labels.unwrap(), [3]);
}

#[test]
fn folder_per_class_and_without_labels() {
    let dir = TempDir::new().unwrap();
    let image = |v| pixels([v; 3], [v; 3]);
    for (name, value) in [("cat/1.png", 0.0), ("cat/2.png", 0.2), ("dog/1.png", 0.4), ("dog/2.png", 0.6)] {
        put(&dir, name, b"");
        save_png(&dir.path().join(name), &image(value)).unwrap();
    }
    let set = load(dir.path(), &LoadOptions { limit: Some(3), ..LoadOptions::default() }).unwrap();
    assert_eq!(set.labels.unwrap(), [0, 1, 0]);
    assert_eq!(set.inputs.as_slice::<f32>().chunks(6).map(|c| c[0]).collect::<Vec<_>>(), [0.0, 0.4, 0.2]);
    assert_eq!(set.class_names.unwrap(), ["cat", "dog"]);
    assert_eq!(plain(&dir.path().join("cat")).unwrap().labels, None);
    assert_eq!(&plain(&dir.path().join("cat/1.png")).unwrap().inputs.shape()[..], [1, 3, 1, 2]);
    let y = put(&dir, "y.txt", b"8\n6\n");
    assert_eq!(with_labels(&dir.path().join("cat"), y).unwrap().labels.unwrap(), [8, 6]);
}

#[test]
fn png_keeps_every_level() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("levels.png");
    let levels: Vec<f32> = (0..256).map(|v| v as f32 / 255.0).collect();
    let image = Tensor::new([1, 1, 16, 16], levels).unwrap();
    save_png(&path, &image).unwrap();
    assert_eq!(load_image(&path, None).unwrap(), image);
    let colour = load_image(&path, Some(3)).unwrap();
    assert_eq!(colour.as_slice::<f32>()[512..], *image.as_slice::<f32>());
    save_png(&path, &Tensor::new([1, 1, 2], vec![-3.0f32, 1.7]).unwrap()).unwrap();
    assert_eq!(load_image(&path, None).unwrap().as_slice::<f32>(), [0.0, 1.0]);
    assert!(matches!(load_image(&path, Some(2)), Err(DataError::Malformed { .. })));
    assert!(matches!(save_png(&path, &Tensor::full([2, 4, 4], 0f32)), Err(DataError::Malformed { .. })));
    assert!(matches!(save_png(&path, &Tensor::full([1, 4, 4], f32::NAN)), Err(DataError::NonFinite { .. })));
    assert!(matches!(save_png(&path, &Tensor::full([1, 4, 4], 0f64)), Err(DataError::DType { .. })));
}
