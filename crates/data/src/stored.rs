//! Element types of files, and their conversion to those of tensors.

use half::f16;

/// Element type of an array in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stored {
    Bool,
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    U64,
    I64,
    F16,
    F32,
    F64,
}

/// What a stored element can become. Conversions round to nearest; `u64` wraps into `i64`.
pub(crate) trait Target: Copy {
    fn from_int(value: i64) -> Self;
    fn from_unsigned(value: u64) -> Self;
    fn from_float(value: f64) -> Self;
}

macro_rules! numeric_target {
    ($($t:ty),*) => {$(
        impl Target for $t {
            fn from_int(value: i64) -> Self { value as $t }
            fn from_unsigned(value: u64) -> Self { value as $t }
            fn from_float(value: f64) -> Self { value as $t }
        }
    )*};
}
numeric_target!(f32, f64, i64);

impl Target for bool {
    fn from_int(value: i64) -> Self {
        value != 0
    }
    fn from_unsigned(value: u64) -> Self {
        value != 0
    }
    fn from_float(value: f64) -> Self {
        value != 0.0
    }
}

impl Stored {
    /// Bytes per element.
    pub(crate) fn size(self) -> usize {
        match self {
            Stored::Bool | Stored::U8 | Stored::I8 => 1,
            Stored::U16 | Stored::I16 | Stored::F16 => 2,
            Stored::U32 | Stored::I32 | Stored::F32 => 4,
            Stored::U64 | Stored::I64 | Stored::F64 => 8,
        }
    }

    pub(crate) fn is_float(self) -> bool {
        matches!(self, Stored::F16 | Stored::F32 | Stored::F64)
    }

    /// Appends the elements in `bytes`, whole elements only, to `out`.
    pub(crate) fn decode<T: Target>(self, big_endian: bool, bytes: &[u8], out: &mut Vec<T>) {
        macro_rules! elements {
            ($t:ty, $n:literal, $convert:expr) => {
                out.extend(bytes.as_chunks::<$n>().0.iter().map(|&b| {
                    let value = if big_endian { <$t>::from_be_bytes(b) } else { <$t>::from_le_bytes(b) };
                    $convert(value)
                }))
            };
        }
        match self {
            Stored::Bool => out.extend(bytes.iter().map(|&b| T::from_int(i64::from(b != 0)))),
            Stored::U8 => out.extend(bytes.iter().map(|&b| T::from_int(i64::from(b)))),
            Stored::I8 => elements!(i8, 1, |v| T::from_int(i64::from(v))),
            Stored::U16 => elements!(u16, 2, |v| T::from_int(i64::from(v))),
            Stored::I16 => elements!(i16, 2, |v| T::from_int(i64::from(v))),
            Stored::U32 => elements!(u32, 4, |v| T::from_int(i64::from(v))),
            Stored::I32 => elements!(i32, 4, |v| T::from_int(i64::from(v))),
            Stored::U64 => elements!(u64, 8, T::from_unsigned),
            Stored::I64 => elements!(i64, 8, T::from_int),
            Stored::F16 => elements!(f16, 2, |v: f16| T::from_float(v.to_f64())),
            Stored::F32 => elements!(f32, 4, |v| T::from_float(f64::from(v))),
            Stored::F64 => elements!(f64, 8, T::from_float),
        }
    }
}
