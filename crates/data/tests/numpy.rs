//! Archives exchanged with NumPy itself. Skipped where no Python with NumPy is found (`PERTURB_PYTHON`, else `python3`).

use perturb_data::npz;
use perturb_graph::Tensor;
use std::path::Path;
use std::process::Command;

/// Runs a script with NumPy imported as `np` and `path` set; `None` without NumPy.
fn python(path: &Path, script: &str) -> Option<String> {
    let interpreter = std::env::var_os("PERTURB_PYTHON").unwrap_or_else(|| "python3".into());
    let run = |code: &str| Command::new(&interpreter).args(["-c", code]).arg(path).output();
    if !run("import numpy").is_ok_and(|out| out.status.success()) {
        eprintln!("skipped: {} cannot import numpy; set PERTURB_PYTHON", interpreter.display());
        return None;
    }
    let out = run(&format!("import sys, numpy as np\npath = sys.argv[1]\n{script}")).unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    Some(String::from_utf8(out.stdout).unwrap())
}

#[test]
fn numpy_reads_what_we_write() {
    let dir = tempfile::TempDir::new().unwrap();
    let path = dir.path().join("ours.npz");
    let arrays = [
        ("lower/y".to_string(), Tensor::new([2, 2], vec![1.5f32, -2.0, 0.25, f32::MIN_POSITIVE / 16.0]).unwrap()),
        ("d".to_string(), Tensor::new([1], vec![1.0f64 / 3.0]).unwrap()),
        ("i".to_string(), Tensor::scalar(-7i64)),
        ("b".to_string(), Tensor::new([3], vec![true, false, true]).unwrap()),
    ];
    npz::write_all(&path, &arrays).unwrap();
    let script =
        "z = np.load(path)\nfor k in z.files: print(k, z[k].dtype, z[k].shape, z[k].astype('f8').ravel().tolist())";
    let Some(printed) = python(&path, script) else { return };
    let expected = "lower/y float32 (2, 2) [1.5, -2.0, 0.25, 7.346839692639297e-40]\n\
                    d float64 (1,) [0.3333333333333333]\ni int64 () [-7.0]\nb bool (3,) [1.0, 0.0, 1.0]\n";
    assert_eq!(printed, expected);
}

#[test]
fn we_read_what_numpy_writes() {
    let dir = tempfile::TempDir::new().unwrap();
    let path = dir.path().join("theirs.npz");
    let script = "a = np.arange(24).reshape(2, 3, 4)
np.savez_compressed(path, c=a.astype('f4'), f=np.asfortranarray(a.astype('>f8')), h=a.astype('f2'), u=a.astype('u2'),
                    i=a.astype('>i4'), b=a % 2 == 0, e=np.zeros((0, 3)), t=a.astype('i8').T)";
    if python(&path, script).is_none() {
        return;
    }
    let arrays = npz::read_all(&path).unwrap();
    assert_eq!(arrays.iter().map(|a| a.0.as_str()).collect::<Vec<_>>(), ["c", "f", "h", "u", "i", "b", "e", "t"]);
    let counting: Vec<f64> = (0..24).map(f64::from).collect();
    for (name, tensor) in &arrays {
        let values = tensor.to_f64_vec();
        match name.as_str() {
            "b" => assert!(values.iter().enumerate().all(|(i, &v)| v == f64::from(i % 2 == 0))),
            "e" => assert_eq!(&tensor.shape()[..], [0, 3]),
            "t" => assert_eq!((&tensor.shape()[..], values[1], values[2]), (&[4, 3, 2][..], 12.0, 4.0)),
            _ => assert_eq!((&tensor.shape()[..], &values), (&[2, 3, 4][..], &counting), "{name}"),
        }
    }
}
