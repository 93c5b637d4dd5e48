//! Optimizers as graphs: new parameters and states from old ones and gradients.

mod adagrad;
mod adam;
mod groups;
mod lbfgs;
mod rmsprop;
mod sgd;

pub use adagrad::Adagrad;
pub use adam::Adam;
pub use groups::{Group, Select};
pub use lbfgs::{Lbfgs, Minimum};
pub use rmsprop::RmsProp;
pub use sgd::Sgd;

use perturb_graph::{Expr, Tensor};

/// How one parameter moves. Each optimizer is a struct of its hyperparameters; `update` writes one step's formula as a
/// graph, which is compiled into the training step.
///
/// ```
/// use perturb_graph::Expr;
/// use perturb_nn::{Optimizer, Update};
///
/// /// Signs of gradients (Bernstein et al. 2018).
/// #[derive(Debug)]
/// struct SignSgd;
///
/// impl Optimizer for SignSgd {
///     fn learning_rate(&self) -> f64 {
///         1e-3
///     }
///     fn update(&self, at: &mut Update) -> Expr {
///         at.parameter.sub(&at.gradient.sign().mul(&at.rate))
///     }
/// }
/// ```
pub trait Optimizer: std::fmt::Debug + Send + Sync {
    /// The learning rate, which schedules and groups multiply.
    fn learning_rate(&self) -> f64;

    /// Weight decay of parameters whose group has no other.
    fn weight_decay(&self) -> f64 {
        0.0
    }

    /// The parameter's next value.
    fn update(&self, at: &mut Update) -> Expr;
}

/// One parameter at one step, as an [`Optimizer`] sees it.
#[derive(Debug)]
pub struct Update {
    /// The parameter.
    pub parameter: Expr,
    /// The gradient of the loss, of the parameter's shape.
    pub gradient: Expr,
    /// The learning rate, a scalar.
    pub rate: Expr,
    /// Weight decay of this parameter.
    pub weight_decay: f64,
    /// Number of this step from 1, a scalar of the parameter's type.
    pub step: Expr,
    states: Vec<(Expr, Expr)>,
}

impl Update {
    /// A state of the parameter's shape, which starts at `initial` and is replaced by `next` of it in every step: its new
    /// value. Names are PyTorch's, such as `exp_avg`.
    pub fn state(&mut self, name: &str, initial: f64, next: impl FnOnce(&Expr) -> Expr) -> Expr {
        let like = &self.parameter;
        let values = vec![initial; like.shape().count()];
        let value = Tensor::from_f64(like.shape(), like.dtype(), values).expect("one value for each element");
        let leaf = Expr::param(format!("optimizer.{name}.{}", like.name().unwrap_or("unnamed")), value);
        let next = next(&leaf);
        self.states.push((leaf, next.clone()));
        next
    }

    /// The gradient with weight decay as a penalty `weight_decay/2·|parameter|²` on the loss.
    pub fn decayed_gradient(&self) -> Expr {
        if self.weight_decay == 0.0 {
            return self.gradient.clone();
        }
        self.gradient.add(&self.parameter.scale(self.weight_decay))
    }
}

/// What one step replaces: the parameter and its states, each with its next value.
pub(crate) fn update(
    optimizer: &dyn Optimizer,
    parameter: &Expr,
    gradient: &Expr,
    rate: &Expr,
    weight_decay: f64,
    step: &Expr,
) -> Vec<(Expr, Expr)> {
    let (parameter, gradient, rate) = (parameter.clone(), gradient.clone(), rate.clone());
    let mut at = Update { parameter, gradient, rate, weight_decay, step: step.clone(), states: Vec::new() };
    let next = optimizer.update(&mut at);
    std::iter::once((at.parameter, next)).chain(at.states).collect()
}

/// What one step with the optimizer's own learning rate replaces: for each parameter itself and its states, and last the
/// number of the step, in pairs of a variable and its next value, as
/// [`perturb_engine::Executable::compile_with_state`] takes them. The variables' values are where training starts. For
/// steps that are part of a larger graph; [`Trainer`](crate::Trainer) does more.
///
/// All parameters must be of one type.
pub fn updates(optimizer: &dyn Optimizer, parameters: &[Expr], gradients: &[Expr]) -> Vec<(Expr, Expr)> {
    let Some(dtype) = parameters.first().map(Expr::dtype) else { return Vec::new() };
    let zero = Tensor::from_f64([], dtype, vec![0.0]).expect("a scalar holds one value");
    let step = Expr::param("step", zero);
    let next = step.offset(1.0);
    let rate = Expr::scalar(optimizer.learning_rate(), dtype);
    let pairs = parameters.iter().zip(gradients);
    let each = pairs.flat_map(|(p, g)| update(optimizer, p, g, &rate, optimizer.weight_decay(), &next));
    each.chain([(step.clone(), next.clone())]).collect()
}
