"""Writes the forward values that crates/onnx/tests/forward.rs compares with, computed by ONNX Runtime.

    pip install onnxruntime numpy
    python onnx_reference.py DATA_FOLDER ../../crates/onnx/tests/fixtures/forward.json

Every entry names the model, its sha256, how its inputs are made, and one row of outputs per input:

* mnist:   test images FIRST.., pixel / 255 in float32
* cifar10: test images FIRST.., pixel / 255, then (x - mean) / std per channel in float32 where a mean is given;
           `layout` says whether the channel axis comes first or last
* lcg:     the generator of `lcg` below with seed FIRST + row, times `scale`
"""

import gzip
import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime as ort


def lcg(seed: int, count: int, scale: float) -> np.ndarray:
    """x_{k+1} = 6364136223846793005 x_k + 1442695040888963407 (mod 2^64), value_k = (x_{k+1} >> 40) / 2^23 - 1."""
    out, x = np.empty(count, dtype=np.float32), seed
    for i in range(count):
        x = (6364136223846793005 * x + 1442695040888963407) & 0xFFFFFFFFFFFFFFFF
        out[i] = (x >> 40) / 8388608.0 - 1.0
    return out * np.float32(scale)


def mnist(data: Path, row: int, recipe: dict) -> np.ndarray:
    with gzip.open(data / "mnist/t10k-images-idx3-ubyte.gz") as file:
        pixels = np.frombuffer(file.read(16 + 784 * (row + 1)), dtype=np.uint8)[16 + 784 * row :]
    return pixels.astype(np.float32) / np.float32(255)


def cifar10(data: Path, row: int, recipe: dict) -> np.ndarray:
    with gzip.open(data / "cifar10/test_2k.bin.gz") as file:
        pixels = np.frombuffer(file.read(3073 * (row + 1)), dtype=np.uint8)[3073 * row + 1 :]
    image = (pixels.astype(np.float32) / np.float32(255)).reshape(3, 32, 32)
    if "mean" in recipe:
        mean, std = (np.array(recipe[key], dtype=np.float32).reshape(3, 1, 1) for key in ("mean", "std"))
        image = (image - mean) / std
    return image.transpose(1, 2, 0) if recipe["layout"] == "channels-last" else image


def make_input(data: Path, recipe: dict, row: int, shape: list[int]) -> np.ndarray:
    first = recipe["first"]
    if recipe["kind"] == "lcg":
        values = lcg(first + row, int(np.prod(shape)), recipe["scale"])
    else:
        values = {"mnist": mnist, "cifar10": cifar10}[recipe["kind"]](data, first + row, recipe)
    return np.ascontiguousarray(values.reshape(shape))


def models() -> list[tuple[str, dict]]:
    digits = {"kind": "mnist", "first": 0, "rows": 4}
    plain = {"kind": "cifar10", "first": 0, "rows": 1, "layout": "channels-first"}
    normalised = plain | {"rows": 10, "mean": [0.4914, 0.4822, 0.4465], "std": [0.2471, 0.2435, 0.2616]}
    table = [(f"mnistfc/mnist-net_256x{depth}.onnx", digits) for depth in (2, 4, 6)]
    table += [(f"cifar10_resnet/onnx/resnet_{blocks}b.onnx", normalised) for blocks in (2, 4)]
    nets = [(1, 1), (1, 5), (1, 9), (2, 3), (2, 7), (3, 2), (3, 6), (4, 4), (5, 1), (5, 9)]
    table += [
        (f"acasxu/ACASXU_run2a_{a}_{b}_batch_2000.onnx", {"kind": "lcg", "first": 1000 * a + 10 * b, "rows": 4, "scale": 0.5})
        for a, b in nets
    ]
    table += [(f"eran/nets/{name}.onnx", digits | {"rows": 1}) for name in ("mnist_relu_9_200", "ffnnSIGMOID__Point_6x200")]
    table += [(f"verivital/Convnet_{name}.onnx", digits | {"rows": 1}) for name in ("avgpool", "maxpool")]
    table += [(f"oval21/nets/cifar_{name}_kw.onnx", plain) for name in ("base", "wide", "deep")]
    last = plain | {"layout": "channels-last"}
    return table + [(f"marabou-cifar10/nets/cifar10_{name}.onnx", last) for name in ("small", "medium", "large")]


def main() -> None:
    data, target = Path(sys.argv[1]), Path(sys.argv[2])
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    lines = []
    for name, recipe in models():
        path = data / "vnncomp2021" / name
        session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        model_input = session.get_inputs()[0]
        shape = [d if isinstance(d, int) else 1 for d in model_input.shape]
        rows = [session.run(None, {model_input.name: make_input(data, recipe, r, shape)})[0] for r in range(recipe["rows"])]
        entry = {
            "model": name,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "input": recipe,
            # The shortest decimal that reads back as the same float32.
            "outputs": [[float(str(v)) for v in row.ravel()] for row in rows],
        }
        lines.append("    " + json.dumps(entry))
    header = f'{{\n  "onnxruntime": "{ort.__version__}",\n  "models": [\n'
    target.write_text(header + ",\n".join(lines) + "\n  ]\n}\n")


if __name__ == "__main__":
    main()
