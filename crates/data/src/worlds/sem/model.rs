//! Structural equation models.

use super::dag::Dag;
use super::mechanism::{Mechanism, Noise, NoiseLaw};
use crate::worlds::error::WorldError;
use crate::worlds::stream::stream;
use perturb_graph::Tensor;
use rand::{Rng, RngExt};
use rayon::prelude::*;

/// A graph with an equation for every node.
#[derive(Clone, Debug, PartialEq)]
pub struct Sem {
    pub(super) dag: Dag,
    pub(super) equations: Vec<Equation>,
}

/// x = mechanism(parents) + noise.
#[derive(Clone, Debug, PartialEq)]
pub struct Equation {
    /// What it does with the parents.
    pub mechanism: Mechanism,
    /// Its noise.
    pub noise: Noise,
}

/// A law of linear models.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinearLaw {
    /// Sizes of weights are uniform from `[low, high)`, signs are fair.
    pub weights: [f64; 2],
    /// Intercepts are uniform from `[low, high)`.
    pub intercepts: [f64; 2],
    /// Law of the noise.
    pub noise: NoiseLaw,
    /// Its standard deviations are uniform from `[low, high)`.
    pub deviations: [f64; 2],
}

impl Default for LinearLaw {
    /// Weights ±[0.5, 1.5), no intercepts, Gaussian noise of deviation [0.5, 1).
    fn default() -> Self {
        LinearLaw { weights: [0.5, 1.5], intercepts: [0.0, 0.0], noise: NoiseLaw::Gaussian, deviations: [0.5, 1.0] }
    }
}

impl Sem {
    /// A model from its equations, one per node.
    ///
    /// # Errors
    /// [`WorldError::Parameter`] if there is not one equation per node, a mechanism does not take as many parents as
    /// its node has, or a deviation is negative or not finite.
    pub fn new(dag: Dag, equations: Vec<Equation>) -> Result<Sem, WorldError> {
        if equations.len() != dag.nodes() {
            let expected = format!("give one for each of the {} nodes", dag.nodes());
            return Err(WorldError::parameter("sem", "number of equations", equations.len(), expected));
        }
        for (node, equation) in equations.iter().enumerate() {
            check(equation, node, dag.parents(node).len())?;
        }
        Ok(Sem { dag, equations })
    }

    /// A random linear model on a graph.
    pub fn linear(dag: Dag, law: &LinearLaw, seed: u64) -> Sem {
        let equation = |node: usize| {
            let mut rng = stream("sem equation", seed, node as u64);
            let signed = |rng: &mut rand_chacha::ChaCha8Rng| {
                let size = between(law.weights, rng);
                if rng.random() { size } else { -size }
            };
            let weights = dag.parents(node).iter().map(|_| signed(&mut rng)).collect();
            let mechanism = Mechanism::Linear { weights, intercept: between(law.intercepts, &mut rng) };
            Equation { mechanism, noise: Noise { law: law.noise, deviation: between(law.deviations, &mut rng) } }
        };
        let equations = (0..dag.nodes()).map(equation).collect();
        Sem { dag, equations }
    }

    /// A random model with additive noise: every node with parents is a network of 8 tanh units of them, weights
    /// N(0, 1), outputs N(0, 1/4); noise of law and deviations as in the linear law.
    pub fn nonlinear(dag: Dag, law: &LinearLaw, seed: u64) -> Sem {
        const UNITS: usize = 8;
        let equation = |node: usize| {
            let mut rng = stream("sem network", seed, node as u64);
            let parents = dag.parents(node).len();
            let mut normal = |n: usize, scale: f64| -> Vec<f64> {
                (0..n).map(|_| scale * NoiseLaw::Gaussian.draw(&mut rng)).collect()
            };
            let mechanism = if parents == 0 {
                Mechanism::constant(0.0)
            } else {
                let (weights, biases) = (normal(UNITS * parents, 1.0), normal(UNITS, 1.0));
                Mechanism::Network { weights, biases, outputs: normal(UNITS, 0.5), intercept: 0.0 }
            };
            Equation { mechanism, noise: Noise { law: law.noise, deviation: between(law.deviations, &mut rng) } }
        };
        let equations = (0..dag.nodes()).map(equation).collect();
        Sem { dag, equations }
    }

    /// The graph.
    pub fn dag(&self) -> &Dag {
        &self.dag
    }

    /// The equation of a node.
    pub fn equation(&self, node: usize) -> &Equation {
        &self.equations[node]
    }

    /// ε of row `index` of `seed`, one per node; it is the same under every intervention.
    fn noise(&self, seed: u64, index: u64) -> Vec<f64> {
        let mut rng = stream("sem", seed, index);
        // One generator per node, so that a changed law at one node leaves the others alone.
        let mut draw = |e: &Equation| e.noise.law.draw(&mut stream("sem noise", rng.random(), 0));
        self.equations.iter().map(&mut draw).collect()
    }

    /// The values that given ε (one per node) lead to.
    pub(super) fn values(&self, epsilon: &[f64]) -> Vec<f64> {
        let mut x = vec![0.0; epsilon.len()];
        for &node in self.dag.order() {
            let Equation { mechanism, noise } = &self.equations[node];
            x[node] = mechanism.value(&self.parent_values(node, &x)) + noise.deviation * epsilon[node];
        }
        x
    }

    pub(super) fn parent_values(&self, node: usize, x: &[f64]) -> Vec<f64> {
        self.dag.parents(node).iter().map(|&parent| x[parent]).collect()
    }

    /// Row `index` of `seed`, which depends on nothing else.
    pub fn sample(&self, seed: u64, index: u64) -> Vec<f64> {
        self.values(&self.noise(seed, index))
    }

    /// The first `n` rows of a seed, f64 `[N, nodes]`, computed in parallel.
    pub fn dataset(&self, seed: u64, n: usize) -> Tensor {
        let rows: Vec<Vec<f64>> = (0..n).into_par_iter().map(|index| self.sample(seed, index as u64)).collect();
        Tensor::new([n, self.dag.nodes()], rows.concat()).expect("one value per node")
    }
}

/// Checks a node's equation.
pub(super) fn check(equation: &Equation, node: usize, parents: usize) -> Result<(), WorldError> {
    let Equation { mechanism, noise } = equation;
    let sizes = match mechanism {
        Mechanism::Linear { .. } => true,
        Mechanism::Quadratic { weights, products, .. } => products.len() == weights.len().pow(2),
        Mechanism::Network { weights, biases, outputs, .. } => {
            weights.len() == biases.len() * parents && outputs.len() == biases.len()
        }
    };
    if !sizes || (mechanism.parents() != parents && !matches!(mechanism, Mechanism::Network { .. })) {
        let expected =
            format!("node {node} has {parents} parents: give as many weights (and matching products or units)");
        return Err(WorldError::parameter("sem", "mechanism", format!("{mechanism:?}"), expected));
    }
    if !(noise.deviation >= 0.0 && noise.deviation.is_finite()) {
        let expected = format!("that of node {node} must be finite and not negative");
        return Err(WorldError::parameter("sem", "deviation", noise.deviation, expected));
    }
    Ok(())
}

/// Uniform from `[low, high)`, or `low` where the interval is a point.
fn between([low, high]: [f64; 2], rng: &mut impl Rng) -> f64 {
    low + (high - low) * rng.random_range(0.0..1.0)
}
