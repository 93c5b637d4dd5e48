//! Recurrent layers: one loop over the steps for each direction.

use super::Group;
use crate::error::{NodeError, invalid, unsupported};
use crate::node::{Node, Outputs};
use crate::value::cast;
use perturb_graph::{DType, Expr, Tensor};

pub(super) const OPS: Group = &[
    ("GRU", |n| layer(n, &Kind { gates: 3, states: 1, defaults: &["Sigmoid", "Tanh"], step: gru })),
    ("LSTM", |n| layer(n, &Kind { gates: 4, states: 2, defaults: &["Sigmoid", "Tanh", "Tanh"], step: lstm })),
    ("RNN", |n| layer(n, &Kind { gates: 1, states: 1, defaults: &["Tanh"], step: rnn })),
];

type Built<T = Expr> = perturb_graph::Result<T>;

/// What distinguishes the three kinds of layers.
struct Kind {
    /// Number of blocks of `hidden` rows of the weights.
    gates: usize,
    /// Number of state vectors.
    states: usize,
    /// Activation functions of one direction.
    defaults: &'static [&'static str],
    /// The next states from the input's share of the gates `[batch, gates·hidden]` and the states `[batch, hidden]`.
    step: fn(&Cell, &Expr, &[Expr]) -> Built<Vec<Expr>>,
}

/// The weights of one direction.
struct Cell {
    hidden: usize,
    /// `[hidden, gates·hidden]`.
    recurrent: Expr,
    /// The recurrent bias `[hidden]` of the candidate, where the reset gate multiplies it.
    candidate_bias: Option<Expr>,
    /// Weights `[hidden]` with which the cell state acts on input, output and forget gates.
    peepholes: Option<[Expr; 3]>,
    activations: Vec<Activation>,
    clip: f64,
    couple_gates: bool,
}

/// An activation function with its two coefficients.
struct Activation {
    name: String,
    alpha: f64,
    beta: f64,
}

fn layer(node: &Node, kind: &Kind) -> Outputs {
    let batch_first = node.int("layout", 0) != 0;
    let x = node.expr(0)?;
    if x.rank() != 3 {
        return invalid("the input must have 3 axes");
    }
    let x = if batch_first { x.move_axis(0, 1) } else { x };
    let (length, batch) = (x.shape()[0], x.shape()[1]);
    let reversed: &[bool] = match node.text("direction", "forward").as_str() {
        "forward" => &[false],
        "reverse" => &[true],
        "bidirectional" => &[false, true],
        other => return invalid(format!("direction {other:?}")),
    };
    let hidden = hidden_size(node, kind, reversed.len(), x.shape()[2])?;
    let active = active_steps(node, length, batch)?;
    let mut stacks = Vec::new();
    let mut finals: Vec<Vec<Expr>> = vec![Vec::new(); kind.states];
    for (direction, &reverse) in reversed.iter().enumerate() {
        let (cell, bias) = Cell::read(node, kind, direction, reversed.len(), hidden)?;
        let input = part(&node.expr(1)?, direction)?.try_transpose(&[1, 0])?;
        let gates = x.try_matmul(&input)?;
        let gates = if let Some(bias) = bias { gates.try_add(&bias)? } else { gates };
        let init = (0..kind.states)
            .map(|s| initial_state(node, 5 + s, direction, batch_first, [batch, hidden]))
            .collect::<Result<Vec<_>, _>>()?;
        let rows: Vec<Expr> = std::iter::once(gates).chain(active.clone()).collect();
        let (last, all) = Expr::scan(&init, &rows, length, reverse, |states, rows| {
            let next = (kind.step)(&cell, &rows[0], states)?;
            let Some(active) = rows.get(1) else { return Ok((next.clone(), vec![next[0].clone()])) };
            // After the end of its sequence an example keeps its state and shows zeros.
            let kept = |(new, old): (&Expr, &Expr)| Expr::try_select(active, new, old);
            let states = next.iter().zip(states).map(kept).collect::<Built<Vec<_>>>()?;
            let shown = Expr::try_select(active, &next[0], &next[0].like(0.0))?;
            Ok((states, vec![shown]))
        })?;
        stacks.push(all[0].try_reshape([length, 1, batch, hidden])?);
        last.into_iter().zip(&mut finals).for_each(|(state, list)| list.push(state));
    }
    let every = Expr::try_concat(&stacks, 1)?;
    let mut outputs = vec![if batch_first { every.try_transpose(&[2, 0, 1, 3])? } else { every }.into()];
    for states in finals {
        let rows = states.iter().map(|s| s.try_reshape([1, batch, hidden])).collect::<Built<Vec<_>>>()?;
        let all = Expr::try_concat(&rows, 0)?;
        outputs.push(if batch_first { all.try_transpose(&[1, 0, 2])? } else { all }.into());
    }
    Ok(outputs)
}

/// Checks the shapes of the weights; the size of the state.
fn hidden_size(node: &Node, kind: &Kind, directions: usize, inputs: usize) -> Result<usize, NodeError> {
    let (w, r) = (node.value(1)?.shape(), node.value(2)?.shape());
    let hidden = r.last().copied().unwrap_or(0);
    let declared = node.int("hidden_size", hidden as i64);
    let rows = hidden.checked_mul(kind.gates);
    if hidden == 0
        || declared != hidden as i64
        || rows.is_none_or(|rows| w[..] != [directions, rows, inputs] || r[..] != [directions, rows, hidden])
    {
        return invalid(format!(
            "weights {w} and recurrent weights {r} of a layer of {inputs} inputs and hidden_size {declared}"
        ));
    }
    Ok(hidden)
}

/// 1 while an example's sequence lasts, `[length, batch, 1]`, if sequences may be shorter than the input.
fn active_steps(node: &Node, length: usize, batch: usize) -> Result<Option<Expr>, NodeError> {
    let Some(lengths) = node.optional(4) else { return Ok(None) };
    if lengths.known().is_some_and(|t| t.to_f64_vec().iter().all(|&l| l == length as f64)) {
        return Ok(None);
    }
    let steps = Expr::constant(Tensor::new([length, 1], (0..length as i64).collect())?);
    let mask = steps.try_less(&cast(&lengths.to_number(node.dtype)?, DType::I64)?.try_reshape([1, batch])?)?;
    Ok(Some(cast(&mask.try_reshape([length, batch, 1])?, node.dtype)?))
}

fn initial_state(
    node: &Node,
    i: usize,
    direction: usize,
    batch_first: bool,
    [batch, hidden]: [usize; 2],
) -> Result<Expr, NodeError> {
    let Some(state) = node.optional_expr(i)? else { return Ok(Expr::full([batch, hidden], 0.0, node.dtype)) };
    let state = if batch_first && state.rank() == 3 { state.move_axis(0, 1) } else { state };
    Ok(part(&state, direction)?.try_reshape([batch, hidden])?)
}

/// The share of one direction.
fn part(x: &Expr, direction: usize) -> Result<Expr, NodeError> {
    if x.shape().first().is_none_or(|&n| direction >= n) {
        return invalid(format!("an operand of shape {} has nothing for direction {direction}", x.shape()));
    }
    Ok(x.slice_axis(0, direction, direction + 1).try_reshape(&x.shape()[1..])?)
}

/// Columns `from·hidden..to·hidden` of the last axis.
fn block(x: &Expr, hidden: usize, from: usize, to: usize) -> Expr {
    x.slice_axis(x.rank() - 1, from * hidden, to * hidden)
}

impl Cell {
    /// The cell of one direction, and the bias `[gates·hidden]` that the input's share of the gates carries.
    fn read(
        node: &Node,
        kind: &Kind,
        direction: usize,
        directions: usize,
        hidden: usize,
    ) -> Result<(Cell, Option<Expr>), NodeError> {
        let recurrent = part(&node.expr(2)?, direction)?.try_transpose(&[1, 0])?;
        let before_reset = kind.gates == 3 && node.int("linear_before_reset", 0) != 0;
        let mut candidate_bias = None;
        let bias = match node.optional_expr(3)? {
            None => None,
            Some(b) => {
                let b = part(&b, direction)?;
                if b.shape()[..] != [2 * kind.gates * hidden] {
                    return invalid(format!("a bias of shape {} for {} gates of {hidden}", b.shape(), kind.gates));
                }
                let (own, mut recurrent) =
                    (block(&b, hidden, 0, kind.gates), block(&b, hidden, kind.gates, 2 * kind.gates));
                if before_reset {
                    candidate_bias = Some(block(&recurrent, hidden, 2, 3));
                    recurrent = block(&recurrent, hidden, 0, 2).try_pad(&[0], &[hidden])?;
                }
                Some(own.try_add(&recurrent)?)
            }
        };
        if before_reset && candidate_bias.is_none() {
            candidate_bias = Some(Expr::full([hidden], 0.0, node.dtype));
        }
        let peepholes = match node.optional_expr(7)? {
            Some(p) if kind.gates == 4 => {
                let p = part(&p, direction)?.try_reshape([3 * hidden])?;
                Some([0, 1, 2].map(|k| block(&p, hidden, k, k + 1)))
            }
            _ => None,
        };
        let activations = activations(node, kind, direction, directions)?;
        let clip = if node.has("clip") { node.float("clip", 0.0) } else { f64::INFINITY };
        let couple_gates = node.int("input_forget", 0) != 0;
        Ok((Cell { hidden, recurrent, candidate_bias, peepholes, activations, clip, couple_gates }, bias))
    }

    /// Gate `k`'s columns.
    fn gate(&self, gates: &Expr, k: usize) -> Expr {
        block(gates, self.hidden, k, k + 1)
    }

    /// Activation function `k` of limited values.
    fn activated(&self, k: usize, x: &Expr) -> Expr {
        self.activations[k].of(&x.clip(-self.clip, self.clip))
    }
}

fn activations(node: &Node, kind: &Kind, direction: usize, directions: usize) -> Result<Vec<Activation>, NodeError> {
    let per_direction = kind.defaults.len();
    let names = node.texts("activations").unwrap_or_default();
    if !names.is_empty() && names.len() != per_direction * directions {
        return invalid(format!("{} activations for {directions} direction(s)", names.len()));
    }
    let coefficient = |list: &str, i: usize| match node.floats(list) {
        Some(values) if values.len() == names.len() => Ok(Some(f64::from(values[i]))),
        Some(values) if !values.is_empty() => unsupported(format!("{list} for some activations only")),
        _ => Ok(None),
    };
    (0..per_direction)
        .map(|k| {
            let i = direction * per_direction + k;
            let name = names.get(i).cloned().unwrap_or_else(|| kind.defaults[k].to_string());
            let Some((alpha, beta)) = default_coefficients(&name) else {
                return unsupported(format!("activation {name:?}"));
            };
            let alpha = coefficient("activation_alpha", i)?.unwrap_or(alpha);
            Ok(Activation { alpha, beta: coefficient("activation_beta", i)?.unwrap_or(beta), name })
        })
        .collect()
}

fn default_coefficients(name: &str) -> Option<(f64, f64)> {
    Some(match name {
        "Tanh" | "Sigmoid" | "Relu" | "Softsign" | "Softplus" => (0.0, 0.0),
        "Affine" | "ScaledTanh" => (1.0, if name == "Affine" { 0.0 } else { 1.0 }),
        "LeakyRelu" => (0.01, 0.0),
        "ThresholdedRelu" | "Elu" => (1.0, 0.0),
        "HardSigmoid" => (0.2, 0.5),
        _ => return None,
    })
}

impl Activation {
    fn of(&self, x: &Expr) -> Expr {
        let (alpha, beta) = (self.alpha, self.beta);
        match self.name.as_str() {
            "Sigmoid" => x.sigmoid(),
            "Relu" => x.relu(),
            "Softsign" => x.div(&x.abs().offset(1.0)),
            "Softplus" => x.softplus(),
            "Affine" => x.scale(alpha).offset(beta),
            "ScaledTanh" => x.scale(beta).tanh().scale(alpha),
            "LeakyRelu" => x.leaky_relu(alpha),
            "ThresholdedRelu" => Expr::select(&x.greater(&x.like(alpha)), x, &x.like(0.0)),
            "Elu" => x.elu(alpha),
            "HardSigmoid" => x.scale(alpha).offset(beta).clip(0.0, 1.0),
            _ => x.tanh(),
        }
    }
}

/// Elman 1990.
fn rnn(cell: &Cell, row: &Expr, states: &[Expr]) -> Built<Vec<Expr>> {
    let sum = row.try_add(&states[0].try_matmul(&cell.recurrent)?)?;
    Ok(vec![cell.activated(0, &sum)])
}

/// Hochreiter and Schmidhuber 1997, with the forget gate and the peepholes of Gers et al. 2002; the gates' order is
/// input, output, forget, candidate.
fn lstm(cell: &Cell, row: &Expr, states: &[Expr]) -> Built<Vec<Expr>> {
    let (h, c) = (&states[0], &states[1]);
    let gates = row.try_add(&h.try_matmul(&cell.recurrent)?)?;
    let peep = |k: usize, gate: Expr, c: &Expr| match &cell.peepholes {
        Some(weights) => gate.try_add(&c.try_mul(&weights[k])?),
        None => Ok(gate),
    };
    let input = cell.activated(0, &peep(0, cell.gate(&gates, 0), c)?);
    let forget = match cell.couple_gates {
        true => input.neg().offset(1.0),
        false => cell.activated(0, &peep(2, cell.gate(&gates, 2), c)?),
    };
    let candidate = cell.activated(1, &cell.gate(&gates, 3));
    let next = forget.try_mul(c)?.try_add(&input.try_mul(&candidate)?)?;
    let output = cell.activated(0, &peep(1, cell.gate(&gates, 1), &next)?);
    Ok(vec![output.try_mul(&cell.activations[2].of(&next))?, next])
}

/// Cho et al. 2014; the gates' order is update, reset, candidate.
fn gru(cell: &Cell, row: &Expr, states: &[Expr]) -> Built<Vec<Expr>> {
    let h = &states[0];
    let both = |k: usize| cell.gate(row, k).try_add(&h.try_matmul(&cell.gate(&cell.recurrent, k))?);
    let (update, reset) = (cell.activated(0, &both(0)?), cell.activated(0, &both(1)?));
    let weights = cell.gate(&cell.recurrent, 2);
    let memory = match &cell.candidate_bias {
        Some(bias) => reset.try_mul(&h.try_matmul(&weights)?.try_add(bias)?)?,
        None => reset.try_mul(h)?.try_matmul(&weights)?,
    };
    let candidate = cell.activated(1, &cell.gate(row, 2).try_add(&memory)?);
    Ok(vec![candidate.try_add(&update.try_mul(&h.try_sub(&candidate)?)?)?])
}
