"""What foolbox finds on two small networks: the numbers that crates/attack/tests/attacks/foolbox.rs compares with.

    pip install torch foolbox numpy
    python foolbox_reference.py > crates/attack/tests/fixtures/foolbox.json

Weights and inputs come from the integer recipe `lcg`, so that any language can rebuild them; labels are the
networks' own predictions. Nothing is random.
"""

import json

import foolbox
import numpy as np
import torch
import torch.nn as nn

EXAMPLES = 64
LINF = [0.0005, 0.001, 0.002, 0.003, 0.005, 0.01]
L2 = [0.01, 0.02, 0.04, 0.06, 0.1, 0.2]


def lcg(seed: int, shape: tuple[int, ...], scale: float = 1.0) -> torch.Tensor:
    """Uniform [-scale, scale): value k is (x_{k+1} >> 40) / 2^23 - 1 of a 64-bit LCG with x_0 = seed."""
    out = np.empty(int(np.prod(shape)), dtype=np.float32)
    x = seed
    for i in range(out.size):
        x = (6364136223846793005 * x + 1442695040888963407) & 0xFFFFFFFFFFFFFFFF
        out[i] = (x >> 40) / 8388608.0 - 1.0
    return torch.from_numpy(out.reshape(shape)) * scale


def fill(model: nn.Module, seed: int) -> nn.Module:
    """Parameter k of the model, in order of definition, has seed + k: weights within sqrt(3 / fan_in), biases zero."""
    with torch.no_grad():
        for k, p in enumerate(model.parameters()):
            if p.dim() == 1:
                p.zero_()
            else:
                p.copy_(lcg(seed + k, tuple(p.shape), (3.0 / p[0].numel()) ** 0.5))
    return model.eval()


def mlp() -> nn.Module:
    layers = [nn.Flatten(), nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 10)]
    return fill(nn.Sequential(*layers), 1)


def cnn() -> nn.Module:
    layers = [
        nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(),
        nn.Conv2d(32, 64, 3, stride=2, padding=1), nn.ReLU(),
        nn.Conv2d(64, 64, 3, stride=2, padding=1), nn.ReLU(),
        nn.Flatten(), nn.Linear(64 * 7 * 7, 128), nn.ReLU(), nn.Linear(128, 10),
    ]  # fmt: skip
    return fill(nn.Sequential(*layers), 100)


def measure(model: nn.Module) -> dict:
    x = (lcg(7, (EXAMPLES, 1, 28, 28)) + 1) / 2
    logits = model(x).detach()
    y = logits.argmax(1)
    target = foolbox.PyTorchModel(model, bounds=(0, 1), device="cpu")
    result = {"logits_abs_sum": logits.abs().sum().item(), "labels": y.tolist()}
    for name, attack, epsilons in [
        ("linf_pgd", foolbox.attacks.LinfPGD(steps=40, rel_stepsize=0.025, random_start=False), LINF),
        ("l2_pgd", foolbox.attacks.L2PGD(steps=40, rel_stepsize=0.025, random_start=False), L2),
    ]:
        counts = [int(attack(target, x, y, epsilons=e)[2].sum()) for e in epsilons]
        result[name] = {"epsilons": epsilons, "successes": counts}
    for steps in (20, 50):
        for norm, attack, order in [
            ("l2", foolbox.attacks.L2DeepFoolAttack, 2),
            ("linf", foolbox.attacks.LinfDeepFoolAttack, np.inf),
        ]:
            found, _, success = attack(steps=steps, candidates=10)(target, x, y, epsilons=None)
            distances = np.linalg.norm((found - x).flatten(1).double().numpy(), ord=order, axis=1)
            summary = {"median": float(np.median(distances)), "successes": int(success.sum())}
            result[f"{norm}_deepfool_{steps}"] = summary
    return result


if __name__ == "__main__":
    torch.set_num_threads(2)
    versions = {"foolbox": foolbox.__version__, "torch": torch.__version__, "numpy": np.__version__}
    networks = {"mlp": measure(mlp()), "cnn": measure(cnn())}
    print(json.dumps({"versions": versions, "examples": EXAMPLES, "networks": networks}, indent=1))
