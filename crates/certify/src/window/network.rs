//! The part of a network that one position of a node depends on, as a network of its own.

use super::geometry::{Window, needed};
use crate::Result;
use crate::problem::Problem;
use perturb_graph::{Convolution, DType, Expr, Op, Shape, Tensor, eval};
use std::collections::HashMap;

/// The cropped network.
pub(crate) struct Cropped {
    /// Window of the network's input, which varies.
    pub input: Expr,
    /// All channels of the bounded node at one position, `[1, channels, 1, …]`.
    pub output: Expr,
    /// By id of the whole tensor, its window.
    pub nodes: HashMap<u64, Expr>,
    /// Nodes whose windows convolutions read beyond the edge, and the placeholder of where they do not.
    pub masks: Vec<(Expr, Expr)>,
}

impl Cropped {
    /// `None` if a constant differs from position to position.
    pub fn new(problem: &Problem, node: &Expr, windows: &HashMap<u64, Vec<Window>>) -> Result<Option<Cropped>> {
        let window_shape = |n: &Expr| -> Shape {
            n.shape()[..2].iter().copied().chain(windows[&n.id()].iter().map(|w| w.size)).collect()
        };
        let input = Expr::try_input("crop", window_shape(&problem.input), DType::F32)?;
        let mut nodes = HashMap::from([(problem.input.id(), input.clone())]);
        let mut masks: Vec<(Expr, Expr)> = Vec::new();
        // The input is there already; it comes first.
        for n in problem.cone(node).iter().filter(|n| n.id() != problem.input.id()) {
            let Some(wanted) = needed(n, &windows[&n.id()]) else { return Ok(None) };
            let mut operands = Vec::new();
            for operand in n.inputs() {
                operands.push(if problem.varies(operand) {
                    let mut whole = nodes[&operand.id()].clone();
                    if matches!(n.op(), Op::Conv(_)) && leaves(operand, &windows[&operand.id()], node) {
                        whole = whole.try_mul(&mask_of(operand, &whole, &mut masks)?)?;
                    }
                    cut(&whole, &windows[&operand.id()], &wanted)?
                } else if matches!(n.op(), Op::Conv(_)) {
                    operand.clone()
                } else {
                    let Some(constant) = everywhere(operand, &window_shape(n))? else { return Ok(None) };
                    constant
                });
            }
            let op = match n.op() {
                Op::Conv(c) => Op::Conv(Convolution { padding: vec![(0, 0); c.padding.len()], ..c.clone() }),
                other => other.clone(),
            };
            nodes.insert(n.id(), Expr::apply(op, &operands)?);
        }
        Ok(Some(Cropped { input, output: nodes[&node.id()].clone(), nodes, masks }))
    }
}

// Whether the windows of a tensor leave it at some position of the bounded node.
fn leaves(tensor: &Expr, windows: &[Window], bounded: &Expr) -> bool {
    let axes = windows.iter().enumerate();
    !axes.into_iter().all(|(a, w)| w.stays_inside(tensor.shape()[2 + a], bounded.shape()[2 + a]))
}

// The placeholder of a node's mask, for all its channels.
fn mask_of(node: &Expr, window: &Expr, masks: &mut Vec<(Expr, Expr)>) -> Result<Expr> {
    if let Some((_, mask)) = masks.iter().find(|(n, _)| n.id() == node.id()) {
        return Ok(mask.clone());
    }
    let shape: Shape = [1, 1].into_iter().chain(window.shape()[2..].iter().copied()).collect();
    let mask = Expr::try_input("mask", shape, window.dtype())?;
    masks.push((node.clone(), mask.clone()));
    Ok(mask)
}

// The part of an operand's window that one of its users needs.
fn cut(whole: &Expr, own: &[Window], wanted: &[Window]) -> Result<Expr> {
    let mut start = vec![0; whole.rank()];
    let mut end = whole.shape().to_vec();
    for (a, (own, wanted)) in own.iter().zip(wanted).enumerate() {
        start[2 + a] = (wanted.offset - own.offset) as usize;
        end[2 + a] = start[2 + a] + wanted.size;
    }
    Ok(whole.try_slice(&start, &end, &vec![1; whole.rank()])?)
}

// A constant that is the same at every position, repeated over a window.
fn everywhere(constant: &Expr, window: &Shape) -> Result<Option<Expr>> {
    let Ok(value) = eval(std::slice::from_ref(constant), &[]) else { return Ok(None) };
    let (values, channels) = (value[0].as_slice::<f32>(), constant.shape()[0] * constant.shape()[1]);
    let planes = values.chunks(values.len() / channels.max(1));
    if planes.clone().any(|p| p.iter().any(|v| v.to_bits() != p[0].to_bits())) {
        return Ok(None);
    }
    let column: Shape = constant.shape().iter().enumerate().map(|(a, &n)| if a < 2 { n } else { 1 }).collect();
    let column = Tensor::new(column, planes.map(|p| p[0]).collect())?;
    Ok(Some(Expr::constant(column).try_broadcast_to(window)?))
}
