//! Graphs and taxonomies.

use crate::{counts, data};
use perturb_data::Interactions;
use perturb_data::graphs::{GraphClassification, Hypergraph, Musae, NodeTarget, Planetoid, Taxonomy};

#[test]
fn cora() {
    let Some(path) = data("graphs/planetoid/cora") else { return };
    let cora = Planetoid::load(&path).unwrap();
    assert_eq!((cora.graph.nodes, cora.graph.edges.len(), cora.classes), (2708, 5278, 7));
    assert_eq!((cora.graph.simple() == cora.graph, cora.graph.loops()), (true, 0));
    let split = &cora.split;
    assert_eq!((split.train.len(), split.validation.len(), split.test.len()), (140, 500, 1000));
    assert_eq!(counts(cora.labels.iter().flatten().copied()), [351, 217, 418, 818, 426, 298, 180]);
    // The training part has 20 papers of each subject.
    assert_eq!(counts(split.train.iter().map(|&i| cora.labels[i].unwrap())), [20; 7]);
    let features = cora.features.unwrap();
    assert_eq!((features.rows, features.columns, features.len()), (2708, 1433, 49216));
    assert_eq!(features.row(0).0, [19, 81, 146, 315, 774, 877, 1194, 1247, 1274]);
    // scipy: D^(-1/2) (A + I) D^(-1/2), sum of entries and Frobenius norm.
    let propagate = cora.graph.adjacency().with_self_loops().symmetrically_normalized();
    let sum: f64 = propagate.values.iter().map(|&v| f64::from(v)).sum();
    let norm: f64 = propagate.values.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>().sqrt();
    assert!((sum - 2505.33927).abs() < 1e-3 && (norm - 24.883453908).abs() < 1e-5, "{sum} {norm}");
}

#[test]
fn citeseer_and_pubmed() {
    let Some(path) = data("graphs/planetoid") else { return };
    let citeseer = Planetoid::load(&path.join("citeseer")).unwrap();
    assert_eq!((citeseer.graph.nodes, citeseer.graph.edges.len(), citeseer.classes), (3327, 4552, 6));
    assert_eq!(citeseer.labels.iter().filter(|l| l.is_none()).count(), 15);
    let features = citeseer.features.unwrap();
    assert_eq!((features.columns, features.len()), (3703, 105165));
    let pubmed = Planetoid::load(&path.join("pubmed")).unwrap();
    assert_eq!((pubmed.graph.nodes, pubmed.graph.edges.len(), pubmed.features), (19717, 44324, None));
    assert_eq!(counts(pubmed.labels.iter().flatten().copied()), [4103, 7739, 7875]);
}

#[test]
fn page_networks() {
    let Some(path) = data("graphs/musae") else { return };
    let chameleon = Musae::load(&path.join("chameleon")).unwrap();
    let graph = &chameleon.graph;
    assert_eq!((graph.nodes, graph.edges.len(), graph.loops(), graph.simple().edges.len()), (2277, 36101, 50, 31371));
    assert_eq!((chameleon.features.columns, chameleon.features.len()), (3132, 49057));
    let NodeTarget::Real(traffic) = &chameleon.target else { panic!("traffic is a number") };
    assert_eq!(traffic[..2], [171.0, 8089.0]);
    // Fifths of 2277 by rank.
    assert_eq!(counts(chameleon.target.quantile_labels(5)), [456, 455, 456, 455, 455]);
    let facebook = Musae::load(&path.join("facebook")).unwrap();
    assert_eq!((facebook.graph.edges.len(), facebook.graph.simple().edges.len()), (171002, 170823));
    assert_eq!((facebook.features.columns, facebook.features.len()), (4714, 314583));
    let NodeTarget::Class { labels, names } = &facebook.target else { panic!("page types are classes") };
    assert_eq!(names, &["company", "government", "politician", "tvshow"]);
    assert_eq!((counts(labels.clone()), labels[..2].to_vec()), (vec![6495, 6880, 5768, 3327], vec![3, 1]));
}

#[test]
fn graph_collections() {
    let Some(path) = data("graphs/tu") else { return };
    let expected = [
        ("MUTAG", 188, 3371, 3721, vec![63, 125], 7),
        ("PTC", 344, 8792, 8931, vec![192, 152], 19),
        ("PROTEINS", 1113, 43471, 81044, vec![663, 450], 3),
        ("NCI1", 4110, 122747, 132753, vec![2053, 2057], 37),
        ("IMDBBINARY", 1000, 19773, 96531, vec![500, 500], 1),
    ];
    for (name, graphs, nodes, edges, classes, tags) in expected {
        let set = GraphClassification::load(&path.join(format!("{name}.txt"))).unwrap();
        assert_eq!((set.graphs.len(), set.tags, set.classes), (graphs, tags, 2), "{name}");
        assert_eq!(set.graphs.iter().map(|g| g.graph.nodes).sum::<usize>(), nodes, "{name}");
        assert_eq!(set.graphs.iter().map(|g| g.graph.edges.len()).sum::<usize>(), edges, "{name}");
        assert_eq!(counts(set.labels), classes, "{name}");
        assert!(set.graphs.iter().all(|g| g.tags.len() == g.graph.nodes && g.attributes.is_empty()), "{name}");
    }
}

#[test]
fn hypergraphs() {
    let Some(path) = data("graphs/hypergraphs") else { return };
    let expected = [
        ("cocitation-cora", 2708, 7, 1579, 4786, Some(1433)),
        ("cocitation-citeseer", 3312, 6, 1079, 3453, Some(3703)),
        ("coauthorship-cora", 2708, 7, 1072, 4585, Some(1433)),
        ("cocitation-pubmed", 19717, 3, 7963, 34629, None),
    ];
    for (name, nodes, classes, hyperedges, members, features) in expected {
        let set = Hypergraph::load(&path.join(name)).unwrap();
        assert_eq!((set.nodes, set.classes, set.hyperedges.len()), (nodes, classes, hyperedges), "{name}");
        assert_eq!((set.incidence().len(), set.incidence().columns), (members, hyperedges), "{name}");
        assert_eq!(set.features.map(|f| f.columns), features, "{name}");
    }
}

#[test]
fn wordnet_closures_follow_from_the_direct_relation() {
    let Some(path) = data("wordnet") else { return };
    let direct = Taxonomy::load(&path.join("noun_hypernyms.tsv")).unwrap();
    assert_eq!((direct.names.len(), direct.pairs.len()), (82115, 84427));
    let named = |taxonomy: &Taxonomy| {
        let names = &taxonomy.names;
        let mut pairs: Vec<(String, String)> =
            taxonomy.pairs.iter().map(|&[c, a]| (names[c].clone(), names[a].clone())).collect();
        pairs.sort_unstable();
        pairs
    };
    let closure = direct.closure();
    assert_eq!(closure.pairs.len(), 743241);
    assert_eq!(named(&closure), named(&Taxonomy::load(&path.join("noun_closure.tsv")).unwrap()));
    let mammals = Taxonomy::load(&path.join("mammal_closure.tsv")).unwrap();
    assert_eq!((mammals.names.len(), mammals.pairs.len()), (1182, 6542));
    assert_eq!(named(&closure.subtree("mammal.n.01").unwrap()), named(&mammals));
}

#[test]
fn listeners() {
    let Some(path) = data("recommendation/lastfm") else { return };
    let set = Interactions::load(&path).unwrap();
    assert_eq!((set.users(), set.items(), set.train.len(), set.test.len()), (1892, 4489, 42135, 10533));
    assert_eq!((set.friends.nodes, set.friends.edges.len()), (1892, 12717));
    assert_eq!(set.train.values.iter().map(|&v| f64::from(v)).sum::<f64>(), 25_856_520.0);
    // The first line of data1: user 424, item 4076, weight 993.
    let (items, weights) = set.train.row(423);
    assert_eq!(items.iter().position(|&i| i == 4075).map(|at| weights[at]), Some(993.0));
}
