//! Executables: a compiled plan and the storage it runs in.

use crate::float::Float;
use crate::kernels::{conv, copy, elementwise, gemm, pool, reduce};
use crate::lower::lower;
use crate::plan::{Memory, Plan, Step, Work, assign, build, fold_constants};
use crate::view::Source;
use crate::{EngineError, plan};
use perturb_graph::{DType, Element, Expr, Graph, Op, Shape, Tensor, topological};
use std::sync::Mutex;

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
    /// Bytes of working memory, constants not counted.
    pub working_bytes: u64,
    /// Bytes of constants: weights and what was folded.
    pub constant_bytes: u64,
}

/// A compiled graph. Runs may happen on several threads at once; each borrows its own working memory, which is kept
/// for the next run.
pub struct Executable {
    inputs: Vec<Declared>,
    outputs: Vec<Shape>,
    body: Body,
    statistics: Statistics,
}

#[derive(Clone, Debug)]
struct Declared {
    name: String,
    shape: Shape,
    dtype: DType,
}

enum Body {
    F32(Runner<f32>),
    F64(Runner<f64>),
}

struct Runner<T> {
    plan: Plan<T>,
    memory: Memory,
    idle: Mutex<Vec<State<T>>>,
}

/// Working memory of one run.
pub(crate) struct State<T> {
    storage: Vec<Vec<T>>,
    place: Vec<usize>,
}

impl<T: Float> State<T> {
    /// One storage for each buffer, for plans that run once.
    pub(crate) fn new(plan: &Plan<T>) -> State<T> {
        let storage = plan.sizes.iter().map(|&n| vec![T::ZERO; n]).collect();
        State { storage, place: (0..plan.sizes.len()).collect() }
    }

    fn shared(memory: &Memory) -> State<T> {
        State { storage: memory.sizes.iter().map(|&n| vec![T::ZERO; n]).collect(), place: memory.storage.clone() }
    }
}

impl Executable {
    /// Compiles `outputs` as a function of `inputs` (placeholders, or parameters that are to be fed).
    ///
    /// # Errors
    /// If an output needs an input that is not listed, element types are mixed, a primitive has no kernel for its
    /// rank, or the plan exceeds the memory limit.
    pub fn compile(outputs: &[Expr], inputs: &[Expr], options: &Options) -> Result<Executable, EngineError> {
        let dtype = outputs.first().map_or(DType::F32, Expr::dtype);
        unsupported(outputs)?;
        let mut graph = lower(outputs, inputs, dtype)?;
        let declared = inputs
            .iter()
            .map(|i| Declared {
                name: i.name().unwrap_or("input").to_string(),
                shape: i.shape().clone(),
                dtype: i.dtype(),
            })
            .collect();
        let shapes = outputs.iter().map(|o| o.shape().clone()).collect();
        let (body, statistics) = match dtype {
            DType::F32 => {
                fold_constants::<f32>(&mut graph);
                let (runner, statistics) = Runner::<f32>::new(&plan::prune(graph), options)?;
                (Body::F32(runner), statistics)
            }
            DType::F64 => {
                fold_constants::<f64>(&mut graph);
                let (runner, statistics) = Runner::<f64>::new(&plan::prune(graph), options)?;
                (Body::F64(runner), statistics)
            }
            found => {
                let op = outputs.first().map_or("graph", |o| o.op().name()).to_string();
                return Err(EngineError::MixedTypes { op, expected: DType::F32, found });
            }
        };
        Ok(Executable { inputs: declared, outputs: shapes, body, statistics })
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
        self.statistics
    }

    /// Shapes of the inputs.
    pub fn input_shapes(&self) -> impl Iterator<Item = &Shape> {
        self.inputs.iter().map(|d| &d.shape)
    }

    /// Shapes of the outputs.
    pub fn output_shapes(&self) -> &[Shape] {
        &self.outputs
    }

    /// Runs on one tensor for each input, in order.
    ///
    /// # Errors
    /// If the number, a shape or a type of the feeds does not fit.
    pub fn run(&self, feeds: &[&Tensor]) -> Result<Vec<Tensor>, EngineError> {
        self.check(feeds)?;
        let tensors = match &self.body {
            Body::F32(runner) => wrap(runner.run(&slices(feeds)), &self.outputs),
            Body::F64(runner) => wrap(runner.run(&slices(feeds)), &self.outputs),
        };
        Ok(tensors)
    }

    fn check(&self, feeds: &[&Tensor]) -> Result<(), EngineError> {
        if feeds.len() != self.inputs.len() {
            return Err(EngineError::FeedCount { expected: self.inputs.len(), got: feeds.len() });
        }
        for (declared, feed) in self.inputs.iter().zip(feeds) {
            if *feed.shape() != declared.shape || feed.dtype() != declared.dtype {
                return Err(EngineError::Feed {
                    name: declared.name.clone(),
                    expected: declared.shape.clone(),
                    expected_type: declared.dtype,
                    got: feed.shape().clone(),
                    got_type: feed.dtype(),
                });
            }
        }
        Ok(())
    }
}

fn slices<'a, T: Element>(feeds: &[&'a Tensor]) -> Vec<&'a [T]> {
    feeds.iter().map(|f| f.as_slice::<T>()).collect()
}

fn wrap<T: Element>(values: Vec<Vec<T>>, shapes: &[Shape]) -> Vec<Tensor> {
    let pairs = values.into_iter().zip(shapes);
    pairs.map(|(v, s)| Tensor::new(s.clone(), v).expect("the plan writes whole outputs")).collect()
}

// Primitives exist for any number of spatial axes, kernels for up to three.
fn unsupported(outputs: &[Expr]) -> Result<(), EngineError> {
    for node in topological(outputs) {
        if let Op::Scan(_)
        | Op::Fft(_)
        | Op::Cholesky(_)
        | Op::TriangularSolve(_)
        | Op::Solve(_)
        | Op::Qr(_)
        | Op::Eigh(_)
        | Op::Svd(_)
        | Op::RandomBits(_) = node.op()
        {
            let (op, reason) = (node.op().name().into(), "yet: evaluate the graph with `eval`".into());
            return Err(EngineError::Graph(perturb_graph::GraphError::NoRule { op, rule: "kernel", reason }));
        }
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

impl<T: Float> Runner<T> {
    fn new(graph: &crate::lower::Lowered, options: &Options) -> Result<(Runner<T>, Statistics), EngineError> {
        let mut plan = build::<T>(graph);
        let memory = assign(&mut plan);
        let bytes = |elements: usize| (elements * std::mem::size_of::<T>()) as u64;
        let working_bytes = memory.sizes.iter().map(|&n| bytes(n)).sum();
        if working_bytes > options.memory_limit {
            return Err(EngineError::Memory { need: working_bytes, limit: options.memory_limit });
        }
        let constant_bytes = plan.constants.iter().map(|c| bytes(c.len())).sum();
        let statistics = Statistics { steps: plan.steps.len(), working_bytes, constant_bytes };
        Ok((Runner { plan, memory, idle: Mutex::new(Vec::new()) }, statistics))
    }

    fn run(&self, feeds: &[&[T]]) -> Vec<Vec<T>> {
        let idle = || self.idle.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let mut state = idle().pop().unwrap_or_else(|| State::shared(&self.memory));
        let outputs = run_plan(&self.plan, &mut state, feeds);
        idle().push(state);
        outputs
    }
}

/// Runs every step, then copies the outputs out.
pub(crate) fn run_plan<T: Float>(plan: &Plan<T>, state: &mut State<T>, feeds: &[&[T]]) -> Vec<Vec<T>> {
    for step in &plan.steps {
        let target = state.place[step.writes];
        let mut out = std::mem::take(&mut state.storage[target]);
        run_step(step, plan, state, feeds, &mut out[..plan.sizes[step.writes]]);
        state.storage[target] = out;
    }
    let read = |source: Source| source_slice(source, plan, state, feeds);
    plan.outputs.iter().map(|v| read(v.source)[v.offset..v.offset + v.shape.count()].to_vec()).collect()
}

fn source_slice<'a, T: Float>(source: Source, plan: &'a Plan<T>, state: &'a State<T>, feeds: &[&'a [T]]) -> &'a [T] {
    match source {
        Source::Feed(i) => feeds[i],
        Source::Const(i) => &plan.constants[i],
        // Storage may be larger than the buffer; empty while it is written in place.
        Source::Buffer(b) => &state.storage[state.place[b]],
    }
}

fn run_step<T: Float>(step: &Step, plan: &Plan<T>, state: &State<T>, feeds: &[&[T]], out: &mut [T]) {
    let read = |k: usize| source_slice(step.reads[k], plan, state, feeds);
    match &step.work {
        Work::Elementwise(program) => {
            let inputs: smallvec::SmallVec<[&[T]; 16]> = (0..step.reads.len()).map(read).collect();
            elementwise::run(program, &inputs, out);
        }
        Work::Reduce(reduction) => reduce::run(reduction, read(0), out),
        Work::Product(product) => gemm::run(product, read(0), read(1), out),
        Work::Convolve(convolving) => conv::run(convolving, read(0), read(1), out),
        Work::Pool(pooling) => pool::run(pooling, read(0), if step.reads.len() > 1 { read(1) } else { &[] }, out),
        Work::Place { shape, parts } => {
            out.fill(T::ZERO);
            for (k, part) in parts.iter().enumerate() {
                let source = &read(k)[part.offset..part.offset + part.shape.count()];
                copy::place(source, &part.shape, out, shape, &part.start, &part.step);
            }
        }
    }
}

/// Uses this many threads for all runs of the process.
///
/// # Errors
/// If a pool of threads was started before.
pub fn set_threads(threads: usize) -> Result<(), rayon::ThreadPoolBuildError> {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build_global()
}
