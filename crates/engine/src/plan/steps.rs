//! Steps: each writes one buffer from views of others.

use super::contractions::read_transposed;
use super::fuse::is_elementwise;
use super::readings::{Shared, shared_matrices};
use super::registers::allocate_registers;
use crate::kernels::conv::Convolving;
use crate::kernels::elementwise::{Arg, Instruction, Program, Scalar};
use crate::kernels::fourier::Fourier;
use crate::kernels::gemm::Product;
use crate::kernels::gemm::readings::Readings;
use crate::kernels::lines::Along;
use crate::kernels::matrices::Routine;
use crate::kernels::pool::Pooling;
use crate::kernels::reduce::Reduction;
use crate::looping::Looping;
use crate::lower::{Extent, Kind, Lowered};
use crate::view::{Source, View, collapse};
use perturb_graph::{DType, GatherSizes, Op, Shape, Tensor};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// What a step does.
#[derive(Clone, Debug)]
pub(crate) enum Work {
    Elementwise(Program),
    Reduce(Reduction),
    Product(Product),
    /// Reads the matrices, then what each column multiplies them with.
    Readings(Readings),
    Convolve(Box<Convolving>),
    Pool(Pooling),
    /// Places each source at a start and with a step into zeros: padding (one source) and concatenation.
    Place {
        shape: Shape,
        parts: Vec<Placement>,
    },
    /// Converts from this type.
    Cast(DType),
    Gather(GatherSizes),
    ScatterAdd(GatherSizes),
    /// A function of lines of this many neighbouring elements, of this type.
    Along(Along, usize, DType),
    Fourier(Fourier),
    Matrices(Routine),
    /// This many random words for each key.
    Random(usize),
    /// A loop, and which of the plan's loops it is.
    Loop(Arc<Looping>, usize),
}

/// Where one source of a [`Work::Place`] goes.
#[derive(Clone, Debug)]
pub(crate) struct Placement {
    pub shape: Shape,
    pub offset: usize,
    pub start: Vec<usize>,
    pub step: Vec<usize>,
}

/// One step of a plan.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub work: Work,
    /// What is read, in the order that the work names it.
    pub reads: Vec<Source>,
    /// The buffer written.
    pub writes: usize,
    /// What happens to the result of a product or a convolution while it is in cache.
    pub finish: Option<Box<Finish>>,
}

/// An elementwise program that runs in place over the result of a step.
#[derive(Clone, Debug)]
pub(crate) struct Finish {
    pub program: Program,
    pub reads: Vec<Source>,
}

/// A plan before memory is assigned.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub steps: Vec<Step>,
    /// Every buffer. Those of the variables come first; no step writes them.
    pub buffers: Vec<Extent>,
    pub variables: usize,
    pub feeds: Vec<Extent>,
    pub constants: Vec<Tensor>,
    /// The buffer of each result, all of it and of no other result, and its shape.
    pub outputs: Vec<(usize, Shape)>,
    /// The buffer of each variable's next value, all of it and of no other variable. It may be another variable's.
    pub next: Vec<usize>,
}

/// Whether a primitive only changes how its operand is read.
pub(crate) fn is_view(op: &Op) -> bool {
    matches!(op, Op::Reshape(_) | Op::Transpose(_) | Op::Broadcast(_) | Op::Slice(_) | Op::Reverse(_))
}

/// Plans a lowered and folded graph.
pub(crate) fn build(graph: &Lowered) -> Plan {
    let read_transposed = read_transposed(graph);
    let (root, shared) = shared_matrices(graph, &read_transposed);
    let mut builder = Builder {
        graph,
        root,
        read_transposed,
        shared,
        views: vec![None; graph.nodes.len()],
        contiguous: HashMap::new(),
        steps: Vec::new(),
        buffers: graph.variables.clone(),
        constants: Vec::new(),
        loops: 0,
    };
    let (results, next) = graph.outputs.split_at(graph.outputs.len() - graph.variables.len());
    // A variable's old value that is a result is copied first, so that the variable may be overwritten later.
    let early: HashMap<usize, usize> = (0..results.len()).filter_map(|k| builder.early_copy(k, results[k])).collect();
    for node in 0..graph.nodes.len() {
        builder.node(node);
    }
    let mut owned = HashSet::new();
    let next = builder.next_values(next, &mut owned);
    let outputs = results.iter().enumerate().map(|(k, &node)| {
        let buffer = early.get(&k).copied().unwrap_or_else(|| builder.owned(node, &mut owned));
        (buffer, graph.nodes[node].shape.clone())
    });
    let outputs = outputs.collect();
    let Builder { steps, buffers, constants, .. } = builder;
    let (feeds, variables) = (graph.feeds.clone(), graph.variables.len());
    Plan { steps, buffers, variables, feeds, constants, outputs, next }
}

/// Plans node by node.
pub(super) struct Builder<'a> {
    pub(super) graph: &'a Lowered,
    pub(super) root: Vec<usize>,
    pub(super) read_transposed: Vec<bool>,
    pub(super) shared: Shared,
    // How each node's value is read; none for nodes inside a fused program, and for uniform values.
    pub(super) views: Vec<Option<View>>,
    // Contiguous copies that were made of nodes.
    contiguous: HashMap<usize, View>,
    steps: Vec<Step>,
    pub(super) buffers: Vec<Extent>,
    constants: Vec<Tensor>,
    loops: usize,
}

impl Builder<'_> {
    fn node(&mut self, i: usize) {
        let node = &self.graph.nodes[i];
        let view = match &node.kind {
            Kind::Feed(f) => View::whole(Source::Feed(*f), &node.shape),
            Kind::Variable(v) => View::whole(Source::Buffer(*v), &node.shape),
            Kind::Const(value) => {
                self.constants.push(value.clone());
                View::whole(Source::Const(self.constants.len() - 1), &node.shape)
            }
            // Made where it is needed as memory; elementwise programs use the value itself.
            Kind::Uniform(_) | Kind::Integer(_) => return,
            Kind::Op(_) if self.shared.is_magnitude[i] => return,
            // Read when it is used, by which time the operand is there.
            Kind::Op(op) if is_view(op) && self.is_pending(node.inputs[0]) => return,
            Kind::Op(Op::Dot(_)) if self.shared.group[i].is_some() => return self.readings(i),
            Kind::Op(op) if is_elementwise(&node.kind) => {
                if self.root[i] != i {
                    return;
                }
                debug_assert!(!is_view(op));
                self.elementwise(i)
            }
            Kind::Op(op) => self.primitive(i, op),
            Kind::Loop(looping, _) => {
                self.loops += 1;
                self.whole(i, Work::Loop(looping.clone(), self.loops - 1))
            }
        };
        self.views[i] = Some(view);
    }

    fn primitive(&mut self, i: usize, op: &Op) -> View {
        let node = &self.graph.nodes[i];
        let x = node.inputs[0];
        match op {
            Op::Transpose(p) => self.view(x).transpose(&p.perm),
            Op::Broadcast(p) => self.view(x).broadcast(p),
            Op::Slice(p) => self.view(x).slice(p, &node.shape),
            Op::Reverse(p) => self.view(x).reverse(p),
            Op::Reshape(_) => {
                let view = self.view(x);
                view.reshape(&node.shape).unwrap_or_else(|| View {
                    offset: self.contiguous(x).offset,
                    ..View::whole(self.contiguous(x).source, &node.shape)
                })
            }
            Op::ReduceSum(r) => self.reduce(i, &r.axes, false),
            Op::ReduceMax(r) => self.reduce(i, &r.axes, true),
            Op::Dot(dims) => self.dot(i, dims),
            Op::Conv(c) => self.conv(i, c),
            Op::MaxPool(p) => {
                let reads: Vec<View> = node.inputs.iter().map(|&x| self.contiguous(x)).collect();
                let (size, positions) = match p.role {
                    perturb_graph::PoolRole::Scatter => {
                        (&node.shape[2..], &self.graph.nodes[node.inputs[1]].shape[2..])
                    }
                    _ => (&self.graph.nodes[x].shape[2..], &node.shape[2..]),
                };
                let pooling = Pooling::new(p, size, positions).expect("checked by `unsupported`");
                self.step(Work::Pool(pooling), reads.iter().map(|v| v.source).collect(), &node.shape, node.dtype)
            }
            Op::Pad(p) => {
                let step = p.interior.iter().map(|s| s + 1).collect();
                self.place(i, vec![(x, p.low.clone(), step)])
            }
            Op::Concat(c) => {
                let mut at = 0;
                let mut parts = Vec::new();
                for &x in &node.inputs {
                    let mut start = vec![0; node.shape.len()];
                    start[c.axis] = at;
                    at += self.graph.nodes[x].shape[c.axis];
                    parts.push((x, start, vec![1; node.shape.len()]));
                }
                self.place(i, parts)
            }
            Op::Unary(_) | Op::Binary(_) | Op::Compare(_) | Op::Select(_) | Op::StopGradient(_) => {
                unreachable!("elementwise nodes are fused, identities vanish when lowered")
            }
            Op::Input { .. } | Op::Param { .. } | Op::Constant(_) => unreachable!("leaves are not primitives"),
            Op::Scan(_) => unreachable!("loops are compiled when lowered"),
            Op::Cast(_) => {
                let view = self.contiguous(x);
                self.step(Work::Cast(self.graph.nodes[x].dtype), vec![view.source], &node.shape, node.dtype)
            }
            Op::Gather(p) => self.gather(i, p),
            Op::ScatterAdd(p) => self.scatter_add(i, p),
            Op::ArgMax(p) => self.along(i, p.axis, Along::ArgMax),
            Op::ArgSort(p) => self.along(i, p.axis, Along::ArgSort { descending: p.descending }),
            Op::Sort(p) => self.along(i, p.axis, Along::Sort { descending: p.descending }),
            Op::CumSum(p) => self.along(i, p.axis, Along::CumSum { exclusive: p.exclusive, reverse: p.reverse }),
            Op::Fft(p) => {
                let length = node.shape[node.shape.len() - 2];
                self.whole(i, Work::Fourier(Fourier::new(length, p.inverse, node.dtype)))
            }
            Op::RandomBits(p) => self.whole(i, Work::Random(p.shape.count())),
            Op::Cholesky(_) | Op::TriangularSolve(_) | Op::Solve(_) | Op::Qr(_) | Op::Eigh(_) | Op::Svd(_) => {
                self.matrices(i, op)
            }
        }
    }

    // Whether a node waits for others to be computed together with it, or is a view of one that does.
    fn is_pending(&self, i: usize) -> bool {
        self.views[i].is_none() && immediate(&self.graph.nodes[i].kind).is_none()
    }

    // How a node's value is read; a uniform value becomes one stored element that repeats.
    pub(super) fn view(&mut self, i: usize) -> View {
        if let Some(view) = &self.views[i] {
            return view.clone();
        }
        let node = &self.graph.nodes[i];
        if let Kind::Op(op) = &node.kind {
            debug_assert!(is_view(op) || is_elementwise(&node.kind), "operands are planned before their users");
            let view = if is_view(op) { self.primitive(i, op) } else { self.elementwise(i) };
            self.views[i] = Some(view.clone());
            return view;
        }
        let value = immediate(&node.kind).expect("operands are planned before their users");
        let program = Program {
            instructions: vec![Instruction { op: Scalar::Copy, args: [value, Arg::None, Arg::None], register: 0 }],
            registers: 0,
            sizes: vec![1],
            loads: vec![],
        };
        let one = self.step(Work::Elementwise(program), vec![], &Shape::from([]), node.dtype);
        let view = View { strides: vec![0; node.shape.len()], shape: node.shape.clone(), ..one };
        self.views[i] = Some(view.clone());
        view
    }

    // A row-major reading of a node from offset 0 of its own buffer, copied if need be.
    pub(super) fn contiguous(&mut self, i: usize) -> View {
        let view = self.view(i);
        if view.is_contiguous() && view.offset == 0 {
            return View { offset: 0, ..View::whole(view.source, &view.shape) };
        }
        if let Some(copy) = self.contiguous.get(&i) {
            return copy.clone();
        }
        let copy = self.copy(&view, self.graph.nodes[i].dtype);
        self.contiguous.insert(i, copy.clone());
        copy
    }

    pub(super) fn copy(&mut self, view: &View, dtype: DType) -> View {
        let whole = View::whole(view.source, &view.shape);
        let (sizes, strides) = collapse(&view.shape, &[whole.strides, view.strides.clone()]);
        let program = Program {
            instructions: vec![Instruction {
                op: Scalar::Copy,
                args: [Arg::Load(0), Arg::None, Arg::None],
                register: 0,
            }],
            registers: 0,
            sizes,
            loads: vec![Some((strides[1].clone(), view.offset))],
        };
        self.step(Work::Elementwise(program), vec![view.source], &view.shape, dtype)
    }

    pub(super) fn step(&mut self, work: Work, reads: Vec<Source>, shape: &Shape, dtype: DType) -> View {
        let buffer = self.buffers.len();
        self.buffers.push(Extent::of(shape, dtype));
        self.steps.push(Step { work, reads, writes: buffer, finish: None });
        View::whole(Source::Buffer(buffer), shape)
    }

    // The fused program rooted at node `i`.
    fn elementwise(&mut self, i: usize) -> View {
        let mut fusing = Fusing { instructions: Vec::new(), place: HashMap::new(), loads: Vec::new() };
        self.fuse(i, i, &mut fusing);
        let shape = self.graph.nodes[i].shape.clone();
        let Fusing { mut instructions, loads, .. } = fusing;
        let registers = allocate_registers(&mut instructions);
        let mut walkers: Vec<Vec<isize>> = vec![View::whole(Source::Feed(0), &shape).strides];
        walkers.extend(loads.iter().map(|v| v.strides.clone()));
        let (sizes, merged) = collapse(&shape, &walkers);
        let placed = loads.iter().zip(&merged[1..]).map(|(v, s)| Some((s.clone(), v.offset))).collect();
        let program = Program { instructions, registers, sizes, loads: placed };
        self.step(
            Work::Elementwise(program),
            loads.iter().map(|v| v.source).collect(),
            &shape,
            self.graph.nodes[i].dtype,
        )
    }

    // Emits the instructions of node `i` inside the program of `root`, operands first, without recursion on depth:
    // a fused group is bounded in size.
    fn fuse(&mut self, i: usize, root: usize, fusing: &mut Fusing) -> Arg {
        if let Some(&arg) = fusing.place.get(&i) {
            return arg;
        }
        let node = &self.graph.nodes[i];
        if let Some(value) = immediate(&node.kind) {
            return value;
        }
        if !is_elementwise(&node.kind) || self.root[i] != root {
            let view = self.view(i);
            let position = fusing.loads.iter().position(|v| *v == view).unwrap_or_else(|| {
                fusing.loads.push(view);
                fusing.loads.len() - 1
            });
            return Arg::Load(position);
        }
        let mut args = [Arg::None; 3];
        let inputs = node.inputs.clone();
        for (slot, &x) in args.iter_mut().zip(&inputs) {
            *slot = self.fuse(x, root, fusing);
        }
        let op = match &self.graph.nodes[i].kind {
            Kind::Op(Op::Unary(f)) => Scalar::Unary(*f),
            Kind::Op(Op::Binary(f)) => Scalar::Binary(*f),
            Kind::Op(Op::Compare(f)) => Scalar::Compare(*f),
            _ => Scalar::Select,
        };
        let register = fusing.instructions.len();
        fusing.instructions.push(Instruction { op, args, register });
        fusing.place.insert(i, Arg::Register(register));
        Arg::Register(register)
    }

    // A step that reads all operands row-major.
    pub(super) fn whole(&mut self, i: usize, work: Work) -> View {
        let node = &self.graph.nodes[i];
        let reads = node.inputs.iter().map(|&x| self.contiguous(x).source).collect();
        self.step(work, reads, &node.shape, node.dtype)
    }

    fn place(&mut self, i: usize, parts: Vec<(usize, Vec<usize>, Vec<usize>)>) -> View {
        let shape = self.graph.nodes[i].shape.clone();
        let mut reads = Vec::new();
        let mut placements = Vec::new();
        for (x, start, step) in parts {
            let view = self.contiguous(x);
            reads.push(view.source);
            placements.push(Placement { shape: view.shape.clone(), offset: view.offset, start, step });
        }
        self.step(Work::Place { shape: shape.clone(), parts: placements }, reads, &shape, self.graph.nodes[i].dtype)
    }
}

// A uniform value as an operand of a program.
fn immediate(kind: &Kind) -> Option<Arg> {
    match kind {
        Kind::Uniform(v) => Some(Arg::Immediate(*v)),
        Kind::Integer(v) => Some(Arg::Integer(*v)),
        _ => None,
    }
}

struct Fusing {
    instructions: Vec<Instruction>,
    place: HashMap<usize, Arg>,
    loads: Vec<View>,
}
