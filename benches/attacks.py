"""Runs perturb's attacks and the public implementations on the same networks and images, and prints what withstands them.

    pip install torch foolbox torchattacks onnx numpy
    git clone https://github.com/fra31/auto-attack
    python benches/attacks.py --data DATA_FOLDER --autoattack auto-attack [--perturb target/release/perturb]
        [--networks mlp cnn resnet_2b] [--images 1000] [--only NAME ...] [--slow]

DATA_FOLDER holds `mnist` (the gzipped IDX files) and, for resnet_2b, `cifar10/test_2k.bin.gz` (rows of label and pixels) and
`vnncomp2021/cifar10_resnet/onnx/resnet_2b.onnx`. The networks of MNIST are trained once, with a fixed seed, in a temporary
folder (or in --folder, where they are found again), and exported as ONNX. Both sides get the first images of the test set.
What both return is judged by the same network in torch: an image withstands an attack if it is classified correctly as it is
and as it was returned, or if what was returned is out of the ball by more than 1e-5 of the budget or out of [0, 1]. Attacks that
minimise a distance are judged at the same budget, and by the median distance of what they found. Times are seconds of the
processor on one thread (or --threads), so that other work on the machine disturbs them little: of the peer's call, and of the
whole command of perturb, loading of network and images, compilation and writing of the result included.
"""

import argparse
import gzip
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Callable, NamedTuple

import numpy as np
import onnx
import torch
import torch.nn as nn
import torch.nn.functional as F

NORMS = {
    "linf": lambda d: d.abs().amax(1),
    "l2": lambda d: d.norm(dim=1),
    "l1": lambda d: d.abs().sum(1),
    "l0": lambda d: (d != 0).sum(1),
}


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


class FromOnnx(nn.Module):
    """An ONNX file of convolutions, dense layers, ReLU and sums, behind a normalization of its pixels."""

    def __init__(self, path: Path, mean: list[float], std: list[float]):
        super().__init__()
        self.graph = onnx.load(path).graph
        self.constants = {t.name: torch.from_numpy(onnx.numpy_helper.to_array(t).copy()) for t in self.graph.initializer}
        self.mean, self.std = (torch.tensor(v).view(1, -1, 1, 1) for v in (mean, std))
        self.register_buffer("device", torch.zeros(1))  # foolbox and torchattacks ask where the model is

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        values = dict(self.constants)
        values[self.graph.input[0].name] = (x - self.mean) / self.std
        for node in self.graph.node:
            with_name = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
            a = [values[name] for name in node.input]
            values[node.output[0]] = self.apply_node(node.op_type, a, with_name)
        return values[self.graph.output[0].name]

    @staticmethod
    def apply_node(op: str, a: list[torch.Tensor], with_name: dict) -> torch.Tensor:
        if op == "Conv":
            before, after = with_name["pads"][:2], with_name["pads"][2:]
            assert before == after and with_name["group"] == 1, "a convolution with uneven padding or groups"
            return F.conv2d(*a, stride=with_name["strides"], padding=before, dilation=with_name["dilations"])
        if op == "Gemm":
            assert with_name["transB"] == 1 and with_name.get("transA", 0) == 0, "a product of another layout"
            return F.linear(*a)
        return {"Relu": F.relu, "Add": torch.add, "Flatten": lambda x: x.flatten(1)}[op](*a)


def idx(path: Path) -> np.ndarray:
    """The bytes of a gzipped IDX file, in its shape."""
    raw = gzip.open(path).read()
    shape = [int.from_bytes(raw[4 + 4 * k : 8 + 4 * k], "big") for k in range(raw[3])]
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3]).reshape(shape)


def mnist(folder: Path, part: str) -> tuple[torch.Tensor, torch.Tensor]:
    x = torch.from_numpy(idx(folder / f"{part}-images-idx3-ubyte.gz").copy()).float().div(255).unsqueeze(1)
    return x, torch.from_numpy(idx(folder / f"{part}-labels-idx1-ubyte.gz").astype(np.int64))


def cifar10(path: Path) -> tuple[torch.Tensor, torch.Tensor]:
    rows = torch.from_numpy(np.frombuffer(gzip.open(path).read(), np.uint8).reshape(-1, 3073).copy())
    return rows[:, 1:].reshape(-1, 3, 32, 32).float().div(255), rows[:, 0].long()


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
    if not (folder / f"{name}.onnx").exists():
        torch.onnx.export(model, (torch.zeros(1, 1, 28, 28),), str(folder / f"{name}.onnx"), dynamo=False)
    return model


class Subject(NamedTuple):
    """A network in torch and in a file, the images, the budgets, and perturb's options for its pixels."""

    model: nn.Module
    path: Path
    x: torch.Tensor
    y: torch.Tensor
    budgets: dict[str, float]
    options: list[str]


def subject(name: str, data: Path, folder: Path) -> Subject:
    if name == "resnet_2b":
        mean, std = [0.4914, 0.4822, 0.4465], [0.2471, 0.2435, 0.2616]
        path = data / "vnncomp2021/cifar10_resnet/onnx/resnet_2b.onnx"
        options = ["--mean", ",".join(map(str, mean)), "--std", ",".join(map(str, std))]
        budgets = {"linf": 2 / 255, "l2": 0.25, "l1": 4.0}
        return Subject(FromOnnx(path, mean, std), path, *cifar10(data / "cifar10/test_2k.bin.gz"), budgets, options)
    budgets = {"linf": 0.1, "l2": 1.0, "l1": 8.0}
    images = mnist(data / "mnist", "t10k")
    return Subject(trained(name, data / "mnist", folder), folder / f"{name}.onnx", *images, budgets, [])


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

        found = attack(fb)(fb.PyTorchModel(model, bounds=(0, 1), device="cpu"), x, y, epsilons=None)[0]
        return torch.stack(list(found))

    return run


def torchattacks(attack):
    def run(model, x, y, epsilon):
        import torchattacks as ta

        return attack(ta, model, epsilon)(x, y).detach()

    return run


class Pair(NamedTuple):
    """An attack on perturb's command line and a peer's, with the same number of steps or queries."""

    attack: str
    norm: str
    peer: str
    call: Callable
    minimal: bool = False  # whether it minimises a distance
    slow: bool = False  # many thousand steps or queries
    epsilon: float | None = None  # where it is not the network's budget


def with_ta(attack: str, norm: str, call, **more) -> Pair:
    return Pair(attack, norm, "torchattacks", torchattacks(call), **more)


def with_foolbox(attack: str, norm: str, call, **more) -> Pair:
    return Pair(attack, norm, "foolbox", (nearest if more.get("minimal") else foolbox)(call), **more)


def pgd(fb_name: str):
    return lambda fb: getattr(fb.attacks, fb_name)(rel_stepsize=2.5 / 40, steps=40, random_start=True)


PAIRS = [
    with_foolbox("fgsm", "linf", lambda fb: fb.attacks.LinfFastGradientAttack()),
    with_ta("bim", "linf", lambda ta, m, e: ta.BIM(m, e, e / 10, 10)),
    with_ta("mi-fgsm", "linf", lambda ta, m, e: ta.MIFGSM(m, e, e / 10, 10, 1.0)),
    with_ta("ni-fgsm", "linf", lambda ta, m, e: ta.NIFGSM(m, e, e / 10, 10, 1.0)),
    with_ta("di-fgsm", "linf", lambda ta, m, e: ta.DIFGSM(m, e, e / 10, 10, 0.0, 0.9, 0.5)),
    with_ta("ti-fgsm", "linf", lambda ta, m, e: ta.TIFGSM(m, e, e / 10, 10, diversity_prob=0.0)),
    with_foolbox("pgd", "linf", pgd("LinfPGD")),
    with_foolbox("pgd", "l2", pgd("L2PGD")),
    with_foolbox("pgd", "l1", pgd("SparseL1DescentAttack")),
    *(
        Pair(member, norm, "AutoAttack", autoattack(member, norm))
        for norm in ["linf", "l2", "l1"]
        for member in ["apgd-ce", "apgd-dlr", "apgd-t", "fab-t", "square"]
    ),
    *(Pair("autoattack", norm, "AutoAttack", autoattack("standard", norm)) for norm in ["linf", "l2", "l1"]),
    with_foolbox("deepfool", "linf", lambda fb: fb.attacks.LinfDeepFoolAttack(), minimal=True),
    with_foolbox("deepfool", "l2", lambda fb: fb.attacks.L2DeepFoolAttack(), minimal=True),
    with_foolbox("ddn", "l2", lambda fb: fb.attacks.DDNAttack(), minimal=True),
    with_ta("jsma", "l0", lambda ta, m, _: ta.JSMA(m, theta=1.0, gamma=0.1), minimal=True, slow=True, epsilon=80),
    with_ta("one-pixel", "l0", lambda ta, m, _: ta.OnePixel(m, 1, 100, 400, 512), slow=True, epsilon=3),
    with_ta("spsa", "linf", lambda ta, m, e: ta.SPSA(m, e, nb_iter=100, nb_sample=128), slow=True),
    with_foolbox("cw", "l2", lambda fb: fb.attacks.L2CarliniWagnerAttack(), minimal=True, slow=True),
    with_foolbox("ead", "l1", lambda fb: fb.attacks.EADAttack(decision_rule="L1"), minimal=True, slow=True),
    with_foolbox("hop-skip-jump", "l2", lambda fb: fb.attacks.HopSkipJumpAttack(), minimal=True, slow=True),
    with_foolbox("boundary", "l2", lambda fb: fb.attacks.BoundaryAttack(), minimal=True, slow=True),
]


def judged(model, x, y, found, norm, epsilon) -> tuple[float, float]:
    """Share of images that withstood, and the median distance of what is misclassified (of images that were not before)."""
    with torch.no_grad():
        correct, fooled = model(x).argmax(1) == y, model(found).argmax(1) != y
    distance = NORMS[norm]((found.double() - x.double()).flatten(1)).double()
    inside = (distance <= epsilon * (1 + 1e-5)) & (found.flatten(1).amin(1) >= 0) & (found.flatten(1).amax(1) <= 1)
    fallen = distance[correct & fooled]
    return (correct & ~(fooled & inside)).float().mean().item(), fallen.median().item() if len(fallen) else float("nan")


def processor_seconds(who: int) -> float:
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


def ours(arguments, folder, at: Subject, pair: Pair, epsilon: float) -> tuple[torch.Tensor, float]:
    out = folder / "found.npz"
    command = [arguments.perturb, "--threads", str(arguments.threads), "attack", str(at.path), str(folder / "images.npz"), *at.options]
    command += ["--attack", pair.attack, "--norm", pair.norm, "--out", str(out), "--batch", str(arguments.batch)]
    command += [] if pair.minimal else ["--epsilon", str(epsilon)]
    before = processor_seconds(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    found = torch.from_numpy(np.load(out)["x"]).reshape(at.x.shape)
    return found, processor_seconds(resource.RUSAGE_CHILDREN) - before


def theirs(at: Subject, pair: Pair, epsilon: float) -> tuple[torch.Tensor | None, float]:
    torch.manual_seed(0)
    np.random.seed(0)
    before = processor_seconds(resource.RUSAGE_SELF)
    try:
        found = pair.call(at.model, at.x, at.y, epsilon)
    except (RuntimeError, ValueError, AssertionError) as error:  # such as TI-FGSM of torchattacks: three channels only
        print(f"{pair.attack} of {pair.peer} did not run: {str(error).splitlines()[:1]}", file=sys.stderr)
        return None, float("nan")
    return found, processor_seconds(resource.RUSAGE_SELF) - before


def row(arguments, folder: Path, network: str, at: Subject, pair: Pair) -> str:
    epsilon = at.budgets[pair.norm] if pair.epsilon is None else pair.epsilon
    (there, seconds), (here, our_seconds) = theirs(at, pair, epsilon), ours(arguments, folder, at, pair, epsilon)

    def cells(found, taken):
        if found is None:
            return ["-"] * 3
        robust, distance = judged(at.model, at.x, at.y, found, pair.norm, epsilon)
        return [f"{100 * robust:.1f} %", f"{distance:.4g}" if pair.minimal else "-", f"{taken:.1f}"]

    both = [cell for two in zip(cells(there, seconds), cells(here, our_seconds)) for cell in two]
    ratio = "-" if there is None else f"{seconds / our_seconds:.1f}"
    ball = f"{pair.norm} {epsilon:.4g}"
    return f"| {network} | {len(at.y)} | {pair.attack} | {ball} | {pair.peer} | {' | '.join(both)} | {ratio} |"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--autoattack", type=Path, required=True)
    parser.add_argument("--perturb", default="target/release/perturb")
    parser.add_argument("--networks", nargs="*", default=["mlp", "cnn"], choices=["mlp", "cnn", "resnet_2b"])
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", nargs="*", help="attacks, such as pgd or pgd/l2")
    parser.add_argument("--slow", action="store_true", help="also attacks of many thousand steps or queries")
    parser.add_argument("--folder", type=Path, help="where networks are kept (default: a temporary folder)")
    arguments = parser.parse_args()
    sys.path.insert(0, str(arguments.autoattack))
    torch.set_num_threads(arguments.threads)
    columns = ["robust accuracy: peer", "perturb", "distance: peer", "perturb", "CPU s: peer", "perturb", "ratio"]
    print(f"| network | images | attack | ball | peer | {' | '.join(columns)} |\n|{'---|' * 12}")
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        for network in arguments.networks:
            at = subject(network, arguments.data, arguments.folder or work)
            at = at._replace(x=at.x[: arguments.images], y=at.y[: arguments.images])
            at.model.eval().requires_grad_(False)
            np.savez(work / "images.npz", x=at.x.numpy(), labels=at.y.numpy())
            for pair in PAIRS:
                named = {pair.attack, f"{pair.attack}/{pair.norm}"}
                if named & set(arguments.only) if arguments.only is not None else arguments.slow or not pair.slow:
                    print(row(arguments, work, network, at, pair), flush=True)


if __name__ == "__main__":
    main()
