//! Loops with carried state.

use super::encode::{self, int, ints};
use super::error::ExportError;
use super::writer::{Stored, Writer};
use crate::proto::{AttributeProto, GraphProto};
use perturb_graph::{Expr, Scan, Tensor, topological};

/// The standard's scan, whose results are put one after another as our node wants them.
pub(super) fn scan(w: &mut Writer, node: &Expr, op: &Scan) -> Result<Stored, ExportError> {
    let body = &op.body;
    if op.length == 0 {
        // Not every runtime goes through nothing. The result is the initial state, or nothing.
        let finals: Vec<&Expr> = node.inputs()[..body.carry.len()].iter().filter(|x| x.shape().count() > 0).collect();
        return in_a_row(w, node, &finals);
    }
    let mut operands = node.inputs().iter().map(|x| w.full(x)).collect::<Result<Vec<_>, _>>()?;
    let captured = operands.split_off(body.carry.len() + body.slices.len());
    if body.slices.is_empty() {
        // There must be something to go through.
        operands.push(w.constant(&Tensor::full([op.length], 0i64)));
    }
    let attributes = vec![
        graph("body", step(w, op, &captured)?),
        int("num_scan_inputs", (operands.len() - body.carry.len()) as i64),
        ints("scan_input_directions", &vec![usize::from(op.reverse); operands.len() - body.carry.len()]),
        ints("scan_output_directions", &vec![usize::from(op.reverse); body.outputs.len()]),
    ];
    let operands: Vec<&str> = operands.iter().map(String::as_str).collect();
    let shapes = op.result_shapes();
    let results = w.emit_many("Scan", &operands, attributes, shapes.len());
    let flat: Vec<String> = results
        .into_iter()
        .zip(shapes)
        .map(|(name, shape)| {
            let count = shape.count();
            w.reshape(&Stored { name, shape }, [count]).name
        })
        .collect();
    let flat: Vec<&str> = flat.iter().map(String::as_str).collect();
    Ok(Stored { name: w.emit("Concat", &flat, vec![int("axis", 0)]), shape: node.shape().clone() })
}

fn in_a_row(w: &mut Writer, node: &Expr, values: &[&Expr]) -> Result<Stored, ExportError> {
    let mut flat = Vec::new();
    for x in values {
        let full = Stored { name: w.full(x)?, shape: x.shape().clone() };
        flat.push(w.reshape(&full, [x.shape().count()]).name);
    }
    if flat.is_empty() {
        let nothing = Tensor::full([0], 0.0).to_dtype(node.dtype());
        return Ok(Stored { name: w.constant(&nothing), shape: node.shape().clone() });
    }
    let flat: Vec<&str> = flat.iter().map(String::as_str).collect();
    Ok(Stored { name: w.emit("Concat", &flat, vec![int("axis", 0)]), shape: node.shape().clone() })
}

/// What one step computes, with the captured values under their names outside.
fn step(w: &mut Writer, op: &Scan, captured: &[String]) -> Result<GraphProto, ExportError> {
    let body = &op.body;
    let mut input = Vec::new();
    let mut named = Vec::new();
    for placeholder in body.carry.iter().chain(&body.slices) {
        let name = w.fresh_name("step");
        input.push(encode::info(&name, placeholder.dtype(), placeholder.shape()));
        named.push((placeholder, name));
    }
    if body.slices.is_empty() {
        let name = w.fresh_name("step");
        input.push(encode::info(&name, perturb_graph::DType::I64, &[].into()));
    }
    named.extend(body.captured.iter().zip(captured.iter().cloned()));
    let results: Vec<Expr> = body.next.iter().chain(&body.outputs).cloned().collect();
    w.nested("step", input, |w| {
        for (placeholder, name) in named {
            w.define(placeholder, Stored { name, shape: placeholder.shape().clone() });
        }
        for inner in topological(&results) {
            if !inner.op().is_leaf() || inner.value().is_some() {
                let stored = super::write(w, &inner)?;
                w.define(&inner, stored);
            }
        }
        let declare = |result: &Expr| {
            let info = encode::info(&w.fresh_name("result"), result.dtype(), result.shape());
            Ok((info, w.full(result)?))
        };
        results.iter().map(declare).collect()
    })
}

fn graph(name: &str, graph: GraphProto) -> AttributeProto {
    AttributeProto { name: name.into(), g: Some(graph), r#type: 5, ..Default::default() }
}
