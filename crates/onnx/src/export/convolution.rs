//! Convolution and its two adjoints.

use super::encode::{int, ints};
use super::error::{ExportError, unsupported};
use super::writer::{Stored, Writer};
use crate::proto::AttributeProto;
use perturb_graph::{Convolution, Expr, Shape, Slot};

type Result = std::result::Result<Stored, ExportError>;

/// A node of the form `⟨y, x ∗ w⟩` with one of the three as its result.
pub(super) fn convolution(w: &mut Writer, node: &Expr, op: &Convolution) -> Result {
    if op.strides.is_empty() {
        return unsupported(node.op().name(), "the standard's convolutions need at least one spatial axis");
    }
    match op.result {
        Slot::Response => response(w, node, op),
        Slot::Image => image(w, node, op),
        Slot::Kernel => kernel(w, node, op),
    }
}

fn window(strides: &[usize], padding: &[(usize, usize)], dilation: &[usize], groups: usize) -> Vec<AttributeProto> {
    let (low, high): (Vec<usize>, Vec<usize>) = padding.iter().copied().unzip();
    vec![
        ints("strides", strides),
        ints("pads", &[low, high].concat()),
        ints("dilations", dilation),
        int("group", groups as i64),
    ]
}

fn response(w: &mut Writer, node: &Expr, op: &Convolution) -> Result {
    let (x, kernel) = (w.full(&node.inputs()[0])?, w.full(&node.inputs()[1])?);
    let name = w.emit("Conv", &[&x, &kernel], window(&op.strides, &op.padding, &op.dilation, op.groups));
    Ok(Stored { name, shape: node.shape().clone() })
}

/// The gradient of the image is the standard's transposed convolution. Where the last window of the convolution ended
/// before the image did, that is its output padding.
fn image(w: &mut Writer, node: &Expr, op: &Convolution) -> Result {
    let (y, kernel) = (w.full(&node.inputs()[0])?, w.full(&node.inputs()[1])?);
    let window_sizes = &node.inputs()[1].shape()[2..];
    let left = (0..op.strides.len()).map(|a| {
        let reach = op.dilation[a] * (window_sizes[a] - 1) + 1;
        (op.result_spatial[a] + op.padding[a].0 + op.padding[a].1 - reach) % op.strides[a]
    });
    let mut attributes = window(&op.strides, &op.padding, &op.dilation, op.groups);
    attributes.push(ints("output_padding", &left.collect::<Vec<_>>()));
    let name = w.emit("ConvTranspose", &[&y, &kernel], attributes);
    Ok(Stored { name, shape: node.shape().clone() })
}

/// The gradient of the kernel, `w[o,i,k] = Σ_{n,p} y[n,o,p]·x[n,i,p·stride − pad + k·dilation]`, is a convolution of
/// the image by the response with the roles of batch and channels, and of stride and dilation, exchanged:
/// `x [N, g·I, …] → [I, g·N, …]` and `y [N, O, …] → [O, N, …]` give `[I, O, …]`, of which the window is the beginning.
fn kernel(w: &mut Writer, node: &Expr, op: &Convolution) -> Result {
    let shapes = op.shapes(node);
    let (n, groups, per_group) = (shapes.image[0], op.groups, shapes.kernel[1]);
    let spatial = op.strides.len();
    let axes =
        |first: &[usize]| -> Vec<usize> { (0..first.len() + spatial).map(|a| *first.get(a).unwrap_or(&a)).collect() };
    let sizes = |first: &[usize], of: &Shape| -> Shape { first.iter().chain(&of[2..]).copied().collect() };

    let x = Stored { name: w.full(&node.inputs()[0])?, shape: shapes.image.clone() };
    let x = w.reshape(&x, sizes(&[n, groups, per_group], &shapes.image));
    let x = w.transpose(&x, &axes(&[2, 1, 0]));
    let x = w.reshape(&x, sizes(&[per_group, groups * n], &shapes.image));
    let y = Stored { name: w.full(&node.inputs()[1])?, shape: shapes.response.clone() };
    let y = w.transpose(&y, &axes(&[1, 0]));
    let name = w.emit("Conv", &[&x.name, &y.name], window(&op.dilation, &op.padding, &op.strides, groups));

    // Stride that did not divide the image leaves positions after those of the window.
    let reach = |a: usize| (shapes.response[2 + a] - 1) * op.strides[a] + 1;
    let covered = |a: usize| (shapes.image[2 + a] + op.padding[a].0 + op.padding[a].1 - reach(a)) / op.dilation[a] + 1;
    let cut: Vec<usize> = (0..spatial).filter(|&a| covered(a) > op.result_spatial[a]).collect();
    let mut result = Stored { name, shape: sizes(&[per_group, shapes.kernel[0]], &shapes.kernel) };
    if !cut.is_empty() {
        let along: Vec<usize> = cut.iter().map(|a| a + 2).collect();
        let end: Vec<i64> = cut.iter().map(|&a| op.result_spatial[a] as i64).collect();
        result.name = w.slice(&result.name, &along, &vec![0; end.len()], &end, &vec![1; end.len()]);
    }
    Ok(w.transpose(&result, &axes(&[1, 0])))
}
