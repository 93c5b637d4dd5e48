//! How far the gradient of a model's logit can move within a ball.
//!
//! For `g(x) = ∇f_y(x)` and a perturbation δ, [`GradientDeviation::practical`] bounds `‖g(x + δ) − g(x)‖₂` to first order,
//! `g(x + δ) − g(x) ≈ H·δ`, which is cheap and may be exceeded where ε is not small; [`GradientDeviation::certified`] bounds
//! it for every δ, by bound propagation through the graph of the gradient. Both follow the abstract of "A Practical Upper
//! Bound for the Worst-Case Attribution Deviations"; the optimisation is ours.

use super::least_cosine;
use crate::{Certifier, CertifyError, Method, Region, Result, Settings};
use perturb_engine::{Executable, Options};
use perturb_graph::{DType, Expr, Graph, Norm, Tensor, grad, jvp, vmap};

/// Products with the Hessian that the power iteration takes.
const ITERATIONS: usize = 60;

/// How far the gradient at one input moves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Deviation {
    /// Length of the gradient at the input, ℓ2. Where it is small, directions mean little.
    pub length: f64,
    /// Upper bound of the distance to any gradient within the ball, ℓ2.
    pub l2: f64,
    /// Lower bound of the cosine with any gradient within the ball; nothing if the distance may be as long as the gradient.
    pub cosine: Option<f64>,
}

/// Executables for the gradient of one logit of a smooth model, its Hessian, and its bounds.
pub struct GradientDeviation {
    gradient_graph: Graph,
    width: usize,
    gradient: Executable,
    product: Executable,
    rows: Executable,
}

impl GradientDeviation {
    /// Compiles derivatives of logit `class` of `model`, a graph for one example (`[1, …] → [1, classes]`) in `f32`.
    ///
    /// # Errors
    /// If the model has not one `f32` input and one output, there is no such class, or a primitive cannot be differentiated.
    pub fn new(model: &Graph, class: usize) -> Result<GradientDeviation> {
        let ([x], [(_, output)]) = (&model.inputs[..], &model.outputs[..]) else {
            return CertifyError::model("a gradient is of one output by one input");
        };
        if x.dtype() != DType::F32 || output.dtype() != DType::F32 {
            return CertifyError::model("gradients are bounded in f32: convert the model");
        }
        let classes = output.shape().count();
        if class >= classes {
            return Err(CertifyError::Label { row: 0, label: class, classes });
        }
        let width = x.shape().count();
        let logit = output.try_reshape([classes])?.slice_axis(0, class, class + 1).sum();
        let gradient = grad(&logit, std::slice::from_ref(x))?.remove(0);
        let direction = Expr::try_input("direction", x.shape(), DType::F32)?;
        let moved = jvp(std::slice::from_ref(&gradient), std::slice::from_ref(x), &[Some(direction.clone())]).remove(0);
        let moved = moved.unwrap_or_else(|| gradient.like(0.0));
        let identity = (0..width * width).map(|i| if i % (width + 1) == 0 { 1.0 } else { 0.0 }).collect();
        let identity = Expr::constant(Tensor::from_f64(x.shape().prepend(width), DType::F32, identity)?);
        // ‖H_i‖₁ for every row i of the Hessian, which is symmetric.
        let hessian = vmap(std::slice::from_ref(&moved), &[(direction.clone(), identity)], width)?.remove(0);
        let rows = hessian.try_reshape([width, width])?.abs().reduce_sum(&[1], false);

        let options = Options::default();
        let compile = |e: &Expr, inputs: &[Expr]| Executable::compile(std::slice::from_ref(e), inputs, &options);
        let flat = gradient.try_reshape([1, width])?;
        Ok(GradientDeviation {
            gradient: compile(&gradient, std::slice::from_ref(x))?,
            product: compile(&moved, &[x.clone(), direction])?,
            rows: compile(&rows, std::slice::from_ref(x))?,
            gradient_graph: Graph::new(vec![x.clone()], vec![("gradient".into(), flat)])?,
            width,
        })
    }

    /// The gradient at an input of the model's shape.
    ///
    /// # Errors
    /// If the input does not fit.
    pub fn gradient(&self, x: &Tensor) -> Result<Vec<f64>> {
        Ok(self.gradient.run(&[x])?[0].to_f64_vec())
    }

    /// The first-order bound within `epsilon` of `x`: `ε·σ_max(H)` in ℓ2, with the largest magnitude of an eigenvalue by power
    /// iteration, and `ε·√(Σ_i ‖H_i‖₁²)` in ℓ∞, which takes one product for each element.
    ///
    /// # Errors
    /// If `x` or `epsilon` do not fit, the norm is ℓ1, or the Hessian is zero: the model is piecewise linear at `x`, and
    /// first order says nothing about where it bends. Replace ReLU by a smooth activation.
    pub fn practical(&self, x: &Tensor, epsilon: f64, norm: Norm) -> Result<Deviation> {
        if !(epsilon.is_finite() && epsilon >= 0.0) {
            return Err(CertifyError::Epsilon { row: 0, epsilon });
        }
        let gradient = self.gradient(x)?;
        let steepest = match norm {
            Norm::L2 => self.largest_eigenvalue(x)?,
            Norm::Linf => self.rows.run(&[x])?[0].to_f64_vec().iter().map(|r| r * r).sum::<f64>().sqrt(),
            Norm::L1 => return CertifyError::unfit("a norm", "the first-order bound is for ℓ2 and ℓ∞"),
        };
        if steepest == 0.0 {
            return CertifyError::model(
                "its Hessian is zero there, as that of a ReLU network is: use a smooth activation",
            );
        }
        Ok(deviation(&gradient, epsilon * steepest))
    }

    /// A bound that holds everywhere within a region around `x`, by bound propagation through the gradient's graph: of each
    /// element the largest distance to its interval's ends.
    ///
    /// # Errors
    /// If the input or region does not fit, or a primitive of the gradient has no relaxation.
    pub fn certified(&self, x: &Tensor, region: &Region, method: Method, settings: Settings) -> Result<Deviation> {
        let certifier = Certifier::new(&self.gradient_graph, method, Settings { batch: 1, ..settings })?;
        self.certified_by(&certifier, x, region)
    }

    /// A certifier of the gradient, to be compiled once and used for many inputs by [`GradientDeviation::certified_by`].
    ///
    /// # Errors
    /// If a primitive of the gradient has no relaxation.
    pub fn certifier(&self, method: Method, settings: Settings) -> Result<Certifier> {
        Certifier::new(&self.gradient_graph, method, settings)
    }

    /// [`GradientDeviation::certified`] with a certifier from [`GradientDeviation::certifier`].
    ///
    /// # Errors
    /// If the input or region does not fit.
    pub fn certified_by(&self, certifier: &Certifier, x: &Tensor, region: &Region) -> Result<Deviation> {
        let gradient = self.gradient(x)?;
        let bounds = certifier.bounds(&x.reshape(x.shape().prepend(1))?, region)?;
        let ends = bounds.lower.to_f64_vec().into_iter().zip(bounds.upper.to_f64_vec());
        let farthest = ends.zip(&gradient).map(|((lo, hi), g)| (g - lo).abs().max((hi - g).abs()));
        Ok(deviation(&gradient, farthest.map(|f| f * f).sum::<f64>().sqrt()))
    }

    // The limit of ‖H·v‖ for unit vectors v that are multiplied by H again and again.
    fn largest_eigenvalue(&self, x: &Tensor) -> Result<f64> {
        // A start without symmetry, which no eigenvector of a trained model is orthogonal to.
        let mut v: Vec<f64> = (0..self.width).map(|i| (1.0 + i as f64 * 0.618_033_988_75).sin()).collect();
        let mut value = 0.0;
        for _ in 0..ITERATIONS {
            let length = l2(&v);
            if length == 0.0 {
                return Ok(0.0);
            }
            let unit = v.iter().map(|v| v / length).collect();
            let unit = Tensor::from_f64(x.shape(), DType::F32, unit)?;
            v = self.product.run(&[x, &unit])?[0].to_f64_vec();
            value = l2(&v);
        }
        Ok(value)
    }
}

fn deviation(gradient: &[f64], distance: f64) -> Deviation {
    let length = l2(gradient);
    Deviation { length, l2: distance, cosine: least_cosine(length, distance) }
}

fn l2(v: &[f64]) -> f64 {
    v.iter().map(|v| v * v).sum::<f64>().sqrt()
}
