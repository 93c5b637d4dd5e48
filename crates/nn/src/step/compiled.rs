//! From a step to an executable with everything that lives on in it.

use super::ensemble::Ensemble;
use super::{Gradient, Step, Updated, mean};
use crate::optimizers::update;
use crate::{Optimizer, Schedule, TrainError};
use perturb_engine::{Executable, Options, Session};
use perturb_graph::{Expr, Tensor, grad};
use std::collections::HashSet;
use std::sync::Arc;

/// A step that runs: (seed and step, scalars, batch) → (loss, reports), with parameters, optimizer state and variables
/// in the plan.
pub(crate) struct Compiled {
    pub session: Session,
    /// Names of the variables, as the session numbers them: parameters first.
    pub variables: Vec<String>,
    pub parameters: usize,
    /// Seed and step, `[2]` or `[members, 2]`.
    pub pair: Tensor,
    pub schedules: Vec<Arc<dyn Schedule>>,
    pub scalars: Vec<Tensor>,
    /// Name and value of each tensor that is fed.
    pub batch: Vec<(String, Tensor)>,
    pub reports: Vec<String>,
    pub outputs: Vec<Tensor>,
    /// All that makes this step this step, for telling checkpoints of others.
    pub description: String,
}

impl Compiled {
    /// Differentiates, updates and compiles.
    pub fn new(mut step: Step, optimizer: &dyn Optimizer, schedule: Arc<dyn Schedule>) -> Result<Compiled, TrainError> {
        let parameters = step.parameters()?;
        if parameters.is_empty() {
            let message = "the objective depends on no parameter that could be trained";
            return Err(TrainError::Setting(message.into()));
        }
        let loss = mean(&step.loss_with(&[])?);
        let base = optimizer.learning_rate();
        let rate = step.scalar("learning rate", move |k: u64, n: u64| base * schedule.at(k, n));
        let gradients = gradients(&mut step, &loss, &parameters)?;
        let (moved, states) = next_values(&mut step, optimizer, &rate, gradients)?;
        let mut state: Vec<(Expr, Expr)> = moved;
        state.extend(states);
        for (variable, next) in std::mem::take(&mut step.updates) {
            state.push((variable, step.current(&next)?));
        }
        let mut outputs = vec![loss];
        for (_, report) in &step.reports {
            outputs.push(mean(&step.current(report)?));
        }
        let (count, optimizer) = (parameters.len(), format!("{optimizer:?}"));
        if step.members.is_empty() {
            return Compiled::of(&step, &outputs, &state, count, optimizer);
        }
        let ensemble = Ensemble::new(&outputs, &state, &step.pair, &step.members)?;
        step.pair = ensemble.pairs;
        Compiled::of(&step, &ensemble.outputs, &ensemble.state, count, optimizer)
    }

    fn of(
        step: &Step,
        outputs: &[Expr],
        state: &[(Expr, Expr)],
        parameters: usize,
        optimizer: String,
    ) -> Result<Compiled, TrainError> {
        let variables = names(state)?;
        let fed: Vec<(String, Expr)> =
            step.slots.iter().filter_map(|s| Some((s.name.clone(), s.fed.clone()?))).collect();
        let scalars = step.scalars.iter().map(|(leaf, _)| leaf.clone());
        let inputs: Vec<Expr> = std::iter::once(step.pair.clone())
            .chain(scalars.clone())
            .chain(fed.iter().map(|(_, leaf)| leaf.clone()))
            .collect();
        let executable = Executable::compile_with_state(outputs, &inputs, state, &Options::default())?;
        let initial: Vec<Tensor> = state.iter().filter_map(|(variable, _)| variable.value().cloned()).collect();
        let blank = |e: &Expr| {
            let zeros = vec![0.0; e.shape().count()];
            Tensor::from_f64(e.shape(), e.dtype(), zeros).expect("one value for each element")
        };
        let described = |(name, e): (&str, &Expr)| format!("{name} {}{}", e.dtype(), e.shape());
        let batch_described = fed.iter().map(|(name, e)| described((name, e)));
        let state_described = variables.iter().zip(state).map(|(name, (e, _))| described((name, e)));
        let description = batch_described.chain(state_described).chain([optimizer]).collect::<Vec<_>>().join("\n");
        Ok(Compiled {
            session: executable.session(&initial)?,
            variables,
            parameters,
            pair: blank(&step.pair),
            schedules: step.scalars.iter().map(|(_, schedule)| schedule.clone()).collect(),
            scalars: scalars.map(|e| blank(&e)).collect(),
            batch: fed.iter().map(|(name, e)| (name.clone(), blank(e))).collect(),
            reports: step.reports.iter().map(|(name, _)| name.clone()).collect(),
            outputs: outputs.iter().map(blank).collect(),
            description,
        })
    }
}

fn gradients(step: &mut Step, loss: &Expr, parameters: &[Expr]) -> Result<Vec<Gradient>, TrainError> {
    let values = grad(loss, parameters)?;
    let mut gradients: Vec<Gradient> =
        parameters.iter().zip(values).map(|(p, value)| Gradient { parameter: p.clone(), value }).collect();
    for map in std::mem::take(&mut step.gradient_maps) {
        map(step, &mut gradients)?;
    }
    Ok(gradients)
}

type Pairs = Vec<(Expr, Expr)>;

// Pairs of a variable and its next value: of the parameters, and of the optimizer's states.
fn next_values(
    step: &mut Step,
    optimizer: &dyn Optimizer,
    rate: &Expr,
    gradients: Vec<Gradient>,
) -> Result<(Pairs, Pairs), TrainError> {
    let number = step.number();
    let (mut updated, mut states) = (Vec::new(), Vec::new());
    for Gradient { parameter, value } in gradients {
        let group = step.group_of(&parameter);
        let factor = group.map_or(1.0, |g| g.rate);
        let decay = group.and_then(|g| g.weight_decay).unwrap_or_else(|| optimizer.weight_decay());
        let (rate, number) = (rate.cast(parameter.dtype()), number.cast(parameter.dtype()));
        let mut pairs = update(optimizer, &parameter, &value, &rate.scale(factor), decay, &number).into_iter();
        if let Some((parameter, next)) = pairs.next() {
            updated.push(Updated { parameter, gradient: value, next });
        }
        states.extend(pairs);
    }
    for map in std::mem::take(&mut step.after) {
        map(step, &mut updated)?;
    }
    Ok((updated.into_iter().map(|u| (u.parameter, u.next)).collect(), states))
}

fn names(state: &[(Expr, Expr)]) -> Result<Vec<String>, TrainError> {
    let names: Vec<String> = state.iter().map(|(v, _)| v.name().unwrap_or("unnamed").to_string()).collect();
    let mut seen = HashSet::new();
    match names.iter().find(|name| !seen.insert(name.as_str())) {
        Some(twice) => {
            let message = format!("two variables of the step are named '{twice}': give each layer a place of its own");
            Err(TrainError::Setting(message))
        }
        None => Ok(names),
    }
}
