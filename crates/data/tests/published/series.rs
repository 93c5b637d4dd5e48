//! Time series.

use crate::{counts, data};
use perturb_data::series::{MultivariateSeries, SeriesClassification};

#[test]
fn transformer_temperature() {
    let Some(path) = data("timeseries/ett").map(|p| p.join("ETTh1.csv")) else { return };
    let series = MultivariateSeries::load(&path).unwrap();
    assert_eq!((&series.values.shape()[..], &*series.names[6], series.names.len()), (&[17420, 7][..], "OT", 7));
    assert_eq!(series.times[1], "2016-07-01 01:00:00");
    let split = series.ett_hourly_split().unwrap();
    assert_eq!(
        (split.train.clone(), split.validation.clone(), split.test.clone()),
        (0..8640, 8640..11520, 11520..14400)
    );
    // NumPy: mean(axis=0) and std(axis=0) of the first 8640 rows in f64.
    let standardization = series.standardization(split.train.clone());
    let close = |a: f64, b: f64, tolerance: f64| assert!((a - b).abs() < tolerance, "{a} is not {b}");
    for (found, mean) in standardization.means.iter().zip([7.93774225, 2.02103866, 5.0797706, 0.74618588]) {
        close(*found, mean, 1e-6);
    }
    for (found, deviation) in standardization.deviations.iter().zip([5.81274941, 2.09010465, 5.51879358, 1.92637927]) {
        close(*found, deviation, 1e-6);
    }
    let scaled = series.standardized(&standardization);
    let row = scaled.values.rows(8640, 8641);
    for (found, value) in row.as_slice::<f32>().iter().zip([0.5011841, -0.10192728, 0.53475991, 0.71938798]) {
        close(f64::from(*found), value, 1e-6);
    }
    // The literature's numbers of windows for 96 steps of input and 96 of horizon: 8449 and 2785.
    let starts = |part| series.forecast_starts(part, 96, 96);
    assert_eq!((starts(&split.train).len(), starts(&split.validation).len()), (8449, 2785));
    let windows = scaled.forecasts(&[starts(&split.validation).start], 96, 96);
    assert_eq!(windows.targets.rows(0, 1).as_slice::<f32>()[..7], row.as_slice::<f32>()[..]);
    assert_eq!((&windows.inputs.shape()[..], &windows.targets.shape()[..]), (&[1, 96, 7][..], &[1, 96, 7][..]));
}

#[test]
fn archives() {
    let Some(path) = data("timeseries/ucr") else { return };
    let load = |name: &str| SeriesClassification::load(&path.join(format!("{name}.ts"))).unwrap();
    let sets = [
        ("ArrowHead", 36, 175, 1, 251, 3),
        ("GunPoint", 50, 150, 1, 150, 2),
        ("ItalyPowerDemand", 67, 1029, 1, 24, 2),
        ("OSULeaf", 200, 242, 1, 427, 6),
        ("BasicMotions", 40, 40, 6, 100, 4),
    ];
    for (name, train, test, channels, length, classes) in sets {
        for (part, count) in [("TRAIN", train), ("TEST", test)] {
            let set = load(&format!("{name}_{part}"));
            assert_eq!((set.name.as_str(), set.len(), set.class_names.len()), (name, count, classes));
            assert_eq!(&set.padded(0.0).shape()[..], [count, channels, length], "{name}");
        }
    }
    let motions = load("BasicMotions_TRAIN");
    assert_eq!((motions.class_names[0].as_str(), counts(motions.labels.clone())), ("Standing", vec![10; 4]));
    assert_eq!(motions.series[0].as_slice::<f32>()[..3], [0.079106, 0.079106, -0.903497]);
}

#[test]
fn unequal_lengths() {
    let Some(path) = data("timeseries/ucr") else { return };
    let set = SeriesClassification::load(&path.join("JapaneseVowels_TRAIN.ts")).unwrap();
    let lengths = set.lengths();
    assert_eq!((set.len(), set.channels(), lengths[0]), (270, 12, 20));
    assert_eq!((lengths.iter().min(), lengths.iter().max()), (Some(&7), Some(&26)));
    assert_eq!(counts(set.labels.clone()), [30; 9]);
    let padded = set.padded(f32::NAN);
    assert_eq!(&padded.shape()[..], [270, 12, 26]);
    let row = &padded.as_slice::<f32>()[..26];
    assert!(row[0] == 1.860936 && row[19] == 1.261441 && row[20..].iter().all(|v| v.is_nan()));
}
