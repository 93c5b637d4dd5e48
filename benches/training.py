"""Trains the same networks with perturb and with PyTorch, one after the other, and prints scores and times.

    cargo build --release -p perturb-nn --examples
    PERTURB_DATA=... python benches/training.py [--only mnist shakespeare] [--epochs 3] [--steps 400] [--rounds 1] [--threads N]

- mnist: a CNN of two convolutions, three epochs; the score is the accuracy on the test set.
- shakespeare: a causal transformer of two blocks; the score is the validation loss in nats for a character.

Both sides use the same sizes, the same distributions of initial weights, the same optimizer and the same number of threads, and
keep their data in memory; a ratio above 1 means that perturb is faster.
"""

import argparse
import gzip
import json
import os
import pathlib
import statistics
import subprocess
import time

import numpy
import torch
from torch import nn
from torch.nn import functional

DATA = pathlib.Path(os.environ.get("PERTURB_DATA", "."))


def idx(name, offset):
    with gzip.open(DATA / "mnist" / name) as file:
        return numpy.frombuffer(file.read(), numpy.uint8, offset=offset)


def mnist(epochs, _steps):
    """Accuracy on the test set, and seconds of training."""
    images = lambda name: torch.tensor(idx(f"{name}-images-idx3-ubyte.gz", 16)).reshape(-1, 1, 28, 28).float() / 255
    labels = lambda name: torch.tensor(idx(f"{name}-labels-idx1-ubyte.gz", 8)).long()
    x, y = images("train"), labels("train")
    net = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(1568, 128), nn.ReLU(), nn.Linear(128, 10),
    )
    optimizer = torch.optim.Adam(net.parameters())
    start = time.perf_counter()
    for _ in range(epochs):
        order = torch.randperm(len(x))
        for k in range(len(x) // 64):
            rows = order[64 * k : 64 * k + 64]
            optimizer.zero_grad()
            functional.cross_entropy(net(x[rows]), y[rows]).backward()
            optimizer.step()
    seconds = time.perf_counter() - start
    with torch.no_grad():
        right = (net(images("t10k")).argmax(1) == labels("t10k")).float().mean().item()
    return right, seconds


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.norm1, self.norm2, self.heads = nn.LayerNorm(width), nn.LayerNorm(width), heads
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x):
        n, t, width = x.shape
        parts = self.qkv(self.norm1(x)).reshape(n, t, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(*parts, is_causal=True)
        x = x + self.proj(mixed.transpose(1, 2).reshape(n, t, width))
        return x + self.mlp(self.norm2(x))


class Transformer(nn.Module):
    def __init__(self, characters, context=64, width=128):
        super().__init__()
        self.tokens = nn.Embedding(characters, width)
        self.positions = nn.Parameter(torch.empty(context, width))
        nn.init.normal_(self.tokens.weight, std=0.02)
        nn.init.normal_(self.positions, std=0.02)
        self.blocks = nn.Sequential(Block(width, 4), Block(width, 4))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, characters)

    def forward(self, tokens):
        return self.head(self.norm(self.blocks(self.tokens(tokens) + self.positions)))


def shakespeare(_epochs, steps):
    """Validation loss, and seconds of training."""
    text = numpy.frombuffer(gzip.open(DATA / "text" / "tinyshakespeare.txt.gz").read(), numpy.uint8)
    alphabet, places = numpy.unique(text, return_inverse=True)
    places = torch.tensor(places).long()
    split = len(places) // 10 * 9
    text, held_out = places[:split], places[split:]
    net = Transformer(len(alphabet))
    optimizer = torch.optim.AdamW(net.parameters(), weight_decay=0.01)
    loss_of = lambda x, y: functional.cross_entropy(net(x).flatten(0, 1), y.flatten())
    start = time.perf_counter()
    for _ in range(steps):
        rows = torch.randint(len(text) - 64, (32, 1)) + torch.arange(64)
        optimizer.zero_grad()
        loss_of(text[rows], text[rows + 1]).backward()
        optimizer.step()
    seconds = time.perf_counter() - start
    windows = lambda ahead: held_out[ahead : ahead + 1600 * 64].reshape(-1, 64)
    with torch.no_grad():
        losses = [loss_of(x, y).item() for x, y in zip(windows(0).split(32), windows(1).split(32))]
    return statistics.mean(losses), seconds


def ours(binary, argument, seed, threads):
    environment = {**os.environ, "RAYON_NUM_THREADS": str(threads)}
    done = subprocess.run([binary, str(argument), str(seed)], capture_output=True, text=True, check=True, env=environment)
    line = json.loads(done.stdout)
    return line["score"], line["seconds"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", default=["mnist", "shakespeare"])
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--examples", default="target/release/examples")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    print("| workload | perturb score | PyTorch score | perturb s | PyTorch s | ratio |\n|---|---|---|---|---|---|")
    for name in arguments.only:
        argument = arguments.epochs if name == "mnist" else arguments.steps
        peer = {"mnist": mnist, "shakespeare": shakespeare}[name]
        rounds = []
        for seed in range(arguments.rounds):
            torch.manual_seed(seed)
            mine = ours(f"{arguments.examples}/{name}", argument, seed, arguments.threads)
            rounds.append((mine, peer(arguments.epochs, arguments.steps)))
        (score, seconds), (peer_score, peer_seconds) = (
            tuple(map(statistics.median, zip(*side))) for side in zip(*rounds)
        )
        ratio = peer_seconds / seconds
        print(f"| {name} | {score:.4f} | {peer_score:.4f} | {seconds:.1f} | {peer_seconds:.1f} | {ratio:.2f} |")


if __name__ == "__main__":
    main()
