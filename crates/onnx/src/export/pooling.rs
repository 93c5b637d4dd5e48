//! Maximum over windows, and the linear maps that its choice defines.

use super::encode::{int, ints, signed, text};
use super::error::ExportError;
use super::writer::{Stored, Writer};
use perturb_graph::{DType, Expr, MaxPool, PoolRole, Shape};

type Result = std::result::Result<Stored, ExportError>;

/// The maxima; the elements of a second tensor at their positions; or a tensor added up at their positions.
pub(super) fn max_pool(w: &mut Writer, node: &Expr, op: &MaxPool) -> Result {
    let x = &node.inputs()[0];
    let windows = Windows::new(w, x, op)?;
    let mut pooled = windows.pool(w, op);
    if op.role == PoolRole::Max {
        return Ok(Stored { name: pooled.swap_remove(0), shape: node.shape().clone() });
    }
    let positions = pooled.swap_remove(1);
    let other = &node.inputs()[1];
    let other = Stored { name: w.full(other)?, shape: other.shape().clone() };
    match op.role {
        PoolRole::Choose => {
            let source = windows.padded(w, other, 0.0, node.dtype());
            let flat = w.reshape(&source, [source.shape.count()]);
            let name = w.emit("Gather", &[&flat.name, &positions], vec![]);
            Ok(Stored { name, shape: node.shape().clone() })
        }
        _ => {
            let (count, chosen) = (windows.image.shape.count(), other.shape.count());
            let positions = w.reshape(&Stored { name: positions, shape: other.shape.clone() }, [chosen]);
            let updates = w.reshape(&other, [chosen]);
            let (zero, size) = (w.number(0.0, node.dtype()), w.ints(&[count as i64]));
            let zeros = w.emit("Expand", &[&zero, &size], vec![]);
            let attributes = vec![int("axis", 0), text("reduction", "add")];
            let name = w.emit("ScatterElements", &[&zeros, &positions.name, &updates.name], attributes);
            let image = w.reshape(&Stored { name, shape: [count].into() }, &windows.image.shape);
            Ok(windows.unpadded(w, image, x.shape()))
        }
    }
}

/// The image with whatever padding the pooling operator itself does not take.
struct Windows {
    image: Stored,
    /// Zeros before and after each axis that were added explicitly.
    explicit: Option<Vec<(usize, usize)>>,
}

impl Windows {
    // Runtimes ask for padding smaller than the window, we for less than what a dilated window spans.
    fn new(w: &mut Writer, x: &Expr, op: &MaxPool) -> std::result::Result<Windows, ExportError> {
        let image = Stored { name: w.full(x)?, shape: x.shape().clone() };
        let accepted = op.padding.iter().zip(&op.window).all(|((low, high), size)| low.max(high) < size);
        let explicit = (!accepted).then(|| [(0, 0); 2].into_iter().chain(op.padding.iter().copied()).collect());
        let mut windows = Windows { image, explicit };
        windows.image = windows.padded(w, windows.image.clone(), f64::NEG_INFINITY, x.dtype());
        Ok(windows)
    }

    fn pool(&self, w: &mut Writer, op: &MaxPool) -> Vec<String> {
        let (low, high): (Vec<usize>, Vec<usize>) = if self.explicit.is_some() {
            op.padding.iter().map(|_| (0, 0)).unzip()
        } else {
            op.padding.iter().copied().unzip()
        };
        let attributes = vec![
            ints("kernel_shape", &op.window),
            ints("strides", &op.strides),
            ints("pads", &[low, high].concat()),
            ints("dilations", &op.dilation),
        ];
        let results = if op.role == PoolRole::Max { 1 } else { 2 };
        w.emit_many("MaxPool", &[&self.image.name], attributes, results)
    }

    fn padded(&self, w: &mut Writer, x: Stored, value: f64, dtype: DType) -> Stored {
        let Some(padding) = &self.explicit else { return x };
        let (low, high): (Vec<usize>, Vec<usize>) = padding.iter().copied().unzip();
        let shape: Shape = x.shape.iter().zip(padding).map(|(d, (low, high))| d + low + high).collect();
        let (amounts, value) = (w.ints(&signed(&[low, high].concat())), w.number(value, dtype));
        Stored { name: w.emit("Pad", &[&x.name, &amounts, &value], vec![]), shape }
    }

    fn unpadded(&self, w: &mut Writer, x: Stored, shape: &Shape) -> Stored {
        let Some(padding) = &self.explicit else { return x };
        let axes: Vec<usize> = (0..shape.len()).collect();
        let from: Vec<i64> = padding.iter().map(|(low, _)| *low as i64).collect();
        let to: Vec<i64> = padding.iter().zip(shape.iter()).map(|((low, _), d)| (low + d) as i64).collect();
        let name = w.slice(&x.name, &axes, &from, &to, &vec![1; axes.len()]);
        Stored { name, shape: shape.clone() }
    }
}
