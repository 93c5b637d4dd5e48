//! Damaged and hostile files give errors that say what is wrong, and never a panic.

mod model;

use model::{EXTREMES, floats, indices, info, int, integers, ints, load, model, node};
use perturb_onnx::proto::{ModelProto, StringStringEntryProto, TensorProto};
use perturb_onnx::{ImportOptions, OnnxError, OnnxModel, import};
use prost::Message;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::io::Write;

/// A small convolutional network with some shape arithmetic.
fn network() -> ModelProto {
    let nodes = vec![
        node("Conv", &["x", "k", "b"], &["c"], vec![ints("pads", &[1, 1, 1, 1]), ints("strides", &[2, 2])]),
        node("Relu", &["c"], &["r"], vec![]),
        node("MaxPool", &["r"], &["p"], vec![ints("kernel_shape", &[2, 2]), int("ceil_mode", 1)]),
        node("Shape", &["p"], &["s"], vec![]),
        node("Slice", &["s", "zero", "one"], &["n"], vec![]),
        node("Concat", &["n", "rest"], &["t"], vec![int("axis", 0)]),
        node("Reshape", &["p", "t"], &["f"], vec![]),
        node("Gemm", &["f", "w"], &["y"], vec![int("transB", 1)]),
    ];
    let weights = vec![
        floats("k", &[2, 1, 3, 3], &[0.25; 18]),
        floats("b", &[2], &[0.5, -0.5]),
        floats("w", &[3, 18], &[0.125; 54]),
        indices("zero", &[0]),
        indices("one", &[1]),
        indices("rest", &[-1]),
    ];
    model(13, &[1, 1, 8, 8], nodes, weights)
}

fn message<T>(result: Result<T, OnnxError>) -> String {
    match result {
        Ok(_) => panic!("the model was accepted"),
        Err(error) => error.to_string(),
    }
}

fn import_bytes(bytes: Vec<u8>) -> Result<perturb_graph::Graph, OnnxError> {
    import(&OnnxModel::from_bytes(bytes)?, &ImportOptions::default())
}

#[test]
fn truncated_files() {
    let bytes = network().encode_to_vec();
    assert!(import_bytes(bytes.clone()).is_ok());
    load(sequence_network()).unwrap();
    for sixteenth in 0..16 {
        let error = message(import_bytes(bytes[..bytes.len() * sixteenth / 16].to_vec()));
        assert!(error.contains("not an ONNX file"), "{error}");
    }
}

#[test]
fn files_of_another_kind() {
    let folder = tempfile::tempdir().unwrap();
    let read = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        std::fs::File::create(&path).unwrap().write_all(content).unwrap();
        message(OnnxModel::read(path))
    };
    assert!(read("empty.onnx", b"").contains("is empty"));
    assert!(read("text.onnx", b"hello, this is a text file\n").contains("look like text"));
    assert!(read("pointer.onnx", b"version https://git-lfs.github.com/spec/v1\n").contains("git lfs pull"));
    assert!(read("archive.onnx", b"PK\x03\x04rest").contains("torch.onnx.export"));
    assert!(read("broken.onnx.gz", b"no gzip data").contains("cannot read"));
    assert!(message(OnnxModel::read(folder.path().join("missing.onnx"))).contains("missing.onnx"));
    assert!(message(OnnxModel::read(folder.path())).contains("folder"));
}

#[test]
fn compressed_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.onnx.gz");
    let mut encoder = flate2::write::GzEncoder::new(std::fs::File::create(&path).unwrap(), flate2::Compression::fast());
    encoder.write_all(&network().encode_to_vec()).unwrap();
    encoder.finish().unwrap();
    assert_eq!(OnnxModel::read(path).unwrap().proto(), &network());
}

#[test]
fn random_and_damaged_bytes_never_panic() {
    let valid = network().encode_to_vec();
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut accepted = 0;
    for _ in 0..1000 {
        let mut noise = vec![0; rng.random_range(1..400)];
        rng.fill_bytes(&mut noise);
        assert!(import_bytes(noise).is_err());
        let mut damaged = valid.clone();
        for _ in 0..rng.random_range(1..4) {
            let at = rng.random_range(0..damaged.len());
            damaged[at] = rng.random();
        }
        accepted += usize::from(import_bytes(damaged).is_ok());
    }
    // Damage inside weights is not noticed; damage elsewhere is.
    assert!((1..1000).contains(&accepted), "{accepted}");
}

/// Token ids, gathers with run-time indices, a recurrent layer, sorting and resizing.
fn sequence_network() -> ModelProto {
    let nodes = vec![
        node("Cast", &["x"], &["ids"], vec![int("to", 7)]),
        node("Gather", &["table", "ids"], &["e"], vec![]),
        node("Transpose", &["e"], &["s"], vec![ints("perm", &[1, 0, 2])]),
        node("GRU", &["s", "w", "r"], &["h", "last"], vec![int("hidden_size", 2)]),
        node("Squeeze", &["last", "zero"], &["l"], vec![]),
        node("TopK", &["l", "one", ""], &["t", "i"], vec![]),
        node("GatherElements", &["l", "i"], &["g"], vec![int("axis", 1)]),
        node("ScatterElements", &["l", "i", "g"], &["c"], vec![int("axis", 1)]),
        node("Einsum", &["c", "c"], &["q"], vec![model::text("equation", "bi,bj->bij")]),
        node("Unsqueeze", &["q", "zero"], &["u"], vec![]),
        node("Resize", &["u", "", "", "sizes"], &["y"], vec![model::text("mode", "cubic")]),
    ];
    let weights = vec![
        floats("table", &[5, 3], &[0.5; 15]),
        floats("w", &[1, 6, 3], &[0.25; 18]),
        floats("r", &[1, 6, 2], &[0.125; 12]),
        indices("zero", &[0]),
        indices("one", &[1]),
        indices("sizes", &[1, 1, 3, 5]),
    ];
    model(17, &[1, 4], nodes, weights)
}

/// A few bytes of valid models replaced, inserted, removed or repeated.
#[test]
fn mutants_never_panic() {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let originals = [network(), sequence_network()].map(|m| m.encode_to_vec());
    let mut accepted = 0;
    for i in 0..4000 {
        let mut bytes = originals[i % 2].clone();
        for _ in 0..rng.random_range(1..=3) {
            let at = rng.random_range(0..bytes.len());
            match rng.random_range(0..5) {
                0 => bytes[at] ^= 1 << rng.random_range(0..8),
                1 => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][rng.random_range(0..5)],
                2 => bytes.insert(at, rng.random()),
                3 => drop(bytes.remove(at)),
                _ => {
                    let end = (at + rng.random_range(1..30)).min(bytes.len());
                    let part = bytes[at..end].to_vec();
                    bytes.splice(at..at, part);
                }
            }
        }
        let outcome = std::panic::catch_unwind(|| import_bytes(bytes).is_ok());
        accepted += usize::from(outcome.unwrap_or_else(|_| panic!("mutant {i} makes the importer panic")));
    }
    // Damage inside weights and names of nodes is not noticed; damage elsewhere is.
    assert!((1..4000).contains(&accepted), "{accepted}");
}

/// Every integer of the model's attributes and constants replaced by an extreme one, one at a time.
#[test]
fn extreme_integers_never_panic() {
    let mut tried = 0;
    for (value, original) in EXTREMES.into_iter().flat_map(|v| [(v, network()), (v, sequence_network())]) {
        for position in 0.. {
            let mut changed = original.clone();
            let Some(integer) = integers(&mut changed).into_iter().nth(position) else { break };
            *integer = value;
            drop(load(changed));
            tried += 1;
        }
    }
    assert!(tried > 200, "{tried}");
}

#[test]
fn versions() {
    let mut newer = network();
    newer.opset_import[0].version = 99;
    assert!(message(load(newer.clone())).contains("operator set version 99; supported are 8 to 21"));
    newer.opset_import.clear();
    assert!(message(load(newer)).contains("operator set version 1;"));
    let mut format = network();
    format.ir_version = 0;
    assert!(message(load(format)).contains("IR version 0"));
}

#[test]
fn unsupported_operators_are_all_named() {
    let mut foreign = node("Attention", &["r"], &["y"], vec![]);
    foreign.domain = "com.microsoft".into();
    let nodes = vec![
        node("NonZero", &["x"], &["n"], vec![]),
        node("Loop", &["n"], &["m"], vec![]),
        node("Loop", &["m"], &["l"], vec![]),
        node("Relu", &["l"], &["r"], vec![]),
        foreign,
    ];
    let result = load(model(13, &[2], nodes, vec![]));
    let Err(OnnxError::Unsupported { needs, required, supported }) = &result else { panic!("{result:?}") };
    let found: Vec<_> = needs.iter().map(|n| (n.op.as_str(), n.domain.as_str(), n.count)).collect();
    assert_eq!(found, [("NonZero", "", 1), ("Loop", "", 2), ("Attention", "com.microsoft", 1)]);
    assert_eq!(required.as_slice(), ["Loop ×2", "NonZero ×1", "Relu ×1", "com.microsoft.Attention ×1"]);
    assert!(supported.contains(&"Conv"));
    assert!(message(result).contains("#0, which computes n"));
}

#[test]
fn declared_sizes_are_not_believed() {
    let huge = TensorProto { name: "w".into(), dims: vec![1 << 20, 1 << 18], data_type: 1, ..Default::default() };
    let add = || vec![node("Add", &["x", "w"], &["y"], vec![])];
    assert!(message(load(model(13, &[2], add(), vec![huge.clone()]))).contains("more than the limit"));
    let overflow = TensorProto { dims: vec![1 << 40, 1 << 40, 0], ..huge.clone() };
    assert!(message(load(model(13, &[2], add(), vec![overflow]))).contains("more than the limit"));
    let short = TensorProto { dims: vec![1 << 20], ..huge.clone() };
    assert!(message(load(model(13, &[2], add(), vec![short]))).contains("float_data holds 0"));
    let ragged = TensorProto { dims: vec![2], raw_data: vec![0; 7].into(), ..huge };
    assert!(message(load(model(13, &[2], add(), vec![ragged]))).contains("needs 8 bytes of raw data, but 7"));
    let relu = || vec![node("Relu", &["x"], &["y"], vec![])];
    assert!(message(load(model(13, &[1 << 20, 1 << 20], relu(), vec![]))).contains("more than the limit"));
    let fill = vec![node("ConstantOfShape", &["s"], &["c"], vec![]), node("Add", &["x", "c"], &["y"], vec![])];
    assert!(message(load(model(13, &[1], fill, vec![indices("s", &[1 << 20, 1 << 20])]))).contains("more than"));
}

#[test]
fn malformed_graphs() {
    let graph = |nodes| message(load(model(13, &[2], nodes, vec![floats("w", &[2], &[1.0, 2.0])])));
    let cycle = vec![node("Add", &["x", "b"], &["a"], vec![]), node("Relu", &["a"], &["b"], vec![])];
    assert!(graph(cycle).contains("cycle"));
    let twice = vec![node("Relu", &["x"], &["y"], vec![]), node("Relu", &["x"], &["y"], vec![])];
    assert!(graph(twice).contains("exists already"));
    assert!(graph(vec![node("Relu", &["x"], &["w"], vec![])]).contains("exists already"));
    assert!(graph(vec![node("Relu", &["nowhere"], &["y"], vec![])]).contains("\"nowhere\""));
    assert!(graph(vec![node("Relu", &["x"], &["z"], vec![])]).contains("nothing computes output \"y\""));
    assert!(graph(vec![node("Relu", &[], &["y"], vec![])]).contains("operand 0 is missing"));
    let mismatch = graph(vec![
        node("MatMul", &["x", "three"], &["y"], vec![]),
        node("Concat", &["x", "w", "w"], &["three"], vec![]),
    ]);
    assert!(mismatch.contains("MatMul, operands [2], [6]"), "{mismatch}");
    let mut repeated = model(13, &[2], vec![node("Relu", &["x"], &["y"], vec![])], vec![]);
    repeated.graph.as_mut().unwrap().input.push(info("x", &[2]));
    assert!(message(load(repeated)).contains("two inputs"));
}

#[test]
fn nodes_in_any_order_are_accepted() {
    let nodes = vec![node("Neg", &["r"], &["y"], vec![]), node("Relu", &["x"], &["r"], vec![])];
    assert_eq!(model::run(model(13, &[2], nodes, vec![]), &[-1.0, 3.0]).1, [0.0, -3.0]);
}

#[test]
fn external_data() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("model");
    std::fs::create_dir(&inner).unwrap();
    std::fs::write(folder.path().join("secret"), [0u8; 8]).unwrap();
    std::fs::write(inner.join("weights"), [1.5f32.to_le_bytes(), 2.5f32.to_le_bytes(), 4.0f32.to_le_bytes()].concat())
        .unwrap();
    let load_from = |entries: &[(&str, &str)]| {
        let external_data =
            entries.iter().map(|(k, v)| StringStringEntryProto { key: k.to_string(), value: v.to_string() }).collect();
        let tensor = TensorProto {
            name: "w".into(),
            dims: vec![2],
            data_type: 1,
            data_location: 1,
            external_data,
            ..Default::default()
        };
        let built = model(13, &[2], vec![node("Add", &["x", "w"], &["y"], vec![])], vec![tensor]);
        std::fs::write(inner.join("net.onnx"), built.encode_to_vec()).unwrap();
        import(&OnnxModel::read(inner.join("net.onnx"))?, &ImportOptions::default())
    };
    let graph = load_from(&[("location", "weights"), ("offset", "4"), ("length", "8")]).unwrap();
    assert_eq!(graph.params()[0].value().unwrap().to_f64_vec(), [2.5, 4.0]);
    for path in ["../secret", "/etc/passwd", "a/../../secret"] {
        assert!(message(load_from(&[("location", path)])).contains("outside the model's folder"), "{path}");
    }
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(folder.path().join("secret"), inner.join("link")).unwrap();
        assert!(message(load_from(&[("location", "link")])).contains("outside the model's folder"));
    }
    assert!(message(load_from(&[("location", "weights"), ("offset", "8")])).contains("holds 12 bytes"));
    assert!(message(load_from(&[("location", "absent")])).contains("must lie beside the model"));
    assert!(message(load_from(&[("location", "weights"), ("length", "4")])).contains("needs 8 bytes"));
    assert!(message(load_from(&[])).contains("no location"));
}
