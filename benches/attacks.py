"""Runs perturb's attacks and the public implementations on the same networks and images, and prints what withstands them.

    pip install torch foolbox torchattacks onnx numpy
    git clone https://github.com/fra31/auto-attack
    python benches/attacks.py --data MNIST_FOLDER --autoattack auto-attack [--perturb target/release/perturb]
        [--networks mlp cnn] [--images 1000] [--only NAME ...] [--linf 0.1] [--l2 1.0] [--l1 8]

The networks are trained once, with a fixed seed, in a temporary folder (or in --folder, where they are found again), and
exported as ONNX. Both sides get the first images of the test set. What both return is judged by the same network in torch:
an image withstands an attack if it is classified correctly as it is and as it was returned, or if what was returned is out
of the ball by more than 1e-5 of the budget or out of [0, 1]. Attacks that minimise a distance are judged at the same budget, and
by the median distance of what they found. Times are of the attack alone, compilation included, not of loading the network;
each side runs on all cores, one after the other.
"""

import argparse
import gzip
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

NORMS = {"linf": lambda d: d.abs().amax(1), "l2": lambda d: d.norm(dim=1), "l1": lambda d: d.abs().sum(1)}


def mlp() -> nn.Module:
    return nn.Sequential(
        nn.Flatten(), nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 10)
    )


def cnn() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(),
        nn.Conv2d(32, 64, 3, stride=2, padding=1), nn.ReLU(),
        nn.Conv2d(64, 64, 3, stride=2, padding=1), nn.ReLU(),
        nn.Flatten(), nn.Linear(64 * 7 * 7, 128), nn.ReLU(), nn.Linear(128, 10),
    )  # fmt: skip


def idx(path: Path) -> np.ndarray:
    """The bytes of a gzipped IDX file, in its shape."""
    raw = gzip.open(path).read()
    shape = [int.from_bytes(raw[4 + 4 * k : 8 + 4 * k], "big") for k in range(raw[3])]
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3]).reshape(shape)


def mnist(folder: Path, part: str) -> tuple[torch.Tensor, torch.Tensor]:
    x = torch.from_numpy(idx(folder / f"{part}-images-idx3-ubyte.gz").copy()).float().div(255).unsqueeze(1)
    return x, torch.from_numpy(idx(folder / f"{part}-labels-idx1-ubyte.gz").astype(np.int64))


def trained(name: str, data: Path, folder: Path) -> nn.Module:
    """The network of a name: three epochs of Adam, batches of 128."""
    torch.manual_seed(0)
    model, weights = {"mlp": mlp, "cnn": cnn}[name](), folder / f"{name}.pt"
    if weights.exists():
        model.load_state_dict(torch.load(weights))
    else:
        x, y = mnist(data, "train")
        optimizer = torch.optim.Adam(model.parameters(), 1e-3)
        for _ in range(3):
            for rows in torch.randperm(len(x)).split(128):
                optimizer.zero_grad()
                F.cross_entropy(model(x[rows]), y[rows]).backward()
                optimizer.step()
        torch.save(model.state_dict(), weights)
    model.eval().requires_grad_(False)
    torch.onnx.export(model, (torch.zeros(1, 1, 28, 28),), str(folder / f"{name}.onnx"), dynamo=False)
    return model


def autoattack(member: str, norm: str):
    def run(model, x, y, epsilon):
        from autoattack import AutoAttack

        name = {"linf": "Linf", "l2": "L2", "l1": "L1"}[norm]
        standard = AutoAttack(model, norm=name, eps=epsilon, version="standard", seed=0, device="cpu", verbose=False)
        if member != "standard":
            # The member as the standard version sets it up, with one start (in ℓ1 it makes five).
            standard.apgd.n_restarts = 1
            standard.attacks_to_run = [member]
            standard.version = "custom"
        return standard.run_standard_evaluation(x, y, bs=250)

    return run


def foolbox(attack):
    def run(model, x, y, epsilon):
        import foolbox as fb

        return attack(fb)(fb.PyTorchModel(model, bounds=(0, 1), device="cpu"), x, y, epsilons=epsilon)[1]

    return run


def nearest(attack):
    """An attack of foolbox that minimises a distance: what it found, not limited to the budget."""

    def run(model, x, y, _epsilon):
        import foolbox as fb

        return attack(fb)(fb.PyTorchModel(model, bounds=(0, 1), device="cpu"), x, y, epsilons=None)[0]

    return run


def torchattacks(attack):
    def run(model, x, y, epsilon):
        import torchattacks as ta

        return attack(ta, model, epsilon)(x, y).detach()

    return run


# Name on perturb's command line, norm, whether it minimises a distance, the peer's name and call.
ATTACKS = [
    ("fgsm", "linf", False, "foolbox", foolbox(lambda fb: fb.attacks.LinfFastGradientAttack())),
    ("bim", "linf", False, "torchattacks", torchattacks(lambda ta, m, e: ta.BIM(m, e, e / 10, 10))),
    ("mi-fgsm", "linf", False, "torchattacks", torchattacks(lambda ta, m, e: ta.MIFGSM(m, e, e / 10, 10, 1.0))),
    ("ni-fgsm", "linf", False, "torchattacks", torchattacks(lambda ta, m, e: ta.NIFGSM(m, e, e / 10, 10, 1.0))),
    (
        "di-fgsm",
        "linf",
        False,
        "torchattacks",
        torchattacks(lambda ta, m, e: ta.DIFGSM(m, e, e / 10, 10, 0.0, 0.9, 0.5)),
    ),
    (
        "ti-fgsm",
        "linf",
        False,
        "torchattacks",
        torchattacks(lambda ta, m, e: ta.TIFGSM(m, e, e / 10, 10, diversity_prob=0.0)),
    ),
    (
        "pgd",
        "linf",
        False,
        "foolbox",
        foolbox(lambda fb: fb.attacks.LinfPGD(rel_stepsize=2.5 / 40, steps=40, random_start=True)),
    ),
    ("apgd-ce", "linf", False, "AutoAttack", autoattack("apgd-ce", "linf")),
    ("apgd-dlr", "linf", False, "AutoAttack", autoattack("apgd-dlr", "linf")),
    ("apgd-t", "linf", False, "AutoAttack", autoattack("apgd-t", "linf")),
    ("fab-t", "linf", False, "AutoAttack", autoattack("fab-t", "linf")),
    ("square", "linf", False, "AutoAttack", autoattack("square", "linf")),
    ("autoattack", "linf", False, "AutoAttack", autoattack("standard", "linf")),
    ("deepfool", "linf", True, "foolbox", nearest(lambda fb: fb.attacks.LinfDeepFoolAttack())),
    (
        "pgd",
        "l2",
        False,
        "foolbox",
        foolbox(lambda fb: fb.attacks.L2PGD(rel_stepsize=2.5 / 40, steps=40, random_start=True)),
    ),
    ("apgd-ce", "l2", False, "AutoAttack", autoattack("apgd-ce", "l2")),
    ("apgd-t", "l2", False, "AutoAttack", autoattack("apgd-t", "l2")),
    ("fab-t", "l2", False, "AutoAttack", autoattack("fab-t", "l2")),
    ("square", "l2", False, "AutoAttack", autoattack("square", "l2")),
    ("autoattack", "l2", False, "AutoAttack", autoattack("standard", "l2")),
    ("deepfool", "l2", True, "foolbox", nearest(lambda fb: fb.attacks.L2DeepFoolAttack())),
    ("ddn", "l2", True, "foolbox", nearest(lambda fb: fb.attacks.DDNAttack())),
    (
        "pgd",
        "l1",
        False,
        "foolbox",
        foolbox(lambda fb: fb.attacks.SparseL1DescentAttack(rel_stepsize=2.5 / 40, steps=40, random_start=True)),
    ),
    ("apgd-ce", "l1", False, "AutoAttack", autoattack("apgd-ce", "l1")),
    ("fab-t", "l1", False, "AutoAttack", autoattack("fab-t", "l1")),
    ("square", "l1", False, "AutoAttack", autoattack("square", "l1")),
    ("autoattack", "l1", False, "AutoAttack", autoattack("standard", "l1")),
]
# Many thousand steps or queries: only if named by --only.
SLOW = [
    ("cw", "l2", True, "foolbox", nearest(lambda fb: fb.attacks.L2CarliniWagnerAttack())),
    ("ead", "l1", True, "foolbox", nearest(lambda fb: fb.attacks.EADAttack(decision_rule="L1"))),
    ("hop-skip-jump", "l2", True, "foolbox", nearest(lambda fb: fb.attacks.HopSkipJumpAttack())),
    ("boundary", "l2", True, "foolbox", nearest(lambda fb: fb.attacks.BoundaryAttack())),
]


def judged(model, x, y, found, norm, epsilon) -> tuple[float, float]:
    """Share of images that withstood, and the median distance of what is misclassified (of images that were not before)."""
    with torch.no_grad():
        correct, fooled = model(x).argmax(1) == y, model(found).argmax(1) != y
    distance = NORMS[norm]((found.double() - x.double()).flatten(1))
    inside = (distance <= epsilon * (1 + 1e-5)) & (found.flatten(1).amin(1) >= 0) & (found.flatten(1).amax(1) <= 1)
    fallen = distance[correct & fooled]
    return (correct & ~(fooled & inside)).float().mean().item(), fallen.median().item() if len(fallen) else float("nan")


def ours(arguments, folder, network, attack, norm, epsilon) -> tuple[torch.Tensor, float]:
    out = folder / "found.npz"
    command = [arguments.perturb, "attack", str(folder / f"{network}.onnx"), str(folder / "images.npz")]
    command += ["--attack", attack, "--norm", norm, "--out", str(out), "--batch", str(arguments.batch)]
    command += [] if epsilon is None else ["--epsilon", str(epsilon)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    found = torch.from_numpy(np.load(out)["x"]).reshape(-1, 1, 28, 28)
    return found, json.loads(out.with_suffix(".json").read_text())["seconds"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--autoattack", type=Path, required=True)
    parser.add_argument("--perturb", default="target/release/perturb")
    parser.add_argument("--networks", nargs="*", default=["mlp", "cnn"])
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--only", nargs="*", help="attacks, such as pgd or pgd/l2")
    parser.add_argument("--folder", type=Path, help="where networks are kept (default: a temporary folder)")
    parser.add_argument("--linf", type=float, default=0.1)
    parser.add_argument("--l2", type=float, default=1.0)
    parser.add_argument("--l1", type=float, default=8.0)
    arguments = parser.parse_args()
    sys.path.insert(0, str(arguments.autoattack))
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        x, y = mnist(arguments.data, "t10k")
        x, y = x[: arguments.images], y[: arguments.images]
        np.savez(folder / "images.npz", x=x.numpy(), labels=y.numpy())
        print("| network | attack | ball | peer | robust accuracy: peer | perturb | distance: peer | perturb | s: peer | perturb | ratio |")
        print("|---|---|---|---|---|---|---|---|---|---|---|")
        for network in arguments.networks:
            model = trained(network, arguments.data, folder)
            for name, norm, minimal, peer, call in ATTACKS + SLOW:
                asked = arguments.only is None or name in arguments.only or f"{name}/{norm}" in arguments.only
                if not asked or (arguments.only is None and (name, norm, minimal, peer, call) in SLOW):
                    continue
                epsilon = getattr(arguments, norm)
                start = time.perf_counter()
                try:
                    theirs = call(model, x, y, epsilon)
                except RuntimeError as error:  # TI-FGSM of torchattacks takes images of three channels only
                    print(f"{name} of {peer} did not run: {str(error).splitlines()[0]}", file=sys.stderr)
                    theirs = None
                seconds = time.perf_counter() - start
                found, our_seconds = ours(arguments, folder, network, name, norm, None if minimal else epsilon)
                here, our_distance = judged(model, x, y, found, norm, epsilon)
                cells = [f"{100 * here:.1f} %", f"{our_distance:.4f}" if minimal else "-", f"{our_seconds:.2f}"]
                if theirs is None:
                    peers, ratio = ["-"] * 3, "-"
                else:
                    there, their_distance = judged(model, x, y, theirs, norm, epsilon)
                    distance = f"{their_distance:.4f}" if minimal else "-"
                    peers, ratio = [f"{100 * there:.1f} %", distance, f"{seconds:.2f}"], f"{seconds / our_seconds:.1f}"
                pairs = " | ".join(f"{a} | {b}" for a, b in zip(peers, cells))
                print(f"| {network} | {name} | {norm} {epsilon:g} | {peer} | {pairs} | {ratio} |", flush=True)


if __name__ == "__main__":
    main()
