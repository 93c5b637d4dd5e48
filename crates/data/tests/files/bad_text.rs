//! Damaged and hostile text files: each ends in an error that names the line, or in data that the file can hold.

use crate::builders::{gzip, put};
use perturb_data::graphs::{GraphClassification, Hypergraph, Musae, Planetoid, Taxonomy};
use perturb_data::series::{MultivariateSeries, SeriesClassification};
use perturb_data::tables::Table;
use perturb_data::text::{Analogies, SentencePairs, Sentences, WordSimilarity, load_books, load_text};
use perturb_data::{DataError, Interactions, Sudoku};
use std::fmt::Debug;
use std::path::Path;
use tempfile::TempDir;

/// The error's text, which must contain every one of the words.
#[track_caller]
fn refused<T: Debug>(result: Result<T, DataError>, words: &[&str]) {
    match result {
        Ok(value) => panic!("accepted: {value:?}"),
        Err(error) => {
            let text = error.to_string();
            words.iter().for_each(|word| assert!(text.contains(word), "no {word:?} in: {text}"));
        }
    }
}

/// Loads a folder of these files.
fn folder<T>(load: impl Fn(&Path) -> T, files: &[(&str, &str)]) -> T {
    let dir = TempDir::new().unwrap();
    files.iter().for_each(|(name, text)| drop(put(&dir, name, text.as_bytes())));
    load(dir.path())
}

/// Loads one file.
fn file<T>(load: impl Fn(&Path) -> T, text: &str) -> T {
    let dir = TempDir::new().unwrap();
    load(&put(&dir, "x.txt", text.as_bytes()))
}

#[test]
fn planetoid() {
    let load = |nodes, edges, features| {
        folder(Planetoid::load, &[("nodes.tsv", nodes), ("edges.tsv", edges), ("features.svm", features)])
    };
    let nodes = "0\t1\ttrain\n1\t-1\t-\n";
    let good = load(nodes, "0\t1\n", "0:1 4:2.5\n\n").unwrap();
    assert_eq!((good.labels, good.features.unwrap().columns), (vec![Some(1), None], 5));
    refused(load("0\t1\ttrain\n2\t1\t-\n", "", "\n"), &["nodes.tsv, line 2", "node 1 is expected"]);
    refused(load("0\t1\tfirst\n", "", "\n"), &["line 1", "\"first\""]);
    refused(load("0\tx\t-\n", "", "\n"), &["line 1", "whole number", "\"x\""]);
    refused(load("", "", ""), &["nodes.tsv", "one node a line"]);
    refused(load(nodes, "0\t1\n0\t2\n", "\n\n"), &["edges.tsv, line 2", "only 2"]);
    refused(load(nodes, "0 1\n", "\n\n"), &["edges.tsv, line 1", "1 fields where 2"]);
    refused(load(nodes, "", "0:1\n"), &["features.svm, line 1", "2 nodes"]);
    refused(load(nodes, "", "0:1\n\n\n"), &["features.svm, line 3"]);
    refused(load(nodes, "", "0=1\n\n"), &["line 1", "column:value"]);
    refused(load(nodes, "", "99999999999:1\n\n"), &["line 1", "99999999999"]);
    refused(load(nodes, "", "1:inf\n\n"), &["line 1", "not finite"]);
    refused(folder(Planetoid::load, &[("nodes.tsv", nodes)]), &["edges.tsv"]);
}

#[test]
fn musae() {
    let load = |target, edges, features| {
        folder(Musae::load, &[("target.csv", target), ("edges.csv", edges), ("features.json", features)])
    };
    let target = "id,target\n0,5\n1,7\n";
    assert!(load(target, "a,b\n0,1\n", "{\"0\": [3, \"4\"]}").is_ok());
    refused(load("id,target\n1,5\n", "a,b\n", "{}"), &["target.csv, line 2", "node 0"]);
    refused(load("id,target\n", "a,b\n", "{}"), &["target.csv", "one row per node"]);
    refused(load(target, "a,b\n0,1\n0,9\n", "{}"), &["edges.csv, line 3", "9"]);
    refused(load(target, "a,b\n", "{\"2\": [1]}"), &["features.json", "\"2\""]);
    refused(load(target, "a,b\n", "{\"1\": [-1]}"), &["features.json", "-1"]);
    refused(load(target, "a,b\n", "{\"1\": [1"), &["features.json", "EOF"]);
    refused(load(target, "a,b\n", &format!("{{\"1\": {}", "[".repeat(100_000))), &["features.json"]);
}

#[test]
fn graph_collections() {
    let load = |text| file(GraphClassification::load, text);
    let good = load("1\n2 5\n7 1 1 0.5\n3 1 0 0.25\n").unwrap();
    assert_eq!((good.labels, &good.graphs[0].tags, &good.graphs[0].attributes[1]), (vec![0], &vec![1, 0], &vec![0.25]));
    refused(load(""), &["ends after this line"]);
    refused(load("2\n1 0\n0 0\n"), &["line 3", "should follow"]);
    refused(load("1\n99999999999 0\n0 0\n"), &["line 3", "99999999999 nodes"]);
    refused(load("1\n-4 0\n"), &["line 2", "negative"]);
    refused(load("1\n2 0\n0 2 1\n0 0\n"), &["line 3", "neighbour is missing"]);
    refused(load("1\n2 0\n0 1 2\n0 0\n"), &["line 3", "only 2"]);
    refused(load("1\n2 0\n0 0 1.5\n0 0\n"), &["line 4", "0 attributes"]);
    refused(load("0\n"), &["at least one graph"]);
}

#[test]
fn hypergraphs_and_taxonomies() {
    let load = |edges, train| {
        folder(Hypergraph::load, &[("labels.txt", "0\n1\n"), ("hyperedges.tsv", edges), ("split1_train.txt", train)])
    };
    assert_eq!(load("a\t0 1\n", "1\n").unwrap().hyperedges, [[0, 1]]);
    refused(load("a\t0 2\n", "1\n"), &["hyperedges.tsv, line 1", "only 2"]);
    refused(load("a\t0 1\n", "7\n"), &["split1_train.txt, line 1", "7"]);
    refused(file(Taxonomy::load, "cat\tfeline\ncat\n"), &["line 2", "1 fields where 2"]);
    refused(file(Taxonomy::load, "cat\t\n"), &["line 1", "without name"]);
    refused(file(Taxonomy::load, ""), &["child and ancestor"]);
    // A cycle ends, and nothing becomes its own ancestor.
    let cycle = Taxonomy::from_pairs([("a", "b"), ("b", "c"), ("c", "a")]).closure();
    assert!(cycle.pairs.len() == 6 && cycle.pairs.iter().all(|[x, y]| x != y));
}

#[test]
fn text() {
    refused(file(Sentences::load, "1 good\nbad one\n"), &["line 2", "\"bad\""]);
    refused(file(Sentences::load, "70000 x\n"), &["line 1", "70000"]);
    refused(file(SentencePairs::load, "a,b,1\n\"a\",b\n"), &["line 2", "2 fields where 3"]);
    refused(file(SentencePairs::load, "a,b,NaN\n"), &["line 1", "number"]);
    refused(file(WordSimilarity::load, "a b 1\na b c\n"), &["line 2", "\"c\""]);
    refused(file(Analogies::load, "a b c d\n"), &["line 1", "before the first group"]);
    refused(file(Analogies::load, ": g\na b c\n"), &["line 2", "3 fields where 4"]);
    refused(file(load_text, ""), &["x.txt"]);
    let books = |list| folder(load_books, &[("books.txt", "ab\ncd\n"), ("books.list.txt", list)]);
    assert_eq!(books("A\t2\nC\t2\n").unwrap()[1].text, "cd");
    refused(books("A\t2\nC\t4\n"), &["line 2", "C does not end inside"]);
    refused(books("A\t2\nC\t18446744073709551615\n"), &["line 2"]);
    refused(books("A\t2\n"), &["end at byte 3", "has 6"]);
}

#[test]
fn series_and_tables() {
    refused(file(MultivariateSeries::load, "date,a\nx,1\ny,1,2\n"), &["line 3", "3 fields"]);
    refused(file(MultivariateSeries::load, "date,a\nx,1\ny,-\n"), &["line 3", "a is \"-\""]);
    let head = "@problemName p\n@missing false\n@classLabel true u v\n@data\n";
    let archive = |rows: &str| file(SeriesClassification::load, &format!("{head}{rows}"));
    assert_eq!(archive("1,2:3,4:v\n1:2:u\n").unwrap().lengths(), [2, 1]);
    refused(archive("1,2\n"), &["line 5", "without class"]);
    refused(archive("1,2:w\n"), &["line 5", "\"w\""]);
    refused(archive("1,2:3:v\n"), &["line 5", "channel 1 has 1 values"]);
    refused(archive("1,2:v\n1:2:v\n"), &["line 6", "2 channels where 1"]);
    refused(archive("1,?:v\n"), &["line 5", "missing"]);
    refused(archive("1,x:v\n"), &["line 5", "\"x\""]);
    refused(file(SeriesClassification::load, "@problemName p\n"), &["@data"]);
    refused(file(SeriesClassification::load, "@timeStamps true\n@data\n"), &["line 1", "time stamps"]);
    refused(file(Table::adult, "age,workclass\n1,2\n"), &["no column education-num", "age, workclass"]);
    refused(file(Table::digits, "1,2\n"), &["line 1", "2 fields where 65"]);
    refused(file(Table::scikit_learn, "2,1,a,b\n1.5,0\n"), &["line 1", "2 rows"]);
    refused(file(Table::scikit_learn, "1,18446744073709551615,a\n1.5,0\n"), &["line 1"]);
    refused(file(Table::scikit_learn, "2,1,a,b\n1.5,0\n1.5,2\n"), &["line 3", "\"2\"", "0, 1"]);
    refused(file(Table::scikit_learn, "1,1,a\nx,0\n"), &["line 2", "\"x\""]);
}

#[test]
fn puzzles_and_interactions() {
    let solution = "453178296629354718871926534716492385294835167538617942162549873387261459945783621";
    let load = |puzzle: &str, solution: &str| file(Sudoku::load, &format!("puzzle,solution\n{puzzle},{solution}\n"));
    assert_eq!(load(&format!("0{}", &solution[1..]), solution).unwrap()[0].blanks(), 1);
    refused(load(&solution[1..], solution), &["line 2", "81 digits"]);
    refused(load(solution, &solution.replacen("45", "54", 1)), &["line 2", "missing from a row"]);
    refused(load(&format!("5{}", &solution[1..]), solution), &["line 2", "row 1, column 1"]);
    let load = |data| folder(Interactions::load, &[("data1.txt", data), ("test1.txt", ""), ("trustnetwork.txt", "")]);
    refused(load("1 2 3\n0 2 3\n"), &["data1.txt, line 2", "counted from 1"]);
    refused(load("1 999999999999 3\n"), &["line 1"]);
}

/// Compressed text that is cut off or damaged anywhere is refused, never taken for a shorter file.
#[test]
fn damaged_compression() {
    let dir = TempDir::new().unwrap();
    let text: String = (0..500).map(|i| format!("w{i}\tw{}\n", i * i % 97)).collect();
    let packed = gzip(text.as_bytes());
    let load = |bytes: &[u8]| Taxonomy::load(&put(&dir, "x.tsv.gz", bytes));
    assert_eq!(load(&packed).unwrap().pairs.len(), 500);
    for cut in [packed.len() - 1, packed.len() - 8, packed.len() / 2, 20] {
        refused(load(&packed[..cut]), &["x.tsv.gz"]);
    }
    for at in (20..packed.len()).step_by(7) {
        let mut damaged = packed.clone();
        damaged[at] ^= 0x10;
        assert!(load(&damaged).is_err(), "damage at byte {at}");
    }
    let table = gzip("a,b,1\n".repeat(1000).as_bytes());
    refused(SentencePairs::load(&put(&dir, "t.csv.gz", &table[..table.len() / 2])), &["t.csv.gz", "line"]);
    // A plain name finds the packed file.
    assert!(Taxonomy::load(&dir.path().join("none.tsv")).is_err());
    put(&dir, "y.tsv.gz", &packed);
    assert!(Taxonomy::load(&dir.path().join("y.tsv")).is_ok());
}
