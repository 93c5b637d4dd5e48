//! The ONNX project's own node tests, as `benches/reference/onnx_node_tests.py` puts them into the folder that
//! `PERTURB_ONNX_NODE_TESTS` names. Without it the test is skipped. What becomes of each is written to `results.jsonl` there.

mod model;

use model::stored::{tensors, value};
use perturb_engine::{Executable, Options};
use perturb_graph::{Tensor, eval};
use perturb_onnx::proto::{ModelProto, TensorProto, ValueInfoProto};
use perturb_onnx::{ImportOptions, OnnxError, OnnxModel, import};
use prost::Message;
use std::path::{Path, PathBuf};

enum Outcome {
    Passed,
    Unsupported(String),
    Failed(String),
}

/// Codes of the floating-point element types.
const FLOATS: [i32; 4] = [1, 10, 11, 16];

/// Which inputs are fed when the graph runs; the others are known when it is imported.
#[derive(Clone, Copy, PartialEq)]
enum Fed {
    All,
    Floats,
    Nothing,
}

impl Fed {
    const EACH: [(Fed, &str); 3] =
        [(Fed::All, "at run time"), (Fed::Floats, "integers known"), (Fed::Nothing, "all known")];

    fn takes(self, tensor: &TensorProto) -> bool {
        match self {
            Fed::All => true,
            Fed::Floats => FLOATS.contains(&tensor.data_type),
            Fed::Nothing => false,
        }
    }
}

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

/// Whether results are those of the suite, with its own tolerance; float16 data are computed wider here.
fn compare(name: &str, result: &Tensor, expected: &TensorProto, half: bool) -> Result<(), String> {
    let expected = value(expected).map_err(|e| e.to_string())?;
    if result.shape() != expected.shape() {
        return Err(format!("{name} has shape {}, not {}", result.shape(), expected.shape()));
    }
    let floats = [result, &expected].map(|t| t.dtype().is_float());
    if floats[0] != floats[1] {
        return Err(format!("{name} is of type {}, not {}", result.dtype(), expected.dtype()));
    }
    let tolerance = if half { 1e-2 } else { 1e-3 };
    for (i, (a, e)) in result.to_f64_vec().into_iter().zip(expected.to_f64_vec()).enumerate() {
        let near = floats[0] && (a - e).abs() <= 1e-7 + tolerance * e.abs();
        if !(near || a == e || a.is_nan() && e.is_nan()) {
            return Err(format!("{name}[{i}] is {a}, not {e}"));
        }
    }
    Ok(())
}

/// Whether two results of one graph differ by no more than rounding.
fn alike(a: &Tensor, b: &Tensor) -> bool {
    let (x, y) = (a.to_f64_vec(), b.to_f64_vec());
    let scale = x.iter().filter(|v| v.is_finite()).fold(1.0f64, |m, v| m.max(v.abs()));
    let near = |(x, y): (&f64, &f64)| x == y || x.is_nan() && y.is_nan() || (x - y).abs() <= 1e-4 * scale;
    a.shape() == b.shape() && a.dtype() == b.dtype() && x.iter().zip(&y).all(near)
}

fn is_tensor(info: &ValueInfoProto) -> bool {
    info.r#type.as_ref().is_some_and(|t| t.tensor_type.is_some())
}

/// The bits of bfloat16 values are stored as integers.
fn declared(mut tensors: Vec<TensorProto>, infos: &[ValueInfoProto]) -> Vec<TensorProto> {
    const BFLOAT16: i32 = 16;
    for (tensor, info) in tensors.iter_mut().zip(infos) {
        if info.r#type.as_ref().and_then(|t| t.tensor_type.as_ref()).is_some_and(|t| t.elem_type == BFLOAT16) {
            tensor.data_type = BFLOAT16;
        }
    }
    tensors
}

/// Runs one data set.
fn run(model: &ModelProto, folder: &Path, fed: Fed) -> Result<Outcome, OnnxError> {
    let Some(graph) = model.graph.as_ref().filter(|g| g.input.iter().chain(&g.output).all(is_tensor)) else {
        return Ok(Outcome::Unsupported("sequences and optional values".into()));
    };
    let inputs = declared(tensors(folder, "input"), &graph.input);
    let outputs = declared(tensors(folder, "output"), &graph.output);
    // A model input without elements is not supported: a declared size of 0 means an unknown one.
    if inputs.iter().any(|t| t.dims.contains(&0) && fed.takes(t)) {
        return Ok(Outcome::Unsupported("an input without elements".into()));
    }
    let (fixed, fed) = fix_inputs(model, &inputs, |t| !fed.takes(t));
    let fed = fed.iter().map(value).collect::<Result<Vec<_>, _>>()?;
    let graph = import(&OnnxModel::from_proto(fixed)?, &ImportOptions::default())?;
    // All floating-point types are one.
    let feeds: Vec<_> = graph
        .inputs
        .iter()
        .cloned()
        .zip(fed)
        .map(|(i, t)| {
            let d = i.dtype();
            (i, t.to_dtype(d))
        })
        .collect();
    let results = match eval(&graph.output_exprs(), &feeds) {
        Ok(results) => results,
        Err(error) => return Ok(Outcome::Failed(error.to_string())),
    };
    // The definitions are the standard's; the engine computes the same.
    let (inputs, values): (Vec<_>, Vec<_>) = feeds.into_iter().unzip();
    let computed = Executable::compile(&graph.output_exprs(), &inputs, &Options::default())
        .and_then(|executable| executable.run(&values.iter().collect::<Vec<_>>()));
    match computed {
        Ok(computed) => {
            let same = |(a, b): (&Tensor, &Tensor)| alike(a, b);
            if !results.iter().zip(&computed).all(same) {
                return Ok(Outcome::Failed("the engine computes something else".into()));
            }
        }
        Err(error) => return Ok(Outcome::Failed(error.to_string())),
    }
    let half = outputs.iter().any(|o| o.data_type == 10 || o.data_type == 16);
    for ((name, _), (result, expected)) in graph.outputs.iter().zip(results.iter().zip(&outputs)) {
        if let Err(difference) = compare(name, result, expected, half) {
            return Ok(Outcome::Failed(difference));
        }
    }
    Ok(Outcome::Passed)
}

/// What becomes of all data sets of a case when these inputs are fed.
fn outcome(model: &ModelProto, folder: &Path, fed: Fed) -> Outcome {
    let sets = (0..).map(|i| folder.join(i.to_string())).take_while(|f| f.is_dir());
    for set in sets {
        match run(model, &set, fed) {
            Ok(Outcome::Passed) => {}
            Ok(other) => return other,
            Err(OnnxError::Unsupported { needs, .. }) => {
                let mut reasons: Vec<String> = needs.into_iter().map(|n| n.reason).collect();
                reasons.dedup();
                return Outcome::Unsupported(reasons.join("; "));
            }
            Err(OnnxError::Tensor { reason, .. } | OnnxError::Input { reason, .. }) => {
                return Outcome::Unsupported(reason);
            }
            Err(error @ OnnxError::Version { .. }) => return Outcome::Unsupported(error.to_string()),
            Err(error) => return Outcome::Failed(error.to_string()),
        }
    }
    Outcome::Passed
}

/// One line of `results.jsonl`: what became of a case, with as much fed at run time as is supported.
fn result(folder: &Path) -> serde_json::Value {
    let model = read_model(folder);
    let graph = model.graph.as_ref().unwrap();
    let mut ops: Vec<&str> = graph.node.iter().map(|n| n.op_type.as_str()).filter(|op| *op != "Constant").collect();
    ops.sort_unstable();
    ops.dedup();
    let name = folder.file_name().unwrap().to_string_lossy();
    let (case, set) = name.rsplit_once('.').unwrap();
    let mut inputs = "";
    let mut first = Outcome::Passed;
    for (fed, how) in Fed::EACH {
        inputs = how;
        match outcome(&model, folder, fed) {
            Outcome::Unsupported(reason) if fed == Fed::All => first = Outcome::Unsupported(reason),
            Outcome::Unsupported(_) => {}
            ran => {
                first = ran;
                break;
            }
        }
    }
    let (outcome, reason) = match first {
        Outcome::Passed => ("passed", String::new()),
        Outcome::Failed(reason) => ("failed", reason),
        Outcome::Unsupported(reason) => ("skipped", reason),
    };
    let opset: i64 = set.parse().unwrap();
    serde_json::json!({"case": case, "opset": opset, "ops": ops, "outcome": outcome, "inputs": inputs, "reason": reason})
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

/// Tests that ask for something else than the standard, or than what the suite asked for in another release.
const DISPUTED: [(&str, i64); 5] = [
    // Version 1.16 of the suite also counted the padding that `ceil_mode` adds; later ones, and ONNX Runtime, do not.
    ("test_averagepool_3d_dilations_large_count_include_pad_is_1_ceil_mode_is_True", 19),
    // Their second input has another shape than their models declare.
    ("test_castlike_BFLOAT16_to_FLOAT", 15),
    ("test_castlike_BFLOAT16_to_FLOAT_expanded", 15),
    ("test_castlike_FLOAT_to_BFLOAT16", 15),
    ("test_castlike_FLOAT_to_BFLOAT16_expanded", 15),
];

#[test]
fn every_supported_node_test_passes() {
    let Some(folders) = cases() else { return };
    let mut results: Vec<serde_json::Value> = folders.iter().map(|f| result(f)).collect();
    results.retain(|r| !DISPUTED.iter().any(|(case, set)| r["case"] == *case && r["opset"] == *set));
    let lines: String = results.iter().map(|r| format!("{r}\n")).collect();
    std::fs::write(folders[0].with_file_name("results.jsonl"), lines).unwrap();
    let of = |outcome: &str| results.iter().filter(|r| r["outcome"] == outcome).collect::<Vec<_>>();
    let (passed, failed) = (of("passed").len(), of("failed"));
    eprintln!("{passed} passed, {} unsupported, {} failed", of("skipped").len(), failed.len());
    for failure in &failed {
        eprintln!("{failure}");
    }
    assert!(failed.is_empty());
    assert!(passed > 500, "only {passed} of {} tests passed", results.len());
}
