//! Layers as functions over expressions, with named parameters.

mod attention;
mod blocks;
mod conditioning;
mod convolution;
mod graph;
mod linear;
mod norm;
mod positions;
mod recurrent;
mod sets;

pub use attention::Attention;
pub use graph::Edges;
pub use positions::{fourier_features, rotary, sinusoidal_features, sinusoidal_positions};
pub use recurrent::Cell;
pub use sets::{Pooling, pool};

use crate::{Init, Initializer, Key};
use perturb_graph::{DType, Expr, Shape, Tensor};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

/// Makes layers: a place in a model under which parameters get their names and initial values.
///
/// A layer is a method that takes expressions and returns one; `at` names it. Names are PyTorch's (`weight`, `bias`,
/// `running_mean`, `weight_ih_l0`…) in PyTorch's layout, so that weights are exchanged with it by file:
///
/// ```
/// use perturb_graph::{DType, Expr};
/// use perturb_nn::{Initializer, Layers};
///
/// let layers = Layers::new(Initializer::pytorch(0));
/// let x = Expr::input("x", [8, 4], DType::F32);
/// let h = layers.at("encoder").at("fc1").linear(&x, 16).relu();
/// let y = layers.at("encoder").at("fc2").linear(&h, 2);
/// let names: Vec<String> = layers.parameters().iter().filter_map(|p| p.name().map(str::to_string)).collect();
/// assert_eq!(names, ["encoder.fc1.weight", "encoder.fc1.bias", "encoder.fc2.weight", "encoder.fc2.bias"]);
/// # assert_eq!(y.shape()[..], [8, 2]);
/// ```
///
/// A name stands for one parameter. To use it again is to share it: the two branches of a Siamese network, or the same
/// model built for training ([`Layers::training`]) and for evaluation. Handles are cheap, and all handles of one model
/// see the same parameters.
#[derive(Clone, Debug)]
pub struct Layers {
    store: Arc<Mutex<Store>>,
    prefix: String,
    initializer: Initializer,
    dtype: DType,
    mode: Mode,
}

#[derive(Debug, Default)]
struct Store {
    parameters: BTreeMap<String, Expr>,
    // Parameters in the order of their making, and how training changes the running statistics among them.
    order: Vec<String>,
    updates: Vec<(Expr, Expr)>,
    taps: Vec<(String, Expr)>,
    draws: u64,
}

#[derive(Clone, Debug)]
enum Mode {
    Evaluation,
    Training(Key),
}

impl Layers {
    /// An empty model in f32, in evaluation mode.
    pub fn new(initializer: Initializer) -> Layers {
        Layers { store: Arc::default(), prefix: String::new(), initializer, dtype: DType::F32, mode: Mode::Evaluation }
    }

    /// The same place, with new parameters of another floating-point type.
    pub fn dtype(&self, dtype: DType) -> Layers {
        Layers { dtype, ..self.clone() }
    }

    /// The place `name` under this one.
    pub fn at(&self, name: impl AsRef<str>) -> Layers {
        Layers { prefix: format!("{}{}.", self.prefix, name.as_ref()), ..self.clone() }
    }

    /// The same place, with new weights from another distribution; biases start at 0.
    pub fn init(&self, weight: Init) -> Layers {
        let initializer = Initializer { weight, bias: Init::Constant(0.0), ..self.initializer };
        Layers { initializer, ..self.clone() }
    }

    /// The same place in training mode: batch norm normalises by the batch and moves its running statistics (see
    /// [`Layers::take_updates`]), and dropout drops, by the key's random numbers.
    pub fn training(&self, key: Key) -> Layers {
        Layers { mode: Mode::Training(key), ..self.clone() }
    }

    /// The same place in evaluation mode: running statistics, no dropout.
    pub fn evaluation(&self) -> Layers {
        Layers { mode: Mode::Evaluation, ..self.clone() }
    }

    /// All parameters of the model in the order of their making, running statistics included.
    pub fn parameters(&self) -> Vec<Expr> {
        let store = self.lock();
        store.order.iter().map(|name| store.parameters[name].clone()).collect()
    }

    /// Takes how a step that was built since the last call changes running statistics: pairs of a parameter and its next
    /// value, for [`Step::update_all`](crate::Step::update_all).
    pub fn take_updates(&self) -> Vec<(Expr, Expr)> {
        std::mem::take(&mut self.lock().updates)
    }

    /// Records an inner value under `name` at this place, and returns it. Whoever has the model's outputs can then read the
    /// value, differentiate by it, or replace it by [`perturb_graph::substitute`].
    pub fn tap(&self, name: &str, value: Expr) -> Expr {
        self.lock().taps.push((format!("{}{name}", self.prefix), value.clone()));
        value
    }

    /// Takes the inner values that were recorded since the last call, by their names and in the order of building:
    /// attention records its `scores` before and its `probabilities` after the softmax, `[N, heads, T, S]`.
    pub fn take_taps(&self) -> Vec<(String, Expr)> {
        std::mem::take(&mut self.lock().taps)
    }

    /// The parameter `name` at this place: made with initial values from `init` if it is new.
    ///
    /// # Panics
    /// If a parameter of that name has another shape.
    #[track_caller]
    pub fn parameter(&self, name: &str, shape: impl Into<Shape>, init: Init) -> Expr {
        let shape = shape.into();
        self.made(name, &shape, &shape.clone(), init)
    }

    /// The weight at this place, of `shape [out, in, window…]`.
    #[track_caller]
    pub(crate) fn weight(&self, shape: &[usize]) -> Expr {
        let shape = Shape::from(shape);
        self.made("weight", &shape, &shape, self.initializer.weight)
    }

    /// The bias `[width]` that goes with a weight of shape `fans`.
    #[track_caller]
    pub(crate) fn bias(&self, width: usize, fans: &[usize]) -> Expr {
        self.made("bias", &Shape::from([width]), &Shape::from(fans), self.initializer.bias)
    }

    #[track_caller]
    fn made(&self, name: &str, shape: &Shape, fans: &Shape, init: Init) -> Expr {
        let name = format!("{}{name}", self.prefix);
        let mut store = self.lock();
        let index = store.order.len() as u64;
        if let Some(known) = store.parameters.get(&name).cloned() {
            drop(store);
            let is = known.shape();
            assert!(is == shape, "parameter '{name}' is {is} already, not {shape}: give the layer another name");
            return known;
        }
        let made = Expr::param(name.as_str(), init.tensor(self.initializer.seed, index, shape, fans, self.dtype));
        store.order.push(name.clone());
        store.parameters.insert(name, made.clone());
        made
    }

    /// A tensor that is no trained parameter, but state: it has no gradient.
    fn state(&self, name: &str, shape: impl Into<Shape>, value: f64) -> Expr {
        self.parameter(name, shape, Init::Constant(value))
    }

    fn push_update(&self, state: &Expr, next: Expr) {
        let mut store = self.lock();
        // A second use in one step (the other view of a pair, say) continues from the first.
        match store.updates.iter_mut().find(|(known, _)| known.id() == state.id()) {
            Some((_, known)) => *known = next,
            None => store.updates.push((state.clone(), next)),
        }
    }

    // The value that a state has so far in this step.
    fn latest(&self, state: &Expr) -> Expr {
        let store = self.lock();
        let found = store.updates.iter().find(|(known, _)| known.id() == state.id());
        found.map_or_else(|| state.clone(), |(_, next)| next.clone())
    }

    /// A key for one use of randomness, in training mode.
    pub(crate) fn draw(&self) -> Option<Key> {
        let Mode::Training(key) = &self.mode else { return None };
        let mut store = self.lock();
        store.draws += 1;
        Some(key.fold(store.draws))
    }

    fn is_training(&self) -> bool {
        matches!(self.mode, Mode::Training(_))
    }

    fn lock(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// In training mode, every element 0 with probability `rate` and the others divided by `1 − rate` (Srivastava et al.
    /// 2014); in evaluation mode, `x`.
    pub fn dropout(&self, x: &Expr, rate: f64) -> Expr {
        match self.draw() {
            Some(key) if rate > 0.0 => {
                let kept = key.bernoulli(1.0 - rate, x.shape(), x.dtype());
                x.mul(&kept.scale(1.0 / (1.0 - rate)))
            }
            _ => x.clone(),
        }
    }
}

/// Joins all axes but the first.
pub fn flatten(x: &Expr) -> Expr {
    let rest: usize = x.shape()[1..].iter().product();
    x.reshape([x.shape()[0], rest])
}

/// An input of images `[N, C, H, W]` in f32.
pub(crate) fn images(shape: [usize; 4]) -> Expr {
    Expr::input("image", shape, DType::F32)
}

/// A constant of `x`'s type.
pub(crate) fn constant(values: Vec<f64>, shape: impl Into<Shape>, dtype: DType) -> Expr {
    Expr::constant(Tensor::from_f64(shape, dtype, values).expect("one value for each element"))
}
