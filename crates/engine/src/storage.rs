//! Memory that elements of any type live in.

use bytemuck::{AnyBitPattern, NoUninit, Pod, Zeroable};
use perturb_graph::{DType, Data, Shape, Tensor};

/// A cache line: the unit of storage, so that every buffer is aligned for every type and for vector loads.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C, align(64))]
struct Line([u8; 64]);

/// Zeroed bytes, aligned to a cache line.
pub(crate) struct Storage(Vec<Line>);

impl Storage {
    pub fn new(bytes: usize) -> Storage {
        Storage(bytemuck::zeroed_vec(bytes.div_ceil(size_of::<Line>())))
    }

    pub fn bytes_mut(&mut self) -> &mut [u8] {
        bytemuck::cast_slice_mut(&mut self.0)
    }

    pub fn bytes(&self) -> &[u8] {
        bytemuck::cast_slice(&self.0)
    }
}

/// Bytes as elements. They come from memory of that type, or from a [`Storage`], so alignment fits; an empty slice
/// may come from anywhere.
pub(crate) fn typed<T: AnyBitPattern>(bytes: &[u8]) -> &[T] {
    if bytes.is_empty() { &[] } else { bytemuck::cast_slice(bytes) }
}

/// [`typed`] for writing.
pub(crate) fn typed_mut<T: AnyBitPattern + NoUninit>(bytes: &mut [u8]) -> &mut [T] {
    if bytes.is_empty() { &mut [] } else { bytemuck::cast_slice_mut(bytes) }
}

/// The elements of a tensor as bytes; truth values are 0 and 1.
pub(crate) fn tensor_bytes(tensor: &Tensor) -> &[u8] {
    match tensor.data() {
        Data::F32(d) => bytemuck::cast_slice(d),
        Data::F64(d) => bytemuck::cast_slice(d),
        Data::I64(d) => bytemuck::cast_slice(d),
        Data::Bool(d) => bytemuck::cast_slice(d),
    }
}

/// [`tensor_bytes`] for writing; copies a tensor that is shared. None for truth values, which not every byte is.
pub(crate) fn tensor_bytes_mut(tensor: &mut Tensor) -> &mut [u8] {
    match tensor.dtype() {
        DType::F32 => bytemuck::cast_slice_mut(tensor.as_mut_slice::<f32>()),
        DType::F64 => bytemuck::cast_slice_mut(tensor.as_mut_slice::<f64>()),
        DType::I64 => bytemuck::cast_slice_mut(tensor.as_mut_slice::<i64>()),
        DType::Bool => &mut [],
    }
}

/// A tensor of zeros.
pub(crate) fn zeros(shape: &Shape, dtype: DType) -> Tensor {
    match dtype {
        DType::F32 => Tensor::full(shape, 0f32),
        DType::F64 => Tensor::full(shape, 0f64),
        DType::I64 => Tensor::full(shape, 0i64),
        DType::Bool => Tensor::full(shape, false),
    }
}

/// A tensor of the given bytes.
pub(crate) fn tensor_of(shape: &Shape, dtype: DType, bytes: &[u8]) -> Tensor {
    let mut tensor = zeros(shape, dtype);
    if dtype == DType::Bool {
        tensor.as_mut_slice::<bool>().iter_mut().zip(bytes).for_each(|(t, &b)| *t = b != 0);
    } else {
        let target = tensor_bytes_mut(&mut tensor);
        target.copy_from_slice(&bytes[..target.len()]);
    }
    tensor
}
