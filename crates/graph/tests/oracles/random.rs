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
