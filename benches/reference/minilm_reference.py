"""Writes the embeddings that crates/onnx/tests/minilm.rs compares with, computed by ONNX Runtime.

    pip install onnxruntime numpy
    python minilm_reference.py DATA_FOLDER ../../crates/onnx/tests/fixtures/minilm.json

One sentence at a time, without padding; the first elements of every embedding.
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime as ort

KEPT = 16


def main() -> None:
    data, target = Path(sys.argv[1]) / "minilm", Path(sys.argv[2])
    session = ort.InferenceSession(data / "all-MiniLM-L6-v2-f16.onnx", providers=["CPUExecutionProvider"])
    rows = []
    for ids, mask in zip(np.load(data / "reference_input_ids.npy"), np.load(data / "reference_attention_mask.npy")):
        ids = ids[mask == 1][None]
        feeds = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        [embedding] = session.run(["sentence_embedding"], feeds)
        rows.append([float(str(v)) for v in embedding[0, :KEPT]])
    lines = ",\n".join("    " + json.dumps(row) for row in rows)
    target.write_text(f'{{\n  "onnxruntime": "{ort.__version__}",\n  "embeddings": [\n{lines}\n  ]\n}}\n')


if __name__ == "__main__":
    main()
