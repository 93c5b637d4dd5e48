//! Random words against published ones, and draws against their distributions.

use perturb_graph::{DType, Expr, RandomBits, Tensor, eval, philox, random_words, vmap};

// Random123's known answers for philox4x32 with ten rounds (Salmon et al. 2011, file kat_vectors).
#[test]
fn published_words() {
    assert_eq!(philox([0; 4], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
    assert_eq!(philox([u32::MAX; 4], [u32::MAX; 2]), [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
    let counter = [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344];
    assert_eq!(philox(counter, [0xa409_3822, 0x299f_31d0]), [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]);
}

fn key(seed: i64, stream: i64) -> Tensor {
    Tensor::new([2], vec![seed, stream]).unwrap()
}

fn words(seed: i64, stream: i64, count: usize) -> Vec<i64> {
    let k = Expr::input("key", [2], DType::I64);
    let bits = Expr::apply(RandomBits { shape: [count].into() }, &[k.clone()]).unwrap();
    eval(&[bits], &[(k, key(seed, stream))]).unwrap()[0].as_slice::<i64>().to_vec()
}

// Blocks, lanes and the halves of seed and stream stand where the definition says.
#[test]
fn words_of_a_key() {
    let (seed, stream) = (0x299f_31d0_a409_3822, 0x0370_7344_1319_8a2e);
    let halves = |v: i64| [v as u32, (v as u64 >> 32) as u32];
    let got = words(seed, stream, 10);
    for (i, &word) in got.iter().enumerate() {
        let [low, high] = halves(stream);
        let block = philox([(i / 4) as u32, 0, low, high], halves(seed));
        assert_eq!(word, i64::from(block[i % 4]));
    }
    assert_eq!(words(0, 0, 3), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c]);
    assert!(random_words(-1, -1, 7).map(i64::from).eq(words(-1, -1, 7)));
    assert_ne!(words(1, 0, 4), words(0, 1, 4));
}

#[test]
fn one_stream_for_each_example() {
    let k = Expr::input("key", [2], DType::I64);
    let bits = Expr::apply(RandomBits { shape: [3, 2].into() }, &[k.clone()]).unwrap();
    let keys = Expr::input("keys", [2, 2], DType::I64);
    let batched = vmap(&[bits], &[(k, keys.clone())], 2).unwrap().remove(0);
    assert_eq!(*batched.shape(), [2, 3, 2].into());
    let both = Tensor::new([2, 2], vec![5, 0, 5, 1]).unwrap();
    let got = eval(&[batched], &[(keys, both)]).unwrap()[0].as_slice::<i64>().to_vec();
    assert_eq!(got, [words(5, 0, 6), words(5, 1, 6)].concat());
}

#[test]
fn keys_that_do_not_fit() {
    let bits = RandomBits { shape: [4].into() };
    let error = |x: Expr| Expr::apply(bits.clone(), &[x]).unwrap_err().to_string();
    assert!(error(Expr::input("k", [2], DType::F32)).contains("i64"));
    assert!(error(Expr::input("k", [3], DType::I64)).contains("seed"));
    assert!(error(Expr::input("k", [], DType::I64)).contains("seed"));
}

const DRAWS: usize = 100_000;

fn draw(f: impl Fn(&Expr) -> Expr, key_value: Tensor) -> Vec<f64> {
    let k = Expr::input("key", [2], DType::I64);
    eval(&[f(&k)], &[(k, key_value)]).unwrap()[0].to_f64_vec()
}

fn mean(values: &[f64], f: impl Fn(f64) -> f64) -> f64 {
    values.iter().map(|&v| f(v)).sum::<f64>() / values.len() as f64
}

// Raw moments within five standard errors of those of the distribution: E[x^p] ± 5·√(E[x^2p]/draws).
fn check_moments(what: &str, values: &[f64], moment: impl Fn(i32) -> f64) {
    for p in 1..=4 {
        let error = 5.0 * (moment(2 * p) / values.len() as f64).sqrt();
        let got = mean(values, |v| v.powi(p));
        assert!((got - moment(p)).abs() < error, "{what}: moment {p} is {got}, not {} ± {error}", moment(p));
    }
}

#[test]
fn moments_of_draws() {
    for dtype in [DType::F32, DType::F64] {
        let uniform = draw(|k| k.random_uniform([DRAWS], dtype), key(1, 2));
        assert!(uniform.iter().all(|&u| (0.0..1.0).contains(&u)));
        check_moments("uniform", &uniform, |p| 1.0 / f64::from(p + 1));
        let normal = draw(|k| k.random_normal([DRAWS / 4, 4], dtype), key(3, 4));
        assert!(normal.iter().all(|v| v.is_finite()));
        check_moments("normal", &normal, |p| if p % 2 == 1 { 0.0 } else { (1..p).step_by(2).map(f64::from).product() });
        // Neighbours, and the two halves of the pairs that Box and Muller's method makes, are not correlated.
        for lag in [1, DRAWS / 2] {
            let products: Vec<f64> = (0..DRAWS - lag).map(|i| normal[i] * normal[i + lag]).collect();
            assert!(mean(&products, |v| v).abs() < 5.0 / (products.len() as f64).sqrt());
        }
    }
}

#[test]
fn uniform_numbers_are_the_documented_bits() {
    let w = words(9, 9, 8);
    let single = draw(|k| k.random_uniform([8], DType::F32), key(9, 9));
    assert!(single.iter().zip(&w).all(|(&u, &w)| u == (w >> 8) as f64 / f64::from(1 << 24)));
    let double = draw(|k| k.random_uniform([4], DType::F64), key(9, 9));
    for (i, &u) in double.iter().enumerate() {
        let bits = (w[2 * i] << 21) | (w[2 * i + 1] >> 11);
        assert_eq!(u, bits as f64 / (1u64 << 53) as f64);
    }
}

#[test]
fn streams_and_split_keys_are_independent() {
    let k = Expr::input("key", [2], DType::I64);
    let keys = k.random_split(4);
    let parent = k.random_normal([DRAWS / 10], DType::F64);
    let one = Expr::input("one", [2], DType::I64);
    let children = vmap(&[one.random_normal([DRAWS / 10], DType::F64)], &[(one, keys.clone())], 4).unwrap().remove(0);
    let got = eval(&[keys, children, parent], &[(k, key(7, 0))]).unwrap();
    let mut distinct = got[0].as_slice::<i64>().to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), 8);
    let mut rows: Vec<Vec<f64>> = got[1].to_f64_vec().chunks(DRAWS / 10).map(<[f64]>::to_vec).collect();
    rows.push(got[2].to_f64_vec());
    for i in 0..rows.len() {
        for j in 0..i {
            let products: Vec<f64> = rows[i].iter().zip(&rows[j]).map(|(a, b)| a * b).collect();
            let correlation = mean(&products, |v| v);
            assert!(correlation.abs() < 5.0 / (products.len() as f64).sqrt(), "{i} and {j}: {correlation}");
        }
    }
}

// The derivative of a sample with respect to the parameters of its distribution.
#[test]
fn derivatives_pass_through_draws() {
    let (mean, k) = (Expr::input("mean", [], DType::F64), Expr::input("key", [2], DType::I64));
    let loss = k.random_normal([5], DType::F64).add(&mean).square().sum();
    let gradient = perturb_graph::grad(&loss, &[mean.clone()]).unwrap();
    let noise = draw(|k| k.random_normal([5], DType::F64), key(2, 2));
    let got = eval(&gradient, &[(mean, Tensor::scalar(0.5)), (k, key(2, 2))]).unwrap();
    let want: f64 = noise.iter().map(|z| 2.0 * (z + 0.5)).sum();
    assert!((got[0].as_slice::<f64>()[0] - want).abs() < 1e-12);
}
