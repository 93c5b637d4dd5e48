//! Elementwise operations.

use super::{Lowering, Operand, Reason, Value, finite};
use crate::check::network::{Affine, Curve, Groups, Kind, Layer};
use perturb_graph::{Binary, Expr, Unary};

impl Lowering {
    pub(super) fn unary(&mut self, node: &Expr, unary: Unary) -> Result<Value, Reason> {
        let kind = match unary {
            Unary::Relu => Kind::Relu,
            Unary::Sigmoid => |operands| Kind::Curve(Curve::Sigmoid, operands),
            Unary::Tanh => |operands| Kind::Curve(Curve::Tanh, operands),
            _ => return Err("this function cannot be checked".into()),
        };
        let operands = self.scalars(&node.inputs()[0])?;
        let value = self.push(kind(operands));
        self.network.activations.push(self.network.layers.len() - 1);
        Ok(value)
    }

    pub(super) fn negated(&mut self, node: &Expr) -> Result<Value, Reason> {
        let Operand::Varying(value) = self.operand(node, 0) else { return Err("nothing varies".into()) };
        let elements = value.elements.clone();
        Ok(self.scaled(&elements, -1.0, None))
    }

    pub(super) fn binary(&mut self, node: &Expr, binary: Binary) -> Result<Value, Reason> {
        if matches!(binary, Binary::Max | Binary::Min) {
            return self.extremum(node, binary);
        }
        let (left, right) = (self.operand(node, 0), self.operand(node, 1));
        match (binary, left, right) {
            (Binary::Add | Binary::Sub, Operand::Varying(a), Operand::Varying(b)) => {
                let sign = if binary == Binary::Add { 1.0 } else { -1.0 };
                let affine = combined(&a.elements, &b.elements, sign);
                Ok(self.push(Kind::Affine(affine)))
            }
            (Binary::Add, Operand::Known(known), Operand::Varying(_)) => {
                let shift = finite(known)?;
                self.shifted(node, 1, shift)
            }
            (Binary::Add, _, Operand::Known(known)) => {
                let shift = finite(known)?;
                self.shifted(node, 0, shift)
            }
            (Binary::Sub, _, Operand::Known(known)) => {
                let shift = finite(known)?.iter().map(|v| -v).collect();
                self.shifted(node, 0, shift)
            }
            (Binary::Sub, Operand::Known(known), Operand::Varying(value)) => {
                let (bias, elements) = (finite(known)?, value.elements.clone());
                Ok(self.scaled(&elements, -1.0, Some(bias)))
            }
            (Binary::Mul, Operand::Varying(value), Operand::Known(known))
            | (Binary::Mul, Operand::Known(known), Operand::Varying(value)) => {
                let affine = multiplied(&value.elements, &finite(known)?);
                Ok(self.push(Kind::Affine(affine)))
            }
            (Binary::Div, Operand::Varying(value), Operand::Known(known)) => {
                let affine = divided(&value.elements, finite(known)?)?;
                Ok(self.push(Kind::Affine(affine)))
            }
            _ => Err("this operation on what varies cannot be checked".into()),
        }
    }

    // One weight for all elements.
    fn scaled(&mut self, elements: &[u32], weight: f64, bias: Option<Vec<f64>>) -> Value {
        let mut affine = Affine::new(elements.len());
        affine.bias = bias.unwrap_or(affine.bias);
        let weights = affine.add_weights([weight]);
        for (result, &element) in elements.iter().enumerate() {
            let sources = affine.add_sources([element]);
            affine.add_block(result, 1, 1, sources, weights);
        }
        self.push(Kind::Affine(affine))
    }

    // Operand `position` plus constants: a bias of the layer that made it, if the biases can be added without rounding.
    fn shifted(&mut self, node: &Expr, position: usize, shift: Vec<f64>) -> Result<Value, Reason> {
        let operand = node.inputs()[position].id();
        let value = self.values[&operand].clone();
        if let Some(layer) = value.owned.filter(|_| self.uses[&operand] == 1)
            && let Layer { first, kind: Kind::Affine(affine) } = &mut self.network.layers[layer]
            && affine.divisors.is_none()
        {
            let place = |element: u32| element as usize - *first;
            let sums = value.elements.iter().zip(&shift).map(|(&e, &s)| exact_sum(affine.bias[place(e)], s));
            if let Some(sums) = sums.collect::<Option<Vec<f64>>>() {
                value.elements.iter().zip(sums).for_each(|(&e, sum)| affine.bias[place(e)] = sum);
                return Ok(value);
            }
        }
        Ok(self.scaled(&value.elements, 1.0, Some(shift)))
    }

    // min(a, b) = −max(−a, −b).
    fn extremum(&mut self, node: &Expr, binary: Binary) -> Result<Value, Reason> {
        let mut sides = [self.scalars(&node.inputs()[0])?, self.scalars(&node.inputs()[1])?];
        if binary == Binary::Min {
            sides = sides.map(|elements| self.scaled(&elements, -1.0, None).elements);
        }
        let operands: Vec<u32> = sides[0].iter().zip(&sides[1]).flat_map(|(&a, &b)| [a, b]).collect();
        let starts = (0..=sides[0].len()).map(|i| 2 * i).collect();
        let largest = self.push(Kind::Max(Groups { starts, operands }));
        Ok(if binary == Binary::Min { self.scaled(&largest.elements, -1.0, None) } else { largest })
    }
}

// a + sign·b.
fn combined(a: &[u32], b: &[u32], sign: f64) -> Affine {
    let mut affine = Affine::new(a.len());
    let weights = affine.add_weights([1.0, sign]);
    for (result, (&a, &b)) in a.iter().zip(b).enumerate() {
        let sources = affine.add_sources([a, b]);
        affine.add_block(result, 1, 1, sources, weights);
    }
    affine
}

fn multiplied(elements: &[u32], factors: &[f64]) -> Affine {
    let mut affine = Affine::new(elements.len());
    for (result, (&element, &factor)) in elements.iter().zip(factors).enumerate() {
        let (sources, weights) = (affine.add_sources([element]), affine.add_weights([factor]));
        affine.add_block(result, 1, 1, sources, weights);
    }
    affine
}

fn divided(elements: &[u32], divisors: Vec<f64>) -> Result<Affine, Reason> {
    if divisors.contains(&0.0) {
        return Err("it divides by 0".into());
    }
    let mut affine = multiplied(elements, &vec![1.0; elements.len()]);
    affine.divisors = Some(divisors);
    Ok(affine)
}

// The sum, if it is a number of the type (Knuth 1969, theorem 4.2.2 B: the error of an addition is computed exactly).
fn exact_sum(a: f64, b: f64) -> Option<f64> {
    let sum = a + b;
    let back = sum - a;
    let error = (a - (sum - back)) + (b - back);
    (sum.is_finite() && error == 0.0).then_some(sum)
}
