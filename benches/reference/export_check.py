"""Runs exported graphs with ONNX Runtime and compares with what the graphs compute.

    pip install onnx onnxruntime numpy
    PERTURB_EXPORTS=FOLDER cargo nextest run -p perturb-onnx cases_for_onnx_runtime
    python export_check.py FOLDER

Every subfolder holds `model.onnx`, inputs and outputs. The checker of the standard must accept each model. Errors are
relative to 1 plus the largest magnitude of the output. ONNX Runtime has no kernels for some operators on doubles
(convolution, erf, ...): those models are only checked, and their twins in single precision are run.
"""

import sys
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from onnx import numpy_helper

TOLERANCE = {np.dtype(np.float32): 2e-5, np.dtype(np.float64): 1e-10}
# ONNX Runtime's Fourier transform of a length that is no power of 2 has phases in single precision.
ROUGH = {"DFT": 1e-6}


def tensors(folder: Path, kind: str) -> list[np.ndarray]:
    files = sorted(folder.glob(f"{kind}_*.pb"), key=lambda f: int(f.stem.split("_")[1]))
    return [numpy_helper.to_array(onnx.load_tensor(f)) for f in files]


def evaluate(model: onnx.ModelProto, feeds: dict) -> list[np.ndarray] | None:
    """The outputs, or nothing if ONNX Runtime lacks a kernel for the element type."""
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    try:
        session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except Exception as problem:  # its own classes of exceptions are not public
        if "NOT_IMPLEMENTED" not in str(problem):
            raise
        return None
    return session.run(None, feeds)


def error(got: np.ndarray, want: np.ndarray) -> float:
    if got.shape != want.shape or got.dtype != want.dtype:
        return np.inf
    if want.dtype.kind in "ib":
        return 0.0 if np.array_equal(got, want) else np.inf
    same = (got == want) | (np.isnan(got) & np.isnan(want))
    finite = np.abs(want[np.isfinite(want)])
    scale = 1.0 + (finite.max() if finite.size else 0.0)
    with np.errstate(invalid="ignore"):
        distance = np.where(same, 0.0, np.abs(got - want) / scale)
    return float(np.nan_to_num(distance, nan=np.inf).max(initial=0.0))


def main() -> None:
    folders = sorted(p for p in Path(sys.argv[1]).iterdir() if (p / "model.onnx").exists())
    unsupported, worst, failed = Counter(), Counter(), []
    for folder in folders:
        model = onnx.load(folder / "model.onnx")
        name = f"{folder.name} ({model.doc_string})"
        try:
            onnx.checker.check_model(model, full_check=True)
            got = evaluate(model, dict(zip([i.name for i in model.graph.input], tensors(folder, "input"))))
        except Exception as problem:
            failed.append(f"{name}: {str(problem).splitlines()[0]}")
            continue
        if got is None:
            unsupported[folder.name.split("-")[0]] += 1
            continue
        for g, w in zip(got, tensors(folder, "output"), strict=True):
            g, distance = np.asarray(g), error(np.asarray(g), w)
            worst[str(w.dtype)] = max(worst[str(w.dtype)], distance)
            allowed = max([TOLERANCE.get(w.dtype, 0.0), *(ROUGH.get(n.op_type, 0.0) for n in model.graph.node)])
            if distance > allowed:
                failed.append(f"{name}: error {distance:.2g}")
    for line in failed:
        print(line)
    skipped = ", ".join(f"{n} of {t}" for t, n in unsupported.items())
    print(f"{len(folders)} models, ONNX Runtime {ort.__version__} cannot run {skipped}; {len(failed)} failures")
    print("largest errors: " + ", ".join(f"{t} {e:.1e}" for t, e in sorted(worst.items())))
    # Single precision is what everything must run in.
    sys.exit(bool(failed) or not folders or unsupported["f32"] > 0)


if __name__ == "__main__":
    main()
