//! Concrete tensors: a shape and shared, row-major data.

use crate::{DType, GraphError, Result, Shape};
use std::sync::Arc;

/// A concrete row-major tensor. Cloning shares the data.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    shape: Shape,
    data: Data,
}

/// The elements of a [`Tensor`], row-major.
#[derive(Clone, Debug, PartialEq)]
pub enum Data {
    /// Elements of type [`DType::F32`].
    F32(Arc<Vec<f32>>),
    /// Elements of type [`DType::F64`].
    F64(Arc<Vec<f64>>),
    /// Elements of type [`DType::I64`].
    I64(Arc<Vec<i64>>),
    /// Elements of type [`DType::Bool`].
    Bool(Arc<Vec<bool>>),
}

/// A Rust type that can be a tensor's element.
pub trait Element: Copy + Default + Send + Sync + PartialOrd + std::fmt::Debug + 'static {
    /// The element type's tag.
    const DTYPE: DType;
    /// Wraps shared elements.
    fn wrap(data: Arc<Vec<Self>>) -> Data;
    /// Borrows the elements if they are of this type.
    fn unwrap(data: &Data) -> Option<&Arc<Vec<Self>>>;
    /// Mutably borrows the elements if they are of this type.
    fn unwrap_mut(data: &mut Data) -> Option<&mut Arc<Vec<Self>>>;
}

macro_rules! element {
    ($($t:ty => $v:ident),*) => {$(
        impl Element for $t {
            const DTYPE: DType = DType::$v;
            fn wrap(data: Arc<Vec<Self>>) -> Data { Data::$v(data) }
            fn unwrap(data: &Data) -> Option<&Arc<Vec<Self>>> {
                match data { Data::$v(d) => Some(d), _ => None }
            }
            fn unwrap_mut(data: &mut Data) -> Option<&mut Arc<Vec<Self>>> {
                match data { Data::$v(d) => Some(d), _ => None }
            }
        }
    )*};
}
element!(f32 => F32, f64 => F64, i64 => I64, bool => Bool);

impl Tensor {
    /// A tensor of `shape` with the given row-major elements.
    ///
    /// # Errors
    /// [`GraphError::Length`] if `data.len()` is not the product of the sizes.
    pub fn new<T: Element>(shape: impl Into<Shape>, data: Vec<T>) -> Result<Tensor> {
        let shape = shape.into();
        if shape.checked_count() != Some(data.len()) {
            return Err(GraphError::Length { shape, len: data.len() });
        }
        Ok(Tensor { shape, data: T::wrap(Arc::new(data)) })
    }

    /// A tensor of `shape` whose elements all equal `value`.
    pub fn full<T: Element>(shape: impl Into<Shape>, value: T) -> Tensor {
        let shape = shape.into();
        let data = vec![value; shape.count()];
        Tensor { shape, data: T::wrap(Arc::new(data)) }
    }

    /// A scalar.
    pub fn scalar<T: Element>(value: T) -> Tensor {
        Tensor::full([], value)
    }

    /// The sizes of the axes.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The element type.
    pub fn dtype(&self) -> DType {
        match self.data {
            Data::F32(_) => DType::F32,
            Data::F64(_) => DType::F64,
            Data::I64(_) => DType::I64,
            Data::Bool(_) => DType::Bool,
        }
    }

    /// The data, whatever their type.
    pub fn data(&self) -> &Data {
        &self.data
    }

    /// Number of elements.
    pub fn count(&self) -> usize {
        self.shape.count()
    }

    /// The elements, if they are of type `T`.
    pub fn try_as_slice<T: Element>(&self) -> Option<&[T]> {
        T::unwrap(&self.data).map(|d| d.as_slice())
    }

    /// The elements.
    ///
    /// # Panics
    /// If the tensor's element type is not `T`.
    #[track_caller]
    pub fn as_slice<T: Element>(&self) -> &[T] {
        self.try_as_slice().unwrap_or_else(|| panic!("tensor of {} read as {}", self.dtype(), T::DTYPE))
    }

    /// The elements, mutably; copies them first if they are shared.
    ///
    /// # Panics
    /// If the tensor's element type is not `T`.
    #[track_caller]
    pub fn as_mut_slice<T: Element>(&mut self) -> &mut [T] {
        let dtype = self.dtype();
        let data = T::unwrap_mut(&mut self.data).unwrap_or_else(|| panic!("tensor of {dtype} read as {}", T::DTYPE));
        Arc::make_mut(data).as_mut_slice()
    }

    /// The same elements under another shape.
    ///
    /// # Errors
    /// [`GraphError::Length`] if the shapes hold different numbers of elements.
    pub fn reshape(&self, shape: impl Into<Shape>) -> Result<Tensor> {
        let shape = shape.into();
        if shape.checked_count() != Some(self.count()) {
            return Err(GraphError::Length { shape, len: self.count() });
        }
        Ok(Tensor { shape, data: self.data.clone() })
    }

    /// Row `start..end` along the first axis.
    ///
    /// # Panics
    /// If the tensor is a scalar or the range is out of bounds.
    #[track_caller]
    pub fn rows(&self, start: usize, end: usize) -> Tensor {
        let width: usize = self.shape[1..].iter().product();
        let shape: Shape = std::iter::once(end - start).chain(self.shape[1..].iter().copied()).collect();
        let range = start * width..end * width;
        let data = match &self.data {
            Data::F32(d) => f32::wrap(Arc::new(d[range].to_vec())),
            Data::F64(d) => f64::wrap(Arc::new(d[range].to_vec())),
            Data::I64(d) => i64::wrap(Arc::new(d[range].to_vec())),
            Data::Bool(d) => bool::wrap(Arc::new(d[range].to_vec())),
        };
        Tensor { shape, data }
    }

    /// All elements as `f64` (truth values as 0 and 1); exact for every type but large `i64`.
    pub fn to_f64_vec(&self) -> Vec<f64> {
        match &self.data {
            Data::F32(d) => d.iter().map(|&v| f64::from(v)).collect(),
            Data::F64(d) => d.to_vec(),
            Data::I64(d) => d.iter().map(|&v| v as f64).collect(),
            Data::Bool(d) => d.iter().map(|&v| f64::from(u8::from(v))).collect(),
        }
    }

    /// A tensor of `dtype` from `f64` values, each rounded to nearest (truth values: non-zero).
    ///
    /// # Errors
    /// [`GraphError::Length`] if the number of values does not fit the shape.
    pub fn from_f64(shape: impl Into<Shape>, dtype: DType, values: Vec<f64>) -> Result<Tensor> {
        match dtype {
            DType::F32 => Tensor::new(shape, values.iter().map(|&v| v as f32).collect()),
            DType::F64 => Tensor::new(shape, values),
            DType::I64 => Tensor::new(shape, values.iter().map(|&v| v as i64).collect()),
            DType::Bool => Tensor::new(shape, values.iter().map(|&v| v != 0.0).collect()),
        }
    }

    /// The same values converted to `dtype`, each with one rounding: to nearest among floating-point types, towards 0
    /// (saturating, NaN to 0) from those to integers, and to whether it is not 0 for truth values.
    pub fn to_dtype(&self, dtype: DType) -> Tensor {
        let data = match (&self.data, dtype) {
            (data, dtype) if self.dtype() == dtype => data.clone(),
            (Data::F64(d), DType::F32) => convert(d, |v| v as f32),
            (Data::I64(d), DType::F32) => convert(d, |v| v as f32),
            (Data::F32(d), DType::I64) => convert(d, |v| v as i64),
            (Data::F64(d), DType::I64) => convert(d, |v| v as i64),
            (Data::Bool(d), DType::I64) => convert(d, i64::from),
            (Data::I64(d), DType::Bool) => convert(d, |v| v != 0),
            (Data::Bool(d), DType::F32) => convert(d, |v| f32::from(u8::from(v))),
            (_, DType::Bool) => f64_to_bool(self.to_f64_vec()),
            (_, _) => f64::wrap(Arc::new(self.to_f64_vec())),
        };
        Tensor { shape: self.shape.clone(), data }
    }
}

fn convert<A: Copy, B: Element>(values: &[A], f: impl Fn(A) -> B) -> Data {
    B::wrap(Arc::new(values.iter().map(|&v| f(v)).collect()))
}

fn f64_to_bool(values: Vec<f64>) -> Data {
    convert(&values, |v| v != 0.0)
}

/// Evaluates `$body` with the type alias `$t` for the Rust type of `$dtype`'s elements.
macro_rules! by_type {
    ($dtype:expr, $t:ident => $body:expr) => {
        match $dtype {
            $crate::DType::F32 => {
                type $t = f32;
                $body
            }
            $crate::DType::F64 => {
                type $t = f64;
                $body
            }
            $crate::DType::I64 => {
                type $t = i64;
                $body
            }
            $crate::DType::Bool => {
                type $t = bool;
                $body
            }
        }
    };
}
pub(crate) use by_type;
