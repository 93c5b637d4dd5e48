//! Which node computes what, and an order in which every value exists before it is used.

use crate::declared::label;
use crate::error::{OnnxError, Result};
use crate::proto::GraphProto;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};

/// Who computes and who uses each value.
pub(crate) struct Wiring<'a> {
    graph: &'a GraphProto,
    producers: HashMap<&'a str, usize>,
}

impl<'a> Wiring<'a> {
    /// Checks that every value is computed once and that every operand comes from somewhere; `available` are the names
    /// of inputs and initializers.
    pub(crate) fn new(graph: &'a GraphProto, available: HashSet<&'a str>) -> Result<Wiring<'a>> {
        let mut producers = HashMap::new();
        for (index, node) in graph.node.iter().enumerate() {
            for name in node.output.iter().filter(|n| !n.is_empty()) {
                if available.contains(name.as_str()) || producers.insert(name.as_str(), index).is_some() {
                    let node = label(index, node);
                    return Err(OnnxError::Graph(format!("node {node:?} computes {name:?}, which exists already")));
                }
            }
        }
        for (index, node) in graph.node.iter().enumerate() {
            let exists = |name: &&String| available.contains(name.as_str()) || producers.contains_key(name.as_str());
            if let Some(name) = node.input.iter().filter(|n| !n.is_empty()).find(|n| !exists(n)) {
                let node = label(index, node);
                return Err(OnnxError::Graph(format!(
                    "node {node:?} needs {name:?}, which is no input, no initializer and no node's output"
                )));
            }
        }
        Ok(Wiring { graph, producers })
    }

    /// Positions of the nodes, each after those that it needs, otherwise in the file's order. The standard asks files
    /// to be sorted already; some are not.
    pub(crate) fn order(&self) -> Result<Vec<usize>> {
        let count = self.graph.node.len();
        let mut users: Vec<Vec<usize>> = vec![Vec::new(); count];
        let mut missing = vec![0usize; count];
        for (index, node) in self.graph.node.iter().enumerate() {
            for producer in node.input.iter().filter_map(|name| self.producers.get(name.as_str())) {
                users[*producer].push(index);
                missing[index] += 1;
            }
        }
        let mut ready: BinaryHeap<Reverse<usize>> = (0..count).filter(|&i| missing[i] == 0).map(Reverse).collect();
        let mut order = Vec::with_capacity(count);
        while let Some(Reverse(index)) = ready.pop() {
            order.push(index);
            for &user in &users[index] {
                missing[user] -= 1;
                if missing[user] == 0 {
                    ready.push(Reverse(user));
                }
            }
        }
        match missing.iter().position(|&m| m > 0) {
            Some(index) => {
                let node = label(index, &self.graph.node[index]);
                Err(OnnxError::Graph(format!("node {node:?} is part of a cycle, or depends on one")))
            }
            None => Ok(order),
        }
    }
}
