//! Composite functions against PyTorch 2 (values printed once, with the call beside them), and against naive loops.

use crate::numbers::{assert_close, run, seeded, uniform};
use perturb_graph::{
    Coordinates, DType, Expr, GridSample, Interpolation, NearestRounding, Outside, Resize, Tensor, grad,
};

fn constant(shape: &[usize], values: &[f64]) -> Expr {
    Expr::constant(Tensor::new(shape, values.to_vec()).unwrap())
}

fn value(e: &Expr) -> Vec<f64> {
    run(std::slice::from_ref(e), &[]).remove(0)
}

#[track_caller]
fn close(what: &str, e: &Expr, want: &[f64]) {
    assert_close(what, &value(e), want, 1e-13);
}

fn image() -> Expr {
    constant(&[1, 1, 2, 3], &[1.0, -2.0, 3.0, 4.0, 0.5, -6.0])
}

// F.interpolate(x, size=(3, 5), mode=…, align_corners=…)
#[test]
fn resizing() {
    let x = image();
    let linear = [1., -0.2, -2., 1., 3., 2.5, 1.2, -0.75, -1.2, -1.5, 4., 2.6, 0.5, -3.4, -6.];
    close("bilinear", &x.resize(&[3, 5], &Resize::linear()), &linear);
    let aligned = [1., -0.5, -2., 0.5, 3., 2.5, 0.875, -0.75, -1.125, -1.5, 4., 2.25, 0.5, -2.75, -6.];
    close("bilinear, aligned", &x.resize(&[3, 5], &Resize::linear().with(Coordinates::AlignCorners)), &aligned);
    let cubic = [
        [1.02341666666667, -0.83945138888889, -2.21701388888889, 1.24104861111111, 4.35708333333333],
        [2.812, 1.293, -0.75, -1.443, -1.572],
        [4.60058333333333, 3.42545138888889, 0.71701388888889, -4.12704861111111, -7.50108333333334],
    ];
    close("bicubic", &x.resize(&[3, 5], &Resize::cubic()), &cubic.concat());
    let nearest = [1., 1., -2., -2., 3., 1., 1., -2., -2., 3., 4., 4., 0.5, 0.5, -6.];
    close("nearest", &x.resize(&[3, 5], &Resize::nearest()), &nearest);
    // mode="nearest-exact", size=(3, 2)
    let interpolation = Interpolation::Nearest(NearestRounding::HalfUp);
    let exact = Resize { interpolation, ..Resize::linear() };
    close("nearest-exact", &x.resize(&[3, 2], &exact), &[1., 3., 4., -6., 4., -6.]);
    assert_eq!(value(&x.resize(&[2, 3], &Resize::cubic())), value(&x));
}

// F.grid_sample(x, grid, mode=…, padding_mode=…, align_corners=…)
#[test]
fn sampling_at_places() {
    let places = [-1.1, -0.3, 0.4, 0.9, 0.95, 0.2, 0.1, -1.3];
    let grid = Expr::input("grid", [1, 2, 2, 2], DType::F64);
    let at = |nearest, outside, align_corners| {
        let y = image().grid_sample(&grid, GridSample { nearest, outside, align_corners });
        let feed = (grid.clone(), Tensor::new([1, 2, 2, 2], places.to_vec()).unwrap());
        let values = run(&[y.clone(), grad(&y, &[grid.clone()]).unwrap().remove(0)], &[feed]);
        (values[0].clone(), values[1].clone())
    };
    let (zeros, border) = (Outside::Zeros, Outside::Border);
    assert_close("zeros", &at(false, zeros, false).0, &[0.56, -2.04, -1.8975, -0.25], 1e-13);
    assert_close("zeros, aligned", &at(false, zeros, true).0, &[1.845, -1.995, -2.305, -1.275], 1e-13);
    assert_close("border", &at(false, border, false).0, &[1.6, -3.4, -3.3, -1.25], 1e-13);
    assert_close("border, aligned", &at(false, border, true).0, &[2.05, -1.995, -2.305, -1.5], 1e-13);
    assert_eq!(at(true, zeros, false).0, [0.0, -6.0, -6.0, 0.0]);
    assert_eq!(at(true, zeros, true).0, [1.0, 0.5, -6.0, -2.0]);
    assert_eq!(at(true, border, false).0, [1.0, -6.0, -6.0, -2.0]);
    let of_grid = [2.4, 1.05, -5.85, 3.4, 4.95, -5.175, 1.5, -1.25];
    assert_close("derivative in the places", &at(false, zeros, false).1, &of_grid, 1e-12);
    assert_eq!(at(true, zeros, false).1, [0.0; 8]);
}

#[test]
fn normalisation() {
    let y = constant(&[1, 4], &[1.0, -2.0, 3.0, 0.5]);
    // F.layer_norm(y, (4,), eps=1e-5), F.rms_norm(y, (4,), eps=1e-5)
    let layer = [0.210558389988637, -1.47390872992046, 1.33353646992803, -0.0701861299962124];
    close("layer_norm", &y.layer_norm(&[1], 1e-5), &layer);
    let rms = [0.52981219923047, -1.05962439846094, 1.58943659769141, 0.264906099615235];
    close("rms_norm", &y.rms_norm(&[1], 1e-5), &rms);
    // F.group_norm(z, 2, eps=1e-5), F.instance_norm(z, eps=1e-5)
    let z = constant(&[1, 4, 2], &[1., -2., 3., 0.5, -1., 2., 0., 4.]);
    let second = [-1.17169861008461, 0.390566203361538, -0.65094367226923, 1.43207607899231];
    close("group_norm", &z.group_norm(2, 1e-5), &[layer, second].concat());
    let (a, b, c) = (0.999997777785185, 0.99999680001536, 0.999998750002344);
    close("instance_norm", &z.instance_norm(1e-5), &[a, -a, b, -b, -a, a, -c, c]);
    close("variance", &y.variance(&[1], 1, false), &[4.22916666666667]); // torch.var(y, 1)
}

// F.scaled_dot_product_attention(q, k, v, attn_mask=…)
#[test]
fn attention() {
    let (q, k) = (constant(&[2, 2], &[1.0, 0.5, -0.5, 2.0]), constant(&[3, 2], &[0.3, -1.0, 1.2, 0.7, 0.0, 0.4]));
    let v = constant(&[3, 2], &[1.0, 2.0, 3.0, -1.0, 0.5, 0.0]);
    let second = [1.70615244508714, -0.353841483623814];
    close("all", &q.attention(&k, &v, None), &[[2.07905256415884, -0.250580497379139], second].concat());
    let causal = Expr::causal_mask(2, 3, DType::F64);
    assert_eq!(value(&causal), [1.0, 1.0, 0.0, 1.0, 1.0, 1.0]);
    let masked = [[2.55023509757497, -0.325352646362459], second].concat();
    close("causal", &q.attention(&k, &v, Some(&causal)), &masked);
    // A query that sees no key: the mean of the values, not NaN.
    let blind = q.attention(&k, &v, Some(&constant(&[1, 3], &[0.0; 3])));
    close("blind", &blind, &[1.5, 1.0 / 3.0, 1.5, 1.0 / 3.0]);
}

#[test]
fn running_operations() {
    let y = constant(&[4], &[1.0, -2.0, 3.0, 0.5]);
    assert_eq!(value(&y.cumsum(0, false, false)), [1.0, -1.0, 2.0, 2.5]);
    assert_eq!(value(&y.cumsum(0, true, false)), [0.0, 1.0, -1.0, 2.0]);
    assert_eq!(value(&y.cumsum(0, false, true)), [2.5, 1.5, 3.5, 0.5]);
    assert_eq!(value(&y.cumsum(0, true, true)), [1.5, 3.5, 0.5, 0.0]);
    assert_eq!(value(&y.cumprod(0)), [1.0, -2.0, -6.0, -3.0]);
    assert_eq!(value(&y.cummax(0)), [1.0, 1.0, 3.0, 3.0]);
    // torch.logcumsumexp(y, 0), torch.logsumexp(y, 0)
    let running = [1.0, 1.04858735157374, 3.13284523372758, 3.20225344767935];
    close("logcumsumexp", &y.logcumsumexp(0), &running);
    close("logsumexp", &y.logsumexp(&[0], false), &running[3..]);
    let nothing = constant(&[2], &[f64::NEG_INFINITY; 2]);
    assert_eq!(value(&nothing.logsumexp(&[0], false)), [f64::NEG_INFINITY]);
    close("far from 0", &constant(&[2], &[1000.0, 1000.0]).logsumexp(&[0], false), &[1000.0 + 2f64.ln()]);
    assert_eq!(value(&y.reduce_prod(&[0], true)), [-3.0]);
    assert_eq!(value(&constant(&[2, 0], &[]).reduce_prod(&[1], false)), [1.0, 1.0]);
}

// h[t] = a[t]·h[t − 1] + b[t], for lengths around powers of two, against the loop.
#[test]
fn linear_recurrences() {
    for n in 1..10 {
        let rng = &mut seeded(n as u64);
        let (a, b) = (uniform(rng, [n, 2], DType::F64, (-1., 1.)), uniform(rng, [n, 2], DType::F64, (-1., 1.)));
        let combine = |l: &[Expr], r: &[Expr]| Ok(vec![l[0].mul(&r[0]), r[0].mul(&l[1]).add(&r[1])]);
        let elements = [Expr::constant(a.clone()), Expr::constant(b.clone())];
        let h = Expr::associative_scan(&elements, 0, combine).unwrap().remove(1);
        let (a, b, mut state, mut want) = (a.to_f64_vec(), b.to_f64_vec(), [0.0; 2], Vec::new());
        for t in 0..n {
            state = [0, 1].map(|k| a[2 * t + k] * state[k] + b[2 * t + k]);
            want.extend(state);
        }
        assert_close("recurrence", &value(&h), &want, 1e-13);
    }
}

// The derivative of a product at zeros, where a quotient would not have one.
#[test]
fn products_have_derivatives_at_zero() {
    let x = Expr::input("x", [5], DType::F64);
    let of = |y: Expr, at: [f64; 5]| {
        let gradient = grad(&y, &[x.clone()]).unwrap();
        run(&gradient, &[(x.clone(), Tensor::new([5], at.to_vec()).unwrap())]).remove(0)
    };
    let product = x.reduce_prod(&[0], false);
    assert_eq!(of(product.clone(), [2.0, 0.0, 3.0, -1.0, 5.0]), [0.0, -30.0, 0.0, 0.0, 0.0]);
    assert_eq!(of(product, [2.0, 0.0, 0.0, -1.0, 5.0]), [0.0; 5]);
    assert_eq!(of(x.cumprod(0).slice_axis(0, 2, 3), [2.0, 0.0, 3.0, 1.0, 1.0]), [0.0, 6.0, 0.0, 0.0, 0.0]);
}

#[test]
fn ordering() {
    let nan = f64::NAN;
    // torch.argmax, torch.sort(stable=True)
    assert_eq!(value(&constant(&[4], &[1.0, nan, 3.0, nan]).argmax(0)), [1.0]);
    let x = constant(&[4], &[2.0, nan, 1.0, 2.0]);
    assert_eq!(value(&x.argsort(0, false)), [2.0, 0.0, 3.0, 1.0]);
    let sorted = value(&x.sort(0, false));
    assert!(sorted[..3] == [1.0, 2.0, 2.0] && sorted[3].is_nan());
    let y = constant(&[4], &[2.0, 1.0, 2.0, 3.0]);
    assert_eq!(value(&y.argsort(0, true)), [3.0, 0.0, 2.0, 1.0]);
    assert_eq!([value(&y.argmax(0)), value(&y.argmin(0))], [[3.0], [1.0]]);
    assert_eq!(value(&y.sub(&y.like(2.0)).abs().argmin(0)), [0.0]);
    let (values, indices) = y.top_k(0, 2);
    assert_eq!([value(&values), value(&indices)], [[3.0, 2.0], [3.0, 0.0]]);
    // torch.quantile([1, −2, 3, 0.5], 0.3)
    close("quantile", &constant(&[4], &[1.0, -2.0, 3.0, 0.5]).quantile(0.3, 0, false), &[0.25]);
    assert!(y.try_top_k(0, 5).is_err() && y.try_quantile(1.5, 0, false).is_err() && y.try_sort(1, false).is_err());
}

#[test]
fn indexing() {
    let x = constant(&[2, 3], &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
    let index = |shape: &[usize], values: &[i64]| Expr::constant(Tensor::new(shape, values.to_vec()).unwrap());
    assert_eq!(value(&x.gather(1, &index(&[2], &[2, 0]))), [2.0, 0.0, 5.0, 3.0]);
    assert_eq!(value(&x.gather(0, &index(&[], &[1]))), [3.0, 4.0, 5.0]);
    assert_eq!(value(&x.gather(0, &index(&[2], &[-5, 7]))), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
    assert_eq!(value(&x.take_along_axis(1, &index(&[2, 1], &[2, 1]))), [2.0, 4.0]);
    assert_eq!(value(&x.scatter_add(1, &index(&[3], &[1, 1, 0]), 2)), [2.0, 1.0, 5.0, 7.0]);
    assert_eq!(value(&index(&[3], &[1, 5, 0]).one_hot(2, DType::F64)), [0.0, 1.0, 0.0, 0.0, 1.0, 0.0]);
    assert_eq!(value(&Expr::arange(3)), [0.0, 1.0, 2.0]);
    // torch.roll(y, 5, 1)
    assert_eq!(value(&constant(&[1, 4], &[1.0, -2.0, 3.0, 0.5]).roll(1, 5)), [0.5, 1.0, -2.0, 3.0]);
    assert!(x.try_gather(2, &index(&[1], &[0])).is_err() && x.try_roll(2, 1).is_err());
    assert!(constant(&[0], &[]).try_gather(0, &index(&[1], &[0])).is_err());
}

// F.pad(x, (2, 1), mode=…)
#[test]
fn padding() {
    let x = constant(&[1, 3], &[1.0, 2.0, 3.0]);
    assert_eq!(value(&x.pad_reflect(&[0, 2], &[0, 1])), [3.0, 2.0, 1.0, 2.0, 3.0, 2.0]);
    assert_eq!(value(&x.pad_circular(&[0, 2], &[0, 1])), [2.0, 3.0, 1.0, 2.0, 3.0, 1.0]);
    assert_eq!(value(&x.pad_edge(&[0, 2], &[0, 1])), [1.0, 1.0, 1.0, 2.0, 3.0, 3.0]);
    assert!(x.try_pad_reflect(&[1, 0], &[0, 0]).is_err() && x.try_pad_reflect(&[0, 3], &[0, 0]).is_err());
    assert!(x.try_pad_circular(&[0, 4], &[0, 0]).is_err() && x.try_pad_edge(&[0], &[0]).is_err());
}

#[test]
fn functions_of_two_elements() {
    let (a, b) = (constant(&[4], &[5.5, -5.5, 5.5, -5.5]), constant(&[4], &[2.0, 2.0, -2.0, -2.0]));
    assert_eq!(value(&a.floor_mod(&b)), [1.5, 0.5, -0.5, -1.5]); // torch.remainder
    assert_eq!(value(&a.rem(&b)), [1.5, -1.5, 1.5, -1.5]); // torch.fmod
    let integers = [-7i64, 7].map(|v| Expr::constant(Tensor::new([1], vec![v]).unwrap()));
    assert_eq!(value(&integers[0].floor_mod(&integers[1].like(3.0))), [2.0]);
    let angles = constant(&[2], &[1.0, -1.0]).atan2(&constant(&[2], &[-2.0, -2.0]));
    close("atan2", &angles, &[2.67794504458899, -2.67794504458899]);
    // torch.cdist(x, y) ** 2
    let (x, y) = (constant(&[2, 2], &[1.0, 2.0, 0.0, -1.0]), constant(&[2, 2], &[0.5, 0.5, 3.0, 1.0]));
    close("squared_distances", &x.squared_distances(&y), &[2.5, 5.0, 2.5, 13.0]);
    let odd = constant(&[3], &[f64::NAN, f64::NEG_INFINITY, 2.0]);
    assert_eq!(value(&odd.is_nan()), [1.0, 0.0, 0.0]);
    assert_eq!(value(&odd.is_inf()), [0.0, 1.0, 0.0]);
    assert_eq!(value(&odd.is_finite()), [0.0, 0.0, 1.0]);
    assert_eq!(value(&odd.masked_fill(&odd.is_nan(), 7.0)), [7.0, f64::NEG_INFINITY, 2.0]);
}

// torch.log1p(0.3) and so on
#[test]
fn functions_of_one_element() {
    let x = constant(&[1], &[0.3]);
    type Case = (fn(&Expr) -> Expr, f64);
    let functions: [Case; 10] = [
        (Expr::log1p, 0.262364264467491),
        (Expr::expm1, 0.349858807576003),
        (Expr::tan, 0.309336249609623),
        (Expr::asin, 0.304692654015397),
        (Expr::acos, 1.2661036727795),
        (Expr::atan, 0.291456794477867),
        (Expr::sinh, 0.304520293447143),
        (Expr::cosh, 1.04533851412886),
        (Expr::asinh, 0.295673047563422),
        (Expr::atanh, 0.309519604203112),
    ];
    for (f, want) in functions {
        close(f(&x).op().name(), &f(&x), &[want]);
    }
    close("acosh", &x.offset(1.0).acosh(), &[0.75643291085696]);
    // Near 0 and near 1, where the plain formulas lose everything.
    let tiny = constant(&[1], &[1e-18]);
    assert_eq!([value(&tiny.log1p()), value(&tiny.expm1())], [[1e-18], [1e-18]]);
    let beyond = f64::EPSILON;
    close("acosh near 1", &constant(&[1], &[1.0 + beyond]).acosh().scale(1e8), &[1e8 * (2.0 * beyond).sqrt()]);
}

// torch.pow, and its derivative with a fixed exponent, of which none needs a logarithm.
#[test]
fn powers() {
    let x = Expr::input("x", [4], DType::F64);
    let y = x.pow(&constant(&[4], &[2.0, 3.0, 0.5, 0.0]));
    let feed = [(x.clone(), Tensor::new([4], vec![0.0, -2.0, 2.0, 0.0]).unwrap())];
    let values = run(&[y.clone(), grad(&y, &[x.clone()]).unwrap().remove(0)], &feed);
    assert_close("pow", &values[0], &[0.0, -8.0, 2f64.sqrt(), 1.0], 1e-15);
    assert_close("its derivative", &values[1], &[0.0, 12.0, 0.353553390593274, 0.0], 1e-13);
}

#[test]
fn derivatives_other_than_a_values_own() {
    let x = Expr::input("x", [2], DType::F64);
    let rounded = x.round().straight_through(&x.scale(3.0)).square();
    let reversed = x.square().gradient_reversal(0.5);
    let gradients = [grad(&rounded, &[x.clone()]).unwrap().remove(0), grad(&reversed, &[x.clone()]).unwrap().remove(0)];
    let feed = [(x.clone(), Tensor::new([2], vec![1.2, -2.7]).unwrap())];
    let values = run(&[rounded, reversed, gradients[0].clone(), gradients[1].clone()], &feed);
    assert_eq!(values[0], [1.0, 9.0]);
    assert_eq!(values[1], [1.2 * 1.2, 2.7 * 2.7]);
    assert_close("straight through", &values[2], &[2.0 * 3.0, -6.0 * 3.0], 1e-15);
    assert_close("reversed", &values[3], &[-0.5 * 2.4, 0.5 * 5.4], 1e-15);
}
