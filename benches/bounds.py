"""Sets lower bounds of margins beside those of auto_LiRPA, by IBP, CROWN and alpha-CROWN with as many iterations.

    python benches/bounds.py --networks mnist-net_256x2.onnx:0.02 ... --data DATA.npz [--margins target/release/examples/margins]

Networks are ONNX files of one chain of Gemm or MatMul and Add, Conv, Relu, Sigmoid, Tanh, Sub, Div, Flatten and Reshape, each with
the radius of an l-infinity ball within [0, 1]. DATA.npz holds `x [N, ...]` and `y [N]`. A difference above 0 means that
ours is tighter; "looser" is the largest share of |theirs| by which one of ours is below it. Both round to nearest there, as auto_LiRPA
does; what sound bounds lose by rounding outward, as a median in units of the margin, is in the last column.
"""

import argparse
import subprocess
import tempfile
import time

import numpy as np
import onnx
import torch
from auto_LiRPA import BoundedModule, BoundedTensor
from auto_LiRPA.perturbations import PerturbationLpNorm
from onnx import numpy_helper
from torch import nn


class Affine(nn.Module):
    """(x - shift) / scale."""

    def __init__(self, shift, scale):
        super().__init__()
        self.shift, self.scale = shift, scale

    def forward(self, x):
        return (x - self.shift) / self.scale


def modules(path):
    """The chain of an ONNX file as modules of torch, and the shape of its input."""
    graph = onnx.load(path).graph
    constants = {i.name: numpy_helper.to_array(i) for i in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant":
            constants[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
    tensor = lambda name: torch.tensor(np.array(constants[name]))
    found = []
    for node in graph.node:
        op, attributes = node.op_type, {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        known = [i for i in node.input if i in constants]
        if op in ("Gemm", "MatMul"):
            weight = tensor(known[0])
            weight = weight if op == "Gemm" and attributes.get("transB", 0) else weight.T
            layer = nn.Linear(weight.shape[1], weight.shape[0])
            layer.weight.data = weight.contiguous()
            layer.bias.data = tensor(known[1]) if len(known) > 1 else torch.zeros(weight.shape[0])
            found.append(layer)
        elif op == "Add":
            found[-1].bias.data = found[-1].bias.data + tensor(known[0]).reshape(-1)
        elif op == "Conv":
            weight = tensor(known[0])
            layer = nn.Conv2d(weight.shape[1], weight.shape[0], tuple(attributes["kernel_shape"]),
                              stride=tuple(attributes.get("strides", [1, 1])), padding=tuple(attributes.get("pads", [0] * 4)[:2]))
            layer.weight.data, layer.bias.data = weight, tensor(known[1])
            found.append(layer)
        elif op in ("Relu", "Sigmoid", "Tanh"):
            found.append({"Relu": nn.ReLU, "Sigmoid": nn.Sigmoid, "Tanh": nn.Tanh}[op]())
        elif op == "Sub":
            found.append(Affine(tensor(known[0]).reshape(-1)[0].item(), 1.0))
        elif op == "Div":
            found.append(Affine(0.0, tensor(known[0]).reshape(-1)[0].item()))
        elif op in ("Flatten", "Reshape"):
            found.append(nn.Flatten())
        elif op not in ("Constant", "Identity"):
            raise SystemExit(f"{path}: {op} is not known here")
    shape = [d.dim_value for d in graph.input[0].type.tensor_type.shape.dim]
    return nn.Sequential(*found).eval(), [1] + shape[1:] if len(shape) > 1 else [1] + shape


def theirs(network, shape, x, y, epsilon, method, steps):
    """The least lower bound of each example's margins, and seconds."""
    found, began = [], time.time()
    for image, label in zip(x, y):
        point = torch.tensor(image).reshape(shape)
        low, high = (point - epsilon).clamp(0, 1), (point + epsilon).clamp(0, 1)
        classes = network(point).shape[1]
        rows = torch.zeros(1, classes - 1, classes)
        others = [j for j in range(classes) if j != label]
        for row, other in enumerate(others):
            rows[0, row, label], rows[0, row, other] = 1.0, -1.0
        options = {"optimize_bound_args": {"iteration": steps}}
        module = BoundedModule(network, point, bound_opts=options if method == "CROWN-Optimized" else {})
        ball = BoundedTensor(point, PerturbationLpNorm(norm=np.inf, x_L=low, x_U=high))
        found.append(module.compute_bounds(x=(ball,), method=method, C=rows, bound_upper=False)[0].min().item())
    return np.array(found), time.time() - began


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", required=True, metavar="ONNX:EPSILON")
    parser.add_argument("--data", required=True)
    parser.add_argument("--margins", default="target/release/examples/margins")
    parser.add_argument("--steps", type=int, default=20)
    arguments = parser.parse_args()
    torch.manual_seed(0)
    data = np.load(arguments.data)
    x, y = data["x"].astype(np.float32), data["y"]
    print("| network | epsilon | method | examples | median: auto_LiRPA | median: perturb | tighter | looser by at most | outward rounding costs |")
    print("|---|---|---|---|---|---|---|---|---|")
    for entry in arguments.networks:
        path, epsilon = entry.rsplit(":", 1)
        network, shape = modules(path)
        right = [i for i in range(len(x)) if network(torch.tensor(x[i]).reshape(shape)).argmax().item() == y[i]]
        with tempfile.NamedTemporaryFile(suffix=".npz") as file:
            np.savez(file.name, x=x[right].reshape(len(right), *shape[1:]), y=y[right])
            for ours, peer in (("ibp", "IBP"), ("crown", "CROWN"), ("alpha-crown", "CROWN-Optimized")):
                by_rounding = {}
                for rounding in ("nearest", "outward"):
                    command = [arguments.margins, path, file.name, epsilon, ours, str(arguments.steps), rounding]
                    done = subprocess.run(command, capture_output=True, text=True)
                    if done.returncode != 0:
                        raise SystemExit(done.stderr)
                    by_rounding[rounding] = np.array([float(line) for line in done.stdout.split()])
                mine, sound = by_rounding["nearest"], by_rounding["outward"]
                other, _ = theirs(network, shape, x[right], y[right], float(epsilon), peer, arguments.steps)
                looser = np.maximum(other - mine, 0) / np.maximum(np.abs(other), 1e-9)
                cost = np.median(mine - sound)
                name = path.rsplit("/", 1)[-1]
                print(f"| {name} | {epsilon} | {ours} | {len(right)} | {np.median(other):.4f} | {np.median(mine):.4f} | "
                      f"{(mine > other).mean():.0%} | {looser.max():.3%} | {cost:.2g} |", flush=True)


if __name__ == "__main__":
    main()
