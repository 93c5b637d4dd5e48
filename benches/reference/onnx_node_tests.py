"""The ONNX project's own node tests of operator sets 8 to 21, for `crates/onnx/tests/node_suite.rs`.

    python onnx_node_tests.py fetch FOLDER      # downloads 14 releases of the `onnx` package, 150 MB, with pip
    PERTURB_ONNX_NODE_TESTS=FOLDER cargo nextest run -p perturb-onnx node_suite
    python onnx_node_tests.py table FOLDER ../../crates/onnx/OPERATORS.md

Every release carries the tests of its time, with the models in the newest operator set it knows. A test is kept once
for every operator set in which it is found, as FOLDER/CASE.SET/model.onnx, with the tensors of its data sets beside it;
of two releases with one set the later one counts, because its tests were corrected. The Rust test writes
FOLDER/results.jsonl, one line for each test, from which the table is made.
"""

import json
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections import Counter, defaultdict
from pathlib import Path

# Releases with the Python version whose package is read: only the data in it matter.
RELEASES = [("1.3.0", "3.6"), ("1.4.1", "3.6")]
RELEASES += [(v, "3.7") for v in ("1.5.0", "1.6.0", "1.7.0", "1.8.1", "1.9.0", "1.10.2", "1.11.0", "1.12.0", "1.13.1", "1.14.1")]
RELEASES += [("1.15.0", "3.11"), ("1.16.2", "3.11")]
PLATFORMS = ["manylinux1_x86_64", "manylinux2010_x86_64", "manylinux_2_12_x86_64", "manylinux2014_x86_64", "manylinux_2_17_x86_64"]
DATA = "onnx/backend/test/data/node/"
SETS = range(8, 22)


def varint(data: bytes, at: int) -> tuple[int, int]:
    value, shift = 0, 0
    while True:
        byte = data[at]
        value, at, shift = value | (byte & 0x7F) << shift, at + 1, shift + 7
        if byte < 0x80:
            return value, at


def operator_set(model: bytes) -> int:
    """The version of the standard's operator set: field 8 of the model, fields 1 and 2 of that."""
    at, found = 0, 0
    while at < len(model):
        key, at = varint(model, at)
        if key & 7 == 0:
            _, at = varint(model, at)
            continue
        length, at = varint(model, at)
        if key >> 3 == 8:
            part, inner, domain, version = model[at : at + length], 0, b"", 0
            while inner < len(part):
                field, inner = varint(part, inner)
                number, inner = varint(part, inner)
                if field & 7 == 2:
                    domain, inner = part[inner : inner + number], inner + number
                else:
                    version = number
            if domain in (b"", b"ai.onnx"):
                found = version
        at += length
    return found


def extract(wheel: Path, root: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = [n for n in archive.namelist() if n.startswith(DATA) and not n.endswith("/")]
        folders = defaultdict(list)
        for name in names:
            folders[name[len(DATA) :].split("/")[0]].append(name)
        for case, files in folders.items():
            model = archive.read(f"{DATA}{case}/model.onnx")
            # Later releases declare the set in which an operator last changed; older ones than 8 are the same there.
            version = operator_set(model)
            if version not in range(1, SETS[-1] + 1):
                continue  # operators of other domains, or of a newer set
            version = max(version, SETS[0])
            target = root / f"{case}.{version:02}"
            shutil.rmtree(target, ignore_errors=True)
            for name in files:
                path = target / name[len(DATA) + len(case) + 1 :].replace("test_data_set_", "")
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(archive.read(name))


def fetch(root: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for release, python in RELEASES:
            command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:", "-d", folder]
            command += ["--python-version", python, *(f"--platform={p}" for p in PLATFORMS), f"onnx=={release}"]
            subprocess.run(command, check=True)
            [wheel] = Path(folder).glob(f"onnx-{release}-*.whl")
            extract(wheel, root)
            wheel.unlink()


def table(root: Path, target: Path) -> None:
    results = [json.loads(line) for line in (root / "results.jsonl").read_text().splitlines()]
    rows, reasons, sets = defaultdict(Counter), defaultdict(Counter), defaultdict(set)
    for result in results:
        # Tests of several operators show how functions of the standard are composed of others.
        name = result["ops"][0] if len(result["ops"]) == 1 else "(several operators)"
        rows[name][result["outcome"]] += 1
        sets[name].add(result["opset"])
        if result["outcome"] != "passed":
            reasons[name][result["reason"]] += 1
    total = Counter(r["outcome"] for r in results)
    ran = total["passed"] + total["failed"]
    lines = [
        "# Operators",
        "",
        "What the importer makes of the ONNX project's own node tests, operator sets 8 to 21. This file is written by",
        "`benches/reference/onnx_node_tests.py`; run it again instead of editing.",
        "",
        f"{len(results)} tests: {total['passed']} passed, {total['failed']} failed, {total['skipped']} skipped;",
        f"{100 * total['passed'] / ran:.1f} % of those that ran passed. A test is skipped where the operator, or the form of it",
        "that the test uses, is refused with an error that says why. Every test runs with all its inputs fed at run time;",
        "where that is refused, because a shape or an axis would depend on them, with integers known at import, and then with",
        "all inputs known.",
        "",
        "| operator | sets | passed | of these with known integers | with all known | failed | skipped | why |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | --- |",
    ]
    how = defaultdict(Counter)
    for result in results:
        name = result["ops"][0] if len(result["ops"]) == 1 else "(several operators)"
        if result["outcome"] == "passed":
            how[name][result["inputs"]] += 1
    for name in sorted(rows):
        row, known = rows[name], how[name]
        why = "; ".join(f"{reason} ({count})" for reason, count in reasons[name].most_common(4)) if name[0] != "(" else "see the operators"
        versions = f"{min(sets[name])}–{max(sets[name])}"
        cells = [name, versions, row["passed"], known["integers known"], known["all known"], row["failed"], row["skipped"]]
        lines.append("| " + " | ".join(str(c) for c in cells) + " | " + (why if reasons[name] else "").replace("|", "\\|") + " |")
    target.write_text("\n".join(lines) + "\n")
    print("\n".join(lines[5:9]))


def main() -> None:
    match sys.argv[1:]:
        case ["fetch", root]:
            fetch(Path(root))
        case ["table", root, target]:
            table(Path(root), Path(target))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
