//! A classifier in two parts.

use crate::AttackError;
use perturb_graph::{Expr, Graph, Shape, dependents, substitute};

/// A classifier cut at a hidden layer: what leads to the layer, and what follows it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Cut {
    /// From one example to its features `[1, C, …]`.
    pub body: Graph,
    /// From features to logits `[1, classes]`.
    pub head: Graph,
}

impl Cut {
    /// Cuts `model`, a graph from one example to logits, at one of its expressions: one for which there is a handle, or
    /// one that [`rectified`](super::rectified) gives.
    ///
    /// # Errors
    /// If the model has not one input and one output, the output does not depend on the layer, or on the input by a path
    /// around it.
    pub fn at(model: &Graph, layer: &Expr) -> Result<Cut, AttackError> {
        let wrong = |reason: &str| AttackError::Model { reason: reason.into() };
        let ([input], [(name, output)]) = (&model.inputs[..], &model.outputs[..]) else {
            return Err(wrong("it has not one input and one output"));
        };
        if !dependents(std::slice::from_ref(output), std::slice::from_ref(layer)).contains(&output.id()) {
            return Err(wrong("its output does not depend on the layer at which it is to be cut"));
        }
        let features = Expr::try_input("features", layer.shape(), layer.dtype())?;
        let logits = substitute(std::slice::from_ref(output), &[(layer.clone(), features.clone())])?.remove(0);
        let body = Graph::new(vec![input.clone()], vec![("features".into(), layer.clone())])?;
        let head = Graph::new(vec![features], vec![(name.clone(), logits)]);
        let around = |_| wrong("its output depends on the input by a path around the layer at which it is to be cut");
        Ok(Cut { body, head: head.map_err(around)? })
    }

    /// Channels of the layer, and how many values each has.
    pub(crate) fn channels(&self) -> Result<(usize, usize), AttackError> {
        let shape: &Shape = self.body.outputs[0].1.shape();
        match shape[..] {
            [1, channels, _, ..] if channels > 0 => Ok((channels, shape.count() / channels)),
            _ => Err(AttackError::Model { reason: format!("features {shape} are not [1, channels, …]") }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feature::rectified;
    use perturb_graph::{DType, Tensor, eval};

    #[test]
    fn the_parts_make_the_whole() {
        let x = Expr::input("x", [1, 3], DType::F64);
        let hidden = x.scale(2.0).relu();
        let model = Graph::new(vec![x.clone()], vec![("z".into(), hidden.square().offset(-1.0))]).unwrap();
        let layers = rectified(&model).unwrap();
        assert_eq!(layers.outputs.len(), 1);
        let cut = Cut::at(&model, &layers.outputs[0].1).unwrap();
        let at = Tensor::new([1, 3], vec![-1.0, 0.5, 2.0]).unwrap();
        let features = eval(&cut.body.output_exprs(), &[(x.clone(), at)]).unwrap().remove(0);
        assert_eq!(features.as_slice::<f64>(), [0.0, 1.0, 4.0]);
        let logits = eval(&cut.head.output_exprs(), &[(cut.head.inputs[0].clone(), features)]).unwrap().remove(0);
        assert_eq!(logits.as_slice::<f64>(), [-1.0, 0.0, 15.0]);
        // Around the layer, or not through it.
        let around = Graph::new(vec![x.clone()], vec![("z".into(), hidden.add(&x))]).unwrap();
        assert!(Cut::at(&around, &hidden).is_err());
        assert!(Cut::at(&model, &x.exp()).is_err());
        let none = Graph::new(vec![x.clone()], vec![("z".into(), x)]).unwrap();
        assert!(rectified(&none).is_err());
    }
}
