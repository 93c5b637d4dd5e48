//! Element types: one plan holds several.

use perturb_engine::{Executable, Options};
use perturb_graph::{DType, Expr, Tensor, eval};

#[test]
fn values_of_every_type_are_moved_side_by_side() {
    let words = Expr::input("words", [2, 3], DType::I64);
    let flags = Expr::input("flags", [2, 3], DType::Bool);
    let singles = Expr::input("singles", [2, 3], DType::F32);
    let doubles = Expr::input("doubles", [2, 3], DType::F64);
    let inputs = [words, flags, singles, doubles];
    // Beyond 2⁵³, where a path through f64 would round.
    let integers: Vec<i64> = (0..6).map(|i| i64::MAX - 3 * i).collect();
    let feeds = [
        Tensor::new([2, 3], integers).unwrap(),
        Tensor::new([2, 3], vec![true, false, false, true, true, false]).unwrap(),
        Tensor::new([2, 3], vec![1.5f32, -2.0, 0.25, 3.0, -0.0, 7.0]).unwrap(),
        Tensor::new([2, 3], vec![1.0, 2.0, 3.0, 4.0, 5.0, 0.1]).unwrap(),
    ];
    let moved = |x: &Expr| {
        let turned = x.transpose(&[1, 0]).reverse(&[0]);
        vec![
            x.clone(),
            turned.reshape([6]),
            x.slice_axis(1, 1, 3).repeat(2),
            Expr::concat(&[turned.clone(), turned.slice_axis(0, 0, 2)], 0),
            x.slice_axis(0, 0, 1).broadcast_to([2, 3]),
        ]
    };
    let mut outputs: Vec<Expr> = inputs.iter().flat_map(moved).collect();
    outputs.push(inputs[2].relu().transpose(&[1, 0]).matmul(&inputs[2]));
    outputs.push(inputs[3].square());
    let exe = Executable::compile(&outputs, &inputs, &Options::default()).unwrap();
    let pairs: Vec<(Expr, Tensor)> = inputs.iter().cloned().zip(feeds.clone()).collect();
    let expected = eval(&outputs, &pairs).unwrap();
    for _ in 0..2 {
        let got = exe.run(&feeds.iter().collect::<Vec<_>>()).unwrap();
        for (g, (e, o)) in got.iter().zip(expected.iter().zip(&outputs)) {
            if o.dtype() == DType::I64 {
                assert_eq!(g.shape(), e.shape());
            } else {
                assert_eq!(g, e, "{o:?}");
            }
        }
        assert_eq!(got[0], feeds[0]);
        assert_eq!(got[1].as_slice::<i64>(), [2, 5, 1, 4, 0, 3].map(|k: i64| i64::MAX - 3 * k));
    }
}

#[test]
fn statistics_count_products_and_bytes() {
    let (x, w) = (Expr::input("x", [4, 5], DType::F64), Expr::input("w", [5, 6], DType::F64));
    let exe = Executable::compile(&[x.matmul(&w)], &[x, w], &Options::default()).unwrap();
    let statistics = exe.statistics();
    assert_eq!((statistics.steps, statistics.flops), (1, 2 * 4 * 5 * 6));
    assert_eq!(statistics.moved_bytes, 8 * (20 + 30 + 24));
    assert_eq!(statistics.working_bytes, 8 * 24);
}
