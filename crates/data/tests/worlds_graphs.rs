//! The `graphs` world: counts against laws, explanations against the graphs.

use perturb_data::worlds::graphs::*;
use std::collections::HashMap;

/// Edges within and between blocks over 60 graphs: five standard deviations of the binomial law.
#[test]
fn blocks_have_their_densities() {
    let probabilities = [vec![0.4, 0.05, 0.1], vec![0.05, 0.3, 0.0], vec![0.1, 0.0, 1.0]];
    let sizes = [15, 20, 6];
    let mut counts = [[0usize; 3]; 3];
    for seed in 0..60 {
        let (graph, blocks) = stochastic_block(&sizes, &probabilities, seed).unwrap();
        assert_eq!((graph.nodes(), blocks[14], blocks[15], blocks[40]), (41, 0, 1, 2));
        for &(a, b) in graph.edges() {
            assert!(a < b && graph.has_edge(b, a));
            counts[blocks[a]][blocks[b]] += 1;
        }
    }
    for i in 0..3 {
        for j in i..3 {
            let pairs = if i == j { sizes[i] * (sizes[i] - 1) / 2 } else { sizes[i] * sizes[j] };
            let (n, p) = (60.0 * pairs as f64, probabilities[i][j]);
            let deviation = (n * p * (1.0 - p)).sqrt();
            assert!((counts[i][j] as f64 - n * p).abs() <= 5.0 * deviation, "({i}, {j}): {}", counts[i][j]);
        }
    }
}

/// Nodes that attach come to a power law: the largest degree is far beyond that of a random graph with as many edges,
/// and the mean degree is exact.
#[test]
fn attachment_makes_hubs() {
    let graph = barabasi_albert(500, 3, 1).unwrap();
    assert_eq!(graph.edges().len(), 3 + 3 * 496);
    let degrees = graph.degrees();
    assert!(degrees.iter().all(|&d| d >= 1) && graph.components().iter().all(|&c| c == 0));
    // A binomial degree of mean 6 exceeds 22 with probability 10⁻⁷; theory says about 3·√500 = 67 here.
    assert!(*degrees.iter().max().unwrap() > 30, "{:?}", degrees.iter().max());
}

/// All 4² = 16 labelled trees on four nodes, equally often: 8,000 draws within 5.5 standard deviations.
#[test]
fn trees_are_uniform() {
    let mut counts: HashMap<Vec<(usize, usize)>, f64> = HashMap::new();
    for seed in 0..8000 {
        let tree = random_tree(4, seed);
        assert!(tree.cycles() == 0 && tree.edges().len() == 3);
        *counts.entry(tree.edges().to_vec()).or_default() += 1.0;
    }
    assert_eq!(counts.len(), 16);
    assert!(counts.values().all(|c| (c - 500.0).abs() < 5.5 * 21.7), "{counts:?}");
    for nodes in [0, 1, 2, 30] {
        let tree = random_tree(nodes, 1);
        assert_eq!((tree.nodes(), tree.edges().len(), tree.cycles()), (nodes, nodes.saturating_sub(1), 0));
    }
}

#[test]
fn regular_graphs_have_their_counts() {
    let tree = balanced_tree(3, 3);
    assert_eq!((tree.nodes(), tree.edges().len(), tree.cycles()), (40, 39, 0));
    assert_eq!(tree.degrees()[..5], [3, 4, 4, 4, 4]);
    let flat = grid(3, 4, false);
    assert_eq!((flat.edges().len(), flat.cycles()), (17, 6));
    let torus = grid(3, 4, true);
    assert!(torus.edges().len() == 24 && torus.degrees().iter().all(|&d| d == 4));
    assert_eq!(grid(1, 3, true).edges(), [(0, 1), (0, 2), (1, 2)]);
    let (near, places) = geometric(60, 0.2, 3);
    for a in 0..60 {
        for b in 0..a {
            let distance = (places[a][0] - places[b][0]).hypot(places[a][1] - places[b][1]);
            assert_eq!(near.has_edge(a, b), distance < 0.2);
        }
    }
    let adjacency = flat.adjacency();
    let adjacency = adjacency.as_slice::<f32>();
    for (i, &value) in adjacency.iter().enumerate() {
        assert_eq!(value == 1.0, flat.has_edge(i / 12, i % 12));
    }
}

#[test]
fn houses_explain_their_labels() {
    let world = BaShapes { base: 60, attached: 2, houses: 12, noise: 0.1 };
    let sample = world.sample(1).unwrap();
    assert_eq!((sample.graph.nodes(), sample.labels.len(), sample.motifs.len()), (120, 120, 12));
    let clean = BaShapes { noise: 0.0, ..world }.sample(1).unwrap();
    assert_eq!(sample.graph.edges().len(), clean.graph.edges().len() + 12);
    for (house, motif) in sample.motifs.iter().enumerate() {
        assert!(motif.iter().all(|&(a, b)| sample.graph.has_edge(a, b)));
        let nodes = 60 + 5 * house..65 + 5 * house;
        // Within the house there are its six edges and no more: degrees tell the roles, 2 at the top, 3 at the middle.
        let inside: Vec<(usize, usize)> =
            sample.graph.edges().iter().copied().filter(|(a, b)| nodes.contains(a) && nodes.contains(b)).collect();
        assert_eq!(inside.len(), 6);
        for node in nodes.clone() {
            let degree = inside.iter().filter(|(a, b)| *a == node || *b == node).count();
            let neighbours: Vec<usize> =
                inside.iter().filter(|e| e.0 == node || e.1 == node).map(|e| e.0 + e.1 - node).collect();
            let role = match degree {
                3 => 1,
                // Both neighbours of the top are of the middle; of a bottom corner only one is.
                _ if neighbours.iter().all(|n| inside.iter().filter(|e| e.0 == *n || e.1 == *n).count() == 3) => 3,
                _ => 2,
            };
            assert_eq!(sample.labels[node], role, "node {node}");
        }
        // Without noise, one edge leads out.
        let out = clean.graph.edges().iter().filter(|(a, b)| nodes.contains(a) != nodes.contains(b)).count();
        assert_eq!(out, 1);
    }
    assert_eq!(BaShapes::default().sample(0).unwrap().graph.nodes(), 700);
}

#[test]
fn motifs_tell_the_class() {
    let mut classes = [0; 2];
    for index in 0..200 {
        let sample = MotifGraphs { base: 20 }.sample(2, index).unwrap();
        assert_eq!(sample, MotifGraphs { base: 20 }.sample(2, index).unwrap());
        // The base is a tree: the house brings two independent cycles, the ring one.
        assert_eq!(sample.graph.cycles(), [2, 1][sample.class]);
        assert!(
            sample.motifs[0]
                .iter()
                .all(|&(a, b)| sample.graph.has_edge(a, b) && sample.labels[a] == 1 && sample.labels[b] == 1)
        );
        assert!(sample.graph.components().iter().all(|&c| c == 0));
        classes[sample.class] += 1;
    }
    assert!((classes[0] as f64 - 100.0).abs() < 5.0 * 7.1, "{classes:?}");
}

#[test]
fn pairs_differ_in_one_edge_and_in_the_cycle() {
    for index in 0..100 {
        let (closed, open, (a, b)) = CyclePairs { ring: 7, nodes: 15 }.sample(3, index).unwrap();
        assert_eq!((closed.cycles(), open.cycles()), (1, 0));
        assert!(closed.has_edge(a, b) && !open.has_edge(a, b) && closed.edges().len() == open.edges().len() + 1);
        assert!(open.edges().iter().all(|&(a, b)| closed.has_edge(a, b)) && open.components().iter().all(|&c| c == 0));
    }
    let (triangle, path, _) = CyclePairs { ring: 3, nodes: 3 }.sample(0, 0).unwrap();
    assert_eq!((triangle.edges().len(), path.edges().len()), (3, 2));
}

#[test]
fn impossible_graphs_are_errors() {
    assert!(erdos_renyi(5, 1.5, 0).unwrap_err().to_string().contains("between 0 and 1"));
    assert!(erdos_renyi(5, f64::NAN, 0).is_err());
    assert!(stochastic_block(&[2, 2], &[vec![0.5, 0.1], vec![0.2, 0.5]], 0).unwrap_err().to_string().contains("agree"));
    assert!(stochastic_block(&[2, 2], &[vec![0.5]], 0).is_err());
    assert!(barabasi_albert(3, 0, 0).is_err() && barabasi_albert(3, 3, 0).is_err());
    assert!(
        CyclePairs { ring: 2, nodes: 5 }.sample(0, 0).is_err()
            && CyclePairs { ring: 6, nodes: 5 }.sample(0, 0).is_err()
    );
    assert!(BaShapes { noise: -1.0, ..BaShapes::default() }.sample(0).is_err());
    assert!(MotifGraphs { base: 1 }.sample(0, 0).is_err());
    assert_eq!(erdos_renyi(0, 0.5, 0).unwrap().nodes(), 0);
}
