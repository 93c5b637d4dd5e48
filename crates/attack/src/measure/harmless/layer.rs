//! The affine maps that a network begins and ends with.

use crate::AttackError;
use perturb_engine::{Executable, Options};
use perturb_graph::{Expr, Graph, Op, Tensor, dependents, substitute, topological, vjp, vmap};
use std::collections::HashSet;

/// An affine map `A·x + b` at the beginning or the end of a network.
#[derive(Clone, Debug, PartialEq)]
pub struct AffineLayer {
    /// A, row-major `[outputs, inputs]`.
    pub matrix: Vec<f64>,
    /// b.
    pub bias: Vec<f64>,
    /// Number of inputs.
    pub inputs: usize,
}

impl AffineLayer {
    /// The first layer of `model`, a graph of one input: the map from the input to what the first nonlinear primitive sees,
    /// a dense layer or a convolution with whatever normalises the input before it. One reverse pass for each of its
    /// outputs, all in one run.
    ///
    /// # Errors
    /// If the graph has not one input, nothing nonlinear follows it, or the matrix would be too large.
    pub fn first(model: &Graph) -> Result<AffineLayer, AttackError> {
        let [input] = &model.inputs[..] else {
            let reason = format!("it has {} inputs, not one", model.inputs.len());
            return Err(AttackError::NoAffineLayer { reason });
        };
        AffineLayer::between(std::slice::from_ref(input), &before_nonlinearity(model, input)?)
    }

    /// The last layer of `model`, a graph of one output: the map from what its last nonlinear primitives give, the
    /// features, to the output. Where features of several primitives are added up, they stand one after another.
    ///
    /// # Errors
    /// If the graph has not one output, or the matrix would be too large.
    pub fn last(model: &Graph) -> Result<AffineLayer, AttackError> {
        let [(_, output)] = &model.outputs[..] else {
            let reason = format!("it has {} outputs, not one", model.outputs.len());
            return Err(AttackError::NoAffineLayer { reason });
        };
        AffineLayer::between(&after_nonlinearity(model, output), output)
    }

    // What is affine in all of `from` together.
    fn between(from: &[Expr], to: &Expr) -> Result<AffineLayer, AttackError> {
        let count = to.shape().count();
        let covector = Expr::try_input("covector", to.shape(), to.dtype())?;
        let rows = vjp(std::slice::from_ref(to), from, &[covector.clone()])?;
        let identity: Vec<f64> = (0..count * count).map(|i| f64::from(u8::from(i % (count + 1) == 0))).collect();
        let identity = Tensor::from_f64(to.shape().prepend(count), to.dtype(), identity)?;
        let parts = vmap(&rows, &[(covector, Expr::constant(identity))], count)?;
        let parts = parts.iter().map(|part| part.try_reshape([count, part.shape().count() / count]));
        let matrix = Expr::try_concat(&parts.collect::<Result<Vec<_>, _>>()?, 1)?;
        let zeros = from.iter().map(|x| (x.clone(), x.like(0.0))).collect::<Vec<_>>();
        let bias = substitute(std::slice::from_ref(to), &zeros)?.remove(0);
        let exe = Executable::compile(&[matrix, bias], &[], &Options::default())?;
        let found = exe.run(&[])?;
        let inputs = from.iter().map(|x| x.shape().count()).sum();
        Ok(AffineLayer { matrix: found[0].to_f64_vec(), bias: found[1].to_f64_vec(), inputs })
    }

    /// `A·Aᵀ`, row-major `[outputs, outputs]`.
    pub fn products(&self) -> Vec<f64> {
        let rows = || self.matrix.chunks_exact(self.inputs);
        rows().flat_map(|a| rows().map(move |b| a.iter().zip(b).map(|(a, b)| a * b).sum())).collect()
    }

    /// Number of outputs.
    pub fn outputs(&self) -> usize {
        self.bias.len()
    }

    /// `A·v`.
    ///
    /// # Panics
    /// If `v` does not have one value for each input.
    #[track_caller]
    pub fn apply(&self, v: &[f64]) -> Vec<f64> {
        assert_eq!(v.len(), self.inputs, "one value for each input");
        self.matrix.chunks_exact(self.inputs).map(|row| row.iter().zip(v).map(|(a, v)| a * v).sum()).collect()
    }

    /// The rows that `relu` lets through at `x`: around there, what the others see does not matter.
    ///
    /// # Panics
    /// See [`AffineLayer::apply`].
    #[track_caller]
    pub fn active(&self, x: &[f64]) -> AffineLayer {
        let on: Vec<usize> = (self.apply(x).iter().zip(&self.bias).enumerate())
            .filter(|(_, (z, b))| **z + **b > 0.0)
            .map(|(row, _)| row)
            .collect();
        let matrix = on.iter().flat_map(|&row| &self.matrix[row * self.inputs..(row + 1) * self.inputs]);
        let bias = on.iter().map(|&row| self.bias[row]).collect();
        AffineLayer { matrix: matrix.copied().collect(), bias, inputs: self.inputs }
    }

    /// Whether `x + delta` leaves what `relu` makes of this layer as it is at `x`: the active rows unchanged up to
    /// `tolerance`, the others not above it.
    ///
    /// # Panics
    /// See [`AffineLayer::apply`].
    #[track_caller]
    pub fn is_unseen(&self, x: &[f64], delta: &[f64], tolerance: f64) -> bool {
        let (at, change) = (self.apply(x), self.apply(delta));
        at.iter().zip(&change).zip(&self.bias).all(|((z, d), b)| match z + b > 0.0 {
            true => d.abs() <= tolerance,
            false => z + b + d <= tolerance,
        })
    }
}

// The operand of the first primitive that is not linear in what varies with the input.
fn before_nonlinearity(model: &Graph, input: &Expr) -> Result<Expr, AttackError> {
    let none = |reason: &str| AttackError::NoAffineLayer { reason: reason.into() };
    let outputs = model.output_exprs();
    let varies = dependents(&outputs, std::slice::from_ref(input));
    for node in topological(&outputs) {
        if node.id() == input.id() || !varies.contains(&node.id()) {
            continue;
        }
        let varying: Vec<bool> = node.inputs().iter().map(|i| varies.contains(&i.id())).collect();
        let linear = node.op().primitive().is_some_and(|p| p.linear_in(&varying).is_some());
        if linear && !matches!(node.op(), Op::StopGradient(_)) {
            continue;
        }
        let operand = node.inputs().iter().zip(&varying).find(|(_, v)| **v).map(|(i, _)| i.clone());
        return match operand {
            Some(operand) if operand.id() != input.id() => Ok(operand),
            _ => Err(none("a nonlinear primitive is applied to the input itself")),
        };
    }
    Err(none("nothing nonlinear follows the input"))
}

// The nearest nodes before `output` that are not linear in what varies with the inputs, or are inputs themselves.
fn after_nonlinearity(model: &Graph, output: &Expr) -> Vec<Expr> {
    let varies = dependents(std::slice::from_ref(output), &model.inputs);
    let (mut seen, mut found) = (HashSet::new(), Vec::new());
    let mut pending = vec![output.clone()];
    while let Some(node) = pending.pop() {
        if !varies.contains(&node.id()) || !seen.insert(node.id()) {
            continue;
        }
        let varying: Vec<bool> = node.inputs().iter().map(|i| varies.contains(&i.id())).collect();
        let linear = node.op().primitive().is_some_and(|p| p.linear_in(&varying).is_some());
        match linear && !matches!(node.op(), Op::StopGradient(_)) && !node.inputs().is_empty() {
            true => pending.extend(node.inputs().iter().cloned()),
            false => found.push(node),
        }
    }
    found
}
