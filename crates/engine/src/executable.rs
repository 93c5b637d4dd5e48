//! Executables: compiling a graph, and running it on tensors.

use crate::EngineError;
use crate::lower::lower;
use crate::plan::{build, fold_constants, prune};
use crate::run::{Runner, State};
use perturb_graph::{DType, Expr, Graph, Op, Shape, Tensor, topological};
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
    /// Kernels that one run starts.
    pub steps: usize,
    /// Bytes of working memory and of the outputs, constants not counted.
    pub working_bytes: u64,
    /// Bytes of constants: weights and what was folded.
    pub constant_bytes: u64,
    /// Floating-point operations of the matrix products and convolutions of one run.
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
    outputs: Vec<Shape>,
    pub runner: Runner,
    statistics: Statistics,
}

#[derive(Clone, Debug)]
struct Declared {
    name: String,
    shape: Shape,
    dtype: DType,
}

impl Declared {
    fn of(leaf: &Expr) -> Declared {
        let name = leaf.name().unwrap_or("input").to_string();
        Declared { name, shape: leaf.shape().clone(), dtype: leaf.dtype() }
    }

    fn check(&self, tensor: &Tensor) -> Result<(), EngineError> {
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
        unsupported(outputs)?;
        let mut graph = lower(outputs, inputs, &[])?;
        fold_constants(&mut graph)?;
        let runner = Runner::new(build(&prune(graph)));
        let statistics = statistics(&runner, options)?;
        let compiled = Compiled {
            inputs: inputs.iter().map(Declared::of).collect(),
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
    /// If the number, a shape or a type of the feeds does not fit.
    pub fn run(&self, feeds: &[&Tensor]) -> Result<Vec<Tensor>, EngineError> {
        self.compiled.check(feeds)?;
        let mut outputs = self.compiled.runner.blank_outputs();
        self.with_state(|state| self.compiled.runner.run_tensors(state, feeds, &mut outputs))?;
        Ok(outputs)
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
    pub fn check(&self, feeds: &[&Tensor]) -> Result<(), EngineError> {
        if feeds.len() != self.inputs.len() {
            return Err(EngineError::FeedCount { expected: self.inputs.len(), got: feeds.len() });
        }
        self.inputs.iter().zip(feeds).try_for_each(|(declared, feed)| declared.check(feed))
    }
}

// Primitives exist for any number of spatial axes, kernels for up to three.
fn unsupported(outputs: &[Expr]) -> Result<(), EngineError> {
    for node in topological(outputs) {
        let spatial = match node.op() {
            Op::Conv(c) => c.strides.len(),
            Op::MaxPool(p) => p.window.len(),
            _ => 0,
        };
        if spatial > 3 || node.rank() > 16 {
            return Err(EngineError::Graph(perturb_graph::GraphError::NoRule {
                op: node.op().name().into(),
                rule: "kernel",
                reason: "for more than three spatial axes or sixteen axes".into(),
            }));
        }
    }
    Ok(())
}

fn statistics(runner: &Runner, options: &Options) -> Result<Statistics, EngineError> {
    let (plan, memory) = (&runner.plan, &runner.memory);
    let outputs: usize = plan.outputs.iter().map(|(b, _)| plan.buffers[*b].bytes()).sum();
    let working_bytes = (outputs + memory.sizes.iter().sum::<usize>()) as u64;
    if working_bytes > options.memory_limit {
        return Err(EngineError::Memory { need: working_bytes, limit: options.memory_limit });
    }
    let constant_bytes = plan.constants.iter().map(|c| (c.count() * c.dtype().size()) as u64).sum();
    Ok(Statistics {
        steps: plan.steps.len(),
        working_bytes,
        constant_bytes,
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
