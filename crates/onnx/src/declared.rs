//! What a file says about its values and nodes before anything is imported.

use crate::decode::Code;
use crate::proto::{GraphProto, NodeProto};
use crate::read::is_standard;
use std::collections::{BTreeMap, HashMap};

/// Element types that the file states: of inputs, initializers, constants and conversions.
pub(crate) fn element_types(graph: &GraphProto) -> HashMap<&str, Code> {
    let inputs =
        graph.input.iter().filter_map(|i| Some((i.name.as_str(), i.r#type.as_ref()?.tensor_type.as_ref()?.elem_type)));
    let initializers = graph.initializer.iter().map(|t| (t.name.as_str(), t.data_type));
    let nodes = graph.node.iter().filter_map(|n| {
        let attribute = |name: &str| n.attribute.iter().find(|a| a.name == name);
        let code = match n.op_type.as_str() {
            "Constant" => attribute("value")?.t.as_ref()?.data_type,
            "Cast" => i32::try_from(attribute("to")?.i).ok()?,
            _ => return None,
        };
        Some((n.output.first()?.as_str(), code))
    });
    let known = |(name, code)| Some((name, Code::from_number(code).ok()?));
    inputs.chain(initializers).chain(nodes).filter_map(known).collect()
}

/// A node's name, or its position and what it computes if it has none.
pub(crate) fn label(index: usize, proto: &NodeProto) -> String {
    match (proto.name.as_str(), proto.output.first()) {
        ("", Some(output)) => format!("#{index}, which computes {output}"),
        ("", None) => format!("#{index}"),
        (name, _) => name.to_string(),
    }
}

/// Counts operators, also those inside branches and loops.
pub(crate) fn count_operators(graph: &GraphProto, counts: &mut BTreeMap<String, usize>) {
    for node in &graph.node {
        let domain = if is_standard(&node.domain) { String::new() } else { format!("{}.", node.domain) };
        *counts.entry(format!("{domain}{}", node.op_type)).or_insert(0) += 1;
        for attribute in &node.attribute {
            attribute.g.iter().chain(&attribute.graphs).for_each(|g| count_operators(g, counts));
        }
    }
}
