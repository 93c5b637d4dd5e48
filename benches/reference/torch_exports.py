"""Exports small models with random weights from PyTorch, for `crates/onnx/tests/torch_exports.rs`.

    pip install torch onnx onnxscript onnxruntime numpy
    python torch_exports.py FOLDER
    PERTURB_TORCH_EXPORTS=FOLDER cargo nextest run -p perturb-onnx torch_exports --no-capture

Every model is written by both of PyTorch's exporters where both are installed, to a folder of its own:

* model.onnx    the model in evaluation mode, for one example
* input_*.pb    its inputs
* output_*.pb   its outputs, computed by ONNX Runtime
* cotangent_0.pb   weights of the first output's elements
* gradient_*.pb    the gradient of that weighted sum by PyTorch, with respect to
* gradients.txt    the inputs or parameters named here, one a line
"""

import sys
import warnings
from pathlib import Path

import numpy as np
import onnxruntime as ort
import torch
from onnx import numpy_helper
from torch import nn
from torch.nn import functional as F

warnings.filterwarnings("ignore")


class Residual(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.short = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        y = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)))))
        return F.relu(y + self.short(x))


class ResNet(nn.Module):
    """He et al. 2016, with two blocks."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 7, 2, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(3, 2, 1))
        self.blocks = nn.Sequential(Residual(8, 8, 1), Residual(8, 16, 2))
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10))

    def forward(self, x):
        return self.head(self.blocks(self.stem(x)))


class ViT(nn.Module):
    """Dosovitskiy et al. 2021, with two layers."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 24, 8, 8)
        self.cls = nn.Parameter(torch.randn(1, 1, 24))
        self.position = nn.Parameter(torch.randn(1, 17, 24))
        self.norm1 = nn.ModuleList(nn.LayerNorm(24) for _ in range(2))
        self.norm2 = nn.ModuleList(nn.LayerNorm(24) for _ in range(2))
        self.qkv = nn.ModuleList(nn.Linear(24, 72) for _ in range(2))
        self.out = nn.ModuleList(nn.Linear(24, 24) for _ in range(2))
        self.mlp = nn.ModuleList(nn.Sequential(nn.Linear(24, 48), nn.GELU(), nn.Linear(48, 24)) for _ in range(2))
        self.head = nn.Linear(24, 10)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls.expand(x.shape[0], -1, -1), x], 1) + self.position
        for norm1, norm2, qkv, out, mlp in zip(self.norm1, self.norm2, self.qkv, self.out, self.mlp):
            n, length, width = x.shape
            q, k, v = qkv(norm1(x)).view(n, length, 3, 4, width // 4).permute(2, 0, 3, 1, 4).unbind(0)
            x = x + out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(n, length, width))
            x = x + mlp(norm2(x))
        return self.head(x[:, 0])


class UNet(nn.Module):
    """Ronneberger et al. 2015, with one level, group norms and two ways of enlarging."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.GroupNorm(2, 8), nn.SiLU())
        self.inner = nn.Sequential(nn.MaxPool2d(2), nn.Conv2d(8, 16, 3, padding=1), nn.SiLU(), nn.AvgPool2d(2))
        self.up = nn.ConvTranspose2d(16, 8, 4, 2, 1)
        self.out = nn.Conv2d(16, 2, 1)

    def forward(self, x):
        a = self.down(x)
        b = F.interpolate(self.up(self.inner(a)), scale_factor=2, mode="bilinear", align_corners=False)
        return self.out(torch.cat([a, b], 1))


class Recurrent(nn.Module):
    """Two bidirectional layers and a readout of the last step and of the final states."""

    def __init__(self, kind: type) -> None:
        super().__init__()
        self.cells = kind(5, 6, num_layers=2, bidirectional=True, batch_first=True)
        self.head = nn.Linear(12, 3)

    def forward(self, x):
        y, state = self.cells(x)
        state = state[0] if isinstance(state, tuple) else state
        return self.head(y[:, -1]), state


class Tokens(nn.Module):
    """A transformer encoder over token ids with a padding mask, as in Vaswani et al. 2017."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(50, 16)
        self.position = nn.Embedding(12, 16)
        layer = nn.TransformerEncoderLayer(16, 4, 32, activation="gelu", batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(16, 4)

    def forward(self, ids, mask):
        x = self.embedding(ids) + self.position(torch.arange(ids.shape[1], device=ids.device))
        y = self.encoder(x, src_key_padding_mask=mask == 0)
        weight = mask.unsqueeze(-1).to(y.dtype)
        return self.head((y * weight).sum(1) / weight.sum(1).clamp(min=1e-9))


class Causal(nn.Module):
    """A decoder block over token ids with a causal mask and tied weights, as in Radford et al. 2019.

    Exporters store equal weights once and tied ones twice, so not every parameter of the file is one of the model.
    """

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(40, 16)
        self.norm = nn.LayerNorm(16)
        self.qkv = nn.Linear(16, 48)
        self.mlp = nn.Sequential(nn.LayerNorm(16), nn.Linear(16, 32), nn.GELU("tanh"), nn.Linear(32, 16))

    def forward(self, ids):
        x = self.embedding(ids)
        n, length, width = x.shape
        q, k, v = self.qkv(self.norm(x)).view(n, length, 3, 2, width // 2).permute(2, 0, 3, 1, 4).unbind(0)
        score = q @ k.transpose(-1, -2) / (width // 2) ** 0.5
        keep = torch.ones(length, length, dtype=torch.bool).tril()
        score = score.masked_fill(~keep, float("-inf"))
        x = x + (score.softmax(-1) @ v).transpose(1, 2).reshape(n, length, width)
        return (x + self.mlp(x)) @ self.embedding.weight.T


class Odds(nn.Module):
    """Functions that exporters write in several ways: sorting, choosing, gathering, scattering, cumulating."""

    def forward(self, x, choice):
        top, where = x.topk(3, dim=1)
        picked = torch.gather(x, 1, choice)
        scattered = torch.zeros_like(x).scatter_add(1, choice, picked.exp())
        running = x.cumsum(1).tanh()
        power = (x.abs() + 0.5) ** (x.sigmoid() + 1)
        kept = torch.where(choice[:, :1] > 2, running, power)
        best = F.one_hot(x.argmax(1), x.shape[1]).to(x.dtype)
        norms = torch.stack([x.norm(p=2, dim=1), x.logsumexp(1), x.abs().sum(1), x.var(1)], 1)
        return torch.cat([top, picked, scattered, kept, best, norms], 1), where


def models() -> list[tuple[str, nn.Module, dict[str, torch.Tensor], list[str]]]:
    image = torch.randn(1, 3, 32, 32)
    ids = torch.randint(0, 40, (1, 12))
    mask = (torch.arange(12) < 9).long()[None]
    series = torch.randn(1, 7, 5)
    return [
        ("resnet", ResNet(), {"image": image}, ["image", "head.2.weight"]),
        ("vit", ViT(), {"image": image}, ["image", "head.weight"]),
        ("unet", UNet(), {"image": torch.randn(1, 1, 16, 16)}, ["image", "out.weight"]),
        ("lstm", Recurrent(nn.LSTM), {"series": series}, ["series"]),
        ("gru", Recurrent(nn.GRU), {"series": series}, ["series"]),
        ("rnn", Recurrent(nn.RNN), {"series": series}, ["series"]),
        ("encoder", Tokens(), {"ids": ids, "mask": mask}, ["embedding.weight"]),
        ("causal", Causal(), {"ids": ids}, ["qkv.bias"]),
        ("odds", Odds(), {"x": torch.randn(2, 5), "choice": torch.tensor([[0, 3], [4, 4]])}, ["x"]),
    ]


def randomise(model: nn.Module) -> nn.Module:
    """Running moments that batch normalization would have learnt."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.5, 2.0)
    return model.eval()


def save(path: Path, value: np.ndarray) -> None:
    path.write_bytes(numpy_helper.from_array(np.ascontiguousarray(value)).SerializeToString())


def write(folder: Path, model: nn.Module, inputs: dict[str, torch.Tensor], wanted: list[str], dynamo: bool) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "model.onnx"
    names = list(inputs)
    options = {"dynamo": True, "external_data": False, "verbose": False} if dynamo else {"dynamo": False, "opset_version": 17}
    torch.onnx.export(model, tuple(inputs.values()), str(path), input_names=names, **options)

    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    outputs = session.run(None, {n: inputs[n].numpy() for n in names})
    leaves = {n: t.clone().requires_grad_(t.is_floating_point()) for n, t in inputs.items()}
    first = model(*leaves.values())
    first = first[0] if isinstance(first, tuple) else first
    cotangent = torch.randn(first.shape)
    sources = {**leaves, **dict(model.named_parameters())}
    gradients = torch.autograd.grad((first * cotangent).sum(), [sources[name] for name in wanted])

    for kind, values in (
        ("input", [t.numpy() for t in inputs.values()]),
        ("output", outputs),
        ("cotangent", [cotangent.numpy()]),
        ("gradient", [g.numpy() for g in gradients]),
    ):
        for i, value in enumerate(values):
            save(folder / f"{kind}_{i}.pb", value)
    (folder / "gradients.txt").write_text("\n".join(wanted) + "\n")


def main() -> None:
    root = Path(sys.argv[1])
    torch.manual_seed(0)
    failures = 0
    for name, model, inputs, wanted in models():
        randomise(model)
        for exporter in ("legacy", "dynamo"):
            try:
                write(root / f"{name}-{exporter}", model, inputs, wanted, exporter == "dynamo")
                print(f"{name}-{exporter}")
            except Exception as problem:
                failures += 1
                print(f"{name}-{exporter}: not exported: {type(problem).__name__}: {str(problem).splitlines()[0]}")
    sys.exit(failures == 2 * len(models()))


if __name__ == "__main__":
    main()
