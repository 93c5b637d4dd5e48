//! Keys: where the random numbers of a graph come from.

use perturb_graph::{DType, Expr, Shape, Tensor};

// An odd constant with well spread bits (the golden ratio's): streams of one key never meet those of its neighbours.
const SPREAD: i64 = 0x9E37_79B9_7F4A_7C15_u64 as i64;

/// A source of random numbers in a graph: a pair (seed, stream) that is an input, so that the same key gives the same
/// numbers in every run, with any number of threads, and after a resume.
///
/// A key is for one draw; [`Key::fold`] makes others of it.
#[derive(Clone, Debug)]
pub struct Key(Expr);

impl Key {
    /// The key whose seed and stream are the two elements of `pair [2]` (i64).
    pub fn new(pair: Expr) -> Key {
        Key(pair)
    }

    /// A key that is known when the graph is built.
    pub fn constant(seed: u64, stream: u64) -> Key {
        let pair = Tensor::new([2], vec![seed as i64, stream as i64]).expect("a key has two elements");
        Key(Expr::constant(pair))
    }

    /// The pair `[2]` (i64).
    pub fn pair(&self) -> &Expr {
        &self.0
    }

    /// The `index`-th of many keys, whose numbers have nothing to do with one another's or with this key's.
    pub fn fold(&self, index: u64) -> Key {
        let offset = Tensor::new([2], vec![0, SPREAD.wrapping_mul(index as i64 + 1)]).expect("a key has two elements");
        Key(self.0.add(&Expr::constant(offset)).random_split(1).reshape([2]))
    }

    /// Uniform numbers in [0, 1).
    pub fn uniform(&self, shape: impl Into<Shape>, dtype: DType) -> Expr {
        self.0.random_uniform(shape, dtype)
    }

    /// Standard normal numbers.
    pub fn normal(&self, shape: impl Into<Shape>, dtype: DType) -> Expr {
        self.0.random_normal(shape, dtype)
    }

    /// 1 with probability `probability`, else 0.
    pub fn bernoulli(&self, probability: f64, shape: impl Into<Shape>, dtype: DType) -> Expr {
        let uniform = self.uniform(shape, dtype);
        uniform.less(&uniform.like(probability))
    }

    /// A random order of `0..n` (i64), by sorting random numbers.
    pub fn permutation(&self, n: usize) -> Expr {
        self.0.random_uniform([n], DType::F64).argsort(0, false)
    }

    /// Numbers in `0..n` (i64), uniform up to a bias of n/2³².
    pub fn integers(&self, n: usize, shape: impl Into<Shape>) -> Expr {
        let words = self.0.random_bits(shape);
        let count = Expr::scalar(n as f64, DType::I64);
        words.rem(&count.broadcast_to(words.shape()))
    }
}
