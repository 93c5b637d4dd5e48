"""Captum's attributions of a convolutional network, for `main.rs` beside this file.

    pip install torch==2.15.* captum==0.9.0 numpy
    python captum_reference.py

Weights and inputs come from an integer recipe (`lcg`), so that any language can rebuild them. Each line gives two
figures of a method's attributions of class 3 at 16 inputs: the sum of absolute values, and the sum of their products
with lcg(11, shape), which depends on every sign and position.
"""

import numpy as np
import torch
import torch.nn as nn
from captum.attr import InputXGradient, IntegratedGradients, Occlusion, Saliency


def lcg(seed, shape, scale=1.0):
    """value_k = (x_{k+1} >> 40) / 2^23 - 1, x_{k+1} = 6364136223846793005 x_k + 1442695040888963407 mod 2^64, x_0 = seed"""
    out, x = np.empty(int(np.prod(shape)), dtype=np.float32), seed
    for i in range(out.size):
        x = (6364136223846793005 * x + 1442695040888963407) % 2**64
        out[i] = (x >> 40) / 8388608.0 - 1.0
    return torch.from_numpy(out.reshape(shape)) * scale


model = nn.Sequential(
    nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(),
    nn.Conv2d(32, 64, 3, stride=2, padding=1), nn.ReLU(),
    nn.Conv2d(64, 64, 3, stride=2, padding=1), nn.ReLU(),
    nn.Flatten(), nn.Linear(64 * 7 * 7, 128), nn.ReLU(), nn.Linear(128, 10),
).eval()
with torch.no_grad():
    for k, p in enumerate(model.parameters()):
        p.copy_(torch.zeros_like(p) if p.dim() == 1 else lcg(100 + k, tuple(p.shape), (3.0 / p[0].numel()) ** 0.5))
x = (lcg(7, (16, 1, 28, 28)) + 1) / 2
weights = lcg(11, (16, 1, 28, 28)).double()


def show(name, attributions):
    a = attributions.detach().double()
    print(f"{name}: {a.abs().sum().item():.6f} {(a * weights).sum().item():.6f}")


show("gradient", Saliency(model).attribute(x, target=3, abs=False))
show("input times gradient", InputXGradient(model).attribute(x, target=3))
# Without biases the network is positively homogeneous, so from a zero baseline every point of the path has the same
# gradient: only another baseline tells the rules apart.
for baseline in [0.0, 0.5]:
    for method in ["gausslegendre", "riemann_left", "riemann_right", "riemann_middle"]:
        ig = IntegratedGradients(model)
        show(f"integrated gradients from {baseline}, {method}",
             ig.attribute(x, baselines=baseline, target=3, n_steps=50, method=method, internal_batch_size=128))
for window, stride in [(7, 7), (7, 3)]:
    occlusion = Occlusion(model).attribute(x, (1, window, window), strides=(1, stride, stride),
                                            baselines=0.25, target=3)
    show(f"occlusion, window {window}, stride {stride}", occlusion)
