//! Perturbations that change nothing, against exact dimensions.

use crate::networks::{affine, random, small_cnn};
use perturb_attack::AttackError;
use perturb_attack::measure::harmless::{AffineLayer, NullSpace, identify};
use perturb_graph::{DType, Expr, Graph, Tensor, eval};

// Weights are copied, not computed: the matrix is exact, for a dense layer and for a convolution.
#[test]
fn the_matrix_is_the_layer() {
    for graph in [random(3, &[30]), small_cnn()] {
        let layer = AffineLayer::first(&graph).unwrap();
        let input = &graph.inputs[0];
        let x: Vec<f64> = (0..layer.inputs).map(|i| f64::from(((i * 37) % 11) as u32) / 8.0 - 0.5).collect();
        let feed = Tensor::from_f64(input.shape(), DType::F32, x.clone()).unwrap();
        let relu =
            perturb_graph::topological(&graph.output_exprs()).into_iter().find(|n| n.op().name() == "relu").unwrap();
        let found = eval(&relu.inputs()[..1], &[(input.clone(), feed)]).unwrap()[0].to_f64_vec();
        for ((z, b), f) in layer.apply(&x).iter().zip(&layer.bias).zip(&found) {
            assert!((z + b - f).abs() < 1e-5, "{} and {f}", z + b);
        }
    }
}

#[test]
fn dimensions_are_inputs_less_rank() {
    let dense = NullSpace::of(&AffineLayer::first(&random(3, &[30])).unwrap()).unwrap();
    assert_eq!((dense.rank(), dense.dimension(), dense.basis().len()), (24, 6, 6 * 30));
    // More outputs than inputs: nothing is harmless, and the least harmful direction has the smallest singular value.
    let wide = AffineLayer::first(&random(3, &[20])).unwrap();
    let space = NullSpace::of(&wide).unwrap();
    assert_eq!((space.rank(), space.dimension()), (20, 0));
    let (direction, amount) = space.least_harmful();
    let change = wide.apply(&direction).iter().map(|v| v * v).sum::<f64>().sqrt();
    assert!(amount > 0.0 && (change - amount).abs() < 1e-12);
    // Rows that depend on others do not count.
    let rows = [vec![1.0, 2.0, 3.0], vec![2.0, 4.0, 6.0]].concat();
    let layer = AffineLayer { matrix: rows, bias: vec![0.0, 0.0], inputs: 3 };
    assert_eq!(NullSpace::of(&layer).unwrap().dimension(), 2);
}

#[test]
fn what_is_in_the_space_is_not_seen_and_the_rest_is_kept() {
    let layer = AffineLayer::first(&random(5, &[30])).unwrap();
    let space = NullSpace::of(&layer).unwrap();
    let v: Vec<f64> = (0..30).map(|i| f64::from(i).sin()).collect();
    let harmless = space.project(&v);
    assert!(layer.apply(&harmless).iter().all(|z| z.abs() < 1e-13));
    let again = space.project(&harmless);
    assert!(again.iter().zip(&harmless).all(|(a, b)| (a - b).abs() < 1e-13));
    let x = vec![0.25; 30];
    let hidden = space.hide(&x, &v);
    assert!(layer.apply(&hidden).iter().zip(layer.apply(&x)).all(|(a, b)| (a - b).abs() < 1e-12));
    assert!(space.project(&hidden).iter().zip(&harmless).all(|(a, b)| (a - b).abs() < 1e-12));
    // Behind relu more is unseen: all of the space, and what only reaches rows that stay off.
    let active = NullSpace::of(&layer.active(&x)).unwrap();
    assert!(active.dimension() >= space.dimension() && layer.is_unseen(&x, &harmless, 1e-12));
    assert!(!layer.is_unseen(&x, &v, 1e-12));
    let others = [4, 5, 6].map(|seed| AffineLayer::first(&random(seed, &[30])).unwrap());
    assert_eq!(identify(&others, &harmless), Some(1));
}

#[test]
fn models_without_an_affine_layer_are_refused() {
    let x = Expr::input("x", [1, 2], DType::F32);
    let first_relu = Graph::new(vec![x.clone()], vec![("y".into(), x.relu())]).unwrap();
    for graph in [first_relu, affine(&[vec![1.0, 2.0], vec![0.0, 1.0]], &[0.0, 0.0])] {
        assert!(matches!(AffineLayer::first(&graph), Err(AttackError::NoAffineLayer { .. })));
    }
}
