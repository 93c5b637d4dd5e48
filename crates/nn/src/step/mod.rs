//! What one step of training computes, as a graph, and how methods change it.

mod average;
mod batch;
mod classifier;
mod clip;
mod compiled;
mod ensemble;
mod hook;
mod interval_loss;

pub use average::{Ema, Swa};
pub use clip::ClipGradients;
pub use hook::{Gradient, Hook, Updated};
pub use interval_loss::IntervalLoss;

pub(crate) use compiled::Compiled;

use batch::Slot;
use hook::{AfterUpdate, GradientMap};

use crate::{Group, Key, Parameters, Schedule, TrainError};
use perturb_graph::{DType, Expr, Op, Result, Tensor, topological};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

/// One step of training: the batch, the objective, and everything that methods do to them.
///
/// A step starts as the plain thing, minimise the mean of an objective over a batch:
///
/// ```
/// use perturb_graph::DType;
/// use perturb_nn::{Initializer, Layers, Step, losses};
///
/// let mut step = Step::new();
/// let x = step.input("x", [32, 4], DType::F32);
/// let y = step.input("y", [32, 1], DType::F32);
/// let layers = Layers::new(Initializer::pytorch(0)).training(step.key());
/// let prediction = layers.mlp(&x, &[16, 1], |h| h.tanh());
/// step.minimize(losses::mse(&prediction, &y));
/// step.update_all(&layers.take_updates());
/// ```
///
/// A method then is a [`Hook`]: a function that changes this step, by five means.
///
/// | what changes | how | for instance |
/// |---|---|---|
/// | the batch | [`Step::replace`] an input by a function of it, often of [`Step::loss_with`] and its gradient | adversarial training, mixup, noise |
/// | where the loss is taken | [`Step::move_weights`] | SAM, adversarial weight perturbation |
/// | the objective | [`Step::add_term`], [`Step::minimize`] | interval bounds, Jacobian norms, weight penalties |
/// | the gradient | [`Step::map_gradients`] | clipping, projection, noise |
/// | what follows the update | [`Step::after_update`], [`Step::update`] | averages of weights, target networks, constraints |
///
/// Numbers that change from step to step come from [`Step::scalar`], random ones from [`Step::key`], and tensors that
/// live on from [`Step::variable`].
///
/// **Which values an expression sees.** Inputs are placeholders, and parameters leaves. The objective, terms, reports
/// and values given to this type are functions of those; when the step is compiled, they see the batch as all hooks have
/// left it, and the objective also the moved weights. [`Step::loss_with`] is the objective as it is seen at that moment:
/// a hook sees what hooks before it have done, and later hooks do not change what it has computed. So
/// adversarial training followed by SAM ascends the loss on the adversarial batch, which is made with the weights as
/// they are.
pub struct Step {
    dtype: DType,
    pair: Expr,
    draws: u64,
    slots: Vec<Slot>,
    scalars: Vec<(Expr, Arc<dyn Schedule>)>,
    objective: Option<Expr>,
    moved: Vec<(Expr, Expr)>,
    named: BTreeMap<String, Expr>,
    reports: Vec<(String, Expr)>,
    updates: Vec<(Expr, Expr)>,
    groups: Vec<Group>,
    gradient_maps: Vec<GradientMap>,
    after: Vec<AfterUpdate>,
    members: Vec<Parameters>,
}

impl Default for Step {
    fn default() -> Self {
        Step::new()
    }
}

impl Step {
    /// An empty step in f32.
    pub fn new() -> Step {
        Step::with_dtype(DType::F32)
    }

    /// An empty step whose scalars are of another floating-point type.
    pub fn with_dtype(dtype: DType) -> Step {
        Step {
            dtype,
            pair: Expr::input("seed and step", [2], DType::I64),
            draws: 0,
            slots: Vec::new(),
            scalars: Vec::new(),
            objective: None,
            moved: Vec::new(),
            named: BTreeMap::new(),
            reports: Vec::new(),
            updates: Vec::new(),
            groups: Vec::new(),
            gradient_maps: Vec::new(),
            after: Vec::new(),
            members: Vec::new(),
        }
    }

    /// Applies a method. Methods see what those before them have done.
    ///
    /// # Errors
    /// Those of the method.
    pub fn apply(&mut self, hook: &dyn Hook) -> Result<(), TrainError> {
        hook.apply(self)
    }

    /// A number that changes from step to step, a scalar of the step's type.
    pub fn scalar(&mut self, name: &str, schedule: impl Schedule + 'static) -> Expr {
        let leaf = Expr::input(name, [], self.dtype);
        self.scalars.push((leaf.clone(), Arc::new(schedule)));
        leaf
    }

    /// A source of random numbers that nothing else in this step uses.
    pub fn key(&mut self) -> Key {
        self.draws += 1;
        // Layers and optimizers fold keys again; these lie far apart.
        Key::new(self.pair.clone()).fold(self.draws << 32)
    }

    /// The number of the step from 1, a scalar of the step's type.
    pub fn number(&self) -> Expr {
        self.pair.slice_axis(0, 1, 2).reshape([]).cast(self.dtype).offset(1.0)
    }

    /// A tensor that lives on from step to step, and is kept in checkpoints. It starts at `value`; see [`Step::update`].
    pub fn variable(&mut self, name: &str, value: Tensor) -> Expr {
        let leaf = Expr::param(name, value);
        self.updates.push((leaf.clone(), leaf.clone()));
        leaf
    }

    /// Gives a variable, or a parameter that is not trained, the value `next` after the step.
    pub fn update(&mut self, variable: &Expr, next: &Expr) {
        match self.updates.iter_mut().find(|(known, _)| known.id() == variable.id()) {
            Some((_, known)) => *known = next.clone(),
            None => self.updates.push((variable.clone(), next.clone())),
        }
    }

    /// [`Step::update`] for many, such as [`Layers::take_updates`](crate::Layers::take_updates).
    pub fn update_all(&mut self, updates: &[(Expr, Expr)]) {
        updates.iter().for_each(|(variable, next)| self.update(variable, next));
    }

    /// Minimises the mean of `objective`, in place of what was minimised before. Keep examples apart, `[batch]`, where
    /// they are: hooks that look for perturbations need each one's own loss.
    pub fn minimize(&mut self, objective: Expr) {
        self.objective = Some(objective);
    }

    /// What is minimised, as a function of the placeholders and parameters.
    ///
    /// # Errors
    /// If there is nothing yet.
    pub fn objective(&self) -> Result<Expr, TrainError> {
        let missing = || TrainError::Setting("the step has no objective yet: call `minimize` first".into());
        self.objective.clone().ok_or_else(missing)
    }

    /// Adds to the objective: a value for each example, or one for all.
    ///
    /// # Errors
    /// If there is no objective, or the shapes do not broadcast to its shape.
    pub fn add_term(&mut self, term: &Expr) -> Result<(), TrainError> {
        let objective = self.objective()?;
        self.objective = Some(objective.try_add(&term.try_broadcast_to(objective.shape())?)?);
        Ok(())
    }

    /// The trained parameters: those that the objective depends on with a derivative, in order of construction, less
    /// those of frozen groups and those with an [`update`](Step::update) of their own.
    ///
    /// # Errors
    /// If there is no objective.
    pub fn parameters(&self) -> Result<Vec<Expr>, TrainError> {
        let own: HashSet<u64> = self.updates.iter().map(|(variable, _)| variable.id()).collect();
        let mut found = differentiable_leaves(&self.objective()?);
        found.retain(|p| !own.contains(&p.id()) && !self.group_of(p).is_some_and(|g| g.frozen));
        Ok(found)
    }

    /// Takes the loss, and its gradient, at the parameters plus these amounts, in pairs of a parameter and its amount.
    /// The amounts get no derivative: the gradient is that of the loss at the moved weights, and the step itself starts
    /// from the weights as they are.
    ///
    /// # Errors
    /// If a shape or type differs.
    pub fn move_weights(&mut self, amounts: &[(Expr, Expr)]) -> Result<(), TrainError> {
        for (parameter, amount) in amounts {
            let known = self.moved.iter_mut().find(|(known, _)| known.id() == parameter.id());
            let start = known.as_ref().map_or(parameter, |(_, at)| at);
            let at = start.try_add(&amount.stop_gradient())?;
            match known {
                Some((_, known)) => *known = at,
                None => self.moved.push((parameter.clone(), at)),
            }
        }
        Ok(())
    }

    /// Lets `map` change the gradients between differentiation and update; maps are applied in order.
    pub fn map_gradients(&mut self, map: impl FnOnce(&mut Step, &mut [Gradient]) -> Result<(), TrainError> + 'static) {
        self.gradient_maps.push(Box::new(map));
    }

    /// Lets `map` see and change the parameters' next values, and set variables by them; maps are applied in order.
    pub fn after_update(&mut self, map: impl FnOnce(&mut Step, &mut [Updated]) -> Result<(), TrainError> + 'static) {
        self.after.push(Box::new(map));
    }

    /// Adds a group of parameters. Of several that a parameter belongs to, the first counts.
    pub fn group(&mut self, group: Group) {
        self.groups.push(group);
    }

    fn group_of(&self, parameter: &Expr) -> Option<&Group> {
        self.groups.iter().find(|g| g.contains(parameter))
    }

    /// Trains several models at once, as one: all variables get a leading axis, one row for each member, whose initial
    /// values are given where they differ. All see the same batches; member `i` draws the random numbers of a run with the
    /// seed plus `i`. Losses and reports are means over the members, see also [`Run::losses`](crate::Run::losses), and
    /// [`Parameters::member`] takes one out of the result.
    pub fn ensemble(&mut self, members: Vec<Parameters>) {
        self.members = members;
    }

    /// Names an expression for hooks that look for it, such as `logits`. Inputs are named already.
    pub fn name(&mut self, name: &str, expr: &Expr) {
        self.named.insert(name.into(), expr.clone());
    }

    /// The expression of this name.
    ///
    /// # Errors
    /// If there is none.
    pub fn named(&self, name: &str) -> Result<Expr, TrainError> {
        self.named.get(name).cloned().ok_or_else(|| {
            let known = self.named.keys().cloned().collect::<Vec<_>>().join(", ");
            TrainError::Unnamed { name: name.into(), known }
        })
    }

    /// Reports the mean of an expression with every step, beside the loss: on the batch as it was trained on, at the
    /// parameters before the step.
    pub fn report(&mut self, name: &str, expr: &Expr) {
        self.reports.push((name.into(), expr.clone()));
    }
}

/// The mean of all elements.
pub(crate) fn mean(expr: &Expr) -> Expr {
    let expr = if expr.dtype().is_float() { expr.clone() } else { expr.cast(DType::F32) };
    expr.reduce_mean(&(0..expr.rank()).collect::<Vec<_>>(), false)
}

// Parameters that `output` depends on by a path along which derivatives flow.
fn differentiable_leaves(output: &Expr) -> Vec<Expr> {
    let mut flows: HashSet<u64> = HashSet::from([output.id()]);
    let mut leaves = Vec::new();
    // Users come before operands.
    for node in topological(std::slice::from_ref(output)).into_iter().rev() {
        if !flows.contains(&node.id()) || !node.dtype().is_float() {
            continue;
        }
        match node.op() {
            Op::StopGradient(_) => {}
            Op::Param { .. } => leaves.push(node),
            _ => flows.extend(node.inputs().iter().map(Expr::id)),
        }
    }
    leaves.reverse();
    leaves
}
