//! Named tensors: the weights of a model, as they are stored and exchanged.

use crate::atomic::write_atomically;
use crate::{TensorDifference, TrainError};
use perturb_graph::{DType, Expr, Graph, Result, Tensor, substitute};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// Tensors by name, in PyTorch's layout: what PyTorch calls a state dict.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parameters(BTreeMap<String, Tensor>);

impl Parameters {
    /// The weights of a graph.
    pub fn of(graph: &Graph) -> Parameters {
        Parameters::of_leaves(&graph.params())
    }

    /// The values of parameters, such as [`Layers::parameters`](crate::Layers::parameters).
    pub fn of_leaves(leaves: &[Expr]) -> Parameters {
        leaves.iter().filter_map(|p| Some((p.name()?.to_string(), p.value()?.clone()))).collect()
    }

    /// A tensor by name.
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.0.get(name)
    }

    /// Adds or replaces a tensor.
    pub fn insert(&mut self, name: impl Into<String>, value: Tensor) {
        self.0.insert(name.into(), value);
    }

    /// Names and tensors, in alphabetical order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// Number of tensors.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those whose names start with `prefix`, without it: the averaged weights of a run, say, under `ema.`.
    pub fn under(&self, prefix: &str) -> Parameters {
        self.iter().filter_map(|(name, value)| Some((name.strip_prefix(prefix)?.to_string(), value.clone()))).collect()
    }

    /// Those of one member of an [ensemble](crate::Step::ensemble): row `index` of each tensor.
    ///
    /// # Panics
    /// If a tensor has no such row.
    #[track_caller]
    pub fn member(&self, index: usize) -> Parameters {
        let row =
            |value: &Tensor| value.rows(index, index + 1).reshape(&value.shape()[1..]).expect("a row is its shape");
        self.iter().map(|(name, value)| (name.to_string(), row(value))).collect()
    }

    /// `outputs` with every parameter that has a value here set to it; others keep theirs.
    ///
    /// # Errors
    /// If a shape or type differs.
    pub fn bind_exprs(&self, outputs: &[Expr]) -> Result<Vec<Expr>> {
        let leaves = perturb_graph::topological(outputs).into_iter().filter(|n| n.value().is_some());
        let pair = |leaf: Expr| {
            let name = leaf.name()?.to_string();
            let bound = Expr::param(name.as_str(), self.get(&name)?.clone());
            Some((leaf, bound))
        };
        let pairs: Vec<(Expr, Expr)> = leaves.filter_map(pair).collect();
        for (leaf, bound) in &pairs {
            if (leaf.shape(), leaf.dtype()) != (bound.shape(), bound.dtype()) {
                let reason = format!("the value of '{}' does not fit", leaf.name().unwrap_or_default());
                let shapes = vec![leaf.shape().clone(), bound.shape().clone()];
                return Err(perturb_graph::GraphError::Shape { op: "bind".into(), reason, shapes });
            }
        }
        substitute(outputs, &pairs)
    }

    /// The graph with every parameter that has a value here set to it; others keep theirs.
    ///
    /// # Errors
    /// If a shape or type differs.
    pub fn bind(&self, graph: &Graph) -> Result<Graph> {
        let outputs = self.bind_exprs(&graph.output_exprs())?;
        let names = graph.outputs.iter().map(|(name, _)| name.clone());
        Graph::new(graph.inputs.clone(), names.zip(outputs).collect())
    }

    /// How these tensors differ in names, shapes and types from `expected`.
    pub fn difference(&self, expected: &Parameters) -> TensorDifference {
        let describe = |t: &Tensor| format!("{}{}", t.dtype(), t.shape());
        let mut difference = TensorDifference::default();
        for (name, want) in expected.iter() {
            match self.get(name) {
                None => difference.missing.push(name.to_string()),
                Some(got) if (got.shape(), got.dtype()) != (want.shape(), want.dtype()) => {
                    difference.differing.push((name.to_string(), describe(want), describe(got)));
                }
                Some(_) => {}
            }
        }
        let unexpected = self.iter().filter(|(name, _)| expected.get(name).is_none());
        difference.unexpected = unexpected.map(|(name, _)| name.to_string()).collect();
        difference
    }

    /// Writes a safetensors file, which appears complete or not at all.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), TrainError> {
        self.save_with(path.as_ref(), None)
    }

    pub(crate) fn save_with(&self, path: &Path, metadata: Option<HashMap<String, String>>) -> Result<(), TrainError> {
        let bytes: Vec<(&str, Dtype, &Tensor, Vec<u8>)> =
            self.iter().map(|(name, t)| (name, stored_type(t.dtype()), t, little_endian(t))).collect();
        let views = bytes.iter().map(|(name, dtype, t, data)| {
            let view = TensorView::new(*dtype, t.shape().to_vec(), data).map_err(|e| unreadable(path, &e))?;
            Ok((*name, view))
        });
        let views: Vec<(&str, TensorView<'_>)> = views.collect::<Result<_, TrainError>>()?;
        let file = safetensors::serialize(views, metadata).map_err(|e| unreadable(path, &e))?;
        write_atomically(path, &file)
    }

    /// Reads a safetensors file. Half-precision tensors become `f32`; PyTorch's counters of batches
    /// (`num_batches_tracked`), which nothing here depends on, are left out.
    ///
    /// # Errors
    /// If the file cannot be read, or has a tensor of a type that there is no use for.
    pub fn load(path: impl AsRef<Path>) -> Result<Parameters, TrainError> {
        Ok(Parameters::load_with(path.as_ref())?.0)
    }

    pub(crate) fn load_with(path: &Path) -> Result<(Parameters, HashMap<String, String>), TrainError> {
        let file = std::fs::read(path).map_err(|source| TrainError::Io { path: path.into(), source })?;
        let (_, header) = SafeTensors::read_metadata(&file).map_err(|e| unreadable(path, &e))?;
        let stored = SafeTensors::deserialize(&file).map_err(|e| unreadable(path, &e))?;
        let mut parameters = Parameters::default();
        for (name, view) in stored.iter().filter(|(name, _)| !name.ends_with("num_batches_tracked")) {
            let tensor = read_tensor(&view).ok_or_else(|| {
                let reason = format!("tensor '{name}' is {:?}, which is not supported: store it as F32", view.dtype());
                TrainError::Checkpoint { path: path.into(), reason }
            })?;
            parameters.insert(name, tensor);
        }
        Ok((parameters, header.metadata().clone().unwrap_or_default()))
    }

    /// [`Parameters::load`] for the weights that `graph` has, and no others: the graph with those weights.
    ///
    /// # Errors
    /// [`TrainError::Mismatch`] naming the tensors that are missing, unexpected or of another shape or type.
    pub fn load_into(path: impl AsRef<Path>, graph: &Graph) -> Result<Graph, TrainError> {
        let path = path.as_ref();
        let stored = Parameters::load(path)?;
        let difference = stored.difference(&Parameters::of(graph));
        if !difference.is_empty() {
            return Err(TrainError::Mismatch { path: path.into(), difference });
        }
        Ok(stored.bind(graph)?)
    }
}

impl FromIterator<(String, Tensor)> for Parameters {
    fn from_iter<I: IntoIterator<Item = (String, Tensor)>>(items: I) -> Parameters {
        Parameters(items.into_iter().collect())
    }
}

fn unreadable(path: &Path, error: &dyn std::fmt::Display) -> TrainError {
    TrainError::Checkpoint { path: path.into(), reason: format!("not a safetensors file: {error}") }
}

fn stored_type(dtype: DType) -> Dtype {
    match dtype {
        DType::F32 => Dtype::F32,
        DType::F64 => Dtype::F64,
        DType::I64 => Dtype::I64,
        DType::Bool => Dtype::BOOL,
    }
}

fn little_endian(tensor: &Tensor) -> Vec<u8> {
    match tensor.dtype() {
        DType::F32 => tensor.as_slice::<f32>().iter().flat_map(|v| v.to_le_bytes()).collect(),
        DType::F64 => tensor.as_slice::<f64>().iter().flat_map(|v| v.to_le_bytes()).collect(),
        DType::I64 => tensor.as_slice::<i64>().iter().flat_map(|v| v.to_le_bytes()).collect(),
        DType::Bool => tensor.as_slice::<bool>().iter().map(|&v| u8::from(v)).collect(),
    }
}

fn read_tensor(view: &TensorView<'_>) -> Option<Tensor> {
    fn each<const N: usize, T>(data: &[u8], read: impl Fn([u8; N]) -> T) -> Vec<T> {
        data.chunks_exact(N).map(|c| read(c.try_into().expect("a chunk of N bytes"))).collect()
    }
    let (shape, data) = (view.shape().to_vec(), view.data());
    let tensor = match view.dtype() {
        Dtype::F32 => Tensor::new(shape, each(data, f32::from_le_bytes)),
        Dtype::F64 => Tensor::new(shape, each(data, f64::from_le_bytes)),
        Dtype::I64 => Tensor::new(shape, each(data, i64::from_le_bytes)),
        Dtype::BOOL => Tensor::new(shape, data.iter().map(|&b| b != 0).collect()),
        Dtype::F16 => Tensor::new(shape, each(data, |b| half::f16::from_le_bytes(b).to_f32())),
        Dtype::BF16 => Tensor::new(shape, each(data, |b| half::bf16::from_le_bytes(b).to_f32())),
        _ => return None,
    };
    tensor.ok()
}
