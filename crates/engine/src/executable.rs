//! Executables: compiling a graph, and running it on tensors.

use crate::compile::compile;
use crate::run::{Runner, State};
use crate::{EngineError, Session};
use perturb_graph::{DType, Expr, Graph, Shape, Tensor};
use std::collections::HashSet;
use std::sync::{Arc, Mutex};

/// How a graph is compiled.
#[derive(Clone, Debug)]
pub struct Options {
    /// Most bytes of working memory that a plan may need (default 16 GiB).
    pub memory_limit: u64,
}

impl Default for Options {
    fn default() -> Self {
        Options { memory_limit: 16 << 30 }
    }
}

/// What compiling made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statistics {
    /// Kernels that one run starts; a loop counts as one.
    pub steps: usize,
    /// Bytes of working memory and of the outputs, constants not counted.
    pub working_bytes: u64,
    /// Bytes of constants: weights and what was folded.
    pub constant_bytes: u64,
    /// Floating-point operations of the matrix products, convolutions and Fourier transforms of one run.
    pub flops: u64,
    /// Bytes of all operands and results of the kernels of one run, as if no cache kept any between them.
    pub moved_bytes: u64,
}

/// A compiled graph. Runs may happen on several threads at once; each borrows its own working memory, which is kept
/// for the next run.
pub struct Executable {
    pub(crate) compiled: Arc<Compiled>,
    idle: Mutex<Vec<State>>,
}

/// What an executable and its sessions share.
pub(crate) struct Compiled {
    inputs: Vec<Declared>,
    pub variables: Vec<Declared>,
    outputs: Vec<Shape>,
    pub runner: Runner,
    statistics: Statistics,
}

/// An input or a variable as it was declared.
#[derive(Clone, Debug)]
pub(crate) struct Declared {
    pub name: String,
    pub shape: Shape,
    pub dtype: DType,
}

impl Declared {
    fn of(leaf: &Expr) -> Declared {
        let name = leaf.name().unwrap_or("input").to_string();
        Declared { name, shape: leaf.shape().clone(), dtype: leaf.dtype() }
    }

    pub fn check(&self, tensor: &Tensor) -> Result<(), EngineError> {
        if *tensor.shape() == self.shape && tensor.dtype() == self.dtype {
            return Ok(());
        }
        Err(EngineError::Feed {
            name: self.name.clone(),
            expected: self.shape.clone(),
            expected_type: self.dtype,
            got: tensor.shape().clone(),
            got_type: tensor.dtype(),
        })
    }
}

impl Executable {
    /// Compiles `outputs` as a function of `inputs` (placeholders, or parameters that are to be fed).
    ///
    /// # Errors
    /// If an output needs an input that is not listed, a primitive has no kernel for its rank, or the plan exceeds the
    /// memory limit.
    pub fn compile(outputs: &[Expr], inputs: &[Expr], options: &Options) -> Result<Executable, EngineError> {
        Executable::compile_with_state(outputs, inputs, &[], options)
    }

    /// Compiles `outputs` as a function of `inputs` and of variables, such as the parameters and the optimizer's
    /// moments of a training step: each pair of `state` is a leaf (a parameter or an input) and its next value.
    /// Variables live in a [`Session`]. Outputs and next values all see the variables' values before the run.
    ///
    /// ```
    /// use perturb_engine::{Executable, Options};
    /// use perturb_graph::{DType, Expr, Tensor, grad};
    ///
    /// let (w, x) = (Expr::input("w", [2], DType::F32), Expr::input("x", [2], DType::F32));
    /// let loss = w.sub(&x).square().sum();
    /// let gradient = grad(&loss, &[w.clone()])?.remove(0);
    /// let next = w.sub(&gradient.scale(0.25));
    /// let step = Executable::compile_with_state(&[loss], &[x], &[(w, next)], &Options::default())?;
    /// let mut session = step.session(&[Tensor::full([2], 0.0f32)])?;
    /// let target = Tensor::new([2], vec![4.0f32, -8.0])?;
    /// let losses: Vec<f32> = (0..3).map(|_| Ok(session.run(&[&target])?[0].as_slice()[0]))
    ///     .collect::<Result<_, perturb_engine::EngineError>>()?;
    /// assert_eq!(losses, [80.0, 20.0, 5.0]);
    /// assert_eq!(session.variable(0).as_slice::<f32>(), [3.5, -7.0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// See [`Executable::compile`]; and if a variable is not a leaf, is listed twice or also an input, or its next
    /// value has another shape or type.
    pub fn compile_with_state(
        outputs: &[Expr],
        inputs: &[Expr],
        state: &[(Expr, Expr)],
        options: &Options,
    ) -> Result<Executable, EngineError> {
        check_variables(inputs, state)?;
        let runner = compile(outputs, inputs, state)?;
        let statistics = statistics(&runner, options)?;
        let compiled = Compiled {
            inputs: inputs.iter().map(Declared::of).collect(),
            variables: state.iter().map(|(variable, _)| Declared::of(variable)).collect(),
            outputs: outputs.iter().map(|o| o.shape().clone()).collect(),
            runner,
            statistics,
        };
        Ok(Executable { compiled: Arc::new(compiled), idle: Mutex::new(Vec::new()) })
    }

    /// Compiles a model as it stands.
    ///
    /// # Errors
    /// See [`Executable::compile`].
    pub fn of(graph: &Graph, options: &Options) -> Result<Executable, EngineError> {
        Executable::compile(&graph.output_exprs(), &graph.inputs, options)
    }

    /// What compiling made.
    pub fn statistics(&self) -> Statistics {
        self.compiled.statistics
    }

    /// Shapes of the inputs.
    pub fn input_shapes(&self) -> impl Iterator<Item = &Shape> {
        self.compiled.inputs.iter().map(|d| &d.shape)
    }

    /// Shapes of the outputs.
    pub fn output_shapes(&self) -> &[Shape] {
        &self.compiled.outputs
    }

    /// Runs on one tensor for each input, in order.
    ///
    /// # Errors
    /// If the number, a shape or a type of the feeds does not fit, or the executable has variables.
    pub fn run(&self, feeds: &[&Tensor]) -> Result<Vec<Tensor>, EngineError> {
        let mut outputs = self.compiled.runner.blank_outputs();
        self.run_into(feeds, &mut outputs)?;
        Ok(outputs)
    }

    /// Like [`Executable::run`], into tensors that are there already: one whose shape and type fit and whose elements
    /// nobody else shares is written to, others are replaced. After the first run none of our own code allocates.
    ///
    /// # Errors
    /// See [`Executable::run`]; and if the number of `outputs` does not fit.
    pub fn run_into(&self, feeds: &[&Tensor], outputs: &mut [Tensor]) -> Result<(), EngineError> {
        if !self.compiled.variables.is_empty() {
            return Err(EngineError::NeedsSession { variables: self.compiled.variables.len() });
        }
        self.compiled.check(feeds, outputs)?;
        self.with_state(|state| self.compiled.runner.run_tensors(state, feeds, outputs))
    }

    /// Starts a session on initial values of the variables, in the order they were declared.
    ///
    /// # Errors
    /// If the number, a shape or a type of the values does not fit.
    pub fn session(&self, initial: &[Tensor]) -> Result<Session, EngineError> {
        Session::new(self.compiled.clone(), initial)
    }

    fn with_state<R>(&self, f: impl FnOnce(&mut State) -> R) -> R {
        let idle = || self.idle.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let kept = idle().pop();
        let mut state = kept.unwrap_or_else(|| self.compiled.runner.state());
        let result = f(&mut state);
        idle().push(state);
        result
    }
}

impl Compiled {
    /// Whether feeds and outputs fit.
    pub fn check(&self, feeds: &[&Tensor], outputs: &[Tensor]) -> Result<(), EngineError> {
        if feeds.len() != self.inputs.len() {
            return Err(EngineError::FeedCount { expected: self.inputs.len(), got: feeds.len() });
        }
        if outputs.len() != self.outputs.len() {
            return Err(EngineError::OutputCount { expected: self.outputs.len(), got: outputs.len() });
        }
        self.inputs.iter().zip(feeds).try_for_each(|(declared, feed)| declared.check(feed))
    }
}

fn check_variables(inputs: &[Expr], state: &[(Expr, Expr)]) -> Result<(), EngineError> {
    let mut seen: HashSet<u64> = inputs.iter().map(Expr::id).collect();
    for (variable, next) in state {
        let error = |reason: String| {
            let name = variable.name().unwrap_or("unnamed").to_string();
            Err(EngineError::Variable { name, reason })
        };
        if variable.name().is_none() {
            return error(format!("is a {}, but only a parameter or an input can be a variable", variable.op().name()));
        }
        if !seen.insert(variable.id()) {
            return error("is listed twice, or is also an input: list it once".into());
        }
        if (next.shape(), next.dtype()) != (variable.shape(), variable.dtype()) {
            let (is, was) = (format!("{}{}", next.dtype(), next.shape()), variable.dtype());
            return error(format!("is {was}{}, but its next value is {is}: both must be alike", variable.shape()));
        }
    }
    Ok(())
}

fn statistics(runner: &Runner, options: &Options) -> Result<Statistics, EngineError> {
    let working_bytes = runner.working_bytes() as u64;
    if working_bytes > options.memory_limit {
        return Err(EngineError::Memory { need: working_bytes, limit: options.memory_limit });
    }
    let plan = &runner.plan;
    Ok(Statistics {
        steps: plan.steps.len(),
        working_bytes,
        constant_bytes: plan.constant_bytes(),
        flops: plan.flops(),
        moved_bytes: plan.moved_bytes(),
    })
}

/// Uses this many threads for all runs of the process.
///
/// # Errors
/// If a pool of threads was started before.
pub fn set_threads(threads: usize) -> Result<(), rayon::ThreadPoolBuildError> {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build_global()
}
