"""Embeds WordNet's mammals with perturb and with gensim, one after the other, and prints throughput and quality.

    cargo build --release -p perturb-embed --example wordnet
    PERTURB_DATA=... python benches/poincare.py [--epochs 50] [--rounds 1] [--threads 1] [--target target]

Both sides train the same pairs in 5 dimensions, with 10 negatives for each, 10 epochs of burn-in at a step of 0.01 and then the
given number of epochs at a step of 0.1 (gensim's defaults). Each keeps its own way of drawing negatives (gensim by frequency,
perturb uniformly; --damping 1 draws as gensim does) and gensim its regularisation. The quality of both is measured by the same
function, on the vectors that each has learned (gensim's own evaluation counts the concept itself as a candidate); a ratio above 1 means that perturb is faster.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import tempfile
import time

import numpy
from gensim.models.poincare import PoincareModel

PAIRS = pathlib.Path(os.environ.get("PERTURB_DATA", ".")) / "wordnet" / "mammal_closure.tsv"
BURN_IN = 10


def reconstruction(relations, names, vectors):
    """Mean rank and mean average precision of the ancestors of each concept among the concepts that are none, by distance."""
    index = {name: row for row, name in enumerate(names)}
    ancestors = {}
    for child, ancestor in relations:
        ancestors.setdefault(index[child], []).append(index[ancestor])
    conformal = 1 - (vectors**2).sum(1)
    ranks, precisions = [], []
    for row, related in ancestors.items():
        distance = ((vectors - vectors[row]) ** 2).sum(1) / conformal
        others = numpy.sort(numpy.delete(distance, related + [row]))
        before = numpy.searchsorted(others, numpy.sort(distance[related]))
        found = numpy.arange(1, len(related) + 1)
        ranks.extend(before + 1)
        precisions.append((found / (found + before)).mean())
    return numpy.mean(ranks), numpy.mean(precisions)


def pairs():
    return [tuple(line.rstrip("\n").split("\t")) for line in open(PAIRS)]


def gensim(epochs, seed):
    """Pairs per second, mean rank and mean average precision."""
    relations = pairs()
    model = PoincareModel(relations, size=5, alpha=0.1, negative=10, burn_in=BURN_IN, seed=seed)
    start = time.perf_counter()
    model.train(epochs=epochs)
    seconds = time.perf_counter() - start
    rate = (epochs + BURN_IN) * len(relations) / seconds
    return rate, *reconstruction(relations, model.kv.index_to_key, model.kv.vectors)


def perturb(binary, epochs, seed, threads, damping):
    """The same for perturb."""
    with tempfile.NamedTemporaryFile(suffix=".txt") as table:
        command = [binary, PAIRS, epochs, threads, seed, damping, 0.1, table.name]
        output = subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True).stdout
        rows = [line.split() for line in open(table.name).readlines()[1:]]
    names, vectors = [row[0] for row in rows], numpy.array([row[1:] for row in rows], float)
    return json.loads(output)["pairs_per_second"], *reconstruction(pairs(), names, vectors)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--damping", type=float, default=0.0)
    parser.add_argument("--target", default=os.environ.get("CARGO_TARGET_DIR", "target"))
    arguments = parser.parse_args()
    binary = pathlib.Path(arguments.target) / "release" / "examples" / "wordnet"
    rates = {"perturb": [], "gensim": []}
    for seed in range(arguments.rounds):
        for name, found in [
            ("perturb", perturb(binary, arguments.epochs, seed, arguments.threads, arguments.damping)),
            ("gensim", gensim(arguments.epochs, seed)),
        ]:
            rates[name].append(found[0])
            print(f"{name:8} seed {seed}: {found[0]:10.0f} pairs/s, mean rank {found[1]:.2f}, MAP {found[2]:.4f}", flush=True)
    print(f"throughput ratio {statistics.median(rates['perturb']) / statistics.median(rates['gensim']):.1f}")


if __name__ == "__main__":
    main()
