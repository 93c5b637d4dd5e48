"""Writes the ONNX project's own node tests into a folder, for `crates/onnx/tests/node_suite.rs`.

    pip install "onnx==1.16.2" "numpy<2"   # the last release that writes operator set 21
    python onnx_node_tests.py FOLDER
    PERTURB_ONNX_NODE_TESTS=FOLDER cargo nextest run -p perturb-onnx node_suite --no-capture
"""

import sys
from pathlib import Path

from onnx import TensorProto, numpy_helper
from onnx.backend.test.case.node import collect_testcases


def main() -> None:
    root = Path(sys.argv[1])
    for case in collect_testcases(None):
        for number, (inputs, outputs) in enumerate(case.data_sets):
            values = [*inputs, *outputs]
            if not all(hasattr(v, "dtype") or isinstance(v, TensorProto) for v in values):
                continue  # sequences, maps and optional values
            folder = root / case.name / str(number)
            folder.mkdir(parents=True, exist_ok=True)
            (root / case.name / "model.onnx").write_bytes(case.model.SerializeToString())
            graph = case.model.graph
            for kind, tensors, infos in (("input", inputs, graph.input), ("output", outputs, graph.output)):
                for i, (value, info) in enumerate(zip(tensors, infos)):
                    proto = value if isinstance(value, TensorProto) else numpy_helper.from_array(value)
                    # NumPy has no bfloat16: its bits come as uint16.
                    proto.data_type = info.type.tensor_type.elem_type
                    (folder / f"{kind}_{i}.pb").write_bytes(proto.SerializeToString())


if __name__ == "__main__":
    main()
