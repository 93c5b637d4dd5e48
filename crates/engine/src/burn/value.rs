//! Values while a plan runs, and their way to the device and back.

use super::Device;
use crate::EngineError;
use burn_backend::ops::{FloatTensorOps, IntTensorOps, TransactionOps, TransactionPrimitive};
use burn_backend::{TensorData, read_sync};
use burn_dispatch::{Dispatch, DispatchDevice, DispatchTensor};
use perturb_graph::{DType, Data, Shape, Tensor};

/// A value: floating-point numbers on the device; integers, truth values, and what the host computed, on the host.
#[derive(Clone)]
pub(super) enum Value {
    Device(DispatchTensor),
    Host(Tensor),
}

/// Sizes of a tensor on the device, where a scalar has one axis of size 1.
pub(super) fn sizes(shape: &[usize]) -> Vec<usize> {
    if shape.is_empty() { vec![1] } else { shape.to_vec() }
}

/// The same, in Burn's type.
pub(super) fn extent(shape: &[usize]) -> burn_backend::Shape {
    sizes(shape).into()
}

impl Value {
    /// The value on the device. Integers become indices, which fit in 32 bits: not every device has more.
    /// Only called with indices that were checked, and with floating-point numbers.
    pub fn on_device(self, device: &DispatchDevice) -> DispatchTensor {
        let tensor = match self {
            Value::Device(tensor) => return tensor,
            Value::Host(tensor) => tensor,
        };
        let extent = extent(tensor.shape());
        match tensor.data() {
            Data::F32(v) => Dispatch::float_from_data(TensorData::new(v.to_vec(), extent), device),
            Data::F64(v) => Dispatch::float_from_data(TensorData::new(v.to_vec(), extent), device),
            Data::I64(v) => {
                Dispatch::int_from_data(TensorData::new(v.iter().map(|&i| narrow(i)).collect(), extent), device)
            }
            Data::Bool(v) => {
                Dispatch::int_from_data(TensorData::new(v.iter().map(|&b| i32::from(b)).collect(), extent), device)
            }
        }
    }
}

// Clamped, which is what an index outside of its axis means anyway.
fn narrow(index: i64) -> i32 {
    index.clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32
}

/// Brings values to the host, all in one transfer.
pub(super) fn fetch(values: Vec<(Value, Shape, DType)>, device: Device) -> Result<Vec<Tensor>, EngineError> {
    let floats: Vec<DispatchTensor> = values
        .iter()
        .filter_map(|(value, ..)| match value {
            Value::Device(tensor) => Some(tensor.clone()),
            Value::Host(_) => None,
        })
        .collect();
    let read = if floats.is_empty() {
        Vec::new()
    } else {
        let transfer = TransactionPrimitive::<Dispatch>::new(floats, vec![], vec![], vec![]);
        let read = read_sync(<Dispatch as TransactionOps<Dispatch>>::tr_execute(transfer));
        read.map_err(|e| device.error(format!("the device failed: {e}")))?.read_floats
    };
    let mut read = read.into_iter();
    values
        .into_iter()
        .map(|(value, shape, dtype)| match value {
            Value::Host(tensor) => Ok(tensor),
            Value::Device(_) => {
                let data = read.next().ok_or_else(|| device.error("a result was not read".into()))?;
                unpack(data, shape, dtype).map_err(|reason| device.error(reason))
            }
        })
        .collect()
}

fn unpack(data: TensorData, shape: Shape, dtype: DType) -> Result<Tensor, String> {
    let tensor = match dtype {
        DType::F64 => data.try_into_vec_as::<f64>().map(|v| Tensor::new(shape, v)),
        _ => data.try_into_vec_as::<f32>().map(|v| Tensor::new(shape, v)),
    };
    tensor.map_err(|e| format!("a result cannot be read: {e}"))?.map_err(|e| e.to_string())
}
