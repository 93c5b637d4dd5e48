//! Tables and puzzles.

use crate::{counts, data};
use perturb_data::Sudoku;
use perturb_data::tables::{Column, Encoding, Table, Target};

fn labels(table: &Table) -> Vec<usize> {
    match &table.target {
        Target::Class { labels, .. } => counts(labels.clone()),
        Target::Real(_) => panic!("classes expected"),
    }
}

#[test]
fn adult() {
    let Some(path) = data("tabular") else { return };
    let adult = Table::adult(&path.join("adult.csv")).unwrap();
    assert_eq!((adult.len(), labels(&adult), adult.variables.len()), (32561, vec![24720, 7841], 13));
    let encoding = Encoding::fit(&adult, 0..adult.len());
    // Five numbers and 9 + 16 + 7 + 15 + 6 + 5 + 2 + 42 levels.
    assert_eq!((encoding.width(), encoding.variables[0].name.as_str()), (107, "age"));
    let (mean, deviation) = encoding.variables[0].scale.unwrap();
    assert!((mean - 38.58164675532078).abs() < 1e-9 && (deviation - 13.640223092304275).abs() < 1e-9);
    let row = encoding.encode(&adult).rows(0, 1);
    // One number per numeric variable, one 1 per categorical one.
    assert_eq!(row.as_slice::<f32>().iter().filter(|&&v| v == 1.0).count(), 8);
    let decoded = encoding.decode(row.as_slice());
    assert_eq!(decoded[1], ("workclass", "State-gov".to_string()));
    assert!((decoded[0].1.parse::<f64>().unwrap() - 39.0).abs() < 1e-4);
}

#[test]
fn credit_and_justice() {
    let Some(path) = data("tabular") else { return };
    let german = Table::german_credit(&path.join("german_credit.csv")).unwrap();
    assert_eq!((german.len(), labels(&german), german.variables.len()), (1000, vec![700, 300], 20));
    let compas = Table::compas(&path.join("compas_two_years.csv")).unwrap();
    assert_eq!((compas.len(), labels(&compas)), (7214, vec![3963, 3251]));
    let heloc = Table::heloc(&path.join("heloc.csv")).unwrap();
    assert_eq!((heloc.len(), labels(&heloc), heloc.variables.len()), (9871, vec![5136, 4735], 23));
    let Column::Numeric(estimates) = &heloc.variables[0].column else { panic!("a number") };
    assert_eq!(estimates[..2], [55.0, 61.0]);
}

#[test]
fn scikit_learn() {
    let Some(path) = data("tabular/sklearn") else { return };
    let load = |name: &str| Table::scikit_learn(&path.join(name)).unwrap();
    assert_eq!(labels(&load("breast_cancer.csv")), [212, 357]);
    assert_eq!((labels(&load("iris.csv")), load("iris.csv").variables.len()), (vec![50; 3], 4));
    assert_eq!(labels(&load("wine_data.csv")), [59, 71, 48]);
    let digits = Table::digits(&path.join("digits.csv")).unwrap();
    assert_eq!((digits.len(), labels(&digits)[..3].to_vec()), (1797, vec![178, 182, 177]));
    let diabetes = Table::diabetes(&path).unwrap();
    let Target::Real(progression) = &diabetes.target else { panic!("a number") };
    assert_eq!((diabetes.len(), progression[..2].to_vec()), (442, vec![151.0, 75.0]));
}

#[test]
fn sudoku() {
    let Some(path) = data("sudoku") else { return };
    let graded = Sudoku::load(&path.join("graded_unique.csv")).unwrap();
    let blanks: Vec<usize> = graded.iter().map(Sudoku::blanks).collect();
    assert_eq!((graded.len(), blanks.iter().min(), blanks.iter().max()), (5259, Some(&1), Some(&52)));
    let hardest = Sudoku::load(&path.join("min17_5000.csv")).unwrap();
    assert!(hardest.len() == 5000 && hardest.iter().all(|s| s.blanks() == 64));
}
