//! Networks built to fool verifiers that compute in floating point, with the truth about each.
#![allow(dead_code)]

use super::oracle::{Dense, Net};
use perturb_onnx::vnnlib::Property;

/// A property of a network, and whether it holds in exact arithmetic.
pub struct Fooling {
    pub name: &'static str,
    pub net: Net,
    pub property: Property,
    pub holds: bool,
}

/// Rows and biases of each layer.
fn net(layers: &[(&[&[f32]], &[f32])]) -> Net {
    let dense = |(rows, bias): &(&[&[f32]], &[f32])| Dense {
        weights: rows.iter().map(|r| r.to_vec()).collect(),
        bias: bias.to_vec(),
    };
    Net { layers: layers.iter().map(dense).collect() }
}

/// Outputs are numbered Y_0, …, inputs X_0, …, with the given decimals as bounds.
fn property(bounds: &[(&str, &str)], outputs: usize, assertion: &str) -> Property {
    let mut text: String = (0..outputs).map(|i| format!("(declare-const Y_{i} Real)")).collect();
    for (i, (lo, hi)) in bounds.iter().enumerate() {
        text += &format!("(declare-const X_{i} Real) (assert (>= X_{i} {lo})) (assert (<= X_{i} {hi}))");
    }
    Property::parse(&format!("{text} (assert {assertion})")).unwrap()
}

/// 2²⁴: the first integer of which the next is no f32.
const GAP: f32 = 16_777_216.0;

/// A network, the range of its inputs, and assertions about counterexamples with whether the property holds.
type Entry = (&'static str, Net, (&'static str, &'static str), Vec<(&'static str, bool)>);

fn entries() -> Vec<Entry> {
    let two_100 = 2f32.powi(100);
    let chain: Vec<Dense> = [f32::MAX; 9]
        .into_iter()
        .chain([2f32.powi(-126); 9])
        .map(|w| Dense { weights: vec![vec![w]], bias: vec![0.0] })
        .collect();
    let ones = [1.0f32; 1000];
    let tiny = [2f32.powi(-25); 1000];
    let copies: Vec<&[f32]> = ones.iter().map(std::slice::from_ref).collect();
    vec![
        // y = (10⁸x + 1) − 10⁸x = 1; in f32 the 1 is lost.
        (
            "cancelling weights",
            net(&[(&[&[1e8], &[1e8]], &[1.0, 0.0]), (&[&[1.0, -1.0]], &[0.0])]),
            ("1", "2"),
            vec![("(<= Y_0 0.5)", true), ("(>= Y_0 0.75)", false), ("(>= Y_0 1)", false), ("(> Y_0 1)", true)],
        ),
        // y = 2¹⁰⁰x + x − 2¹⁰⁰x = x; in f64 the x is lost in this order.
        (
            "cancelling weights beyond f64",
            net(&[(&[&[1.0], &[1.0], &[1.0]], &[0.0; 3]), (&[&[two_100, 1.0, -two_100]], &[0.0])]),
            ("0", "1"),
            vec![("(>= Y_0 0.5)", false), ("(> Y_0 1)", true), ("(<= Y_0 -0.5)", true)],
        ),
        // y = 2²⁴x + x + x + x − 2²⁴x = 3x; another order of the sum gives 0 or 4x.
        (
            "the order of a sum",
            net(&[(&[&[1.0], &[1.0], &[1.0], &[1.0], &[1.0]], &[0.0; 5]), (&[&[GAP, 1.0, 1.0, 1.0, -GAP]], &[0.0])]),
            ("0.9", "1"),
            vec![("(<= Y_0 1)", true), ("(>= Y_0 2.8)", false), ("(>= Y_0 3.5)", true)],
        ),
        // y = 1 + 1000·2⁻²⁵·x; in f32, added one by one, nothing arrives.
        (
            "many small terms",
            net(&[(&copies, &[0.0; 1000]), (&[&tiny], &[1.0])]),
            ("0", "1"),
            vec![("(>= Y_0 1.00002)", false), ("(>= Y_0 1.00003)", true)],
        ),
        // y = relu(x) up to the edge of the box.
        (
            "a margin of one unit in the last place",
            net(&[(&[&[1.0]], &[0.0]), (&[&[1.0]], &[0.0])]),
            ("0", "1"),
            vec![("(>= Y_0 1)", false), ("(>= Y_0 1.00000011920928955078125)", true), ("(> Y_0 1)", true)],
        ),
        // 0.3 lies above its nearest f64: a box that is rounded to nearest misses the counterexample.
        (
            "the edge of the box",
            net(&[(&[&[1.0]], &[0.0]), (&[&[1.0]], &[0.0])]),
            ("0", "0.3"),
            vec![
                ("(>= Y_0 0.3)", false),
                ("(>= Y_0 0.299999999999999999)", false),
                ("(> Y_0 0.3)", true),
                ("(> Y_0 0.300000000000000000001)", true),
            ],
        ),
        // y = |x|.
        (
            "strict and not at equality",
            net(&[(&[&[1.0], &[-1.0]], &[0.0; 2]), (&[&[1.0, 1.0]], &[0.0])]),
            ("-1", "1"),
            vec![("(<= Y_0 0)", false), ("(< Y_0 0)", true), ("(and (<= Y_0 0) (> X_0 0))", true)],
        ),
        // y = 2¹²⁷·relu(2⁻¹⁴⁹x) = 2⁻²²x; half of the smallest number is 0 in f32.
        (
            "subnormal weights",
            net(&[(&[&[f32::from_bits(1)]], &[0.0]), (&[&[2f32.powi(127)]], &[0.0])]),
            ("0.5", "0.5"),
            vec![("(<= Y_0 0)", true), ("(>= Y_0 0.0000001)", false), ("(>= Y_0 0.00000012)", true)],
        ),
        // y = MAX·relu(MAX·x) − MAX·relu(MAX·x) + x: ∞ − ∞ in f32.
        (
            "overflow to infinities",
            net(&[(&[&[f32::MAX], &[f32::MAX], &[1.0]], &[0.0; 3]), (&[&[f32::MAX, -f32::MAX, 1.0]], &[0.0])]),
            ("0", "1"),
            vec![("(>= Y_0 0.5)", false), ("(<= Y_0 -1)", true), ("(> Y_0 1)", true)],
        ),
        // y = MAX⁹·2⁻¹¹³⁴·x, about 2¹⁸·x: even f64 overflows on the way.
        (
            "overflow beyond f64",
            Net { layers: chain },
            ("0", "1"),
            vec![("(>= Y_0 1)", false), ("(>= Y_0 262144)", true), ("(< Y_0 0)", true)],
        ),
        // y = 1 − relu(x − 1), where x ≤ 1.
        (
            "a neuron that is 0 at the edge",
            net(&[(&[&[1.0]], &[-1.0]), (&[&[-1.0]], &[1.0])]),
            ("0", "1"),
            vec![("(< Y_0 1)", true), ("(<= Y_0 1)", false)],
        ),
        // The property's own numbers: 0.1 + 0.2 is 0.3, but more in f64.
        (
            "decimals of the property",
            net(&[(&[&[0.0]], &[1.0]), (&[&[1.0]], &[0.0])]),
            ("0", "1"),
            vec![
                ("(<= (+ (* 0.1 Y_0) (* 0.2 Y_0)) 0.3)", false),
                ("(< (+ (* 0.1 Y_0) (* 0.2 Y_0)) 0.3)", true),
                ("(<= (+ (* 0.1 Y_0) (* 0.2 Y_0)) 0.2999999999999)", true),
            ],
        ),
        // y = relu(x) − 2²⁴ for an x that is no f32.
        (
            "an input between two f32",
            net(&[(&[&[1.0]], &[0.0]), (&[&[1.0]], &[-GAP])]),
            ("16777217", "16777217"),
            vec![("(>= Y_0 1)", false), ("(<= Y_0 0.5)", true), ("(> Y_0 1)", true)],
        ),
        // y = x − (1 + 2⁻²³)·2·relu(x − 1/2): from 0 up, and down again to just below 0.
        (
            "a dip of one part in 2²³",
            net(&[
                (&[&[1.0], &[1.0], &[-1.0]], &[0.0, -0.5, 0.0]),
                (&[&[1.0, -(2.0 + 2.0 * f32::EPSILON), 1.0]], &[0.0]),
            ]),
            ("0", "1"),
            vec![("(< Y_0 0)", false), ("(<= Y_0 -0.00000012)", true), ("(<= Y_0 -0.000000119)", false)],
        ),
    ]
}

/// All networks with all their properties.
pub fn all() -> Vec<Fooling> {
    let each = |(name, net, range, assertions): Entry| {
        let with = move |(assertion, holds): (&'static str, bool)| Fooling {
            name,
            net: net.clone(),
            property: property(&[range], 1, assertion),
            holds,
        };
        assertions.into_iter().map(with)
    };
    entries().into_iter().flat_map(each).collect()
}
