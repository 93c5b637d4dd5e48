//! The tree of subdomains that a search grows, kept to be written down as a proof.

use crate::proof::{CaseProof, Evidence, LayerSlopes, Node, Tree};

/// Why a subdomain has no subtrees any more, or which ones.
enum Split {
    Open,
    Input { index: u32, at: f64, below: usize, above: usize },
    Sign { layer: u32, element: u32, below: usize, above: usize },
    Done,
}

struct Subdomain {
    narrowed: bool,
    refuted: Vec<(u32, Evidence)>,
    split: Split,
}

/// A growing tree. Subdomains are numbered as they are made; the root is 0.
pub(crate) struct Growing {
    /// How many subdomains are neither split nor closed.
    open: usize,
    subdomains: Vec<Subdomain>,
    keep: bool,
}

/// What a search leaves behind of one case.
pub(crate) struct Forest {
    /// One tree for all conjunctions, or one for each.
    pub trees: Vec<Growing>,
    /// How the operands of activations are bounded over the whole box; adaptively if empty.
    pub layers: Vec<LayerSlopes>,
}

impl Forest {
    /// Trees of their roots only; if `keep` is false, nothing is ever stored.
    pub fn new(trees: usize, keep: bool) -> Forest {
        Forest { trees: (0..trees).map(|_| Growing::new(keep)).collect(), layers: Vec::new() }
    }

    /// Whether every subdomain of every tree was split or closed: only then everything is refuted.
    pub fn is_closed(&self) -> bool {
        self.trees.iter().all(|tree| tree.open == 0)
    }

    /// The proof for a case of so many conjunctions and a network of so many activations.
    pub fn finish(self, conjunctions: usize, activations: usize) -> CaseProof {
        let mut layers = self.layers;
        layers.resize(activations, LayerSlopes::Adaptive);
        let all: Vec<u32> = (0..conjunctions as u32).collect();
        let single = self.trees.len() == 1;
        let covers = |tree: usize| if single { all.clone() } else { vec![tree as u32] };
        let trees = self.trees.into_iter().enumerate().map(|(i, tree)| tree.finish(covers(i))).collect();
        CaseProof { layers, trees }
    }
}

impl Growing {
    /// A tree of its root only; if `keep` is false, nothing is ever stored.
    pub fn new(keep: bool) -> Growing {
        let mut tree = Growing { open: 0, subdomains: Vec::new(), keep };
        tree.push();
        tree
    }

    fn push(&mut self) -> usize {
        self.open += 1;
        if self.keep {
            self.subdomains.push(Subdomain { narrowed: false, refuted: Vec::new(), split: Split::Open });
        }
        self.subdomains.len().saturating_sub(1)
    }

    /// Notes that a conjunction is refuted on a subdomain.
    pub fn refute(&mut self, at: usize, conjunction: usize, evidence: impl FnOnce() -> Evidence) {
        if self.keep {
            self.subdomains[at].refuted.push((conjunction as u32, evidence()));
        }
    }

    /// Notes that inner bounds are computed anew on a subdomain, before anything is refuted there.
    pub fn narrow(&mut self, at: usize) {
        if self.keep {
            self.subdomains[at].narrowed = true;
        }
    }

    /// Notes that nothing is left to refute on a subdomain.
    pub fn close(&mut self, at: usize) {
        self.open -= 1;
        if self.keep {
            self.subdomains[at].split = Split::Done;
        }
    }

    /// Splits a subdomain along an input; returns both halves.
    pub fn split_input(&mut self, at: usize, index: usize, cut: f64) -> [usize; 2] {
        self.open -= 1;
        let halves = [self.push(), self.push()];
        if self.keep {
            let [below, above] = halves;
            self.subdomains[at].split = Split::Input { index: index as u32, at: cut, below, above };
        }
        halves
    }

    /// Splits a subdomain by the sign of an activation's operand; returns both parts.
    pub fn split_sign(&mut self, at: usize, layer: usize, element: usize) -> [usize; 2] {
        self.open -= 1;
        let halves = [self.push(), self.push()];
        if self.keep {
            let [below, above] = halves;
            self.subdomains[at].split = Split::Sign { layer: layer as u32, element: element as u32, below, above };
        }
        halves
    }

    /// The tree in preorder.
    pub fn finish(mut self, covers: Vec<u32>) -> Tree {
        let (mut nodes, mut pending) = (Vec::new(), vec![0]);
        while let Some(at) = pending.pop() {
            let Some(subdomain) = self.subdomains.get_mut(at) else { continue };
            nodes.extend(subdomain.narrowed.then_some(Node::Narrow));
            let refuted = std::mem::take(&mut subdomain.refuted);
            nodes.extend(refuted.into_iter().map(|(conjunction, evidence)| Node::Refuted { conjunction, evidence }));
            match subdomain.split {
                Split::Input { index, at, below, above } => {
                    nodes.push(Node::Input { index, at });
                    pending.extend([above, below]);
                }
                Split::Sign { layer, element, below, above } => {
                    nodes.push(Node::Sign { layer, element });
                    pending.extend([above, below]);
                }
                Split::Open | Split::Done => nodes.push(Node::Done),
            }
        }
        Tree { covers, nodes }
    }
}
