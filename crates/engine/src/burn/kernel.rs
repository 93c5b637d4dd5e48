//! From a primitive to Burn's operations.

use super::{contraction, convolution, elementwise, indexing, layout, reduce, windows};
use burn_backend::{BoolDType, FloatDType};
use burn_dispatch::{DispatchDevice, DispatchTensor};
use perturb_graph::{DType, Op, Shape};

/// Computes one node from its operands, all on the device.
pub(super) type Kernel = Box<dyn Fn(Vec<DispatchTensor>) -> DispatchTensor + Send + Sync>;

/// What is known about a node when it is compiled.
pub(super) struct Site<'a> {
    /// Shapes of the operands.
    pub operands: Vec<&'a Shape>,
    /// Shape of the result.
    pub shape: &'a Shape,
    /// Element type of the result.
    pub dtype: DType,
    /// Where it will run.
    pub device: &'a DispatchDevice,
    /// How the device stores truth values.
    pub truth: BoolDType,
}

impl Site<'_> {
    /// The result's floating-point type.
    pub fn float(&self) -> FloatDType {
        if self.dtype == DType::F64 { FloatDType::F64 } else { FloatDType::F32 }
    }
}

/// The kernel of `op`, or why it has none.
pub(super) fn kernel(op: &Op, site: &Site) -> Result<Kernel, String> {
    match op {
        Op::Unary(f) => elementwise::unary(*f, site),
        Op::Binary(f) => elementwise::binary(*f, site),
        Op::Compare(f) => Ok(elementwise::compare(*f, site)),
        Op::Select(_) => Ok(elementwise::select(site)),
        Op::Reshape(_) => Ok(layout::reshape(site)),
        Op::Transpose(t) => Ok(layout::transpose(&t.perm)),
        Op::Broadcast(b) => Ok(layout::broadcast(&b.axes, site)),
        Op::Slice(s) => Ok(layout::slice(s)),
        Op::Pad(p) => Ok(layout::pad(p, site)),
        Op::Reverse(r) => Ok(layout::reverse(&r.axes)),
        Op::Concat(c) => Ok(layout::concat(c.axis)),
        Op::Cast(_) => Ok(layout::cast(site)),
        Op::ReduceSum(r) => Ok(reduce::sum(&r.axes, site)),
        Op::ReduceMax(r) => Ok(reduce::max(&r.axes, site)),
        Op::CumSum(c) => Ok(reduce::running_sum(c, site)),
        Op::Dot(d) => Ok(contraction::dot(d, site)),
        Op::Conv(c) => convolution::conv(c, site),
        Op::MaxPool(p) => Ok(windows::max_pool(p, site)),
        Op::Gather(g) => indexing::gather(*g, site),
        Op::ScatterAdd(s) => indexing::scatter_add(*s, site),
        Op::StopGradient(_) => Ok(Box::new(|operands| {
            let [x] = take(operands);
            x
        })),
        _ => Err("Burn has no operation of this meaning".into()),
    }
}

/// The operands of a primitive whose number of operands the graph has checked.
pub(super) fn take<const N: usize>(operands: Vec<DispatchTensor>) -> [DispatchTensor; N] {
    operands.try_into().unwrap_or_else(|_| unreachable!("the graph checks the number of operands"))
}
