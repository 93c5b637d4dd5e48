//! Convolution and transposed convolution.

use super::Group;
use crate::error::{NodeError, invalid, unsupported};
use crate::host;
use crate::node::{Node, Outputs, sizes};
use crate::window::Window;
use perturb_graph::{Conv, Expr, Tensor};

pub(super) const OPS: Group = &[("Col2Im", col2im), ("Conv", conv), ("ConvTranspose", conv_transpose)];

fn conv(node: &Node) -> Outputs {
    let (x, weights) = (node.expr_of_rank(0, 3)?, node.expr(1)?);
    let window = window(node, &x, &weights)?;
    let y = x.try_conv(&weights, &descriptor(node, window)?)?;
    Ok(vec![add_bias(node, y)?.into()])
}

fn window(node: &Node, x: &Expr, weights: &Expr) -> Result<Window, NodeError> {
    if x.rank() < 3 || weights.rank() != x.rank() {
        return invalid("data and weights must have the same number of axes, at least 3");
    }
    let kernel: Vec<i64> = weights.shape()[2..].iter().map(|&k| k as i64).collect();
    let kernel = sizes(&kernel, 1, "the weights' window")?;
    if let Some(declared) = node.ints("kernel_shape")
        && sizes(declared, 1, "kernel_shape")? != kernel
    {
        return invalid(format!("kernel_shape {declared:?} differs from the weights' {kernel:?}"));
    }
    Window::read(node, kernel, &x.shape()[2..])
}

fn descriptor(node: &Node, window: Window) -> Result<Conv, NodeError> {
    let groups = sizes(&[node.int("group", 1)], 1, "group")?[0];
    let mut conv = Conv::unit(window.kernel.len());
    (conv.strides, conv.padding, conv.dilation, conv.groups) =
        (window.strides, window.padding, window.dilation, groups);
    Ok(conv)
}

fn add_bias(node: &Node, y: Expr) -> Result<Expr, NodeError> {
    let Some(bias) = node.optional_expr(2)? else { return Ok(y) };
    let mut shape = vec![1; y.rank()];
    shape[1] = y.shape()[1];
    Ok(y.try_add(&bias.try_reshape(shape)?)?)
}

fn conv_transpose(node: &Node) -> Outputs {
    let (x, weights) = (node.expr_of_rank(0, 3)?, node.expr(1)?);
    let mut window = window(node, &x, &weights)?;
    let rank = x.rank() - 2;
    let output_padding = match node.ints("output_padding") {
        Some(v) if v.len() == rank => sizes(v, 0, "output_padding")?,
        Some(v) => return invalid(format!("output_padding {v:?} must have {rank} entries")),
        None => vec![0; rank],
    };
    let auto = node.text("auto_pad", "NOTSET");
    let wanted = match node.ints("output_shape") {
        // Some exporters write the batch and channel axes too.
        Some(v) if v.len() >= rank => Some(sizes(&v[v.len() - rank..], 1, "output_shape")?),
        Some(v) => return invalid(format!("output_shape {v:?} must have {rank} entries")),
        None if auto.starts_with("SAME") => Some((0..rank).map(|i| x.shape()[i + 2] * window.strides[i]).collect()),
        None => None,
    };
    for axis in 0..rank {
        let full = (x.shape()[axis + 2].max(1) - 1) * window.strides[axis] + output_padding[axis] + window.extent(axis);
        let Some(wanted) = wanted.as_ref().map(|w| w[axis]) else { continue };
        let Some(total) = full.checked_sub(wanted) else {
            return unsupported(format!(
                "output size {wanted} of spatial axis {axis} exceeds the {full} that unpadded convolution gives"
            ));
        };
        let (less, more) = (total / 2, total - total / 2);
        window.padding[axis] = if auto == "SAME_UPPER" { (less, more) } else { (more, less) };
    }
    let y = x.try_conv_transpose(&weights, &descriptor(node, window)?, &output_padding)?;
    Ok(vec![add_bias(node, y)?.into()])
}

/// Columns `[N, C·window, positions]` added up where their windows lie in an image: a transposed convolution of every
/// channel with one kernel for each place of the window.
fn col2im(node: &Node) -> Outputs {
    let x = node.expr(0)?;
    let (Some(image), Some(block)) = (node.known_ints(1, "image shapes")?, node.known_ints(2, "block shapes")?) else {
        return invalid("the shape of the image or of the block is missing");
    };
    let (image, block) = (sizes(&image, 1, "image shape")?, sizes(&block, 1, "block shape")?);
    let window = Window::read(node, block.clone(), &image)?;
    let places = host::check_count(&block.as_slice().into())?;
    host::check_count(&[places, places].into())?;
    if x.rank() != 3 || !x.shape()[1].is_multiple_of(places) {
        return invalid(format!("columns of shape {} for blocks of {places} elements", x.shape()));
    }
    let channels = x.shape()[1] / places;
    let positions =
        (0..image.len()).map(|a| Ok(window.positions(a, image[a], false)?.0)).collect::<Result<Vec<_>, NodeError>>()?;
    let columns = [&[x.shape()[0] * channels, places], positions.as_slice()].concat();
    let one_hot = (0..places * places).map(|i| f64::from(u8::from(i / places == i % places))).collect();
    let kernels = Tensor::from_f64([&[places, 1], block.as_slice()].concat(), x.dtype(), one_hot)?;
    let left = (0..image.len()).map(|a| {
        let (low, high) = window.padding[a];
        (image[a] + low + high - window.extent(a)) % window.strides[a]
    });
    let left: Vec<usize> = left.collect();
    let y = x.try_reshape(columns)?.try_conv_transpose(&Expr::constant(kernels), &descriptor(node, window)?, &left)?;
    Ok(vec![y.try_reshape([&[x.shape()[0], channels], image.as_slice()].concat())?.into()])
}
