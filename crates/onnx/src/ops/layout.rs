//! Operators that move elements and change none.

use super::Group;
use crate::error::{NodeError, invalid, unsupported};
use crate::host;
use crate::node::{Node, Outputs, axes, shape, sizes};
use crate::value::Value;
use perturb_graph::{Expr, Gather, Shape, Tensor};

pub(super) const OPS: Group = &[
    ("CenterCropPad", center_crop_pad),
    ("DepthToSpace", depth_to_space),
    ("Dropout", dropout),
    ("Expand", expand),
    ("Flatten", flatten),
    ("Identity", |n| Ok(vec![n.value(0)?.clone()])),
    ("Reshape", reshape),
    ("ReverseSequence", reverse_sequence),
    ("Shape", shape_of),
    ("Size", |n| Ok(vec![Tensor::scalar(n.value(0)?.shape().count() as i64).into()])),
    ("SpaceToDepth", space_to_depth),
    ("Squeeze", squeeze),
    ("Tile", tile),
    ("Transpose", transpose),
    ("Unsqueeze", unsqueeze),
];

/// The axes before `axis` and those from it on, as a matrix.
fn flatten(node: &Node) -> Outputs {
    let x = node.value(0)?;
    let axis = node.int("axis", 1);
    let from_start = if axis < 0 { axis.checked_add(x.rank() as i64) } else { Some(axis) };
    // Unlike other axes, the one past the last is allowed.
    let Some(axis) = from_start.and_then(|a| usize::try_from(a).ok()).filter(|&a| a <= x.rank()) else {
        return invalid(format!("axis {axis} does not exist among {}", x.rank()));
    };
    let (rows, columns) = x.shape().split_at(axis);
    Ok(vec![x.reshape([rows.iter().product::<usize>(), columns.iter().product()])?])
}

/// A 0 copies the operand's size unless `allowzero`; one −1 stands for the size that is left.
fn reshape(node: &Node) -> Outputs {
    let x = node.value(0)?;
    let Some(wanted) = node.known_ints(1, "target shapes")? else { return invalid("the target shape is missing") };
    let copy_zero = node.int("allowzero", 0) == 0;
    let mut target = Vec::with_capacity(wanted.len());
    for (i, &size) in wanted.iter().enumerate() {
        target.push(match size {
            0 if copy_zero => match x.shape().get(i) {
                Some(&own) => own as i64,
                None => return invalid(format!("target shape {wanted:?} copies axis {i}, which does not exist")),
            },
            other => other,
        });
    }
    if let Some(hole) = target.iter().position(|&s| s == -1) {
        target[hole] = 1;
        let known = shape(&target, "target shape")?.count();
        if known == 0 || !x.shape().count().is_multiple_of(known) {
            return invalid(format!("no size fits the -1 of target shape {wanted:?}"));
        }
        target[hole] = (x.shape().count() / known) as i64;
    }
    let target = shape(&target, "target shape")?;
    if target.count() != x.shape().count() {
        return invalid(format!("{} elements do not fill target shape {target}", x.shape().count()));
    }
    Ok(vec![x.reshape(target)?])
}

fn transpose(node: &Node) -> Outputs {
    let x = node.value(0)?;
    let perm: Vec<usize> = match node.ints("perm") {
        None => (0..x.rank()).rev().collect(),
        Some(perm) => {
            if perm.len() != x.rank() || axes(perm, x.rank())?.len() != x.rank() {
                return invalid(format!("perm {perm:?} is not a permutation of {} axes", x.rank()));
            }
            perm.iter().map(|&p| crate::node::axis(p, x.rank())).collect::<Result<_, _>>()?
        }
    };
    Ok(vec![x.transpose(&perm)?])
}

fn squeeze(node: &Node) -> Outputs {
    let x = node.value(0)?;
    let removed = match node.ints_or_input("axes", 1)? {
        Some(list) => axes(&list, x.rank())?,
        None => (0..x.rank()).filter(|&i| x.shape()[i] == 1).collect(),
    };
    if let Some(axis) = removed.iter().find(|&&i| x.shape()[i] != 1) {
        return invalid(format!("axis {axis} has size {}, not 1", x.shape()[*axis]));
    }
    let kept: Shape = x.shape().iter().enumerate().filter(|(i, _)| !removed.contains(i)).map(|(_, &d)| d).collect();
    Ok(vec![x.reshape(kept)?])
}

fn unsqueeze(node: &Node) -> Outputs {
    let x = node.value(0)?;
    let Some(list) = node.ints_or_input("axes", 1)? else { return invalid("axes are missing") };
    let rank = x.rank() + list.len();
    let added = axes(&list, rank)?;
    let mut own = x.shape().iter().copied();
    let target: Shape = (0..rank).map(|i| if added.contains(&i) { 1 } else { own.next().unwrap_or(1) }).collect();
    Ok(vec![x.reshape(target)?])
}

/// NumPy's broadcasting in both directions.
fn expand(node: &Node) -> Outputs {
    let x = node.value(0)?;
    let Some(wanted) = node.known_ints(1, "target shapes")? else { return invalid("the target shape is missing") };
    let target = host::broadcast_shapes(x.shape(), &shape(&wanted, "target shape")?)?;
    Ok(vec![x.broadcast_to(&target)?])
}

fn tile(node: &Node) -> Outputs {
    let x = node.value(0)?;
    let Some(repeats) = node.known_ints(1, "repeats")? else { return invalid("repeats are missing") };
    if repeats.len() != x.rank() {
        return invalid(format!("repeats {repeats:?} must have {} entries", x.rank()));
    }
    let repeats = sizes(&repeats, 1, "repeats")?;
    let target: Vec<i64> = x.shape().iter().zip(&repeats).map(|(&d, &r)| (d * r) as i64).collect();
    let target = shape(&target, "result")?;
    // [a, b] → [1, a, 1, b] → [r, a, s, b] → [ra, sb].
    let split: Shape = x.shape().iter().flat_map(|&d| [1, d]).collect();
    let repeated: Shape = x.shape().iter().zip(&repeats).flat_map(|(&d, &r)| [r, d]).collect();
    Ok(vec![x.reshape(split)?.broadcast_to(&repeated)?.reshape(target)?])
}

/// The sizes of the operand's axes from `start` to before `end`.
fn shape_of(node: &Node) -> Outputs {
    let x = node.value(0)?;
    let rank = x.rank() as i64;
    let clamp = |i: i64| (if i < 0 { i.saturating_add(rank) } else { i }).clamp(0, rank) as usize;
    let (start, end) = (clamp(node.int("start", 0)), clamp(node.int("end", rank)));
    let sizes: Vec<i64> = x.shape()[start..end.max(start)].iter().map(|&d| d as i64).collect();
    Ok(vec![Tensor::new([sizes.len()], sizes)?.into()])
}

/// The identity in inference, with a mask of ones if that is asked for.
fn dropout(node: &Node) -> Outputs {
    if let Some(training) = node.known_scalar(2, "training modes")?
        && training != 0.0
    {
        return unsupported("training mode; export the model in evaluation mode");
    }
    let x = node.value(0)?;
    let mut outputs = vec![x.clone()];
    if node.wants(1) {
        host::check_count(x.shape())?;
        outputs.push(Tensor::full(x.shape(), true).into());
    }
    Ok(outputs)
}

fn block_size(node: &Node, x: &Value) -> Result<usize, NodeError> {
    if x.rank() != 4 {
        return invalid("the operand must have 4 axes");
    }
    Ok(sizes(&[node.int("blocksize", 0)], 1, "blocksize")?[0])
}

fn depth_to_space(node: &Node) -> Outputs {
    let x = node.value(0)?;
    let block = block_size(node, x)?;
    let [n, c, h, w] = [x.shape()[0], x.shape()[1], x.shape()[2], x.shape()[3]];
    if c % (block * block) != 0 {
        return invalid(format!("{c} channels are not divisible by the block's {block}×{block}"));
    }
    let depth = c / (block * block);
    let blocks = if node.text("mode", "DCR") == "CRD" {
        x.reshape([n, depth, block, block, h, w])?.transpose(&[0, 1, 4, 2, 5, 3])?
    } else {
        x.reshape([n, block, block, depth, h, w])?.transpose(&[0, 3, 4, 1, 5, 2])?
    };
    Ok(vec![blocks.reshape([n, depth, h * block, w * block])?])
}

fn space_to_depth(node: &Node) -> Outputs {
    let x = node.value(0)?;
    let block = block_size(node, x)?;
    let [n, c, h, w] = [x.shape()[0], x.shape()[1], x.shape()[2], x.shape()[3]];
    if h % block != 0 || w % block != 0 {
        return invalid(format!("sizes {h}×{w} are not divisible by the block size {block}"));
    }
    let blocks = x.reshape([n, c, h / block, block, w / block, block])?.transpose(&[0, 3, 5, 1, 2, 4])?;
    Ok(vec![blocks.reshape([n, c * block * block, h / block, w / block])?])
}

/// The middle of each axis, or zeros around it, of a wanted size.
fn center_crop_pad(node: &Node) -> Outputs {
    let mut x = node.value(0)?.clone();
    let Some(wanted) = node.known_ints(1, "shapes")? else { return invalid("the shape is missing") };
    let along: Vec<usize> = match node.ints("axes") {
        Some(list) => list.iter().map(|&a| crate::node::axis(a, x.rank())).collect::<Result<_, _>>()?,
        None => (0..x.rank()).collect(),
    };
    let wanted = sizes(&wanted, 1, "shape")?;
    if wanted.len() != along.len() {
        return invalid(format!("shape {wanted:?} must have {} entries", along.len()));
    }
    for (&axis, &size) in along.iter().zip(&wanted) {
        let own = x.shape()[axis];
        x = if own >= size {
            x.slice(axis, (own - size) / 2, 1, size)?
        } else {
            let (mut low, mut high) = (vec![0; x.rank()], vec![0; x.rank()]);
            low[axis] = (size - own) / 2;
            high[axis] = size - own - low[axis];
            x.to_run_time().try_pad(&low, &high)?.into()
        };
    }
    Ok(vec![x])
}

/// The first elements of each example along the time axis backwards, as many as its length says.
fn reverse_sequence(node: &Node) -> Outputs {
    let x = node.value(0)?;
    let time = node.axis("time_axis", 0, x.rank())?;
    let batch = node.axis("batch_axis", 1, x.rank())?;
    if time == batch {
        return invalid("time_axis and batch_axis are the same");
    }
    let (steps, examples) = (x.shape()[time], x.shape()[batch]);
    let lengths = node.number(1)?.try_reshape([examples, 1])?;
    let step = Expr::constant(Tensor::new([1, steps], (0..steps as i64).collect())?);
    let back = lengths.offset(-1.0).try_sub(&step)?;
    let index = Expr::try_select(&step.try_less(&lengths)?, &back, &step)?;
    let mut perm: Vec<usize> = vec![batch, time];
    perm.extend((0..x.rank()).filter(|&a| a != batch && a != time));
    let mut inverse = vec![0; perm.len()];
    perm.iter().enumerate().for_each(|(to, &from)| inverse[from] = to);
    let rows = x.to_run_time().try_transpose(&perm)?;
    let turned = Expr::apply(Gather { axis: 1, batch: 1 }, &[rows, index])?;
    Ok(vec![turned.try_transpose(&inverse)?.into()])
}
