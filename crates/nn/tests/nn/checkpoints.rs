//! Checkpoints: killed runs, other architectures, exchange with PyTorch.

use crate::{param, tensor};
use perturb_graph::{DType, Expr, Graph, Tensor};
use perturb_nn::{
    Adam, Checkpoint, Control, Ema, Examples, Initializer, Layers, Parameters, Run, Shuffled, Step, TrainError,
    Trained, Trainer, recipe,
};
use std::path::Path;
use std::process::Command;

const STEPS: u64 = 20;

fn network(width: usize) -> (Step, Examples) {
    let mut step = Step::new();
    let (x, y) = (step.input("x", [8, 3], DType::F32), step.input("y", [8, 1], DType::F32));
    let layers = Layers::new(Initializer::pytorch(2));
    let training = layers.training(step.key());
    let h = training.at("bn").batch_norm(&training.at("fc1").linear(&x, width)).relu();
    let y_hat = training.at("fc2").linear(&training.dropout(&h, 0.2), 1);
    step.minimize(perturb_nn::losses::mse(&y_hat, &y));
    step.update_all(&layers.take_updates());
    step.apply(&Ema::new(0.9)).unwrap();
    let examples = Examples::new("x", recipe(1, [50, 3], 1.0)).unwrap().with("y", recipe(2, [50, 1], 1.0)).unwrap();
    (step, examples)
}

// 50 examples make 6 batches of 8: 20 steps end within the fourth epoch, and 10 within the second.
fn fit(
    path: Option<&Path>,
    width: usize,
    seed: u64,
    mut stop: impl FnMut(&mut Run) -> Control,
) -> Result<Trained, TrainError> {
    let (step, examples) = network(width);
    let checkpoint = path.map(|path| Checkpoint::new(path, 10));
    let trainer = Trainer { epochs: 4, seed, checkpoint, ..Trainer::with(Adam::w()) };
    trainer.fit(step, &Shuffled::new(examples, 8)?, &mut [&mut stop])
}

fn until_the_end(run: &mut Run) -> Control {
    if run.step() < STEPS { Control::Continue } else { Control::Stop }
}

/// Not a test of its own, but the process that the next one kills.
#[test]
fn child() {
    if let Some(path) = std::env::var_os("PERTURB_NN_CHILD") {
        let killed = |run: &mut Run| if run.step() < 13 { Control::Continue } else { std::process::abort() };
        let _ = fit(Some(path.as_ref()), 16, 7, killed);
    }
}

#[test]
fn a_killed_run_goes_on_bit_by_bit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.safetensors");
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "checkpoints::child"])
        .env("PERTURB_NN_CHILD", &path)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .status()
        .unwrap();
    assert!(!status.success() && path.exists(), "the child is killed after its first checkpoint");
    let mut resumed_at = None;
    let resumed = fit(Some(&path), 16, 7, |run| {
        resumed_at.get_or_insert(run.step());
        until_the_end(run)
    });
    assert_eq!(resumed_at, Some(11), "the run goes on after the checkpoint at step 10");
    let straight = fit(None, 16, 7, until_the_end).unwrap();
    assert_eq!(straight.steps, STEPS);
    assert_eq!(straight.variables, resumed.unwrap().variables);
    // A finished run is not trained again.
    let files: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|f| f.unwrap().file_name()).collect();
    assert_eq!(files, ["run.safetensors"], "no partial files are left");
}

#[test]
fn checkpoints_of_other_runs_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.safetensors");
    fit(Some(&path), 16, 7, until_the_end).unwrap();
    let seed = fit(Some(&path), 16, 8, until_the_end).unwrap_err().to_string();
    assert!(seed.contains("is of a run with seed 7, not 8"), "{seed}");
    let width = fit(Some(&path), 20, 7, until_the_end).unwrap_err();
    let TrainError::Mismatch { difference, .. } = &width else { panic!("{width}") };
    assert!(difference.differing.contains(&("fc1.weight".into(), "f32[20, 3]".into(), "f32[16, 3]".into())));
    assert!(width.to_string().contains("fc1.weight (expected f32[20, 3], is f32[16, 3])"), "{width}");
    let (step, examples) = network(16);
    let adam = Adam { learning_rate: 2e-3, ..Adam::w() };
    let faster = Trainer { epochs: 4, seed: 7, checkpoint: Some(Checkpoint::new(&path, 10)), ..Trainer::with(adam) };
    let error = faster.fit(step, &Shuffled::new(examples, 8).unwrap(), &mut []).unwrap_err().to_string();
    assert!(error.contains("another optimizer"), "{error}");
    std::fs::write(&path, b"not a checkpoint").unwrap();
    assert!(fit(Some(&path), 16, 7, until_the_end).unwrap_err().to_string().contains("not a safetensors file"));
    Parameters::default().save(&path).unwrap();
    assert!(fit(Some(&path), 16, 7, until_the_end).unwrap_err().to_string().contains("missing: bn.bias"));
}

#[test]
fn weights_of_another_architecture_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    let graph = |names: [&str; 2]| {
        let sum = names.map(|n| param(n, &[2], &[1.0, 2.0])).into_iter().reduce(|a, b| a.add(&b)).unwrap();
        Graph::new(vec![], vec![("sum".into(), sum)]).unwrap()
    };
    Parameters::of(&graph(["a", "b"])).save(&path).unwrap();
    assert!(Parameters::load_into(&path, &graph(["a", "b"])).is_ok());
    let error = Parameters::load_into(&path, &graph(["a", "c"])).unwrap_err().to_string();
    assert!(error.contains("missing: c") && error.contains("unexpected: b"), "{error}");
}

#[test]
fn every_element_type_is_stored_exactly() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    let stored: Parameters = [
        ("f32".to_string(), recipe(1, [2, 3], 1.0)),
        ("f64".to_string(), tensor(&[2], &[std::f64::consts::PI, -0.0])),
        ("i64".to_string(), Tensor::new([2], vec![i64::MIN, 3]).unwrap()),
        ("bool".to_string(), Tensor::new([2], vec![true, false]).unwrap()),
        ("empty".to_string(), tensor(&[0, 4], &[])),
        ("scalar".to_string(), tensor(&[], &[7.0])),
    ]
    .into_iter()
    .collect();
    stored.save(&path).unwrap();
    assert_eq!(Parameters::load(&path).unwrap(), stored);
    let x = Expr::param("f32", Tensor::full([2, 3], 0.0f32));
    assert_eq!(stored.bind_exprs(&[x.neg()]).unwrap()[0].inputs()[0].value(), stored.get("f32"));
}

#[test]
fn half_precision_and_counters_of_pytorch_are_read() {
    // By the format's specification: the header's length, the header, the data. 0x3E00 is 1.5 in binary16, 0x3FC0 in
    // bfloat16.
    let header = r#"{"a":{"dtype":"F16","shape":[1],"data_offsets":[0,2]},
        "b":{"dtype":"BF16","shape":[1],"data_offsets":[2,4]},
        "bn.num_batches_tracked":{"dtype":"I64","shape":[],"data_offsets":[4,12]}}"#;
    let data: &[u8] = &[0x00, 0x3E, 0xC0, 0x3F, 9, 0, 0, 0, 0, 0, 0, 0];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    std::fs::write(&path, [&(header.len() as u64).to_le_bytes(), header.as_bytes(), data].concat()).unwrap();
    let read = Parameters::load(&path).unwrap();
    assert_eq!(read.iter().map(|(n, t)| (n, t.to_f64_vec()[0])).collect::<Vec<_>>(), [("a", 1.5), ("b", 1.5)]);
    std::fs::write(&path, [&(u64::MAX).to_le_bytes()[..], b"{}"].concat()).unwrap();
    assert!(Parameters::load(&path).unwrap_err().to_string().contains("not a safetensors file"));
    assert!(matches!(Parameters::load(folder.path().join("missing")), Err(TrainError::Io { .. })));
}
