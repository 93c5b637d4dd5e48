//! An example's result does not depend on what is computed beside it, nor on the number of threads.

use crate::models::{convolutional, convolutional_graph, graph, rows, uniform};
use perturb_explain::{
    Attribution, Baseline, Gradient, Infidelity, IntegratedGradients, MaxSensitivity, Model, Occlusion, Perturbation,
    RemovalCurve, Seed, SmoothGrad,
};
use perturb_graph::{DType, Expr, Shape, Tensor};

const TARGETS: [usize; 7] = [0, 1, 2, 3, 4, 0, 1];

fn seed(first_index: usize) -> Seed {
    Seed { value: 11, first_index: first_index as u64 }
}

// Every method's attributions and every judge's figures of examples `from..to`, which keep their index.
fn everything(model: &Model, inputs: &Tensor, from: usize, to: usize) -> Vec<Vec<f64>> {
    let (inputs, targets) = (inputs.rows(from, to), &TARGETS[from..to]);
    let methods: [Box<dyn Attribution>; 4] = [
        Box::new(Gradient),
        Box::new(IntegratedGradients { steps: 5, ..IntegratedGradients::default() }),
        Box::new(SmoothGrad { samples: 5, seed: seed(from), ..SmoothGrad::default() }),
        Box::new(Occlusion { window: 4, stride: 3, baseline: Baseline::PETSIUK }),
    ];
    let square = Perturbation::SquareRemoval { side: 3, baseline: Baseline::Zero };
    let mut columns: Vec<Vec<f64>> = vec![vec![]; to - from];
    let mut add = |values: &[f64]| {
        let width = values.len() / columns.len();
        columns.iter_mut().zip(values.chunks(width)).for_each(|(column, values)| column.extend(values));
    };
    add(&model.logits(&inputs).unwrap().to_f64_vec());
    for method in methods {
        let maps = method.attribute(model, &inputs, targets).unwrap();
        add(&maps.to_f64_vec());
        let noise = Infidelity { samples: 6, seed: seed(from), ..Infidelity::default() };
        for judge in [noise.clone(), Infidelity { perturbation: square.clone(), ..noise }] {
            let scores = judge.evaluate(model, &inputs, &maps, targets).unwrap();
            [scores.raw, scores.scaled, scores.factor].iter().for_each(|values| add(values));
        }
        let sensitivity = MaxSensitivity { samples: 2, seed: seed(from), ..MaxSensitivity::default() };
        add(&sensitivity.evaluate(model, &*method, &inputs, &maps, targets).unwrap());
        for judge in [RemovalCurve::deletion(), RemovalCurve::insertion()] {
            add(&RemovalCurve { steps: 6, ..judge }.evaluate(model, &inputs, &maps, targets).unwrap());
        }
    }
    columns
}

#[test]
fn bit_equal_alone_and_together() {
    let inputs = uniform(6, [7, 2, 9, 9]);
    for batch in [1, 8, 20] {
        let model = convolutional(batch);
        let together = everything(&model, &inputs, 0, 7);
        let alone: Vec<Vec<f64>> = (0..7).flat_map(|i| everything(&model, &inputs, i, i + 1)).collect();
        for (example, (a, b)) in together.iter().zip(&alone).enumerate() {
            let differ = a.iter().zip(b).filter(|(a, b)| a.to_bits() != b.to_bits()).count();
            assert_eq!((a.len(), differ), (b.len(), 0), "example {example} in batches of {batch}");
        }
    }
}

#[test]
fn bit_equal_on_any_number_of_threads() {
    let (inputs, model) = (uniform(6, [7, 2, 9, 9]), convolutional(16));
    let on = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| everything(&model, &inputs, 0, 7))
    };
    assert_eq!(on(1), on(3));
}

/// Examples with different indices, and seeds with different values, draw different noise.
#[test]
fn seeds_and_indices_matter() {
    let (inputs, model) = (uniform(6, [1, 2, 9, 9]), convolutional(8));
    let map = |value, first_index| {
        let seed = Seed { value, first_index };
        SmoothGrad { samples: 3, seed, ..SmoothGrad::default() }.attribute(&model, &inputs, &[0]).unwrap()
    };
    assert_eq!(map(1, 0), map(1, 0));
    assert!(map(1, 0) != map(1, 1) && map(1, 0) != map(2, 0));
}
/// The same example in every row of a batch has the same logits and gradient: batch sizes at which a product is split
/// into blocks of unequal height.
#[test]
fn bit_equal_in_every_row() {
    let dense = graph(&[3136], |x| x.matmul(&Expr::param("w", uniform(2, [128, 3136])).transpose(&[1, 0])));
    for (graph, shape) in [(convolutional_graph(), vec![2, 9, 9]), (dense, vec![3136])] {
        let example = uniform(6, &shape).to_f64_vec();
        for batch in [1, 7, 8, 10, 11, 31, 32, 36, 41, 64, 97] {
            let model = Model::compile(&graph, batch).unwrap();
            let shape = Shape::from(&shape).prepend(batch);
            let inputs = Tensor::from_f64(shape, DType::F32, example.repeat(batch)).unwrap();
            let logits = rows(&model.logits(&inputs).unwrap());
            let gradients = rows(&model.gradients(&inputs, &vec![1; batch]).unwrap());
            for row in 1..batch {
                assert_eq!(logits[row], logits[0], "logits of row {row} of {batch}");
                assert_eq!(gradients[row], gradients[0], "gradient of row {row} of {batch}");
            }
        }
    }
}
