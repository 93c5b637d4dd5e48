//! Operators in the forms that the ONNX project's node tests (operator set 21) no longer show: attributes of older
//! sets, and shape arithmetic. Expected values are worked out by hand.

mod model;

use model::{float, floats, indices, info, int, ints, load, model, node, run, text};
use perturb_graph::{DType, Expr};
use perturb_onnx::proto::TensorProto;
use perturb_onnx::{ImportOptions, OnnxModel, import};

const ONE_TO_SIX: [f64; 6] = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];

fn near(actual: &[f64], expected: &[f64]) {
    assert_eq!(actual.len(), expected.len());
    for (a, e) in actual.iter().zip(expected) {
        assert!((a - e).abs() <= 1e-9 * e.abs().max(1.0), "{actual:?} is not {expected:?}");
    }
}

#[test]
fn softmax_of_old_sets_flattens() {
    // [1, 2, 3] with axis 1 is one distribution over six elements, not two over three.
    let softmax =
        |opset, axis| model(opset, &[1, 2, 3], vec![node("Softmax", &["x"], &["y"], vec![int("axis", axis)])], vec![]);
    let total: f64 = ONE_TO_SIX.iter().map(|v| v.exp()).sum();
    let flat: Vec<f64> = ONE_TO_SIX.iter().map(|v| v.exp() / total).collect();
    near(&run(softmax(11, 1), &ONE_TO_SIX).1, &flat);
    // From set 13 on, axis 1 pairs elements that differ by 3: e³/(1 + e³) each.
    let (low, high) = (1.0 / (1.0 + 3f64.exp()), 1.0 / (1.0 + (-3f64).exp()));
    near(&run(softmax(13, 1), &ONE_TO_SIX).1, &[low, low, low, high, high, high]);
    let plain = |opset| model(opset, &[1, 2, 3], vec![node("LogSoftmax", &["x"], &["y"], vec![])], vec![]);
    near(&run(plain(9), &ONE_TO_SIX).1, &flat.iter().map(|p| p.ln()).collect::<Vec<_>>());
}

#[test]
fn attributes_of_old_sets() {
    let clip = node("Clip", &["x"], &["y"], vec![float("min", 2.0), float("max", 4.5)]);
    near(&run(model(8, &[6], vec![clip], vec![]), &ONE_TO_SIX).1, &[2.0, 2.0, 3.0, 4.0, 4.5, 4.5]);
    let slice =
        node("Slice", &["x"], &["y"], vec![ints("starts", &[1, -2]), ints("ends", &[2, 1000]), ints("axes", &[0, 1])]);
    assert_eq!(run(model(9, &[2, 3], vec![slice], vec![]), &ONE_TO_SIX), (vec![1, 2], vec![5.0, 6.0]));
    let squeeze = [
        node("Unsqueeze", &["x"], &["u"], vec![ints("axes", &[0, 3])]),
        node("Squeeze", &["u"], &["y"], vec![ints("axes", &[3])]),
    ];
    assert_eq!(run(model(11, &[2, 3], squeeze.to_vec(), vec![]), &ONE_TO_SIX).0, [1, 2, 3]);
    let pad = node("Pad", &["x"], &["y"], vec![ints("pads", &[0, 1, 0, -1]), float("value", 9.0)]);
    assert_eq!(
        run(model(8, &[2, 3], vec![pad], vec![]), &ONE_TO_SIX),
        (vec![2, 3], vec![9.0, 1.0, 2.0, 9.0, 4.0, 5.0])
    );
    let mut scales = ints("scales", &[]);
    (scales.floats, scales.r#type) = (vec![1.0, 2.0], 6);
    let upsample = node("Upsample", &["x"], &["y"], vec![scales, text("mode", "nearest")]);
    let doubled = [1.0, 1.0, 2.0, 2.0, 3.0, 3.0, 4.0, 4.0, 5.0, 5.0, 6.0, 6.0];
    assert_eq!(run(model(8, &[2, 3], vec![upsample], vec![]), &ONE_TO_SIX), (vec![2, 6], doubled.to_vec()));
    let sum = node("ReduceSum", &["x"], &["y"], vec![ints("axes", &[-1]), int("keepdims", 0)]);
    assert_eq!(run(model(11, &[2, 3], vec![sum], vec![]), &ONE_TO_SIX), (vec![2], vec![6.0, 15.0]));
}

#[test]
fn slices_with_negative_steps() {
    let slice = |starts: &[i64], ends: &[i64], steps: &[i64]| {
        let operands = vec![indices("s", starts), indices("e", ends), indices("a", &[1]), indices("t", steps)];
        model(13, &[1, 6], vec![node("Slice", &["x", "s", "e", "a", "t"], &["y"], vec![])], operands)
    };
    assert_eq!(run(slice(&[-1], &[i64::MIN], &[-2]), &ONE_TO_SIX).1, [6.0, 4.0, 2.0]);
    assert_eq!(run(slice(&[4], &[0], &[-1]), &ONE_TO_SIX).1, [5.0, 4.0, 3.0, 2.0]);
    assert_eq!(run(slice(&[100], &[-7], &[-5]), &ONE_TO_SIX).1, [6.0, 1.0]);
}

#[test]
fn padding_of_every_kind() {
    let pad = |mode: &str, pads: &[i64]| {
        let node = node("Pad", &["x", "p", "", "a"], &["y"], vec![text("mode", mode)]);
        model(19, &[1, 4], vec![node], vec![indices("p", pads), indices("a", &[1])])
    };
    let x = [1.0, 2.0, 3.0, 4.0];
    assert_eq!(run(pad("reflect", &[2, 1]), &x).1, [3.0, 2.0, 1.0, 2.0, 3.0, 4.0, 3.0]);
    assert_eq!(run(pad("edge", &[1, 2]), &x).1, [1.0, 1.0, 2.0, 3.0, 4.0, 4.0, 4.0]);
    assert_eq!(run(pad("wrap", &[1, 2]), &x).1, [4.0, 1.0, 2.0, 3.0, 4.0, 1.0, 2.0]);
    assert_eq!(run(pad("constant", &[0, 1]), &x).1, [1.0, 2.0, 3.0, 4.0, 0.0]);
}

#[test]
fn the_shape_arithmetic_of_exporters_is_folded() {
    // x.view(x.size(0), -1, x.size(1) // 2), as torch.onnx writes it.
    let mut zero = indices("zero", &[0]);
    zero.dims.clear();
    let mut one = indices("one", &[1]);
    one.dims.clear();
    let mut two = indices("two", &[2]);
    two.dims.clear();
    let nodes = vec![
        node("Shape", &["x"], &["shape"], vec![]),
        node("Gather", &["shape", "zero"], &["n"], vec![]),
        node("Gather", &["shape", "one"], &["c"], vec![]),
        node("Div", &["c", "two"], &["half"], vec![]),
        node("Unsqueeze", &["n", "axes"], &["n1"], vec![]),
        node("Unsqueeze", &["half", "axes"], &["half1"], vec![]),
        node("Concat", &["n1", "rest", "half1"], &["target"], vec![int("axis", 0)]),
        node("Reshape", &["x", "target"], &["y"], vec![]),
    ];
    let constants = vec![zero, one, two, indices("axes", &[0]), indices("rest", &[-1])];
    assert_eq!(run(model(13, &[-1, 6], nodes, constants), &ONE_TO_SIX), (vec![1, 2, 3], ONE_TO_SIX.to_vec()));
}

#[test]
fn products_and_normalisation() {
    let gemm = node("Gemm", &["x", "w", "b"], &["y"], vec![float("alpha", 2.0), float("beta", 0.5), int("transA", 1)]);
    let weights = vec![floats("w", &[2, 1], &[1.0, -1.0]), floats("b", &[1], &[4.0])];
    // 2·xᵀw + 2 for x = [[1, 2, 3], [4, 5, 6]].
    assert_eq!(run(model(9, &[2, 3], vec![gemm], weights), &ONE_TO_SIX), (vec![3, 1], vec![-4.0; 3]));
    let equation = node("Einsum", &["x", "w"], &["y"], vec![text("equation", "bij, jk -> kbi")]);
    let weights = vec![floats("w", &[3, 2], &[1.0, 0.0, 1.0, 0.0, 1.0, 2.0])];
    assert_eq!(
        run(model(12, &[1, 2, 3], vec![equation], weights), &ONE_TO_SIX),
        (vec![2, 1, 2], vec![6.0, 15.0, 6.0, 12.0])
    );
    let norm = node("BatchNormalization", &["x", "g", "b", "m", "v"], &["y"], vec![float("epsilon", 0.25)]);
    let moments = vec![
        floats("g", &[2], &[2.0, 4.0]),
        floats("b", &[2], &[1.0, 0.0]),
        floats("m", &[2], &[2.0, 5.0]),
        floats("v", &[2], &[0.75, 3.75]),
    ];
    near(&run(model(9, &[1, 2, 3], vec![norm], moments), &ONE_TO_SIX).1, &[-1.0, 1.0, 3.0, -2.0, 0.0, 2.0]);
}

#[test]
fn rounding_up_the_number_of_windows() {
    // Windows of 2 with stride 2 over 5 elements: the third holds one element.
    let pool = |op: &str, more: Vec<_>| {
        let attributes = [vec![ints("kernel_shape", &[2]), ints("strides", &[2]), int("ceil_mode", 1)], more].concat();
        model(19, &[1, 1, 5], vec![node(op, &["x"], &["y"], attributes)], vec![])
    };
    assert_eq!(run(pool("AveragePool", vec![int("count_include_pad", 1)]), &ONE_TO_SIX[..5]).1, [1.5, 3.5, 5.0]);
    assert_eq!(run(pool("MaxPool", vec![]), &ONE_TO_SIX[..5]).1, [2.0, 4.0, 5.0]);
    // Padded by one at both ends; declared padding counts, the one that rounding adds does not exist here.
    let padded = run(pool("AveragePool", vec![int("count_include_pad", 1), ints("pads", &[1, 0])]), &ONE_TO_SIX[..5]);
    assert_eq!(padded.1, [0.5, 2.5, 4.5]);
}

#[test]
fn every_storage_form_of_a_tensor() {
    let stored = |data_type: i32, raw: &[u8], int32_data: Vec<i32>| TensorProto {
        name: "w".into(),
        dims: vec![2],
        data_type,
        raw_data: raw.to_vec().into(),
        int32_data,
        ..Default::default()
    };
    // 1.5 and −2 as float16 and bfloat16.
    for (data_type, bits) in [(10, [0x3e00, 0xc000]), (16, [0x3fc0, 0xc000])] {
        let raw: Vec<u8> = bits.iter().flat_map(|b: &i32| (*b as u16).to_le_bytes()).collect();
        for tensor in [stored(data_type, &raw, vec![]), stored(data_type, &[], bits.to_vec())] {
            let add = node("Add", &["x", "w"], &["y"], vec![]);
            assert_eq!(run(model(14, &[2], vec![add], vec![tensor]), &[0.0, 1.0]).1, [1.5, -1.0]);
        }
    }
    for (data_type, raw) in
        [(2, vec![200u8, 3]), (3, vec![200, 3]), (6, [(-56i32).to_le_bytes(), 3i32.to_le_bytes()].concat())]
    {
        let nodes = vec![node("Cast", &["w"], &["f"], vec![int("to", 1)]), node("Add", &["x", "f"], &["y"], vec![])];
        let expected = if data_type == 2 { 200.0 } else { -56.0 };
        assert_eq!(run(model(14, &[2], nodes, vec![stored(data_type, &raw, vec![])]), &[0.0, 0.0]).1, [expected, 3.0]);
    }
}

#[test]
fn old_files_list_initializers_as_inputs() {
    let mut old = model(8, &[2], vec![node("Mul", &["x", "w"], &["y"], vec![])], vec![floats("w", &[2], &[2.0, 3.0])]);
    old.ir_version = 3;
    old.graph.as_mut().unwrap().input.insert(0, info("w", &[2]));
    let graph = load(old.clone()).unwrap();
    assert_eq!(graph.inputs.iter().map(|i| i.name()).collect::<Vec<_>>(), [Some("x")]);
    assert_eq!(graph.params().iter().map(Expr::name).collect::<Vec<_>>(), [Some("w")]);
    assert_eq!(run(old, &[5.0, 7.0]).1, [10.0, 21.0]);
}

#[test]
fn symbolic_dimensions() {
    let symbolic =
        OnnxModel::from_proto(model(13, &[-1, 3], vec![node("Relu", &["x"], &["y"], vec![])], vec![])).unwrap();
    let shape = |options: ImportOptions| import(&symbolic, &options).map(|g| g.inputs[0].shape().to_vec());
    assert_eq!(shape(ImportOptions::default()).unwrap(), [1, 3]);
    let with = |name: &str| ImportOptions { dtype: DType::F64, dims: [(name.to_string(), 7)].into() };
    assert_eq!(shape(with("batch")).unwrap(), [7, 3]);
    assert!(shape(with("Batch")).unwrap_err().to_string().contains("it has batch"));
}
