//! Pseudorandom words.

use crate::op::{Primitive, arity, shape_error};
use crate::{DType, Expr, GraphError, Interval, Result, Rounding, Shape, Tensor};

/// Words of the counter-based generator Philox4x32-10 (Salmon et al. 2011), as `i64` in `0..2³²`.
///
/// Operand: keys `[…, 2]` of type `i64`, each a (seed, stream); result `[…, shape]`, one independent sequence for each
/// key. Word `i` is lane `i mod 4` of the block whose key is (low, high half of the seed) and whose counter is (low,
/// high half of `i / 4`, low, high half of the stream).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RandomBits {
    /// Shape of the words of one key.
    pub shape: Shape,
}

/// One block of Philox4x32 with ten rounds: four words for a counter and a key.
pub fn philox(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for round in 0..10 {
        if round > 0 {
            key = [key[0].wrapping_add(0x9E37_79B9), key[1].wrapping_add(0xBB67_AE85)];
        }
        let product = |a: u32, b: u32| {
            let p = u64::from(a) * u64::from(b);
            ((p >> 32) as u32, p as u32)
        };
        let ((high0, low0), (high1, low1)) = (product(0xD251_1F53, counter[0]), product(0xCD9E_8D57, counter[2]));
        counter = [high1 ^ counter[1] ^ key[0], low1, high0 ^ counter[3] ^ key[1], low0];
    }
    counter
}

/// The words of one key, see [`RandomBits`].
pub fn random_words(seed: i64, stream: i64, count: usize) -> impl Iterator<Item = u32> {
    let halves = |v: u64| [v as u32, (v >> 32) as u32];
    let (key, stream) = (halves(seed as u64), halves(stream as u64));
    let block = move |index: usize| {
        let index = halves(index as u64);
        philox([index[0], index[1], stream[0], stream[1]], key)
    };
    (0..count.div_ceil(4)).flat_map(block).take(count)
}

impl Primitive for RandomBits {
    fn name(&self) -> &'static str {
        "random_bits"
    }

    fn infer(&self, inputs: &[Expr]) -> Result<(Shape, DType)> {
        arity("random_bits", inputs, 1)?;
        let key = &inputs[0];
        if key.dtype() != DType::I64 {
            let reason = "the key must be of type i64".to_string();
            return Err(GraphError::DType { op: "random_bits".into(), reason, dtypes: vec![key.dtype()] });
        }
        match key.shape().split_last() {
            Some((2, lead)) => Ok((lead.iter().chain(self.shape.iter()).copied().collect(), DType::I64)),
            _ => shape_error("random_bits", "the key must be (seed, stream), of shape […, 2]", inputs),
        }
    }

    fn eval(&self, node: &Expr, inputs: &[&Tensor]) -> Tensor {
        let count = self.shape.count();
        let keys = inputs[0].as_slice::<i64>().chunks_exact(2);
        let words = keys.flat_map(|key| random_words(key[0], key[1], count)).map(i64::from).collect();
        Tensor::new(node.shape().clone(), words).expect("the rule computes every element")
    }

    fn linear_in(&self, _varying: &[bool]) -> Option<Vec<bool>> {
        None
    }

    fn jvp(&self, _node: &Expr, _tangents: &[Option<Expr>]) -> Option<Expr> {
        None
    }

    fn transpose(&self, _node: &Expr, _cotangent: &Expr, _linear: &[bool]) -> Vec<Option<Expr>> {
        vec![None]
    }

    fn batch(&self, _node: &Expr, inputs: &[Expr], _batched: &[bool], _size: usize) -> Expr {
        Expr::build(self.clone(), inputs)
    }

    fn interval(&self, node: &Expr, inputs: &[Interval], _rounding: Rounding) -> Interval {
        if inputs[0].is_point() {
            return Interval::point(node);
        }
        Interval { lo: node.like(0.0), hi: node.like(f64::from(u32::MAX)) }
    }
}
