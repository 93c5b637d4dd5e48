//! Recurrent layers.

use super::Layers;
use crate::Init;
use perturb_graph::{Expr, Result};

/// The kind of a recurrent layer, with PyTorch's equations and order of gates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell {
    /// `h' = tanh(W_ih·x + b_ih + W_hh·h + b_hh)` (Elman 1990).
    Rnn,
    /// Gated recurrent unit (Cho et al. 2014), with the reset gate applied after the product.
    Gru,
    /// Long short-term memory (Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000).
    Lstm,
}

impl Cell {
    fn gates(self) -> usize {
        match self {
            Cell::Rnn => 1,
            Cell::Gru => 3,
            Cell::Lstm => 4,
        }
    }

    // The next state from the input's and the state's products, [N, gates·hidden] each, biases included.
    fn next(self, state: &[Expr], input: &Expr, recurrent: &Expr) -> Vec<Expr> {
        let (h, width) = (&state[0], state[0].shape()[1]);
        let gate = |x: &Expr, k: usize| x.slice_axis(1, k * width, (k + 1) * width);
        match self {
            Cell::Rnn => vec![input.add(recurrent).tanh()],
            Cell::Gru => {
                let reset = gate(input, 0).add(&gate(recurrent, 0)).sigmoid();
                let update = gate(input, 1).add(&gate(recurrent, 1)).sigmoid();
                let new = gate(input, 2).add(&reset.mul(&gate(recurrent, 2))).tanh();
                vec![new.add(&update.mul(&h.sub(&new)))]
            }
            Cell::Lstm => {
                let sum = input.add(recurrent);
                let [i, f, o] = [0, 1, 3].map(|k| gate(&sum, k).sigmoid());
                let cell = f.mul(&state[1]).add(&i.mul(&gate(&sum, 2).tanh()));
                vec![o.mul(&cell.tanh()), cell]
            }
        }
    }
}

impl Layers {
    /// A recurrent layer over `x [N, T, in]` that starts from zero: its outputs `[N, T, hidden]`, and its final state
    /// (`[N, hidden]`; of an LSTM also the cell's). Names are those of layer `index` of PyTorch's modules:
    /// `weight_ih_l0 [gates·hidden, in]`, `weight_hh_l0`, `bias_ih_l0`, `bias_hh_l0`.
    ///
    /// # Errors
    /// If `x` is not `[N, T, in]`.
    pub fn recurrent(&self, x: &Expr, cell: Cell, hidden: usize, index: usize) -> Result<(Expr, Vec<Expr>)> {
        let [n, t, width] = x.shape()[..] else {
            let (reason, shapes) = ("needs sequences [N, T, in]".to_string(), vec![x.shape().clone()]);
            return Err(perturb_graph::GraphError::Shape { op: "recurrent".into(), reason, shapes });
        };
        let rows = cell.gates() * hidden;
        let init = Init::Uniform(1.0 / (hidden as f64).sqrt());
        let weight = |name: &str, columns: usize| self.parameter(&format!("{name}_l{index}"), [rows, columns], init);
        let bias = |name: &str| self.parameter(&format!("{name}_l{index}"), [rows], init);
        let (w_ih, w_hh) = (weight("weight_ih", width), weight("weight_hh", hidden).transpose(&[1, 0]));
        let (b_ih, b_hh) = (bias("bias_ih"), bias("bias_hh"));
        // The inputs' products of all steps at once.
        let inputs = x.transpose(&[1, 0, 2]).matmul(&w_ih.transpose(&[1, 0])).add(&b_ih);
        let zero = Expr::full([n, hidden], 0.0, x.dtype());
        let init = vec![zero; if cell == Cell::Lstm { 2 } else { 1 }];
        let (last, outputs) = Expr::scan(&init, &[inputs], t, false, |state, row| {
            let next = cell.next(state, &row[0], &state[0].matmul(&w_hh).add(&b_hh));
            let output = next[0].clone();
            Ok((next, vec![output]))
        })?;
        Ok((outputs[0].transpose(&[1, 0, 2]), last))
    }
}
