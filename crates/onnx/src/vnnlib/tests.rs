use super::{Property, Variable, VnnLibError};
use num_rational::BigRational;
use num_traits::FromPrimitive;

fn exact(v: f64) -> BigRational {
    BigRational::from_f64(v).unwrap()
}

fn counterexample(property: &Property, x: &[f64], y: &[f64]) -> bool {
    let all = |v: &[f64]| v.iter().map(|&v| exact(v)).collect::<Vec<_>>();
    property.is_counterexample(&all(x), &all(y))
}

const DECLARATIONS: &str = "(declare-const X_0 Real) (declare-const X_1 Real)
(declare-const Y_0 Real) (declare-const Y_1 Real)\n";
const BOX: &str = "(assert (and (>= X_0 -1.0) (<= X_0 1e0) (>= X_1 0.1) (<= X_1 +.5)))\n";

fn parse(assertions: &str) -> Result<Property, VnnLibError> {
    Property::parse(&format!("; a comment\n{DECLARATIONS}{assertions}"))
}

#[test]
fn boxes_and_disjunctions() {
    let p = parse(&format!("{BOX}(assert (or (and (<= Y_0 Y_1) (>= Y_0 0.25)) (> Y_1 (+ (* 2 Y_0) (- 3)))))")).unwrap();
    assert_eq!((p.inputs, p.outputs, p.cases.len(), p.cases[0].any_of.len()), (2, 2, 1, 2));
    assert_eq!(p.cases[0].bounds[0], (exact(-1.0), exact(1.0)));
    // 0.1 is the fraction, not the float.
    assert_eq!(p.cases[0].bounds[1].0, BigRational::new(1.into(), 10.into()));
    assert!(p.cases[0].bounds[1].0 < exact(0.1));
    assert_eq!(
        p.cases[0].any_of[0][0].terms.keys().copied().collect::<Vec<_>>(),
        [Variable::Output(0), Variable::Output(1)]
    );
    assert!(counterexample(&p, &[0.0, 0.25], &[0.5, 0.5]));
    assert!(!counterexample(&p, &[0.0, 0.25], &[0.2, 0.3e-9 - 3.0]));
    // The second alternative is strict.
    assert!(!counterexample(&p, &[0.0, 0.25], &[0.125, -2.75]) && counterexample(&p, &[0.0, 0.25], &[0.125, -2.5]));
    assert!(!counterexample(&p, &[0.0, 0.05], &[0.5, 0.5]), "outside the box");
}

// Several boxes, an empty one, bounds repeated and tightened, strict bounds of inputs.
#[test]
fn several_boxes() {
    let p = parse(
        "(assert (or (and (>= X_0 0) (<= X_0 1)) (and (>= X_0 2) (<= X_0 3)) (and (>= X_0 5) (<= X_0 4))))
         (assert (>= X_1 0)) (assert (<= X_1 9)) (assert (< X_1 1)) (assert (<= Y_0 0))",
    )
    .unwrap();
    assert_eq!(p.cases.len(), 2);
    assert_eq!(p.cases[1].bounds, [(exact(2.0), exact(3.0)), (exact(0.0), exact(1.0))]);
    assert!(counterexample(&p, &[2.5, 0.5], &[0.0, 0.0]));
    assert!(!counterexample(&p, &[2.5, 1.0], &[0.0, 0.0]), "the bound is strict");
    assert!(!counterexample(&p, &[1.5, 0.5], &[0.0, 0.0]), "between the boxes");
}

#[test]
fn errors_name_the_place() {
    let cases = [
        ("(assert (<= X_0 1.0)", "line 4, column 1: '(' is never closed"),
        ("(assert (<= X_7 1.0))", "line 4, column 13: 'X_7' is not declared"),
        ("(assert (<= X_0 1,0))", "line 4, column 17: '1,0' is neither a number"),
        ("(assert\n (=> X_0 1))", "line 5, column 2: '=>' is not one of"),
        ("(assert (<= X_0 1 2))", "line 4, column 9: '<=' compares two terms, not 3"),
        ("(assert (<= (* X_0 X_1) 2))", "line 4, column 13: a product of two variables"),
        ("(assume (<= X_0 1))", "line 4, column 1: 'assume' is not one of"),
        (")", "line 4, column 1: ')' closes nothing"),
        ("()", "line 4, column 1: an empty list"),
        ("(assert (<= X_0 1e99999))", "line 4, column 17: '1e99999' is neither a number"),
        ("(declare-const Z Real)", "line 4, column 16: variables are named"),
        ("(declare-const X_0 Real)", "X_0 is declared twice"),
        ("(declare-const Y_3 Real)", "Y_2 is not declared"),
        ("(assert (<= X_0 1)) (assert (<= Y_0 1))", "input X_0 has no lower bound"),
    ];
    for (text, expected) in cases {
        let message = parse(text).unwrap_err().to_string();
        assert!(message.contains(expected), "{text}: {message}");
    }
    let deep = "(".repeat(100_000);
    assert!(parse(&deep).unwrap_err().to_string().contains("nested more than"));
    let wide = "(assert (or (<= X_0 1) (<= X_0 2)))".repeat(40);
    assert!(parse(&wide).unwrap_err().to_string().contains("alternatives"));
    let missing = Property::read("/nonexistent.vnnlib").unwrap_err().to_string();
    assert!(missing.contains("/nonexistent.vnnlib"), "{missing}");
}

// Every specification of the competition's benchmarks that are at hand, and what is known of some.
#[test]
fn published_specifications() {
    let root = std::env::var("PERTURB_DATA")
        .map(std::path::PathBuf::from)
        .unwrap_or_else(|_| std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"));
    let folder = root.join("vnncomp2021");
    if !folder.is_dir() {
        eprintln!("skipped: no {}", folder.display());
        return;
    }
    let mut count = 0;
    let mut folders = vec![folder];
    while let Some(folder) = folders.pop() {
        for file in std::fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if !name.contains(".vnnlib") {
                continue;
            }
            let property = Property::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            assert!(!property.cases.is_empty(), "{name} has no case");
            if name == "prop_1.vnnlib" {
                assert_eq!((property.inputs, property.outputs, property.cases.len()), (5, 5, 1));
            }
            if name == "prop_6.vnnlib" {
                assert_eq!(property.cases.len(), 2, "two boxes");
            }
            count += 1;
        }
    }
    assert!(count > 100, "only {count} specifications were found");
}
