//! When two nodes are one.

use crate::lower::Kind;
use perturb_graph::{
    ArgMax, ArgSort, Binary, Broadcast, Cast, Cholesky, Compare, Concat, Convolution, CumSum, DotDims, Eigh, Fft,
    Gather, MaxPool, Op, Pad, Qr, RandomBits, ReduceMax, ReduceSum, Reshape, Reverse, Scan, ScatterAdd, Select, Slice,
    Solve, Sort, Svd, Transpose, TriangularSolve, Unary,
};

/// What makes two nodes equal, beside their operands, shape and type.
#[derive(PartialEq, Eq, Hash)]
pub(crate) enum Key {
    Uniform(u64),
    Integer(i64),
    Unary(Unary),
    Binary(Binary),
    Compare(Compare),
    Select(Select),
    Reshape(Reshape),
    Transpose(Transpose),
    Broadcast(Broadcast),
    Slice(Slice),
    Pad(Pad),
    Reverse(Reverse),
    Concat(Concat),
    ReduceSum(ReduceSum),
    ReduceMax(ReduceMax),
    Dot(DotDims),
    Conv(Convolution),
    MaxPool(MaxPool),
    Cast(Cast),
    Gather(Gather),
    ScatterAdd(ScatterAdd),
    ArgMax(ArgMax),
    ArgSort(ArgSort),
    Sort(Sort),
    CumSum(CumSum),
    Fft(Fft),
    Cholesky(Cholesky),
    TriangularSolve(TriangularSolve),
    Solve(Solve),
    Qr(Qr),
    Eigh(Eigh),
    Svd(Svd),
    RandomBits(RandomBits),
    // Equal if the bodies are one.
    Scan(Scan),
}

/// The key of a node, if it may be one with others.
pub(crate) fn key(kind: &Kind) -> Option<Key> {
    Some(match kind {
        Kind::Uniform(v) => Key::Uniform(v.to_bits()),
        Kind::Integer(v) => Key::Integer(*v),
        Kind::Feed(_) | Kind::Variable(_) | Kind::Const(_) => return None,
        Kind::Loop(_, scan) => Key::Scan(scan.clone()),
        Kind::Op(op) => match op.clone() {
            Op::Unary(p) => Key::Unary(p),
            Op::Binary(p) => Key::Binary(p),
            Op::Compare(p) => Key::Compare(p),
            Op::Select(p) => Key::Select(p),
            Op::Reshape(p) => Key::Reshape(p),
            Op::Transpose(p) => Key::Transpose(p),
            Op::Broadcast(p) => Key::Broadcast(p),
            Op::Slice(p) => Key::Slice(p),
            Op::Pad(p) => Key::Pad(p),
            Op::Reverse(p) => Key::Reverse(p),
            Op::Concat(p) => Key::Concat(p),
            Op::ReduceSum(p) => Key::ReduceSum(p),
            Op::ReduceMax(p) => Key::ReduceMax(p),
            Op::Dot(p) => Key::Dot(p),
            Op::Conv(p) => Key::Conv(p),
            Op::MaxPool(p) => Key::MaxPool(p),
            Op::StopGradient(_) | Op::Input { .. } | Op::Param { .. } | Op::Constant(_) | Op::Scan(_) => return None,
            Op::Cast(p) => Key::Cast(p),
            Op::Gather(p) => Key::Gather(p),
            Op::ScatterAdd(p) => Key::ScatterAdd(p),
            Op::ArgMax(p) => Key::ArgMax(p),
            Op::ArgSort(p) => Key::ArgSort(p),
            Op::Sort(p) => Key::Sort(p),
            Op::CumSum(p) => Key::CumSum(p),
            Op::Fft(p) => Key::Fft(p),
            Op::Cholesky(p) => Key::Cholesky(p),
            Op::TriangularSolve(p) => Key::TriangularSolve(p),
            Op::Solve(p) => Key::Solve(p),
            Op::Qr(p) => Key::Qr(p),
            Op::Eigh(p) => Key::Eigh(p),
            Op::Svd(p) => Key::Svd(p),
            Op::RandomBits(p) => Key::RandomBits(p),
        },
    })
}
