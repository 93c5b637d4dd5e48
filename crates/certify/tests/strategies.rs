//! However the work is cut up, the bounds are those of the transform on one example, evaluated by definition.

mod nets;

use perturb_certify::{Bounds, Certifier, CertifyError, Method, Region, Settings};
use perturb_graph::{
    Bounder, DType, Domain, Expr, Graph, Interval, LinearBoundsOptions, Norm, Op, Rounding, Tensor, Unary, eval,
    interval, topological,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const NORMS: [Norm; 3] = [Norm::Linf, Norm::L2, Norm::L1];

fn centers(model: &Graph, rows: usize, seed: u64) -> Tensor {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let shape = model.inputs[0].shape().prepend(rows);
    Tensor::new(&shape, (0..shape.count()).map(|_| rng.random_range(0.0..1.0f32)).collect()).unwrap()
}

fn settings(norm: Norm, batch: usize) -> Settings {
    Settings { norm, batch, rounding: Rounding::Nearest, ..Settings::default() }
}

// Largest difference relative to the width of the bounds.
fn difference(a: &Bounds, b: &Bounds) -> f64 {
    let ends = |x: &Bounds| [x.lower.to_f64_vec(), x.upper.to_f64_vec()];
    let ([la, ua], [lb, ub]) = (ends(a), ends(b));
    // Sums in f32 err relative to the size of what they add, of which the ends are a lower estimate.
    let scale = |i: usize| (ub[i] - lb[i]) + lb[i].abs().max(ub[i].abs()) + 1e-3;
    let each = (0..la.len()).map(|i| (la[i] - lb[i]).abs().max((ua[i] - ub[i]).abs()) / scale(i));
    each.fold(0.0, f64::max)
}

/// Bounds of one example in f64 by the graph's own transform. As in the certifier, elements that a `relu` passes or stops
/// as a whole are not bounded better than by their interval.
fn reference(model: &Graph, center: &[f32], epsilon: f64, norm: Norm, method: Method) -> (Vec<f64>, Vec<f64>) {
    let (x, z) = (model.inputs[0].clone(), model.outputs[0].1.clone());
    let at = Tensor::new(x.shape(), center.iter().map(|&v| f64::from(v)).collect()).unwrap();
    let center = Expr::constant(at);
    let within = Some((center.like(0.0), center.like(1.0)));
    let domain = Domain::Ball { center, radius: Expr::scalar(epsilon, DType::F64), norm, within };
    let options = LinearBoundsOptions { rounding: Rounding::Nearest, ..LinearBoundsOptions::default() };
    let found = if method == Method::Ibp {
        let of = domain.bounding_box(Rounding::Nearest);
        interval(&[z], &[(x, of)], Rounding::Nearest).remove(0)
    } else {
        let (mut bounder, prepared) = Bounder::new(&[z], &[(x, domain)], options).unwrap();
        if method == Method::Crown {
            for node in bounder.to_tighten() {
                let (walked, known) = (bounder.elementwise(&node).unwrap(), bounder.bounds(&node));
                let mut values = eval(&[walked.lo, walked.hi, known.lo, known.hi], &[]).unwrap();
                if seen_by_relu(&node, &prepared[0]) {
                    keep_decided(&mut values);
                }
                let [lo, hi] = [0, 1].map(|i| Expr::constant(values[i].clone()));
                bounder.tighten(&node, Interval { lo, hi });
            }
        }
        bounder.elementwise(&prepared[0]).unwrap()
    };
    let ends = eval(&[found.lo, found.hi], &[]).unwrap();
    (ends[0].to_f64_vec(), ends[1].to_f64_vec())
}

fn seen_by_relu(node: &Expr, output: &Expr) -> bool {
    let all = topological(std::slice::from_ref(output));
    all.iter().any(|u| matches!(u.op(), Op::Unary(Unary::Relu)) && u.inputs()[0].id() == node.id())
}

// Of [lo, hi, interval's lo, interval's hi]: elements whose interval does not contain 0 keep it.
fn keep_decided(values: &mut [Tensor]) {
    let (lo, hi) = (values[2].to_f64_vec(), values[3].to_f64_vec());
    for (k, kept) in [(0, &lo), (1, &hi)] {
        let end = values[k].as_mut_slice::<f64>();
        (0..lo.len()).filter(|&i| lo[i] >= 0.0 || hi[i] <= 0.0).for_each(|i| end[i] = kept[i]);
    }
}

// Networks with convolutions are bounded by windows where that is cheaper, the others by whole rows.
#[test]
fn certifiers_meet_the_transform_evaluated_by_definition() {
    for index in 0..60 {
        let (single, double) = (nets::random(index, DType::F32), nets::random(index, DType::F64));
        let norm = NORMS[index as usize / 5 % 3];
        let epsilon = [0.01, 0.05, 0.2][index as usize / 15 % 3];
        let points = centers(&single, 3, index);
        for method in [Method::Ibp, Method::CrownIbp, Method::Crown] {
            let certifier = Certifier::new(&single, method, settings(norm, 2)).unwrap();
            let found = certifier.bounds(&points, &Region::from(epsilon).within(0.0, 1.0)).unwrap();
            for row in 0..3 {
                let center = points.rows(row, row + 1);
                let (lower, upper) = reference(&double, center.as_slice::<f32>(), epsilon, norm, method);
                let (lo, hi) =
                    (found.lower.rows(row, row + 1).to_f64_vec(), found.upper.rows(row, row + 1).to_f64_vec());
                for j in 0..3 {
                    let tolerance = 1e-5 * (upper[j] - lower[j]) + 3e-6 * (1.0 + lower[j].abs() + upper[j].abs());
                    let name = format!("network {index}, {method:?}, {norm:?}, output {j}");
                    assert!((lo[j] - lower[j]).abs() <= tolerance, "{name}: {} instead of {}", lo[j], lower[j]);
                    assert!((hi[j] - upper[j]).abs() <= tolerance, "{name}: {} instead of {}", hi[j], upper[j]);
                }
            }
        }
    }
}

// With little memory, rows are bounded a few at a time and examples one by one.
#[test]
fn memory_does_not_change_bounds() {
    for index in 0..30 {
        let model = nets::random(index, DType::F32);
        let norm = NORMS[index as usize / 5 % 3];
        let points = centers(&model, 5, index);
        let region = Region::from(vec![0.01, 0.02, 0.05, 0.1, 0.2]).within(0.0, 1.0);
        let plenty = Certifier::new(&model, Method::Crown, settings(norm, 5)).unwrap();
        let expected = plenty.bounds(&points, &region).unwrap();
        let mut limit = 1 << 22;
        let mut tried = 0;
        // Smaller and smaller, until a single row does not fit.
        loop {
            match Certifier::new(&model, Method::Crown, Settings { memory_limit: limit, ..settings(norm, 5) }) {
                Ok(certifier) => {
                    let found = certifier.bounds(&points, &region).unwrap();
                    assert!(difference(&found, &expected) < 1e-5, "network {index}, {limit} bytes");
                    tried += 1;
                }
                Err(CertifyError::Memory { need, limit: l, .. }) => {
                    assert!(need > limit && l == limit);
                    break;
                }
                Err(other) => panic!("{other}"),
            }
            limit /= 2;
        }
        assert!(tried > 3, "network {index}: only {tried} limits");
    }
}

#[test]
fn batches_do_not_change_bounds() {
    for index in 0..20 {
        let model = nets::random(index, DType::F32);
        let points = centers(&model, 7, index);
        let labels = [0, 1, 2, 0, 1, 2, 0];
        let run = |batch: usize| {
            let certifier = Certifier::new(&model, Method::Crown, settings(Norm::Linf, batch)).unwrap();
            let region = Region::from(0.05);
            (certifier.bounds(&points, &region).unwrap(), certifier.margins(&points, &labels, &region).unwrap())
        };
        let (one, margins) = run(1);
        for batch in [3, 7, 16] {
            let (bounds, found) = run(batch);
            assert!(difference(&bounds, &one) < 1e-5, "network {index}, batch {batch}: {}", difference(&bounds, &one));
            assert!(found.iter().zip(&margins).all(|(a, b)| (a - b).abs() < 1e-5 * (1.0 + b.abs())));
        }
    }
}

/// Walks may be looser than intervals with merged layers, above all in large balls; what is certified never is.
#[test]
fn walks_certify_whatever_intervals_certify_and_slopes_whatever_walks_certify() {
    let labels = [0, 1, 2, 0];
    let (mut raised, mut rows) = (0, 0);
    for index in 0..40 {
        let model = nets::random(index, DType::F32);
        let points = centers(&model, 4, index);
        let norm = NORMS[index as usize / 5 % 3];
        let outward = Settings { rounding: Rounding::Outward, ..settings(norm, 4) };
        for epsilon in [0.02, 0.3, 3.0] {
            let region = Region::from(epsilon).within(0.0, 1.0);
            let margins = |method| Certifier::new(&model, method, outward).unwrap().margins(&points, &labels, &region);
            let by_intervals = margins(Method::Ibp).unwrap();
            let crown = margins(Method::Crown).unwrap();
            let alpha = margins(Method::AlphaCrown { steps: 20 }).unwrap();
            for (method, found) in
                [(Method::CrownIbp, margins(Method::CrownIbp).unwrap()), (Method::Crown, crown.clone())]
            {
                for (row, (found, simple)) in found.iter().zip(&by_intervals).enumerate() {
                    let slack = 1e-5 * (1.0 + simple.abs());
                    assert!(
                        *found >= simple - slack,
                        "network {index}, {method:?}, ε {epsilon}, row {row}: {found} {simple}"
                    );
                }
            }
            for (alpha, crown) in alpha.iter().zip(&crown) {
                assert!(alpha >= crown, "network {index}: {alpha} {crown}");
                raised += usize::from(*crown <= 0.0 && *alpha > crown + 1e-3 * crown.abs());
                rows += usize::from(*crown <= 0.0);
            }
        }
    }
    assert!(4 * raised > rows && rows > 100, "slopes raise {raised} of {rows} margins");
}

/// z = (relu(x) − c·x, 0): the lower bound with slope α is min over [−1, 2] of (α − c)·x, best at α = c with 0.
#[test]
fn ascent_finds_the_best_slope() {
    for c in [0.25f32, 0.5, 0.75] {
        let x = Expr::input("x", [1, 1], DType::F32);
        let first = x.relu().sub(&x.scale(f64::from(c)));
        let logits = Expr::concat(&[first, x.like(0.0)], 1);
        let model = Graph::new(vec![x], vec![("logits".into(), logits)]).unwrap();
        let center = Tensor::new([1, 1], vec![0.5f32]).unwrap();
        let certifier = |method| Certifier::new(&model, method, Settings::default()).unwrap();
        let margin = |method| certifier(method).margins(&center, &[0], &Region::from(1.5)).unwrap()[0];
        let crown = margin(Method::Crown);
        // Slope 1 gives −(1 − c) at x = −1, intervals of both terms give −2c.
        let expected = -f64::from((1.0 - c).min(2.0 * c));
        assert!((crown - expected).abs() < 1e-5, "{crown} instead of {expected}");
        let alpha = margin(Method::AlphaCrown { steps: 100 });
        assert!(alpha <= 0.0 && alpha > -0.02, "slope c gives 0, not {alpha}");
        let bounds = certifier(Method::AlphaCrown { steps: 100 }).bounds(&center, &Region::from(1.5)).unwrap();
        // From above, the chord at x = −1: 2/3·(−1) + 2/3 + c, or at x = 2: 2 − 2c.
        let (lower, upper) = (bounds.lower.to_f64_vec()[0], bounds.upper.to_f64_vec()[0]);
        let highest = f64::from(c).max(f64::from(2.0 - 2.0 * c));
        assert!(lower <= 0.0 && lower > -0.02 && (upper - highest).abs() < 1e-4, "[{lower}, {upper}], {highest}");
    }
}
