//! A network as the checker sees it: layers over one numbering of all scalars.

use std::ops::Range;

/// Stands for the constant 0 among the sources of an affine layer.
pub(crate) const ZERO: u32 = u32::MAX;

/// Layers in the order in which they are computed. Every scalar has a number: the inputs come first, then the results of
/// each layer; a layer refers only to scalars before its own.
#[derive(Debug)]
pub(crate) struct Network {
    /// Number of inputs.
    pub inputs: usize,
    /// The layers.
    pub layers: Vec<Layer>,
    /// The scalars that are the network's outputs.
    pub outputs: Vec<u32>,
    /// Which layers are `relu`, sigmoid or tanh nodes of the graph, in topological order.
    pub activations: Vec<usize>,
}

/// One operation.
#[derive(Debug)]
pub(crate) struct Layer {
    /// Number of its first result.
    pub first: usize,
    /// What it computes.
    pub kind: Kind,
}

/// What a layer computes.
#[derive(Debug)]
pub(crate) enum Kind {
    /// (Σ weight·source + bias)/divisor.
    Affine(Affine),
    /// max(0, operand), of each operand.
    Relu(Vec<u32>),
    /// The largest operand of each group.
    Max(Groups),
    /// A bounded increasing function of each operand.
    Curve(Curve, Vec<u32>),
}

/// An increasing function that is convex below 0 and concave above.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Curve {
    /// 1/(1 + e⁻ˣ).
    Sigmoid,
    /// Hyperbolic tangent.
    Tanh,
}

/// Lists of operands, one after another.
#[derive(Debug)]
pub(crate) struct Groups {
    /// Where each group starts, and where the last ends.
    pub starts: Vec<usize>,
    /// The operands of all groups.
    pub operands: Vec<u32>,
}

impl Groups {
    pub fn len(&self) -> usize {
        self.starts.len() - 1
    }

    pub fn group(&self, index: usize) -> &[u32] {
        &self.operands[self.starts[index]..self.starts[index + 1]]
    }
}

/// An affine map in blocks of rows that have their sources in common.
#[derive(Debug, Default)]
pub(crate) struct Affine {
    pub blocks: Vec<Block>,
    /// Sources of all blocks.
    pub sources: Vec<u32>,
    /// Weights of all blocks; several blocks may use the same ones.
    pub weights: Vec<f64>,
    /// What is added to each result.
    pub bias: Vec<f64>,
    /// What each result is divided by at last, if by anything but 1.
    pub divisors: Option<Vec<f64>>,
}

/// Some rows of an affine map.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    /// The first result, counted within the layer.
    pub first: usize,
    /// Distance between the results.
    pub step: usize,
    /// Number of results.
    pub count: usize,
    /// Where the sources stand in [`Affine::sources`].
    pub sources: Range<usize>,
    /// Where the weights start in [`Affine::weights`]: `count` rows as long as the sources.
    pub weights: usize,
    /// Whether the sources are neighbours in ascending order, without zeros.
    pub contiguous: bool,
}

impl Affine {
    pub fn new(results: usize) -> Affine {
        Affine { bias: vec![0.0; results], ..Affine::default() }
    }

    /// Appends sources that later blocks may name.
    pub fn add_sources(&mut self, sources: impl IntoIterator<Item = u32>) -> Range<usize> {
        let start = self.sources.len();
        self.sources.extend(sources);
        start..self.sources.len()
    }

    /// Appends weights that later blocks may name.
    pub fn add_weights(&mut self, weights: impl IntoIterator<Item = f64>) -> usize {
        let start = self.weights.len();
        self.weights.extend(weights);
        start
    }

    /// Appends the rows `first, first + step, …`.
    pub fn add_block(&mut self, first: usize, step: usize, count: usize, sources: Range<usize>, weights: usize) {
        let named = &self.sources[sources.clone()];
        let contiguous = named.windows(2).all(|w| w[0] != ZERO && w[1] == w[0] + 1) && named.last() != Some(&ZERO);
        self.blocks.push(Block { first, step, count, sources, weights, contiguous });
    }

    /// The block's sources.
    pub fn sources_of(&self, block: &Block) -> &[u32] {
        &self.sources[block.sources.clone()]
    }

    /// The weights of one of the block's rows.
    pub fn row(&self, block: &Block, row: usize) -> &[f64] {
        let width = block.sources.len();
        &self.weights[block.weights + row * width..][..width]
    }
}

impl Layer {
    /// Number of results.
    pub fn len(&self) -> usize {
        match &self.kind {
            Kind::Affine(affine) => affine.bias.len(),
            Kind::Relu(operands) | Kind::Curve(_, operands) => operands.len(),
            Kind::Max(groups) => groups.len(),
        }
    }

    /// Numbers of its results.
    pub fn results(&self) -> Range<usize> {
        self.first..self.first + self.len()
    }
}

impl Network {
    /// Number of scalars.
    pub fn scalars(&self) -> usize {
        self.layers.last().map_or(self.inputs, |layer| layer.results().end)
    }

    /// Operands of an activation, by its place among them.
    pub fn operands_of(&self, activation: usize) -> &[u32] {
        match &self.layers[self.activations[activation]].kind {
            Kind::Relu(operands) | Kind::Curve(_, operands) => operands,
            _ => &[],
        }
    }

    /// How many slopes an activation's relaxation takes: of the line below each element, and for curves of the one above.
    pub fn slopes_of(&self, activation: usize) -> usize {
        match &self.layers[self.activations[activation]].kind {
            Kind::Relu(operands) => operands.len(),
            Kind::Curve(_, operands) => 2 * operands.len(),
            _ => 0,
        }
    }

    /// How often the scalar that is used most is used.
    pub fn fan_out(&self) -> usize {
        let mut uses = vec![0usize; self.scalars()];
        let mut count = |source: u32, times: usize| {
            if source != ZERO {
                uses[source as usize] += times;
            }
        };
        for layer in &self.layers {
            match &layer.kind {
                Kind::Affine(affine) => {
                    for block in &affine.blocks {
                        affine.sources_of(block).iter().for_each(|&s| count(s, block.count));
                    }
                }
                Kind::Relu(operands) | Kind::Curve(_, operands) => operands.iter().for_each(|&s| count(s, 1)),
                Kind::Max(groups) => groups.operands.iter().for_each(|&s| count(s, 1)),
            }
        }
        uses.into_iter().max().unwrap_or(0)
    }
}
