//! `vmap` against a loop over examples.

use crate::numbers::{Complaints, difference, run, seeded, subsets, uniform};
use crate::samples::all;
use perturb_graph::{DType, Expr, Graph, Tensor, vjp, vmap};

const SIZE: usize = 3;

// `outputs` on SIZE examples at once, inputs in `mask` batched, against one example after another.
fn compare(outputs: &[Expr], inputs: &[Expr], examples: &[Vec<Tensor>], mask: &[bool]) -> Option<String> {
    let (mut pairs, mut feeds) = (Vec::new(), Vec::new());
    for (i, x) in inputs.iter().enumerate() {
        if !mask[i] {
            feeds.push((x.clone(), examples[0][i].clone()));
            continue;
        }
        let batched = Expr::input("batched", x.shape().prepend(SIZE), x.dtype());
        let values: Vec<f64> = examples.iter().flat_map(|e| e[i].to_f64_vec()).collect();
        feeds.push((batched.clone(), Tensor::from_f64(batched.shape(), x.dtype(), values).unwrap()));
        pairs.push((x.clone(), batched));
    }
    let together = vmap(outputs, &pairs, SIZE).unwrap();
    for (t, o) in together.iter().zip(outputs) {
        assert_eq!(*t.shape(), o.shape().prepend(SIZE));
    }
    let got = run(&together, &feeds);
    let mut want = vec![Vec::new(); outputs.len()];
    for example in examples {
        let value = |i: usize| if mask[i] { example[i].clone() } else { examples[0][i].clone() };
        let feeds: Vec<_> = inputs.iter().cloned().zip((0..inputs.len()).map(value)).collect();
        for (all, one) in want.iter_mut().zip(run(outputs, &feeds)) {
            all.extend(one);
        }
    }
    got.iter().zip(&want).find_map(|(g, w)| difference(g, w, 1e-12))
}

#[test]
fn values_and_gradients_for_every_subset_of_batched_operands() {
    let mut complaints = Complaints::default();
    for (seed, sample) in all(DType::F64).iter().enumerate() {
        let rng = &mut seeded(400 + seed as u64);
        let ct = Expr::input("ct", sample.output.shape(), sample.output.dtype());
        let gradients = vjp(&[sample.output.clone()], &sample.inputs, &[ct.clone()]).unwrap();
        let outputs: Vec<Expr> = std::iter::once(sample.output.clone()).chain(gradients).collect();
        let inputs: Vec<Expr> = sample.inputs.iter().cloned().chain([ct.clone()]).collect();
        let mut example = || {
            let mut values = sample.point(rng);
            values.push(uniform(rng, ct.shape(), ct.dtype(), (-1.0, 1.0)));
            values
        };
        let examples: Vec<Vec<Tensor>> = (0..SIZE).map(|_| example()).collect();
        for mask in subsets(inputs.len()) {
            let what = format!("{}, batched {mask:?}", sample.name);
            complaints.add(what, compare(&outputs, &inputs, &examples, &mask));
        }
    }
}

// Two batch axes, one around the other: all pairs of examples.
#[test]
fn nested() {
    let mut complaints = Complaints::default();
    for (seed, sample) in all(DType::F64).iter().enumerate().filter(|(_, s)| s.inputs.len() == 2) {
        let rng = &mut seeded(500 + seed as u64);
        let (x, y) = (&sample.inputs[0], &sample.inputs[1]);
        let (xs, ys) =
            (Expr::input("xs", x.shape().prepend(2), x.dtype()), Expr::input("ys", y.shape().prepend(SIZE), y.dtype()));
        let inner = vmap(&[sample.output.clone()], &[(y.clone(), ys.clone())], SIZE).unwrap();
        let outer = vmap(&inner, &[(x.clone(), xs.clone())], 2).unwrap();
        let (left, right): (Vec<_>, Vec<_>) = (sample.point(rng), sample.point(rng));
        let more = sample.point(rng);
        let (first, second) = ([&left[0], &right[0]], [&left[1], &right[1], &more[1]]);
        let stack = |parts: &[&Tensor], like: &Expr| {
            let values = parts.iter().flat_map(|t| t.to_f64_vec()).collect();
            (like.clone(), Tensor::from_f64(like.shape(), like.dtype(), values).unwrap())
        };
        let got = run(&outer, &[stack(&first, &xs), stack(&second, &ys)]);
        let one = |a: &Tensor, b: &Tensor| {
            run(std::slice::from_ref(&sample.output), &[(x.clone(), a.clone()), (y.clone(), b.clone())]).concat()
        };
        let want: Vec<f64> = first.iter().flat_map(|a| second.iter().flat_map(|b| one(a, b))).collect();
        complaints.add(&sample.name, difference(&got[0], &want, 1e-12));
    }
}

#[test]
fn what_does_not_depend_on_the_batch_is_repeated() {
    let (x, w) = (Expr::input("x", [2], DType::F64), Expr::input("w", [2], DType::F64));
    let xs = Expr::input("xs", [SIZE, 2], DType::F64);
    let outputs = vmap(&[w.exp(), x.add(&w)], &[(x.clone(), xs.clone())], SIZE).unwrap();
    assert_eq!(*outputs[0].shape(), [SIZE, 2].into());
    let feeds = [
        (xs, Tensor::new([SIZE, 2], vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).unwrap()),
        (w, Tensor::new([2], vec![0.0, 1.0]).unwrap()),
    ];
    let got = run(&outputs, &feeds);
    assert_eq!(got[0], [1.0, 1f64.exp(), 1.0, 1f64.exp(), 1.0, 1f64.exp()]);
    assert_eq!(got[1], [1.0, 3.0, 3.0, 5.0, 5.0, 7.0]);
}

#[test]
fn graphs_are_batched_by_name() {
    let x = Expr::input("x", [1, 2], DType::F64);
    let graph = Graph::new(vec![x.clone()], vec![("y".into(), x.square())]).unwrap().vmap(4).unwrap();
    assert_eq!(graph.inputs[0].name(), Some("x"));
    assert_eq!(*graph.outputs[0].1.shape(), [4, 1, 2].into());
}
