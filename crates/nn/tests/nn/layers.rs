//! Layers against PyTorch 2.15, whose numbers are given, with the same weights: parameter k of a layer is
//! `wave(shape, k)`, from 1 on in the order of PyTorch's modules, and inputs are `wave(shape, 0)`.

use crate::{assert_close, tensor};
use perturb_graph::{Conv, DType, Expr, Tensor, eval};
use perturb_nn::{
    Attention, Cell, Edges, Init, Initializer, Key, Layers, Parameters, Pooling, fourier_features, pool, rotary,
    sinusoidal_features, sinusoidal_positions,
};

/// `0.5·sin(0.7·i + k)`: `0.5*torch.sin(0.7*torch.arange(n)+k)`.
pub fn wave(shape: &[usize], k: usize) -> Tensor {
    let n: usize = shape.iter().product();
    tensor(shape, &(0..n).map(|i| 0.5 * (0.7 * i as f64 + k as f64).sin()).collect::<Vec<_>>())
}

fn x(shape: &[usize]) -> Expr {
    Expr::constant(wave(shape, 0))
}

fn layers() -> Layers {
    Layers::new(Initializer::he(0)).dtype(DType::F64)
}

/// The values of `outputs` with waves for the parameters that are no running statistics.
fn values(layers: &Layers, outputs: &[Expr]) -> Vec<Vec<f64>> {
    let trained = layers.parameters().into_iter().filter(|p| !p.name().unwrap().contains("running"));
    let filled = trained.enumerate().map(|(k, p)| (p.name().unwrap().to_string(), wave(p.shape(), k + 1)));
    let bound = filled.collect::<Parameters>().bind_exprs(outputs).unwrap();
    eval(&bound, &[]).unwrap().iter().map(Tensor::to_f64_vec).collect()
}

#[track_caller]
fn check(layers: &Layers, output: &Expr, expected: &[f64]) {
    assert_close(&values(layers, std::slice::from_ref(output))[0], expected, 1e-10);
}

fn padded(stride: usize) -> Conv {
    Conv { padding: vec![(1, 1); 2], ..Conv::default() }.stride(stride)
}

#[test]
fn linear() {
    let layers = layers();
    let y = layers.linear(&x(&[2, 3]), 2);
    check(&layers, &y, &[0.780769468312, -0.125679176366, 0.660053823817, 0.257147151136]);
}

#[test]
fn convolutions_of_images() {
    let (strided, grouped) = (layers(), layers());
    let y = strided.conv2d(&x(&[1, 2, 4, 4]), 2, 3, padded(2));
    check(
        &strided,
        &y,
        &[
            0.523707294727,
            -0.234737557109,
            1.299237937888,
            -0.448814244843,
            0.303303460754,
            -0.498161963808,
            1.087112020117,
            -0.667971920893,
        ],
    );
    let y = grouped.conv2d(&x(&[1, 2, 4, 4]), 4, 3, Conv { groups: 2, ..Conv::default() });
    check(
        &grouped,
        &y,
        &[
            1.23992889541,
            1.361857011055,
            -0.125833919273,
            -0.447675177829,
            0.997433888551,
            1.130806841559,
            -0.359581844201,
            -0.693230459482,
            -0.468585397401,
            0.171561206511,
            0.48454911553,
            -0.113538754737,
            -0.766923846007,
            -0.121821888372,
            0.219672638033,
            -0.379539919681,
        ],
    );
}

#[test]
fn convolution_of_sequences() {
    let layers = layers();
    let conv = Conv { padding: vec![(1, 1)], ..Conv::default() };
    let y = layers.conv1d(&x(&[1, 2, 5]), 2, 3, conv);
    check(
        &layers,
        &y,
        &[
            0.830090308718,
            1.150537401549,
            1.275737536418,
            1.014766767961,
            0.710155061816,
            0.032645504815,
            -0.222761320054,
            -0.48640412389,
            -0.420781750152,
            -0.138327030206,
        ],
    );
}

#[test]
fn transposed_convolution() {
    let layers = layers();
    let y = layers.conv_transpose(&x(&[1, 2, 2, 2]), 1, &[2, 2], Conv::default().stride(2));
    check(
        &layers,
        &y,
        &[
            0.403407427652,
            0.372783461953,
            0.643828707809,
            0.700086008549,
            0.380662003196,
            0.423337650328,
            0.640910314323,
            0.494132878771,
            0.795275680582,
            0.911955560178,
            0.786520468253,
            0.908746556157,
            0.813556884124,
            0.546358087289,
            0.817403333144,
            0.555450944274,
        ],
    );
}

#[test]
fn batch_norm() {
    let layers = layers();
    let x = x(&[2, 2, 1, 2]);
    let trained = layers.training(Key::constant(0, 0)).batch_norm(&x);
    check(
        &layers,
        &trained,
        &[
            0.276667524264,
            1.006486141703,
            0.741201908143,
            0.675855562374,
            0.656167487473,
            -0.120726299788,
            -0.251512996049,
            -0.310784714,
        ],
    );
    let moved = layers.take_updates();
    let statistics = values(&layers, &[moved[0].1.clone(), moved[1].1.clone()]);
    assert_close(&statistics[0], &[0.007855282621, -6.7116105e-05], 1e-10);
    assert_close(&statistics[1], &[0.90459628015, 0.928675765307], 1e-10);
    // Evaluation after that one step of training.
    let evaluated = perturb_graph::substitute(&[layers.batch_norm(&x)], &moved).unwrap().remove(0);
    check(
        &layers,
        &evaluated,
        &[
            0.451173822579,
            0.593663039343,
            0.46724024935,
            0.435792820096,
            0.525267098946,
            0.373586962799,
            -0.010496207864,
            -0.039020268929,
        ],
    );
}

#[test]
fn norms_of_each_example() {
    let (layer, rms, group, instance) = (layers(), layers(), layers(), layers());
    let y = layer.layer_norm(&x(&[2, 3]));
    check(
        &layer,
        &y,
        &[-0.104644053259, 0.336232804939, 0.237714415381, 0.946233104534, 0.266079076796, -0.558058135357],
    );
    let y = rms.rms_norm(&x(&[2, 3]));
    check(&rms, &y, &[0.0, 0.469902521037, 0.489605608106, 0.635270228182, 0.29053439916, -0.207225746865]);
    let y = group.group_norm(&x(&[1, 4, 2]), 2);
    check(
        &group,
        &y,
        &[
            -0.235253735494,
            0.477894002781,
            0.686250723662,
            0.52677769073,
            0.39229350153,
            -0.052155001866,
            -0.425261414705,
            -0.429684982191,
        ],
    );
    let y = instance.instance_norm(&x(&[1, 2, 3]));
    check(
        &instance,
        &y,
        &[-0.104644053259, 0.558631696429, 0.909958497069, 0.793017036171, 0.266079076796, -0.418026292616],
    );
}

#[test]
fn embedding() {
    let layers = layers();
    let rows = Expr::constant(Tensor::new([2], vec![2i64, 0]).unwrap());
    let y = layers.embedding(&rows, 3, 2);
    check(&layers, &y, &[-0.305928945471, -0.488765058833, 0.420735492404, 0.495832405226]);
}

#[test]
fn attention_to_itself() {
    let (full, causal) = (layers(), layers());
    let y = full.self_attention(&x(&[1, 3, 4]), &Attention::full(2));
    check(
        &full,
        &y,
        &[
            -0.543519496253,
            -0.50359046051,
            -0.21442566253,
            -0.411495085363,
            -0.516404764268,
            -0.53166361609,
            -0.188638085792,
            -0.432017191609,
            -0.53518672936,
            -0.509780912359,
            -0.21109286536,
            -0.411585105413,
        ],
    );
    let y = causal.self_attention(&x(&[1, 3, 4]), &Attention::causal(2));
    check(
        &causal,
        &y,
        &[
            -0.621042287232,
            -0.399911501135,
            -0.332280135112,
            -0.293083810709,
            -0.508795835949,
            -0.535707499608,
            -0.188626539326,
            -0.427995066769,
            -0.53518672936,
            -0.509780912359,
            -0.21109286536,
            -0.411585105413,
        ],
    );
}

#[test]
fn attention_to_a_context() {
    let layers = layers();
    let context = Expr::constant(wave(&[1, 2, 4], 9));
    let y = layers.cross_attention(&x(&[1, 3, 4]), &context, 2, None);
    check(
        &layers,
        &y,
        &[
            -0.234847836169,
            0.484008221155,
            0.013866056719,
            1.024014673354,
            -0.238495259996,
            0.480881222798,
            0.023406135968,
            1.00916392011,
            -0.225076384899,
            0.473748579958,
            0.023428331736,
            1.016254736254,
        ],
    );
    let mask = Expr::constant(tensor(&[1, 2], &[1.0, 0.0]));
    let y = layers.cross_attention(&x(&[1, 3, 4]), &context, 2, Some(&mask));
    check(
        &layers,
        &y,
        &[
            -0.247964622256,
            0.504211357694,
            -0.011088850392,
            1.050837678793,
            -0.247964622256,
            0.504211357694,
            -0.011088850392,
            1.050837678793,
            -0.247964622256,
            0.504211357694,
            -0.011088850392,
            1.050837678793,
        ],
    );
}

#[test]
fn transformer_block() {
    let layers = layers();
    let y = layers.transformer_block(&x(&[1, 3, 4]), &Attention::full(2));
    check(
        &layers,
        &y,
        &[
            0.385124466699,
            1.44625328878,
            1.366465038554,
            -0.244038919849,
            0.683434878352,
            0.837363922631,
            0.272021234077,
            -1.123540191202,
            0.029173553716,
            1.101745688842,
            1.226933955334,
            -0.136476694327,
        ],
    );
    let names: Vec<String> = layers.parameters().iter().map(|p| p.name().unwrap().to_string()).collect();
    assert_eq!(names[..4], ["norm1.weight", "norm1.bias", "attn.qkv.weight", "attn.qkv.bias"]);
}

#[test]
fn recurrent_layers() {
    let outputs = |cell: Cell| {
        let layers = layers();
        let (outputs, last) = layers.recurrent(&x(&[1, 3, 2]), cell, 2, 0).unwrap();
        values(&layers, &[vec![outputs], last].concat())
    };
    let (rnn, gru, lstm) = (outputs(Cell::Rnn), outputs(Cell::Gru), outputs(Cell::Lstm));
    assert_close(
        &rnn[0],
        &[-0.14705523571, -0.640005434603, -0.089908571401, -0.299397379353, -0.40464450187, -0.521192372985],
        1e-10,
    );
    assert_close(
        &gru[0],
        &[0.014006524029, 0.226271793003, 0.174154174649, 0.460094489996, 0.021070204172, 0.332393405333],
        1e-10,
    );
    assert_close(
        &lstm[0],
        &[0.047524736229, 0.121235661385, 0.128814078058, 0.174341960202, 0.070086707746, 0.183315912034],
        1e-10,
    );
    assert_eq!(gru[1], gru[0][4..]);
    assert_close(&lstm[2], &[0.102441028785, 0.28213677031], 1e-10);
    assert!(layers().recurrent(&x(&[3, 2]), Cell::Gru, 2, 0).is_err());
}

#[test]
fn residual_block() {
    let layers = layers();
    let y = layers.residual_block(&x(&[1, 2, 4, 4]), 2, 2);
    check(
        &layers,
        &y,
        &[0.0, 0.052469116573, 0.0, 0.084164821333, 0.003795032852, 0.081193693021, 0.0, 0.117328546597],
    );
}

#[test]
fn gradients_of_recurrent_layers_are_those_of_finite_differences() {
    let layers = layers();
    let input = Expr::input("x", [1, 3, 2], DType::F64);
    let y = layers.recurrent(&input, Cell::Lstm, 2, 0).unwrap().0.square().sum();
    let gradient = perturb_graph::grad(&y, &[input.clone()]).unwrap().remove(0);
    let at = |t: Tensor, e: &Expr| eval(&[e.clone()], &[(input.clone(), t)]).unwrap().remove(0).to_f64_vec();
    let moved = |i: usize, by: f64| {
        let mut point = wave(&[1, 3, 2], 0);
        point.as_mut_slice::<f64>()[i] += by;
        at(point, &y)[0]
    };
    let differences: Vec<f64> = (0..6).map(|i| (moved(i, 1e-5) - moved(i, -1e-5)) / 2e-5).collect();
    assert_close(&at(wave(&[1, 3, 2], 0), &gradient), &differences, 1e-8);
}

#[test]
fn graph_convolution_is_the_normalised_adjacency() {
    // A path 0 – 1 – 2, with an edge of weight 2 between 1 and 2.
    let index = |v: [i64; 4]| Expr::constant(Tensor::new([4], v.to_vec()).unwrap());
    let weight = Some(Expr::constant(tensor(&[4], &[1.0, 1.0, 2.0, 2.0])));
    let edges = Edges { source: index([0, 1, 1, 2]), target: index([1, 0, 2, 1]), weight };
    let layers = layers();
    let y = layers.gcn(&x(&[3, 2]), &edges, 2);
    let (a, h, w, b) = (
        [[1.0, 1.0, 0.0], [1.0, 1.0, 2.0], [0.0, 2.0, 1.0]],
        wave(&[3, 2], 0).to_f64_vec(),
        wave(&[2, 2], 1).to_f64_vec(),
        wave(&[2], 2).to_f64_vec(),
    );
    let degree = a.map(|row: [f64; 3]| row.iter().sum::<f64>());
    let mut expected = vec![0.0; 6];
    for i in 0..3 {
        for o in 0..2 {
            expected[2 * i + o] = b[o];
            for j in 0..3 {
                let product: f64 = (0..2).map(|k| h[2 * j + k] * w[2 * o + k]).sum();
                expected[2 * i + o] += a[i][j] / f64::sqrt(degree[i] * degree[j]) * product;
            }
        }
    }
    check(&layers, &y, &expected);
    let unweighted = Edges { weight: None, ..edges };
    let sums = unweighted.sum_at_targets(&unweighted.at_sources(&x(&[3, 2])), 3);
    let neighbours = [h[2], h[3], h[0] + h[4], h[1] + h[5], h[2], h[3]];
    assert_close(&eval(&[sums], &[]).unwrap()[0].to_f64_vec(), &neighbours, 1e-14);
}

#[test]
fn isomorphism_layer_adds_neighbours() {
    // Two nodes that see one another: both get x₀ + x₁.
    let index = |v: [i64; 2]| Expr::constant(Tensor::new([2], v.to_vec()).unwrap());
    let edges = Edges { source: index([0, 1]), target: index([1, 0]), weight: None };
    let layers = layers();
    let y = layers.gin(&x(&[2, 2]), &edges, &[3, 2]);
    let found = &values(&layers, &[y])[0];
    assert_eq!(found[..2], found[2..]);
}

#[test]
fn pooling_leaves_out_what_is_masked() {
    let x = Expr::constant(tensor(&[2, 3, 1], &[1.0, -2.0, 5.0, -3.0, -4.0, 7.0]));
    let mask = Expr::constant(tensor(&[2, 3], &[1.0, 1.0, 0.0, 0.0, 0.0, 0.0]));
    let value = |e: Expr| eval(&[e], &[]).unwrap()[0].to_f64_vec();
    assert_eq!(value(pool(&x, Some(&mask), Pooling::Sum)), [-1.0, 0.0]);
    assert_eq!(value(pool(&x, Some(&mask), Pooling::Mean)), [-0.5, 0.0]);
    assert_eq!(value(pool(&x, Some(&mask), Pooling::Max)), [1.0, 0.0]);
    assert_eq!(value(pool(&x, None, Pooling::Max)), [5.0, 7.0]);
}

#[test]
fn features_of_positions() {
    let value = |e: &Expr| eval(&[e.clone()], &[]).unwrap()[0].to_f64_vec();
    let table = value(&sinusoidal_positions(3, 4, DType::F64));
    let expected = [2f64.sin(), 2f64.cos(), 0.02f64.sin(), 0.02f64.cos()];
    assert_close(&table[8..], &expected, 1e-14);
    let t = Expr::constant(tensor(&[1], &[3.0]));
    let features = value(&sinusoidal_features(&t, 4));
    assert_close(&features, &[3f64.sin(), 3e-4f64.sin(), 3f64.cos(), 3e-4f64.cos()], 1e-14);
    let b = Expr::constant(tensor(&[1, 2], &[0.25, 0.5]));
    let points = Expr::constant(tensor(&[1, 2], &[1.0, 0.5]));
    assert_close(&value(&fourier_features(&points, &b)), &[-1.0, 0.0], 1e-14);
}

#[test]
fn rotary_products_depend_on_distance() {
    // The same query and key at every position: their product at (p, q) is a function of p − q.
    let row = |k: usize| Expr::constant(wave(&[1, 4], k)).broadcast_to([5, 4]);
    let products = rotary(&row(1)).matmul(&rotary(&row(2)).transpose(&[1, 0]));
    let found = eval(&[products], &[]).unwrap()[0].to_f64_vec();
    for p in 0..4 {
        for q in 0..4 {
            assert_close(&[found[5 * (p + 1) + q + 1]], &[found[5 * p + q]], 1e-12);
        }
    }
    assert!((found[0] - found[1]).abs() > 1e-3, "and it does depend on it");
}

#[test]
fn modulation_scales_and_shifts_channels() {
    let layers = layers();
    let (x, condition) = (x(&[1, 2, 2]), Expr::constant(tensor(&[1, 1], &[2.0])));
    let y = layers.film(&x, &condition);
    let (w, b, h) = (wave(&[4, 1], 1).to_f64_vec(), wave(&[4], 2).to_f64_vec(), wave(&[1, 2, 2], 0).to_f64_vec());
    let made = |k: usize| 2.0 * w[k] + b[k];
    let expected: Vec<f64> = (0..4).map(|i| h[i] * (1.0 + made(i / 2)) + made(2 + i / 2)).collect();
    check(&layers, &y, &expected);
}

#[test]
fn a_new_unet_block_is_the_identity_and_the_net_keeps_the_size() {
    let layers = layers();
    let condition = x(&[2, 3]);
    let y = layers.at("block").conditional_block(&x(&[2, 4, 4, 4]), 4, Some(&condition));
    // The last convolution starts at 0.
    assert_eq!(eval(&[y], &[]).unwrap()[0], wave(&[2, 4, 4, 4], 0));
    let y = layers.at("unet").unet(&x(&[2, 1, 8, 8]), 3, &[4, 8], Some(&condition));
    assert_eq!(y.shape()[..], [2, 3, 8, 8]);
    assert!(eval(&[y], &[]).unwrap()[0].to_f64_vec().iter().all(|v| v.is_finite()));
}

#[test]
fn names_are_shared_or_refused() {
    let layers = layers();
    let (a, b) = (layers.at("fc").linear(&x(&[2, 3]), 2), layers.at("fc").linear(&x(&[2, 3]), 2));
    assert_eq!(layers.parameters().len(), 2);
    let values = values(&layers, &[a, b]);
    assert_eq!(values[0], values[1]);
    let clash = std::panic::catch_unwind(|| layers.at("fc").linear(&x(&[2, 4]), 2));
    let message = *clash.unwrap_err().downcast::<String>().unwrap();
    assert!(message.contains("'fc.weight' is [2, 3] already, not [2, 4]"), "{message}");
}

#[test]
fn places_have_initial_values_of_their_own() {
    let layers = layers();
    let head = layers.at("head").init(Init::Constant(0.5)).linear(&Expr::full([1, 4], 1.0, DType::F64), 1);
    assert_eq!(eval(&[head], &[]).unwrap()[0].to_f64_vec(), [2.0]);
    layers.at("a").linear(&x(&[1, 4]), 4);
    layers.at("b").linear(&x(&[1, 4]), 4);
    let weight = |name: &str| {
        Parameters::from_iter(
            layers.parameters().iter().map(|p| (p.name().unwrap().to_string(), p.value().unwrap().clone())),
        )
        .get(name)
        .unwrap()
        .clone()
    };
    assert!(weight("a.weight") != weight("b.weight"));
}

#[test]
fn inner_values_can_be_read_and_replaced() {
    let layers = layers();
    let x = x(&[1, 3, 4]);
    let y = layers.at("attn").self_attention(&x, &Attention::causal(2));
    let taps = layers.take_taps();
    assert_eq!(taps.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["attn.scores", "attn.probabilities"]);
    let (scores, probabilities) = (taps[0].1.clone(), taps[1].1.clone());
    let rows = &values(&layers, &[probabilities.reduce_sum(&[3], false)])[0];
    assert_close(rows, &[1.0; 6], 1e-14);
    // Scores of 0 everywhere mix all positions alike: every row of the result is the same.
    let edited = perturb_graph::substitute(&[y], &[(scores.clone(), scores.like(0.0))]).unwrap().remove(0);
    let found = &values(&layers, &[edited])[0];
    assert_close(&found[..4], &found[4..8], 1e-14);
}

#[test]
fn graph_attention_is_a_softmax_over_neighbours() {
    // Edges 0 → 2 and 1 → 2, and every node to itself; one head of two features.
    let index = |v: [i64; 2]| Expr::constant(Tensor::new([2], v.to_vec()).unwrap());
    let edges = Edges { source: index([0, 1]), target: index([2, 2]), weight: None };
    let layers = layers();
    let y = layers.gat(&x(&[3, 2]), &edges, 1, 2);
    let (x, w) = (wave(&[3, 2], 0).to_f64_vec(), wave(&[2, 2], 1).to_f64_vec());
    let (source, target, b) = (wave(&[2], 2).to_f64_vec(), wave(&[2], 3).to_f64_vec(), wave(&[2], 4).to_f64_vec());
    let h: Vec<[f64; 2]> = (0..3).map(|i| [0, 1].map(|o| x[2 * i] * w[2 * o] + x[2 * i + 1] * w[2 * o + 1])).collect();
    let dot = |a: &[f64], b: &[f64]| a[0] * b[0] + a[1] * b[1];
    let leaky = |v: f64| if v > 0.0 { v } else { 0.2 * v };
    let weights = [0, 1, 2].map(|j| leaky(dot(&source, &h[j]) + dot(&target, &h[2])).exp());
    let total: f64 = weights.iter().sum();
    let mixed = |o: usize| (0..3).map(|j| weights[j] / total * h[j][o]).sum::<f64>() + b[o];
    let expected = [h[0][0] + b[0], h[0][1] + b[1], h[1][0] + b[0], h[1][1] + b[1], mixed(0), mixed(1)];
    check(&layers, &y, &expected);
}
