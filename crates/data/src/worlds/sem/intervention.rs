//! Interventions and counterfactuals.

use super::mechanism::{Mechanism, Noise};
use super::model::{Equation, Sem, check};
use crate::worlds::error::WorldError;

/// A change of one node's equation; all others stay.
#[derive(Clone, Debug, PartialEq)]
pub enum Intervention {
    /// do(x = value): the node no longer listens to its parents.
    Hard {
        /// The node.
        node: usize,
        /// Its value.
        value: f64,
    },
    /// The node takes random values, deaf to its parents: a randomized experiment.
    Randomized {
        /// The node.
        node: usize,
        /// Mean of its values.
        mean: f64,
        /// Their noise.
        noise: Noise,
    },
    /// The node's value is moved.
    Shift {
        /// The node.
        node: usize,
        /// By how much.
        by: f64,
    },
    /// The node's noise is scaled.
    Scale {
        /// The node.
        node: usize,
        /// By what factor ≥ 0.
        factor: f64,
    },
    /// The node answers to the same parents in another way.
    Soft {
        /// The node.
        node: usize,
        /// Its new equation.
        equation: Equation,
    },
}

impl Intervention {
    fn node(&self) -> usize {
        match *self {
            Intervention::Hard { node, .. }
            | Intervention::Randomized { node, .. }
            | Intervention::Shift { node, .. }
            | Intervention::Scale { node, .. }
            | Intervention::Soft { node, .. } => node,
        }
    }
}

impl Sem {
    /// The model after interventions, made one after the other.
    ///
    /// # Errors
    /// [`WorldError::Parameter`] for nodes that do not exist, equations that do not fit and factors that are negative.
    pub fn intervene(&self, interventions: &[Intervention]) -> Result<Sem, WorldError> {
        let mut sem = self.clone();
        for intervention in interventions {
            let node = intervention.node();
            if node >= sem.dag.nodes() {
                let expected = format!("nodes are 0 to {} (exclusive)", sem.dag.nodes());
                return Err(WorldError::parameter("sem", "node of an intervention", node, expected));
            }
            let equation = &mut sem.equations[node];
            match intervention {
                Intervention::Hard { value, .. } => {
                    *equation = Equation {
                        mechanism: Mechanism::constant(*value),
                        noise: Noise { deviation: 0.0, ..equation.noise },
                    };
                    sem.dag = sem.dag.without_parents(node);
                }
                Intervention::Randomized { mean, noise, .. } => {
                    *equation = Equation { mechanism: Mechanism::constant(*mean), noise: *noise };
                    sem.dag = sem.dag.without_parents(node);
                }
                Intervention::Shift { by, .. } => equation.mechanism.shift(*by),
                Intervention::Scale { factor, .. } => equation.noise.deviation *= factor,
                Intervention::Soft { equation: new, .. } => *equation = new.clone(),
            }
            check(&sem.equations[node], node, sem.dag.parents(node).len())?;
        }
        Ok(sem)
    }

    /// What an observed row would have been under interventions (Pearl 2009, ch. 7): its noise is recovered, then the
    /// altered equations are followed with the same noise. Noise that the model does not have (deviation 0) is 0; noise
    /// whose law is altered keeps its standardized value.
    ///
    /// # Errors
    /// As [`Sem::intervene`], and for rows of another length.
    pub fn counterfactual(&self, row: &[f64], interventions: &[Intervention]) -> Result<Vec<f64>, WorldError> {
        if row.len() != self.dag.nodes() {
            let expected = format!("the model has {} nodes", self.dag.nodes());
            return Err(WorldError::parameter("sem", "length of the row", row.len(), expected));
        }
        let abduct = |node: usize| {
            let Equation { mechanism, noise } = &self.equations[node];
            let rest = row[node] - mechanism.value(&self.parent_values(node, row));
            if noise.deviation > 0.0 { rest / noise.deviation } else { 0.0 }
        };
        let epsilon: Vec<f64> = (0..row.len()).map(abduct).collect();
        Ok(self.intervene(interventions)?.values(&epsilon))
    }
}

impl Mechanism {
    fn shift(&mut self, by: f64) {
        let (Mechanism::Linear { intercept, .. }
        | Mechanism::Quadratic { intercept, .. }
        | Mechanism::Network { intercept, .. }) = self;
        *intercept += by;
    }
}
