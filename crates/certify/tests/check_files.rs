//! Proof files, and proofs in which one number was changed.

mod check_proving;
mod oracle;

use check_proving::{at_most, plain, property, prove, single};
use perturb_certify::proof::{ElementSlopes, Evidence, LayerSlopes, Node, Proof};
use perturb_certify::{CheckError, Place, check, read_proof, write_proof};
use perturb_graph::Graph;
use perturb_onnx::vnnlib::Property;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// A network, the least value of its only output over a box, and a proof that it is above a threshold.
struct Example {
    net: oracle::Net,
    network: Graph,
    proof: Proof,
}

const BOX: [(f64, f64); 2] = [(-1.0, 1.0), (-1.0, 0.75)];

fn above(threshold: f64) -> Property {
    property(&BOX, 1, vec![vec![at_most(&[1.0], -threshold)]])
}

// The threshold, to within 1/64, above which the output does not always stay.
fn least(net: &oracle::Net) -> f64 {
    let (mut lo, mut hi) = (-1000.0, 1000.0);
    while hi - lo > 1.0 / 64.0 {
        let middle = 0.5 * (lo + hi);
        if oracle::holds(net, &above(middle)) { lo = middle } else { hi = middle }
    }
    lo
}

// By input splits, with given slopes for an inner element.
fn example(seed: u64) -> (Example, f64) {
    let net = oracle::Net::random(&[2, 4, 3, 1], &mut ChaCha8Rng::seed_from_u64(seed));
    let network = net.graph();
    let threshold = least(&net) - 0.25;
    let mut proof = prove(&network, &above(threshold), 400).unwrap();
    let slopes = |relus: &[usize]| relus.iter().map(|&n| vec![0.5; n]).collect::<Vec<Vec<f32>>>();
    let given = ElementSlopes { element: 1, lower: slopes(&[4]), upper: slopes(&[4]) };
    proof.cases[0].layers[1] = LayerSlopes::Given(vec![given]);
    (Example { net, network, proof }, threshold)
}

// By the signs of all neurons: then a leaf's multipliers are the solution of a linear program, which is found by chance.
fn example_by_signs(seed: u64) -> (Example, f64) {
    let rng = &mut ChaCha8Rng::seed_from_u64(seed);
    let net = oracle::Net::random(&[2, 3, 1], rng);
    let network = net.graph();
    let threshold = least(&net) - 0.25;
    // The tree in preorder, and where its leaves are.
    let (mut nodes, mut pending) = (Vec::new(), vec![0]);
    while let Some(element) = pending.pop() {
        if element < 3 {
            nodes.push(Node::Sign { layer: 0, element });
            pending.extend([element + 1, element + 1]);
        } else {
            let evidence = Evidence { multipliers: vec![0.0; 3], slopes: Some(vec![vec![0.5; 3]]), ..plain(&[1.0]) };
            nodes.extend([Node::Refuted { conjunction: 0, evidence }, Node::Done]);
        }
    }
    let mut proof = single(&network, nodes);
    let failure = |proof: &Proof| match check(&network, &above(threshold), proof) {
        Err(CheckError::NotRefuted { place: Place::Node { node, .. }, bound, .. }) => Some((node, bound)),
        found => found.map(|_| None).unwrap(),
    };
    let (mut failing, mut tries) = (failure(&proof), 0);
    while let Some((leaf, bound)) = failing {
        let mut changed = proof.clone();
        let Node::Refuted { evidence, .. } = &mut changed.cases[0].trees[0].nodes[leaf] else { unreachable!() };
        // All at once: along single axes a concave function with kinks can be stuck.
        let step = [2.0, 0.5, 0.1][rng.random_range(0..3)];
        evidence.multipliers.iter_mut().for_each(|m| *m = (*m + rng.random_range(-step..step)).max(0.0));
        tries += 1;
        assert!(tries < 100_000, "seed {seed}: no multipliers found for node {leaf}");
        let next = failure(&changed);
        if next.is_none_or(|(node, better)| node > leaf || better >= bound) {
            (proof, failing) = (changed, next);
        }
    }
    (Example { net, network, proof }, threshold)
}

#[test]
fn files_are_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.proof");
    let (example, threshold) = example(1);
    write_proof(&path, b"network", b"property", &example.proof).unwrap();
    let read = read_proof(&path, b"network", b"property").unwrap();
    assert_eq!(read, example.proof);
    assert!(check(&example.network, &above(threshold), &read).is_ok());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    let message = |network: &[u8], property: &[u8]| read_proof(&path, network, property).unwrap_err().to_string();
    assert!(message(b"other", b"property").contains("about another network"));
    assert!(message(b"network", b"other").contains("about another property"));
    let error = write_proof(folder.path().join("no/such/folder"), b"", b"", &read).unwrap_err().to_string();
    assert!(error.contains("no/such/folder"), "{error}");
    for (bytes, expected) in [(&b""[..], "not a proof file"), (b"perturb proof 1\n", "damaged"), (b"PK", "not a proof")]
    {
        std::fs::write(&path, bytes).unwrap();
        assert!(message(b"network", b"property").contains(expected));
    }
}

// Every change of a byte, and every cut, is noticed.
#[test]
fn damaged_files_are_rejected() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.proof");
    write_proof(&path, b"network", b"property", &example(2).0.proof).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    let rng = &mut ChaCha8Rng::seed_from_u64(2);
    for round in 0..1000 {
        let mut mutant = bytes.clone();
        if round % 10 == 0 {
            mutant.truncate(rng.random_range(0..bytes.len()));
        } else {
            mutant[rng.random_range(0..bytes.len())] ^= rng.random_range(1..=255u8);
        }
        std::fs::write(&path, mutant).unwrap();
        assert!(read_proof(&path, b"network", b"property").is_err(), "mutant {round}");
    }
}

// Changed bytes under a right digest: nothing panics or asks for memory that the file does not have, and nothing false is
// accepted.
#[test]
fn sealed_bytes_are_read_with_care() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.proof");
    let (example, threshold) = example_by_signs(3);
    write_proof(&path, b"network", b"property", &example.proof).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    let (start, end) = (b"perturb proof 1\n".len() + 64, bytes.len() - 32);
    let wrong = above(threshold + 0.5);
    assert!(!oracle::holds(&example.net, &wrong));
    let rng = &mut ChaCha8Rng::seed_from_u64(5);
    let mut read = 0;
    for round in 0..2000 {
        let mut mutant = bytes[..end].to_vec();
        for _ in 0..rng.random_range(1..4) {
            // Runs of 255 are lengths of many digits.
            let at = rng.random_range(start..end);
            let run = if round % 3 == 0 { rng.random_range(1..9) } else { 1 };
            let value = if round % 3 == 0 { 255 } else { rng.random() };
            mutant[at..(at + run).min(end)].fill(value);
        }
        let seal = Sha256::digest(&mutant);
        mutant.extend_from_slice(&seal);
        std::fs::write(&path, mutant).unwrap();
        match read_proof(&path, b"network", b"property") {
            Ok(proof) => {
                read += 1;
                assert!(check(&example.network, &wrong, &proof).is_err(), "mutant {round}");
                _ = check(&example.network, &above(threshold), &proof);
            }
            Err(error) => assert!(error.to_string().contains("not a proof"), "{error}"),
        }
    }
    assert!(read > 100 && read < 1900, "{read}");
}

// All places of numbers in a JSON text.
fn numbers<'a>(value: &'a mut Value, found: &mut Vec<&'a mut Value>) {
    match value {
        Value::Number(_) => found.push(value),
        Value::Array(items) => items.iter_mut().for_each(|item| numbers(item, found)),
        Value::Object(entries) => entries.values_mut().for_each(|item| numbers(item, found)),
        _ => {}
    }
}

// The proof with one number changed, or one node removed or doubled.
fn mutant(proof: &Proof, rng: &mut ChaCha8Rng) -> Option<Proof> {
    let mut changed = proof.clone();
    if rng.random_range(0..8) == 0 {
        let trees = &mut changed.cases[0].trees;
        let tree = rng.random_range(0..trees.len());
        let nodes = &mut trees[tree].nodes;
        let at = rng.random_range(0..nodes.len());
        match rng.random_range(0..3) {
            0 => _ = nodes.remove(at),
            1 => nodes.insert(at, nodes[at].clone()),
            _ => nodes.truncate(at),
        }
        return Some(changed);
    }
    let mut text = serde_json::to_value(proof).unwrap();
    let mut places = Vec::new();
    numbers(&mut text, &mut places);
    let chosen = rng.random_range(0..places.len());
    let place = &mut places[chosen];
    let new = match place.as_u64() {
        Some(index) => Value::from(index ^ (1 << rng.random_range(0..3))),
        None => {
            let old = place.as_f64()?;
            let factor = [-1.0, 0.0, 0.5, 1.5, 1e30, 1e-30][rng.random_range(0..6)];
            Value::from((old * factor) as f32)
        }
    };
    **place = new;
    serde_json::from_value(text).ok()
}

// Mutants with a right digest: what the checker accepts is true. They are checked against thresholds on both sides of
// the least value, so that there is something false to accept.
#[test]
fn sealed_mutants_are_accepted_only_where_the_property_holds() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.proof");
    let rng = &mut ChaCha8Rng::seed_from_u64(4);
    let (mut accepted, mut rejected, mut written) = (0, 0, 0);
    for seed in 0..10 {
        let (example, threshold) = if seed % 2 == 0 { example(seed) } else { example_by_signs(seed) };
        let shifts = [0.0, 0.125, 0.24, 0.26, 0.3, 0.5, 1.0, 4.0];
        let truth: Vec<(Property, bool)> = shifts
            .iter()
            .map(|shift| above(threshold + shift))
            .map(|p| (p.clone(), oracle::holds(&example.net, &p)))
            .collect();
        assert!(truth[0].1 && !truth[7].1);
        for _ in 0..100 {
            let Some(proof) = mutant(&example.proof, rng) else { continue };
            write_proof(&path, b"network", b"property", &proof).unwrap();
            written += 1;
            let proof = read_proof(&path, b"network", b"property").unwrap();
            for (property, holds) in &truth {
                match check(&example.network, property, &proof) {
                    Ok(_) => {
                        assert!(holds, "seed {seed}: something false was accepted");
                        accepted += 1;
                    }
                    Err(_) => rejected += 1,
                }
            }
        }
    }
    println!("{written} mutants: {accepted} accepted, {rejected} rejected");
    assert!(written > 900 && accepted > 100 && rejected > 1000, "{written}, {accepted}, {rejected}");
}

// The checker proves what is true about tiny networks, up to a margin, by input splits alone; and only that.
#[test]
fn proofs_and_the_oracle_agree() {
    let rng = &mut ChaCha8Rng::seed_from_u64(8);
    let (mut proved, mut denied) = (0, 0);
    for round in 0..150 {
        let net = oracle::Net::random(&[2, 3, 3, 2], rng);
        let offset = f64::from(rng.random_range(-24..=40)) / 8.0 + 1.0 / 1024.0;
        let any_of =
            vec![vec![at_most(&[1.0, -1.0], offset)], vec![at_most(&[1.0, 0.0], offset), at_most(&[0.0, 1.0], 2.0)]];
        let property = property(&BOX, 2, any_of);
        let network = net.graph();
        let found = prove(&network, &property, 300);
        match oracle::counterexample(&net, &property) {
            Some(input) => {
                assert!(found.is_none(), "round {round}: {input:?} is a counterexample");
                denied += 1;
            }
            None => proved += usize::from(found.is_some_and(|p| check(&network, &property, &p).is_ok())),
        }
    }
    println!("{proved} proved, {denied} false");
    assert!(proved > 25 && denied > 25, "{proved} proved, {denied} false");
}
