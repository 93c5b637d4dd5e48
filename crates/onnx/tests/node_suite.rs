//! The ONNX project's own node tests, as `benches/reference/onnx_node_tests.py` writes them into the folder that
//! `PERTURB_ONNX_NODE_TESTS` names. Without it the test is skipped.

mod model;

use perturb_graph::{Tensor, eval};
use perturb_onnx::proto::{ModelProto, TensorProto};
use perturb_onnx::{ImportOptions, OnnxError, OnnxModel, import};
use prost::Message;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

enum Outcome {
    Passed,
    Unsupported(String),
    Failed(String),
}

/// The tensors `kind_0.pb`, `kind_1.pb`, … of a folder.
fn tensors(folder: &Path, kind: &str) -> Vec<TensorProto> {
    let files = (0..).map(|i| folder.join(format!("{kind}_{i}.pb"))).take_while(|f| f.exists());
    files.map(|f| TensorProto::decode(std::fs::read(f).unwrap().as_slice()).unwrap()).collect()
}

/// A stored tensor's value, by way of a model that returns its only initializer.
fn value(proto: &TensorProto, model: &ModelProto) -> Result<Tensor, OnnxError> {
    let mut wrapper = model.clone();
    let graph = wrapper.graph.as_mut().unwrap();
    graph.node.clear();
    graph.input.clear();
    graph.initializer = vec![TensorProto { name: "value".into(), ..proto.clone() }];
    graph.output.truncate(1);
    graph.output[0].name = "value".into();
    let graph = import(&OnnxModel::from_proto(wrapper)?, &ImportOptions::default())?;
    Ok(eval(&graph.output_exprs(), &[]).unwrap().remove(0))
}

/// Codes of the floating-point element types.
const FLOATS: [i32; 4] = [1, 10, 11, 16];

/// Turns the inputs for which `is_fixed` holds into initializers; also returns the other ones.
fn fix_inputs(
    model: &ModelProto,
    inputs: &[TensorProto],
    is_fixed: impl Fn(&TensorProto) -> bool,
) -> (ModelProto, Vec<TensorProto>) {
    let mut fixed = model.clone();
    let mut fed = Vec::new();
    if let Some(graph) = fixed.graph.as_mut() {
        for (info, tensor) in graph.input.clone().iter().zip(inputs) {
            let tensor = TensorProto { name: info.name.clone(), ..tensor.clone() };
            if is_fixed(&tensor) { graph.initializer.push(tensor) } else { fed.push(tensor) }
        }
    }
    (fixed, fed)
}

/// Runs one data set; `fixed` inputs (all but floats, or all) become initializers.
fn run(model: &ModelProto, folder: &Path, fix_floats: bool) -> Result<Outcome, OnnxError> {
    let (inputs, outputs) = (tensors(folder, "input"), tensors(folder, "output"));
    // A model input without elements is not supported: a declared size of 0 means an unknown one.
    if inputs.iter().any(|t| t.dims.contains(&0) && FLOATS.contains(&t.data_type)) && !fix_floats {
        return Ok(Outcome::Unsupported("an input without elements".into()));
    }
    let (fixed, fed) = fix_inputs(model, &inputs, |t| fix_floats || !FLOATS.contains(&t.data_type));
    let fed = fed.iter().map(|t| value(t, model)).collect::<Result<Vec<_>, _>>()?;
    let graph = import(&OnnxModel::from_proto(fixed)?, &ImportOptions::default())?;
    let feeds: Vec<_> = graph.inputs.iter().cloned().zip(fed).collect();
    let results = match eval(&graph.output_exprs(), &feeds) {
        Ok(results) => results,
        Err(error) => return Ok(Outcome::Failed(error.to_string())),
    };
    for ((name, _), (result, expected)) in graph.outputs.iter().zip(results.iter().zip(&outputs)) {
        let expected = value(expected, model)?;
        if result.shape() != expected.shape() {
            return Ok(Outcome::Failed(format!("{name} has shape {}, not {}", result.shape(), expected.shape())));
        }
        for (i, (a, e)) in result.to_f64_vec().into_iter().zip(expected.to_f64_vec()).enumerate() {
            // The suite's own tolerance; float16 data are computed wider here.
            let half = outputs.iter().any(|o| o.data_type == 10 || o.data_type == 16);
            let tolerance = if half { 1e-2 } else { 1e-3 };
            let near = (a - e).abs() <= 1e-7 + tolerance * e.abs();
            if !(near || a == e || a.is_nan() && e.is_nan()) {
                return Ok(Outcome::Failed(format!("{name}[{i}] is {a}, not {e}")));
            }
        }
    }
    Ok(Outcome::Passed)
}

fn outcome(folder: &Path) -> Outcome {
    let model = read_model(folder);
    let sets = (0..).map(|i| folder.join(i.to_string())).take_while(|f| f.is_dir());
    for set in sets {
        let first = run(&model, &set, false);
        let result = if matches!(first, Err(OnnxError::Unsupported { .. })) { run(&model, &set, true) } else { first };
        match result {
            Ok(Outcome::Passed) => {}
            Ok(other) => return other,
            Err(OnnxError::Unsupported { needs, .. }) => {
                return Outcome::Unsupported(needs.iter().map(|n| format!("{n}; ")).collect());
            }
            Err(error @ (OnnxError::Tensor { .. } | OnnxError::Input { .. } | OnnxError::Version { .. })) => {
                return Outcome::Unsupported(error.to_string());
            }
            Err(error) => return Outcome::Failed(error.to_string()),
        }
    }
    Outcome::Passed
}

fn cases() -> Option<Vec<PathBuf>> {
    let Some(root) = std::env::var_os("PERTURB_ONNX_NODE_TESTS") else {
        eprintln!("skipped: PERTURB_ONNX_NODE_TESTS is not set");
        return None;
    };
    let mut cases: Vec<_> =
        std::fs::read_dir(root).unwrap().map(|e| e.unwrap().path()).filter(|p| p.is_dir()).collect();
    cases.sort();
    Some(cases)
}

fn read_model(folder: &Path) -> ModelProto {
    let mut model = ModelProto::decode(std::fs::read(folder.join("model.onnx")).unwrap().as_slice()).unwrap();
    // A model declares the set in which its operator last changed; the operator is still the same in set 8.
    model.opset_import.iter_mut().for_each(|o| o.version = o.version.max(8));
    model
}

/// Every integer of every case replaced by an extreme one, one at a time.
#[test]
fn hostile_variants_of_the_node_tests_never_panic() {
    let mut tried = 0;
    let Some(cases) = cases() else { return };
    for folder in &cases {
        let (mut original, _) =
            fix_inputs(&read_model(folder), &tensors(&folder.join("0"), "input"), |t| t.data_type == 7);
        for tensor in original.graph.iter_mut().flat_map(|g| &mut g.initializer) {
            let (chunks, _) = tensor.raw_data.as_chunks::<8>();
            tensor.int64_data = chunks.iter().map(|c| i64::from_le_bytes(*c)).collect();
            tensor.raw_data = Default::default();
        }
        for value in model::EXTREMES {
            for position in 0..64 {
                let mut changed = original.clone();
                let Some(integer) = model::integers(&mut changed).into_iter().nth(position) else { break };
                *integer = value;
                let outcome = std::panic::catch_unwind(|| drop(model::load(changed)));
                assert!(outcome.is_ok(), "{}: integer {position} = {value}", folder.display());
                tried += 1;
            }
        }
    }
    eprintln!("{tried} variants");
}

#[test]
fn every_supported_node_test_passes() {
    let Some(mut names) = cases() else { return };
    // Version 1.16 of the suite also counted the padding that `ceil_mode` adds; later ones, and ONNX Runtime, do not.
    names.retain(|p| !p.ends_with("test_averagepool_3d_dilations_large_count_include_pad_is_1_ceil_mode_is_True"));
    let (mut passed, mut unsupported, mut failed) = (0, 0, BTreeMap::new());
    for folder in &names {
        match outcome(folder) {
            Outcome::Passed => passed += 1,
            Outcome::Unsupported(reason) => {
                unsupported += 1;
                eprintln!("unsupported: {}: {reason}", folder.display());
            }
            Outcome::Failed(reason) => drop(failed.insert(folder.file_name().unwrap().to_owned(), reason)),
        }
    }
    eprintln!("{passed} passed, {unsupported} unsupported, {} failed", failed.len());
    assert!(failed.is_empty(), "{failed:#?}");
    assert!(passed > 500, "only {passed} of {} tests passed", names.len());
}
