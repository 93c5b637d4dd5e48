//! Poincaré embeddings against what must hold for any of them.

use perturb_data::graphs::Taxonomy;
use perturb_embed::evaluation::reconstruction;
use perturb_embed::geometry::{Euclidean, Manifold, PoincareBall};
use perturb_embed::{EmbedError, Poincare, Table};
use std::io::Write;

/// The closure of a tree of the given depth in which every node has `children` children.
fn tree(children: usize, depth: usize) -> Taxonomy {
    let (mut edges, mut level) = (Vec::new(), vec![String::from("r")]);
    for _ in 0..depth {
        let below = level.iter().flat_map(|node| (0..children).map(move |c| (format!("{node}{c}"), node.clone())));
        let below: Vec<(String, String)> = below.collect();
        level = below.iter().map(|(child, _)| child.clone()).collect();
        edges.extend(below);
    }
    Taxonomy::from_pairs(edges.iter().map(|(child, parent)| (&**child, &**parent))).closure()
}

fn values<M: Manifold>(table: &Table<M>) -> Vec<u64> {
    (0..table.names().len()).flat_map(|row| table.row(row).iter().map(|v| v.to_bits())).collect()
}

#[test]
fn a_tree_fits_the_disk_better_than_the_plane() {
    let tree = tree(3, 4);
    for seed in 0..3 {
        let precision = |rate: f64, flat: bool| {
            let method = Poincare { epochs: 150, learning_rate: rate, seed, ..Poincare::default() };
            let found = if flat {
                reconstruction(&method.fit(Euclidean { dim: 2 }, &tree).unwrap(), &tree)
            } else {
                reconstruction(&method.fit(PoincareBall { dim: 2 }, &tree).unwrap(), &tree)
            };
            found.unwrap().mean_average_precision
        };
        // The baseline may choose its step size by the result, the method may not.
        let flat = [0.01, 0.03, 0.1, 0.3].map(|rate| precision(rate, true)).into_iter().fold(0.0, f64::max);
        let ball = precision(0.3, false);
        assert!(ball > flat + 0.1, "seed {seed}: ball {ball}, plane {flat}");
    }
}

#[test]
fn one_thread_gives_the_same_bits() {
    let tree = tree(2, 4);
    let fit = |seed| Poincare { epochs: 20, seed, ..Poincare::default() }.fit(PoincareBall { dim: 3 }, &tree).unwrap();
    assert_eq!(values(&fit(7)), values(&fit(7)));
    assert_ne!(values(&fit(7)), values(&fit(8)));
}

#[test]
fn two_threads_learn_as_well_as_one() {
    let tree = tree(3, 4);
    let precision = |threads| {
        let method = Poincare { epochs: 150, learning_rate: 0.3, threads, ..Poincare::default() };
        let table = method.fit(PoincareBall { dim: 3 }, &tree).unwrap();
        reconstruction(&table, &tree).unwrap().mean_average_precision
    };
    let (one, two) = (precision(1), precision(2));
    assert!((one - two).abs() < 0.1, "one {one}, two {two}");
}

#[test]
fn points_stay_in_the_ball_whatever_the_step() {
    let tree = tree(3, 3);
    for learning_rate in [1.0, 100.0] {
        let method = Poincare { learning_rate, burn_in_learning_rate: learning_rate, ..Poincare::default() };
        let table = method.fit(PoincareBall { dim: 2 }, &tree).unwrap();
        for row in 0..table.names().len() {
            let norm: f64 = table.row(row).iter().map(|v| v * v).sum::<f64>().sqrt();
            assert!(norm <= 1.0 - PoincareBall::MARGIN + 1e-12, "{norm}");
        }
    }
}

#[test]
fn general_terms_are_nearer_to_the_origin() {
    let tree = tree(3, 3);
    let method = Poincare { epochs: 200, learning_rate: 0.3, ..Poincare::default() };
    let table = method.fit(PoincareBall { dim: 2 }, &tree).unwrap();
    let right = tree.pairs.iter().filter(|[child, ancestor]| {
        let (child, ancestor) = (&tree.names[*child], &tree.names[*ancestor]);
        table.is_a_score(child, ancestor, 1000.0).unwrap() > table.is_a_score(ancestor, child, 1000.0).unwrap()
    });
    let share = right.count() as f64 / tree.pairs.len() as f64;
    assert!(share > 0.9, "{share}");
}

#[test]
fn saved_tables_come_back_to_the_bit() {
    let table = Poincare { epochs: 5, ..Poincare::default() }.fit(PoincareBall { dim: 3 }, &tree(2, 3)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("table.txt");
    table.save(&path).unwrap();
    let back = Table::load(&path, |dim| PoincareBall { dim }).unwrap();
    assert_eq!((values(&back), back.names()), (values(&table), table.names()));
    let nearest = table.most_similar("r0", 3).unwrap();
    assert_eq!(nearest.len(), 3);
    assert_eq!(nearest[0].distance, table.distance("r0", nearest[0].name).unwrap());
}

#[test]
fn malformed_tables_name_the_line() {
    let folder = tempfile::tempdir().unwrap();
    for (text, faulty) in [
        ("", 1),
        ("2\na 0 0\n", 1),
        ("2 2\na 0 0\nb 0\n", 3),
        ("2 2\na 0 x\nb 0 0\n", 2),
        ("2 2\na 0 0\nb 0.8 0.8\n", 3),
        ("2 2\na 0 0\nb NaN 0\n", 3),
        ("2 2\na 0 0\na 0 0\n", 3),
        ("2 2\na 0 0\n", 2),
    ] {
        let path = folder.path().join("table.txt");
        std::fs::File::create(&path).unwrap().write_all(text.as_bytes()).unwrap();
        match Table::load(&path, |dim| PoincareBall { dim }) {
            Err(EmbedError::Format { line, .. }) => assert_eq!(line, faulty, "{text:?}"),
            other => panic!("{text:?}: {other:?}"),
        }
    }
    let spaced = Table::new(vec!["a b".into()], vec![0.0, 0.0], PoincareBall { dim: 2 }).unwrap();
    assert!(matches!(spaced.save(&folder.path().join("x")), Err(EmbedError::Row { row: 0, .. })));
}

#[test]
fn hyperparameters_are_checked() {
    let tree = tree(2, 2);
    let wrong = [
        Poincare { negatives: 0, ..Poincare::default() },
        Poincare { threads: 0, ..Poincare::default() },
        Poincare { learning_rate: f64::NAN, ..Poincare::default() },
        Poincare { burn_in_learning_rate: 0.0, ..Poincare::default() },
        Poincare { damping: -1.0, ..Poincare::default() },
        Poincare { initial_range: 1.0, ..Poincare::default() },
    ];
    for method in wrong {
        let found = method.fit(PoincareBall { dim: 2 }, &tree);
        assert!(matches!(found, Err(EmbedError::Hyperparameter { .. })), "{method:?}");
    }
    assert!(Poincare::default().fit(PoincareBall { dim: 0 }, &tree).is_err());
    assert!(matches!(Poincare::default().fit(PoincareBall { dim: 2 }, &Taxonomy::default()), Err(EmbedError::Empty)));
}
