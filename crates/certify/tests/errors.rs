//! Bad input ends in an error that says what, where, and what to do.

use perturb_certify::{Certifier, CertifyError, Method, NoisyClassifier, Region, Settings, Smoothed};
use perturb_graph::{DType, Expr, Graph, Norm, Tensor};
use perturb_threat::Ball;

fn model() -> Graph {
    let x = Expr::input("x", [1, 2], DType::F32);
    let w = Expr::constant(Tensor::new([2, 3], vec![1.0f32, -1.0, 0.5, 2.0, 0.0, 1.0]).unwrap());
    Graph::new(vec![x.clone()], vec![("z".into(), x.matmul(&w).relu())]).unwrap()
}

fn certifier() -> Certifier {
    Certifier::new(&model(), Method::Crown, Settings::default()).unwrap()
}

fn points(values: Vec<f32>) -> Tensor {
    Tensor::new([values.len() / 2, 2], values).unwrap()
}

#[test]
fn regions() {
    let (c, x) = (certifier(), points(vec![0.5, 0.5, 0.1, 0.2]));
    for epsilon in [-0.1, f64::NAN, f64::INFINITY] {
        let error = c.bounds(&x, &Region::from(vec![0.1, epsilon])).unwrap_err();
        assert!(matches!(error, CertifyError::Epsilon { row: 1, .. }), "{error}");
        assert!(c.margins(&x, &[0, 0], &Region::from(epsilon)).is_err());
    }
    let error = c.bounds(&x, &Region::from(vec![0.1; 3])).unwrap_err();
    assert_eq!(error, CertifyError::Count { what: "radii", expected: 2, got: 3 });
    for (lower, upper) in [(1.0, 0.0), (f32::NAN, 1.0)] {
        let error = c.bounds(&x, &Region::from(0.1).within(lower, upper)).unwrap_err();
        assert!(matches!(error, CertifyError::Limits { .. }), "{error}");
    }
    // Pixels of 0..=255 against limits of 0..=1.
    let error = c.bounds(&points(vec![0.5, 0.5, 0.2, 200.0]), &Region::from(0.1).within(0.0, 1.0)).unwrap_err();
    assert_eq!(error, CertifyError::EmptySet { row: 1, element: 1, value: 200.0 });
    let ball = Ball::new(Norm::L2, 0.1, (0.0, 1.0)).unwrap();
    let error = c.bounds(&x, &Region::from(&ball)).unwrap_err();
    assert_eq!(error, CertifyError::Norm { compiled: Norm::Linf, asked: perturb_threat::Norm::L2 });
}

#[test]
fn inputs_and_labels() {
    let (c, x, region) = (certifier(), points(vec![0.5, 0.5, 0.1, 0.2]), Region::from(0.1));
    let error = c.margins(&x, &[0, 3], &region).unwrap_err();
    assert_eq!(error, CertifyError::Label { row: 1, label: 3, classes: 3 });
    let error = c.margins(&x, &[0], &region).unwrap_err();
    assert_eq!(error, CertifyError::Count { what: "labels", expected: 2, got: 1 });
    for wrong in [Tensor::full([2, 3], 0.5f32), Tensor::full([2, 2], 0.5f64), Tensor::scalar(0.5f32)] {
        let error = c.bounds(&wrong, &region).unwrap_err();
        assert!(matches!(error, CertifyError::Input { .. }), "{error}");
    }
    let error = c.bounds(&points(vec![0.5, 0.5, f32::NAN, 0.2]), &region).unwrap_err();
    assert_eq!(error, CertifyError::NotFinite { row: 1, element: 0 });
    // No rows are no mistake.
    let nothing = c.bounds(&Tensor::full([0, 2], 0.0f32), &region).unwrap();
    assert_eq!(&nothing.lower.shape()[..], [0, 3]);
}

#[test]
fn models() {
    let refused = |graph: &Graph| match Certifier::new(graph, Method::Crown, Settings::default()) {
        Err(error @ CertifyError::Model { .. }) => error.to_string(),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("accepted"),
    };
    let (x, y) = (Expr::input("x", [1, 2], DType::F32), Expr::input("y", [1, 2], DType::F32));
    let two = Graph::new(vec![x.clone(), y.clone()], vec![("z".into(), x.add(&y))]).unwrap();
    assert!(refused(&two).contains("2 inputs"));
    let constant = Graph::new(vec![x.clone()], vec![("z".into(), x.like(1.0))]).unwrap();
    assert!(refused(&constant).contains("does not depend"));
    let wide = Expr::input("x", [1, 2], DType::F64);
    assert!(refused(&Graph::new(vec![wide.clone()], vec![("z".into(), wide.relu())]).unwrap()).contains("f64"));
    let single = Graph::new(vec![x.clone()], vec![("z".into(), x.sum().reshape([1, 1]))]).unwrap();
    let c = Certifier::new(&single, Method::Ibp, Settings::default()).unwrap();
    assert!(matches!(c.margins(&points(vec![0.5, 0.5]), &[0], &Region::from(0.1)), Err(CertifyError::Model { .. })));
    let settings = Settings { batch: 0, ..Settings::default() };
    assert!(matches!(Certifier::new(&model(), Method::Ibp, settings), Err(CertifyError::Parameter { .. })));
}

#[test]
fn too_little_memory_says_how_much_is_needed() {
    let limited =
        |memory_limit| Certifier::new(&model(), Method::Crown, Settings { memory_limit, ..Settings::default() });
    let Err(CertifyError::Memory { need, limit: 16, .. }) = limited(16) else { panic!("16 bytes were enough") };
    // What is asked for may be followed by the demand of another step, but ends in success.
    let mut needed = need;
    for _ in 0..10 {
        match limited(needed) {
            Err(CertifyError::Memory { need, .. }) => {
                assert!(need > needed);
                needed = need;
            }
            other => {
                assert!(other.is_ok());
                return;
            }
        }
    }
    panic!("{needed} bytes were not enough");
}

// What has no relaxation is bounded by its interval, and what has no bound is infinite, never NaN.
#[test]
fn unbounded_values_are_infinite_and_certify_nothing() {
    let x = Expr::input("x", [1, 2], DType::F32);
    let z = Expr::try_concat(&[x.reciprocal(), x.floor()], 1).unwrap();
    let graph = Graph::new(vec![x], vec![("z".into(), z)]).unwrap();
    for method in [Method::Ibp, Method::CrownIbp, Method::Crown, Method::AlphaCrown { steps: 4 }] {
        let c = Certifier::new(&graph, method, Settings::default()).unwrap();
        let x = points(vec![0.05, 2.0]);
        let bounds = c.bounds(&x, &Region::from(0.1)).unwrap();
        let (lower, upper) = (bounds.lower.to_f64_vec(), bounds.upper.to_f64_vec());
        assert!(lower[0] == f64::NEG_INFINITY && upper[0] == f64::INFINITY, "{method:?}: {bounds:?}");
        assert!(lower[1] <= 1.0 / 2.1 && upper[1] >= 1.0 / 1.9 && upper[1] < 0.6, "{method:?}: {bounds:?}");
        assert!(c.margins(&x, &[0], &Region::from(0.1)).unwrap()[0] == f64::NEG_INFINITY);
    }
}

#[test]
fn smoothing() {
    let classifier = NoisyClassifier::new(&model(), 8).unwrap();
    let x = points(vec![0.5, 0.5]);
    let good = Smoothed { n: 100, ..Smoothed::default() };
    assert!(good.certify(&classifier, &x, 0).is_ok());
    let bad = [
        Smoothed { sigma: 0.0, ..good },
        Smoothed { sigma: f64::NAN, ..good },
        Smoothed { alpha: 1.0, ..good },
        Smoothed { n: 0, ..good },
        Smoothed { n0: 0, ..good },
    ];
    for smoothed in bad {
        assert!(matches!(smoothed.certify(&classifier, &x, 0), Err(CertifyError::Parameter { .. })), "{smoothed:?}");
        assert!(smoothed.predict(&classifier, &x, 0).is_err());
    }
    let wrong = good.certify(&classifier, &points(vec![0.5; 4]), 0).unwrap_err();
    assert!(matches!(wrong, CertifyError::Input { .. }), "{wrong}");
    assert!(matches!(good.certify(&classifier, &points(vec![f32::NAN; 2]), 0), Err(CertifyError::NotFinite { .. })));
    assert!(matches!(NoisyClassifier::new(&model(), 0), Err(CertifyError::Parameter { .. })));
}
