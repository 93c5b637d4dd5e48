//! Physics-informed Gaussians.

use super::{Ansatz, Domain};
use perturb_graph::{Expr, Tensor};
use perturb_nn::{Init, Layers};

/// Physics-informed Gaussians (Kang et al. 2025): features `φ_k(x) = Σ_i f_ki·exp(−½·Σ_d ((x_d − μ_kid)/σ_kid)²)`, then a
/// small tanh network. Centres, widths, weights and network are trained together, so the Gaussians are a mesh that moves
/// to where the solution needs it. Coordinates are brought to `[−1, 1]` first.
#[derive(Clone, Debug, PartialEq)]
pub struct Pig {
    /// Number of features, K.
    pub features: usize,
    /// Gaussians in each feature, G.
    pub gaussians: usize,
    /// σ at the start.
    pub sigma: f64,
    /// Widths of the network's hidden layers.
    pub widths: Vec<usize>,
    /// Where centres are.
    pub centres: Centres,
    /// The domain.
    pub domain: Domain,
}

/// Where the centres of Gaussians are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Centres {
    /// Uniformly random at first; centres and widths are trained.
    Moving,
    /// On a lattice, with the same in each feature; centres and widths stay as they are. The number of Gaussians must be a
    /// power of the dimension.
    Lattice,
}

impl Default for Pig {
    /// The released setting for Helmholtz' equation in the plane, K = 4, σ = 0.1 and one hidden layer of 16, but for
    /// G = 64 instead of 800.
    fn default() -> Self {
        Pig {
            features: 4,
            gaussians: 64,
            sigma: 0.1,
            widths: vec![16],
            centres: Centres::Moving,
            domain: Domain::square(),
        }
    }
}

/// Widths do not fall below this.
const FLOOR: f64 = 1e-3;

impl Pig {
    /// Centres and widths along one axis, `[1, K·G]` each.
    fn mesh(&self, layers: &Layers, axis: usize) -> (Expr, Expr) {
        let count = self.features * self.gaussians;
        let row = |values| Expr::constant(Tensor::new([1, count], values).expect("one value for each Gaussian"));
        match self.centres {
            Centres::Moving => {
                let parameter = |name: &str, init| layers.at(name).parameter(&axis.to_string(), [1, count], init);
                let sigma = parameter("sigma", Init::Constant(self.sigma));
                // A width may cross zero on the way.
                (parameter("mu", Init::Uniform(1.0)), sigma.abs().offset(FLOOR))
            }
            Centres::Lattice => {
                let d = self.domain.dimension();
                let side = (self.gaussians as f64).powf(1.0 / d as f64).round() as usize;
                let cell = |i: usize| i / side.pow((d - 1 - axis) as u32) % side;
                let place = |i: usize| (2.0 * cell(i % self.gaussians) as f64 + 1.0) / side as f64 - 1.0;
                (row((0..count).map(place).collect()), row(vec![self.sigma; count]))
            }
        }
    }
}

impl Ansatz for Pig {
    fn value(&self, layers: &Layers, x: &Expr) -> Expr {
        let x = self.domain.normalised(x);
        // Σ_d (x_d − μ_d)²/σ_d² as one product of (1, x, x²) with what belongs to each Gaussian.
        let (mut constant, mut linear, mut square) = (Vec::new(), Vec::new(), Vec::new());
        for axis in 0..self.domain.dimension() {
            let (mu, sigma) = self.mesh(layers, axis);
            let precision = sigma.square().reciprocal();
            let slope = mu.mul(&precision);
            constant.push(mu.mul(&slope));
            linear.push(slope.scale(-2.0));
            square.push(precision);
        }
        let powers = Expr::concat(&[x.clone(), x.square()], 1);
        let distances = powers.matmul(&Expr::concat(&[linear, square].concat(), 0));
        let constant = constant.into_iter().reduce(|a, b| a.add(&b)).expect("a domain has axes");
        let distances = distances.add(&constant);
        let (k, g) = (self.features, self.gaussians);
        let weights = layers.at("gaussians").parameter("weight", [k, g], Init::Normal(0.01));
        let bells = distances.scale(-0.5).exp().reshape([x.shape()[0], k, g]);
        let features = bells.mul(&weights).reduce_sum(&[2], false);
        layers.at("network").mlp(&features, &[&self.widths[..], &[1]].concat(), Expr::tanh)
    }
}
