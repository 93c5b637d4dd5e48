//! Pooling over windows and over all spatial axes.

use super::Group;
use crate::error::{NodeError, invalid};
use crate::host;
use crate::node::{Node, Outputs, sizes};
use crate::value::cast;
use crate::window::Window;
use perturb_graph::{DType, Expr, MaxPool, Pool, PoolRole, Tensor};

pub(super) const OPS: Group = &[
    ("AveragePool", average_pool),
    ("GlobalAveragePool", |n| global(n, |x, axes| x.try_reduce_mean(axes, true))),
    ("GlobalLpPool", |n| {
        let p = n.float_or_int("p", 2.0);
        global(n, |x, axes| Ok(root(&powers(x, p).try_reduce_sum(axes, true)?, p)))
    }),
    ("GlobalMaxPool", |n| global(n, |x, axes| x.try_reduce_max(axes, true))),
    ("LpPool", lp_pool),
    ("MaxPool", max_pool),
];

fn global(node: &Node, reduce: impl Fn(&Expr, &[usize]) -> perturb_graph::Result<Expr>) -> Outputs {
    let x = node.expr_of_rank(0, 3)?;
    let axes: Vec<usize> = (2..x.rank()).collect();
    Ok(vec![reduce(&x, &axes)?.into()])
}

fn window(node: &Node, x: &Expr) -> Result<Window, NodeError> {
    let Some(kernel) = node.ints("kernel_shape") else { return invalid("kernel_shape is missing") };
    let kernel = sizes(kernel, 1, "kernel_shape")?;
    host::check_count(&kernel[..].into())?;
    let window = Window::read(node, kernel, &x.shape()[2..])?;
    if (0..window.kernel.len())
        .any(|i| window.padding[i].0 >= window.extent(i) || window.padding[i].1 >= window.extent(i))
    {
        return invalid("padding must be smaller than the window");
    }
    Ok(window)
}

/// The window with the padding at the end that `ceil_mode` asks for, and the number of positions along each axis.
fn with_ceil(node: &Node, x: &Expr, window: &Window) -> Result<(Pool, Vec<usize>), NodeError> {
    let round_up = node.int("ceil_mode", 0) != 0;
    let mut padding = window.padding.clone();
    let mut counts = Vec::new();
    for (axis, pad) in padding.iter_mut().enumerate() {
        let (count, extra) = window.positions(axis, x.shape()[axis + 2], round_up)?;
        pad.1 += extra;
        counts.push(count);
    }
    let Window { kernel, strides, dilation, .. } = window.clone();
    Ok((Pool { window: kernel, strides, padding, dilation }, counts))
}

fn max_pool(node: &Node) -> Outputs {
    let x = node.number(0)?;
    if x.dtype() == DType::I64 && x.rank() >= 3 {
        // Doubles hold the integers that files pool, those of 8 bits.
        let (pool, _) = with_ceil(node, &x, &window(node, &x)?)?;
        return Ok(vec![cast(&cast(&x, DType::F64)?.try_max_pool(&pool)?, DType::I64)?.into()]);
    }
    let x = node.expr_of_rank(0, 3)?;
    let (pool, _) = with_ceil(node, &x, &window(node, &x)?)?;
    let mut outputs = vec![x.try_max_pool(&pool)?.into()];
    if node.wants(1) {
        outputs.push(positions(node, &x, &pool)?.into());
    }
    Ok(outputs)
}

/// Where the maxima stand among all elements of `x`, counted row by row, or along columns first where the node says so.
fn positions(node: &Node, x: &Expr, pool: &Pool) -> Result<Expr, NodeError> {
    let shape = x.shape();
    let mut strides: Vec<usize> = shape.strides().to_vec();
    if node.int("storage_order", 0) != 0 {
        let mut stride = 1;
        for axis in 2..shape.len() {
            strides[axis] = stride;
            stride *= shape[axis];
        }
    }
    // Doubles hold every position; they are chosen as the maxima themselves are.
    let mut places = Expr::scalar(0.0, DType::F64);
    for (axis, &stride) in strides.iter().enumerate() {
        let mut along = vec![1; shape.len()];
        along[axis] = shape[axis];
        host::check_count(&[shape[axis]].into())?;
        let steps = (0..shape[axis]).map(|i| (i * stride) as f64).collect();
        places = places.try_add(&Expr::constant(Tensor::new(along, steps)?))?;
    }
    let Pool { window, strides, padding, dilation } = pool.clone();
    let op = MaxPool { window, strides, padding, dilation, role: PoolRole::Choose };
    let chosen = Expr::apply(op, &[cast(x, DType::F64)?, places])?;
    cast(&chosen, DType::I64)
}

/// `|x|ᵖ`.
fn powers(x: &Expr, p: f64) -> Expr {
    match p {
        1.0 => x.abs(),
        2.0 => x.square(),
        p => x.abs().pow(&x.like(p)),
    }
}

/// `x^(1/p)`.
fn root(x: &Expr, p: f64) -> Expr {
    match p {
        1.0 => x.clone(),
        2.0 => x.sqrt(),
        p => x.pow(&x.like(1.0 / p)),
    }
}

/// The p-norm of each window.
fn lp_pool(node: &Node) -> Outputs {
    let (x, p) = (node.expr_of_rank(0, 3)?, node.float_or_int("p", 2.0));
    let (pool, _) = with_ceil(node, &x, &window(node, &x)?)?;
    let count: usize = pool.window.iter().product();
    let sums = powers(&x, p).try_avg_pool(&pool, true)?.scale(count as f64);
    Ok(vec![root(&sums, p).into()])
}

/// Divides by the number of elements that count: with `count_include_pad` the declared padding counts, the padding
/// that `ceil_mode` adds never does.
fn average_pool(node: &Node) -> Outputs {
    let x = node.expr_of_rank(0, 3)?;
    let window = window(node, &x)?;
    let (pool, counts) = with_ceil(node, &x, &window)?;
    let include = node.int("count_include_pad", 0) != 0;
    if pool.padding == window.padding {
        return Ok(vec![x.try_avg_pool(&pool, include)?.into()]);
    }
    let mut y = x.try_avg_pool(&pool, true)?;
    for (axis, &count) in counts.iter().enumerate() {
        let (low, high) = window.padding[axis];
        let size = x.shape()[axis + 2];
        host::check_count(&[count].into())?;
        let counted = if include { 0..low + size + high } else { low..low + size };
        let scale = (0..count).map(|position| {
            let start = position * window.strides[axis];
            let cells =
                (0..window.kernel[axis]).filter(|k| counted.contains(&(start + k * window.dilation[axis]))).count();
            window.kernel[axis] as f64 / cells.max(1) as f64
        });
        let mut shape = vec![1; x.rank()];
        shape[axis + 2] = count;
        y = y.try_mul(&Expr::constant(Tensor::from_f64(shape, node.dtype, scale.collect())?))?;
    }
    Ok(vec![y.into()])
}
