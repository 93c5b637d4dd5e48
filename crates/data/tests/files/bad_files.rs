//! Damaged, hostile and mismatched files: each ends in an error that says what, where and what to do.

use crate::builders::{bytes_of, gzip, idx, npy, plain, put, with_labels};
use perturb_data::{DataError, LoadOptions, load, load_image, npz, save_png};
use perturb_graph::Tensor;
use std::fs;
use tempfile::TempDir;

/// Every refusal, with a word that its message must contain.
macro_rules! refused {
    ($result:expr, $variant:pat, $word:expr) => {
        match $result {
            Err(error @ $variant) => assert!(error.to_string().contains($word), "no {:?} in: {error}", $word),
            other => panic!("expected {}, got {other:?}", stringify!($variant)),
        }
    };
}

#[test]
fn bad_paths_and_options() {
    let dir = TempDir::new().unwrap();
    refused!(plain(&dir.path().join("none.npy")), DataError::Read { .. }, "none.npy");
    refused!(plain(dir.path()), DataError::Empty { .. }, "PNG or JPEG");
    refused!(plain(&put(&dir, "e.npy", b"")), DataError::Empty { .. }, "e.npy");
    refused!(plain(&put(&dir, "notes.txt", b"hello world")), DataError::UnknownFormat { .. }, "IDX");
    let x = put(&dir, "x.npy", &npy("|u1", false, "(2, 2)", &[0, 1, 2, 3]));
    refused!(load(&x, &LoadOptions { limit: Some(0), ..LoadOptions::default() }), DataError::Limit, "limit of 0");
    let expected = LoadOptions { expected_shape: Some(vec![3, 32, 32]), ..LoadOptions::default() };
    refused!(load(&x, &expected), DataError::Shape { .. }, "[3, 32, 32]");
}

#[test]
fn bad_npy() {
    let dir = TempDir::new().unwrap();
    let file = |bytes: &[u8]| plain(&put(&dir, "x.npy", bytes));
    refused!(file(b"not an array at all"), DataError::Magic { .. }, "NumPy");
    refused!(file(&npy("<f4", false, "(2, 2)", &[0; 9])), DataError::Truncated { expected: 16, actual: 9, .. }, "9");
    refused!(
        file(&npy("<f4", false, "(1000000000, 1000)", &[0; 16])),
        DataError::Truncated { actual: 16, .. },
        "truncated"
    );
    refused!(
        file(&gzip(&npy("<f8", true, "(1000000000, 99)", &[0; 16]))),
        DataError::Truncated { actual: 16, .. },
        "array"
    );
    refused!(file(&npy("<f4", false, "(9000000000000000000, 9)", &[])), DataError::Malformed { .. }, "counted");
    refused!(file(&npy("<U3", false, "(2,)", &[0; 24])), DataError::DType { .. }, "<U3");
    refused!(file(&npy("|O", false, "(2,)", &[0; 24])), DataError::DType { .. }, "|O");
    refused!(file(&npy("<f4", false, "(2, x)", &[0; 8])), DataError::Malformed { .. }, "header");
    refused!(file(&npy("<f4", false, "(0, 5)", &[])), DataError::Empty { .. }, "examples");
    refused!(file(b"\x93NUMPY\x02\x00\xff\xff\xff\xff{"), DataError::Malformed { .. }, "4294967295");
    refused!(file(b"\x93NUMPY\x01\x00\x80\x00{"), DataError::Truncated { .. }, "header");
    let good = npy("<f4", true, "(2, 2)", &[0; 16]);
    for at in 0..good.len() {
        for value in [0, b'9', 0x7f, 0xff] {
            // Whatever one byte does, the answer is an error or an array that the file can hold.
            let mut bytes = good.clone();
            bytes[at] = value;
            assert!(file(&bytes).map_or(true, |set| set.inputs.count() <= bytes.len()));
        }
    }
    let nan = bytes_of(&[0f32, 1.0, 2.0, f32::NAN], |v| v.to_le_bytes());
    refused!(file(&npy("<f4", false, "(2, 2)", &nan)), DataError::NonFinite { example: 1, element: 1, .. }, "NaN");
    let overflow = bytes_of(&[1e300f64], |v| v.to_le_bytes());
    refused!(file(&npy("<f8", false, "(1, 1)", &overflow)), DataError::NonFinite { .. }, "inf");
}

#[test]
fn bad_npz() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("x.npz");
    refused!(plain(&put(&dir, "t.npz", b"text")), DataError::Magic { .. }, "zip");
    let array = |n: usize| Tensor::new([n], (0..n).map(|i| i as f32).collect::<Vec<f32>>()).unwrap();
    npz::write_all(&path, &[("foo".into(), array(2)), ("bar".into(), array(2))]).unwrap();
    refused!(plain(&path), DataError::MissingArray { .. }, "foo, bar");
    npz::write_all(&path, &[("x".into(), array(2)), ("y".into(), array(3))]).unwrap();
    refused!(plain(&path), DataError::LabelCount { labels: 3, examples: 2, .. }, "3 labels");
    npz::write_all(&path, &[("x".into(), array(4))]).unwrap();
    let bytes = fs::read(&path).unwrap();
    refused!(plain(&put(&dir, "cut.npz", &bytes[..bytes.len() / 2])), DataError::Malformed { .. }, "archive");
    // One flipped bit in the elements: only the archive's checksum can tell.
    let mut flipped = bytes.clone();
    let at = bytes.windows(4).position(|w| w == 3f32.to_le_bytes()).unwrap();
    flipped[at] ^= 1;
    assert!(plain(&put(&dir, "flipped.npz", &flipped)).is_err());
    // No corruption of any byte may panic or be anything but an error or data of bounded size.
    for at in 0..bytes.len() {
        for value in [0, 0x7f, 0xff] {
            let mut bytes = bytes.clone();
            bytes[at] = value;
            let _ = npz::read_all(&put(&dir, "fuzz.npz", &bytes));
        }
    }
}

#[test]
fn bad_labels() {
    let dir = TempDir::new().unwrap();
    let x = put(&dir, "x.npy", &npy("|u1", false, "(2, 2)", &[0, 1, 2, 3]));
    let labels = |name: &str, bytes: &[u8]| with_labels(&x, put(&dir, name, bytes));
    let integers = |v: &[i64]| npy("<i8", false, &format!("({},)", v.len()), &bytes_of(v, |v| v.to_le_bytes()));
    let reals = |v: &[f32]| npy("<f4", false, &format!("({},)", v.len()), &bytes_of(v, |v| v.to_le_bytes()));
    refused!(labels("y.npy", &integers(&[0, -1])), DataError::Label { index: 1, .. }, "-1");
    refused!(labels("y.npy", &integers(&[0])), DataError::LabelCount { labels: 1, examples: 2, .. }, "y.npy");
    refused!(labels("y.npy", &reals(&[0.0, 1.5])), DataError::Label { index: 1, .. }, "1.5");
    refused!(labels("y.npy", &reals(&[f32::NAN, 1.0])), DataError::Label { index: 0, .. }, "NaN");
    refused!(labels("y.npy", &reals(&[f32::INFINITY, 1.0])), DataError::Label { index: 0, .. }, "inf");
    refused!(labels("y.npy", &npy("|u1", false, "(2, 3)", &[0; 6])), DataError::Malformed { .. }, "[2, 3]");
    refused!(labels("y.csv", b"label\n1\n-2\n"), DataError::Label { index: 1, .. }, "-2");
    refused!(labels("y.csv", b"label\n1\n"), DataError::LabelCount { .. }, "1 labels");
    refused!(labels("y.idx", &idx(8, &[2, 1], &[0, 0])), DataError::Malformed { .. }, "vector");
    let set = labels("y.npy", &integers(&[0, 7])).unwrap();
    refused!(set.check_labels(5), DataError::Label { index: 1, .. }, "0..=4");
}

#[test]
fn bad_idx() {
    let dir = TempDir::new().unwrap();
    let file = |bytes: &[u8]| plain(&put(&dir, "x-images-idx3-ubyte", bytes));
    refused!(file(&[1, 2, 3, 4, 5]), DataError::Magic { .. }, "01 02 03 04");
    refused!(file(&[0, 0, 8, 3, 0]), DataError::Truncated { .. }, "sizes");
    refused!(file(&idx(8, &[2, 2, 2], &[0; 7])), DataError::Truncated { expected: 8, actual: 7, .. }, "IDX");
    refused!(file(&idx(8, &[u32::MAX, u32::MAX, 1], &[0; 7])), DataError::Truncated { actual: 7, .. }, "truncated");
    refused!(file(&idx(8, &[u32::MAX; 3], &[0; 7])), DataError::Malformed { .. }, "counted");
    refused!(file(&idx(8, &[4], &[0; 4])), DataError::Malformed { .. }, "labels");
    put(&dir, "x-labels-idx1-ubyte", &idx(8, &[3], &[0; 3]));
    refused!(file(&idx(8, &[2, 1, 1], &[0; 2])), DataError::LabelCount { labels: 3, examples: 2, .. }, "labels-idx1");
    let packed = gzip(&idx(8, &[100, 8, 8], &(0..6400).map(|i| (i * i % 251) as u8).collect::<Vec<_>>()));
    let gz = |bytes: &[u8]| plain(&put(&dir, "z-images-idx3-ubyte.gz", bytes));
    assert!(gz(&packed).is_ok());
    refused!(gz(&packed[..packed.len() / 2]), DataError::Truncated { expected: 6400, .. }, "truncated");
    refused!(gz(&gzip(&idx(8, &[1, 2, 2], &[0; 5]))), DataError::Malformed { .. }, "more data");
    // The last eight bytes are the checksum and the length; any damage must be told by one of the checks.
    for at in 20..packed.len() {
        let mut damaged = packed.clone();
        damaged[at] ^= 0x10;
        assert!(gz(&damaged).is_err(), "damage at byte {at} of {}", packed.len());
    }
}

#[test]
fn bad_cifar() {
    let dir = TempDir::new().unwrap();
    let file = |bytes: &[u8]| plain(&put(&dir, "test_batch.bin", bytes));
    refused!(file(&[0; 3073 + 5]), DataError::Truncated { expected: 3073, actual: 5, .. }, "row 1");
    refused!(file(&[[0; 3073], [11; 3073]].concat()), DataError::Label { index: 1, .. }, "11");
    refused!(file(&gzip(b"")), DataError::Empty { .. }, "test_batch.bin");
}

#[test]
fn bad_images() {
    let dir = TempDir::new().unwrap();
    let save = |name: &str, c, h, w| save_png(&dir.path().join(name), &Tensor::full([c, h, w], 0.5f32)).unwrap();
    save("a.png", 3, 4, 4);
    save("b.png", 3, 4, 4);
    save("c.png", 3, 4, 5);
    refused!(plain(dir.path()), DataError::ImageSize { .. }, "c.png is 3×4×5");
    refused!(plain(dir.path()), DataError::ImageSize { .. }, "a.png on, are 3×4×4");
    save("c.png", 1, 4, 4);
    assert_eq!(&plain(dir.path()).unwrap().inputs.shape()[..], [3, 3, 4, 4]);
    put(&dir, "labels.csv", b"file,label\na.png,0\nmissing.png,1\n");
    refused!(plain(dir.path()), DataError::Malformed { .. }, "missing.png");
    put(&dir, "labels.csv", b"file,label\na.png,0\nb.png\n");
    refused!(plain(dir.path()), DataError::Label { index: 1, .. }, "missing");
    put(&dir, "labels.csv", b"file,label\n");
    refused!(plain(dir.path()), DataError::Empty { .. }, "file,label");
    refused!(plain(&put(&dir, "t.png", b"text")), DataError::Magic { .. }, "PNG");
    let bytes = fs::read(dir.path().join("a.png")).unwrap();
    refused!(load_image(&put(&dir, "cut.png", &bytes[..40]), None), DataError::Malformed { .. }, "cut.png");
    let mixed = TempDir::new().unwrap();
    save_png(&mixed.path().join("1.png"), &Tensor::full([1, 2, 2], 0f32)).unwrap();
    save_png(&mixed.path().join("2.png"), &Tensor::full([3, 2, 2], 0f32)).unwrap();
    refused!(plain(mixed.path()), DataError::ImageSize { .. }, "3×2×2");
    let colour = LoadOptions { expected_shape: Some(vec![1, 3, 2, 2]), ..LoadOptions::default() };
    assert_eq!(&load(mixed.path(), &colour).unwrap().inputs.shape()[..], [2, 1, 3, 2, 2]);
}
